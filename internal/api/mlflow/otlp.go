package mlflow

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/tracing"
)

// maxNesting bounds how deep the values of attributes may nest, and maxEncoded what a request may have before it is decompressed
// to at most the same.
const (
	maxNesting = 100
	maxEncoded = 64 << 20
	// maxReading bounds how long a client may take to send a request.
	maxReading = 2 * time.Minute
	// maxDecoding bounds the bytes of requests that are read and decoded at the same time.
	maxDecoding = 4 * maxEncoded
	// maxParts bounds the spans, attributes, events, links and values of a request all together, and maxDecodingParts those of all
	// requests that are decoded at the same time: each may take two bytes in a request and hundreds in memory.
	maxParts         = 1_000_000
	maxDecodingParts = 2 * maxParts
	// maxTraces bounds the traces of a request.
	maxTraces = 10_000
	// maxResource and maxResourceBytes bound what is kept of a resource, which becomes tags of each trace.
	maxResource      = 200
	maxResourceBytes = 32 << 10
)

// otlpError is an error in the form that MLflow's OTLP endpoint has: a detail and a status.
type otlpError struct {
	status int
	detail any
}

func (e *otlpError) Error() string { return fmt.Sprint(e.detail) }

func otlpInvalid(format string, args ...any) error {
	return &otlpError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// addSpans takes spans by the OpenTelemetry protocol over HTTP: protobuf or JSON, plain or compressed.
// Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
func (d *door) addSpans(r *request) (any, error) {
	rejected, err := d.exportSpans(r)
	var detail *otlpError
	if errors.As(err, &detail) {
		r.answered = true
		d.write(r.w, r.Request, detail.status, map[string]any{"detail": detail.detail})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.answered = true
	if mediaType(r.Request) == "application/json" {
		answer := map[string]any{}
		if rejected.Reason != "" {
			answer["partialSuccess"] = map[string]any{"rejectedSpans": strconv.Itoa(rejected.Spans), "errorMessage": rejected.Reason}
		}
		d.write(r.w, r.Request, http.StatusOK, answer)
		return nil, nil
	}
	r.w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = r.w.Write(exportAnswer(rejected.Spans, rejected.Reason)) // the client may be gone
	return nil, nil
}

// exportAnswer is an ExportTraceServiceResponse. Its Go type comes with a gRPC server, so its three fields are written here.
func exportAnswer(rejected int, reason string) []byte {
	if reason == "" {
		return nil
	}
	partial := protowire.AppendTag(nil, 1, protowire.VarintType)
	partial = protowire.AppendVarint(partial, uint64(rejected)) //nolint:gosec // a count
	partial = protowire.AppendTag(partial, 2, protowire.BytesType)
	partial = protowire.AppendString(partial, reason)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
}

func mediaType(r *http.Request) string {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(kind)
}

func (d *door) exportSpans(r *request) (rejected tracing.Rejected, err error) {
	const header = "X-Mlflow-Experiment-Id"
	if len(r.Header.Values(header)) == 0 {
		return rejected, &otlpError{http.StatusUnprocessableEntity, []any{map[string]any{
			"type": "missing", "loc": []string{"header", strings.ToLower(header)}, "msg": "Field required", "input": nil,
		}}}
	}
	kind := mediaType(r.Request)
	if kind != "application/x-protobuf" && kind != "application/json" {
		shown := r.Header.Get("Content-Type")
		if shown == "" {
			shown = "None"
		}
		return rejected, otlpInvalid("Invalid Content-Type: %s. Expected: application/x-protobuf or application/json", fault.Shorten(shown, 100))
	}
	// Decoded, spans take several times the space that they have here.
	size := r.ContentLength
	if size < 0 || size > maxEncoded || r.Header.Get("Content-Encoding") != "" {
		size = maxEncoded
	}
	if err := d.decoding.Acquire(r.Context(), size); err != nil {
		return rejected, busy(err)
	}
	defer d.decoding.Release(size)
	// A client that sends slowly must not keep the others from it. Not every writer knows deadlines.
	conn := http.NewResponseController(r.w)
	_ = conn.SetReadDeadline(time.Now().Add(maxReading))
	body, err := r.encoded()
	_ = conn.SetReadDeadline(time.Time{})
	if err != nil {
		return rejected, err
	}
	isJSON := kind == "application/json"
	parts, err := partsOf(body, isJSON)
	if err != nil {
		return rejected, err
	}
	if err := d.decodingParts.Acquire(r.Context(), parts); err != nil {
		return rejected, busy(err)
	}
	defer d.decodingParts.Release(parts)
	batches, note, err := decodeSpans(body, isJSON)
	if err != nil {
		return rejected, err
	}
	rejected, err = d.Tracing.AddSpans(r.Context(), r.Header.Get(header), r.Header.Get("X-Mlflow-Run-Id"), batches)
	if rejected.Reason == "" {
		rejected.Reason = note
	}
	return rejected, err
}

func busy(err error) error { return fault.Unavailablef("The server is busy with other spans: %w", err) }

// partsOf counts what a request has to be decoded into, without decoding it, and refuses what has too much.
func partsOf(body []byte, isJSON bool) (int64, error) {
	n := 0
	var err error
	if isJSON {
		n = jsonParts(body)
	} else {
		n, err = protoParts(body, (*traces.TracesData)(nil).ProtoReflect().Descriptor(), maxNesting)
	}
	if err != nil {
		return 0, otlpInvalid("Invalid OpenTelemetry format")
	}
	if n > maxParts {
		return 0, &otlpError{http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The request has more than %d spans, attributes, events, links and values: send fewer spans at a time", maxParts)}
	}
	return int64(n), nil
}

// protoParts counts the messages and the elements of lists inside a message, up to a little more than maxParts.
func protoParts(body []byte, of protoreflect.MessageDescriptor, depth int) (int, error) {
	if depth == 0 {
		return 0, errors.New("nested too deep")
	}
	n := 0
	for len(body) > 0 && n <= maxParts {
		number, kind, size := protowire.ConsumeTag(body)
		if size < 0 {
			return n, protowire.ParseError(size)
		}
		body = body[size:]
		value := body
		if size = protowire.ConsumeFieldValue(number, kind, body); size < 0 {
			return n, protowire.ParseError(size)
		}
		body = body[size:]
		field := of.Fields().ByNumber(number)
		if kind != protowire.BytesType || field == nil {
			continue
		}
		if field.Message() == nil {
			if field.IsList() {
				n++
			}
			continue
		}
		inner, _ := protowire.ConsumeBytes(value[:size])
		more, err := protoParts(inner, field.Message(), depth-1)
		n += 1 + more
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// jsonParts counts the objects, lists and elements of a JSON text.
func jsonParts(body []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '[' || c == ','):
			n++
		}
	}
	return n
}

// encoded reads a body that may be compressed. What it becomes is bounded as well as what it is.
func (r *request) encoded() ([]byte, error) {
	body, err := r.read(maxEncoded)
	if err != nil {
		return nil, err
	}
	encoding := strings.ToLower(r.Header.Get("Content-Encoding"))
	switch encoding {
	case "":
		return body, nil
	case "gzip", "deflate":
	default:
		return nil, otlpInvalid("Unsupported Content-Encoding: %s", fault.Shorten(encoding, 100))
	}
	var in io.Reader
	if encoding == "gzip" {
		in, err = gzip.NewReader(bytes.NewReader(body))
	} else {
		in, err = zlib.NewReader(bytes.NewReader(body))
	}
	var out []byte
	if err == nil {
		out, err = io.ReadAll(io.LimitReader(in, maxEncoded+1))
	}
	switch {
	case err != nil:
		return nil, otlpInvalid("Failed to decompress %s payload", encoding)
	case len(out) > maxEncoded:
		return nil, &otlpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("The request has more than %d bytes when it is decompressed: send fewer spans at a time", maxEncoded)}
	}
	return out, nil
}

// decodeSpans reads an ExportTraceServiceRequest, whose wire form is that of TracesData, and sorts its spans by trace. note says
// what was left out beside spans.
func decodeSpans(body []byte, isJSON bool) (out []trace.Batch, note string, err error) {
	var data traces.TracesData
	if isJSON {
		if body, err = idsToBase64(body); err == nil {
			err = protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxNesting}.Unmarshal(body, &data)
		}
	} else {
		err = proto.UnmarshalOptions{RecursionLimit: maxNesting, DiscardUnknown: true}.Unmarshal(body, &data)
	}
	if err != nil {
		return nil, "", otlpInvalid("Invalid OpenTelemetry format")
	}
	if len(data.GetResourceSpans()) == 0 {
		return nil, "", otlpInvalid("Invalid OpenTelemetry format - no spans found")
	}
	at := map[[16]byte]int{}
	for _, rs := range data.GetResourceSpans() {
		attributes, all := resourceAttributes(rs.GetResource())
		if !all {
			note = fmt.Sprintf("a resource has more than %d attributes or %d bytes; those beyond were left out", maxResource, maxResourceBytes)
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, wire := range ss.GetSpans() {
				s, err := readSpan(wire)
				if err != nil {
					return nil, "", err
				}
				i, there := at[s.TraceID]
				if !there {
					if len(out) == maxTraces {
						return nil, "", &otlpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("The request has spans of more than %d traces: send fewer at a time", maxTraces)}
					}
					i = len(out)
					at[s.TraceID] = i
					out = append(out, trace.Batch{TraceID: trace.IDOf(s.TraceID)})
				}
				out[i].Spans = append(out[i].Spans, s)
				if len(out[i].Resource) == 0 {
					out[i].Resource = attributes
				}
			}
		}
	}
	return out, note, nil
}

// resourceAttributes returns what is kept of a resource, and whether that is all of it.
func resourceAttributes(r *resource.Resource) (kept []trace.Attribute, all bool) {
	given := r.GetAttributes()
	cut := given[:min(len(given), maxResource)]
	kept = readAttributes(cut)
	bytes := 0
	for i, a := range kept {
		if bytes += len(a.Key) + len(a.Value); bytes > maxResourceBytes {
			return kept[:i], false
		}
	}
	return kept, len(cut) == len(given)
}

// idsToBase64 rewrites the ids of an OTLP request in JSON, which are hexadecimal, as the JSON of protobuf wants bytes.
func idsToBase64(body []byte) ([]byte, error) {
	var data map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&data); err != nil {
		return nil, err
	}
	list := func(m map[string]any, names ...string) []map[string]any {
		var out []map[string]any
		for _, name := range names {
			items, _ := m[name].([]any)
			for _, item := range items {
				if o, ok := item.(map[string]any); ok {
					out = append(out, o)
				}
			}
		}
		return out
	}
	rewrite := func(m map[string]any) error {
		for _, name := range []string{"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"} {
			if text, ok := m[name].(string); ok {
				id, err := hex.DecodeString(text)
				if err != nil {
					return err
				}
				m[name] = base64.StdEncoding.EncodeToString(id)
			}
		}
		return nil
	}
	for _, rs := range list(data, "resourceSpans", "resource_spans") {
		for _, ss := range list(rs, "scopeSpans", "scope_spans") {
			for _, s := range list(ss, "spans") {
				for _, m := range append(list(s, "links"), s) {
					if err := rewrite(m); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return json.Marshal(data)
}

// readSpan makes a span out of its wire form.
func readSpan(w *traces.Span) (*trace.Span, error) {
	s := &trace.Span{Name: w.GetName(), StartNS: w.GetStartTimeUnixNano(), EndNS: w.GetEndTimeUnixNano(), Message: w.GetStatus().GetMessage()}
	invalid := &otlpError{http.StatusUnprocessableEntity, "Cannot convert OpenTelemetry span to MLflow span"}
	if len(w.GetTraceId()) != len(s.TraceID) || len(w.GetSpanId()) != len(s.ID) || len(w.GetParentSpanId()) != 0 && len(w.GetParentSpanId()) != len(s.Parent) ||
		s.StartNS > math.MaxInt64 || s.EndNS > math.MaxInt64 {
		return nil, invalid
	}
	copy(s.TraceID[:], w.GetTraceId())
	copy(s.ID[:], w.GetSpanId())
	copy(s.Parent[:], w.GetParentSpanId())
	switch w.GetStatus().GetCode() {
	case traces.Status_STATUS_CODE_OK:
		s.Status = trace.SpanOK
	case traces.Status_STATUS_CODE_ERROR:
		s.Status = trace.SpanErr
	}
	s.Attributes = readAttributes(w.GetAttributes())
	s.SetRequestID()
	for _, e := range w.GetEvents() {
		s.Events = append(s.Events, trace.Event{Name: e.GetName(), TimeNS: e.GetTimeUnixNano(), Attributes: readAttributes(e.GetAttributes())})
	}
	for _, l := range w.GetLinks() {
		if len(l.GetTraceId()) != len(s.TraceID) || len(l.GetSpanId()) != len(s.ID) {
			continue // wider ids than the protocol allows come from some programs; the span counts
		}
		s.Links = append(s.Links, trace.Link{TraceID: trace.IDOf([16]byte(l.GetTraceId())), SpanID: hex.EncodeToString(l.GetSpanId()),
			Attributes: readAttributes(l.GetAttributes())})
	}
	return s, nil
}

// readAttributes makes JSON of values. Of a key that comes twice the last value counts.
func readAttributes(list []*common.KeyValue) []trace.Attribute {
	out := make([]trace.Attribute, 0, len(list)+1)
	at := make(map[string]int, len(list))
	for _, kv := range list {
		a := trace.Attribute{Key: kv.GetKey(), Value: string(appendAny(nil, kv.GetValue()))}
		if i, there := at[a.Key]; there {
			out[i] = a
			continue
		}
		at[a.Key] = len(out)
		out = append(out, a)
	}
	return out
}

func appendAny(out []byte, v *common.AnyValue) []byte {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return trace.AppendQuoted(out, v.StringValue)
	case *common.AnyValue_BoolValue:
		return strconv.AppendBool(out, v.BoolValue)
	case *common.AnyValue_IntValue:
		return strconv.AppendInt(out, v.IntValue, 10)
	case *common.AnyValue_DoubleValue:
		return trace.AppendFloat(out, v.DoubleValue)
	case *common.AnyValue_BytesValue:
		return trace.AppendQuoted(out, base64.StdEncoding.EncodeToString(v.BytesValue))
	case *common.AnyValue_ArrayValue:
		out = append(out, '[')
		for i, item := range v.ArrayValue.GetValues() {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = appendAny(out, item)
		}
		return append(out, ']')
	case *common.AnyValue_KvlistValue:
		return appendMembers(out, v.KvlistValue.GetValues())
	}
	return append(out, "null"...)
}

func appendMembers(out []byte, list []*common.KeyValue) []byte {
	last := make(map[string]int, len(list))
	for i, kv := range list {
		last[kv.GetKey()] = i
	}
	out = append(out, '{')
	first := true
	for i, kv := range list {
		if last[kv.GetKey()] != i {
			continue
		}
		if !first {
			out = append(out, ", "...)
		}
		first = false
		out = append(trace.AppendQuoted(out, kv.GetKey()), ": "...)
		out = appendAny(out, kv.GetValue())
	}
	return append(out, '}')
}
