package trigger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

func TestWhatIsDueNextIsToldInItsOrder(t *testing.T) {
	virtual(t, func(w *world) {
		create := func(name, cron string, change func(*catalog.RecurringRun)) {
			w.create(func(r *catalog.RecurringRun) {
				r.DisplayName, r.Trigger = name, schedule.Trigger{Cron: cron}
				if change != nil {
					change(r)
				}
			})
		}
		create("daily", "@daily", nil)
		create("hourly", "@hourly", nil)
		create("disabled", "@hourly", func(r *catalog.RecurringRun) { r.Enabled = false })
		create("one at a time", "0 */10 * * * *", func(r *catalog.RecurringRun) { r.MaxConcurrency = 1 })
		w.runs.set(func(r *runs) {
			r.lasting = true
			r.before = func(s run.Submission) error {
				if s.DisplayName[:6] == "hourly" {
					return fault.Invalidf("there is no such pipeline")
				}
				return nil
			}
		})
		pass(70 * time.Minute)
		next, total, refused := w.svc.Upcoming(t.Context(), 2)
		type line struct {
			Name string
			At   string
			Full bool
		}
		var got []line
		for _, n := range next {
			got = append(got, line{n.Run.DisplayName, n.At.Format("15:04"), n.Full})
		}
		// The one that is full has been due since 00:20.
		if diff := cmp.Diff([]line{{"one at a time", "00:20", true}, {"hourly", "02:00", false}}, got); diff != "" || total != 3 {
			t.Errorf("%d in all, %s", total, diff)
		}
		if len(refused) != 1 || refused[0].DisplayName != "hourly" || refused[0].Failure == "" {
			t.Errorf("refused: %+v", refused)
		}
	})
}
