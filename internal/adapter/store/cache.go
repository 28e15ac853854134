package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func cacheList() *list {
	return &list{
		name:  "cache entries",
		table: "cache_entries",
		columns: map[string]column{
			"key":           {name: "key"},
			"task_id":       {name: "id"},
			"run_id":        {name: "run_id"},
			"component":     {name: "component"},
			"pipeline_name": {name: "pipeline_name"},
			"size":          {name: "size", kind: number},
			"created_at":    {name: "created_at", kind: moment},
			"used_at":       {name: "used_at", kind: moment, optional: true},
		},
		selected: "used_at, hits, body",
	}
}

// scanCacheEntry reads used_at, hits, body. The two columns change without the body.
func scanCacheEntry(scan scanner) (run.CacheEntry, error) {
	var e run.CacheEntry
	var used, hits int64
	var body string
	if err := scan(&used, &hits, &body); err != nil {
		return e, err
	}
	err := decode("cache entry", body, &e)
	e.Hits, e.UsedAt = hits, nil
	if used != 0 {
		at := instant(used)
		e.UsedAt = &at
	}
	return e, err
}

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
			INSERT INTO cache_entries (id, key, run_id, component, pipeline_name, size, created_at, used_at, hits, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (id) DO UPDATE
			SET key = excluded.key, run_id = excluded.run_id, component = excluded.component,
				pipeline_name = excluded.pipeline_name, size = excluded.size, created_at = excluded.created_at,
				used_at = excluded.used_at, hits = excluded.hits, body = excluded.body`,
			e.TaskID, e.Key, e.RunID, e.Component, e.PipelineName, e.Size, micros(e.CreatedAt), microsOrNone(e.UsedAt), e.Hits, body)
		if err != nil {
			return err
		}
	}
	return nil
}

// noteCacheHits counts the use of entries. Between a lookup and this moment the run that made the outputs may have been deleted:
// its artifacts are stored again then, and go with the last run that uses them.
func noteCacheHits(ctx context.Context, tx *tx, hits []run.CacheHit) error {
	for _, h := range hits {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			UPDATE cache_entries
			SET hits = hits + 1, used_at = $2
			WHERE id = $1`, h.Entry, micros(h.At))
		if err != nil {
			return err
		}
		for _, a := range h.Artifacts {
			var id string
			// Uses the primary key.
			err := tx.get(ctx, `SELECT id FROM artifacts WHERE id = $1`, []any{a.ID}, []any{&id})
			if errors.Is(err, sql.ErrNoRows) {
				if err = putArtifacts(ctx, tx, []run.Artifact{a}, h.At); err == nil {
					_, err = queueData(ctx, tx, []run.Artifact{a}) // looked at with the next new one
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// CacheEntry finds the newest entry of a key.
func (s *Store) CacheEntry(ctx context.Context, key string) (run.CacheEntry, error) {
	// Uses cache_entries_by_key.
	return readOne(ctx, s, "cache entry", key, `
		SELECT used_at, hits, body
		FROM cache_entries
		WHERE key = $1
		ORDER BY created_at DESC, id DESC
		LIMIT 1`, scanCacheEntry, key)
}

// CacheEntries lists entries. Newest first, alone or by component or key, uses the index cache_entries_by_… of that column;
// other orders sort all that match.
func (s *Store) CacheEntries(ctx context.Context, q listing.Query) (listing.Page[run.CacheEntry], error) {
	return readPage(ctx, s, cacheList(), q, nil, scanCacheEntry)
}

// PruneCache removes the entries for which all predicates hold, or only counts them. Their artifacts belong to runs and stay.
func (s *Store) PruneCache(ctx context.Context, where []listing.Predicate, dryRun bool) (run.CachePruned, error) {
	st, err := cacheList().plan(listing.Query{Where: where}, nil)
	if err != nil {
		return run.CachePruned{}, err
	}
	pruned := run.CachePruned{DryRun: dryRun}
	err = s.update(ctx, func(ctx context.Context, tx *tx) error {
		count := `SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM cache_entries` + st.filter()
		if err := tx.get(ctx, count, st.args, []any{&pruned.Entries, &pruned.Bytes}); err != nil || dryRun {
			return err
		}
		_, err := tx.exec(ctx, `DELETE FROM cache_entries`+st.filter(), st.args...)
		return err
	})
	if err != nil {
		return run.CachePruned{}, fmt.Errorf("prune the cache: %w", err)
	}
	return pruned, nil
}

// ArtifactDigests calls yield with the digest of each content that a stored artifact has, each once.
func (s *Store) ArtifactDigests(ctx context.Context, yield func(digest string) error) error {
	// Reads artifacts_by_digest alone.
	rows, err := s.read.QueryContext(ctx, `SELECT DISTINCT digest FROM artifacts WHERE digest <> ''`)
	if err != nil {
		return s.readError(fmt.Errorf("list digests: %w", err))
	}
	var refused error
	err = drain(rows, func(rows *sql.Rows) error {
		var digest string
		if err := rows.Scan(&digest); err != nil {
			return err
		}
		refused = yield(digest)
		return refused
	})
	if err != nil && refused == nil {
		return s.readError(fmt.Errorf("list digests: %w", err))
	}
	return refused
}

// numberValue checks a value of a predicate on a number.
func numberValue(key string, v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case int:
		return int64(v), nil
	}
	return nil, fault.Invalidf("filter on %s: want a whole number, got %v", key, v)
}
