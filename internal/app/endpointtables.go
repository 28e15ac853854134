package app

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"levada/internal/adapter/tabular"
	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
	"levada/internal/lineage"
)

// endpointTables are the tables that endpoints know, for importers. Runs go on before endpoints are open, so they wait for these.
type endpointTables struct{ s *server }

func (t endpointTables) opened(ctx context.Context) error {
	select {
	case <-t.s.served:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WriteRequests writes logged requests. Copies that a shadow saw are not among them.
func (t endpointTables) WriteRequests(ctx context.Context, name, version string, since, until time.Time, path string) (err error) {
	if err := t.opened(ctx); err != nil {
		return err
	}
	q := reqlog.Query{Endpoint: name, Version: version, Role: reqlog.Served, Since: since, Until: until, Model: true}
	write, err := t.s.endpoints.ExportRequests(ctx, q, tabular.Parquet)
	if fault.KindOf(err) == fault.NotFound && t.known(ctx, name) {
		q.Model = false // there is nothing yet, not even columns
		write, err = t.s.endpoints.ExportRequests(ctx, q, tabular.Parquet)
	}
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(ctx, io.Writer(f))
}

// known says that there is an endpoint, or a log of one that was there.
func (t endpointTables) known(ctx context.Context, name string) bool {
	_, err := t.s.endpoints.Logged(ctx, name)
	return err == nil
}

// Training returns where the table is from which the version learned that gets most of the requests.
func (t endpointTables) Training(ctx context.Context, name string) (string, error) {
	if err := t.opened(ctx); err != nil {
		return "", err
	}
	e, err := t.s.endpoints.Get(ctx, name)
	if err != nil {
		return "", err
	}
	version, most := "", -1.0
	for _, share := range e.Spec.Traffic.Split {
		if share.Percent > most {
			version, most = share.Version, share.Percent
		}
	}
	if _, remote := e.Spec.Remotes[version]; remote || version == "" {
		return "", fault.NotFoundf("endpoint %q serves no registered model, so what it was trained on is not known: name the reference", name)
	}
	return lineage.New(t.s.store.Lineage()).Training(ctx, e.Spec.Model, version)
}
