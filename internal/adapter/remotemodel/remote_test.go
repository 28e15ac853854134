package remotemodel_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"levada/internal/adapter/outbound"
	"levada/internal/adapter/remotemodel"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// elsewhere is another server, whose answers to predictions the test decides.
func elsewhere(t *testing.T, answer http.HandlerFunc) (*remotemodel.Host, endpoint.Remote) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/models/m/ready" {
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	s, err := outbound.New([]string{server.URL})
	if err != nil {
		t.Fatal(err)
	}
	h := remotemodel.New(remotemodel.Options{Transport: s.Transport(2), MaxAnswer: 1 << 20, Secret: func(_ context.Context, name, key string) ([]byte, error) {
		if name != "models" {
			return nil, fault.NotFoundf("there is no secret %q", name)
		}
		return []byte(key + "-hunter2\n"), nil
	}})
	t.Cleanup(h.Close)
	return h, endpoint.Remote{URL: server.URL + "/v2/models/m"}
}

func start(t *testing.T, h *remotemodel.Host, r endpoint.Remote) *remotemodel.Worker {
	t.Helper()
	w, err := h.Prepare(r).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func request(v ...float32) *infer.Request {
	x := infer.Tensor{Name: "x", Datatype: infer.FP32, Shape: []int64{int64(len(v)), 1}}
	s := infer.Tensor{Name: "s", Datatype: infer.Bytes, Shape: []int64{int64(len(v))}}
	for _, f := range v {
		x.Data = binary.LittleEndian.AppendUint32(x.Data, math.Float32bits(f))
		s.Data = infer.AppendBytes(s.Data, []byte(`"é`))
	}
	return &infer.Request{ID: fmt.Sprint(v[0]), Inputs: []infer.Tensor{x, s}, Parameters: map[string]any{"temperature": 0.5}}
}

func TestRequestsAreSentAsOneAndGetTheirRows(t *testing.T) {
	var got atomic.Value
	h, r := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Store(r.URL.Path + " " + r.Header.Get("Authorization") + " " + string(body))
		_, _ = w.Write([]byte(`{"model_name": "m", "outputs": [{"name": "y", "datatype": "FP32", "shape": [3, 1], "data": [[1.5], [2], [3]]},
			{"name": "label", "datatype": "BYTES", "shape": [3], "data": ["a", "bé", ""]}, {"name": "n", "datatype": "INT64", "shape": [3], "data": [9007199254740993, -1, 0]},
			{"name": "b", "datatype": "BOOL", "shape": [3], "data": [true, false, true]}]}`))
	})
	r.Secret = "models"
	w := start(t, h, r)
	out, err := w.Predict(t.Context(), []*infer.Request{request(0.1), request(2, 3)}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want := `/v2/models/m/infer Bearer token-hunter2 {"inputs":[{"datatype":"FP32","name":"x","shape":[3,1],"data":[0.1,2,3]},` +
		`{"datatype":"BYTES","name":"s","shape":[3],"data":["\"é","\"é","\"é"]}],"parameters":{"temperature":0.5}}`
	if got.Load() != want {
		t.Errorf("%s; want\n%s", got.Load(), want)
	}
	second := out[1].Outputs
	if len(out) != 2 || out[0].ID != "0.1" || second[0].Element(1) != 3.0 || fmt.Sprint(second[0].Shape) != "[2 1]" || string(second[1].Data) != "\x03\x00\x00\x00bé\x00\x00\x00\x00" ||
		out[0].Outputs[2].Element(0) != int64(9007199254740993) || second[3].Element(1) != true {
		t.Errorf("%+v %+v", out[0], out[1])
	}
}

func TestWhatTheOtherServerDoesIsToldForWhatItIs(t *testing.T) {
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = w.Write([]byte(body)) }
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		kind   fault.Kind
		want   string
		lost   bool
	}{
		"it refuses the input":   {say(400, `{"error": "shape [1] is wrong"}`), fault.Invalid, "shape [1] is wrong", false},
		"it has too much to do":  {say(429, `{"error": "later"}`), fault.Unavailable, "status 429: later", false},
		"it fails":               {say(500, "<html>stack trace</html>"), fault.Unavailable, "status 500", false},
		"it wants another token": {say(401, `{"error": "who are you"}`), fault.Unavailable, "status 401", true},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		},
			fault.Unavailable, "redirect", false},
		"no JSON":         {say(200, "hello"), fault.Unavailable, "not one of the Open Inference Protocol", false},
		"no outputs":      {say(200, "{}"), fault.Unavailable, "no outputs", false},
		"too few":         {say(200, `{"outputs": [{"name": "y", "datatype": "FP32", "shape": [5], "data": [1]}]}`), fault.Unavailable, "5 elements, and 1", false},
		"another type":    {say(200, `{"outputs": [{"name": "y", "datatype": "INT8", "shape": [1], "data": [300]}]}`), fault.Unavailable, "out of range", false},
		"no type":         {say(200, `{"outputs": [{"name": "y", "datatype": "INT9", "shape": [1], "data": [3]}]}`), fault.Unavailable, "no datatype", false},
		"not row by row":  {say(200, `{"outputs": [{"name": "y", "datatype": "INT8", "shape": [1], "data": [3]}]}`), fault.Conflict, "for 2 rows", false},
		"a flood":         {say(200, `{"outputs": "`+strings.Repeat("x", 2<<20)+`"}`), fault.Unavailable, "more than 1048576 bytes", true},
		"it hangs up":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable, "cannot be reached", true},
		"it says nothing": {func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, fault.Unavailable, "no answer within", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, r := elsewhere(t, tt.answer)
			r.Secret = "models"
			w := start(t, h, r)
			limit := time.Minute
			if name == "it says nothing" {
				limit = 100 * time.Millisecond
			}
			_, err := w.Predict(t.Context(), []*infer.Request{request(1), request(2)}, limit)
			if fault.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.want) || strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("%v (kind %d); want it to say %q", err, fault.KindOf(err), tt.want)
			}
			if errors.Is(err, context.DeadlineExceeded) != (name == "it says nothing") {
				t.Errorf("deadline exceeded: %v", err)
			}
			if lost := w.Err() != nil; lost != tt.lost {
				t.Errorf("lost: %v; want %v", lost, tt.lost)
			}
		})
	}
}

func TestTheOtherServerIsLeftAloneWhenNobodyWaits(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	h, r := elsewhere(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // its end is what the server waits for before it notices
		close(began)
		<-r.Context().Done()
		close(ended)
	})
	w := start(t, h, r)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, err := w.Predict(ctx, []*infer.Request{request(1)}, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-ended
	if w.Err() != nil {
		t.Errorf("the worker is lost: %v", w.Err())
	}
}

func TestWhatMLflowsServersSayBecomesTensors(t *testing.T) {
	for answer, want := range map[string]string{
		`[0, 1]`: "np output-0 INT64 [2] [0 1]", `[0.5, null]`: "np output-0 FP64 [2] [0.5 NaN]", `["a", "b"]`: "np output-0 BYTES [2] [a b]",
		`[[1, 2], [3, 4.5]]`: "np output-0 FP64 [2 2] [1 2 3 4.5]", `[true, false]`: "np output-0 BOOL [2] [true false]",
		`[{"b": 1, "a": "x"}, {"a": "y", "b": 2}]`: "pd b INT64 [2] [1 2]|a BYTES [2] [x y]",
		`{"p": [[0.1], [0.9]], "l": [0, 1]}`:       "np p FP64 [2 1] [0.1 0.9]|l INT64 [2] [0 1]",
	} {
		out, err := remotemodel.DecodeMLflow([]byte(`{"predictions": `+answer+`}`), []*infer.Request{request(1, 2)})
		if err != nil {
			t.Fatal(answer, err)
		}
		var parts []string
		for _, o := range out[0].Outputs {
			var values []any
			for i := range 2 {
				values = append(values, o.Element(int64(i)))
			}
			if o.Datatype == infer.Bytes {
				values = []any{string(o.Data[4:5]), string(o.Data[9:10])}
			}
			for i := int64(2); i < o.Shape[0]*int64(len(o.Shape)); i++ {
				if len(o.Shape) == 2 && o.Shape[1] > 1 {
					values = append(values, o.Element(i))
				}
			}
			parts = append(parts, fmt.Sprint(o.Name, " ", o.Datatype, " ", o.Shape, " ", values))
		}
		if got := fmt.Sprint(out[0].Parameters[infer.ContentType], " ", strings.Join(parts, "|")); got != want {
			t.Errorf("%s: %s; want %s", answer, got, want)
		}
	}
	for _, answer := range []string{`{}`, `{"predictions": [[1], [2, 3]]}`, `{"predictions": [{"a": 1}, {"b": 1}]}`, `{"predictions": [1, 2, 3]}`, `[1]`} {
		if out, err := remotemodel.DecodeMLflow([]byte(answer), []*infer.Request{request(1), request(2)}); err == nil {
			t.Errorf("%s: %v", answer, out)
		}
	}
}

func TestWhatAProtocolCannotSayIsRefusedBeforeItIsSent(t *testing.T) {
	asked := make(chan string, 10)
	h, r := elsewhere(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			asked <- r.URL.Path
		}
	})
	r.Protocol, r.URL = endpoint.ProtocolMLflow, strings.TrimSuffix(r.URL, "/v2/models/m")+endpoint.InvocationsPath
	hollow := &infer.Request{Inputs: []infer.Tensor{{Name: "x", Datatype: infer.FP32, Shape: []int64{math.MaxInt32, 0}}}}
	if _, err := start(t, h, r).Predict(t.Context(), []*infer.Request{hollow}, time.Minute); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "rows without elements") {
		t.Errorf("rows without elements: %v", err)
	}
	if len(asked) > 0 {
		t.Errorf("%s was asked", <-asked)
	}
}

func TestARemoteThatMustNotBeReachedIsNot(t *testing.T) {
	s, err := outbound.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := remotemodel.New(remotemodel.Options{Transport: s.Transport(2), MaxAnswer: 1 << 20})
	defer h.Close()
	for _, url := range []string{"http://127.0.0.1:1/v2/models/m", "https://127.0.0.1:1/v2/models/m", "https://localhost:1/v2/models/m", "https://169.254.169.254/v2/models/m"} {
		if err := s.Reachable(t.Context(), url); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "webhook_hosts") {
			t.Errorf("%s can be named: %v", url, err)
		}
		if _, err := h.Prepare(endpoint.Remote{URL: url}).Start(t.Context()); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "webhook_hosts") {
			t.Errorf("%s is asked: %v", url, err)
		}
	}
}

func FuzzAnswersOfMLflow(f *testing.F) {
	f.Add(`{"predictions": [[1.5], [2]]}`)
	f.Add(`{"predictions": [{"a": 1, "b": "x"}, {"a": null, "b": "y"}]}`)
	f.Add(`{"predictions": {"p": [1, 2], "q": ["a", null]}}`)
	requests := []*infer.Request{request(1), request(2)}
	f.Fuzz(func(t *testing.T, body string) {
		out, err := remotemodel.DecodeMLflow([]byte(body), requests)
		if err != nil {
			return
		}
		for _, r := range out {
			for i := range r.Outputs {
				if err := r.Outputs[i].Check(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(`{"outputs": [{"name": "y", "datatype": "FP32", "shape": [2, 1], "data": [[1.5], [2]]}]}`)
	f.Add(`{"outputs": [{"name": "y", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}]}`)
	f.Add(`{"outputs": [{"name": "y", "datatype": "INT8", "shape": [9223372036854775807, 4], "data": []}]}`)
	requests := []*infer.Request{request(1), request(2)}
	f.Fuzz(func(t *testing.T, body string) {
		out, err := remotemodel.Decode([]byte(body), requests)
		if err != nil {
			return
		}
		for _, r := range out {
			for i := range r.Outputs {
				if err := r.Outputs[i].Check(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
