// Package run holds the vocabulary of execution: runs, tasks, artifacts, steps and how they end.
//
// These are the words that the engine, the services, the adapters and the doors share. The package is
// pure: it knows no storage, no clock and no wire format but the JSON of Levada's own API.
package run

import "time"

// State is the state of a run or of a task. The words are those of KFP's RuntimeState.
type State string

// The states. Pending, Running and Canceling may change; the others are final.
const (
	Pending   State = "PENDING"
	Running   State = "RUNNING"
	Canceling State = "CANCELING"
	Succeeded State = "SUCCEEDED"
	Skipped   State = "SKIPPED"
	Failed    State = "FAILED"
	Canceled  State = "CANCELED"
)

// Final reports whether a state can no longer change.
func (s State) Final() bool {
	return s == Succeeded || s == Skipped || s == Failed || s == Canceled
}

// Run is one execution of a pipeline.
type Run struct {
	ID           string `json:"id" doc:"UUID of the run"`
	DisplayName  string `json:"display_name"`
	Description  string `json:"description,omitempty"`
	ExperimentID string `json:"experiment_id"`
	// PipelineName is the name inside the specification; PipelineID and VersionID are set when the
	// run was started from an uploaded pipeline.
	PipelineName string `json:"pipeline_name"`
	PipelineID   string `json:"pipeline_id,omitempty"`
	VersionID    string `json:"version_id,omitempty"`
	// RecurringRunID names the schedule that started the run.
	RecurringRunID string `json:"recurring_run_id,omitempty"`
	// BackfillID names the backfill that started the run.
	BackfillID string `json:"backfill_id,omitempty"`
	// SpecDigest identifies the stored specification ("sha256:…").
	SpecDigest     string         `json:"spec_digest"`
	ServiceAccount string         `json:"service_account,omitempty"`
	PipelineRoot   string         `json:"pipeline_root,omitempty"`
	Parameters     map[string]any `json:"parameters" doc:"values of the pipeline's parameters, defaults included"`
	// CacheOff disables reuse of earlier results for the whole run.
	CacheOff bool           `json:"cache_off,omitempty"`
	State    State          `json:"state" enum:"PENDING,RUNNING,CANCELING,SUCCEEDED,SKIPPED,FAILED,CANCELED"`
	Failure  *Failure       `json:"failure,omitempty"`
	Outputs  Values         `json:"outputs"`
	Notices  []string       `json:"notices,omitempty" doc:"what the run asked for that has no effect here"`
	History  []StateChange  `json:"history,omitempty"`
	Archived bool           `json:"archived,omitempty"`
	Labels   map[string]any `json:"labels,omitempty"`

	CreatedAt   time.Time  `json:"created_at"`
	ScheduledAt time.Time  `json:"scheduled_at"`
	FinishedAt  *time.Time `json:"finished_at,omitempty"`
	// Tasks counts leaf tasks (the ones that run something) by state.
	Tasks map[State]int `json:"tasks,omitempty"`
	// Cached counts the leaf tasks whose outputs were reused.
	Cached int `json:"cached,omitempty"`
}

// StateChange records when a run entered a state.
type StateChange struct {
	State State     `json:"state"`
	At    time.Time `json:"at"`
}

// Kind says what a task is.
type Kind string

// The kinds of task. Containers and importers are leaves; the others hold tasks.
const (
	KindContainer Kind = "container"
	KindImporter  Kind = "importer"
	KindDAG       Kind = "dag"
	KindLoop      Kind = "loop"
	KindIteration Kind = "iteration"
)

// Leaf reports whether tasks of this kind execute something themselves.
func (k Kind) Leaf() bool { return k == KindContainer || k == KindImporter }

// Task is one task of a run: a leaf that runs a step, or a group (DAG, loop, iteration).
type Task struct {
	ID    string `json:"id" doc:"UUID, derived from the run and the path"`
	RunID string `json:"run_id"`
	// Path names the task within its run: "train", "for-loop-1/0/train".
	Path string `json:"path"`
	// Parent is the path of the enclosing group, empty at the top level.
	Parent      string `json:"parent,omitempty"`
	Name        string `json:"name" doc:"name within the enclosing DAG; the index for an iteration"`
	DisplayName string `json:"display_name"`
	Kind        Kind   `json:"kind" enum:"container,importer,dag,loop,iteration"`
	State       State  `json:"state" enum:"PENDING,RUNNING,CANCELING,SUCCEEDED,SKIPPED,FAILED,CANCELED"`
	// Reason says in words why the task is in its state where the state alone does not:
	// a false condition, a failed upstream task, waiting for a retry.
	Reason    string   `json:"reason,omitempty"`
	DependsOn []string `json:"depends_on,omitempty" doc:"paths of the tasks in the same group that come first"`
	Component string   `json:"component"`
	Image     string   `json:"image,omitempty"`
	// Labels and Annotations are those that the pipeline gives the task's pod.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Attempts is how often the step was started; 0 for a cached or skipped task.
	Attempts int `json:"attempts"`
	// Cached is true when the outputs were taken from an earlier task, named by CachedFrom.
	Cached        bool     `json:"cached,omitempty"`
	CachedFrom    string   `json:"cached_from,omitempty" doc:"id of the task that first produced these outputs"`
	CachedFromRun string   `json:"cached_from_run,omitempty" doc:"id of that task's run"`
	CacheKey      string   `json:"cache_key,omitempty"`
	Iteration     *int     `json:"iteration,omitempty"`
	Inputs        Values   `json:"inputs"`
	Outputs       Values   `json:"outputs"`
	Failure       *Failure `json:"failure,omitempty"`

	CreatedAt time.Time `json:"created_at"`
	// ReadyAt is when everything before a leaf was done; until StartedAt its environment is made, the cache is looked into, and
	// it waits for room on the machine. It is that of the first attempt, as StartedAt is.
	ReadyAt    *time.Time `json:"ready_at,omitempty" doc:"when what comes before a leaf was done and preparing it began"`
	StartedAt  *time.Time `json:"started_at,omitempty" doc:"when the first attempt was started"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	// Tries are all attempts, where there was more than one.
	Tries []Try `json:"tries,omitempty" doc:"every attempt with its own times, where there was more than one"`
}

// Try is one attempt of a task as its run's log knows it.
type Try struct {
	Attempt int `json:"attempt"`
	// ReadyAt is when preparing the attempt began, after what came before or after the pause of a retry.
	ReadyAt    time.Time  `json:"ready_at"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	// Reason is why it did not succeed.
	Reason Reason `json:"reason,omitempty"`
}

// Values are the parameters and artifacts that go into or come out of a component. A parameter is a JSON
// value: nil, bool, float64, string, []any or map[string]any.
type Values struct {
	Parameters map[string]any        `json:"parameters,omitempty"`
	Artifacts  map[string][]Artifact `json:"artifacts,omitempty"`
}

// Artifact is a file or directory that a task produced, or that an importer named.
type Artifact struct {
	ID   string `json:"id" doc:"UUID, derived from the producing task and the output"`
	Name string `json:"name"`
	// SchemaTitle is KFP's type: system.Dataset, system.Model, system.Metrics, …
	SchemaTitle   string `json:"schema_title"`
	SchemaVersion string `json:"schema_version,omitempty"`
	// InstanceSchema replaces SchemaTitle in specifications that carry a whole schema.
	InstanceSchema string `json:"instance_schema,omitempty"`
	// URI is where the artifact is for the outside world: "levada:…" for content that Levada
	// holds, the given URI for an imported one. Steps see a local path instead.
	URI string `json:"uri"`
	// Tag is what told its content where it was imported from without reading it there: it is another one when the content is.
	Tag string `json:"tag,omitempty" doc:"of one that was imported from a bucket: the ETag of the object, or a digest of those of all objects"`
	// Digest is "sha256:<hex>" for a file, "dir-sha256:<hex>" for a directory, and empty
	// for an artifact whose content Levada does not hold.
	Digest   string         `json:"digest,omitempty"`
	Size     int64          `json:"size" doc:"bytes of all files"`
	Files    int            `json:"files,omitempty" doc:"number of files, for a directory"`
	Metadata map[string]any `json:"metadata,omitempty"`
	// RunID and TaskID name the producer, TaskName its name within its DAG.
	RunID    string `json:"run_id,omitempty"`
	TaskID   string `json:"task_id,omitempty"`
	TaskName string `json:"task_name,omitempty"`
	// Custom is the local path that the step chose instead of the proposed one, kept for the
	// record.
	CustomPath string `json:"custom_path,omitempty"`
}

// Failure says why a task or a run did not succeed, for a person and for a program.
type Failure struct {
	// Reason is one word a program can test.
	Reason Reason `json:"reason"`
	// Message is complete in itself: what failed, why, what to do.
	Message string `json:"message"`
	// ExitCode is the step's exit status, or 128 + signal; 0 when no process ended.
	ExitCode int `json:"exit_code,omitempty"`
	// Task is the path of the task where a run's failure began.
	Task string `json:"task,omitempty"`
}

// Reason classifies a failure.
type Reason string

// The reasons.
const (
	ReasonExit        Reason = "ExitError"        // the step ended with a non-zero status
	ReasonKilled      Reason = "Killed"           // the step died of a signal
	ReasonMemory      Reason = "OutOfMemory"      // the step used more memory than it may
	ReasonTimeout     Reason = "Timeout"          // the step ran longer than it may
	ReasonEnvironment Reason = "EnvironmentError" // the step's environment could not be built
	ReasonOutput      Reason = "OutputError"      // the step succeeded but its outputs are missing or malformed
	ReasonInput       Reason = "InputError"       // an input or expression could not be resolved
	ReasonUnsupported Reason = "Unsupported"      // this installation cannot run such a step
	ReasonSystem      Reason = "SystemError"      // Levada or the machine failed, not the step
	ReasonLost        Reason = "Lost"             // the attempt ended with the process that supervised it; it is started again
	ReasonUpstream    Reason = "UpstreamFailed"   // a task inside the group failed
	ReasonCanceled    Reason = "Canceled"         // someone asked for it
)

// Error makes a Failure usable as an error.
func (f *Failure) Error() string { return f.Message }
