package run

import "time"

// Submission asks for a run.
type Submission struct {
	// Spec is a compiled pipeline (YAML or JSON, one or two documents), or PipelineID with an optional VersionID names an
	// uploaded one. Without VersionID the newest version is meant.
	Spec       []byte `json:"-"`
	PipelineID string `json:"pipeline_id,omitempty"`
	VersionID  string `json:"version_id,omitempty"`
	// PipelineName is the name that the specification had when a run for later was prepared: it outlives the pipeline.
	PipelineName string `json:"pipeline_name,omitempty"`
	// SpecDigest names a stored specification. Then PipelineID and VersionID only say where it came from.
	SpecDigest string `json:"spec_digest,omitempty"`

	DisplayName  string `json:"-"` // default: the pipeline's name and the time
	Description  string `json:"-"`
	ExperimentID string `json:"experiment_id,omitempty"` // default: the experiment "Default"
	// Parameters may hold macros such as [[RunUUID]]; see schedule.Moment.
	Parameters     map[string]any `json:"parameters,omitempty"`
	PipelineRoot   string         `json:"pipeline_root,omitempty"`
	ServiceAccount string         `json:"service_account,omitempty"`
	CacheOff       bool           `json:"cache_off,omitempty"`
	// SuccessWord is what exit handlers of this run read as the state of a task that succeeded; empty means SUCCEEDED.
	SuccessWord string `json:"success_word,omitempty"`

	// ID is the id of the run, for callers that must be able to ask again without starting it twice: a run that exists is a
	// Conflict. Empty means a new one.
	ID string `json:"-"`
	// RecurringRunID, ScheduledAt and Index say which schedule starts the run, for when, and as its how manieth from 1.
	RecurringRunID string     `json:"-"`
	ScheduledAt    *time.Time `json:"-"`
	Index          int64      `json:"-"`
	// BackfillID says which backfill starts the run.
	BackfillID string `json:"-"`
}
