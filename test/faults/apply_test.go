package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"levada/test/levadatest"
)

type resource map[string]any

// declaredIn is what a set declares in a round: some of it changes from round to round, some comes and goes.
func declaredIn(dir string, round int) []resource {
	var out []resource
	for i := range 12 {
		if (i+round)%4 == 0 {
			continue // not declared any more
		}
		name := fmt.Sprintf("p%02d", i)
		out = append(out, resource{"kind": "pipeline", "name": name, "spec": strings.Replace(echo, "image: alpine", fmt.Sprintf("image: 'alpine:%d'", round/2), 1)},
			resource{"kind": "recurring_run", "name": name, "pipeline": name, "description": fmt.Sprint(round), "parameters": map[string]any{"what": "x"},
				"schedule": map[string]any{"cron": fmt.Sprintf("0 %d 3 * * *", (i+round)%60)}},
			resource{"kind": "trigger", "name": name, "pipeline": name, "on": map[string]any{"file": map[string]any{"path": dir}},
				"when": fmt.Sprintf("event.size > %d", round), "parameters_from": map[string]any{"what": "event.name"}})
	}
	return append(out, resource{"kind": "monitor", "name": "m", "data": dir + "/*.csv", "schedule": map[string]any{"interval_seconds": 3600 + round},
		"suite": fmt.Sprintf("columns: {a: [not_null, {between: [0, %d]}]}", round+1), "notify": map[string]any{"slack": map[string]any{"secret": "s"}}})
}

type changes struct {
	Changed bool `json:"changed"`
	Changes []struct {
		Action string `json:"action"`
		Kind   string `json:"kind"`
		Name   string `json:"name"`
	} `json:"changes"`
}

// names lists what there is of a kind.
func names(t *testing.T, srv *levadatest.Server, path, field, name string) []string {
	t.Helper()
	var page map[string]json.RawMessage
	if status := call(t, http.MethodGet, srv.URL+"/api/v1/"+path+"?page_size=200", nil, &page); status != http.StatusOK {
		t.Fatalf("%s: status %d", path, status)
	}
	var list []map[string]any
	if err := json.Unmarshal(page[field], &list); err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, one := range list {
		out = append(out, fmt.Sprint(one[name]))
	}
	slices.Sort(out)
	return out
}

// A server is killed at another moment of each apply. Applying again goes on: in the end there is what is declared, each once.
func TestAnApplyThatIsKilledGoesOnWhereItWas(t *testing.T) {
	const rounds = 10
	data, dir := t.TempDir(), t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	apply := func(round int) (changes, error) {
		var out changes
		err := srv.Call(t.Context(), http.MethodPost, "/api/v1/apply", map[string]any{"set": "flows", "resources": declaredIn(dir, round)}, &out)
		return out, err
	}
	ids := map[string]string{} // of the recurring runs: what is changed keeps its id
	cut := 0
	for round := range rounds {
		done := make(chan error, 1)
		go func() {
			_, err := apply(round)
			done <- err
		}()
		timer := time.NewTimer(time.Duration(5+round*12) * time.Millisecond)
		select {
		case err := <-done:
			timer.Stop()
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		case <-timer.C:
			srv.Kill()
			if <-done != nil {
				cut++
			}
			srv = levadatest.StartOn(t, data)
		}
		if _, err := apply(round); err != nil {
			t.Fatalf("round %d: applying again: %v", round, err)
		}
		again, err := apply(round)
		if err != nil || again.Changed {
			t.Fatalf("round %d: a third time it changes %+v, %v", round, again, err)
		}
		want := map[string][]string{}
		for _, r := range declaredIn(dir, round) {
			if kind := fmt.Sprint(r["kind"]); kind != "monitor" {
				want[kind] = append(want[kind], fmt.Sprint(r["name"]))
			}
		}
		for kind, at := range map[string][3]string{"pipeline": {"pipelines", "pipelines", "display_name"},
			"recurring_run": {"recurring-runs", "recurring_runs", "display_name"}, "trigger": {"triggers", "triggers", "display_name"}} {
			extra := []string{"monitor-m"}
			if kind == "trigger" {
				extra = []string{"monitor-m-notify"}
			}
			if got, want := names(t, srv, at[0], at[1], at[2]), slices.Sorted(slices.Values(append(extra, want[kind]...))); !slices.Equal(got, want) {
				t.Fatalf("round %d: of kind %s there are %v, want %v", round, kind, got, want)
			}
		}
		ids = sameIDs(t, srv, ids)
	}
	if cut == 0 {
		t.Error("no apply was cut short: the moments of the kills are not where they matter")
	}
}

// sameIDs checks that what was there before and still is has its id, and returns those of now.
func sameIDs(t *testing.T, srv *levadatest.Server, before map[string]string) map[string]string {
	t.Helper()
	var page struct {
		RecurringRuns []struct {
			ID   string `json:"id"`
			Name string `json:"display_name"`
		} `json:"recurring_runs"`
	}
	call(t, http.MethodGet, srv.URL+"/api/v1/recurring-runs?page_size=200", nil, &page)
	now := map[string]string{}
	for _, r := range page.RecurringRuns {
		now[r.Name] = r.ID
		if id := before[r.Name]; id != "" && id != r.ID {
			t.Errorf("recurring run %s was %s and is %s", r.Name, id, r.ID)
		}
	}
	return now
}
