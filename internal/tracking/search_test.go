package tracking_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"levada/internal/adapter/series"
	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

func openService(t *testing.T) *tracking.Service {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "levada.db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	points, err := series.Open(series.Options{Dir: t.TempDir(), CachedStats: 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { points.Close() })
	o := tracking.Options{Store: st.Tracking(), Series: points, Now: time.Now, NewID: uuid.NewString}
	return tracking.New(o)
}

// What is remembered from search to search must not hide what changed in between.
func TestSearchesFindWhatWasLoggedSinceTheLast(t *testing.T) {
	long := openService(t)
	var number int
	rapid.Check(t, func(rt *rapid.T) {
		number++
		ctx := t.Context()
		experiment, err := long.CreateExperiment(ctx, fmt.Sprint("experiment ", number), "", nil)
		if err != nil {
			rt.Fatal(err)
		}
		type logged struct {
			id    string
			start int64
			steps int64
			value float64
			team  string
		}
		var runs []*logged
		for range rapid.IntRange(1, 30).Draw(rt, "changes") {
			if len(runs) == 0 || rapid.IntRange(0, 3).Draw(rt, "what") == 0 {
				start := int64(rapid.IntRange(1, 4).Draw(rt, "start"))
				r, err := long.CreateRun(ctx, tracking.NewRun{ExperimentID: experiment, StartMS: start})
				if err != nil {
					rt.Fatal(err)
				}
				runs = append(runs, &logged{id: r.ID, start: start})
			} else {
				r := runs[rapid.IntRange(0, len(runs)-1).Draw(rt, "run")]
				if rapid.Bool().Draw(rt, "tag") {
					r.team = strconv.Itoa(rapid.IntRange(0, 1).Draw(rt, "team"))
					err = long.SetTag(ctx, r.id, track.KV{Key: "team", Value: r.team})
				} else {
					r.steps++
					r.value = float64(rapid.IntRange(0, 4).Draw(rt, "value"))
					err = long.LogMetric(ctx, r.id, track.Metric{Key: "m", Point: track.Point{Time: 1, Step: r.steps, Value: r.value}})
				}
				if err != nil {
					rt.Fatal(err)
				}
			}
			most := rapid.IntRange(1, 5).Draw(rt, "page")
			found, more, err := long.SearchRuns(ctx, tracking.Query{Experiments: []string{experiment}, Filter: "metrics.m >= 2 AND tags.team != '0'",
				OrderBy: []string{"metrics.m DESC"}, Limit: most})
			if err != nil {
				rt.Fatal(err)
			}
			var want []*logged
			for _, r := range runs {
				if r.steps > 0 && r.value >= 2 && r.team == "1" {
					want = append(want, r)
				}
			}
			slices.SortFunc(want, func(a, b *logged) int {
				if a.value != b.value {
					return int(b.value - a.value)
				}
				if a.start != b.start {
					return int(b.start - a.start)
				}
				if a.id < b.id {
					return -1
				}
				return 1
			})
			if more != (len(want) > most) || len(found) != min(most, len(want)) {
				rt.Fatalf("found %d, more %v, want %d of %d", len(found), more, min(most, len(want)), len(want))
			}
			for i, r := range found {
				if r.Run.ID != want[i].id || r.Metrics[0].Latest.Value != want[i].value {
					rt.Fatalf("place %d: run %s with %v, want %s with %v", i, r.Run.ID, r.Metrics[0].Latest.Value, want[i].id, want[i].value)
				}
			}
		}
	})
}

func TestSearchesBesideWritersSeeEachWriteOnceItIsAcknowledged(t *testing.T) {
	service := openService(t)
	experiment, err := service.CreateExperiment(t.Context(), "beside", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			r, err := service.CreateRun(t.Context(), tracking.NewRun{ExperimentID: experiment, StartMS: 1})
			if err != nil {
				t.Error(err)
				return
			}
			key := fmt.Sprint("m", w%2)
			for step := range int64(50) {
				if err := service.LogMetric(t.Context(), r.ID, track.Metric{Key: key, Point: track.Point{Time: 1, Step: step, Value: float64(step)}}); err != nil {
					t.Error(err)
					return
				}
				found, _, err := service.SearchRuns(context.WithoutCancel(t.Context()), tracking.Query{Experiments: []string{experiment},
					Filter: fmt.Sprintf("metrics.%s = %d AND run_id = '%s'", key, step, r.ID), Limit: 5})
				if err != nil || len(found) != 1 {
					t.Errorf("step %d: found %d runs, %v, want the one that was just logged to", step, len(found), err)
					return
				}
			}
		})
	}
	writers.Wait()
}

func TestASearchOfTooManyOrTooLongExperimentsIsRefusedAndAnAbandonedOneEnds(t *testing.T) {
	service := openService(t)
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx context.Context
		ids []string
		is  func(error) bool
	}{
		"many":      {t.Context(), slices.Repeat([]string{"0"}, 10_001), func(err error) bool { return fault.KindOf(err) == fault.Invalid }},
		"long":      {t.Context(), []string{strings.Repeat("x", 251)}, func(err error) bool { return fault.KindOf(err) == fault.Invalid }},
		"abandoned": {ended, []string{"0"}, func(err error) bool { return errors.Is(err, context.Canceled) }},
		"allowed":   {t.Context(), append(slices.Repeat([]string{"0"}, 9_999), strings.Repeat("x", 250)), func(err error) bool { return err == nil }},
	} {
		if _, _, err := service.SearchRuns(c.ctx, tracking.Query{Experiments: slices.Clone(c.ids), Limit: 1}); !c.is(err) {
			t.Errorf("%s: the search of runs answered %v", name, err)
		}
		if _, err := service.Datasets(c.ctx, c.ids); !c.is(err) {
			t.Errorf("%s: the search of datasets answered %v", name, err)
		}
	}
}
