package pipeline

import (
	"context"
	"fmt"

	"levada/internal/core/engine"
	"levada/internal/core/run"
)

// RetryRun lets a run that failed or was cancelled go on: tasks that succeeded are kept, the others are done again. It returns when
// that is on disk. A run that has not ended or has succeeded is a Conflict.
func (s *Service) RetryRun(ctx context.Context, id string) (run.Run, error) {
	if err := s.accepting(); err != nil {
		return run.Run{}, err
	}
	// One at a time: between reading a log and appending to it nobody else may start an actor for the run.
	select {
	case s.retrying <- struct{}{}:
		defer func() { <-s.retrying }()
	case <-ctx.Done():
		return run.Run{}, context.Cause(ctx)
	}
	r, err := s.deps.Store.GetRun(ctx, id)
	if err != nil {
		return run.Run{}, err
	}
	if r.State.Final() {
		// The end of a run is on disk a moment before its actor is gone.
		if err := s.gone(ctx, id); err != nil {
			return run.Run{}, err
		}
	}
	log, err := s.readLog(ctx, id)
	if err != nil {
		return run.Run{}, err
	}
	a := newActor(s, r, nil, nil)
	if err := a.restore(log); err != nil {
		return run.Run{}, err
	}
	if a.pending, err = a.state.Decide(engine.Retry{}, a.now()); err != nil {
		return run.Run{}, err
	}
	records, changed, err := a.records(a.pending)
	if err != nil {
		return run.Run{}, err
	}
	err = s.landed(ctx, id, s.deps.Store.Append(ctx, id, records, changed), func(stored run.Run) bool { return !stored.State.Final() })
	if err != nil {
		return run.Run{}, fmt.Errorf("retry run %s: %w", id, err)
	}
	r = a.run
	s.begin(a)
	return r, nil
}

// gone waits until no actor drives a run.
func (s *Service) gone(ctx context.Context, id string) error {
	a := s.actor(id)
	if a == nil {
		return nil
	}
	select {
	case <-a.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
