// Package mlflow reads what a team has in MLflow and brings it to a Levada server: from a running MLflow server, from its
// database, or from a directory of files.
//
// A Source reads one of these forms; everything in it is taken to be hostile: ids, paths, sizes. Import carries what a source
// reads to a server through the HTTP API. The package must not know terminals or commands. Start reading at Source and Import.
package mlflow

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// Source is a place from which to import. What cannot be read is told to its Report and left out; an error means that nothing
// more can be read. The functions that it calls with things return an error to stop it, which it returns.
type Source interface {
	// Name says what the source is, without passwords.
	Name() string
	// Experiments returns all experiments, deleted ones too. Locations are those of the source.
	Experiments(ctx context.Context) ([]track.Experiment, error)
	// Runs gives all runs, deleted ones too, some at a time.
	Runs(ctx context.Context, some func([]Run) error) error
	// Points gives all points of a run, in each call those of one metric. With errUnread some could not be read, which the report
	// says already.
	Points(ctx context.Context, r Run, some func(key string, points []track.Point) error) error
	// LoggedModels gives the models that MLflow 3 keeps beside runs, with their metrics, and whether all of those could be read.
	LoggedModels(ctx context.Context, one func(m track.LoggedModel, whole bool) error) error
	// RegisteredModels gives registered models with their versions.
	RegisteredModels(ctx context.Context, one func(Registered) error) error
	// Files opens the files of a run, a logged model or a version. Where they cannot be read it says why instead.
	Files(ctx context.Context, of Owner) (Tree, string)
	// Others counts what the source has and an import does not bring, by what it is.
	Others(ctx context.Context) map[string]int64
	Close() error
}

// Run is a run with what tells whether its metrics have changed.
type Run struct {
	track.Run

	State []string
	// dir is where a directory of files has the run.
	dir string
	// keys are the metrics that a server named.
	keys []string
}

func (r Run) owner() Owner {
	return Owner{URI: r.ArtifactURI, ExperimentID: r.ExperimentID, RunID: r.ID}
}

// errUnread says that something could not be read that may be readable another time, and that the report says so.
var errUnread = errors.New("not everything could be read")

// Registered is a registered model with its versions.
type Registered struct {
	model.Registered

	Versions []model.Version
}

// Owner is what files belong to: the URI that the source has for them, and the ids by which it may be asked for them.
type Owner struct {
	URI          string
	ExperimentID string
	RunID        string
	ModelID      string
}

// batch is how many runs are read and written at a time.
const batch = 200

// chunk is how many points are read or sent at a time.
const chunk = 20_000

// Options say how a source is opened.
type Options struct {
	// Roots are directories that artifacts may be read from.
	Roots []Root
	// Report is told what cannot be read. Required.
	Report *Report
	// User, Password and Token are for an MLflow server with authentication.
	User, Password, Token string
}

// Open finds out what a source is and opens it.
func Open(ctx context.Context, where string, o Options) (Source, error) {
	scheme, rest, found := strings.Cut(where, "://")
	scheme, _, _ = strings.Cut(scheme, "+") // postgresql+psycopg2
	switch {
	case found && (scheme == "http" || scheme == "https"):
		return openServer(ctx, where, o)
	case found && scheme == "sqlite":
		// Three slashes begin a relative path, four an absolute one.
		return openSQLite(ctx, strings.TrimPrefix(rest, "/"), o)
	case found && (scheme == "postgresql" || scheme == "postgres"):
		return openPostgres(ctx, scheme+"://"+rest, o)
	case found && scheme != "file":
		return nil, fault.Invalidf("%s: databases of this kind cannot be read: start \"mlflow server --backend-store-uri\" on it and give the "+
			"server's URL", scheme)
	}
	path, err := localPath(where)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fault.Invalidf("%s: %w; want the URL of an MLflow server, a database (sqlite:///PATH, postgresql://…) or an mlruns directory", where, err)
	case info.IsDir():
		return openDirectory(path, o)
	case info.Mode().IsRegular():
		return openSQLite(ctx, path, o)
	}
	return nil, fault.Invalidf("%s is neither a file nor a directory", where)
}

// localPath is the path that a path or a file: URI names.
func localPath(where string) (string, error) {
	if !strings.HasPrefix(where, "file:") {
		return filepath.Clean(where), nil
	}
	u, err := url.Parse(where)
	if err != nil || u.Host != "" && u.Host != "localhost" {
		return "", fault.Invalidf("%s names no file of this machine", where)
	}
	if u.Opaque != "" {
		return filepath.Clean(u.Opaque), nil
	}
	return filepath.Clean(u.Path), nil
}
