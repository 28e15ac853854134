package trigger_test

import (
	"strings"
	"testing"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/schedule"
)

// replaced changes the definition of a recurring run.
func (w *world) replaced(r catalog.RecurringRun, change func(*catalog.RecurringRun)) catalog.RecurringRun {
	w.t.Helper()
	id := r.ID
	r.ID, r.NextAt, r.NextTimes = "", nil, nil
	change(&r)
	out, err := w.svc.Replace(w.t.Context(), id, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestARecurringRunThatIsChangedKeepsItsRunsAndGoesOn(t *testing.T) {
	virtual(t, func(w *world) {
		r := w.create(nil)
		pass(150 * time.Minute)
		w.want("01 01:00:00", "01 02:00:00")
		got := w.replaced(r, func(r *catalog.RecurringRun) {
			r.DisplayName, r.Run.Parameters, r.MaxConcurrency = "renamed", map[string]any{"n": "[[Index]]", "new": true}, 2
		})
		if got.ID != r.ID || got.Index != 2 || !got.CreatedAt.Equal(r.CreatedAt) || got.CountsFrom != nil || got.DisplayName != "renamed" {
			t.Errorf("%+v", got)
		}
		pass(60 * time.Minute)
		w.want("01 01:00:00", "01 02:00:00", "01 03:00:00")
		if last := w.runs.started[2]; last.Index != 3 || last.Parameters["new"] != true || last.RecurringRunID != r.ID {
			t.Errorf("the next run is %+v", last)
		}
		// The server that comes after knows it so too.
		w.end()
		w.open()
		pass(time.Hour)
		w.want("01 01:00:00", "01 02:00:00", "01 03:00:00", "01 04:00:00")
	})
}

func TestAnotherScheduleCountsFromNowOn(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 10, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		to   schedule.Trigger
		want []string
	}{
		"cron":                       {schedule.Trigger{Cron: "0 30 * * * *"}, []string{"01 02:30:00", "01 03:30:00"}},
		"an interval":                {schedule.Trigger{IntervalSeconds: 3000}, []string{"01 03:05:00", "01 03:55:00"}},
		"an interval with its grid":  {schedule.Trigger{IntervalSeconds: 3000, Start: &start}, []string{"01 02:40:00", "01 03:30:00"}},
		"the same one":               {schedule.Trigger{Cron: "@hourly"}, []string{"01 03:00:00", "01 04:00:00"}},
		"one whose start is to come": {schedule.Trigger{Cron: "@hourly", Start: new(time.Date(2000, 1, 1, 3, 30, 0, 0, time.UTC))}, []string{"01 04:00:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				r := w.create(nil)
				pass(135 * time.Minute)
				w.replaced(r, func(r *catalog.RecurringRun) { r.Trigger = tc.to })
				w.end()
				w.open()
				pass(110 * time.Minute)
				w.want(append([]string{"01 01:00:00", "01 02:00:00"}, tc.want...)...)
			})
		})
	}
}

func TestAChangeThatIsRefusedChangesNothing(t *testing.T) {
	virtual(t, func(w *world) {
		r := w.create(nil)
		over := time.Now().Add(-time.Hour)
		for mention, change := range map[string]func(*catalog.RecurringRun){
			"is over":         func(r *catalog.RecurringRun) { r.Trigger = schedule.Trigger{At: &over} },
			"max_concurrency": func(r *catalog.RecurringRun) { r.MaxConcurrency = 99 },
			"specification":   func(r *catalog.RecurringRun) { r.Run.PipelineID = "" },
		} {
			changed := r
			change(&changed)
			if _, err := w.svc.Replace(w.t.Context(), r.ID, changed); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), mention) {
				t.Errorf("%s: %v", mention, err)
			}
		}
		if _, err := w.svc.Replace(w.t.Context(), "none", r); fault.KindOf(err) != fault.NotFound {
			t.Errorf("one that is not there: %v", err)
		}
		pass(61 * time.Minute)
		w.want("01 01:00:00")
	})
}
