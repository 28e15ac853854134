package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// options are what a life of the server is made of.
func (s *schedule) options(p *process) pipeline.Options {
	return pipeline.Options{
		Store: &faultyStore{inner: s.store, p: p}, Runner: &scriptedRunner{p: p}, Blobs: &blobs{p: p}, Logs: noLogs{},
		Logger: s.logger, Now: s.now, NewID: s.newID, WorkspaceDir: "/nowhere", Parse: s.subject.parse,
	}
}

// backend is what a simulation needs of a store. Both the one in memory and the real one pass the conformance suite (storetest).
type backend interface {
	CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error
	Append(ctx context.Context, runID string, events []run.Event, changed run.Changes) error
	Events(ctx context.Context, runID string, from int64) ([]run.Event, error)
	GetRun(ctx context.Context, id string) (run.Run, error)
	UnfinishedRuns(ctx context.Context) ([]string, error)
	DeleteRun(ctx context.Context, id string) error
	Tasks(ctx context.Context, runID string) ([]run.Task, error)
	CacheEntry(ctx context.Context, key string) (run.CacheEntry, error)
	CreateExperiment(ctx context.Context, e catalog.Experiment) error
	GetExperiment(ctx context.Context, id string) (catalog.Experiment, error)
	ExperimentByName(ctx context.Context, name string) (catalog.Experiment, error)
	PutSpec(ctx context.Context, digest string, spec []byte) error
	GetSpec(ctx context.Context, digest string) ([]byte, error)
	Close() error
}

// faultyStore parks each call and lets the simulator decide what becomes of it. The methods that it does not have are those
// that the service does not call in a simulation.
type faultyStore struct {
	pipeline.Store
	inner backend
	p     *process
}

// failure is the error of a verdict.
func (v verdict) failure(ctx context.Context) error {
	switch v {
	case dead, crashBefore, crashAfter:
		return fault.Unavailablef("%w", errKilled)
	case failUnavailable, failAfter:
		return fault.Unavailablef("the disk is full")
	case failInternal, failAfterInternal:
		return errors.New("the connection broke")
	case withdraw:
		return ctx.Err()
	}
	return nil
}

// happens reports whether a call with this verdict has its effect.
func (v verdict) happens() bool {
	return v == proceed || v == failAfter || v == failAfterInternal || v == crashAfter
}

// write parks a write and carries it out.
func (f *faultyStore) write(ctx context.Context, what string, fn func(context.Context) error) error {
	v := f.p.park(ctx, writes, what)
	if v.happens() {
		if err := fn(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return v.failure(ctx)
}

// read parks a read and carries it out.
func read[T any](ctx context.Context, f *faultyStore, what string, fn func(context.Context) (T, error)) (T, error) {
	if v := f.p.park(ctx, reads, what); v != proceed {
		var zero T
		return zero, v.failure(ctx)
	}
	return fn(context.WithoutCancel(ctx))
}

func (f *faultyStore) CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error {
	return f.write(ctx, "create "+short(r.ID), func(ctx context.Context) error {
		if err := f.inner.CreateRun(ctx, r, events, tasks); err != nil {
			return err
		}
		f.p.world.check.created(r, events, tasks)
		return nil
	})
}

func (f *faultyStore) Append(ctx context.Context, id string, events []run.Event, changed run.Changes) error {
	return f.write(ctx, "append "+short(id), func(ctx context.Context) error {
		if err := f.inner.Append(ctx, id, events, changed); err != nil {
			return err
		}
		f.p.world.check.appended(id, events, changed)
		return nil
	})
}

func (f *faultyStore) DeleteRun(ctx context.Context, id string) error {
	return f.write(ctx, "delete "+short(id), func(ctx context.Context) error {
		if err := f.inner.DeleteRun(ctx, id); err != nil {
			return err
		}
		f.p.world.check.deleted(id)
		return nil
	})
}

func (f *faultyStore) Events(ctx context.Context, id string, from int64) ([]run.Event, error) {
	return read(ctx, f, fmt.Sprintf("read log of %s from %d", short(id), from), func(ctx context.Context) ([]run.Event, error) {
		return f.inner.Events(ctx, id, from)
	})
}

func (f *faultyStore) GetRun(ctx context.Context, id string) (run.Run, error) {
	return read(ctx, f, "get "+short(id), func(ctx context.Context) (run.Run, error) { return f.inner.GetRun(ctx, id) })
}

func (f *faultyStore) Tasks(ctx context.Context, id string) ([]run.Task, error) {
	return read(ctx, f, "tasks of "+short(id), func(ctx context.Context) ([]run.Task, error) { return f.inner.Tasks(ctx, id) })
}

func (f *faultyStore) UnfinishedRuns(ctx context.Context) ([]string, error) {
	return read(ctx, f, "unfinished runs", func(ctx context.Context) ([]string, error) { return f.inner.UnfinishedRuns(ctx) })
}

// GetSpec is asked by the actor that has just read its run; what becomes of it is decided with that.
func (f *faultyStore) GetSpec(ctx context.Context, digest string) ([]byte, error) {
	f.p.world.mu.Lock()
	v := f.p.world.spec
	f.p.world.mu.Unlock()
	if v != proceed {
		return nil, v.failure(ctx)
	}
	return f.inner.GetSpec(context.WithoutCancel(ctx), digest)
}

func (f *faultyStore) PutSpec(ctx context.Context, digest string, spec []byte) error {
	return f.write(ctx, "put specification", func(ctx context.Context) error { return f.inner.PutSpec(ctx, digest, spec) })
}

func (f *faultyStore) ExperimentByName(ctx context.Context, name string) (catalog.Experiment, error) {
	return read(ctx, f, "get experiment", func(ctx context.Context) (catalog.Experiment, error) { return f.inner.ExperimentByName(ctx, name) })
}

func (f *faultyStore) GetExperiment(ctx context.Context, id string) (catalog.Experiment, error) {
	return read(ctx, f, "get experiment by id", func(ctx context.Context) (catalog.Experiment, error) { return f.inner.GetExperiment(ctx, id) })
}

func (f *faultyStore) CreateExperiment(ctx context.Context, e catalog.Experiment) error {
	return f.write(ctx, "create experiment", func(ctx context.Context) error { return f.inner.CreateExperiment(ctx, e) })
}

// CacheEntry is asked by the goroutine that has just been given its environment; what becomes of it was decided then.
func (f *faultyStore) CacheEntry(ctx context.Context, key string) (run.CacheEntry, error) {
	if v := f.p.world.lookup; v == failUnavailable || v == failInternal {
		return run.CacheEntry{}, v.failure(ctx)
	}
	return f.inner.CacheEntry(context.WithoutCancel(ctx), key)
}

// scriptedRunner ends steps as the schedule's script says. Its steps belong to the machine, not to the process: they go on when it
// dies, and the next one adopts them (machine.go).
type scriptedRunner struct{ p *process }

func (r *scriptedRunner) Forget(context.Context, string) error { return nil }

func (r *scriptedRunner) Recover(_ context.Context, open []run.AttemptID) error {
	if !r.p.isDead {
		r.p.world.machine.recover(r.p, open)
	}
	return nil
}

func (r *scriptedRunner) Settle(id run.AttemptID) {
	if w := r.p.world; !r.p.isDead {
		w.check.settled(id)
		w.machine.settle(id)
	}
}

func stepName(s *run.Step) string {
	return short(s.Job.RunID) + " " + s.TaskPath + "#" + strconv.Itoa(s.Attempt)
}

func (r *scriptedRunner) Environment(ctx context.Context, s *run.Step) (run.Environment, error) {
	if v := r.p.park(ctx, environment, "environment of "+stepName(s)); v != proceed {
		return run.Environment{}, v.failure(ctx)
	}
	return run.Environment{Digest: "environment"}, ctx.Err()
}

func (r *scriptedRunner) Reserve(ctx context.Context, s *run.Step) (func(), error) {
	if v := r.p.park(ctx, reserve, "room for "+stepName(s)); v != proceed {
		return nil, v.failure(ctx)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	w := r.p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	r.p.held++
	released := false
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if released {
			w.violation("the place of %s is given back twice", stepName(s))
		}
		released = true
		r.p.held--
	}, nil
}

func (r *scriptedRunner) Run(ctx context.Context, s *run.Step) (run.Values, error) {
	w := r.p.world
	if v := r.p.park(ctx, starts, "start "+stepName(s)); v != proceed {
		return run.Values{}, v.failure(ctx)
	}
	if err := w.machine.start(ctx, r.p, s); err != nil {
		return run.Values{}, err
	}
	v := r.p.park(ctx, ends, "end "+stepName(s))
	if v == dead {
		return run.Values{}, v.failure(ctx)
	}
	return w.machine.end(ctx, r.p, s, v == finishDespiteStop)
}

// blobs holds all content, except where the schedule has lost some.
type blobs struct{ p *process }

func (b *blobs) Keep(context.Context, string, int64) (bool, error) {
	return b.p.world.lookup != miss, nil
}

func (b *blobs) Sweep(context.Context, time.Time, bool, func(func(string) error) error) (run.Swept, error) {
	return run.Swept{}, fault.Unimplementedf("not in a simulation")
}

func (b *blobs) Files(context.Context, string) ([]run.BlobFile, error) {
	return nil, fault.Unimplementedf("not in a simulation")
}

func (b *blobs) Open(context.Context, string, string) (io.ReadSeekCloser, error) {
	return nil, fault.Unimplementedf("not in a simulation")
}

// noLogs has no lines.
type noLogs struct{}

func (noLogs) Read(context.Context, string, string, int, bool, func(run.LogLine) error) error {
	return nil
}
