package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// leastEpps is the least size of a sample for EppsSingleton.
const leastEpps = 5

// EppsSingleton compares two sorted samples by their characteristic functions at 0.4 and 0.8, in units of half the pooled
// interquartile range (Epps and Singleton, 1986): the statistic, with the authors' correction for small samples, and its
// asymptotic p-value. It is not defined for fewer than five values in a sample, nor where the interquartile range is 0.
func EppsSingleton(a, b []float64) (w, p float64) {
	if len(a) < leastEpps || len(b) < leastEpps {
		return math.NaN(), math.NaN()
	}
	scale := (PooledQuantile(a, b, 0.75) - PooledQuantile(a, b, 0.25)) / 2
	if scale == 0 {
		return math.NaN(), math.NaN()
	}
	na, nb := float64(len(a)), float64(len(b))
	n := na + nb
	meanA, covA := waves(a, scale)
	meanB, covB := waves(b, scale)
	sum := mat.NewSymDense(4, nil)
	for i := range 4 {
		for j := i; j < 4; j++ {
			sum.SetSym(i, j, n/na*covA[i][j]+n/nb*covB[i][j])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sum, true) {
		return math.NaN(), math.NaN()
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	// The pseudo-inverse leaves out directions without variance; the rank of what is left are the degrees of freedom.
	largest := math.Abs(values[3])
	least := math.Inf(1)
	for _, v := range values {
		if math.Abs(v) > 1e-15*largest {
			least = math.Min(least, math.Abs(v))
		}
	}
	rank := 0.0
	for k, v := range values {
		if math.Abs(v) <= 1e-15*largest {
			continue
		}
		along := 0.0
		for i := range 4 {
			along += vectors.At(i, k) * (meanA[i] - meanB[i])
		}
		w += along * along / v
		if least/math.Abs(v) > 4*0x1p-52 {
			rank++
		}
	}
	w *= n
	if max(len(a), len(b)) < 25 {
		w /= 1 + math.Pow(n, -0.45) + 10.1*(math.Pow(na, -1.7)+math.Pow(nb, -1.7))
	}
	return w, Chi2SF(w, rank)
}

// waves are the means and the covariances (divided by the size) of the cosines and sines.
func waves(a []float64, scale float64) (mean [4]float64, cov [4][4]float64) {
	one, two := 0.4/scale, 0.8/scale
	at := func(v float64) [4]float64 {
		s1, c1 := math.Sincos(one * v)
		s2, c2 := math.Sincos(two * v)
		return [4]float64{c1, c2, s1, s2}
	}
	for _, v := range a {
		g := at(v)
		for i := range 4 {
			mean[i] += g[i]
		}
	}
	n := float64(len(a))
	for i := range 4 {
		mean[i] /= n
	}
	for _, v := range a {
		g := at(v)
		for i := range 4 {
			g[i] -= mean[i]
		}
		for i := range 4 {
			for j := i; j < 4; j++ {
				cov[i][j] += g[i] * g[j] / n
			}
		}
	}
	return mean, cov
}
