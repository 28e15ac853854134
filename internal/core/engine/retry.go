package engine

import (
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// Retry asks a run that failed or was cancelled to go on: what succeeded is kept, the rest is done again. It is the one
// command that can be refused: with a Conflict, when the run has not ended or has succeeded.
type Retry struct{}

func (Retry) command() {}

// again is the reason shown for a task that a retry of its run has reset.
const again = "to be done again: the run was retried"

func (d *decision) retry() error {
	switch {
	case d.root == nil || !d.state.Final():
		return fault.Conflictf("run %s is still %s; only a run that failed or was cancelled can be retried", d.job.RunID, d.state)
	case d.state == run.Succeeded:
		return fault.Conflictf("run %s succeeded: there is nothing to retry; start a new run, which may reuse its results", d.job.RunID)
	}
	return d.emit(Event{Type: RunRetried})
}

// applyRetry opens a run that has ended once more. Tasks may be found in any state: a run that was given up has tasks that are
// not final.
func (s *State) applyRetry(e Event) {
	s.canceling, s.timedOut, s.failure, s.outputs, s.finishedAt = false, false, nil, run.Values{}, time.Time{}
	s.sleeping, s.queue = nil, nil
	s.enter(run.Running, e)
	s.setDeadline(e.At)
	s.reopen(s.root)
}

// reopen opens a group with the members of its last try. A member that succeeded, or was skipped, is kept, unless something
// before it is done again: then its inputs, or the status it was told of, may change. So exit handlers run again. A group that
// is done again with the same inputs is itself reopened, not begun anew, when its turn comes: its members stay as they are
// until then, so that a loop keeps its limit.
func (s *State) reopen(g *node) {
	g.phase, g.state, g.reason, g.resume = phaseOpen, run.Running, "", false
	g.unfinished, g.open, g.next, g.firstBad = 0, 0, len(g.children), nil
	var plan *plan
	if g.kind != run.KindLoop {
		plan = s.planOf(g.comp)
	}
	redo := make([]bool, len(g.children))
	for i, n := range g.children {
		waiting := 0
		if plan != nil {
			for _, j := range plan.up[i] {
				if redo[j] {
					waiting++
				}
			}
		}
		if waiting == 0 && n.phase == phaseFinal && (n.state == run.Succeeded || n.state == run.Skipped) {
			continue
		}
		redo[i] = true
		g.unfinished++
		g.next = min(g.next, i)
		s.reset(n, waiting)
	}
	s.push(g)
}

// reset makes a node pending. Attempt numbers go on where they were; the retry policy starts anew.
func (s *State) reset(n *node, waiting int) {
	n.resume = waiting == 0 && len(n.children) > 0
	if !n.resume {
		s.drop(n.children)
		n.children, n.items, n.inputs = nil, nil, run.Values{}
	}
	n.phase, n.state, n.reason, n.waiting = phasePending, run.Pending, again, waiting
	n.failure, n.outputs, n.failures, n.lost = nil, run.Values{}, 0, 0
	n.cacheKey, n.cachedFrom, n.cachedRun = "", "", ""
	n.readyAt, n.startedAt, n.finishedAt, n.wakeAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	s.touch(n)
	if waiting == 0 {
		s.push(n)
	}
}
