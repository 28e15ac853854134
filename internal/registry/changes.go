package registry

import (
	"context"

	"levada/internal/core/model"
)

// Changes returns the newest changes of registered models, the newest first: models and versions that were made or deleted, aliases
// and stages that were moved. What imports bring is not among them, nor what happens to prompts.
func (s *Service) Changes(ctx context.Context, limit int) ([]model.Change, error) {
	return s.deps.Store.Changes(ctx, limit)
}
