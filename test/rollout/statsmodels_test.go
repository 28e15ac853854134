// Package rollout compares the estimates and tests by which versions are judged with the libraries that people know them from: the same data
// goes to both, and the values must be equal.
package rollout

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"levada/internal/core/stats"
	"levada/test/levadatest"
)

type pair struct {
	A []float64 `json:"a"`
	B []float64 `json:"b"`
}

type cases struct {
	Samples         []pair         `json:"samples"`
	Shares          [][4]float64   `json:"shares"`
	Ratios          [][2][]float64 `json:"ratios"`
	P               [][]float64    `json:"p"`
	MeansSize       [][4]float64   `json:"means_size"`
	ProportionsSize [][4]float64   `json:"proportions_size"`
	Quantiles       []float64      `json:"quantiles"`
	DF              []float64      `json:"df"`
}

type results struct {
	TwoSided        [][]float64 `json:"two_sided"`
	Shifts          [][]float64 `json:"shifts"`
	Welch           [][]float64 `json:"welch"`
	Wilson          [][]float64 `json:"wilson"`
	Newcombe        [][]float64 `json:"newcombe"`
	Ratio           [][]float64 `json:"ratio"`
	Holm            [][]float64 `json:"holm"`
	MeansSize       []float64   `json:"means_size"`
	ProportionsSize []float64   `json:"proportions_size"`
	Normal          []float64   `json:"normal"`
	Student         []float64   `json:"student"`
}

func sample(d *stats.Dice, n int, shift, round float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = d.Normal() + shift
		if round > 0 {
			out[i] = math.Round(out[i]*round) / round
		}
	}
	slices.Sort(out)
	return out
}

func allCases() cases {
	d := stats.Dice(11)
	c := cases{
		Ratios:          [][2][]float64{{{5000, 5000}, {50, 50}}, {{4800, 5200}, {50, 50}}, {{100, 890, 10}, {10, 89, 1}}},
		P:               [][]float64{{0.01, 0.04, 0.03, 0.9}, {0.5}, {0.001, 0.001}, sampleP(&d, 40)},
		MeansSize:       [][4]float64{{1, 1, 0.05, 0.9}, {10, 0.5, 0.05, 0.8}, {3, 0.1, 0.01, 0.95}},
		ProportionsSize: [][4]float64{{0.5, 0.75, 0.05, 0.9}, {0.1, 0.11, 0.05, 0.8}, {0.02, 0.01, 0.02, 0.9}},
		Quantiles:       []float64{1e-6, 0.01, 0.025, 0.3, 0.5, 0.8, 0.99, 0.9999},
		DF:              []float64{1, 2.5, 9, 120, 1e5, 1e8},
	}
	for _, n := range []int{3, 8, 20, 60, 150} {
		for _, round := range []float64{0, 2, 10} {
			c.Samples = append(c.Samples, pair{sample(&d, n, 0.4, round), sample(&d, n+5, 0, round)})
		}
	}
	c.Shares = [][4]float64{{0, 50, 0, 60}, {1, 500, 0, 500}, {30, 100, 20, 110}, {100, 100, 1, 40}, {55, 1e5, 40, 1e5}, {7, 7, 7, 7}}
	return c
}

func sampleP(d *stats.Dice, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = d.Float() * d.Float()
	}
	return out
}

func TestEstimatesAndTestsEqualThoseOfStatsmodels(t *testing.T) {
	c := allCases()
	var want results
	levadatest.AskPython(t, "rollout", "statsmodels", "statsmodels_values.py", c, &want)
	compared := 0
	check := func(what string, got, want []float64) {
		t.Helper()
		compared++
		for i, w := range want {
			if math.Abs(got[i]-w) > 1e-6*max(1, math.Abs(w)) {
				t.Errorf("%s is %v, want %v", what, got, want)
				return
			}
		}
	}
	interval := func(i stats.Interval) []float64 { return []float64{i.Estimate, i.Low, i.High} }
	shifts, welches := 0, 0
	for i, s := range c.Samples {
		where := fmt.Sprintf("sample %d", i)
		u, p := stats.MannWhitneyTwoSided(s.A, s.B)
		check(where+": Mann-Whitney", []float64{u, p}, want.TwoSided[i])
		if len(s.A) >= 50 {
			check(where+": shift", interval(stats.HodgesLehmann(s.A, s.B, 0.98)), want.Shifts[shifts])
			shifts++
		}
		if len(s.A) > 2 {
			check(where+": Welch", interval(stats.WelchInterval(moments(s.A), moments(s.B), 0.98)), want.Welch[welches])
			welches++
		}
	}
	for i, s := range c.Shares {
		w := stats.Wilson(s[0], s[1], 0.98)
		check(fmt.Sprint(s, ": Wilson"), []float64{w.Low, w.High}, want.Wilson[i])
		check(fmt.Sprint(s, ": Newcombe"), interval(stats.Newcombe(s[0], s[1], s[2], s[3], 0.98)), want.Newcombe[i])
	}
	for i, r := range c.Ratios {
		x, p := stats.SampleRatio(r[0], r[1])
		check(fmt.Sprint(r, ": sample ratio"), []float64{x, p}, want.Ratio[i])
	}
	for i, p := range c.P {
		check("Holm", stats.Holm(p), want.Holm[i])
	}
	for i, s := range c.MeansSize {
		// Theirs counts the differences found on the wrong side too, and its solver ends within 1e-5.
		if got := stats.SampleSizeMeans(s[0], s[1], s[2], s[3]); math.Abs(got/want.MeansSize[i]-1) > 1e-5 {
			t.Errorf("%v: size for means %v, want %v", s, got, want.MeansSize[i])
		}
	}
	for i, s := range c.ProportionsSize {
		check(fmt.Sprint(s, ": size for proportions"), []float64{stats.SampleSizeProportions(s[0], s[1], s[2], s[3])}, want.ProportionsSize[i:i+1])
	}
	for i, p := range c.Quantiles {
		check(fmt.Sprint(p, ": normal quantile"), []float64{stats.NormalQuantile(p)}, want.Normal[i:i+1])
		for k, df := range c.DF {
			check(fmt.Sprint(p, df, ": Student quantile"), []float64{stats.StudentQuantile(p, df)}, want.Student[i*len(c.DF)+k:][:1])
		}
	}
	t.Logf("%d values compared", compared)
}

func moments(v []float64) stats.Moments {
	sum, squares := 0.0, 0.0
	for _, x := range v {
		sum, squares = sum+x, squares+x*x
	}
	return stats.MomentsOf(float64(len(v)), sum, squares)
}
