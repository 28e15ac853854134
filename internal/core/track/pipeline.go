package track

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"levada/internal/core/run"
)

// Tags that tell where a run of a pipeline comes from.
const (
	TagSourceType = "mlflow.source.type"
	TagSourceName = "mlflow.source.name"
	// TagPipelineRun is, on the run of a task, the id of the pipeline's run; TagTask is the task's path in it.
	TagPipelineRun = "levada.pipeline_run_id"
	TagTask        = "levada.task"
)

// maxParamValue is the most characters of a parameter that are kept, as for clients.
const maxParamValue = 6000

// FromPipeline is a pipeline's run as a tracked run: its parameters are the run's parameters.
func FromPipeline(r run.Run) Run {
	t := Run{ID: r.ID, ExperimentID: r.ExperimentID, Name: r.DisplayName, UserID: r.ServiceAccount, Status: StatusOf(r.State),
		StartMS: r.CreatedAt.UnixMilli(), Params: flatten(r.Parameters), Tags: []KV{
			{TagRunName, r.DisplayName}, {TagSourceType, "PIPELINE"}, {TagSourceName, r.PipelineName},
		}}
	if r.FinishedAt != nil {
		end := r.FinishedAt.UnixMilli()
		t.EndMS = &end
	}
	return t
}

// FromTask is a task of a pipeline as a tracked run beneath that of the pipeline. Tasks that hold others are none, nor are
// those that were skipped.
func FromTask(experiment string, t run.Task) (Run, bool) {
	if !t.Kind.Leaf() || t.State == run.Skipped {
		return Run{}, false
	}
	name := t.DisplayName
	if name == "" {
		name = t.Name
	}
	out := Run{ID: t.ID, ExperimentID: experiment, Name: name, Status: StatusOf(t.State), StartMS: t.CreatedAt.UnixMilli(),
		Params: flatten(t.Inputs.Parameters), Tags: []KV{
			{TagRunName, name}, {TagParentRun, t.RunID}, {TagPipelineRun, t.RunID}, {TagTask, t.Path}, {TagSourceType, "PIPELINE"},
			{TagSourceName, t.Component},
		}}
	if t.StartedAt != nil {
		out.StartMS = t.StartedAt.UnixMilli()
	}
	if t.FinishedAt != nil && t.State.Final() {
		end := t.FinishedAt.UnixMilli()
		out.EndMS = &end
	}
	return out, true
}

// TaskMetrics are the numbers in the Metrics artifacts that a task gave, those it reused included.
func TaskMetrics(t run.Task) []Metric {
	if t.State != run.Succeeded || t.FinishedAt == nil {
		return nil
	}
	var out []Metric
	for _, output := range slices.Sorted(maps.Keys(t.Outputs.Artifacts)) {
		for _, a := range t.Outputs.Artifacts[output] {
			if a.SchemaTitle != "system.Metrics" {
				continue
			}
			for _, key := range slices.Sorted(maps.Keys(a.Metadata)) {
				if v, ok := a.Metadata[key].(float64); ok && key != "" && !math.IsNaN(v) && !math.IsInf(v, 0) {
					out = append(out, Metric{Key: key, Point: Point{Time: t.FinishedAt.UnixMilli(), Value: v}})
				}
			}
		}
	}
	return out
}

// StatusOf is the status of a run or task in a state.
func StatusOf(s run.State) Status {
	switch s {
	case run.Pending:
		return Scheduled
	case run.Running, run.Canceling:
		return Running
	case run.Failed:
		return Failed
	case run.Canceled:
		return Killed
	}
	return Finished
}

// flatten writes parameters as text: text as it is, other values as JSON.
func flatten(params map[string]any) []KV {
	var out []KV
	for _, key := range slices.Sorted(maps.Keys(params)) {
		value, ok := params[key].(string)
		if !ok {
			text, err := json.Marshal(params[key])
			if err != nil {
				continue // a value that came as JSON can be written as JSON
			}
			value = string(text)
		}
		if runes := []rune(value); len(runes) > maxParamValue {
			value = string(runes[:maxParamValue])
		}
		out = append(out, KV{key, value})
	}
	return out
}
