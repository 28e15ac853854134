package pipeline

import (
	"context"
	"time"

	"levada/internal/core/run"
)

// Overview is what goes on at this moment, and what failed lately.
type Overview struct {
	// Counts are the runs that are not archived, by state.
	Counts map[run.State]int
	// Active are the newest runs that go on.
	Active []run.Brief
	// Causes are why runs failed that were created since Since. Failed is how many were looked at: the newest maxFailed of them. Cut says
	// that there may be more.
	Causes []run.Cause
	Since  time.Time
	Failed int
	Cut    bool
}

// What an overview looks at.
const (
	maxActive    = 20
	maxFailed    = 300
	failedLately = 7 * 24 * time.Hour
)

// Overview looks at a bounded number of runs, however many there are.
func (s *Service) Overview(ctx context.Context) (o Overview, err error) {
	if o.Counts, err = s.deps.Store.CountRuns(ctx); err != nil {
		return o, err
	}
	going := []run.State{run.Pending, run.Running, run.Canceling}
	if o.Active, err = s.deps.Store.NewestIn(ctx, going, time.Time{}, maxActive); err != nil {
		return o, err
	}
	o.Since = s.now().Add(-failedLately)
	failed, err := s.deps.Store.NewestIn(ctx, []run.State{run.Failed}, o.Since, maxFailed)
	o.Causes, o.Failed, o.Cut = run.Causes(failed), len(failed), len(failed) == maxFailed
	return o, err
}
