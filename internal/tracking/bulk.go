package tracking

import (
	"context"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// MaxBulk is how many runs one BulkChange may name.
const MaxBulk = 1000

// BulkChange is done to several runs.
type BulkChange struct {
	RunIDs []string
	// Delete or Restore, or else Tag is set.
	Delete, Restore bool
	Tag             track.KV
}

// RunFailure is a run that was not changed, and why.
type RunFailure struct {
	RunID string
	Err   error
}

// ChangeRuns does the same to several runs, one after the other: those that cannot be changed do not keep the others. An error is
// returned only when nothing was tried, or when the server fails.
func (s *Service) ChangeRuns(ctx context.Context, c BulkChange) (done int, failed []RunFailure, err error) {
	if len(c.RunIDs) > MaxBulk {
		return 0, nil, fault.Invalidf("%d runs; at most %d are changed at once", len(c.RunIDs), MaxBulk)
	}
	if !c.Delete && !c.Restore {
		if err := checkTag("", &c.Tag); err != nil {
			return 0, nil, err
		}
	}
	for _, id := range c.RunIDs {
		if c.Delete || c.Restore {
			err = s.SetRunDeleted(ctx, id, c.Delete)
		} else {
			err = s.SetTag(ctx, id, c.Tag)
		}
		switch {
		case err == nil:
			done++
		case fault.KindOf(err) == fault.Internal || fault.KindOf(err) == fault.Unavailable:
			return done, failed, err
		default:
			failed = append(failed, RunFailure{id, err})
		}
	}
	return done, failed, nil
}
