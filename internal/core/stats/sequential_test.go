package stats_test

import (
	"math"
	"testing"

	"levada/internal/core/stats"
)

// The formula as it is written for two samples of n values with one variance.
func TestTheMixtureTestIsJoharis(t *testing.T) {
	for _, c := range []struct{ n, s2, t2, d float64 }{{100, 1, 0.01, 0.3}, {5000, 0.2, 0.0004, 0.001}, {30, 9, 4, -2}} {
		l := math.Sqrt(2*c.s2/(2*c.s2+c.n*c.t2)) * math.Exp(c.n*c.n*c.t2*c.d*c.d/(4*c.s2*(2*c.s2+c.n*c.t2)))
		if got := stats.MixtureSPRT(c.d, 2*c.s2/c.n, c.t2); math.Abs(got-math.Log(l)) > 1e-12*max(1, math.Abs(got)) {
			t.Errorf("%+v: %v, want %v", c, got, math.Log(l))
		}
		half := stats.MixtureRadius(2*c.s2/c.n, c.t2, 0.05)
		if l := stats.MixtureSPRT(half, 2*c.s2/c.n, c.t2); math.Abs(l-math.Log(20)) > 1e-9 {
			t.Errorf("%+v: at the edge of the sequence the likelihood ratio is %v, want 20", c, math.Exp(l))
		}
	}
}

// The mixture over a share is the integral that it is said to be.
func TestTheBinomialTestIsAnIntegralOverShares(t *testing.T) {
	for _, c := range []struct{ k, n, p float64 }{{0, 5, 0.2}, {7, 9, 0.5}, {30, 100, 0.4}} {
		const steps = 200_000
		sum := 0.0
		for i := range steps {
			// Beta(1/2, 1/2) is the sine squared of a uniform angle.
			share := math.Pow(math.Sin((float64(i)+0.5)/steps*math.Pi/2), 2)
			sum += math.Exp(c.k*math.Log(share/c.p) + (c.n-c.k)*math.Log((1-share)/(1-c.p)))
		}
		if got := stats.BinomialSPRT(c.k, c.n, c.p); math.Abs(math.Exp(got)-sum/steps) > 1e-6*sum/steps {
			t.Errorf("%+v: %v, want %v", c, math.Exp(got), sum/steps)
		}
	}
}

// Looks after every value: a sequence holds the truth at all of them in at least 95 % of the runs, a test of fixed size does not.
func TestSequencesHoldHoweverOftenOneLooks(t *testing.T) {
	const runs, length, alpha = 1000, 1500, 0.05
	d := stats.Dice(5)
	share, ratio, mixture, fixed := 0, 0, 0, 0
	for range runs {
		k, ka, kb, na, nb := 0.0, 0.0, 0.0, 0.0, 0.0
		var sum float64
		var out [4]bool
		for n := 1.0; n <= length; n++ {
			if d.Float() < 0.1 {
				k++
			}
			out[0] = out[0] || stats.BinomialSPRT(k, n, 0.1) >= math.Log(1/alpha)
			// One stream, split evenly; its rate changes with time.
			if bad := d.Float() < 0.02+0.1*math.Abs(math.Sin(n/200)); d.Float() < 0.5 {
				na++
				if bad {
					ka++
				}
			} else {
				nb++
				if bad {
					kb++
				}
			}
			out[1] = out[1] || stats.RateRatioSPRT(ka, na, kb, nb, 1) >= math.Log(1/alpha)
			sum += d.Normal()
			out[2] = out[2] || stats.MixtureSPRT(sum/n, 1/n, 0.01) >= math.Log(1/alpha)
			out[3] = out[3] || n >= 30 && math.Abs(sum)/math.Sqrt(n) > 1.96
		}
		for i, counter := range []*int{&share, &ratio, &mixture, &fixed} {
			if out[i] {
				*counter++
			}
		}
	}
	limit := int(runs * (alpha + 3*math.Sqrt(alpha*(1-alpha)/runs)))
	if share > limit || ratio > limit || mixture > limit {
		t.Errorf("false alarms in %d runs: share %d, ratio %d, mixture %d; at most %d", runs, share, ratio, mixture, limit)
	}
	if fixed < 4*runs*5/100 {
		t.Errorf("a test of fixed size that is looked at again and again has only %d false alarms in %d runs", fixed, runs)
	}
	t.Logf("false alarms in %d runs of %d looks: share %d, ratio %d, mixture %d, a fixed z-test %d", runs, length, share, ratio, mixture, fixed)
}

func TestTheRatioOfRatesIsInItsSequence(t *testing.T) {
	i := stats.RateRatio(50, 1000, 10, 1000, 0.01)
	if math.Abs(i.Estimate-5) > 1e-9 || !(i.Low > 1.5 && i.Low < 5 && i.High > 5 && i.High < 30) {
		t.Errorf("50 against 10: %+v", i)
	}
	if i := stats.RateRatio(0, 1000, 0, 1000, 0.01); !math.IsNaN(i.Estimate) || i.Low != 0 || !math.IsInf(i.High, 1) {
		t.Errorf("without events: %+v", i)
	}
	if i := stats.RateRatio(14, 14, 0, 2000, 0.001); !(i.Low > 1) || !math.IsInf(i.High, 1) {
		t.Errorf("all of one, none of the other: %+v", i)
	}
	sum := 0.0
	for k := range 100_000 {
		sum += stats.Spent(0.05, k)
	}
	if sum > 0.05 || sum < 0.0499 {
		t.Errorf("the parts of 0.05 add up to %v", sum)
	}
}

func TestCUPEDEqualsARegressionOnTheCovariate(t *testing.T) {
	d := stats.Dice(6)
	var a, b stats.Paired
	add := func(s *stats.Paired, y, x float64) {
		s.N, s.Y, s.YY, s.X, s.XX, s.XY = s.N+1, s.Y+y, s.YY+y*y, s.X+x, s.XX+x*x, s.XY+x*y
	}
	for range 4000 {
		x := d.Normal()
		add(&a, 10+0.5+2*x+d.Normal(), x)
		x = d.Normal()
		add(&b, 10+2*x+d.Normal(), x)
	}
	ma, mb, reduction := stats.CUPED(a, b)
	if math.Abs(reduction-0.8) > 0.02 { // 4 of 5 parts of the variance are the covariate's
		t.Errorf("reduction %v, want about 0.8", reduction)
	}
	if diff := ma.Mean - mb.Mean; math.Abs(diff-0.5) > 0.08 {
		t.Errorf("difference %v, want about 0.5", diff)
	}
	if math.Abs(ma.Variance-1) > 0.1 {
		t.Errorf("variance %v, want about 1", ma.Variance)
	}
	still, _, none := stats.CUPED(stats.Paired{N: 3, Y: 6, YY: 14, X: 3, XX: 3, XY: 6}, stats.Paired{N: 3, Y: 3, YY: 5, X: 3, XX: 3, XY: 3})
	if none != 0 || still.Mean != 2 {
		t.Errorf("a covariate that does not vary: mean %v, reduction %v", still.Mean, none)
	}
}

// Known chances: a rate that is better by far wins, equal arms share, and two normal arms follow the normal distribution of their difference.
func TestThompsonDrawsTheChanceToBeTheBest(t *testing.T) {
	d := stats.Dice(7)
	rate := func(n, mean float64) stats.Reward {
		return stats.Reward{Moments: stats.Moments{N: n, Mean: mean}, Bernoulli: true}
	}
	best, loss := stats.Thompson([]stats.Reward{rate(1000, 0.1), rate(1000, 0.2)}, 4000, &d)
	if best[1] < 0.999 || math.Abs(loss[0]-0.1) > 0.01 || loss[1] > 1e-4 {
		t.Errorf("0.1 against 0.2: best %v, loss %v", best, loss)
	}
	best, _ = stats.Thompson([]stats.Reward{rate(0, 0), rate(0, 0), rate(0, 0)}, 30_000, &d)
	for _, b := range best {
		if math.Abs(b-1.0/3) > 0.015 {
			t.Errorf("three unknown arms: %v", best)
		}
	}
	normal := func(mean float64) stats.Reward {
		return stats.Reward{Moments: stats.Moments{N: 10_000, Mean: mean, Variance: 100}}
	}
	best, _ = stats.Thompson([]stats.Reward{normal(5), normal(5.1)}, 40_000, &d)
	if want := 1 - stats.NormalSF(0.1/math.Sqrt(0.02)); math.Abs(best[1]-want) > 0.01 {
		t.Errorf("two means: %v, want %v", best[1], want)
	}
	best, _ = stats.Thompson([]stats.Reward{normal(5), {}}, 100, &d)
	if best[1] != 1 {
		t.Errorf("an arm that was never tried: %v", best)
	}
}

func TestGammaAndBetaHaveTheirMoments(t *testing.T) {
	d := stats.Dice(8)
	for _, shape := range []float64{0.3, 1, 2.5, 40} {
		const n = 100_000
		sum, squares := 0.0, 0.0
		for range n {
			v := d.Gamma(shape)
			sum, squares = sum+v, squares+v*v
		}
		m := stats.MomentsOf(n, sum, squares)
		if math.Abs(m.Mean/shape-1) > 0.03 || math.Abs(m.Variance/shape-1) > 0.08 {
			t.Errorf("gamma of %v: mean %v, variance %v; both should be the shape", shape, m.Mean, m.Variance)
		}
	}
	sum := 0.0
	for range 50_000 {
		sum += d.Beta(2, 6)
	}
	if math.Abs(sum/50_000-0.25) > 0.003 {
		t.Errorf("beta of 2 and 6: mean %v", sum/50_000)
	}
}
