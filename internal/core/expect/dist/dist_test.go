package dist

import (
	"math"
	"testing"

	"levada/internal/core/stats"
)

// The numbers are scipy.stats' (1.17): kstwo.sf, norm.cdf and so on.
func TestDistributionsAreThoseOfSciPy(t *testing.T) {
	for _, c := range []struct {
		name   string
		params []float64
		x      float64
		want   float64
	}{
		{"norm", []float64{1, 2}, 2.5, 0.7733726476231317},
		{"beta", []float64{0.5, 10, 5, 11}, 5.4, 0.6047072853757565},
		{"gamma", []float64{2, 20, 3}, 24, 0.38494001106330406},
		{"chi2", []float64{30, 3, 5}, 150, 0.5033355501480796},
		{"expon", []float64{4.2, 10}, 9, 0.38121660819385905},
		{"poisson", []float64{3}, 2, 0.42319008112684364},
	} {
		f, err := Named(c.name, c.params)
		if err != nil {
			t.Fatal(err)
		}
		if got := f(c.x); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s%v at %g: got %.10f, want %.10f", c.name, c.params, c.x, got, c.want)
		}
	}
}

func TestTheTailOfKolmogorovIsThatOfSciPy(t *testing.T) {
	for _, c := range []struct {
		n         int
		d, want   float64
		tolerance float64
	}{
		{5, 0.3, 0.664, 1e-12},
		{10, 0.1, 0.99963712000000005, 1e-12},
		{50, 0.1, 0.66231127046581861, 1e-12},
		{100, 0.05, 0.95321597106357248, 1e-12},
		{100, 0.3, 1.7719869892662917e-08, 1e-12},
		{1000, 0.02, 0.81089716568955772, 1e-7},
		{1000, 0.05, 0.013012074781090332, 1e-8},
		{2000, 0.01, 0.98713736613667957, 1e-9},
		{3000, 0.02, 0.17889813623188966, 1e-5},
		{10000, 0.01, 0.26821912770291922, 1e-5},
		{100000, 0.003, 0.32845633277269559, 1e-6},
		{20, 0.8, 2.8339126616210803e-14, 1e-18},
	} {
		if got := stats.KolmogorovSF(int64(c.n), c.d); math.Abs(got-c.want) > c.tolerance {
			t.Errorf("n=%d d=%g: got %.15g, want %.15g", c.n, c.d, got, c.want)
		}
	}
}
