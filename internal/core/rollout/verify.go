package rollout

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"levada/internal/core/fault"
)

// Checked says what came of deciding again what a rollout has decided.
type Checked struct {
	Windows int `json:"windows" doc:"windows of what was observed"`
	// Decisions were made from these windows, and made again; ByHand are those that people or a version that could not serve have caused. What follows
	// from those, with the evidence of that moment, is made again too.
	Decisions int `json:"decisions"`
	ByHand    int `json:"by_hand"`
	// Asked are the latter in words, with who asked for them.
	Asked []string `json:"asked" nullable:"false"`
	// Differences are where the events are not what follows from what was observed; none means that the verdict is confirmed.
	Differences []string `json:"differences" nullable:"false"`
	// Rules are the version of the rules by which it was decided. Where that is not Rules of this program and something else follows by these, Unlike says where that begins,
	// and there are no Differences: neither is the verdict confirmed then, nor is it known that anything was changed.
	Rules  int    `json:"rules"`
	Unlike string `json:"unlike,omitempty"`
}

// Verify decides again: it gives what was observed, window by window, to a new state with the plan, and compares what follows with the
// events. An error means that these are not the events of a rollout with its windows.
func Verify(events []Event) (Checked, error) {
	out := Checked{Asked: []string{}, Differences: []string{}}
	if len(events) == 0 || events[0].Type != Started || events[0].Plan == nil || len(events[0].Arms) < 2 {
		return out, fault.Invalidf("the events do not begin with the start of a rollout")
	}
	first := events[0]
	expected, err := Decide(New(), Start{At: first.At, Plan: *first.Plan, Baseline: first.Arms[0], Candidates: first.Arms[1:], Seed: first.Seed, By: first.By})
	if err != nil {
		return out, fmt.Errorf("start the rollout again: %w", err)
	}
	out.Rules, expected[0].Rules = max(1, first.Rules), first.Rules
	s := New()
	for at := 0; at < len(events); {
		if at > 0 {
			expected = nil
		}
		if e := events[at]; at > 0 && e.Type == Observed {
			out.Windows++
			if err := Apply(s, e); err != nil {
				return out, fault.Invalidf("event %d: %w", at, err)
			}
			if !s.Done() {
				if expected, err = Decide(s, Tick{At: e.At}); err != nil {
					return out, err
				}
			}
			at++
		}
		group := decisionsFrom(events[at:])
		if err := out.group(s, expected, group); err != nil {
			return out, err
		}
		at += len(group)
	}
	if out.Windows == 0 && len(out.Differences) > 0 {
		return out, fault.Invalidf("the events have no windows of what was observed: export them with \"levada rollout export\", or \"levada rollout events --observed -o json\"")
	}
	if out.Rules != Rules && len(out.Differences) > 0 {
		out.Unlike, out.Differences = out.Differences[0], []string{}
	}
	return out, nil
}

// decisionsFrom are the events before the next window.
func decisionsFrom(events []Event) []Event {
	for i, e := range events {
		if e.Type == Observed {
			return events[:i]
		}
	}
	return events
}

// group decides again what was decided between two windows: first what follows from the earlier one, then what was asked for.
func (c *Checked) group(s *State, expected, was []Event) error {
	for first := true; first || len(was) > 0; first = false {
		alike := true
		if !first {
			expected = c.asked(s, was[0])
			alike = expected != nil
		}
		alike = alike && c.compare(expected, was)
		n := len(expected)
		if !alike {
			n = len(was) // what comes after it rests on it
		}
		for _, e := range was[:n] {
			if err := Apply(s, e); err != nil {
				return fault.Invalidf("event of %s: %w", e.At.UTC().Format(time.RFC3339), err)
			}
		}
		was = was[n:]
	}
	return nil
}

// compare looks whether what was decided begins with what should have been.
func (c *Checked) compare(expected, was []Event) bool {
	for i, e := range expected {
		if i >= len(was) {
			c.differ(e.At, "%q follows from what was observed, and was not decided", e.Words())
			return false
		}
		if !sameDecision(e, was[i]) {
			c.differ(e.At, "%q was decided; from what was observed follows %q", was[i].Words(), e.Words())
			return false
		}
		c.Decisions++
	}
	return true
}

func (c *Checked) differ(at time.Time, format string, args ...any) {
	c.Differences = append(c.Differences, at.UTC().Format(time.RFC3339)+": "+fmt.Sprintf(format, args...))
}

// asked is what follows from what people asked for, or from a version that could not serve, at an event; nothing where neither can have caused it.
func (c *Checked) asked(s *State, e Event) []Event {
	var command Command
	who := e.By
	switch {
	case e.Type == PausedEvent:
		command = Pause{At: e.At, By: e.By, Reason: e.Reason}
	case e.Type == Resumed:
		command = Resume{At: e.At, By: e.By}
	case e.Type == MonitorFound && e.Finding != nil:
		command, who = Found{At: e.At, Finding: *e.Finding}, "a monitor"
	case e.Type == Promoted && e.By != "":
		command = Promote{At: e.At, Arm: e.Arm, By: e.By, Reason: e.Reason}
	case e.Type == RolledBack && e.Outcome == OutcomeAborted:
		command = Abort{At: e.At, By: e.By, Reason: e.Reason}
	case e.Type == RolledBack && len(e.Evidence) == 1 && e.Evidence[0].Test == testServing:
		command, who = Broken{At: e.At, Arm: e.Evidence[0].Arm, Reason: e.Evidence[0].Reason}, "the version could not serve"
	case e.Type == RolledBack && len(e.Evidence) == 0 && strings.Contains(e.Reason, " cannot serve: "): // as events of before had it
		arm, why, _ := strings.Cut(e.Reason, " cannot serve: ")
		command, who = Broken{At: e.At, Arm: arm, Reason: why}, "the version could not serve"
	}
	if command == nil {
		c.differ(e.At, "%q was decided, and does not follow from what was observed", e.Words())
		return nil
	}
	expected, err := Decide(s, command)
	if err == nil && len(expected) == 0 {
		err = fault.Conflictf("nothing is decided by it in %s", s.Stage)
	}
	if err != nil {
		c.differ(e.At, "%q was decided, and could not be: %v", e.Words(), err)
		return nil
	}
	c.ByHand++
	c.Asked = append(c.Asked, fmt.Sprintf("%s: %s (%s)", e.At.UTC().Format(time.RFC3339), e.Words(), orText(who, "nobody is named")))
	if len(e.Evidence) == 0 { // as events of before had it
		for i := range expected {
			if expected[i].Type == e.Type {
				expected[i].Evidence = nil
			}
		}
	}
	return expected
}

// sameDecision compares two events by all but their words. Numbers may differ by what another processor rounds.
func sameDecision(a, b Event) bool {
	var x, y any
	for _, one := range []struct {
		e  Event
		to *any
	}{{a, &x}, {b, &y}} {
		text, err := one.e.Encode()
		if err != nil || json.Unmarshal(text, one.to) != nil {
			return false
		}
	}
	return alike(x, y)
}

func alike(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Abs(a-b) <= 1e-9*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return false
		}
		delete(a, "reason")
		delete(b, "reason")
		if len(a) != len(b) {
			return false
		}
		for key, v := range a {
			if w, there := b[key]; !there || !alike(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !alike(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return a == b
}
