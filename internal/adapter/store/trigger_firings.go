package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

const (
	// keptFirings is how many firings of a trigger are kept of each final state.
	keptFirings = 1000
	// keptTriggerRuns is how many of the runs that a trigger started it is known of that it did.
	keptTriggerRuns = 10_000
)

const firingColumns = "id, trigger_id, state, reason, run_id, key, created_at, updated_at, event"

func firingList() *list {
	return &list{
		name:  "firings",
		table: "trigger_firings",
		columns: map[string]column{
			"id":         {name: "id"},
			"trigger_id": {name: "trigger_id"},
			"state":      {name: "state"},
			"run_id":     {name: "run_id", optional: true},
			"created_at": {name: "created_at", kind: moment},
		},
		selected: firingColumns,
	}
}

func scanFiring(scan scanner) (event.Firing, error) {
	var f event.Firing
	var body string
	var created, updated int64
	if err := scan(&f.ID, &f.TriggerID, &f.State, &f.Reason, &f.RunID, &f.Key, &created, &updated, &body); err != nil {
		return f, err
	}
	f.CreatedAt, f.UpdatedAt = instant(created), instant(updated)
	return f, decode("event", body, &f.Event)
}

// EventSignal is sent to when there is a new event.
func (h Triggers) EventSignal() <-chan struct{} { return h.s.happenings }

// Happened returns the oldest events that were not handed to the triggers yet, at most limit, and the number of the last of them.
func (h Triggers) Happened(ctx context.Context, limit int) (events []event.Event, last int64, err error) {
	// Uses the primary key.
	events, err = readAll(ctx, h.s, func(scan scanner) (event.Event, error) {
		var e event.Event
		var body string
		if err := scan(&last, &body); err != nil {
			return e, err
		}
		return e, decode("event", body, &e)
	}, `SELECT n, body FROM trigger_events ORDER BY n LIMIT $1`, limit)
	return events, last, err
}

// Record stores what triggers make of events, and forgets the events up to a number, in one transaction. A firing that is there
// already stays as it is. One whose key another one of its trigger has that counts, and is not older than the key counts, is ignored;
// so is one that would be more than event.MaxWaiting that wait. The marks are those of the trigger with the given id.
func (h Triggers) Record(ctx context.Context, firings []event.Firing, upTo int64, window map[string]time.Duration, triggerID string, marks []event.Mark) error {
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		told := map[string]bool{}
		for _, f := range firings {
			if err := record(ctx, tx, f, window[f.TriggerID]); err != nil {
				return err
			}
			told[f.TriggerID] = true
		}
		for id := range told {
			if err := forgetFirings(ctx, tx, id); err != nil {
				return err
			}
		}
		if len(marks) > 0 {
			var there int
			// Uses the primary key. The trigger may have been deleted since it was looked at.
			if err := tx.get(ctx, `SELECT EXISTS (SELECT 1 FROM triggers WHERE id = $1)`, []any{triggerID}, []any{&there}); err != nil {
				return err
			}
			if there == 1 {
				if err := putMarks(ctx, tx, triggerID, marks); err != nil {
					return err
				}
			}
		}
		if upTo == 0 {
			return nil
		}
		// Uses the primary key.
		_, err := tx.exec(ctx, `DELETE FROM trigger_events WHERE n <= $1`, upTo)
		return err
	})
}

func record(ctx context.Context, tx *tx, f event.Firing, window time.Duration) error {
	if f.State == event.Waiting && f.Key != "" {
		var first string
		// Uses trigger_firings_by_key.
		err := tx.get(ctx, `
			SELECT id
			FROM trigger_firings
			WHERE trigger_id = $1 AND key = $2 AND key <> '' AND created_at > $3 AND state <> 'IGNORED' AND id <> $4
			LIMIT 1`, []any{f.TriggerID, f.Key, micros(f.CreatedAt.Add(-window)), f.ID}, []any{&first})
		switch {
		case err == nil:
			f.State, f.Reason = event.Ignored, "it has the same dedup_key as firing "+first
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
	}
	if f.State == event.Waiting {
		var n int
		// Uses trigger_firings_by_state.
		if err := tx.get(ctx, `SELECT COUNT(*) FROM trigger_firings WHERE trigger_id = $1 AND state = 'WAITING'`, []any{f.TriggerID}, []any{&n}); err != nil {
			return err
		}
		if n >= event.MaxWaiting {
			f.State, f.Reason = event.Ignored, "too many events of this trigger wait already"
		}
	}
	body, err := encode("event", f.Event)
	if err != nil {
		return err
	}
	// The trigger may have been deleted. Uses the primary key of triggers.
	_, err = tx.exec(ctx, `
		INSERT INTO trigger_firings (`+firingColumns+`)
		SELECT $1, id, $3, $4, $5, $6, $7, $8, $9 FROM triggers WHERE id = $2
		ON CONFLICT (id) DO NOTHING`,
		f.ID, f.TriggerID, string(f.State), f.Reason, f.RunID, f.Key, micros(f.CreatedAt), micros(f.UpdatedAt), body)
	return err
}

// forgetFirings removes the oldest firings of a trigger that are more than are kept.
func forgetFirings(ctx context.Context, tx *tx, triggerID string) error {
	for _, state := range []event.FiringState{event.Ignored, event.Started, event.Sent, event.Failed} {
		// Uses trigger_firings_by_state.
		_, err := tx.exec(ctx, `
			DELETE FROM trigger_firings
			WHERE trigger_id = $1 AND state = $2 AND n <= (
				SELECT n FROM trigger_firings WHERE trigger_id = $1 AND state = $2 ORDER BY n DESC LIMIT 1 OFFSET $3)`,
			triggerID, string(state), keptFirings)
		if err != nil {
			return err
		}
	}
	return nil
}

// Unsettled returns the firings of a trigger that wait or whose run is being started, oldest first.
func (h Triggers) Unsettled(ctx context.Context, triggerID string) ([]event.Firing, error) {
	// Uses trigger_firings_by_state.
	return readAll(ctx, h.s, scanFiring, `
		SELECT `+firingColumns+`
		FROM trigger_firings
		WHERE trigger_id = $1 AND state IN ('WAITING', 'STARTING')
		ORDER BY n`, triggerID)
}

// Begin notes that a run is going to be started for some firings, before it is.
func (h Triggers) Begin(ctx context.Context, triggerID string, firings []event.Firing, runID string, cause []string, at time.Time) error {
	body, err := encode("cause of a run", append([]string{}, cause...))
	if err != nil {
		return err
	}
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO trigger_runs (run_id, trigger_id, at, cause)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (run_id) DO NOTHING`, runID, triggerID, micros(at), body)
		if err != nil {
			return err
		}
		// Uses trigger_runs_by_trigger.
		_, err = tx.exec(ctx, `
			DELETE FROM trigger_runs
			WHERE trigger_id = $1 AND at < (SELECT at FROM trigger_runs WHERE trigger_id = $1 ORDER BY at DESC LIMIT 1 OFFSET $2)`,
			triggerID, keptTriggerRuns)
		if err != nil {
			return err
		}
		return settle(ctx, tx, firings, event.Starting, "", runID, at)
	})
}

// Settle stores what has become of firings, and what has happened with it. Of a run that was refused nothing is remembered.
func (h Triggers) Settle(ctx context.Context, firings []event.Firing, state event.FiringState, reason string, at time.Time, happened ...event.Event) error {
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		if state == event.Failed && len(firings) > 0 {
			// Uses the primary key.
			if _, err := tx.exec(ctx, `DELETE FROM trigger_runs WHERE run_id = $1`, firings[0].RunID); err != nil {
				return err
			}
		}
		runID := ""
		if state == event.Started && len(firings) > 0 {
			runID = firings[0].RunID
		}
		if err := settle(ctx, tx, firings, state, reason, runID, at); err != nil {
			return err
		}
		return h.s.refused(ctx, tx, happened)
	})
}

func settle(ctx context.Context, tx *tx, firings []event.Firing, state event.FiringState, reason, runID string, at time.Time) error {
	for _, f := range firings {
		// Uses trigger_firings_by_id.
		_, err := tx.exec(ctx, `
			UPDATE trigger_firings
			SET state = $2, reason = $3, run_id = $4, updated_at = $5
			WHERE id = $1`, f.ID, string(state), reason, runID, micros(at))
		if err != nil {
			return err
		}
	}
	return nil
}

// TriggerRuns returns how many runs of a trigger are active, and when its newest limit runs were started, the newest first.
func (h Triggers) TriggerRuns(ctx context.Context, triggerID string, limit int) (active int, started []time.Time, err error) {
	// Uses runs_by_state and the primary key of trigger_runs: there are fewer active runs than runs of a trigger.
	err = h.s.read.QueryRowContext(ctx, `
		SELECT COUNT(*)
		FROM runs JOIN trigger_runs t ON t.run_id = runs.id
		WHERE runs.state IN ($2, $3, $4) AND t.trigger_id = $1`,
		triggerID, string(run.Pending), string(run.Running), string(run.Canceling)).Scan(&active)
	if err != nil || limit == 0 {
		return active, nil, h.s.readError(err)
	}
	// Uses trigger_runs_by_trigger.
	started, err = readAll(ctx, h.s, func(scan scanner) (time.Time, error) {
		var at int64
		err := scan(&at)
		return instant(at), err
	}, `SELECT at FROM trigger_runs WHERE trigger_id = $1 ORDER BY at DESC LIMIT $2`, triggerID, limit)
	return active, started, err
}

// LateRuns returns the runs, of a pipeline or of all, that have not ended and are for a time before the given one.
func (h Triggers) LateRuns(ctx context.Context, pipeline string, before time.Time) ([]event.LateRun, error) {
	// Uses runs_by_state.
	return readAll(ctx, h.s, func(scan scanner) (event.LateRun, error) {
		var r event.LateRun
		var at int64
		err := scan(&r.RunID, &r.Name, &r.Pipeline, &r.ExperimentID, &at)
		r.Since = instant(at)
		return r, err
	}, `
		SELECT id, display_name, pipeline_name, experiment_id, scheduled_at
		FROM runs
		WHERE state IN ($1, $2, $3) AND scheduled_at < $4 AND ($5 = '' OR pipeline_name = $5)`,
		string(run.Pending), string(run.Running), string(run.Canceling), micros(before), pipeline)
}

// GetFiring returns a firing.
func (h Triggers) GetFiring(ctx context.Context, id string) (event.Firing, error) {
	// Uses trigger_firings_by_id.
	return readOne(ctx, h.s, "firing", id, `SELECT `+firingColumns+` FROM trigger_firings WHERE id = $1`, scanFiring, id)
}

// LastFirings returns the newest firing of each of some triggers, by the trigger's id.
func (h Triggers) LastFirings(ctx context.Context, triggerIDs []string) (map[string]event.Firing, error) {
	out := make(map[string]event.Firing, len(triggerIDs))
	for ids := range slices.Chunk(triggerIDs, 200) {
		marks, args := make([]string, len(ids)), make([]any, len(ids))
		for i, id := range ids {
			marks[i], args[i] = fmt.Sprintf("$%d", i+1), id
		}
		// Uses the primary key of triggers, then trigger_firings_by_created.
		list, err := readAll(ctx, h.s, scanFiring, `
			SELECT `+firingColumns+`
			FROM trigger_firings
			WHERE n IN (
				SELECT (SELECT n FROM trigger_firings f WHERE f.trigger_id = t.id ORDER BY created_at DESC, id DESC LIMIT 1)
				FROM triggers t
				WHERE t.id IN (`+strings.Join(marks, ", ")+`))`, args...)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			out[f.TriggerID] = f
		}
	}
	return out, nil
}

// ListFirings lists firings of a trigger; keys: id, trigger_id, state, run_id, created_at. Newest first uses
// trigger_firings_by_created.
func (h Triggers) ListFirings(ctx context.Context, triggerID string, q listing.Query) (listing.Page[event.Firing], error) {
	if q.PageSize < 0 {
		return listing.Page[event.Firing]{}, fault.Invalidf("page size %d is negative", q.PageSize)
	}
	of := []listing.Predicate{{Key: "trigger_id", Op: listing.Equals, Values: []any{triggerID}}}
	return readPage(ctx, h.s, firingList(), q, of, scanFiring)
}
