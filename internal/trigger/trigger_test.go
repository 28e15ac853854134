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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"levada/internal/adapter/store"
	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
	"levada/internal/trigger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runs plays the pipeline service: runs start at once and last until they are ended.
type runs struct {
	mu       sync.Mutex
	started  []run.Submission
	active   map[string]string // recurring run by run
	archived bool
	lost     bool // the experiment
	names    map[string]string
	// before, if set, answers in place of Submit.
	before func(run.Submission) error
	ended  chan struct{}
	// lasting is true when runs go on until end is called; otherwise they end as they start.
	lasting bool
}

func newRuns() *runs { return &runs{active: map[string]string{}, ended: make(chan struct{}, 1)} }

func (r *runs) Prepare(_ context.Context, sub run.Submission, _ ...string) (run.Submission, error) {
	if sub.PipelineID == "" {
		return sub, fault.Invalidf("a run needs a specification or the id of an uploaded pipeline")
	}
	sub.ExperimentID = "exp-1"
	return sub, nil
}

func (r *runs) Submit(_ context.Context, sub run.Submission) (run.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.before != nil {
		if err := r.before(sub); err != nil {
			return run.Run{}, err
		}
	}
	if slices.ContainsFunc(r.started, func(s run.Submission) bool { return s.ID == sub.ID }) {
		return run.Run{}, fault.Conflictf("run %q already exists", sub.ID)
	}
	r.started = append(r.started, sub)
	if r.lasting {
		r.active[sub.ID] = sub.RecurringRunID
	}
	if sub.ExperimentID == "" {
		sub.ExperimentID = "default"
	}
	return run.Run{ID: sub.ID, ExperimentID: sub.ExperimentID}, nil
}

func (r *runs) ActiveRuns(_ context.Context, id string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for run, recurring := range r.active {
		if recurring == id {
			ids = append(ids, run)
		}
	}
	return ids, nil
}

// Of recurring runs nothing asks for these.
func (r *runs) GetRun(context.Context, string) (run.Run, error) {
	return run.Run{}, fault.NotFoundf("no run")
}
func (r *runs) RetryRun(context.Context, string) (run.Run, error) {
	return run.Run{}, fault.NotFoundf("no run")
}

// CancelRun ends a run a minute later.
func (r *runs) CancelRun(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, active := r.active[id]; !active {
		return fault.Conflictf("run %s is finished", id)
	}
	time.AfterFunc(time.Minute, func() {
		r.mu.Lock()
		delete(r.active, id)
		r.mu.Unlock()
		r.ended <- struct{}{}
	})
	return nil
}

func (r *runs) GetExperiment(_ context.Context, id string) (catalog.Experiment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost && id == "exp-1" || id == "" {
		return catalog.Experiment{}, fault.NotFoundf("experiment %q does not exist", id)
	}
	return catalog.Experiment{ID: id, DisplayName: "Old things", Archived: r.archived}, nil
}

// set changes how it behaves from now on.
func (r *runs) set(change func(*runs)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// end ends the oldest active run.
func (r *runs) end() {
	r.mu.Lock()
	for _, s := range r.started {
		if _, active := r.active[s.ID]; active {
			delete(r.active, s.ID)
			break
		}
	}
	r.mu.Unlock()
	select {
	case r.ended <- struct{}{}:
	default:
	}
}

// times are those that the started runs are for, since the day began that the virtual clock starts with.
func (r *runs) times() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, s := range r.started {
		out = append(out, s.ScheduledAt.Format("02 15:04:05"))
	}
	return out
}

// world is a data directory and the runs that are outside of it.
type world struct {
	t    *testing.T
	dir  string
	runs *runs
	svc  *trigger.Service
	end  func()
	// wrap, if set, changes the store.
	wrap func(trigger.Store) trigger.Store
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), runs: newRuns()}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	ctx := w.t.Context()
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(w.dir, "levada.db")})
	if err != nil {
		w.t.Fatal(err)
	}
	var kept trigger.Store = st
	if w.wrap != nil {
		kept = w.wrap(st)
	}
	w.svc, err = trigger.Open(ctx, trigger.Options{
		Store: kept, Runs: w.runs, Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: uuid.NewString, Ended: w.runs.ended,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	svc := w.svc
	w.end = sync.OnceFunc(func() {
		if err := errors.Join(svc.Close(context.WithoutCancel(ctx)), st.Close()); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) create(change func(*catalog.RecurringRun)) catalog.RecurringRun {
	w.t.Helper()
	r := catalog.RecurringRun{
		DisplayName: "nightly", MaxConcurrency: 10, Enabled: true, Trigger: schedule.Trigger{Cron: "@hourly"},
		Run: run.Submission{PipelineID: "pipe-1", Parameters: map[string]any{"n": "[[Index]]"}},
	}
	if change != nil {
		change(&r)
	}
	r, err := w.svc.Create(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) get(id string) catalog.RecurringRun {
	w.t.Helper()
	r, err := w.svc.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// pass lets virtual time pass and everything happen that is due then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) want(times ...string) {
	w.t.Helper()
	if diff := cmp.Diff(append([]string{}, times...), w.runs.times()); diff != "" {
		w.t.Errorf("runs were started for (-want +got):\n%s", diff)
	}
}

// virtual runs a test on a clock that begins at midnight of 2000-01-01 and moves when everything waits.
func virtual(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.end() }()
		test(w)
	})
}

func TestRunsStartAtTheTimesOfTheirSchedule(t *testing.T) {
	virtual(t, func(w *world) {
		r := w.create(nil)
		if want := time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC); r.NextAt == nil || !r.NextAt.Equal(want) {
			t.Errorf("next is %v, want %s", r.NextAt, want)
		}
		if n := len(r.NextTimes); n != 5 || !r.NextTimes[0].Equal(*r.NextAt) || !r.NextTimes[4].Equal(r.NextAt.Add(4*time.Hour)) {
			t.Errorf("the next times are %v", r.NextTimes)
		}
		pass(59 * time.Minute)
		w.want()
		pass(2*time.Hour + 2*time.Minute)
		w.want("01 01:00:00", "01 02:00:00", "01 03:00:00")
		for i, s := range w.runs.started {
			if s.Index != int64(i+1) || s.RecurringRunID != r.ID || s.ID != trigger.RunID(r.ID, *s.ScheduledAt) || s.ExperimentID != "exp-1" {
				t.Errorf("run %d is %+v", i, s)
			}
		}
		if got := w.runs.started[0].DisplayName; got != "nightly 2000-01-01 01-00-00" {
			t.Errorf("the first run is named %q", got)
		}
	})
}

func TestARecurringRunEnds(t *testing.T) {
	virtual(t, func(w *world) {
		start, end := time.Now().Add(30*time.Minute), time.Now().Add(50*time.Minute)
		r := w.create(func(r *catalog.RecurringRun) {
			r.Trigger = schedule.Trigger{IntervalSeconds: 600, Start: &start, End: &end}
		})
		pass(24 * time.Hour)
		w.want("01 00:40:00", "01 00:50:00")
		if got := w.get(r.ID); got.NextAt != nil || !got.Enabled {
			t.Errorf("next is %v, enabled %v", got.NextAt, got.Enabled)
		}
	})
}

func TestADisabledRecurringRunStartsNothing(t *testing.T) {
	for _, noCatchup := range []bool{false, true} {
		virtual(t, func(w *world) {
			r := w.create(func(r *catalog.RecurringRun) { r.NoCatchup = noCatchup })
			pass(90 * time.Minute)
			if err := w.svc.SetEnabled(w.t.Context(), r.ID, false); err != nil {
				t.Fatal(err)
			}
			pass(3 * time.Hour)
			w.want("01 01:00:00")
			if err := w.svc.SetEnabled(w.t.Context(), r.ID, true); err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
			if noCatchup {
				w.want("01 01:00:00", "01 04:00:00")
			} else {
				w.want("01 01:00:00", "01 02:00:00", "01 03:00:00", "01 04:00:00")
			}
		})
	}
}

func TestADeletedRecurringRunStartsNothing(t *testing.T) {
	virtual(t, func(w *world) {
		r := w.create(nil)
		if err := w.svc.Delete(w.t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Hour)
		w.want()
		if err := w.svc.Delete(w.t.Context(), r.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("deleting it again: %v", err)
		}
		if err := w.svc.SetEnabled(w.t.Context(), r.ID, true); fault.KindOf(err) != fault.NotFound {
			t.Errorf("enabling it: %v", err)
		}
	})
}

func TestAServerThatWasAwayCatchesUpAsAsked(t *testing.T) {
	for _, noCatchup := range []bool{false, true} {
		virtual(t, func(w *world) {
			w.create(func(r *catalog.RecurringRun) { r.NoCatchup = noCatchup })
			pass(61 * time.Minute)
			w.end()
			pass(3 * time.Hour)
			w.want("01 01:00:00")
			w.open()
			pass(time.Second)
			if noCatchup {
				w.want("01 01:00:00", "01 04:00:00")
			} else {
				w.want("01 01:00:00", "01 02:00:00", "01 03:00:00", "01 04:00:00")
			}
			pass(time.Hour)
			if got := w.runs.times(); got[len(got)-1] != "01 05:00:00" {
				t.Errorf("afterwards it does not go on as usual: %v", got)
			}
		})
	}
}

func TestNoMoreRunsAreActiveThanAllowed(t *testing.T) {
	virtual(t, func(w *world) {
		w.runs.set(func(r *runs) { r.lasting = true })
		w.create(func(r *catalog.RecurringRun) { r.MaxConcurrency = 2 })
		pass(5*time.Hour + time.Minute)
		w.want("01 01:00:00", "01 02:00:00")
		w.runs.end()
		pass(0)
		w.want("01 01:00:00", "01 02:00:00", "01 03:00:00")
		w.runs.end()
		w.runs.end()
		pass(0)
		w.want("01 01:00:00", "01 02:00:00", "01 03:00:00", "01 04:00:00", "01 05:00:00")
	})
}

func TestWithoutCatchingUpAFullRecurringRunSkipsToTheNewestTime(t *testing.T) {
	virtual(t, func(w *world) {
		w.runs.set(func(r *runs) { r.lasting = true })
		w.create(func(r *catalog.RecurringRun) { r.MaxConcurrency, r.NoCatchup = 1, true })
		pass(5*time.Hour + time.Minute)
		w.runs.end()
		pass(0)
		w.want("01 01:00:00", "01 05:00:00")
	})
}

// forgetful is a store that writes what happened and dies before it can say so, or dies before it writes.
type forgetful struct {
	trigger.Store
	mu   sync.Mutex
	fail func(n int) (write bool, err error)
	n    int
}

func (f *forgetful) UpdateRecurringRun(ctx context.Context, r catalog.RecurringRun, happened ...event.Event) error {
	f.mu.Lock()
	f.n++
	write, err := true, error(nil)
	if f.fail != nil {
		write, err = f.fail(f.n)
	}
	f.mu.Unlock()
	if write {
		err = errors.Join(err, f.Store.UpdateRecurringRun(ctx, r, happened...))
	}
	return err
}

// The run is on disk and the note of it is not, as after a kill between the two: the next process finds the run and goes on.
func TestNoTimeIsDoneTwiceOrLeftOutWhateverIsLostBetween(t *testing.T) {
	for name, fail := range map[string]func(n int) (bool, error){
		"notes are lost": func(n int) (bool, error) { return n%3 == 0, errors.New("lost") },
		"notes are kept, but their answer is not": func(n int) (bool, error) { return true, errors.New("lost") },
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.end()
				f := &forgetful{fail: fail}
				w.wrap = func(s trigger.Store) trigger.Store { f.Store = s; return f }
				w.open()
				r := w.create(nil)
				for range 8 {
					pass(37 * time.Minute)
					w.end()
					w.open()
				}
				f.mu.Lock()
				f.fail = nil
				f.mu.Unlock()
				pass(10 * time.Minute)
				w.want("01 01:00:00", "01 02:00:00", "01 03:00:00", "01 04:00:00", "01 05:00:00")
				if got := w.get(r.ID); got.Index != 5 {
					t.Errorf("%d runs are counted, want 5", got.Index)
				}
				for i, s := range w.runs.started {
					if s.Index != int64(i+1) {
						t.Errorf("run %d has index %d", i+1, s.Index)
					}
				}
			})
		})
	}
}

func TestARunThatCannotBeStartedNowIsStartedLater(t *testing.T) {
	virtual(t, func(w *world) {
		var tries atomic.Int64
		w.runs.set(func(r *runs) {
			r.before = func(run.Submission) error {
				if tries.Add(1) < 4 {
					return fault.Unavailablef("the disk is full")
				}
				return nil
			}
		})
		w.create(nil)
		pass(time.Hour + 10*time.Second)
		w.want("01 01:00:00")
		if tries.Load() != 4 {
			t.Errorf("%d tries", tries.Load())
		}
	})
}

func TestARefusedRunIsNotedAndTheNextTimeIsTried(t *testing.T) {
	virtual(t, func(w *world) {
		var asked atomic.Int64
		w.runs.set(func(r *runs) {
			r.before = func(run.Submission) error {
				if asked.Add(1) == 1 {
					return fault.Invalidf("pipeline has no versions")
				}
				return nil
			}
		})
		start := time.Now().Add(-1000 * time.Hour)
		r := w.create(func(r *catalog.RecurringRun) { r.Trigger.Start = &start })
		pass(time.Minute)
		w.want()
		if got := w.get(r.ID); got.Failure == "" || got.Index != 0 || !got.Enabled {
			t.Errorf("after the refusal: %+v", got)
		}
		if asked.Load() != 1 {
			t.Errorf("%d runs were refused, want 1: all missed times would get the same answer", asked.Load())
		}
		pass(time.Hour)
		w.want("01 01:00:00")
		if got := w.get(r.ID); got.Failure != "" || got.Index != 1 {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

func TestAnArchivedExperimentDisablesItsRecurringRuns(t *testing.T) {
	virtual(t, func(w *world) {
		r, other := w.create(nil), w.create(nil)
		if err := w.svc.DisableExperiment(w.t.Context(), "exp-1"); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Hour)
		w.want()
		// Even when the archiving was not heard of.
		if err := w.svc.SetEnabled(w.t.Context(), other.ID, true); err != nil {
			t.Fatal(err)
		}
		w.runs.set(func(r *runs) { r.archived, r.started = true, nil })
		pass(2 * time.Hour)
		if got := w.get(other.ID); got.Enabled || got.Failure == "" {
			t.Errorf("it is still enabled: %+v", got)
		}
		if got := w.get(r.ID); got.Enabled {
			t.Error("the first one is enabled")
		}
	})
}

func TestRunsOfADeletedExperimentGoToTheDefaultOne(t *testing.T) {
	virtual(t, func(w *world) {
		r := w.create(nil)
		w.runs.set(func(r *runs) { r.lost = true })
		pass(2*time.Hour + time.Minute)
		w.want("01 01:00:00", "01 02:00:00")
		if got := w.get(r.ID); got.Run.ExperimentID != "default" {
			t.Errorf("it belongs to %q now", got.Run.ExperimentID)
		}
	})
}

func TestABadRecurringRunIsRefusedWhole(t *testing.T) {
	virtual(t, func(w *world) {
		good := catalog.RecurringRun{DisplayName: "x", MaxConcurrency: 1, Trigger: schedule.Trigger{Cron: "@daily"}, Run: run.Submission{PipelineID: "p"}}
		for name, change := range map[string]func(*catalog.RecurringRun){
			"no name":        func(r *catalog.RecurringRun) { r.DisplayName = "" },
			"no concurrency": func(r *catalog.RecurringRun) { r.MaxConcurrency = 0 },
			"too much of it": func(r *catalog.RecurringRun) { r.MaxConcurrency = 11 },
			"no trigger":     func(r *catalog.RecurringRun) { r.Trigger = schedule.Trigger{} },
			"no pipeline":    func(r *catalog.RecurringRun) { r.Run = run.Submission{} },
		} {
			r := good
			change(&r)
			if _, err := w.svc.Create(w.t.Context(), r); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v, want an Invalid error", name, err)
			}
		}
		page, err := w.svc.List(w.t.Context(), listing.Query{})
		if err != nil || page.Total != 0 {
			t.Errorf("%d are stored, %v", page.Total, err)
		}
	})
}

func TestManyRecurringRunsKeepTheirTimes(t *testing.T) {
	virtual(t, func(w *world) {
		for i := range 50 {
			w.create(func(r *catalog.RecurringRun) { r.Trigger = schedule.Trigger{IntervalSeconds: int64(60 * (i + 1))} })
		}
		pass(time.Hour)
		want := 0
		for i := range 50 {
			want += 60 / (i + 1)
		}
		if got := len(w.runs.times()); got != want {
			t.Errorf("%d runs were started, want %d", got, want)
		}
		if !slices.IsSorted(w.runs.times()) {
			t.Error(fmt.Sprint("not in order: ", w.runs.times()))
		}
	})
}

func TestTheTimesThatAScheduleWouldHaveAreToldBeforeItIsMade(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 30, 0, time.UTC)
	start, end := now.Add(-90*time.Minute), now.Add(2*time.Hour)
	s, err := trigger.Open(t.Context(), trigger.Options{Paused: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		trigger schedule.Trigger
		want    string
	}{
		"a cron expression":                      {schedule.Trigger{Cron: "0 */30 * * * *"}, "10:30:00 11:00:00 11:30:00"},
		"an interval counts from now":            {schedule.Trigger{IntervalSeconds: 3600}, "11:00:30 12:00:30 13:00:30"},
		"an interval that began keeps its times": {schedule.Trigger{IntervalSeconds: 3600, Start: &start}, "10:30:30 11:30:30 12:30:30"},
		"what ends tells no more":                {schedule.Trigger{IntervalSeconds: 3600, End: &end}, "11:00:30 12:00:30"},
	} {
		times, err := s.Times(tc.trigger, 3)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, at := range times {
			got = append(got, at.Format("15:04:05"))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
	if _, err := s.Times(schedule.Trigger{Cron: "* *"}, 3); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a bad expression: %v", err)
	}
}
