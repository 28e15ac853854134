package tracking

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"levada/internal/core/track"
)

// Curve is a metric of a run, thinned out.
type Curve struct {
	RunID, Key string
	// Total is how many points the metric has.
	Total  int64
	Points []track.Point
}

// Curves returns the curves of metrics of runs: by run, then by metric, without those that a run does not have. Each has at most n
// points, among them the lowest and the highest of each stretch. They are read side by side.
func (s *Service) Curves(ctx context.Context, runIDs, keys []string, n int) ([]Curve, error) {
	var out []Curve
	for _, id := range runIDs {
		stats, err := s.deps.Series.Stats(id)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			if at := slices.IndexFunc(stats, func(s track.Stat) bool { return s.Key == key }); at >= 0 {
				out = append(out, Curve{RunID: id, Key: key, Total: stats[at].Count})
			}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range out {
		g.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				out[i].Points, err = s.deps.Series.Extremes(out[i].RunID, out[i].Key, nil, n)
			}
			return err
		})
	}
	return out, g.Wait()
}
