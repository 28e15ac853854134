package store

import (
	"context"

	"levada/internal/core/fault"
)

// PutSpec stores a specification under its digest; storing it again is not an error.
func (s *Store) PutSpec(ctx context.Context, digest string, spec []byte) error {
	// The same pipeline is submitted many times: what is there already needs no write.
	if _, err := s.GetSpec(ctx, digest); fault.KindOf(err) != fault.NotFound || err == nil {
		return err
	}
	return s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary key.
		_, err := tx.exec(ctx, `
			INSERT INTO specs (digest, body)
			VALUES ($1, $2)
			ON CONFLICT (digest) DO NOTHING`, digest, spec)
		return err
	})
}

// GetSpec returns a specification by digest.
func (s *Store) GetSpec(ctx context.Context, digest string) ([]byte, error) {
	// Uses the primary key.
	return readOne(ctx, s, "specification", digest, `SELECT body FROM specs WHERE digest = $1`, func(scan scanner) ([]byte, error) {
		var body []byte
		err := scan(&body)
		return body, err
	}, digest)
}
