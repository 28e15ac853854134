package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/search"
)

// fourRuns stores runs named "a" to "d" of two experiments.
func fourRuns(t *testing.T) *Store {
	t.Helper()
	s := openForTest(t)
	ctx := t.Context()
	for _, id := range []string{"fares", "delays"} {
		if err := s.CreateExperiment(ctx, catalog.Experiment{ID: "e-" + id, DisplayName: id}); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ended := day.Add(30 * time.Hour)
	for i, r := range []run.Run{
		{ID: "a", DisplayName: "Train 100%", ExperimentID: "e-fares", PipelineName: "train", State: run.Succeeded, FinishedAt: &ended, Parameters: map[string]any{"lr": 0.1}},
		{ID: "b", DisplayName: "train_2", ExperimentID: "e-fares", PipelineName: "train", State: run.Failed, FinishedAt: &ended, Parameters: map[string]any{"lr": 0.2}},
		{ID: "c", DisplayName: "score [x]", ExperimentID: "e-delays", PipelineName: "score", State: run.Running},
		{ID: "d", DisplayName: "it's", ExperimentID: "e-delays", PipelineName: "score", State: run.Failed, FinishedAt: &ended},
	} {
		r.CreatedAt = day.Add(time.Duration(i) * 24 * time.Hour)
		if err := s.CreateRun(ctx, r, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func parsed(t *testing.T, filter string) search.Expr {
	t.Helper()
	e, err := search.PipelineRuns.Parse(filter)
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return e
}

func TestRunsAreFiltered(t *testing.T) {
	s := fourRuns(t)
	for filter, want := range map[string]string{
		"":                                         "dcba",
		`state = 'failed'`:                         "db",
		`state != 'FAILED'`:                        "ca",
		`state IN ('RUNNING', 'SUCCEEDED')`:        "ca",
		`name ILIKE 'TRAIN%'`:                      "ba",
		`name LIKE 'Train%'`:                       "a",
		`name LIKE '%[x]'`:                         "c",
		`name LIKE 'train_2'`:                      "b",
		`name = "it's"`:                            "d",
		`name = "'; DROP TABLE runs"`:              "",
		`pipeline = 'score'`:                       "dc",
		`experiment = 'fares'`:                     "ba",
		`experiment = 'no such'`:                   "",
		`experiment != 'fares'`:                    "dc",
		`experiment ILIKE 'DEL%' AND run_id = 'c'`: "c",
		`created >= '2026-01-02' AND created < '2026-01-04'`: "cb",
		`finished IS NULL`:                  "c",
		`finished < '2030-01-01'`:           "dba",
		`params.lr = '0.1'`:                 "a",
		`params.lr != '0.1'`:                "b",
		`params.lr IS NULL`:                 "dc",
		`tags.mlflow.source.name = 'score'`: "dc",
		`state = 'FAILED' AND (experiment = 'fares' OR pipeline LIKE '%ore')`: "db",
		`state = 'RUNNING' OR params.lr ILIKE '0.2'`:                          "cb",
	} {
		page, err := s.ListRuns(t.Context(), listing.Query{Filter: parsed(t, filter)})
		got := ""
		for _, r := range page.Items {
			got += r.ID
		}
		if err != nil || got != want || page.Total != len(want) {
			t.Errorf("%s: got %q, total %d (%v), want %q", filter, got, page.Total, err, want)
		}
	}
}

func TestAFilterGoesOnFromPageToPageAndItsCountIsBounded(t *testing.T) {
	s := fourRuns(t)
	q := listing.Query{Filter: parsed(t, `name != 'x'`), PageSize: 1, CountUpTo: 2}
	got := ""
	for {
		page, err := s.ListRuns(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != 3 {
			t.Errorf("total %d, want one more than the bound", page.Total)
		}
		got += page.Items[0].ID
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
	}
	if got != "dcba" {
		t.Errorf("got %q", got)
	}
}

func TestAFilterThatCannotBeIsInvalid(t *testing.T) {
	s := fourRuns(t)
	for _, filter := range []string{`state = 'broken'`, `name = 'x'` + strings.Repeat(` OR name = 'x'`, 100)} {
		if _, err := s.ListRuns(t.Context(), listing.Query{Filter: parsed(t, filter)}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%.40s: %v", filter, err)
		}
	}
	if _, err := s.ListPipelines(t.Context(), listing.Query{Filter: parsed(t, `name = 'x'`)}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a list without filters: %v", err)
	}
}

func TestRunsAreGrouped(t *testing.T) {
	s := fourRuns(t)
	for _, c := range []struct {
		by, filter string
		want       []run.Group
	}{
		{"state", "", []run.Group{
			{Key: "FAILED", Total: 2, States: map[run.State]int{run.Failed: 2}},
			{Key: "RUNNING", Total: 1, States: map[run.State]int{run.Running: 1}},
			{Key: "SUCCEEDED", Total: 1, States: map[run.State]int{run.Succeeded: 1}},
		}},
		{"experiment_id", `experiment = 'fares'`, []run.Group{{Key: "e-fares", Total: 2, States: map[run.State]int{run.Failed: 1, run.Succeeded: 1}}}},
		{"pipeline_name", `name != 'train_2'`, []run.Group{
			{Key: "score", Total: 2, States: map[run.State]int{run.Failed: 1, run.Running: 1}},
			{Key: "train", Total: 1, States: map[run.State]int{run.Succeeded: 1}},
		}},
	} {
		got, whole, err := s.RunGroups(t.Context(), c.by, listing.Query{Filter: parsed(t, c.filter)}, 10)
		if err != nil || !whole {
			t.Errorf("%s: whole %v, %v", c.by, whole, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.by, diff)
		}
	}
	if _, _, err := s.RunGroups(t.Context(), "body", listing.Query{}, 10); fault.KindOf(err) != fault.Invalid {
		t.Errorf("by any column: %v", err)
	}
}
