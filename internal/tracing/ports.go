package tracing

import (
	"context"

	"levada/internal/core/trace"
	"levada/internal/core/track"
)

// Store keeps traces and their spans. A method that returns nil has its writes on disk. What does not exist is a NotFound error.
type Store interface {
	Trace(ctx context.Context, id string) (*trace.Trace, error)
	// Traces returns those of some traces that exist, in the order of the ids.
	Traces(ctx context.Context, ids []string) ([]*trace.Trace, error)
	// OfRun returns the ids of the traces that belong to a run, and maybe of some that did before, the newest first.
	OfRun(ctx context.Context, runID string) ([]string, error)
	// Newest returns at most n traces of an experiment after a place, from start to start; none when there are no more.
	Newest(ctx context.Context, experiment string, after trace.Place, from, to int64, n int) ([]*trace.Trace, error)
	// Contents returns the spans of a trace as trace.Span writes them, in the order in which they were sent.
	Contents(ctx context.Context, id string) ([][]byte, error)
	// Change stores the texts of batches and runs fn, in one transaction. A batch that is stored already stays where it is; fresh says
	// which ones were not. fn may run more than once.
	Change(ctx context.Context, batches []trace.Batch, fn func(tx trace.Tx, fresh []bool) error) error
}

// Experiments knows where traces may be.
type Experiments interface {
	// Experiment returns an experiment in the words that clients are told: NotFound when there is none.
	Experiment(ctx context.Context, id string) (track.Experiment, error)
	// DeleteBelow removes a directory below an artifact location, where that is kept here; elsewhere it is an Invalid error.
	DeleteBelow(ctx context.Context, location, relative string) error
}

// Room is a weighted semaphore.
type Room interface {
	// Acquire waits until there is room for n, or ctx ends.
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
}
