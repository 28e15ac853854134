package infer

import "time"

// Statistics are what a version of a model has done since the server has started, in the words of Triton's extension
// (triton-inference-server/server, docs/protocol/extension_statistics.md). Counts only grow.
type Statistics struct {
	Name, Version string
	// Last is when a request ended last; zero for never.
	Last time.Time
	// Inferences counts rows that were predicted, Executions the batches that they were in; copies for shadows are among both.
	Inferences, Executions int64
	// Success and Fail are requests by how they ended, with all the time that they took. Queue and Compute are what those that a model has
	// answered waited for a worker, and took there; each request of a batch counts with all of the batch's time.
	Success, Fail, Queue, Compute Spent
	// MemoryBytes is what the workers use at present.
	MemoryBytes int64
}

// Spent is a number of requests and the time that they took together.
type Spent struct {
	Count int64
	Time  time.Duration
}
