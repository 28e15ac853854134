package rollout

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// behaviour is what a version does: the chance of an error, the median of its latency in milliseconds, the mean of its predictions and the
// chance of a conversion.
type behaviour struct {
	errors, latency, prediction, conversion float64
	requests                                int // for each second and percent of traffic
}

var healthy = behaviour{errors: 0.002, latency: 10, prediction: 50, conversion: 0.1, requests: 4}

// world makes windows. Latency has a part that both versions share at any time, and one of each version.
type world struct {
	dice   stats.Dice
	arms   []behaviour
	at     time.Time
	load   float64
	events []Event
	state  *State
}

func newWorld(t testing.TB, plan string, seed uint64, arms ...behaviour) *world {
	t.Helper()
	p, err := ParsePlan([]byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{dice: stats.Dice(seed), arms: arms, at: began, state: New()}
	names := []string{"1", "2", "3", "4"}[:len(arms)]
	w.do(t, Start{At: began, Plan: p, Baseline: names[0], Candidates: names[1:], Seed: seed, By: "ada"})
	return w
}

func (w *world) do(t testing.TB, c Command) []Event {
	t.Helper()
	events, err := Advance(w.state, c)
	if err != nil {
		t.Fatal(err)
	}
	w.events = append(w.events, events...)
	return events
}

// observe makes a window of what the traffic of the moment is.
func (w *world) observe(length time.Duration) Window {
	out := Window{From: w.at, To: w.at.Add(length)}
	w.load = 0.8*w.load + 0.1*w.dice.Normal()
	for i, b := range w.arms {
		share := w.state.Traffic.Shares[i]
		if i == 1 && w.state.Traffic.Mirror > 0 {
			share = w.state.Traffic.Mirror
		}
		own := 0.05 * w.dice.Normal()
		a := Arm{Latency: Histogram{}, Predictions: Histogram{}, Values: map[string]Sums{}}
		var conversion Sums
		for range int(share*float64(b.requests)*length.Seconds() + w.dice.Float()) {
			a.Requests++
			if w.dice.Float() < b.errors {
				a.Errors++
				continue
			}
			a.Latency.Add(b.latency * math.Exp(w.load+own+0.3*w.dice.Normal()))
			a.Predictions.Add(b.prediction + 10*w.dice.Normal())
			conversion.Add(float64(count(w.dice.Float() < b.conversion)))
		}
		a.Values["conversion"] = conversion
		out.Arms = append(out.Arms, a)
	}
	w.at = out.To
	return out
}

// run goes on until the rollout has ended, is paused, or a time has passed.
func (w *world) run(t testing.TB, most time.Duration) {
	t.Helper()
	end := w.at.Add(most)
	step := time.Duration(w.state.Plan.Interval)
	for !w.state.Done() && !w.state.Paused && w.at.Before(end) {
		w.do(t, Observe{w.observe(step)})
		w.do(t, Tick{w.at})
	}
}

// kinds are the types of the events but windows.
func (w *world) kinds() string {
	var out []string
	for _, e := range w.events {
		if e.Type != Observed {
			out = append(out, strings.TrimPrefix(string(e.Type), "rollout_"))
		}
	}
	return strings.Join(out, " ")
}

const canaryPlan = `
canary: {steps: [{percent: 5, wait: 40s}, {percent: 25, wait: 20s}, {percent: 50, wait: 20s}]}
`

func TestAVersionThatIsAsGoodGoesThroughAllStepsAndIsPromoted(t *testing.T) {
	w := newWorld(t, canaryPlan+"watch: {duration: 60s, window: 30s}", 1, healthy, healthy)
	w.run(t, 10*time.Minute)
	want := "started stage_started judged stage_started judged stage_started judged promoted stage_started stage_started finished"
	if w.kinds() != want {
		t.Errorf("events: %s\nwant:   %s", w.kinds(), want)
	}
	if w.state.Outcome != OutcomePromoted || w.state.Arm != "2" || w.state.Traffic.Shares[1] != 100 {
		t.Errorf("%+v", w.state)
	}
	for _, e := range w.events {
		if e.Type != Judged {
			continue
		}
		if len(e.Evidence) != 3 {
			t.Fatalf("evidence: %+v", e.Evidence)
		}
		for _, v := range e.Evidence {
			if v.Verdict != Pass || v.Reason == "" || v.Estimate == nil || v.High == nil || v.Candidate.N == 0 || v.Baseline.N == 0 {
				t.Errorf("evidence that is not whole: %+v", v)
			}
		}
	}
}

func TestTrafficIsSplitInThreeAndTheControlGroupIsAsLargeAsTheCandidates(t *testing.T) {
	w := newWorld(t, "canary: {steps: [{percent: 10, wait: 10s}, {percent: 80, wait: 10s}]}\nwatch: {duration: 10s, holdback: 10}", 1, healthy, healthy)
	w.run(t, 10*time.Minute)
	var got []Traffic
	for _, e := range w.events {
		if e.Traffic != nil {
			got = append(got, *e.Traffic)
		}
	}
	want := []Traffic{{Shares: []float64{10, 10}, Rest: 80}, {Shares: []float64{20, 80}}, {Shares: []float64{0, 100}}, {Shares: []float64{10, 90}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Traffic{Shares: []float64{0, 100}}, w.state.Traffic); diff != "" || w.state.Outcome != OutcomePromoted {
		t.Errorf("at the end, %q: %s", w.state.Outcome, diff)
	}
}

func TestHarmEndsARolloutWithinSecondsAndSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*behaviour)
		metric string
		within time.Duration
	}{
		"every request fails": {func(b *behaviour) { b.errors = 1 }, "errors", 3 * time.Second},
		"a tenth fails":       {func(b *behaviour) { b.errors = 0.1 }, "errors", 30 * time.Second},
		"twice as slow":       {func(b *behaviour) { b.latency = 20 }, "latency", 30 * time.Second},
		"wrong predictions":   {func(b *behaviour) { b.prediction = 80 }, "predictions", 15 * time.Second},
	} {
		bad := healthy
		c.change(&bad)
		w := newWorld(t, "canary: {steps: [{percent: 10, wait: 5m}]}", 2, healthy, bad)
		w.run(t, 5*time.Minute-time.Second)
		took := w.at.Sub(began)
		if w.state.Outcome != OutcomeRolledBack || took > c.within {
			t.Errorf("%s: %q after %v", name, w.state.Outcome, took)
			continue
		}
		back := w.events[len(w.events)-2]
		if back.Type != RolledBack || back.Traffic.Rest != 100 || back.Traffic.Shares[1] != 0 || len(back.Evidence) == 0 || back.Evidence[0].Metric != c.metric ||
			!strings.Contains(back.Reason, c.metric) || back.Evidence[0].P == nil || *back.Evidence[0].P > 0.001 {
			t.Errorf("%s: %+v", name, back)
		}
		t.Logf("%s: rolled back after %v and %d requests: %s", name, took, w.state.Requests[1], back.Reason)
	}
}

func TestAFailureBothVersionsShareEndsNothing(t *testing.T) {
	w := newWorld(t, "canary: {steps: [{percent: 10, wait: 60s}]}", 3, healthy, healthy)
	for i := range 58 {
		w.arms[0].errors, w.arms[1].errors = 0.002, 0.002
		if i > 20 && i < 40 {
			w.arms[0].errors, w.arms[1].errors = 0.6, 0.6 // what both depend on is down
		}
		w.do(t, Observe{w.observe(time.Second)})
		w.do(t, Tick{w.at})
	}
	if w.state.Done() || w.state.Paused {
		t.Errorf("ended by what both share: %s", w.state.Reason)
	}
}

func TestInconclusiveStepsAreExtendedAndThenLeftToAPerson(t *testing.T) {
	few := healthy
	few.requests = 1
	few.errors = 0.01
	plan := "metrics: [{name: errors, critical: true, min_samples: 10}]\ncanary: {steps: [{percent: 5, wait: 10s}], extensions: 2}"
	w := newWorld(t, plan, 4, few, few)
	w.run(t, 10*time.Minute)
	want := "started stage_started judged stage_extended judged stage_extended judged paused"
	if w.kinds() != want || !w.state.Paused {
		t.Fatalf("events: %s\nwant:   %s", w.kinds(), want)
	}
	if e := w.state.Last[0]; e.Verdict != Inconclusive || !strings.Contains(e.Reason, "more is needed") {
		t.Errorf("%+v", e)
	}
	w.do(t, Resume{At: w.at, By: "ada"})
	w.arms[0].requests, w.arms[1].requests = 400, 400
	w.run(t, time.Minute)
	if w.state.Outcome != OutcomePromoted {
		t.Errorf("after more requests: %q, %s", w.state.Outcome, w.kinds())
	}
	for policy, want := range map[string]Outcome{"rollback": OutcomeRolledBack, "proceed": OutcomePromoted} {
		w := newWorld(t, strings.Replace(plan, "extensions: 2", "extensions: 0, on_inconclusive: "+policy, 1), 4, few, few)
		w.run(t, 10*time.Minute)
		if w.state.Outcome != want {
			t.Errorf("%s: %q", policy, w.state.Outcome)
		}
	}
}

func TestFailuresAreBorneUpToTheLimit(t *testing.T) {
	bad := healthy
	bad.errors = 0.2
	for limit, want := range map[string]string{
		"0": "started stage_started judged rolled_back finished",
		"1": "started stage_started judged stage_extended judged rolled_back finished",
	} {
		w := newWorld(t, "guard: {off: true}\ncanary: {steps: [{percent: 20, wait: 10s}], failure_limit: "+limit+"}", 5, healthy, bad)
		w.run(t, time.Minute)
		if w.kinds() != want {
			t.Errorf("limit %s: %s\nwant: %s", limit, w.kinds(), want)
		}
	}
}

func TestMetricsThatAreNotCriticalAreWeighed(t *testing.T) {
	worse := healthy
	worse.conversion = 0.02
	plan := "metrics: [{name: errors, critical: true}, {name: latency, weight: %W}, {name: conversion, measure: rate, better: higher, tolerance: 0.02}]\ncanary: {steps: [{percent: 20, wait: 20s}]}"
	for weight, want := range map[string]Outcome{"1": OutcomeRolledBack, "9": OutcomePromoted} {
		w := newWorld(t, strings.Replace(plan, "%W", weight, 1), 6, healthy, worse)
		w.run(t, time.Minute)
		if w.state.Outcome != want {
			t.Errorf("latency weighs %s: %q, %+v", weight, w.state.Outcome, w.state.Last)
		}
	}
}

func TestAShadowIsComparedWithoutTraffic(t *testing.T) {
	plan := "metrics: [{name: errors, critical: true}, {name: latency, critical: true}]\nshadow: {wait: 10s, max_mismatch: 0.1}\ncanary: {steps: [{percent: 10, wait: 10s}]}"
	for _, mismatch := range []float64{0.02, 0.3} {
		w := newWorld(t, plan, 7, healthy, healthy)
		if w.state.Traffic.Mirror != 100 || w.state.Traffic.Shares[1] != 0 {
			t.Fatalf("traffic %+v", w.state.Traffic)
		}
		for w.state.Stage.Phase == PhaseShadow && !w.state.Done() {
			window := w.observe(time.Second)
			var different Sums
			for range 200 {
				different.Add(float64(count(w.dice.Float() < mismatch)))
			}
			window.Arms[1].Values[MetricMismatch] = different
			w.do(t, Observe{window})
			w.do(t, Tick{w.at})
		}
		if (mismatch > 0.1) != w.state.Done() {
			t.Errorf("a share of %v differs: %q, %+v", mismatch, w.state.Outcome, w.state.Last)
		}
	}
}

func TestWhatHurtsAfterPromotionIsRolledBackToo(t *testing.T) {
	for _, holdback := range []string{"0", "10"} {
		for name, change := range map[string]func(*behaviour){
			"errors":      func(b *behaviour) { b.errors = 0.3 },
			"latency":     func(b *behaviour) { b.latency = 40 },
			"predictions": func(b *behaviour) { b.prediction = 90 },
		} {
			w := newWorld(t, "canary: {steps: [{percent: 30, wait: 20s}]}\nwatch: {duration: 20m, window: 5m, holdback: "+holdback+"}", 8, healthy, healthy)
			w.run(t, 25*time.Second)
			if w.state.Stage.Phase != PhaseWatch {
				t.Fatalf("not promoted: %s", w.kinds())
			}
			w.run(t, 90*time.Second)
			if w.state.Done() {
				t.Fatalf("a version that is well is rolled back: %s", w.state.Reason)
			}
			change(&w.arms[1])
			from := w.at
			w.run(t, 5*time.Minute)
			if w.state.Outcome != OutcomeRolledBack || w.state.Last[0].Metric != name {
				t.Errorf("holdback %s, %s: %q after %v, %+v", holdback, name, w.state.Outcome, w.at.Sub(from), w.state.Last)
			}
			t.Logf("holdback %s, %s: %v", holdback, name, w.at.Sub(from))
		}
	}
}

func TestPeopleMayPauseResumePromoteAndAbort(t *testing.T) {
	w := newWorld(t, canaryPlan, 9, healthy, healthy)
	w.run(t, 5*time.Second)
	w.do(t, Pause{At: w.at, By: "ada", Reason: "lunch"})
	for range 60 {
		w.do(t, Observe{w.observe(time.Second)})
		if events := w.do(t, Tick{w.at}); len(events) > 0 {
			t.Fatalf("decided while paused: %+v", events)
		}
	}
	if _, err := Decide(w.state, Pause{At: w.at}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("paused twice: %v", err)
	}
	w.do(t, Resume{At: w.at, By: "ada"})
	w.do(t, Promote{At: w.at, By: "ada", Reason: "it is good"})
	if w.state.Outcome != OutcomePromoted || w.state.Arm != "2" {
		t.Errorf("%+v", w.state)
	}
	if _, err := Decide(w.state, Abort{At: w.at}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("aborted after the end: %v", err)
	}

	w = newWorld(t, canaryPlan, 9, healthy, healthy)
	w.do(t, Abort{At: w.at, By: "ada", Reason: "wrong version"})
	if w.state.Outcome != OutcomeAborted || w.state.Traffic.Rest != 100 || w.events[len(w.events)-2].By != "ada" {
		t.Errorf("%+v", w.state)
	}

	w = newWorld(t, "manual: true\n"+canaryPlan, 9, healthy, healthy)
	w.run(t, 5*time.Minute)
	if !w.state.Paused || w.state.Arm != "" || !strings.Contains(w.state.Reason, "person") {
		t.Errorf("a manual plan: %+v", w.state)
	}
}

func TestAPausedRolloutIsStillGuarded(t *testing.T) {
	bad := healthy
	bad.errors = 1
	w := newWorld(t, canaryPlan, 10, healthy, bad)
	w.do(t, Pause{At: w.at, By: "ada"})
	for range 10 {
		if !w.state.Done() {
			w.do(t, Observe{w.observe(time.Second)})
			w.do(t, Tick{w.at})
		}
	}
	if w.state.Outcome != OutcomeRolledBack {
		t.Errorf("%q", w.state.Outcome)
	}
}

func TestAVersionThatCannotServeIsTakenBackAtOnce(t *testing.T) {
	w := newWorld(t, canaryPlan, 11, healthy, healthy)
	w.do(t, Broken{At: w.at, Arm: "1", Reason: "its worker died 5 times"})
	if !w.state.Paused || w.state.Done() {
		t.Errorf("the baseline is broken: %+v", w.state)
	}
	w.do(t, Broken{At: w.at, Arm: "2", Reason: "its worker died 5 times"})
	if w.state.Outcome != OutcomeRolledBack || !strings.Contains(w.state.Reason, "died 5 times") {
		t.Errorf("%+v", w.state)
	}
	if _, err := Decide(New(), Broken{Arm: "2"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("before the start: %v", err)
	}
}

func TestReplayedEventsGiveTheStateThatDecidesTheSame(t *testing.T) {
	plan := "metrics: [{name: errors, critical: true}, {name: latency, critical: true}, {name: conversion, measure: rate, better: higher}]\n" +
		"shadow: {wait: 5s}\ncanary: {steps: [{percent: 20, wait: 10s}]}\nbandit: {reward: conversion, every: 5s, min_samples: 500}\nwatch: {duration: 20s, window: 10s}"
	better := healthy
	better.conversion = 0.2
	w := newWorld(t, plan, 12, healthy, better)
	for !w.state.Done() {
		w.run(t, 3*time.Second)
		var stored []Event
		for _, e := range w.events {
			b, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodeEvent(b)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, again)
		}
		replayed, err := Replay(stored)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.state, replayed, cmp.AllowUnexported(State{}, stageData{}, armData{}, guardState{}, trialState{}), cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("after %s the replayed state is another:\n%s", w.at.Sub(began), diff)
		}
		w.state = replayed // go on with it: so a server that died does
	}
	if w.state.Outcome != OutcomePromoted {
		t.Errorf("%s: %s", w.state.Outcome, w.kinds())
	}
}

func TestPastWindowsAreRehearsed(t *testing.T) {
	bad := healthy
	bad.latency = 40
	for want, candidate := range map[Outcome]behaviour{OutcomePromoted: healthy, OutcomeRolledBack: bad} {
		w := newWorld(t, "canary: {steps: [{percent: 40, wait: 1h}]}", 13, healthy, candidate)
		var past []Window
		for range 100 {
			past = append(past, w.observe(time.Second))
		}
		p, err := ParsePlan([]byte(canaryPlan))
		if err != nil {
			t.Fatal(err)
		}
		s, events, err := Rehearse(Start{At: began, Plan: p, Baseline: "1", Candidates: []string{"2"}}, past)
		if err != nil || s.Outcome != want || events[len(events)-1].Outcome != want {
			t.Errorf("%q, %v; want %q", s.Outcome, err, want)
		}
	}
}

func TestBadCommandsChangeNothing(t *testing.T) {
	p, err := ParsePlan([]byte(canaryPlan))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Start{{Plan: p, Baseline: "1"}, {Plan: p, Baseline: "1", Candidates: []string{"1"}}, {Plan: p, Baseline: "", Candidates: []string{"1"}},
		{Plan: p, Baseline: "1", Candidates: []string{"2", "3"}}, {Plan: Plan{}, Baseline: "1", Candidates: []string{"2"}}} {
		if events, err := Decide(New(), c); fault.KindOf(err) != fault.Invalid || events != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	w := newWorld(t, canaryPlan, 14, healthy, healthy)
	for _, window := range []Window{
		{Arms: []Arm{{}}},
		{Arms: []Arm{{Requests: 1, Errors: 2}, {}}},
		{Arms: []Arm{{Requests: -1}, {}}},
		{Arms: []Arm{{Latency: Histogram{1: -1}}, {}}},
		{Arms: []Arm{{Values: map[string]Sums{"x": {N: 1, Sum: math.NaN()}}}, {}}},
		{From: began.Add(time.Hour), To: began, Arms: []Arm{{}, {}}},
	} {
		if events, err := Decide(w.state, Observe{window}); fault.KindOf(err) != fault.Invalid || events != nil {
			t.Errorf("%+v: %v", window, err)
		}
	}
	for _, e := range []Event{{Type: "nonsense"}, {Type: StageStarted}, {Type: Observed}, {Type: Promoted, Arm: "7", Traffic: &Traffic{}}} {
		if err := Apply(w.state, e); err == nil {
			t.Errorf("%+v is applied", e)
		}
	}
	if _, err := DecodeEvent([]byte("{")); err == nil {
		t.Error("half an event is decoded")
	}
}

// What is stored must be readable for ever: this is the form of an event of today.
func TestAnEventIsStoredInThisForm(t *testing.T) {
	e := Event{Type: RolledBack, At: began, Traffic: &Traffic{Shares: []float64{0, 0}, Rest: 100}, Reason: "errors is worse", Outcome: OutcomeRolledBack,
		Evidence: []Evidence{{Metric: "errors", Verdict: Fail, Test: "rate_ratio_sequence", Arm: "2", Baseline: &Measured{100, number(0.01)}, Candidate: Measured{90, number(0.5)},
			Estimate: number(50), Low: number(7), High: number(math.Inf(1)), Unit: "ratio", Confidence: 0.999, P: number(1e-9), Tolerance: number(0.01), Critical: true, Reason: "so"}}}
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"rollout_rolled_back","at":"2026-03-01T12:00:00Z","traffic":{"shares":[0,0],"rest":100},"evidence":[{"metric":"errors","verdict":"fail","test":"rate_ratio_sequence","arm":"2","baseline":{"n":100,"value":0.01},"candidate":{"n":90,"value":0.5},"estimate":50,"low":7,"unit":"ratio","confidence":0.999,"p":1e-9,"tolerance":0.01,"critical":true,"reason":"so"}],"outcome":"rolled_back","reason":"errors is worse"}`
	if string(b) != want {
		t.Errorf("%s\nwant %s", b, want)
	}
	var shown map[string]any
	w := newWorld(t, canaryPlan, 15, healthy, healthy)
	if b, err := json.Marshal(w.state); err != nil || json.Unmarshal(b, &shown) != nil || shown["stage"] == nil {
		t.Errorf("the state as JSON: %s, %v", b, err)
	}
}

// promotedByHand is a world in whose watch a version is that somebody promoted after so long.
func promotedByHand(t *testing.T, plan string, after time.Duration) *world {
	t.Helper()
	w := newWorld(t, plan, 16, healthy, healthy)
	w.run(t, after)
	w.do(t, Promote{At: w.at, By: "ada"})
	if w.state.Stage.Phase != PhaseWatch {
		t.Fatalf("%s", w.kinds())
	}
	return w
}

func TestAVersionThatWasPromotedEarlyIsHeldAgainstTheBaselineOrALimit(t *testing.T) {
	const watch = "\nwatch: {duration: 10m, window: 5m}"
	for name, c := range map[string]struct {
		plan  string
		after time.Duration
		seen  bool
	}{
		"out of the shadow":                   {"shadow: {wait: 1h}" + watch, 5 * time.Second, true},
		"after few requests":                  {"shadow: {wait: 10s}\ncanary: {steps: [{percent: 1, wait: 1h}]}" + watch, 12 * time.Second, true},
		"before any request":                  {"shadow: {wait: 1h}" + watch, 0, true},
		"before any request, with a limit":    {"metrics: [{name: errors, critical: true, limit: 0.05}]\nshadow: {wait: 1h}" + watch, 0, true},
		"before any request, without a guard": {"metrics: [{name: errors, critical: true}]\nguard: {off: true}\nshadow: {wait: 1h}" + watch, 0, false},
	} {
		w := promotedByHand(t, c.plan, c.after)
		said := strings.Contains(w.events[len(w.events)-1].Reason, "too little was observed")
		if want := name == "before any request"; said != want {
			t.Errorf("%s: it says %q", name, w.events[len(w.events)-1].Reason)
		}
		w.arms[1].errors = 0.8
		w.run(t, time.Minute)
		if (w.state.Outcome == OutcomeRolledBack) != c.seen {
			t.Errorf("%s: %q, %s", name, w.state.Outcome, w.kinds())
		}
	}
}

func TestAWatchWithoutRequestsDoesNotSayThatNothingWasWorse(t *testing.T) {
	w := promotedByHand(t, "shadow: {wait: 1h}\nwatch: {duration: 10s, window: 5s}", time.Second)
	w.arms[1].requests = 0
	w.arms[0].requests = 0
	w.run(t, time.Minute)
	if w.state.Outcome != OutcomePromoted || !strings.Contains(w.state.Reason, "no requests") {
		t.Errorf("%q: %s", w.state.Outcome, w.state.Reason)
	}
}

func TestWhatAMonitorFindsAfterPromotionTakesTheVersionBack(t *testing.T) {
	plan := "canary: {steps: [{percent: 40, wait: 20s}]}\nwatch: {duration: 10m, window: 1m, monitors: [asked]}"
	finding := func(w *world, name string, v Verdict) Found {
		return Found{At: w.at, Finding: Finding{Monitor: name, At: w.at, Verdict: v, Rows: 700, Run: "r1", Reason: "3 of 4 columns drifted"}}
	}
	w := newWorld(t, plan, 17, healthy, healthy)
	w.run(t, 5*time.Second)
	early := finding(w, "asked", Fail)
	if events := w.do(t, early); len(events) != 0 {
		t.Errorf("before the promotion: %+v", events)
	}
	w.run(t, 20*time.Second)
	if w.state.Stage.Phase != PhaseWatch {
		t.Fatalf("%s", w.kinds())
	}
	early.At = w.at
	for what, c := range map[string]Found{"before the promotion": early, "of another monitor": finding(w, "other", Fail)} {
		if events := w.do(t, c); len(events) != 0 {
			t.Errorf("a finding %s: %+v", what, events)
		}
	}
	w.run(t, 5*time.Second)
	for _, v := range []Verdict{NoData, Pass} {
		w.at = w.at.Add(time.Second)
		once := finding(w, "asked", v)
		if events := w.do(t, once); len(events) != 1 || events[0].Verdict != v || w.state.Done() {
			t.Fatalf("%s: %+v", v, events)
		}
		if events := w.do(t, once); len(events) != 0 {
			t.Errorf("%s once more: %+v", v, events)
		}
	}
	w.run(t, 70*time.Second) // another block of the watch
	w.do(t, finding(w, "asked", Fail))
	if w.state.Outcome != OutcomeRolledBack || !strings.Contains(w.state.Reason, "monitor asked has found: 3 of 4 columns drifted") || w.state.Last[0].Test != "monitor" {
		t.Errorf("%q: %s", w.state.Outcome, w.state.Reason)
	}
	if c, err := Verify(w.events); err != nil || len(c.Differences) > 0 || c.ByHand != 3 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestNoFindingOfAMonitorIsLost(t *testing.T) {
	plan := "shadow: {wait: 1h}\nwatch: {duration: 3h, window: 1h, monitors: [asked]}"
	w := promotedByHand(t, plan, time.Second)
	promoted := w.at
	finding := func(report string, at time.Time, v Verdict) Found {
		return Found{At: w.at, Finding: Finding{Monitor: "asked", At: at, Verdict: v, Run: "r1", Report: report, Reason: "of " + report}}
	}
	w.run(t, 90*time.Minute)
	for _, c := range []Found{finding("a", w.at, Pass), finding("b", w.at, Pass), finding("c", w.at.Add(-time.Second), NoData)} {
		if events := w.do(t, c); len(events) != 1 {
			t.Errorf("%s: %+v", c.Finding.Report, events)
		}
		if events := w.do(t, c); len(events) != 0 {
			t.Errorf("%s once more: %+v", c.Finding.Report, events)
		}
	}
	if since, asks := w.state.Asks("asked"); !asks || !since.Equal(w.at.Add(-time.Hour)) {
		t.Errorf("asked since %v", since)
	}
	if events := w.do(t, finding("d", promoted, Fail)); len(events) != 0 {
		t.Errorf("of the time before: %+v", events)
	}
	// An earlier time than what was decided by already: it was stored later.
	if w.do(t, finding("e", w.at.Add(-2*time.Second), Fail)); w.state.Outcome != OutcomeRolledBack {
		t.Errorf("%q", w.state.Outcome)
	}
	if c, err := Verify(w.events); err != nil || len(c.Differences) > 0 || c.ByHand != 5 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAWatchSaysWhichMonitorsHaveFoundNothing(t *testing.T) {
	w := promotedByHand(t, "shadow: {wait: 1h}\nwatch: {duration: 10s, window: 5s, monitors: [asked, gone, poor]}", 30*time.Second)
	w.run(t, time.Second)
	w.do(t, Found{At: w.at, Finding: Finding{Monitor: "asked", At: w.at, Verdict: Pass}})
	w.do(t, Found{At: w.at, Finding: Finding{Monitor: "poor", At: w.at, Verdict: NoData}})
	w.run(t, time.Minute)
	if w.state.Outcome != OutcomePromoted || !strings.Contains(w.state.Reason, "nothing was judged by monitor gone and poor") {
		t.Errorf("%q: %s", w.state.Outcome, w.state.Reason)
	}
}

func TestABanditDropsArmsThatDoHarm(t *testing.T) {
	plan := "metrics: [{name: errors, critical: true}, {name: conversion, measure: rate, better: higher}]\nbandit: {reward: conversion, every: 10s, min_samples: 3000}"
	broken, better := healthy, healthy
	broken.errors, better.conversion = 1, 0.3
	w := newWorld(t, plan, 18, healthy, better, broken)
	w.run(t, 8*time.Second)
	if w.state.Done() || w.state.Traffic.Shares[2] != 0 || math.Abs(w.state.Traffic.Shares[0]+w.state.Traffic.Shares[1]-100) > 1e-9 {
		t.Fatalf("after %d requests to the broken arm: %+v", w.state.Requests[2], w.state.Traffic)
	}
	had := w.state.Requests[2]
	w.run(t, 10*time.Minute)
	if w.state.Outcome != OutcomePromoted || w.state.Arm != "2" || w.state.Requests[2] != had {
		t.Errorf("%q of %q; the broken arm had %d requests and then %d", w.state.Outcome, w.state.Arm, had, w.state.Requests[2])
	}
	if c, err := Verify(w.events); err != nil || len(c.Differences) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	w = newWorld(t, plan, 19, healthy, broken)
	w.run(t, 8*time.Second)
	if w.state.Outcome != OutcomeRolledBack || !strings.Contains(w.state.Reason, "errors got worse") {
		t.Errorf("no candidate is left: %q, %s", w.state.Outcome, w.state.Reason)
	}
}

func TestVersionsThatHaveNothingToLoseMayBeBroken(t *testing.T) {
	broken := healthy
	broken.errors = 1
	w := newWorld(t, "metrics: [{name: errors, critical: true}, {name: conversion, measure: rate, better: higher}]\nbandit: {reward: conversion, every: 10s}\nwatch: {duration: 1h}", 18, healthy, healthy, broken)
	if !w.state.Needs("1") || !w.state.Needs("2") || !w.state.Needs("3") || w.state.Needs("4") {
		t.Error("all versions have traffic")
	}
	w.run(t, 8*time.Second)
	if w.state.Traffic.Shares[2] != 0 || w.state.Needs("3") {
		t.Fatalf("%+v", w.state.Traffic)
	}
	if events := w.do(t, Broken{At: w.at, Arm: "3", Reason: "it died"}); len(events) > 0 {
		t.Errorf("an arm that was dropped: %+v", events)
	}
	w.do(t, Promote{At: w.at, Arm: "2", By: "ada"})
	for _, arm := range []string{"1", "3"} {
		if events := w.do(t, Broken{At: w.at, Arm: arm, Reason: "it died"}); len(events) > 0 {
			t.Errorf("version %s while another one is watched: %+v", arm, events)
		}
	}
	if w.do(t, Broken{At: w.at, Arm: "2", Reason: "it died"}); w.state.Outcome != OutcomeRolledBack {
		t.Errorf("the version that was promoted: %q", w.state.Outcome)
	}
}

func TestAVersionMostOfWhoseRequestsFailIsTakenBackWhateverThePlanLooksAt(t *testing.T) {
	for name, metrics := range map[string]string{"not errors": "metrics: [{name: revenue}]\n", "errors, which are not critical": "metrics: [{name: errors}, {name: latency, critical: true}]\n"} {
		w := promotedByHand(t, metrics+"canary: {steps: [{percent: 50, wait: 1h}]}\nwatch: {duration: 10m}", 5*time.Second)
		w.arms[1].errors = 0.4
		if w.run(t, 30*time.Second); w.state.Done() {
			t.Errorf("%s, and less than most: %q, %s", name, w.state.Outcome, w.state.Reason)
		}
		w = promotedByHand(t, metrics+"canary: {steps: [{percent: 50, wait: 1h}]}\nwatch: {duration: 10m}", 5*time.Second)
		w.arms[1].errors = 0.8
		if w.run(t, 30*time.Second); w.state.Outcome != OutcomeRolledBack || !strings.Contains(w.state.Reason, "errors got worse") {
			t.Errorf("%s: %q, %s", name, w.state.Outcome, w.state.Reason)
		}
		if c, err := Verify(w.events); err != nil || len(c.Differences) > 0 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestABanditDropsNoArmThatDoesAsWell(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, "metrics: [{name: errors, critical: true, tolerance: 0}, {name: conversion, measure: rate, better: higher}]\nbandit: {reward: conversion, every: 10s, stop: 0.999}", seed+40, healthy, healthy, healthy)
		w.run(t, 5*time.Minute)
		for _, e := range w.events {
			for _, v := range e.Evidence {
				if v.Verdict == Fail {
					t.Errorf("seed %d: %+v", seed, v)
				}
			}
		}
	}
}

func TestAWatchSaysWhatItCouldNotTell(t *testing.T) {
	w := promotedByHand(t, "shadow: {wait: 1h}\nwatch: {duration: 10s, window: 5s}", 0)
	w.arms[1].errors = 0.3
	w.run(t, time.Minute)
	if w.state.Outcome != OutcomePromoted || !strings.Contains(w.state.Reason, "of errors and latency and predictions too little was known") {
		t.Errorf("%q: %s", w.state.Outcome, w.state.Reason)
	}
}
