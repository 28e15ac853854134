package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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
	useCache := caching.EnableCache && !a.run.CacheOff && step.Executor.Container != nil
	a.spawn(ctx, task, func(ctx context.Context) engine.Command {
		if step.Invalid != nil {
			return engine.Failed{Task: task, Failure: failureOf(step.Invalid, step)}
		}
		launch := engine.Launch{Task: task}
		if useCache {
			lookup, hit, err := a.lookup(ctx, step, component, caching.CacheKey)
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				return engine.Failed{Task: task, Failure: failureOf(err, step)}
			case hit != nil:
				return engine.Cached{Task: task, Key: lookup.Key, From: hit.TaskID, FromRun: hit.RunID, Outputs: hit.Outputs, Lookup: lookup}
			}
			launch.Key, launch.Lookup = lookup.Key, lookup
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
		return launch
	})
}

// lookup computes a step's cache key and finds an entry that is young enough and whose content is still here.
func (a *actor) lookup(ctx context.Context, step *run.Step, component, custom string) (*run.CacheLookup, *run.CacheEntry, error) {
	env, err := a.svc.deps.Runner.Environment(ctx, step)
	if err != nil {
		return nil, nil, err
	}
	key, err := cachekey.Of(step, component, env, custom)
	if err != nil {
		return nil, nil, err
	}
	age, limited, err := cachekey.MaxAge(step.Kubernetes, a.svc.deps.CacheMaxAge)
	if err != nil {
		return nil, nil, &run.Failure{Reason: run.ReasonInput, Message: err.Error()}
	}
	lookup := &run.CacheLookup{Key: key.Digest, Parts: key.Parts, Found: run.LookupNone}
	entry, err := a.svc.deps.Store.CacheEntry(ctx, key.Digest)
	if err != nil {
		if fault.KindOf(err) != fault.NotFound {
			a.svc.deps.Logger.Warn("the cache cannot be read; the step runs", "run", a.run.ID, "task", step.TaskPath, "error", err)
		}
		return lookup, nil, nil
	}
	if old := a.svc.now().Sub(entry.CreatedAt); limited && old >= age {
		lookup.Found, lookup.Entry, lookup.EntryRun = run.LookupExpired, entry.TaskID, entry.RunID
		lookup.Why = fmt.Sprintf("it was made %s before, and a result may be at most %s old", inWords(old), inWords(age))
		return lookup, nil, nil
	}
	if gone := a.missing(ctx, entry); gone != "" {
		lookup.Found, lookup.Entry, lookup.EntryRun = run.LookupGone, entry.TaskID, entry.RunID
		lookup.Why = fmt.Sprintf("the content of its artifact %q is not here any more", gone)
		return lookup, nil, nil
	}
	lookup.Found = run.LookupHit
	return lookup, &entry, nil
}

// missing returns the name of an output whose content is not here, or "". What is here is safe from collection from now on.
func (a *actor) missing(ctx context.Context, entry run.CacheEntry) string {
	for name, list := range entry.Outputs.Artifacts {
		for _, artifact := range list {
			if artifact.Digest == "" {
				continue
			}
			if ok, err := a.svc.deps.Blobs.Keep(ctx, artifact.Digest, artifact.Size); err != nil || !ok {
				if err != nil {
					a.svc.deps.Logger.Warn("content of the cache cannot be read; the step runs", "digest", artifact.Digest, "error", err)
				}
				return name
			}
		}
	}
	return ""
}

// inWords rounds an age to what a person reads.
func inWords(age time.Duration) string {
	switch days := age.Hours() / 24; {
	case age < time.Minute:
		return fmt.Sprintf("%.0f s", age.Seconds())
	case age < 2*time.Hour:
		return fmt.Sprintf("%.0f min", age.Minutes())
	case days < 2:
		return fmt.Sprintf("%.0f h", age.Hours())
	default:
		return fmt.Sprintf("%.0f days", days)
	}
}

// execute runs the attempt of a task that was just launched, or that an earlier process launched.
func (a *actor) execute(ctx context.Context, task string) {
	release := a.take(task)
	step := a.state.Step(task)
	a.spawn(ctx, task, func(ctx context.Context) engine.Command {
		defer release()
		out, err := a.svc.deps.Runner.Run(ctx, step)
		return a.verdict(ctx, task, step, out, err)
	})
}

// verdict is what the engine is told of an attempt that Run returned from.
func (a *actor) verdict(ctx context.Context, task string, step *run.Step, out run.Values, err error) engine.Command {
	if err == nil {
		// Every value must have a JSON form, or the event could not be stored.
		if _, err := json.Marshal(out); err != nil {
			f := run.Failure{Reason: run.ReasonOutput, Message: fmt.Sprintf("its outputs cannot be stored: %v", err)}
			return engine.Failed{Task: task, Attempt: step.Attempt, Failure: failureOf(&f, step)}
		}
		return engine.Succeeded{Task: task, Attempt: step.Attempt, Outputs: out}
	}
	f := failureOf(err, step)
	switch {
	case errors.Is(context.Cause(ctx), errCanceled):
		return engine.Stopped{Task: task, Attempt: step.Attempt}
	case ctx.Err() != nil:
		return nil // shutting down: the next process takes the attempt up
	case f.Reason == run.ReasonLost:
		return engine.Lost{Task: task, Attempt: step.Attempt, Failure: f}
	}
	return engine.Failed{Task: task, Attempt: step.Attempt, Failure: f}
}

// settles returns what is to be done once the events of a command are on disk.
func (a *actor) settles(c engine.Command) func() {
	id := run.AttemptID{RunID: a.run.ID}
	var task string
	switch c := c.(type) {
	case engine.Succeeded:
		task, id.Attempt = c.Task, c.Attempt
	case engine.Failed:
		task, id.Attempt = c.Task, c.Attempt
	case engine.Stopped:
		task, id.Attempt = c.Task, c.Attempt
	case engine.Lost:
		task, id.Attempt = c.Task, c.Attempt
	}
	if id.Attempt == 0 {
		return nil
	}
	id.TaskID = run.TaskID(id.RunID, task)
	return func() { a.svc.deps.Runner.Settle(id) }
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
			_ = a.inbox.put(message{command: c, stored: a.settles(c)}) // an actor that is gone needs no news
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
