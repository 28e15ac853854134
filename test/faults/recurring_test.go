package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"levada/test/levadatest"
)

type scheduledRun struct {
	ScheduledAt time.Time `json:"scheduled_at"`
	State       string    `json:"state"`
}

// runsOf returns the runs of a recurring run in the order of the times they are for, and how many there are.
func runsOf(t *testing.T, srv *levadatest.Server, id string) []scheduledRun {
	t.Helper()
	filter := fmt.Sprintf(`{"predicates":[{"operation":"EQUALS","key":"recurring_run_id","string_value":%q}]}`, id)
	var list struct {
		Runs []scheduledRun `json:"runs"`
	}
	query := url.Values{"filter": {filter}, "page_size": {"200"}, "sort_by": {"scheduled_at"}}
	call(t, http.MethodGet, srv.URL+"/apis/v2beta1/runs?"+query.Encode(), nil, &list)
	return list.Runs
}

// A server that works off a backlog is killed again and again: every time gets its run, and none gets two.
func TestARecurringRunLeavesNoTimeOutAndDoesNoneTwiceWhenItsServerIsKilled(t *testing.T) {
	const times, kills = 120, 8
	data := t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var made struct {
		ID string `json:"recurring_run_id"`
	}
	var spec any
	if err := json.Unmarshal([]byte(`{"schemaVersion": "2.1.0", "pipelineInfo": {"name": "tick"},
		"deploymentSpec": {"executors": {"e": {"container": {"image": "alpine", "command": ["true"]}}}}, "components": {"op": {"executorLabel": "e"}},
		"root": {"dag": {"tasks": {"step": {"componentRef": {"name": "op"}, "taskInfo": {"name": "step"}}}}}}`), &spec); err != nil {
		t.Fatal(err)
	}
	status := call(t, http.MethodPost, srv.URL+"/apis/v2beta1/recurringruns", map[string]any{
		"display_name": "tick", "mode": "ENABLE", "max_concurrency": 10, "pipeline_spec": spec,
		"trigger": map[string]any{"periodic_schedule": map[string]any{
			"interval_second": 1, "start_time": start, "end_time": start.Add(times * time.Second)}},
	}, &made)
	if status != http.StatusOK {
		t.Fatalf("create a recurring run: status %d", status)
	}
	poll := func(done func([]scheduledRun) bool) []scheduledRun {
		t.Helper()
		deadline := time.Now().Add(3 * time.Minute)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			runs := runsOf(t, srv, made.ID)
			if done(runs) {
				return runs
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d runs after three minutes\n%s", len(runs), srv.Log())
			}
			<-tick.C
		}
	}
	for n := 1; n <= kills; n++ {
		poll(func(runs []scheduledRun) bool { return len(runs) >= n*times/(kills+2) })
		srv.Kill()
		srv = levadatest.StartOn(t, data)
	}
	runs := poll(func(runs []scheduledRun) bool {
		for _, r := range runs {
			if r.State != "SUCCEEDED" {
				return false
			}
		}
		return len(runs) >= times
	})
	if len(runs) != times {
		t.Errorf("%d runs, want %d", len(runs), times)
	}
	for i, r := range runs {
		if want := start.Add(time.Duration(i+1) * time.Second); !r.ScheduledAt.Equal(want) {
			t.Fatalf("run %d is for %s, want %s", i, r.ScheduledAt, want)
		}
	}
}
