package run

import (
	"strconv"

	"github.com/google/uuid"

	"levada/internal/core/ir"
)

// TaskID returns the id of a task: a UUID (version 5) made of the run's id and the task's path, so that it is the same
// each time it is computed.
func TaskID(runID, path string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("levada:run/"+runID+"/task/"+path)).String()
}

// ArtifactID returns the id of the i-th artifact of a task's output.
func ArtifactID(taskID, output string, i int) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("levada:task/"+taskID+"/output/"+output+"/"+strconv.Itoa(i))).String()
}

// Placeholders returns the values of the run-level placeholders for one task of the job.
func (j Job) Placeholders(taskName, taskID string) ir.Placeholders {
	workspace := j.WorkspaceMount
	if workspace == "" {
		workspace = j.WorkspacePath
	}
	return ir.Placeholders{
		JobName: j.Name, JobResourceName: j.ResourceName, JobUUID: j.RunID,
		TaskName: taskName, TaskUUID: taskID,
		CreateTime: ir.PlaceholderTime(j.CreatedAt), ScheduleTime: ir.PlaceholderTime(j.ScheduledAt),
		PipelineRoot: j.PipelineRoot, WorkspacePath: workspace,
	}
}

// Permanent reports whether another attempt would fail the same way.
func (f Failure) Permanent() bool { return f.Reason == ReasonInput || f.Reason == ReasonUnsupported }
