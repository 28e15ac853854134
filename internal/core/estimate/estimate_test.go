package estimate

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

func TestChunksCoverAllRows(t *testing.T) {
	if d := cmp.Diff([]Span{{"[0:3]", 0, 4}, {"[4:7]", 4, 8}, {"[8:9]", 8, 10}}, BySize(10, 4)); d != "" {
		t.Error(d)
	}
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	times := []time.Time{day("2026-01-30"), day("2026-01-31"), day("2026-02-01"), day("2026-02-02"), day("2026-02-02")}
	for period, want := range map[Period][]Span{
		Monthly: {{"2026-01", 0, 2}, {"2026-02", 2, 5}},
		Weekly:  {{"2026-W05", 0, 3}, {"2026-W06", 3, 5}},
		Daily:   {{"2026-01-30", 0, 1}, {"2026-01-31", 1, 2}, {"2026-02-01", 2, 3}, {"2026-02-02", 3, 5}},
	} {
		got, err := ByPeriod(times, period)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Error(period, d, err)
		}
	}
	if _, err := ByPeriod([]time.Time{times[1], times[0]}, Daily); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

func TestIsotonicPoolsWhatIsOutOfOrder(t *testing.T) {
	f := NewIsotonic([]float64{0.4, 0.1, 0.2, 0.3, 0.3}, []float64{1, 0, 1, 0, 0})
	for score, want := range map[float64]float64{0: 0, 0.1: 0, 0.15: 1.0 / 6, 0.2: 1.0 / 3, 0.3: 1.0 / 3, 0.35: 2.0 / 3, 0.4: 1, 9: 1} {
		if got := f.At(score); math.Abs(got-want) > 1e-12 {
			t.Errorf("at %v: %v, want %v", score, got, want)
		}
	}
}

// drawnScores are rows whose scores are too sure of themselves. In the second half of rows hard ones are more frequent, if harder.
func drawnScores(d *stats.Dice, n int, harder bool) Scores {
	s := Scores{Class: make([][]float64, 1)}
	for i := range n {
		p := d.Float() // the true chance
		if harder && i >= n/2 {
			p = 0.35 + 0.3*d.Float()
		}
		logit := 3 * math.Log(p/(1-p))
		s.Class[0] = append(s.Class[0], 1/(1+math.Exp(-logit)))
		label := 0
		if d.Float() < p {
			label = 1
		}
		s.True = append(s.True, label)
	}
	return s
}

func TestTheEstimateOfAClassifierFollowsWhatIsRealized(t *testing.T) {
	d := stats.Dice(1)
	ref, cur := drawnScores(&d, 20_000, false), drawnScores(&d, 10_000, true)
	results, err := Classifier(ref, cur, BySize(20_000, 2000), BySize(10_000, 1000))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		for i, f := range r.Current {
			if off := math.Abs(f.Estimated - f.Realized); off > 0.06 {
				t.Errorf("%s of chunk %d: estimated %v, realized %v", r.Metric, i, f.Estimated, f.Realized)
			}
			if r.Metric == "accuracy" && f.Alert != (i >= 5) {
				t.Errorf("chunk %d: accuracy %v, usual is %v to %v, alert %v", i, f.Estimated, r.Low, r.High, f.Alert)
			}
		}
	}
	cur.True = nil
	if results, err = Classifier(ref, cur, BySize(20_000, 2000), BySize(10_000, 1000)); err != nil || !math.IsNaN(results[0].Current[0].Realized) {
		t.Errorf("without labels: %v, %v", results[0].Current[0], err)
	}
}

func TestBadScoresAreInvalid(t *testing.T) {
	good := Scores{Class: [][]float64{{0.1, 0.9}}, True: []int{0, 1}}
	for name, bad := range map[string]Scores{
		"none": {}, "no labels": {Class: good.Class}, "a gap": {Class: [][]float64{{0.1, math.NaN()}}, True: good.True},
		"few labels": {Class: good.Class, True: []int{1}}, "an unknown class": {Class: good.Class, True: []int{0, 2}},
		"classes of two lengths": {Class: [][]float64{{0.1, 0.9}, {0.9}}, Predicted: good.True, True: good.True}, "no predictions": {Class: [][]float64{{1, 0}, {0, 1}}, True: good.True},
	} {
		if _, err := Classifier(bad, good, BySize(2, 1), BySize(2, 1)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Regression(Predictions{}, Predictions{}, nil, nil); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

func TestTheEstimateOfErrorsFollowsWhatIsRealized(t *testing.T) {
	d := stats.Dice(2)
	drawn := func(n int, low float64) Predictions {
		p := Predictions{Features: make([][]float64, 1)}
		for range n {
			x := low + (1-low)*d.Float()
			p.Features[0] = append(p.Features[0], x)
			p.Predicted = append(p.Predicted, 10*x)
			p.True = append(p.True, 10*x+(d.Float()-0.5)*(1+9*x))
		}
		return p
	}
	ref, cur := drawn(10_000, 0), drawn(2000, 0.8)
	results, err := Regression(ref, cur, BySize(10_000, 1000), BySize(2000, 500))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Metric == "mape" || r.Metric == "msle" || r.Metric == "rmsle" {
			continue // errors that no feature explains well: true values near 0
		}
		for _, f := range r.Current {
			if math.Abs(f.Estimated/f.Realized-1) > 0.1 || !f.Alert {
				t.Errorf("%s: estimated %v, realized %v, alert %v", r.Metric, f.Estimated, f.Realized, f.Alert)
			}
		}
	}
}
