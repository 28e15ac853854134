// Package requestlog keeps requests for predictions and their answers in Parquet files, and the truth that comes later.
//
// What is logged goes from a bounded queue into journals, files of lines that are appended to and synced once a second; a journal of an hour
// that has passed, or that has grown large, becomes a Parquet file under its name at once. A server that is killed loses what was not in a
// journal yet, and the next one makes files of the journals. An index in SQLite has predictions and truths by the id of the request. It
// knows neither endpoints nor workers. Start reading at Log.Add, then run; export.go reads it all again.
package requestlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
)

// The bounds of what waits, and when it is written.
const (
	queueEntries = 8192
	queueBytes   = 64 << 20
	flushEvery   = time.Second
	flushEntries = 2000
	// journalBytes is how large a journal grows before it becomes a Parquet file.
	journalBytes = 16 << 20
	// settle is how long after its hour a journal waits for what began in it.
	settle = 5 * time.Second
	// tidyEvery is how often what is too old is removed.
	tidyEvery = time.Minute
)

// Options are what a Log is made of.
type Options struct {
	// Dir has log (Parquet files), open (journals) and index.db.
	Dir    string
	Now    func() time.Time
	Logger *slog.Logger
	// JournalBytes replaces the size at which journals become files; 0 leaves it.
	JournalBytes int64
	// IndexRows replaces how many predictions, and truths, of an endpoint the index keeps; 0 leaves it.
	IndexRows int
}

// Hooks are told what was found.
type Hooks struct {
	// Matched gets predictions whose truth became known.
	Matched func(matches []reqlog.Match)
	// LeftOut gets columns that are not kept from now on.
	LeftOut func(endpointName string, l reqlog.LeftOut)
	// Settings says how an endpoint logs; the zero value where it does not.
	Settings func(endpointName string) endpoint.Log
}

// Log keeps requests. Its methods may be called from any goroutine.
type Log struct {
	o     Options
	hooks Hooks
	// index is there when opened is set; both under opening.
	opening sync.Mutex
	opened  bool
	index   *index
	queue   chan reqlog.Entry
	// waiting are the bytes of what is in the queue.
	waiting atomic.Int64
	counts  counts
	flushes chan chan struct{}
	end     chan struct{}
	done    sync.WaitGroup
	started bool

	mu       sync.Mutex
	journals map[journalKey]*journal
	sealed   []sealed
	left     map[string]map[string]reqlog.LeftOut // by endpoint and column
}

// Open opens the log of a directory, and makes Parquet files of the journals that an earlier server has left.
func Open(ctx context.Context, o Options) (_ *Log, err error) {
	if o.JournalBytes == 0 {
		o.JournalBytes = journalBytes
	}
	if o.IndexRows == 0 {
		o.IndexRows = mostRows
	}
	l := &Log{o: o, queue: make(chan reqlog.Entry, queueEntries), flushes: make(chan chan struct{}), end: make(chan struct{}),
		journals: map[journalKey]*journal{}}
	if _, err := os.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) {
		return l, nil // most directories never log anything
	}
	_, err = l.indexed(ctx)
	return l, err
}

// indexed returns the index. With the first call the log is opened, unless that was done before.
func (l *Log) indexed(ctx context.Context) (*index, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.opened {
		return l.index, nil
	}
	for _, dir := range []string{l.o.Dir, filepath.Join(l.o.Dir, "log"), filepath.Join(l.o.Dir, "open")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fault.Unavailablef("open the log of requests: %w", err)
		}
	}
	var err error
	if l.index, err = openIndex(ctx, filepath.Join(l.o.Dir, "index.db")); err != nil {
		return nil, err
	}
	left, err := l.index.leftOut(ctx)
	if err == nil {
		l.mu.Lock()
		l.left = left
		l.mu.Unlock()
		if err = l.recover(ctx); err == nil {
			var files []sealed
			files, err = listSealed(filepath.Join(l.o.Dir, "log"))
			l.mu.Lock()
			l.sealed = files
			l.mu.Unlock()
		}
	}
	if err != nil {
		return nil, errors.Join(err, l.index.close())
	}
	l.opened = true
	return l.index, nil
}

// Start begins to write what is logged.
func (l *Log) Start(h Hooks) {
	l.hooks, l.started = h, true
	l.done.Go(l.run)
	l.done.Go(l.tidyUp)
}

// Close writes what is waiting, makes files of all journals, and ends. Nothing may be added any more.
func (l *Log) Close() error {
	if l.started {
		close(l.end)
		l.done.Wait()
	}
	l.opening.Lock()
	defer l.opening.Unlock()
	if !l.opened {
		return nil
	}
	return l.index.close()
}

// Add takes a request without waiting. What finds no room is counted and not logged.
func (l *Log) Add(e reqlog.Entry) {
	size := sizeOf(&e)
	if l.waiting.Add(size) > queueBytes {
		l.waiting.Add(-size)
		l.counts.of(e.Endpoint).lost.Add(1)
		return
	}
	select {
	case l.queue <- e:
	default:
		l.waiting.Add(-size)
		l.counts.of(e.Endpoint).lost.Add(1)
	}
}

func sizeOf(e *reqlog.Entry) int64 {
	n := 200 + len(e.ID)
	for i := range e.Request.Inputs {
		n += len(e.Request.Inputs[i].Data) + len(e.Request.Inputs[i].Name) + 100
	}
	for i := range e.Outputs {
		n += len(e.Outputs[i].Data) + len(e.Outputs[i].Name) + 100
	}
	return int64(n)
}

// run writes what is logged until the end.
func (l *Log) run() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var batch []reqlog.Entry
	flush := func() {
		l.write(batch)
		clear(batch)
		batch = batch[:0]
	}
	for {
		select {
		case e := <-l.queue:
			if batch = append(batch, e); len(batch) >= flushEntries {
				flush()
			}
		case <-tick.C:
			flush()
			l.sealPassed(l.o.Now())
		case told := <-l.flushes:
			for len(l.queue) > 0 {
				batch = append(batch, <-l.queue)
			}
			flush()
			close(told)
		case <-l.end:
			for len(l.queue) > 0 {
				batch = append(batch, <-l.queue)
			}
			flush()
			l.sealAll()
			return
		}
	}
}

// tidyUp removes what is too old, or too much, until the end. It is apart from the writing, which must not wait for a large removal.
func (l *Log) tidyUp() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.done.Go(func() {
		select {
		case <-l.end:
		case <-ctx.Done():
		}
		cancel()
	})
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for tidied := (time.Time{}); ; {
		select {
		case <-tick.C:
			if now := l.o.Now(); now.Sub(tidied) >= tidyEvery {
				tidied = now
				l.tidy(ctx, now)
			}
		case <-ctx.Done():
			return
		}
	}
}

// sync waits until what was added before is written.
func (l *Log) sync(ctx context.Context) error {
	if !l.started {
		return nil
	}
	told := make(chan struct{})
	select {
	case l.flushes <- told:
	case <-l.end:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write puts entries into journals and into the index.
func (l *Log) write(batch []reqlog.Entry) {
	if len(batch) == 0 {
		return
	}
	_, unopened := l.indexed(context.Background())
	records := map[journalKey][]reqlog.Record{}
	for i := range batch {
		e := &batch[i]
		l.waiting.Add(-sizeOf(e))
		if unopened != nil {
			l.counts.of(e.Endpoint).failed.Add(1)
			continue
		}
		r := reqlog.RecordOf(e, func(column string) bool { return l.isLeft(e, column) }, func(column, reason string) {
			if left, fresh := l.leave(e, column, reason); fresh && l.hooks.LeftOut != nil {
				l.hooks.LeftOut(e.Endpoint, left)
			}
		})
		key := journalKey{e.Endpoint, e.Version, e.At.UTC().Truncate(time.Hour)}
		records[key] = append(records[key], r)
	}
	if unopened != nil {
		l.o.Logger.Warn("requests could not be logged", "requests", len(batch), "error", unopened)
	}
	for key, of := range records {
		if err := l.append(key, of); err != nil {
			l.counts.of(key.endpoint).failed.Add(int64(len(of)))
			l.o.Logger.Warn("requests could not be logged", "endpoint", key.endpoint, "requests", len(of), "error", err)
			continue
		}
		l.counts.of(key.endpoint).kept(of)
	}
}

// append writes records to a journal, syncs it, and puts their predictions into the index.
func (l *Log) append(key journalKey, records []reqlog.Record) error {
	j, err := l.journal(key)
	if err != nil {
		return err
	}
	if n := j.takes(records); n < len(records) {
		if n > 0 {
			err = l.appendTo(key, j, records[:n])
		}
		if err = errors.Join(err, l.seal(key)); err != nil {
			return err
		}
		return l.append(key, records[n:])
	}
	return l.appendTo(key, j, records)
}

func (l *Log) appendTo(key journalKey, j *journal, records []reqlog.Record) error {
	if err := j.write(records); err != nil {
		return err
	}
	matches, err := l.index.predicted(context.Background(), key.endpoint, predictions(records))
	if err != nil {
		return fmt.Errorf("the index: %w", err)
	}
	if len(matches) > 0 && l.hooks.Matched != nil {
		l.hooks.Matched(matches)
	}
	if j.size.Load() >= l.o.JournalBytes {
		return l.seal(key)
	}
	return nil
}

// predictions are those of requests that were answered.
func predictions(records []reqlog.Record) []prediction {
	var out []prediction
	for i := range records {
		r := &records[i]
		if r.Status != endpoint.OK.String() {
			continue
		}
		c := predictedColumn(r.Columns, r.Prediction)
		if c == nil {
			continue
		}
		for row := range r.Rows {
			if v, ok := reqlog.ValueOf(c.Cell(row)); ok {
				out = append(out, prediction{id: r.ID, row: row, version: r.Version, role: r.Role, at: r.At, value: v})
			}
		}
	}
	return out
}

func predictedColumn(columns []reqlog.Column, name string) *reqlog.Column {
	for i := range columns {
		c := &columns[i]
		if output, ok := strings.CutPrefix(c.Name, reqlog.OutputPrefix); ok && (name == "" || output == name) {
			return c
		}
	}
	return nil
}

// isLeft says whether a column of an endpoint is left out by what its values looked like.
func (l *Log) isLeft(e *reqlog.Entry, column string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !e.Log.KeepPII && strings.HasPrefix(l.left[e.Endpoint][column].Reason, reqlog.Personal)
}

// leave notes that a column is left out; fresh is whether that is new.
func (l *Log) leave(e *reqlog.Entry, column, reason string) (left reqlog.LeftOut, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.left[e.Endpoint]
	if of == nil {
		of = map[string]reqlog.LeftOut{}
		l.left[e.Endpoint] = of
	}
	if _, known := of[column]; known && of[column].Reason == reason || len(of) >= mostLeftOut {
		return left, false
	}
	left = reqlog.LeftOut{Column: column, Reason: reason, At: l.o.Now().UTC()}
	of[column] = left
	if err := l.index.leave(context.Background(), e.Endpoint, left); err != nil {
		l.o.Logger.Warn("that a column of the log is left out could not be stored", "endpoint", e.Endpoint, "column", column, "error", err)
	}
	return left, true
}

// mostLeftOut bounds the columns of an endpoint that are remembered as left out.
const mostLeftOut = 5000

// counts are those of endpoints.
type counts struct {
	mu sync.Mutex
	by map[string]*count
}

type count struct {
	logged, lost, failed atomic.Int64
	// newest is when the newest request came that was logged, in microseconds since 1970; 0 before the first.
	newest atomic.Int64
}

// kept counts records that were written.
func (c *count) kept(records []reqlog.Record) {
	c.logged.Add(int64(len(records)))
	for i := range records {
		c.newest.Store(max(c.newest.Load(), records[i].At)) // nobody else stores it
	}
}

func (c *counts) of(name string) *count {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]*count{}
	}
	if c.by[name] == nil {
		c.by[name] = &count{}
	}
	return c.by[name]
}

// Figures returns what is known of the log of an endpoint.
func (l *Log) Figures(name string) reqlog.Figures {
	f := l.Counts()[name] // a name that somebody makes up leaves nothing behind
	f.Directory = filepath.Join(l.o.Dir, "log", name)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sealed {
		if s.endpoint != name {
			continue
		}
		f.Files++
		f.Bytes += s.size
		span(&f, s.hour)
	}
	for key, j := range l.journals {
		if key.endpoint == name && j.size.Load() > 0 {
			f.Bytes += j.size.Load()
			span(&f, key.hour)
		}
	}
	for _, left := range l.left[name] {
		f.LeftOut = append(f.LeftOut, left)
	}
	slices.SortFunc(f.LeftOut, func(a, b reqlog.LeftOut) int { return strings.Compare(a.Column, b.Column) })
	return f
}

// span takes in that there are requests of an hour.
func span(f *reqlog.Figures, hour time.Time) {
	if f.Oldest == nil || hour.Before(*f.Oldest) {
		f.Oldest = &hour
	}
	if f.Newest == nil || hour.After(*f.Newest) {
		f.Newest = &hour
	}
}

// Counts are those of all endpoints, without what is on disk.
func (l *Log) Counts() map[string]reqlog.Figures {
	l.counts.mu.Lock()
	defer l.counts.mu.Unlock()
	out := make(map[string]reqlog.Figures, len(l.counts.by))
	for name, c := range l.counts.by {
		f := reqlog.Figures{Logged: c.logged.Load(), Lost: c.lost.Load(), Failed: c.failed.Load()}
		if at := c.newest.Load(); at > 0 {
			newest := time.UnixMicro(at).UTC()
			f.Newest = &newest
		}
		out[name] = f
	}
	return out
}
