// Package dist holds the distributions and tests of goodness of fit that expectations about distributions need.
//
// Formulas are named where they stand; the special functions are gonum's. The package knows numbers only. Start reading at Named.
package dist

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"levada/internal/core/stats"
)

// CDF is a cumulative distribution function.
type CDF func(x float64) float64

// Named returns a distribution by the name that scipy.stats gives it, with its shape parameters first, then location and scale.
// Location and scale may be left out (0 and 1).
func Named(name string, params []float64) (CDF, error) {
	shapes := map[string]int{"norm": 0, "uniform": 0, "expon": 0, "beta": 2, "gamma": 1, "chi2": 1, "poisson": 1}
	n, known := shapes[name]
	if !known {
		return nil, fmt.Errorf("unsupported distribution provided: %q; known are norm, uniform, expon, beta, gamma, chi2 and poisson", name)
	}
	most := n + 2
	if name == "poisson" {
		most = n + 1
	}
	switch {
	case len(params) < n:
		return nil, fmt.Errorf("missing required parameters: %s needs %d", name, n)
	case len(params) > most:
		return nil, fmt.Errorf("too many parameters provided: %s takes %d at most", name, most)
	}
	for _, p := range params[:n] {
		if !(p > 0) {
			return nil, fmt.Errorf("invalid parameters: the shape of %s must be positive, got %g", name, p)
		}
	}
	loc, scale := 0.0, 1.0
	if len(params) > n {
		loc = params[n]
	}
	if len(params) > n+1 {
		scale = params[n+1]
	}
	if !(scale > 0) {
		return nil, fmt.Errorf("std_dev and scale must be positive, got %g", scale)
	}
	standard := standards(name, params[:n])
	return func(x float64) float64 { return standard((x - loc) / scale) }, nil
}

// standards are the distributions at location 0 with scale 1.
func standards(name string, shape []float64) CDF {
	switch name {
	case "norm":
		return func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
	case "uniform":
		return func(x float64) float64 { return min(1, max(0, x)) }
	case "expon":
		return positive(func(x float64) float64 { return -math.Expm1(-x) })
	case "beta":
		return positive(func(x float64) float64 {
			if x >= 1 {
				return 1
			}
			return mathext.RegIncBeta(shape[0], shape[1], x)
		})
	case "gamma":
		return positive(func(x float64) float64 { return mathext.GammaIncReg(shape[0], x) })
	case "chi2":
		return positive(func(x float64) float64 { return mathext.GammaIncReg(shape[0]/2, x/2) })
	}
	return func(x float64) float64 { // poisson
		if x < 0 {
			return 0
		}
		return mathext.GammaIncRegComp(math.Floor(x)+1, shape[0])
	}
}

func positive(f CDF) CDF {
	return func(x float64) float64 {
		if x <= 0 {
			return 0
		}
		return f(x)
	}
}

// KS is the one-sample, two-sided Kolmogorov-Smirnov test: the greatest distance between the sample's distribution and f, and the
// probability of one at least as great. It sorts the sample.
func KS(sample []float64, f CDF) (distance, p float64) {
	slices.Sort(sample)
	n := float64(len(sample))
	for i, x := range sample {
		at := f(x)
		distance = max(distance, float64(i+1)/n-at, at-float64(i)/n)
	}
	return distance, stats.KolmogorovSF(int64(len(sample)), distance)
}

// Entropy is the Kullback-Leibler divergence of q from p in nats, each scaled to a sum of one, as scipy.stats.entropy has it. It is
// infinite where p has weight that q has not.
func Entropy(p, q []float64) float64 {
	var sp, sq float64
	for i := range p {
		sp, sq = sp+p[i], sq+q[i]
	}
	sum := 0.0
	for i := range p {
		x, y := p[i]/sp, q[i]/sq
		switch {
		case math.IsNaN(x) || math.IsNaN(y):
			return math.NaN()
		case x > 0 && y > 0:
			sum += x * math.Log(x/y)
		case x > 0 || y < 0:
			return math.Inf(1)
		}
	}
	return sum
}
