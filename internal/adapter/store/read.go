package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"levada/internal/core/fault"
)

// readError gives the failure of a query the kind that the caller can act on.
func (s *Store) readError(err error) error {
	if s.isClosed.Load() {
		return s.writer.closedError()
	}
	return storageError(s.path, err)
}

// readOne scans the single row of a query. When there is none it returns a NotFound error that names what was
// looked for.
func readOne[T any](ctx context.Context, s *Store, what, id, query string, scan func(scanner) (T, error), args ...any) (T, error) {
	v, err := scan(s.read.QueryRowContext(ctx, query, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return v, notFound(what, id)
	}
	if err != nil {
		return v, s.readError(fmt.Errorf("read %s %q: %w", what, id, err))
	}
	return v, nil
}

// readAll scans all rows of a query.
func readAll[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.readError(err)
	}
	var out []T
	err = drain(rows, func(rows *sql.Rows) error {
		v, err := scan(rows.Scan)
		out = append(out, v)
		return err
	})
	return out, s.readError(err)
}

// scanText scans a row of one text.
func scanText(scan scanner) (string, error) {
	var text string
	err := scan(&text)
	return text, err
}

func notFound(what, id string) error {
	return fault.NotFoundf("%s %q does not exist", what, id)
}

// encode is the stored form of a record.
func encode(what string, v any) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", what, err)
	}
	return string(body), nil
}

// decode is the reverse of encode.
func decode(what, body string, v any) error {
	if err := json.Unmarshal([]byte(body), v); err != nil {
		return fmt.Errorf("decode stored %s: %w", what, err)
	}
	return nil
}
