package pipeline

import (
	"context"
	"sync"
	"time"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// actor drives one active run. Its loop is the only place that touches the run's state: commands come in through its inbox,
// the events they cause are stored, and only then is anything done about them.
type actor struct {
	svc      *Service
	pipeline *ir.Pipeline
	state    *engine.State
	run      run.Run
	seq      int64
	// pending are stored events whose effects are still to be carried out.
	pending []engine.Event
	// leaves remembers the last counted state of each leaf, for the counts on the run.
	leaves map[string]leaf

	inbox  inbox
	timer  *time.Timer
	wakeAt time.Time
	steps  sync.WaitGroup
	// stops ends the running steps and preparations, by task path.
	stopMu sync.Mutex
	stops  map[string]context.CancelCauseFunc
	holds  map[string]hold

	watchers watchers
}

type leaf struct {
	state  run.State
	cached bool
}

func newActor(s *Service, r run.Run, p *ir.Pipeline, state *engine.State) *actor {
	return &actor{
		svc: s, pipeline: p, state: state, run: r, leaves: map[string]leaf{},
		inbox: inbox{signal: make(chan struct{}, 1)}, stops: map[string]context.CancelCauseFunc{},
		holds: map[string]hold{},
	}
}

// message is a command on its way to an actor. done, if there, is told when its events are on disk.
type message struct {
	command engine.Command
	done    chan<- error
}

// inbox is an unbounded queue: a step that has ended must never wait to say so.
type inbox struct {
	mu     sync.Mutex
	queue  []message
	signal chan struct{}
}

func (i *inbox) put(m message) {
	i.mu.Lock()
	i.queue = append(i.queue, m)
	i.mu.Unlock()
	select {
	case i.signal <- struct{}{}:
	default:
	}
}

func (i *inbox) take() []message {
	i.mu.Lock()
	defer i.mu.Unlock()
	q := i.queue
	i.queue = nil
	return q
}

func (a *actor) send(c engine.Command) { a.inbox.put(message{command: c}) }

// loop runs until the run is final or ctx is done. It waits for the steps it started.
func (a *actor) loop(ctx context.Context) {
	a.timer = time.NewTimer(time.Hour)
	defer a.timer.Stop()
	defer a.watchers.close()
	defer a.refuse()
	defer a.releaseAll()
	defer a.steps.Wait()
	a.carryOut(ctx, a.pending)
	a.pending = nil
	for !a.run.State.Final() {
		a.timer.Reset(a.pause())
		select {
		case <-ctx.Done():
			return
		case <-a.inbox.signal:
		case <-a.timer.C:
			a.handle(ctx, []message{{command: engine.Wake{}}})
			a.wakeAt = a.state.Due().WakeAt
			continue
		}
		a.handle(ctx, a.inbox.take())
	}
}

// pause is how long to sleep until the next retry is due.
func (a *actor) pause() time.Duration {
	if a.wakeAt.IsZero() {
		return time.Hour
	}
	return max(0, a.wakeAt.Sub(a.svc.now()))
}

// refuse answers whoever still waits for a command when the actor is gone.
func (a *actor) refuse() {
	for _, m := range a.inbox.take() {
		if m.done != nil {
			m.done <- fault.Unavailablef("the run ended, or the server is shutting down, before the request was handled")
		}
	}
}

// handle decides about everything that has come in, stores the events in one batch and carries them out.
func (a *actor) handle(ctx context.Context, batch []message) {
	var events []engine.Event
	for _, m := range batch {
		more, err := a.state.Decide(m.command, a.svc.now())
		if err != nil {
			a.svc.deps.Logger.Error("engine refused a command", "run", a.run.ID, "error", err)
		}
		if l, ok := m.command.(engine.Launch); ok && len(more) == 0 {
			a.take(l.Task).giveBack() // overtaken by a cancellation
		}
		events = append(events, more...)
	}
	if len(events) > 0 && !a.store(ctx, events) {
		return
	}
	for _, m := range batch {
		if m.done != nil {
			m.done <- nil
		}
	}
	a.carryOut(ctx, events)
}

// store writes events and what they changed. While the disk or the database refuses, it tries again: the state in memory
// is ahead of the log, and nothing may happen before the log has caught up.
func (a *actor) store(ctx context.Context, events []engine.Event) bool {
	records, changed, err := a.records(events)
	if err != nil {
		a.svc.deps.Logger.Error("events cannot be encoded", "run", a.run.ID, "error", err)
		return false
	}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := a.svc.deps.Store.Append(ctx, a.run.ID, records, changed)
		if err == nil {
			a.watchers.publish(a.run, changed.Tasks)
			return true
		}
		a.svc.deps.Logger.Error("events cannot be stored; trying again", "run", a.run.ID, "in", pause, "error", err)
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return false
		case <-wait.C:
		}
	}
}

// records encodes events and collects the rows that they changed.
func (a *actor) records(events []engine.Event) ([]run.Event, run.Changes, error) {
	records := make([]run.Event, len(events))
	for i, e := range events {
		a.seq++
		r, err := e.Encode(a.seq)
		if err != nil {
			return nil, run.Changes{}, err
		}
		records[i] = r
	}
	changed := run.Changes{Tasks: a.state.TakeChanged()}
	byPath := make(map[string]*run.Task, len(changed.Tasks))
	for i := range changed.Tasks {
		t := &changed.Tasks[i]
		byPath[t.Path] = t
		a.count(t)
	}
	for _, e := range events {
		if e.Type == engine.TaskSucceeded {
			a.remember(byPath[e.Task], &changed)
		}
	}
	a.state.Describe(&a.run)
	r := a.run
	changed.Run = &r
	return records, changed, nil
}

// remember records the artifacts of a task that succeeded and, if it may be reused, its outputs.
func (a *actor) remember(t *run.Task, changed *run.Changes) {
	for _, list := range t.Outputs.Artifacts {
		changed.Artifacts = append(changed.Artifacts, list...)
	}
	if t.CacheKey != "" {
		changed.Cache = append(changed.Cache, run.CacheEntry{
			Key: t.CacheKey, RunID: t.RunID, TaskID: t.ID, Outputs: t.Outputs, CreatedAt: *t.FinishedAt,
		})
	}
}

// count keeps the run's counts of leaves by state.
func (a *actor) count(t *run.Task) {
	if !t.Kind.Leaf() {
		return
	}
	counts := make(map[run.State]int, len(a.run.Tasks)+1)
	for k, v := range a.run.Tasks { // a copy: the old map may be in a watcher's hands
		counts[k] = v
	}
	if old, ok := a.leaves[t.Path]; ok {
		if counts[old.state]--; counts[old.state] == 0 {
			delete(counts, old.state)
		}
		if old.cached {
			a.run.Cached--
		}
	}
	counts[t.State]++
	if t.Cached {
		a.run.Cached++
	}
	a.run.Tasks = counts
	a.leaves[t.Path] = leaf{t.State, t.Cached}
}

// carryOut does what stored events ask for.
func (a *actor) carryOut(ctx context.Context, events []engine.Event) {
	for _, e := range events {
		switch e.Type {
		case engine.TaskReady, engine.TaskLost:
			a.prepare(ctx, e.Task)
		case engine.TaskLaunched:
			a.execute(ctx, e.Task)
		case engine.TaskRetrying:
			a.wake(*e.RetryAt)
		case engine.TaskCanceled:
			a.stopStep(e.Task, errCanceled)
		case engine.CancelRequested:
			a.stopAll(errCanceled)
		}
	}
}

// wake makes sure that the loop wakes at t or before.
func (a *actor) wake(t time.Time) {
	if a.wakeAt.IsZero() || t.Before(a.wakeAt) {
		a.wakeAt = t
	}
}
