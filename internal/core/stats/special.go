// Package stats holds the distributions, two-sample tests and distances that drift is measured with, and the estimates, sequential tests and
// bandits by which versions of a model are compared.
//
// Samples of numbers are sorted slices of finite float64 values: Sort makes them, and every test walks two of them side by side, without
// making other slices of their length. Categories are Counts. A test that is not defined for its samples returns NaN. The package is pure
// and knows neither tables nor reports. Where a test has several definitions, it has that of SciPy (named "auto" there). Start reading at
// KolmogorovSmirnov.
package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// NormalSF is the chance that a standard normal number is above z.
func NormalSF(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// Chi2SF is the chance that a chi-squared number with df degrees of freedom is above x. It is NaN for df < 1.
func Chi2SF(x, df float64) float64 {
	switch {
	case math.IsNaN(x) || df < 1:
		return math.NaN()
	case x <= 0:
		return 1
	case math.IsInf(x, 1):
		return 0
	}
	return mathext.GammaIncRegComp(df/2, x/2)
}

// StudentTwoSided is the chance that a number of Student's distribution with df degrees of freedom is further from 0 than t.
func StudentTwoSided(t, df float64) float64 {
	switch {
	case math.IsInf(t, 0):
		return 0
	case math.IsNaN(t) || !(df > 0):
		return math.NaN()
	}
	return mathext.RegIncBeta(df/2, 0.5, df/(df+t*t))
}

// NormalQuantile is the number below which a standard normal number is with chance p.
func NormalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// StudentQuantile is the number below which a number of Student's distribution with df degrees of freedom is with chance p.
func StudentQuantile(p, df float64) float64 {
	switch {
	case math.IsNaN(p) || !(df > 0):
		return math.NaN()
	case p == 0.5:
		return 0
	case p < 0.5:
		return -StudentQuantile(1-p, df)
	case df > 1e7:
		return NormalQuantile(p) // the inverse of the beta function has no digits left for its size
	}
	x := mathext.InvRegIncBeta(df/2, 0.5, 2*(1-p))
	return math.Sqrt(df * (1 - x) / x)
}

// besselKQuarter is exp(-q) times the modified Bessel function of the second kind of order 1/4, for q > 0. The integral
// of exp(-q cosh t) cosh(t/4) over t > 0 is summed in equal steps, which for such a function is exact to rounding (DLMF 10.32.9).
func besselKQuarter(q float64) float64 {
	const step = 1.0 / 32
	sum := math.Exp(-2*q) / 2
	for t := step; ; t += step {
		c := math.Cosh(t)
		term := math.Exp(-q*(1+c)) * math.Cosh(t/4)
		sum += term
		if term < 1e-18*sum || term == 0 {
			return sum * step
		}
	}
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// logChoose is the logarithm of the number of ways to choose k of n.
func logChoose(n, k float64) float64 { return lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) }

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Dice is a source of randomness that gives the same numbers for the same seed (SplitMix64: Steele, Lea, Flood, 2014).
type Dice uint64

// Next returns 64 random bits.
func (d *Dice) Next() uint64 {
	*d += 0x9e3779b97f4a7c15
	h := uint64(*d)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Float returns a number from 0 to below 1.
func (d *Dice) Float() float64 { return float64(d.Next()>>11) / (1 << 53) }

// Below returns an integer from 0 to below n. The bias is below n/2^64.
func (d *Dice) Below(n int) int { return int(d.Next() % uint64(n)) }

// Shuffle brings n things into a random order by exchanging pairs of them (Fisher and Yates).
func (d *Dice) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, d.Below(i+1))
	}
}

// Hypergeometric returns how many marked things are among draws of total, of which marked are marked. It inverts the distribution,
// walking outwards from its mode: about as many steps as its standard deviation.
func (d *Dice) Hypergeometric(total, marked, draws int64) int64 {
	low, high := max(0, draws-(total-marked)), min(draws, marked)
	if low >= high {
		return low
	}
	n, k, t := float64(draws), float64(marked), float64(total)
	mode := min(high, max(low, int64((n+1)*(k+1)/(t+2))))
	x := float64(mode)
	p := math.Exp(logChoose(k, x) + logChoose(t-k, n-x) - logChoose(t, n))
	u := d.Float()
	left, right, pl, pr := mode, mode, p, p
	for u -= p; u > 0 && (left > low || right < high); {
		if right < high {
			r := float64(right)
			pr *= (k - r) * (n - r) / ((r + 1) * (t - k - n + r + 1))
			right++
			if u -= pr; u <= 0 {
				return right
			}
		}
		if left > low {
			l := float64(left)
			pl *= l * (t - k - n + l) / ((k - l + 1) * (n - l + 1))
			left--
			if u -= pl; u <= 0 {
				return left
			}
		}
		if pl+pr < 1e-300 {
			break // what is left of u is rounding
		}
	}
	return mode
}
