package store

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
)

func openForTest(t testing.TB) *Store {
	t.Helper()
	return openWith(t, Options{})
}

func openWith(t testing.TB, o Options) *Store {
	t.Helper()
	o.Path = filepath.Join(t.TempDir(), "levada.db")
	s, err := Open(t.Context(), o)
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

// hold occupies the writer until the returned function is called, so that what is written meanwhile queues up.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.update(context.Background(), func(context.Context, *tx) error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	return func() {
		close(leave)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// waiting returns when n writes are in the queue.
func waiting(s *Store, n int) {
	for len(s.writer.queue) < n {
		runtime.Gosched()
	}
}

func TestAFullDiskIsUnavailableAndNothingOfTheWriteIsLeft(t *testing.T) {
	s := openForTest(t)
	ctx := t.Context()
	limit := func(pages string) {
		t.Helper()
		err := s.update(ctx, func(ctx context.Context, tx *tx) error {
			var n int
			return tx.get(ctx, "PRAGMA max_page_count = "+pages, nil, []any{&n})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // SQLite takes the present size for a limit below it
	err := s.PutSpec(ctx, "sha256:big", make([]byte, 1<<20))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "disk is full at "+filepath.Dir(s.path)) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.GetSpec(ctx, "sha256:big"); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("the failed write left something: %v", err)
	}
	limit("1000000")
	if err := s.PutSpec(ctx, "sha256:big", make([]byte, 1<<20)); err != nil {
		t.Fatalf("once there is space again: %v", err)
	}
}

func TestWritesThatShareATransactionFailAlone(t *testing.T) {
	s := openForTest(t)
	release := hold(t, s)
	results := make(chan error, 20)
	names := []string{"a", "b", "a", "c"} // one of the two a is a conflict
	for _, name := range names {
		go func() {
			results <- s.CreateExperiment(context.Background(), catalog.Experiment{ID: name, DisplayName: name})
		}()
	}
	waiting(s, len(names))
	release()
	conflicts := 0
	for range names {
		if err := <-results; fault.KindOf(err) == fault.Conflict {
			conflicts++
		} else if err != nil {
			t.Error(err)
		}
	}
	if conflicts != 1 {
		t.Errorf("%d conflicts, want 1", conflicts)
	}
	for _, name := range names {
		if _, err := s.GetExperiment(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
}

func TestAQueuedWriteIsWithdrawnWhenItsContextEnds(t *testing.T) {
	s := openForTest(t)
	release := hold(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- s.CreateExperiment(ctx, catalog.Experiment{ID: "e", DisplayName: "e"}) }()
	waiting(s, 1)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	if err := s.CreateExperiment(t.Context(), catalog.Experiment{ID: "e", DisplayName: "e"}); err != nil {
		t.Errorf("the withdrawn write took effect: %v", err)
	}
}

func TestClosingAnswersWhatIsStillQueued(t *testing.T) {
	s := openForTest(t)
	release := hold(t, s)
	result := make(chan error, 1)
	go func() {
		result <- s.CreateExperiment(context.Background(), catalog.Experiment{ID: "e", DisplayName: "e"})
	}()
	waiting(s, 1)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	<-s.writer.quit
	release()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	// Either answer is right, as long as it is true: the loop may take one more batch before it sees the end.
	if err := <-result; err != nil && fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}
