package pipeline_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// These are the shortest forms of bugs that the simulator (test/sim) has found.

// trouble is a store with chosen failures; each function may be nil.
type trouble struct {
	pipeline.Store
	create func(write func() error) error
	append func(write func() error) error
	get    func() error
	events func() error
	cache  func() error
}

func (s *trouble) CreateRun(ctx context.Context, r run.Run, events []run.Event, tasks []run.Task) error {
	write := func() error { return s.Store.CreateRun(ctx, r, events, tasks) }
	if s.create != nil {
		return s.create(write)
	}
	return write()
}

func (s *trouble) Append(ctx context.Context, id string, events []run.Event, changed run.Changes) error {
	write := func() error { return s.Store.Append(ctx, id, events, changed) }
	if s.append != nil {
		return s.append(write)
	}
	return write()
}

func (s *trouble) GetRun(ctx context.Context, id string) (run.Run, error) {
	if s.get != nil {
		if err := s.get(); err != nil {
			return run.Run{}, err
		}
	}
	return s.Store.GetRun(ctx, id)
}

func (s *trouble) Events(ctx context.Context, id string, from int64) ([]run.Event, error) {
	if s.events != nil {
		if err := s.events(); err != nil {
			return nil, err
		}
	}
	return s.Store.Events(ctx, id, from)
}

func (s *trouble) CacheEntry(ctx context.Context, key string) (run.CacheEntry, error) {
	if s.cache != nil {
		return run.CacheEntry{}, s.cache()
	}
	return s.Store.CacheEntry(ctx, key)
}

// openTrouble opens a service on a store with failures.
func openTrouble(t *testing.T, dir string, r *runner, with *trouble) *pipeline.Service {
	t.Helper()
	svc, _ := openWith(t, dir, r, func(o *pipeline.Options) {
		with.Store = o.Store
		o.Store = with
	})
	return svc
}

// times returns a function that fails as often as it is told to.
func times(n int64, err error) func() error {
	var calls atomic.Int64
	return func() error {
		if calls.Add(1) <= n {
			return err
		}
		return nil
	}
}

var errBroke = errors.New("the connection broke")

func TestARunThatWasStoredButReportedAsFailedGoesOn(t *testing.T) {
	for name, failures := range map[string]int{"the second write says that it is there": 1, "nothing can be said for a while": 3} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			with := &trouble{create: func(write func() error) error {
				if calls++; calls == 1 {
					return errors.Join(write(), errBroke)
				}
				if calls <= failures {
					return fault.Unavailablef("the disk is full")
				}
				return write()
			}}
			svc := openTrouble(t, t.TempDir(), &runner{}, with)
			_, err := svc.Submit(t.Context(), pipeline.Submission{Spec: []byte(twoSteps), Parameters: map[string]any{"word": "w"}})
			if (err == nil) != (failures == 1) {
				t.Errorf("submit: %v", err)
			}
			ids, err := with.UnfinishedRuns(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if got := wait(t, svc, id); got.State != run.Succeeded {
					t.Errorf("run is %s: %+v", got.State, got.Failure)
				}
			}
		})
	}
}

func TestACommitReportedAsFailedCountsAlsoWhenTheLogCannotBeReadAtOnce(t *testing.T) {
	calls := 0
	with := &trouble{events: times(2, errBroke), append: func(write func() error) error {
		if calls++; calls == 2 {
			return errors.Join(write(), errBroke)
		}
		return write()
	}}
	svc := openTrouble(t, t.TempDir(), &runner{}, with)
	if got := wait(t, svc, submit(t, svc, "hello").ID); got.State != run.Succeeded {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
}

func TestARunThatCannotBeReadWhenTheServerStartsIsNotLost(t *testing.T) {
	dir := t.TempDir()
	started := make(chan struct{})
	svc, end := open(t, dir, &runner{do: func(ctx context.Context, _ *run.Step) (run.Values, error) {
		close(started)
		<-ctx.Done()
		return run.Values{}, ctx.Err()
	}})
	id := submit(t, svc, "hello").ID
	<-started
	end()
	svc = openTrouble(t, dir, &runner{}, &trouble{events: times(2, errBroke)})
	if got := wait(t, svc, id); got.State != run.Succeeded {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
}

func TestACacheThatCannotBeReadCostsTimeAndNoRun(t *testing.T) {
	svc := openTrouble(t, t.TempDir(), &runner{}, &trouble{cache: func() error { return errBroke }})
	if got := wait(t, svc, submit(t, svc, "hello").ID); got.State != run.Succeeded || got.Cached != 0 {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
}

func TestTimeDoesNotGoBackWithinARun(t *testing.T) {
	var back atomic.Int64
	r := &runner{do: func(context.Context, *run.Step) (run.Values, error) {
		back.Add(int64(time.Hour))
		return run.Values{Parameters: map[string]any{"out": "x"}}, nil
	}}
	svc, _ := openWith(t, t.TempDir(), r, func(o *pipeline.Options) {
		o.Now = func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
	})
	got := wait(t, svc, submit(t, svc, "hello").ID)
	if got.FinishedAt == nil || got.FinishedAt.Before(got.CreatedAt) {
		t.Errorf("the run was created at %s and finished at %s", got.CreatedAt, got.FinishedAt)
	}
	tasks, err := svc.Tasks(t.Context(), got.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if task.FinishedAt.Before(*task.StartedAt) || task.StartedAt.Before(task.CreatedAt) {
			t.Errorf("task %s: created %s, started %s, finished %s", task.Path, task.CreatedAt, task.StartedAt, task.FinishedAt)
		}
	}
}
