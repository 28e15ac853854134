package engine

import (
	"slices"
	"time"

	"levada/internal/core/run"
)

// prepare notes that a leaf is being made ready to start.
func (n *node) prepare(at time.Time) {
	if n.readyAt.IsZero() {
		n.readyAt = at
	}
	n.set(run.Try{ReadyAt: at})
}

// launch notes the start of an attempt.
func (n *node) launch(e Event) {
	n.present.Attempt, n.present.StartedAt = e.Attempt, e.At
	if n.present.ReadyAt.IsZero() { // a log of before preparing was noted
		n.present.ReadyAt = e.At
	}
	if n.startedAt.IsZero() {
		n.startedAt = e.At
	}
}

// lose notes that the attempt under way has vanished; the next one is prepared at once.
func (n *node) lose(at time.Time) {
	n.lost++
	n.ended(at, run.ReasonLost)
	n.prepare(at)
}

// ended notes the end of the attempt under way, if there is one.
func (n *node) ended(at time.Time, reason run.Reason) {
	if n.present.Attempt == 0 || n.present.FinishedAt != nil {
		return
	}
	n.present.FinishedAt, n.present.Reason = &at, reason
}

// set begins another attempt; one that was never started leaves no trace.
func (n *node) set(next run.Try) {
	if n.present.Attempt > 0 {
		n.tries = append(n.tries, n.present)
	}
	n.present = next
}

// allTries are the attempts that were started, or nil where there is one that lasts as long as the task is running.
func (n *node) allTries() []run.Try {
	if n.present.Attempt == 0 {
		return slices.Clone(n.tries)
	}
	paused := n.present.FinishedAt != nil && n.phase != phaseFinal
	if len(n.tries) == 0 && !paused {
		return nil
	}
	return append(slices.Clone(n.tries), n.present)
}

// failureReason is the word for a failure that may be missing.
func failureReason(f *run.Failure) run.Reason {
	if f == nil {
		return ""
	}
	return f.Reason
}
