package serving

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
)

// work counts what models have predicted.
type work struct {
	batches, requests, rows atomic.Int64
	queued, computed        atomic.Int64 // nanoseconds, of each request
}

// done takes in a batch that a model has answered.
func (w *work) done(batch []*pending, began time.Time, took time.Duration) {
	w.batches.Add(1)
	w.requests.Add(int64(len(batch)))
	w.computed.Add(int64(took) * int64(len(batch)))
	rows, queued := int64(0), time.Duration(0)
	for _, p := range batch {
		rows += max(p.rows, 1)
		queued += began.Sub(p.since)
	}
	w.rows.Add(rows)
	w.queued.Add(int64(queued))
}

// statistics are the counts of requests in the words of the protocol.
func (t *tally) statistics(name, version string) infer.Statistics {
	out := infer.Statistics{Name: name, Version: version}
	if last := t.last.Load(); last > 0 {
		out.Last = time.Unix(0, last).UTC()
	}
	for o := range t.outcomes {
		n := t.outcomes[o].Load()
		if endpoint.Outcome(o) == endpoint.OK {
			out.Success.Count = n
		} else {
			out.Fail.Count += n
		}
	}
	good := t.good.Load()
	out.Success.Time, out.Fail.Time = time.Duration(good), time.Duration(max(0, t.nanos.Load()-good))
	return out
}

// Statistics returns what the versions of an endpoint that requests follow have done since the server has started, or one of them, or a
// graph; of all endpoints and graphs where no name is given.
func (s *Service) Statistics(ctx context.Context, name, version string) ([]infer.Statistics, error) {
	if name == "" {
		names, err := s.Endpoints(ctx)
		if err != nil {
			return nil, err
		}
		var out []infer.Statistics
		for _, n := range names {
			if some, err := s.Statistics(ctx, n, ""); err == nil { // it may be deleted by now
				out = append(out, some...)
			}
		}
		return out, nil
	}
	if g := s.graph(name); g != nil {
		m, err := g.metadata(version)
		if err != nil {
			return nil, err
		}
		out := g.stats.statistics(name, m.Versions[0])
		out.Inferences, out.Executions = out.Success.Count, out.Success.Count
		return []infer.Statistics{out}, nil
	}
	l, err := s.find(name)
	if err != nil {
		return nil, err
	}
	r := l.route.Load()
	if r == nil {
		return nil, l.notYet()
	}
	numbers := slices.Sorted(maps.Keys(r.versions))
	if version != "" {
		if r.versions[version] == nil {
			return nil, noVersion(name, version)
		}
		numbers = []string{version}
	}
	out := make([]infer.Statistics, 0, len(numbers))
	for _, n := range numbers {
		v := r.versions[n]
		st, w := v.stats.statistics(name, n), &v.stats.work
		st.Inferences, st.Executions, st.MemoryBytes = w.rows.Load(), w.batches.Load(), v.memoryUsed()
		st.Queue = infer.Spent{Count: w.requests.Load(), Time: time.Duration(w.queued.Load())}
		st.Compute = infer.Spent{Count: w.requests.Load(), Time: time.Duration(w.computed.Load())}
		out = append(out, st)
	}
	return out, nil
}
