package rollout

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"levada/internal/core/fault"
)

// Checked says what came of deciding again what a rollout has decided.
type Checked struct {
	Windows int `json:"windows" doc:"windows of what was observed"`
	// Decisions were made from these windows, and made again; ByHand are those that people or a version that could not serve have caused.
	Decisions int `json:"decisions"`
	ByHand    int `json:"by_hand"`
	// Differences are where the events are not what follows from what was observed; none means that the verdict is confirmed.
	Differences []string `json:"differences" nullable:"false"`
}

// Verify decides again: it gives what was observed, window by window, to a new state with the plan, and compares what follows with the
// events. An error means that these are not the events of a rollout with its windows.
func Verify(events []Event) (Checked, error) {
	out := Checked{Differences: []string{}}
	if len(events) == 0 || events[0].Type != Started || events[0].Plan == nil || len(events[0].Arms) < 2 {
		return out, fault.Invalidf("the events do not begin with the start of a rollout")
	}
	first := events[0]
	expected, err := Decide(New(), Start{At: first.At, Plan: *first.Plan, Baseline: first.Arms[0], Candidates: first.Arms[1:], Seed: first.Seed, By: first.By})
	if err != nil {
		return out, fmt.Errorf("start the rollout again: %w", err)
	}
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
		out.compare(expected, group)
		for i, e := range group {
			if err := Apply(s, e); err != nil {
				return out, fault.Invalidf("event %d: %w", at+i, err)
			}
		}
		at += len(group)
	}
	if out.Windows == 0 && len(events) > len(expected) {
		return out, fault.Invalidf("the events have no windows of what was observed: export them with \"levada rollout export\", or \"levada rollout events --observed -o json\"")
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

// compare looks whether what was decided is what should have been.
func (c *Checked) compare(expected, was []Event) {
	differ := func(at time.Time, format string, args ...any) {
		c.Differences = append(c.Differences, at.UTC().Format(time.RFC3339)+": "+fmt.Sprintf(format, args...))
	}
	for i, e := range expected {
		if i >= len(was) {
			differ(e.At, "%q follows from what was observed, and was not decided", e.Words())
			return
		}
		c.Decisions++
		if !sameDecision(e, was[i]) {
			differ(e.At, "%q was decided; from what was observed follows %q", was[i].Words(), e.Words())
			return
		}
	}
	follows := false // what starts or ends because of something that was done by hand
	for _, e := range was[len(expected):] {
		switch {
		case e.byHand():
			c.ByHand++
			follows = true
		case !follows || e.Type != StageStarted && e.Type != Finished:
			differ(e.At, "%q was decided, and does not follow from what was observed", e.Words())
			return
		}
	}
}

// byHand reports whether something else than what was observed can have caused an event: a person, or a version that could not serve.
func (e Event) byHand() bool {
	switch e.Type {
	case PausedEvent, Resumed:
		return true
	case Promoted:
		return e.By != ""
	case RolledBack:
		return len(e.Evidence) == 0
	}
	return false
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
		if !ok || len(a) != len(b) {
			return false
		}
		for key, v := range a {
			if w, there := b[key]; !there || key != "reason" && !alike(v, w) {
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
