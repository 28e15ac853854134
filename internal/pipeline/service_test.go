package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/steplog"
	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runner executes steps by calling a function, so that a test decides how they end.
type runner struct {
	mu   sync.Mutex
	ran  []string
	held int
	// settled are the attempts whose results were said to be safe.
	settled []run.AttemptID
	do      func(ctx context.Context, s *run.Step) (run.Values, error)
}

func (r *runner) Environment(context.Context, *run.Step) (run.Environment, error) {
	return run.Environment{Digest: "env"}, nil
}
func (r *runner) Forget(context.Context, string) error           { return nil }
func (r *runner) Recover(context.Context, []run.AttemptID) error { return nil }

func (r *runner) Settle(id run.AttemptID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled = append(r.settled, id)
}

func (r *runner) Reserve(context.Context, *run.Step) (func(), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held--
	}, nil
}

func (r *runner) Run(ctx context.Context, s *run.Step) (run.Values, error) {
	r.mu.Lock()
	r.ran = append(r.ran, s.TaskPath)
	r.mu.Unlock()
	if r.do != nil {
		return r.do(ctx, s)
	}
	return run.Values{Parameters: map[string]any{"out": "value of " + s.TaskName}}, nil
}

func (r *runner) tookPart() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.ran...)
}

// open returns a service on a data directory; the store is the real one.
func open(t *testing.T, dir string, r *runner) (*pipeline.Service, func()) {
	t.Helper()
	return openWith(t, dir, r, func(*pipeline.Options) {})
}

// openWith is open with other parts.
func openWith(t *testing.T, dir string, r *runner, change func(*pipeline.Options)) (*pipeline.Service, func()) {
	t.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "levada.db")})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.Open(filepath.Join(dir, "blobs"), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	options := pipeline.Options{
		Store: st, Runner: r, Blobs: blobs, Logs: steplog.New(steplog.Options{Dir: filepath.Join(dir, "logs")}),
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: uuid.NewString, WorkspaceDir: filepath.Join(dir, "workspaces"),
	}
	change(&options)
	svc, err := pipeline.Open(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	done := func() {
		if closed {
			return
		}
		closed = true
		if err := errors.Join(svc.Close(ctx), st.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
		if r.held != 0 {
			t.Errorf("%d reservations were not given back", r.held)
		}
	}
	t.Cleanup(done)
	return svc, done
}

const twoSteps = `
schemaVersion: 2.1.0
pipelineInfo: {name: two-steps}
deploymentSpec: {executors: {e: {container: {image: x, command: [run, "{{$.inputs.parameters['in']}}"]}}}}
components:
  op:
    executorLabel: e
    inputDefinitions: {parameters: {in: {parameterType: STRING, defaultValue: nothing}}}
    outputDefinitions: {parameters: {out: {parameterType: STRING}}}
root:
  inputDefinitions: {parameters: {word: {parameterType: STRING}}}
  dag:
    tasks:
      first: {componentRef: {name: op}, taskInfo: {name: first}, cachingOptions: {enableCache: true}, inputs: {parameters: {in: {componentInputParameter: word}}}}
      second:
        componentRef: {name: op}
        taskInfo: {name: second}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {in: {taskOutputParameter: {producerTask: first, outputParameterKey: out}}}}
`

func submit(t *testing.T, svc *pipeline.Service, word string) run.Run {
	t.Helper()
	r, err := svc.Submit(context.Background(), pipeline.Submission{Spec: []byte(twoSteps), Parameters: map[string]any{"word": word}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wait follows a run until it is final.
func wait(t *testing.T, svc *pipeline.Service, id string) run.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, _, updates, err := svc.Watch(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for range updates {
	}
	r, err := svc.GetRun(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if !r.State.Final() {
		t.Fatalf("run is still %s when its updates have ended", r.State)
	}
	return r
}

func TestARunGoesThroughItsTasksAndIsStored(t *testing.T) {
	r := &runner{}
	svc, _ := open(t, t.TempDir(), r)
	got := wait(t, svc, submit(t, svc, "hello").ID)
	if got.State != run.Succeeded {
		t.Fatalf("run is %s: %+v", got.State, got.Failure)
	}
	if diff := cmp.Diff(map[run.State]int{run.Succeeded: 2}, got.Tasks); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	second, err := svc.GetTask(context.Background(), got.ID, "second")
	if err != nil {
		t.Fatal(err)
	}
	if in := second.Inputs.Parameters["in"]; in != "value of first" {
		t.Errorf("input of the second task is %v", in)
	}
}

func TestASecondRunOfTheSamePipelineRunsNothing(t *testing.T) {
	r := &runner{}
	svc, _ := open(t, t.TempDir(), r)
	wait(t, svc, submit(t, svc, "hello").ID)
	got := wait(t, svc, submit(t, svc, "hello").ID)
	if got.State != run.Succeeded || got.Cached != 2 {
		t.Errorf("second run is %s with %d cached tasks, want SUCCEEDED with 2", got.State, got.Cached)
	}
	if diff := cmp.Diff([]string{"first", "second"}, r.tookPart()); diff != "" {
		t.Errorf("steps that ran (-want +got):\n%s", diff)
	}
}

func TestEqualOutputsStopTheRebuildBelow(t *testing.T) {
	r := &runner{}
	svc, _ := open(t, t.TempDir(), r)
	wait(t, svc, submit(t, svc, "hello").ID)
	wait(t, svc, submit(t, svc, "another word, same output").ID)
	if diff := cmp.Diff([]string{"first", "second", "first"}, r.tookPart()); diff != "" {
		t.Errorf("steps that ran (-want +got):\n%s", diff)
	}
}

func TestARunGoesOnAfterTheProcessHasEnded(t *testing.T) {
	dir := t.TempDir()
	started := make(chan struct{})
	blocked := &runner{do: func(ctx context.Context, s *run.Step) (run.Values, error) {
		if s.TaskName == "second" {
			close(started)
			<-ctx.Done()
			return run.Values{}, ctx.Err()
		}
		return run.Values{Parameters: map[string]any{"out": "1"}}, nil
	}}
	svc, end := open(t, dir, blocked)
	id := submit(t, svc, "hello").ID
	<-started
	end()
	again := &runner{}
	svc, _ = open(t, dir, again)
	if got := wait(t, svc, id); got.State != run.Succeeded {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	if diff := cmp.Diff([]string{"second"}, again.tookPart()); diff != "" {
		t.Errorf("steps that ran after the restart (-want +got):\n%s", diff)
	}
	second, err := svc.GetTask(context.Background(), id, "second")
	if err != nil {
		t.Fatal(err)
	}
	if second.Attempts != 1 {
		t.Errorf("second has %d attempts, want 1: the runner was asked for the one that was running", second.Attempts)
	}
}

func TestALostAttemptIsFollowedByAnotherAndAResultIsSettledOnce(t *testing.T) {
	attempts := 0
	r := &runner{do: func(_ context.Context, s *run.Step) (run.Values, error) {
		if s.TaskName == "second" {
			if attempts++; attempts < 3 {
				return run.Values{}, &run.Failure{Reason: run.ReasonLost, Message: "its supervisor was killed"}
			}
		}
		return run.Values{Parameters: map[string]any{"out": "1"}}, nil
	}}
	svc, _ := open(t, t.TempDir(), r)
	id := submit(t, svc, "hello").ID
	if got := wait(t, svc, id); got.State != run.Succeeded {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	var settled []string
	for _, a := range r.settled {
		settled = append(settled, fmt.Sprintf("%s %d", map[string]string{run.TaskID(id, "first"): "first", run.TaskID(id, "second"): "second"}[a.TaskID], a.Attempt))
	}
	if diff := cmp.Diff([]string{"first 1", "second 1", "second 2", "second 3"}, settled); diff != "" {
		t.Errorf("settled attempts (-want +got):\n%s", diff)
	}
}

func TestAStepThatIsAlwaysLostFailsInTheEnd(t *testing.T) {
	r := &runner{do: func(_ context.Context, s *run.Step) (run.Values, error) {
		return run.Values{}, &run.Failure{Reason: run.ReasonLost, Message: "its supervisor was killed"}
	}}
	svc, _ := open(t, t.TempDir(), r)
	got := wait(t, svc, submit(t, svc, "hello").ID)
	if got.State != run.Failed || got.Failure.Reason != run.ReasonSystem || !strings.Contains(got.Failure.Message, "its supervisor was killed") {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	if n := len(r.tookPart()); n != 20 {
		t.Errorf("%d attempts", n)
	}
}

func TestACancelledRunStopsItsSteps(t *testing.T) {
	started := make(chan struct{})
	r := &runner{do: func(ctx context.Context, _ *run.Step) (run.Values, error) {
		close(started)
		<-ctx.Done()
		return run.Values{}, ctx.Err()
	}}
	svc, _ := open(t, t.TempDir(), r)
	id := submit(t, svc, "hello").ID
	<-started
	if err := svc.CancelRun(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, svc, id); got.State != run.Canceled {
		t.Errorf("run is %s", got.State)
	}
	if err := svc.CancelRun(context.Background(), id); fault.KindOf(err) != fault.Conflict {
		t.Errorf("cancelling a finished run: %v, want a Conflict", err)
	}
}

func TestAFailedStepNamesItselfInTheRunsFailure(t *testing.T) {
	r := &runner{do: func(context.Context, *run.Step) (run.Values, error) {
		return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "exit status 3: ValueError: no", ExitCode: 3}
	}}
	svc, _ := open(t, t.TempDir(), r)
	got := wait(t, svc, submit(t, svc, "hello").ID)
	if got.State != run.Failed || got.Failure == nil || got.Failure.Task != "first" || got.Failure.ExitCode != 3 ||
		!strings.Contains(got.Failure.Message, "ValueError: no") {
		t.Errorf("run is %s with failure %+v", got.State, got.Failure)
	}
}

func TestNothingIsStoredOfABadSubmission(t *testing.T) {
	svc, _ := open(t, t.TempDir(), &runner{})
	ctx := context.Background()
	for name, sub := range map[string]pipeline.Submission{
		"no specification":   {},
		"not YAML":           {Spec: []byte("{")},
		"missing parameter":  {Spec: []byte(twoSteps)},
		"unknown parameter":  {Spec: []byte(twoSteps), Parameters: map[string]any{"word": "a", "wrod": "b"}},
		"wrong type":         {Spec: []byte(twoSteps), Parameters: map[string]any{"word": 1.0}},
		"two specifications": {Spec: []byte(twoSteps), PipelineID: "x"},
	} {
		if _, err := svc.Submit(ctx, sub); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want an Invalid error", name, err)
		}
	}
	page, err := svc.ListRuns(ctx, listing.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if page.Total != 0 {
		t.Errorf("%d runs are stored, want none", page.Total)
	}
}

func TestManyRunsAtOnceAllEnd(t *testing.T) {
	svc, _ := open(t, t.TempDir(), &runner{})
	var ids []string
	for i := range 50 {
		ids = append(ids, submit(t, svc, fmt.Sprint("word ", i)).ID)
	}
	for _, id := range ids {
		if got := wait(t, svc, id); got.State != run.Succeeded {
			t.Errorf("run %s is %s", id, got.State)
		}
	}
}

func TestARunListsTheArtifactsItReused(t *testing.T) {
	r := &runner{do: func(_ context.Context, s *run.Step) (run.Values, error) {
		return run.Values{
			Parameters: map[string]any{"out": "same"},
			Artifacts:  map[string][]run.Artifact{"file": {{ID: run.ArtifactID(s.TaskID, "file", 0), Name: "file", RunID: s.Job.RunID, TaskID: s.TaskID}}},
		}, nil
	}}
	svc, _ := open(t, t.TempDir(), r)
	first := wait(t, svc, submit(t, svc, "hello").ID)
	second := wait(t, svc, submit(t, svc, "hello").ID)
	want, err := svc.RunArtifacts(context.Background(), first.ID)
	if err != nil || len(want) != 2 {
		t.Fatalf("artifacts of the first run: %v, %v; want 2", want, err)
	}
	got, err := svc.RunArtifacts(context.Background(), second.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("artifacts of the cached run (-first +second):\n%s", diff)
	}
}

// flaky is a store whose Append fails in a chosen way.
type flaky struct {
	pipeline.Store
	mu     sync.Mutex
	fail   func(n int, write func() error) error // n counts the calls from 1
	writes int
}

func (f *flaky) Append(ctx context.Context, id string, events []run.Event, changed run.Changes) error {
	f.mu.Lock()
	f.writes++
	n := f.writes
	f.mu.Unlock()
	return f.fail(n, func() error { return f.Store.Append(ctx, id, events, changed) })
}

func TestARunSurvivesAStoreThatFailsForAWhile(t *testing.T) {
	for name, fail := range map[string]func(n int, write func() error) error{
		"nothing is written": func(n int, write func() error) error {
			if n%3 != 0 {
				return fault.Unavailablef("the disk is full")
			}
			return write()
		},
		"it is written and reported as failed": func(n int, write func() error) error {
			if err := write(); err != nil || n%2 != 0 {
				return errors.Join(err, nil)
			}
			return errors.New("the connection broke after the commit")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &runner{}
			svc, _ := openWith(t, t.TempDir(), r, func(o *pipeline.Options) { o.Store = &flaky{Store: o.Store, fail: fail} })
			if got := wait(t, svc, submit(t, svc, "hello").ID); got.State != run.Succeeded {
				t.Errorf("run is %s: %+v", got.State, got.Failure)
			}
			if diff := cmp.Diff([]string{"first", "second"}, r.tookPart()); diff != "" {
				t.Errorf("steps that ran (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARunWhoseEventsAreRefusedForGoodIsGivenUpVisibly(t *testing.T) {
	refuse := func(n int, write func() error) error {
		if n == 2 {
			return fault.Invalidf("too big")
		}
		return write()
	}
	svc, _ := openWith(t, t.TempDir(), &runner{}, func(o *pipeline.Options) { o.Store = &flaky{Store: o.Store, fail: refuse} })
	got := wait(t, svc, submit(t, svc, "hello").ID)
	if got.State != run.Failed || got.Failure.Reason != run.ReasonSystem || !strings.Contains(got.Failure.Message, "too big") {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	if err := svc.DeleteRun(context.Background(), got.ID); err != nil {
		t.Errorf("the run cannot be deleted: %v", err)
	}
}

func TestARunWhoseLogCannotBeReadIsGivenUpVisibly(t *testing.T) {
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
	svc, _ = openWith(t, dir, &runner{}, func(o *pipeline.Options) { o.Store = damagedLog{o.Store} })
	got := wait(t, svc, id)
	if got.State != run.Failed || !strings.Contains(got.Failure.Message, "cannot go on") {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	tasks, err := svc.Tasks(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if !task.State.Final() {
			t.Errorf("task %s is %s although its run is over", task.Path, task.State)
		}
	}
	if err := svc.DeleteRun(context.Background(), id); err != nil {
		t.Errorf("the run cannot be deleted: %v", err)
	}
}

// damagedLog gives back logs with an event that names a task that never was.
type damagedLog struct{ pipeline.Store }

func (d damagedLog) Events(ctx context.Context, id string, from int64) ([]run.Event, error) {
	log, err := d.Store.Events(ctx, id, from)
	if len(log) > 0 {
		log[len(log)-1].Body = []byte(`{"type": "task_lost", "task": "ghost"}`)
	}
	return log, err
}

func TestOutputsWithoutAJSONFormFailTheStep(t *testing.T) {
	r := &runner{do: func(context.Context, *run.Step) (run.Values, error) {
		return run.Values{Parameters: map[string]any{"out": math.NaN()}}, nil
	}}
	svc, _ := open(t, t.TempDir(), r)
	got := wait(t, svc, submit(t, svc, "hello").ID)
	if got.State != run.Failed || got.Failure.Reason != run.ReasonOutput || got.Failure.Task != "first" {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
}

func TestCancellingARunThatEndsIsOneOrTheOther(t *testing.T) {
	svc, _ := open(t, t.TempDir(), &runner{})
	for i := range 100 {
		r := submit(t, svc, fmt.Sprint("word ", i))
		if err := svc.CancelRun(context.Background(), r.ID); err != nil && fault.KindOf(err) != fault.Conflict {
			t.Fatalf("cancel: %v; want success, or a Conflict because the run has ended", err)
		}
		wait(t, svc, r.ID)
	}
}

// slowLogs gives one line for each attempt and takes its time.
type slowLogs struct{}

func (slowLogs) Read(ctx context.Context, _, _ string, attempt int, _ bool, line func(run.LogLine) error) error {
	select {
	case <-time.After(30 * time.Millisecond): // meanwhile further attempts come and go
	case <-ctx.Done():
	}
	return line(run.LogLine{Text: fmt.Sprint("attempt ", attempt)})
}

func TestFollowedLogsLeaveOutNoAttempt(t *testing.T) {
	started := make(chan struct{}, 10)
	goOn := make(chan struct{})
	r := &runner{do: func(_ context.Context, s *run.Step) (run.Values, error) {
		if s.TaskName == "first" {
			started <- struct{}{}
			if s.Attempt == 1 {
				<-goOn
			}
			if s.Attempt < 4 {
				return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "again"}
			}
		}
		return run.Values{Parameters: map[string]any{"out": "x"}}, nil
	}}
	svc, _ := openWith(t, t.TempDir(), r, func(o *pipeline.Options) { o.Logs = slowLogs{} })
	spec := strings.Replace(twoSteps, "first: {", "first: {retryPolicy: {maxRetryCount: 5, backoffDuration: 0s}, ", 1)
	sub, err := svc.Submit(context.Background(), pipeline.Submission{Spec: []byte(spec), Parameters: map[string]any{"word": "w"}})
	if err != nil {
		t.Fatal(err)
	}
	<-started
	var got []string
	done := make(chan error, 1)
	go func() {
		done <- svc.Logs(context.Background(), sub.ID, "first", 0, true, func(l run.LogLine) error {
			got = append(got, l.Text)
			if len(got) == 1 {
				close(goOn)
			}
			return nil
		})
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"attempt 1", "attempt 2", "attempt 3", "attempt 4"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheLogOfAReusedResultIsThatOfItsTask(t *testing.T) {
	svc, _ := openWith(t, t.TempDir(), &runner{}, func(o *pipeline.Options) { o.Logs = slowLogs{} })
	first := wait(t, svc, submit(t, svc, "hello").ID)
	second := wait(t, svc, submit(t, svc, "hello").ID)
	read := func() (got []string) {
		t.Helper()
		err := svc.Logs(context.Background(), second.ID, "first", 0, true, func(l run.LogLine) error {
			got = append(got, l.Text)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(); len(got) != 2 || !strings.Contains(got[0], first.ID) || got[1] != "attempt 1" {
		t.Errorf("got %q", got)
	}
	if err := svc.DeleteRun(context.Background(), first.ID); err != nil {
		t.Fatal(err)
	}
	if got := read(); len(got) != 1 || !strings.Contains(got[0], "deleted") {
		t.Errorf("after its run was deleted: %q", got)
	}
}
