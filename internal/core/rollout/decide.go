package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"levada/internal/core/fault"
)

// maxArms bounds the versions of a bandit.
const maxArms = 20

// Decide returns the events that follow from a command. It does not change the state; the caller stores the events and applies them. A
// command that the rollout cannot obey is an error, and has no events.
func Decide(s *State, c Command) ([]Event, error) {
	if start, ok := c.(Start); ok {
		return s.start(start)
	}
	if len(s.Arms) == 0 {
		return nil, fault.Conflictf("the rollout has not started")
	}
	if s.Done() {
		return nil, fault.Conflictf("the rollout has ended: %s", s.Outcome)
	}
	switch c := c.(type) {
	case Observe:
		if err := c.Window.check(len(s.Arms)); err != nil {
			return nil, err
		}
		return []Event{{Type: Observed, At: c.Window.To, Window: &c.Window}}, nil
	case Tick:
		return s.tick(c.At), nil
	case Broken:
		return s.broken(c)
	case Found:
		return s.monitored(c), nil
	case Pause:
		if s.Paused {
			return nil, fault.Conflictf("the rollout is paused already")
		}
		return []Event{{Type: PausedEvent, At: c.At, By: c.By, Reason: orText(c.Reason, "somebody asked for it")}}, nil
	case Resume:
		return s.resume(c)
	case Abort:
		return s.back(c.At, OutcomeAborted, orText(c.Reason, "somebody asked for it"), c.By, s.known()), nil
	case Promote:
		return s.promoteByHand(c)
	}
	return nil, fmt.Errorf("command %T is unknown", c)
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (s *State) start(c Start) ([]Event, error) {
	if len(s.Arms) > 0 {
		return nil, fault.Conflictf("the rollout has started already")
	}
	plan := c.Plan
	if err := plan.Complete(); err != nil {
		return nil, err
	}
	arms := append([]string{c.Baseline}, c.Candidates...)
	switch {
	case len(arms) < 2 || len(arms) > maxArms:
		return nil, fault.Invalidf("a rollout needs a baseline and from 1 to %d candidates; it has %d", maxArms-1, len(c.Candidates))
	case len(arms) > 2 && (plan.Shadow != nil || plan.Canary != nil || plan.Experiment != nil):
		return nil, fault.Invalidf("several candidates can only be compared by a bandit; the plan has a shadow, a canary or an experiment")
	case plan.Bandit != nil && plan.Bandit.Floor*float64(len(arms)) > 100:
		return nil, fault.Invalidf("plan: bandit.floor is %v %%, which is more than there is for %d versions", plan.Bandit.Floor, len(arms))
	}
	for i, a := range arms {
		if a == "" || slices.Contains(arms[:i], a) {
			if i > 0 && a == arms[0] && a != "" {
				return nil, fault.Invalidf("version %s is the baseline, the version that has the requests now: name another one as candidate", a)
			}
			return nil, fault.Invalidf("a rollout needs versions that differ; it has %s", strings.Join(arms, ", "))
		}
	}
	events := []Event{{Type: Started, At: c.At, Plan: &plan, Arms: arms, Seed: c.Seed, Rules: Rules, By: c.By}}
	return append(events, begin(&plan, plan.stages()[0], c.At, len(arms), 1)), nil
}

// begin is the event that starts a stage.
func begin(p *Plan, stage Stage, at time.Time, arms, arm int) Event {
	e := Event{Type: StageStarted, At: at, Stage: &stage}
	t := Traffic{Shares: make([]float64, arms)}
	until := at
	switch stage.Phase {
	case PhaseShadow:
		t.Rest, t.Shares[0], t.Mirror = 0, 100, p.Shadow.Percent
		until = at.Add(time.Duration(p.Shadow.Wait))
	case PhaseCanary:
		step := p.Canary.Steps[stage.Step]
		control := min(step.Percent, 100-step.Percent)
		t.Shares[0], t.Shares[1], t.Rest = control, step.Percent, 100-step.Percent-control
		until = at.Add(time.Duration(step.Wait))
	case PhaseExperiment:
		t.Shares[0], t.Shares[1] = 100-p.Experiment.Percent, p.Experiment.Percent
		until = at.Add(time.Duration(p.Experiment.MaxDuration))
	case PhaseBandit:
		for i := range t.Shares {
			t.Shares[i] = 100 / float64(arms)
		}
		until = at.Add(time.Duration(p.Bandit.Every))
	case PhaseWatch:
		t.Shares[0], t.Shares[arm] = p.Watch.Holdback, 100-p.Watch.Holdback
		until = at.Add(min(time.Duration(p.Watch.Window), time.Duration(p.Watch.Duration)-time.Duration(stage.Step)*time.Duration(p.Watch.Window)))
	}
	e.Traffic, e.Until = &t, &until
	return e
}

// arm is the index of the version that is looked at: the promoted one, else the first candidate.
func (s *State) arm() int {
	if s.Arm != "" {
		return slices.Index(s.Arms, s.Arm)
	}
	return 1
}

// tick decides what is due.
func (s *State) tick(at time.Time) []Event {
	if alarms := s.data.alarms(); len(alarms) > 0 {
		var names []string
		for _, e := range alarms {
			names = append(names, e.Metric)
		}
		return s.back(at, OutcomeRolledBack, fmt.Sprintf("%s got worse: %s", strings.Join(names, " and "), alarms[0].Reason), "", alarms)
	}
	if s.Stage.Phase == PhaseBandit {
		if events := s.dropped(at); len(events) > 0 {
			return events
		}
	}
	if s.Paused {
		return nil
	}
	due := !at.Before(s.Until)
	switch s.Stage.Phase {
	case PhaseExperiment:
		evidence := s.trialEvidence()
		end, over := s.trialEnd(at, evidence)
		return s.conclude(at, end, over, evidence)
	case PhaseBandit:
		if !due {
			return nil
		}
		shares, evidence := s.reallocate()
		if end, over := s.banditEnd(at, evidence); over {
			return s.conclude(at, end, over, evidence)
		}
		until := at.Add(time.Duration(s.Plan.Bandit.Every))
		return []Event{{Type: TrafficChanged, At: at, Stage: &s.Stage, Until: &until, Traffic: &Traffic{Shares: shares}, Evidence: evidence}}
	case PhaseWatch:
		if !due {
			return nil
		}
		next := Stage{PhaseWatch, s.Stage.Step + 1}
		if next.Step < s.Plan.watches() {
			return []Event{begin(&s.Plan, next, at, len(s.Arms), s.arm())}
		}
		return []Event{s.watched(at)}
	}
	if !due || !s.enough() {
		return nil
	}
	return s.judged(at)
}

// enough reports whether a stage has the samples that it must have. A stage that does not get them is judged after its time has passed as
// often as it may be extended: then there is no verdict, which is one.
func (s *State) enough() bool {
	least := int64(0)
	if s.Stage.Phase == PhaseCanary {
		least = s.Plan.Canary.Steps[s.Stage.Step].MinSamples
	} else if s.Stage.Phase == PhaseShadow {
		least = s.Plan.Shadow.MinSamples
	}
	wait := s.Until.Sub(s.Since)
	return min(s.data.arms[0].Requests, s.data.arms[1].Requests) >= least || !s.now.Before(s.Until.Add(wait*time.Duration(1+s.extensions())))
}

// extensions is how often a stage may be extended.
func (s *State) extensions() int {
	if s.Plan.Canary == nil {
		return 3
	}
	return *s.Plan.Canary.Extensions
}

// judged judges a shadow or a step of a canary, and decides what follows.
func (s *State) judged(at time.Time) []Event {
	evidence := s.judge(1)
	pass, limit, otherwise := 0.75, 0, InconclusivePause
	if c := s.Plan.Canary; c != nil {
		pass, limit, otherwise = c.PassScore, c.FailureLimit, c.OnInconclusive
	}
	v, sum := verdict(s.Plan.Metrics, evidence, pass)
	stage := s.Stage
	events := []Event{{Type: Judged, At: at, Stage: &stage, Verdict: v, Score: number(sum), Evidence: evidence}}
	extend := func(reason string) []Event {
		until := at.Add(s.wait())
		return append(events, Event{Type: StageExtended, At: at, Stage: &stage, Until: &until, Verdict: v, Reason: reason})
	}
	switch v {
	case Pass:
		return append(events, s.advance(at, evidence)...)
	case Fail:
		if s.Failures < limit {
			return extend(fmt.Sprintf("failure %d of %d that are borne", s.Failures+1, limit))
		}
		return append(events, s.back(at, OutcomeRolledBack, worst(evidence, sum, pass), "", evidence)...)
	}
	if s.Extensions < s.extensions() {
		return extend(fmt.Sprintf("inconclusive; extension %d of %d", s.Extensions+1, s.extensions()))
	}
	switch otherwise {
	case InconclusiveProceed:
		return append(events, s.advance(at, evidence)...)
	case InconclusiveRollback:
		return append(events, s.back(at, OutcomeRolledBack, "still inconclusive after all extensions: "+worst(evidence, sum, pass), "", evidence)...)
	}
	return append(events, Event{Type: PausedEvent, At: at, Reason: "still inconclusive after all extensions; resume gives it its time again, promote or abort end it"})
}

// wait is how long a stage takes each time.
func (s *State) wait() time.Duration {
	switch s.Stage.Phase {
	case PhaseShadow:
		return time.Duration(s.Plan.Shadow.Wait)
	case PhaseCanary:
		return time.Duration(s.Plan.Canary.Steps[s.Stage.Step].Wait)
	case PhaseBandit:
		return time.Duration(s.Plan.Bandit.Every)
	case PhaseExperiment:
		return time.Duration(s.Plan.Experiment.MaxDuration)
	}
	return time.Duration(s.Plan.Watch.Window)
}

// worst is the reason of a failure in words: the metric that says it.
func worst(evidence []Evidence, sum, pass float64) string {
	for _, critical := range []bool{true, false} {
		for _, v := range []Verdict{Fail, Inconclusive, NoData} {
			for _, e := range evidence {
				if e.Critical == critical && e.Verdict == v && (critical || sum < pass) {
					return fmt.Sprintf("%s: %s", e.Metric, e.Reason)
				}
			}
		}
	}
	return fmt.Sprintf("the score of %.2f is below %.2f", sum, pass)
}

// advance goes to the next stage, or promotes.
func (s *State) advance(at time.Time, evidence []Evidence) []Event {
	all := s.Plan.stages()
	if next := slices.Index(all, s.Stage) + 1; next < len(all) {
		return []Event{begin(&s.Plan, all[next], at, len(s.Arms), 1)}
	}
	return s.promote(at, 1, "all stages have passed", "", evidence)
}

// conclude does what an experiment or a bandit has come to.
func (s *State) conclude(at time.Time, end ending, over bool, evidence []Evidence) []Event {
	if !over {
		return nil
	}
	stage := s.Stage
	events := []Event{{Type: Judged, At: at, Stage: &stage, Evidence: evidence, Reason: end.reason, Verdict: map[bool]Verdict{true: Pass, false: Inconclusive}[end.promote]}}
	if end.outcome == OutcomeRolledBack {
		events[0].Verdict = Fail
	}
	switch {
	case end.pause:
		return append(events, Event{Type: PausedEvent, At: at, Reason: end.reason})
	case end.promote:
		return append(events, s.promote(at, max(1, end.arm), end.reason, "", evidence)...)
	}
	return append(events, s.back(at, end.outcome, end.reason, "", evidence)...)
}

// promote gives an arm the traffic, or waits for a person where the plan says so.
func (s *State) promote(at time.Time, arm int, reason, by string, evidence []Evidence) []Event {
	if s.Plan.Manual && by == "" {
		return []Event{{Type: PausedEvent, At: at, Evidence: evidence, Reason: reason + "; the plan leaves the promotion to a person"}}
	}
	t := Traffic{Shares: make([]float64, len(s.Arms))}
	t.Shares[arm] = 100
	events := []Event{{Type: Promoted, At: at, Arm: s.Arms[arm], Traffic: &t, Reason: reason, By: by, Evidence: evidence}}
	if s.Plan.Watch == nil {
		return append(events, s.finish(at, OutcomePromoted, reason))
	}
	watch := begin(&s.Plan, Stage{PhaseWatch, 0}, at, len(s.Arms), arm)
	watch.Reason = s.unwatched(arm)
	return append(events, watch)
}

func (s *State) finish(at time.Time, outcome Outcome, reason string) Event {
	return Event{Type: Finished, At: at, Outcome: outcome, Reason: reason}
}

// back gives the baseline the traffic and ends the rollout.
func (s *State) back(at time.Time, outcome Outcome, reason, by string, evidence []Evidence) []Event {
	t := Traffic{Shares: make([]float64, len(s.Arms)), Rest: 100}
	return []Event{
		{Type: RolledBack, At: at, Traffic: &t, Reason: reason, By: by, Evidence: evidence, Outcome: outcome},
		s.finish(at, outcome, reason),
	}
}

func (s *State) broken(c Broken) ([]Event, error) {
	i := slices.Index(s.Arms, c.Arm)
	switch {
	case i < 0:
		return nil, fault.NotFoundf("version %q is none of the rollout's: %s", c.Arm, strings.Join(s.Arms, ", "))
	case !s.Needs(c.Arm):
		return nil, nil
	case i == 0:
		// Nothing is known of the candidate by that, and nothing better than the baseline is there to go to.
		return []Event{{Type: PausedEvent, At: c.At, Reason: fmt.Sprintf("the baseline %s cannot serve: %s", c.Arm, c.Reason)}}, nil
	}
	seen := s.data.arms[i]
	evidence := Evidence{Metric: testServing, Test: testServing, Arm: c.Arm, Verdict: Fail, Unit: "value", Candidate: Measured{N: seen.Requests}, Critical: true, Reason: c.Reason}
	return s.back(c.At, OutcomeRolledBack, fmt.Sprintf("%s cannot serve: %s", c.Arm, c.Reason), "", []Evidence{evidence}), nil
}

// Needs reports whether anything follows from a version that cannot serve: before a promotion from the baseline, unless the rollout is paused already, and from candidates
// that have traffic to lose; afterwards from the version that was promoted.
func (s *State) Needs(version string) bool {
	i := slices.Index(s.Arms, version)
	switch {
	case i < 0 || s.Done():
		return false
	case s.Arm != "":
		return version == s.Arm
	case i == 0:
		return !s.Paused
	}
	return !s.data.dropped[i]
}

// testServing is the test of a version that does not answer at all.
const testServing = "serving"

// known is what the comparison says at the moment: the evidence of what people decide.
func (s *State) known() []Evidence {
	switch {
	case s.Stage.Phase == PhaseExperiment:
		return s.trialEvidence()
	case s.Stage.Phase == PhaseBandit:
		_, evidence := s.reallocate()
		return evidence
	case s.alone():
		return nil // it is compared with limits alone, by the guard
	}
	return s.judge(s.arm())
}

func (s *State) resume(c Resume) ([]Event, error) {
	if !s.Paused {
		return nil, fault.Conflictf("the rollout is not paused")
	}
	until := c.At.Add(s.wait())
	stage := s.Stage
	return []Event{{Type: Resumed, At: c.At, By: c.By, Stage: &stage, Until: &until}}, nil
}

func (s *State) promoteByHand(c Promote) ([]Event, error) {
	arm := 1
	switch {
	case s.Arm != "":
		return nil, fault.Conflictf("%s is promoted already", s.Arm)
	case c.Arm == "" && len(s.Arms) > 2:
		return nil, fault.Invalidf("say which version to promote: %s", strings.Join(s.Arms[1:], ", "))
	case c.Arm != "":
		if arm = slices.Index(s.Arms, c.Arm); arm < 1 {
			return nil, fault.Invalidf("version %q is no candidate of the rollout: %s", c.Arm, strings.Join(s.Arms[1:], ", "))
		}
	}
	return s.promote(c.At, arm, orText(c.Reason, "somebody asked for it"), orText(c.By, "unknown"), s.known()), nil
}

// monitored decides by what a monitor has found. Each finding is decided by once, in whatever order they come.
func (s *State) monitored(c Found) []Event {
	f := c.Finding
	if _, asks := s.Asks(f.Monitor); !asks || !f.At.After(s.promoted) || slices.Contains(s.heard[f.Monitor].findings, f.id()) {
		return nil
	}
	e := Evidence{Metric: f.Monitor, Test: testMonitor, Arm: s.Arm, Verdict: f.Verdict, Unit: "value", Candidate: Measured{N: f.Rows}, Critical: true, Reason: f.Reason}
	events := []Event{{Type: MonitorFound, At: c.At, Arm: s.Arm, Finding: &f, Verdict: f.Verdict, Evidence: []Evidence{e}, Reason: f.Reason}}
	if f.Verdict != Fail {
		return events
	}
	return append(events, s.back(c.At, OutcomeRolledBack, fmt.Sprintf("monitor %s has found: %s", f.Monitor, f.Reason), "", []Evidence{e})...)
}

// testMonitor is the test of a monitor, which has its own.
const testMonitor = "monitor"

// findingsLate is by how much a finding may come after a later one: reports are read when there is time for them, and those of a run in any order.
const findingsLate = time.Hour

// Asks says whether a monitor is asked now, and about what since when. That is since the promotion, or as long ago as findings may come late.
func (s *State) Asks(monitor string) (since time.Time, asks bool) {
	if s.Done() || s.Stage.Phase != PhaseWatch || !slices.Contains(s.Plan.Watch.Monitors, monitor) {
		return since, false
	}
	if since = s.promoted; s.heard[monitor].newest.Add(-findingsLate).After(since) {
		since = s.heard[monitor].newest.Add(-findingsLate)
	}
	return since, true
}

// watched is the end of a watch in which nothing was worse. It says what the watch could not tell.
func (s *State) watched(at time.Time) Event {
	reason := "nothing was worse while it was watched"
	names := s.Plan.without(s.standards)
	switch {
	case s.data.arms[s.arm()].Requests == 0:
		reason = "no requests came at the end of the watch, and nothing was worse before"
	case s.alone() && len(names) > 0:
		reason = "nothing else was worse while it was watched; of " + strings.Join(names, " and ") + " too little was known before to tell"
	}
	var silent []string
	for _, m := range s.Plan.Watch.Monitors {
		if !s.heard[m].judged {
			silent = append(silent, m)
		}
	}
	if len(silent) > 0 {
		reason += "; nothing was judged by monitor " + strings.Join(silent, " and ") + ": look whether it is there, and looks at the data often enough"
	}
	return s.finish(at, OutcomePromoted, reason)
}
