package trigger

import (
	"context"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/listing"
)

// EventStore keeps triggers, what has happened, and what they made of it. A method that returns nil has its writes on disk. An unknown
// id is a NotFound error.
type EventStore interface {
	// CreateTrigger stores a trigger with what it remembers. A name in use, or one more than limit, is a Conflict.
	CreateTrigger(ctx context.Context, t event.Trigger, marks []event.Mark, limit int) error
	// ReplaceTrigger stores a trigger in the place of the one with its id. With marks other than nil they are all that it remembers.
	ReplaceTrigger(ctx context.Context, t event.Trigger, marks []event.Mark) error
	NoteTrigger(ctx context.Context, id, failure string) error
	GetTrigger(ctx context.Context, id string) (event.Trigger, error)
	// ListTriggers lists; keys: id, display_name, kind, paused, created_at, updated_at.
	ListTriggers(ctx context.Context, q listing.Query) (listing.Page[event.Trigger], error)
	AllTriggers(ctx context.Context) ([]event.Trigger, error)
	DeleteTrigger(ctx context.Context, id string) error
	FiringStore
}

// FiringStore keeps events and firings.
type FiringStore interface {
	// EventSignal is sent to when something has happened. Happened returns the oldest events that were not handed on yet, and the
	// number of the last.
	EventSignal() <-chan struct{}
	Happened(ctx context.Context, limit int) (events []event.Event, last int64, err error)
	// Record stores firings, forgets the events up to a number, and changes what a trigger remembers, in one transaction. A firing
	// that is there stays as it is. window says for how long keys count, by trigger.
	Record(ctx context.Context, firings []event.Firing, upTo int64, window map[string]time.Duration, triggerID string, marks []event.Mark) error
	// Unsettled returns the firings of a trigger whose state is not final, oldest first.
	Unsettled(ctx context.Context, triggerID string) ([]event.Firing, error)
	// Begin notes that a run is going to be started, Settle what has become of that, and what has happened with it.
	Begin(ctx context.Context, triggerID string, firings []event.Firing, runID string, cause []string, at time.Time) error
	Settle(ctx context.Context, firings []event.Firing, state event.FiringState, reason string, at time.Time, happened ...event.Event) error
	// TriggerRuns returns how many runs of a trigger are active, and when its newest limit runs were started, the newest first.
	TriggerRuns(ctx context.Context, triggerID string, limit int) (active int, started []time.Time, err error)
	GetFiring(ctx context.Context, id string) (event.Firing, error)
	// LastFirings returns the newest firing of each of some triggers, by the trigger's id; of one that has none there is none.
	LastFirings(ctx context.Context, triggerIDs []string) (map[string]event.Firing, error)
	// ListFirings lists those of a trigger; keys: id, trigger_id, state, run_id, created_at.
	ListFirings(ctx context.Context, triggerID string, q listing.Query) (listing.Page[event.Firing], error)
	// Marks returns what a trigger remembers, by name.
	Marks(ctx context.Context, id string) (map[string]string, error)
	// LateRuns returns the runs, of a pipeline or of all, that have not ended and are for a time before the given one.
	LateRuns(ctx context.Context, pipeline string, before time.Time) ([]event.LateRun, error)
	// CauseOf returns the triggers that have led to a run.
	CauseOf(ctx context.Context, runID string) ([]string, error)
}

// Files looks at files of the machine and of buckets.
type Files interface {
	// List returns the files at a path, below it where it is a directory, or that a pattern means, in the order of their paths; those of
	// a bucket with digests, others without. A path that is not there is a NotFound error, whose cause is an *fs.PathError with what is
	// not there; more than limit files are an Invalid one. In a bucket nothing is no error, but that there is no such bucket is.
	List(ctx context.Context, path string, limit int) ([]event.FileState, error)
	// Digest reads a file of the machine whole. One that is not there is a NotFound error.
	Digest(ctx context.Context, path string) (event.FileState, error)
}

// Metrics knows the newest values of metrics.
type Metrics interface {
	// Values returns those of a metric in the runs of an experiment; of one that is not there there are none.
	Values(ctx context.Context, experiment, metric string) ([]event.MetricValue, error)
}

// Notifier sends messages.
type Notifier interface {
	// Send sends a message once. An Invalid error means that it can never be sent, any other one that it may be sent later.
	Send(ctx context.Context, to event.Notify, m event.Message) error
}

// Secrets gives the values of secrets to those who check signatures. An unknown one is a NotFound error.
type Secrets interface {
	Value(ctx context.Context, name, key string) ([]byte, error)
}
