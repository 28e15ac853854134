package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// failing fails the second step until it is mended.
func failing() (r *runner, mend func()) {
	r = &runner{}
	var mu sync.Mutex
	broken := true
	r.do = func(_ context.Context, s *run.Step) (run.Values, error) {
		mu.Lock()
		defer mu.Unlock()
		if broken && s.TaskName == "second" {
			return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "not yet", ExitCode: 1}
		}
		return run.Values{Parameters: map[string]any{"out": "value of " + s.TaskName}}, nil
	}
	return r, func() {
		mu.Lock()
		defer mu.Unlock()
		broken = false
	}
}

func TestARetriedRunStartsOnlyWhatDidNotSucceed(t *testing.T) {
	r, mend := failing()
	svc, _ := open(t, t.TempDir(), r)
	id := submit(t, svc, "hello").ID
	if got := wait(t, svc, id); got.State != run.Failed {
		t.Fatalf("run is %s", got.State)
	}
	mend()
	started, err := svc.RetryRun(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	if started.State != run.Running || started.FinishedAt != nil || started.Failure != nil {
		t.Errorf("the retried run is %s, ended %v, %v", started.State, started.FinishedAt, started.Failure)
	}
	got := wait(t, svc, id)
	if got.State != run.Succeeded || got.Failure != nil {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	if diff := cmp.Diff([]string{"first", "second", "second"}, r.tookPart()); diff != "" {
		t.Errorf("steps that ran (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[run.State]int{run.Succeeded: 2}, got.Tasks); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if _, err := svc.RetryRun(context.Background(), id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("retrying a run that succeeded: %v, want a Conflict", err)
	}
}

func TestARetryOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	r, mend := failing()
	svc, end := open(t, dir, r)
	id := submit(t, svc, "hello").ID
	wait(t, svc, id)
	end()
	mend()
	// The run is started again by a process that ends before its step does.
	started := make(chan struct{})
	hanging := &runner{do: func(ctx context.Context, _ *run.Step) (run.Values, error) {
		close(started)
		<-ctx.Done()
		return run.Values{}, ctx.Err()
	}}
	svc, end = open(t, dir, hanging)
	if _, err := svc.RetryRun(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.RetryRun(context.Background(), id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("retrying a run that runs: %v, want a Conflict", err)
	}
	<-started
	end()
	svc, _ = open(t, dir, r)
	if got := wait(t, svc, id); got.State != run.Succeeded {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	second, err := svc.GetTask(context.Background(), id, "second")
	if err != nil {
		t.Fatal(err)
	}
	if second.Attempts != 2 {
		t.Errorf("second has %d attempts, want 2: the failed one, and the last, which the next process took up", second.Attempts)
	}
}

func TestOfTwoRetriesAtOnceOneIsRefused(t *testing.T) {
	r, mend := failing()
	svc, _ := open(t, t.TempDir(), r)
	id := submit(t, svc, "hello").ID
	wait(t, svc, id)
	mend()
	// The step ends only when all have their answer: nobody may be kept waiting for it.
	answered, do := make(chan struct{}), r.do
	r.do = func(ctx context.Context, s *run.Step) (run.Values, error) {
		<-answered
		return do(ctx, s)
	}
	const many = 8
	results := make(chan error, many)
	for range many {
		go func() {
			_, err := svc.RetryRun(context.Background(), id)
			results <- err
		}()
	}
	accepted := 0
	for range many {
		switch err := <-results; fault.KindOf(err) {
		case fault.Conflict:
		default:
			if err != nil {
				t.Error(err)
			}
			accepted++
		}
	}
	close(answered)
	if accepted != 1 {
		t.Errorf("%d retries were accepted, want 1", accepted)
	}
	if got := wait(t, svc, id); got.State != run.Succeeded {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
}

func TestARetryIsNotStoredWhenTheStoreRefuses(t *testing.T) {
	broken := false
	r, _ := failing()
	svc, _ := openWith(t, t.TempDir(), r, func(o *pipeline.Options) {
		o.Store = &flaky{Store: o.Store, fail: func(_ int, write func() error) error {
			if broken {
				return errors.New("no")
			}
			return write()
		}}
	})
	id := submit(t, svc, "hello").ID
	wait(t, svc, id)
	broken = true
	if _, err := svc.RetryRun(context.Background(), id); err == nil {
		t.Fatal("the retry reports success")
	}
	if got, err := svc.GetRun(context.Background(), id); err != nil || got.State != run.Failed {
		t.Errorf("run is %s, %v; want FAILED as before", got.State, err)
	}
}

func TestARunWhoseLogIsDamagedIsNotRetried(t *testing.T) {
	dir := t.TempDir()
	r, _ := failing()
	svc, end := open(t, dir, r)
	id := submit(t, svc, "hello").ID
	wait(t, svc, id)
	end()
	svc, _ = openWith(t, dir, r, func(o *pipeline.Options) { o.Store = damagedLog{o.Store} })
	if _, err := svc.RetryRun(context.Background(), id); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "start it again") {
		t.Errorf("%v, want a Conflict that says what to do", err)
	}
}
