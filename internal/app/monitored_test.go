package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/observe"
	"levada/internal/core/rollout"
)

func TestReportsOfMonitorsAsRolloutsSeeThem(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		result observe.Result
		want   rollout.Finding
	}{
		{observe.Result{Kind: observe.Drift, Passed: true, Rows: 9, Compared: 4, Failed: 1, Columns: []observe.Column{{Name: "a", Drifted: true}, {Name: "b"}}},
			rollout.Finding{Verdict: rollout.Pass, Rows: 9, Reason: "1 of 4 columns have drifted: a"}},
		{observe.Result{Kind: observe.Drift, Compared: 2, Failed: 2, Columns: []observe.Column{{Name: "a", Drifted: true}, {Name: "b", Drifted: true}}},
			rollout.Finding{Verdict: rollout.Fail, Reason: "2 of 2 columns have drifted: a, b"}},
		{observe.Result{Kind: observe.Drift, Passed: true, NotJudged: "too few rows"}, rollout.Finding{Verdict: rollout.NoData, Reason: "too few rows"}},
		{observe.Result{Kind: observe.Check, Compared: 3, Failed: 1, Expectations: []observe.Expectation{{Column: "age", Statement: "not null"}, {Statement: "10 rows", Passed: true}}},
			rollout.Finding{Verdict: rollout.Fail, Reason: "1 of 3 expectations do not hold: age: not null"}},
	} {
		c.want.Monitor, c.want.At, c.want.Run = "asked", at, "r"
		got := findingOf("asked", observe.Stored{Result: c.result, RunID: "r", At: at})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Error(diff)
		}
	}
}
