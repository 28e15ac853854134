package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"levada/internal/core/run"
	"levada/internal/core/track"
)

// briefColumns are what scanBrief reads. A run that an early version wrote has no progress of its own: its body has the same fields.
const briefColumns = `id, display_name, pipeline_name, experiment_id, recurring_run_id, state, created_at, finished_at,
	COALESCE((SELECT p.body FROM run_progress p WHERE p.run_id = runs.id), body)`

func scanBrief(scan scanner) (run.Brief, error) {
	var b run.Brief
	var state, body string
	var created, finished int64
	if err := scan(&b.ID, &b.DisplayName, &b.PipelineName, &b.ExperimentID, &b.RecurringRunID, &state, &created, &finished, &body); err != nil {
		return b, err
	}
	b.State, b.CreatedAt = run.State(state), instant(created)
	if finished != 0 {
		at := instant(finished)
		b.FinishedAt = &at
	}
	var p struct {
		Failure *run.Failure      `json:"failure"`
		Tasks   map[run.State]int `json:"tasks"`
		Cached  int               `json:"cached"`
	}
	err := decode("progress of a run", body, &p)
	b.Failure, b.Tasks, b.Cached = p.Failure, p.Tasks, p.Cached
	return b, err
}

// NewestIn returns the newest limit runs in one of the states that were created since a time and are not archived.
func (s *Store) NewestIn(ctx context.Context, states []run.State, since time.Time, limit int) ([]run.Brief, error) {
	var out []run.Brief
	for _, state := range states {
		// Uses runs_by_state, backwards: one state at a time, so that nothing is sorted.
		rows, err := readAll(ctx, s, scanBrief, `
			SELECT `+briefColumns+`
			FROM runs
			WHERE state = $1 AND archived = 0 AND created_at >= $2
			ORDER BY created_at DESC, id DESC
			LIMIT $3`, string(state), micros(since), limit)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	slices.SortStableFunc(out, newerBrief)
	return out[:min(limit, len(out))], nil
}

func newerBrief(a, b run.Brief) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(b.ID, a.ID)
}

// CountRuns counts the runs that are not archived by state.
func (s *Store) CountRuns(ctx context.Context) (map[run.State]int, error) {
	type count struct {
		state run.State
		n     int
	}
	// Reads the whole table, which has a row for each experiment, pipeline and state.
	rows, err := readAll(ctx, s, func(scan scanner) (c count, err error) {
		return c, scan(&c.state, &c.n)
	}, `SELECT state, CAST(SUM(n) AS BIGINT) FROM run_counts WHERE archived = 0 GROUP BY state`)
	out := map[run.State]int{}
	for _, c := range rows {
		out[c.state] = c.n
	}
	return out, err
}

// GoingOn returns the newest limit tracked runs that began since a time, are going on and belong to no pipeline, without parameters
// and tags.
func (t Tracking) GoingOn(ctx context.Context, since time.Time, limit int) ([]track.Run, error) {
	// Uses tracking_runs_going_on, backwards, and for each the primary key of runs and tasks_by_id.
	return readAll(ctx, t.s, scanTrackedRun, `
		SELECT `+trackedRunColumns+`
		FROM tracking_runs
		WHERE status = 'RUNNING' AND deleted_at = 0 AND start_ms >= $2
			AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = tracking_runs.id)
			AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = tracking_runs.id)
		ORDER BY start_ms DESC, id DESC
		LIMIT $1`, limit, since.UnixMilli())
}
