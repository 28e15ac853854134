package rollout

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

type classifierCase struct {
	Name                  string
	Experiment, Control   []float64
	Tolerance, Confidence float64
	Effect                [2]float64
	Measure, Direction    string
	Replace               bool
	Classification        string
}

// classify answers as Kayenta's classifier: the same comparison, with its thresholds of the effect.
func classify(c classifierCase) string {
	x, y := slices.Sorted(slices.Values(c.Experiment)), slices.Sorted(slices.Values(c.Control))
	if len(x) == 0 || len(y) == 0 {
		if c.Replace {
			return "Pass"
		}
		return "Nodata"
	}
	i, effect := shift(x, y, c.Confidence)
	high := decide(Lower, i, effect, c.Tolerance, c.Effect[1]-1) == Fail
	low := decide(Lower, harm(Higher, i), -effect, c.Tolerance, 1-c.Effect[0]) == Fail
	switch {
	case high && c.Direction != "Decrease":
		return "High"
	case low && c.Direction != "Increase":
		return "Low"
	}
	return "Pass"
}

// Samples and answers are those of the tests of Kayenta's judge.
func TestShiftsAreClassifiedAsKayentaDoes(t *testing.T) {
	b, err := os.ReadFile("testdata/classifier_cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []classifierCase }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, c := range file.Cases {
		if c.Classification == "" || c.Measure != "meanRatio" {
			continue // those ask for a reason in words, or for another measure of the effect
		}
		seen[c.Classification]++
		if got := classify(c); got != c.Classification {
			t.Errorf("%s: %s, want %s", c.Name, got, c.Classification)
		}
	}
	if seen["High"] < 8 || seen["Low"] < 3 || seen["Pass"] < 10 || seen["Nodata"] < 2 {
		t.Errorf("cases: %v", seen)
	}
}
