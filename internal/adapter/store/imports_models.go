package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// ImportLoggedModel stores a logged model as it is, with its metrics; of one that an import brought before, what the source has
// changed since. It reports whether there is one with this id that no import has brought; that one stays as it is.
func (t Tracking) ImportLoggedModel(ctx context.Context, m track.LoggedModel) (stranger bool, err error) {
	err = t.s.update(ctx, func(ctx context.Context, tx *tx) (err error) {
		stranger, err = isStranger(ctx, tx, track.ImportedLoggedModel, m.ID, `SELECT 1 FROM tracking_models WHERE id = $1`)
		if err != nil || stranger {
			return err
		}
		stored, err := mergedLogged(ctx, tx, m)
		if err != nil {
			return err
		}
		now := m
		now.Tags = shortened(m.Tags)
		if err := noteImported(ctx, tx, track.ImportedLoggedModel, m.ID, m.ID, now); err != nil {
			return err
		}
		body, err := encode("logged model", stored)
		if err != nil {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO tracking_models (id, experiment_id, body)
			VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET experiment_id = excluded.experiment_id, body = excluded.body`, m.ID, stored.ExperimentID, body)
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

// mergedLogged is a logged model after an import: as it is here, with what the source has changed since the last one.
func mergedLogged(ctx context.Context, tx *tx, m track.LoggedModel) (track.LoggedModel, error) {
	var body string
	// Uses the primary key.
	err := tx.get(ctx, `SELECT body FROM tracking_models WHERE id = $1`, []any{m.ID}, []any{&body})
	if errors.Is(err, sql.ErrNoRows) {
		return m, nil
	}
	var here, before track.LoggedModel
	if err == nil {
		err = decode("logged model", body, &here)
	}
	if err == nil {
		err = importedLast(ctx, tx, track.ImportedLoggedModel, m.ID, &before)
	}
	here.Name, here.Type = track.Merged(here.Name, before.Name, m.Name), track.Merged(here.Type, before.Type, m.Type)
	here.Status, here.Deleted = track.Merged(here.Status, before.Status, m.Status), track.Merged(here.Deleted, before.Deleted, m.Deleted)
	here.SourceRunID, here.UpdatedUS = track.Merged(here.SourceRunID, before.SourceRunID, m.SourceRunID), max(here.UpdatedUS, m.UpdatedUS)
	if !strings.HasPrefix(here.ArtifactLocation, keptHere) {
		here.ArtifactLocation = m.ArtifactLocation
	}
	for _, kv := range changedTags(before.Tags, m.Tags) {
		here.Tags = track.Set(here.Tags, kv.Key, kv.Value)
	}
	for _, kv := range m.Params {
		if _, found := track.Find(here.Params, kv.Key); !found {
			here.Params = append(here.Params, kv)
		}
	}
	return here, err
}

// ImportModel stores a registered model with its versions, in one transaction. key names the model where it came from. A model
// that an import brought before gets what the source has changed since; for a new one the names are tried in turn until one is
// free. What was deleted here stays deleted.
func (r Registry) ImportModel(ctx context.Context, key string, names func(try int) string, m model.Registered, versions []model.Version) (out model.Brought, err error) {
	err = r.s.update(ctx, func(ctx context.Context, tx *tx) (err error) {
		out = model.Brought{}
		var before, there model.Registered
		if err := importedLast(ctx, tx, track.ImportedRegisteredModel, key, &before); err != nil {
			return err
		}
		if out.Name, there, err = importedModel(ctx, tx, key, names, m); err != nil || out.Name == "" {
			return err
		}
		there.Description, there.UpdatedUS = track.MergedPointer(there.Description, before.Description, m.Description), max(m.UpdatedUS, there.UpdatedUS)
		there.Last = max(there.Last, m.Last)
		for _, tag := range changedTags(before.Tags, m.Tags) {
			there.Tags = track.Set(there.Tags, tag.Key, tag.Value)
		}
		absent := map[int64]bool{}
		for _, v := range versions {
			v.Name = out.Name
			what, err := r.importVersion(ctx, tx, key, v)
			if err != nil {
				return err
			}
			switch what {
			case strange:
				out.Kept, absent[v.Number] = append(out.Kept, v.Number), true
			case deletedHere:
				out.Deleted, absent[v.Number] = append(out.Deleted, v.Number), true
			}
		}
		for _, a := range m.Aliases {
			// One that the source has not moved since is left where it is here, or gone.
			if !absent[a.Version] && !slices.Contains(before.Aliases, a) {
				there.Aliases = model.SetAlias(there.Aliases, a.Name, a.Version)
			}
		}
		return r.setModel(ctx, tx, out.Name, there)
	})
	return out, err
}

// importedModel finds the model that an import has brought, or creates it under the first name that is free. The name is empty
// for one that was deleted here.
func importedModel(ctx context.Context, tx *tx, key string, names func(try int) string, m model.Registered) (string, model.Registered, error) {
	now := m
	now.Tags = shortened(m.Tags)
	if noted, found, err := importedAs(ctx, tx, track.ImportedRegisteredModel, key); err != nil {
		return "", m, err
	} else if found {
		there, err := getModel(ctx, tx, noted.Target)
		if fault.KindOf(err) == fault.NotFound {
			return "", m, nil
		}
		return noted.Target, there, errors.Join(err, noteImported(ctx, tx, track.ImportedRegisteredModel, key, noted.Target, now))
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
		return name, fresh, noteImported(ctx, tx, track.ImportedRegisteredModel, key, name, now)
	}
}

// moveImported has the notes of a registered model and its versions follow it to another name, or to none when it is deleted.
func moveImported(ctx context.Context, tx *tx, from, to string) error {
	// Reads the notes of these kinds, by the primary key: a rename is rare.
	_, err := tx.exec(ctx, `UPDATE imported SET target = $2 WHERE kind IN ($3, $4) AND target = $1`,
		from, to, string(track.ImportedRegisteredModel), string(track.ImportedModelVersion))
	return err
}

// outcome is what became of a version that was sent.
type outcome int

const (
	brought     outcome = iota
	strange             // there is one that no import has brought
	deletedHere         // an import brought it before, and it was deleted here
)

// importVersion stores a version; of one that an import brought before, what the source has changed since.
func (r Registry) importVersion(ctx context.Context, tx *tx, key string, v model.Version) (outcome, error) {
	id := key + "/" + strconv.FormatInt(v.Number, 10)
	_, ours, err := importedAs(ctx, tx, track.ImportedModelVersion, id)
	if err != nil {
		return brought, err
	}
	// Uses the primary key.
	here, err := scanModelVersion(func(dest ...any) error {
		return tx.get(ctx, `SELECT body FROM registry_versions WHERE name = $1 AND version = $2`, []any{v.Name, v.Number}, dest)
	})
	there := !errors.Is(err, sql.ErrNoRows)
	switch {
	case there && err != nil:
		return brought, err
	case there && !ours:
		return strange, nil
	case !there && ours:
		return deletedHere, nil
	}
	stored := v
	if there {
		var before model.Version
		if err := importedLast(ctx, tx, track.ImportedModelVersion, id, &before); err != nil {
			return brought, err
		}
		stored = mergedVersion(here, before, v)
	}
	body, err := encode("model version", stored)
	if err != nil {
		return brought, err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `
		INSERT INTO registry_versions (name, version, body)
		VALUES ($1, $2, $3)
		ON CONFLICT (name, version) DO UPDATE SET body = excluded.body`, v.Name, v.Number, body)
	if err != nil {
		return brought, err
	}
	r.s.mirrorVersion(tx, stored)
	now := v
	now.Files, now.Tags = nil, shortened(v.Tags)
	return brought, noteImported(ctx, tx, track.ImportedModelVersion, id, v.Name, now)
}

// mergedVersion is a version after an import: as it is here, with what the source has changed since the last one.
func mergedVersion(here, before, now model.Version) model.Version {
	here.Description = track.MergedPointer(here.Description, before.Description, now.Description)
	here.Stage, here.UserID = track.Merged(here.Stage, before.Stage, now.Stage), track.Merged(here.UserID, before.UserID, now.UserID)
	here.Status, here.StatusMessage = track.Merged(here.Status, before.Status, now.Status), track.Merged(here.StatusMessage, before.StatusMessage, now.StatusMessage)
	here.RunID, here.RunLink = track.Merged(here.RunID, before.RunID, now.RunID), track.Merged(here.RunLink, before.RunLink, now.RunLink)
	here.ModelID, here.UpdatedUS = track.Merged(here.ModelID, before.ModelID, now.ModelID), max(here.UpdatedUS, now.UpdatedUS)
	for _, kv := range changedTags(before.Tags, now.Tags) {
		here.Tags = track.Set(here.Tags, kv.Key, kv.Value)
	}
	switch {
	case strings.HasPrefix(here.Location, keptHere) && !strings.HasPrefix(now.Location, keptHere):
		// The files that were brought stay the version's, also when this import does not find them.
	case here.Location != now.Location || len(here.Files) == 0:
		here.Source, here.Location, here.Files = now.Source, now.Location, now.Files
	default:
		here.Source = track.Merged(here.Source, before.Source, now.Source)
	}
	return here
}
