package store

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

const experimentColumns = "id, display_name, description, archived, created_at, last_run_at"

func experimentList() *list {
	return &list{
		name:  "experiments",
		table: "experiments",
		columns: map[string]column{
			"id":           {name: "id"},
			"display_name": {name: "display_name", folded: "display_name_folded"},
			"description":  {name: "description"},
			"archived":     {name: "archived", kind: flag},
			"created_at":   {name: "created_at", kind: moment},
			"last_run_at":  {name: "last_run_at", kind: moment, optional: true},
		},
		selected: experimentColumns,
	}
}

// scanExperiment reads experimentColumns.
func scanExperiment(scan scanner) (catalog.Experiment, error) {
	var e catalog.Experiment
	var archived, created, last int64
	if err := scan(&e.ID, &e.DisplayName, &e.Description, &archived, &created, &last); err != nil {
		return e, err
	}
	e.Archived, e.CreatedAt = archived != 0, instant(created)
	if last != 0 {
		at := instant(last)
		e.LastRunAt = &at
	}
	return e, nil
}

// CreateExperiment stores an experiment; a name in use is a Conflict.
func (s *Store) CreateExperiment(ctx context.Context, e catalog.Experiment) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO experiments (id, display_name, display_name_folded, description, archived, created_at, last_run_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			e.ID, e.DisplayName, fold(e.DisplayName), e.Description, bit(e.Archived), micros(e.CreatedAt), microsOrNone(e.LastRunAt))
		if duplicate(err) {
			return fault.Conflictf("an experiment named %q already exists: choose another name, or use that one", e.DisplayName)
		}
		return err
	})
}

// GetExperiment returns an experiment.
func (s *Store) GetExperiment(ctx context.Context, id string) (catalog.Experiment, error) {
	// Uses the primary key.
	return readOne(ctx, s, "experiment", id,
		`SELECT `+experimentColumns+` FROM experiments WHERE id = $1`, scanExperiment, id)
}

// ExperimentByName finds an experiment by its unique name.
func (s *Store) ExperimentByName(ctx context.Context, name string) (catalog.Experiment, error) {
	// Uses experiments_by_name.
	return readOne(ctx, s, "experiment", name,
		`SELECT `+experimentColumns+` FROM experiments WHERE display_name = $1`, scanExperiment, name)
}

// ListExperiments lists experiments. Newest first uses experiments_by_created, the order of names
// experiments_by_name.
func (s *Store) ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error) {
	return readPage(ctx, s, experimentList(), q, nil, scanExperiment)
}

// SetExperimentArchived archives an experiment and its runs, or brings the experiment back, without its runs.
func (s *Store) SetExperimentArchived(ctx context.Context, id string, archived bool) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `UPDATE experiments SET archived = $2 WHERE id = $1`, id, bit(archived))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("experiment", id)
		}
		if !archived {
			return nil
		}
		// Uses runs_by_experiment.
		if _, err := tx.exec(ctx, `UPDATE runs SET archived = 1 WHERE experiment_id = $1 AND archived = 0`, id); err != nil {
			return err
		}
		return archiveCounts(ctx, tx, id, true)
	})
}

// DeleteExperiment removes an experiment and leaves its runs as they are; MoveRuns gives them another one
// first.
func (s *Store) DeleteExperiment(ctx context.Context, id string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `DELETE FROM experiments WHERE id = $1`, id)
		if err == nil && n == 0 {
			return notFound("experiment", id)
		}
		return err
	})
}
