package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/model"
)

// Registry is what the registry service sees of a Store: registered models and their versions.
type Registry struct{ s *Store }

// Registry returns the part of the store that is for the registry service.
func (s *Store) Registry() Registry { return Registry{s} }

func scanModel(scan scanner) (model.Registered, error) {
	var m model.Registered
	var body string
	if err := scan(&body); err != nil {
		return m, err
	}
	return m, decode("registered model", body, &m)
}

func scanModelVersion(scan scanner) (model.Version, error) {
	var v model.Version
	var body string
	if err := scan(&body); err != nil {
		return v, err
	}
	return v, decode("model version", body, &v)
}

// CreateModel stores a registered model; a name in use is a Conflict.
func (r Registry) CreateModel(ctx context.Context, m model.Registered) error {
	body, err := encode("registered model", m)
	if err != nil {
		return err
	}
	return r.s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO registry_models (name, body) VALUES ($1, $2)`, m.Name, body)
		if duplicate(err) {
			return fault.Conflictf("registered model %q already exists", m.Name)
		}
		if err != nil {
			return err
		}
		r.s.mirrorModel(tx, m.Name, m)
		if err := r.s.noteChanges(ctx, tx, m.Noted); err != nil {
			return err
		}
		return r.s.tell(ctx, tx, m.Told)
	})
}

// mirrorModel has a model that is stored under a name held in memory too.
func (s *Store) mirrorModel(tx *tx, name string, m model.Registered) {
	m.Told, m.Noted = nil, nil
	tx.committed(func() {
		if m.Name != name {
			s.models.clear()
			s.versions.clear()
			return
		}
		s.models.put(name, m)
	})
}

// Model returns a registered model.
func (r Registry) Model(ctx context.Context, name string) (model.Registered, error) {
	// Uses the primary key.
	return readOne(ctx, r.s, "registered model", name, `SELECT body FROM registry_models WHERE name = $1`, scanModel, name)
}

// Models returns all registered models.
func (r Registry) Models(ctx context.Context) ([]model.Registered, error) {
	return r.s.models.all(func() (map[string]model.Registered, error) {
		rows, err := readAll(ctx, r.s, scanModel, `SELECT body FROM registry_models`)
		return byKey(rows, func(m model.Registered) string { return m.Name }), err
	})
}

func byKey[K comparable, V any](rows []V, key func(V) K) map[K]V {
	out := make(map[K]V, len(rows))
	for _, v := range rows {
		out[key(v)] = v
	}
	return out
}

func getModel(ctx context.Context, tx *tx, name string) (model.Registered, error) {
	// Uses the primary key.
	m, err := scanModel(func(dest ...any) error {
		return tx.get(ctx, `SELECT body FROM registry_models WHERE name = $1`, []any{name}, dest)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return m, notFound("registered model", name)
	}
	return m, err
}

// setModel stores a model that was changed, and what webhooks are told of that.
func (r Registry) setModel(ctx context.Context, tx *tx, name string, m model.Registered) error {
	body, err := encode("registered model", m)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE registry_models SET name = $2, body = $3 WHERE name = $1`, name, m.Name, body)
	if duplicate(err) {
		return fault.Conflictf("registered model %q already exists", m.Name)
	}
	if err != nil {
		return err
	}
	r.s.mirrorModel(tx, name, m)
	if err := r.s.noteChanges(ctx, tx, m.Noted); err != nil {
		return err
	}
	return r.s.tell(ctx, tx, m.Told)
}

func (s *Store) mirrorVersion(tx *tx, v model.Version) {
	tx.committed(func() { s.versions.put(versionKey{v.Name, v.Number}, &v) })
}

func (r Registry) setVersion(ctx context.Context, tx *tx, v model.Version) error {
	body, err := encode("model version", v)
	if err != nil {
		return err
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `UPDATE registry_versions SET body = $3 WHERE name = $1 AND version = $2`, v.Name, v.Number, body)
	if err == nil {
		r.s.mirrorVersion(tx, v)
	}
	return err
}

// ChangeModel reads, changes and stores a model in one transaction.
func (r Registry) ChangeModel(ctx context.Context, name string, change func(*model.Registered) error) error {
	return r.s.update(ctx, func(ctx context.Context, tx *tx) error {
		m, err := getModel(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := change(&m); err != nil {
			return err
		}
		if err := r.setModel(ctx, tx, name, m); err != nil || m.Name == name {
			return err
		}
		if err := moveImported(ctx, tx, name, m.Name); err != nil {
			return err
		}
		// The rows of the versions followed by their foreign key; their bodies hold the name too.
		versions, err := versionsIn(ctx, tx, m.Name)
		if err != nil {
			return err
		}
		for _, v := range versions {
			v.Name, v.UpdatedUS = m.Name, m.UpdatedUS
			if err := r.setVersion(ctx, tx, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func versionsIn(ctx context.Context, tx *tx, name string) ([]model.Version, error) {
	var out []model.Version
	// Uses the primary key.
	err := tx.each(ctx, `SELECT body FROM registry_versions WHERE name = $1 ORDER BY version`, []any{name}, func(rows *sql.Rows) error {
		v, err := scanModelVersion(rows.Scan)
		out = append(out, v)
		return err
	})
	return out, err
}

// DeleteModel deletes a model with its versions. Its history stays, and note adds to it.
func (r Registry) DeleteModel(ctx context.Context, name string, note func(*model.Registered)) error {
	return r.s.update(ctx, func(ctx context.Context, tx *tx) error {
		m, err := getModel(ctx, tx, name)
		if err != nil {
			return err
		}
		note(&m)
		if err := r.s.noteChanges(ctx, tx, m.Noted); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `DELETE FROM registry_models WHERE name = $1`, name)
		if err == nil && n == 0 {
			return notFound("registered model", name)
		}
		if err == nil {
			err = moveImported(ctx, tx, name, "")
		}
		tx.committed(func() {
			r.s.models.remove(func(k string) bool { return k == name })
			r.s.versions.remove(func(k versionKey) bool { return k.name == name })
		})
		return err
	})
}

// AddVersion stores the version that add makes from its model, and the model.
func (r Registry) AddVersion(ctx context.Context, name string, add func(*model.Registered) (model.Version, error)) error {
	return r.s.update(ctx, func(ctx context.Context, tx *tx) error {
		m, err := getModel(ctx, tx, name)
		if err != nil {
			return err
		}
		v, err := add(&m)
		if err != nil {
			return err
		}
		body, err := encode("model version", v)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO registry_versions (name, version, body) VALUES ($1, $2, $3)`, name, v.Number, body); err != nil {
			return err
		}
		r.s.mirrorVersion(tx, v)
		return r.setModel(ctx, tx, name, m)
	})
}

// Version returns a version.
func (r Registry) Version(ctx context.Context, name string, number int64) (model.Version, error) {
	// Uses the primary key.
	return readOne(ctx, r.s, "model version", name, `
		SELECT body FROM registry_versions WHERE name = $1 AND version = $2`, scanModelVersion, name, number)
}

// LatestVersions returns the newest version of each stage of a model, without reading the others.
func (r Registry) LatestVersions(ctx context.Context, name string) ([]model.Version, error) {
	var latest []string
	for _, stage := range model.Stages {
		// Each uses registry_versions_by_stage, which wants the expression as it is there.
		latest = append(latest, `SELECT MAX(version) FROM registry_versions WHERE name = $1 AND json_extract(body, '$.stage') = '`+string(stage)+`'`)
	}
	return readAll(ctx, r.s, scanModelVersion, `
		SELECT body FROM registry_versions
		WHERE name = $1 AND version IN (`+strings.Join(latest, " UNION ALL ")+`)
		ORDER BY version`, name)
}

// Versions returns the versions of all models, in no order. They are not to be changed.
func (r Registry) Versions(ctx context.Context) ([]*model.Version, error) {
	return r.s.versions.all(func() (map[versionKey]*model.Version, error) {
		rows, err := readAll(ctx, r.s, func(scan scanner) (*model.Version, error) {
			v, err := scanModelVersion(scan)
			return &v, err
		}, `SELECT body FROM registry_versions`)
		return byKey(rows, func(v *model.Version) versionKey { return versionKey{v.Name, v.Number} }), err
	})
}

// ChangeVersion reads, changes and stores a model and one of its versions, in one transaction.
func (r Registry) ChangeVersion(ctx context.Context, name string, number int64, change func(*model.Registered, *model.Version) error) error {
	return r.s.update(ctx, func(ctx context.Context, tx *tx) error {
		m, err := getModel(ctx, tx, name)
		if err != nil {
			return err
		}
		// Uses the primary key.
		v, err := scanModelVersion(func(dest ...any) error {
			return tx.get(ctx, `SELECT body FROM registry_versions WHERE name = $1 AND version = $2`, []any{name, number}, dest)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("model version", name)
		}
		if err != nil {
			return err
		}
		if err := change(&m, &v); err != nil {
			return err
		}
		if err := r.setVersion(ctx, tx, v); err != nil {
			return err
		}
		return r.setModel(ctx, tx, name, m)
	})
}

// ChangeVersions reads, changes and stores a model and those of its versions for which pick holds, in one transaction.
func (r Registry) ChangeVersions(ctx context.Context, name string, pick func(model.Version) bool, change func(*model.Registered, *model.Version) error) error {
	return r.s.update(ctx, func(ctx context.Context, tx *tx) error {
		m, err := getModel(ctx, tx, name)
		if err != nil {
			return err
		}
		versions, err := versionsIn(ctx, tx, name)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if !pick(v) {
				continue
			}
			if err := change(&m, &v); err != nil {
				return err
			}
			if err := r.setVersion(ctx, tx, v); err != nil {
				return err
			}
		}
		return r.setModel(ctx, tx, name, m)
	})
}

// DeleteVersion deletes a version and changes its model, in one transaction.
func (r Registry) DeleteVersion(ctx context.Context, name string, number int64, change func(*model.Registered)) error {
	return r.s.update(ctx, func(ctx context.Context, tx *tx) error {
		m, err := getModel(ctx, tx, name)
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `DELETE FROM registry_versions WHERE name = $1 AND version = $2`, name, number)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("model version", name)
		}
		tx.committed(func() { r.s.versions.remove(func(k versionKey) bool { return k == versionKey{name, number} }) })
		change(&m)
		return r.setModel(ctx, tx, name, m)
	})
}
