package store

import (
	"context"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

// Triggers is what the service of triggers sees of a Store: triggers, the events that are theirs, and what they made of them.
type Triggers struct{ s *Store }

// Triggers returns the part of the store that is for the service of triggers.
func (s *Store) Triggers() Triggers { return Triggers{s} }

const triggerColumns = "paused, updated_at, failure, body"

func triggerList() *list {
	return &list{
		name:  "triggers",
		table: "triggers",
		columns: map[string]column{
			"id":           {name: "id"},
			"display_name": {name: "name", folded: "name_folded"},
			"kind":         {name: "kind"},
			"paused":       {name: "paused", kind: flag},
			"created_at":   {name: "created_at", kind: moment},
			"updated_at":   {name: "updated_at", kind: moment},
		},
		selected: triggerColumns,
	}
}

// scanTrigger reads triggerColumns. Those before the body change without it.
func scanTrigger(scan scanner) (event.Trigger, error) {
	var t event.Trigger
	var failure, body string
	var paused, updated int64
	if err := scan(&paused, &updated, &failure, &body); err != nil {
		return t, err
	}
	err := decode("trigger", body, &t)
	t.Paused, t.UpdatedAt, t.Failure = paused != 0, instant(updated), failure
	return t, err
}

// CreateTrigger stores a new trigger with what it remembers from the beginning. A name in use is a Conflict; so is one more than limit.
func (h Triggers) CreateTrigger(ctx context.Context, t event.Trigger, marks []event.Mark, limit int) error {
	body, err := encode("trigger", t)
	if err != nil {
		return err
	}
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		var n int
		if err := tx.get(ctx, `SELECT COUNT(*) FROM triggers`, nil, []any{&n}); err != nil {
			return err
		}
		if n >= limit {
			return fault.Conflictf("there are %d triggers already, which is the most: delete one first", n)
		}
		_, err := tx.exec(ctx, `
			INSERT INTO triggers (id, name, name_folded, kind, paused, created_at, updated_at, failure, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			t.ID, t.Name, fold(t.Name), string(t.On.Kind()), bit(t.Paused), micros(t.CreatedAt), micros(t.UpdatedAt), t.Failure, body)
		if duplicate(err) {
			return fault.Conflictf("a trigger named %q already exists", t.Name)
		}
		if err != nil {
			return err
		}
		return putMarks(ctx, tx, t.ID, marks)
	})
}

// ReplaceTrigger stores a trigger in the place of the one with its id. With marks other than nil they are all that it remembers.
func (h Triggers) ReplaceTrigger(ctx context.Context, t event.Trigger, marks []event.Mark) error {
	body, err := encode("trigger", t)
	if err != nil {
		return err
	}
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		n, err := tx.exec(ctx, `
			UPDATE triggers
			SET name = $2, name_folded = $3, kind = $4, paused = $5, updated_at = $6, failure = $7, body = $8
			WHERE id = $1`,
			t.ID, t.Name, fold(t.Name), string(t.On.Kind()), bit(t.Paused), micros(t.UpdatedAt), t.Failure, body)
		if duplicate(err) {
			return fault.Conflictf("a trigger named %q already exists", t.Name)
		}
		if err == nil && n == 0 {
			return notFound("trigger", t.ID)
		}
		if err != nil || marks == nil {
			return err
		}
		// Uses the primary key.
		if _, err := tx.exec(ctx, `DELETE FROM trigger_marks WHERE trigger_id = $1`, t.ID); err != nil {
			return err
		}
		return putMarks(ctx, tx, t.ID, marks)
	})
}

// NoteTrigger stores why a trigger cannot do its work, or that it can.
func (h Triggers) NoteTrigger(ctx context.Context, id, failure string) error {
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `UPDATE triggers SET failure = $2 WHERE id = $1 AND failure <> $2`, id, failure)
		return err
	})
}

// GetTrigger returns a trigger.
func (h Triggers) GetTrigger(ctx context.Context, id string) (event.Trigger, error) {
	// Uses the primary key.
	return readOne(ctx, h.s, "trigger", id, `SELECT `+triggerColumns+` FROM triggers WHERE id = $1`, scanTrigger, id)
}

// ListTriggers lists triggers; keys: id, display_name, kind, paused, created_at, updated_at. Newest first uses triggers_by_created.
func (h Triggers) ListTriggers(ctx context.Context, q listing.Query) (listing.Page[event.Trigger], error) {
	return readPage(ctx, h.s, triggerList(), q, nil, scanTrigger)
}

// AllTriggers returns all triggers.
func (h Triggers) AllTriggers(ctx context.Context) ([]event.Trigger, error) {
	// Reads the whole table, once at the start of a server.
	return readAll(ctx, h.s, scanTrigger, `SELECT `+triggerColumns+` FROM triggers ORDER BY created_at, id`)
}

// DeleteTrigger removes a trigger with its firings; its runs stay.
func (h Triggers) DeleteTrigger(ctx context.Context, id string) error {
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key; firings and the rest follow by their foreign keys.
		n, err := tx.exec(ctx, `DELETE FROM triggers WHERE id = $1`, id)
		if err == nil && n == 0 {
			return notFound("trigger", id)
		}
		return err
	})
}

// Marks returns what a trigger remembers, by name.
func (h Triggers) Marks(ctx context.Context, id string) (map[string]string, error) {
	// Uses the primary key.
	list, err := readAll(ctx, h.s, func(scan scanner) (event.Mark, error) {
		var m event.Mark
		err := scan(&m.Name, &m.Value)
		return m, err
	}, `SELECT name, value FROM trigger_marks WHERE trigger_id = $1`, id)
	out := make(map[string]string, len(list))
	for _, m := range list {
		out[m.Name] = m.Value
	}
	return out, err
}

func putMarks(ctx context.Context, tx *tx, id string, marks []event.Mark) error {
	for _, m := range marks {
		query, args := `
			INSERT INTO trigger_marks (trigger_id, name, value)
			VALUES ($1, $2, $3)
			ON CONFLICT (trigger_id, name) DO UPDATE SET value = excluded.value`, []any{id, m.Name, m.Value}
		if m.Value == "" {
			query, args = `DELETE FROM trigger_marks WHERE trigger_id = $1 AND name = $2`, args[:2]
		}
		// Uses the primary key.
		if _, err := tx.exec(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}
