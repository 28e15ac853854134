package series

import (
	"context"
	"slices"

	"levada/internal/core/fault"
)

// forgetRequest is one who waits for the points of runs to be gone.
type forgetRequest struct {
	runs   map[string]bool
	result chan error
}

// Forget removes all points of runs and gives their space back. The runs must get no points any more. It rewrites each segment in
// which there is something of them, beside readers and writers, so it is for many runs at once. What is forgotten stays so after
// a crash when it has returned without an error; it may be repeated.
func (s *Store) Forget(ctx context.Context, runIDs []string) error {
	r := &forgetRequest{runs: map[string]bool{}, result: make(chan error, 1)}
	for _, id := range runIDs {
		r.runs[id] = true
	}
	return diskError(s.o.Dir, hand(ctx, s, s.forgetting, r, r.result))
}

// beginForgetting starts the removal in the place of a flush, so that nothing else replaces segments meanwhile. What is in memory
// becomes a segment first: the logs go with that.
func (s *Store) beginForgetting(r *forgetRequest) {
	if s.flushed != nil {
		s.endFlush(<-s.flushed)
		s.flushed = nil
	}
	m, err := s.rotate()
	if err != nil {
		r.result <- err
		return
	}
	answer := make(chan error, 1)
	s.flushed = answer
	go func() {
		err := s.flushAny(m)
		if err == nil {
			err = s.forget(r.runs)
		}
		r.result <- err
		answer <- err
	}()
}

// flushAny is flush for a table that may be empty: that needs no segment.
func (s *Store) flushAny(m *memtable) error {
	if m.points > 0 {
		return s.flush(m)
	}
	s.mu.Lock()
	s.flushing = nil
	s.mu.Unlock()
	return removeLogs(s.o.Dir, m.upTo)
}

func (s *Store) forget(runs map[string]bool) error {
	s.mu.RLock()
	segments := slices.Clone(s.segments)
	s.mu.RUnlock()
	for _, g := range segments {
		if !slices.ContainsFunc(g.runs, func(d dirEntry) bool { return runs[d.runID] }) {
			continue
		}
		if err := s.replace([]*segment{g}, runs); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range runs {
		if st := s.stats[id]; st != nil {
			s.nStats -= len(st.list) + 1
			delete(s.stats, id)
		}
		if s.active.runs[id] != nil {
			return fault.Conflictf("run %s has got points while it was being forgotten", id)
		}
	}
	return nil
}
