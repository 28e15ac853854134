package serving

import (
	"context"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
	"levada/internal/core/model"
)

// Store keeps endpoints. A method that returns nil has its writes on disk; what does not exist is a NotFound error.
type Store interface {
	// PutEndpoint stores an endpoint with the versions that it has now, forgets its other versions, and appends the events, all in one
	// transaction.
	PutEndpoint(ctx context.Context, e endpoint.Endpoint, versions []endpoint.Deployed, events []endpoint.Event) error
	// DeleteEndpoint forgets an endpoint and its versions, and appends the event. Its history stays.
	DeleteEndpoint(ctx context.Context, name string, event endpoint.Event) error
	// Endpoints and DeployedVersions return everything there is, in the order of the names.
	Endpoints(ctx context.Context) ([]endpoint.Endpoint, error)
	DeployedVersions(ctx context.Context) ([]endpoint.Deployed, error)
	// AppendEndpointEvent appends to the history of an endpoint.
	AppendEndpointEvent(ctx context.Context, e endpoint.Event) error
	// EndpointEvents returns up to limit events of an endpoint, the newest first; those with a smaller id than before, unless that is 0.
	EndpointEvents(ctx context.Context, name string, before int64, limit int) ([]endpoint.Event, error)
}

// Models finds registered models.
type Models interface {
	// Resolve finds the version that a reference means: a number, "@" with an alias, or "latest".
	Resolve(ctx context.Context, name, version string) (model.Version, error)
}

// Runtimes make models run.
type Runtimes interface {
	// Describe reads what a version says about itself, without running anything of it.
	Describe(ctx context.Context, d endpoint.Deployed) (endpoint.Described, error)
	// Prepare puts the files of a version on disk, each checked against its digest, and makes its environment. say gets what the
	// making prints.
	Prepare(ctx context.Context, d endpoint.Deployed, say func(line string)) (Prepared, error)
}

// Prepared is a version that workers can be started for. It holds the files until it is released.
type Prepared interface {
	// Start starts a worker and waits until it has loaded the model. An error that another start would meet again is Invalid.
	Start(ctx context.Context, s endpoint.Settings) (Worker, Started, error)
	Release()
}

// Started says how a worker runs its model.
type Started struct {
	// Runtime is what runs it, such as "ONNX Runtime 1.32.0".
	Runtime string
	// Note is what the owner of the model should know; empty for nothing.
	Note string
}

// Worker is a process that has a model loaded. Its methods are called by one goroutine at a time, but for Gone and Memory.
type Worker interface {
	// Predict gives the model the requests as one batch and returns an answer for each. The requests must be joinable if there is
	// more than one. The error of a model that raised an exception is Invalid; ErrNotByRow's kind, Conflict, says that the answer does not
	// have a row for each of the batch; Unavailable, that the worker is lost; DeadlineExceeded, that it was ended because it took
	// longer than limit.
	Predict(ctx context.Context, requests []*infer.Request, limit time.Duration) ([]*infer.Response, error)
	// Check asks an idle worker whether it is there.
	Check(ctx context.Context, limit time.Duration) error
	// Gone is closed when the process has ended; Err then says why.
	Gone() <-chan struct{}
	Err() error
	// Memory is what the process used when it was last measured, in bytes.
	Memory() int64
	// Close ends the process and waits for it. Closing twice is the same as closing once.
	Close()
}
