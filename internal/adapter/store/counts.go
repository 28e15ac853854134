package store

import (
	"context"

	"levada/internal/core/run"
)

// runKind is what runs are counted by.
type runKind struct {
	experiment, pipeline, state string
	archived                    int64
}

func kindOf(r run.Run) runKind {
	return runKind{experiment: r.ExperimentID, pipeline: r.PipelineID, state: string(r.State), archived: bit(r.Archived)}
}

// recount moves one run from one count to another.
func recount(ctx context.Context, tx *tx, before, after runKind) error {
	if before == after {
		return nil
	}
	if err := countRun(ctx, tx, before, -1); err != nil {
		return err
	}
	return countRun(ctx, tx, after, 1)
}

// countRun changes a count and drops it when nothing is left, so that the table stays as small as what it
// counts.
func countRun(ctx context.Context, tx *tx, k runKind, change int) error {
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO run_counts (experiment_id, pipeline_id, state, archived, n)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (experiment_id, pipeline_id, state, archived) DO UPDATE SET n = run_counts.n + excluded.n`,
		k.experiment, k.pipeline, k.state, k.archived, change)
	if err != nil || change > 0 {
		return err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `
		DELETE FROM run_counts
		WHERE experiment_id = $1 AND pipeline_id = $2 AND state = $3 AND archived = $4 AND n = 0`,
		k.experiment, k.pipeline, k.state, k.archived)
	return err
}

// moveCounts adds the counts of one experiment to those of another.
func moveCounts(ctx context.Context, tx *tx, from, to string) error {
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO run_counts (experiment_id, pipeline_id, state, archived, n)
		SELECT $2, pipeline_id, state, archived, n FROM run_counts WHERE experiment_id = $1
		ON CONFLICT (experiment_id, pipeline_id, state, archived) DO UPDATE SET n = run_counts.n + excluded.n`, from, to)
	if err != nil {
		return err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `DELETE FROM run_counts WHERE experiment_id = $1`, from)
	return err
}

// archiveCounts counts all runs of an experiment as archived, or as not archived.
func archiveCounts(ctx context.Context, tx *tx, experiment string, archived bool) error {
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO run_counts (experiment_id, pipeline_id, state, archived, n)
		SELECT experiment_id, pipeline_id, state, $2, n FROM run_counts WHERE experiment_id = $1 AND archived <> $2
		ON CONFLICT (experiment_id, pipeline_id, state, archived) DO UPDATE SET n = run_counts.n + excluded.n`, experiment, bit(archived))
	if err != nil {
		return err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `DELETE FROM run_counts WHERE experiment_id = $1 AND archived <> $2`, experiment, bit(archived))
	return err
}

// countArtifact changes the number of artifacts of a schema.
func countArtifact(ctx context.Context, tx *tx, schema string, change int) error {
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO artifact_counts (schema_title, n)
		VALUES ($1, $2)
		ON CONFLICT (schema_title) DO UPDATE SET n = artifact_counts.n + excluded.n`, schema, change)
	return err
}
