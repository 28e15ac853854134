package tracking

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"weak"

	"levada/internal/core/search"
	"levada/internal/core/track"
)

// quiet is a metric store in which nothing changes.
type quiet struct{ Series }

func (quiet) Changed(uint64) ([]string, uint64, bool)            { return nil, 1, true }
func (quiet) Sums([]string, string, func(int, track.Stat)) error { return nil }
func (quiet) Stats(string) ([]track.Stat, error)                 { return nil, nil }
func always() error                                              { return nil }
func someRuns(n int) []*track.Run {
	runs := make([]*track.Run, n)
	for i := range runs {
		runs[i] = &track.Run{ID: fmt.Sprintf("%08d", i), StartMS: int64(n - i)}
	}
	return runs
}

func TestColumnsOfMadeUpNamesAreBounded(t *testing.T) {
	s := New(Options{Series: quiet{}})
	few := someRuns(1)
	ask := func(runs []*track.Run, metric string) {
		t.Helper()
		if c, err := s.column(always, "0", runs, metric, search.Latest); err != nil || len(c.values) != len(runs) {
			t.Fatalf("a column of %d runs: %v", len(runs), err)
		}
	}
	ask(few, strings.Repeat("x", maxKey+1))
	if n := len(s.columns.byKey); n != 0 {
		t.Errorf("%d columns are kept of names that no metric has", n)
	}
	for i := range 2 * maxColumns {
		ask(few, fmt.Sprint(strings.Repeat("é", 200), i))
	}
	if n := len(s.columns.byKey); n != maxColumns {
		t.Errorf("%d columns of one run are kept; want %d", n, maxColumns)
	}
	many := someRuns(maxColumnCells / 10)
	for i := range 20 {
		ask(many, fmt.Sprint("m", i))
	}
	cells := 0
	for k, c := range s.columns.byKey {
		cells += c.cost(k)
	}
	if n := len(s.columns.byKey); cells != s.columns.cells || cells > maxColumnCells || n != 9 {
		t.Errorf("%d columns of %d cells are kept, %d were counted; want 9 of 100,000 runs", n, cells, s.columns.cells)
	}
}

func TestColumnsKeepNoRunsInMemory(t *testing.T) {
	s := New(Options{Series: quiet{}})
	var kept *column
	first := func() weak.Pointer[track.Run] {
		runs := someRuns(100)
		first, err := s.column(always, "0", runs, "m", search.Latest)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err = s.column(always, "0", runs, "m", search.Latest); err != nil || kept != first {
			t.Errorf("the same list was read again, %v", err)
		}
		return weak.Make(runs[0])
	}()
	runtime.GC()
	if first.Value() != nil {
		t.Error("a run is held that nobody but a column knows")
	}
	if again, err := s.column(always, "0", someRuns(100), "m", search.Latest); err != nil || again == kept {
		t.Errorf("another list was taken for the one before, %v", err)
	}
	runtime.KeepAlive(s)
}

func TestASearchEndsWithItsCaller(t *testing.T) {
	s := New(Options{Store: bigStore{runs: someRuns(3 * checkEvery)}, Series: quiet{}})
	ended, end := context.WithCancel(t.Context())
	end()
	for _, order := range [][]string{nil, {"metrics.m DESC"}} {
		if _, _, err := s.RunTable(ended, TableQuery{OrderBy: order, Limit: 5}); !errors.Is(err, context.Canceled) {
			t.Errorf("order %v: the table answered %v", order, err)
		}
	}
	if _, err := s.column(ended.Err, "0", someRuns(1), "m", search.Latest); !errors.Is(err, context.Canceled) {
		t.Errorf("a column answered %v", err)
	}
}
