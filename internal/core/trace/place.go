package trace

import (
	"bytes"
	"math"
)

// Place is a place in the order of traces, the newest first and by id where they are equally new.
type Place struct {
	StartMS int64
	ID      string
}

// First is the place before all traces.
var First = Place{StartMS: math.MaxInt64}

// Before is the order of lists: the newest first, then by id.
func (t *Trace) Before(o *Trace) bool {
	return t.StartMS > o.StartMS || t.StartMS == o.StartMS && t.ID < o.ID
}

// Tx is a transaction that changes traces.
type Tx interface {
	// Trace returns a trace, which may be changed; nil when there is none.
	Trace(id string) (*Trace, error)
	Put(t *Trace) error
	// Spans returns the spans that are stored, in the order in which they were sent.
	Spans(id string) ([]*Span, error)
	// Oldest returns the ids of the oldest traces of an experiment, up to a time and a number; a number below 0 means all.
	Oldest(experiment string, upTo, most int64) ([]string, error)
	Delete(id string) error
}

// ParseSpans reads spans that AppendContent wrote.
func ParseSpans(contents [][]byte) ([]*Span, error) {
	out := make([]*Span, len(contents))
	for i, c := range contents {
		s, err := ParseSpan(c)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

// Latest leaves each span once, as it was sent last. The ids of a content are at a fixed place.
func Latest(contents [][]byte) [][]byte {
	at := make(map[string]int, len(contents))
	out := contents[:0:0]
	for _, c := range contents {
		id := contentID(c)
		if i, there := at[id]; there {
			out[i] = c
			continue
		}
		at[id] = len(out)
		out = append(out, c)
	}
	return out
}

// contentID is the id of a span in its content.
func contentID(content []byte) string {
	const before = len(`{"trace_id": "AAAAAAAAAAAAAAAAAAAAAA==", "span_id": "`)
	if len(content) < before+12 {
		return string(content)
	}
	return string(bytes.Clone(content[before : before+12]))
}
