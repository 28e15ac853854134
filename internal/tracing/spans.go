package tracing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
)

// The bounds of what is stored. More than these come from a program gone wrong, and could not be shown to anybody.
const (
	maxSpanBytes  = 16 << 20
	maxTraceSpans = 100_000
	maxTraceBytes = 256 << 20
)

// Rejected says how many spans were left out, and why.
type Rejected struct {
	Spans  int
	Reason string
}

func (r *Rejected) add(n int, reason string) {
	r.Spans += n
	if r.Reason == "" {
		r.Reason = reason
	}
}

// AddSpans stores spans, maybe of several traces; a trace that is not known yet begins with them, in the experiment. Spans may come
// in any order and more than once: the last of an id counts. What is over a bound is left out and counted; all else is stored
// together or not at all. runID, where it is not empty, is a run that the traces whose root is among the spans are linked to.
func (s *Service) AddSpans(ctx context.Context, experiment, runID string, batches []trace.Batch) (Rejected, error) {
	stored, bytes, rejected, err := s.within(ctx, batches)
	if err != nil || len(stored) == 0 {
		return rejected, err
	}
	e, noExperiment := s.deps.Experiments.Experiment(ctx, experiment)
	err = s.deps.Store.Change(ctx, stored, func(tx trace.Tx, fresh []bool) error {
		for i, b := range stored {
			t, err := tx.Trace(b.TraceID)
			if err != nil {
				return err
			}
			if t == nil {
				if noExperiment != nil {
					return noExperiment
				}
				t = &trace.Trace{ID: b.TraceID, ExperimentID: e.ID, Tags: []track.KV{artifactTag(e, b.TraceID)}}
			}
			if fresh[i] {
				if err := s.add(tx, t, b, bytes[i]); err != nil {
					return err
				}
			}
			if runID != "" && trace.HasRoot(b.Spans) {
				if runs, err := link(t, t.Runs, runID); err == nil { // one more than there may be is left out
					t.Runs = runs
				}
			}
			if err := tx.Put(t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, b := range stored {
			s.sums.take(b.TraceID, 0, 0)
		}
	}
	return rejected, err
}

// add makes a batch that was not stored before part of its trace.
func (s *Service) add(tx trace.Tx, t *trace.Trace, b trace.Batch, bytes int64) error {
	sums := s.sums.take(t.ID, t.Spans, t.Bytes)
	if sums != nil {
		sums.Add(b.Shares)
	}
	rules := trace.Rules{Tag: s.tag, Sums: func() (*trace.Sums, error) {
		if sums != nil {
			return sums, nil
		}
		sums = &trace.Sums{}
		if t.Spans > 0 {
			stored, err := tx.Spans(t.ID)
			if err != nil {
				return nil, err
			}
			sums.Add(trace.SharesOf(stored))
		}
		sums.Add(b.Shares)
		return sums, nil
	}}
	if err := t.Add(b, rules); err != nil {
		return err
	}
	t.Spans += int64(len(b.Spans))
	t.Bytes += bytes
	if sums != nil {
		s.sums.keep(t.ID, t.Spans, t.Bytes, sums)
	}
	return nil
}

// within brings spans into the form in which they are stored and leaves out what is over a bound. sizes are the bytes of what is left.
func (s *Service) within(ctx context.Context, batches []trace.Batch) (stored []trace.Batch, sizes []int64, rejected Rejected, err error) {
	all := make([]int64, len(batches))
	for i := range batches {
		kept := batches[i].Spans[:0:0]
		for _, span := range batches[i].Spans {
			span.Adopt()
			if err := trace.CheckSession(span.Session()); err != nil {
				rejected.add(1, err.Error())
				continue
			}
			before := len(batches[i].Text)
			batches[i].Text = append(span.AppendContent(batches[i].Text), '\n')
			n := len(batches[i].Text) - before
			if n > maxSpanBytes {
				batches[i].Text = batches[i].Text[:before]
				rejected.add(1, fmt.Sprintf("span %q has %d bytes; at most %d are allowed", fault.Shorten(span.Name, 100), n, maxSpanBytes))
				continue
			}
			kept = append(kept, span)
		}
		batches[i].Shares = trace.SharesOf(kept)
		batches[i].Spans, all[i] = kept, int64(len(batches[i].Text))
	}
	full, err := s.full(ctx, batches, all)
	if err != nil {
		return nil, nil, rejected, err
	}
	for i, b := range batches {
		if full[b.TraceID] {
			rejected.add(len(b.Spans), fmt.Sprintf("trace %s is full: a trace has at most %d spans and %d bytes", b.TraceID, maxTraceSpans, maxTraceBytes))
			continue
		}
		if len(b.Spans) > 0 {
			stored, sizes = append(stored, b), append(sizes, all[i])
		}
	}
	return stored, sizes, rejected, nil
}

// full says which traces cannot take what a request brings.
func (s *Service) full(ctx context.Context, batches []trace.Batch, sizes []int64) (map[string]bool, error) {
	out := map[string]bool{}
	ids := make([]string, len(batches))
	for i, b := range batches {
		ids[i] = b.TraceID
	}
	known, err := s.deps.Store.Traces(ctx, ids)
	if err != nil {
		return nil, err
	}
	before := map[string]*trace.Trace{}
	for _, t := range known {
		before[t.ID] = t
	}
	for i, b := range batches {
		spans, bytes := int64(len(b.Spans)), sizes[i]
		if t := before[b.TraceID]; t != nil {
			spans, bytes = spans+t.Spans, bytes+t.Bytes
		}
		out[b.TraceID] = spans > maxTraceSpans || bytes > maxTraceBytes
	}
	return out, nil
}

// Full is a trace with its spans.
type Full struct {
	*trace.Trace
	Spans []*trace.Span
}

// patience is how long a reader waits for spans that a trace says it has.
var patience = []time.Duration{0, time.Second, 2 * time.Second}

// MaxReading bounds the spans that are read at the same time, in bytes as they are stored before compression. Decoded, they take a few
// times that.
const MaxReading = 2 * maxTraceBytes

// room waits until so many bytes of spans may be read; release gives them back. Nobody may ask for more while holding some.
func (s *Service) room(ctx context.Context, bytes int64) (release func(), err error) {
	bytes = min(max(bytes, 1), MaxReading)
	if err := s.deps.Reading.Acquire(ctx, bytes); err != nil {
		return nil, fault.Unavailablef("The server is busy with reading other traces: %w", err)
	}
	return func() { s.deps.Reading.Release(bytes) }, nil
}

// Whole returns a trace with its spans. Unless partial is set, it waits a while for spans that the trace should have. release, which
// is nil with an error, must be called when the spans are no longer needed.
func (s *Service) Whole(ctx context.Context, id string, partial bool) (full Full, release func(), err error) {
	for _, wait := range patience {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Full{}, nil, ctx.Err()
		}
		t, err := s.found(ctx, id)
		if err != nil {
			return Full{}, nil, err
		}
		if release, err = s.room(ctx, t.Bytes); err != nil {
			return Full{}, nil, err
		}
		full, complete, err := s.spansOf(ctx, t)
		if err == nil && (complete || partial) {
			return full, release, nil
		}
		if release(); err != nil {
			return Full{}, nil, err
		}
	}
	return Full{}, nil, fault.NotFoundf("Trace with ID %s is not fully exported yet, please try again later.", fault.Shorten(id, maxID))
}

// found returns a trace, or says in the words of the calls that show spans that there is none.
func (s *Service) found(ctx context.Context, id string) (*trace.Trace, error) {
	t, err := s.deps.Store.Trace(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		err = fault.NotFoundf("Trace with ID %s is not found.", fault.Shorten(id, maxID))
	}
	return t, err
}

// ElsewhereError says that the spans of a trace were not sent to the server one by one: its client has put them into a file.
type ElsewhereError struct{ ID string }

// Error returns MLflow's words.
func (e *ElsewhereError) Error() string { return "Trace data not stored in tracking store" }

// spansOf returns the spans of a trace, and whether they are as many as the trace should have.
func (s *Service) spansOf(ctx context.Context, t *trace.Trace) (full Full, complete bool, err error) {
	if at, _ := track.Find(t.Tags, trace.TagSpansLocation); at != trace.HereLocation {
		return Full{Trace: t}, false, &ElsewhereError{t.ID}
	}
	contents, err := s.deps.Store.Contents(ctx, t.ID)
	if err != nil {
		return Full{}, false, err
	}
	spans, err := trace.ParseSpans(trace.Latest(contents))
	if err != nil {
		return Full{}, false, err
	}
	full = Full{t, trace.Arrange(spans)}
	var stats struct {
		Spans int `json:"num_spans"`
	}
	if text, there := track.Find(t.Metadata, trace.MetaSizeStats); there && json.Unmarshal([]byte(text), &stats) != nil {
		stats.Spans = 0 // written by a client
	}
	return full, len(full.Spans) > 0 && len(full.Spans) >= stats.Spans, nil
}

// File returns the spans of a trace as MLflow's file traces.json has them. release, which is nil with an error, must be called when
// the text is no longer needed.
func (s *Service) File(ctx context.Context, id string) (text []byte, release func(), err error) {
	t, err := s.found(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if release, err = s.room(ctx, t.Bytes); err != nil {
		return nil, nil, err
	}
	full, _, err := s.spansOf(ctx, t)
	if err != nil {
		release()
		return nil, nil, err
	}
	text = append(make([]byte, 0, t.Bytes+int64(len(full.Spans))), `{"spans":[`...)
	for i, span := range full.Spans {
		if i > 0 {
			text = append(text, ',')
		}
		text = span.AppendContent(text)
	}
	return append(text, "]}"...), release, nil
}

// WholeTraces returns those of some traces that are complete, with their spans; those of some experiments only, unless experiments is
// nil. release, which is nil with an error, must be called when the spans are no longer needed.
func (s *Service) WholeTraces(ctx context.Context, ids, experiments []string) (out []Full, release func(), err error) {
	found, err := s.Traces(ctx, ids, experiments)
	if err != nil {
		return nil, nil, err
	}
	bytes := int64(0)
	for _, t := range found {
		bytes += t.Bytes
	}
	if bytes > MaxReading && len(found) > 1 {
		return nil, nil, fault.Invalidf("The spans of these %d traces have %d bytes, which is more than the %d that are read at a time: ask for fewer traces",
			len(found), bytes, MaxReading)
	}
	if release, err = s.room(ctx, bytes); err != nil {
		return nil, nil, err
	}
	for _, t := range found {
		full, complete, err := s.spansOf(ctx, t)
		if err != nil {
			release()
			return nil, nil, err
		}
		if complete {
			out = append(out, full)
		}
	}
	return out, release, nil
}
