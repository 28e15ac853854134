package profile

import (
	"math"
	"slices"

	"levada/internal/core/table"
)

// quantiles is a sketch of the order of numbers: KLL (Karnin, Lang, Liberty: Optimal quantile approximation in streams, 2016). A number
// at level i stands for 2^i of those that were given. Of very many numbers one in 2^base is looked at, chosen by chance in each group of
// so many, which adds less to the error than the sketch has. The chance is the same each time, so that equal data gives equal figures.
type quantiles struct {
	levels  [][]float64
	ordered []bool // which levels are in order
	base    int
	given   int64
	// Of the group of 2^base numbers that is being given, seen were, and the one at place pick is taken.
	seen, pick int64
	dice       uint64
}

const (
	topLevel  = 1024 // numbers at the highest level; a level below has two thirds of the one above
	lowLevel  = 128  // and at least so many
	wholeSeen = 1 << 20
	// RankError is how far the rank of an estimated quantile is off, as a share of all numbers, in 99 of 100 cases. It was measured:
	// see TestQuantilesOfManyNumbersAreNear.
	RankError = 0.0025
)

func (q *quantiles) roll() uint64 {
	q.dice += 0x9e3779b97f4a7c15
	return table.MixHash(q.dice)
}

func (q *quantiles) capacity(level int) int {
	size := float64(topLevel)
	for range len(q.levels) - 1 - level {
		size *= 2.0 / 3
	}
	return max(lowLevel, int(size))
}

// add adds numbers, none of them NaN.
func (q *quantiles) add(values []float64) {
	q.given += int64(len(values))
	for q.given > wholeSeen<<q.base {
		q.base++
		q.seen, q.pick = 0, int64(q.roll()&(1<<q.base-1))
	}
	group := int64(1) << q.base
	if group == 1 {
		for len(values) > 0 {
			q.level(0)
			room := max(1, q.capacity(0)-len(q.levels[0]))
			n := min(room, len(values))
			q.append(0, values[:n])
			values = values[n:]
			q.compact(0)
		}
		return
	}
	at := int64(0)
	for at < int64(len(values)) {
		if next := at + q.pick - q.seen; q.seen <= q.pick && next < int64(len(values)) {
			q.put(q.base, values[next])
		}
		step := min(group-q.seen, int64(len(values))-at)
		q.seen += step
		at += step
		if q.seen == group {
			q.seen, q.pick = 0, int64(q.roll()&uint64(group-1))
		}
	}
}

func (q *quantiles) level(i int) {
	for len(q.levels) <= i {
		q.levels, q.ordered = append(q.levels, nil), append(q.ordered, true)
	}
}

func (q *quantiles) append(level int, values []float64) {
	q.levels[level] = append(q.levels[level], values...)
	q.ordered[level] = len(q.levels[level]) < 2
}

func (q *quantiles) put(level int, v float64) {
	q.level(level)
	q.append(level, []float64{v})
	q.compact(level)
}

// addTimes adds a number that is there n times: a number at the level of each bit of n.
func (q *quantiles) addTimes(v float64, n int64) {
	q.given += n
	for level := 0; n > 0; level, n = level+1, n>>1 {
		if n&1 == 1 {
			q.put(level, v)
		}
	}
}

// compact halves each level that is full: of its numbers in order every second goes up.
func (q *quantiles) compact(from int) {
	for i := from; i < len(q.levels); i++ {
		if len(q.levels[i]) < q.capacity(i) {
			if i > from {
				return
			}
			continue
		}
		q.level(i + 1)
		l := q.levels[i]
		if !q.ordered[i] {
			slices.Sort(l)
			q.ordered[i] = true
		}
		// Of an odd number the last stays.
		keep := l[len(l)&^1:]
		half := l[:len(l)/2]
		for k, from := 0, int(q.roll()&1); k < len(half); k, from = k+1, from+2 {
			half[k] = l[from]
		}
		if q.ordered[i+1] {
			q.levels[i+1] = merged(q.levels[i+1], half)
		} else {
			q.append(i+1, half)
		}
		q.levels[i] = append(l[:0], keep...)
	}
}

// merged adds numbers in order to others in order.
func merged(a, b []float64) []float64 {
	i, k := len(a)-1, len(b)-1
	a = append(a, b...)
	for at := len(a) - 1; k >= 0; at-- {
		if i >= 0 && a[i] > b[k] {
			a[at] = a[i]
			i--
		} else {
			a[at] = b[k]
			k--
		}
	}
	return a
}

func (q *quantiles) merge(o *quantiles) {
	q.given += o.given
	q.base = max(q.base, o.base)
	q.seen, q.pick = 0, int64(q.roll()&(1<<q.base-1))
	for i, l := range o.levels {
		q.level(i)
		q.append(i, l)
	}
	for i := 0; i < len(q.levels); i++ { //nolint:intrange // compact may add a level
		q.compact(i)
	}
}

// weighted is a number that stands for several.
type weighted struct {
	v float64
	n int64
}

// sorted gives all numbers of the sketch in order.
func (q *quantiles) sorted() []weighted {
	var out []weighted
	for i, l := range q.levels {
		for _, v := range l {
			out = append(out, weighted{v, 1 << i})
		}
	}
	sortWeighted(out)
	return out
}

func sortWeighted(w []weighted) {
	slices.SortFunc(w, func(a, b weighted) int {
		switch {
		case a.v < b.v:
			return -1
		case a.v > b.v:
			return 1
		}
		return 0
	})
}

// at is the number below which a share of all lies, between two numbers the point between them (R's type 7, as numpy and pandas do it by
// default).
func at(sorted []weighted, share float64) float64 {
	var all int64
	for _, w := range sorted {
		all += w.n
	}
	if all == 0 {
		return math.NaN()
	}
	place := share * float64(all-1)
	whole := int64(place)
	low, high := nth(sorted, whole), nth(sorted, min(whole+1, all-1))
	between := place - float64(whole)
	if math.IsInf(high-low, 0) { // the ends of all floats
		return low*(1-between) + high*between
	}
	return low + (high-low)*between
}

func nth(sorted []weighted, n int64) float64 {
	for _, w := range sorted {
		if n < w.n {
			return w.v
		}
		n -= w.n
	}
	return sorted[len(sorted)-1].v
}
