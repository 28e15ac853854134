package store

import (
	"context"
	"fmt"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

const backfillColumns = "state, updated_at, finished_at, failure, body"

// The states of a partition of a backfill.
const waitingPartition, startedPartition = "waiting", "started"

func backfillList() *list {
	return &list{
		name:  "backfills",
		table: "backfills",
		columns: map[string]column{
			"id":          {name: "id"},
			"pipeline_id": {name: "pipeline_id"},
			"state":       {name: "state"},
			"created_at":  {name: "created_at", kind: moment},
			"updated_at":  {name: "updated_at", kind: moment},
		},
		selected: backfillColumns,
	}
}

// scanBackfill reads backfillColumns. The columns before the body change without it.
func scanBackfill(scan scanner) (catalog.Backfill, error) {
	var b catalog.Backfill
	var state, failure, body string
	var updated, finished int64
	if err := scan(&state, &updated, &finished, &failure, &body); err != nil {
		return b, err
	}
	err := decode("backfill", body, &b)
	b.State, b.UpdatedAt, b.Failure, b.FinishedAt = catalog.BackfillState(state), instant(updated), failure, nil
	if finished != 0 {
		at := instant(finished)
		b.FinishedAt = &at
	}
	return b, err
}

// CreateBackfill stores a new backfill with its partitions, in the order in which they are to be started. All of them wait.
func (s *Store) CreateBackfill(ctx context.Context, b catalog.Backfill, partitions []catalog.BackfillPartition) error {
	progress := b.Progress
	b.Progress = catalog.BackfillProgress{}
	body, err := encode("backfill", b)
	b.Progress = progress
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO backfills (id, pipeline_id, state, created_at, updated_at, finished_at, failure, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			b.ID, b.PipelineID, string(b.State), micros(b.CreatedAt), micros(b.UpdatedAt), microsOrNone(b.FinishedAt), b.Failure, body)
		if duplicate(err) {
			return fault.Conflictf("backfill %q already exists", b.ID)
		}
		if err != nil {
			return err
		}
		for _, p := range partitions {
			_, err := tx.exec(ctx, `
				INSERT INTO backfill_partitions (backfill_id, position, partition_key, run_id, state, since)
				VALUES ($1, $2, $3, $4, $5, $6)`, b.ID, p.Position, p.Key, p.RunID, waitingPartition, micros(p.Since))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// UpdateBackfill stores what changes of a backfill: its state, its times and why it was paused.
func (s *Store) UpdateBackfill(ctx context.Context, b catalog.Backfill) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			UPDATE backfills
			SET state = $2, updated_at = $3, finished_at = $4, failure = $5
			WHERE id = $1`, b.ID, string(b.State), micros(b.UpdatedAt), microsOrNone(b.FinishedAt), b.Failure)
		if err == nil && n == 0 {
			return notFound("backfill", b.ID)
		}
		return err
	})
}

// GetBackfill returns a backfill.
func (s *Store) GetBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	// Uses the primary key.
	b, err := readOne(ctx, s, "backfill", id, `SELECT `+backfillColumns+` FROM backfills WHERE id = $1`, scanBackfill, id)
	if err != nil {
		return b, err
	}
	b.Progress, err = s.backfillProgress(ctx, id)
	return b, err
}

// ListBackfills lists backfills. Newest first uses backfills_by_created, those of a pipeline backfills_by_pipeline.
func (s *Store) ListBackfills(ctx context.Context, q listing.Query) (listing.Page[catalog.Backfill], error) {
	page, err := readPage(ctx, s, backfillList(), q, nil, scanBackfill)
	for i := 0; i < len(page.Items) && err == nil; i++ {
		page.Items[i].Progress, err = s.backfillProgress(ctx, page.Items[i].ID)
	}
	return page, err
}

// UnfinishedBackfills returns the backfills that have runs to start or to cancel, oldest first.
func (s *Store) UnfinishedBackfills(ctx context.Context) ([]catalog.Backfill, error) {
	// Reads the whole table, once at the start of a server.
	return readAll(ctx, s, scanBackfill, `
		SELECT `+backfillColumns+`
		FROM backfills
		WHERE state IN ($1, $2)
		ORDER BY created_at, id`, string(catalog.BackfillRunning), string(catalog.BackfillCanceling))
}

// backfillProgress counts the partitions of a backfill.
func (s *Store) backfillProgress(ctx context.Context, id string) (catalog.BackfillProgress, error) {
	var p catalog.BackfillProgress
	type group struct {
		state string
		run   run.State
		n     int
	}
	// Uses the primary keys.
	groups, err := readAll(ctx, s, func(scan scanner) (g group, err error) { return g, scan(&g.state, &g.run, &g.n) }, `
		SELECT p.state, COALESCE(r.state, ''), COUNT(*)
		FROM backfill_partitions p
		LEFT JOIN runs r ON r.id = p.run_id
		WHERE p.backfill_id = $1
		GROUP BY p.state, COALESCE(r.state, '')`, id)
	for _, g := range groups {
		p.Total += g.n
		switch {
		case g.state == waitingPartition && (g.run == "" || g.run.Final()):
			p.Waiting += g.n
		case g.run == "":
			p.Deleted += g.n
		case !g.run.Final():
			p.Running += g.n
		case g.run == run.Failed:
			p.Failed += g.n
		case g.run == run.Canceled:
			p.Canceled += g.n
		default:
			p.Succeeded += g.n
		}
	}
	return p, err
}

// scanBackfillPartition reads a partition with the state of its run, which may be empty.
func scanBackfillPartition(scan scanner) (p catalog.BackfillPartition, err error) {
	var state string
	var since int64
	err = scan(&p.Position, &p.Key, &p.RunID, &state, &since, &p.State)
	p.Waiting, p.Since = state == waitingPartition, instant(since)
	return p, err
}

// BackfillPartitions returns up to limit partitions of a backfill in their order, after the given position.
func (s *Store) BackfillPartitions(ctx context.Context, id string, after, limit int) ([]catalog.BackfillPartition, error) {
	// Uses the primary keys.
	return readAll(ctx, s, scanBackfillPartition, `
		SELECT p.position, p.partition_key, p.run_id, p.state, p.since, COALESCE(r.state, '')
		FROM backfill_partitions p
		LEFT JOIN runs r ON r.id = p.run_id
		WHERE p.backfill_id = $1 AND p.position > $2
		ORDER BY p.position
		LIMIT $3`, id, after, limit)
}

// NextOfBackfill returns the first partition of a backfill that waits; NotFound when none does.
func (s *Store) NextOfBackfill(ctx context.Context, id string) (catalog.BackfillPartition, error) {
	// Uses backfill_partitions_by_state.
	return readOne(ctx, s, "a waiting partition of backfill", id, `
		SELECT p.position, p.partition_key, p.run_id, p.state, p.since, COALESCE(r.state, '')
		FROM backfill_partitions p
		LEFT JOIN runs r ON r.id = p.run_id
		WHERE p.backfill_id = $1 AND p.state = $2
		ORDER BY p.position
		LIMIT 1`, scanBackfillPartition, id, waitingPartition)
}

// WaitingPartitions returns the keys of the partitions that wait in backfills of a pipeline which are running or paused.
func (s *Store) WaitingPartitions(ctx context.Context, pipelineID string) ([]string, error) {
	// Uses backfills_by_pipeline and backfill_partitions_by_state.
	return readAll(ctx, s, scanText, `
		SELECT DISTINCT p.partition_key
		FROM backfills b
		JOIN backfill_partitions p ON p.backfill_id = b.id
		WHERE b.pipeline_id = $1 AND b.state IN ($2, $3) AND p.state = $4
		ORDER BY p.partition_key`, pipelineID, string(catalog.BackfillRunning), string(catalog.BackfillPaused), waitingPartition)
}

// PartitionStarted notes that the run of a partition is on disk.
func (s *Store) PartitionStarted(ctx context.Context, id string, position int) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			UPDATE backfill_partitions
			SET state = $3
			WHERE backfill_id = $1 AND position = $2`, id, position, startedPartition)
		if err == nil && n == 0 {
			return notFound("partition of backfill", fmt.Sprintf("%s/%d", id, position))
		}
		return err
	})
}

// RetryPartitions lets those partitions of a backfill wait again whose runs failed, were cancelled or were deleted, and returns how
// many. The backfill is stored as given in the same step.
func (s *Store) RetryPartitions(ctx context.Context, b catalog.Backfill, since time.Time) (int, error) {
	retried := 0
	err := s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary keys.
		n, err := tx.exec(ctx, `
			UPDATE backfill_partitions
			SET state = $2, since = $3
			WHERE backfill_id = $1 AND state = $4 AND COALESCE((SELECT state FROM runs WHERE id = run_id), '') IN ('', $5, $6)`,
			b.ID, waitingPartition, micros(since), startedPartition, string(run.Failed), string(run.Canceled))
		if retried = int(n); err != nil || n == 0 {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			UPDATE backfills
			SET state = $2, updated_at = $3, finished_at = $4, failure = $5
			WHERE id = $1`, b.ID, string(b.State), micros(b.UpdatedAt), microsOrNone(b.FinishedAt), b.Failure)
		return err
	})
	return retried, err
}

// ActiveOfBackfill returns the ids of the runs of a backfill whose state is not final.
func (s *Store) ActiveOfBackfill(ctx context.Context, id string) ([]string, error) {
	// Uses runs_by_backfill.
	return readAll(ctx, s, scanText, `
		SELECT id
		FROM runs
		WHERE backfill_id = $1 AND backfill_id <> '' AND state IN ($2, $3, $4)
		ORDER BY id`, id, string(run.Pending), string(run.Running), string(run.Canceling))
}
