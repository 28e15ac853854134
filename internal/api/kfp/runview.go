package kfp

import (
	"context"

	"levada/internal/core/run"
)

// toRun translates a run without its tasks. Like KFP it names the uploaded version where the run was started from one,
// and shows the specification otherwise.
func (d *door) toRun(ctx context.Context, r run.Run, seen specs) (pipelineRun, error) {
	wire := pipelineRun{
		ExperimentID:   r.ExperimentID,
		RecurringRunID: r.RecurringRunID,
		RunID:          r.ID,
		DisplayName:    r.DisplayName,
		StorageState:   storageState(r.Archived),
		Description:    r.Description,
		ServiceAccount: r.ServiceAccount,
		CreatedAt:      stamp(r.CreatedAt),
		ScheduledAt:    stamp(r.ScheduledAt),
		FinishedAt:     stampOf(r.FinishedAt),
		State:          string(r.State),
		Error:          toStatus(r.Failure),
	}
	for _, h := range r.History {
		wire.StateHistory = append(wire.StateHistory, runtimeStatus{UpdateTime: stamp(h.At), State: string(h.State)})
	}
	if len(r.Parameters) > 0 || r.PipelineRoot != "" {
		wire.RuntimeConfig = &runtimeConfig{Parameters: r.Parameters, PipelineRoot: r.PipelineRoot}
	}
	if r.VersionID != "" {
		wire.PipelineVersionReference = &versionReference{PipelineID: r.PipelineID, PipelineVersionID: r.VersionID}
		return wire, nil
	}
	var err error
	wire.PipelineSpec, err = d.spec(ctx, r.SpecDigest, seen)
	return wire, err
}

// toTasks translates all tasks of a run in their order.
func toTasks(tasks []run.Task) []taskDetail {
	ids := make(map[string]string, len(tasks))
	children := map[string][]childTask{}
	for _, t := range tasks {
		ids[t.Path] = t.ID
		if t.Parent != "" {
			children[t.Parent] = append(children[t.Parent], childTask{TaskID: t.ID})
		}
	}
	details := make([]taskDetail, 0, len(tasks))
	for _, t := range tasks {
		details = append(details, taskDetail{
			RunID:        t.RunID,
			TaskID:       t.ID,
			DisplayName:  taskName(t),
			CreateTime:   stamp(t.CreatedAt),
			StartTime:    stampOf(t.StartedAt),
			EndTime:      stampOf(t.FinishedAt),
			State:        string(taskState(t)),
			Error:        toStatus(t.Failure),
			ParentTaskID: ids[t.Parent],
			StateHistory: taskHistory(t),
			ChildTasks:   children[t.Path],
		})
	}
	return details
}

func taskName(t run.Task) string {
	if t.DisplayName != "" {
		return t.DisplayName
	}
	return t.Name
}

// taskState is SKIPPED for a cached task: "entity has been skipped, for example due to caching" (RuntimeState in run.proto).
func taskState(t run.Task) run.State {
	if t.Cached && t.State == run.Succeeded {
		return run.Skipped
	}
	return t.State
}

// taskHistory is what the times of a task tell: created, started, and its final state.
func taskHistory(t run.Task) []runtimeStatus {
	history := []runtimeStatus{{UpdateTime: stamp(t.CreatedAt), State: string(run.Pending)}}
	if t.StartedAt != nil {
		history = append(history, runtimeStatus{UpdateTime: stamp(*t.StartedAt), State: string(run.Running)})
	}
	if t.FinishedAt != nil && t.State.Final() {
		history = append(history, runtimeStatus{UpdateTime: stamp(*t.FinishedAt), State: string(taskState(t)), Error: toStatus(t.Failure)})
	}
	return history
}

func toStatus(f *run.Failure) *rpcStatus {
	if f == nil {
		return nil
	}
	return &rpcStatus{Code: failureCode(f.Reason), Message: f.Message}
}
