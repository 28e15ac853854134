package stats

import (
	"math"
	"math/bits"
	"slices"
)

const (
	digitBits = 11
	digits    = 3
	keyBits   = digits * digitBits
	bucket    = 1 << digitBits
	// short is the length below which comparing is faster than counting, and few that below which inserting is faster than both.
	short = 4096
	few   = 24
)

// Sort sorts finite numbers from the lowest to the highest. It is a radix sort over the highest 33 bits in which the numbers differ, taken as
// integers that are ordered as they are; numbers that agree in those are few in most columns, and are compared. Scratch is room of
// the same length or more that it may write to. It returns the sorted numbers in one of the two slices and what is now room in the other.
func Sort(values, scratch []float64) (sorted, room []float64) {
	if len(values) < short {
		slices.Sort(values)
		return values, scratch
	}
	least, most := uint64(math.MaxUint64), uint64(0)
	ascending := true
	for i, v := range values {
		b := orderedBits(v)
		least, most = min(least, b), max(most, b)
		ascending = ascending && (i == 0 || values[i-1] <= v)
	}
	if ascending {
		return values, scratch
	}
	shift := max(0, bits.Len64(most-least)-keyBits)
	var counts [digits][bucket]int32
	for _, v := range values {
		key := (orderedBits(v) - least) >> (shift & 63)
		counts[0][key&(bucket-1)]++
		counts[1][key>>digitBits&(bucket-1)]++
		counts[2][key>>(2*digitBits)&(bucket-1)]++
	}
	from, to := values, scratch[:len(values)]
	for d := range digits {
		if scatter(from, to, &counts[d], least, shift+d*digitBits) {
			from, to = to, from
		}
	}
	if shift > 0 {
		finish(from, least, shift)
	}
	return from, to
}

// scatter sorts by one digit. It does nothing, and says so, where all numbers have the same.
func scatter(from, to []float64, count *[bucket]int32, least uint64, shift int) bool {
	if int(count[(orderedBits(from[0])-least)>>(shift&63)&(bucket-1)]) == len(from) {
		return false
	}
	place := int32(0)
	for i, n := range count {
		count[i] = place
		place += n
	}
	for _, v := range from {
		at := &count[(orderedBits(v)-least)>>(shift&63)&(bucket-1)]
		to[*at] = v
		*at++
	}
	return true
}

// finish sorts numbers that have the same key where they are not in order.
func finish(a []float64, least uint64, shift int) {
	for i := 1; i < len(a); i++ {
		if a[i-1] <= a[i] {
			continue
		}
		key := func(k int) uint64 { return (orderedBits(a[k]) - least) >> shift }
		same, from, to := key(i), i-1, i+1
		for from > 0 && key(from-1) == same {
			from--
		}
		for to < len(a) && key(to) == same {
			to++
		}
		if run := a[from:to]; len(run) > few {
			slices.Sort(run)
		} else {
			for k := 1; k < len(run); k++ {
				for m := k; m > 0 && run[m] < run[m-1]; m-- {
					run[m], run[m-1] = run[m-1], run[m]
				}
			}
		}
		i = to - 1
	}
}

// orderedBits are bits that are ordered as the number is: those of a positive number with the sign set, those of a negative inverted.
func orderedBits(v float64) uint64 {
	b := math.Float64bits(v)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// Distinct is how many different values there are in a sorted sample.
func Distinct(a []float64) int {
	n := 0
	for i, v := range a {
		if i == 0 || v != a[i-1] {
			n++
		}
	}
	return n
}

// DistinctInBoth is how many different values there are in two sorted samples together.
func DistinctInBoth(a, b []float64) int {
	n := 0
	eachValue(a, b, func(_, _, _ float64) { n++ })
	return n
}

// lowest is the lower of a[i] and b[j]; one of them must exist.
func lowest(a, b []float64, i, j int) float64 {
	if i == len(a) || j < len(b) && b[j] < a[i] {
		return b[j]
	}
	return a[i]
}

// equal is the index after the values that equal v, from i on.
func equal(a []float64, i int, v float64) int {
	for i < len(a) && a[i] == v {
		i++
	}
	return i
}

// MeanSD is the mean of a sorted sample and its standard deviation, whose squares are divided by the size less ddof.
func MeanSD(a []float64, ddof int) (mean, sd float64) {
	if len(a) == 0 {
		return math.NaN(), math.NaN()
	}
	n := float64(len(a))
	// Offsets from a middle value keep the digits that large sums lose; two sums of each run side by side.
	near := a[len(a)/2]
	var sum, other, squares, otherSquares float64
	for ; len(a) > 1; a = a[2:] {
		x, y := a[0]-near, a[1]-near
		sum, other = sum+x, other+y
		squares, otherSquares = squares+x*x, otherSquares+y*y
	}
	for _, v := range a {
		sum, squares = sum+v-near, squares+(v-near)*(v-near)
	}
	sum, squares = sum+other, squares+otherSquares
	return near + sum/n, math.Sqrt(max(0, squares-sum*sum/n) / (n - float64(ddof)))
}

// Quantile is the p-quantile of a sorted sample, with a line drawn between neighbours (NumPy's "linear"). The sample must not be empty.
func Quantile(a []float64, p float64) float64 {
	at := p * float64(len(a)-1)
	i := int(at)
	if i+1 >= len(a) {
		return a[len(a)-1]
	}
	return a[i] + (a[i+1]-a[i])*(at-float64(i))
}

// PooledQuantile is the p-quantile of two sorted samples together.
func PooledQuantile(a, b []float64, p float64) float64 {
	at := p * float64(len(a)+len(b)-1)
	k := int(at)
	low := pooled(a, b, k)
	if k+1 >= len(a)+len(b) {
		return low
	}
	return low + (pooled(a, b, k+1)-low)*(at-float64(k))
}

// pooled is the value of index k of two sorted samples together.
func pooled(a, b []float64, k int) float64 {
	// i of the k lowest are in a: the least i for which a[i] is not below b[k-i-1].
	low, high := max(0, k-len(b)), min(k, len(a))
	for low < high {
		i := (low + high) / 2
		if a[i] < b[k-i-1] {
			low = i + 1
		} else {
			high = i
		}
	}
	return lowest(a, b, low, k-low)
}
