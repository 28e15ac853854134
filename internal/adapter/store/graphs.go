package store

import (
	"context"

	"levada/internal/core/endpoint"
	"levada/internal/core/infergraph"
)

// PutGraph stores an inference graph and appends the event, in one transaction.
func (s *Store) PutGraph(ctx context.Context, g infergraph.Graph, event endpoint.Event) error {
	body, err := encode("graph", g)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO graphs (name, updated_at, body)
			VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, body = excluded.body`, g.Name, micros(g.UpdatedAt), body)
		if err != nil {
			return err
		}
		return appendEndpointEvents(ctx, tx, []endpoint.Event{event})
	})
}

// DeleteGraph forgets an inference graph and appends the event. Its history stays.
func (s *Store) DeleteGraph(ctx context.Context, name string, event endpoint.Event) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `DELETE FROM graphs WHERE name = $1`, name)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("graph", name)
		}
		return appendEndpointEvents(ctx, tx, []endpoint.Event{event})
	})
}

// Graphs returns all inference graphs in the order of their names.
func (s *Store) Graphs(ctx context.Context) ([]infergraph.Graph, error) {
	return readAll(ctx, s, func(scan scanner) (infergraph.Graph, error) {
		var g infergraph.Graph
		var body string
		if err := scan(&body); err != nil {
			return g, err
		}
		return g, decode("graph", body, &g)
	}, `SELECT body FROM graphs ORDER BY name`)
}
