package mlflow

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"levada/internal/core/trace"
	"levada/internal/tracing"
)

func exported(t testing.TB, spans ...*traces.Span) []byte {
	t.Helper()
	body, err := proto.Marshal(&traces.TracesData{ResourceSpans: []*traces.ResourceSpans{{ScopeSpans: []*traces.ScopeSpans{{Spans: spans}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func wireSpan(values ...*common.AnyValue) *traces.Span {
	s := &traces.Span{TraceId: make([]byte, 16), SpanId: make([]byte, 8), Name: "s", StartTimeUnixNano: 1}
	for _, v := range values {
		s.Attributes = append(s.Attributes, &common.KeyValue{Key: "k", Value: v})
	}
	return s
}

func TestOfAnAttributeThatComesTwiceTheLastCounts(t *testing.T) {
	text := func(s string) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
	}
	pair := &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{{Key: "a", Value: text("1")}, {Key: "a", Value: text("2")}}}}}
	batches, _, err := decodeSpans(exported(t, wireSpan(text("first"), pair)), false)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := batches[0].Spans[0].Attribute("k"); got != `{"a": "2"}` {
		t.Errorf("%s", got)
	}
}

func TestSpansOfOneTraceComeTogether(t *testing.T) {
	other := wireSpan()
	other.TraceId = []byte("0123456789abcdef")
	batches, _, err := decodeSpans(exported(t, wireSpan(), other, wireSpan()), false)
	if err != nil || len(batches) != 2 || len(batches[0].Spans) != 2 || batches[1].TraceID != "tr-30313233343536373839616263646566" {
		t.Errorf("%+v, %v", batches, err)
	}
}

func TestARequestThatWouldGrowIsRefusedBeforeItIsDecoded(t *testing.T) {
	wide := func(n int) []byte { // spans without anything, two bytes each
		spans := bytes.Repeat([]byte{18, 0}, n)
		scope := protowire.AppendBytes([]byte{18}, spans)
		return protowire.AppendBytes([]byte{10}, scope)
	}
	deep := []byte{}
	for range maxNesting {
		deep = protowire.AppendBytes([]byte{10}, protowire.AppendBytes([]byte{42}, deep)) // a list in a list
	}
	value := protowire.AppendBytes([]byte{18}, protowire.AppendBytes([]byte{42}, deep))
	nested := protowire.AppendBytes([]byte{10}, protowire.AppendBytes([]byte{10}, protowire.AppendBytes([]byte{10}, value)))
	for name, c := range map[string]struct {
		body   []byte
		isJSON bool
		status int
	}{
		"few":          {wide(1000), false, 0},
		"many":         {wide(32 << 20), false, http.StatusRequestEntityTooLarge},
		"deep":         {nested, false, http.StatusBadRequest},
		"cut":          {wide(10)[:9], false, http.StatusBadRequest},
		"JSON":         {[]byte(`{"resourceSpans":[` + strings.Repeat(`{},`, maxParts/2) + `{}]}`), true, http.StatusRequestEntityTooLarge},
		"text in JSON": {[]byte(`{"x":"\"` + strings.Repeat(`{,[`, maxParts) + `"}`), true, 0},
	} {
		n, err := partsOf(c.body, c.isJSON)
		var refused *otlpError
		if errors.As(err, &refused); c.status == 0 && (err != nil || n > 1100) || c.status != 0 && (refused == nil || refused.status != c.status) {
			t.Errorf("%s: %d parts, %v; want status %d", name, n, err, c.status)
		}
	}
}

// seen notes whether it was read.
type seen struct{ read bool }

func (s *seen) Read([]byte) (int, error) {
	s.read = true
	return 0, io.EOF
}

func TestARequestIsReadWhenThereIsRoomForIt(t *testing.T) {
	d := New(Options{}).(*door)
	for name, headers := range map[string]map[string]string{"length unknown": {}, "compressed": {"Content-Encoding": "gzip", "Content-Length": "10"}} {
		body := &seen{}
		send := func(ctx context.Context) {
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/traces", body)
			r.Header.Set("Content-Type", "application/x-protobuf")
			r.Header.Set("X-Mlflow-Experiment-Id", "0")
			for k, v := range headers {
				r.Header.Set(k, v)
			}
			d.ServeHTTP(httptest.NewRecorder(), r)
		}
		// Half of what the largest request needs is left.
		const taken = maxDecoding - maxEncoded/2
		if !d.decoding.TryAcquire(taken) {
			t.Fatal("room was not given back")
		}
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if send(ctx); body.read {
			t.Errorf("%s: the body was read before there was room", name)
		}
		stop()
		d.decoding.Release(taken)
		if send(t.Context()); !body.read {
			t.Errorf("%s: the body was not read when there was room", name)
		}
	}
}

func TestWhatTracesShareIsReadOnceAndBounded(t *testing.T) {
	r := &resource.Resource{}
	for i := range maxResource + 1 {
		r.Attributes = append(r.Attributes, &common.KeyValue{Key: strconv.Itoa(i)})
	}
	request := func(n int) []byte {
		rs := &traces.ResourceSpans{Resource: r, ScopeSpans: []*traces.ScopeSpans{{}}}
		for i := range n {
			s := wireSpan()
			s.TraceId = binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i))
			rs.ScopeSpans[0].Spans = append(rs.ScopeSpans[0].Spans, s)
		}
		body, err := proto.Marshal(&traces.TracesData{ResourceSpans: []*traces.ResourceSpans{rs}})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	batches, note, err := decodeSpans(request(maxTraces), false)
	if err != nil || len(batches) != maxTraces || len(batches[1].Resource) != maxResource || &batches[0].Resource[0] != &batches[1].Resource[0] || note == "" {
		t.Errorf("%d traces, note %q: %v", len(batches), note, err)
	}
	if answer := exportAnswer(0, note); !bytes.Contains(answer, []byte(note)) {
		t.Errorf("the answer %q does not say what was left out", answer)
	}
	if _, _, err := decodeSpans(request(maxTraces+1), false); err == nil {
		t.Error("more traces than are allowed were taken")
	}
	r.Attributes = []*common.KeyValue{{Key: "a"}, {Key: "b", Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.Repeat("x", maxResourceBytes)}}}}
	if batches, note, err := decodeSpans(request(1), false); err != nil || len(batches[0].Resource) != 1 || note == "" {
		t.Errorf("%v, note %q", err, note)
	}
}

// What was taken can be stored, read, and shown as JSON that clients understand.
func FuzzSpansAreTakenOrRefused(f *testing.F) {
	f.Add(exported(f, wireSpan(&common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: 1e300}}, &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte{0, 255}}})), false)
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000002","name":"a","attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"x","value":{"arrayValue":{"values":[{"boolValue":true}]}}}]}}}],"links":[{"traceId":"01","spanId":"02"}]}]}]}]}`), true)
	f.Add([]byte{10, 4, 18, 2, 18, 0}, false)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		batches, _, err := decodeSpans(body, isJSON)
		var refused *otlpError
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("%v is no error of the protocol", err)
			}
			return
		}
		for _, b := range batches {
			full := tracing.Full{Trace: &trace.Trace{ID: b.TraceID}}
			for _, s := range b.Spans {
				s.Adopt()
				stored, err := trace.ParseSpan(s.AppendContent(nil))
				if err != nil {
					t.Fatalf("what was stored cannot be read: %v\n%s", err, s.AppendContent(nil))
				}
				full.Spans = append(full.Spans, stored)
			}
			shown, out := httptest.NewRecorder(), &output{}
			out.reset(shown, http.StatusOK)
			out.whole(full)
			if err := out.end(); err != nil || !json.Valid(shown.Body.Bytes()) {
				t.Fatalf("no JSON: %s, %v", shown.Body, err)
			}
		}
	})
}
