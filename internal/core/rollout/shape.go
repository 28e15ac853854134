package rollout

import (
	"maps"
	"math"
	"slices"
)

// shapeParts is about in how many parts a distribution is drawn, and shapeLabels how many categories.
const (
	shapeParts  = 40
	shapeLabels = 30
)

// latencyShape is how latencies were distributed, in parts that grow by the same factor.
func latencyShape(arms []*armData) *Shape {
	low, high := math.MaxInt, math.MinInt
	for _, d := range arms {
		for b := range d.Latency {
			low, high = min(low, b), max(high, b)
		}
	}
	if low > high {
		return nil
	}
	width := 1 + (high-low)/shapeParts
	parts := 1 + (high-low)/width
	out := &Shape{Counts: make([][]int64, len(arms))}
	for i := range parts + 1 {
		out.Edges = append(out.Edges, lowerEdge(low+i*width))
	}
	for i, d := range arms {
		out.Counts[i] = make([]int64, parts)
		for b, n := range d.Latency {
			out.Counts[i][(b-low)/width] += n
		}
	}
	return out
}

// lowerEdge is where a bucket begins.
func lowerEdge(b int) float64 {
	if b <= 0 {
		return valueOf(b)
	}
	return leastValue * math.Pow(bucketWidth, float64(b-1))
}

// predictionShape is how predictions were distributed: categories, or numbers in parts of the same width between the lowest and the highest
// hundredth of all, which the first and the last part have as well.
func predictionShape(arms []*armData) *Shape {
	all, labels := Histogram{}, map[string]int64{}
	for _, d := range arms {
		for b, n := range d.Predictions {
			all[b] += n
		}
		for l, n := range d.Labels {
			labels[l] += n
		}
	}
	if len(labels) > 0 {
		return labelShape(arms, labels)
	}
	if len(all) == 0 {
		return nil
	}
	const most = math.MaxFloat64 / 4 // the difference of two is a number, too
	low, high := math.Max(-most, math.Min(all.quantile(0.01), most)), math.Max(-most, math.Min(all.quantile(0.99), most))
	parts := shapeParts
	if len(all) < parts {
		parts = max(1, len(all))
	}
	if low == high {
		half := math.Max(0.5, math.Abs(low)/100) // 0.5 is nothing beside a large number
		low, high, parts = low-half, high+half, 1
	}
	step := (high - low) / float64(parts)
	out := &Shape{Counts: make([][]int64, len(arms))}
	for i := range parts + 1 {
		out.Edges = append(out.Edges, low+float64(i)*step)
	}
	for i, d := range arms {
		out.Counts[i] = make([]int64, parts)
		for b, n := range d.Predictions {
			part := math.Floor((valueOf(b) - low) / step)
			out.Counts[i][int(math.Max(0, math.Min(float64(parts-1), part)))] += n
		}
	}
	return out
}

// labelShape has the most frequent categories, and the others together.
func labelShape(arms []*armData, labels map[string]int64) *Shape {
	names := slices.SortedFunc(maps.Keys(labels), func(a, b string) int {
		if labels[a] != labels[b] {
			return int(labels[b] - labels[a])
		}
		if a < b {
			return -1
		}
		return 1
	})
	rest := len(names) > shapeLabels
	names = names[:min(len(names), shapeLabels)]
	out := &Shape{Labels: names, Counts: make([][]int64, len(arms))}
	for i, d := range arms {
		known := int64(0)
		for _, l := range names {
			out.Counts[i] = append(out.Counts[i], d.Labels[l])
			known += d.Labels[l]
		}
		if rest {
			total := int64(0)
			for _, n := range d.Labels {
				total += n
			}
			out.Counts[i] = append(out.Counts[i], total-known)
		}
	}
	if rest {
		out.Labels = append(out.Labels, otherLabel)
	}
	return out
}
