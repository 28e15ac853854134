package trigger

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// Store keeps recurring runs. A method that returns nil has its writes on disk. An unknown id is a NotFound error.
type Store interface {
	CreateRecurringRun(ctx context.Context, r catalog.RecurringRun) error
	GetRecurringRun(ctx context.Context, id string) (catalog.RecurringRun, error)
	// ListRecurringRuns lists; keys: id, display_name, description, experiment_id, enabled, created_at, updated_at.
	ListRecurringRuns(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error)
	EnabledRecurringRuns(ctx context.Context) ([]catalog.RecurringRun, error)
	// UpdateRecurringRun stores Enabled, UpdatedAt, Run.ExperimentID, LastAt, Index and Failure.
	UpdateRecurringRun(ctx context.Context, r catalog.RecurringRun) error
	DeleteRecurringRun(ctx context.Context, id string) error
}

// Runs starts runs; the pipeline service satisfies it.
type Runs interface {
	// Prepare validates a submission whole and stores its specification, without starting anything.
	Prepare(ctx context.Context, sub run.Submission) (run.Submission, error)
	// Submit starts a run. A run whose id exists already is a Conflict; nothing else is.
	Submit(ctx context.Context, sub run.Submission) (run.Run, error)
	// ActiveRuns counts the runs of a recurring run that have not ended.
	ActiveRuns(ctx context.Context, recurringRunID string) (int, error)
	// GetExperiment finds an experiment.
	GetExperiment(ctx context.Context, id string) (catalog.Experiment, error)
}
