package kfp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/run"
	"levada/internal/pipeline"
)

func TestARunRequestBecomesASubmission(t *testing.T) {
	tests := []struct {
		name, path, body string
		want             pipeline.Submission
	}{
		{
			"bare specification", "/apis/v2beta1/runs",
			`{"experiment_id":"e1","display_name":"run","description":"d","service_account":"sa","pipeline_spec":{"root":{}},
			  "runtime_config":{"parameters":{"a":1,"b":[null,"x"]},"pipeline_root":"/data"}}`,
			pipeline.Submission{
				Spec: []byte(`{"root":{}}`), ExperimentID: "e1", DisplayName: "run", Description: "d", ServiceAccount: "sa",
				Parameters: map[string]any{"a": 1.0, "b": []any{nil, "x"}}, PipelineRoot: "/data",
			},
		},
		{
			"uploaded version", "/apis/v2beta1/runs",
			`{"display_name":"run","pipeline_version_reference":{"pipeline_id":"p1","pipeline_version_id":"v1"}}`,
			pipeline.Submission{PipelineID: "p1", VersionID: "v1", DisplayName: "run"},
		},
		{
			"newest version, JSON names, nulls and fields that only the server sets", "/apis/v2beta1/runs?experiment_id=e2",
			`{"displayName":"run","pipelineVersionReference":{"pipelineId":"p1"},"description":null,"run_id":"x","state":"RUNNING","plugins_input":{}}`,
			pipeline.Submission{PipelineID: "p1", DisplayName: "run", ExperimentID: "e2"},
		},
		{"deprecated version id", "/apis/v2beta1/runs", `{"pipeline_version_id":"v1"}`, pipeline.Submission{VersionID: "v1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			if status, got := ask(t, f, "POST", tt.path, tt.body); status != 200 || got["run_id"] != "r1" {
				t.Fatalf("status %d, answer %v", status, got)
			}
			tt.want.SuccessWord = "COMPLETE"
			if diff := cmp.Diff(tt.want, f.submitted); diff != "" {
				t.Errorf("submission (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARequestThatCannotBeUnderstoodIsRefusedByTheNameOfItsField(t *testing.T) {
	tests := []struct {
		path, body string
		status     int
		message    string
	}{
		{"runs", ``, 400, "no body"},
		{"runs", `[]`, 400, "run: want a JSON object"},
		{"runs", `{"pipeline_spec":{},`, 400, "run: want a JSON object"},
		{"runs", `{"pipline_spec":{}}`, 400, `run: unknown field "pipline_spec"`},
		{"runs", `{"display_name":1,"pipeline_spec":{}}`, 400, "run.display_name: want a string, got 1"},
		{"runs", `{"display_name":"a","displayName":"b"}`, 400, `field "display_name" is given twice`},
		{"runs", `{"display_name":"a"}`, 400, "exactly one of pipeline_spec and pipeline_version_reference, got none"},
		{"runs", `{"pipeline_spec":{},"pipeline_version_reference":{"pipeline_id":"p"}}`, 400, "got pipeline_spec and pipeline_version_reference"},
		{"runs", `{"pipeline_spec":"text"}`, 400, "run.pipeline_spec: want a JSON object"},
		{"runs", `{"pipeline_version_reference":{"id":"p"}}`, 400, `run.pipeline_version_reference: unknown field "id"`},
		{"runs", `{"pipeline_version_reference":{}}`, 400, "run.pipeline_version_reference is empty"},
		{"runs", `{"pipeline_spec":{},"runtime_config":{"parameters":[]}}`, 400, "run.runtime_config.parameters: want a JSON object"},
		{"runs", `{"pipeline_spec":{},"runtime_config":{"params":{}}}`, 400, `run.runtime_config: unknown field "params"`},
		{"runs", `{"pipeline_spec":{},"plugins_input":{"mlflow":{}}}`, 501, "run.plugins_input"},
		{"experiments", `{"display_name":" "}`, 400, "experiment.display_name is empty"},
		{"experiments", `{"name":"x"}`, 400, `experiment: unknown field "name"`},
		{"experiments", `{"display_name":"x","namespace":3}`, 400, "experiment.namespace: want a string"},
	}
	for _, tt := range tests {
		f := &fake{}
		status, got := ask(t, f, "POST", "/apis/v2beta1/"+tt.path, tt.body)
		if message, _ := got["message"].(string); status != tt.status || !strings.Contains(message, tt.message) {
			t.Errorf("%s: %d %q, want %d with %q", tt.body, status, message, tt.status, tt.message)
		}
		if diff := cmp.Diff(pipeline.Submission{}, f.submitted); diff != "" {
			t.Errorf("%s reached the service", tt.body)
		}
	}
}

func at(seconds int) time.Time       { return epoch.Add(time.Duration(seconds) * time.Second) }
func pointer(t time.Time) *time.Time { return &t }

func TestARunShowsItsTasksAsATree(t *testing.T) {
	failure := &run.Failure{Reason: run.ReasonUpstream, Message: "task b failed", Task: "loop/0/b"}
	f := &fake{
		runs: []run.Run{{
			ID: "r1", DisplayName: "run", ExperimentID: "e1", SpecDigest: "both", State: run.Failed, Failure: failure,
			Parameters: map[string]any{"x": 1.0}, CreatedAt: at(0), ScheduledAt: at(0), FinishedAt: pointer(at(9)),
			History: []run.StateChange{{State: run.Pending, At: at(0)}, {State: run.Failed, At: at(9)}},
		}},
		tasks: []run.Task{
			{ID: "t1", RunID: "r1", Path: "a", Name: "a", DisplayName: "A", State: run.Succeeded, Cached: true, CreatedAt: at(0), FinishedAt: pointer(at(1))},
			{ID: "t2", RunID: "r1", Path: "loop", Name: "loop", State: run.Failed, CreatedAt: at(1), StartedAt: pointer(at(1)), FinishedAt: pointer(at(9))},
			{ID: "t3", RunID: "r1", Path: "loop/0", Parent: "loop", Name: "0", State: run.Running, CreatedAt: at(2)},
			{
				ID: "t4", RunID: "r1", Path: "loop/0/b", Parent: "loop/0", Name: "b", State: run.Failed, CreatedAt: at(3), StartedAt: pointer(at(3)),
				FinishedAt: pointer(at(8)), Failure: &run.Failure{Reason: run.ReasonMemory, Message: "out of memory"},
			},
		},
	}
	status, got := ask(t, f, "GET", "/apis/v2beta1/runs/r1", "")
	type object = map[string]any
	type array = []any
	outOfMemory := object{"code": 8.0, "message": "out of memory"}
	want := object{
		"run_id": "r1", "display_name": "run", "experiment_id": "e1", "storage_state": "AVAILABLE", "state": "FAILED",
		"created_at": "2026-05-04T03:02:01.5Z", "scheduled_at": "2026-05-04T03:02:01.5Z", "finished_at": "2026-05-04T03:02:10.5Z",
		"error":          object{"code": 10.0, "message": "task b failed"},
		"pipeline_spec":  object{"pipeline_spec": object{"a": 1.0}, "platform_spec": object{"platforms": object{}}},
		"runtime_config": object{"parameters": object{"x": 1.0}},
		"state_history": array{
			object{"state": "PENDING", "update_time": "2026-05-04T03:02:01.5Z"}, object{"state": "FAILED", "update_time": "2026-05-04T03:02:10.5Z"},
		},
		"run_details": object{"task_details": array{
			object{
				"run_id": "r1", "task_id": "t1", "display_name": "A", "state": "SKIPPED",
				"create_time": "2026-05-04T03:02:01.5Z", "end_time": "2026-05-04T03:02:02.5Z",
				"state_history": array{
					object{"state": "PENDING", "update_time": "2026-05-04T03:02:01.5Z"}, object{"state": "SKIPPED", "update_time": "2026-05-04T03:02:02.5Z"},
				},
			},
			object{
				"run_id": "r1", "task_id": "t2", "display_name": "loop", "state": "FAILED", "child_tasks": array{object{"task_id": "t3"}},
				"create_time": "2026-05-04T03:02:02.5Z", "start_time": "2026-05-04T03:02:02.5Z", "end_time": "2026-05-04T03:02:10.5Z",
				"state_history": array{
					object{"state": "PENDING", "update_time": "2026-05-04T03:02:02.5Z"}, object{"state": "RUNNING", "update_time": "2026-05-04T03:02:02.5Z"},
					object{"state": "FAILED", "update_time": "2026-05-04T03:02:10.5Z"},
				},
			},
			object{
				"run_id": "r1", "task_id": "t3", "display_name": "0", "state": "RUNNING", "parent_task_id": "t2", "child_tasks": array{object{"task_id": "t4"}},
				"create_time": "2026-05-04T03:02:03.5Z", "state_history": array{object{"state": "PENDING", "update_time": "2026-05-04T03:02:03.5Z"}},
			},
			object{
				"run_id": "r1", "task_id": "t4", "display_name": "b", "state": "FAILED", "parent_task_id": "t3", "error": outOfMemory,
				"create_time": "2026-05-04T03:02:04.5Z", "start_time": "2026-05-04T03:02:04.5Z", "end_time": "2026-05-04T03:02:09.5Z",
				"state_history": array{
					object{"state": "PENDING", "update_time": "2026-05-04T03:02:04.5Z"}, object{"state": "RUNNING", "update_time": "2026-05-04T03:02:04.5Z"},
					object{"state": "FAILED", "update_time": "2026-05-04T03:02:09.5Z", "error": outOfMemory},
				},
			},
		}},
	}
	if diff := cmp.Diff(want, got); status != 200 || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
}

func TestARunOfAnUploadedVersionNamesItInPlaceOfTheSpecification(t *testing.T) {
	f := &fake{runs: []run.Run{{ID: "r1", PipelineID: "p1", VersionID: "v1", CreatedAt: epoch, Archived: true}}}
	_, got := ask(t, f, "GET", "/apis/v2beta1/runs/r1", "")
	want := map[string]any{
		"run_id": "r1", "display_name": "", "experiment_id": "", "created_at": "2026-05-04T03:02:01.5Z", "storage_state": "ARCHIVED",
		"pipeline_version_reference": map[string]any{"pipeline_id": "p1", "pipeline_version_id": "v1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
