package trigger

import (
	"context"
	"fmt"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
)

const (
	// sendTime bounds one attempt to send a message, sendFor how long a message is tried.
	sendTime = time.Minute
	sendFor  = 24 * time.Hour
)

// send sends the messages of a trigger that are due. It is apart from the loop that starts runs: a receiver that is slow holds up nobody
// else.
func (e *Events) send(ctx context.Context, w *watched) {
	due, err := e.sendDue(ctx, w)
	e.mu.Lock()
	defer e.mu.Unlock()
	w.busy = false
	again := w.due // set when something came meanwhile
	w.due = due
	if !again.IsZero() {
		w.due = again
	}
	e.settleAttempt(ctx, w, err)
	if err != nil && ctx.Err() == nil && e.triggers[w.trigger.ID] == w {
		w.startFailure = fault.Shorten("a message cannot be sent now: "+err.Error(), 2000)
		if err := e.note(ctx, w); err != nil && ctx.Err() == nil {
			e.deps.Logger.Warn("what is wrong with a trigger cannot be noted", "trigger", w.trigger.Name, "error", err)
		}
	}
	wake(e.changed)
}

// sendDue sends what is due and returns when to look again, zero for when something happens.
func (e *Events) sendDue(ctx context.Context, w *watched) (due time.Time, err error) {
	list, err := e.deps.Store.Unsettled(ctx, w.trigger.ID)
	if err != nil {
		return due, err
	}
	for len(list) > 0 && ctx.Err() == nil {
		n := 1
		if list[0].Event.Kind != event.Manual {
			if w.trigger.Paused {
				return due, nil
			}
			if n, due = w.trigger.Ready(times(list), e.now()); n == 0 {
				return due, nil
			}
		}
		if err := e.sendOne(ctx, w, list[:n]); err != nil {
			return due, err
		}
		list = list[n:]
	}
	return due, ctx.Err()
}

// sendOne sends one message for some firings and notes that. An error means that it is to be tried again: a receiver may get a message
// twice, with the same id.
func (e *Events) sendOne(ctx context.Context, w *watched, firings []event.Firing) error {
	events := make([]event.Event, len(firings))
	for i, f := range firings {
		events[i] = f.Event
	}
	state, reason, failure := event.Sent, "", ""
	m, err := w.rules.Message(firings[0].ID, events)
	if err != nil { // rather another text than none
		reason = fault.Shorten(err.Error(), 2000)
		failure = "a message was sent without its own text: " + reason
	}
	attempt, cancel := context.WithTimeout(ctx, sendTime)
	err = e.deps.Notify.Send(attempt, *w.trigger.Notify, m)
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		late := e.now().Sub(firings[0].CreatedAt) > sendFor
		if fault.KindOf(err) != fault.Invalid && !late {
			return err
		}
		state, reason = event.Failed, fault.Shorten(err.Error(), 2000)
		failure = "a message was not sent: " + reason
		e.deps.Logger.Error("a message of a trigger is given up", "trigger", w.trigger.Name, "error", err)
	}
	if err := e.deps.Store.Settle(ctx, firings, state, reason, e.now()); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	w.startFailure = failure
	if e.triggers[w.trigger.ID] != w {
		return nil
	}
	return e.note(ctx, w)
}

// lookAtRuns finds runs that have not ended in time, each once.
func (e *Events) lookAtRuns(ctx context.Context, w *watched, on *event.LateSource) (err error) {
	l := &w.look
	if l.crossed == nil {
		if l.crossed, err = e.deps.Store.Marks(ctx, w.trigger.ID); err != nil {
			return err
		}
	}
	late, err := e.deps.Store.LateRuns(ctx, on.Pipeline, e.now().Add(-seconds(on.Seconds)))
	if err != nil {
		return err
	}
	still := map[string]bool{}
	for _, r := range late {
		still[r.RunID] = true
		if l.crossed[r.RunID] != "" {
			continue
		}
		cause, err := e.deps.Store.CauseOf(ctx, r.RunID)
		if err != nil {
			return err
		}
		ev := event.Event{ID: fmt.Sprintf("late/%s/%d", r.RunID, on.Seconds), Kind: event.Late, At: e.now(), Cause: cause, Data: map[string]any{
			"run_id": r.RunID, "name": r.Name, "pipeline": r.Pipeline, "experiment_id": r.ExperimentID, "since": r.Since.Format(time.RFC3339),
			"seconds": e.now().Sub(r.Since).Seconds(),
		}}
		if err := e.record(ctx, w, []event.Firing{e.firing(w, ev)}, []event.Mark{{Name: r.RunID, Value: beyond}}); err != nil {
			return err
		}
		l.crossed[r.RunID] = beyond
	}
	for id := range l.crossed {
		if still[id] {
			continue
		}
		if err := e.record(ctx, w, nil, []event.Mark{{Name: id}}); err != nil {
			return err
		}
		delete(l.crossed, id)
	}
	return nil
}
