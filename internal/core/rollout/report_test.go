package rollout

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
)

const reported = `
metrics: [{name: errors, critical: true}, {name: latency, critical: true}, {name: conversion, measure: rate, better: higher}]
canary: {steps: [{percent: 20, wait: 30s}]}
experiment: {percent: 50, decide: [{metric: conversion, minimum_effect: 0.02}], max_samples: 4000}
watch: {duration: 20s, window: 10s}
`

// record is that of what a world has seen.
func (w *world) record() Record {
	return Record{ID: "a", Endpoint: "flights", Model: "<b>m", Baseline: w.state.Arms[0], Candidates: w.state.Arms[1:], StartedAt: began, Outcome: w.state.Outcome, Reason: w.state.Reason}
}

// throughJSON is what an export gives to who reads it.
func throughJSON(t *testing.T, r Report) Report {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out Report
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAReportHasWhatEachStageSawAndIsConfirmed(t *testing.T) {
	better := healthy
	better.conversion = 0.2
	w := newWorld(t, reported, 5, healthy, better)
	w.run(t, 10*time.Minute)
	if w.state.Outcome != OutcomePromoted {
		t.Fatalf("%s: %s", w.state.Outcome, w.state.Reason)
	}
	report, err := NewReport(w.record(), w.events)
	if err != nil {
		t.Fatal(err)
	}
	report = throughJSON(t, report)
	var names []string
	for _, s := range report.Stages {
		names = append(names, s.Name)
		if len(s.Arms) != 2 || s.Arms[1].Requests == 0 || s.Latency == nil || s.Predictions == nil {
			t.Errorf("%s: %+v", s.Name, s)
		}
		for _, trail := range s.Trails {
			last := trail.Points[len(trail.Points)-1]
			if len(trail.Points) > mostPoints+1 || last.Candidate == nil || last.Candidate.Value == nil {
				t.Errorf("%s of %s: %d points, last %+v", trail.Label, s.Name, len(trail.Points), last)
			}
		}
	}
	if want := []string{"step 1 of the canary", "the experiment", "block 1 of the watch", "block 2 of the watch"}; !slices.Equal(names, want) {
		t.Errorf("stages %q, want %q", names, want)
	}
	// At the beginning nothing was seen: lists are empty then, and not null.
	begun, err := NewReport(w.record(), w.events[:2])
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(begun.Stages); err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s, %v", text, err)
	}
	trial := report.Stages[1].Trails[2]
	last := trial.Points[len(trial.Points)-1]
	if trial.PTest != "mixture_sprt" || last.P == nil || *last.P > 0.05 || last.Effect == nil || *last.Effect.High > 0 {
		t.Errorf("the experiment's trail ends at %+v", last)
	}
	// The last point says what the judgement said.
	canary := report.Stages[0]
	for _, e := range report.Events {
		if e.Type != Judged || *e.Stage != canary.Stage {
			continue
		}
		for i, v := range e.Evidence {
			at := canary.Trails[i].Points[len(canary.Trails[i].Points)-1]
			if !(alike(*v.Estimate, *at.Effect.Value) && alike(*v.Low, *at.Effect.Low) && alike(*v.Candidate.Value, *at.Candidate.Value)) {
				t.Errorf("%s was judged %+v, and its trail ends at %+v", v.Metric, v, at.Effect)
			}
		}
	}
	checked, err := Verify(report.Events)
	if err != nil || len(checked.Differences) > 0 || checked.Decisions < 6 || checked.Windows < 50 {
		t.Errorf("%+v, %v", checked, err)
	}
}

func TestAReportThatGrowsIsTheOneThatIsMadeAtOnce(t *testing.T) {
	w := newWorld(t, reported, 5, healthy, healthy)
	w.run(t, 10*time.Minute)
	grown := NewReporter()
	var before Report
	var said Report
	for i, e := range w.events {
		if err := grown.Add(e); err != nil {
			t.Fatal(err)
		}
		if i%7 > 0 && i < len(w.events)-1 {
			continue
		}
		after := grown.Report(w.record())
		whole, err := NewReport(w.record(), w.events[:i+1])
		if err != nil {
			t.Fatal(err)
		}
		whole.Events = nil
		a, b := throughJSON(t, after), throughJSON(t, whole)
		if diff := cmp.Diff(b, a); diff != "" {
			t.Fatalf("after event %d: %s", i, diff)
		}
		if i > 0 && !cmp.Equal(said, throughJSON(t, before)) {
			t.Fatalf("event %d has changed a report that was made before", i)
		}
		before, said = after, a
	}
}

func TestARolledBackVersionIsReportedWithItsReason(t *testing.T) {
	slow := healthy
	slow.latency = 40
	w := newWorld(t, reported, 6, healthy, slow)
	w.run(t, time.Minute)
	report, err := NewReport(w.record(), w.events)
	if err != nil {
		t.Fatal(err)
	}
	stage := report.Stages[len(report.Stages)-1]
	if report.Outcome != OutcomeRolledBack || stage.Verdict != Fail || !strings.Contains(stage.Reason, "latency") {
		t.Fatalf("%s, %s: %s", report.Outcome, stage.Verdict, stage.Reason)
	}
	guard := stage.Trails[1]
	if p := guard.Points[len(guard.Points)-1].P; guard.PTest != "guard" || *p > *guard.Level {
		t.Errorf("the guard rolled back at p = %v, its level is %v", *p, *guard.Level)
	}
	var page bytes.Buffer
	if err := WritePage(&page, throughJSON(t, report)); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for _, want := range []string{"Rolled back because latency got worse", "<svg", "&lt;b&gt;m", "default-src &#39;none&#39;", "decided below", "Harm by the 0.95 quantile of latency", "tolerance"} {
		if !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "<b>m", "http://", "https://", "NaN"} {
		if strings.Contains(text, never) {
			t.Errorf("the page has %q", never)
		}
	}
	checked, err := Verify(throughJSON(t, report).Events)
	if err != nil || len(checked.Differences) > 0 {
		t.Errorf("%+v, %v", checked, err)
	}
}

func TestABanditsChancesAreReportedAndConfirmed(t *testing.T) {
	good := healthy
	good.conversion = 0.3
	w := newWorld(t, `{metrics: [{name: conversion, measure: rate, better: higher}], bandit: {reward: conversion, every: 2s, min_samples: 1200}}`, 7, healthy, good, healthy)
	w.run(t, 10*time.Minute)
	if w.state.Arm != "2" {
		t.Fatalf("%s: %s", w.state.Outcome, w.state.Reason)
	}
	report, err := NewReport(w.record(), w.events)
	if err != nil {
		t.Fatal(err)
	}
	stage := throughJSON(t, report).Stages[0]
	best := 0.0
	for _, p := range stage.Trails[0].Points {
		if p.Chance != nil {
			best = *p.Chance
		}
	}
	if len(stage.Trails) != 2 || len(stage.Shares) < 2 || best < 0.5 {
		t.Errorf("%d trails, %d shares, chance %v", len(stage.Trails), len(stage.Shares), best)
	}
	if checked, err := Verify(throughJSON(t, report).Events); err != nil || len(checked.Differences) > 0 {
		t.Errorf("%+v, %v", checked, err)
	}
}

func TestWhatWasChangedAfterwardsIsFound(t *testing.T) {
	broken := healthy
	broken.errors = 0.1
	w := newWorld(t, reported, 8, healthy, broken)
	w.run(t, time.Minute)
	report, err := NewReport(w.record(), w.events)
	if err != nil {
		t.Fatal(err)
	}
	change := func(what string, f func([]Event) []Event, want string) {
		t.Helper()
		c, err := Verify(f(throughJSON(t, report).Events))
		if err != nil || len(c.Differences) == 0 || !strings.Contains(strings.Join(c.Differences, "\n"), want) {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	back := slices.IndexFunc(report.Events, func(e Event) bool { return e.Type == RolledBack })
	change("a decision that was left out", func(l []Event) []Event { return slices.Delete(l, back, back+2) }, "was not decided")
	change("a decision that was not due", func(l []Event) []Event {
		seen := slices.IndexFunc(l, func(e Event) bool { return e.Type == Observed })
		return append(slices.Clone(l[:seen+1]), l[back:]...)
	}, "does not follow")
	change("other evidence", func(l []Event) []Event { *l[back].Evidence[0].Low += 0.01; return l }, "from what was observed follows")
	change("errors that were taken away", func(l []Event) []Event {
		for _, e := range l {
			if e.Window != nil {
				e.Window.Arms[1].Errors = 0
			}
		}
		return l
	}, "does not follow")
	if _, err := Verify(slices.DeleteFunc(slices.Clone(report.Events), func(e Event) bool { return e.Type == Observed })); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without windows: %v", err)
	}
	if _, err := Verify(nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without events: %v", err)
	}
}

func TestWhatPeopleDidIsNoDifference(t *testing.T) {
	w := newWorld(t, reported, 9, healthy, healthy)
	step := func(c Command) {
		w.do(t, c)
		w.run(t, 5*time.Second)
	}
	w.run(t, 5*time.Second)
	step(Pause{At: w.at, By: "ada"})
	step(Resume{At: w.at, By: "ada"})
	step(Promote{At: w.at, By: "ada", Reason: "it is late"})
	step(Abort{At: w.at, Reason: "it is later"})
	c, err := Verify(w.events)
	if err != nil || len(c.Differences) > 0 || c.ByHand != 4 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestARollbackThatNothingCausedIsNotConfirmed(t *testing.T) {
	w := newWorld(t, reported, 9, healthy, healthy)
	w.run(t, 5*time.Second)
	back := Event{Type: RolledBack, At: w.at, Traffic: &Traffic{Shares: []float64{0, 0}, Rest: 100}, Outcome: OutcomeRolledBack, Reason: "it was worse"}
	forged := append(slices.Clone(w.events), back, Event{Type: Finished, At: w.at, Outcome: OutcomeRolledBack, Reason: "it was worse"})
	if c, err := Verify(forged); err != nil || len(c.Differences) == 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWhatPeopleDecideCarriesTheEvidenceOfThatMomentAndIsConfirmed(t *testing.T) {
	for name, command := range map[string]func(w *world) Command{
		"abort":                     func(w *world) Command { return Abort{At: w.at, By: "ada", Reason: "it is late"} },
		"promote":                   func(w *world) Command { return Promote{At: w.at, By: "ada"} },
		"a version that is broken":  func(w *world) Command { return Broken{At: w.at, Arm: "2", Reason: "it died"} },
		"a baseline that is broken": func(w *world) Command { return Broken{At: w.at, Arm: "1", Reason: "it died"} },
	} {
		w := newWorld(t, reported, 9, healthy, healthy)
		w.run(t, 5*time.Second)
		did := w.do(t, command(w))[0]
		report, err := NewReport(w.record(), w.events)
		if err != nil {
			t.Fatal(err)
		}
		events := throughJSON(t, report).Events
		if c, err := Verify(events); err != nil || len(c.Differences) > 0 || c.ByHand != 1 || len(c.Asked) != 1 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		if did.Type == PausedEvent {
			continue
		}
		if len(did.Evidence) == 0 || did.Evidence[0].Candidate.N == 0 {
			t.Errorf("%s: no evidence: %+v", name, did)
		}
		at := slices.IndexFunc(events, func(e Event) bool { return e.Type == did.Type })
		events[at].Evidence[0].Candidate.N++
		if c, err := Verify(events); err != nil || len(c.Differences) == 0 {
			t.Errorf("%s with other evidence: %+v, %v", name, c, err)
		}
	}
}

func TestWhatEarlierRulesHaveDecidedIsNoDifference(t *testing.T) {
	w := newWorld(t, canaryPlan, 31, healthy, healthy)
	w.run(t, 10*time.Minute)
	if w.events[0].Rules != Rules {
		t.Errorf("rules %d", w.events[0].Rules)
	}
	earlier := slices.Clone(w.events)
	earlier[0].Rules = 0 // as events of before had none
	if c, err := Verify(earlier); err != nil || c.Rules != 1 || c.Unlike != "" || len(c.Differences) > 0 {
		t.Errorf("the same follows: %+v, %v", c, err)
	}
	last := len(earlier) - 1
	earlier[last].Outcome = OutcomeKept
	if c, err := Verify(earlier); err != nil || c.Unlike == "" || len(c.Differences) > 0 {
		t.Errorf("something else follows: %+v, %v", c, err)
	}
	earlier[0].Rules = Rules
	if c, err := Verify(earlier); err != nil || c.Unlike != "" || len(c.Differences) == 0 {
		t.Errorf("something else follows by the same rules: %+v, %v", c, err)
	}
}
