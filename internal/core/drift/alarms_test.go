package drift

import (
	"fmt"
	"strings"
	"testing"

	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// alarm is how often a method says drift where there is none, for what docs/drift.md states.
type alarm struct {
	method    string
	rows      int
	numbers   bool
	threshold float64
	// low and high bound the rate that was measured, with some room for chance.
	low, high float64
}

// TestFalseAlarmsAreAsDocumented draws both tables from the same distribution, many times, and counts. P-values are held to 5 %, and
// distances to their default limits.
func TestFalseAlarmsAreAsDocumented(t *testing.T) {
	const trials = 1000
	for _, a := range []alarm{
		{"ks", 500, true, 0.05, 0.02, 0.07},
		{"cramer_von_mises", 500, true, 0.05, 0.03, 0.07},
		{"anderson", 500, true, 0.05, 0.03, 0.07},
		{"es", 500, true, 0.05, 0.03, 0.07},
		{"mannw", 500, true, 0.05, 0.03, 0.07},
		{"t_test", 500, true, 0.05, 0.03, 0.07},
		{"welch", 500, true, 0.05, 0.03, 0.07},
		{"empirical_mmd", 50, true, 0.05, 0.02, 0.09},
		{"wasserstein", 500, true, 0.1, 0.15, 0.27},
		{"wasserstein", 5000, true, 0.1, 0, 0.001},
		{"ed", 500, true, 0.1, 0.05, 0.11},
		{"jensenshannon", 500, true, 0.1, 0.01, 0.06},
		{"jensenshannon", 5000, true, 0.1, 0, 0.001},
		{"psi", 500, true, 0.1, 0, 0.04},
		{"hellinger", 500, true, 0.1, 0.04, 0.1},
		{"kl_div", 500, true, 0.1, 0, 0.01},
		// These take the reference's shares as known, though they are estimated from as many rows: twice the variance.
		{"chisquare", 500, false, 0.05, 0.25, 0.37},
		{"g_test", 500, false, 0.05, 0.25, 0.37},
		{"chi2_contingency", 500, false, 0.05, 0.03, 0.07},
		{"TVD", 500, false, 0.05, 0.02, 0.08},
		{"jensenshannon", 500, false, 0.1, 0, 0.01},
		{"psi", 500, false, 0.1, 0, 0.01},
		{"l_infinity", 500, false, 0.1, 0, 0.01},
		{"z", 500, false, 0.05, 0.03, 0.07},
		{"fisher_exact", 500, false, 0.05, 0.02, 0.07},
	} {
		t.Run(fmt.Sprint(a.method, " ", a.rows), func(t *testing.T) {
			t.Parallel()
			d := stats.Dice(99)
			categories := 5
			if a.method == "z" || a.method == "fisher_exact" {
				categories = 2
			}
			n := trials
			if a.method == "TVD" || a.method == "empirical_mmd" || a.rows > 1000 {
				n /= 4
			}
			drawn := func() table.Memory {
				if a.numbers {
					return columns(map[string]any{"x": many(a.rows, func(int) float64 { return gauss(&d) })}, "x")
				}
				return columns(map[string]any{"x": many(a.rows, func(int) string { return strings.Repeat("c", 1+d.Below(categories)) })}, "x")
			}
			alarms := 0
			for i := range n {
				r := compare(t, drawn(), drawn(), Options{Methods: map[string]string{"x": a.method}, Thresholds: map[string]float64{"x": a.threshold}, Seed: uint64(i)})
				if r.Columns[0].Drifted {
					alarms++
				}
			}
			rate := float64(alarms) / float64(n)
			t.Logf("%s, %d rows, numbers %v: %.1f %% false alarms", a.method, a.rows, a.numbers, 100*rate)
			if rate < a.low || rate > a.high {
				t.Errorf("%v of %d trials are alarms, want %v to %v", rate, n, a.low, a.high)
			}
		})
	}
}
