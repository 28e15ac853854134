package sim

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"levada/internal/adapter/store"
)

// The same schedules on the real store: the histories must be those of the store in memory, event by event. Each ends with the
// database closed and opened again, and is then compared with what was acknowledged.
func TestSchedulesOnSQLite(t *testing.T) {
	const seeds = 60
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(seeds) {
			seed *= 13
			sub, err := newSubject(seed)
			if err != nil {
				t.Fatal(err)
			}
			options := store.Options{Path: filepath.Join(t.TempDir(), "levada.db"), Readers: 2}
			db, err := store.Open(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			hashing := func(s *schedule) { s.thorough, s.trace.hashing = true, true }
			s, err := play(seed, sub, db, hashing)
			if err != nil {
				t.Fatal(report(s, err))
			}
			if model, err := play(seed, sub, nil, hashing); err != nil || model.trace.hash != s.trace.hash {
				t.Fatalf("seed %d has another history in memory (%v)", seed, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if s.store, err = store.Open(t.Context(), options); err != nil {
				t.Fatal(err)
			}
			if s.check.end(); s.broken != nil {
				t.Fatalf("after the database was opened again: %s", report(s, s.broken))
			}
			if err := s.store.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
