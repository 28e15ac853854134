package catalog

import (
	"time"

	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

// ConcurrencyPolicy says what happens when a run is due and no more may be active at once.
type ConcurrencyPolicy string

// The policies.
const (
	Queue   ConcurrencyPolicy = "queue"   // it waits for one of them to end, as with KFP
	Skip    ConcurrencyPolicy = "skip"    // it is left out
	Replace ConcurrencyPolicy = "replace" // they are cancelled, and it starts when they have ended
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
	// Concurrency says what happens at a time when so many are active; empty means Queue.
	Concurrency ConcurrencyPolicy `json:"concurrency_policy,omitempty"`
	// StartingDeadlineSeconds is how late a run may start; what comes later is left out. 0 means no deadline.
	StartingDeadlineSeconds int64 `json:"starting_deadline_seconds,omitempty"`
	// NoCatchup leaves out the times that were missed, but for the newest.
	NoCatchup bool      `json:"no_catchup,omitempty"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	// CountsFrom is the time after which the schedule counts, of one whose schedule was changed; nil for one that has its first.
	CountsFrom *time.Time `json:"counts_from,omitempty" doc:"the time after which the schedule counts, since it was changed"`

	// LastAt is the time of the schedule that was done last, by a run or by a refusal; nil before the first, and before the first of a
	// schedule that was changed.
	LastAt *time.Time `json:"last_at,omitempty"`
	// Index counts the runs that were started.
	Index int64 `json:"index"`
	// Failure says why the run for LastAt was refused, or why the recurring run was disabled; empty when all is well.
	Failure string `json:"failure,omitempty"`
	// NextAt is when the next run is due, nil when there is none. It is computed, not stored.
	NextAt *time.Time `json:"next_at,omitempty"`
	// NextTimes are NextAt and what follows, NextShown of them unless the schedule is over before. They are computed too.
	NextTimes []time.Time `json:"next_times,omitempty" doc:"when its next five runs are due"`
	// Warnings say what it names and what is not there any more, and where its times may be meant otherwise. They are computed too.
	Warnings []string `json:"warnings,omitempty" doc:"what it names and what is not there any more, its pipeline; and where its times may be meant otherwise"`
}

// NextShown is how many of the next times of a schedule are told.
const NextShown = 5

// Upcoming is a recurring run with what comes next of it.
type Upcoming struct {
	Run RecurringRun
	// At is when its next run is due. Full says that it waits for one of its runs to end, because no more may be active at once.
	At   time.Time
	Full bool
}
