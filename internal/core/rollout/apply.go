package rollout

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Apply advances the state by one event. An error means that the log is not one that Decide has made.
func Apply(s *State, e Event) error {
	if e.Type == Started {
		return s.applyStart(e)
	}
	if len(s.Arms) == 0 {
		return fmt.Errorf("event %s comes before the rollout has started", e.Type)
	}
	s.now = e.At
	switch e.Type {
	case Observed:
		return s.applyWindow(e)
	case StageStarted:
		return s.applyStage(e)
	case Judged:
		s.Last = e.Evidence
	case StageExtended:
		s.Extensions++
		if e.Verdict == Fail {
			s.Failures++
		}
		s.Until = *e.Until
	case TrafficChanged:
		s.applyTraffic(e)
	case PausedEvent:
		s.Paused, s.Reason = true, e.Reason
	case Resumed:
		s.Paused, s.Reason, s.Until = false, "", *e.Until
		s.Failures, s.Extensions = 0, 0
	case Promoted:
		arm := slices.Index(s.Arms, e.Arm)
		if arm < 1 {
			return fmt.Errorf("event %s names %q, which is no candidate", e.Type, e.Arm)
		}
		s.standards, s.promoted = s.before(arm), e.At
		s.Arm, s.Traffic, s.Paused, s.Reason = e.Arm, *e.Traffic, false, e.Reason
	case MonitorFound:
		if e.Finding == nil {
			return fmt.Errorf("event %s has no finding", e.Type)
		}
		s.hear(e.Finding)
		s.Last = e.Evidence
	case RolledBack:
		s.Traffic, s.Paused, s.Reason = *e.Traffic, false, e.Reason
		if len(e.Evidence) > 0 {
			s.Last = e.Evidence
		}
	case Finished:
		s.Outcome, s.Reason = e.Outcome, e.Reason
		if arm := slices.Index(s.Arms, s.Arm); e.Outcome == OutcomePromoted && arm > 0 { // what a watch has held back as well
			s.Traffic = Traffic{Shares: make([]float64, len(s.Arms))}
			s.Traffic.Shares[arm] = 100
		}
	default:
		return fmt.Errorf("event type %q is unknown", e.Type)
	}
	return nil
}

func (s *State) applyTraffic(e Event) {
	s.draws++
	s.Traffic, s.Until, s.Last = *e.Traffic, *e.Until, e.Evidence
	s.data.move(len(s.Arms))
	for _, v := range e.Evidence {
		if arm := slices.Index(s.Arms, v.Arm); v.Verdict == Fail && arm > 0 {
			s.data.bad[arm], s.data.dropped[arm] = nil, true
		}
	}
}

// hear remembers a finding.
func (s *State) hear(f *Finding) {
	all := maps.Clone(s.heard)
	if all == nil {
		all = map[string]heard{}
	}
	of := all[f.Monitor]
	of.findings = append(slices.Clone(of.findings), f.id())
	of.judged = of.judged || f.Verdict != NoData
	if f.At.After(of.newest) {
		of.newest = f.At
	}
	all[f.Monitor] = of
	s.heard = all
}

func (s *State) applyStart(e Event) error {
	if e.Plan == nil || len(e.Arms) < 2 {
		return fmt.Errorf("event %s has no plan or fewer than two versions", e.Type)
	}
	*s = State{Plan: *e.Plan, Arms: e.Arms, Started: e.At, seed: e.Seed, now: e.At, Requests: make([]int64, len(e.Arms)), Errors: make([]int64, len(e.Arms))}
	s.data, s.past = newStageData(&s.Plan, len(s.Arms)), newArmData()
	return nil
}

func (s *State) applyWindow(e Event) error {
	if e.Window == nil || len(e.Window.Arms) != len(s.Arms) {
		return fmt.Errorf("event %s has no window of %d versions", e.Type, len(s.Arms))
	}
	for i, a := range e.Window.Arms {
		s.Requests[i], s.Errors[i] = s.Requests[i]+a.Requests, s.Errors[i]+a.Errors
	}
	s.past.add(e.Window.Arms[0])
	if e.Window.From.Before(s.Since) {
		return nil // part of it is of the stage before, with other traffic
	}
	arm := s.arm()
	s.data.add(&s.Plan, *e.Window, arm, s.alone())
	s.watchOver(arm)
	if s.Stage.Phase == PhaseExperiment {
		s.try()
	}
	return nil
}

func (s *State) applyStage(e Event) error {
	if e.Stage == nil || e.Traffic == nil || e.Until == nil || len(e.Traffic.Shares) != len(s.Arms) {
		return fmt.Errorf("event %s lacks its stage, its traffic or its end", e.Type)
	}
	s.Stage, s.Since, s.Until, s.Traffic = *e.Stage, e.At, *e.Until, *e.Traffic
	s.Failures, s.Extensions = 0, 0
	s.data = newStageData(&s.Plan, len(s.Arms))
	return nil
}

// Replay applies events to a new state.
func Replay(events []Event) (*State, error) {
	s := New()
	for i, e := range events {
		if err := Apply(s, e); err != nil {
			return nil, fmt.Errorf("replay event %d: %w", i, err)
		}
	}
	return s, nil
}

// Advance decides a command and applies what follows. It returns the events, which the caller stores.
func Advance(s *State, c Command) ([]Event, error) {
	events, err := Decide(s, c)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := Apply(s, e); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// Encode writes an event as JSON; DecodeEvent reads it.
func (e Event) Encode() ([]byte, error) { return json.Marshal(e) }

// DecodeEvent reads an event.
func DecodeEvent(b []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("decode an event of a rollout: %w", err)
	}
	return e, nil
}

// Rehearse says what a plan would have decided on windows that were observed before. Traffic does not follow its decisions, for it is past;
// each stage takes the windows that come while it lasts. Where nothing was observed and something is due there are windows without requests, as while a rollout goes on.
func Rehearse(start Start, windows []Window) (*State, []Event, error) {
	s := New()
	events, err := Advance(s, start)
	if err != nil {
		return nil, nil, err
	}
	seen := func(w Window) error {
		for _, c := range []Command{Observe{w}, Tick{w.To}} {
			if s.Done() {
				return nil
			}
			more, err := Advance(s, c)
			if err != nil {
				return err
			}
			events = append(events, more...)
		}
		return nil
	}
	last := start.At
	for i, w := range windows {
		for at := s.looked(last); !at.After(w.From) && !s.Done() && !s.Paused; at = s.looked(last) {
			if err := seen(Window{From: last, To: at, Arms: make([]Arm, len(s.Arms))}); err != nil {
				return nil, nil, err
			}
			last = at
		}
		if s.Done() {
			break
		}
		if err := seen(w); err != nil {
			return nil, nil, fmt.Errorf("window %d: %w", i, err)
		}
		last = w.To
	}
	return s, events, nil
}

// DueEvery is how often it is decided again what is due, while there are no requests.
const DueEvery = time.Minute

// looked is when a window without requests is looked at, after the one that ended last: at the end of the interval in which something is due, and then once a minute.
func (s *State) looked(last time.Time) time.Time {
	interval, wait := time.Duration(s.Plan.Interval), DueEvery
	if s.Until.After(last) {
		wait = s.Until.Sub(last)
	}
	return last.Add(max(1, (wait+interval-1)/interval) * interval)
}
