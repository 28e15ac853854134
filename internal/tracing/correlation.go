package tracing

import (
	"context"
	"math"

	"levada/internal/core/search"
	"levada/internal/core/trace"
)

// Correlation asks how often two filters match the same traces, among those that match a third.
type Correlation struct {
	Experiments         []string
	First, Second, Base string
}

// Correlated says how often. NPMI is the normalised pointwise mutual information, from -1 (never together) to 1 (always together);
// Smoothed is the same with half a count added to each case. Nil means that it is not defined.
type Correlated struct {
	First, Second, Both, All int
	NPMI, Smoothed           *float64
}

// Correlate counts.
func (s *Service) Correlate(ctx context.Context, c Correlation) (Correlated, error) {
	var filters [3]search.Expr
	for i, text := range []string{c.First, c.Second, c.Base} {
		var err error
		if filters[i], err = search.Traces.Parse(text); err != nil {
			return Correlated{}, err
		}
	}
	var n Correlated
	r := &row{ctx: ctx, service: s}
	err := s.each(ctx, Query{Experiments: c.Experiments}, filters[2], func(t *trace.Trace) bool {
		r.show(t)
		first, second := filters[0].Match(r), filters[1].Match(r)
		r.free()
		n.All++
		n.First += count(first)
		n.Second += count(second)
		n.Both += count(first && second)
		return r.err == nil
	})
	if r.err != nil {
		err = r.err
	}
	n.NPMI = npmi(float64(n.Both), float64(n.First), float64(n.Second), float64(n.All))
	n.Smoothed = smoothed(n)
	return n, err
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// npmi is the normalised pointwise mutual information of two events. Source: G. Bouma, Normalized (pointwise) mutual information in
// collocation extraction, 2009.
func npmi(both, first, second, all float64) *float64 {
	if all == 0 || first == 0 || second == 0 {
		return nil
	}
	v := -1.0
	switch {
	case both == all:
		v = 1
	case both > 0:
		p := both / all
		v = min(max(math.Log(p/(first/all*(second/all)))/-math.Log(p), -1), 1)
	}
	return &v
}

// smoothed adds half a count to each of the four cases: both, one of them, none.
func smoothed(n Correlated) *float64 {
	if n.NPMI == nil || n.Both == n.All {
		return n.NPMI
	}
	const half = 0.5
	return npmi(float64(n.Both)+half, float64(n.First)+2*half, float64(n.Second)+2*half, float64(n.All)+4*half)
}
