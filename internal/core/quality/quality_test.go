package quality_test

import (
	"encoding/json"
	"math"
	"testing"

	"levada/internal/core/quality"
	"levada/internal/core/reqlog"
)

func TestAnInfinitePredictionLeavesOutMeasuresAndNotTheReport(t *testing.T) {
	pair := func(x, y float64) quality.Pair {
		return quality.Pair{Predicted: reqlog.Value{Number: x}, Actual: reqlog.Value{Number: y}}
	}
	tests := []struct {
		extra quality.Pair
		want  []string
	}{
		{pair(1, 2), []string{"mae", "rmse", "bias"}},
		{pair(math.Inf(1), 2), nil},
		{pair(1e100, 2), []string{"mae", "bias"}}, // the fourth power is infinite
	}
	for _, tt := range tests {
		got := quality.Measure(quality.Numbers, []quality.Pair{pair(1.5, 1), pair(2.5, 4), tt.extra})
		if text, err := json.Marshal(got); err != nil {
			t.Errorf("%v: %v", tt.extra, err)
		} else if len(got) != len(tt.want) {
			t.Errorf("%v: %s", tt.extra, text)
		}
	}
	// A third of what is measured is known by heart: errors 0.5, -1.5, -1.
	got := quality.Measure(quality.Numbers, []quality.Pair{pair(1.5, 1), pair(2.5, 4), pair(1, 2)})
	if math.Abs(got[0].Value-1) > 1e-12 || math.Abs(got[1].Value-math.Sqrt(3.5/3)) > 1e-12 || math.Abs(got[2].Value+2.0/3) > 1e-12 {
		t.Errorf("%+v", got)
	}
}
