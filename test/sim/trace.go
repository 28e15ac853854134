package sim

import (
	"fmt"
	"strings"

	"levada/internal/core/engine"
	"levada/internal/core/run"
)

// trace remembers the last steps of a schedule, and a hash of all of them.
type trace struct {
	lines   [lastKept]line
	n       int
	hash    uint64
	hashing bool
	print   func(string)
}

// line is one step; it is made into text only when somebody wants to read it.
type line struct {
	step    int
	at      string
	what    string
	verdict verdict
	events  []run.Event
}

func (t *trace) add(s *schedule, c *call, v verdict) {
	l := line{step: s.step, what: c.what, verdict: v}
	if t.print != nil || t.hashing {
		l.at = s.now().Format("15:04:05.000")
	}
	t.put(l)
}

// commit notes what was written.
func (t *trace) commit(s *schedule, runID string, events []run.Event) {
	t.put(line{step: s.step, what: "  commit " + short(runID), events: events})
}

func (t *trace) put(l line) {
	t.lines[t.n%lastKept] = l
	t.n++
	if t.hashing {
		t.hash = hashOf(fmt.Sprint(t.hash, l.at), l.String())
		for _, r := range l.events {
			t.hash = hashOf(fmt.Sprint(t.hash), string(r.Body))
		}
	}
	if t.print != nil {
		t.print(l.String())
	}
}

func (l line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%5d %s %s", l.step, l.at, l.what)
	if l.verdict != proceed {
		fmt.Fprintf(&b, " -> %s", verdicts[l.verdict])
	}
	for _, r := range l.events {
		e, err := engine.DecodeEvent(r)
		if err != nil {
			fmt.Fprintf(&b, " [%d undecodable: %v]", r.Seq, err)
			continue
		}
		fmt.Fprintf(&b, " [%d %s %s", r.Seq, e.Type, e.Task)
		if e.Attempt > 0 {
			fmt.Fprintf(&b, "#%d", e.Attempt)
		}
		if e.State != "" {
			fmt.Fprintf(&b, " %s", e.State)
		}
		b.WriteString("]")
	}
	return b.String()
}

// last returns the newest lines.
func (t *trace) last() string {
	var b strings.Builder
	for i := max(0, t.n-lastKept); i < t.n; i++ {
		fmt.Fprintln(&b, t.lines[i%lastKept])
	}
	return b.String()
}

// short is the part of a run's id that tells runs of a schedule apart.
func short(id string) string {
	if len(id) < 8 {
		return id
	}
	return "run " + strings.TrimLeft(id[:8], "0")
}
