package tracking

import (
	"context"
	"time"

	"levada/internal/core/track"
)

// staleAfter is how long a run can be going on before it is no longer shown as such: a client that died says no more of its runs.
const staleAfter = 7 * 24 * time.Hour

// GoingOn returns the newest limit runs that are going on and belong to no pipeline, without parameters and tags.
func (s *Service) GoingOn(ctx context.Context, limit int) ([]track.Run, error) {
	return s.deps.Store.GoingOn(ctx, s.deps.Now().Add(-staleAfter), limit)
}

// FindRuns returns up to limit tracked runs that belong to no pipeline, by the beginning of their id or a part of their name. Only a
// bounded number of the newest is looked at for a part of a name.
func (s *Service) FindRuns(ctx context.Context, text string, limit int) ([]track.Run, error) {
	return s.deps.Store.FindRuns(ctx, text, limit)
}
