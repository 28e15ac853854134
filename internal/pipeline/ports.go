package pipeline

import (
	"context"
	"io"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// Store keeps what the service must not lose. A method that returns nil has its writes on disk. Every Get returns a
// NotFound error for an unknown id; every Create returns a Conflict error for a name in use.
type Store interface {
	RunStore
	CatalogStore
}

// RunStore keeps runs: their event logs, which are the truth, and the rows derived from them.
type RunStore interface {
	// CreateRun stores a new run with its first events and rows in one transaction.
	CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error
	// Append adds events to a run's log and replaces the rows they changed, all or nothing. Of changed.Run only what a log can
	// change counts: state, failure, outputs, history, end, counts of tasks. It returns a Conflict
	// error when the log does not end just before events[0].Seq.
	Append(ctx context.Context, runID string, events []run.Event, changed run.Changes) error
	// Events returns a run's log from the given sequence number on.
	Events(ctx context.Context, runID string, from int64) ([]run.Event, error)
	GetRun(ctx context.Context, id string) (run.Run, error)
	ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error)
	// NewestIn returns the newest limit runs in one of the states that were created since a time and are not archived.
	NewestIn(ctx context.Context, states []run.State, since time.Time, limit int) ([]run.Brief, error)
	// CountRuns counts the runs that are not archived by state.
	CountRuns(ctx context.Context) (map[run.State]int, error)
	// FindRuns and FindArtifacts return up to limit of those whose id begins with a text, or digest for an artifact, or whose name has
	// it in it. Of the names only the newest are looked at.
	FindRuns(ctx context.Context, text string, limit int) ([]run.Brief, error)
	FindArtifacts(ctx context.Context, text string, limit int) ([]run.Artifact, error)
	// RunGroups counts the runs that match by a key and state, the largest groups first.
	RunGroups(ctx context.Context, by string, q listing.Query, most int) (groups []run.Group, whole bool, err error)
	// UnfinishedRuns returns the ids of the runs whose state is not final, oldest first.
	UnfinishedRuns(ctx context.Context) ([]string, error)
	// ActiveRuns returns the ids of the runs of a recurring run whose state is not final.
	ActiveRuns(ctx context.Context, recurringRunID string) ([]string, error)
	SetArchived(ctx context.Context, runID string, archived bool) error
	DeleteRun(ctx context.Context, id string) error
	// Tasks returns all tasks of a run in the order in which they were created.
	Tasks(ctx context.Context, runID string) ([]run.Task, error)
	// EncodedTasks calls yield with the JSON of each task of a run, as run.Task has it, in the order in which they were created. It
	// reads them piece by piece, so that the first are there before the last are read.
	EncodedTasks(ctx context.Context, runID string, yield func(task []byte) error) error
	// GetTask finds a task of a run by id.
	GetTask(ctx context.Context, runID, taskID string) (run.Task, error)
	// Artifacts lists artifacts; keys: run_id, task_id, name, schema_title, digest, created_at.
	Artifacts(ctx context.Context, q listing.Query) (listing.Page[run.Artifact], error)
	GetArtifact(ctx context.Context, id string) (run.Artifact, error)
	CacheStore
}

// CacheStore keeps which outputs may be reused. Entries come and go with Append and DeleteRun.
type CacheStore interface {
	// CacheEntry finds the newest entry of a key; NotFound when there is none.
	CacheEntry(ctx context.Context, key string) (run.CacheEntry, error)
	// CacheEntries lists entries; keys: key, task_id, run_id, component, pipeline_name, size, created_at.
	CacheEntries(ctx context.Context, q listing.Query) (listing.Page[run.CacheEntry], error)
	// PruneCache removes the entries for which all predicates hold, or only counts them.
	PruneCache(ctx context.Context, where []listing.Predicate, dryRun bool) (run.CachePruned, error)
	// ArtifactDigests calls yield with the digest of each content that a stored artifact has, each once.
	ArtifactDigests(ctx context.Context, yield func(digest string) error) error
}

// CatalogStore keeps experiments, pipelines, versions and specifications.
type CatalogStore interface {
	CreateExperiment(ctx context.Context, e catalog.Experiment) error
	GetExperiment(ctx context.Context, id string) (catalog.Experiment, error)
	ExperimentByName(ctx context.Context, name string) (catalog.Experiment, error)
	ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error)
	SetExperimentArchived(ctx context.Context, id string, archived bool) error
	DeleteExperiment(ctx context.Context, id string) error
	// MoveRuns files the runs of one experiment under another.
	MoveRuns(ctx context.Context, from, to string) error

	// CreatePipeline stores a pipeline and, unless it is nil, its first version.
	CreatePipeline(ctx context.Context, p catalog.Pipeline, first *catalog.Version) error
	GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error)
	PipelineByName(ctx context.Context, name string) (catalog.Pipeline, error)
	ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error)
	// DeletePipeline also deletes the pipeline's versions.
	DeletePipeline(ctx context.Context, id string) error
	// UpdatePipeline and UpdateVersion store the display name and the tags.
	UpdatePipeline(ctx context.Context, p catalog.Pipeline) error
	UpdateVersion(ctx context.Context, v catalog.Version) error

	CreateVersion(ctx context.Context, v catalog.Version) error
	GetVersion(ctx context.Context, id string) (catalog.Version, error)
	// ListVersions lists the versions of one pipeline.
	ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error)
	DeleteVersion(ctx context.Context, id string) error

	// PutSpec stores a specification under its digest; storing it again is not an error.
	PutSpec(ctx context.Context, digest string, spec []byte) error
	GetSpec(ctx context.Context, digest string) ([]byte, error)
}

// Runner executes steps. It may have them go on when this process dies: then an attempt is known by its id to the next process, and is
// never run twice.
type Runner interface {
	// Recover is called once, before any Run: open are the attempts that are running according to the logs of their runs.
	// Whatever else earlier processes left is ended and removed.
	Recover(ctx context.Context, open []run.AttemptID) error
	// Environment returns digests of everything outside the step that may change what it computes, building the Python
	// environment first if need be. They are part of the cache key.
	Environment(ctx context.Context, s *run.Step) (run.Environment, error)
	// Reserve waits until the machine has room for what the step asks for. The caller releases the room when the step has
	// ended, or was not started after all.
	Reserve(ctx context.Context, s *run.Step) (release func(), err error)
	// Run executes an attempt of a step and collects its outputs into the blob store. It is idempotent: when an earlier process
	// started this attempt, Run waits for it or takes the result that it left, and the caller needs no Reserve. Run returns
	// when the attempt has ended, and ends it when ctx is done, except where the runner lets steps outlive this process and
	// was told that it ends. An error that is not a *run.Failure counts as a SystemError. The reason Lost means that the
	// attempt was started, that its result cannot be known, and that nothing of it runs any more.
	Run(ctx context.Context, s *run.Step) (run.Values, error)
	// Settle says that what Run returned is in the run's log: the runner need not be able to return it again.
	Settle(id run.AttemptID)
	// Forget removes what the runner keeps of a deleted run: logs and working directories.
	Forget(ctx context.Context, runID string) error
}

// Blobs holds artifact content by digest.
type Blobs interface {
	// Keep reports whether the whole content of a digest is here and so may be reused. size is what a file had when it was
	// stored. Content that is here counts as new from then on, for Sweep.
	Keep(ctx context.Context, digest string, size int64) (bool, error)
	// Sweep removes the content that was stored, or kept, before a time and that none of the roots is or holds. roots calls
	// yield for each digest that is needed. With dryRun nothing is removed.
	Sweep(ctx context.Context, before time.Time, dryRun bool, roots func(yield func(digest string) error) error) (run.Swept, error)
	// Files lists the files of a digest: one with an empty Path for a file, all of them for a directory.
	Files(ctx context.Context, digest string) ([]run.BlobFile, error)
	// Open reads one file: path is empty for a file digest, a listed Path for a directory digest.
	Open(ctx context.Context, digest, path string) (io.ReadSeekCloser, error)
}

// Packages says what is in the environments that keys are made of.
type Packages interface {
	// Packages lists an environment by its digest, "name==version" each, with the Python version as one of them. It returns
	// nil when the environment is not there any more.
	Packages(ctx context.Context, digest string) ([]string, error)
}

// Usage says what attempts used while they ran.
type Usage interface {
	// Usage returns what an attempt has used so far; NotFound when it was not measured.
	Usage(ctx context.Context, runID, taskID string, attempt int) (run.Usage, error)
}

// Logs gives the lines that steps printed.
type Logs interface {
	// Read calls line for each stored line of an attempt, in order. With follow it goes on until the attempt has ended or
	// ctx is done. An attempt that has printed nothing has no lines and is no error.
	Read(ctx context.Context, runID, taskID string, attempt int, follow bool, line func(run.LogLine) error) error
}
