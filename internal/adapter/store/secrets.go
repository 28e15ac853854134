package store

import (
	"context"
	"fmt"

	"levada/internal/core/secret"
)

const secretColumns = "kind, name, keys, created_at, updated_at"

// scanSecret reads secretColumns, and more columns into rest.
func scanSecret(scan scanner, rest ...any) (secret.Entry, error) {
	var i secret.Entry
	var keys string
	var created, updated int64
	if err := scan(append([]any{&i.Kind, &i.Name, &keys, &created, &updated}, rest...)...); err != nil {
		return i, err
	}
	i.CreatedAt, i.UpdatedAt = instant(created), instant(updated)
	return i, decode("keys of a secret", keys, &i.Keys)
}

// PutSecret stores a secret or config map, or replaces it.
func (s *Store) PutSecret(ctx context.Context, v secret.Sealed) error {
	keys, err := encode("keys of a secret", v.Keys)
	if err != nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO secrets (kind, name, keys, body, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (kind, name) DO UPDATE
			SET keys = excluded.keys, body = excluded.body, updated_at = excluded.updated_at`,
			string(v.Kind), v.Name, keys, v.Body, micros(v.CreatedAt), micros(v.UpdatedAt))
		return err
	})
}

// GetSecret returns a secret or config map.
func (s *Store) GetSecret(ctx context.Context, k secret.Kind, name string) (secret.Sealed, error) {
	// Uses the primary key.
	return readOne(ctx, s, k.String(), name, `SELECT `+secretColumns+`, body FROM secrets WHERE kind = $1 AND name = $2`,
		func(scan scanner) (secret.Sealed, error) {
			var v secret.Sealed
			var err error
			v.Entry, err = scanSecret(scan, &v.Body)
			return v, err
		}, string(k), name)
}

// ListSecrets lists what there is of a kind, by name.
func (s *Store) ListSecrets(ctx context.Context, k secret.Kind) ([]secret.Entry, error) {
	// Uses the primary key.
	rows, err := s.read.QueryContext(ctx, `SELECT `+secretColumns+` FROM secrets WHERE kind = $1 ORDER BY name`, string(k))
	if err != nil {
		return nil, s.readError(fmt.Errorf("list %ss: %w", k, err))
	}
	defer rows.Close()
	list := []secret.Entry{}
	for rows.Next() {
		i, err := scanSecret(rows.Scan)
		if err != nil {
			return nil, s.readError(fmt.Errorf("list %ss: %w", k, err))
		}
		list = append(list, i)
	}
	if err := rows.Err(); err != nil {
		return nil, s.readError(fmt.Errorf("list %ss: %w", k, err))
	}
	return list, nil
}

// DeleteSecret removes a secret or config map.
func (s *Store) DeleteSecret(ctx context.Context, k secret.Kind, name string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `DELETE FROM secrets WHERE kind = $1 AND name = $2`, string(k), name)
		if err == nil && n == 0 {
			return notFound(k.String(), name)
		}
		return err
	})
}
