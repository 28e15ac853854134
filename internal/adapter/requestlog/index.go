package requestlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
)

// index has predictions and truths by the id of the request. One writes at a time: a prediction and its truth meet in the transaction of
// the later one, exactly once.
type index struct {
	db *sql.DB
	mu sync.Mutex
}

// prediction is what was predicted for a row of a request.
type prediction struct {
	id      string
	row     int
	version string
	role    reqlog.Role
	at      int64 // microseconds
	value   reqlog.Value
}

// indexForm is the number of the schema; an index of another one is not opened.
const indexForm = 1

const indexSchema = `
CREATE TABLE predictions (
	endpoint TEXT NOT NULL, id TEXT NOT NULL, row INTEGER NOT NULL, version TEXT NOT NULL, role TEXT NOT NULL,
	at INTEGER NOT NULL, number REAL, label TEXT,
	PRIMARY KEY (endpoint, id, row, version, role)
) WITHOUT ROWID;
CREATE INDEX predictions_by_time ON predictions (endpoint, at);
CREATE TABLE truths (
	endpoint TEXT NOT NULL, id TEXT NOT NULL, row INTEGER NOT NULL, at INTEGER, received INTEGER NOT NULL, number REAL, label TEXT,
	PRIMARY KEY (endpoint, id, row)
) WITHOUT ROWID;
CREATE INDEX truths_by_time ON truths (endpoint, received);
CREATE TABLE left_out (
	endpoint TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
	PRIMARY KEY (endpoint, name)
) WITHOUT ROWID;`

func openIndex(ctx context.Context, path string) (*index, error) {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{
		"_busy_timeout": {"10000"}, "_journal_mode": {"wal"}, "_synchronous": {"full"}, "_txlock": {"immediate"}, "_dqs": {"false"},
		"_pragma": {"temp_store(memory)", "cache_size(-16384)", "journal_size_limit(67108864)"},
	}.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	x := &index{db: db}
	var form int
	err = db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&form)
	switch {
	case err != nil:
	case form == 0:
		_, err = db.ExecContext(ctx, "BEGIN; "+indexSchema+fmt.Sprintf("PRAGMA user_version = %d; COMMIT", indexForm))
	case form != indexForm:
		err = fault.Conflictf("it has form %d and this Levada knows %d: use the Levada that wrote it, or remove the file, which loses the truths", form, indexForm)
	}
	if err != nil {
		return nil, errors.Join(fault.Unavailablef("open the index of logged requests %s: %w", path, err), db.Close())
	}
	return x, nil
}

func (x *index) close() error { return x.db.Close() }

// update runs f in a transaction.
func (x *index) update(ctx context.Context, f func(tx *sql.Tx) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// columns of a Value.
func stored(v reqlog.Value) (number, label any) {
	if v.IsText {
		return nil, v.Text
	}
	return v.Number, nil
}

func value(number sql.NullFloat64, label sql.NullString) reqlog.Value {
	if label.Valid {
		return reqlog.Value{Text: label.String, IsText: true}
	}
	return reqlog.Value{Number: number.Float64}
}

// predicted stores predictions, and returns those whose truth is known.
func (x *index) predicted(ctx context.Context, name string, list []prediction) (matches []reqlog.Match, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = x.update(ctx, func(tx *sql.Tx) error {
		matches = nil
		// Uses the primary key.
		put, err := tx.PrepareContext(ctx, `
			INSERT INTO predictions (endpoint, id, row, version, role, at, number, label)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT DO UPDATE SET at = excluded.at, number = excluded.number, label = excluded.label`)
		if err != nil {
			return err
		}
		defer put.Close()
		// Uses the primary key.
		truth, err := tx.PrepareContext(ctx, `SELECT received, number, label FROM truths WHERE endpoint = $1 AND id = $2 AND row = $3`)
		if err != nil {
			return err
		}
		defer truth.Close()
		for _, p := range list {
			number, label := stored(p.value)
			if _, err := put.ExecContext(ctx, name, p.id, p.row, p.version, string(p.role), p.at, number, label); err != nil {
				return err
			}
			var received int64
			var n sql.NullFloat64
			var l sql.NullString
			err := truth.QueryRowContext(ctx, name, p.id, p.row).Scan(&received, &n, &l)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			matches = append(matches, reqlog.Match{Endpoint: name, Version: p.version, Role: p.role, At: time.UnixMicro(p.at).UTC(),
				Received: time.UnixMicro(received).UTC(), Predicted: p.value, Actual: value(n, l)})
		}
		return nil
	})
	return matches, err
}

// truthsAtOnce is how many truths one transaction takes: requests that are logged wait for it, about 50 ms.
const truthsAtOnce = 2000

// PutTruth takes what became of requests; a later value for the same row replaces the one before. Many are taken in several transactions,
// between which requests are logged: after an error some may be there, and all can be sent again.
func (l *Log) PutTruth(ctx context.Context, name string, truths []reqlog.Truth) (taken reqlog.Taken, err error) {
	now := l.o.Now().UnixMicro()
	x, err := l.indexed(ctx)
	if err != nil {
		return taken, err
	}
	for some := range slices.Chunk(truths, truthsAtOnce) {
		var matches []reqlog.Match
		err = x.update(ctx, func(tx *sql.Tx) error {
			w, err := newTruthWriter(ctx, tx)
			if err != nil {
				return err
			}
			defer w.close()
			for _, t := range some {
				if err := w.put(ctx, name, t, now, &taken, &matches); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return reqlog.Taken{}, err
		}
		if len(matches) > 0 && l.hooks.Matched != nil {
			l.hooks.Matched(matches)
		}
	}
	return taken, nil
}

// truthWriter has the statements of a transaction that takes truths. All use the primary keys.
type truthWriter struct{ known, insert, predicted *sql.Stmt }

func newTruthWriter(ctx context.Context, tx *sql.Tx) (w truthWriter, err error) {
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&w.known, `SELECT number, label FROM truths WHERE endpoint = $1 AND id = $2 AND row = $3`},
		{&w.insert, `
			INSERT INTO truths (endpoint, id, row, at, received, number, label)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (endpoint, id, row) DO UPDATE SET at = excluded.at, number = excluded.number, label = excluded.label`},
		{&w.predicted, `SELECT version, role, at, number, label FROM predictions WHERE endpoint = $1 AND id = $2 AND row = $3`},
	} {
		if *s.to, err = tx.PrepareContext(ctx, s.text); err != nil { //nolint:sqlclosecheck // close closes it
			w.close()
			return w, err
		}
	}
	return w, nil
}

func (w truthWriter) close() {
	for _, s := range []*sql.Stmt{w.known, w.insert, w.predicted} {
		if s != nil {
			_ = s.Close() // it ends with the transaction anyway
		}
	}
}

func (w truthWriter) put(ctx context.Context, name string, t reqlog.Truth, now int64, taken *reqlog.Taken, matches *[]reqlog.Match) error {
	id := reqlog.Key(t.ID)
	var n sql.NullFloat64
	var l sql.NullString
	err := w.known.QueryRowContext(ctx, name, id, t.Row).Scan(&n, &l)
	taken.Taken++
	fresh := errors.Is(err, sql.ErrNoRows)
	switch {
	case fresh:
		taken.New++
	case err != nil:
		return err
	case value(n, l) == t.Actual:
		taken.Unchanged++
	default:
		taken.Replaced++
	}
	number, label := stored(t.Actual)
	var at any
	if !t.At.IsZero() {
		at = t.At.UnixMicro()
	}
	if _, err = w.insert.ExecContext(ctx, name, id, t.Row, at, now, number, label); err != nil {
		return err
	}
	rows, err := w.predicted.QueryContext(ctx, name, id, t.Row)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := false
	for rows.Next() {
		m := reqlog.Match{Endpoint: name, Received: time.UnixMicro(now).UTC(), Actual: t.Actual}
		var at int64
		if err := rows.Scan(&m.Version, &m.Role, &at, &n, &l); err != nil {
			return err
		}
		found = true
		m.At, m.Predicted = time.UnixMicro(at).UTC(), value(n, l)
		if fresh {
			*matches = append(*matches, m)
		}
	}
	if found {
		taken.Matched++
	}
	return rows.Err()
}

// Matches calls f with the predictions of the requests of a time whose truth is known, in the order of the requests.
func (l *Log) Matches(ctx context.Context, name string, since, until time.Time, f func(reqlog.Match) error) error {
	x, err := l.synced(ctx)
	if err != nil {
		return err
	}
	// Uses predictions_by_time, then the primary key of truths.
	rows, err := x.db.QueryContext(ctx, `
		SELECT p.version, p.role, p.at, p.number, p.label, t.received, t.number, t.label
		FROM predictions AS p INDEXED BY predictions_by_time
		JOIN truths AS t ON t.endpoint = p.endpoint AND t.id = p.id AND t.row = p.row
		WHERE p.endpoint = $1 AND p.at >= $2 AND p.at < $3
		ORDER BY p.at`, name, since.UnixMicro(), until.UnixMicro())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		m := reqlog.Match{Endpoint: name}
		var at, received int64
		var pn, tn sql.NullFloat64
		var pl, tl sql.NullString
		if err := rows.Scan(&m.Version, &m.Role, &at, &pn, &pl, &received, &tn, &tl); err != nil {
			return err
		}
		m.At, m.Received, m.Predicted, m.Actual = time.UnixMicro(at).UTC(), time.UnixMicro(received).UTC(), value(pn, pl), value(tn, tl)
		if err := f(m); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Covered counts the logged predictions since a time, and how many of them have a truth, by the ages of the requests; requests that are
// older than the last age come last. Copies that shadows saw are not counted.
func (l *Log) Covered(ctx context.Context, name string, since, until time.Time, ages []time.Duration) ([]reqlog.Coverage, error) {
	x, err := l.synced(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]reqlog.Coverage, len(ages)+1)
	high := until
	for i := range out {
		low := since
		if i < len(ages) {
			out[i].Age = ages[i].String()
			if at := until.Add(-ages[i]); at.After(since) {
				low = at
			}
		}
		if !low.Before(high) {
			continue
		}
		// Uses predictions_by_time, then the primary key of truths.
		err := x.db.QueryRowContext(ctx, `
			SELECT count(*), count(t.id)
			FROM predictions AS p INDEXED BY predictions_by_time
			LEFT JOIN truths AS t ON t.endpoint = p.endpoint AND t.id = p.id AND t.row = p.row
			WHERE p.endpoint = $1 AND p.at >= $2 AND p.at < $3 AND p.role = $4`, name, low.UnixMicro(), high.UnixMicro(), string(reqlog.Served)).
			Scan(&out[i].Requests, &out[i].WithTruth)
		if err != nil {
			return nil, err
		}
		high = low
	}
	return out, nil
}

// waiting counts truths whose request is not in the log.
func (x *index) waiting(ctx context.Context, name string) (stored, waiting int64, err error) {
	// Uses the primary keys.
	err = x.db.QueryRowContext(ctx, `
		SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
			SELECT 1 FROM predictions AS p WHERE p.endpoint = t.endpoint AND p.id = t.id AND p.row = t.row))
		FROM truths AS t
		WHERE t.endpoint = $1`, name).Scan(&stored, &waiting)
	return stored, waiting, err
}

// Truths counts the truths of an endpoint, and those whose request is not in the log.
func (l *Log) Truths(ctx context.Context, name string) (stored, waiting int64, err error) {
	x, err := l.indexed(ctx)
	if err != nil {
		return 0, 0, err
	}
	return x.waiting(ctx, name)
}

// synced waits until what was logged before is written, and returns the index.
func (l *Log) synced(ctx context.Context) (*index, error) {
	if err := l.sync(ctx); err != nil {
		return nil, err
	}
	return l.indexed(ctx)
}

// known is a truth of a row.
type known struct {
	value reqlog.Value
	at    sql.NullInt64
}

type rowKey struct {
	id  string
	row int64
}

// truthsOf returns the truths of requests by id.
func (x *index) truthsOf(ctx context.Context, name string, ids []string) (map[rowKey]known, error) {
	out := map[rowKey]known{}
	for len(ids) > 0 {
		n := min(500, len(ids))
		args := []any{name}
		for _, id := range ids[:n] {
			args = append(args, id)
		}
		ids = ids[n:]
		// Uses the primary key.
		rows, err := x.db.QueryContext(ctx, `SELECT id, row, at, number, label FROM truths WHERE endpoint = ? AND id IN (?`+strings.Repeat(", ?", n-1)+`)`, args...)
		if err != nil {
			return nil, err
		}
		if err := scanTruths(rows, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func scanTruths(rows *sql.Rows, into map[rowKey]known) error {
	defer rows.Close()
	for rows.Next() {
		var key rowKey
		var k known
		var number sql.NullFloat64
		var label sql.NullString
		if err := rows.Scan(&key.id, &key.row, &k.at, &number, &label); err != nil {
			return err
		}
		k.value = value(number, label)
		into[key] = k
	}
	return rows.Err()
}

// anyText says whether a truth of an endpoint is a text.
func (x *index) anyText(ctx context.Context, name string) (text bool, err error) {
	// Reads the truths of the endpoint until the first text.
	err = x.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM truths WHERE endpoint = $1 AND label IS NOT NULL)`, name).Scan(&text)
	return text, err
}

// leave stores that a column is left out.
func (x *index) leave(ctx context.Context, name string, o reqlog.LeftOut) error {
	return x.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO left_out (endpoint, name, reason, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (endpoint, name) DO UPDATE SET reason = excluded.reason`, name, o.Column, o.Reason, o.At.UnixMicro())
		return err
	})
}

func (x *index) leftOut(ctx context.Context) (map[string]map[string]reqlog.LeftOut, error) {
	out := map[string]map[string]reqlog.LeftOut{}
	rows, err := x.db.QueryContext(ctx, `SELECT endpoint, name, reason, at FROM left_out`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var o reqlog.LeftOut
		var at int64
		if err := rows.Scan(&name, &o.Column, &o.Reason, &at); err != nil {
			return nil, err
		}
		o.At = time.UnixMicro(at).UTC()
		if out[name] == nil {
			out[name] = map[string]reqlog.LeftOut{}
		}
		out[name][o.Column] = o
	}
	return out, rows.Err()
}

// endpoints are the names that have predictions or truths.
func (x *index) endpoints(ctx context.Context) (out []string, err error) {
	// Steps from name to name in the primary keys.
	rows, err := x.db.QueryContext(ctx, `
		WITH RECURSIVE p (name) AS (
			SELECT min(endpoint) FROM predictions
			UNION ALL SELECT (SELECT min(endpoint) FROM predictions WHERE endpoint > p.name) FROM p WHERE p.name IS NOT NULL
		), t (name) AS (
			SELECT min(endpoint) FROM truths
			UNION ALL SELECT (SELECT min(endpoint) FROM truths WHERE endpoint > t.name) FROM t WHERE t.name IS NOT NULL
		)
		SELECT name FROM p WHERE name IS NOT NULL UNION SELECT name FROM t WHERE name IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// forget removes predictions of requests before a time, and truths that came before it.
func (x *index) forget(ctx context.Context, name string, before time.Time) error {
	return x.update(ctx, func(tx *sql.Tx) error {
		// Uses predictions_by_time.
		if _, err := tx.ExecContext(ctx, `DELETE FROM predictions WHERE endpoint = $1 AND at < $2`, name, before.UnixMicro()); err != nil {
			return err
		}
		// Uses truths_by_time.
		_, err := tx.ExecContext(ctx, `DELETE FROM truths WHERE endpoint = $1 AND received < $2`, name, before.UnixMicro())
		return err
	})
}

// mostRows bounds the predictions of an endpoint in the index, and its truths: so many are measured at once at most.
const mostRows = 2_000_000

// piece is how many rows are removed at once: what is logged meanwhile waits for no more than that.
const piece = 50_000

// bound removes the oldest predictions and truths of an endpoint beyond the newest most of each. Those that came in the same moment as the
// last one that stays do so too.
func (x *index) bound(ctx context.Context, name string, most int) error {
	for _, q := range []struct{ last, remove string }{
		{ // Uses predictions_by_time, twice.
			`SELECT at FROM predictions WHERE endpoint = $1 ORDER BY at DESC LIMIT 1 OFFSET $2`,
			`DELETE FROM predictions WHERE endpoint = $1 AND at < $2 AND
				at <= COALESCE((SELECT at FROM predictions WHERE endpoint = $1 ORDER BY at LIMIT 1 OFFSET $3), $2)`,
		},
		{ // Uses truths_by_time, twice.
			`SELECT received FROM truths WHERE endpoint = $1 ORDER BY received DESC LIMIT 1 OFFSET $2`,
			`DELETE FROM truths WHERE endpoint = $1 AND received < $2 AND
				received <= COALESCE((SELECT received FROM truths WHERE endpoint = $1 ORDER BY received LIMIT 1 OFFSET $3), $2)`,
		},
	} {
		var last int64
		switch err := x.db.QueryRowContext(ctx, q.last, name, most-1).Scan(&last); {
		case errors.Is(err, sql.ErrNoRows):
			continue
		case err != nil:
			return err
		}
		for removed := int64(1); removed > 0; {
			err := x.update(ctx, func(tx *sql.Tx) error {
				done, err := tx.ExecContext(ctx, q.remove, name, last, piece-1)
				if err != nil {
					return err
				}
				removed, err = done.RowsAffected()
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
