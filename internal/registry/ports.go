package registry

import (
	"context"

	"levada/internal/core/model"
)

// Store keeps registered models. A method that returns nil has its writes on disk; what does not exist is a NotFound error.
type Store interface {
	// CreateModel returns a Conflict error for a name in use.
	CreateModel(ctx context.Context, m model.Registered) error
	Model(ctx context.Context, name string) (model.Registered, error)
	Models(ctx context.Context) ([]model.Registered, error)
	// ChangeModel reads, changes and stores a model in one transaction. When its name changes its versions get it too; a name
	// in use is a Conflict error.
	ChangeModel(ctx context.Context, name string, change func(*model.Registered) error) error
	// DeleteModel deletes a model with its versions. Its history stays, and note adds to it.
	DeleteModel(ctx context.Context, name string, note func(*model.Registered)) error
	// Changes returns the newest limit changes of models that are no prompts, the newest first.
	Changes(ctx context.Context, limit int) ([]model.Change, error)
	// ImportModel stores a model of another server with its versions under the first name that is free, or gives the one that an
	// import brought before what has changed. It returns its name and the numbers of versions that no import has brought.
	ImportModel(ctx context.Context, key string, names func(try int) string, m model.Registered, versions []model.Version) (model.Brought, error)
	VersionStore
}

// VersionStore keeps the versions.
type VersionStore interface {
	// AddVersion stores the version that add makes from its model, and the model.
	AddVersion(ctx context.Context, name string, add func(*model.Registered) (model.Version, error)) error
	Version(ctx context.Context, name string, number int64) (model.Version, error)
	// LatestVersions returns the newest version of each stage of a model, by number; Versions those of all models, in
	// no order and not to be changed.
	LatestVersions(ctx context.Context, name string) ([]model.Version, error)
	Versions(ctx context.Context) ([]*model.Version, error)
	// ChangeVersion reads, changes and stores a model and a version, in one transaction.
	ChangeVersion(ctx context.Context, name string, number int64, change func(*model.Registered, *model.Version) error) error
	// ChangeVersions reads, changes and stores a model and the versions for which pick holds, in one transaction.
	ChangeVersions(ctx context.Context, name string, pick func(model.Version) bool, change func(*model.Registered, *model.Version) error) error
	DeleteVersion(ctx context.Context, name string, number int64, change func(*model.Registered)) error
}

// Sources knows where models come from.
type Sources interface {
	// LoggedModel returns where the files of a logged model are, and the run that made it.
	LoggedModel(ctx context.Context, id string) (location, runID string, err error)
	// RunLocation returns where the files of a run are.
	RunLocation(ctx context.Context, runID string) (string, error)
	// Files returns the files at a location that Levada keeps; none for other places.
	Files(ctx context.Context, location string) ([]model.File, error)
	// Registered tells a logged model that it has become a version.
	Registered(ctx context.Context, modelID, name string, number int64) error
}
