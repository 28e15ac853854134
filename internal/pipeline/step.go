package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"levada/internal/core/cachekey"
	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

var (
	errCanceled = errors.New("the run was cancelled")
	errBroken   = errors.New("the run cannot go on")
)

// prepare looks a ready task up in the cache and, if it is not there, waits for room to start it.
func (a *actor) prepare(ctx context.Context, task string) {
	step, caching, component := a.state.Step(task), a.state.Caching(task), a.state.ComponentName(task)
	if step.Invalid != nil {
		a.send(engine.Failed{Task: task, Failure: failureOf(step.Invalid, step)})
		return
	}
	useCache := caching.EnableCache && !a.run.CacheOff && step.Executor.Container != nil
	a.spawn(ctx, task, func(ctx context.Context) engine.Command {
		key := ""
		if useCache {
			hit, k, err := a.lookup(ctx, step, component, caching.CacheKey)
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				return engine.Failed{Task: task, Failure: failureOf(err, step)}
			case hit != nil:
				return engine.Cached{Task: task, Key: k, From: hit.TaskID, FromRun: hit.RunID, Outputs: hit.Outputs}
			}
			key = k
		}
		release, err := a.svc.deps.Runner.Reserve(ctx, step)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				release()
			}
			return nil
		case err != nil:
			return engine.Failed{Task: task, Failure: failureOf(err, step)}
		}
		a.keep(task, release)
		return engine.Launch{Task: task, Key: key}
	})
}

// lookup computes a step's cache key and finds an entry whose content is still here.
func (a *actor) lookup(ctx context.Context, step *run.Step, component, custom string) (*run.CacheEntry, string, error) {
	env, err := a.svc.deps.Runner.Environment(ctx, step)
	if err != nil {
		return nil, "", err
	}
	key, err := cachekey.Of(step, component, env, custom)
	if err != nil {
		return nil, "", err
	}
	entry, err := a.svc.deps.Store.CacheEntry(ctx, key)
	if fault.KindOf(err) == fault.NotFound {
		return nil, key, nil
	}
	if err != nil {
		return nil, "", err
	}
	for _, list := range entry.Outputs.Artifacts {
		for _, artifact := range list {
			if artifact.Digest == "" {
				continue
			}
			if ok, err := a.svc.deps.Blobs.Has(ctx, artifact.Digest); err != nil || !ok {
				return nil, key, err
			}
		}
	}
	return &entry, key, nil
}

// execute runs the attempt of a task that was just launched.
func (a *actor) execute(ctx context.Context, task string) {
	release := a.take(task)
	step := a.state.Step(task)
	a.spawn(ctx, task, func(ctx context.Context) engine.Command {
		defer release()
		out, err := a.svc.deps.Runner.Run(ctx, step)
		switch {
		case err == nil:
			// Every value must have a JSON form, or the event could not be stored.
			if _, err := json.Marshal(out); err != nil {
				f := run.Failure{Reason: run.ReasonOutput, Message: fmt.Sprintf("its outputs cannot be stored: %v", err)}
				return engine.Failed{Task: task, Attempt: step.Attempt, Failure: failureOf(&f, step)}
			}
			return engine.Succeeded{Task: task, Attempt: step.Attempt, Outputs: out}
		case errors.Is(context.Cause(ctx), errCanceled):
			return engine.Stopped{Task: task, Attempt: step.Attempt}
		case ctx.Err() != nil:
			return nil // shutting down: the next process starts the attempt anew
		}
		return engine.Failed{Task: task, Attempt: step.Attempt, Failure: failureOf(err, step)}
	})
}

// spawn runs work in a goroutine that stopAll can end, and sends the command that it returns.
func (a *actor) spawn(ctx context.Context, task string, work func(context.Context) engine.Command) {
	ctx, stop := context.WithCancelCause(ctx)
	a.stopMu.Lock()
	a.stops[task] = stop
	a.stopMu.Unlock()
	if _, canceling := a.state.Status(); canceling {
		stop(errCanceled)
	}
	a.steps.Add(1)
	go func() {
		defer a.steps.Done()
		defer stop(nil)
		c := work(ctx)
		a.stopMu.Lock()
		delete(a.stops, task)
		a.stopMu.Unlock()
		if c != nil {
			a.send(c)
		}
	}()
}

func (a *actor) stopAll(cause error) {
	a.stopMu.Lock()
	defer a.stopMu.Unlock()
	for _, stop := range a.stops {
		stop(cause)
	}
}

// releaseAll gives back the room of steps that will not start any more.
func (a *actor) releaseAll() {
	a.stopMu.Lock()
	defer a.stopMu.Unlock()
	for task, release := range a.holds {
		release()
		delete(a.holds, task)
	}
}

func (a *actor) keep(task string, release func()) {
	a.stopMu.Lock()
	defer a.stopMu.Unlock()
	a.holds[task] = release
}

// take returns what gives back the room that is kept for a task.
func (a *actor) take(task string) func() {
	a.stopMu.Lock()
	defer a.stopMu.Unlock()
	release, ok := a.holds[task]
	if !ok {
		return func() {}
	}
	delete(a.holds, task)
	return release
}

// failureOf turns an error into a failure that names its task.
func failureOf(err error, step *run.Step) run.Failure {
	f := &run.Failure{Reason: run.ReasonSystem, Message: err.Error()}
	errors.As(err, &f)
	out := *f
	out.Task = step.TaskPath
	out.Message = fmt.Sprintf("task %q failed: %s", step.TaskPath, f.Message)
	return out
}
