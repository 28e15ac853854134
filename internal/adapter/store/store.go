// Package store keeps what the pipeline service must not lose in an SQL database: runs with their event logs
// and the rows derived from them, experiments, pipelines, specifications, cache entries.
//
// It answers the Store interface of the pipeline service and knows only the types of core: nothing of HTTP,
// of the engine's decisions, or of what is inside an event. A method that returns nil has its writes on disk,
// synced; many writers share one sync. Start reading at commit.go, which is how writes happen, then runs.go,
// which is most of them, then page.go, which is how lists are read. The stored bytes are described in
// docs/format/database.md.
package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"levada/internal/core/change"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// Options says where a store is.
type Options struct {
	// Path is the database file; it and its directory are created when they are missing.
	Path string
	// Logger gets what nobody else is told: migrations, connections that had to be replaced. Nil means silence.
	Logger *slog.Logger
	// Ephemeral leaves out the syncing: a write survives the end of the process, but not that of the machine.
	Ephemeral bool
	// Changes is told of what each commit has changed, by the goroutine that writes. Nil means nobody.
	Changes Changes
	// Readers is the most queries that run at the same time; 0 means one per processor, at least 2 and at
	// most 8.
	Readers int
}

// Changes is told of commits. Its methods must not block.
type Changes interface {
	// Listening reports whether anybody wants to know which things change, and not only that they do.
	Listening() bool
	Publish(changed *change.Set)
}

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	path   string
	log    *slog.Logger
	read   *sql.DB
	write  *sql.DB
	writer *writer
	// index holds the tracked runs of experiments that were searched.
	index runIndex
	// models, versions and logged hold what searches of models look at.
	models   mirror[string, model.Registered]
	versions mirror[versionKey, *model.Version]
	logged   mirror[string, *track.LoggedModel]
	// outbox is sent to when metrics of pipeline tasks wait for the metric store.
	outbox chan struct{}
	// deliveries is sent to when there is something to send to webhooks.
	deliveries chan struct{}
	// happenings is sent to when something has happened that there is a trigger for.
	happenings chan struct{}
	// unseen is sent to when there are artifacts that nobody has looked at yet.
	unseen chan struct{}

	closing  sync.Once
	isClosed atomic.Bool
	closed   error
}

// Open opens the database at o.Path, creates it when it is not there, and brings its tables up to this version.
// The database must not be open in another process that writes to it.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Readers == 0 {
		o.Readers = min(max(runtime.GOMAXPROCS(0), 2), 8)
	}
	path, err := createFile(o.Path)
	if err != nil {
		return nil, err
	}
	write, err := openWriter(ctx, path, o.Ephemeral)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := migrate(ctx, write, path, o.Logger); err != nil {
		return nil, errors.Join(openError(path, err), write.Close())
	}
	read, err := openReaders(path, o.Readers)
	if err != nil {
		return nil, errors.Join(openError(path, err), write.Close())
	}
	s := &Store{path: path, log: o.Logger, read: read, write: write, outbox: make(chan struct{}, 1), deliveries: make(chan struct{}, 1),
		happenings: make(chan struct{}, 1), unseen: make(chan struct{}, 1)}
	s.writer = startWriter(write, path, o.Logger, s.clearMemory, o.Changes)
	return s, nil
}

// clearMemory forgets what is held of tables in memory.
func (s *Store) clearMemory() {
	s.index.clear()
	s.models.clear()
	s.versions.clear()
	s.logged.clear()
}

// Close finishes the writes that have begun, refuses those that are still waiting, and closes the database.
// Closing twice is the same as closing once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.isClosed.Store(true)
		s.writer.stop()
		// The readers go first: the last connection to close folds the write-ahead log into the database.
		s.closed = errors.Join(s.read.Close(), s.write.Close())
	})
	return s.closed
}

// Stats are figures about a store since it was opened.
type Stats struct {
	// Commits counts transactions, Writes the writes that shared them.
	Commits, Writes int64
	// Waiting is how many writes are queued at this moment.
	Waiting int
	// Bytes is the size of the database file with its write-ahead log.
	Bytes int64
}

// Stats returns the figures of this moment.
func (s *Store) Stats() Stats {
	st := Stats{Commits: s.writer.commits.Load(), Writes: s.writer.writes.Load(), Waiting: len(s.writer.queue)}
	for _, name := range []string{s.path, s.path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			st.Bytes += info.Size()
		}
	}
	return st
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.readError(s.read.QueryRowContext(ctx, `SELECT 1`).Scan(&one))
}

// update runs fn in a transaction and returns when it is on disk, or when it had no effect.
func (s *Store) update(ctx context.Context, fn func(context.Context, *tx) error) error {
	return s.writer.do(ctx, fn)
}
