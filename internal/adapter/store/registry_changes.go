package store

import (
	"context"

	"levada/internal/core/model"
)

// maxChanges is how many changes of registered models are kept. Those of prompts count too.
const maxChanges = 10_000

// noteChanges adds to the history of registered models, and tells triggers, in the transaction of the change. It forgets the oldest of
// the history.
func (s *Store) noteChanges(ctx context.Context, tx *tx, changes []model.Change) error {
	for _, c := range changes {
		body, err := encode("change of a model", c)
		if err != nil {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO registry_changes (id, at, name, prompt, body)
			SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4 FROM registry_changes`, c.AtUS, c.Model, bit(c.Prompt), body)
		if err != nil {
			return err
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := s.registryChanged(ctx, tx, changes); err != nil {
		return err
	}
	// Uses the primary key.
	_, err := tx.exec(ctx, `DELETE FROM registry_changes WHERE id <= (SELECT MAX(id) FROM registry_changes) - $1`, maxChanges)
	return err
}

// Changes returns the newest limit changes of registered models that are no prompts, the newest first.
func (r Registry) Changes(ctx context.Context, limit int) ([]model.Change, error) {
	// Uses the primary key.
	return readAll(ctx, r.s, func(scan scanner) (model.Change, error) {
		var c model.Change
		body, err := scanText(scan)
		if err != nil {
			return c, err
		}
		return c, decode("change of a model", body, &c)
	}, `SELECT body FROM registry_changes WHERE prompt = 0 ORDER BY id DESC LIMIT $1`, limit)
}
