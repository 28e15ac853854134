package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"levada/internal/adapter/store"
	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
	"levada/internal/trigger"
)

// machine keeps runs in the real store, as the pipeline service does, and lets each take a minute.
type machine struct {
	*store.Store
	t       *testing.T
	mu      sync.Mutex
	started []string // partitions in the order of their runs, with a "+" before those that were tried again
	most    int      // runs that were active at once
	// fails are the partitions whose next run fails, refuse the error of every submission.
	fails  map[string]bool
	refuse error
	ended  chan struct{}
	// stop ends the runs of a process that dies.
	stop chan struct{}
}

func (m *machine) Prepare(_ context.Context, sub run.Submission, _ ...string) (run.Submission, error) {
	sub.ExperimentID, sub.SpecDigest = "exp-1", "sha256:1"
	return sub, nil
}

func (m *machine) PipelineName(_ context.Context, sub run.Submission) string { return sub.PipelineName }

func (m *machine) Submit(ctx context.Context, sub run.Submission) (run.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return run.Run{}, m.refuse
	}
	r := run.Run{ID: sub.ID, DisplayName: sub.DisplayName, ExperimentID: sub.ExperimentID, PipelineID: sub.PipelineID, VersionID: sub.VersionID,
		BackfillID: sub.BackfillID, RecurringRunID: sub.RecurringRunID, SpecDigest: sub.SpecDigest, Parameters: sub.Parameters, State: run.Running, CreatedAt: time.Now()}
	if err := m.CreateRun(ctx, r, nil, nil); err != nil {
		return r, err
	}
	m.started = append(m.started, partition.KeyOf(sub.Parameters["day"]))
	m.goOn(r, 1)
	return r, nil
}

// goOn lets a run take a minute.
func (m *machine) goOn(r run.Run, seq int64) {
	page, err := m.ListRuns(context.Background(), listing.Query{Where: []listing.Predicate{{Key: "state", Op: listing.Equals, Values: []any{"RUNNING"}}}})
	if err != nil {
		m.t.Error(err)
	}
	m.most = max(m.most, page.Total)
	stop := m.stop
	go func() {
		select {
		case <-time.After(time.Minute):
		case <-stop:
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		now, err := m.Store.GetRun(context.Background(), r.ID)
		if err != nil || now.State.Final() {
			return
		}
		state, key := run.Succeeded, partition.KeyOf(r.Parameters["day"])
		if m.fails[key] {
			state = run.Failed
			delete(m.fails, key)
		}
		m.put(now, state)
	}()
}

// put stores that a run has another state.
func (m *machine) put(r run.Run, state run.State) {
	events, err := m.Events(context.Background(), r.ID, 0)
	if err != nil {
		m.t.Error(err)
	}
	at := time.Now()
	r.State, r.FinishedAt = state, nil
	if state.Final() {
		r.FinishedAt = &at
	}
	err = m.Append(context.Background(), r.ID, []run.Event{{Seq: int64(len(events)) + 1, Type: "x", At: at, Body: []byte("{}")}}, run.Changes{Run: &r})
	if err != nil {
		m.t.Error(err)
	}
	if state.Final() {
		select {
		case m.ended <- struct{}{}:
		default:
		}
	}
}

func (m *machine) RetryRun(ctx context.Context, id string) (run.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.Store.GetRun(ctx, id)
	if err != nil || r.State != run.Failed && r.State != run.Canceled {
		return r, errors.Join(err, fault.Conflictf("run %s is %s", id, r.State))
	}
	m.put(r, run.Running)
	m.started = append(m.started, "+"+partition.KeyOf(r.Parameters["day"]))
	m.goOn(r, 2)
	return r, nil
}

func (m *machine) CancelRun(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.Store.GetRun(ctx, id)
	if err == nil {
		m.put(r, run.Canceled)
	}
	return err
}

func (m *machine) GetExperiment(_ context.Context, id string) (catalog.Experiment, error) {
	return catalog.Experiment{ID: id, DisplayName: id}, nil
}

func (m *machine) GetVersion(ctx context.Context, _, versionID string) (catalog.Version, error) {
	return m.Store.GetVersion(ctx, versionID)
}

func (m *machine) Spec(context.Context, string) (*ir.Pipeline, error) {
	return &ir.Pipeline{Spec: &ir.Spec{Root: &ir.Component{InputDefinitions: &ir.InputDefinitions{Parameters: map[string]*ir.InputParameter{
		"day": {ParameterType: ir.String}, "n": {ParameterType: ir.NumberInteger}, "rows": {ParameterType: ir.List},
	}}}}}, nil
}

// filling is a data directory with a pipeline and the process that works on it.
type filling struct {
	*machine
	dir     string
	svc     *trigger.Service
	changed string // what Changed says
}

func (f *filling) open() {
	f.t.Helper()
	ctx := f.t.Context()
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(f.dir, "levada.db"), Ephemeral: true})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Store, f.stop = st, make(chan struct{})
	// Runs go on in the next process.
	unfinished, err := st.UnfinishedRuns(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, id := range unfinished {
		r, err := st.GetRun(ctx, id)
		if err != nil {
			f.t.Fatal(err)
		}
		f.goOn(r, 1)
	}
	f.svc, err = trigger.Open(ctx, trigger.Options{
		Store: st, Runs: f.machine, Pipelines: f.machine, Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: uuid.NewString, Ended: f.ended,
		Changed: func(context.Context, partition.Input, time.Time) string { return f.changed },
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *filling) close() {
	f.t.Helper()
	close(f.stop)
	if err := errors.Join(f.svc.Close(context.Background()), f.Store.Close()); err != nil {
		f.t.Error(err)
	}
}

// filled runs a test on a virtual clock that begins at 2000-01-01, with a pipeline of daily partitions from 1999-12-22 on: ten.
func filled(t *testing.T, test func(f *filling)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &filling{machine: &machine{t: t, fails: map[string]bool{}, ended: make(chan struct{}, 1)}, dir: t.TempDir()}
		f.open()
		defer func() { f.close() }()
		v := catalog.Version{ID: "ver-1", PipelineID: "pipe-1", Name: "v1", SpecDigest: "sha256:1", CreatedAt: time.Now()}
		if err := f.CreatePipeline(t.Context(), catalog.Pipeline{ID: "pipe-1", Name: "p", DisplayName: "flights", CreatedAt: time.Now()}, &v); err != nil {
			t.Fatal(err)
		}
		if err := f.svc.SetPartitions(t.Context(), "pipe-1", days("1999-12-22")); err != nil {
			t.Fatal(err)
		}
		test(f)
	})
}

func days(start string) partition.Definition {
	return partition.Definition{Parameter: "day", Every: partition.Daily, Start: start}
}

func (f *filling) create(change func(*trigger.Backfill)) catalog.Backfill {
	f.t.Helper()
	ask := trigger.Backfill{Backfill: catalog.Backfill{PipelineID: "pipe-1", Parallel: 2}}
	if change != nil {
		change(&ask)
	}
	b, err := f.svc.CreateBackfill(f.t.Context(), ask)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// wantStarted compares the days of the runs that were started so far; each began in December 1999.
func (f *filling) wantStarted(want string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	got := strings.ReplaceAll(strings.Join(f.started, " "), "1999-12-", "")
	if got != want {
		f.t.Errorf("started: %s\n   want: %s", got, want)
	}
}

func (f *filling) wantState(id string, state catalog.BackfillState, p catalog.BackfillProgress) catalog.Backfill {
	f.t.Helper()
	b, err := f.svc.GetBackfill(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	if diff := cmp.Diff(p, b.Progress); b.State != state || diff != "" {
		f.t.Errorf("it is %s, want %s; progress (-want +got):\n%s", b.State, state, diff)
	}
	return b
}

// states are the first letters of the partitions' states.
func (f *filling) states() string {
	f.t.Helper()
	p, err := f.svc.Partitions(f.t.Context(), "pipe-1")
	if err != nil {
		f.t.Fatal(err)
	}
	out := ""
	for _, s := range p.All {
		out += string(s.State[0])
	}
	return out
}

func TestABackfillStartsItsPartitionsInOrderAndNoMoreThanAllowed(t *testing.T) {
	filled(t, func(f *filling) {
		b := f.create(func(a *trigger.Backfill) {
			a.From, a.To, a.Run.Parameters = "1999-12-23", "1999-12-27", map[string]any{"n": 1.0}
		})
		pass(time.Second)
		f.wantStarted("23 24")
		if got := f.states(); got != "mrrrrrmmmm" {
			t.Errorf("the partitions are %s", got)
		}
		pass(90 * time.Second)
		f.wantStarted("23 24 25 26")
		f.wantState(b.ID, catalog.BackfillRunning, catalog.BackfillProgress{Total: 5, Waiting: 1, Running: 2, Succeeded: 2})
		pass(5 * time.Minute)
		f.wantStarted("23 24 25 26 27")
		b = f.wantState(b.ID, catalog.BackfillSucceeded, catalog.BackfillProgress{Total: 5, Succeeded: 5})
		if b.FinishedAt == nil || b.FinishedAt.Sub(b.CreatedAt) != 3*time.Minute {
			t.Errorf("it ended at %v, created at %s", b.FinishedAt, b.CreatedAt)
		}
		if f.most != 2 {
			t.Errorf("%d runs were active at once, want 2", f.most)
		}
		parts, err := f.svc.BackfillPartitions(f.t.Context(), b.ID, -1, 100)
		if err != nil || len(parts) != 5 || parts[2].RunID != trigger.RunIDOf(b.ID, "1999-12-25") || parts[2].State != run.Succeeded {
			t.Errorf("its partitions are %+v, %v", parts, err)
		}
		r, err := f.Store.GetRun(f.t.Context(), parts[0].RunID)
		if err != nil || r.DisplayName != "backfill of flights 1999-12-23" || r.BackfillID != b.ID || r.VersionID != "ver-1" {
			t.Errorf("its first run is %+v, %v", r, err)
		}
		if diff := cmp.Diff(map[string]any{"day": "1999-12-23", "n": 1.0}, r.Parameters); diff != "" {
			t.Errorf("its parameters (-want +got):\n%s", diff)
		}
		// Only what is missing, newest first.
		f.create(func(a *trigger.Backfill) { a.Order, a.Parallel = catalog.NewestFirst, 10 })
		pass(time.Second)
		f.wantStarted("23 24 25 26 27 31 30 29 28 22")
		if got := f.create(nil); got.State != catalog.BackfillSucceeded || got.Progress.Total != 0 {
			t.Errorf("with nothing to do it is %+v", got)
		}
	})
}

func TestABackfillIsPausedResumedAndCancelled(t *testing.T) {
	filled(t, func(f *filling) {
		b := f.create(nil)
		pass(time.Second)
		ctx := f.t.Context()
		do := func(change func(context.Context, string) (catalog.Backfill, error), want catalog.BackfillState) {
			t.Helper()
			for range 2 { // asking twice is as asking once
				if got, err := change(ctx, b.ID); err != nil || got.State != want {
					t.Errorf("it is %s, %v; want %s", got.State, err, want)
				}
			}
		}
		do(f.svc.PauseBackfill, catalog.BackfillPaused)
		pass(10 * time.Minute)
		f.wantStarted("22 23")
		f.wantState(b.ID, catalog.BackfillPaused, catalog.BackfillProgress{Total: 10, Waiting: 8, Succeeded: 2})
		f.close()
		f.open()
		pass(10 * time.Minute)
		f.wantStarted("22 23")
		do(f.svc.ResumeBackfill, catalog.BackfillRunning)
		pass(time.Second)
		f.wantStarted("22 23 24 25")
		do(f.svc.CancelBackfill, catalog.BackfillCanceling)
		pass(time.Second)
		f.wantState(b.ID, catalog.BackfillCanceled, catalog.BackfillProgress{Total: 10, Waiting: 6, Succeeded: 2, Canceled: 2})
		if got := f.states(); got != "ddmmmmmmmm" {
			t.Errorf("the partitions are %s", got)
		}
		if _, err := f.svc.ResumeBackfill(ctx, b.ID); fault.KindOf(err) != fault.Conflict {
			t.Errorf("resuming it: %v", err)
		}
		if _, err := f.svc.PauseBackfill(ctx, "nope"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("pausing none: %v", err)
		}
	})
}

func TestFailedPartitionsAreTriedAgain(t *testing.T) {
	filled(t, func(f *filling) {
		f.fails["1999-12-23"], f.fails["1999-12-25"] = true, true
		b := f.create(func(a *trigger.Backfill) { a.To = "1999-12-25" })
		pass(10 * time.Minute)
		f.wantStarted("22 23 24 25")
		f.wantState(b.ID, catalog.BackfillFailed, catalog.BackfillProgress{Total: 4, Succeeded: 2, Failed: 2})
		if got := f.states(); got != "dfdfmmmmmm" {
			t.Errorf("the partitions are %s", got)
		}
		f.fails["1999-12-25"] = true
		if got, n, err := f.svc.RetryBackfill(f.t.Context(), b.ID); err != nil || n != 2 || got.State != catalog.BackfillRunning || got.FinishedAt != nil {
			t.Errorf("%+v, %d, %v", got, n, err)
		}
		pass(10 * time.Minute)
		f.wantStarted("22 23 24 25 +23 +25")
		f.wantState(b.ID, catalog.BackfillFailed, catalog.BackfillProgress{Total: 4, Succeeded: 3, Failed: 1})
		// Another backfill of what failed runs it anew.
		f.create(func(a *trigger.Backfill) { a.Only = []partition.State{partition.Failed} })
		pass(10 * time.Minute)
		f.wantStarted("22 23 24 25 +23 +25 25")
		if got := f.states(); got != "ddddmmmmmm" {
			t.Errorf("the partitions are %s", got)
		}
		if _, n, err := f.svc.RetryBackfill(f.t.Context(), b.ID); err != nil || n != 1 {
			t.Errorf("its own run has failed: %d, %v", n, err)
		}
	})
}

// amnesiac loses the note that a run was started, as a kill between the two does.
type amnesiac struct {
	trigger.Store
	mu sync.Mutex
	n  int
}

func (a *amnesiac) PartitionStarted(ctx context.Context, id string, position int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n++; a.n%3 != 0 {
		return errors.New("lost")
	}
	return a.Store.PartitionStarted(ctx, id, position)
}

func TestNothingIsStartedTwiceOrForgottenWhateverIsLostBetween(t *testing.T) {
	filled(t, func(f *filling) {
		b := f.create(nil)
		for range 30 {
			pass(20 * time.Second)
			if err := f.svc.Close(f.t.Context()); err != nil {
				t.Fatal(err)
			}
			var err error
			f.svc, err = trigger.Open(f.t.Context(), trigger.Options{
				Store: &amnesiac{Store: f.Store}, Runs: f.machine, Pipelines: f.machine, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
				NewID: uuid.NewString, Ended: f.ended,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		f.close()
		f.open()
		pass(time.Hour)
		f.mu.Lock()
		got := slices.Sorted(slices.Values(f.started))
		f.mu.Unlock()
		want := []string{}
		for day := 22; day <= 31; day++ {
			want = append(want, fmt.Sprintf("1999-12-%d", day))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("started (-want +got):\n%s", diff)
		}
		f.wantState(b.ID, catalog.BackfillSucceeded, catalog.BackfillProgress{Total: 10, Succeeded: 10})
	})
}

func TestBackfillsTakeTurnsAndRecurringRunsComeFirst(t *testing.T) {
	filled(t, func(f *filling) {
		r, err := f.svc.Create(f.t.Context(), catalog.RecurringRun{DisplayName: "often", MaxConcurrency: 1, Enabled: true,
			Trigger: schedule.Trigger{IntervalSeconds: 120}, Run: run.Submission{PipelineID: "pipe-2", Parameters: map[string]any{"day": "due"}}})
		if err != nil {
			t.Fatal(err)
		}
		pass(119 * time.Second)
		f.create(func(a *trigger.Backfill) { a.To, a.Parallel = "1999-12-26", 5 })
		f.create(func(a *trigger.Backfill) { a.From, a.Parallel = "1999-12-27", 5 })
		pass(0)
		f.mu.Lock()
		first := slices.Sorted(slices.Values(f.started[:10]))
		f.mu.Unlock()
		if len(first) != 10 {
			t.Errorf("started %v", first)
		}
		pass(time.Second)
		f.mu.Lock()
		last := f.started[len(f.started)-1]
		f.mu.Unlock()
		if last != "due" {
			t.Errorf("the run of %s was not started while backfills have runs", r.DisplayName)
		}
	})
}

func TestWhatIsRefusedPausesTheBackfill(t *testing.T) {
	filled(t, func(f *filling) {
		f.refuse = fault.Invalidf("no such thing")
		b := f.create(nil)
		pass(time.Second)
		b = f.wantState(b.ID, catalog.BackfillPaused, catalog.BackfillProgress{Total: 10, Waiting: 10})
		if !strings.Contains(b.Failure, "no such thing") || !strings.Contains(b.Failure, "1999-12-22") {
			t.Errorf("it says %q", b.Failure)
		}
		f.mu.Lock()
		f.refuse = fault.Unavailablef("the disk is full")
		f.mu.Unlock()
		if _, err := f.svc.ResumeBackfill(f.t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		f.mu.Lock()
		f.refuse = nil
		f.mu.Unlock()
		pass(20 * time.Minute)
		f.wantState(b.ID, catalog.BackfillSucceeded, catalog.BackfillProgress{Total: 10, Succeeded: 10})
	})
}

func TestAPartitionIsStaleWhenItsVersionOrAnImportHasChanged(t *testing.T) {
	filled(t, func(f *filling) {
		f.create(func(a *trigger.Backfill) { a.To = "1999-12-23" })
		pass(10 * time.Minute)
		page, err := f.ListRuns(f.t.Context(), listing.Query{})
		if err != nil {
			t.Fatal(err)
		}
		one := page.Items[0]
		err = f.Append(f.t.Context(), one.ID, []run.Event{{Seq: 2, Type: "x", At: time.Now(), Body: []byte("{}")}}, run.Changes{Artifacts: []run.Artifact{
			{ID: "a", RunID: one.ID, Name: "raw", URI: "/data/x", Digest: "sha256:1", Size: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.states(); got != "ddmmmmmmmm" {
			t.Errorf("the partitions are %s", got)
		}
		f.changed = "its content has changed"
		if got := f.states(); strings.Count(got, "s") != 1 || strings.Count(got, "d") != 1 {
			t.Errorf("after a change of an import the partitions are %s", got)
		}
		v := catalog.Version{ID: "ver-2", PipelineID: "pipe-1", Name: "v2", SpecDigest: "sha256:1", CreatedAt: time.Now()}
		if err := f.CreateVersion(f.t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if got := f.states(); strings.Count(got, "s") != 1 {
			t.Errorf("after a version of the same content the partitions are %s", got)
		}
		v.ID, v.Name, v.SpecDigest, v.CreatedAt = "ver-3", "v3", "sha256:3", time.Now().Add(time.Second)
		if err := f.CreateVersion(f.t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if got := f.states(); got != "ssmmmmmmmm" {
			t.Errorf("after a new version the partitions are %s", got)
		}
		plan, err := f.svc.PlanBackfill(f.t.Context(), trigger.Backfill{Backfill: catalog.Backfill{PipelineID: "pipe-1", Only: []partition.State{partition.Stale}}})
		if err != nil || len(plan.Partitions) != 2 || plan.Left[partition.Missing] != 8 || plan.Backfill.Run.VersionID != "ver-3" {
			t.Errorf("%+v, %v", plan, err)
		}
	})
}

func TestABackfillThatCannotBeIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	filled(t, func(f *filling) {
		weekly := days("1999-12-01")
		weekly.Every = partition.Weekly
		for want, change := range map[string]func(*trigger.Backfill){
			`"nope"`:                         func(a *trigger.Backfill) { a.PipelineID = "nope" },
			"parallel is 1000":               func(a *trigger.Backfill) { a.Parallel = 1000 },
			`order is "random"`:              func(a *trigger.Backfill) { a.Order = "random" },
			`only is "running"`:              func(a *trigger.Backfill) { a.Only = []partition.State{partition.Running} },
			`partitioned by "day"`:           func(a *trigger.Backfill) { a.Parameter = "n" },
			"partitioned in another way":     func(a *trigger.Backfill) { a.Partitions = &weekly },
			"leave it out of the parameters": func(a *trigger.Backfill) { a.Run.Parameters = map[string]any{"day": "1"} },
			"before the first partition":     func(a *trigger.Backfill) { a.From = "1998-01-01" },
			"no time of partitions":          func(a *trigger.Backfill) { a.From = "monday" },
			"there is no partition from":     func(a *trigger.Backfill) { a.From = "2001-01-01" },
		} {
			ask := trigger.Backfill{Backfill: catalog.Backfill{PipelineID: "pipe-1"}}
			change(&ask)
			if _, err := f.svc.CreateBackfill(f.t.Context(), ask); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want an error with %q", err, want)
			}
		}
		for want, d := range map[string]partition.Definition{
			"no parameter": {Parameter: "nope", Every: partition.Daily, Start: "1999"}, "is a LIST": {Parameter: "rows", Keys: []string{"a"}},
			"takes numbers": {Parameter: "n", Every: partition.Daily, Start: "1999"}, "more than": {Parameter: "day", Every: partition.Hourly, Start: "1950"},
		} {
			if err := f.svc.SetPartitions(f.t.Context(), "pipe-1", d); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want an error with %q", err, want)
			}
		}
		// Partitions that start earlier are no contradiction.
		earlier := days("1999-12-20")
		f.create(func(a *trigger.Backfill) { a.Partitions, a.From, a.To = &earlier, "1999-12-20", "1999-12-21" })
		pass(time.Second)
		f.wantStarted("20 21")
		p, err := f.svc.Partitions(f.t.Context(), "pipe-1")
		if err != nil || len(p.All) != 12 || p.Definition.Start != "1999-12-20" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
