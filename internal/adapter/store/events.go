package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// checkSequence refuses events that do not follow each other.
func checkSequence(runID string, events []run.Event) error {
	for i, e := range events {
		if want := events[0].Seq + int64(i); e.Seq != want || e.Seq < 1 {
			return fault.Invalidf("log of run %q: event %d has sequence number %d, want %d", runID, i, e.Seq, max(want, 1))
		}
	}
	return nil
}

// checkTail refuses to append anywhere but at the end of a log, which is how a second writer is found out.
func checkTail(ctx context.Context, tx *tx, runID string, first int64) error {
	var last int64
	// Uses the primary keys of runs and of events.
	err := tx.get(ctx, `
		SELECT COALESCE((SELECT MAX(seq) FROM events WHERE run_id = $1), 0)
		FROM runs
		WHERE id = $1`, []any{runID}, []any{&last})
	if errors.Is(err, sql.ErrNoRows) {
		return notFound("run", runID)
	}
	if err != nil {
		return err
	}
	if last != first-1 {
		return fault.Conflictf("log of run %q: it ends at event %d, so event %d cannot be appended", runID, last, first)
	}
	return nil
}

func insertEvents(ctx context.Context, tx *tx, runID string, events []run.Event) error {
	for _, e := range events {
		_, err := tx.exec(ctx, `
			INSERT INTO events (run_id, seq, at, type, body)
			VALUES ($1, $2, $3, $4, $5)`, runID, e.Seq, micros(e.At), e.Type, string(e.Body))
		if err != nil {
			return err
		}
	}
	return nil
}

// Events returns a run's log from the given sequence number on. A run that does not exist is a NotFound
// error, an end that is already reached is an empty log.
func (s *Store) Events(ctx context.Context, runID string, from int64) ([]run.Event, error) {
	// Uses the primary key.
	rows, err := s.read.QueryContext(ctx, `
		SELECT seq, at, type, body
		FROM events
		WHERE run_id = $1 AND seq >= $2
		ORDER BY seq`, runID, from)
	if err != nil {
		return nil, s.readError(fmt.Errorf("read log of run %q: %w", runID, err))
	}
	var events []run.Event
	err = drain(rows, func(rows *sql.Rows) error {
		var e run.Event
		var at int64
		err := rows.Scan(&e.Seq, &at, &e.Type, &e.Body)
		e.At = instant(at)
		events = append(events, e)
		return err
	})
	if err != nil {
		return nil, s.readError(fmt.Errorf("read log of run %q: %w", runID, err))
	}
	if len(events) == 0 {
		return nil, s.runExists(ctx, runID)
	}
	return events, nil
}

// runExists returns a NotFound error when there is no such run.
func (s *Store) runExists(ctx context.Context, id string) error {
	// Uses the primary key.
	_, err := readOne(ctx, s, "run", id, `SELECT 1 FROM runs WHERE id = $1`, func(scan scanner) (int, error) {
		var one int
		err := scan(&one)
		return one, err
	}, id)
	return err
}
