package trigger

import (
	"context"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

// Store keeps what is to be started. A method that returns nil has its writes on disk. An unknown id is a NotFound error.
type Store interface {
	RecurringRuns
	PartitionStore
	BackfillStore
}

// PartitionStore knows how pipelines are partitioned, and which runs did which partition.
type PartitionStore interface {
	GetPartitioning(ctx context.Context, pipelineID string) (partition.Definition, error)
	// SetPartitioning also finds the partitions of the runs that the pipeline has.
	SetPartitioning(ctx context.Context, pipelineID string, d partition.Definition) error
	DeletePartitioning(ctx context.Context, pipelineID string) error
	// PartitionRuns returns the newest run for each value of a parameter that was not cancelled, PartitionInputs what those have
	// imported from outside, by run and at most so many.
	PartitionRuns(ctx context.Context, pipelineID, parameter string) (map[string]partition.Run, error)
	PartitionInputs(ctx context.Context, pipelineID, parameter string, most int) (map[string][]partition.Input, error)
	// PartitionUpstream returns, by run, what those have imported that a partition of some pipeline has made which gives other content now.
	PartitionUpstream(ctx context.Context, pipelineID, parameter string, most int) (map[string][]partition.Upstream, error)
}

// BackfillStore keeps backfills with their partitions.
type BackfillStore interface {
	// CreateBackfill stores the partitions in their order; all of them wait.
	CreateBackfill(ctx context.Context, b catalog.Backfill, partitions []catalog.BackfillPartition) error
	GetBackfill(ctx context.Context, id string) (catalog.Backfill, error)
	// ListBackfills lists; keys: id, pipeline_id, state, created_at, updated_at.
	ListBackfills(ctx context.Context, q listing.Query) (listing.Page[catalog.Backfill], error)
	// UnfinishedBackfills returns those that are running or being cancelled.
	UnfinishedBackfills(ctx context.Context) ([]catalog.Backfill, error)
	// UpdateBackfill stores State, UpdatedAt, FinishedAt and Failure.
	UpdateBackfill(ctx context.Context, b catalog.Backfill) error
	BackfillPartitions(ctx context.Context, id string, after, limit int) ([]catalog.BackfillPartition, error)
	// NextOfBackfill returns the first partition that waits; NotFound when none does.
	NextOfBackfill(ctx context.Context, id string) (catalog.BackfillPartition, error)
	// WaitingPartitions returns the keys that wait in backfills of a pipeline which are running or paused.
	WaitingPartitions(ctx context.Context, pipelineID string) ([]string, error)
	PartitionStarted(ctx context.Context, id string, position int) error
	// RetryPartitions lets those wait again whose runs did not succeed, and updates the backfill when there are any.
	RetryPartitions(ctx context.Context, b catalog.Backfill, since time.Time) (int, error)
	// ActiveOfBackfill returns the ids of the runs of a backfill that have not ended.
	ActiveOfBackfill(ctx context.Context, id string) ([]string, error)
}

// RecurringRuns keeps recurring runs.
type RecurringRuns interface {
	CreateRecurringRun(ctx context.Context, r catalog.RecurringRun) error
	GetRecurringRun(ctx context.Context, id string) (catalog.RecurringRun, error)
	// ListRecurringRuns lists; keys: id, display_name, description, experiment_id, enabled, created_at, updated_at.
	ListRecurringRuns(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error)
	EnabledRecurringRuns(ctx context.Context) ([]catalog.RecurringRun, error)
	// UpdateRecurringRun stores Enabled, UpdatedAt, Run.ExperimentID, LastAt, Index and Failure, and what has happened with it.
	UpdateRecurringRun(ctx context.Context, r catalog.RecurringRun, happened ...event.Event) error
	// ReplaceRecurringRun stores a recurring run in the place of the one with its id.
	ReplaceRecurringRun(ctx context.Context, r catalog.RecurringRun) error
	DeleteRecurringRun(ctx context.Context, id string) error
}

// Runs starts runs; the pipeline service satisfies it.
type Runs interface {
	// Prepare validates a submission whole, but for the values of parameters that come later, when a run starts. It stores its
	// specification and starts nothing.
	Prepare(ctx context.Context, sub run.Submission, later ...string) (run.Submission, error)
	// PipelineName is the name of the pipeline that a run of a submission would have now; empty where nobody knows it.
	PipelineName(ctx context.Context, sub run.Submission) string
	// Submit starts a run. A run whose id exists already is a Conflict; nothing else is.
	Submit(ctx context.Context, sub run.Submission) (run.Run, error)
	// ActiveRuns returns the ids of the runs of a recurring run that have not ended.
	ActiveRuns(ctx context.Context, recurringRunID string) ([]string, error)
	// CancelRun asks a run to stop. One that has ended is a Conflict.
	CancelRun(ctx context.Context, id string) error
	// GetRun finds a run. RetryRun lets one go on that failed or was cancelled; where that is impossible it is a Conflict.
	GetRun(ctx context.Context, id string) (run.Run, error)
	RetryRun(ctx context.Context, id string) (run.Run, error)
	// GetExperiment finds an experiment.
	GetExperiment(ctx context.Context, id string) (catalog.Experiment, error)
}

// Pipelines tells of uploaded pipelines; the pipeline service satisfies it.
type Pipelines interface {
	GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error)
	GetVersion(ctx context.Context, pipelineID, versionID string) (catalog.Version, error)
	// ListVersions lists versions, newest first.
	ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error)
	// Spec returns a stored specification.
	Spec(ctx context.Context, digest string) (*ir.Pipeline, error)
}
