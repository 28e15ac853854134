package trigger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"levada/internal/adapter/files"
	"levada/internal/adapter/store"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/trigger"
)

// values are the newest values of one metric by run.
type values struct {
	mu sync.Mutex
	of map[string]event.MetricValue
}

func (v *values) Values(context.Context, string, string) (out []event.MetricValue, _ error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.of {
		out = append(out, one)
	}
	return out, nil
}

func (v *values) set(runID string, step int64, value float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.of[runID] = event.MetricValue{RunID: runID, Value: value, Step: step}
}

// oneSecret is a place for secrets that has one.
type oneSecret string

func (s oneSecret) Value(_ context.Context, name, key string) ([]byte, error) {
	if name != "partner" || key != "secret" {
		return nil, fault.NotFoundf("no secret %s/%s", name, key)
	}
	return []byte(s), nil
}

// post collects messages. It fails as often as fails says.
type post struct {
	mu    sync.Mutex
	fails int
	err   error
	sent  []event.Message
}

func (p *post) Send(_ context.Context, _ event.Notify, m event.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails > 0 {
		p.fails--
		return p.err
	}
	p.sent = append(p.sent, m)
	return nil
}

// field is a data directory with its triggers, and the runs that are outside of it.
type field struct {
	t      *testing.T
	dir    string
	runs   *runs
	values *values
	post   *post
	store  *store.Store
	svc    *trigger.Events
	end    func()
	// secret is that of the partner.
	secret string
	// files are those of the machine unless a test says otherwise.
	files trigger.Files
	// wrap, if set, changes the store.
	wrap func(trigger.EventStore) trigger.EventStore
}

func (f *field) open() {
	f.t.Helper()
	ctx := f.t.Context()
	var err error
	if f.store, err = store.Open(ctx, store.Options{Path: filepath.Join(f.dir, "levada.db")}); err != nil {
		f.t.Fatal(err)
	}
	var kept trigger.EventStore = f.store.Triggers()
	if f.wrap != nil {
		kept = f.wrap(kept)
	}
	f.svc, err = trigger.OpenEvents(ctx, trigger.EventOptions{
		Store: kept, Runs: f.runs, Files: f.files, Metrics: f.values, Secrets: oneSecret(f.secret), Notify: f.post, Logger: slog.New(slog.DiscardHandler),
		Now: time.Now, NewID: uuid.NewString, Ended: f.runs.ended,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	svc, st := f.svc, f.store
	f.end = sync.OnceFunc(func() {
		if err := errors.Join(svc.Close(context.WithoutCancel(ctx)), st.Close()); err != nil {
			f.t.Error(err)
		}
	})
}

func (f *field) create(change func(*event.Trigger)) event.Trigger {
	f.t.Helper()
	t := event.Trigger{Name: "on data", On: event.Source{File: &event.FileSource{Path: f.dir + "/in"}},
		Run: run.Submission{PipelineID: "pipe-1", Parameters: map[string]any{"fixed": 1.0}}, ParametersFrom: map[string]string{"file": "event.name"}}
	if change != nil {
		change(&t)
	}
	t, err := f.svc.Create(f.t.Context(), t)
	if err != nil {
		f.t.Fatal(err)
	}
	synctest.Wait()
	return t
}

func (f *field) write(name, content string) {
	f.t.Helper()
	path := filepath.Join(f.dir, "in", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		f.t.Fatal(err)
	}
}

// want compares a parameter of the runs that were started.
func (f *field) want(parameter string, want ...any) {
	f.t.Helper()
	f.runs.mu.Lock()
	defer f.runs.mu.Unlock()
	got := []any{}
	for _, s := range f.runs.started {
		got = append(got, s.Parameters[parameter])
	}
	if diff := cmp.Diff(append([]any{}, want...), got); diff != "" {
		f.t.Errorf("runs were started with %s (-want +got):\n%s", parameter, diff)
	}
}

// states are those of the firings of a trigger, the oldest first, with their reasons.
func (f *field) states(id string) []string {
	f.t.Helper()
	page, err := f.svc.Firings(f.t.Context(), id, listing.Query{PageSize: 200, SortBy: "created_at"})
	if err != nil {
		f.t.Fatal(err)
	}
	out := []string{}
	for _, one := range page.Items {
		out = append(out, strings.TrimSuffix(string(one.State)+": "+one.Reason, ": "))
	}
	return out
}

func fielded(t *testing.T, test func(f *field)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &field{t: t, dir: t.TempDir(), runs: newRuns(), values: &values{of: map[string]event.MetricValue{}}, post: &post{}, files: files.Files{}, secret: "a shared secret"}
		if err := os.Mkdir(filepath.Join(f.dir, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		f.open()
		defer func() { f.end() }()
		test(f)
	})
}

func TestANewOrChangedFileStartsARun(t *testing.T) {
	fielded(t, func(f *field) {
		f.write("old.csv", "was there before")
		made := f.create(nil)
		pass(time.Minute)
		f.want("file")
		f.write("a.csv", "1")
		f.write("sub/b.csv", "2")
		f.write("half.csv.part", "not yet")
		pass(15 * time.Second)
		f.want("file", "a.csv", "b.csv")
		wanted := func(e event.Event) bool {
			return event.RunID(made.ID, e.ID) == f.runs.started[0].ID && e.Data["name"] == "a.csv" && e.Data["stem"] == "a"
		}
		if got := f.runs.started[0]; !slices.ContainsFunc(eventsOf(f, made.ID), wanted) || got.Parameters["fixed"] != 1.0 || got.ScheduledAt == nil {
			t.Errorf("the first run is %+v", got)
		}
		// The same content with another time is no change; other content is.
		path, later := filepath.Join(f.dir, "in", "a.csv"), time.Now().Add(time.Hour)
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
		pass(15 * time.Second)
		f.want("file", "a.csv", "b.csv")
		f.write("a.csv", "changed")
		pass(15 * time.Second)
		f.want("file", "a.csv", "b.csv", "a.csv")
		if last := eventsOf(f, made.ID)[2]; last.Data["change"] != "changed" || last.Data["digest"] != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("changed"))) {
			t.Errorf("the last event is %+v", last)
		}
		// One that goes away and comes back as it was is not new.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		pass(15 * time.Second)
		f.write("a.csv", "changed")
		pass(15 * time.Second)
		f.want("file", "a.csv", "b.csv", "a.csv")
	})
}

func eventsOf(f *field, id string) (out []event.Event) {
	f.t.Helper()
	page, err := f.svc.Firings(f.t.Context(), id, listing.Query{PageSize: 200, SortBy: "created_at"})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, one := range page.Items {
		out = append(out, one.Event)
	}
	return out
}

func TestAFileThatIsBeingWrittenWaits(t *testing.T) {
	fielded(t, func(f *field) {
		f.create(nil)
		for i := range 30 {
			f.write("big.csv", strings.Repeat("x", i+1))
			pass(time.Second)
		}
		f.want("file")
		pass(15 * time.Second)
		f.want("file", "big.csv")
	})
}

func TestFilesThatCameWhileTheServerWasAwayAreSeen(t *testing.T) {
	fielded(t, func(f *field) {
		f.create(nil)
		pass(time.Minute)
		f.end()
		f.write("a.csv", "1")
		f.open()
		pass(15 * time.Second)
		f.want("file", "a.csv")
		f.end()
		f.open()
		pass(15 * time.Second)
		f.want("file", "a.csv")
	})
}

func TestADirectoryThatIsNotThereIsNotedUntilItComesBack(t *testing.T) {
	fielded(t, func(f *field) {
		f.write("a.csv", "1")
		made := f.create(nil)
		dir := filepath.Join(f.dir, "in")
		if err := os.Rename(dir, dir+"-away"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || !strings.Contains(got.Failure, "no such file") {
			t.Errorf("it says %q, %v", got.Failure, err)
		}
		if err := os.Rename(dir+"-away", dir); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		f.want("file")
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || got.Failure != "" {
			t.Errorf("afterwards it says %q, %v", got.Failure, err)
		}
	})
}

// change makes events of the registry.
func (f *field) registered(name string, aliases ...string) {
	f.t.Helper()
	m := model.Registered{Name: name}
	for _, a := range aliases {
		m.Note(model.Change{AtUS: time.Now().UnixMicro(), Kind: model.AliasSet, Alias: a, Version: 3})
	}
	if err := f.store.Registry().CreateModel(f.t.Context(), m); err != nil {
		f.t.Fatal(err)
	}
}

func TestChangesOfTheRegistryAreEventsUnderConditions(t *testing.T) {
	fielded(t, func(f *field) {
		made := f.create(func(t *event.Trigger) {
			t.On = event.Source{Registry: &event.RegistrySource{Model: "taxi", Changes: []model.ChangeKind{model.AliasSet}}}
			t.When = `event.alias.startsWith("champ") && event.version >= 3`
			t.ParametersFrom = map[string]string{"what": `event.model + "@" + event.alias`}
		})
		f.registered("taxi", "champion", "loser")
		f.registered("other", "champion")
		pass(time.Second)
		f.want("what", "taxi@champion")
		if diff := cmp.Diff([]string{"STARTED", "IGNORED: the condition does not hold"}, f.states(made.ID)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnEventThatNoTriggerIsForIsNotKept(t *testing.T) {
	fielded(t, func(f *field) {
		f.registered("taxi", "champion")
		if events, _, err := f.store.Triggers().Happened(f.t.Context(), 10); err != nil || len(events) != 0 {
			t.Errorf("%v, %v", events, err)
		}
	})
}

func TestAMetricThatCrossesALineStartsARunOnceForEachCrossing(t *testing.T) {
	fielded(t, func(f *field) {
		line := 0.3
		f.values.set("old", 1, 0.9)
		f.create(func(t *event.Trigger) {
			t.On = event.Source{Metric: &event.MetricSource{Experiment: "monitor", Metric: "drift_share", Above: &line}}
			t.ParametersFrom = map[string]string{"from": `event.run_id + " " + string(event.step)`}
		})
		for step, value := range []float64{0.1, 0.35, 0.5, 0.2, 0.3, 0.31} {
			f.values.set("r1", int64(step), value)
			pass(11 * time.Second)
		}
		f.end()
		f.values.set("r2", 7, 0.99)
		f.open()
		pass(time.Minute)
		f.want("from", "r1 1", "r1 5", "r2 7")
	})
}

func TestEventsAreGatheredIntoRuns(t *testing.T) {
	for name, tc := range map[string]struct {
		policy event.Policy
		want   []any
	}{
		"debounced": {event.Policy{DebounceSeconds: 60}, []any{3.0, 1.0}},
		"of a time": {event.Policy{BatchSeconds: 30}, []any{2.0, 1.0, 1.0}},
		"of a size": {event.Policy{BatchSize: 2}, []any{2.0, 2.0}},
		"each":      {event.Policy{}, []any{1.0, 1.0, 1.0, 1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			fielded(t, func(f *field) {
				f.create(func(t *event.Trigger) {
					t.Policy, t.ParametersFrom = tc.policy, map[string]string{"n": "size(events)"}
					t.On.File.PollSeconds = 1
				})
				for i, pause := range []int{0, 20, 40, 120} { // the second comes after 20 s, the third after 40 more
					pass(time.Duration(pause) * time.Second)
					f.write(fmt.Sprint(i), "x")
				}
				pass(5 * time.Minute)
				f.want("n", tc.want...)
			})
		})
	}
}

func TestWhatIsTheSameCountsOnce(t *testing.T) {
	fielded(t, func(f *field) {
		made := f.create(func(t *event.Trigger) {
			t.DedupKey, t.DedupSeconds, t.On.File.PollSeconds = `event.name`, 600, 1
		})
		f.write("1/data.csv", "x")
		pass(5 * time.Second)
		f.write("2/data.csv", "x")
		pass(11 * time.Minute)
		f.write("3/data.csv", "x")
		pass(5 * time.Second)
		f.want("file", "data.csv", "data.csv")
		if got := f.states(made.ID); len(got) != 3 || !strings.Contains(got[1], "same dedup_key") {
			t.Errorf("firings: %q", got)
		}
	})
}

func TestNoMoreRunsStartThanTheRateAllowsAndWhatIsMoreWaits(t *testing.T) {
	fielded(t, func(f *field) {
		f.create(func(t *event.Trigger) { t.MaxRuns, t.MaxRunsSeconds = 2, 3600 })
		for i := range 5 {
			f.write(fmt.Sprint(i), "x")
		}
		pass(time.Minute)
		f.want("file", "0", "1")
		pass(time.Hour)
		f.want("file", "0", "1", "2", "3")
		pass(time.Hour)
		f.want("file", "0", "1", "2", "3", "4")
	})
}

func TestAPausedTriggerNotesWhatHappensAndStartsNothing(t *testing.T) {
	fielded(t, func(f *field) {
		made := f.create(nil)
		if _, err := f.svc.SetPaused(f.t.Context(), made.ID, true); err != nil {
			t.Fatal(err)
		}
		f.write("a", "x")
		pass(time.Minute)
		if diff := cmp.Diff([]string{"IGNORED: the trigger is paused"}, f.states(made.ID)); diff != "" {
			t.Error(diff)
		}
		// By hand it starts one all the same.
		for range 2 {
			if got, err := f.svc.Fire(f.t.Context(), made.ID, "once", map[string]any{"name": "by hand"}); err != nil || got.State != event.Started || got.RunID == "" {
				t.Errorf("fired by hand: %+v, %v", got, err)
			}
		}
		if _, err := f.svc.SetPaused(f.t.Context(), made.ID, false); err != nil {
			t.Fatal(err)
		}
		f.write("b", "x")
		pass(time.Minute)
		f.want("file", "by hand", "b")
	})
}

// The firing and the run are on disk and what comes after is not, as after a kill between the two.
func TestNoEventIsDoneTwiceOrLeftOutWhateverIsLostBetween(t *testing.T) {
	for name, lose := range map[string]*lossy{
		"notes of a beginning are lost":    {begin: true},
		"notes of an end are lost":         {settle: true},
		"both are lost":                    {begin: true, settle: true},
		"answers are lost, not the writes": {begin: true, settle: true, written: true},
	} {
		t.Run(name, func(t *testing.T) {
			fielded(t, func(f *field) {
				f.end()
				f.wrap = func(s trigger.EventStore) trigger.EventStore {
					lose.EventStore = s
					return lose
				}
				f.open()
				made := f.create(func(t *event.Trigger) { t.On.File.PollSeconds = 1 })
				for i := range 6 {
					f.write(fmt.Sprint(i), "x")
					pass(3 * time.Second)
					f.end()
					f.open()
				}
				lose.mu.Lock()
				lose.over = true
				lose.mu.Unlock()
				f.end()
				f.open()
				pass(5 * time.Minute)
				f.want("file", "0", "1", "2", "3", "4", "5")
				if got := f.states(made.ID); !slices.Equal(got, slices.Repeat([]string{"STARTED"}, 6)) {
					t.Errorf("firings: %q", got)
				}
			})
		})
	}
}

type lossy struct {
	trigger.EventStore
	mu                           sync.Mutex
	begin, settle, written, over bool
	n                            int
}

// lost says whether a write is lost now: two of three are.
func (l *lossy) lost(kind bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return kind && !l.over && l.n%3 != 0
}

func (l *lossy) Begin(ctx context.Context, id string, fs []event.Firing, runID string, cause []string, at time.Time) error {
	lost := l.lost(l.begin)
	if lost && !l.written {
		return errors.New("lost")
	}
	err := l.EventStore.Begin(ctx, id, fs, runID, cause, at)
	if lost {
		return errors.New("lost")
	}
	return err
}

func (l *lossy) Settle(ctx context.Context, fs []event.Firing, state event.FiringState, reason string, at time.Time, happened ...event.Event) error {
	lost := l.lost(l.settle)
	if lost && !l.written {
		return errors.New("lost")
	}
	err := l.EventStore.Settle(ctx, fs, state, reason, at, happened...)
	if lost {
		return errors.New("lost")
	}
	return err
}

func TestARunThatCannotStartNowStartsLaterAndARefusedOneIsNoted(t *testing.T) {
	fielded(t, func(f *field) {
		tries := 0
		f.runs.set(func(r *runs) {
			r.before = func(s run.Submission) error {
				if s.Parameters["file"] == "bad" {
					return fault.Invalidf("pipeline has no versions")
				}
				if tries++; tries < 4 {
					return fault.Unavailablef("the disk is full")
				}
				return nil
			}
		})
		made := f.create(nil)
		f.write("a", "x")
		pass(time.Minute)
		f.want("file", "a")
		f.write("bad", "x")
		pass(time.Minute)
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || !strings.Contains(got.Failure, "has no versions") {
			t.Errorf("it says %q, %v", got.Failure, err)
		}
		f.write("c", "x")
		pass(time.Minute)
		if diff := cmp.Diff([]string{"STARTED", "FAILED: pipeline has no versions", "STARTED"}, f.states(made.ID)); diff != "" {
			t.Error(diff)
		}
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || got.Failure != "" {
			t.Errorf("afterwards it says %q, %v", got.Failure, err)
		}
	})
}
