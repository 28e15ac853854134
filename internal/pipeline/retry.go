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
	done, err := s.alone(ctx)
	if err != nil {
		return run.Run{}, err
	}
	defer done()
	r, err := s.deps.Store.GetRun(ctx, id)
	if err != nil {
		return run.Run{}, err
	}
	if !r.State.Final() {
		return run.Run{}, fault.Conflictf("run %s is still %s; only a run that failed or was cancelled can be retried", id, r.State)
	}
	// The end of a run is on disk a moment before its actor is gone.
	if err := s.gone(ctx, id); err != nil {
		return run.Run{}, err
	}
	log, err := s.readLog(ctx, id)
	if err != nil {
		return run.Run{}, err
	}
	a := newActor(s, r, nil, nil)
	if err := a.restore(log); err != nil {
		s.deps.Logger.Error("a run cannot be retried", "run", id, "error", err)
		return run.Run{}, fault.Conflictf("run %s cannot be retried, because its log cannot be followed any more; start it again", id)
	}
	if a.pending, err = a.state.Decide(engine.Retry{}, a.now()); err != nil {
		return run.Run{}, err
	}
	records, changed, err := a.records(a.pending)
	if err != nil {
		return run.Run{}, err
	}
	err = s.land(ctx, id, func(ctx context.Context) error { return s.deps.Store.Append(ctx, id, records, changed) })
	if err != nil {
		return run.Run{}, fmt.Errorf("retry run %s: %w", id, err)
	}
	r = a.run
	s.begin(a)
	return r, nil
}

// alone waits until no other request ends or revives a run that has ended: between reading what is stored of it and changing that
// nobody else may.
func (s *Service) alone(ctx context.Context) (done func(), err error) {
	select {
	case s.reviving <- struct{}{}:
		return func() { <-s.reviving }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
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
