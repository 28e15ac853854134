package stats_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"levada/internal/core/stats"
)

func sorted(v []float64) []float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v
}

// The expected values are R's (wilcox.test with conf.int = TRUE), to the 1e-4 to which its solver goes.
func TestShiftsAreThoseOfR(t *testing.T) {
	b, err := os.ReadFile("testdata/mannwhitney_intervals.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Intervals []struct {
			Name                            string
			X, Y                            []float64
			Confidence, Low, High, Estimate float64
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Intervals) < 5 {
		t.Fatalf("%d intervals in the file", len(file.Intervals))
	}
	for _, c := range file.Intervals {
		got := stats.HodgesLehmann(sorted(c.X), sorted(c.Y), c.Confidence)
		for name, pair := range map[string][2]float64{"estimate": {got.Estimate, c.Estimate}, "low": {got.Low, c.Low}, "high": {got.High, c.High}} {
			if math.Abs(pair[0]-pair[1]) > 2e-4 {
				t.Errorf("%s: %s is %v, want %v", c.Name, name, pair[0], pair[1])
			}
		}
	}
}

// slowShift is the exact interval by making all differences and all orders' counts.
func slowShift(x, y []float64, confidence float64) stats.Interval {
	var d []float64
	for _, a := range x {
		for _, b := range y {
			d = append(d, a-b)
		}
	}
	slices.Sort(d)
	m, n := len(x), len(y)
	// counts[u] is in how many orders U is u: by the first element of either sample being the largest.
	memo := map[[3]int]float64{}
	var counts func(m, n, u int) float64
	counts = func(m, n, u int) float64 {
		switch {
		case u < 0:
			return 0
		case m == 0 || n == 0:
			if u == 0 {
				return 1
			}
			return 0
		}
		key := [3]int{m, n, u}
		if v, ok := memo[key]; ok {
			return v
		}
		v := counts(m-1, n, u-n) + counts(m, n-1, u)
		memo[key] = v
		return v
	}
	all := 0.0
	for u := range m*n + 1 {
		all += counts(m, n, u)
	}
	k, sum := 0, counts(m, n, 0)
	for sum/all < (1-confidence)/2 {
		k++
		sum += counts(m, n, k)
	}
	k = max(k, 1)
	middle := (d[(len(d)-1)/2] + d[len(d)/2]) / 2
	return stats.Interval{Estimate: middle, Low: d[k-1], High: d[len(d)-k]}
}

func TestExactShiftsAreThoseOfAllPairsAndOrders(t *testing.T) {
	d := stats.Dice(1)
	for range 300 {
		x, y := make([]float64, 1+d.Below(12)), make([]float64, 1+d.Below(12))
		for i := range x {
			x[i] = d.Normal() + 0.5
		}
		for i := range y {
			y[i] = d.Normal()
		}
		x, y = sorted(x), sorted(y)
		got, want := stats.HodgesLehmann(x, y, 0.9), slowShift(x, y, 0.9)
		for _, pair := range [][2]float64{{got.Estimate, want.Estimate}, {got.Low, want.Low}, {got.High, want.High}} {
			if math.Abs(pair[0]-pair[1]) > 1e-9 {
				t.Fatalf("%v and %v: got %+v, want %+v", x, y, got, want)
			}
		}
	}
}

func TestTheShiftMovesWithTheSampleAndTurnsWithTheSign(t *testing.T) {
	d := stats.Dice(2)
	for _, size := range []int{8, 60, 300} {
		x, y := make([]float64, size), make([]float64, size+3)
		for i := range x {
			x[i] = math.Round(d.Normal()*8) / 8
		}
		for i := range y {
			y[i] = math.Round(d.Normal()*8) / 8
		}
		x, y = sorted(x), sorted(y)
		one := stats.HodgesLehmann(x, y, 0.98)
		moved := slices.Clone(x)
		for i := range moved {
			moved[i] += 4
		}
		two, back := stats.HodgesLehmann(moved, y, 0.98), stats.HodgesLehmann(y, x, 0.98)
		if two.Low != one.Low+4 || two.High != one.High+4 || two.Estimate != one.Estimate+4 {
			t.Errorf("%d values: %+v, moved by 4 %+v", size, one, two)
		}
		if back.Low != -one.High || back.High != -one.Low || back.Estimate != -one.Estimate {
			t.Errorf("%d values: %+v, exchanged %+v", size, one, back)
		}
	}
}

// An interval of 90 % holds the true shift in at least 90 % of samples; with ties in more.
func TestIntervalsOfShiftsHoldTheTrueOne(t *testing.T) {
	d := stats.Dice(3)
	for _, c := range []struct {
		size  int
		round float64
	}{{10, 0}, {60, 0}, {60, 4}} {
		held, runs := 0, 2000
		for range runs {
			x, y := make([]float64, c.size), make([]float64, c.size)
			for i := range x {
				x[i], y[i] = d.Normal()+0.25, d.Normal()
				if c.round > 0 {
					x[i], y[i] = math.Round(x[i]*c.round)/c.round, math.Round(y[i]*c.round)/c.round
				}
			}
			if i := stats.HodgesLehmann(sorted(x), sorted(y), 0.9); i.Low <= 0.25 && i.High >= 0.25 {
				held++
			}
		}
		if share := float64(held) / float64(runs); share < 0.88 || share > 0.99 {
			t.Errorf("%+v: %.3f of the intervals hold the shift", c, share)
		}
	}
}

func TestShiftsOfOddSamples(t *testing.T) {
	if i := stats.HodgesLehmann(nil, []float64{1}, 0.98); !math.IsNaN(i.Estimate) {
		t.Errorf("without values: %+v", i)
	}
	ones, tens := []float64{1, 1, 1, 1, 1}, []float64{10, 10, 10, 10, 10}
	if i := stats.HodgesLehmann(tens, ones, 0.95); i != (stats.Interval{Estimate: 9, Low: 9, High: 9}) {
		t.Errorf("constants: %+v", i)
	}
	if i := stats.HodgesLehmann(ones, ones, 0.95); i != (stats.Interval{}) {
		t.Errorf("the same constants: %+v", i)
	}
	if got := stats.CommonLanguage([]float64{2, 3}, []float64{1, 2}); got != 0.875 {
		t.Errorf("common language effect size %v", got)
	}
}
