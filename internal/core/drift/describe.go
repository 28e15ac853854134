package drift

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"levada/internal/core/stats"
)

const (
	// tenths is how many bins of the pooled numbers the effect is measured over.
	tenths = 10
	// bars and topLabels bound a histogram.
	bars      = 20
	topLabels = 12
	// Of a histogram, the outer bins hold what lies beyond these quantiles: one far value would leave all others in one bin.
	lowest, highest = 0.01, 0.99
)

// summary is what a sample is like.
func (s *sample) summary() Summary {
	out := Summary{Rows: s.rows, Missing: s.missing, Infinite: s.infinite, Distinct: int64(len(s.labels.names) + stats.Distinct(s.numbers))}
	out.moments(s.numbers)
	return out
}

// moments describes sorted numbers; none leave nothing to describe.
func (s *Summary) moments(numbers []float64) {
	s.Mean, s.SD, s.Min, s.Median, s.Max = nil, nil, nil, nil, nil
	if n := len(numbers); n > 0 {
		mean, sd := stats.MeanSD(numbers, 0)
		s.Mean, s.SD = finite(mean), finite(sd)
		s.Min, s.Median, s.Max = finite(numbers[0]), finite(stats.Quantile(numbers, 0.5)), finite(numbers[n-1])
	}
}

// describe measures the effect and draws the histogram.
func (c *Column) describe(in *input, names []string) {
	if c.Kind == Categorical {
		counts := in.categories()
		c.Effect = effect(counts)
		c.Histogram = labelled(counts, names)
		return
	}
	if c.Kind != Numerical {
		if c.Score != nil { // the area under the curve of a classifier is 0.5 where it finds nothing
			e := max(0, *c.Score-0.5) * 2
			c.Effect = &e
		}
		return
	}
	var edges []float64
	for i := 1; i < tenths; i++ {
		q := stats.PooledQuantile(in.a, in.b, float64(i)/tenths)
		if len(edges) == 0 || q > edges[len(edges)-1] {
			edges = append(edges, q)
		}
	}
	edges = append([]float64{math.Inf(-1)}, append(edges, math.Inf(1))...)
	c.Effect = effect(stats.Counts{A: stats.Binned(in.a, edges), B: stats.Binned(in.b, edges)})
	c.Histogram = histogram(in)
}

// effect is the Jensen-Shannon distance in bits.
func effect(c stats.Counts) *float64 {
	return finite(min(1, stats.JensenShannon(c)/math.Sqrt(math.Ln2)))
}

func histogram(in *input) *Distribution {
	low, high := stats.PooledQuantile(in.a, in.b, lowest), stats.PooledQuantile(in.a, in.b, highest)
	if low == high {
		low, high = min(in.a[0], in.b[0]), max(in.a[len(in.a)-1], in.b[len(in.b)-1])
	}
	n := bars
	if in.first < bars {
		n = min(bars, stats.DistinctInBoth(in.a, in.b))
	}
	if low == high {
		low, high = low-0.5, high+0.5
	}
	if math.IsInf(high-low, 0) || !(high > low) {
		return nil
	}
	edges := stats.Even(low, high, n)
	wide := slices.Clone(edges)
	wide[0], wide[n] = math.Inf(-1), math.Inf(1)
	return &Distribution{Edges: edges, Reference: shares(stats.Binned(in.a, wide)), Current: shares(stats.Binned(in.b, wide))}
}

func shares(counts []float64) []float64 {
	total := 0.0
	for _, c := range counts {
		total += c
	}
	out := make([]float64, len(counts))
	for i, c := range counts {
		out[i] = c / max(total, 1)
	}
	return out
}

// labelled are the most frequent categories, and the rest.
func labelled(c stats.Counts, names []string) *Distribution {
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	a, b := shares(c.A), shares(c.B)
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(max(a[j], b[j]), max(a[i], b[i])) })
	d := &Distribution{}
	if len(order) > topLabels {
		rest := order[topLabels-1:]
		order = order[:topLabels-1]
		defer func() {
			var ra, rb float64
			for _, i := range rest {
				ra, rb = ra+a[i], rb+b[i]
			}
			d.Labels = append(d.Labels, strconv.Itoa(len(rest))+" others")
			d.Reference, d.Current = append(d.Reference, ra), append(d.Current, rb)
		}()
	}
	for _, i := range order {
		d.Labels = append(d.Labels, names[i])
		d.Reference, d.Current = append(d.Reference, a[i]), append(d.Current, b[i])
	}
	return d
}

// labelNumbers names the different values of two sorted samples.
func labelNumbers(a, b []float64) []string {
	var out []string
	for len(a) > 0 || len(b) > 0 {
		v := math.Inf(1)
		if len(a) > 0 {
			v = a[0]
		}
		if len(b) > 0 {
			v = min(v, b[0])
		}
		out = append(out, strconv.FormatFloat(v, 'g', -1, 64))
		for len(a) > 0 && a[0] == v {
			a = a[1:]
		}
		for len(b) > 0 && b[0] == v {
			b = b[1:]
		}
	}
	return out
}
