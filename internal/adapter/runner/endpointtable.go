package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
	"levada/internal/core/run"
)

// Endpoints has the tables that endpoints know.
type Endpoints interface {
	// WriteRequests writes what an endpoint was asked and what it answered, since and until a moment, to a Parquet file, under the names
	// that the model has for its inputs and outputs. An empty version is any. A window without requests is a table without rows.
	WriteRequests(ctx context.Context, name, version string, since, until time.Time, path string) error
	// Training returns the URI of what the version that an endpoint serves was trained on. Where that is not known it is a NotFound error.
	Training(ctx context.Context, name string) (uri string, err error)
}

// endpointTable imports what the address of an endpoint's table names. What it was trained on has an address of its own, which is
// returned. Requests are written to a file. Anything else is itself.
func (r *Runner) endpointTable(ctx context.Context, s *run.Step, uri string, log *attemptLog) (string, bool, error) {
	a, is, err := reqlog.ParseAddress(uri)
	switch {
	case !is:
		return uri, false, nil
	case err != nil:
		return "", false, inputError("importer: %v", err)
	case r.opt.Endpoints == nil:
		return "", false, unsupported("importer: there are no endpoints here, and so no %s", uri)
	case a.Training:
		found, err := r.opt.Endpoints.Training(ctx, a.Endpoint)
		if err != nil {
			return "", false, importError(err)
		}
		log.System("%s is %s", uri, found)
		return found, false, nil
	}
	l, err := r.layout(s)
	if err != nil {
		return "", false, err
	}
	if err := withParent(func() error { return os.MkdirAll(l.tmp(), 0o755) }); err != nil {
		return "", false, err
	}
	until := r.opt.Clock().Add(-a.Earlier)
	since := until.Add(-a.Window)
	path := filepath.Join(l.tmp(), "requests.parquet")
	if err := r.opt.Endpoints.WriteRequests(ctx, a.Endpoint, a.Version, since, until, path); err != nil {
		return "", false, importError(err)
	}
	log.System("requests of endpoint %s from %s to %s", a.Endpoint, since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	return path, true, nil
}

// importError tells what is not there, and what was asked for wrongly, from what went wrong.
func importError(err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid:
		return inputError("importer: %v", err)
	}
	return fmt.Errorf("importer: %w", err)
}
