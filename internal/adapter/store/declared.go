package store

import (
	"context"

	"levada/internal/core/declare"
)

// Owned returns all that belongs to sets of files, by kind and name.
func (s *Store) Owned(ctx context.Context) ([]declare.Owned, error) {
	return readAll(ctx, s, func(scan scanner) (declare.Owned, error) {
		var o declare.Owned
		err := scan(&o.Kind, &o.Name, &o.Set, &o.ID)
		return o, err
	}, `SELECT kind, name, set_name, target FROM declared ORDER BY kind, name`)
}

// Own notes that a resource belongs to a set.
func (s *Store) Own(ctx context.Context, o declare.Owned) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO declared (kind, name, set_name, target)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (kind, name) DO UPDATE SET set_name = excluded.set_name, target = excluded.target`,
			string(o.Kind), o.Name, o.Set, o.ID)
		return err
	})
}

// Disown notes that a resource belongs to no set.
func (s *Store) Disown(ctx context.Context, k declare.Kind, name string) error {
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `DELETE FROM declared WHERE kind = $1 AND name = $2`, string(k), name)
		return err
	})
}
