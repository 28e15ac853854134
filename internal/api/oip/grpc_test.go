package oip_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// serveH2C serves the door as `levada up` does: HTTP/1 and HTTP/2 without TLS on one port.
func serveH2C(t testing.TB) (*httptest.Server, *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(newDoor(1 << 20))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return server, &http.Client{Transport: transport}
}

func frame(flags byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message))), message...)
}

// call makes a gRPC call and gives the message, the status and the text of the error.
func call(t testing.TB, c *http.Client, url, method string, body []byte, headers ...string) (message []byte, status, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+method, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc+proto")
	r.Header.Set("Te", "trailers")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Fatalf("%s: %s %s, %v", method, resp.Status, resp.Proto, err)
	}
	if status = resp.Trailer.Get("Grpc-Status"); status == "" {
		status = resp.Header.Get("Grpc-Status")
	}
	if len(answer) > 0 {
		if len(answer) < 5 || answer[0] != 0 || int(binary.BigEndian.Uint32(answer[1:])) != len(answer)-5 {
			t.Fatalf("%s: the frame is %v", method, answer)
		}
		message = answer[5:]
	}
	return message, status, resp.Header.Get("Grpc-Message")
}

func field(b []byte, n protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), value)
}

func number(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

// input makes an InferInputTensor; contents may be nil.
func input(name, datatype string, contents []byte, shape ...uint64) []byte {
	b := field(field(nil, 1, []byte(name)), 2, []byte(datatype))
	for _, d := range shape {
		b = number(b, 3, d) // not packed, as older writers do
	}
	if contents != nil {
		b = field(b, 5, contents)
	}
	return b
}

func doubles(values ...float64) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

const service = "/inference.GRPCInferenceService/"

func TestPredictionsOverGRPC(t *testing.T) {
	server, c := serveH2C(t)
	typed := field(nil, 1, []byte("sum"))
	typed = field(field(typed, 5, input("a", "FP64", field(nil, 7, doubles(1, 2)), 2)), 5, input("b", "INT32", field(nil, 2, protowire.AppendVarint([]byte{5}, math.MaxUint64)), 2))
	typed = field(typed, 3, []byte("id1"))
	raw := field(nil, 1, []byte("sum"))
	raw = field(field(raw, 5, input("a", "FP64", nil, 2)), 5, input("b", "FP64", nil, 2))
	raw = field(field(raw, 7, doubles(1, 2)), 7, doubles(5, -1))
	head := func(tail []byte, id string) []byte {
		b := field(field(nil, 1, []byte("sum")), 2, []byte("3"))
		if id != "" {
			b = field(b, 3, []byte(id))
		}
		return append(b, tail...)
	}
	out := field(field(field(nil, 1, []byte("output-0")), 2, []byte("FP64")), 3, []byte{2})
	for name, tt := range map[string]struct {
		body, want []byte
		headers    []string
	}{
		"contents":     {frame(0, typed), head(field(nil, 5, field(out, 5, field(nil, 7, doubles(6, 1)))), "id1"), nil},
		"raw contents": {frame(0, raw), head(field(field(nil, 5, out), 6, doubles(6, 1)), ""), nil},
		"gzip":         {frame(1, []byte(packed(gzipped, string(raw)))), head(field(field(nil, 5, out), 6, doubles(6, 1)), ""), []string{"Grpc-Encoding", "gzip"}},
		"deflate":      {frame(1, []byte(packed(deflated, string(raw)))), head(field(field(nil, 5, out), 6, doubles(6, 1)), ""), []string{"Grpc-Encoding", "deflate"}},
	} {
		got, status, text := call(t, c, server.URL, service+"ModelInfer", tt.body, tt.headers...)
		if status != "0" || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: status %s %s\n%q, want\n%q", name, status, text, got, tt.want)
		}
	}
}

func TestTheOtherCallsOverGRPC(t *testing.T) {
	server, c := serveH2C(t)
	yes := number(nil, 1, 1)
	for _, tt := range []struct {
		method string
		body   []byte
		want   []byte
	}{
		{service + "ServerLive", nil, yes}, {service + "ServerReady", nil, yes},
		{service + "ModelReady", field(nil, 1, []byte("sum")), yes}, {service + "ModelReady", field(nil, 1, []byte("down")), nil},
		{service + "ServerMetadata", nil, field(field(field(field(nil, 1, []byte("levada")), 2, []byte("1.2.3")), 3, []byte("model_repository")), 3, []byte("statistics"))},
		{"/grpc.health.v1.Health/Check", nil, yes}, {"/grpc.health.v1.Health/Check", field(nil, 1, []byte("down")), number(nil, 1, 2)},
	} {
		got, status, text := call(t, c, server.URL, tt.method, frame(0, tt.body))
		if status != "0" || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: status %s %s, %q, want %q", tt.method, status, text, got, tt.want)
		}
	}
	got, status, _ := call(t, c, server.URL, service+"ModelMetadata", frame(0, field(nil, 1, []byte("matrix"))))
	if status != "0" || !bytes.Contains(got, []byte("input-0")) || !bytes.Contains(got, []byte("mlflow_pyfunc")) {
		t.Errorf("metadata: %s %q", status, got)
	}
}

func TestWhatIsWrongOverGRPCHasAStatus(t *testing.T) {
	server, c := serveH2C(t)
	to := func(model string, tail ...byte) []byte {
		return frame(0, append(field(nil, 1, []byte(model)), tail...))
	}
	in := func(tensor []byte) []byte { return to("echo", field(nil, 5, tensor)...) }
	for _, tt := range []struct {
		method  string
		body    []byte
		headers []string
		status  string
		want    string
	}{
		{"ModelInfer", nil, nil, "3", "no message"},
		{"ModelInfer", []byte{0, 0, 0, 0, 9, 1}, nil, "3", "says it has 9 bytes"},
		{"ModelInfer", frame(0, []byte{0xff, 0xff}), nil, "3", "not the protocol's"},
		{"ModelInfer", frame(0, field(nil, 5, []byte{0x0b})), nil, "3", "not the protocol's"},
		{"ModelInfer", frame(1, []byte("x")), []string{"Grpc-Encoding", "snappy"}, "12", "gzip and deflate are"},
		{"ModelInfer", frame(1, []byte(packed(deflated, strings.Repeat(" ", 2<<20)))), []string{"Grpc-Encoding", "deflate"}, "8", "more than the"},
		{"ModelInfer", frame(1, []byte("x")), []string{"Grpc-Encoding", "gzip"}, "3", "unpack"},
		{"ModelInfer", in(input("a", "FP64", field(nil, 7, doubles(1)), 2)), nil, "3", "needs 2 elements of 8 bytes each, and 8 bytes came"},
		{"ModelInfer", in(input("a", "FP64", field(nil, 6, []byte{0, 0, 0, 0}), 1)), nil, "3", "goes in another field"},
		{"ModelInfer", in(input("a", "INT8", field(nil, 2, []byte{0xc8, 1}), 1)), nil, "3", "outside of what INT8 holds"},
		{"ModelInfer", in(input("a", "BF16", field(nil, 2, []byte{1}), 1)), nil, "3", `does not go as contents`},
		{"ModelInfer", in(input("a", "FP64", nil, math.MaxUint64)), nil, "3", "is negative"},
		{"ModelInfer", in(input("a", "FP64", nil, 1<<40, 1<<40)), nil, "3", "more elements"},
		{"ModelInfer", in(input("a", "FP64", nil, 1<<50)), nil, "3", "and 0 bytes came"},
		{"ModelInfer", in(input("a", "BYTES", nil, 1<<50)), nil, "3", "only 0 came"},
		{"ModelInfer", to("echo", field(field(nil, 5, input("a", "BYTES", nil, 1)), 7, []byte{9, 0, 0, 0, 'x'})...), nil, "3", "says that it has 9 bytes, and 1 are left"},
		{"ModelInfer", to("echo", field(nil, 7, []byte("x"))...), nil, "3", "raw_input_contents"},
		{"ModelInfer", to("nowhere"), nil, "5", "no endpoint"},
		{"ModelInfer", to("busy"), nil, "8", "queue"},
		{"ModelInfer", to("down"), nil, "14", "no worker"},
		{"ModelInfer", to("broken"), nil, "13", "error_id="},
		{"ModelInfer", to("slow"), []string{"Grpc-Timeout", "10m"}, "4", "deadline"},
		{"ModelInfer", to("slow"), []string{"Grpc-Timeout", "10x"}, "3", "grpc-timeout"},
		{"ModelInfer", frame(0, make([]byte, 2<<20)), nil, "8", "more than the"},
		{"ModelReady", to("nowhere"), nil, "5", "no endpoint"},
		{"ModelStreamInfer", nil, nil, "12", "there is no call"},
	} {
		_, status, text := call(t, c, server.URL, service+tt.method, tt.body, tt.headers...)
		if status != tt.status || !strings.Contains(text, tt.want) || strings.Contains(text, "secret") {
			t.Errorf("%s %.20q: status %s %s; want %s and %s", tt.method, tt.body, status, text, tt.status, tt.want)
		}
	}
	resp, err := http.Post(server.URL+service+"ModelInfer", "application/json", nil)
	if err != nil || resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("no gRPC: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

func FuzzMessages(f *testing.F) {
	f.Add(field(field(nil, 1, []byte("echo")), 5, input("a", "FP64", field(nil, 7, doubles(1, 2)), 2)))
	f.Add(field(field(field(nil, 1, []byte("echo")), 5, input("a", "BYTES", nil, 1)), 7, []byte{1, 0, 0, 0, 'x'}))
	f.Add(field(field(nil, 1, []byte("echo")), 5, input("a", "INT8", field(nil, 2, []byte{1, 2}), 2)))
	door := newDoor(1 << 20)
	f.Fuzz(func(t *testing.T, message []byte) {
		r := httptest.NewRequest(http.MethodPost, service+"ModelInfer", bytes.NewReader(frame(0, message)))
		r.Header.Set("Content-Type", "application/grpc")
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if status := w.Header().Get("Grpc-Status"); status != "0" && status != "3" && status != "5" && status != "12" && status != "13" && status != "8" && status != "14" {
			t.Errorf("status %q %s", status, w.Header().Get("Grpc-Message"))
		}
	})
}
