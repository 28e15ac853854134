package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
	"levada/internal/tracing"
)

// counting sees how many traces are asked for at a time.
type counting struct {
	tracing.Store

	most int
}

func (c *counting) Newest(ctx context.Context, experiment string, after trace.Place, from, to int64, n int) ([]*trace.Trace, error) {
	c.most = max(c.most, n)
	return c.Store.Newest(ctx, experiment, after, from, to, n)
}

func TestASearchOfManyExperimentsReadsFewOfEach(t *testing.T) {
	s, db := openTracing(t)
	experiments := make([]string, 3000)
	for i := range experiments {
		experiments[i] = fmt.Sprint(i)
	}
	for i := range 20 {
		startTrace(t, s, fmt.Sprint(i%2), fmt.Sprintf("t%02d", i), int64(i))
	}
	seen := &counting{Store: db.Traces()}
	page, err := tracing.New(tracing.Options{Reading: semaphore.NewWeighted(tracing.MaxReading), Store: seen}).Search(t.Context(), tracing.Query{Experiments: experiments, Limit: 20, Filter: "status = 'OK'"})
	if err != nil || len(page.Traces) != 20 || page.Traces[0].ID != "t19" || page.Traces[19].ID != "t00" || seen.most > 3 {
		t.Errorf("%q, at most %d at a time: %v", ids(page.Traces), seen.most, err)
	}
}

// huge says that each trace has 300 MiB of spans.
type huge struct{ tracing.Store }

func (h huge) Trace(ctx context.Context, id string) (*trace.Trace, error) {
	t, err := h.Store.Trace(ctx, id)
	if err == nil {
		t.Bytes = 300 << 20
	}
	return t, err
}

func (h huge) Traces(ctx context.Context, ids []string) (out []*trace.Trace, err error) {
	for _, id := range ids {
		t, err := h.Trace(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (h huge) Newest(ctx context.Context, experiment string, after trace.Place, from, to int64, n int) ([]*trace.Trace, error) {
	out, err := h.Store.Newest(ctx, experiment, after, from, to, n)
	for _, t := range out {
		t.Bytes = 300 << 20
	}
	return out, err
}

func TestTheSpansThatAreReadAtTheSameTimeAreBounded(t *testing.T) {
	s, db := openTracing(t)
	for n := range byte(3) {
		addSpans(t, s, "1", spanOf(n+1, 1, 1, "x"))
	}
	large := tracing.New(tracing.Options{Reading: semaphore.NewWeighted(tracing.MaxReading), Store: huge{db.Traces()}})
	name := func(n byte) string { return trace.IDOf(spanOf(n, 1, 1, "").TraceID) }
	full, release, err := large.Whole(t.Context(), name(1), false)
	if err != nil || len(full.Spans) != 1 {
		t.Fatal(full, err)
	}
	search := tracing.Query{Experiments: []string{"1"}, Limit: 10, Filter: "span.attributes.t = 'x'"}
	reads := map[string]func(ctx context.Context) error{
		"a trace": func(ctx context.Context) error {
			_, done, err := large.Whole(ctx, name(2), false)
			if done != nil {
				done()
			}
			return err
		},
		"a file": func(ctx context.Context) error {
			text, done, err := large.File(ctx, name(2))
			if done != nil {
				done()
			}
			if err == nil && !strings.HasPrefix(string(text), `{"spans":[{`) {
				t.Errorf("%s", text)
			}
			return err
		},
		"a search": func(ctx context.Context) error {
			page, err := large.Search(ctx, search)
			if err == nil && len(page.Traces) != 3 {
				t.Errorf("%d traces", len(page.Traces))
			}
			return err
		},
		"a correlation": func(ctx context.Context) error {
			n, err := large.Correlate(ctx, tracing.Correlation{Experiments: search.Experiments, First: search.Filter, Second: search.Filter, Base: search.Filter})
			if err == nil && n.Both != 3 {
				t.Errorf("%+v", n)
			}
			return err
		},
	}
	for what, read := range reads {
		short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := read(short); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s beside another: %v, want that it waits", what, err)
		}
		stop()
	}
	release()
	for what, read := range reads {
		if err := read(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := large.WholeTraces(t.Context(), []string{name(1), name(2)}, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("two at once: %v", err)
	}
	if found, done, err := large.WholeTraces(t.Context(), []string{name(1)}, nil); err != nil || len(found) != 1 {
		t.Errorf("%d, %v", len(found), err)
	} else {
		done()
	}
}

// broken cannot delete the files of one trace, and says what there was when files were deleted.
type broken struct {
	places
	trace string
	first func(id string)
}

func (b broken) DeleteBelow(_ context.Context, _, relative string) error {
	id := strings.TrimPrefix(relative, "traces/")
	b.first(id)
	if id == b.trace {
		return errors.New("the disk is broken")
	}
	return nil
}

func TestATraceStaysUntilItsFilesAreDeleted(t *testing.T) {
	s, db := openTracing(t)
	for _, id := range []string{"a", "b", "c"} {
		startTrace(t, s, "1", id, 1)
	}
	disk := &broken{trace: "a", first: func(id string) {
		if _, err := s.Trace(t.Context(), id); err != nil {
			t.Errorf("the trace of %s was deleted before its files: %v", id, err)
		}
	}}
	deleting := tracing.New(tracing.Options{Reading: semaphore.NewWeighted(tracing.MaxReading), Store: db.Traces(), Experiments: disk})
	want := tracing.Deletion{ExperimentID: "1", IDs: []string{"a", "b", "c"}}
	if n, err := deleting.Delete(t.Context(), want); n != 2 || err == nil {
		t.Errorf("%d deleted, %v; want those whose files are gone, and the error", n, err)
	}
	disk.trace = ""
	if n, err := deleting.Delete(t.Context(), want); n != 1 || err != nil {
		t.Errorf("again: %d deleted, %v", n, err)
	}
}

func entries(from, to int) []track.KV {
	var out []track.KV
	for i := from; i < to; i++ {
		out = append(out, track.KV{Key: fmt.Sprint(i), Value: "v"})
	}
	return out
}

func TestWhatATraceSaysAboutItselfIsBounded(t *testing.T) {
	s, _ := openTracing(t)
	ctx := t.Context()
	full := trace.Trace{ID: "t", ExperimentID: "1", Tags: entries(0, trace.MaxEntries), Metadata: entries(0, trace.MaxEntries)}
	if _, err := s.Start(ctx, full); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(ctx, full); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := s.SetTag(ctx, "t", "0", "w"); err != nil {
		t.Errorf("a tag that is there: %v", err)
	}
	more, assessments, prompts := entries(5000, 5001), make([]trace.Assessment, 10_001), make([]string, trace.MaxEntries+1)
	for i := range prompts {
		prompts[i] = fmt.Sprint("p/", i)
	}
	begun, err := s.Begin(ctx, "1", 1, entries(0, trace.MaxEntries), nil)
	if err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{"a tag": s.SetTag(ctx, "t", "new", "v"), "prompts": s.LinkPrompts(ctx, "t", prompts)}
	_, errs["tags"] = s.Start(ctx, trace.Trace{ID: "t", ExperimentID: "1", Tags: more})
	_, errs["metadata"] = s.Start(ctx, trace.Trace{ID: "t", ExperimentID: "1", Metadata: more})
	_, errs["tags of one request"] = s.Start(ctx, trace.Trace{ID: "u", ExperimentID: "1", Tags: entries(0, trace.MaxEntries+1)})
	_, errs["assessments"] = s.Start(ctx, trace.Trace{ID: "t", ExperimentID: "1", Assessments: assessments})
	_, errs["begin"] = s.Begin(ctx, "1", 1, entries(0, trace.MaxEntries+1), nil)
	_, errs["end"] = s.End(ctx, begun.ID, 2, trace.OK, more, nil)
	for name, err := range errs {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
	// Spans are kept without the tags that there is no room for.
	root := spanOf(1, 1, 1, "x")
	for _, kv := range entries(0, trace.MaxEntries+5) {
		root.Attributes = append(root.Attributes, trace.Attribute{Key: "mlflow.traceTag." + kv.Key, Value: `"v"`})
	}
	addSpans(t, s, "1", root)
	if got, err := s.Trace(ctx, trace.IDOf(root.TraceID)); err != nil || len(got.Tags) != trace.MaxEntries {
		t.Errorf("%d tags, %v", len(got.Tags), err)
	}
}

func TestAssessmentsOfManyRequestsAreBoundedAndReplaced(t *testing.T) {
	s, _ := openTracing(t)
	start := func(ids ...int) (*trace.Trace, error) {
		given := trace.Trace{ID: "t", ExperimentID: "1"}
		for _, id := range ids {
			given.Assessments = append(given.Assessments, trace.Assessment{ID: fmt.Sprint(id), Name: fmt.Sprint("in ", len(ids)), Kind: trace.Feedback, Value: "1"})
		}
		return s.Start(t.Context(), given)
	}
	numbers := func(from, to int) (out []int) {
		for i := from; i < to; i++ {
			out = append(out, i)
		}
		return out
	}
	if _, err := start(numbers(0, 10_000)...); err != nil {
		t.Fatal(err)
	}
	got, err := start(5, 6, 5)
	if err != nil || len(got.Assessments) != 10_000 || got.Assessments[9_998].ID != "6" || got.Assessments[9_999].Name != "in 3" {
		t.Errorf("%d assessments, %v", len(got.Assessments), err)
	}
	if _, err := start(10_000); fault.KindOf(err) != fault.Invalid {
		t.Errorf("one more than are allowed: %v", err)
	}
}

func TestASessionThatIsTooLongCostsItsSpanAlone(t *testing.T) {
	s, _ := openTracing(t)
	bad := spanOf(1, 1, 1, "bad")
	bad.Attributes = append(bad.Attributes, trace.Attribute{Key: "session.id", Value: `"` + strings.Repeat("s", 251) + `"`})
	id := trace.IDOf(bad.TraceID)
	rejected, err := s.AddSpans(t.Context(), "1", "", []trace.Batch{{TraceID: id, Spans: []*trace.Span{bad, spanOf(1, 2, 1, "good")}}})
	if err != nil || rejected.Spans != 1 || !strings.Contains(rejected.Reason, "Session ID") {
		t.Errorf("%+v, %v", rejected, err)
	}
	if got := textsOf(t, s, id); !slices.Equal(got, []string{"good"}) {
		t.Errorf("%q", got)
	}
}
