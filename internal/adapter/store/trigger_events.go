package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"levada/internal/core/event"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

// happened notes events for the triggers of their kind, in the transaction in which they happen. Where there is none, nothing is made.
// runID is the run in which they happened, if one is known; it is the cause of those events that name none.
func (s *Store) happened(ctx context.Context, tx *tx, kind event.Kind, runID string, events func() ([]event.Event, error)) error {
	var wanted int
	// Uses triggers_by_kind.
	if err := tx.get(ctx, `SELECT EXISTS (SELECT 1 FROM triggers WHERE kind = $1)`, []any{string(kind)}, []any{&wanted}); err != nil || wanted == 0 {
		return err
	}
	cause, err := causeOf(ctx, tx, runID, false)
	if err != nil {
		return err
	}
	list, err := events()
	if err != nil {
		return err
	}
	for _, e := range list {
		e.Kind = kind
		if e.Cause == nil {
			e.Cause = cause
		}
		body, err := encode("event", e)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO trigger_events (body) VALUES ($1)`, body); err != nil {
			return err
		}
	}
	tx.committed(s.signalEvents)
	return nil
}

func (s *Store) signalEvents() {
	select {
	case s.happenings <- struct{}{}:
	default: // the service has not looked yet
	}
}

// causedBy finds the trigger that started a run of a pipeline, and those before it, by the id of that run, of one of its tasks, or of a tracked
// run beneath a task: in a step MLflow logs to the run of the task. With $2 it finds nothing of a run that has ended. The bound keeps runs
// that say they are beneath each other from being walked for ever.
const causedBy = `
	WITH RECURSIVE above(id, n) AS (
		SELECT $1, 0
		UNION
		SELECT t.value, n + 1 FROM above JOIN tracking_tags t ON t.run_id = above.id AND t.key = '` + track.TagParentRun + `'
		WHERE n < 20)
	SELECT r.trigger_id, r.cause
	FROM trigger_runs r
	WHERE r.run_id IN (SELECT id FROM above UNION ALL SELECT tasks.run_id FROM above JOIN tasks ON tasks.id = above.id)
		AND ($2 = 0 OR EXISTS (SELECT 1 FROM runs WHERE runs.id = r.run_id AND runs.state IN ('PENDING', 'RUNNING', 'CANCELING')))
	LIMIT 1`

// causeOf returns the triggers that have led to a run, the one that started it last; with goingOn only while the run has not ended.
func causeOf(ctx context.Context, tx *tx, runID string, goingOn bool) ([]string, error) {
	if runID == "" {
		return nil, nil
	}
	var trigger, before string
	// Uses the primary keys, and tasks_by_id.
	err := tx.get(ctx, causedBy, []any{runID, bit(goingOn)}, []any{&trigger, &before})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var cause []string
	err = decode("cause of a run", before, &cause)
	return append(cause, trigger), err
}

// runEnded notes the end of a run.
func (s *Store) runEnded(ctx context.Context, tx *tx, r *run.Run) error {
	if r == nil || !r.State.Final() {
		return nil
	}
	return s.happened(ctx, tx, event.Run, r.ID, func() ([]event.Event, error) {
		at := time.Now()
		if r.FinishedAt != nil {
			at = *r.FinishedAt
		}
		// A run that is retried ends more than once.
		return []event.Event{{ID: fmt.Sprintf("run/%s/%d", r.ID, micros(at)), At: at, Data: event.Ended(*r, at.Sub(r.CreatedAt).Seconds())}}, nil
	})
}

// refused notes runs that were refused before they were there: events of the kind of ended runs.
func (s *Store) refused(ctx context.Context, tx *tx, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	return s.happened(ctx, tx, event.Run, "", func() ([]event.Event, error) { return events, nil })
}

// artifactsMade notes artifacts that are new.
func (s *Store) artifactsMade(ctx context.Context, tx *tx, runID string, artifacts []run.Artifact, at time.Time) error {
	if len(artifacts) == 0 {
		return nil
	}
	return s.happened(ctx, tx, event.Artifact, runID, func() ([]event.Event, error) {
		var pipeline, experiment string
		// Uses the primary key.
		err := tx.get(ctx, `SELECT pipeline_name, experiment_id FROM runs WHERE id = $1`, []any{runID}, []any{&pipeline, &experiment})
		if err != nil {
			return nil, err
		}
		out := make([]event.Event, 0, len(artifacts))
		for _, a := range artifacts {
			data := map[string]any{
				"artifact_id": a.ID, "name": a.Name, "type": a.SchemaTitle, "digest": a.Digest, "uri": a.URI, "size": float64(a.Size),
				"run_id": a.RunID, "task_id": a.TaskID, "pipeline": pipeline, "experiment_id": experiment, "metadata": map[string]any{},
			}
			if b, err := json.Marshal(a.Metadata); err == nil && len(b) <= event.MaxBody && a.Metadata != nil {
				data["metadata"] = a.Metadata
			}
			out = append(out, event.Event{ID: "artifact/" + a.ID, At: at, Data: data})
		}
		return out, nil
	})
}

// registryChanged notes changes of registered models.
func (s *Store) registryChanged(ctx context.Context, tx *tx, changes []model.Change) error {
	return s.happened(ctx, tx, event.Registry, "", func() ([]event.Event, error) {
		var out []event.Event
		for _, c := range changes {
			if c.Prompt {
				continue
			}
			cause, err := causeOfChange(ctx, tx, c)
			if err != nil {
				return nil, err
			}
			out = append(out, event.Event{ID: "registry/" + uuid.NewString(), At: time.UnixMicro(c.AtUS).UTC(), Cause: cause, Data: map[string]any{
				"change": string(c.Kind), "model": c.Model, "version": float64(c.Version), "alias": c.Alias, "before": float64(c.Before),
				"from": c.From, "to": c.To,
			}})
		}
		return out, nil
	})
}

// causeOfChange returns the triggers that have led to a change of a registered model: those of the run that made the version, while that goes
// on. A client does not say from which run it changes something, and what happens to the version later is somebody else's doing.
func causeOfChange(ctx context.Context, tx *tx, c model.Change) ([]string, error) {
	var runID string
	// Uses the primary key.
	err := tx.get(ctx, `
		SELECT COALESCE(json_extract(body, '$.run_id'), '')
		FROM registry_versions
		WHERE name = $1 AND version = $2`, []any{c.Model, c.Version}, []any{&runID})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return causeOf(ctx, tx, runID, true)
}

// CauseOf returns the triggers that have led to a run, the one that started it last. It may be given a task, or a tracked run beneath one.
func (h Triggers) CauseOf(ctx context.Context, runID string) ([]string, error) {
	// Uses the primary keys, and tasks_by_id.
	list, err := readAll(ctx, h.s, func(scan scanner) ([]string, error) {
		var trigger, before string
		if err := scan(&trigger, &before); err != nil {
			return nil, err
		}
		var cause []string
		err := decode("cause of a run", before, &cause)
		return append(cause, trigger), err
	}, causedBy, runID, 0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}
