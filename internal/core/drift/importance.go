package drift

import (
	"context"
	"math"
	"slices"
	"strings"

	"levada/internal/core/stats"
	"levada/internal/core/table"
)

const (
	// mostAssociated is about how many rows of the reference the importance of features is measured on.
	mostAssociated = 100_000
	// groups is how many groups of about one size numbers are put into, mostGroups how many categories are told apart; the rest is one group.
	groups     = 10
	mostGroups = 50
)

// association is the target on some rows of the reference. What a feature explains of it is its importance.
type association struct {
	// step is the distance between two rows that are looked at.
	step int64
	// number has the target's value of each such row, NaN where it has none; class its group where the target is a category.
	number []float64
	class  []int32
}

// picked are the values of a column on those rows.
type picked struct {
	step int64
	keep rowSet
	// number has NaN for what is no number, class -1 for what is no label. Labels are numbered as they come; the rest have one number.
	number []float64
	class  []int32
	index  map[string]int32
}

// add takes the rows of a batch that are looked at.
func (p *picked) add(v *table.Vector, first int64) {
	for row := (first + p.step - 1) / p.step * p.step; row < first+int64(v.Size) && len(p.number) < 2*mostAssociated; row += p.step {
		number, class := math.NaN(), int32(-1)
		if p.keep == nil || p.keep.has(row) {
			switch c := v.Cell(int(row - first)); c.Kind {
			case table.Null:
			case table.Integer, table.Time, table.Date:
				number = float64(c.Int)
			case table.Number:
				number = c.Float
			default:
				class = p.label(cut(c.Shown(), longestLabel))
			}
		}
		p.number, p.class = append(p.number, number), append(p.class, class)
	}
}

func (p *picked) label(key string) int32 {
	at, known := p.index[key]
	if !known {
		if at = min(int32(len(p.index)), mostGroups); at < mostGroups {
			p.index[strings.Clone(key)] = at
		}
	}
	return at
}

// groups are the values as numbered groups: labels where there are any, else groups of numbers of about one size.
func (p *picked) groups() []int32 {
	if len(p.index) > 0 {
		return p.class
	}
	return tiers(p.number)
}

// measureTarget reads the target.
func (c *comparison) measureTarget(ctx context.Context, ref map[string]int) error {
	at, there := ref[c.o.Target]
	if c.o.Target == "" || !there || len(c.o.Importance) > 0 {
		return nil
	}
	a := &association{step: max(1, c.rows[0]/mostAssociated)}
	p := a.pick(c.keep)
	if err := scan(ctx, c.reference, []int{at}, func(b *table.Batch) { p.add(&b.Columns[0], b.Row) }); err != nil {
		return err
	}
	if a.number = p.number; len(p.index) > 0 {
		a.class = p.class
	} else if stats.Distinct(sortedNumbers(a.number)) <= fewIntegers {
		a.class = classesOf(a.number)
	}
	c.target = a
	return nil
}

// pick returns room for a column's values on the rows of the target.
func (a *association) pick(keep rowSet) *picked {
	return &picked{step: a.step, keep: keep, index: map[string]int32{}}
}

// importance sets what a column counts for.
func (c *comparison) importance(out *Column, p *picked) {
	switch {
	case len(c.o.Importance) > 0:
		out.Importance = finite(math.Abs(c.o.Importance[out.Name]))
	case p != nil && out.Role == "feature":
		out.Importance = finite(c.target.explained(p.groups()))
	}
}

func sortedNumbers(values []float64) []float64 {
	out := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out = append(out, v)
		}
	}
	out, _ = stats.Sort(out, make([]float64, len(out)))
	return out
}

// classesOf numbers the different values.
func classesOf(values []float64) []int32 {
	sorted := slices.Compact(sortedNumbers(values))
	out := make([]int32, len(values))
	for i, v := range values {
		if at, found := slices.BinarySearch(sorted, v); found {
			out[i] = int32(at)
		} else {
			out[i] = -1
		}
	}
	return out
}

// tiers puts numbers into groups of about one size.
func tiers(values []float64) []int32 {
	sorted := sortedNumbers(values)
	out := make([]int32, len(values))
	var edges []float64
	for i := 1; i < groups && len(sorted) > 0; i++ {
		if q := stats.Quantile(sorted, float64(i)/groups); len(edges) == 0 || q > edges[len(edges)-1] {
			edges = append(edges, q)
		}
	}
	for i, v := range values {
		if math.IsNaN(v) {
			out[i] = -1
			continue
		}
		at, found := slices.BinarySearch(edges, v)
		if found {
			at++
		}
		out[i] = int32(at)
	}
	return out
}

// explained is the share of the target that groups explain, from 0 to 1, less what as many random groups would: for a number the share of
// its variance (the adjusted correlation ratio), for a category the squared V of Cramér, corrected for bias (Bergsma, 2013).
func (a *association) explained(class []int32) float64 {
	if a.class != nil {
		return a.cramer(class)
	}
	var n, sum, squares float64
	counts, sums := map[int32]float64{}, map[int32]float64{}
	for i, k := range class {
		if i >= len(a.number) || math.IsNaN(a.number[i]) || math.IsInf(a.number[i], 0) {
			continue
		}
		y := a.number[i]
		n, sum, squares = n+1, sum+y, squares+y*y
		counts[k]++
		sums[k] += y
	}
	total := squares - sum*sum/n
	if n < 3 || total <= 0 || len(counts) < 2 || n <= float64(len(counts)) {
		return 0
	}
	within := squares
	for k, c := range counts {
		within -= sums[k] * sums[k] / c
	}
	return clip01(1 - within/total*(n-1)/(n-float64(len(counts))))
}

func (a *association) cramer(class []int32) float64 {
	type cell struct{ x, y int32 }
	var n float64
	joint, xs, ys := map[cell]float64{}, map[int32]float64{}, map[int32]float64{}
	for i, k := range class {
		if i >= len(a.class) || a.class[i] < 0 {
			continue
		}
		n++
		joint[cell{k, a.class[i]}]++
		xs[k]++
		ys[a.class[i]]++
	}
	r, k := float64(len(xs)), float64(len(ys))
	if n < 2 || r < 2 || k < 2 {
		return 0
	}
	// The sum of (observed - expected)² / expected is that of observed² / expected, less n.
	phi := -1.0
	for c, o := range joint {
		phi += o * o / (xs[c.x] * ys[c.y])
	}
	phi = max(0, phi-(r-1)*(k-1)/(n-1))
	return clip01(phi / min(r-(r-1)*(r-1)/(n-1)-1, k-(k-1)*(k-1)/(n-1)-1))
}

func clip01(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, 1)
}
