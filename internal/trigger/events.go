package trigger

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

const (
	// maxTriggers bounds how much one event can cause.
	maxTriggers = 1000
	// eventsAtOnce is how many events are handed on in one transaction.
	eventsAtOnce = 200
)

// EventOptions are what the service of triggers is made of.
type EventOptions struct {
	Store   EventStore
	Runs    Runs
	Files   Files
	Metrics Metrics
	Secrets Secrets
	Notify  Notifier
	// Known tells what is missing; without it nothing is.
	Known  Known
	Logger *slog.Logger
	// Now and NewID give the time and new UUIDs.
	Now   func() time.Time
	NewID func() string
	// Ended tells that a run has ended. One signal may stand for several.
	Ended <-chan struct{}
	// Paused looks for no events and starts no runs: for commands that only read.
	Paused bool
}

// Events keeps triggers, finds out what happens and starts their runs. Its methods may be called from any goroutine.
type Events struct {
	deps EventOptions
	stop context.CancelFunc
	done sync.WaitGroup
	// changed wakes the loop that starts runs, looks and buckets those that look for events.
	changed, looks, buckets chan struct{}

	// mu is held while a run is started, so that nothing starts once a pausing has been acknowledged.
	mu       sync.Mutex
	triggers map[string]*watched

	refused atomic.Int64
}

// Refused is how many runs of triggers were refused since the start.
func (e *Events) Refused() int64 { return e.refused.Load() }

// watched is a trigger with what is going on about it. A changed trigger is a new one.
type watched struct {
	trigger event.Trigger
	rules   *event.Rules
	// due is when its waiting firings are looked at next, zero for when something happens. full says that it is one of its runs that
	// has to end. pause is how long it waits after a failure that was not the trigger's.
	due   time.Time
	full  bool
	pause time.Duration
	// startFailure and lookFailure say why nothing was started, and why nothing can be seen; failure is what is stored of them.
	startFailure, lookFailure, failure string

	// busy says that its messages are being sent.
	busy bool

	look looking
}

// OpenEvents returns a service that has taken up all triggers.
func OpenEvents(ctx context.Context, o EventOptions) (*Events, error) {
	e := &Events{deps: o, changed: make(chan struct{}, 1), looks: make(chan struct{}, 1), buckets: make(chan struct{}, 1), triggers: map[string]*watched{}, stop: func() {}}
	all, err := o.Store.AllTriggers(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		rules, err := event.Compile(t)
		if err != nil {
			o.Logger.Error("a stored trigger cannot be followed", "trigger", t.Name, "error", err)
			continue
		}
		e.enter(t, rules)
	}
	if o.Paused {
		return e, nil
	}
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.done.Go(func() { e.startLoop(ctx) })
	e.done.Go(func() { e.lookLoop(ctx, false, e.looks) })
	e.done.Go(func() { e.lookLoop(ctx, true, e.buckets) })
	return e, nil
}

// Close stops looking for events and starting runs, and returns when nothing of the service is active. Closing twice is safe.
func (e *Events) Close(ctx context.Context) error {
	e.stop()
	done := make(chan struct{})
	go func() {
		e.done.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close trigger service: %w", context.Cause(ctx))
	}
}

// now is the time in the form in which it is stored.
func (e *Events) now() time.Time { return e.deps.Now().UTC().Truncate(time.Microsecond) }

// enter takes up a trigger as it is now. e.mu is held, or nobody else is there yet.
func (e *Events) enter(t event.Trigger, rules *event.Rules) {
	e.triggers[t.ID] = &watched{trigger: t, rules: rules, due: e.now(), failure: t.Failure}
	wake(e.changed)
	wake(e.looks)
	wake(e.buckets)
}

func wake(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

// prepare checks a trigger whole, and returns its expressions with what it has to remember from now on: what is there already is no event.
func (e *Events) prepare(ctx context.Context, t *event.Trigger) (*event.Rules, error) {
	rules, err := event.Compile(*t)
	if err != nil || t.Notify != nil {
		return rules, err
	}
	t.Run, err = e.deps.Runs.Prepare(ctx, t.Run, slices.Sorted(maps.Keys(t.ParametersFrom))...)
	return rules, err
}

// Create checks a trigger whole, stores it and begins to follow it. Id, times and state of t are filled in. What is there already, such
// as files, does not fire it.
func (e *Events) Create(ctx context.Context, t event.Trigger) (event.Trigger, error) {
	if _, err := e.prepare(ctx, &t); err != nil {
		return t, err
	}
	marks, err := e.baseline(ctx, t.On)
	if err != nil {
		return t, err
	}
	t.ID, t.CreatedAt, t.Failure = e.deps.NewID(), e.now(), ""
	t.UpdatedAt = t.CreatedAt
	rules, err := event.Compile(t) // with its id
	if err != nil {
		return t, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.deps.Store.CreateTrigger(ctx, t, marks, maxTriggers); err != nil {
		return t, err
	}
	e.enter(t, rules)
	return t, nil
}

// Replace gives a trigger another definition. Its firings stay; what it remembers stays too unless it looks elsewhere.
func (e *Events) Replace(ctx context.Context, id string, t event.Trigger) (event.Trigger, error) {
	before, err := e.deps.Store.GetTrigger(ctx, id)
	if err != nil {
		return t, err
	}
	t.ID, t.CreatedAt, t.UpdatedAt, t.Failure = id, before.CreatedAt, e.now(), ""
	rules, err := e.prepare(ctx, &t)
	if err != nil {
		return t, err
	}
	var marks []event.Mark
	if !t.On.SameThings(before.On) {
		if marks, err = e.baseline(ctx, t.On); err != nil {
			return t, err
		}
		marks = append([]event.Mark{}, marks...)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.deps.Store.ReplaceTrigger(ctx, t, marks); err != nil {
		return t, err
	}
	e.enter(t, rules)
	return t, nil
}

// SetPaused stops a trigger from starting runs, or lets it. What happens while it is paused is noted and starts nothing, also later.
func (e *Events) SetPaused(ctx context.Context, id string, paused bool) (event.Trigger, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := e.deps.Store.GetTrigger(ctx, id)
	if err != nil || t.Paused == paused {
		return t, err
	}
	t.Paused, t.UpdatedAt, t.Failure = paused, e.now(), ""
	if err := e.deps.Store.ReplaceTrigger(ctx, t, nil); err != nil {
		return t, err
	}
	rules, err := event.Compile(t)
	if err == nil {
		e.enter(t, rules)
	}
	return t, err
}

// Get returns a trigger.
func (e *Events) Get(ctx context.Context, id string) (event.Trigger, error) {
	return e.deps.Store.GetTrigger(ctx, id)
}

// List lists triggers; keys as in EventStore.
func (e *Events) List(ctx context.Context, q listing.Query) (listing.Page[event.Trigger], error) {
	return e.deps.Store.ListTriggers(ctx, q)
}

// Delete removes a trigger with its firings. The runs it has started stay.
func (e *Events) Delete(ctx context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.deps.Store.DeleteTrigger(ctx, id); err != nil {
		return err
	}
	delete(e.triggers, id)
	return nil
}

// Firings lists what a trigger made of events; keys as in FiringStore.
func (e *Events) Firings(ctx context.Context, id string, q listing.Query) (listing.Page[event.Firing], error) {
	if _, err := e.deps.Store.GetTrigger(ctx, id); err != nil {
		return listing.Page[event.Firing]{}, err
	}
	return e.deps.Store.ListFirings(ctx, id, q)
}

// Fire fires a trigger by hand, also one that is paused: conditions, gathering and rates do not count. data is what its expressions
// see of the event. With a key other than "" it is done once, however often it is asked for.
func (e *Events) Fire(ctx context.Context, id, key string, data map[string]any) (event.Firing, error) {
	if key == "" {
		key = e.deps.NewID()
	}
	return e.fire(ctx, id, event.Event{ID: "manual/" + key, Kind: event.Manual, At: e.now(), Data: data})
}

// fire records an event of a trigger and returns what came of it at once.
func (e *Events) fire(ctx context.Context, id string, ev event.Event) (event.Firing, error) {
	e.mu.Lock()
	w := e.triggers[id]
	e.mu.Unlock()
	if w == nil {
		return event.Firing{}, fault.NotFoundf("there is no trigger %q", fault.Shorten(id, 100))
	}
	f := e.firing(w, ev)
	if err := e.record(ctx, w, []event.Firing{f}, nil); err != nil {
		return f, err
	}
	if !e.deps.Paused && w.trigger.Notify == nil {
		e.mu.Lock()
		if e.triggers[id] == w {
			e.attempt(ctx, w)
		}
		e.mu.Unlock()
	}
	return e.deps.Store.GetFiring(ctx, f.ID)
}

// Test says what a trigger would make of an event with the given data. Nothing is started or noted.
func (e *Events) Test(ctx context.Context, t event.Trigger, data map[string]any) (event.Verdict, error) {
	rules, err := e.prepare(ctx, &t)
	if err != nil {
		return event.Verdict{}, err
	}
	ev := event.Event{ID: "test", Kind: t.On.Kind(), At: e.now(), Data: data}
	v := event.Verdict{Matches: t.Hears(ev)}
	if !v.Matches {
		v.Reason = "the event is not one of the trigger's source"
		return v, nil
	}
	if v.Wanted, v.Reason = rules.Wants(ev); !v.Wanted {
		return v, nil
	}
	v.Key, err = rules.Key(ev)
	if t.Notify != nil && err == nil {
		var m event.Message
		m, err = rules.Message("test", []event.Event{ev})
		v.Text = m.Text
	}
	if t.Notify == nil && err == nil {
		v.Parameters, err = rules.Parameters([]event.Event{ev})
	}
	if err == nil && t.Notify == nil {
		sub := t.Run
		sub.Parameters = v.Parameters
		_, err = e.deps.Runs.Prepare(ctx, sub)
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound:
		v.Wanted, v.Reason = false, err.Error()
		return v, nil
	}
	return v, err
}
