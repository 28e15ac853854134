package trigger_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"levada/internal/adapter/store"
	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
	"levada/internal/trigger"
)

// nothing knows nothing, and what is called broken it cannot look up.
type nothing struct{ asked []string }

func (n *nothing) Missing(_ context.Context, r event.Reference) (string, error) {
	n.asked = append(n.asked, r.Name)
	if r.Name == "broken" {
		return "", errors.New("the disk is gone")
	}
	return "there is none", nil
}

func TestWhatManyTriggersNameIsLookedUpOnceAndWhatCannotBeIsLeftOut(t *testing.T) {
	ctx := t.Context()
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(t.TempDir(), "levada.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var log bytes.Buffer
	known := &nothing{}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	events, err := trigger.OpenEvents(ctx, trigger.EventOptions{Store: st.Triggers(), Known: known, Logger: logger, Now: time.Now, NewID: uuid.NewString, Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close(ctx)
	after := func(pipeline, runs string) event.Trigger {
		return event.Trigger{On: event.Source{Run: &event.RunSource{Pipeline: pipeline}}, Run: run.Submission{PipelineID: runs}}
	}
	triggers := []event.Trigger{after("a", "broken"), after("b", "broken"), after("a", ""), after("", "")}
	want := [][]string{{"on.run.pipeline: there is none"}, {"on.run.pipeline: there is none"}, {"on.run.pipeline: there is none"}, nil}
	if diff := cmp.Diff(want, events.Warnings(ctx, triggers)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "broken", "b"}, known.asked); diff != "" {
		t.Errorf("what was asked for: %s", diff)
	}
	if n := strings.Count(log.String(), "the disk is gone"); n != 1 {
		t.Errorf("the failure is logged %d times: %s", n, log.String())
	}
	if _, err := events.Missing(ctx, [][]event.Reference{triggers[0].References()}); err == nil || !strings.Contains(err.Error(), `pipeline: look for "broken": the disk is gone`) {
		t.Errorf("a plan does not say that it could not look: %v", err)
	}

	svc, err := trigger.Open(ctx, trigger.Options{Store: st, Known: known, Logger: logger, Now: time.Now, NewID: uuid.NewString, Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, pipeline := range []string{"broken", "gone", "gone"} {
		r := catalog.RecurringRun{ID: uuid.NewString(), DisplayName: pipeline, Trigger: schedule.Trigger{Cron: "0 3 * * *"}, MaxConcurrency: 1,
			Run: run.Submission{PipelineID: pipeline}, CreatedAt: time.Now(), UpdatedAt: time.Now()}
		if err := st.CreateRecurringRun(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	known.asked = nil
	page, err := svc.List(ctx, listing.Query{PageSize: 10})
	if err != nil || len(page.Items) != 3 || len(known.asked) != 2 {
		t.Fatalf("%d recurring runs, asked for %v, %v", len(page.Items), known.asked, err)
	}
	for _, r := range page.Items {
		if want := map[string]int{"broken": 1, "gone": 2}[r.DisplayName]; len(r.Warnings) != want {
			t.Errorf("%s has the warnings %q", r.DisplayName, r.Warnings)
		}
		if one, err := svc.Get(ctx, r.ID); err != nil || cmp.Diff(one.Warnings, r.Warnings) != "" {
			t.Errorf("alone %s has the warnings %q, %v", r.DisplayName, one.Warnings, err)
		}
	}
}
