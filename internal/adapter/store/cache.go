package store

import (
	"context"

	"levada/internal/core/run"
)

// putCacheEntries stores entries beside earlier ones of the same key, so that deleting the newest one's run
// brings back the one before.
func putCacheEntries(ctx context.Context, tx *tx, entries []run.CacheEntry) error {
	for _, e := range entries {
		body, err := encode("cache entry", e)
		if err != nil {
			return err
		}
		// Uses the primary key.
		_, err = tx.exec(ctx, `
			INSERT INTO cache_entries (key, task_id, run_id, created_at, body)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (key, task_id) DO UPDATE
			SET run_id = excluded.run_id, created_at = excluded.created_at, body = excluded.body`,
			e.Key, e.TaskID, e.RunID, micros(e.CreatedAt), body)
		if err != nil {
			return err
		}
	}
	return nil
}

// CacheEntry finds the newest entry of a key.
func (s *Store) CacheEntry(ctx context.Context, key string) (run.CacheEntry, error) {
	// Uses cache_entries_by_age.
	return readOne(ctx, s, "cache entry", key, `
		SELECT body
		FROM cache_entries
		WHERE key = $1
		ORDER BY created_at DESC, task_id DESC
		LIMIT 1`, func(scan scanner) (run.CacheEntry, error) {
		var e run.CacheEntry
		var body string
		if err := scan(&body); err != nil {
			return e, err
		}
		err := decode("cache entry", body, &e)
		return e, err
	}, key)
}
