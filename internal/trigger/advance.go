package trigger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

// follower is a backfill that has runs to start or to cancel.
type follower struct {
	backfill catalog.Backfill
	// look is set when there may be something to do, not before at.
	look  bool
	at    time.Time
	pause time.Duration
}

// follow takes up a backfill as it is now, or drops it when it has nothing to do. s.mu is held, or nobody else is there yet.
func (s *Service) follow(b catalog.Backfill) {
	s.backfills = slices.DeleteFunc(s.backfills, func(f *follower) bool { return f.backfill.ID == b.ID })
	if s.deps.Paused || b.State != catalog.BackfillRunning && b.State != catalog.BackfillCanceling {
		return
	}
	s.backfills = append(s.backfills, &follower{backfill: b, look: true})
	s.wake()
}

// lookAgain has all backfills looked at: one of their runs may have ended.
func (s *Service) lookAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.backfills {
		f.look = true
	}
}

// advance does the next thing that is to be done for a backfill, which is to start one run at most, or returns how long it takes until
// there is something. The backfills take turns, and recurring runs that are due come between.
func (s *Service) advance(ctx context.Context) (pause time.Duration, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.now(), maxPause
	for i, f := range s.backfills {
		if !f.look {
			continue
		}
		if until := f.at.Sub(now); until > 0 {
			wait = min(wait, until)
			continue
		}
		s.backfills = append(slices.Delete(s.backfills, i, i+1), f)
		if err := s.step(ctx, f); err != nil {
			f.pause = min(max(firstPause, 2*f.pause), lastPause)
			f.at, f.look = now.Add(f.pause), true
			s.deps.Logger.Warn("a backfill cannot go on now; trying again", "backfill", f.backfill.ID, "in", f.pause, "error", err)
		} else {
			f.pause = 0
		}
		return 0, true
	}
	return wait, false
}

// step does one thing for a backfill. An error means that it is to be tried again.
func (s *Service) step(ctx context.Context, f *follower) error {
	b := f.backfill
	f.look = false
	active, err := s.deps.Store.ActiveOfBackfill(ctx, b.ID)
	if err != nil {
		return err
	}
	if b.State == catalog.BackfillCanceling {
		for _, id := range active {
			if err := s.deps.Runs.CancelRun(ctx, id); err != nil && fault.KindOf(err) != fault.Conflict && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		if len(active) > 0 {
			return nil
		}
		return s.settle(ctx, b, catalog.BackfillCanceled, "")
	}
	if len(active) >= b.Parallel {
		return nil
	}
	next, err := s.deps.Store.NextOfBackfill(ctx, b.ID)
	switch {
	case fault.KindOf(err) == fault.NotFound && len(active) > 0:
		return nil
	case fault.KindOf(err) == fault.NotFound:
		return s.end(ctx, b)
	case err != nil:
		return err
	}
	f.look = true
	return s.startPartition(ctx, b, next)
}

// startPartition starts the run of a partition, or lets it go on, and notes it.
func (s *Service) startPartition(ctx context.Context, b catalog.Backfill, p catalog.BackfillPartition) error {
	sub := b.Run
	experiment, err := s.deps.Runs.GetExperiment(ctx, sub.ExperimentID)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		sub.ExperimentID = "" // the default one
	case err != nil:
		return err
	case experiment.Archived:
		return s.settle(ctx, b, catalog.BackfillPaused, fmt.Sprintf("paused: its experiment %q is archived", experiment.DisplayName))
	}
	value, err := partition.Value(p.Key, b.Numeric)
	if err != nil {
		return err
	}
	sub.Parameters = with(sub.Parameters, b.Parameter, value)
	sub.ID, sub.BackfillID, sub.DisplayName = p.RunID, b.ID, nameOf(b.DisplayName, p.Key)
	_, err = s.deps.Runs.Submit(ctx, sub)
	switch kind := fault.KindOf(err); {
	case err == nil:
	case kind == fault.Conflict: // it is there: it is tried again, or an earlier process did not come to note it
		if err := s.tryAgain(ctx, p); err != nil {
			return err
		}
	case kind == fault.Internal || kind == fault.Unavailable:
		return err
	default:
		// The others would be refused as well.
		s.deps.Logger.Error("a backfill cannot start a run", "backfill", b.ID, "partition", p.Key, "error", err)
		return s.settle(ctx, b, catalog.BackfillPaused, fmt.Sprintf("paused: no run was started for %s: %v", p.Key, err))
	}
	if err := s.deps.Store.PartitionStarted(ctx, b.ID, p.Position); err != nil {
		return err
	}
	s.deps.Logger.Info("run started by a backfill", "backfill", b.ID, "run", p.RunID, "partition", p.Key)
	return nil
}

// tryAgain lets a run go on that had not succeeded when its partition began to wait.
func (s *Service) tryAgain(ctx context.Context, p catalog.BackfillPartition) error {
	r, err := s.deps.Runs.GetRun(ctx, p.RunID)
	if err != nil {
		return err
	}
	if r.State != run.Failed && r.State != run.Canceled || r.FinishedAt == nil || r.FinishedAt.After(p.Since) {
		return nil
	}
	if _, err = s.deps.Runs.RetryRun(ctx, p.RunID); fault.KindOf(err) == fault.Conflict {
		s.deps.Logger.Warn("a run of a backfill cannot be retried", "run", p.RunID, "error", err)
		return nil
	}
	return err
}

// end notes that all runs of a backfill have ended.
func (s *Service) end(ctx context.Context, b catalog.Backfill) error {
	now, err := s.deps.Store.GetBackfill(ctx, b.ID)
	if err != nil {
		return err
	}
	state := catalog.BackfillSucceeded
	if p := now.Progress; p.Failed+p.Canceled+p.Deleted > 0 {
		state = catalog.BackfillFailed
	}
	return s.settle(ctx, b, state, "")
}

// settle stores that a backfill starts no more runs.
func (s *Service) settle(ctx context.Context, b catalog.Backfill, state catalog.BackfillState, failure string) error {
	b.State, b.UpdatedAt, b.Failure = state, s.now(), failure
	if state.Ended() {
		b.FinishedAt = &b.UpdatedAt
	}
	if err := s.deps.Store.UpdateBackfill(ctx, b); err != nil {
		return err
	}
	s.deps.Logger.Info("backfill has come to rest", "backfill", b.ID, "state", state, "because", failure)
	s.follow(b)
	return nil
}
