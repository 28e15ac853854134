// Package pipeline owns runs: it accepts specifications, drives one engine per active run, asks the runner to
// execute steps, reuses earlier results, and recovers what was going on when the process died.
//
// It must not know HTTP, SQL, processes or file formats: those are behind the interfaces in ports.go. Start
// reading at Service.Submit, then actor.go.
package pipeline

import (
	"context"
	"io"

	"levada/internal/core/catalog"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// Submission asks for a run.
type Submission struct {
	// Spec is a compiled pipeline (YAML or JSON, one or two documents), or PipelineID with an optional VersionID names an
	// uploaded one. Without VersionID the newest version is meant.
	Spec       []byte
	PipelineID string
	VersionID  string

	DisplayName    string // default: the pipeline's name and the time
	Description    string
	ExperimentID   string // default: the experiment "Default"
	Parameters     map[string]any
	PipelineRoot   string
	ServiceAccount string
	CacheOff       bool
}

// Update is a change of a run that a watcher is told of. Exactly one field is set.
type Update struct {
	Run  *run.Run
	Task *run.Task
}

// Submit validates a submission whole, stores the run and starts it.
func (s *Service) Submit(ctx context.Context, sub Submission) (run.Run, error) { panic("wip") }

// GetRun returns a run.
func (s *Service) GetRun(ctx context.Context, id string) (run.Run, error) { panic("wip") }

// ListRuns lists runs; keys: id, display_name, state, experiment_id, pipeline_id, pipeline_name, created_at, finished_at, archived.
func (s *Service) ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error) {
	panic("wip")
}

// CancelRun asks a run to stop and returns when the request is on disk. Cancelling a finished run is a Conflict.
func (s *Service) CancelRun(ctx context.Context, id string) error { panic("wip") }

// ArchiveRun hides a run from default lists, or brings it back.
func (s *Service) ArchiveRun(ctx context.Context, id string, archived bool) error { panic("wip") }

// DeleteRun removes a finished run with its tasks, events and logs. Artifacts that others use stay.
func (s *Service) DeleteRun(ctx context.Context, id string) error { panic("wip") }

// Tasks returns all tasks of a run that exist so far, in the order in which they were created.
func (s *Service) Tasks(ctx context.Context, runID string) ([]run.Task, error) { panic("wip") }

// GetTask finds a task by id, path or, where it is unambiguous, name.
func (s *Service) GetTask(ctx context.Context, runID, task string) (run.Task, error) { panic("wip") }

// Watch returns the run, its tasks, and a channel of what changes from that moment on. The channel is closed when the run is final
// or ctx is done. A reader that is too slow is not waited for: it is given only the newest state of each task.
func (s *Service) Watch(ctx context.Context, runID string) (run.Run, []run.Task, <-chan Update, error) {
	panic("wip")
}

// Logs calls line for each line of an attempt of a task (attempt 0 means the newest); with follow it goes on until the task is final.
func (s *Service) Logs(ctx context.Context, runID, task string, attempt int, follow bool, line func(run.LogLine) error) error {
	panic("wip")
}

// RunSpec returns the specification a run was started from.
func (s *Service) RunSpec(ctx context.Context, runID string) (*ir.Pipeline, error) { panic("wip") }

// Spec returns a stored specification by digest.
func (s *Service) Spec(ctx context.Context, digest string) (*ir.Pipeline, error) { panic("wip") }

// ListArtifacts lists artifacts; keys: run_id, task_id, name, schema_title, digest, created_at.
func (s *Service) ListArtifacts(ctx context.Context, q listing.Query) (listing.Page[run.Artifact], error) {
	panic("wip")
}

// GetArtifact returns an artifact.
func (s *Service) GetArtifact(ctx context.Context, id string) (run.Artifact, error) { panic("wip") }

// ArtifactFiles lists the files of an artifact whose content is held here.
func (s *Service) ArtifactFiles(ctx context.Context, id string) ([]run.BlobFile, error) {
	panic("wip")
}

// OpenArtifact reads one file of an artifact; path is empty unless it is a directory.
func (s *Service) OpenArtifact(ctx context.Context, id, path string) (io.ReadSeekCloser, error) {
	panic("wip")
}

// CreateExperiment creates an experiment; a name in use is a Conflict.
func (s *Service) CreateExperiment(ctx context.Context, name, description string) (catalog.Experiment, error) {
	panic("wip")
}

// GetExperiment returns an experiment.
func (s *Service) GetExperiment(ctx context.Context, id string) (catalog.Experiment, error) {
	panic("wip")
}

// ListExperiments lists experiments; keys: id, display_name, created_at, last_run_at, archived.
func (s *Service) ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error) {
	panic("wip")
}

// ArchiveExperiment archives an experiment and its runs, or brings the experiment back.
func (s *Service) ArchiveExperiment(ctx context.Context, id string, archived bool) error {
	panic("wip")
}

// DeleteExperiment deletes an experiment; its runs stay and belong to the default experiment.
func (s *Service) DeleteExperiment(ctx context.Context, id string) error { panic("wip") }

// Upload describes a pipeline or version to store.
type Upload struct {
	Name        string // default: the name inside the specification
	DisplayName string
	Description string
	Tags        map[string]string
	Spec        []byte
}

// UploadPipeline validates a specification and stores it as a new pipeline with its first version.
func (s *Service) UploadPipeline(ctx context.Context, u Upload) (catalog.Pipeline, catalog.Version, error) {
	panic("wip")
}

// UploadVersion validates a specification and stores it as a new version of a pipeline.
func (s *Service) UploadVersion(ctx context.Context, pipelineID string, u Upload) (catalog.Version, error) {
	panic("wip")
}

// GetPipeline returns a pipeline.
func (s *Service) GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error) {
	panic("wip")
}

// PipelineByName finds a pipeline by its unique name.
func (s *Service) PipelineByName(ctx context.Context, name string) (catalog.Pipeline, error) {
	panic("wip")
}

// ListPipelines lists pipelines; keys: id, name, display_name, created_at.
func (s *Service) ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error) {
	panic("wip")
}

// DeletePipeline deletes a pipeline and, with cascade, its versions; without cascade one that still has versions is a Conflict.
func (s *Service) DeletePipeline(ctx context.Context, id string, cascade bool) error { panic("wip") }

// GetVersion returns a version of a pipeline.
func (s *Service) GetVersion(ctx context.Context, pipelineID, versionID string) (catalog.Version, error) {
	panic("wip")
}

// ListVersions lists the versions of a pipeline; keys: id, name, display_name, created_at.
func (s *Service) ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error) {
	panic("wip")
}

// DeleteVersion deletes a version.
func (s *Service) DeleteVersion(ctx context.Context, pipelineID, versionID string) error {
	panic("wip")
}

// Service runs pipelines.
type Service struct{}
