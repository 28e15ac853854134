package store

import (
	"context"
	"database/sql"
	"fmt"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

const recurringColumns = "experiment_id, enabled, updated_at, last_at, last_index, failure, body"

func recurringList() *list {
	return &list{
		name:  "recurring runs",
		table: "recurring_runs",
		columns: map[string]column{
			"id":            {name: "id"},
			"display_name":  {name: "display_name", folded: "display_name_folded"},
			"description":   {name: "description"},
			"experiment_id": {name: "experiment_id"},
			"enabled":       {name: "enabled", kind: flag},
			"created_at":    {name: "created_at", kind: moment},
			"updated_at":    {name: "updated_at", kind: moment},
		},
		selected: recurringColumns,
	}
}

// scanRecurring reads recurringColumns. The columns before the body change without it.
func scanRecurring(scan scanner) (catalog.RecurringRun, error) {
	var r catalog.RecurringRun
	var experiment, failure, body string
	var enabled, updated, last, index int64
	if err := scan(&experiment, &enabled, &updated, &last, &index, &failure, &body); err != nil {
		return r, err
	}
	err := decode("recurring run", body, &r)
	r.Run.ExperimentID, r.Enabled, r.UpdatedAt, r.Index, r.Failure = experiment, enabled != 0, instant(updated), index, failure
	r.LastAt = nil
	if last != 0 {
		at := instant(last)
		r.LastAt = &at
	}
	return r, err
}

// CreateRecurringRun stores a new recurring run.
func (s *Store) CreateRecurringRun(ctx context.Context, r catalog.RecurringRun) error {
	body, err := encode("recurring run", r)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO recurring_runs (id, display_name, display_name_folded, description, experiment_id, enabled, created_at,
				updated_at, last_at, last_index, failure, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			r.ID, r.DisplayName, fold(r.DisplayName), r.Description, r.Run.ExperimentID, bit(r.Enabled), micros(r.CreatedAt),
			micros(r.UpdatedAt), microsOrNone(r.LastAt), r.Index, r.Failure, body)
		if duplicate(err) {
			return fault.Conflictf("recurring run %q already exists", r.ID)
		}
		return err
	})
}

// UpdateRecurringRun stores what changes of a recurring run: whether it is enabled, its experiment, and what was done last; and what has
// happened with it, for triggers.
func (s *Store) UpdateRecurringRun(ctx context.Context, r catalog.RecurringRun, happened ...event.Event) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			UPDATE recurring_runs
			SET experiment_id = $2, enabled = $3, updated_at = $4, last_at = $5, last_index = $6, failure = $7
			WHERE id = $1`,
			r.ID, r.Run.ExperimentID, bit(r.Enabled), micros(r.UpdatedAt), microsOrNone(r.LastAt), r.Index, r.Failure)
		if err == nil && n == 0 {
			return notFound("recurring run", r.ID)
		}
		if err != nil {
			return err
		}
		return s.refused(ctx, tx, happened)
	})
}

// ReplaceRecurringRun stores a recurring run in the place of the one with its id; when it was created stays.
func (s *Store) ReplaceRecurringRun(ctx context.Context, r catalog.RecurringRun) error {
	body, err := encode("recurring run", r)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			UPDATE recurring_runs
			SET display_name = $2, display_name_folded = $3, description = $4, experiment_id = $5, enabled = $6, updated_at = $7, last_at = $8,
				last_index = $9, failure = $10, body = $11
			WHERE id = $1`,
			r.ID, r.DisplayName, fold(r.DisplayName), r.Description, r.Run.ExperimentID, bit(r.Enabled), micros(r.UpdatedAt), microsOrNone(r.LastAt),
			r.Index, r.Failure, body)
		if err == nil && n == 0 {
			return notFound("recurring run", r.ID)
		}
		return err
	})
}

// GetRecurringRun returns a recurring run.
func (s *Store) GetRecurringRun(ctx context.Context, id string) (catalog.RecurringRun, error) {
	// Uses the primary key.
	return readOne(ctx, s, "recurring run", id, `SELECT `+recurringColumns+` FROM recurring_runs WHERE id = $1`, scanRecurring, id)
}

// ListRecurringRuns lists recurring runs. Newest first uses recurring_runs_by_created, those of an experiment
// recurring_runs_by_experiment.
func (s *Store) ListRecurringRuns(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error) {
	return readPage(ctx, s, recurringList(), q, nil, scanRecurring)
}

// EnabledRecurringRuns returns all recurring runs that are enabled.
func (s *Store) EnabledRecurringRuns(ctx context.Context) ([]catalog.RecurringRun, error) {
	// Reads the whole table, once at the start of a server.
	rows, err := s.read.QueryContext(ctx, `SELECT `+recurringColumns+` FROM recurring_runs WHERE enabled = 1`)
	if err != nil {
		return nil, s.readError(fmt.Errorf("list enabled recurring runs: %w", err))
	}
	var out []catalog.RecurringRun
	err = drain(rows, func(rows *sql.Rows) error {
		r, err := scanRecurring(rows.Scan)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, s.readError(fmt.Errorf("list enabled recurring runs: %w", err))
	}
	return out, nil
}

// DeleteRecurringRun removes a recurring run; its runs stay.
func (s *Store) DeleteRecurringRun(ctx context.Context, id string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `DELETE FROM recurring_runs WHERE id = $1`, id)
		if err == nil && n == 0 {
			return notFound("recurring run", id)
		}
		return err
	})
}

// ActiveRuns returns the ids of the runs of a recurring run whose state is not final.
func (s *Store) ActiveRuns(ctx context.Context, recurringRunID string) ([]string, error) {
	// Uses runs_by_recurring_state.
	return readAll(ctx, s, scanText, `
		SELECT id
		FROM runs
		WHERE recurring_run_id = $1 AND recurring_run_id <> '' AND state IN ($2, $3, $4)
		ORDER BY id`, recurringRunID, string(run.Pending), string(run.Running), string(run.Canceling))
}
