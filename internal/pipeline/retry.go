package pipeline

import (
	"context"
	"fmt"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// RetryRun lets a run that failed or was cancelled go on: tasks that succeeded are kept, the others are done again. It returns when
// that is on disk. A run that has not ended or has succeeded is a Conflict.
func (s *Service) RetryRun(ctx context.Context, id string) (run.Run, error) {
	if err := s.accepting(); err != nil {
		return run.Run{}, err
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
	a, err := s.replay(ctx, r)
	if err != nil {
		return run.Run{}, err
	}
	events, err := a.state.Decide(engine.Retry{}, s.now())
	if err != nil {
		return run.Run{}, err
	}
	records, changed, err := a.records(events)
	if err != nil {
		return run.Run{}, err
	}
	// Two retries at once write the same event number: the log lets one of them through.
	err = s.deps.Store.Append(ctx, id, records, changed)
	if fault.KindOf(err) == fault.Conflict {
		return run.Run{}, fault.Conflictf("run %s is already being retried", id)
	}
	if err != nil {
		return run.Run{}, fmt.Errorf("retry run %s: %w", id, err)
	}
	r = a.run
	a.pending = events
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
