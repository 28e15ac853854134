package store

import (
	"context"
	"database/sql"
	"fmt"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// putTasks stores tasks, replacing those that are there. A task keeps the place in the run's order that it
// got first.
func putTasks(ctx context.Context, tx *tx, runID string, tasks []run.Task) error {
	if len(tasks) == 0 {
		return nil
	}
	var last int64
	// Uses tasks_by_ordinal.
	err := tx.get(ctx, `SELECT COALESCE(MAX(ordinal), 0) FROM tasks WHERE run_id = $1`, []any{runID}, []any{&last})
	if err != nil {
		return err
	}
	for i, t := range tasks {
		if t.RunID != runID {
			return fault.Invalidf("store tasks of run %q: task %q belongs to run %q", runID, t.Path, t.RunID)
		}
		body, err := encode("task", t)
		if err != nil {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO tasks (run_id, path, id, ordinal, state, cached_from, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (run_id, path) DO UPDATE
			SET state = excluded.state, cached_from = excluded.cached_from, body = excluded.body`,
			runID, t.Path, t.ID, last+1+int64(i), string(t.State), t.CachedFrom, body)
		if duplicate(err) {
			return fault.Conflictf("task %q of run %q: another task has its id %q", t.Path, runID, t.ID)
		}
		if err != nil {
			return err
		}
		if err := putUses(ctx, tx, t); err != nil {
			return err
		}
	}
	return nil
}

// removeTasks forgets tasks.
func removeTasks(ctx context.Context, tx *tx, runID string, paths []string) error {
	for _, path := range paths {
		// Uses the primary key.
		if _, err := tx.exec(ctx, `DELETE FROM tasks WHERE run_id = $1 AND path = $2`, runID, path); err != nil {
			return err
		}
		// Uses artifact_uses_by_task.
		if _, err := tx.exec(ctx, `DELETE FROM artifact_uses WHERE run_id = $1 AND path = $2`, runID, path); err != nil {
			return err
		}
	}
	return nil
}

func scanTask(scan scanner) (run.Task, error) {
	var t run.Task
	var body string
	if err := scan(&body); err != nil {
		return t, err
	}
	err := decode("task", body, &t)
	return t, err
}

// Tasks returns all tasks of a run in the order in which they were created.
func (s *Store) Tasks(ctx context.Context, runID string) ([]run.Task, error) {
	// Uses tasks_by_ordinal.
	rows, err := s.read.QueryContext(ctx, `
		SELECT body
		FROM tasks
		WHERE run_id = $1
		ORDER BY ordinal`, runID)
	if err != nil {
		return nil, s.readError(fmt.Errorf("list tasks of run %q: %w", runID, err))
	}
	var tasks []run.Task
	err = drain(rows, func(rows *sql.Rows) error {
		t, err := scanTask(rows.Scan)
		tasks = append(tasks, t)
		return err
	})
	if err != nil {
		return nil, s.readError(fmt.Errorf("list tasks of run %q: %w", runID, err))
	}
	if len(tasks) == 0 {
		return nil, s.runExists(ctx, runID)
	}
	return tasks, nil
}

// encodedAtOnce is how many tasks EncodedTasks reads at a time.
const encodedAtOnce = 256

// EncodedTasks calls yield with the JSON of each task of a run, in the order in which they were created. No query is open
// while it does.
func (s *Store) EncodedTasks(ctx context.Context, runID string, yield func(task []byte) error) error {
	for last, n := int64(0), encodedAtOnce; n == encodedAtOnce; {
		type row struct {
			ordinal int64
			body    []byte
		}
		// Uses tasks_by_ordinal.
		rows, err := readAll(ctx, s, func(scan scanner) (r row, err error) {
			err = scan(&r.ordinal, &r.body)
			return r, err
		}, `
			SELECT ordinal, body
			FROM tasks
			WHERE run_id = $1 AND ordinal > $2
			ORDER BY ordinal
			LIMIT $3`, runID, last, encodedAtOnce)
		if err != nil {
			return fmt.Errorf("list tasks of run %q: %w", runID, err)
		}
		if last == 0 && len(rows) == 0 {
			return s.runExists(ctx, runID)
		}
		for _, r := range rows {
			if err := yield(r.body); err != nil {
				return err
			}
			last = r.ordinal
		}
		n = len(rows)
	}
	return nil
}

// GetTask finds a task of a run by id.
func (s *Store) GetTask(ctx context.Context, runID, taskID string) (run.Task, error) {
	// Uses tasks_by_id.
	return readOne(ctx, s, "task", taskID, `
		SELECT body
		FROM tasks
		WHERE id = $1 AND run_id = $2`, scanTask, taskID, runID)
}
