package dataset

import (
	"context"
	"encoding/json"
	"io"

	"levada/internal/core/observe"
	"levada/internal/core/run"
)

// Store keeps what the service knows of data. Methods that return nil have their writes on disk.
type Store interface {
	Queue
	Profiles
	Reports
}

// Queue holds the artifacts that nobody has looked at yet. An artifact is put there in the transaction that stores it.
type Queue interface {
	// UnseenSignal is sent to when there is something new in the queue.
	UnseenSignal() <-chan struct{}
	// Unseen returns artifacts of a subject, the newest first; Waiting counts them.
	Unseen(ctx context.Context, subject observe.Subject, limit int) ([]run.Artifact, error)
	Waiting(ctx context.Context, subject observe.Subject) (int, error)
	Queued(ctx context.Context, artifactID string) (bool, error)
	// Queue puts an artifact at the front, and forgets the profile of its content.
	Queue(ctx context.Context, artifactID, digest string) error
	// Renew puts an artifact at the front; the profile of its content stays until there is another.
	Renew(ctx context.Context, artifactID string) error
	// Seen takes artifacts out of the queue, with what was found; either may be nil.
	Seen(ctx context.Context, artifactIDs []string, p *observe.Profile, r *observe.Stored) error
}

// Profiles keeps profiles by the digest of the content.
type Profiles interface {
	Profile(ctx context.Context, digest string) (observe.Profile, error)
	// DropProfiles removes those of content that no artifact has any more.
	DropProfiles(ctx context.Context) error
}

// Reports keeps what reports about tables say.
type Reports interface {
	// Reports returns those of a kind that a task of a pipeline made, the newest first.
	Reports(ctx context.Context, kind observe.Kind, pipeline, task string, limit int) ([]observe.Stored, error)
	// NewestReports returns the newest of a kind of each task of each pipeline, the newest first.
	NewestReports(ctx context.Context, kind observe.Kind, limit int) ([]observe.Stored, error)
}

// Artifacts finds artifacts.
type Artifacts interface {
	GetArtifact(ctx context.Context, id string) (run.Artifact, error)
	// Versions returns what the same output of the same task of the same pipeline made, the newest first.
	Versions(ctx context.Context, a run.Artifact, limit int) ([]observe.Version, error)
}

// Blobs has the content of artifacts.
type Blobs interface {
	// Locate says where the files of a digest are.
	Locate(ctx context.Context, digest string) ([]observe.File, error)
	Open(ctx context.Context, digest, path string) (io.ReadSeekCloser, error)
}

// Tables reads whole tables, where that slows and harms nobody. Content that is no table is an Invalid error, what needs too much memory a
// TooLarge one. Other errors may not come again.
type Tables interface {
	// Profile returns a Profile as JSON.
	Profile(ctx context.Context, c observe.Content) (json.RawMessage, error)
	// Rows returns Rows as JSON.
	Rows(ctx context.Context, was, is observe.Content, key []string) (json.RawMessage, error)
}
