package store_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"levada/internal/adapter/store"
	"levada/internal/adapter/store/storetest"
	"levada/internal/pipeline"
)

var _ pipeline.Store = (*store.Store)(nil)

func TestMain(m *testing.M) {
	crashChild() // does not return in the process that is to be killed
	diskChild()  // nor in the one whose disk breaks
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLiteKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Store {
		return open(t, filepath.Join(t.TempDir(), "levada.db"))
	})
}

func TestSQLiteKeepsThePromisesAboutTriggers(t *testing.T) {
	storetest.RunTriggers(t, func(t testing.TB) storetest.TriggerStore {
		s := open(t, filepath.Join(t.TempDir(), "levada.db"))
		return storetest.TriggerStore{Triggers: s.Triggers(), Runs: s}
	})
}
