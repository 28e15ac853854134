package trigger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// startLoop hands events to triggers and starts what is due until ctx is done.
func (e *Events) startLoop(ctx context.Context) {
	timer := newAlarm()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.rings:
		case <-e.changed:
		case <-e.deps.Store.EventSignal():
		case <-e.deps.Ended:
			e.room()
		}
		pause := maxPause
		if err := e.handOn(ctx); err != nil && ctx.Err() == nil {
			e.deps.Logger.Warn("what has happened cannot be handed to triggers now; trying again", "in", lastPause, "error", err)
			pause = lastPause
		}
		timer.Reset(min(pause, e.startDue(ctx)))
	}
}

// handOn gives what has happened to the triggers whose source it is.
func (e *Events) handOn(ctx context.Context) error {
	for {
		events, last, err := e.deps.Store.Happened(ctx, eventsAtOnce)
		if err != nil || len(events) == 0 {
			return err
		}
		e.mu.Lock()
		all := make([]*watched, 0, len(e.triggers))
		for _, w := range e.triggers {
			all = append(all, w)
		}
		e.mu.Unlock()
		var firings []event.Firing
		window := map[string]time.Duration{}
		for _, ev := range events {
			for _, w := range all {
				if w.trigger.Hears(ev) && !ev.At.Before(w.trigger.CreatedAt) {
					f := e.firing(w, ev)
					f.CreatedAt = f.CreatedAt.Add(time.Duration(len(firings)) * time.Microsecond) // they have an order
					firings = append(firings, f)
					window[w.trigger.ID] = w.trigger.DedupWindow()
				}
			}
		}
		if err := e.deps.Store.Record(ctx, firings, last, window, "", nil); err != nil {
			return err
		}
		e.recorded(firings)
	}
}

// firing is what a trigger makes of an event at first.
func (e *Events) firing(w *watched, ev event.Event) event.Firing {
	now := e.now()
	f := event.Firing{ID: event.FiringID(w.trigger.ID, ev.ID), TriggerID: w.trigger.ID, Event: ev, State: event.Waiting, CreatedAt: now, UpdatedAt: now}
	if w.trigger.Paused && ev.Kind != event.Manual {
		f.State, f.Reason = event.Ignored, "the trigger is paused"
		return f
	}
	wanted, reason := w.rules.Wants(ev)
	if wanted {
		var err error
		if f.Key, err = w.rules.Key(ev); err != nil {
			wanted, reason = false, err.Error()
		}
	}
	if !wanted {
		f.State, f.Reason = event.Ignored, reason
	}
	return f
}

// record stores firings of one trigger with what it remembers, and has them looked at.
func (e *Events) record(ctx context.Context, w *watched, firings []event.Firing, marks []event.Mark) error {
	id := w.trigger.ID
	if err := e.deps.Store.Record(ctx, firings, 0, map[string]time.Duration{id: w.trigger.DedupWindow()}, id, marks); err != nil {
		return err
	}
	e.recorded(firings)
	return nil
}

func (e *Events) recorded(firings []event.Firing) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range firings {
		if w := e.triggers[f.TriggerID]; w != nil && f.State == event.Waiting && w.pause == 0 {
			w.due = e.now()
			wake(e.changed)
		}
	}
}

// room has all triggers looked at again that wait for one of their runs to end.
func (e *Events) room() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.triggers {
		if w.full {
			w.due = e.now()
		}
	}
}

// startDue starts every run that is due and returns how long to sleep. The lock is given up between two triggers.
func (e *Events) startDue(ctx context.Context) time.Duration {
	e.mu.Lock()
	ids := make([]string, 0, len(e.triggers))
	for id := range e.triggers {
		ids = append(ids, id)
	}
	e.mu.Unlock()
	slices.Sort(ids)
	pause := maxPause
	for _, id := range ids {
		if ctx.Err() != nil {
			return maxPause
		}
		e.mu.Lock()
		if w := e.triggers[id]; w != nil {
			if !w.due.IsZero() && !w.due.After(e.now()) {
				e.attempt(ctx, w)
			}
			if !w.due.IsZero() {
				pause = min(pause, max(w.due.Sub(e.now()), 0))
			}
		}
		e.mu.Unlock()
	}
	return pause
}

// attempt starts what is due of a trigger, and says in it when to look again. e.mu is held.
func (e *Events) attempt(ctx context.Context, w *watched) {
	w.full, w.due = false, time.Time{}
	if w.trigger.Notify != nil {
		if !w.busy {
			w.busy = true
			e.done.Go(func() { e.send(ctx, w) })
		}
		return
	}
	e.settleAttempt(ctx, w, e.advance(ctx, w))
}

// settleAttempt says when to try again after an attempt. e.mu is held.
func (e *Events) settleAttempt(ctx context.Context, w *watched, err error) {
	if err == nil {
		w.pause = 0
		return
	}
	if ctx.Err() != nil {
		w.due = e.now() // by whoever comes next
		return
	}
	w.pause = min(max(firstPause, 2*w.pause), lastPause)
	w.due = e.now().Add(w.pause)
	e.deps.Logger.Warn("a trigger cannot do its work now; trying again", "trigger", w.trigger.Name, "in", w.pause, "error", err)
}

// advance does all that can be done now for the firings of a trigger. An error means that it is to be tried again.
func (e *Events) advance(ctx context.Context, w *watched) error {
	list, err := e.deps.Store.Unsettled(ctx, w.trigger.ID)
	if err != nil {
		return err
	}
	var waiting []event.Firing
	begun := map[string][]event.Firing{}
	var order []string
	for _, f := range list {
		switch {
		case f.State == event.Starting: // by an earlier process, or before a failure
			if begun[f.RunID] == nil {
				order = append(order, f.RunID)
			}
			begun[f.RunID] = append(begun[f.RunID], f)
		case f.Event.Kind == event.Manual:
			if err := e.begin(ctx, w, []event.Firing{f}); err != nil {
				return err
			}
		default:
			waiting = append(waiting, f)
		}
	}
	for _, runID := range order {
		if err := e.finish(ctx, w, begun[runID], runID); err != nil {
			return err
		}
	}
	for len(waiting) > 0 && !w.trigger.Paused {
		n, look := w.trigger.Ready(times(waiting), e.now())
		if n == 0 {
			w.due = look
			return nil
		}
		free, look, err := e.free(ctx, w)
		if err != nil {
			return err
		}
		if !free {
			w.due, w.full = look, look.IsZero()
			return nil
		}
		if err := e.begin(ctx, w, waiting[:n]); err != nil {
			return err
		}
		waiting = waiting[n:]
	}
	return nil
}

func times(firings []event.Firing) []time.Time {
	out := make([]time.Time, len(firings))
	for i, f := range firings {
		out[i] = f.CreatedAt
	}
	return out
}

// free says whether another run may start now, and if not, when to ask again; zero for when a run has ended.
func (e *Events) free(ctx context.Context, w *watched) (ok bool, look time.Time, err error) {
	p := w.trigger.Policy
	if p.MaxConcurrency == 0 && p.MaxRuns == 0 {
		return true, look, nil
	}
	active, started, err := e.deps.Store.TriggerRuns(ctx, w.trigger.ID, p.MaxRuns)
	if err != nil {
		return false, look, err
	}
	if p.MaxConcurrency > 0 && active >= p.MaxConcurrency {
		return false, look, nil
	}
	if p.MaxRuns > 0 && len(started) >= p.MaxRuns {
		if next := started[p.MaxRuns-1].Add(p.RateWindow()); next.After(e.now()) {
			return false, next, nil
		}
	}
	return true, look, nil
}

// begin starts one run for some firings.
func (e *Events) begin(ctx context.Context, w *watched, firings []event.Firing) error {
	runID := event.RunID(w.trigger.ID, firings[0].Event.ID)
	if err := e.deps.Store.Begin(ctx, w.trigger.ID, firings, runID, causes(firings), e.now()); err != nil {
		return err
	}
	for i := range firings {
		firings[i].RunID = runID
	}
	return e.finish(ctx, w, firings, runID)
}

// maxCause bounds how many triggers a chain of runs remembers.
const maxCause = 100

// causes are the triggers that have led to any of some firings.
func causes(firings []event.Firing) []string {
	var out []string
	for _, f := range firings {
		for _, id := range f.Event.Cause {
			if !slices.Contains(out, id) && len(out) < maxCause {
				out = append(out, id)
			}
		}
	}
	return out
}

// finish starts a run that has begun to be started, unless it is there, and notes that. An error means that it is to be asked for again.
func (e *Events) finish(ctx context.Context, w *watched, firings []event.Firing, runID string) error {
	events := make([]event.Event, len(firings))
	for i, f := range firings {
		events[i] = f.Event
	}
	newest := events[len(events)-1]
	params, err := w.rules.Parameters(events)
	sub, at := w.trigger.Run, newest.At.UTC()
	sub.ID, sub.Parameters, sub.ScheduledAt = runID, params, &at
	sub.DisplayName = fmt.Sprintf("%s %s", w.trigger.Name, e.now().Format("2006-01-02 15-04-05"))
	if err == nil {
		if _, err := e.deps.Runs.GetExperiment(ctx, sub.ExperimentID); fault.KindOf(err) == fault.NotFound {
			sub.ExperimentID = "" // it was deleted; its runs went to the default experiment, and so do new ones
		}
		_, err = e.deps.Runs.Submit(ctx, sub)
	}
	switch fault.KindOf(err) {
	case fault.Conflict: // it is there: an earlier process did not come to note it
		err = nil
	case fault.Internal, fault.Unavailable:
		if err != nil {
			return err
		}
	}
	state, reason, happened := event.Started, "", []event.Event(nil)
	if err != nil {
		state, reason = event.Failed, fault.Shorten(err.Error(), 2000)
		sub.PipelineName = e.deps.Runs.PipelineName(ctx, sub)
		happened = append(happened, e.refusal(w, sub, firings, reason))
		e.deps.Logger.Error("a trigger cannot start its run", "trigger", w.trigger.Name, "event", newest.ID, "error", err)
	} else {
		e.deps.Logger.Info("run started by a trigger", "trigger", w.trigger.Name, "run", runID, "event", newest.ID, "events", len(events))
	}
	if err := e.deps.Store.Settle(ctx, firings, state, reason, e.now(), happened...); err != nil {
		return err
	}
	if reason != "" {
		e.refused.Add(1)
	}
	w.startFailure = ""
	if reason != "" {
		w.startFailure = "no run was started: " + reason
	}
	return e.note(ctx, w)
}

// refusal is the event of a run that was refused.
func (e *Events) refusal(w *watched, sub run.Submission, firings []event.Firing, reason string) event.Event {
	name := w.trigger.Name
	return event.Refusal{Run: sub, TriggerID: w.trigger.ID, Cause: causes(firings), Reason: reason, At: e.now(),
		ToDo: fmt.Sprintf("Put that right. The trigger %q does not start it again by itself: levada triggers firings %q shows the event, levada triggers fire %q -e EVENT starts it",
			name, name, name)}.Event()
}

// note stores what is wrong with a trigger where that has changed. e.mu is held.
func (e *Events) note(ctx context.Context, w *watched) error {
	failure := w.lookFailure
	if failure == "" {
		failure = w.startFailure
	}
	if failure == w.failure {
		return nil
	}
	if err := e.deps.Store.NoteTrigger(ctx, w.trigger.ID, failure); err != nil {
		return err
	}
	w.failure = failure
	return nil
}
