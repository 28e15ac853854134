package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// BenchmarkAppend measures durable appends of one event, one run row and one task by many writers at once;
// the sync of a commit is shared by those that wait.
//
//	go test ./internal/adapter/store -run '^$' -bench Append
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openForTest(b)
			ctx := b.Context()
			var next atomic.Int64
			b.SetParallelism(max(1, writers/2)) // of GOMAXPROCS, which is at least 2
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				r := benchRun(int(next.Add(1)))
				r.State = run.Running
				if err := s.CreateRun(ctx, r, nil, nil); err != nil {
					b.Error(err)
				}
				task := run.Task{ID: r.ID + "/t", RunID: r.ID, Path: "t", State: run.Running}
				for seq := int64(1); pb.Next(); seq++ {
					event := run.Event{Seq: seq, At: r.CreatedAt, Type: "task_launched", Body: []byte(`{"task":"t","attempt":1}`)}
					if err := s.Append(ctx, r.ID, []run.Event{event}, run.Changes{Run: &r, Tasks: []run.Task{task}}); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

func benchRun(n int) run.Run {
	states := []run.State{run.Succeeded, run.Succeeded, run.Succeeded, run.Failed, run.Canceled}
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	return run.Run{
		ID:          fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(n)*2654435761, n), // ids come in no order
		DisplayName: fmt.Sprintf("train-model %d", n), ExperimentID: fmt.Sprintf("exp-%d", n%7*(n%11)),
		PipelineName: "train-model", PipelineID: fmt.Sprintf("pipe-%d", n%20), SpecDigest: "sha256:00",
		Parameters: map[string]any{"learning_rate": 0.001, "epochs": 20.0, "dataset": "s3://bucket/path/to/data"},
		State:      states[n%len(states)], Archived: n%10 == 9, CreatedAt: created, ScheduledAt: created, FinishedAt: &created,
	}
}

// load fills the store with runs, many to a transaction.
func load(b testing.TB, s *Store, n int) {
	b.Helper()
	for from := 0; from < n; from += 5000 {
		err := s.update(b.Context(), func(ctx context.Context, tx *tx) error {
			for i := from; i < min(from+5000, n); i++ {
				r := benchRun(i)
				body, err := encode("run", r)
				if err != nil {
					return err
				}
				if err := insertRun(ctx, tx, r, body); err != nil {
					return err
				}
				if err := countRun(ctx, tx, kindOf(r), 1); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// TestFillADirectoryForTheBrowser makes a data directory with many runs that a server can be started on: LEVADA_BENCH_DATA names it,
// LEVADA_BENCH_RUNS says how many. It is how `make bench-ui` comes to a million runs.
func TestFillADirectoryForTheBrowser(t *testing.T) {
	dir, n := os.Getenv("LEVADA_BENCH_DATA"), benchRuns(t)
	if dir == "" {
		t.Skip("needs LEVADA_BENCH_DATA")
	}
	s, err := Open(t.Context(), Options{Path: filepath.Join(dir, "levada.db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	created := benchRun(0).CreatedAt
	for i := range 61 {
		e := catalog.Experiment{ID: fmt.Sprintf("exp-%d", i), DisplayName: fmt.Sprintf("experiment %d", i), CreatedAt: created}
		if err := s.CreateExperiment(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		name := fmt.Sprintf("train-model-%d", i)
		if err := s.CreatePipeline(t.Context(), catalog.Pipeline{ID: fmt.Sprintf("pipe-%d", i), Name: name, DisplayName: name, CreatedAt: created}, nil); err != nil {
			t.Fatal(err)
		}
	}
	load(t, s, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// benchRuns is how many runs a benchmark is to look at.
func benchRuns(t testing.TB) int {
	t.Helper()
	text := os.Getenv("LEVADA_BENCH_RUNS")
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// BenchmarkListRuns measures a page of 20 runs, with its total, out of LEVADA_BENCH_RUNS (100,000 unless set).
//
//	LEVADA_BENCH_RUNS=1000000 go test ./internal/adapter/store -run '^$' -bench ListRuns -benchtime 20x
func BenchmarkListRuns(b *testing.B) {
	n := benchRuns(b)
	s := openForTest(b)
	began := time.Now()
	load(b, s, n)
	b.Logf("%d runs loaded in %v", n, time.Since(began))
	is := func(key string, value any) listing.Predicate {
		return listing.Predicate{Key: key, Op: listing.Equals, Values: []any{value}}
	}
	contains := func(key string, value any) listing.Predicate {
		return listing.Predicate{Key: key, Op: listing.IsSubstring, Values: []any{value}}
	}
	for _, list := range []struct {
		name  string
		query listing.Query
	}{
		{"all", listing.Query{}},
		{"not archived", listing.Query{Where: []listing.Predicate{is("archived", false)}}},
		{"archived", listing.Query{Where: []listing.Predicate{is("archived", true)}}},
		{"experiment", listing.Query{Where: []listing.Predicate{is("experiment_id", "exp-0"), is("archived", false)}}},
		{"experiment archived", listing.Query{Where: []listing.Predicate{is("experiment_id", "exp-6"), is("archived", true)}}},
		{"state", listing.Query{Where: []listing.Predicate{is("state", "FAILED"), is("archived", false)}}},
		{"state none", listing.Query{Where: []listing.Predicate{is("state", "RUNNING")}}},
		{"state one of none", listing.Query{Where: []listing.Predicate{
			{Key: "state", Op: listing.In, Values: []any{"PENDING", "RUNNING", "CANCELING"}}, is("archived", false)}}},
		{"pipeline", listing.Query{Where: []listing.Predicate{is("pipeline_id", "pipe-3"), is("archived", false)}}},
		{"experiment and state", listing.Query{Where: []listing.Predicate{is("experiment_id", "exp-6"), is("state", "CANCELED")}}},
		{"by name", listing.Query{SortBy: "display_name"}},
		{"name equals", listing.Query{Where: []listing.Predicate{is("display_name", "train-model 77")}}},
		{"name contains frequent", listing.Query{Where: []listing.Predicate{contains("display_name", "model 7"), is("archived", false)}}},
		{"name contains none", listing.Query{Where: []listing.Predicate{contains("display_name", "zebra"), is("archived", false)}}},
		{"by state", listing.Query{SortBy: "state"}},
	} {
		b.Run(list.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.ListRuns(b.Context(), list.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("deep page", func(b *testing.B) {
		from := benchRun(n / 2)
		l := runList()
		st, err := l.plan(listing.Query{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		token := st.encodeToken(position{key: micros(from.CreatedAt), id: from.ID}, st.digest())
		for b.Loop() {
			if _, err := s.ListRuns(b.Context(), listing.Query{PageToken: token}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHome measures what the home page and the search ask, out of LEVADA_BENCH_RUNS (100,000 unless set). A fifth of the runs failed.
//
//	LEVADA_BENCH_RUNS=1000000 go test ./internal/adapter/store -run '^$' -bench Home -benchtime 20x
func BenchmarkHome(b *testing.B) {
	n := 100_000
	if text := os.Getenv("LEVADA_BENCH_RUNS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	s := openForTest(b)
	load(b, s, n)
	for _, ask := range []struct {
		name string
		ask  func() error
	}{
		{"counts", func() error { _, err := s.CountRuns(b.Context()); return err }},
		{"active", func() error {
			_, err := s.NewestIn(b.Context(), []run.State{run.Pending, run.Running, run.Canceling}, time.Time{}, 20)
			return err
		}},
		{"failed", func() error { _, err := s.NewestIn(b.Context(), []run.State{run.Failed}, time.Time{}, 300); return err }},
		{"find id", func() error { _, err := s.FindRuns(b.Context(), benchRun(n / 2).ID[:6], 5); return err }},
		{"find frequent", func() error { _, err := s.FindRuns(b.Context(), "model 7", 5); return err }},
		{"find old by its beginning", func() error { _, err := s.FindRuns(b.Context(), "train-model 77", 5); return err }},
		{"find none", func() error { _, err := s.FindRuns(b.Context(), "zebra", 5); return err }},
	} {
		b.Run(ask.name, func(b *testing.B) {
			for b.Loop() {
				if err := ask.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
