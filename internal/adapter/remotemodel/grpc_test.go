package remotemodel_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"levada/internal/adapter/outbound"
	"levada/internal/adapter/remotemodel"
	"levada/internal/api/oip"
	"levada/internal/api/predict/predicttest"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// elsewhereGRPC is another server over HTTP/2 without TLS.
func elsewhereGRPC(t *testing.T, h http.Handler, model string) (*remotemodel.Host, endpoint.Remote) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	s, err := outbound.New([]string{server.URL})
	if err != nil {
		t.Fatal(err)
	}
	host := remotemodel.New(remotemodel.Options{Transport: s.Transport(2), GRPC: s.HTTP2(), MaxAnswer: 1 << 20, Encode: oip.EncodeInferRequest, Decode: oip.DecodeInferResponse,
		Secret: func(context.Context, string, string) ([]byte, error) { return []byte("hunter2"), nil }})
	t.Cleanup(host.Close)
	return host, endpoint.Remote{URL: server.URL + "/v2/models/" + model, Protocol: endpoint.ProtocolGRPC, Secret: "models"}
}

// says answers predictions as a test wants, and that the model is ready.
func says(answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		if strings.HasSuffix(r.URL.Path, "/ModelReady") {
			body(w, "0", framed([]byte{1 << 3, 1}))
			return
		}
		answer(w, r)
	})
}

func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// body answers with what may be a message, and a status in the trailer.
func body(w http.ResponseWriter, status string, content []byte) {
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write(content) // the client would notice
	w.Header().Set("Grpc-Status", status)
}

// only answers with a status and nothing else, which goes into the header.
func only(status, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Grpc-Status", status)
		w.Header().Set("Grpc-Message", message)
	}
}

func TestAServerOfTheProtocolIsAskedOverGRPC(t *testing.T) {
	door := oip.New(oip.Options{Service: predicttest.New(), Logger: slog.New(slog.DiscardHandler), Version: "1"})
	h, r := elsewhereGRPC(t, door, "echo/versions/3")
	out, err := start(t, h, r).Predict(t.Context(), []*infer.Request{request(0.5), request(2, 3)}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || out[1].Outputs[0].Element(1) != 3.0 || fmt.Sprint(out[1].Outputs[0].Shape) != "[2 1]" || !bytes.Equal(out[0].Outputs[1].Data, infer.AppendBytes(nil, []byte(`"é`))) {
		t.Errorf("%+v %+v", out[0], out[1])
	}
	for model, want := range map[string]string{"nowhere": "no endpoint", "down": "not ready"} {
		h, r := elsewhereGRPC(t, door, model)
		if _, err := h.Prepare(r).Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", model, err)
		}
	}
	h, r = elsewhereGRPC(t, door, "matrix")
	if _, err := start(t, h, r).Predict(t.Context(), []*infer.Request{request(1)}, time.Minute); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "gRPC status 3") {
		t.Errorf("what it refuses: %v", err)
	}
	bad := request(1)
	bad.Parameters = map[string]any{"list": []any{1}}
	if _, err := start(t, h, r).Predict(t.Context(), []*infer.Request{bad}, time.Minute); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `parameter "list"`) {
		t.Errorf("a list as parameter: %v", err)
	}
}

func TestWhatTheOtherServerDoesOverGRPCIsToldForWhatItIs(t *testing.T) {
	with := func(status string, content []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { body(w, status, content) }
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		kind   fault.Kind
		want   string
		late   bool
		lost   bool
	}{
		"it refuses the input":         {only("3", "shape%20%5B1%5D is wrong, gr%C3%BCn"), fault.Invalid, "shape [1] is wrong, grün", false, false},
		"a message that is no percent": {only("3", "100% wrong %zz"), fault.Invalid, "100% wrong %zz", false, false},
		"out of range":                 {only("11", ""), fault.Invalid, "gRPC status 11", false, false},
		"it has too much to do":        {only("8", "later"), fault.Unavailable, "gRPC status 8: later", false, false},
		"it is going away":             {only("14", "bye"), fault.Unavailable, "gRPC status 14: bye", false, false},
		"it does not know the call":    {only("12", ""), fault.Unavailable, "gRPC status 12", false, false},
		"it wants another token":       {only("16", "who are you"), fault.Unavailable, "refuses the request", false, true},
		"it forbids":                   {only("7", ""), fault.Unavailable, "refuses the request", false, true},
		"its deadline passed":          {only("4", "too slow"), fault.Unavailable, "too slow", true, false},
		"a status that is none":        {only("many", "x"), fault.Unavailable, "gRPC status", false, false},
		"a status after a message":     {with("13", framed([]byte("x"))), fault.Unavailable, "gRPC status 13", false, false},
		"no gRPC": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); _, _ = io.WriteString(w, "<html>") },
			fault.Unavailable, "does not speak gRPC here: status 404", false, true},
		"no status":             {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(framed(nil)) }, fault.Unavailable, "does not speak gRPC", false, true},
		"no message":            {with("0", nil), fault.Unavailable, "not one message", false, false},
		"half a frame":          {with("0", []byte{0, 0, 0}), fault.Unavailable, "not one message", false, false},
		"a frame that lies":     {with("0", []byte{0, 0, 0, 0, 9, 1}), fault.Unavailable, "not one message", false, false},
		"a length of 4 GiB":     {with("0", []byte{0, 255, 255, 255, 255, 1}), fault.Unavailable, "not one message", false, false},
		"two messages":          {with("0", append(framed([]byte("a")), framed([]byte("b"))...)), fault.Unavailable, "not one message", false, false},
		"a compressed message":  {with("0", []byte{1, 0, 0, 0, 1, 7}), fault.Unavailable, "not one message", false, false},
		"garbage in the frame":  {with("0", framed([]byte{0xff, 0xff})), fault.Unavailable, "the other server's answer", false, false},
		"an answer with no row": {with("0", framed(nil)), fault.Unavailable, "no outputs", false, false},
		"a flood":               {with("0", framed(make([]byte, 2<<20))), fault.Unavailable, "more than 1048576 bytes", false, true},
		"it hangs up": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte{0, 0, 0}) // the client would notice
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, fault.Unavailable, "cannot be reached", false, true},
		"it says nothing": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, fault.Unavailable, "no answer within", true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, r := elsewhereGRPC(t, says(tt.answer), "m")
			w := start(t, h, r)
			limit := time.Minute
			if name == "it says nothing" {
				limit = 100 * time.Millisecond
			}
			_, err := w.Predict(t.Context(), []*infer.Request{request(1), request(2)}, limit)
			if fault.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.want) || strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("%v (kind %d); want it to say %q", err, fault.KindOf(err), tt.want)
			}
			if errors.Is(err, context.DeadlineExceeded) != tt.late {
				t.Errorf("deadline exceeded: %v", err)
			}
			if lost := w.Err() != nil; lost != tt.lost {
				t.Errorf("lost: %v; want %v", lost, tt.lost)
			}
		})
	}
}

func TestOverGRPCTheDeadlineIsToldAndTheEndOfWaitingToo(t *testing.T) {
	told, ended := make(chan string, 1), make(chan struct{})
	h, r := elsewhereGRPC(t, says(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get("Grpc-Timeout") + " " + r.Header.Get("Authorization")
		<-r.Context().Done()
		close(ended)
	}), "m")
	w := start(t, h, r)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var said string
	go func() { said = <-told; cancel() }()
	if _, err := w.Predict(ctx, []*infer.Request{request(1)}, 2*time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-ended
	var ms int
	var authorization string
	if _, err := fmt.Sscanf(said, "%dm Bearer %s", &ms, &authorization); err != nil || ms < 3_000_000 || ms > 3_600_000 || authorization != "hunter2" {
		t.Errorf("it was told %q (%v)", said, err)
	}
	if w.Err() != nil {
		t.Errorf("the worker is lost: %v", w.Err())
	}
}

func FuzzAnswersOverGRPC(f *testing.F) {
	f.Add([]byte("\x0a\x01m\x2a\x0f\x0a\x01y\x12\x04FP32\x1a\x02\x02\x01\x32\x08\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x2a\x13\x0a\x01y\x12\x05BYTES\x1a\x01\x01\x2a\x04\x42\x02hi"))
	f.Fuzz(func(t *testing.T, message []byte) {
		out, err := oip.DecodeInferResponse(message)
		if err != nil {
			return
		}
		for i := range out.Outputs {
			if err := out.Outputs[i].Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
