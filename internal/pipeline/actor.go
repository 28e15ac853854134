package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
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
	// last is the time of the newest decision: time does not go backwards within a run, whatever the clock does.
	last time.Time
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
	// holds gives back the room reserved for a step between its preparation and its start.
	holds map[string]func()

	watchers watchers
	// gone is closed when nothing of the actor is left.
	gone chan struct{}
}

type leaf struct {
	state  run.State
	cached bool
}

// newActor returns an actor whose run has no tasks counted yet. Without a state it reads its run's log first.
func newActor(s *Service, r run.Run, p *ir.Pipeline, state *engine.State) *actor {
	r.Tasks, r.Cached = map[run.State]int{}, 0
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &actor{
		svc: s, pipeline: p, state: state, run: r, leaves: map[string]leaf{}, timer: timer,
		inbox: inbox{signal: make(chan struct{}, 1)}, stops: map[string]context.CancelCauseFunc{},
		holds: map[string]func(){}, gone: make(chan struct{}),
	}
}

// message is a command on its way to an actor. done, if there, is told when its events are on disk, and stored is called then.
type message struct {
	command engine.Command
	done    chan<- error
	stored  func()
}

// inbox is an unbounded queue: a step that has ended must never wait to say so.
type inbox struct {
	mu     sync.Mutex
	queue  []message
	closed bool
	signal chan struct{}
}

// put adds a message and reports whether somebody will read it.
func (i *inbox) put(m message) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.queue = append(i.queue, m)
	select {
	case i.signal <- struct{}{}:
	default:
	}
	return true
}

func (i *inbox) take() []message {
	i.mu.Lock()
	defer i.mu.Unlock()
	q := i.queue
	i.queue = nil
	return q
}

// loop runs until the run is final or ctx is done. It waits for the steps it started.
func (a *actor) loop(ctx context.Context) {
	defer a.timer.Stop()
	defer a.watchers.close()
	defer a.refuse()
	defer a.releaseAll()
	defer a.steps.Wait()
	if err := a.drive(ctx); err != nil && ctx.Err() == nil {
		a.stopAll(errBroken)
		a.svc.giveUp(ctx, &a.run, err)
	}
}

// drive works until the run is final or ctx is done. An error means that the run cannot go on; a panic of the engine is one: it
// must not take the server, and every other run, with it.
func (a *actor) drive(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if a.state == nil {
		if err := a.read(ctx); err != nil || a.state == nil {
			return err
		}
	}
	a.carryOut(ctx, a.pending)
	a.pending = nil
	a.wake(a.state.WakeAt())
	for !a.run.State.Final() {
		select {
		case <-ctx.Done():
			return nil
		case <-a.inbox.signal:
		case <-a.timer.C:
			// The pause is over by the timer, which no jump of the clock can lengthen.
			if a.wakeAt.After(a.last) {
				a.last = a.wakeAt
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := a.handle(ctx, a.inbox.take()); err != nil {
			return err
		}
		if !a.wakeAt.IsZero() && !a.wakeAt.After(a.now()) {
			// By itself: trying a group again removes tasks, and nothing that was just reported may be removed before it is stored.
			if err := a.handle(ctx, []message{{command: engine.Wake{}}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// now is the time of the next decision.
func (a *actor) now() time.Time {
	if t := a.svc.now(); t.After(a.last) {
		a.last = t
	}
	return a.last
}

// refuse closes the inbox and answers whoever still waits for a command.
func (a *actor) refuse() {
	a.inbox.mu.Lock()
	a.inbox.closed = true
	a.inbox.mu.Unlock()
	for _, m := range a.inbox.take() {
		if m.done != nil {
			m.done <- a.over()
		}
	}
}

// over says why the actor takes no more commands.
func (a *actor) over() error {
	if a.run.State.Final() {
		return finished(a.run)
	}
	return fault.Unavailablef("the server is shutting down; try again when it is back")
}

func finished(r run.Run) error { return fault.Conflictf("run %s is already %s", r.ID, r.State) }

// handle decides about everything that has come in, stores the events in one batch and carries them out. Those who wait for a
// command are told once its events are on disk.
func (a *actor) handle(ctx context.Context, batch []message) error {
	answer := fault.Unavailablef("the run cannot go on; look at its state in a moment")
	defer func() { // also when the engine panics
		for _, m := range batch {
			if m.done != nil {
				m.done <- answer
			}
		}
	}()
	now := a.now()
	var events []engine.Event
	for _, m := range batch {
		more, err := a.state.Decide(m.command, now)
		if err != nil {
			return err
		}
		if l, ok := m.command.(engine.Launch); ok && len(more) == 0 {
			a.take(l.Task)() // overtaken by a cancellation
		}
		events = append(events, more...)
	}
	if len(events) > 0 {
		if err := a.store(ctx, events); err != nil {
			return err
		}
	}
	answer = nil
	if a.run.State.Final() && a.run.State != run.Canceled {
		answer = finished(a.run) // it was over before the request to cancel it was read
	}
	for _, m := range batch {
		if m.stored != nil {
			m.stored()
		}
	}
	a.carryOut(ctx, events)
	a.wake(a.state.WakeAt())
	return nil
}

// store writes events and what they changed, and does not return before that has worked or can never work: the state in
// memory is ahead of the log, and nothing may happen before the log has caught up.
func (a *actor) store(ctx context.Context, events []engine.Event) error {
	records, changed, err := a.records(events)
	if err != nil {
		return err
	}
	err = a.svc.patiently(ctx, a.run.ID, "events cannot be stored", func() error {
		err := a.svc.deps.Store.Append(ctx, a.run.ID, records, changed)
		if fault.KindOf(err) == fault.Conflict {
			return a.stored(ctx, records, err)
		}
		return err
	})
	if err == nil {
		a.watchers.publish(a.run, changed.Tasks)
	}
	return err
}

// patiently tries until it works, while the disk or the database refuses. An error that time does not heal is returned.
func (s *Service) patiently(ctx context.Context, runID, trouble string, try func() error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := try()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !uncertain(err):
			return err
		}
		s.deps.Logger.Error(trouble+"; trying again", "run", runID, "in", pause, "error", err)
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
	}
}

// stored looks into the log after a conflict. It returns nil when the log ends with these very records: an earlier try reached
// the disk although it was reported as failed.
func (a *actor) stored(ctx context.Context, records []run.Event, conflict error) error {
	log, err := a.svc.deps.Store.Events(ctx, a.run.ID, records[0].Seq)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(log, records, func(x, y run.Event) bool {
		return x.Seq == y.Seq && x.Type == y.Type && bytes.Equal(x.Body, y.Body)
	}) {
		return conflict
	}
	return nil
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
	a.run.Tasks = maps.Clone(a.run.Tasks) // the old one may be in a watcher's hands
	changed := run.Changes{Tasks: a.state.TakeChanged(), Removed: a.state.TakeRemoved()}
	for _, path := range changed.Removed {
		a.uncount(path)
	}
	byPath := make(map[string]*run.Task, len(changed.Tasks))
	for i := range changed.Tasks {
		t := &changed.Tasks[i]
		byPath[t.Path] = t
		a.count(t)
	}
	for _, e := range events {
		switch e.Type {
		case engine.TaskSucceeded:
			a.remember(byPath[e.Task], &changed)
		case engine.TaskCached:
			changed.Hits = append(changed.Hits, run.CacheHit{Key: e.CacheKey, Entry: e.CachedFrom, At: e.At, Artifacts: allArtifacts(e.Outputs)})
		}
	}
	a.state.Describe(&a.run)
	r := a.run
	changed.Run = &r
	return records, changed, nil
}

// remember records the artifacts of a task that succeeded and, if it may be reused, its outputs.
func (a *actor) remember(t *run.Task, changed *run.Changes) {
	made := allArtifacts(&t.Outputs)
	changed.Artifacts = append(changed.Artifacts, made...)
	lookup := a.state.TakeLookup(t.Path)
	if t.CacheKey == "" || lookup == nil {
		return
	}
	entry := run.CacheEntry{
		Key: t.CacheKey, RunID: t.RunID, TaskID: t.ID, Path: t.Path, Component: t.Component, PipelineName: a.run.PipelineName,
		Parts: lookup.Parts, Outputs: t.Outputs, CreatedAt: *t.FinishedAt,
	}
	for _, artifact := range made {
		entry.Size += artifact.Size
	}
	changed.Cache = append(changed.Cache, entry)
}

func allArtifacts(v *run.Values) []run.Artifact {
	var out []run.Artifact
	if v != nil {
		for _, list := range v.Artifacts {
			out = append(out, list...)
		}
	}
	return out
}

// count keeps the run's counts of leaves by state.
func (a *actor) count(t *run.Task) {
	if !t.Kind.Leaf() {
		return
	}
	a.uncount(t.Path)
	a.run.Tasks[t.State]++
	if t.Cached {
		a.run.Cached++
	}
	a.leaves[t.Path] = leaf{t.State, t.Cached}
}

// uncount takes a leaf out of the counts.
func (a *actor) uncount(path string) {
	old, ok := a.leaves[path]
	if !ok {
		return
	}
	delete(a.leaves, path)
	if a.run.Tasks[old.state]--; a.run.Tasks[old.state] == 0 {
		delete(a.run.Tasks, old.state)
	}
	if old.cached {
		a.run.Cached--
	}
}

// carryOut does what stored events ask for.
func (a *actor) carryOut(ctx context.Context, events []engine.Event) {
	for _, e := range events {
		switch e.Type {
		case engine.TaskReady, engine.TaskLost:
			a.prepare(ctx, e.Task)
		case engine.TaskLaunched:
			a.execute(ctx, e.Task)
		case engine.CancelRequested, engine.RunTimedOut:
			a.stopAll(errCanceled)
		}
	}
}

// wake sets the timer for the next retry; the zero time means that none is due.
func (a *actor) wake(t time.Time) {
	a.wakeAt = t
	if t.IsZero() {
		a.timer.Stop()
		return
	}
	// Also when t is what it was: the timer may have fired for another retry that was due at the same moment.
	a.timer.Reset(max(0, t.Sub(a.now())))
}
