package tracking

import (
	"context"
	"fmt"
	"testing"

	"levada/internal/core/track"
)

// bigStore has the runs of one experiment in memory, as the real one has after the first search.
type bigStore struct {
	Store
	runs []*track.Run
}

func (b bigStore) RunsOf(context.Context, string) ([]*track.Run, error) {
	return b.runs, nil
}

type oneMetric struct{ Series }

func (oneMetric) Stats(string) ([]track.Stat, error) {
	return []track.Stat{track.NewStat("loss", track.Point{Value: 1})}, nil
}

func (oneMetric) Changed(uint64) ([]string, uint64, bool) { return nil, 0, false }

func (oneMetric) Sums(ids []string, _ string, each func(int, track.Stat)) error {
	for i := range ids {
		each(i, track.NewStat("loss", track.Point{Value: 1}))
	}
	return nil
}

func BenchmarkTheFirstPageOfATableOf200000Runs(b *testing.B) {
	runs := make([]*track.Run, 200_000)
	for i := range runs {
		runs[i] = &track.Run{ID: fmt.Sprintf("%032d", i), StartMS: int64(len(runs) - i), Params: []track.KV{{Key: "lr", Value: fmt.Sprint(i % 7)}},
			Tags: []track.KV{{Key: track.TagRunName, Value: "run"}}}
		if i%10 != 0 {
			runs[i].Tags = append(runs[i].Tags, track.KV{Key: track.TagParentRun, Value: fmt.Sprintf("%032d", i-i%10)})
		}
	}
	s := New(Options{Store: bigStore{runs: runs}, Series: oneMetric{}})
	for name, q := range map[string]TableQuery{
		"nested": {Nested: true, Limit: 100}, "flat": {Limit: 100}, "filtered": {Filter: "params.lr = '3'", Nested: true, Limit: 100},
		"sorted": {OrderBy: []string{"metrics.loss DESC"}, Limit: 100},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if rows, _, err := s.RunTable(b.Context(), q); err != nil || len(rows) != 100 {
					b.Fatal(len(rows), err)
				}
			}
		})
	}
}
