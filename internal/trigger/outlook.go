package trigger

import (
	"context"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/listing"
)

// Outlook says what a trigger will do next if nothing more happens. Of one that cannot be followed it is what waits.
func (e *Events) Outlook(ctx context.Context, id string) (event.Outlook, error) {
	e.mu.Lock()
	w := e.triggers[id]
	var pause time.Duration
	var due, look time.Time
	if w != nil {
		pause, due, look = w.pause, w.due, w.look.at
	}
	e.mu.Unlock()
	var out event.Outlook
	list, err := e.deps.Store.Unsettled(ctx, id)
	if err != nil {
		return out, err
	}
	if out.Active, _, err = e.deps.Store.TriggerRuns(ctx, id, 0); err != nil {
		return out, err
	}
	var waiting []event.Firing
	for _, f := range list {
		if f.State == event.Waiting && f.Event.Kind != event.Manual {
			waiting = append(waiting, f)
		}
	}
	out.Waiting = len(list)
	if w == nil {
		return out, nil
	}
	if looksFor(w.trigger.On) && !e.deps.Paused && !look.IsZero() {
		out.LookAt = &look
	}
	switch {
	case len(list) == 0:
	case pause > 0: // what was tried last has failed
		out.Hold, out.NextAt = event.HoldRetry, moment(due)
	case len(waiting) == 0:
	case w.trigger.Paused:
		out.Hold = event.HoldPaused
	default:
		out.Hold, out.NextAt, err = e.holds(ctx, w, waiting)
	}
	return out, err
}

// holds says what firings wait for, and until when.
func (e *Events) holds(ctx context.Context, w *watched, waiting []event.Firing) (event.Hold, *time.Time, error) {
	at := times(waiting)
	n, look := w.trigger.Ready(at, e.now())
	if n == 0 {
		return w.trigger.Hold(at, look), moment(look), nil
	}
	free, look, err := e.free(ctx, w)
	switch {
	case err != nil || free:
		return "", nil, err
	case look.IsZero():
		return event.HoldRuns, nil, nil
	}
	return event.HoldRate, &look, nil
}

// moment is a time, nil for the zero one.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// LastFirings returns the newest firing of each of some triggers, by the trigger's id.
func (e *Events) LastFirings(ctx context.Context, ids []string) (map[string]event.Firing, error) {
	return e.deps.Store.LastFirings(ctx, ids)
}

// Find returns up to limit triggers by the beginning of their id or a part of their name.
func (e *Events) Find(ctx context.Context, text string, limit int) ([]event.Trigger, error) {
	return listing.Find(ctx, text, limit, e.List, func(t event.Trigger) string { return t.ID })
}
