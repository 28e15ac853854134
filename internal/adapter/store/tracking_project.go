package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"levada/internal/core/run"
	"levada/internal/core/track"
)

// A pipeline's run is a tracked run, and each of its tasks is one beneath it. Their rows are written in the transaction of
// the events they follow from (docs/decisions/0003).

// projectRun writes the tracked run of a pipeline's run and those of the given tasks. changed is nil when the run itself did
// not change.
func (s *Store) projectRun(ctx context.Context, tx *tx, runID string, changed *run.Run, tasks []run.Task) error {
	if changed == nil && len(tasks) == 0 {
		return nil
	}
	var experiment, location string
	var deletedAt int64
	// Uses the primary keys.
	err := tx.get(ctx, `
		SELECT runs.experiment_id, COALESCE(experiments.artifact_location, ''), COALESCE(tracking_runs.deleted_at, runs.archived)
		FROM runs LEFT JOIN experiments ON experiments.id = runs.experiment_id LEFT JOIN tracking_runs ON tracking_runs.id = runs.id
		WHERE runs.id = $1`, []any{runID}, []any{&experiment, &location, &deletedAt})
	if err != nil {
		return err
	}
	if location == "" {
		location = artifactScheme + experiment
	}
	var written []string
	put := func(r track.Run, begins bool) error {
		r.ExperimentID, r.ArtifactURI = experiment, location+"/"+r.ID+"/artifacts"
		written = append(written, r.ID)
		return s.projectOne(ctx, tx, r, begins, deletedAt)
	}
	if changed != nil {
		if err := put(track.FromPipeline(*changed), true); err != nil {
			return err
		}
	}
	for _, t := range tasks {
		r, ok := track.FromTask(experiment, t)
		if !ok || r.Status == track.Scheduled {
			continue
		}
		// A task becomes a tracked run when it starts or its result is found: not while it waits, and not when it is cancelled
		// before it has started.
		if err := put(r, t.State != run.Canceled || t.StartedAt != nil); err != nil {
			return err
		}
		if err := s.projectMetrics(ctx, tx, t); err != nil {
			return err
		}
	}
	tx.committed(func() {
		for _, id := range written {
			s.refresh(experiment, id)
		}
	})
	return nil
}

// projectOne writes one tracked run: a new one only where it begins, deleted as that of its pipeline's run is. What steps and people have
// logged on it stays.
func (s *Store) projectOne(ctx context.Context, tx *tx, r track.Run, begins bool, deletedAt int64) error {
	before, err := runRow(ctx, tx, r.ID)
	known := err == nil
	switch {
	case known && before.Status == r.Status && before.StartMS == r.StartMS && sameEnd(before.EndMS, r.EndMS):
		return nil
	case known:
		r.Name = before.Name
	case !begins:
		return nil
	}
	if err := putTrackedRun(ctx, tx, r); err != nil {
		return err
	}
	if known {
		return nil // its parameters and tags are there; some may have been changed or deleted since
	}
	if deletedAt != 0 {
		if _, err := tx.exec(ctx, `UPDATE tracking_runs SET deleted_at = $2 WHERE id = $1`, r.ID, deletedAt); err != nil {
			return err
		}
	}
	if _, err := addParams(ctx, tx, r.ID, r.Params); err != nil {
		var other *track.ParamsError
		if !errors.As(err, &other) { // a step may have logged a parameter of that name
			return err
		}
	}
	if len(r.Tags) == 0 {
		return nil
	}
	args := make([]any, 0, 3*len(r.Tags))
	for _, kv := range r.Tags {
		args = append(args, r.ID, kv.Key, kv.Value)
	}
	_, err = tx.exec(ctx, `
		INSERT INTO tracking_tags (run_id, key, value)
		VALUES (?, ?, ?)`+strings.Repeat(`, (?, ?, ?)`, len(r.Tags)-1)+`
		ON CONFLICT (run_id, key) DO NOTHING`, args...)
	return err
}

func sameEnd(a, b *int64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Pending are metrics that wait in the outbox.
type Pending struct {
	ID      int64
	RunID   string         `json:"run_id"`
	Metrics []track.Metric `json:"metrics"`
}

// projectMetrics puts the metrics of a task into the outbox, for the task and for its run: the metric store is no part of the
// transaction.
func (s *Store) projectMetrics(ctx context.Context, tx *tx, t run.Task) error {
	metrics := track.TaskMetrics(t)
	if len(metrics) == 0 {
		return nil
	}
	for _, id := range []string{t.ID, t.RunID} {
		body, err := json.Marshal(Pending{RunID: id, Metrics: metrics})
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO tracking_outbox (body) VALUES ($1)`, string(body)); err != nil {
			return err
		}
	}
	tx.committed(s.signalOutbox)
	return nil
}

func (s *Store) signalOutbox() {
	select {
	case s.outbox <- struct{}{}:
	default: // whoever empties the outbox has not looked yet
	}
}

// OutboxSignal is sent to when something was put into the outbox.
func (t Tracking) OutboxSignal() <-chan struct{} { return t.s.outbox }

// Outbox returns what waits in the outbox, the oldest first.
func (t Tracking) Outbox(ctx context.Context) ([]Pending, error) {
	return readAll(ctx, t.s, func(scan scanner) (Pending, error) {
		var p Pending
		var id int64
		var body string
		if err := scan(&id, &body); err != nil {
			return p, err
		}
		err := decode("metrics", body, &p)
		p.ID = id
		return p, err
	}, `SELECT id, body FROM tracking_outbox ORDER BY id LIMIT 1000`)
}

// Delivered removes an entry of the outbox.
func (t Tracking) Delivered(ctx context.Context, id int64) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `DELETE FROM tracking_outbox WHERE id = $1`, id)
		return err
	})
}

// hideTracked marks the tracked runs of a pipeline's run and its tasks as deleted, or as not deleted.
func (s *Store) hideTracked(ctx context.Context, tx *tx, runID string, deletedAt int64) error {
	// Uses the primary keys of tracking_runs and tasks.
	_, err := tx.exec(ctx, `
		UPDATE tracking_runs
		SET deleted_at = $2
		WHERE id = $1 OR id IN (SELECT id FROM tasks WHERE run_id = $1)`, runID, deletedAt)
	if err != nil {
		return err
	}
	var experiment string
	err = tx.get(ctx, `SELECT experiment_id FROM tracking_runs WHERE id = $1`, []any{runID}, []any{&experiment})
	if errors.Is(err, sql.ErrNoRows) {
		return nil // a run of before there was tracking
	}
	if err == nil {
		tx.committed(func() { s.index.drop(experiment) })
	}
	return err
}

// deleteTracked removes the tracked runs of a pipeline's run and its tasks. Their points are removed later: the metric store is no
// part of the transaction.
func (s *Store) deleteTracked(ctx context.Context, tx *tx, runID string) error {
	var experiment string
	// Uses the primary key.
	err := tx.get(ctx, `SELECT experiment_id FROM tracking_runs WHERE id = $1`, []any{runID}, []any{&experiment})
	if errors.Is(err, sql.ErrNoRows) {
		return nil // a run of before there was tracking
	}
	if err != nil {
		return err
	}
	const ids = `(SELECT $1 UNION ALL SELECT id FROM tasks WHERE run_id = $1)`
	for _, query := range []string{
		`INSERT INTO tracking_forgotten (run_id) SELECT id FROM tracking_runs WHERE id IN ` + ids,
		`DELETE FROM tracking_outbox WHERE json_extract(body, '$.run_id') IN ` + ids,
		`DELETE FROM tracking_params WHERE run_id IN ` + ids,
		`DELETE FROM tracking_tags WHERE run_id IN ` + ids,
		`DELETE FROM tracking_links WHERE run_id IN ` + ids,
		`DELETE FROM tracking_runs WHERE id IN ` + ids,
	} {
		// Uses the primary keys, and tasks_by_run.
		if _, err := tx.exec(ctx, query, runID); err != nil {
			return err
		}
	}
	tx.committed(func() { s.index.drop(experiment) })
	return nil
}

// Forgotten returns the runs that are gone and whose points are still to be removed.
func (t Tracking) Forgotten(ctx context.Context) ([]string, error) {
	return readAll(ctx, t.s, scanText, `SELECT run_id FROM tracking_forgotten`)
}

// PointsRemoved notes that the points of runs are gone.
func (t Tracking) PointsRemoved(ctx context.Context, runIDs []string) error {
	list, err := json.Marshal(runIDs)
	if err != nil {
		return err
	}
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `DELETE FROM tracking_forgotten WHERE run_id IN (SELECT value FROM json_each($1))`, string(list))
		return err
	})
}

// moveTracked puts all tracked runs of one experiment into another.
func (s *Store) moveTracked(ctx context.Context, tx *tx, from, to string) error {
	// Uses tracking_runs_by_experiment and tracking_models_by_experiment.
	for _, table := range []string{"tracking_runs", "tracking_models"} {
		if _, err := tx.exec(ctx, `UPDATE `+table+` SET experiment_id = $2 WHERE experiment_id = $1`, from, to); err != nil {
			return err
		}
	}
	tx.committed(func() {
		s.logged.clear()
		s.index.drop(from)
		s.index.drop(to)
	})
	return nil
}
