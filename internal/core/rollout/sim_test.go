package rollout

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"levada/internal/core/stats"
)

// runs is how many rollouts are simulated: few in the short form, LEVADA_SIM_ROLLOUT times as many in the long one (make sim-rollout).
func runs(t testing.TB, short int) int {
	times := os.Getenv("LEVADA_SIM_ROLLOUT")
	if times == "" {
		return short
	}
	n, err := strconv.Atoi(times)
	if err != nil || n < 1 {
		t.Fatalf("LEVADA_SIM_ROLLOUT is %q; it must be a number from 1 on", times)
	}
	return short * n
}

// atMost is the count that is exceeded with a chance of about one in a thousand where the true chance is p.
func atMost(p float64, n int) int { return int(p*float64(n) + 3.1*math.Sqrt(p*(1-p)*float64(n)) + 1) }

// trialData makes the values of one request of each arm: 0 or 1, or of a skewed distribution, with a covariate.
type trialData struct {
	base, gain float64
	skewed     bool
	covariate  bool
}

func (c trialData) add(d *stats.Dice, s *Sums, gain float64, n int) {
	for range n {
		switch {
		case c.covariate:
			x := d.Normal()
			s.AddWith(c.base+gain+2*x+d.Normal(), x)
		case c.skewed:
			s.Add((c.base + gain) * -math.Log(1-d.Float()))
		default:
			s.Add(float64(count(d.Float() < c.base+gain)))
		}
	}
}

type trialResult struct {
	outcome Outcome
	reason  string
	n       int64 // values in the candidate's arm at the end
	peeked  bool  // a t-test of fixed size, looked at as often, had p < 0.05
}

// simulateTrial runs an experiment that looks after every 100 values of each arm.
func simulateTrial(t testing.TB, plan Plan, c trialData, seed uint64, looks int) trialResult {
	t.Helper()
	d := stats.Dice(seed)
	s := New()
	do := func(command Command) {
		if _, err := Advance(s, command); err != nil {
			t.Fatal(err)
		}
	}
	at := began
	do(Start{At: at, Plan: plan, Baseline: "1", Candidates: []string{"2"}})
	var r trialResult
	var all [2]Sums
	for range looks {
		if s.Done() {
			break
		}
		w := Window{From: at, To: at.Add(time.Second)}
		for i := range 2 {
			var v Sums
			c.add(&d, &v, c.gain*float64(i), 100)
			all[i] = all[i].plus(v)
			w.Arms = append(w.Arms, Arm{Requests: 100, Values: map[string]Sums{"value": v}})
		}
		at = w.To
		do(Observe{w})
		do(Tick{at})
		a, b := all[0].moments(), all[1].moments()
		z := (b.Mean - a.Mean) / math.Sqrt(a.Variance/a.N+b.Variance/b.N)
		r.peeked = r.peeked || math.Abs(z) > 1.96
	}
	r.outcome, r.reason, r.n = s.Outcome, s.Reason, s.data.arms[1].Values["value"].N
	return r
}

func trialPlan(t testing.TB, measure Measure, effect float64, more string) Plan {
	t.Helper()
	p, err := ParsePlan([]byte(fmt.Sprintf("guard: {off: true}\nmetrics: [{name: value, measure: %s, better: higher}]\nexperiment: {decide: [{metric: value, minimum_effect: %g}]%s}", measure, effect, more)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A candidate that is as good as the baseline is promoted where the plan wants that: that it is no better is known before that it is no worse, and
// ends nothing then.
func TestAnExperimentGoesOnUntilItKnowsThatTheCandidateIsNoWorse(t *testing.T) {
	n, promoted := 40, 0
	plan := trialPlan(t, Rate, 0.02, ", promote_if_no_worse: true, max_samples: 30000")
	for i := range n {
		r := simulateTrial(t, plan, trialData{base: 0.1}, uint64(i)*7919+1, 400)
		if strings.Contains(r.reason, "futile") && r.outcome != OutcomePromoted {
			t.Errorf("run %d: %s after %d values: %s", i, r.outcome, r.n, r.reason)
		}
		promoted += count(r.outcome == OutcomePromoted)
	}
	if promoted < n*9/10 {
		t.Errorf("%d of %d are promoted", promoted, n)
	}
}

// Without a difference, an experiment that is looked at 300 times finds one in at most 5 % of the runs; a t-test that is looked at as often finds
// one far more often.
func TestSimulatedExperimentsKeepTheirErrorUnderContinuousPeeking(t *testing.T) {
	n := runs(t, 200)
	for name, c := range map[string]struct {
		data    trialData
		measure Measure
		effect  float64
	}{
		"a rate of 10 %":   {trialData{base: 0.1}, Rate, 0.01},
		"a rate of 1 %":    {trialData{base: 0.01}, Rate, 0.002},
		"skewed values":    {trialData{base: 5, skewed: true}, Mean, 0.05},
		"with a covariate": {trialData{base: 10, covariate: true}, Mean, 0.01},
	} {
		plan := trialPlan(t, c.measure, c.effect, "")
		plan.Experiment.Power = 1 - 1e-12 // no run is given up: that could only make errors rarer
		found, peeked := 0, 0
		for i := range n {
			r := simulateTrial(t, plan, c.data, uint64(i)*7919+1, 300)
			found += count(r.outcome == OutcomePromoted || r.outcome == OutcomeRolledBack)
			peeked += count(r.peeked)
		}
		t.Logf("%s: %d runs, a difference found in %d (%.2f %%), by a t-test looked at as often in %d (%.1f %%)", name, n, found, 100*float64(found)/float64(n), peeked, 100*float64(peeked)/float64(n))
		if found > atMost(0.05, n) {
			t.Errorf("%s: differences found in %d of %d runs, at most %d", name, found, n, atMost(0.05, n))
		}
		if peeked < n*15/100 {
			t.Errorf("%s: the t-test is wrong in %d of %d runs only", name, peeked, n)
		}
	}
}

// With a difference of the minimum effect, how often is it found, and after how many values, in units of the size that a test of fixed size needs.
func TestSimulatedExperimentsHaveTheirPower(t *testing.T) {
	n := runs(t, 100)
	for name, c := range map[string]struct {
		times float64 // the gain in minimum effects
		least float64 // the share of runs that must promote
	}{
		"the minimum effect":       {1, 0.75},
		"twice the minimum effect": {2, 0.95},
	} {
		plan := trialPlan(t, Rate, 0.02, "")
		size, err := plan.SampleSize(plan.Experiment.Decide[0], 0.1, 0)
		if err != nil {
			t.Fatal(err)
		}
		looks := int(size) * 4 / 100
		promoted, futile, values := 0, 0, []int64{}
		for i := range n {
			r := simulateTrial(t, plan, trialData{base: 0.1, gain: 0.02 * c.times}, uint64(i)*104729+3, looks)
			promoted += count(r.outcome == OutcomePromoted)
			futile += count(r.outcome == OutcomeKept)
			values = append(values, r.n)
		}
		slices.Sort(values)
		t.Logf("%s: %d runs of at most %d looks; promoted %.1f %%, given up %.1f %%; values of each arm: median %d, 90 %% quantile %d; a fixed size needs %d", name, n, looks,
			100*float64(promoted)/float64(n), 100*float64(futile)/float64(n), values[n/2], values[n*9/10], size)
		if promoted < int(c.least*float64(n)-2*math.Sqrt(float64(n)*c.least*(1-c.least))) {
			t.Errorf("%s: promoted in %d of %d", name, promoted, n)
		}
		if futile > atMost(0.2, n) {
			t.Errorf("%s: given up in %d of %d, at most 20 %% may be", name, futile, n)
		}
	}
}

func TestSimulatedExperimentsWithoutAnEffectAreGivenUp(t *testing.T) {
	n := runs(t, 60)
	plan := trialPlan(t, Rate, 0.02, "")
	kept, values := 0, []int64{}
	for i := range n {
		r := simulateTrial(t, plan, trialData{base: 0.1}, uint64(i)*31337+5, 600)
		kept += count(r.outcome == OutcomeKept && strings.Contains(r.reason, "futile"))
		values = append(values, r.n)
	}
	slices.Sort(values)
	t.Logf("%d runs: given up as futile %.1f %%, after a median of %d values", n, 100*float64(kept)/float64(n), values[n/2])
	if kept < n*85/100 {
		t.Errorf("given up in %d of %d", kept, n)
	}
}

func TestSimulatedCovariatesSaveValues(t *testing.T) {
	n := runs(t, 30)
	plan := trialPlan(t, Mean, 0.02, "")
	with, without := []int64{}, []int64{}
	for i := range n {
		c := trialData{base: 10, gain: 0.2, covariate: true}
		with = append(with, simulateTrial(t, plan, c, uint64(i)*17+1, 3000).n)
		blind := plan
		d := stats.Dice(uint64(i)*17 + 1)
		without = append(without, simulateBlind(t, blind, c, &d))
	}
	slices.Sort(with)
	slices.Sort(without)
	t.Logf("median of values until the end: with the covariate %d, without %d", with[n/2], without[n/2])
	if with[n/2]*3 > without[n/2]*2 {
		t.Errorf("the covariate saves too little: %d and %d", with[n/2], without[n/2])
	}
}

// simulateBlind is simulateTrial on values whose covariate is not known.
func simulateBlind(t testing.TB, plan Plan, c trialData, d *stats.Dice) int64 {
	s := New()
	do := func(command Command) {
		if _, err := Advance(s, command); err != nil {
			t.Fatal(err)
		}
	}
	at := began
	do(Start{At: at, Plan: plan, Baseline: "1", Candidates: []string{"2"}})
	for look := 0; look < 3000 && !s.Done(); look++ {
		w := Window{From: at, To: at.Add(time.Second)}
		for i := range 2 {
			var v Sums
			c.add(d, &v, c.gain*float64(i), 100)
			w.Arms = append(w.Arms, Arm{Requests: 100, Values: map[string]Sums{"value": {N: v.N, Sum: v.Sum, Squares: v.Squares}}})
		}
		at = w.To
		do(Observe{w})
		do(Tick{at})
	}
	return s.data.arms[1].Values["value"].N
}

func TestSimulatedSplitsThatAreNotAsPlannedAreNoticed(t *testing.T) {
	n := runs(t, 100)
	plan := trialPlan(t, Rate, 0.01, "")
	for share, limit := range map[float64][2]int{0.5: {0, atMost(unplannedLevel, n)}, 0.46: {n * 95 / 100, n}} {
		invalid := 0
		for i := range n {
			d := stats.Dice(uint64(i)*13 + 7)
			s := New()
			if _, err := Advance(s, Start{At: began, Plan: plan, Baseline: "1", Candidates: []string{"2"}}); err != nil {
				t.Fatal(err)
			}
			for look := 0; look < 100 && !s.Done(); look++ {
				candidate := int64(0)
				for range 200 {
					candidate += int64(count(d.Float() < share))
				}
				at := began.Add(time.Duration(look+1) * time.Second)
				for _, c := range []Command{Observe{Window{From: at, To: at, Arms: []Arm{{Requests: 200 - candidate}, {Requests: candidate}}}}, Tick{at}} {
					if _, err := Advance(s, c); err != nil {
						t.Fatal(err)
					}
				}
			}
			invalid += count(s.Outcome == OutcomeInvalid)
		}
		t.Logf("a share of %v: called invalid in %d of %d", share, invalid, n)
		if invalid < limit[0] || invalid > limit[1] {
			t.Errorf("a share of %v: called invalid in %d of %d, want from %d to %d", share, invalid, n, limit[0], limit[1])
		}
	}
}

func TestSimulatedBanditsFindTheBestAndLoseLittle(t *testing.T) {
	n := runs(t, 30)
	arms := []behaviour{healthy, healthy, healthy}
	for i, c := range []float64{0.10, 0.08, 0.14} {
		arms[i].conversion, arms[i].requests = c, 1
	}
	right, lost := 0, 0.0
	for i := range n {
		w := newWorld(t, "interval: 10s\nmetrics: [{name: conversion, measure: rate, better: higher}]\nbandit: {reward: conversion, every: 10s, min_samples: 200}", uint64(i)+1, arms...)
		w.run(t, 30*time.Minute)
		right += count(w.state.Outcome == OutcomePromoted && w.state.Arm == "3")
		even, total := 0.0, 0.0
		for k, r := range w.state.Requests {
			even += float64(r)
			total += float64(r) * (0.14 - arms[k].conversion)
		}
		lost += total / (even * (0.04 + 0.06) / 3)
	}
	t.Logf("%d runs: the best arm wins in %d; conversions lost are %.0f %% of those of an even split", n, right, 100*lost/float64(n))
	if right < n*85/100 || lost/float64(n) > 0.9 {
		t.Errorf("the best arm wins in %d of %d, losses %.2f of an even split's", right, n, lost/float64(n))
	}
}

// canarySim are the outcomes of many canaries of the default metrics, each about three minutes at 400 requests a second.
type canarySim struct {
	rolledBack, guarded, promoted, paused int
	times                                 []time.Duration
	requests                              []int64
}

func simulateCanaries(t testing.TB, n int, candidate behaviour) canarySim {
	t.Helper()
	var out canarySim
	for i := range n {
		w := newWorld(t, "canary: {steps: [{percent: 5, wait: 60s}, {percent: 20, wait: 60s}, {percent: 50, wait: 60s}]}", uint64(i)*6151+11, healthy, candidate)
		w.run(t, 20*time.Minute)
		switch {
		case w.state.Outcome == OutcomeRolledBack:
			out.rolledBack++
			out.guarded += count(!strings.Contains(w.kinds(), "judged rolled_back"))
			out.times = append(out.times, w.at.Sub(began))
			out.requests = append(out.requests, w.state.Requests[1])
		case w.state.Outcome == OutcomePromoted:
			out.promoted++
		default:
			out.paused++
		}
	}
	slices.Sort(out.times)
	slices.Sort(out.requests)
	return out
}

func TestSimulatedCanariesOfTheSameVersionAreSeldomRolledBack(t *testing.T) {
	n := runs(t, 40)
	r := simulateCanaries(t, n, healthy)
	t.Logf("%d canaries of a version against itself: %d promoted, %d left to a person, %d rolled back (%d of them by the guard)", n, r.promoted, r.paused, r.rolledBack, r.guarded)
	if r.rolledBack > atMost(0.01, n) || r.guarded > atMost(0.001, n) || r.promoted < n*95/100 {
		t.Errorf("%+v", r)
	}
}

func TestSimulatedHarmIsFoundSoon(t *testing.T) {
	n := runs(t, 10)
	for _, c := range []struct {
		name   string
		change func(*behaviour)
		least  float64
		median time.Duration // at the most
	}{
		{"every request fails", func(b *behaviour) { b.errors = 1 }, 1, 2 * time.Second},
		{"half of the requests fail", func(b *behaviour) { b.errors = 0.5 }, 1, 5 * time.Second},
		{"5 % fail instead of 0.2 %", func(b *behaviour) { b.errors = 0.05 }, 0.99, 40 * time.Second},
		{"2 % fail instead of 0.2 %", func(b *behaviour) { b.errors = 0.02 }, 0.6, 3 * time.Minute},
		{"3 times as slow", func(b *behaviour) { b.latency = 30 }, 1, 30 * time.Second},
		{"1.5 times as slow", func(b *behaviour) { b.latency = 15 }, 0.99, time.Minute},
		{"predictions off by 3 deviations", func(b *behaviour) { b.prediction = 80 }, 1, 15 * time.Second},
		{"predictions off by 0.5 deviations", func(b *behaviour) { b.prediction = 55 }, 0.6, 2 * time.Minute},
	} {
		bad := healthy
		c.change(&bad)
		r := simulateCanaries(t, n, bad)
		median, most := time.Duration(0), time.Duration(0)
		affected := int64(0)
		if len(r.times) > 0 {
			median, most, affected = r.times[len(r.times)/2], r.times[len(r.times)*9/10], r.requests[len(r.requests)/2]
		}
		t.Logf("%s: rolled back %.1f %%, left to a person %.1f %%; median %v, 90 %% quantile %v, median of requests to the candidate %d", c.name, 100*float64(r.rolledBack)/float64(n),
			100*float64(r.paused)/float64(n), median, most, affected)
		if float64(r.rolledBack) < c.least*float64(n)-2 || median > c.median {
			t.Errorf("%s: rolled back in %d of %d, median %v", c.name, r.rolledBack, n, median)
		}
	}
}

// The guard alone at a level that can be measured, without a tolerance to hide behind, on errors that come and go with the load.
func TestSimulatedGuardsKeepTheirLevelUnderContinuousLooking(t *testing.T) {
	n := runs(t, 100)
	p, err := ParsePlan([]byte("guard: {alpha: 0.05}\nmetrics: [{name: errors, critical: true, tolerance: 0}, {name: latency, critical: true, tolerance: 0}]\ncanary: {steps: [{percent: 50, wait: 1h}]}"))
	if err != nil {
		t.Fatal(err)
	}
	alarms := 0
	for i := range n {
		d := stats.Dice(uint64(i)*271 + 1)
		s := New()
		if _, err := Advance(s, Start{At: began, Plan: p, Baseline: "1", Candidates: []string{"2"}}); err != nil {
			t.Fatal(err)
		}
		for look := 0; look < 400 && !s.Done(); look++ {
			at := began.Add(time.Duration(look+1) * time.Second)
			chance := 0.02 + 0.1*math.Abs(math.Sin(float64(look)/30))
			w := Window{From: at, To: at, Arms: []Arm{{Latency: Histogram{}}, {Latency: Histogram{}}}}
			slow := [2]float64{math.Exp(0.3 * d.Normal()), math.Exp(0.3 * d.Normal())} // requests of a window and version depend on each other
			for range 60 {
				arm := d.Below(2)
				w.Arms[arm].Requests++
				w.Arms[arm].Errors += int64(count(d.Float() < chance))
				w.Arms[arm].Latency.Add(10 * slow[arm] * math.Exp(0.2*d.Normal()))
			}
			for _, c := range []Command{Observe{w}, Tick{at}} {
				if _, err := Advance(s, c); err != nil {
					t.Fatal(err)
				}
			}
		}
		alarms += count(s.Outcome == OutcomeRolledBack)
	}
	t.Logf("%d runs of 400 looks at level 0.05: %d false alarms (%.2f %%)", n, alarms, 100*float64(alarms)/float64(n))
	if alarms > atMost(0.05, n) {
		t.Errorf("%d false alarms in %d runs, at most %d", alarms, n, atMost(0.05, n))
	}
}

// Users who come again and again, each as often as he likes, stick to a version: it is the users who were divided, and not their requests.
func TestSimulatedUsersWhoComeAgainAreNoUnevenSplit(t *testing.T) {
	n := runs(t, 100)
	plan := trialPlan(t, Rate, 0.01, "")
	invalid := 0
	for i := range n {
		d := stats.Dice(uint64(i)*17 + 3)
		s := New()
		if _, err := Advance(s, Start{At: began, Plan: plan, Baseline: "1", Candidates: []string{"2"}}); err != nil {
			t.Fatal(err)
		}
		var often [2]int64 // requests of the users of each arm in a window
		fresh := [2]int64{}
		for range 50 {
			arm := d.Below(2)
			fresh[arm]++
			often[arm] += int64(1 / (0.01 + d.Float()))
		}
		for look := 0; look < 100 && !s.Done(); look++ {
			at := began.Add(time.Duration(look+1) * time.Second)
			w := Window{From: at, To: at}
			for arm := range 2 {
				units := fresh[arm]
				w.Arms = append(w.Arms, Arm{Requests: often[arm], Units: &units})
			}
			fresh = [2]int64{} // all of them are known by now
			// What is stored and read again must say that nobody was new.
			e, err := Event{Type: Observed, At: at, Window: &w}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []Command{Observe{*again.Window}, Tick{at}} {
				if _, err := Advance(s, c); err != nil {
					t.Fatal(err)
				}
			}
		}
		invalid += count(s.Outcome == OutcomeInvalid)
	}
	t.Logf("called invalid in %d of %d", invalid, n)
	if invalid > atMost(unplannedLevel, n) {
		t.Errorf("called invalid in %d of %d", invalid, n)
	}
}

// With several metrics that decide, and no difference in any of them, one is found in any of them in at most 5 % of the runs.
func TestSimulatedExperimentsKeepTheirErrorOverSeveralMetrics(t *testing.T) {
	n := runs(t, 150)
	p, err := ParsePlan([]byte("guard: {off: true}\nmetrics: [{name: a, measure: rate, better: higher}, {name: b, measure: rate, better: higher}, {name: c, measure: rate}, {name: d, better: higher}]\n" +
		"experiment: {decide: [{metric: a, minimum_effect: 0.02}, {metric: b, minimum_effect: 0.02}, {metric: c, minimum_effect: 0.02}, {metric: d, minimum_effect: 0.05}]}"))
	if err != nil {
		t.Fatal(err)
	}
	p.Experiment.Power = 1 - 1e-12
	found := 0
	for i := range n {
		d := stats.Dice(uint64(i)*7907 + 9)
		s := New()
		if _, err := Advance(s, Start{At: began, Plan: p, Baseline: "1", Candidates: []string{"2"}}); err != nil {
			t.Fatal(err)
		}
		for look := 0; look < 200 && !s.Done() && !s.Paused; look++ {
			at := began.Add(time.Duration(look+1) * time.Second)
			w := Window{From: at, To: at}
			for range 2 {
				values := map[string]Sums{}
				for k, c := range []trialData{{base: 0.1}, {base: 0.3}, {base: 0.05}, {base: 5, skewed: true}} {
					var v Sums
					c.add(&d, &v, 0, 100)
					values[string(rune('a'+k))] = v
				}
				w.Arms = append(w.Arms, Arm{Requests: 100, Values: values})
			}
			for _, c := range []Command{Observe{w}, Tick{at}} {
				if _, err := Advance(s, c); err != nil {
					t.Fatal(err)
				}
			}
		}
		found += count(s.Outcome == OutcomePromoted || s.Outcome == OutcomeRolledBack || s.Paused)
	}
	t.Logf("%d runs of four metrics, a difference found in %d (%.2f %%)", n, found, 100*float64(found)/float64(n))
	if found > atMost(0.05, n) {
		t.Errorf("differences found in %d of %d runs, at most %d", found, n, atMost(0.05, n))
	}
}
