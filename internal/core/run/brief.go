package run

import "time"

// Brief is what a line about a run shows, without parameters and outputs, which may be large.
type Brief struct {
	ID             string        `json:"id" doc:"UUID of the run"`
	DisplayName    string        `json:"display_name"`
	PipelineName   string        `json:"pipeline_name"`
	ExperimentID   string        `json:"experiment_id"`
	RecurringRunID string        `json:"recurring_run_id,omitempty" doc:"the recurring run that started it"`
	State          State         `json:"state" enum:"PENDING,RUNNING,CANCELING,SUCCEEDED,SKIPPED,FAILED,CANCELED"`
	CreatedAt      time.Time     `json:"created_at"`
	FinishedAt     *time.Time    `json:"finished_at,omitempty"`
	Tasks          map[State]int `json:"tasks,omitempty" doc:"leaf tasks by state"`
	Cached         int           `json:"cached,omitempty" doc:"leaf tasks whose outputs were reused"`
	Failure        *Failure      `json:"failure,omitempty"`
}
