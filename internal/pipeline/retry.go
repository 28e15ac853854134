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
	r, err := s.settled(ctx, id)
	if err != nil {
		return run.Run{}, err
	}
	a, err := s.replay(ctx, r)
	if err != nil && fault.KindOf(err) != fault.Unavailable {
		s.deps.Logger.Error("a run cannot be retried", "run", id, "error", err)
		return run.Run{}, fault.Conflictf("run %s cannot be retried, because its log cannot be followed any more; start it again", id)
	}
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

// settled returns a run as it is stored. The end of a run is on disk a moment before its actor is gone: that is waited for.
func (s *Service) settled(ctx context.Context, id string) (run.Run, error) {
	for {
		a := s.actor(id) // before the run is read: an actor whose run has ended by then is about to go
		r, err := s.deps.Store.GetRun(ctx, id)
		if err != nil || a == nil || !r.State.Final() {
			return r, err
		}
		select {
		case <-a.gone:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}
