package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
	"levada/internal/trigger"
)

// PipelineName knows what the newest run of some pipelines said.
func (r *runs) PipelineName(_ context.Context, sub run.Submission) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name, ok := r.names[sub.PipelineID]; ok {
		return name
	}
	return sub.PipelineName
}

// failures is whom most have: told of failed runs of one pipeline.
func failures(pipeline string) event.Source {
	return event.Source{Run: &event.RunSource{Pipeline: pipeline, States: []run.State{run.Failed}}}
}

// refusing has the runs of a pipeline that is deleted refused.
func (f *field) refusing() {
	f.runs.set(func(r *runs) {
		r.before = func(s run.Submission) error {
			if s.PipelineID == "gone" {
				return fault.NotFoundf("pipeline %q does not exist", s.PipelineID)
			}
			return nil
		}
	})
}

// scheduling opens recurring runs over the store of the field; wrap, if set, changes it.
func (f *field) scheduling(wrap func(trigger.Store) trigger.Store) *trigger.Service {
	f.t.Helper()
	var kept trigger.Store = f.store
	if wrap != nil {
		kept = wrap(kept)
	}
	s, err := trigger.Open(f.t.Context(), trigger.Options{Store: kept, Runs: f.runs, Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: uuid.NewString})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func hourly(change func(*catalog.RecurringRun)) catalog.RecurringRun {
	r := catalog.RecurringRun{DisplayName: "nightly", MaxConcurrency: 1, Enabled: true, Trigger: schedule.Trigger{Cron: "@hourly"},
		Run: run.Submission{PipelineID: "gone", PipelineName: "train"}}
	if change != nil {
		change(&r)
	}
	return r
}

func TestARefusedRunOfAScheduleIsToldOfOnceForEachTime(t *testing.T) {
	fielded(t, func(f *field) {
		f.refusing()
		f.telling(failures("train"), "", event.Policy{})
		f.telling(failures("another"), "", event.Policy{}, "of another")
		cleanup := f.create(func(t *event.Trigger) { t.Name, t.On, t.ParametersFrom = "cleanup", failures("train"), nil })
		var once sync.Once
		s := f.scheduling(func(st trigger.Store) trigger.Store { // the answer of the first note is lost, so the run is asked for again
			return &forgetful{Store: st, fail: func(int) (bool, error) {
				err := error(nil)
				once.Do(func() { err = errors.New("lost") })
				return true, err
			}}
		})
		defer func() { _ = s.Close(context.WithoutCancel(f.t.Context())) }()
		made, err := s.Create(f.t.Context(), hourly(nil))
		if err != nil {
			t.Fatal(err)
		}
		pass(61 * time.Minute)
		text := func(at, next string) string {
			return fmt.Sprintf(`alarm: run nightly 2000-01-01 %s-00-00 of train was not started: no run was started for 2000-01-01T%s:00:00Z: pipeline "gone" does not exist. `+
				`Put that right, and start a run by hand if it must not wait: the next time is 2000-01-01T%s:00:00Z; levada schedules show "nightly" tells more`, at, at, next)
		}
		f.wantSent(text("01", "02"))
		pass(time.Hour)
		f.wantSent(text("01", "02"), text("02", "03"))
		if n := s.Refused(); n != 2 {
			t.Errorf("%d refused runs are counted, want 2", n)
		}
		if got := f.states(cleanup.ID); len(got) != 0 {
			t.Errorf("a trigger that starts runs of failed ones was fired: %q", got)
		}
		if e := f.post.sent[0].Events[0]; e.Data["recurring_run_id"] != made.ID || e.Data["state"] != "REFUSED" || e.Data["reason"] != "REFUSED" || e.Data["run_id"] != "" {
			t.Errorf("the event is %+v", e)
		}
	})
}

func TestARefusedRunIsToldOfUnderTheNameThatItsPipelineHasNow(t *testing.T) {
	for name, tc := range map[string]struct {
		stored, now string
		want        []string // triggers
	}{
		"stored by an earlier version": {"", "train", []string{"all", "own"}},
		"renamed since":                {"old", "train", []string{"all", "own"}},
		"not known":                    {"", "", []string{"all"}},
	} {
		t.Run(name, func(t *testing.T) {
			fielded(t, func(f *field) {
				f.refusing()
				f.runs.set(func(r *runs) { r.names = map[string]string{"gone": tc.now} })
				f.telling(failures("train"), "", event.Policy{}, "own")
				f.telling(failures(""), "", event.Policy{}, "all")
				f.telling(failures("old"), "", event.Policy{}, "another")
				s := f.scheduling(nil)
				defer func() { _ = s.Close(context.WithoutCancel(f.t.Context())) }()
				if _, err := s.Create(f.t.Context(), hourly(func(r *catalog.RecurringRun) { r.Run.PipelineName = tc.stored })); err != nil {
					t.Fatal(err)
				}
				made := f.create(func(t *event.Trigger) { t.Run = run.Submission{PipelineID: "gone", PipelineName: tc.stored} })
				told := func() []string {
					var out []string
					for _, m := range f.post.sent {
						out = append(out, m.Trigger)
					}
					f.post.sent = nil
					slices.Sort(out)
					return out
				}
				pass(61 * time.Minute)
				if got := told(); !slices.Equal(got, tc.want) {
					t.Errorf("of the schedule were told %q, want %q", got, tc.want)
				}
				if _, err := f.svc.Fire(f.t.Context(), made.ID, "by hand", map[string]any{"name": "x"}); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				if got := told(); !slices.Equal(got, tc.want) {
					t.Errorf("of the trigger were told %q, want %q", got, tc.want)
				}
			})
		})
	}
}

func TestATimeThatIsMissedOrAScheduleThatIsDisabledIsToldOfAndASkippedOneIsNot(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*catalog.RecurringRun)
		runs   func(*runs)
		away   time.Duration
		want   string
	}{
		"too late": {func(r *catalog.RecurringRun) { r.StartingDeadlineSeconds = 60 }, nil, 90 * time.Minute, "it could not start within 1m0s"},
		"archived": {nil, func(r *runs) { r.archived = true }, 0, `disabled: its experiment "Old things" is archived`},
		"skipped":  {func(r *catalog.RecurringRun) { r.Concurrency = catalog.Skip }, func(r *runs) { r.lasting = true }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			fielded(t, func(f *field) {
				f.telling(failures("train"), "", event.Policy{})
				s := f.scheduling(nil)
				r := hourly(tc.change)
				r.Run.PipelineID = "there"
				if _, err := s.Create(f.t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if tc.runs != nil {
					f.runs.set(tc.runs)
				}
				if tc.away > 0 {
					if err := s.Close(context.WithoutCancel(f.t.Context())); err != nil {
						t.Fatal(err)
					}
					pass(tc.away)
					s = f.scheduling(nil)
				}
				defer func() { _ = s.Close(context.WithoutCancel(f.t.Context())) }()
				pass(150*time.Minute - tc.away)
				told := []string{}
				for _, m := range f.post.sent {
					told = append(told, m.Text)
				}
				if all := strings.Join(told, "\n"); tc.want == "" && all != "" || tc.want != "" && (len(told) != 1 || !strings.Contains(all, tc.want)) {
					t.Errorf("told were %q, want %q", told, tc.want)
				}
			})
		})
	}
}

func TestARefusedRunOfATriggerIsToldOfOnceWhateverIsLostBetween(t *testing.T) {
	fielded(t, func(f *field) {
		f.end()
		lose := &lossy{settle: true, written: true}
		f.wrap = func(s trigger.EventStore) trigger.EventStore {
			lose.EventStore = s
			return lose
		}
		f.open()
		f.refusing()
		f.telling(failures("train"), "", event.Policy{})
		made := f.create(func(t *event.Trigger) { t.Run = run.Submission{PipelineID: "gone", PipelineName: "train"} })
		f.write("a.csv", "x")
		pass(5 * time.Minute)
		f.end()
		f.open()
		pass(5 * time.Minute)
		ids := map[string]bool{} // a message whose end is not noted may come again, with the same id
		for _, m := range f.post.sent {
			ids[m.ID] = true
		}
		if len(ids) != 1 {
			t.Fatalf("%d different messages were sent", len(ids))
		}
		text := f.post.sent[0].Text
		for _, want := range []string{"alarm: run on data 2000-01-01", ` of train was not started: pipeline "gone" does not exist. Put that right.`, `levada triggers fire "on data" -e EVENT`} {
			if !strings.Contains(text, want) {
				t.Errorf("the message is %q, want %q in it", text, want)
			}
		}
		if got := f.states(made.ID); len(got) != 1 || !strings.HasPrefix(got[0], "FAILED: ") {
			t.Errorf("firings: %q", got)
		}
	})
}

func TestATriggerThatStartsRunsOfRefusedOnesGoesInNoCircle(t *testing.T) {
	fielded(t, func(f *field) {
		f.refusing()
		made := f.create(func(t *event.Trigger) {
			t.On, t.ParametersFrom = event.Source{Run: &event.RunSource{States: []run.State{event.Refused}}}, nil
			t.Run = run.Submission{PipelineID: "gone", PipelineName: "train"}
		})
		if _, err := f.svc.Fire(f.t.Context(), made.ID, "once", nil); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		got := f.states(made.ID)
		slices.Sort(got)
		if len(got) != 2 || !strings.HasPrefix(got[0], "FAILED: ") || !strings.Contains(got[1], "would go on for ever") {
			t.Errorf("firings: %q", got)
		}
	})
}

func TestAMessageWhoseTextCannotBeMadeIsSentWithoutIt(t *testing.T) {
	fielded(t, func(f *field) {
		made := f.telling(failures(""), `event.parameters.month + " failed"`, event.Policy{})
		f.finished("r1", "train", run.Failed)
		pass(time.Minute)
		f.wantSent("alarm: run  of train: FAILED")
		if got, err := f.svc.Get(f.t.Context(), made.ID); err != nil || !strings.Contains(got.Failure, "notify.text: ") {
			t.Errorf("it says %q, %v", got.Failure, err)
		}
	})
}
