// Package series keeps the points of metrics: an append-only store in which a point is a few bytes on disk.
//
// It knows runs by their ids and metrics by their keys, and nothing else of tracking. What Log has returned for is on
// disk, synced; many callers share one sync. A point that is there already is not stored again, so a request may be
// repeated. Start reading at commit.go, which is the way in; mem.go and segment.go say where points are, query.go how they
// are read. The stored bytes are described in docs/format/metrics.md.
package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// Options say where a store is and how much it keeps in memory.
type Options struct {
	// Dir holds the files; it is made when it is missing.
	Dir string
	// FlushPoints is how many points are held in memory before they become a segment; 0 means 100,000, about 5 MB.
	FlushPoints int
	// CachedStats is how many metrics of how many runs may have their sums in memory; 0 means 400,000, about 50 MB.
	CachedStats int
	// Logger gets what nobody else is told. Nil means silence.
	Logger *slog.Logger
}

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	o     Options
	queue chan *request
	// settling gets those who wait for the end of a flush.
	settling chan chan struct{}
	// forgetting gets those who want the points of runs removed.
	forgetting chan *forgetRequest
	quit       chan struct{}
	done       chan struct{}
	once       sync.Once
	err        error

	// mu guards what follows. Whoever writes files does not hold it while it waits for the disk.
	mu       sync.RWMutex
	active   *memtable
	flushing *memtable // being written to a segment, nil otherwise
	segments []*segment
	stats    map[string]*runStats
	nStats   int
	// changes are the runs of the newest writes, after as many that were forgotten.
	changes   []string
	forgotten uint64
	// last is the block that was decoded last to look for a point.
	last lastBlock

	// Only the goroutine of commit.go uses these.
	log     *wal
	flushed chan error // answers when the running flush has ended; nil when none runs

	// seq is the number that a file got last.
	seq atomic.Uint64
}

// Open opens the store in o.Dir and brings back what was acknowledged.
func Open(o Options) (*Store, error) {
	if o.FlushPoints <= 0 {
		o.FlushPoints = 100_000
	}
	if o.CachedStats <= 0 {
		o.CachedStats = 400_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		o: o, queue: make(chan *request, maxBatch), settling: make(chan chan struct{}), forgetting: make(chan *forgetRequest), quit: make(chan struct{}), done: make(chan struct{}),
		active: newMemtable(), stats: map[string]*runStats{},
	}
	if err := s.recover(); err != nil {
		if errors.Is(err, errDamaged) {
			err = fmt.Errorf("%w; restore %s from a backup, or move it away to start without metrics", err, o.Dir)
		}
		return nil, errors.Join(diskError(o.Dir, fmt.Errorf("open metric store %s: %w", o.Dir, err)), s.closeFiles())
	}
	go s.loop()
	return s, nil
}

// recover reads what is on disk: the segments, then the logs that no segment covers.
func (s *Store) recover() error {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return err
	}
	files, err := listFiles(s.o.Dir)
	if err != nil {
		return err
	}
	covered := uint64(0)
	for _, seq := range files.segments {
		g, err := openSegment(filepath.Join(s.o.Dir, segmentName(seq)))
		if err != nil {
			return err
		}
		s.segments = append(s.segments, g)
		covered = max(covered, g.covers)
		s.seq.Store(max(s.seq.Load(), seq))
	}
	if s.segments, err = dropReplaced(s.segments); err != nil {
		return err
	}
	for i, seq := range files.logs {
		s.seq.Store(max(s.seq.Load(), seq))
		path := filepath.Join(s.o.Dir, logName(seq))
		if seq <= covered {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		n, err := replay(path, i == len(files.logs)-1, s.o.Logger, s.apply)
		if err != nil {
			return err
		}
		s.o.Logger.Debug("replayed metric log", "path", path, "batches", n)
	}
	// A log that was replayed is kept until its points are in a segment, which names the newest log that it covers.
	s.log, err = createLog(s.o.Dir, s.seq.Add(1))
	return err
}

// Close finishes the writes that have begun, turns what is in memory into a segment, and closes the files. Closing twice is
// the same as closing once.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.quit) })
	<-s.done
	return s.err
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.close())
	}
	for _, g := range s.segments {
		errs = append(errs, g.release())
	}
	return errors.Join(errs...)
}

// Log stores points of a run and returns when they are on disk: all of them, or none when it fails. Points that are there
// already are not stored again.
func (s *Store) Log(ctx context.Context, runID string, metrics []track.Metric) error {
	if len(metrics) == 0 {
		return nil
	}
	for i := range metrics {
		metrics[i].Value = track.Clean(metrics[i].Value)
	}
	b := batch{runID, metrics}
	if n := recordSize(b); n > maxRecord {
		return fault.TooLargef("the metrics of run %s need %d bytes at once and %d are allowed: log them in smaller batches", runID, n, maxRecord)
	}
	return s.commit(ctx, &request{batch: b, result: make(chan error, 1)})
}

// batch is the points of one run that are stored together; only their keys and points matter here.
type batch struct {
	RunID   string
	Metrics []track.Metric
}

// diskError makes the failures of a disk Unavailable.
func diskError(dir string, err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal || errors.Is(err, errDamaged) {
		return err
	}
	return fault.Unavailablef("the metric store in %s cannot be used: %w; see the system's log", dir, err)
}
