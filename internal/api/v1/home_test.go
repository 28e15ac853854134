package v1_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
	"levada/internal/pipeline"
	"levada/internal/registry"
)

// fakeAcross answers with little of everything, and remembers what it was asked.
type fakeAcross struct {
	mu    sync.Mutex
	err   error
	empty bool
	asked []string
}

func (f *fakeAcross) called(what string, text string, limit int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf("%s %q %d", what, text, limit))
	return f.err
}

func (f *fakeAcross) Overview(context.Context) (pipeline.Overview, error) {
	if f.empty {
		return pipeline.Overview{Counts: map[run.State]int{}}, f.err
	}
	return pipeline.Overview{Counts: map[run.State]int{run.Failed: 3}, Active: []run.Brief{{ID: "r"}}, Failed: 2, Since: at(1),
		Causes: []run.Cause{{Task: "t", Count: 2}}}, f.err
}

func (f *fakeAcross) Upcoming(_ context.Context, limit int) ([]catalog.Upcoming, int, []catalog.RecurringRun) {
	if f.empty {
		return nil, 0, nil
	}
	due := at(5)
	return []catalog.Upcoming{{Run: catalog.RecurringRun{ID: "n", DisplayName: "nightly"}, At: due, Full: true}}, limit + 1,
		[]catalog.RecurringRun{{ID: "x", DisplayName: "refused", Failure: "no such pipeline", LastAt: &due}}
}

func (f *fakeAcross) GoingOn(context.Context, int) ([]track.Run, error) {
	if f.empty {
		return nil, f.err
	}
	return []track.Run{{ID: "t", Name: "outside", StartMS: 1000, UserID: "ada"}, {ID: "u"}}, f.err
}

func (f *fakeAcross) Changes(context.Context, int) ([]model.Change, error) {
	if f.empty {
		return nil, f.err
	}
	return []model.Change{{AtUS: 2_000_000, Kind: model.AliasSet, Model: "m", Alias: "a", Version: 3, Before: 2}}, f.err
}

func (f *fakeAcross) FindRuns(_ context.Context, text string, limit int) ([]run.Brief, error) {
	return []run.Brief{{ID: "r1", DisplayName: "nightly", PipelineName: "p", State: run.Failed, CreatedAt: at(1)}}, f.called("runs", text, limit)
}

func (f *fakeAcross) FindArtifacts(_ context.Context, text string, limit int) ([]run.Artifact, error) {
	return []run.Artifact{{ID: "a1", Name: "data", SchemaTitle: "system.Dataset", RunID: "r1", TaskID: "t1"}}, f.called("artifacts", text, limit)
}

func (f *fakeAcross) FindExperiments(_ context.Context, text string, limit int) ([]catalog.Experiment, error) {
	return nil, f.called("experiments", text, limit)
}

func (f *fakeAcross) FindPipelines(_ context.Context, text string, limit int) ([]catalog.Pipeline, error) {
	return nil, f.called("pipelines", text, limit)
}

func (f *fakeAcross) FindRecurring(_ context.Context, text string, limit int) ([]catalog.RecurringRun, error) {
	return nil, f.called("recurring", text, limit)
}

func (f *fakeAcross) FindTriggers(_ context.Context, text string, limit int) ([]event.Trigger, error) {
	return []event.Trigger{{ID: "g1", Name: "on night", On: event.Source{Run: &event.RunSource{}}, CreatedAt: at(2)}}, f.called("triggers", text, limit)
}

func (f *fakeAcross) FindTracked(_ context.Context, text string, limit int) ([]track.Run, error) {
	return nil, f.called("tracked", text, limit)
}

func (f *fakeAcross) FindModels(_ context.Context, text string, limit int) ([]registry.Found, error) {
	return []registry.Found{{Model: "m"}, {Model: "m", Version: 2, Alias: "champion"}}, f.called("models", text, limit)
}

func ask(t *testing.T, o v1.Options, method, target string, into any) int {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	w := httptest.NewRecorder()
	v1.NewHandler(o).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	if into != nil && w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Errorf("%s: %v in %s", target, err, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), ":null") {
		t.Errorf("%s has null: %s", target, w.Body)
	}
	return w.Code
}

func TestTheHomePageIsOneAnswer(t *testing.T) {
	var got v1.HomePage
	if code := ask(t, v1.Options{Across: &fakeAcross{}}, "GET", "/api/v1/home", &got); code != 200 {
		t.Fatal(code)
	}
	due, began := at(5), time.UnixMilli(1000).UTC()
	want := v1.HomePage{
		Counts: map[run.State]int{run.Failed: 3}, Active: []run.Brief{{ID: "r"}},
		Tracked:  []v1.TrackedBrief{{ID: "t", Name: "outside", User: "ada", StartedAt: &began}, {ID: "u"}},
		Failures: v1.Failures{Since: at(1), Runs: 2, Causes: []run.Cause{{Task: "t", Count: 2}}},
		Scheduled: v1.Scheduled{Next: []v1.NextRun{{ID: "n", DisplayName: "nightly", At: due, Full: true}}, Total: 11,
			Refused: []v1.RefusedRun{{ID: "x", DisplayName: "refused", Failure: "no such pipeline", LastAt: &due}}},
		Changes: []v1.ModelChange{{At: time.UnixMicro(2_000_000).UTC(), Kind: model.AliasSet, Model: "m", Alias: "a", Version: "3", Before: "2"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if code := ask(t, v1.Options{Across: &fakeAcross{empty: true}}, "GET", "/api/v1/home", &got); code != 200 {
		t.Error(code)
	}
	if code := ask(t, v1.Options{Across: &fakeAcross{err: fault.Unavailablef("closing")}}, "GET", "/api/v1/home", nil); code != 503 {
		t.Errorf("%d, want 503", code)
	}
}

func TestASearchAsksEachKindOnceOrOnlyThoseThatAreWanted(t *testing.T) {
	type list struct{ Found []v1.Found }
	f := &fakeAcross{}
	var got list
	if code := ask(t, v1.Options{Across: f}, "GET", "/api/v1/search?q=%20Night%20", &got); code != 200 || len(f.asked) != 8 {
		t.Fatalf("%d, asked %q", code, f.asked)
	}
	first, second := at(1), at(2)
	want := []v1.Found{
		{Kind: "run", ID: "r1", Name: "nightly", Detail: "p", State: run.Failed, At: &first},
		{Kind: "model", ID: "m", Name: "m"},
		{Kind: "model", ID: "m", Name: "m", Version: "2", Alias: "champion"},
		{Kind: "artifact", ID: "a1", Name: "data", Detail: "system.Dataset", RunID: "r1", TaskID: "t1"},
		{Kind: "trigger", ID: "g1", Name: "on night", Detail: "run", At: &second},
	}
	if diff := cmp.Diff(want, got.Found); diff != "" {
		t.Error(diff)
	}
	f.asked = nil
	if code := ask(t, v1.Options{Across: f}, "GET", "/api/v1/search?q=x&kind=tracked_run&limit=20", &got); code != 200 || !cmp.Equal(f.asked, []string{`tracked "x" 20`}) || len(got.Found) != 0 {
		t.Errorf("%d, asked %q, found %+v", code, f.asked, got.Found)
	}
	for target, want := range map[string]int{
		"/api/v1/search": 422, "/api/v1/search?q=": 422, "/api/v1/search?q=%20": 200, "/api/v1/search?q=x&kind=secret": 422,
		"/api/v1/search?q=x&limit=51": 422, "/api/v1/search?q=" + strings.Repeat("x", 201): 422,
	} {
		if code := ask(t, v1.Options{Across: &fakeAcross{}}, "GET", target, nil); code != want {
			t.Errorf("%.60s: %d, want %d", target, code, want)
		}
	}
	if code := ask(t, v1.Options{Across: &fakeAcross{err: errors.New("broken")}}, "GET", "/api/v1/search?q=x", nil); code != 500 {
		t.Errorf("%d, want 500", code)
	}
}

type fakeSystem struct{ measured int }

func (f *fakeSystem) System(context.Context) v1.SystemStatus {
	return v1.SystemStatus{Checks: []v1.HealthCheck{{Name: "Disk", State: "ok"}}}
}
func (f *fakeSystem) MeasureDisk() { f.measured++ }

func TestTheStateOfTheServerIsOneAnswer(t *testing.T) {
	f := &fakeSystem{}
	o := v1.Options{System: f, Info: func() v1.Info { return v1.Info{Version: "1"} }}
	var got v1.SystemStatus
	if code := ask(t, o, "GET", "/api/v1/system", &got); code != 200 || got.Info.Version != "1" || len(got.Checks) != 1 || f.measured != 0 {
		t.Errorf("%d %+v", code, got)
	}
	if code := ask(t, o, "POST", "/api/v1/system/measure", nil); code != 202 || f.measured != 1 {
		t.Errorf("%d, measured %d times; want 202 and once", code, f.measured)
	}
}
