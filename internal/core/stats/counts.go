package stats

import (
	"cmp"
	"math"
	"slices"
)

// Counts says how often each category is in two samples. A category is at the same index in both.
type Counts struct{ A, B []float64 }

// Totals are the sizes of the two samples.
func (c Counts) Totals() (a, b float64) {
	for i := range c.A {
		a, b = a+c.A[i], b+c.B[i]
	}
	return a, b
}

// shares are the counts divided by the sizes of the samples.
func (c Counts) shares() Counts {
	a, b := c.Totals()
	out := Counts{make([]float64, len(c.A)), make([]float64, len(c.B))}
	for i := range c.A {
		out.A[i], out.B[i] = c.A[i]/a, c.B[i]/b
	}
	return out
}

// ChiSquared tests whether the second sample has the shares of the first: Pearson's goodness of fit to the counts of the first scaled to
// the size of the second. The shares of the first are taken as known, so a category that only the second has makes p zero.
func ChiSquared(c Counts) (statistic, p float64) {
	a, b := c.Totals()
	for i := range c.A {
		expected := c.A[i] * (b / a)
		if c.B[i] != expected {
			statistic += (c.B[i] - expected) * (c.B[i] - expected) / expected
		}
	}
	return statistic, Chi2SF(statistic, float64(len(c.A)-1))
}

// ChiSquaredBoth tests whether both samples have the same shares: Pearson's test of a table of two rows, without a correction for
// continuity. Unlike ChiSquared it allows for the first sample being a sample too.
func ChiSquaredBoth(c Counts) (statistic, p float64) {
	a, b := c.Totals()
	for i := range c.A {
		both := c.A[i] + c.B[i]
		ofA, ofB := both*a/(a+b), both*b/(a+b)
		statistic += (c.A[i]-ofA)*(c.A[i]-ofA)/ofA + (c.B[i]-ofB)*(c.B[i]-ofB)/ofB
	}
	return statistic, Chi2SF(statistic, float64(len(c.A)-1))
}

// GTest is ChiSquared by the ratio of likelihoods: twice the sum of observed times the logarithm of observed over expected.
func GTest(c Counts) (statistic, p float64) {
	a, b := c.Totals()
	for i := range c.A {
		if c.B[i] > 0 {
			statistic += 2 * c.B[i] * math.Log(c.B[i]/(c.A[i]*(b/a)))
		}
	}
	return statistic, Chi2SF(statistic, float64(len(c.A)-1))
}

// TwoProportions compares the share of values that are not the first category: z with the pooled share, and the two-sided p-value. It
// is 1 where there is one category.
func TwoProportions(c Counts) (z, p float64) {
	if len(c.A) < 2 {
		return 0, 1
	}
	a, b := c.Totals()
	shareA, shareB := (a-c.A[0])/a, (b-c.B[0])/b
	pooled := (a - c.A[0] + b - c.B[0]) / (a + b)
	z = (shareA - shareB) / math.Sqrt(pooled*(1-pooled)*(1/a+1/b))
	return z, 2 * NormalSF(math.Abs(z))
}

// FisherExact is the chance, with the margins of a table of two categories given, of one that is as unlikely as the table or more (two-sided).
// It is 1 for fewer than two categories, and not defined for more.
func FisherExact(c Counts) float64 {
	if len(c.A) > 2 {
		return math.NaN()
	}
	a, b := c.Totals()
	if len(c.A) < 2 || a == 0 || b == 0 || c.A[0]+c.B[0] == 0 || c.A[1]+c.B[1] == 0 {
		return 1
	}
	n, k := a+b, c.A[0]+c.B[0]
	low, high := math.Max(0, a-(n-k)), math.Min(a, k)
	chance := func(x float64) float64 { return math.Exp(logChoose(k, x) + logChoose(n-k, a-x) - logChoose(n, a)) }
	mode := math.Min(high, math.Max(low, math.Floor((a+1)*(k+1)/(n+2))))
	observed := math.Abs(c.A[0] - mode) // the steps from the mode
	limit := chance(c.A[0]) * (1 + 1e-7)
	sum := 0.0
	for _, direction := range []float64{1, -1} {
		p := chance(mode)
		for x := mode; x >= low && x <= high; x += direction {
			if (direction == 1 || x != mode) && p <= limit {
				sum += p
				if p < 1e-18*sum && math.Abs(x-mode) > observed {
					break
				}
			}
			if direction == 1 {
				p *= (k - x) * (a - x) / ((x + 1) * (n - k - a + x + 1))
			} else {
				p *= x * (n - k - a + x) / ((k - x + 1) * (a - x + 1))
			}
		}
	}
	return clip(sum)
}

// filled gives categories without a count a small share: 0.0001, or a millionth of the least share where that is not more than 0.0001.
func filled(shares []float64) []float64 {
	least := math.Inf(1)
	for _, s := range shares {
		if s > 0 {
			least = math.Min(least, s)
		}
	}
	fill := 0.0001
	if least <= 0.0001 {
		fill = least / 1e6
	}
	out := slices.Clone(shares)
	for i, s := range out {
		if s == 0 {
			out[i] = fill
		}
	}
	return out
}

// PSI is the population stability index: the sum of (a - b) ln(a/b) over the shares, with small shares in place of none.
func PSI(c Counts) float64 {
	s := c.shares()
	a, b := filled(s.A), filled(s.B)
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * math.Log(a[i]/b[i])
	}
	return sum
}

// KullbackLeibler is the divergence of the first sample from the second in nats: the sum of a ln(a/b), with small shares in place of none.
func KullbackLeibler(c Counts) float64 {
	s := c.shares()
	a, b := filled(s.A), filled(s.B)
	totalA, totalB := Counts{a, b}.Totals()
	sum := 0.0
	for i := range a {
		sum += a[i] / totalA * math.Log(a[i]/totalA/(b[i]/totalB))
	}
	return sum
}

// JensenShannon is the distance of two samples: the square root of the Jensen-Shannon divergence in nats. It is at most sqrt(ln 2).
func JensenShannon(c Counts) float64 {
	s := c.shares()
	totalA, totalB := s.Totals()
	sum := 0.0
	for i := range s.A {
		a, b := s.A[i]/totalA, s.B[i]/totalB
		m := (a + b) / 2
		if a > 0 {
			sum += a * math.Log(a/m)
		}
		if b > 0 {
			sum += b * math.Log(b/m)
		}
	}
	return math.Sqrt(math.Max(0, sum/2))
}

// Hellinger is the square root of one less the sum of sqrt(ab) over the shares, from 0 to 1.
func Hellinger(c Counts) float64 {
	s := c.shares()
	sum := 0.0
	for i := range s.A {
		sum += math.Sqrt(s.A[i] * s.B[i])
	}
	return math.Sqrt(1 - clip(sum))
}

// LInfinity is the largest difference of the shares of a category.
func LInfinity(c Counts) float64 {
	s := c.shares()
	most := 0.0
	for i := range s.A {
		most = math.Max(most, math.Abs(s.A[i]-s.B[i]))
	}
	return most
}

// TotalVariation is half the sum of the differences of the shares, and the share of permutations of the pooled values that have one as
// large.
func TotalVariation(c Counts, permutations int, dice *Dice) (distance, p float64) {
	a, b := c.Totals()
	if a == 0 || b == 0 {
		return math.NaN(), math.NaN()
	}
	of := func(inA, inB []float64) float64 {
		sum := 0.0
		for i := range inA {
			sum += math.Abs(inA[i]/a - inB[i]/b)
		}
		return sum / 2
	}
	distance = of(c.A, c.B)
	pooled, drawn, left := make([]float64, len(c.A)), make([]float64, len(c.A)), make([]float64, len(c.A))
	for i := range c.A {
		pooled[i] = c.A[i] + c.B[i]
	}
	above := 0
	for range permutations {
		total, draws := int64(a+b), int64(a)
		for i, n := range pooled {
			k := dice.Hypergeometric(total, int64(n), draws)
			drawn[i], left[i] = float64(k), n-float64(k)
			total, draws = total-int64(n), draws-k
		}
		if distance <= of(drawn, left)+1e-12 {
			above++
		}
	}
	return distance, float64(above) / float64(permutations)
}

// mostSturges is more bins than the rule gives for any number of values.
const mostSturges = 100

// Sturges returns the edges of bins of equal width over [low, high] for n values (Sturges, 1926; as NumPy's "sturges"): log2(n) + 1 of
// them, rounded up. Bins of integers are at least 1 wide.
func Sturges(low, high float64, n int, integers bool) []float64 {
	bins := 1.0
	if high > low {
		width := (high - low) / (math.Log2(float64(n)) + 1)
		if integers {
			width = math.Max(1, width)
		}
		bins = math.Ceil((high - low) / width)
	} else {
		low, high = low-0.5, high+0.5
	}
	if math.IsInf(high-low, 0) || !(bins >= 1 && bins <= mostSturges) {
		return []float64{low, high} // too far apart, or too near, for float64
	}
	return Even(low, high, int(bins))
}

// Even returns the edges of so many bins of equal width.
func Even(low, high float64, bins int) []float64 {
	edges := make([]float64, bins+1)
	step := (high - low) / float64(bins)
	for i := range edges {
		edges[i] = float64(float64(i)*step) + low // rounded twice everywhere: no fused multiply-add
	}
	edges[bins] = high
	return edges
}

// Binned counts the values of a sorted sample between edges. A value at an edge is in the bin above it, one at the last edge in the
// last; what lies outside is not counted.
func Binned(a, edges []float64) []float64 {
	counts := make([]float64, len(edges)-1)
	from, _ := slices.BinarySearch(a, edges[0])
	for i := range counts {
		to := from
		if i == len(counts)-1 {
			to += countBelow(a[from:], math.Nextafter(edges[i+1], math.Inf(1)))
		} else {
			to += countBelow(a[from:], edges[i+1])
		}
		counts[i] = float64(to - from)
		from = to
	}
	return counts
}

// countBelow is how many values of a sorted sample are below v.
func countBelow(a []float64, v float64) int {
	n, _ := slices.BinarySearch(a, v)
	return n
}

// CountValues counts each different value of two sorted samples, from the lowest.
func CountValues(a, b []float64) Counts {
	var c Counts
	eachValue(a, b, func(_, inA, inB float64) {
		c.A, c.B = append(c.A, inA), append(c.B, inB)
	})
	return c
}

// BenjaminiHochberg returns p-values adjusted for the number of tests: those not above a level q belong to a set in which at most the share
// q is expected to be false alarms (Benjamini and Hochberg, 1995). A NaN stays one and is not counted.
func BenjaminiHochberg(p []float64) []float64 {
	order := make([]int, 0, len(p))
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[j], p[i]) })
	out := slices.Clone(p)
	least, m := 1.0, float64(len(order))
	for k, i := range order {
		least = math.Min(least, p[i]*m/(m-float64(k)))
		out[i] = least
	}
	return out
}

// Holm returns p-values adjusted for the number of tests: the chance that any of those not above a level is a false alarm is at most that level
// (Holm, 1979). A NaN stays one and is not counted.
func Holm(p []float64) []float64 {
	order := make([]int, 0, len(p))
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	out := slices.Clone(p)
	most := 0.0
	for k, i := range order {
		most = math.Min(1, math.Max(most, p[i]*float64(len(order)-k)))
		out[i] = most
	}
	return out
}
