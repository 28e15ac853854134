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
		s.draws++
		s.Traffic, s.Until, s.Last = *e.Traffic, *e.Until, e.Evidence
		s.data.move(len(s.Arms))
		for _, v := range e.Evidence {
			if arm := slices.Index(s.Arms, v.Arm); v.Verdict == Fail && arm > 0 {
				s.data.bad[arm], s.data.dropped[arm] = nil, true
			}
		}
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
		found := maps.Clone(s.found)
		if found == nil {
			found = map[string]time.Time{}
		}
		found[e.Finding.Monitor] = e.Finding.At
		s.found, s.Last = found, e.Evidence
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
// each stage takes the windows that come while it lasts.
func Rehearse(start Start, windows []Window) (*State, []Event, error) {
	s := New()
	events, err := Advance(s, start)
	if err != nil {
		return nil, nil, err
	}
	for i, w := range windows {
		for _, c := range []Command{Observe{w}, Tick{w.To}} {
			if s.Done() {
				return s, events, nil
			}
			more, err := Advance(s, c)
			if err != nil {
				return nil, nil, fmt.Errorf("window %d: %w", i, err)
			}
			events = append(events, more...)
		}
	}
	return s, events, nil
}
