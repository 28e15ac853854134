package store

import (
	"context"
	"testing"
)

func TestConnectionsAreOpenedAsTheDocumentationSays(t *testing.T) {
	s := openForTest(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "temp_store": "2", "busy_timeout": "10000",
		"application_id": "1280721985",
	} {
		var got string
		err := s.update(t.Context(), func(ctx context.Context, tx *tx) error {
			return tx.get(ctx, "PRAGMA "+pragma, nil, []any{&got})
		})
		if err != nil || got != want {
			t.Errorf("writer: %s is %q (%v), want %q", pragma, got, err, want)
		}
	}
	for pragma, want := range map[string]string{"query_only": "1", "temp_store": "2", "busy_timeout": "10000"} {
		var got string
		if err := s.read.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("reader: %s is %q (%v), want %q", pragma, got, err, want)
		}
	}
}
