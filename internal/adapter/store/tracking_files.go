package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// PutFile notes where the content of a file is; one of that path before is replaced.
func (t Tracking) PutFile(ctx context.Context, path, digest string, size int64, at time.Time) error {
	return t.s.update(ctx, func(ctx context.Context, tx *tx) error { return putFile(ctx, tx, path, digest, size, at) })
}

func putFile(ctx context.Context, tx *tx, path, digest string, size int64, at time.Time) error {
	// A path that is a file cannot be a directory as well, and the other way round.
	for dir := path; ; {
		cut := strings.LastIndexByte(dir, '/')
		if cut < 0 {
			break
		}
		dir = dir[:cut]
		var one int
		err := tx.get(ctx, `SELECT 1 FROM tracking_files WHERE path = $1`, []any{dir}, []any{&one})
		if err == nil {
			return fault.Conflictf("the artifact %q cannot be stored: %q is a file", path, dir)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	from, to := below(path)
	var n int
	err := tx.get(ctx, `SELECT COUNT(*) FROM tracking_files WHERE path >= $1 AND path < $2`, []any{from, to}, []any{&n})
	if err != nil {
		return err
	}
	if n > 0 {
		return fault.Conflictf("the artifact %q cannot be stored: it is a directory", path)
	}
	// Uses the primary key.
	_, err = tx.exec(ctx, `
		INSERT INTO tracking_files (path, digest, size, at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (path) DO UPDATE SET digest = excluded.digest, size = excluded.size, at = excluded.at`,
		path, digest, size, micros(at))
	return err
}

// below bounds the paths inside a directory; everything when dir is empty.
func below(dir string) (from, to string) {
	if dir == "" {
		return "", "\U0010FFFF"
	}
	return dir + "/", dir + "0" // the character after the slash
}

// File returns the content of a path; NotFound when there is no such file.
func (t Tracking) File(ctx context.Context, path string) (track.StoredFile, error) {
	// Uses the primary key.
	return readOne(ctx, t.s, "artifact", path, `SELECT path, digest, size FROM tracking_files WHERE path = $1`, scanFile, path)
}

func scanFile(scan scanner) (track.StoredFile, error) {
	var f track.StoredFile
	err := scan(&f.Path, &f.Digest, &f.Size)
	return f, err
}

// Files returns all files inside a directory, at any depth, in the order of their paths.
func (t Tracking) Files(ctx context.Context, dir string) ([]track.StoredFile, error) {
	from, to := below(dir)
	// Uses the primary key.
	rows, err := t.s.read.QueryContext(ctx, `
		SELECT path, digest, size
		FROM tracking_files
		WHERE path >= $1 AND path < $2
		ORDER BY path`, from, to)
	if err != nil {
		return nil, t.s.readError(err)
	}
	var out []track.StoredFile
	err = drain(rows, func(rows *sql.Rows) error {
		f, err := scanFile(rows.Scan)
		out = append(out, f)
		return err
	})
	return out, t.s.readError(err)
}

// Children returns the files and directories directly inside a directory, without reading what is deeper.
func (t Tracking) Children(ctx context.Context, dir string) ([]track.File, error) {
	from, to := below(dir)
	prefix := len(from)
	var out []track.File
	for {
		// Uses the primary key: each step jumps behind what was found.
		f, err := scanFile(t.s.read.QueryRowContext(ctx, `
			SELECT path, digest, size
			FROM tracking_files
			WHERE path >= $1 AND path < $2
			ORDER BY path
			LIMIT 1`, from, to).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return out, nil
		}
		if err != nil {
			return nil, t.s.readError(err)
		}
		name, _, deeper := strings.Cut(f.Path[prefix:], "/")
		if deeper {
			out = append(out, track.File{Path: f.Path[:prefix] + name, Dir: true})
			_, from = below(f.Path[:prefix] + name)
			continue
		}
		out = append(out, track.File{Path: f.Path, Size: f.Size})
		from = f.Path + "\x00"
	}
}

// RemoveFiles forgets a file, or all files inside a directory, and returns how many there were. The content stays in the blob
// store: another path may have it too.
func (t Tracking) RemoveFiles(ctx context.Context, path string) (int64, error) {
	var n int64
	err := t.s.update(ctx, func(ctx context.Context, tx *tx) (err error) {
		from, to := below(path)
		n, err = tx.exec(ctx, `DELETE FROM tracking_files WHERE path = $1 OR path >= $2 AND path < $3`, path, from, to)
		return err
	})
	return n, err
}

// Digests calls yield with the digest of each content that files of clients, and uploads that may still be completed, have.
func (t Tracking) Digests(ctx context.Context, yield func(digest string) error) error {
	rows, err := t.s.read.QueryContext(ctx, `
		SELECT digest FROM tracking_files
		UNION ALL
		SELECT p.digest FROM tracking_parts p JOIN tracking_uploads u ON u.id = p.upload_id WHERE u.created_at >= $1`,
		micros(time.Now().Add(-track.UploadTime)))
	if err != nil {
		return t.s.readError(err)
	}
	return t.s.readError(drain(rows, func(rows *sql.Rows) error {
		var digest string
		if err := rows.Scan(&digest); err != nil {
			return err
		}
		return yield(digest)
	}))
}
