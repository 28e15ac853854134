package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// Imported returns what is noted about the things of a kind that have one of the ids; those that no import brought are left out.
func (t Tracking) Imported(ctx context.Context, kind track.ImportKind, ids []string) ([]track.Imported, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	// Uses the primary key.
	return readAll(ctx, t.s, func(scan scanner) (track.Imported, error) {
		var i track.Imported
		err := scan(&i.ID, &i.Target, &i.Mark)
		return i, err
	}, `SELECT id, target, mark FROM imported WHERE kind = $1 AND id IN (SELECT value FROM json_each($2))`, string(kind), string(list))
}

// MarkImported notes of things that they were brought whole. What no import began to bring is a NotFound error.
func (t Tracking) MarkImported(ctx context.Context, kind track.ImportKind, marks map[string]string) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		for id, mark := range marks {
			// Uses the primary key.
			n, err := tx.exec(ctx, `UPDATE imported SET mark = $3 WHERE kind = $1 AND id = $2`, string(kind), id, mark)
			if err != nil {
				return err
			}
			if n == 0 {
				return notFound("imported "+string(kind), id)
			}
		}
		return nil
	})
}

// importedAs returns the name here of a thing that an import brought.
func importedAs(ctx context.Context, tx *tx, kind track.ImportKind, id string) (target string, found bool, err error) {
	// Uses the primary key.
	err = tx.get(ctx, `SELECT target FROM imported WHERE kind = $1 AND id = $2`, []any{string(kind), id}, []any{&target})
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return target, err == nil, err
}

// noteImported notes that a thing is being brought; an earlier mark no longer holds, but it stays known that there was one.
func noteImported(ctx context.Context, tx *tx, kind track.ImportKind, id, target string) error {
	// Uses the primary key.
	_, err := tx.exec(ctx, `
		INSERT INTO imported (kind, id, target, mark)
		VALUES ($1, $2, $3, '')
		ON CONFLICT (kind, id) DO UPDATE
		SET target = excluded.target, mark = CASE mark WHEN '' THEN '' ELSE $4 END`, string(kind), id, target, track.MarkChanged)
	return err
}

// NoteExperiment notes which experiment here is the one of an import.
func (t Tracking) NoteExperiment(ctx context.Context, id, target string) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		return noteImported(ctx, tx, track.ImportedExperiment, id, target)
	})
}

// ImportRuns stores runs as they are, with parameters, tags and links, in one transaction. A run that an import brought before
// gets what has changed; the ids of those that are here and came from nowhere else are returned, and those stay as they are.
func (t Tracking) ImportRuns(ctx context.Context, runs []track.Run, deletedAt int64) (strangers []string, err error) {
	err = t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		strangers = nil
		experiments := map[string]bool{}
		for _, r := range runs {
			stranger, err := isStranger(ctx, tx, track.ImportedRun, r.ID, `SELECT 1 FROM tracking_runs WHERE id = $1`)
			if err != nil {
				return err
			}
			if stranger {
				strangers = append(strangers, r.ID)
				continue
			}
			if err := importRun(ctx, tx, r, deletedAt); err != nil {
				return err
			}
			experiments[r.ExperimentID] = true
		}
		tx.committed(func() {
			for id := range experiments {
				t.s.index.drop(id)
			}
		})
		return nil
	})
	return strangers, err
}

// isStranger reports whether a thing exists that no import has brought.
func isStranger(ctx context.Context, tx *tx, kind track.ImportKind, id, exists string) (bool, error) {
	if _, ours, err := importedAs(ctx, tx, kind, id); err != nil || ours {
		return false, err
	}
	var one int
	err := tx.get(ctx, exists, []any{id}, []any{&one})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func importRun(ctx context.Context, tx *tx, r track.Run, deletedAt int64) error {
	if err := noteImported(ctx, tx, track.ImportedRun, r.ID, r.ID); err != nil {
		return err
	}
	if err := putTrackedRun(ctx, tx, r); err != nil {
		return err
	}
	if !r.Deleted {
		deletedAt = 0
	}
	// Files that were brought here stay the run's, also when a later import does not find them. Uses the primary key.
	_, err := tx.exec(ctx, `
		UPDATE tracking_runs
		SET deleted_at = $2, artifact_uri = CASE WHEN artifact_uri LIKE 'mlflow-artifacts:%' THEN artifact_uri ELSE $3 END
		WHERE id = $1`, r.ID, deletedAt, r.ArtifactURI)
	if err != nil {
		return err
	}
	for _, kv := range r.Params {
		// A parameter never changes its value.
		_, err := tx.exec(ctx, `
			INSERT INTO tracking_params (run_id, key, value)
			VALUES ($1, $2, $3)
			ON CONFLICT (run_id, key) DO NOTHING`, r.ID, kv.Key, kv.Value)
		if err != nil {
			return err
		}
	}
	if err := putTags(ctx, tx, r.ID, r.Tags); err != nil {
		return err
	}
	return importLinks(ctx, tx, r)
}

func importLinks(ctx context.Context, tx *tx, r track.Run) error {
	if _, err := tx.exec(ctx, `DELETE FROM tracking_links WHERE run_id = $1`, r.ID); err != nil {
		return err
	}
	n := 0
	put := func(kind, ref string, value any) error {
		body, err := encode(kind, value)
		if err != nil {
			return err
		}
		n++
		_, err = tx.exec(ctx, `INSERT INTO tracking_links (run_id, kind, ref, n, body) VALUES ($1, $2, $3, $4, $5)`, r.ID, kind, ref, n, body)
		return err
	}
	for _, d := range r.Datasets {
		if err := put(linkDataset, d.Dataset.Name+"\x00"+d.Dataset.Digest, d); err != nil {
			return err
		}
	}
	for _, m := range r.ModelInputs {
		if err := put(linkInput, m, m); err != nil {
			return err
		}
	}
	for _, m := range r.Outputs {
		if err := put(linkOutput, m.ModelID, m); err != nil {
			return err
		}
	}
	return nil
}

// ImportLoggedModel stores a logged model as it is, with its metrics. It reports whether there is one with this id that no import
// has brought; that one stays as it is.
func (t Tracking) ImportLoggedModel(ctx context.Context, m track.LoggedModel) (stranger bool, err error) {
	body, err := encode("logged model", m)
	if err != nil {
		return false, err
	}
	err = t.s.update(ctx, func(ctx context.Context, tx *tx) (err error) {
		stranger, err = isStranger(ctx, tx, track.ImportedLoggedModel, m.ID, `SELECT 1 FROM tracking_models WHERE id = $1`)
		if err != nil || stranger {
			return err
		}
		if err := noteImported(ctx, tx, track.ImportedLoggedModel, m.ID, m.ID); err != nil {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO tracking_models (id, experiment_id, body)
			VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET experiment_id = excluded.experiment_id, body = excluded.body`, m.ID, m.ExperimentID, body)
		if err != nil {
			return err
		}
		for _, x := range m.Metrics {
			x.ModelID = m.ID
			if err := putModelMetric(ctx, tx, x.RunID, x.Metric); err != nil {
				return err
			}
		}
		tx.committed(func() { t.mirrorLogged(m.ID) })
		return nil
	})
	return stranger, err
}

// ImportModel stores a registered model with its versions, in one transaction, and returns the name it has here and the numbers
// of versions that exist here already and that no import has brought: those stay as they are. key names the model where it
// came from. A model that an import brought before gets what has changed; for a new one the names are tried in turn until
// one is free.
func (r Registry) ImportModel(ctx context.Context, key string, names func(try int) string, m model.Registered, versions []model.Version) (name string, strangers []int64, err error) {
	err = r.s.update(ctx, func(ctx context.Context, tx *tx) (err error) {
		strangers = nil
		var there model.Registered
		if name, there, err = importedModel(ctx, tx, key, names, m); err != nil {
			return err
		}
		there.Description, there.UpdatedUS = m.Description, max(m.UpdatedUS, there.UpdatedUS)
		there.Last = max(there.Last, m.Last)
		for _, tag := range m.Tags {
			there.Tags = track.Set(there.Tags, tag.Key, tag.Value)
		}
		foreign := map[int64]bool{}
		for _, v := range versions {
			v.Name = name
			stranger, err := r.importVersion(ctx, tx, key, v)
			if err != nil {
				return err
			}
			if stranger {
				strangers = append(strangers, v.Number)
				foreign[v.Number] = true
			}
		}
		for _, a := range m.Aliases {
			if !foreign[a.Version] {
				there.Aliases = model.SetAlias(there.Aliases, a.Name, a.Version)
			}
		}
		return r.setModel(ctx, tx, name, there)
	})
	return name, strangers, err
}

// importedModel finds the model that an import has brought, or creates it under the first name that is free.
func importedModel(ctx context.Context, tx *tx, key string, names func(try int) string, m model.Registered) (string, model.Registered, error) {
	if name, found, err := importedAs(ctx, tx, track.ImportedRegisteredModel, key); err != nil {
		return "", m, err
	} else if found {
		there, err := getModel(ctx, tx, name)
		if fault.KindOf(err) != fault.NotFound {
			return name, there, errors.Join(err, noteImported(ctx, tx, track.ImportedRegisteredModel, key, name))
		}
	}
	for try := 0; ; try++ {
		name := names(try)
		if _, err := getModel(ctx, tx, name); err == nil {
			continue
		} else if fault.KindOf(err) != fault.NotFound {
			return "", m, err
		}
		fresh := model.Registered{Name: name, CreatedUS: m.CreatedUS}
		body, err := encode("registered model", fresh)
		if err != nil {
			return "", m, err
		}
		if _, err := tx.exec(ctx, `INSERT INTO registry_models (name, body) VALUES ($1, $2)`, name, body); err != nil {
			return "", m, err
		}
		return name, fresh, noteImported(ctx, tx, track.ImportedRegisteredModel, key, name)
	}
}

// importVersion stores a version, and reports whether there is one that no import has brought.
func (r Registry) importVersion(ctx context.Context, tx *tx, key string, v model.Version) (stranger bool, err error) {
	body, err := encode("model version", v)
	if err != nil {
		return false, err
	}
	id := key + "/" + strconv.FormatInt(v.Number, 10)
	_, ours, err := importedAs(ctx, tx, track.ImportedModelVersion, id)
	if err != nil {
		return false, err
	}
	insert := `INSERT INTO registry_versions (name, version, body) VALUES ($1, $2, $3) ON CONFLICT (name, version) DO NOTHING`
	if ours {
		insert = `
			INSERT INTO registry_versions (name, version, body)
			VALUES ($1, $2, $3)
			ON CONFLICT (name, version) DO UPDATE SET body = excluded.body`
	}
	// Uses the primary key.
	n, err := tx.exec(ctx, insert, v.Name, v.Number, body)
	if err != nil || n == 0 {
		return err == nil, err
	}
	r.s.mirrorVersion(tx, v)
	return false, noteImported(ctx, tx, track.ImportedModelVersion, id, v.Name)
}
