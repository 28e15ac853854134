package mlflow

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/trace"
	"levada/internal/core/track"
	"levada/internal/tracing"
)

// Clients are shown metadata and tags cut to these lengths, in characters.
const (
	shownMeta     = 250
	shownTagValue = 4096
)

// object is a field that is an object.
func (r *request) object(name string) object {
	v, there := r.take(name, optional)
	fields, ok := v.(map[string]any)
	if !ok && there {
		r.wrong(name, v)
	}
	return object{r, name + ".", fields}
}

// strings is a field that maps text to text, in the order of the keys.
func (o object) strings(name string) []track.KV {
	m := o.object(name)
	out := make([]track.KV, 0, len(m.fields))
	for _, key := range slices.Sorted(maps.Keys(m.fields)) {
		v, ok := m.fields[key].(string)
		if !ok {
			o.r.wrong(m.path+key, m.fields[key])
		}
		out = append(out, track.KV{Key: key, Value: v})
	}
	return out
}

// instant is a field that is a time, in milliseconds since 1970; 0 when it is not there.
func (o object) instant(name string) int64 {
	text := o.text(name)
	if text == "" {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		o.r.wrong(o.path+name, text)
	}
	return t.UnixMilli()
}

// span is a field that is a time span such as "1.5s", in milliseconds.
func (o object) span(name string) *int64 {
	text := o.optionalText(name)
	if text == nil || o.r.err != nil {
		return nil
	}
	seconds, ok := strings.CutSuffix(*text, "s")
	d, err := time.ParseDuration(*text)
	if !ok || err != nil || strings.ContainsAny(seconds, "hmnuµ") {
		o.r.wrong(o.path+name, *text)
	}
	ms := d.Milliseconds()
	return &ms
}

var traceStates = []trace.State{trace.Unspecified, trace.OK, trace.Failed, trace.InProgress}

// enum reads one of some names, or its number.
func enum[T ~string](v any, names []T) (T, bool) {
	if i, ok := integer(v); ok && i >= 0 && i < int64(len(names)) {
		return names[i], true
	}
	s, _ := v.(string)
	i := slices.Index(names, T(s))
	if i < 0 {
		return names[0], false
	}
	return names[i], true
}

// oldStates are the names of states in the second API.
var oldStates = []string{"TRACE_STATUS_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS"}

// traceState reads a state in the words of the second API.
func (r *request) traceState(name string) trace.State {
	v, there := r.take(name, optional)
	if !there {
		return trace.Unspecified
	}
	s, ok := enum(v, oldStates)
	if !ok {
		r.wrong(name, v)
	}
	return traceStates[slices.Index(oldStates, s)]
}

// readTrace reads what a client says about a trace.
func readTrace(o object) trace.Trace {
	t := trace.Trace{ID: o.text("trace_id"), ClientRequestID: o.optionalText("client_request_id"), RequestPreview: o.optionalText("request_preview"),
		ResponsePreview: o.optionalText("response_preview"), StartMS: o.instant("request_time"), DurationMS: o.span("execution_duration"),
		State: trace.Unspecified, Tags: o.strings("tags"), Metadata: o.strings("trace_metadata"),
		ExperimentID: o.object("trace_location").object("mlflow_experiment").text("experiment_id")}
	if v, there := o.get("state"); there {
		s, ok := enum(v, traceStates)
		if !ok {
			o.r.wrong(o.path+"state", v)
		}
		t.State = s
	}
	for _, a := range o.objects("assessments") {
		t.Assessments = append(t.Assessments, readAssessment(a))
	}
	return t
}

func appendInstant(out []byte, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	if ms%1000 == 0 {
		return t.AppendFormat(append(out, '"'), `2006-01-02T15:04:05Z"`)
	}
	return t.AppendFormat(append(out, '"'), `2006-01-02T15:04:05.000Z"`)
}

func spanText(ms int64) string {
	sign := ""
	if ms < 0 {
		sign, ms = "-", -ms
	}
	if ms%1000 == 0 {
		return fmt.Sprintf("%s%ds", sign, ms/1000)
	}
	return fmt.Sprintf("%s%d.%03ds", sign, ms/1000, ms%1000)
}

func appendMap(out []byte, name string, list []track.KV, most int) []byte {
	if len(list) == 0 {
		return out
	}
	out = append(append(append(out, `,"`...), name...), `":{`...)
	for i, kv := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, trace.Cut(kv.Key, shownMeta)), ':')
		out = appendString(out, trace.Cut(kv.Value, most))
	}
	return append(out, '}')
}

func appendTrace(out []byte, t *trace.Trace) []byte {
	field := func(name string, v *string) {
		if v != nil {
			out = append(append(append(out, `,"`...), name...), `":`...)
			out = appendString(out, *v)
		}
	}
	out = appendString(append(out, `{"trace_id":`...), t.ID)
	field("client_request_id", t.ClientRequestID)
	out = append(out, `,"trace_location":{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":`...)
	out = append(appendString(out, t.ExperimentID), "}}"...)
	field("request_preview", t.RequestPreview)
	field("response_preview", t.ResponsePreview)
	out = appendInstant(append(out, `,"request_time":`...), t.StartMS)
	if t.DurationMS != nil {
		text := spanText(*t.DurationMS)
		field("execution_duration", &text)
	}
	state := string(t.State)
	field("state", &state)
	out = appendMap(out, "trace_metadata", t.Metadata, shownMeta)
	out = appendMap(out, "tags", t.Tags, shownTagValue)
	if len(t.Assessments) > 0 {
		out = append(out, `,"assessments":[`...)
		for i, a := range t.Assessments {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendMarshalled(out, wireAssessment(t.ID, a))
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// whole writes a trace with its spans, and sends what was gathered between them.
func (o *output) whole(t tracing.Full) {
	o.bytes = appendTrace(append(o.bytes, `{"trace_info":`...), t.Trace)
	if len(t.Spans) > 0 {
		o.bytes = append(o.bytes, `,"spans":[`...)
		for i, s := range t.Spans {
			if i > 0 {
				o.bytes = append(o.bytes, ',')
			}
			o.bytes = appendSpan(o.bytes, s)
			o.spill()
		}
		o.bytes = append(o.bytes, ']')
	}
	o.bytes = append(o.bytes, '}')
}

// appendSpan writes a span as the JSON of OpenTelemetry's message, with the names of its fields and base64 for ids.
func appendSpan(out []byte, s *trace.Span) []byte {
	id := func(name string, b []byte) {
		out = append(append(append(out, '"'), name...), `":"`...)
		out = append(base64.StdEncoding.AppendEncode(out, b), `",`...)
	}
	out = append(out, '{')
	id("trace_id", s.TraceID[:])
	id("span_id", s.ID[:])
	if !s.Root() {
		id("parent_span_id", s.Parent[:])
	}
	if s.Name != "" {
		out = append(appendString(append(out, `"name":`...), s.Name), ',')
	}
	if s.StartNS != 0 {
		out = append(strconv.AppendUint(append(out, `"start_time_unix_nano":`...), s.StartNS, 10), ',')
	}
	if s.EndNS != 0 {
		out = append(strconv.AppendUint(append(out, `"end_time_unix_nano":`...), s.EndNS, 10), ',')
	}
	out = appendAttributes(out, s.Attributes, true)
	if len(s.Events) > 0 {
		out = append(out, `"events":[`...)
		for i, e := range s.Events {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, '{')
			if e.TimeNS != 0 {
				out = append(strconv.AppendUint(append(out, `"time_unix_nano":`...), e.TimeNS, 10), ',')
			}
			out = appendAttributes(out, e.Attributes, false)
			out = append(appendString(append(out, `"name":`...), e.Name), '}')
		}
		out = append(out, "],"...)
	}
	if len(s.Links) > 0 {
		out = append(out, `"links":[`...)
		for i, l := range s.Links {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, '{')
			out = appendAttributes(out, l.Attributes, false)
			out = appendLinkIDs(out, l)
		}
		out = append(out, "],"...)
	}
	out = append(out, `"status":{`...)
	if s.Message != "" {
		out = appendString(append(out, `"message":`...), s.Message)
	}
	if s.Status != trace.Unset {
		if s.Message != "" {
			out = append(out, ',')
		}
		out = append(append(append(out, `"code":"`...), s.Status.Name()...), '"')
	}
	return append(out, "}}"...)
}

func appendLinkIDs(out []byte, l trace.Link) []byte {
	traceID, _ := hex.DecodeString(strings.TrimPrefix(l.TraceID, "tr-")) // what was stored was made of bytes
	spanID, _ := hex.DecodeString(l.SpanID)
	out = base64.StdEncoding.AppendEncode(append(out, `"trace_id":"`...), traceID)
	out = base64.StdEncoding.AppendEncode(append(out, `","span_id":"`...), spanID)
	return append(out, `"}`...)
}

// appendAttributes writes attributes with a comma behind. loose values are text that may be no JSON.
func appendAttributes(out []byte, list []trace.Attribute, loose bool) []byte {
	if len(list) == 0 {
		return out
	}
	out = append(out, `"attributes":[`...)
	for i, a := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(append(out, `{"key":`...), a.Key)
		dec := json.NewDecoder(strings.NewReader(a.Value))
		dec.UseNumber()
		before := len(out)
		var ok bool
		if out, ok = appendNamed(out, dec); !ok && loose {
			out = append(appendString(append(out[:before], `,"value":{"string_value":`...), a.Value), '}')
		}
		out = append(out, '}')
	}
	return append(out, "],"...)
}

// appendValueOf writes the next JSON value of dec as an AnyValue.
func appendValueOf(out []byte, dec *json.Decoder) ([]byte, bool) {
	token, err := dec.Token()
	if err != nil {
		return append(out, "{}"...), false
	}
	switch v := token.(type) {
	case nil:
		return append(out, "{}"...), true
	case bool:
		return append(strconv.AppendBool(append(out, `{"bool_value":`...), v), '}'), true
	case string:
		return append(appendString(append(out, `{"string_value":`...), v), '}'), true
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return append(strconv.AppendInt(append(out, `{"int_value":`...), n, 10), '}'), true
		}
		f, _ := strconv.ParseFloat(v.String(), 64) // out of range is infinite
		return append(trace.AppendFloat(append(out, `{"double_value":`...), f), '}'), true
	case json.Delim:
		kind, members := "array_value", v == '{'
		if members {
			kind = "kvlist_value"
		}
		out = append(append(append(out, `{"`...), kind...), `":{`...)
		first, ok := true, true
		for ok && dec.More() {
			if first {
				out = append(out, `"values":[`...)
			} else {
				out = append(out, ',')
			}
			first = false
			out, ok = appendMember(out, dec, members)
		}
		if _, err := dec.Token(); err != nil {
			ok = false
		}
		if !first {
			out = append(out, ']')
		}
		return append(out, "}}"...), ok
	}
	return append(out, "{}"...), false
}

func appendMember(out []byte, dec *json.Decoder, named bool) ([]byte, bool) {
	if !named {
		return appendValueOf(out, dec)
	}
	key, err := dec.Token()
	if err != nil {
		return out, false
	}
	out, ok := appendNamed(appendString(append(out, `{"key":`...), fmt.Sprint(key)), dec)
	return append(out, '}'), ok
}

// appendNamed writes the value behind a key; null has none.
func appendNamed(out []byte, dec *json.Decoder) ([]byte, bool) {
	before := len(out)
	out = append(out, `,"value":`...)
	start := len(out)
	out, ok := appendValueOf(out, dec)
	if ok && string(out[start:]) == "{}" {
		out = out[:before]
	}
	return out, ok
}

// oldTrace is a trace as the second API shows it.
type oldTrace struct {
	ID           string `json:"request_id"`
	ExperimentID string `json:"experiment_id"`
	StartMS      int64  `json:"timestamp_ms"`
	DurationMS   int64  `json:"execution_time_ms"`
	Status       string `json:"status"`
	Metadata     []kv   `json:"request_metadata,omitempty"`
	Tags         []kv   `json:"tags,omitempty"`
}

func wireOldTrace(t *trace.Trace) oldTrace {
	w := oldTrace{ID: t.ID, ExperimentID: t.ExperimentID, StartMS: t.StartMS, DurationMS: t.EndMS() - t.StartMS, Status: oldStates[slices.Index(traceStates, t.State)]}
	for _, m := range t.Metadata {
		w.Metadata = append(w.Metadata, kv{trace.Cut(m.Key, shownMeta), trace.Cut(m.Value, shownMeta)})
	}
	for _, m := range t.Tags {
		w.Tags = append(w.Tags, kv{trace.Cut(m.Key, shownMeta), trace.Cut(m.Value, shownTagValue)})
	}
	return w
}
