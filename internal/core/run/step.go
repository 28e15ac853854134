package run

import (
	"time"

	"levada/internal/core/ir"
)

// Step is one attempt of one leaf task, complete enough to be executed anywhere: the runner that gets it needs
// no other knowledge of the run. Placeholders in the executor are not resolved yet, because they mention paths
// that only the runner knows.
type Step struct {
	Job      Job
	TaskID   string
	TaskPath string
	TaskName string
	// DisplayName is what {{$.pipeline_task_name}} means: the name in taskInfo, which set_display_name changes.
	DisplayName string
	// Attempt counts from 1.
	Attempt   int
	Component *ir.Component
	Executor  *ir.Executor
	// Kubernetes holds the Kubernetes extras of this executor; nil when there are none.
	Kubernetes *ir.KubernetesExecutor
	Inputs     Values
	// Invalid says why the step cannot run whatever its process would do; nil when it can.
	Invalid *Failure
	// Iteration is the index in the innermost loop, or -1.
	Iteration int
}

// AttemptID names one attempt of a task.
type AttemptID struct {
	RunID, TaskID string
	// Attempt counts from 1.
	Attempt int
}

// ID names the attempt.
func (s *Step) ID() AttemptID { return AttemptID{s.Job.RunID, s.TaskID, s.Attempt} }

// Environment is what outside a step may change what it computes.
type Environment struct {
	// Digest is that of the interpreter and every installed package.
	Digest string
	// Secrets is a keyed digest of the secrets and config maps that the step is given; empty when there are none.
	Secrets string
}

// Job is what the steps of one run have in common.
type Job struct {
	RunID string
	// Name is the run's display name; ResourceName starts with the pipeline's name and a hyphen, as KFP's does.
	Name         string
	ResourceName string
	PipelineName string
	PipelineRoot string
	// ExperimentID is the experiment of the run; empty for runs of before it was noted.
	ExperimentID string
	CreatedAt    time.Time
	ScheduledAt  time.Time
	// WorkspacePath is the directory shared by the steps of the run, empty when the pipeline asked for none.
	WorkspacePath string
	// WorkspaceMount is where the steps see that directory; empty in the runs of older versions: they see it where it is.
	WorkspaceMount string
	// SuccessWord is what an exit handler reads as the state of a task that succeeded: "COMPLETE" through KFP's API, whose
	// users test for it, and SUCCEEDED (empty here) elsewhere.
	SuccessWord string
}

// Event is one record of a run's log, as it is stored. Seq counts from 1 without gaps within the run.
type Event struct {
	Seq  int64
	At   time.Time
	Type string
	// Body is the JSON of the engine's event.
	Body []byte
}
