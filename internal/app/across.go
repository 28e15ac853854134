package app

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/pipeline"
	"levada/internal/registry"
	"levada/internal/tracking"
	"levada/internal/trigger"
)

// across gives the home page and the search a little of every service.
type across struct {
	runs     *pipeline.Service
	trigger  *trigger.Service
	tracking *tracking.Service
	registry *registry.Service
}

func (a across) Overview(ctx context.Context) (pipeline.Overview, error) { return a.runs.Overview(ctx) }

func (a across) Upcoming(ctx context.Context, limit int) ([]trigger.Upcoming, int, []catalog.RecurringRun) {
	return a.trigger.Upcoming(ctx, limit)
}

func (a across) GoingOn(ctx context.Context, limit int) ([]track.Run, error) {
	return a.tracking.GoingOn(ctx, limit)
}

func (a across) Changes(ctx context.Context, limit int) ([]model.Change, error) {
	return a.registry.Changes(ctx, limit)
}
