package suggest

import (
	"math"
	"slices"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// skewBins is how many bins a distribution of numbers is written with.
const skewBins = 10

// The least distances that are alarms: those of TFDV's guides.
const (
	leastShift = 0.1
	leastJS    = 0.1
)

// skew suggests a comparison with the distribution that was seen.
func (w *writer) skew(col *column, kind table.Kind, set bool) {
	kwargs := map[string]any{"threshold": leastShift}
	switch {
	case set && len(col.values) > 1:
		values := make([]*value, 0, len(col.values))
		for _, v := range col.values {
			values = append(values, v)
		}
		slices.SortFunc(values, func(a, b *value) int { k, _ := cells.Compare(a.cell, b.cell); return k })
		var names, weights []any
		for _, v := range values {
			names, weights = append(names, cells.JSON(v.cell)), append(weights, float64(v.count)/float64(col.rows-col.nulls))
		}
		kwargs["metric"], kwargs["partition_object"] = "l_infinity", map[string]any{"values": names, "weights": weights}
	case (kind == table.Number || kind == table.Integer) && !set && !col.progresses() && col.repeats:
		var all []float64
		for _, s := range col.stretches {
			all = append(all, s.sample...)
		}
		slices.Sort(all)
		bins := []float64{}
		for i := range skewBins + 1 {
			if x := quantile(all, float64(i)/skewBins); len(bins) == 0 || x > bins[len(bins)-1] {
				bins = append(bins, x)
			}
		}
		if len(bins) < 3 {
			return
		}
		kwargs["metric"], kwargs["threshold"] = "jensen_shannon", leastJS
		kwargs["partition_object"] = map[string]any{"bins": anys(bins), "weights": anys(weightsOf(all, bins))}
	default:
		return
	}
	w.add("expect_column_distribution_distance_to_be_less_than", about(col, 1, kwargs))
}

// weightsOf are the shares of sorted values in bins; the last bin has both its ends.
func weightsOf(sorted, bins []float64) []float64 {
	out := make([]float64, len(bins)-1)
	for _, x := range sorted {
		at, exact := slices.BinarySearch(bins, x)
		if !exact || at == len(bins)-1 {
			at--
		}
		out[max(0, at)] += 1 / float64(len(sorted))
	}
	sum := 0.0
	for i := range out {
		out[i] = math.Round(out[i]*1e6) / 1e6
		sum += out[i]
	}
	out[len(out)-1] += 1 - sum
	return out
}

func anys(values []float64) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
