package trigger

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
)

// Find returns up to limit recurring runs by the beginning of their id or a part of their name.
func (s *Service) Find(ctx context.Context, text string, limit int) ([]catalog.RecurringRun, error) {
	return listing.Find(ctx, text, limit, s.List, func(r catalog.RecurringRun) string { return r.ID })
}
