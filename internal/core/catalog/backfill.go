package catalog

import (
	"time"

	"levada/internal/core/partition"
	"levada/internal/core/run"
)

// BackfillState says how far a backfill is.
type BackfillState string

// The states. Running, Paused and Canceling may change by themselves or by request; one that has ended goes on when its failed
// partitions are asked for again.
const (
	BackfillRunning   BackfillState = "RUNNING"
	BackfillPaused    BackfillState = "PAUSED"    // it starts no runs; active ones go on
	BackfillCanceling BackfillState = "CANCELING" // its active runs are being cancelled
	BackfillCanceled  BackfillState = "CANCELED"
	BackfillSucceeded BackfillState = "SUCCEEDED" // every run has
	BackfillFailed    BackfillState = "FAILED"    // all runs have ended, and some did not succeed
)

// Ended reports whether a backfill has nothing left to do by itself.
func (s BackfillState) Ended() bool {
	return s == BackfillCanceled || s == BackfillSucceeded || s == BackfillFailed
}

// BackfillOrder says which partition is started first.
type BackfillOrder string

// The orders.
const (
	OldestFirst BackfillOrder = "oldest"
	NewestFirst BackfillOrder = "newest"
)

// Backfill starts a run for each of a range of a pipeline's partitions.
type Backfill struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	PipelineID  string `json:"pipeline_id"`
	// Run is what each run is started from, without the parameter that takes the partition.
	Run       run.Submission `json:"run"`
	Parameter string         `json:"parameter" doc:"the parameter that takes the key of the partition"`
	// Numeric says that the parameter takes numbers.
	Numeric bool   `json:"numeric,omitempty"`
	From    string `json:"from,omitempty" doc:"the first partition that was asked for"`
	To      string `json:"to,omitempty" doc:"the last partition that was asked for"`
	// Only are the states in which a partition had to be when the backfill was made.
	Only       []partition.State `json:"only" nullable:"false"`
	Order      BackfillOrder     `json:"order" enum:"oldest,newest"`
	Parallel   int               `json:"parallel" doc:"how many of its runs may be active at once"`
	State      BackfillState     `json:"state" enum:"RUNNING,PAUSED,CANCELING,CANCELED,SUCCEEDED,FAILED"`
	Failure    string            `json:"failure,omitempty" doc:"why it was paused by itself"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	FinishedAt *time.Time        `json:"finished_at,omitempty"`
	// Progress is computed, not stored.
	Progress BackfillProgress `json:"progress"`
}

// BackfillProgress counts the partitions of a backfill.
type BackfillProgress struct {
	Total     int `json:"total"`
	Waiting   int `json:"waiting" doc:"not started yet, or waiting to be tried again"`
	Running   int `json:"running"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Canceled  int `json:"canceled"`
	Deleted   int `json:"deleted" doc:"started, and their runs were deleted since"`
}

// BackfillPartition is one partition of a backfill.
type BackfillPartition struct {
	Position int    `json:"position" doc:"place in the order in which they are started, from 0"`
	Key      string `json:"key"`
	RunID    string `json:"run_id" doc:"id of its run; there is none while it waits for the first time"`
	Waiting  bool   `json:"waiting" doc:"it is not started, or is to be tried again"`
	// State is that of the run; empty where there is none.
	State run.State `json:"state,omitempty" enum:"PENDING,RUNNING,CANCELING,SUCCEEDED,SKIPPED,FAILED,CANCELED"`
	// Since is when it began to wait.
	Since time.Time `json:"-"`
}
