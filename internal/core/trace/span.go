package trace

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Attribute is a key with a JSON text.
type Attribute struct{ Key, Value string }

// SpanStatus says how a span ended; the numbers are OpenTelemetry's.
type SpanStatus int

// The statuses of spans.
const (
	Unset   SpanStatus = 0
	SpanOK  SpanStatus = 1
	SpanErr SpanStatus = 2
)

var statusNames = [...]string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}

// Name is OpenTelemetry's name.
func (s SpanStatus) Name() string { return statusNames[s] }

// Short is the name that filters use.
func (s SpanStatus) Short() string { return strings.TrimPrefix(statusNames[s], "STATUS_CODE_") }

// Span is one thing that was done. A parent of zeros means that there is none.
type Span struct {
	TraceID    [16]byte
	ID, Parent [8]byte
	Name       string
	// StartNS and EndNS are nanoseconds since 1970; EndNS is 0 while the span goes on.
	StartNS, EndNS uint64
	Status         SpanStatus
	Message        string
	Attributes     []Attribute
	Events         []Event
	Links          []Link
}

// Event is something that happened during a span.
type Event struct {
	Name       string
	TimeNS     uint64
	Attributes []Attribute
}

// Link points to a span, mostly of another trace.
type Link struct {
	TraceID    string // "tr-" with 32 digits
	SpanID     string // 16 digits
	Attributes []Attribute
}

// IDOf is the id that a trace has, by the one that its spans carry.
func IDOf(id [16]byte) string { return "tr-" + hex.EncodeToString(id[:]) }

// Root reports whether the span has no parent.
func (s *Span) Root() bool { return s.Parent == [8]byte{} }

// Attribute returns the JSON text of an attribute.
func (s *Span) Attribute(key string) (string, bool) {
	for i := range s.Attributes {
		if s.Attributes[i].Key == key {
			return s.Attributes[i].Value, true
		}
	}
	return "", false
}

// Text returns an attribute that is a string, or the JSON text of one that is not; empty where there is none.
func (s *Span) Text(key string) string {
	v, _ := s.Attribute(key)
	return plain(v)
}

// plain is the string that a JSON text holds, or the JSON text.
func plain(v string) string {
	if strings.HasPrefix(v, `"`) {
		var text string
		if json.Unmarshal([]byte(v), &text) == nil {
			return text
		}
	}
	return v
}

// Plain is the string that a JSON text holds, or the JSON text where it holds something else.
func Plain(v string) string { return plain(v) }

// Type is what kind of step the span is, for instance LLM or TOOL.
func (s *Span) Type() string {
	if t := s.Text(AttrType); t != "" && t != "null" {
		return t
	}
	return "UNKNOWN"
}

func (s *Span) setAttribute(key, value string) {
	for i := range s.Attributes {
		if s.Attributes[i].Key == key {
			s.Attributes[i].Value = value
			return
		}
	}
	s.Attributes = append(s.Attributes, Attribute{key, value})
}

// AppendContent writes the span as MLflow shows it in files: the attributes as strings that hold JSON.
func (s *Span) AppendContent(out []byte) []byte {
	id := func(b []byte) {
		out = append(out, '"')
		out = base64.StdEncoding.AppendEncode(out, b)
		out = append(out, '"')
	}
	out = append(out, `{"trace_id": `...)
	id(s.TraceID[:])
	out = append(out, `, "span_id": `...)
	id(s.ID[:])
	out = append(out, `, "parent_span_id": `...)
	if s.Root() {
		out = append(out, "null"...)
	} else {
		id(s.Parent[:])
	}
	out = append(out, `, "name": `...)
	out = AppendQuoted(out, s.Name)
	out = append(out, `, "start_time_unix_nano": `...)
	out = strconv.AppendUint(out, s.StartNS, 10)
	out = append(out, `, "end_time_unix_nano": `...)
	out = strconv.AppendUint(out, s.EndNS, 10)
	out = append(out, `, "events": [`...)
	for i, e := range s.Events {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(out, `{"name": `...)
		out = AppendQuoted(out, e.Name)
		out = append(out, `, "time_unix_nano": `...)
		out = strconv.AppendUint(out, e.TimeNS, 10)
		out = append(out, `, "attributes": `...)
		out = append(appendRaw(out, e.Attributes), '}')
	}
	out = append(out, `], "status": {"code": "`...)
	out = append(append(out, s.Status.Name()...), `", "message": `...)
	out = append(AppendQuoted(out, s.Message), `}, "attributes": {`...)
	for i, a := range s.Attributes {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(AppendQuoted(out, a.Key), ": "...)
		out = AppendQuoted(out, a.Value)
	}
	out = append(out, `}, "links": [`...)
	for i, l := range s.Links {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(out, `{"trace_id": `...)
		out = AppendQuoted(out, l.TraceID)
		out = append(out, `, "span_id": `...)
		out = AppendQuoted(out, l.SpanID)
		out = append(out, `, "attributes": `...)
		if len(l.Attributes) == 0 {
			out = append(out, "null}"...)
		} else {
			out = append(appendRaw(out, l.Attributes), '}')
		}
	}
	return append(out, "]}"...)
}

func appendRaw(out []byte, list []Attribute) []byte {
	out = append(out, '{')
	for i, a := range list {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(AppendQuoted(out, a.Key), ": "...)
		out = append(out, a.Value...)
	}
	return append(out, '}')
}

// ParseSpan reads what AppendContent wrote.
func ParseSpan(content []byte) (*Span, error) {
	var wire struct {
		TraceID    []byte     `json:"trace_id"`
		SpanID     []byte     `json:"span_id"`
		Parent     []byte     `json:"parent_span_id"`
		Name       string     `json:"name"`
		Start      uint64     `json:"start_time_unix_nano"`
		End        uint64     `json:"end_time_unix_nano"`
		Attributes attributes `json:"attributes"`
		Events     []struct {
			Name       string        `json:"name"`
			Time       uint64        `json:"time_unix_nano"`
			Attributes rawAttributes `json:"attributes"`
		} `json:"events"`
		Status struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"status"`
		Links []struct {
			TraceID    string        `json:"trace_id"`
			SpanID     string        `json:"span_id"`
			Attributes rawAttributes `json:"attributes"`
		} `json:"links"`
	}
	if err := json.Unmarshal(content, &wire); err != nil {
		return nil, fmt.Errorf("decode stored span: %w", err)
	}
	s := &Span{Name: wire.Name, StartNS: wire.Start, EndNS: wire.End, Message: wire.Status.Message, Attributes: wire.Attributes}
	if len(wire.TraceID) != len(s.TraceID) || len(wire.SpanID) != len(s.ID) || len(wire.Parent) != 0 && len(wire.Parent) != len(s.Parent) {
		return nil, fmt.Errorf("decode stored span: its ids have the wrong length")
	}
	copy(s.TraceID[:], wire.TraceID)
	copy(s.ID[:], wire.SpanID)
	copy(s.Parent[:], wire.Parent)
	for i, name := range statusNames {
		if name == wire.Status.Code {
			s.Status = SpanStatus(i)
		}
	}
	for _, e := range wire.Events {
		s.Events = append(s.Events, Event{e.Name, e.Time, e.Attributes})
	}
	for _, l := range wire.Links {
		s.Links = append(s.Links, Link{l.TraceID, l.SpanID, l.Attributes})
	}
	return s, nil
}

// attributes reads an object of strings, and rawAttributes one of anything, in the order in which it is written.
type (
	attributes    []Attribute
	rawAttributes []Attribute
)

func (a *attributes) UnmarshalJSON(text []byte) error {
	return object(text, func(key string, value json.RawMessage) error {
		var v string
		err := json.Unmarshal(value, &v)
		*a = append(*a, Attribute{key, v})
		return err
	})
}

func (a *rawAttributes) UnmarshalJSON(text []byte) error {
	return object(text, func(key string, value json.RawMessage) error {
		*a = append(*a, Attribute{key, string(value)})
		return nil
	})
}

// object reads the members of a JSON object in their order; null has none.
func object(text []byte, member func(key string, value json.RawMessage) error) error {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := member(fmt.Sprint(key), value); err != nil {
			return err
		}
	}
	return nil
}

// Arrange brings spans into the order in which they are shown: each once, as it was sent last; those without parent first, then by
// their start. The list is in the order in which the spans were sent.
func Arrange(sent []*Span) []*Span {
	at := make(map[[8]byte]int, len(sent))
	out := make([]*Span, 0, len(sent))
	for _, s := range sent {
		if i, there := at[s.ID]; there {
			out[i] = s
			continue
		}
		at[s.ID] = len(out)
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b *Span) int {
		x, y := orderKey(a), orderKey(b)
		return bytes.Compare(x[:], y[:])
	})
	return out
}

// orderKey is big-endian, so that it compares as bytes do.
func orderKey(s *Span) [9]byte {
	var k [9]byte
	if !s.Root() {
		k[0] = 1
	}
	binary.BigEndian.PutUint64(k[1:], s.StartNS)
	return k
}

// SetRequestID gives the span the attribute by which MLflow's clients know its trace, whatever the client has sent.
func (s *Span) SetRequestID() {
	s.setAttribute(AttrRequestID, `"`+IDOf(s.TraceID)+`"`)
}
