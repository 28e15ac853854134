package stats

import (
	"math"
	"slices"
)

// exactShift is the size below which both samples must be for exact limits of a shift, as in R's wilcox.test.
const exactShift = 50

// Interval is an estimate with a confidence interval.
type Interval struct{ Estimate, Low, High float64 }

// MannWhitneyTwoSided returns U of the first of two sorted samples and the chance of one as far from its middle under the same
// distribution. The cases in which it is exact are those of MannWhitney.
func MannWhitneyTwoSided(a, b []float64) (u, p float64) {
	u, below := MannWhitney(a, b)
	_, above := MannWhitney(b, a)
	return u, clip(2 * math.Min(below, above))
}

// HodgesLehmann estimates by how much the values of the first of two sorted samples are above those of the second: the median of the
// differences of all pairs, and the interval of the shifts that the two-sided Mann-Whitney test does not reject (Hodges and Lehmann,
// 1963; Bauer, 1972). The limits are exact where no value is there twice and both samples have fewer than 50, else those of the normal
// approximation with corrections for ties and continuity: R's wilcox.test(conf.int = TRUE) has the same, to the tolerance of its solver.
// It is NaN where a sample is empty.
func HodgesLehmann(a, b []float64, confidence float64) Interval {
	if len(a) == 0 || len(b) == 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN()}
	}
	pairs := len(a) * len(b)
	out := Interval{Estimate: (difference(a, b, (pairs-1)/2) + difference(a, b, pairs/2)) / 2}
	if max(len(a), len(b)) < exactShift && DistinctInBoth(a, b) == len(a)+len(b) {
		k := mannWhitneyQuantile(len(a), len(b), (1-confidence)/2)
		out.Low, out.High = difference(a, b, max(k, 1)-1), difference(a, b, pairs-max(k, 1))
		return out
	}
	z := NormalQuantile(1 - (1-confidence)/2)
	out.Low, out.High = shiftWhere(a, b, z), shiftWhere(a, b, -z)
	return out
}

// mannWhitneyQuantile is the least u for which the chance of at most u is at least p, for samples without ties.
func mannWhitneyQuantile(m, n int, p float64) int {
	low, high := 0, m*n
	for low < high {
		u := (low + high) / 2
		if mannWhitneySF(m, n, m*n-u) >= p*(1-1e-9) { // a chance that is p but for rounding counts
			high = u
		} else {
			low = u + 1
		}
	}
	return low
}

// difference is the difference of index k, from the lowest, among those of all pairs of two sorted samples.
func difference(a, b []float64, k int) float64 {
	return nearestDifference(a, b, firstWhere(a[0]-b[len(b)-1], a[len(a)-1]-b[0], func(v float64) bool { return differencesUpTo(a, b, v) > k }))
}

// firstWhere is the least number between low and high at which something holds, as nearly as floating point tells: it must hold from there on.
func firstWhere(low, high float64, holds func(float64) bool) float64 {
	tolerance := (high - low) * 1e-13
	for high-low > tolerance {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			break
		}
		if holds(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// differencesUpTo is how many differences of pairs are at most v.
func differencesUpTo(a, b []float64, v float64) int {
	count, j := 0, 0 // b[j:] is what a[i] is at most v above
	for _, x := range a {
		for j < len(b) && x-b[j] > v {
			j++
		}
		count += len(b) - j
	}
	return count
}

// nearestDifference is that difference of a pair that is nearest to v: the solvers end within rounding of one.
func nearestDifference(a, b []float64, v float64) float64 {
	best := math.Inf(1)
	for _, x := range a {
		j, _ := slices.BinarySearch(b, x-v)
		for _, k := range []int{j - 1, j} {
			if k >= 0 && k < len(b) && math.Abs(x-b[k]-v) < math.Abs(best-v) {
				best = x - b[k]
			}
		}
	}
	return best
}

// shiftWhere is the shift at which the standardised statistic of the first sample, less the shift, falls below z.
func shiftWhere(a, b []float64, z float64) float64 {
	low, high := a[0]-b[len(b)-1], a[len(a)-1]-b[0]
	if !(shifted(a, b, low) > z) {
		return low
	}
	if !(shifted(a, b, high) < z) {
		return high
	}
	return nearestDifference(a, b, firstWhere(low, high, func(v float64) bool { return !(shifted(a, b, v) > z) }))
}

// shifted is the standardised Mann-Whitney statistic of the first sample less a shift.
func shifted(a, b []float64, shift float64) float64 {
	na, nb := float64(len(a)), float64(len(b))
	ranks, ties := 0.0, 0.0
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		v := math.Inf(1)
		if i < len(a) {
			v = a[i] - shift
		}
		if j < len(b) {
			v = math.Min(v, b[j])
		}
		before, nextI, nextJ := float64(i+j), i, j
		for nextI < len(a) && a[nextI]-shift == v {
			nextI++
		}
		for nextJ < len(b) && b[nextJ] == v {
			nextJ++
		}
		t := float64(nextI - i + nextJ - j)
		ranks += float64(nextI-i) * (before + (t+1)/2)
		ties += t*t*t - t
		i, j = nextI, nextJ
	}
	off := ranks - na*(na+1)/2 - na*nb/2
	n := na + nb
	sd := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
	switch {
	case off > 0:
		off -= 0.5
	case off < 0:
		off += 0.5
	}
	if sd == 0 {
		return 0 // all values are equal: nothing speaks for either side
	}
	return off / sd
}

// CommonLanguage is the chance that a value of the first of two sorted samples is above one of the second, with ties counted by half
// (McGraw and Wong, 1992; Vargha and Delaney, 2000).
func CommonLanguage(a, b []float64) float64 {
	u, _ := MannWhitney(a, b)
	return u / (float64(len(a)) * float64(len(b)))
}
