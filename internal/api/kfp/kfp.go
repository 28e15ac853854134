// Package kfp is the door for clients of Kubeflow Pipelines: the REST API v2beta1 that kfp.Client speaks.
//
// It translates between that wire format and the pipeline service, and decides nothing: it must not know SQL, files,
// processes or the engine. What the API declares and this installation does not offer is refused with 501, never
// ignored. Start reading at routes.go; the wire types are in wire.go.
package kfp

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"

	"levada/internal/core/catalog"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// Runs is what the door asks about runs.
type Runs interface {
	Submit(ctx context.Context, sub pipeline.Submission) (run.Run, error)
	GetRun(ctx context.Context, id string) (run.Run, error)
	ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error)
	CancelRun(ctx context.Context, id string) error
	RetryRun(ctx context.Context, id string) (run.Run, error)
	ArchiveRun(ctx context.Context, id string, archived bool) error
	DeleteRun(ctx context.Context, id string) error
	Tasks(ctx context.Context, runID string) ([]run.Task, error)
	// GetTask finds a task by id, path or unambiguous name.
	GetTask(ctx context.Context, runID, task string) (run.Task, error)
	Logs(ctx context.Context, runID, task string, attempt int, follow bool, line func(run.LogLine) error) error
	// OpenArtifact reads an artifact that is a file.
	OpenArtifact(ctx context.Context, id, path string) (io.ReadSeekCloser, error)
}

// Experiments is what the door asks about experiments.
type Experiments interface {
	CreateExperiment(ctx context.Context, name, description string) (catalog.Experiment, error)
	GetExperiment(ctx context.Context, id string) (catalog.Experiment, error)
	ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error)
	ArchiveExperiment(ctx context.Context, id string, archived bool) error
	DeleteExperiment(ctx context.Context, id string) error
}

// Pipelines is what the door asks about uploaded pipelines.
type Pipelines interface {
	UploadPipeline(ctx context.Context, u pipeline.Upload) (catalog.Pipeline, catalog.Version, error)
	UploadVersion(ctx context.Context, pipelineID string, u pipeline.Upload) (catalog.Version, error)
	GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error)
	PipelineByName(ctx context.Context, name string) (catalog.Pipeline, error)
	ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error)
	DeletePipeline(ctx context.Context, id string, cascade bool) error
	CreatePipeline(ctx context.Context, u pipeline.Upload) (catalog.Pipeline, error)
	UpdatePipeline(ctx context.Context, id, displayName string, tags map[string]string) (catalog.Pipeline, error)
}

// Versions is what the door asks about the versions of pipelines and the specifications in them.
type Versions interface {
	GetVersion(ctx context.Context, pipelineID, versionID string) (catalog.Version, error)
	ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error)
	DeleteVersion(ctx context.Context, pipelineID, versionID string) error
	UpdateVersion(ctx context.Context, pipelineID, versionID, displayName string, tags map[string]string) (catalog.Version, error)
	Spec(ctx context.Context, digest string) (*ir.Pipeline, error)
}

// Service is the pipeline service as this door sees it; *pipeline.Service satisfies it.
type Service interface {
	Runs
	Experiments
	Pipelines
	Versions
}

// Recurring is the trigger service as this door sees it; *trigger.Service satisfies it.
type Recurring interface {
	Create(ctx context.Context, r catalog.RecurringRun) (catalog.RecurringRun, error)
	Get(ctx context.Context, id string) (catalog.RecurringRun, error)
	List(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error)
	SetEnabled(ctx context.Context, id string, enabled bool) error
	Delete(ctx context.Context, id string) error
}

// Options configures the door. Service and Recurring are required.
type Options struct {
	Service   Service
	Recurring Recurring
	// Logger receives one line for each failure that is not the client's; nil means slog.Default().
	Logger *slog.Logger
	// MaxUploadBytes limits a request body, a package and the specification inside it; 0 means ir.MaxBytes,
	// which is KFP's limit.
	MaxUploadBytes int64
	// Version is shown by healthz.
	Version string
	// ErrorID makes the id that ties an internal failure's answer to its log line; nil means a random one.
	ErrorID func() string
}

// door holds the options with their defaults filled in.
type door struct {
	Options
}

// NewHandler serves the API below /apis/. It answers every path there, unknown ones with KFP's error body, so mount
// it at "/apis/".
func NewHandler(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MaxUploadBytes == 0 {
		o.MaxUploadBytes = ir.MaxBytes
	}
	if o.ErrorID == nil {
		o.ErrorID = func() string { return rand.Text()[:10] }
	}
	d := &door{o}
	mux := http.NewServeMux()
	for pattern, calls := range d.routes() {
		mux.Handle(pattern, d.serve(calls))
	}
	return mux
}
