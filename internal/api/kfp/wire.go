package kfp

import (
	"encoding/json"
	"time"
)

// The messages of backend/api/v2beta1 in kubeflow/pipelines, as protojson writes them there: proto names, enums as words,
// 64-bit integers as text, empty fields left out. Fields that have no meaning here are not listed; docs/kfp.md names them.

type healthz struct {
	CommitSHA     string `json:"commit_sha,omitempty"`
	TagName       string `json:"tag_name,omitempty"`
	MultiUser     bool   `json:"multi_user"`
	PipelineStore string `json:"pipeline_store"`
}

type experiment struct {
	ExperimentID     string `json:"experiment_id"`
	DisplayName      string `json:"display_name"`
	Description      string `json:"description,omitempty"`
	CreatedAt        string `json:"created_at"`
	StorageState     string `json:"storage_state"`
	LastRunCreatedAt string `json:"last_run_created_at,omitempty"`
}

type experimentList struct {
	Experiments   []experiment `json:"experiments,omitempty"`
	TotalSize     int          `json:"total_size,omitempty"`
	NextPageToken string       `json:"next_page_token,omitempty"`
}

type uploadedPipeline struct {
	PipelineID  string            `json:"pipeline_id"`
	DisplayName string            `json:"display_name"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	CreatedAt   string            `json:"created_at"`
	Tags        map[string]string `json:"tags,omitempty"`
}

type pipelineList struct {
	Pipelines     []uploadedPipeline `json:"pipelines,omitempty"`
	TotalSize     int                `json:"total_size,omitempty"`
	NextPageToken string             `json:"next_page_token,omitempty"`
}

type pipelineVersion struct {
	PipelineID        string            `json:"pipeline_id"`
	PipelineVersionID string            `json:"pipeline_version_id"`
	DisplayName       string            `json:"display_name"`
	Name              string            `json:"name"`
	Description       string            `json:"description,omitempty"`
	CreatedAt         string            `json:"created_at"`
	PipelineSpec      json.RawMessage   `json:"pipeline_spec,omitempty"`
	CodeSourceURL     string            `json:"code_source_url,omitempty"`
	Tags              map[string]string `json:"tags,omitempty"`
}

type versionList struct {
	PipelineVersions []pipelineVersion `json:"pipeline_versions,omitempty"`
	TotalSize        int               `json:"total_size,omitempty"`
	NextPageToken    string            `json:"next_page_token,omitempty"`
}

type pipelineRun struct {
	ExperimentID             string            `json:"experiment_id"`
	RunID                    string            `json:"run_id"`
	DisplayName              string            `json:"display_name"`
	StorageState             string            `json:"storage_state"`
	Description              string            `json:"description,omitempty"`
	PipelineSpec             json.RawMessage   `json:"pipeline_spec,omitempty"`
	PipelineVersionReference *versionReference `json:"pipeline_version_reference,omitempty"`
	RuntimeConfig            *runtimeConfig    `json:"runtime_config,omitempty"`
	ServiceAccount           string            `json:"service_account,omitempty"`
	CreatedAt                string            `json:"created_at"`
	ScheduledAt              string            `json:"scheduled_at,omitempty"`
	FinishedAt               string            `json:"finished_at,omitempty"`
	State                    string            `json:"state,omitempty"`
	Error                    *rpcStatus        `json:"error,omitempty"`
	RunDetails               *runDetails       `json:"run_details,omitempty"`
	RecurringRunID           string            `json:"recurring_run_id,omitempty"`
	StateHistory             []runtimeStatus   `json:"state_history,omitempty"`
}

type runList struct {
	Runs          []pipelineRun `json:"runs,omitempty"`
	TotalSize     int           `json:"total_size,omitempty"`
	NextPageToken string        `json:"next_page_token,omitempty"`
}

type recurringRun struct {
	RecurringRunID           string            `json:"recurring_run_id"`
	DisplayName              string            `json:"display_name"`
	Description              string            `json:"description,omitempty"`
	PipelineSpec             json.RawMessage   `json:"pipeline_spec,omitempty"`
	PipelineVersionReference *versionReference `json:"pipeline_version_reference,omitempty"`
	RuntimeConfig            *runtimeConfig    `json:"runtime_config,omitempty"`
	ServiceAccount           string            `json:"service_account,omitempty"`
	MaxConcurrency           string            `json:"max_concurrency"`
	Trigger                  runTrigger        `json:"trigger"`
	Mode                     string            `json:"mode"`
	CreatedAt                string            `json:"created_at"`
	UpdatedAt                string            `json:"updated_at"`
	Status                   string            `json:"status"`
	Error                    *rpcStatus        `json:"error,omitempty"`
	NoCatchup                bool              `json:"no_catchup,omitempty"`
	ExperimentID             string            `json:"experiment_id"`
}

// recurringRunList is the one list whose field is not in the proto's usual form.
type recurringRunList struct {
	RecurringRuns []recurringRun `json:"recurringRuns,omitempty"`
	TotalSize     int            `json:"total_size,omitempty"`
	NextPageToken string         `json:"next_page_token,omitempty"`
}

type runTrigger struct {
	Cron     *cronSchedule     `json:"cron_schedule,omitempty"`
	Periodic *periodicSchedule `json:"periodic_schedule,omitempty"`
}

type scheduleTimes struct {
	StartTime string `json:"start_time,omitempty"`
	EndTime   string `json:"end_time,omitempty"`
}

type cronSchedule struct {
	scheduleTimes
	Cron string `json:"cron"`
}

type periodicSchedule struct {
	scheduleTimes
	IntervalSecond string `json:"interval_second"`
}

type versionReference struct {
	PipelineID        string `json:"pipeline_id,omitempty"`
	PipelineVersionID string `json:"pipeline_version_id,omitempty"`
}

type runtimeConfig struct {
	Parameters   map[string]any `json:"parameters,omitempty"`
	PipelineRoot string         `json:"pipeline_root,omitempty"`
}

type runtimeStatus struct {
	UpdateTime string     `json:"update_time"`
	State      string     `json:"state"`
	Error      *rpcStatus `json:"error,omitempty"`
}

// rpcStatus is google.rpc.Status.
type rpcStatus struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type runDetails struct {
	TaskDetails []taskDetail `json:"task_details,omitempty"`
}

type taskDetail struct {
	RunID        string          `json:"run_id"`
	TaskID       string          `json:"task_id"`
	DisplayName  string          `json:"display_name"`
	CreateTime   string          `json:"create_time"`
	StartTime    string          `json:"start_time,omitempty"`
	EndTime      string          `json:"end_time,omitempty"`
	State        string          `json:"state,omitempty"`
	Error        *rpcStatus      `json:"error,omitempty"`
	ParentTaskID string          `json:"parent_task_id,omitempty"`
	StateHistory []runtimeStatus `json:"state_history,omitempty"`
	ChildTasks   []childTask     `json:"child_tasks,omitempty"`
}

type childTask struct {
	TaskID string `json:"task_id"`
}

// stamp writes a time as RFC 3339 in UTC; the zero time is left out.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func stampOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}

// storageState is the word for what may be hidden but not deleted.
func storageState(archived bool) string {
	if archived {
		return "ARCHIVED"
	}
	return "AVAILABLE"
}
