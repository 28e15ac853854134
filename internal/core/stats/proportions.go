package stats

import "math"

// Wilson is the share k/n with Wilson's score interval (1927).
func Wilson(k, n, confidence float64) Interval {
	if !(n > 0) {
		return Interval{math.NaN(), 0, 1}
	}
	z := NormalQuantile(1 - (1-confidence)/2)
	share, z2 := k/n, z*z
	middle := (share + z2/(2*n)) / (1 + z2/n)
	half := z / (1 + z2/n) * math.Sqrt(share*(1-share)/n+z2/(4*n*n))
	return Interval{share, math.Max(0, middle-half), math.Min(1, middle+half)}
}

// Newcombe is the difference of two shares, ka/na - kb/nb, with Newcombe's hybrid interval from Wilson's scores (1998, method 10): it
// stays within -1 and 1 and has its coverage at small counts too.
func Newcombe(ka, na, kb, nb, confidence float64) Interval {
	a, b := Wilson(ka, na, confidence), Wilson(kb, nb, confidence)
	d := a.Estimate - b.Estimate
	return Interval{d, d - math.Hypot(a.Estimate-a.Low, b.High-b.Estimate), d + math.Hypot(a.High-a.Estimate, b.Estimate-b.Low)}
}

// Moments are the size, mean and variance (divided by the size less one) of a sample.
type Moments struct{ N, Mean, Variance float64 }

// MomentsOf are those of the sum and the sum of squares of n values.
func MomentsOf(n, sum, squares float64) Moments {
	if n < 1 {
		return Moments{Mean: math.NaN(), Variance: math.NaN()}
	}
	mean := sum / n
	if n < 2 {
		return Moments{n, mean, 0}
	}
	return Moments{n, mean, math.Max(0, squares-n*mean*mean) / (n - 1)}
}

// WelchInterval is the difference of two means, a less b, with Welch's interval.
func WelchInterval(a, b Moments, confidence float64) Interval {
	d := a.Mean - b.Mean
	va, vb := a.Variance/a.N, b.Variance/b.N
	v := va + vb
	if v == 0 {
		return Interval{d, d, d}
	}
	df := v * v / (va*va/(a.N-1) + vb*vb/(b.N-1))
	half := StudentQuantile(1-(1-confidence)/2, df) * math.Sqrt(v)
	return Interval{d, d - half, d + half}
}

// SampleRatio tests whether units were assigned in the planned shares: Pearson's chi-squared of the counts, and its p-value. The shares
// need not add up to 1.
func SampleRatio(counts, shares []float64) (statistic, p float64) {
	return ChiSquared(Counts{A: shares, B: counts})
}

// SampleSizeMeans is how many values each of two samples needs so that the two-sided z-test at level alpha finds a difference of means
// with the given power: 2 sd² (z(1-alpha/2) + z(power))² / difference².
func SampleSizeMeans(sd, difference, alpha, power float64) float64 {
	z := NormalQuantile(1-alpha/2) + NormalQuantile(power)
	return 2 * sd * sd * z * z / (difference * difference)
}

// SampleSizeProportions is SampleSizeMeans for two shares, with the pooled variance under the null hypothesis and separate ones under the
// alternative (Fleiss, Levin, Paik: Statistical Methods for Rates and Proportions, 4.14 without correction; R's power.prop.test).
func SampleSizeProportions(p, q, alpha, power float64) float64 {
	pooled := (p + q) / 2
	z := NormalQuantile(1-alpha/2)*math.Sqrt(2*pooled*(1-pooled)) + NormalQuantile(power)*math.Sqrt(p*(1-p)+q*(1-q))
	return z * z / ((p - q) * (p - q))
}

// Paired are the sums of pairs of an outcome Y and a covariate X that was known before.
type Paired struct{ N, Y, YY, X, XX, XY float64 }

// CUPED removes from the outcomes of two samples what a covariate from before the experiment explains (Deng, Xu, Kohavi, Walker, 2013):
// Y - theta (X - mean of X), theta = cov(X, Y) / var(X) within the samples, pooled. The adjusted means differ by an estimate of the same
// effect with a smaller variance. Reduction is the share of the variance that is gone. A covariate that does not vary changes nothing.
func CUPED(a, b Paired) (ma, mb Moments, reduction float64) {
	ma, mb = MomentsOf(a.N, a.Y, a.YY), MomentsOf(b.N, b.Y, b.YY)
	if a.N < 2 || b.N < 2 {
		return ma, mb, 0
	}
	within := func(s Paired) (xx, xy float64) { return s.XX - s.X*s.X/s.N, s.XY - s.X*s.Y/s.N }
	axx, axy := within(a)
	bxx, bxy := within(b)
	if axx+bxx <= 0 {
		return ma, mb, 0
	}
	theta := (axy + bxy) / (axx + bxx)
	mean := (a.X + b.X) / (a.N + b.N)
	adjust := func(m Moments, s Paired, xx, xy float64) Moments {
		m.Mean -= theta * (s.X/s.N - mean)
		m.Variance = math.Max(0, m.Variance+(theta*theta*xx-2*theta*xy)/(s.N-1))
		return m
	}
	before := ma.Variance/ma.N + mb.Variance/mb.N
	ma, mb = adjust(ma, a, axx, axy), adjust(mb, b, bxx, bxy)
	if before > 0 {
		reduction = 1 - (ma.Variance/ma.N+mb.Variance/mb.N)/before
	}
	return ma, mb, reduction
}
