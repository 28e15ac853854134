package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/trace"
	"levada/internal/core/track"
	"levada/internal/tracing"
)

var _ tracing.Store = store.Traces{}

// places are experiments of any number, whose files are elsewhere.
type places struct{}

func (places) Experiment(_ context.Context, id string) (track.Experiment, error) {
	if id == "none" {
		return track.Experiment{}, fault.NotFoundf("no such experiment")
	}
	return track.Experiment{ID: id, ArtifactLocation: "mlflow-artifacts:/" + id}, nil
}

func (places) DeleteBelow(context.Context, string, string) error { return nil }

func openTracing(t testing.TB) (*tracing.Service, *store.Store) {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "levada.db"))
	return newTracing(s), s
}

func newTracing(s *store.Store) *tracing.Service {
	next := 0
	return tracing.New(tracing.Options{Reading: semaphore.NewWeighted(tracing.MaxReading), Store: s.Traces(), Experiments: places{}, CheckName: func(string, string) error { return nil },
		Now: func() time.Time { return time.UnixMilli(5) }, NewID: func() string { next++; return fmt.Sprintf("id-%d", next) }})
}

func spanOf(traceNumber, number byte, startMS uint64, text string) *trace.Span {
	s := &trace.Span{Name: "s", StartNS: startMS * 1e6, EndNS: (startMS + 1) * 1e6, Attributes: []trace.Attribute{{Key: "t", Value: string(trace.AppendQuoted(nil, text))}}}
	s.TraceID[15], s.ID[7] = traceNumber, number
	return s
}

func addSpans(t testing.TB, s *tracing.Service, experiment string, spans ...*trace.Span) {
	t.Helper()
	batches := []trace.Batch{{TraceID: trace.IDOf(spans[0].TraceID), Spans: spans}}
	if rejected, err := s.AddSpans(t.Context(), experiment, "", batches); err != nil || rejected.Spans > 0 {
		t.Fatal(rejected, err)
	}
}

func textsOf(t *testing.T, s *tracing.Service, id string) []string {
	t.Helper()
	full, release, err := s.Whole(t.Context(), id, true)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var out []string
	for _, span := range full.Spans {
		out = append(out, span.Text("t"))
	}
	return out
}

func TestOfASpanThatComesOftenTheLastOneCounts(t *testing.T) {
	s, _ := openTracing(t)
	id := trace.IDOf(spanOf(1, 0, 0, "").TraceID)
	for _, step := range []struct {
		send string
		want []string
	}{
		{"first", []string{"first"}}, {"first", []string{"first"}}, {"second", []string{"second"}},
		{"first", []string{"second"}}, // a request that was repeated late says nothing new
	} {
		addSpans(t, s, "1", spanOf(1, 1, 10, step.send))
		if got := textsOf(t, s, id); !slices.Equal(got, step.want) {
			t.Errorf("after %q came again: %q, want %q", step.send, got, step.want)
		}
	}
	if got, err := s.Trace(t.Context(), id); err != nil || got.Spans != 2 {
		t.Errorf("%+v, %v: two requests were different", got, err)
	}
	// One request may bring several, and the order of their start is the one that is shown.
	addSpans(t, s, "1", spanOf(1, 3, 30, "late"), spanOf(1, 2, 20, "early"))
	if got, want := textsOf(t, s, id), []string{"second", "early", "late"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func withTokens(s *trace.Span, n string) *trace.Span {
	s.Attributes = append(s.Attributes, trace.Attribute{Key: trace.AttrUsage, Value: `{"input_tokens": ` + n + `}`})
	return s
}

// What the server remembers of a trace between two requests must not be told apart from what it reads.
func TestTokensAddUpOverRequestsAlsoAfterAFailureAndARestart(t *testing.T) {
	s, db := openTracing(t)
	id := trace.IDOf(spanOf(1, 0, 0, "").TraceID)
	expect := func(s *tracing.Service, want string) {
		t.Helper()
		got, err := s.Trace(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if usage, _ := track.Find(got.Metadata, trace.MetaUsage); !strings.HasPrefix(usage, `{"input_tokens": `+want+`,`) {
			t.Errorf("usage %s, want %s", usage, want)
		}
	}
	child := withTokens(spanOf(1, 2, 2, "child"), "2")
	child.Parent[7] = 1
	addSpans(t, s, "1", child)
	addSpans(t, s, "1", withTokens(spanOf(1, 3, 3, "other"), "3"))
	expect(s, "5")
	addSpans(t, s, "1", child)
	expect(s, "5")
	// The request is refused as a whole, because a trace of it has no experiment.
	failed := []trace.Batch{{TraceID: id, Spans: []*trace.Span{withTokens(spanOf(1, 4, 4, ""), "100")}}, {TraceID: "tr-9", Spans: []*trace.Span{spanOf(9, 1, 1, "")}}}
	if _, err := s.AddSpans(t.Context(), "none", "", failed); fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
	addSpans(t, s, "1", spanOf(1, 5, 5, "no numbers"))
	addSpans(t, s, "1", withTokens(spanOf(1, 6, 6, "six"), "6"))
	expect(s, "11")
	again := newTracing(db)
	addSpans(t, again, "1", withTokens(spanOf(1, 1, 1, "parent of the child"), "10"))
	expect(again, "19")
	// Another server has added a span meanwhile; what is remembered here is of no use.
	addSpans(t, s, "1", withTokens(spanOf(1, 7, 7, "seven"), "7"))
	expect(s, "26")
}

// Spans that come alone, as they do of an application that sends each when it ends.
func BenchmarkSpansWithTokensOneByOne(b *testing.B) {
	s, _ := openTracing(b)
	for b.Loop() {
		for i := range 10_000 {
			span := withTokens(spanOf(byte(b.N), 0, uint64(i), "x"), "1")
			span.ID = [8]byte(binary.BigEndian.AppendUint64(nil, uint64(i+1)))
			addSpans(b, s, "1", span)
		}
	}
}

func TestWritersOfOneTraceLoseNothing(t *testing.T) {
	s, _ := openTracing(t)
	var writers sync.WaitGroup
	for w := range byte(8) {
		writers.Go(func() {
			for n := range byte(10) {
				span := spanOf(1, w*10+n+1, uint64(n), "x")
				if _, err := s.AddSpans(t.Context(), "1", "", []trace.Batch{{TraceID: trace.IDOf(span.TraceID), Spans: []*trace.Span{span}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	full, release, err := s.Whole(t.Context(), trace.IDOf(spanOf(1, 0, 0, "").TraceID), true)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if len(full.Spans) != 80 || full.Trace.Spans != 80 {
		t.Errorf("%d spans of 80 are there, %d counted", len(full.Spans), full.Trace.Spans)
	}
}

func startTrace(t *testing.T, s *tracing.Service, experiment, id string, startMS int64, tags ...track.KV) {
	t.Helper()
	if _, err := s.Start(t.Context(), trace.Trace{ID: id, ExperimentID: experiment, StartMS: startMS, State: trace.OK, Tags: tags}); err != nil {
		t.Fatal(err)
	}
}

func ids(traces []*trace.Trace) []string {
	var out []string
	for _, t := range traces {
		out = append(out, t.ID)
	}
	return out
}

// More traces than are read at a time, in two experiments, some of the same moment.
func TestPagesOfASearchHoldEachTraceOnceInTheOrderOfTime(t *testing.T) {
	s, _ := openTracing(t)
	const n = 1300
	for i := range n {
		startTrace(t, s, fmt.Sprint(i%2+1), fmt.Sprintf("t%04d", i), int64(i/7))
	}
	for _, q := range []tracing.Query{
		{Experiments: []string{"1", "2", "1"}, Limit: 100},
		{Experiments: []string{"1", "2"}, Limit: 100, OrderBy: []string{"timestamp DESC"}},
		{Experiments: []string{"1", "2"}, Limit: 97, Filter: "timestamp_ms >= 0 AND status = 'OK'"},
	} {
		var got []string
		for {
			page, err := s.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ids(page.Traces)...)
			if !page.More {
				break
			}
			q.Offset, q.After = q.Offset+q.Limit, page.Next
		}
		want := make([]string, n)
		for i := range n {
			want[i] = fmt.Sprintf("t%04d", i)
		}
		slices.SortFunc(want, func(a, b string) int {
			var x, y int
			_, _ = fmt.Sscanf(a, "t%d", &x)
			_, _ = fmt.Sscanf(b, "t%d", &y)
			if x/7 != y/7 {
				return y/7 - x/7
			}
			return x - y
		})
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d traces, want %d in the order of time", q, len(got), len(want))
		}
	}
	page, err := s.Search(t.Context(), tracing.Query{Experiments: []string{"1"}, Limit: 10, Filter: "timestamp_ms > 3 AND timestamp_ms <= 4"})
	if err != nil || !slices.Equal(ids(page.Traces), []string{"t0028", "t0030", "t0032", "t0034"}) {
		t.Errorf("between two times: %q, %v", ids(page.Traces), err)
	}
}

func TestATraceIsFoundByItsRunsUntilItIsDeleted(t *testing.T) {
	s, _ := openTracing(t)
	ctx := t.Context()
	if _, err := s.Start(ctx, trace.Trace{ID: "own", ExperimentID: "1", Metadata: []track.KV{{Key: trace.MetaRun, Value: "r"}}}); err != nil {
		t.Fatal(err)
	}
	startTrace(t, s, "1", "linked", 5)
	startTrace(t, s, "2", "elsewhere", 5)
	if err := s.LinkRun(ctx, []string{"linked", "elsewhere", "none"}, "r"); err != nil {
		t.Fatal(err)
	}
	find := func() []string {
		page, err := s.Search(ctx, tracing.Query{Experiments: []string{"1"}, Limit: 10, Filter: "run_id = 'r'"})
		if err != nil {
			t.Fatal(err)
		}
		return ids(page.Traces)
	}
	if got := find(); !slices.Equal(got, []string{"linked", "own"}) {
		t.Errorf("%q", got)
	}
	if n, err := s.Delete(ctx, tracing.Deletion{ExperimentID: "1", IDs: []string{"linked", "elsewhere"}}); n != 1 || err != nil {
		t.Error(n, err)
	}
	if got := find(); !slices.Equal(got, []string{"own"}) {
		t.Errorf("%q", got)
	}
}

func TestTheSpaceOfDeletedTracesIsUsedAgain(t *testing.T) {
	s, db := openTracing(t)
	fill := func(from byte) {
		for n := range byte(100) {
			// Text that does not compress well, and differs.
			text := make([]byte, 0, 40_000)
			for i := range 40_000 {
				text = append(text, "0123456789abcdefghijklmnopqrstuvwxyz"[(i*i*int(n+1)+i/7*int(from+3))%36])
			}
			addSpans(t, s, "1", spanOf(from+n, 1, uint64(n), string(text)))
		}
	}
	fill(0)
	size := db.Stats().Bytes
	upTo := int64(1 << 40)
	for range 5 {
		if n, err := s.Delete(t.Context(), tracing.Deletion{ExperimentID: "1", UpToMS: &upTo}); n != 100 || err != nil {
			t.Fatal(n, err)
		}
		fill(0)
	}
	if now := db.Stats().Bytes; now > 3*size {
		t.Errorf("the database has grown from %d to %d bytes, though no more is in it", size, now)
	}
}

func TestWhatIsOverABoundIsCountedAndLeftOut(t *testing.T) {
	s, _ := openTracing(t)
	large := spanOf(1, 1, 1, strings.Repeat("x", 17<<20))
	rejected, err := s.AddSpans(t.Context(), "1", "", []trace.Batch{{TraceID: "tr-1", Spans: []*trace.Span{large, spanOf(1, 2, 1, "y")}}})
	if err != nil || rejected.Spans != 1 || !strings.Contains(rejected.Reason, "at most") {
		t.Errorf("%+v, %v", rejected, err)
	}
	many := make([]*trace.Span, 100_001)
	for i := range many {
		many[i] = spanOf(2, byte(i), 1, "")
		many[i].ID[5], many[i].ID[6] = byte(i>>16), byte(i>>8)
	}
	rejected, err = s.AddSpans(t.Context(), "1", "", []trace.Batch{{TraceID: "tr-2", Spans: many}, {TraceID: "tr-3", Spans: []*trace.Span{spanOf(3, 1, 1, "")}}})
	if err != nil || rejected.Spans != len(many) || !strings.Contains(rejected.Reason, "full") {
		t.Errorf("%+v, %v", rejected, err)
	}
	if _, err := s.Trace(t.Context(), "tr-2"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a trace that was left out: %v", err)
	}
	if _, err := s.Trace(t.Context(), "tr-3"); err != nil {
		t.Error(err)
	}
	if _, err := s.AddSpans(t.Context(), "none", "", []trace.Batch{{TraceID: "tr-4", Spans: []*trace.Span{spanOf(4, 1, 1, "")}}}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no experiment: %v", err)
	}
}

func TestASearchForSpansReadsThem(t *testing.T) {
	s, _ := openTracing(t)
	addSpans(t, s, "1", spanOf(1, 1, 1, "needle é"))
	addSpans(t, s, "1", spanOf(2, 1, 2, "hay"))
	addSpans(t, s, "1", spanOf(2, 1, 2, "straw")) // the needle of another day
	for filter, want := range map[string]int{
		"trace.text LIKE '%needle é%'": 1, "span.attributes.t = 'straw'": 1, "span.attributes.t = 'hay'": 0, "text LIKE '%hay%'": 0, "span.name = 's'": 2, "span.type = 'UNKNOWN'": 2,
		"span.name = 'x'": 0, "span.type = 'LLM'": 0, "span.status = 'UNSET'": 2, "span.status = 'OK'": 0, "span.name = 's' AND span.attributes.t = 'straw'": 1,
	} {
		page, err := s.Search(t.Context(), tracing.Query{Experiments: []string{"1"}, Limit: 10, Filter: filter})
		if err != nil || len(page.Traces) != want {
			t.Errorf("%s: %d traces, %v; want %d", filter, len(page.Traces), err, want)
		}
	}
}

// Text may be written in several ways in JSON; MLflow's client sends the type as JSON of Python, which writes all but ASCII as numbers.
func TestASearchForSpansFindsTextInEachSpellingOfJSON(t *testing.T) {
	s, _ := openTracing(t)
	span := spanOf(1, 1, 1, "x")
	span.Name = "a/b<\"é\""
	span.Attributes = append(span.Attributes, trace.Attribute{Key: trace.AttrType, Value: `"caf\u00e9\/\u003c"`})
	addSpans(t, s, "1", span)
	for filter, want := range map[string]int{"span.type = 'café/<'": 1, "span.type = 'cafe'": 0, `span.name = 'a/b<"é"'`: 1} {
		page, err := s.Search(t.Context(), tracing.Query{Experiments: []string{"1"}, Limit: 10, Filter: filter})
		if err != nil || len(page.Traces) != want {
			t.Errorf("%s: %d traces, %v; want %d", filter, len(page.Traces), err, want)
		}
	}
}
