// Package drift compares Levada's tests of drift with the libraries that people know them from: the same data goes to both, and the values
// must be equal. The form with SciPy runs with the other Go tests; those with Evidently and NannyML take longer to install and
// run in `make test-drift`.
package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"levada/internal/core/stats"
	"levada/test/levadatest"
)

type pair struct {
	Name string    `json:"name"`
	A    []float64 `json:"a"`
	B    []float64 `json:"b"`
}

type kolmogorov struct {
	N int64   `json:"n"`
	D float64 `json:"d"`
}

type scipyCases struct {
	Samples    []pair       `json:"samples"`
	Counts     []pair       `json:"counts"`
	Kolmogorov []kolmogorov `json:"kolmogorov"`
	FDR        [][]float64  `json:"fdr"`
}

// values are numbers of which some are not finite: JSON has no word for those, so they are strings.
type values []float64

func (v *values) UnmarshalJSON(b []byte) error {
	var raw []any
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for _, r := range raw {
		n, ok := r.(float64)
		if !ok {
			if _, err := fmt.Sscan(r.(string), &n); err != nil {
				return err
			}
		}
		*v = append(*v, n)
	}
	return nil
}

type scipyResults struct {
	Samples    []map[string]values `json:"samples"`
	Counts     []map[string]values `json:"counts"`
	Kolmogorov values              `json:"kolmogorov"`
	Smirnov    values              `json:"smirnov"`
	FDR        []values            `json:"fdr"`
}

// ask runs a script of this folder in the environment of a file of requirements.
func ask(t *testing.T, environment, script string, cases, results any) {
	t.Helper()
	levadatest.AskPython(t, "drift", environment, script, cases, results)
}

// near says whether two values are the same for this purpose: within 1e-6, or within 1e-6 of their size.
func near(a, b float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.IsNaN(a) && math.IsNaN(b)
	}
	if math.Abs(a) > 1e20 && math.Abs(b) > 1e20 {
		return true // one variance is rounding alone
	}
	return a == b || math.Abs(a-b) <= 1e-6*max(1, min(math.Abs(a), math.Abs(b)))
}

func sampled(n int, of func() float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = of()
	}
	return out
}

// normal returns numbers of a normal distribution (Box and Muller).
func normal(d *stats.Dice, mean, sd float64) func() float64 {
	return func() float64 {
		return mean + sd*math.Sqrt(-2*math.Log(1-d.Float()))*math.Cos(2*math.Pi*d.Float())
	}
}

// samplePairs are samples of all sizes and forms that a column may have.
func samplePairs() []pair {
	d := stats.Dice(1)
	whole := func(n int) func() float64 { return func() float64 { return float64(d.Below(n)) } }
	heavy := func() float64 { return math.Exp(3 * normal(&d, 0, 1)()) }
	one := func() float64 { return 7 }
	pairs := []pair{
		{"one row each", []float64{1}, []float64{2}},
		{"one row and many", []float64{0.3}, sampled(30, normal(&d, 0, 1))},
		{"one row and very many", []float64{0.3}, sampled(20_000, normal(&d, 0, 1))},
		{"constants alike", sampled(20, one), sampled(30, one)},
		{"constants apart", sampled(20, one), sampled(30, func() float64 { return 8 })},
		{"a constant and numbers", sampled(40, one), sampled(30, normal(&d, 7, 1))},
		{"the same", sampled(25, normal(&d, 0, 1)), nil},
		{"large integers", sampled(50, func() float64 { return 1e12 + float64(d.Below(1000)) }), sampled(70, func() float64 { return 1e12 + float64(d.Below(900)) })},
		{"small numbers", sampled(50, normal(&d, 0, 1e-9)), sampled(70, normal(&d, 1e-10, 1e-9))},
		{"mostly zero", sampled(300, func() float64 { return float64(d.Below(20) / 19) }), sampled(200, func() float64 { return float64(d.Below(10) / 9) })},
		{"far apart", sampled(60, normal(&d, 0, 1)), sampled(50, normal(&d, 100, 1))},
	}
	pairs[6].B = pairs[6].A
	for _, size := range [][2]int{{2, 2}, {3, 5}, {5, 5}, {7, 12}, {8, 100}, {10, 10}, {15, 20}, {20, 20}, {21, 20}, {24, 24}, {50, 70}, {300, 300}, {999, 1000}, {1000, 2500}, {3000, 10_000}, {10_001, 700}, {12_000, 30_000}} {
		for _, shift := range []float64{0, 0.3} {
			pairs = append(pairs,
				pair{fmt.Sprintf("normal %v %v", size, shift), sampled(size[0], normal(&d, 0, 1)), sampled(size[1], normal(&d, shift, 1+shift/2))},
				pair{fmt.Sprintf("few values %v %v", size, shift), sampled(size[0], whole(5)), sampled(size[1], whole(5+int(shift*4)))},
				pair{fmt.Sprintf("ties %v %v", size, shift), sampled(size[0], whole(40)), sampled(size[1], whole(40+int(shift*20)))},
			)
		}
		pairs = append(pairs, pair{fmt.Sprintf("heavy tails %v", size), sampled(size[0], heavy), sampled(size[1], heavy)})
	}
	return pairs
}

func countPairs() []pair {
	d := stats.Dice(2)
	pairs := []pair{
		{"equal", []float64{10, 20, 30}, []float64{10, 20, 30}},
		{"unseen in the first", []float64{10, 0, 30}, []float64{10, 20, 30}},
		{"vanished", []float64{10, 20, 30}, []float64{10, 20, 0}},
		{"nothing in common", []float64{10, 0}, []float64{0, 30}},
		{"two", []float64{45, 45}, []float64{30, 60}},
		{"two that swap", []float64{90, 60}, []float64{60, 90}},
		{"two large", []float64{400_000, 600_000}, []float64{401_000, 599_000}},
		{"two unequal", []float64{4, 6000}, []float64{9, 3000}},
	}
	for k := 2; k < 60; k += 3 {
		p := pair{Name: fmt.Sprint(k, " categories")}
		for range k {
			p.A = append(p.A, float64(1+d.Below(100)))
			p.B = append(p.B, float64(d.Below(300)))
		}
		pairs = append(pairs, p)
	}
	return pairs
}

func TestTestsEqualSciPys(t *testing.T) {
	cases := scipyCases{Samples: samplePairs(), Counts: countPairs()}
	for _, n := range []int64{1, 2, 3, 10, 50, 100, 139, 140, 141, 500, 5000, 99_999, 200_000, 1_000_000} {
		for _, z := range []float64{0.1, 0.3, 0.45, 0.6, 0.8, 0.868, 1, 1.2, 1.47, 1.49, 1.7, 1.99, 2.01, 2.5, 4} {
			few := z == 0.6 || z == 1.2 || z == 2.5 // SciPy takes seconds for each where n is large
			if d := z / math.Sqrt(float64(n)); d <= 1 && (n < 100_000 || few) {
				cases.Kolmogorov = append(cases.Kolmogorov, kolmogorov{n, d})
			}
		}
	}
	d := stats.Dice(3)
	cases.FDR = [][]float64{{0.01, 0.02, 0.02, 0.9}, {1, 1}, {0}, sampled(100, d.Float)}
	var want scipyResults
	ask(t, "scipy", "scipy_values.py", cases, &want)

	compared, dice := 0, stats.Dice(4)
	check := func(where, test string, want values, got ...float64) {
		t.Helper()
		compared++
		if len(want) == 1 && math.IsNaN(want[0]) {
			// SciPy refuses the samples; the p-value must be undefined.
			if last := got[len(got)-1]; !math.IsNaN(last) {
				t.Errorf("%s: %s is %v, want undefined", where, test, got)
			}
			return
		}
		for i, w := range want {
			if i >= len(got) || !near(got[i], w) {
				t.Errorf("%s: %s is %v, want %v", where, test, got, want)
				return
			}
		}
	}
	for i, c := range cases.Samples {
		a, _ := stats.Sort(slices.Clone(c.A), make([]float64, len(c.A)))
		b, _ := stats.Sort(slices.Clone(c.B), make([]float64, len(c.B)))
		w := want.Samples[i]
		two := func(f func(a, b []float64) (float64, float64)) []float64 { x, y := f(a, b); return []float64{x, y} }
		check(c.Name, "Kolmogorov-Smirnov", w["ks"], two(stats.KolmogorovSmirnov)...)
		check(c.Name, "Mann-Whitney", w["mannwhitney"], two(stats.MannWhitney)...)
		check(c.Name, "Cramér-von Mises", w["cramer"], two(stats.CramerVonMises)...)
		check(c.Name, "Anderson-Darling", w["anderson"], two(stats.AndersonDarling)...)
		check(c.Name, "Epps-Singleton", w["epps"], two(stats.EppsSingleton)...)
		check(c.Name, "Student", w["student"], two(stats.Student)...)
		check(c.Name, "Welch", w["welch"], two(stats.Welch)...)
		check(c.Name, "Wasserstein", w["wasserstein"], stats.Wasserstein(a, b))
		check(c.Name, "energy", w["energy"], stats.Energy(a, b))
		if m, ok := w["mmd"]; ok {
			squared, _ := stats.MMD(a, b, 1, &dice)
			check(c.Name, "maximum mean discrepancy", m, squared)
		}
		low, high := min(a[0], b[0]), max(a[len(a)-1], b[len(b)-1])
		edges := stats.Sturges(low, high, len(a)+len(b), false)
		check(c.Name, "edges", w["edges"], edges...)
		check(c.Name, "bins", w["bins"], stats.Binned(a, edges)...)
	}
	for i, c := range cases.Counts {
		w, counts := want.Counts[i], stats.Counts{A: c.A, B: c.B}
		two := func(f func(c stats.Counts) (float64, float64)) []float64 { x, y := f(counts); return []float64{x, y} }
		check(c.Name, "chi-squared", w["chi2"], two(stats.ChiSquared)...)
		check(c.Name, "G", w["g"], two(stats.GTest)...)
		check(c.Name, "chi-squared of both", w["both"], two(stats.ChiSquaredBoth)...)
		check(c.Name, "Jensen-Shannon", w["jensenshannon"], stats.JensenShannon(counts))
		check(c.Name, "L-infinity", w["chebyshev"], stats.LInfinity(counts))
		check(c.Name, "Hellinger", w["hellinger"], stats.Hellinger(counts))
		variation, _ := stats.TotalVariation(counts, 1, &dice)
		check(c.Name, "total variation", w["variation"], variation)
		if kl, ok := w["kl"]; ok {
			check(c.Name, "Kullback-Leibler", kl, stats.KullbackLeibler(counts))
			check(c.Name, "population stability", w["psi"], stats.PSI(counts))
		}
		if z, ok := w["z"]; ok {
			_, p := stats.TwoProportions(counts)
			check(c.Name, "two proportions", z, p)
		}
		if f, ok := w["fisher"]; ok {
			check(c.Name, "Fisher", f, stats.FisherExact(counts))
		}
	}
	for i, c := range cases.Kolmogorov {
		check(fmt.Sprintf("%+v", c), "distribution of Kolmogorov", want.Kolmogorov[i:i+1], stats.KolmogorovSF(c.N, c.D))
		check(fmt.Sprintf("%+v", c), "distribution of Smirnov", want.Smirnov[i:i+1], stats.SmirnovSF(c.N, c.D))
	}
	for i, p := range cases.FDR {
		check("", "false discovery control", want.FDR[i], stats.BenjaminiHochberg(p)...)
	}
	t.Logf("%d values compared", compared)
}
