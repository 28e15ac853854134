package storetest

import (
	"fmt"
	"testing"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

func sampleRecurring(n int) catalog.RecurringRun {
	start := at(-100)
	return catalog.RecurringRun{
		ID: fmt.Sprintf("rec-%d", n), DisplayName: fmt.Sprintf("Nightly %d", n), Description: "every night",
		Run: run.Submission{PipelineID: "pipe-1", VersionID: "ver-1", SpecDigest: "sha256:00", ExperimentID: "exp-1",
			Parameters: map[string]any{"day": "[[ScheduledTime]]", "n": 1.0}, PipelineRoot: "root", ServiceAccount: "robot", SuccessWord: "COMPLETE"},
		Trigger: schedule.Trigger{Cron: "0 0 2 * * *", Start: &start}, MaxConcurrency: 3, NoCatchup: true, Enabled: true,
		CreatedAt: at(n), UpdatedAt: at(n),
	}
}

func recurringRuns(t *testing.T, s Store) {
	ctx := t.Context()
	_, unknown := s.GetRecurringRun(ctx, "nope")
	wantKind(t, unknown, fault.NotFound, `"nope"`)
	wantKind(t, s.UpdateRecurringRun(ctx, catalog.RecurringRun{ID: "nope"}), fault.NotFound, `"nope"`)
	wantKind(t, s.DeleteRecurringRun(ctx, "nope"), fault.NotFound, `"nope"`)
	for n := range 3 {
		must(t, s.CreateRecurringRun(ctx, sampleRecurring(n)))
	}
	wantKind(t, s.CreateRecurringRun(ctx, sampleRecurring(0)), fault.Conflict, "rec-0")
	get := func(id string) catalog.RecurringRun { return got[catalog.RecurringRun](t)(s.GetRecurringRun(ctx, id)) }
	same(t, "as it was stored", get("rec-1"), sampleRecurring(1))

	changed := sampleRecurring(1)
	last := at(50)
	changed.Enabled, changed.UpdatedAt, changed.LastAt, changed.Index, changed.Failure = false, at(51), &last, 7, "why"
	changed.Run.ExperimentID = "exp-2"
	must(t, s.UpdateRecurringRun(ctx, changed))
	same(t, "after a change", get("rec-1"), changed)

	other := sampleRecurring(1)
	from := at(60)
	other.DisplayName, other.Description, other.Trigger, other.CountsFrom = "hourly 2", "each hour", schedule.Trigger{IntervalSeconds: 3600}, &from
	other.Enabled, other.LastAt, other.Index, other.UpdatedAt = false, &last, 7, at(61)
	other.Run.Parameters, other.Run.ExperimentID = map[string]any{"n": 2.0}, "exp-2"
	must(t, s.ReplaceRecurringRun(ctx, other))
	same(t, "another definition", get("rec-1"), other)
	wantKind(t, s.ReplaceRecurringRun(ctx, catalog.RecurringRun{ID: "nope"}), fault.NotFound, `"nope"`)

	enabled := got[[]catalog.RecurringRun](t)(s.EnabledRecurringRuns(ctx))
	if len(enabled) != 2 {
		t.Errorf("%d recurring runs are enabled, want 2", len(enabled))
	}
	ids := func(q listing.Query) (out []string) {
		for _, r := range got[listing.Page[catalog.RecurringRun]](t)(s.ListRecurringRuns(ctx, q)).Items {
			out = append(out, r.ID)
		}
		return out
	}
	same(t, "newest first", ids(listing.Query{}), []string{"rec-2", "rec-1", "rec-0"})
	same(t, "of an experiment", ids(where("experiment_id", listing.Equals, "exp-2")), []string{"rec-1"})
	same(t, "disabled", ids(where("enabled", listing.Equals, false)), []string{"rec-1"})
	same(t, "by name", ids(where("display_name", listing.IsSubstring, "LY 2")), []string{"rec-2", "rec-1"})
	must(t, s.DeleteRecurringRun(ctx, "rec-1"))
	wantKind(t, s.DeleteRecurringRun(ctx, "rec-1"), fault.NotFound, "rec-1")
}

func activeRuns(t *testing.T, s Store) {
	ctx := t.Context()
	for n, state := range []run.State{run.Pending, run.Running, run.Canceling, run.Succeeded, run.Failed, run.Running} {
		r := sampleRun(n)
		r.State = state
		if n == 5 {
			r.RecurringRunID = ""
		}
		must(t, s.CreateRun(ctx, r, nil, nil))
	}
	same(t, "active runs", got[[]string](t)(s.ActiveRuns(ctx, "rec-1")), []string{sampleRun(0).ID, sampleRun(1).ID, sampleRun(2).ID})
	same(t, "active runs of another", len(got[[]string](t)(s.ActiveRuns(ctx, "rec-2"))), 0)
	same(t, "active runs of none", len(got[[]string](t)(s.ActiveRuns(ctx, ""))), 0)
}
