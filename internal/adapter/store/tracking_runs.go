package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

const (
	linkDataset = "dataset"
	linkInput   = "input"
	linkOutput  = "output"
)

const trackedRunColumns = "id, experiment_id, name, user_id, status, start_ms, end_ms, deleted_at, artifact_uri"

// scanTrackedRun reads trackedRunColumns.
func scanTrackedRun(scan scanner) (track.Run, error) {
	var r track.Run
	var end sql.NullInt64
	var deleted int64
	err := scan(&r.ID, &r.ExperimentID, &r.Name, &r.UserID, &r.Status, &r.StartMS, &end, &deleted, &r.ArtifactURI)
	if end.Valid {
		r.EndMS = &end.Int64
	}
	r.Deleted = deleted != 0
	return r, err
}

func noRun(id string) error { return fault.NotFoundf("Run with id=%s not found", id) }

// CreateRun stores a run with its tags.
func (t Tracking) CreateRun(ctx context.Context, r track.Run) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		if err := putTrackedRun(ctx, tx, r); err != nil {
			return err
		}
		if err := putTags(ctx, tx, r.ID, r.Tags); err != nil {
			return err
		}
		tx.committed(func() { t.s.index.put(&r) })
		return nil
	})
}

// putTrackedRun writes the row of a run.
func putTrackedRun(ctx context.Context, tx *tx, r track.Run) error {
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO tracking_runs (`+trackedRunColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)
		ON CONFLICT (id) DO UPDATE
		SET name = excluded.name, status = excluded.status, start_ms = excluded.start_ms, end_ms = excluded.end_ms`,
		r.ID, r.ExperimentID, r.Name, r.UserID, string(r.Status), r.StartMS, r.EndMS, r.ArtifactURI)
	return err
}

func putTags(ctx context.Context, tx *tx, runID string, tags []track.KV) error {
	for _, kv := range tags {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO tracking_tags (run_id, key, value)
			VALUES ($1, $2, $3)
			ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value`, runID, kv.Key, kv.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// runRow reads the row of a run in a transaction.
func runRow(ctx context.Context, tx *tx, id string) (track.Run, error) {
	// Uses the primary key.
	r, err := scanTrackedRun(func(dest ...any) error {
		return tx.get(ctx, `SELECT `+trackedRunColumns+` FROM tracking_runs WHERE id = $1`, []any{id}, dest)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return r, noRun(id)
	}
	return r, err
}

// activeRow is runRow for changes that a deleted run refuses.
func activeRow(ctx context.Context, tx *tx, id string) (track.Run, error) {
	r, err := runRow(ctx, tx, id)
	if err == nil && r.Deleted {
		err = fault.Invalidf("The run %s must be in the 'active' state. Current state is deleted.", id)
	}
	return r, err
}

// Info returns the row of a run without parameters, tags and links.
func (t Tracking) Info(ctx context.Context, id string) (track.Run, error) {
	// Uses the primary key.
	r, err := readOne(ctx, t.s, "run", id, `SELECT `+trackedRunColumns+` FROM tracking_runs WHERE id = $1`, scanTrackedRun, id)
	if fault.KindOf(err) == fault.NotFound {
		err = noRun(id)
	}
	return r, err
}

// UpdateRun changes name, status and end of a run that is not deleted; nil leaves a value as it is.
func (t Tracking) UpdateRun(ctx context.Context, id string, status *track.Status, end *int64, name *string) (track.Run, error) {
	var r track.Run
	err := t.s.update(ctx, func(ctx context.Context, tx *tx) (err error) {
		if r, err = activeRow(ctx, tx, id); err != nil {
			return err
		}
		if status != nil {
			r.Status = *status
		}
		if end != nil {
			r.EndMS = end
		}
		if name != nil {
			r.Name = *name
			if err := putTags(ctx, tx, id, []track.KV{{Key: track.TagRunName, Value: *name}}); err != nil {
				return err
			}
		}
		if err := putTrackedRun(ctx, tx, r); err != nil {
			return err
		}
		row := r
		tx.committed(func() {
			t.s.index.change(row.ExperimentID, id, func(c *track.Run) {
				c.Name, c.Status, c.EndMS = row.Name, row.Status, row.EndMS
				if name != nil {
					c.Tags = track.Set(c.Tags, track.TagRunName, *name)
				}
			})
		})
		return nil
	})
	return r, err
}

// SetRunDeleted deletes a run or restores it.
func (t Tracking) SetRunDeleted(ctx context.Context, id string, deleted bool, at time.Time) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		r, err := runRow(ctx, tx, id)
		if err != nil {
			return err
		}
		deletedAt := int64(0)
		if deleted {
			deletedAt = micros(at)
		}
		if _, err := tx.exec(ctx, `UPDATE tracking_runs SET deleted_at = $2 WHERE id = $1`, id, deletedAt); err != nil {
			return err
		}
		tx.committed(func() { t.s.index.change(r.ExperimentID, id, func(c *track.Run) { c.Deleted = deleted }) })
		return nil
	})
}

// LogData adds parameters and sets tags of a run that is not deleted, all or nothing. It returns a *track.ParamsError when
// parameters have other values already.
func (t Tracking) LogData(ctx context.Context, id string, params, tags []track.KV) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error { return t.logData(ctx, tx, id, params, tags) })
}

func (t Tracking) logData(ctx context.Context, tx *tx, id string, params, tags []track.KV) error {
	r, err := activeRow(ctx, tx, id)
	if err != nil {
		return err
	}
	added, err := addParams(ctx, tx, id, params)
	if err != nil {
		return err
	}
	if err := putTags(ctx, tx, id, tags); err != nil {
		return err
	}
	name, renamed := "", false
	for _, kv := range tags {
		if kv.Key == track.TagRunName && kv.Value != "" {
			name, renamed = kv.Value, true
		}
	}
	if renamed {
		if _, err := tx.exec(ctx, `UPDATE tracking_runs SET name = $2 WHERE id = $1`, id, name); err != nil {
			return err
		}
	}
	tx.committed(func() {
		t.s.index.change(r.ExperimentID, id, func(c *track.Run) {
			one := &t.s.index.texts
			c.Params = slices.Grow(c.Params[:len(c.Params):len(c.Params)], len(added))
			for _, kv := range added {
				if _, there := track.Find(c.Params, kv.Key); there {
					continue // a run that was read again for a write of the same batch has it already
				}
				c.Params = append(c.Params, track.KV{Key: one.of([]byte(kv.Key)), Value: one.of([]byte(kv.Value))})
			}
			for _, kv := range tags {
				c.Tags = track.Set(c.Tags, one.of([]byte(kv.Key)), one.of([]byte(kv.Value)))
			}
			if renamed {
				c.Name = name
			}
		})
	})
	return nil
}

// addParams stores the parameters that are new and returns them.
func addParams(ctx context.Context, tx *tx, id string, params []track.KV) ([]track.KV, error) {
	var added []track.KV
	var conflicts []track.ParamConflict
	for _, kv := range params {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			INSERT INTO tracking_params (run_id, key, value)
			VALUES ($1, $2, $3)
			ON CONFLICT (run_id, key) DO NOTHING`, id, kv.Key, kv.Value)
		if err != nil {
			return nil, err
		}
		if n == 1 {
			added = append(added, kv)
			continue
		}
		var before string
		err = tx.get(ctx, `SELECT value FROM tracking_params WHERE run_id = $1 AND key = $2`, []any{id, kv.Key}, []any{&before})
		if err != nil {
			return nil, err
		}
		if before != kv.Value {
			conflicts = append(conflicts, track.ParamConflict{Key: kv.Key, Old: before, New: kv.Value})
		}
	}
	if conflicts != nil {
		return nil, &track.ParamsError{RunID: id, Conflicts: conflicts}
	}
	return added, nil
}

// ChangeTag makes a new value of a tag of a run that is not deleted from the one before, which is empty where there is none.
func (t Tracking) ChangeTag(ctx context.Context, id, key string, change func(before string) (string, error)) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		r, err := activeRow(ctx, tx, id)
		if err != nil {
			return err
		}
		var value string
		// Uses the primary key.
		err = tx.get(ctx, `SELECT value FROM tracking_tags WHERE run_id = $1 AND key = $2`, []any{id, key}, []any{&value})
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if value, err = change(value); err != nil {
			return err
		}
		if err := putTags(ctx, tx, id, []track.KV{{Key: key, Value: value}}); err != nil {
			return err
		}
		tx.committed(func() {
			t.s.index.change(r.ExperimentID, id, func(c *track.Run) { c.Tags = track.Set(c.Tags, key, value) })
		})
		return nil
	})
}

// DeleteTag removes a tag of a run that is not deleted; NotFound when it is not there.
func (t Tracking) DeleteTag(ctx context.Context, id, key string) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		r, err := activeRow(ctx, tx, id)
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `DELETE FROM tracking_tags WHERE run_id = $1 AND key = $2`, id, key)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.NotFoundf("No tag with name: %s in run with id %s", key, id)
		}
		tx.committed(func() {
			t.s.index.change(r.ExperimentID, id, func(c *track.Run) { c.Tags = track.Without(c.Tags, key) })
		})
		return nil
	})
}

// Link notes what a run read and made. A dataset or input model that is noted already stays as it is.
func (t Tracking) Link(ctx context.Context, id string, datasets []track.DatasetInput, inputs []string, outputs []track.ModelOutput) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		r, err := activeRow(ctx, tx, id)
		if err != nil {
			return err
		}
		var n int64
		if err := tx.get(ctx, `SELECT COUNT(*) FROM tracking_links WHERE run_id = $1`, []any{id}, []any{&n}); err != nil {
			return err
		}
		put := func(kind, ref string, value any, once bool) error {
			body, err := encode(kind, value)
			if err != nil {
				return err
			}
			// Uses the primary key.
			query := `INSERT INTO tracking_links (run_id, kind, ref, n, body) VALUES ($1, $2, $3, $4, $5)`
			if once {
				query = `
					INSERT INTO tracking_links (run_id, kind, ref, n, body)
					SELECT $1, $2, $3, $4, $5
					WHERE NOT EXISTS (SELECT 1 FROM tracking_links WHERE run_id = $1 AND kind = $2 AND ref = $3)`
			}
			n++
			_, err = tx.exec(ctx, query, id, kind, ref, n, body)
			return err
		}
		for _, d := range datasets {
			if err := put(linkDataset, d.Dataset.Name+"\x00"+d.Dataset.Digest, d, true); err != nil {
				return err
			}
		}
		for _, m := range inputs {
			if err := put(linkInput, m, m, true); err != nil {
				return err
			}
		}
		for _, m := range outputs {
			if err := put(linkOutput, m.ModelID, m, false); err != nil {
				return err
			}
		}
		tx.committed(func() { t.s.refresh(r.ExperimentID, id) })
		return nil
	})
}

// LogModelMetrics stores metrics of logged models. One that is there already stays as it is.
func (t Tracking) LogModelMetrics(ctx context.Context, runID string, metrics []track.Metric) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		if _, err := activeRow(ctx, tx, runID); err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, m := range metrics {
			if err := putModelMetric(ctx, tx, runID, m); err != nil {
				return err
			}
			if !seen[m.ModelID] {
				seen[m.ModelID] = true
				tx.committed(func() { t.mirrorLogged(m.ModelID) })
			}
		}
		return nil
	})
}

// putModelMetric stores a metric of a logged model, unless it is there.
func putModelMetric(ctx context.Context, tx *tx, runID string, m track.Metric) error {
	value := m.Value
	if value != value {
		value = 0 // as MLflow keeps it
	}
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO tracking_model_metrics (`+modelMetricColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (model_id, key, time_ms, step, run_id) DO NOTHING`,
		m.ModelID, m.Key, m.Time, m.Step, runID, value, m.DatasetName, m.DatasetDigest)
	if err != nil {
		return fmt.Errorf("store metric %q of model %s: %w", m.Key, m.ModelID, err)
	}
	return nil
}
