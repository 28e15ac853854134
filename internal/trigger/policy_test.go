package trigger_test

import (
	"strings"
	"testing"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/schedule"
)

func TestAFullRecurringRunLeavesOutOrReplacesWhereThatIsAskedFor(t *testing.T) {
	virtual(t, func(w *world) {
		w.runs.set(func(r *runs) { r.lasting = true })
		r := w.create(func(r *catalog.RecurringRun) { r.MaxConcurrency, r.Concurrency = 1, catalog.Skip })
		pass(2*time.Hour + time.Minute)
		w.want("01 01:00:00")
		if got := w.get(r.ID); !strings.Contains(got.Failure, "2000-01-01T02:00:00Z") || !strings.Contains(got.Failure, "1 of its runs") {
			t.Errorf("it says %q", got.Failure)
		}
		w.runs.end()
		pass(time.Hour)
		w.want("01 01:00:00", "01 03:00:00")
		if got := w.get(r.ID); got.Failure != "" || got.Index != 2 {
			t.Errorf("after a run that started it says %q, index %d", got.Failure, got.Index)
		}
	})
	virtual(t, func(w *world) {
		w.runs.set(func(r *runs) { r.lasting = true })
		w.create(func(r *catalog.RecurringRun) { r.MaxConcurrency, r.Concurrency = 1, catalog.Replace })
		pass(2*time.Hour + 30*time.Second)
		w.want("01 01:00:00") // it is being cancelled
		pass(time.Minute)
		w.want("01 01:00:00", "01 02:00:00")
	})
}

func TestWhatCannotStartInTimeIsLeftOut(t *testing.T) {
	virtual(t, func(w *world) {
		w.runs.set(func(r *runs) { r.lasting = true })
		r := w.create(func(r *catalog.RecurringRun) { r.MaxConcurrency, r.StartingDeadlineSeconds = 1, 90*60 })
		pass(5*time.Hour + 10*time.Minute)
		w.runs.end()
		pass(0)
		w.want("01 01:00:00", "01 04:00:00") // 05:00 waits again
		if got := w.get(r.ID); got.Failure != "" {
			t.Errorf("it says %q", got.Failure)
		}
	})
}

func TestARunOfOneTimeStartsAndIsOver(t *testing.T) {
	virtual(t, func(w *world) {
		when := time.Now().Add(36 * time.Hour)
		r := w.create(func(r *catalog.RecurringRun) { r.Trigger = schedule.Trigger{At: &when} })
		pass(24 * 30 * time.Hour)
		w.want("02 12:00:00")
		if got := w.get(r.ID); got.NextAt != nil {
			t.Errorf("another run is due at %s", got.NextAt)
		}
		r.ID = ""
		if _, err := w.svc.Create(t.Context(), r); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "is over") {
			t.Errorf("the same once more: %v", err)
		}
	})
}

func TestRunsAreNamedInTheTimeZoneOfTheirSchedule(t *testing.T) {
	virtual(t, func(w *world) {
		w.create(func(r *catalog.RecurringRun) {
			r.Trigger = schedule.Trigger{Cron: "0 30 0 * * *", TimeZone: "Asia/Tokyo"}
		})
		pass(16 * time.Hour)
		w.runs.set(func(r *runs) {
			if len(r.started) != 1 || r.started[0].DisplayName != "nightly 2000-01-02 00-30-00" || r.started[0].ScheduledAt.Location().String() != "Asia/Tokyo" {
				t.Errorf("started %+v", r.started)
			}
		})
	})
}
