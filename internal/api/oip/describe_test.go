package oip_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// reflection asks a server what it speaks, one question after the other on one stream.
type reflection struct {
	t    testing.TB
	ask  *io.PipeWriter
	resp *http.Response
}

func reflecting(t testing.TB, c *http.Client, url, version string) *reflection {
	t.Helper()
	body, ask := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/grpc.reflection."+version+".ServerReflection/ServerReflectionInfo", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &reflection{t, ask, resp}
}

// question gets the field of the answer with a number, nil where it has none.
func (r *reflection) question(n protowire.Number, text string, want protowire.Number) []byte {
	r.t.Helper()
	if _, err := r.ask.Write(frame(0, field(nil, n, []byte(text)))); err != nil {
		r.t.Fatal(err)
	}
	var head [5]byte
	if _, err := io.ReadFull(r.resp.Body, head[:]); err != nil {
		r.t.Fatal(err)
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(r.resp.Body, message); err != nil {
		r.t.Fatal(err)
	}
	return only(r.t, message, want)
}

// only is the last field of a message with a number.
func only(t testing.TB, message []byte, want protowire.Number) (found []byte) {
	t.Helper()
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		message = message[size:]
		if kind == protowire.BytesType && n == want {
			found, _ = protowire.ConsumeBytes(message)
		}
		message = message[protowire.ConsumeFieldValue(n, kind, message):]
	}
	return found
}

func TestTheServerDescribesWhatItSpeaks(t *testing.T) {
	server, client := serveH2C(t)
	for _, version := range []string{"v1", "v1alpha"} {
		r := reflecting(t, client, server.URL, version)
		services := string(r.question(7, "", 6))
		for _, want := range []string{"inference.GRPCInferenceService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} {
			if !strings.Contains(services, want) {
				t.Errorf("no %s in %q", want, services)
			}
		}
		set := &descriptorpb.FileDescriptorSet{}
		for _, symbol := range []string{"inference.ModelInferRequest.InferInputTensor", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflectionRequest"} {
			f := &descriptorpb.FileDescriptorProto{}
			if err := proto.Unmarshal(only(t, r.question(4, symbol, 4), 1), f); err != nil {
				t.Fatal(err)
			}
			set.File = append(set.File, f)
		}
		if byName := only(t, r.question(3, set.File[0].GetName(), 4), 1); len(byName) == 0 {
			t.Error("the file is not found by its name")
		}
		for _, symbol := range []string{"inference.GRPCInferenceService.ModelInfer", "inference.ModelInferRequest.inputs"} {
			if r.question(4, symbol, 4) == nil {
				t.Errorf("%s is not found", symbol)
			}
		}
		for _, symbol := range []string{"inference.Nobody", "inference.GRPCInferenceService.Nothing", ""} {
			if wrong := r.question(4, symbol, 7); !bytes.Contains(wrong, []byte("not described here")) {
				t.Errorf("%s: %q", symbol, wrong)
			}
		}
		if r.question(6, "inference.ModelInferRequest", 7) == nil || r.question(5, "", 7) == nil {
			t.Error("there are extensions")
		}
		if err := r.ask.Close(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(r.resp.Body); err != nil || len(rest) > 0 || r.resp.Trailer.Get("Grpc-Status") != "0" {
			t.Errorf("%q %v %v", rest, err, r.resp.Trailer)
		}
		known, err := protodesc.NewFiles(set) // checks all names, types and numbers
		if err != nil {
			t.Fatal(err)
		}
		callBy(t, server.URL, client, known)
	}
}

// callBy makes a call with messages made of the descriptors, as grpcurl does.
func callBy(t *testing.T, url string, client *http.Client, known *protoregistry.Files) {
	t.Helper()
	message := func(name, text string) *dynamicpb.Message {
		d, err := known.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			t.Fatal(err)
		}
		m := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
		if err := prototext.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	asked, err := proto.Marshal(message("inference.ModelInferRequest", `model_name: "sum" id: "7" parameters { key: "offset" value { double_param: 0.5 } }
		inputs { name: "a" datatype: "FP64" shape: 2 contents { fp64_contents: [1, 2] } } inputs { name: "b" datatype: "FP64" shape: 2 contents { fp64_contents: [10, 20] } }`))
	if err != nil {
		t.Fatal(err)
	}
	answer, status, text := call(t, client, url, "/inference.GRPCInferenceService/ModelInfer", frame(0, asked))
	got := message("inference.ModelInferResponse", "")
	if err := proto.Unmarshal(answer, got); err != nil || status != "0" {
		t.Fatalf("%v, status %s: %s", err, status, text)
	}
	shown := prototext.MarshalOptions{}.Format(got)
	if want := "fp64_contents:11.5"; !strings.Contains(strings.ReplaceAll(shown, " ", ""), want) {
		t.Errorf("no %s in %s", want, shown)
	}
}

func TestStatisticsAreThoseOfTheProtocol(t *testing.T) {
	server, client := serveH2C(t)
	for path, models := range map[string]int{"/v2/models/sum/stats": 1, "/v2/models/sum/versions/3/stats": 1, "/v2/models/stats": 10} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Stats []struct {
				Name, Version string
				Last          int64                                `json:"last_inference"`
				Inferences    int64                                `json:"inference_count"`
				Executions    int64                                `json:"execution_count"`
				Spent         map[string]struct{ Count, NS int64 } `json:"inference_stats"`
				Memory        []struct {
					Type string
					Size int64 `json:"byte_size"`
				} `json:"memory_usage"`
			} `json:"model_stats"`
		}
		err = json.NewDecoder(resp.Body).Decode(&got)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || len(got.Stats) != models {
			t.Fatalf("%s: %s %v %+v", path, resp.Status, err, got)
		}
		s := got.Stats[0]
		if s.Version != "3" || s.Last != 1_700_000_000_123 || s.Inferences != 7 || s.Executions != 3 || s.Spent["success"].Count != 5 || s.Spent["fail"].NS != 1_000_000 ||
			s.Spent["queue"].NS != 1000 || s.Spent["compute_infer"].NS != 4_000_000 || s.Memory[0].Size != 1<<20 || s.Memory[0].Type != "CPU" {
			t.Errorf("%s: %+v", path, s)
		}
	}
	resp, err := http.Get(server.URL + "/v2/models/nobody/stats")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
	message, status, _ := call(t, client, server.URL, "/inference.GRPCInferenceService/ModelStatistics", frame(0, field(nil, 1, []byte("sum"))))
	model := only(t, message, 1)
	if status != "0" || string(only(t, model, 1)) != "sum" || !bytes.Equal(only(t, only(t, model, 6), 1), number(number(nil, 1, 5), 2, 5_000_000)) {
		t.Errorf("%s %v", status, message)
	}
	if _, status, _ := call(t, client, server.URL, "/inference.GRPCInferenceService/ModelStatistics", frame(0, field(nil, 1, []byte("nobody")))); status != "5" {
		t.Error(status)
	}
}

func TestQuestionsThatAreGarbageEndTheStream(t *testing.T) {
	server, client := serveH2C(t)
	const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	for name, tt := range map[string]struct {
		body   []byte
		status string
	}{
		"no end":     {frame(0, field(nil, 7, nil))[:6], "3"},
		"compressed": {frame(1, field(nil, 7, nil)), "12"},
		"too large":  {append(binary.BigEndian.AppendUint32([]byte{0}, 1<<30), 1), "8"},
		"garbage":    {frame(0, []byte{0xff, 0xff}), "3"},
	} {
		if _, status, _ := call(t, client, server.URL, path, tt.body); status != tt.status {
			t.Errorf("%s: status %s; want %s", name, status, tt.status)
		}
	}
	if message, status, _ := call(t, client, server.URL, path, nil); status != "0" || message != nil {
		t.Errorf("%v %s", message, status)
	}
}
