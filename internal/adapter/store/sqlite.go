package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"levada/internal/core/fault"
)

// applicationID marks the file as a Levada database (SQLite's header, offset 68): "LVDA".
const applicationID = 0x4c564441

// createFile makes an empty database file that only its owner can read. SQLite gives its side files the same
// mode.
func createFile(path string) (string, error) {
	if path == "" {
		return "", fault.Invalidf("open database: no path given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fault.Unavailablef("open database %s: cannot create its directory: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fault.Unavailablef("open database %s: %w; the user that runs Levada must be able to write it", path, err)
	}
	return path, f.Close()
}

// dsn names the database as a URI, in which the path cannot be taken for parameters.
func dsn(path string, params url.Values) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/dir on Windows
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}
	return u.String()
}

func openWriter(ctx context.Context, path string, ephemeral bool) (*sql.DB, error) {
	synchronous := "full"
	if ephemeral {
		synchronous = "off"
	}
	db, err := sql.Open("sqlite", dsn(path, url.Values{
		"_pragma":       {"temp_store(memory)", "cache_size(-8192)", "journal_size_limit(67108864)"},
		"_busy_timeout": {"10000"},
		"_foreign_keys": {"on"},
		"_journal_mode": {"wal"},
		"_synchronous":  {synchronous},
		"_txlock":       {"immediate"},
		"_dqs":          {"false"},
		"_error_rc":     {"true"},
	}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := checkIdentity(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func openReaders(path string, n int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, url.Values{
		"_pragma":       {"temp_store(memory)", "cache_size(-2048)"},
		"_busy_timeout": {"10000"},
		"_query_only":   {"on"},
		"_dqs":          {"false"},
		"_error_rc":     {"true"},
	}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// checkIdentity refuses a database that belongs to another program and marks a new one as ours.
func checkIdentity(ctx context.Context, db *sql.DB) error {
	var id, tables int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return err
	}
	if id == applicationID {
		return nil
	}
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil {
		return err
	}
	if id != 0 || tables > 0 {
		return fault.Invalidf("the file is an SQLite database of another program; give Levada a path of its own")
	}
	_, err := db.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID))
	return err
}

// openError says what opening failed for, unless the error says so itself.
func openError(path string, err error) error {
	err = storageError(path, err)
	if kind := fault.KindOf(err); kind != fault.Internal {
		return &fault.Error{Kind: kind, Message: fmt.Sprintf("open database %s: %v", path, err), Cause: err}
	}
	return fmt.Errorf("open database %s: %w", path, err)
}

// storageError turns the failures of the disk that the caller may outlive into Unavailable errors. Others
// stay as they are.
func storageError(path string, err error) error {
	var e *sqlite.Error
	if err == nil || !errors.As(err, &e) || fault.KindOf(err) != fault.Internal {
		return err
	}
	switch e.Code() & 0xff { // the low byte is the class, the rest says more
	case sqlite3.SQLITE_FULL:
		return fault.Unavailablef("the disk is full at %s: free some space and try again; what was stored before is safe (%w)", filepath.Dir(path), err)
	case sqlite3.SQLITE_IOERR:
		return fault.Unavailablef("the disk failed at %s: see the system's log (%w)", path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fault.Unavailablef("the database %s cannot be written: check its permissions and those of its directory (%w)", path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Unavailablef("the database %s is held by another process: stop the other one, then try again (%w)", path, err)
	case sqlite3.SQLITE_NOTADB:
		return fault.Invalidf("the file %s is not a Levada database; give another path (%w)", path, err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the database %s is damaged: restore it from a backup (%w)", path, err)
	}
	return err
}

// duplicate reports whether a write failed because a unique value was there already.
func duplicate(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// orphan reports whether a write failed because the row that it refers to is not there.
func orphan(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}
