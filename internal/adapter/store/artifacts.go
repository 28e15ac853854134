package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func artifactList() *list {
	return &list{
		name:  "artifacts",
		table: "artifacts",
		columns: map[string]column{
			"id":           {name: "id"},
			"run_id":       {name: "run_id"},
			"task_id":      {name: "task_id"},
			"name":         {name: "name", folded: "name_folded"},
			"schema_title": {name: "schema_title"},
			"digest":       {name: "digest"},
			"created_at":   {name: "created_at", kind: moment},
		},
		selected:   "body",
		countTable: "artifact_counts",
		countKeys:  map[string]bool{"schema_title": true},
	}
}

func scanArtifact(scan scanner) (run.Artifact, error) {
	var a run.Artifact
	var body string
	if err := scan(&body); err != nil {
		return a, err
	}
	err := decode("artifact", body, &a)
	return a, err
}

// putArtifacts stores the artifacts that were made at one time. One that is there already is replaced.
func putArtifacts(ctx context.Context, tx *tx, artifacts []run.Artifact, at time.Time) error {
	for _, a := range artifacts {
		body, err := encode("artifact", a)
		if err != nil {
			return err
		}
		var before string
		// Uses the primary key.
		err = tx.get(ctx, `SELECT schema_title FROM artifacts WHERE id = $1`, []any{a.ID}, []any{&before})
		switch {
		case err == nil:
			if err := countArtifact(ctx, tx, before, -1); err != nil {
				return err
			}
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if err := countArtifact(ctx, tx, a.SchemaTitle, 1); err != nil {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO artifacts (id, run_id, task_id, name, name_folded, schema_title, digest, created_at, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE
			SET run_id = excluded.run_id, task_id = excluded.task_id, name = excluded.name,
				name_folded = excluded.name_folded, schema_title = excluded.schema_title, digest = excluded.digest,
				body = excluded.body`,
			a.ID, a.RunID, a.TaskID, a.Name, fold(a.Name), a.SchemaTitle, a.Digest, micros(at), body)
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteUnusedArtifacts removes the artifacts that no run needs any more when the given one is gone: its own,
// and those of runs deleted before that only this one still used. A task that took its outputs from the cache
// names the task that made them.
func deleteUnusedArtifacts(ctx context.Context, tx *tx, runID string) error {
	type row struct{ id, schema string }
	var gone []row
	// Uses artifacts_by_run, artifacts_by_task, tasks_by_source and the primary keys of runs and tasks.
	err := tx.each(ctx, `
		SELECT id, schema_title
		FROM artifacts
		WHERE (run_id = $1
				OR (task_id IN (SELECT cached_from FROM tasks WHERE run_id = $1 AND cached_from <> '')
					AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = artifacts.run_id)))
			AND NOT EXISTS (
				SELECT 1
				FROM tasks
				WHERE tasks.cached_from = artifacts.task_id AND tasks.cached_from <> '' AND tasks.run_id <> $1)`,
		[]any{runID}, func(rows *sql.Rows) error {
			var r row
			err := rows.Scan(&r.id, &r.schema)
			gone = append(gone, r)
			return err
		})
	if err != nil {
		return err
	}
	for _, r := range gone {
		// Uses the primary key.
		if _, err := tx.exec(ctx, `DELETE FROM artifacts WHERE id = $1`, r.id); err != nil {
			return err
		}
		if err := countArtifact(ctx, tx, r.schema, -1); err != nil {
			return err
		}
	}
	return nil
}

// Artifacts lists artifacts. Newest first, alone or by run_id, task_id, name, schema_title or digest, uses
// the index artifacts_by_… of that column; other orders sort all that match.
func (s *Store) Artifacts(ctx context.Context, q listing.Query) (listing.Page[run.Artifact], error) {
	return readPage(ctx, s, artifactList(), q, nil, scanArtifact)
}

// GetArtifact returns an artifact.
func (s *Store) GetArtifact(ctx context.Context, id string) (run.Artifact, error) {
	// Uses the primary key.
	return readOne(ctx, s, "artifact", id, `SELECT body FROM artifacts WHERE id = $1`, scanArtifact, id)
}
