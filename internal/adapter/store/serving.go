package store

import (
	"context"
	"database/sql"

	"levada/internal/core/endpoint"
)

// PutEndpoint stores an endpoint with the versions that it has now, forgets its other versions, and appends the events, all in one
// transaction.
func (s *Store) PutEndpoint(ctx context.Context, e endpoint.Endpoint, versions []endpoint.Deployed, events []endpoint.Event) error {
	body, err := encode("endpoint", e)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO endpoints (name, updated_at, body)
			VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, body = excluded.body`, e.Name, micros(e.UpdatedAt), body)
		if err != nil {
			return err
		}
		// Uses the primary key.
		if _, err := tx.exec(ctx, `DELETE FROM endpoint_versions WHERE endpoint = $1`, e.Name); err != nil {
			return err
		}
		for _, v := range versions {
			body, err := encode("version of an endpoint", v)
			if err != nil {
				return err
			}
			if _, err := tx.exec(ctx, `INSERT INTO endpoint_versions (endpoint, version, body) VALUES ($1, $2, $3)`, e.Name, v.Version, body); err != nil {
				return err
			}
		}
		return appendEndpointEvents(ctx, tx, events)
	})
}

func appendEndpointEvents(ctx context.Context, tx *tx, events []endpoint.Event) error {
	for _, e := range events {
		body, err := encode("event of an endpoint", e)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO endpoint_events (endpoint, at, kind, body) VALUES ($1, $2, $3, $4)`,
			e.Endpoint, micros(e.At), string(e.Kind), body)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteEndpoint forgets an endpoint and its versions, and appends the event. Its history stays.
func (s *Store) DeleteEndpoint(ctx context.Context, name string, event endpoint.Event) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key; the versions go with it.
		n, err := tx.exec(ctx, `DELETE FROM endpoints WHERE name = $1`, name)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("endpoint", name)
		}
		return appendEndpointEvents(ctx, tx, []endpoint.Event{event})
	})
}

// AppendEndpointEvent appends to the history of an endpoint.
func (s *Store) AppendEndpointEvent(ctx context.Context, e endpoint.Event) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error { return appendEndpointEvents(ctx, tx, []endpoint.Event{e}) })
}

// Endpoints returns all endpoints in the order of their names.
func (s *Store) Endpoints(ctx context.Context) ([]endpoint.Endpoint, error) {
	return readAll(ctx, s, func(scan scanner) (endpoint.Endpoint, error) {
		var e endpoint.Endpoint
		var body string
		if err := scan(&body); err != nil {
			return e, err
		}
		return e, decode("endpoint", body, &e)
	}, `SELECT body FROM endpoints ORDER BY name`)
}

func scanDeployed(scan scanner) (endpoint.Deployed, error) {
	var d endpoint.Deployed
	var body string
	if err := scan(&body); err != nil {
		return d, err
	}
	return d, decode("version of an endpoint", body, &d)
}

// DeployedVersions returns the versions of all endpoints.
func (s *Store) DeployedVersions(ctx context.Context) ([]endpoint.Deployed, error) {
	return readAll(ctx, s, scanDeployed, `SELECT body FROM endpoint_versions ORDER BY endpoint, version`)
}

// EndpointEvents returns up to limit events of an endpoint, the newest first; those with a smaller id than before, unless that is 0.
func (s *Store) EndpointEvents(ctx context.Context, name string, before int64, limit int) ([]endpoint.Event, error) {
	// Uses endpoint_events_by_endpoint.
	return readAll(ctx, s, func(scan scanner) (endpoint.Event, error) {
		var e endpoint.Event
		var id int64
		var body string
		if err := scan(&id, &body); err != nil {
			return e, err
		}
		err := decode("event of an endpoint", body, &e)
		e.ID = id
		return e, err
	}, `
		SELECT id, body
		FROM endpoint_events
		WHERE endpoint = $1 AND ($2 = 0 OR id < $2)
		ORDER BY id DESC
		LIMIT $3`, name, before, limit)
}

// DeployedDigests hands over the digests of all content that endpoints need: files of deployed versions, and tables that are looked up in.
func (s *Store) DeployedDigests(ctx context.Context, need func(digest string) error) error {
	endpoints, err := s.Endpoints(ctx)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		for _, spec := range []*endpoint.Spec{&e.Spec, e.Active} {
			if spec == nil || spec.Settings.Lookup == nil {
				continue
			}
			if err := need(spec.Settings.Lookup.Digest); err != nil {
				return err
			}
		}
	}
	rows, err := s.read.QueryContext(ctx, `SELECT body FROM endpoint_versions`)
	if err != nil {
		return s.readError(err)
	}
	return s.readError(drain(rows, func(rows *sql.Rows) error {
		d, err := scanDeployed(rows.Scan)
		for i := 0; i < len(d.Files) && err == nil; i++ {
			err = need(d.Files[i].Digest)
		}
		return err
	}))
}
