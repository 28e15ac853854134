package catalog

import (
	"time"

	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

// RecurringRun starts runs by a schedule.
type RecurringRun struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	Description string `json:"description,omitempty"`
	// Run is what each run is started from; macros in its parameters are filled in then.
	Run     run.Submission   `json:"run"`
	Trigger schedule.Trigger `json:"trigger"`
	// MaxConcurrency is how many of its runs may be active at once.
	MaxConcurrency int `json:"max_concurrency"`
	// NoCatchup leaves out the times that were missed, but for the newest.
	NoCatchup bool      `json:"no_catchup,omitempty"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	// LastAt is the time of the schedule that was done last, by a run or by a refusal; nil before the first.
	LastAt *time.Time `json:"last_at,omitempty"`
	// Index counts the runs that were started.
	Index int64 `json:"index"`
	// Failure says why the run for LastAt was refused, or why the recurring run was disabled; empty when all is well.
	Failure string `json:"failure,omitempty"`
	// NextAt is when the next run is due, nil when there is none. It is computed, not stored.
	NextAt *time.Time `json:"next_at,omitempty"`
}

// Upcoming is a recurring run with what comes next of it.
type Upcoming struct {
	Run RecurringRun
	// At is when its next run is due. Full says that it waits for one of its runs to end, because no more may be active at once.
	At   time.Time
	Full bool
}
