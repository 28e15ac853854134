package app

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/model"
	"levada/internal/core/run"
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
	events   *trigger.Events
	tracking *tracking.Service
	registry *registry.Service
}

func (a across) Overview(ctx context.Context) (pipeline.Overview, error) { return a.runs.Overview(ctx) }

func (a across) Upcoming(ctx context.Context, limit int) ([]catalog.Upcoming, int, []catalog.RecurringRun) {
	return a.trigger.Upcoming(ctx, limit)
}

func (a across) GoingOn(ctx context.Context, limit int) ([]track.Run, error) {
	return a.tracking.GoingOn(ctx, limit)
}

func (a across) Changes(ctx context.Context, limit int) ([]model.Change, error) {
	return a.registry.Changes(ctx, limit)
}

func (a across) FindRuns(ctx context.Context, text string, limit int) ([]run.Brief, error) {
	return a.runs.FindRuns(ctx, text, limit)
}

func (a across) FindArtifacts(ctx context.Context, text string, limit int) ([]run.Artifact, error) {
	return a.runs.FindArtifacts(ctx, text, limit)
}

func (a across) FindExperiments(ctx context.Context, text string, limit int) ([]catalog.Experiment, error) {
	return a.runs.FindExperiments(ctx, text, limit)
}

func (a across) FindPipelines(ctx context.Context, text string, limit int) ([]catalog.Pipeline, error) {
	return a.runs.FindPipelines(ctx, text, limit)
}

func (a across) FindRecurring(ctx context.Context, text string, limit int) ([]catalog.RecurringRun, error) {
	return a.trigger.Find(ctx, text, limit)
}

func (a across) FindTriggers(ctx context.Context, text string, limit int) ([]event.Trigger, error) {
	return a.events.Find(ctx, text, limit)
}

func (a across) FindTracked(ctx context.Context, text string, limit int) ([]track.Run, error) {
	return a.tracking.FindRuns(ctx, text, limit)
}

func (a across) FindModels(ctx context.Context, text string, limit int) ([]registry.Found, error) {
	return a.registry.Find(ctx, text, limit)
}
