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
		return in, scan(&in.RunID, &in.URI, &in.Digest, &in.Size, &in.Tag)
	}, newest+`
		SELECT a.run_id, json_extract(a.body, '$.uri'), a.digest, COALESCE(json_extract(a.body, '$.size'), 0), COALESCE(json_extract(a.body, '$.tag'), '')
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

// makers bounds how many artifacts with one content are looked at to find the partitions that have made it.
const makers = 50

// PartitionUpstream returns, by run, what the newest runs of partitions have imported by its digest that is no longer what the partition
// gives that made it: the newest run of that one which succeeded gave something else from the same task under the same name. Content
// that some partition gives at present is as it should be, whoever else made it before.
func (s *Store) PartitionUpstream(ctx context.Context, pipelineID, parameter string, most int) (map[string][]partition.Upstream, error) {
	newest, err := s.newestOf(ctx, pipelineID, parameter)
	if err != nil {
		return nil, err
	}
	// Uses artifacts_by_run and tasks_by_id.
	imported, err := readAll(ctx, s, func(scan scanner) (u partition.Upstream, err error) {
		return u, scan(&u.RunID, &u.Digest)
	}, newest+`
		SELECT DISTINCT a.run_id, a.digest
		FROM newest
		JOIN artifacts a ON a.run_id = newest.id
		JOIN tasks t ON t.id = a.task_id
		WHERE place = 1 AND newest.state = 'SUCCEEDED' AND a.digest <> '' AND json_extract(a.body, '$.uri') LIKE 'levada:%'
			AND json_extract(t.body, '$.kind') = 'importer'
		LIMIT $3`, pipelineID, parameter, most)
	if err != nil || len(imported) == 0 {
		return nil, err
	}
	gives, err := s.gives(ctx, imported)
	if err != nil {
		return nil, err
	}
	out := map[string][]partition.Upstream{}
	for _, u := range imported {
		if now := gives[u.Digest]; now.Now != "" && now.Now != u.Digest {
			now.RunID = u.RunID
			out[u.RunID] = append(out[u.RunID], now)
		}
	}
	return out, nil
}

// givesQuery uses artifacts_by_digest, whose first rows are those of who made the content and not of who imported it; tasks_by_id,
// runs_by_partition and artifacts_by_run: the pluses keep SQLite from all artifacts of a name, or of a content, in all runs.
const givesQuery = `
		SELECT DISTINCT k.value, p.name, made_in.partition_key, now.digest
		FROM json_each($1) k
		JOIN artifacts made ON made.id IN (SELECT id FROM artifacts WHERE digest = k.value ORDER BY created_at, id LIMIT $2)
		JOIN tasks maker ON maker.id = made.task_id AND json_extract(maker.body, '$.kind') = 'container'
		JOIN runs made_in ON made_in.id = made.run_id AND made_in.partition_key <> ''
		JOIN pipelines p ON p.id = made_in.pipeline_id
		JOIN artifacts now ON +now.name = made.name AND now.digest <> '' AND now.run_id = (
			SELECT id
			FROM runs
			WHERE pipeline_id = made_in.pipeline_id AND partition_key = made_in.partition_key AND partition_key <> '' AND state = 'SUCCEEDED'
			ORDER BY created_at DESC, id DESC
			LIMIT 1)
		JOIN tasks again ON again.id = now.task_id AND again.path = maker.path
		WHERE NOT EXISTS (
			SELECT 1
			FROM artifacts brought
			JOIN tasks importer ON importer.id = brought.task_id AND json_extract(importer.body, '$.kind') = 'importer'
			WHERE brought.run_id = made_in.id AND +brought.digest = k.value)`

// gives says, by digest, what a partition gives at present that has made the content; the same content where any of those that made it does.
// A run that has imported the content and hands it on has not made it.
func (s *Store) gives(ctx context.Context, imported []partition.Upstream) (map[string]partition.Upstream, error) {
	digests := make([]string, 0, len(imported))
	seen := map[string]bool{}
	for _, u := range imported {
		if !seen[u.Digest] {
			seen[u.Digest] = true
			digests = append(digests, u.Digest)
		}
	}
	found, err := those(ctx, s, func(scan scanner) (u partition.Upstream, err error) {
		return u, scan(&u.Digest, &u.Pipeline, &u.Key, &u.Now)
	}, givesQuery, digests, makers)
	out := map[string]partition.Upstream{}
	for _, u := range found {
		if before, there := out[u.Digest]; !there || u.Now == u.Digest || before.Now != u.Digest && u.Key < before.Key {
			out[u.Digest] = u
		}
	}
	return out, err
}
