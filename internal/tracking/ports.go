package tracking

import (
	"context"
	"io"
	"time"

	"levada/internal/core/run"
	"levada/internal/core/track"
)

// Store keeps what the service must not lose, but for the points of metrics. A method that returns nil has its writes on
// disk. What does not exist is a NotFound error.
type Store interface {
	ExperimentStore
	RunStore
	ModelStore
	FileStore
	ImportStore
}

// ExperimentStore keeps experiments.
type ExperimentStore interface {
	Experiments(ctx context.Context) ([]track.Experiment, error)
	Experiment(ctx context.Context, id string) (track.Experiment, error)
	ExperimentNamed(ctx context.Context, name string) (track.Experiment, error)
	// CreateExperiment returns a Conflict error for a name in use, deleted experiments included.
	CreateExperiment(ctx context.Context, e track.Experiment) error
	// ChangeExperiment reads, changes and stores an experiment in one transaction; deleting or restoring takes its runs along.
	ChangeExperiment(ctx context.Context, id string, change func(*track.Experiment) error) error
}

// RunStore keeps runs. Methods that change a run refuse one that is deleted with an Invalid error, SetRunDeleted excepted.
type RunStore interface {
	CreateRun(ctx context.Context, r track.Run) error
	// Run returns a run; Info leaves parameters, tags and links out.
	Run(ctx context.Context, id string) (*track.Run, error)
	Info(ctx context.Context, id string) (track.Run, error)
	// GoingOn returns the newest limit runs that began since a time, are going on and belong to no pipeline, as Info does.
	GoingOn(ctx context.Context, since time.Time, limit int) ([]track.Run, error)
	// FindRuns returns up to limit runs of no pipeline whose id begins with a text, or whose name has it in it, of the newest.
	FindRuns(ctx context.Context, text string, limit int) ([]track.Run, error)
	// RunsOf returns all runs of an experiment in the order of track.Newest. The list never changes and is not to be changed;
	// it is the same one as long as nothing has changed.
	RunsOf(ctx context.Context, experiment string) ([]*track.Run, error)
	// Pairs returns the named parameters and tags of a page of runs by the runs' ids; without names, the keys of all of them.
	Pairs(ctx context.Context, runIDs []string, names *track.Names) (params, tags map[string][]track.KV, err error)
	UpdateRun(ctx context.Context, id string, status *track.Status, end *int64, name *string) (track.Run, error)
	SetRunDeleted(ctx context.Context, id string, deleted bool, at time.Time) error
	// LogData returns a *track.ParamsError when a parameter has another value already.
	LogData(ctx context.Context, id string, params, tags []track.KV) error
	// ChangeTag makes a new value of a tag from the one before, "" for none, in one transaction.
	ChangeTag(ctx context.Context, id, key string, change func(before string) (string, error)) error
	DeleteTag(ctx context.Context, id, key string) error
	Link(ctx context.Context, id string, datasets []track.DatasetInput, inputs []string, outputs []track.ModelOutput) error
}

// ModelStore keeps logged models and their metrics.
type ModelStore interface {
	CreateModel(ctx context.Context, m track.LoggedModel) error
	Model(ctx context.Context, id string) (track.LoggedModel, error)
	// Models returns the logged models of experiments with their metrics, in no order and not to be changed.
	Models(ctx context.Context, experiments []string) ([]*track.LoggedModel, error)
	ChangeModel(ctx context.Context, id string, change func(*track.LoggedModel) error) error
	LogModelMetrics(ctx context.Context, runID string, metrics []track.Metric) error
}

// FileStore knows which content the files of clients have. Paths are relative, with single slashes.
type FileStore interface {
	// PutFile returns a Conflict error where a directory or a part of the path is a file already.
	PutFile(ctx context.Context, path, digest string, size int64, at time.Time) error
	File(ctx context.Context, path string) (track.StoredFile, error)
	Files(ctx context.Context, dir string) ([]track.StoredFile, error)
	Children(ctx context.Context, dir string) ([]track.File, error)
	RemoveFiles(ctx context.Context, path string) (int64, error)
	UploadStore
}

// UploadStore keeps uploads in parts. PutPart, CompleteUpload and AbortUpload return a NotFound error for one that has ended.
type UploadStore interface {
	// CreateUpload forgets uploads that began before abandoned.
	CreateUpload(ctx context.Context, u track.Upload, abandoned time.Time) error
	Upload(ctx context.Context, id string) (track.Upload, error)
	PutPart(ctx context.Context, id string, p track.Part) error
	Parts(ctx context.Context, id string) ([]track.Part, error)
	// CompleteUpload does what PutFile does, and ends the upload, in one transaction.
	CompleteUpload(ctx context.Context, id, path, digest string, size int64, at time.Time) error
	AbortUpload(ctx context.Context, id string) error
	// URLKey is the key with which URLs are signed.
	URLKey(ctx context.Context) ([]byte, error)
}

// Series keeps the points of metrics.
type Series interface {
	// Log stores points of a run; those that are there already are not stored again.
	Log(ctx context.Context, runID string, metrics []track.Metric) error
	Stats(runID string) ([]track.Stat, error)
	// Sums calls fn with the sum of a metric of each of the runs that has it; i is the run's place in the list.
	Sums(runIDs []string, key string, fn func(i int, s track.Stat)) error
	// Changed returns the runs that got points since a moment, and the present moment; false when that is too long ago to say.
	Changed(since uint64) (runIDs []string, now uint64, known bool)
	// History returns points in the order of time, step and value, and whether there are more.
	History(runID, key string, offset, limit int) ([]track.Point, bool, error)
	// Sample returns at most n points in the order of steps, evenly spread; within may be nil.
	Sample(runID, key string, within *track.Steps, n int) ([]track.Point, error)
	// Extremes is like Sample and keeps the lowest and the highest values.
	Extremes(runID, key string, within *track.Steps, n int) ([]track.Point, error)
}

// Blobs holds content by digest.
type Blobs interface {
	PutReader(ctx context.Context, r io.Reader) (run.BlobInfo, error)
	Open(ctx context.Context, digest, path string) (io.ReadSeekCloser, error)
}
