package store

import (
	"context"

	"levada/internal/core/endpoint"
	"levada/internal/core/rollout"
)

// AppendRollout stores the record of a rollout, appends to its events, and those that are shown to the history of the endpoint, all in one
// transaction.
func (s *Store) AppendRollout(ctx context.Context, r rollout.Record, events []rollout.Event, shown []endpoint.Event) error {
	body, err := encode("rollout", r)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO rollouts (id, endpoint, started_at, settled, body)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET settled = excluded.settled, body = excluded.body`,
			r.ID, r.Endpoint, micros(r.StartedAt), bit(r.Settled), body)
		if err != nil {
			return err
		}
		var last int64
		// Uses the primary key.
		if err := tx.get(ctx, `SELECT COALESCE(MAX(seq), 0) FROM rollout_events WHERE rollout = $1`, []any{r.ID}, []any{&last}); err != nil {
			return err
		}
		for i, e := range events {
			body, err := encode("event of a rollout", e)
			if err != nil {
				return err
			}
			if _, err := tx.exec(ctx, `INSERT INTO rollout_events (rollout, seq, body) VALUES ($1, $2, $3)`, r.ID, last+1+int64(i), body); err != nil {
				return err
			}
		}
		return appendEndpointEvents(ctx, tx, shown)
	})
}

func scanRollout(scan scanner) (rollout.Record, error) {
	var r rollout.Record
	var body string
	if err := scan(&body); err != nil {
		return r, err
	}
	return r, decode("rollout", body, &r)
}

// Rollout returns a rollout with all its events.
func (s *Store) Rollout(ctx context.Context, id string) (rollout.Record, []rollout.Event, error) {
	// Uses the primary key.
	records, err := readAll(ctx, s, scanRollout, `SELECT body FROM rollouts WHERE id = $1`, id)
	if err != nil {
		return rollout.Record{}, nil, err
	}
	if len(records) == 0 {
		return rollout.Record{}, nil, notFound("rollout", id)
	}
	// Uses the primary key.
	events, err := readAll(ctx, s, func(scan scanner) (rollout.Event, error) {
		var e rollout.Event
		var body string
		if err := scan(&body); err != nil {
			return e, err
		}
		return e, decode("event of a rollout", body, &e)
	}, `SELECT body FROM rollout_events WHERE rollout = $1 ORDER BY seq`, id)
	return records[0], events, err
}

// Rollouts returns up to limit rollouts of an endpoint, the newest first.
func (s *Store) Rollouts(ctx context.Context, endpoint string, limit int) ([]rollout.Record, error) {
	// Uses rollouts_by_endpoint.
	return readAll(ctx, s, scanRollout, `SELECT body FROM rollouts WHERE endpoint = $1 ORDER BY started_at DESC LIMIT $2`, endpoint, limit)
}

// UnsettledRollouts returns those that go on, or whose outcome is not followed yet.
func (s *Store) UnsettledRollouts(ctx context.Context) ([]rollout.Record, error) {
	// Uses rollouts_unsettled.
	return readAll(ctx, s, scanRollout, `SELECT body FROM rollouts WHERE settled = 0 ORDER BY id`)
}

// PutRolloutEnd keeps what a rollout came to, in place of what was kept before.
func (s *Store) PutRolloutEnd(ctx context.Context, id string, end rollout.End) error {
	body, err := encode("end of a rollout", end)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO rollout_ends (rollout, form, body)
			VALUES ($1, $2, $3)
			ON CONFLICT (rollout) DO UPDATE SET form = excluded.form, body = excluded.body`, id, rollout.EndForm, body)
		return err
	})
}

// RolloutEnd returns what a rollout came to, as it was kept in the present form.
func (s *Store) RolloutEnd(ctx context.Context, id string) (rollout.End, error) {
	// Uses the primary key.
	ends, err := readAll(ctx, s, func(scan scanner) (rollout.End, error) {
		var e rollout.End
		var body string
		if err := scan(&body); err != nil {
			return e, err
		}
		return e, decode("end of a rollout", body, &e)
	}, `SELECT body FROM rollout_ends WHERE rollout = $1 AND form = $2`, id, rollout.EndForm)
	if err == nil && len(ends) == 0 {
		err = notFound("end of rollout", id)
	}
	if err != nil {
		return rollout.End{}, err
	}
	return ends[0], nil
}
