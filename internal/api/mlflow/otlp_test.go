package mlflow

import (
	"encoding/json"
	"errors"
	"testing"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
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
	batches, err := decodeSpans(exported(t, wireSpan(text("first"), pair)), false)
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
	batches, err := decodeSpans(exported(t, wireSpan(), other, wireSpan()), false)
	if err != nil || len(batches) != 2 || len(batches[0].Spans) != 2 || batches[1].TraceID != "tr-30313233343536373839616263646566" {
		t.Errorf("%+v, %v", batches, err)
	}
}

// What was taken can be stored, read, and shown as JSON that clients understand.
func FuzzSpansAreTakenOrRefused(f *testing.F) {
	f.Add(exported(f, wireSpan(&common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: 1e300}}, &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte{0, 255}}})), false)
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000002","name":"a","attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"x","value":{"arrayValue":{"values":[{"boolValue":true}]}}}]}}}],"links":[{"traceId":"01","spanId":"02"}]}]}]}]}`), true)
	f.Add([]byte{10, 4, 18, 2, 18, 0}, false)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		batches, err := decodeSpans(body, isJSON)
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
			if shown := appendWhole(nil, full); !json.Valid(shown) {
				t.Fatalf("no JSON: %s", shown)
			}
		}
	})
}
