package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func runList() *list {
	return &list{
		name:  "runs",
		table: "runs",
		columns: map[string]column{
			"id":               {name: "id"},
			"display_name":     {name: "display_name", folded: "display_name_folded"},
			"description":      {name: "description"},
			"pipeline_name":    {name: "pipeline_name", folded: "pipeline_name_folded"},
			"state":            {name: "state"},
			"experiment_id":    {name: "experiment_id"},
			"pipeline_id":      {name: "pipeline_id"},
			"version_id":       {name: "version_id"},
			"archived":         {name: "archived", kind: flag},
			"created_at":       {name: "created_at", kind: moment},
			"scheduled_at":     {name: "scheduled_at", kind: moment},
			"recurring_run_id": {name: "recurring_run_id", optional: true},
			"backfill_id":      {name: "backfill_id", optional: true},
			"partition":        {name: "partition_key", optional: true},
			"finished_at":      {name: "finished_at", kind: moment, optional: true},
		},
		selected:   wholeRun,
		countTable: "run_counts",
		countKeys:  map[string]bool{"experiment_id": true, "pipeline_id": true, "state": true, "archived": true},
		filter:     runFilter,
	}
}

// wholeRun are what scanRun reads. Uses the primary key of run_progress.
const wholeRun = "experiment_id, archived, body, COALESCE((SELECT p.body FROM run_progress p WHERE p.run_id = runs.id), '')"

// scanRun reads wholeRun. The first two change without the body, and the body is what the run was created with.
func scanRun(scan scanner) (run.Run, error) {
	var r run.Run
	var experiment, body, moved string
	var archived int64
	if err := scan(&experiment, &archived, &body, &moved); err != nil {
		return r, err
	}
	err := decode("run", body, &r)
	if err == nil && moved != "" {
		var p progress
		err = decode("progress of a run", moved, &p)
		p.onto(&r)
	}
	r.ExperimentID, r.Archived = experiment, archived != 0
	return r, err
}

// CreateRun stores a new run with its first events and tasks, and notes the time in its experiment.
func (s *Store) CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error {
	body, err := encode("run", r)
	if err != nil {
		return err
	}
	if err := checkSequence(r.ID, events); err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		if err := insertRun(ctx, tx, r, body); err != nil {
			return err
		}
		if err := countRun(ctx, tx, kindOf(r), 1); err != nil {
			return err
		}
		if err := insertEvents(ctx, tx, r.ID, events); err != nil {
			return err
		}
		if err := putTasks(ctx, tx, r.ID, tasks); err != nil {
			return err
		}
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			UPDATE experiments
			SET last_run_at = $2
			WHERE id = $1 AND last_run_at < $2`, r.ExperimentID, micros(r.CreatedAt))
		if err != nil {
			return err
		}
		if err := s.runEnded(ctx, tx, &r); err != nil {
			return err
		}
		return s.projectRun(ctx, tx, r.ID, &r, tasks)
	})
}

func insertRun(ctx context.Context, tx *tx, r run.Run, body string) error {
	key, err := keyOfRun(ctx, tx, r)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		INSERT INTO runs (id, display_name, display_name_folded, experiment_id, pipeline_id, version_id, pipeline_name,
			pipeline_name_folded, state, archived, created_at, finished_at, body, recurring_run_id, description, scheduled_at,
			partition_key, backfill_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		r.ID, r.DisplayName, fold(r.DisplayName), r.ExperimentID, r.PipelineID, r.VersionID, r.PipelineName,
		fold(r.PipelineName), string(r.State), bit(r.Archived), micros(r.CreatedAt), microsOrNone(r.FinishedAt), body,
		r.RecurringRunID, r.Description, micros(r.ScheduledAt), key, r.BackfillID)
	if duplicate(err) {
		return fault.Conflictf("run %q already exists", r.ID)
	}
	return err
}

// Append adds events to a run's log and replaces the rows they changed. Of changed.Run only what a log can change is stored: its
// progress.
func (s *Store) Append(ctx context.Context, runID string, events []run.Event, changed run.Changes) error {
	if len(events) == 0 {
		return fault.Invalidf("append to run %q: no events", runID)
	}
	if err := checkSequence(runID, events); err != nil {
		return err
	}
	var body string
	if changed.Run != nil {
		if changed.Run.ID != runID {
			return fault.Invalidf("append to run %q: the changed run is %q", runID, changed.Run.ID)
		}
		var err error
		if body, err = encode("progress of a run", progressOf(changed.Run)); err != nil {
			return err
		}
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		if err := checkTail(ctx, tx, runID, events[0].Seq); err != nil {
			return err
		}
		if err := insertEvents(ctx, tx, runID, events); err != nil {
			return err
		}
		var moved *run.Run // set when the run has another state, which is what others are told of
		if changed.Run != nil {
			changes, err := replaceRun(ctx, tx, changed.Run, body)
			if err != nil {
				return err
			}
			if changes {
				moved = changed.Run
			}
		}
		if err := removeTasks(ctx, tx, runID, changed.Removed); err != nil {
			return err
		}
		if err := putTasks(ctx, tx, runID, changed.Tasks); err != nil {
			return err
		}
		if err := putArtifacts(ctx, tx, changed.Artifacts, events[len(events)-1].At); err != nil {
			return err
		}
		if err := s.dataMade(ctx, tx, changed.Artifacts); err != nil {
			return err
		}
		if err := s.artifactsMade(ctx, tx, runID, changed.Artifacts, events[len(events)-1].At); err != nil {
			return err
		}
		if err := s.runEnded(ctx, tx, moved); err != nil {
			return err
		}
		if err := s.projectRun(ctx, tx, runID, moved, changed.Tasks); err != nil {
			return err
		}
		if err := putCacheEntries(ctx, tx, changed.Cache); err != nil {
			return err
		}
		return noteCacheHits(ctx, tx, changed.Hits)
	})
}

// replaceRun writes what the engine knows of a run. The row of the run is written, and counted elsewhere, only when its state has
// changed, which it reports.
func replaceRun(ctx context.Context, tx *tx, r *run.Run, body string) (bool, error) {
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO run_progress (run_id, body)
		VALUES ($1, $2)
		ON CONFLICT (run_id) DO UPDATE SET body = excluded.body`, r.ID, body)
	if err != nil {
		return false, err
	}
	before, err := readKind(ctx, tx, r.ID)
	if err != nil || before.state == string(r.State) {
		return false, err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `
		UPDATE runs
		SET state = $2, finished_at = $3
		WHERE id = $1`, r.ID, string(r.State), microsOrNone(r.FinishedAt))
	if err != nil {
		return false, err
	}
	after := before
	after.state = string(r.State)
	return true, recount(ctx, tx, before, after)
}

// GetRun returns a run.
func (s *Store) GetRun(ctx context.Context, id string) (run.Run, error) {
	// Uses the primary key.
	return readOne(ctx, s, "run", id, `SELECT `+wholeRun+` FROM runs WHERE id = $1`, scanRun, id)
}

// ListRuns lists runs. Newest first, alone or by archived, experiment_id, pipeline_id or state, uses the
// index runs_by_… of that column, by recurring_run_id runs_by_recurring_run; the order of names uses runs_by_name; other orders sort all the runs that
// match.
func (s *Store) ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error) {
	return readPage(ctx, s, runList(), q, nil, scanRun)
}

// RunNamed reports whether there is a run of a pipeline whose specification gives it this name.
func (s *Store) RunNamed(ctx context.Context, pipeline string) (bool, error) {
	var there bool
	// Uses runs_by_pipeline_name.
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE pipeline_name = $1)`, pipeline).Scan(&there)
	if err != nil {
		return false, s.readError(fmt.Errorf("look for runs named %q: %w", pipeline, err))
	}
	return there, nil
}

// UnfinishedRuns returns the ids of the runs whose state is not final, oldest first.
func (s *Store) UnfinishedRuns(ctx context.Context) ([]string, error) {
	// Uses runs_by_state.
	rows, err := s.read.QueryContext(ctx, `
		SELECT id
		FROM runs
		WHERE state IN ($1, $2, $3)
		ORDER BY created_at, id`, string(run.Pending), string(run.Running), string(run.Canceling))
	if err != nil {
		return nil, s.readError(fmt.Errorf("list unfinished runs: %w", err))
	}
	var ids []string
	err = drain(rows, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, s.readError(err)
}

// SetArchived hides a run from default lists, or brings it back.
func (s *Store) SetArchived(ctx context.Context, runID string, archived bool) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		before, err := readKind(ctx, tx, runID)
		if err != nil {
			return err
		}
		// Uses the primary key.
		if _, err := tx.exec(ctx, `UPDATE runs SET archived = $2 WHERE id = $1`, runID, bit(archived)); err != nil {
			return err
		}
		if err := s.hideTracked(ctx, tx, runID, bit(archived)); err != nil {
			return err
		}
		after := before
		after.archived = bit(archived)
		return recount(ctx, tx, before, after)
	})
}

// MoveRuns puts all runs of one experiment into another.
func (s *Store) MoveRuns(ctx context.Context, fromExperiment, toExperiment string) error {
	if fromExperiment == toExperiment {
		return nil
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses runs_by_experiment.
		_, err := tx.exec(ctx, `
			UPDATE runs
			SET experiment_id = $2
			WHERE experiment_id = $1`, fromExperiment, toExperiment)
		if err != nil {
			return err
		}
		if err := s.moveTracked(ctx, tx, fromExperiment, toExperiment); err != nil {
			return err
		}
		return moveCounts(ctx, tx, fromExperiment, toExperiment)
	})
}

// DeleteRun removes a run with its tasks, events and cache entries, and those of its artifacts that no other
// run has taken from the cache. Artifacts that outlived their own run go with the last run that uses them.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		before, err := readKind(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := countRun(ctx, tx, before, -1); err != nil {
			return err
		}
		if err := s.deleteTracked(ctx, tx, id); err != nil {
			return err
		}
		if err := deleteUnusedArtifacts(ctx, tx, id); err != nil {
			return err
		}
		// Uses cache_entries_by_run.
		if _, err := tx.exec(ctx, `DELETE FROM cache_entries WHERE run_id = $1`, id); err != nil {
			return err
		}
		// Uses the primary key.
		if _, err := tx.exec(ctx, `DELETE FROM trigger_runs WHERE run_id = $1`, id); err != nil {
			return err
		}
		// Uses the primary key; events and tasks follow by their foreign keys.
		_, err = tx.exec(ctx, `DELETE FROM runs WHERE id = $1`, id)
		return err
	})
}

// readKind reads what a run is counted under.
func readKind(ctx context.Context, tx *tx, id string) (runKind, error) {
	var k runKind
	// Uses the primary key.
	err := tx.get(ctx, `
		SELECT experiment_id, pipeline_id, state, archived
		FROM runs
		WHERE id = $1`, []any{id}, []any{&k.experiment, &k.pipeline, &k.state, &k.archived})
	if errors.Is(err, sql.ErrNoRows) {
		return k, notFound("run", id)
	}
	return k, err
}
