package kfp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
)

// What kfp.Client sends: snake case, the mode as a word, max_concurrency as a number.
const cronBody = `{"display_name": "nightly", "description": "d", "experiment_id": "e1", "mode": "ENABLE", "max_concurrency": 3, "no_catchup": true,
	"pipeline_version_reference": {"pipeline_id": "p1", "pipeline_version_id": "v1"}, "service_account": "robot",
	"runtime_config": {"parameters": {"day": "[[ScheduledTime]]"}, "pipeline_root": "root"},
	"trigger": {"cron_schedule": {"cron": "0 0 9 ? * 2-6", "start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T01:00:00+01:00"}}}`

func TestARecurringRunIsReadAndShownAsTheClientHasIt(t *testing.T) {
	f := &fake{}
	status, got := ask(t, f, "POST", "/apis/v2beta1/recurringruns", cronBody)
	start, end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	wanted := catalog.RecurringRun{
		DisplayName: "nightly", Description: "d", MaxConcurrency: 3, NoCatchup: true, Enabled: true,
		Run: run.Submission{PipelineID: "p1", VersionID: "v1", ExperimentID: "e1", ServiceAccount: "robot", SuccessWord: "COMPLETE",
			Parameters: map[string]any{"day": "[[ScheduledTime]]"}, PipelineRoot: "root"},
		Trigger: schedule.Trigger{Cron: "0 0 9 ? * 2-6", Start: &start, End: &end},
	}
	if diff := cmp.Diff([]catalog.RecurringRun{wanted}, f.recurring); status != 200 || diff != "" {
		t.Fatalf("%d %v (-want +got):\n%s", status, got, diff)
	}
	want := map[string]any{
		"recurring_run_id": "x", "display_name": "nightly", "description": "d", "experiment_id": "e1", "mode": "ENABLE", "status": "ENABLED",
		"max_concurrency": "3", "no_catchup": true, "service_account": "robot", "created_at": "2026-05-04T03:02:01.5Z", "updated_at": "2026-05-04T03:02:01.5Z",
		"pipeline_version_reference": map[string]any{"pipeline_id": "p1", "pipeline_version_id": "v1"},
		"runtime_config":             map[string]any{"parameters": map[string]any{"day": "[[ScheduledTime]]"}, "pipeline_root": "root"},
		"trigger": map[string]any{"cron_schedule": map[string]any{
			"cron": "0 0 9 ? * 2-6", "start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
}

func TestAnIntervalAndASpecificationMakeARecurringRunToo(t *testing.T) {
	f := &fake{}
	body := `{"displayName": "n", "maxConcurrency": "1", "pipelineSpec": {"a": 1}, "trigger": {"periodicSchedule": {"intervalSecond": "60"}}}`
	status, got := ask(t, f, "POST", "/apis/v2beta1/recurringruns", body)
	if status != 200 || len(f.recurring) != 1 {
		t.Fatalf("%d %v", status, got)
	}
	r := f.recurring[0]
	if r.Trigger.IntervalSeconds != 60 || r.Enabled || string(r.Run.Spec) != `{"a": 1}` {
		t.Errorf("%+v", r)
	}
	if got["mode"] != "DISABLE" || got["pipeline_spec"] == nil || !cmp.Equal(got["trigger"], map[string]any{"periodic_schedule": map[string]any{"interval_second": "60"}}) {
		t.Errorf("the answer is %v", got)
	}
}

func TestABadRecurringRunIsRefusedByTheNameOfItsField(t *testing.T) {
	for change, want := range map[string]string{
		`"display_name": "nightly"|"display_name": " "`:             "display_name is empty",
		`"max_concurrency": 3|"max_concurrency": "many"`:            "recurring_run.max_concurrency: want a whole number",
		`"no_catchup": true|"no_catchup": 1`:                        "recurring_run.no_catchup: want true or false",
		`"mode": "ENABLE"|"mode": "MAYBE"`:                          "recurring_run.mode: want ENABLE or DISABLE",
		`"start_time": "2026-01-01T00:00:00Z"|"start_time": "soon"`: "recurring_run.trigger.cron_schedule.start_time: want a time",
		`"cron_schedule": {|"periodic_schedule": {`:                 `unknown field "cron"`,
		`"trigger": {|"trigger": {"periodic_schedule": {}, `:        "exactly one of cron_schedule and periodic_schedule",
		`"pipeline_version_reference"|"pipeline_reference"`:         `unknown field "pipeline_reference"`,
		`"mode"|"plugins_input": {"mlflow": {}}, "mode"`:            "recurring_run.plugins_input",
		`"pipeline_id": "p1", "pipeline_version_id": "v1"|`:         "name the pipeline to run",
	} {
		f := &fake{}
		from, to, _ := strings.Cut(change, "|")
		body := strings.Replace(cronBody, from, to, 1)
		if body == cronBody {
			t.Fatalf("%q changes nothing", change)
		}
		status, got := ask(t, f, "POST", "/apis/v2beta1/recurringruns", body)
		message, _ := got["message"].(string)
		if status != 400 && status != 501 || !strings.Contains(message, want) || len(f.recurring) > 0 {
			t.Errorf("%s: %d %q, want %q", change, status, message, want)
		}
	}
}

func TestRecurringRunsAreListedUnderTheNameThatTheClientReads(t *testing.T) {
	f := &fake{nextToken: "more", recurring: []catalog.RecurringRun{
		{ID: "x", Run: run.Submission{SpecDigest: "s"}, Failure: "no run was started", Trigger: schedule.Trigger{IntervalSeconds: 5}},
	}}
	status, got := ask(t, f, "GET", "/apis/v2beta1/recurringruns?experiment_id=e1&sort_by=updated_at%20desc&page_size=3", "")
	items, _ := got["recurringRuns"].([]any)
	if status != 200 || len(items) != 1 || got["next_page_token"] == "" || got["total_size"] != 1.0 {
		t.Fatalf("%d %v", status, got)
	}
	if failure, _ := items[0].(map[string]any)["error"].(map[string]any); failure["message"] != "no run was started" {
		t.Errorf("the failure is not shown: %v", items[0])
	}
	want := listing.Query{SortBy: "updated_at", Descending: true, PageSize: 3,
		Where: []listing.Predicate{{Key: "experiment_id", Op: listing.Equals, Values: []any{"e1"}}}}
	if diff := cmp.Diff(want, f.query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}
