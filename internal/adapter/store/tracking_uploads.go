package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"levada/internal/core/track"
)

// URLKey returns the key with which URLs are signed; it is made with the database.
func (t Tracking) URLKey(ctx context.Context) ([]byte, error) {
	return readOne(ctx, t.s, "key", "urls", `SELECT key FROM url_key WHERE id = 1`, func(scan scanner) ([]byte, error) {
		var key []byte
		err := scan(&key)
		return key, err
	})
}

const uploadColumns = "id, path, parts, created_at, digest"

func scanUpload(scan scanner) (track.Upload, error) {
	var u track.Upload
	var created int64
	err := scan(&u.ID, &u.Path, &u.Parts, &created, &u.Digest)
	u.CreatedAt = instant(created)
	return u, err
}

func noUpload(id string) error { return notFound("upload", id) }

// CreateUpload stores an upload and forgets those that began before a time.
func (t Tracking) CreateUpload(ctx context.Context, u track.Upload, abandoned time.Time) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		if _, err := tx.exec(ctx, `DELETE FROM tracking_uploads WHERE created_at < $1`, micros(abandoned)); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `INSERT INTO tracking_uploads (`+uploadColumns+`) VALUES ($1, $2, $3, $4, '')`, u.ID, u.Path, u.Parts, micros(u.CreatedAt))
		return err
	})
}

// Upload returns an upload.
func (t Tracking) Upload(ctx context.Context, id string) (track.Upload, error) {
	// Uses the primary key.
	return readOne(ctx, t.s, "upload", id, `SELECT `+uploadColumns+` FROM tracking_uploads WHERE id = $1`, scanUpload, id)
}

// PutPart notes the content of a part; one of that number before is replaced.
func (t Tracking) PutPart(ctx context.Context, id string, p track.Part) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		// Uses the primary keys.
		n, err := tx.exec(ctx, `
			INSERT INTO tracking_parts (upload_id, number, digest, size)
			SELECT id, $2, $3, $4 FROM tracking_uploads WHERE id = $1 AND digest = ''
			ON CONFLICT (upload_id, number) DO UPDATE SET digest = excluded.digest, size = excluded.size`, id, p.Number, p.Digest, p.Size)
		if err == nil && n == 0 {
			return noUpload(id)
		}
		return err
	})
}

// Parts returns the parts of an upload in the order of their numbers.
func (t Tracking) Parts(ctx context.Context, id string) ([]track.Part, error) {
	return readAll(ctx, t.s, func(scan scanner) (track.Part, error) {
		var p track.Part
		err := scan(&p.Number, &p.Digest, &p.Size)
		return p, err
	}, `SELECT number, digest, size FROM tracking_parts WHERE upload_id = $1 ORDER BY number`, id)
}

// CompleteUpload makes a file of an upload whose parts are together. The upload stays without its parts, so that who did not hear
// of it may ask again.
func (t Tracking) CompleteUpload(ctx context.Context, id, path, digest string, size int64, at time.Time) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		u, err := scanUpload(func(dest ...any) error {
			return tx.get(ctx, `SELECT `+uploadColumns+` FROM tracking_uploads WHERE id = $1`, []any{id}, dest)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return noUpload(id)
		}
		if err != nil || u.Digest != "" {
			return err
		}
		if err := putFile(ctx, tx, path, digest, size, at); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE tracking_uploads SET digest = $2 WHERE id = $1`, id, digest); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `DELETE FROM tracking_parts WHERE upload_id = $1`, id)
		return err
	})
}

// AbortUpload forgets an upload and its parts.
func (t Tracking) AbortUpload(ctx context.Context, id string) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error {
		n, err := tx.exec(ctx, `DELETE FROM tracking_uploads WHERE id = $1`, id)
		if err == nil && n == 0 {
			return noUpload(id)
		}
		return err
	})
}
