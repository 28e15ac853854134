package store

import (
	"context"
	"database/sql"
	"errors"

	"levada/internal/core/fault"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

// GetPartitioning returns how a pipeline is partitioned; NotFound when it is not.
func (s *Store) GetPartitioning(ctx context.Context, pipelineID string) (partition.Definition, error) {
	// Uses the primary key.
	return readOne(ctx, s, "partitions of pipeline", pipelineID, `SELECT body FROM partitionings WHERE pipeline_id = $1`, scanPartitioning, pipelineID)
}

func scanPartitioning(scan scanner) (partition.Definition, error) {
	var d partition.Definition
	body, err := scanText(scan)
	if err != nil {
		return d, err
	}
	return d, decode("partitions", body, &d)
}

// SetPartitioning stores how a pipeline is partitioned and finds the partitions of the runs that it has.
func (s *Store) SetPartitioning(ctx context.Context, pipelineID string, d partition.Definition) error {
	body, err := encode("partitions", d)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		var one int
		// Uses the primary key.
		err := tx.get(ctx, `SELECT 1 FROM pipelines WHERE id = $1`, []any{pipelineID}, []any{&one})
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("pipeline", pipelineID)
		}
		if err != nil {
			return err
		}
		var before string
		// Uses the primary key.
		err = tx.get(ctx, `SELECT json_extract(body, '$.parameter') FROM partitionings WHERE pipeline_id = $1`, []any{pipelineID}, []any{&before})
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO partitionings (pipeline_id, body)
			VALUES ($1, $2)
			ON CONFLICT (pipeline_id) DO UPDATE SET body = excluded.body`, pipelineID, body)
		if err != nil || before == d.Parameter {
			return err
		}
		return labelRuns(ctx, tx, pipelineID, d.Parameter)
	})
}

// keyIn is the SQL for the partition that a run is for, as partition.KeyOf says it; $2 is the parameter.
const keyIn = `COALESCE((
			SELECT CASE WHEN p.type IN ('text', 'integer', 'real') THEN CAST(p.value AS TEXT) ELSE '' END
			FROM json_each(runs.body, '$.parameters') AS p
			WHERE p.key = $2), '')`

// labelRuns writes the partitions of a pipeline's runs.
func labelRuns(ctx context.Context, tx *tx, pipelineID, parameter string) error {
	// Uses runs_by_pipeline.
	_, err := tx.exec(ctx, `
		UPDATE runs
		SET partition_key = `+keyIn+`
		WHERE pipeline_id = $1`, pipelineID, parameter)
	return err
}

// DeletePartitioning forgets how a pipeline is partitioned. Its runs and backfills stay.
func (s *Store) DeletePartitioning(ctx context.Context, pipelineID string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `DELETE FROM partitionings WHERE pipeline_id = $1`, pipelineID)
		if err == nil && n == 0 {
			return notFound("partitions of pipeline", pipelineID)
		}
		if err != nil {
			return err
		}
		// Uses runs_by_partition.
		_, err = tx.exec(ctx, `UPDATE runs SET partition_key = '' WHERE pipeline_id = $1 AND partition_key <> ''`, pipelineID)
		return err
	})
}

// keyOfRun is the partition that a new run is for.
func keyOfRun(ctx context.Context, tx *tx, r run.Run) (string, error) {
	if r.PipelineID == "" {
		return "", nil
	}
	var parameter string
	// Uses the primary key.
	err := tx.get(ctx, `SELECT json_extract(body, '$.parameter') FROM partitionings WHERE pipeline_id = $1`, []any{r.PipelineID}, []any{&parameter})
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return partition.KeyOf(r.Parameters[parameter]), err
}

// newestOf begins a query with the newest run of each partition that was not cancelled. Where the pipeline is partitioned by the
// parameter it uses runs_by_partition, else it looks into all of its runs.
func (s *Store) newestOf(ctx context.Context, pipelineID, parameter string) (string, error) {
	d, err := s.GetPartitioning(ctx, pipelineID)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return "", err
	}
	runs := `SELECT * FROM runs WHERE pipeline_id = $1 AND partition_key <> '' AND $2 <> ''`
	if d.Parameter != parameter {
		runs = `SELECT id, ` + keyIn + ` AS partition_key, state, created_at, finished_at, body FROM runs WHERE pipeline_id = $1`
	}
	return `
	WITH newest AS (
		SELECT id, partition_key, state, created_at, finished_at, body,
			ROW_NUMBER() OVER (PARTITION BY partition_key ORDER BY created_at DESC, id DESC) AS place
		FROM (` + runs + `)
		WHERE partition_key <> '' AND state <> 'CANCELED'
	)`, nil
}

// PartitionRuns returns the newest run of each partition of a pipeline that was not cancelled, by key. Partitions are values of the
// parameter, whether the pipeline is partitioned by it or not.
func (s *Store) PartitionRuns(ctx context.Context, pipelineID, parameter string) (map[string]partition.Run, error) {
	newest, err := s.newestOf(ctx, pipelineID, parameter)
	if err != nil {
		return nil, err
	}
	runs, err := readAll(ctx, s, func(scan scanner) (r partition.Run, err error) {
		var created, finished int64
		err = scan(&r.Key, &r.RunID, &r.State, &r.SpecDigest, &created, &finished)
		r.CreatedAt, r.FinishedAt = instant(created), instant(finished)
		return r, err
	}, newest+`
		SELECT partition_key, id, state, COALESCE(json_extract(body, '$.spec_digest'), ''), created_at, finished_at
		FROM newest
		WHERE place = 1`, pipelineID, parameter)
	out := make(map[string]partition.Run, len(runs))
	for _, r := range runs {
		out[r.Key] = r
	}
	return out, err
}

// PartitionInputs returns what those runs have imported from outside, by run, at most so many rows.
func (s *Store) PartitionInputs(ctx context.Context, pipelineID, parameter string, most int) (map[string][]partition.Input, error) {
	newest, err := s.newestOf(ctx, pipelineID, parameter)
	if err != nil {
		return nil, err
	}
	// Uses artifacts_by_run.
	inputs, err := readAll(ctx, s, func(scan scanner) (in partition.Input, err error) {
		return in, scan(&in.RunID, &in.URI, &in.Digest, &in.Size)
	}, newest+`
		SELECT a.run_id, json_extract(a.body, '$.uri'), a.digest, COALESCE(json_extract(a.body, '$.size'), 0)
		FROM newest
		JOIN artifacts a ON a.run_id = newest.id
		WHERE place = 1 AND a.digest <> '' AND COALESCE(json_extract(a.body, '$.uri'), 'levada:') NOT LIKE 'levada:%'
		LIMIT $3`, pipelineID, parameter, most)
	out := make(map[string][]partition.Input)
	for _, in := range inputs {
		out[in.RunID] = append(out[in.RunID], in)
	}
	return out, err
}
