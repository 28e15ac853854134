package trigger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"levada/internal/core/catalog"
)

// Upcoming returns the limit recurring runs that are due first, how many are followed in all, and up to limit of those whose last
// run was refused. It reads memory only; a service that is paused follows none.
func (s *Service) Upcoming(_ context.Context, limit int) (next []catalog.Upcoming, total int, refused []catalog.RecurringRun) {
	now := s.now()
	s.mu.Lock()
	all := make([]*entry, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, e)
	}
	// Entries are never changed but for their place and time, and those only under the lock.
	type at struct {
		*entry
		due  time.Time
		full bool
	}
	due := make([]at, len(all))
	for i, e := range all {
		due[i] = at{e, e.at, s.full[e.run.ID] != nil}
	}
	s.mu.Unlock()
	slices.SortFunc(due, func(a, b at) int {
		return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.run.ID, b.run.ID))
	})
	for _, e := range due {
		if e.run.Failure != "" && len(refused) < limit {
			refused = append(refused, e.run)
		}
		if len(next) < limit {
			if planned, ok := e.plan.Due(last(e.plan, e.run), now, !e.run.NoCatchup); ok {
				next = append(next, catalog.Upcoming{Run: e.run, At: planned, Full: e.full})
			}
		}
	}
	return next, len(all), refused
}
