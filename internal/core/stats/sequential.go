package stats

import (
	"math"
)

// This file has tests that stay valid however often one looks at them. Each has a likelihood ratio L that is, under the null hypothesis, a
// martingale which begins at 1; so the chance that it ever reaches 1/alpha is at most alpha (Ville, 1939). 1/L, at its lowest so far, is a
// p-value that may be read at any time, and what a test at level alpha has not rejected so far is a confidence sequence.

// MixtureSPRT is the logarithm of the likelihood ratio of the mixture sequential probability ratio test (Robbins, 1970; Johari, Koomen,
// Pekelis, Walsh, 2017) for an estimate that is normal about its true value with the given variance: alternatives are spread about the
// null value, which is off below the estimate, with the variance mixing. For two samples of n values each with variance s² and a
// difference d it is sqrt(2s²/(2s² + n t²)) exp(n² t² (d-d0)² / (4s² (2s² + n t²))), where t² is mixing.
func MixtureSPRT(off, variance, mixing float64) float64 {
	if !(variance > 0) || math.IsNaN(off) {
		return 0
	}
	return (math.Log(variance/(variance+mixing)) + mixing*off*off/(variance*(variance+mixing))) / 2
}

// MixtureRadius is half the width of the confidence sequence of MixtureSPRT: the largest distance from the estimate that is not rejected
// at level alpha.
func MixtureRadius(variance, mixing, alpha float64) float64 {
	if !(variance > 0) {
		return 0
	}
	return math.Sqrt(variance * (variance + mixing) / mixing * (2*math.Log(1/alpha) + math.Log((variance+mixing)/variance)))
}

// BinomialSPRT is the logarithm of the likelihood ratio of k successes in n trials for a share that is spread as Beta(1/2, 1/2) against a
// share of p (Robbins, 1970; Lindon and Malek, 2022, with two categories).
func BinomialSPRT(k, n, p float64) float64 {
	l := lbeta(k+0.5, n-k+0.5) - lbeta(0.5, 0.5)
	if k > 0 {
		l -= k * math.Log(p)
	}
	if n > k {
		l -= (n - k) * math.Log1p(-p)
	}
	return l
}

// BinomialSequence is the confidence sequence of BinomialSPRT: the shares that are not rejected at level alpha. It is 0 to 1 without trials.
func BinomialSequence(k, n, alpha float64) Interval {
	if !(n > 0) {
		return Interval{math.NaN(), 0, 1}
	}
	limit := math.Log(1 / alpha)
	edge := func(in, out float64) float64 { // in is not rejected, out may be
		if BinomialSPRT(k, n, out) < limit {
			return out
		}
		for range 60 {
			middle := (in + out) / 2
			if BinomialSPRT(k, n, middle) < limit {
				in = middle
			} else {
				out = middle
			}
		}
		return out
	}
	share := k / n
	return Interval{share, edge(share, 0), edge(share, 1)}
}

// RateRatio is the ratio of two rates, (ka/na) / (kb/nb), with a confidence sequence. It looks at the ka + kb events alone: where both
// samples are drawn side by side from one stream, an event is of the first with the chance r w / (r w + 1 - w) for a ratio r of the rates and
// a share w of the first in the stream, whatever the rates are and however they change together. So events that come in bursts to both raise no alarm.
func RateRatio(ka, na, kb, nb, alpha float64) Interval {
	out := Interval{math.NaN(), 0, math.Inf(1)}
	if !(na > 0 && nb > 0) {
		return out
	}
	ratio := func(share float64) float64 { return share / (1 - share) * (nb / na) }
	s := BinomialSequence(ka, ka+kb, alpha)
	if ka+kb > 0 {
		out.Estimate, out.Low, out.High = ratio(s.Estimate), ratio(s.Low), ratio(s.High)
	}
	return out
}

// RateRatioSPRT is the logarithm of the likelihood ratio of RateRatio against a ratio of r.
func RateRatioSPRT(ka, na, kb, nb, r float64) float64 {
	if !(na > 0 && nb > 0) {
		return 0
	}
	return BinomialSPRT(ka, ka+kb, r*na/(r*na+nb))
}

// Spent is the part of a level alpha for the look of index k, from 0, of a test that is made for a fixed size: 6 alpha / (pi² (k+1)²). All
// parts add up to alpha, so that the chance of a false alarm at any of the looks is at most alpha.
func Spent(alpha float64, k int) float64 {
	return 6 * alpha / (math.Pi * math.Pi * float64(k+1) * float64(k+1))
}

func lbeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }
