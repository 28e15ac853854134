package rollout

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/stats"
)

// pastOf are requests that two versions had in so many seconds, 20 each second, every tenth one of version 2 wrong.
func pastOf(seconds int, wrong float64) []Past {
	d := stats.Dice(21)
	var out []Past
	for i := range 20 * seconds {
		v := 50 + 10*d.Normal()
		r := Past{ID: fmt.Sprint("request ", i), At: began.Add(time.Duration(i) * 50 * time.Millisecond), Version: fmt.Sprint(1 + i%2), Answer: Answer{Milliseconds: 10 + d.Normal(), Prediction: &v}}
		r.Failed = r.Version == "2" && d.Float() < wrong
		out = append(out, r)
	}
	return out
}

func TestAPlanIsTriedOnRequestsOfThePast(t *testing.T) {
	p, err := ParsePlan([]byte("canary: {steps: [{percent: 50, wait: 2m}]}"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		wrong    float64
		versions []string
		want     Outcome
	}{
		"a version that fails":                      {0.2, []string{"1", "2"}, OutcomeRolledBack},
		"a version that does as well":               {0, []string{"1", "2"}, OutcomePromoted},
		"a version against itself":                  {0, []string{"2"}, OutcomePromoted},
		"a version against itself, though it fails": {0.02, []string{"2"}, ""},
	} {
		windows := Windows(pastOf(180, c.wrong), c.versions, time.Second)
		if len(windows) != 180 {
			t.Fatalf("%s: %d windows", name, len(windows))
		}
		s, _, err := Rehearse(Start{At: windows[0].From, Plan: p, Baseline: "a", Candidates: []string{"b"}}, windows)
		if err != nil || c.want != "" && s.Outcome != c.want || s.Outcome == OutcomeRolledBack && c.want != OutcomeRolledBack {
			t.Errorf("%s: %q, %v, %+v", name, s.Outcome, err, s.Last)
		}
	}
}

func TestRequestsOfThePastBecomeWindows(t *testing.T) {
	x := 3.0
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	got := Windows([]Past{
		{ID: "c", At: at(2.5), Version: "2", Answer: Answer{Failed: true, TimedOut: true, Milliseconds: 4}},
		{ID: "a", At: at(0), Version: "1", Answer: Answer{Milliseconds: 2, Prediction: &x}, Values: map[string]float64{"accuracy": 1}},
		{ID: "b", At: at(0.5), Version: "3", Answer: Answer{Milliseconds: 2}},
		{ID: "d", At: at(2.6), Version: "1", Answer: Answer{Milliseconds: 2, Label: "cat"}},
		{ID: "e", At: at(2.7), Version: "2", Answer: Answer{Failed: true, Milliseconds: 4}},
	}, []string{"1", "2"}, time.Second)
	empty := NewArm()
	first := empty
	first.Requests, first.Latency, first.Predictions = 1, Histogram{Bucket(2): 1}, Histogram{Bucket(3): 1}
	first.Values = map[string]Sums{"accuracy": {N: 1, Sum: 1, Squares: 1}}
	third := []Arm{empty, empty}
	third[0].Requests, third[0].Latency, third[0].Labels = 1, Histogram{Bucket(2): 1}, map[string]int64{"cat": 1}
	third[1].Requests, third[1].Errors, third[1].Latency = 2, 2, Histogram{Bucket(4): 1}
	want := []Window{{at(0), at(1), []Arm{first, empty}}, {at(2), at(3), third}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// A century in between makes none.
	if got := Windows([]Past{{At: at(0.2), Version: "1"}, {At: at(3e9), Version: "1"}}, []string{"1"}, time.Second); len(got) != 2 || got[1].From != at(3e9).Add(-800*time.Millisecond) {
		t.Errorf("%+v", got)
	}
}

func TestTimesWithoutRequestsAreRehearsedToo(t *testing.T) {
	p, err := ParsePlan([]byte("metrics: [{name: errors, critical: true}]\ncanary: {steps: [{percent: 50, wait: 5m, min_samples: 1000}], extensions: 1, on_inconclusive: rollback}"))
	if err != nil {
		t.Fatal(err)
	}
	night := began.Add(7 * 24 * time.Hour)
	windows := Windows([]Past{{ID: "a", At: began, Version: "1"}, {ID: "b", At: night, Version: "2"}}, []string{"1", "2"}, time.Second)
	s, events, err := Rehearse(Start{At: began, Plan: p, Baseline: "1", Candidates: []string{"2"}}, windows)
	if err != nil || s.Outcome != OutcomeRolledBack || len(events) > 100 {
		t.Fatalf("%q, %d events, %v", s.Outcome, len(events), err)
	}
	if end := events[len(events)-1].At; end.Sub(began) > time.Hour {
		t.Errorf("it is decided at %v: %s", end, s.Reason)
	}
	if c, err := Verify(events); err != nil || len(c.Differences) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
