package series

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"levada/internal/core/fault"
)

// maxBatch bounds how many callers share one sync.
const maxBatch = 512

// request is one waiting caller.
type request struct {
	batch  batch
	result chan error
}

// settle returns when no segment is being written; what is in memory stays there.
func (s *Store) settle() {
	answer := make(chan struct{})
	select {
	case s.settling <- answer:
		<-answer
	case <-s.done:
	}
}

// commit hands a request to the one goroutine that writes and waits for its answer.
func (s *Store) commit(ctx context.Context, r *request) error {
	return hand(ctx, s, s.queue, r, r.result)
}

// hand puts a request into a queue of the goroutine that writes and waits for its result.
func hand[R any](ctx context.Context, s *Store, queue chan<- R, r R, result <-chan error) error {
	select {
	case queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.quit:
		return errClosed()
	}
	// Once it is queued its fate is waited for: the caller must know it.
	select {
	case err := <-result:
		return err
	case <-s.done:
		select {
		case err := <-result:
			return err
		default:
			return errClosed()
		}
	}
}

func errClosed() error {
	return fault.Unavailablef("the metric store is closed: Levada is shutting down, try again when it is back")
}

// loop is the goroutine that writes: it gathers what waits, writes it to the log with one sync, then lets it be seen.
func (s *Store) loop() {
	defer close(s.done)
	var buffer []byte
	for {
		select {
		case <-s.quit:
			s.err = s.shut()
			return
		case err := <-s.flushed:
			s.flushed = nil
			s.endFlush(err)
		case answer := <-s.settling:
			if s.flushed != nil {
				s.endFlush(<-s.flushed)
				s.flushed = nil
			}
			close(answer)
		case r := <-s.forgetting:
			s.beginForgetting(r)
		case first := <-s.queue:
			buffer = s.write(buffer[:0], s.gather(first))
			if cap(buffer) > 4<<20 {
				buffer = nil
			}
			s.flushWhenFull()
		}
	}
}

func (s *Store) gather(first *request) []*request {
	group := []*request{first}
	for len(group) < maxBatch {
		select {
		case r := <-s.queue:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

func (s *Store) write(buffer []byte, group []*request) []byte {
	for _, r := range group {
		buffer = appendRecord(buffer, r.batch)
	}
	err := s.log.write(buffer)
	for _, r := range group {
		if err == nil {
			// What fails here is on disk and comes back with the next start; the caller may repeat it.
			r.result <- diskError(s.o.Dir, s.apply(r.batch))
			continue
		}
		r.result <- diskError(s.o.Dir, fmt.Errorf("store metrics of run %s: %w", r.batch.RunID, err))
	}
	return buffer
}

// flushWhenFull begins to turn memory into a segment when there is enough in it and no other is being written. One that
// could not be written is tried again first.
func (s *Store) flushWhenFull() {
	s.mu.RLock()
	full := s.active.points >= s.o.FlushPoints
	s.mu.RUnlock()
	if !full || s.flushed != nil {
		return
	}
	m, err := s.rotate()
	if err != nil {
		s.o.Logger.Warn("the metric store cannot begin a new log", "dir", s.o.Dir, "error", err)
		return
	}
	answer := make(chan error, 1)
	s.flushed = answer
	go func() { answer <- s.flush(m) }()
}

// rotate begins a new log and returns the table that is to become a segment: one that could not be written before, or the active
// one.
func (s *Store) rotate() (*memtable, error) {
	s.mu.RLock()
	m := s.flushing
	s.mu.RUnlock()
	if m != nil {
		return m, nil
	}
	log, err := createLog(s.o.Dir, s.seq.Add(1))
	if err != nil {
		return nil, err
	}
	old := s.log
	s.log = log
	if err := old.close(); err != nil {
		s.o.Logger.Warn("close metric log", "error", err)
	}
	return s.setAside(old.seq), nil
}

// setAside makes the active table the one that is being written.
func (s *Store) setAside(upTo uint64) *memtable {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.active
	m.upTo = upTo
	s.flushing, s.active = m, newMemtable()
	return m
}

// flush writes a table as a segment and then merges segments where there are many.
func (s *Store) flush(m *memtable) error {
	g, err := writeMemtable(s.o.Dir, s.seq.Add(1), m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.segments, s.flushing = append(s.segments, g), nil
	s.mu.Unlock()
	if err := removeLogs(s.o.Dir, m.upTo); err != nil {
		return err
	}
	return s.compact()
}

func (s *Store) endFlush(err error) {
	if err != nil {
		// The points are in the log and the table stays in memory: nothing is lost.
		s.o.Logger.Warn("the metric store could not write a segment", "dir", s.o.Dir, "error", err)
	}
}

func removeLogs(dir string, upTo uint64) error {
	f, err := listLogs(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, seq := range f {
		if seq <= upTo {
			errs = append(errs, os.Remove(filepath.Join(dir, logName(seq))))
		}
	}
	return errors.Join(errs...)
}

// shut answers who still waits, writes what is in memory as a segment, and closes the files.
func (s *Store) shut() error {
	for {
		select {
		case r := <-s.queue:
			r.result <- errClosed()
			continue
		default:
		}
		break
	}
	var errs []error
	if s.flushed != nil {
		if err := <-s.flushed; err != nil {
			errs = append(errs, err)
		}
	}
	switch {
	case s.flushing != nil: // could not be written; the logs bring it back
	case s.active.points > 0:
		errs = append(errs, s.flush(s.setAside(s.log.seq)))
	default:
		errs = append(errs, removeLogs(s.o.Dir, s.log.seq))
	}
	errs = append(errs, s.closeFiles())
	return errors.Join(errs...)
}
