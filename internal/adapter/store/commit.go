package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"levada/internal/core/change"
	"levada/internal/core/fault"
)

// maxBatch bounds how many writes share a transaction, and so how long the first of them waits for the last.
const maxBatch = 256

// writer is the one goroutine that writes. While a transaction is being synced to disk the next writes queue
// up; they then run together, each in a savepoint, so that the cost of the sync is shared and a failing one
// undoes only itself.
type writer struct {
	db    *sql.DB
	path  string
	log   *slog.Logger
	queue chan *write
	quit  chan struct{}
	once  sync.Once
	done  chan struct{}

	// renewed is called when the writer has a new connection: what failed on the one before may be in the database all the same.
	renewed func()
	// changes is told of what was committed; it may be nil.
	changes Changes

	commits, writes atomic.Int64
}

// write is one queued transaction. Exactly one of its caller (to withdraw it) and the writer (to run it)
// takes it.
type write struct {
	fn     func(context.Context, *tx) error
	taken  atomic.Bool
	result chan error
}

// take reports whether the caller is the first to take the write.
func (w *write) take() bool { return w.taken.CompareAndSwap(false, true) }

func startWriter(db *sql.DB, path string, log *slog.Logger, renewed func(), changes Changes) *writer {
	w := &writer{
		db: db, path: path, log: log, renewed: renewed, changes: changes,
		queue: make(chan *write, maxBatch),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go w.loop()
	return w
}

// stop lets the present batch finish and returns when the goroutine has ended.
func (w *writer) stop() {
	w.once.Do(func() { close(w.quit) })
	<-w.done
}

// do queues fn and returns when it has been committed or has failed. A context that ends while fn is queued
// withdraws it; once fn runs, its fate is waited for, because the caller must know it.
func (w *writer) do(ctx context.Context, fn func(context.Context, *tx) error) error {
	item := &write{fn: fn, result: make(chan error, 1)}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.queue <- item:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return w.closedError()
	}
	select {
	case err := <-item.result:
		return err
	case <-ctx.Done():
		if item.take() {
			return ctx.Err()
		}
	case <-w.done:
		if item.take() {
			return w.closedError()
		}
	}
	return <-item.result
}

func (w *writer) closedError() error {
	return fault.Unavailablef("the database is closed: Levada is shutting down, try again when it is back")
}

func (w *writer) loop() {
	defer close(w.done)
	var conn *tx
	defer func() { w.release(conn, nil) }()
	for {
		select {
		case <-w.quit:
			return
		case first := <-w.queue:
			conn = w.batch(conn, w.gather(first))
		}
	}
}

// gather takes what is waiting behind the first write, without those that were withdrawn.
func (w *writer) gather(first *write) []*write {
	var batch []*write
	for item := first; ; {
		if item.take() {
			batch = append(batch, item)
		}
		if len(batch) == maxBatch {
			return batch
		}
		select {
		case item = <-w.queue:
		default:
			return batch
		}
	}
}

// batch commits the writes in one transaction and answers their callers. It returns the connection to go on
// with, or nil when that should be a new one.
func (w *writer) batch(conn *tx, batch []*write) *tx {
	if len(batch) == 0 {
		return conn
	}
	// The callers' contexts end waiting, not writing: SQLite answers an interrupt in a write by undoing the
	// whole batch.
	ctx := context.Background()
	errs := make([]error, len(batch))
	conn, err := w.transact(ctx, conn, batch, errs)
	for i, item := range batch {
		if errs[i] == nil {
			errs[i] = err
		}
		item.result <- storageError(w.path, errs[i])
	}
	return conn
}

// transact runs the batch. The error it returns is that of the transaction; errs gets the errors of single
// writes.
func (w *writer) transact(ctx context.Context, conn *tx, batch []*write, errs []error) (*tx, error) {
	if conn == nil {
		c, err := w.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		conn = &tx{conn: c, prepared: map[string]statementOf{}}
		if err := conn.secure(ctx); err != nil {
			return w.release(conn, err), err
		}
		w.renewed()
	}
	if err := conn.control(ctx, `BEGIN IMMEDIATE`); err != nil {
		return w.release(conn, err), err
	}
	conn.changed, conn.naming = change.Set{}, w.changes != nil && w.changes.Listening()
	failed := 0
	for i, item := range batch {
		var broken error
		if len(batch) == 1 {
			errs[i] = item.fn(ctx, conn) // undone with the whole transaction
		} else if errs[i], broken = conn.savepoint(ctx, item.fn); broken != nil {
			return w.release(conn, broken), broken
		}
		if errs[i] != nil {
			failed++
		}
	}
	end := `COMMIT`
	if failed == len(batch) {
		end = `ROLLBACK`
	}
	if err := conn.control(ctx, end); err != nil {
		return w.release(conn, err), err
	}
	after := conn.after
	conn.after = nil
	if failed < len(batch) {
		for _, fn := range after {
			fn()
		}
		if w.changes != nil {
			w.changes.Publish(&conn.changed)
		}
	}
	w.commits.Add(1)
	w.writes.Add(int64(len(batch)))
	return conn, nil
}

// release gives the connection up. After a failure it is not used again: it may still be inside a
// transaction, which closing it rolls back.
func (w *writer) release(conn *tx, cause error) *tx {
	if conn == nil {
		return nil
	}
	for _, st := range conn.prepared {
		_ = st.stmt.Close() // the connection's own close reports what matters
	}
	if cause != nil {
		w.log.Warn("database transaction failed, opening a new connection", "path", w.path, "error", cause)
		_ = conn.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if err := conn.conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) && !errors.Is(err, driver.ErrBadConn) {
		w.log.Warn("close database connection", "path", w.path, "error", err)
	}
	return nil
}

// tx is what a write sees of its transaction. It keeps the statements it has prepared, which are a small
// fixed set.
type tx struct {
	conn     *sql.Conn
	prepared map[string]statementOf
	// changed is what the transaction has changed; with naming it holds which things, else only their topics.
	changed change.Set
	naming  bool
	// after holds what is to be done once the transaction is on disk, before anybody is told.
	after []func()
}

// secure makes sure that what the database shows is on disk, which a new connection must not take for granted. When the sync of a
// commit fails the commit fails, but its frames may be found in the write-ahead log later, whole and yet not on disk: the kernel may
// have dropped them and never says so again. Copied into the database file they are written, and synced, once more.
func (t *tx) secure(ctx context.Context) error {
	var busy, frames, copied int64
	err := t.get(ctx, `PRAGMA wal_checkpoint(FULL)`, nil, []any{&busy, &frames, &copied})
	if err == nil && busy != 0 {
		err = fault.Unavailablef("the database cannot be synced while it is read; try again in a moment")
	}
	return err
}

// committed has fn called when the transaction is on disk, in the order of the writes, by the goroutine that writes.
func (t *tx) committed(fn func()) { t.after = append(t.after, fn) }

// savepoint runs one write. A failure of the write is undone and returned first; the second error means that
// the whole transaction is lost, as when SQLite rolled it back because the disk is full.
func (t *tx) savepoint(ctx context.Context, fn func(context.Context, *tx) error) (failed, broken error) {
	if err := t.control(ctx, `SAVEPOINT one_write`); err != nil {
		return nil, err
	}
	before := len(t.after)
	if failed = fn(ctx, t); failed != nil {
		t.after = t.after[:before]
		if err := t.control(ctx, `ROLLBACK TO one_write`); err != nil {
			return nil, fmt.Errorf("%w (and then: %w)", failed, err)
		}
	}
	if err := t.control(ctx, `RELEASE one_write`); err != nil {
		return nil, err
	}
	return failed, nil
}

func (t *tx) control(ctx context.Context, query string) error {
	_, err := t.exec(ctx, query)
	return err
}

// statementOf is a prepared statement and what it changes.
type statementOf struct {
	stmt    *sql.Stmt
	changes effect
}

func (t *tx) statement(ctx context.Context, query string) (statementOf, error) {
	if st, ok := t.prepared[query]; ok {
		return st, nil
	}
	stmt, err := t.conn.PrepareContext(ctx, query)
	if err != nil {
		return statementOf{}, err
	}
	st := statementOf{stmt, effectOf(query)}
	t.prepared[query] = st
	return st, nil
}

// exec runs a statement and returns the number of rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := t.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := st.stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if n > 0 && st.changes.topics != nil {
		t.note(st.changes, args)
	}
	return n, err
}

// get scans the single row of a query; sql.ErrNoRows when there is none.
func (t *tx) get(ctx context.Context, query string, args, dest []any) error {
	st, err := t.statement(ctx, query)
	if err != nil {
		return err
	}
	return st.stmt.QueryRowContext(ctx, args...).Scan(dest...)
}

// each calls scan for every row of a query.
func (t *tx) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	st, err := t.statement(ctx, query)
	if err != nil {
		return err
	}
	rows, err := st.stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

// drain calls scan for every row and closes the rows.
func drain(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
