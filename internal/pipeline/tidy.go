package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// Cleaner removes what runs needed on the machine while they ran. What is left there is also what remains to be done, so that
// nothing is forgotten when the process dies.
type Cleaner interface {
	// Leftovers lists the runs that have something left.
	Leftovers(ctx context.Context) ([]string, error)
	// Clean removes the workspace of a run and, with all, everything but its logs and artifacts.
	Clean(ctx context.Context, runID string, all bool) error
}

// tidier cleans up after runs when their time has come.
type tidier struct {
	signal chan struct{}
	mu     sync.Mutex
	// due says when runs that have ended will be cleaned up, so that each is looked at once; the zero time is never.
	due map[string]time.Time
}

func newTidier() *tidier { return &tidier{signal: make(chan struct{}, 1), due: map[string]time.Time{}} }

// ended says that a run has come to its end, perhaps not for the first time.
func (t *tidier) ended(runID string) {
	t.mu.Lock()
	delete(t.due, runID)
	t.mu.Unlock()
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

func (t *tidier) planned(runID string) (at time.Time, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, known = t.due[runID]
	return at, known
}

func (t *tidier) plan(runID string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due[runID] = at
}

// cleanAt says when a run that has ended is cleaned up, and whether all of it. KFP's resource TTLs count from the end of the run;
// that of its ending wins over the general one. A workspace lives as long as its run; that of a run that failed stays, because
// a retry needs it.
func cleanAt(r *run.Run, c *ir.PipelineConfig) (at time.Time, all, ever bool) {
	if c == nil || r.FinishedAt == nil {
		return time.Time{}, false, false
	}
	ttl := c.ResourceTTLOnFailure
	if r.State == run.Succeeded {
		ttl = c.ResourceTTLOnSuccess
	}
	if ttl == 0 {
		ttl = c.ResourceTTLOnCompletion
	}
	switch {
	case ttl > 0:
		return r.FinishedAt.Add(time.Duration(ttl) * time.Second), true, true
	case c.Workspace != nil && r.State == run.Succeeded:
		return *r.FinishedAt, false, true
	}
	return time.Time{}, false, false
}

// tidy cleans up until the service closes.
func (s *Service) tidy() {
	defer s.actors.Done()
	for {
		pause := time.Hour
		if next, err := s.tidyOnce(s.ctx); err != nil {
			if s.ctx.Err() == nil {
				s.deps.Logger.Error("cleaning up after runs failed; trying again", "error", err)
			}
			pause = time.Minute
		} else if !next.IsZero() {
			pause = max(0, min(pause, next.Sub(s.now())))
		}
		t := time.NewTimer(pause)
		select {
		case <-s.ctx.Done():
			t.Stop()
			return
		case <-s.tidier.signal:
			t.Stop()
		case <-t.C:
		}
	}
}

// tidyOnce cleans up what is due and returns when more will be.
func (s *Service) tidyOnce(ctx context.Context) (next time.Time, err error) {
	ids, err := s.deps.Cleaner.Leftovers(ctx)
	if err != nil {
		return next, err
	}
	var errs error
	for _, id := range ids {
		at, known := s.tidier.planned(id)
		if !known || !at.IsZero() && !at.After(s.now()) {
			if at, err = s.tidyRun(ctx, id); err != nil {
				// What is left of one run, and cannot be removed, keeps nothing of others.
				errs = errors.Join(errs, fmt.Errorf("run %s: %w", id, err))
				continue
			}
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, errs
}

// tidyRun cleans up after one run if that is due, and returns when it will be otherwise.
func (s *Service) tidyRun(ctx context.Context, id string) (time.Time, error) {
	// A run that somebody lets go on needs its workspace again.
	done, err := s.alone(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer done()
	if s.actor(id) != nil {
		return time.Time{}, nil
	}
	r, err := s.deps.Store.GetRun(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return time.Time{}, s.deps.Cleaner.Clean(ctx, id, true)
	}
	if err != nil || !r.State.Final() {
		return time.Time{}, err
	}
	p, err := s.Spec(ctx, r.SpecDigest)
	if err != nil {
		return time.Time{}, err
	}
	at, all, ever := cleanAt(&r, p.Config())
	if ever && at.After(s.now()) {
		s.tidier.plan(id, at)
		return at, nil
	}
	if ever {
		if err := s.deps.Cleaner.Clean(ctx, id, all); err != nil {
			return time.Time{}, err
		}
		s.deps.Logger.Info("cleaned up after a run", "run", id, "all", all)
	}
	if ever && all {
		return time.Time{}, nil // nothing is left that could be listed again
	}
	s.tidier.plan(id, time.Time{})
	return time.Time{}, nil
}
