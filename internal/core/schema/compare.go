package schema

import (
	"math"
	"slices"

	"levada/internal/core/stats"
	"levada/internal/core/table/profile"
)

// lInfinity is the largest difference between the shares of a value in two columns, and that value.
func lInfinity(a, b *Facts) (distance float64, value string, ok bool) {
	if a.Values == nil || b.Values == nil || !a.All || !b.All {
		return 0, "", false
	}
	counts, names := categories(a.Values, b.Values)
	distance = stats.LInfinity(counts)
	totalA, totalB := counts.Totals()
	for i, name := range names {
		if math.Abs(counts.A[i]/totalA-counts.B[i]/totalB) >= distance {
			return distance, name, true
		}
	}
	return distance, "", true
}

// categories puts the counts of values beside each other.
func categories(a, b []profile.Frequent) (stats.Counts, []string) {
	var c stats.Counts
	var names []string
	at := map[string]int{}
	place := func(v string) int {
		i, known := at[v]
		if !known {
			i = len(names)
			at[v] = i
			names, c.A, c.B = append(names, v), append(c.A, 0), append(c.B, 0)
		}
		return i
	}
	for _, v := range a {
		c.A[place(v.Value)] += float64(v.Count)
	}
	for _, v := range b {
		c.B[place(v.Value)] += float64(v.Count)
	}
	return c, names
}

// divergence is the Jensen-Shannon divergence of two columns in bits, from 0 to 1: of their values where they are texts, else of their
// histograms, NaN and the infinities apart.
func divergence(a, b *Facts) (float64, bool) {
	if a.Values != nil && b.Values != nil {
		if !a.All || !b.All {
			return 0, false
		}
		counts, _ := categories(a.Values, b.Values)
		return bits(counts), true
	}
	if a.Histogram == nil || b.Histogram == nil {
		return 0, false
	}
	counts := aligned(bars(a.Histogram), bars(b.Histogram))
	counts.A, counts.B = append(counts.A, float64(a.NaN), float64(a.Infinite)), append(counts.B, float64(b.NaN), float64(b.Infinite))
	return bits(counts), true
}

func bits(c stats.Counts) float64 {
	d := stats.JensenShannon(c)
	return d * d / math.Ln2
}

// bar is a stretch of a histogram. Where low is high, all of its values are one.
type bar struct{ low, high, count float64 }

func bars(h *profile.Histogram) []bar {
	out := make([]bar, 0, len(h.Counts))
	width := (h.High - h.Low) / float64(len(h.Counts))
	for i, n := range h.Counts {
		out = append(out, bar{h.Low + float64(i)*width, h.Low + float64(i+1)*width, float64(n)})
	}
	if len(out) > 0 {
		out[len(out)-1].high = h.High
	}
	return out
}

// aligned gives two histograms the same bars: the ends of both cut them, and the values of a bar are taken to lie evenly in it. Values that
// are all one have a bar of their own. This is how TFDV's comparators do it.
func aligned(a, b []bar) stats.Counts {
	var edges, points []float64
	for _, x := range append(slices.Clone(a), b...) {
		edges = append(edges, x.low, x.high)
		if x.low == x.high {
			points = append(points, x.low)
		}
	}
	slices.Sort(edges)
	slices.Sort(points)
	edges, points = slices.Compact(edges), slices.Compact(points)
	spread := func(of []bar) []float64 {
		out := make([]float64, max(0, len(edges)-1)+len(points))
		for _, x := range of {
			if x.low == x.high {
				i, _ := slices.BinarySearch(points, x.low)
				out[len(out)-len(points)+i] += x.count
				continue
			}
			i, _ := slices.BinarySearch(edges, x.low)
			for ; i+1 < len(edges) && edges[i] < x.high; i++ {
				out[i] += x.count * (edges[i+1] - edges[i]) / (x.high - x.low)
			}
		}
		return out
	}
	return stats.Counts{A: spread(a), B: spread(b)}
}
