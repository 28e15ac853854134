package trigger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/model"
)

// outlook says in short what a trigger will do next: times are seconds from now.
func (f *field) outlook(id string) string {
	f.t.Helper()
	o, err := f.svc.Outlook(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	in := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return fmt.Sprintf("%.0f", time.Until(*t).Seconds())
	}
	return fmt.Sprintf("%d %q next %s look %s", o.Waiting, o.Hold, in(o.NextAt), in(o.LookAt))
}

func (f *field) outlookIs(id, want string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.outlook(id)); diff != "" {
		f.t.Error(diff)
	}
}

// onTaxi is a trigger on the registered model "taxi".
func onTaxi(p event.Policy) func(*event.Trigger) {
	return func(t *event.Trigger) {
		t.On = event.Source{Registry: &event.RegistrySource{Changes: []model.ChangeKind{model.AliasSet}}}
		t.ParametersFrom, t.Policy = nil, p
	}
}

func TestWhatATriggerWaitsForAndUntilWhenIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		policy event.Policy
		after  string
	}{
		"debounced":          {event.Policy{DebounceSeconds: 60}, `2 "quiet" next 59 look -`},
		"gathered":           {event.Policy{BatchSeconds: 30}, `2 "more" next 29 look -`},
		"gathered by number": {event.Policy{BatchSize: 3}, `2 "more" next - look -`},
		"whichever is first": {event.Policy{BatchSeconds: 30, DebounceSeconds: 60}, `2 "more" next 29 look -`},
		"limited":            {event.Policy{MaxRuns: 1, MaxRunsSeconds: 100}, `1 "rate" next 99 look -`},
		"one at a time":      {event.Policy{}, `0 "" next - look -`},
	} {
		t.Run(name, func(t *testing.T) {
			fielded(t, func(f *field) {
				made := f.create(onTaxi(tc.policy))
				f.outlookIs(made.ID, `0 "" next - look -`)
				f.registered("taxi", "a", "b")
				pass(time.Second)
				f.outlookIs(made.ID, tc.after)
			})
		})
	}
}

func TestAPausedTriggerSaysSoAndOneThatLooksSaysWhen(t *testing.T) {
	fielded(t, func(f *field) {
		made := f.create(onTaxi(event.Policy{DebounceSeconds: 60}))
		f.registered("taxi", "a")
		pass(time.Second)
		if _, err := f.svc.SetPaused(f.t.Context(), made.ID, true); err != nil {
			f.t.Fatal(err)
		}
		f.outlookIs(made.ID, `1 "paused" next - look -`)
		files := f.create(func(t *event.Trigger) { t.Name = "files" })
		pass(time.Second)
		f.outlookIs(files.ID, `0 "" next - look 9`)
		if _, err := f.svc.Outlook(f.t.Context(), "none"); err != nil {
			f.t.Error(err) // whether there is a trigger is asked elsewhere
		}
	})
}

func TestAMessageThatCannotBeSentNowIsTriedAgainAndThatIsTold(t *testing.T) {
	fielded(t, func(f *field) {
		f.post.fails, f.post.err = 2, fault.Unavailablef("no connection")
		made := f.create(func(t *event.Trigger) {
			onTaxi(event.Policy{})(t)
			t.Run.PipelineID, t.Run.Parameters = "", nil
			t.Notify = &event.Notify{Slack: &event.SecretKey{Secret: "slack"}}
		})
		f.registered("taxi", "a")
		pass(time.Millisecond)
		if o, err := f.svc.Outlook(f.t.Context(), made.ID); err != nil || o.Hold != event.HoldRetry || o.NextAt == nil || o.Waiting != 1 {
			t.Errorf("%+v, %v", o, err)
		}
		pass(time.Minute)
		f.outlookIs(made.ID, `0 "" next - look -`)
	})
}

func TestTheNewestFiringOfEachTriggerIsFound(t *testing.T) {
	fielded(t, func(f *field) {
		one, two := f.create(onTaxi(event.Policy{})), f.create(func(t *event.Trigger) { t.Name = "other" })
		f.registered("taxi", "a", "b")
		pass(time.Second)
		last, err := f.svc.LastFirings(f.t.Context(), []string{one.ID, two.ID, "none"})
		if err != nil || len(last) != 1 || last[one.ID].Event.Data["alias"] != "b" {
			t.Errorf("%v, %v", last, err)
		}
		found, err := f.svc.Find(f.t.Context(), "OTH", 5)
		byID, again := f.svc.Find(f.t.Context(), one.ID[:8], 5)
		if errors.Join(err, again) != nil || len(found) != 1 || found[0].ID != two.ID || len(byID) != 1 || byID[0].ID != one.ID {
			t.Errorf("%v, %v, %v", found, byID, errors.Join(err, again))
		}
	})
}
