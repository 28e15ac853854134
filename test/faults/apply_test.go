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
		Action   string   `json:"action"`
		Kind     string   `json:"kind"`
		Name     string   `json:"name"`
		Warnings []string `json:"warnings"`
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

// What is declared as text, without a set, is made and changed and nothing else is: it is how the web page declares. Mistakes name their line.
func TestWhatIsDeclaredWithoutASetDeletesNothingAndKeepsOwners(t *testing.T) {
	srv := levadatest.Start(t)
	type problem struct {
		Errors []struct{ Location, Message string }
	}
	declared := func(way, text string, want int, out any) {
		t.Helper()
		if status := call(t, http.MethodPost, srv.URL+"/api/v1/"+way, map[string]any{"text": text}, out); status != want {
			t.Fatalf("%s: status %d, %+v", way, status, out)
		}
	}
	var wrong problem
	declared("plan", "kind: trigger\nname: t\npipeline: echo\non: {run: {}}\nwhne: x\n---\nkind: pipeline\nname: p\nfile: p.yaml\n", http.StatusBadRequest, &wrong)
	if len(wrong.Errors) != 2 || wrong.Errors[0].Location != "body.text:5" || wrong.Errors[1].Location != "body.text:9" ||
		!strings.Contains(wrong.Errors[1].Message, "there are no files beside this text") {
		t.Errorf("%+v", wrong)
	}
	declared("plan", "kind: trigger\nname: t\npipeline: echo\non: {run: {}}\n", http.StatusBadRequest, &wrong)
	if len(wrong.Errors) != 1 || wrong.Errors[0].Location != "body.text:1" || !strings.Contains(wrong.Errors[0].Message, "echo") {
		t.Errorf("%+v", wrong)
	}
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/apply", map[string]any{"set": "flows"}, nil); status != http.StatusBadRequest {
		t.Errorf("neither resources nor text: status %d", status)
	}
	var made changes
	resources := []resource{{"kind": "pipeline", "name": "echo", "spec": echo}, {"kind": "trigger", "name": "t", "pipeline": "echo",
		"on": map[string]any{"run": map[string]any{"pipeline": "x"}}, "parameters_from": map[string]any{"what": "event.name"}}}
	if err := srv.Call(t.Context(), http.MethodPost, "/api/v1/apply", map[string]any{"set": "flows", "resources": resources}, &made); err != nil {
		t.Fatal(err)
	}
	// As the page does: the text of what is there, changed.
	var text struct{ Text, Set string }
	if err := srv.Call(t.Context(), http.MethodGet, "/api/v1/declared/trigger/t", nil, &text); err != nil || text.Set != "flows" {
		t.Fatalf("%+v, %v", text, err)
	}
	declared("plan", text.Text, http.StatusOK, &made)
	if made.Changed {
		t.Errorf("its own text changes %+v", made)
	}
	const monitor = "kind: monitor\nname: m\ndata: /nowhere/*.csv\nschedule: {interval_seconds: 3600}\nsuite: 'columns: {a: [not_null]}'\n"
	more := strings.Replace(text.Text, "kind: trigger", "when: event.seconds > 1\nkind: trigger", 1) + "---\n" + monitor +
		"notify: {slack: {secret: s}}\n---\nkind: trigger\nname: mine\non: {run: {states: [FAILED]}}\nnotify: {slack: {secret: s}}\n"
	declared("apply", more, http.StatusOK, &made)
	again := changes{}
	declared("apply", more, http.StatusOK, &again)
	if again.Changed {
		t.Errorf("a second time it changes %+v", again)
	}
	// What the same text makes is not missed, whichever is made first; what is not there is.
	waiting := "kind: trigger\nname: after\non: {run: {pipeline: monitor-m2}}\nnotify: {slack: {secret: s}}\n---\n" + strings.Replace(monitor, "name: m\n", "name: m2\n", 1)
	planned := changes{}
	declared("plan", waiting, http.StatusOK, &planned)
	if len(planned.Changes) != 3 || len(planned.Changes[0].Warnings) != 1 || !strings.HasPrefix(planned.Changes[0].Warnings[0], "notify.slack.secret: ") {
		t.Errorf("of a trigger beside the monitor that it waits for it says %+v", planned.Changes)
	}
	// Of a monitor what is not asked for any more goes; nothing else does.
	declared("apply", monitor, http.StatusOK, &made)
	if got, want := names(t, srv, "triggers", "triggers", "display_name"), []string{"mine", "t"}; !slices.Equal(got, want) {
		t.Errorf("there are the triggers %v, want %v", got, want)
	}
	// It belongs to its set as before, which sees that it was changed.
	if err := srv.Call(t.Context(), http.MethodPost, "/api/v1/plan", map[string]any{"set": "flows", "resources": resources}, &made); err != nil {
		t.Fatal(err)
	}
	for _, c := range made.Changes {
		if want := map[string]string{"echo": "none", "t": "update"}[c.Name]; c.Action != want {
			t.Errorf("the set would %s %s", c.Action, c.Name)
		}
	}
}

// What one text declares twice would change with each apply; a name that no set can have could not be deleted again; what files declare stays
// theirs; and what cannot be declared is not lost by a change.
func TestTextsAreCheckedWholeAndLoseNothing(t *testing.T) {
	srv := levadatest.Start(t)
	ctx := t.Context()
	const monitor = "kind: monitor\nname: m\ndata: /nowhere/*.csv\nschedule: {interval_seconds: 3600}\nsuite: 'columns: {a: [not_null]}'\n"
	part := "kind: trigger\nname: monitor-m-notify\non: {run: {states: [FAILED]}}\nnotify: {slack: {secret: s}}\n"
	for text, want := range map[string]string{
		monitor + "---\n" + monitor:                                  `body.text:7: pipeline "monitor-m" is declared twice; the other one is at line 1`,
		monitor + "notify: {slack: {secret: s}}\n---\n" + part:       `body.text:8: trigger "monitor-m-notify" is declared twice; the other one is at line 1`,
		strings.Replace(monitor, "name: m", "name: my bookings", 1):  `body.text:1: the name of the monitor is "my bookings"`,
		strings.Replace(monitor, "name: m", "name: "+longMonitor, 1): `body.text:1: the name of the monitor is "` + longMonitor,
	} {
		var wrong struct {
			Errors []struct{ Location, Message string }
		}
		if status := call(t, http.MethodPost, srv.URL+"/api/v1/plan", map[string]any{"text": text}, &wrong); status != http.StatusBadRequest || len(wrong.Errors) == 0 ||
			!strings.HasPrefix(wrong.Errors[0].Location+": "+wrong.Errors[0].Message, want) {
			t.Errorf("status %d, %+v, want %s", status, wrong, want)
		}
	}
	var made changes
	watched := resource{"kind": "monitor", "name": "m", "data": "/nowhere/*.csv", "schedule": map[string]any{"interval_seconds": 3600}, "suite": "columns: {a: [not_null]}"}
	if err := srv.Call(ctx, http.MethodPost, "/api/v1/apply", map[string]any{"set": "flows", "resources": []resource{watched, {"kind": "pipeline", "name": "echo", "spec": echo}}}, &made); err != nil {
		t.Fatal(err)
	}
	if err := srv.Call(ctx, http.MethodPost, "/api/v1/apply", map[string]any{"text": strings.Replace(monitor, "3600", "7200", 1)}, &made); err != nil || !made.Changed {
		t.Fatalf("%+v, %v", made, err)
	}
	var text struct{ Text, Set string }
	if err := srv.Call(ctx, http.MethodGet, "/api/v1/declared/recurring_run/monitor-m", nil, &text); err != nil || text.Set != "flows" || !strings.Contains(text.Text, "7200") {
		t.Errorf("%+v, %v", text, err)
	}
	// A recurring run of kfp's client has a service account, which no file declares.
	var page struct {
		Pipelines []struct{ ID, DisplayName string }
	}
	if err := srv.Call(ctx, http.MethodGet, "/api/v1/pipelines?q=echo", nil, &page); err != nil || len(page.Pipelines) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	var run struct {
		ID      string `json:"recurring_run_id"`
		Account string `json:"service_account"`
		Trigger struct {
			Periodic struct {
				Seconds string `json:"interval_second"`
			} `json:"periodic_schedule"`
		}
	}
	if err := srv.Call(ctx, http.MethodPost, "/apis/v2beta1/recurringruns", map[string]any{"display_name": "nightly", "service_account": "trainer", "mode": "ENABLE",
		"max_concurrency": "1", "pipeline_version_reference": map[string]any{"pipeline_id": page.Pipelines[0].ID},
		"trigger": map[string]any{"periodic_schedule": map[string]any{"interval_second": "3600"}}, "runtime_config": map[string]any{"parameters": map[string]any{"what": "x"}}}, &run); err != nil || run.Account != "trainer" {
		t.Fatalf("%+v, %v", run, err)
	}
	if err := srv.Call(ctx, http.MethodGet, "/api/v1/declared/recurring_run/nightly", nil, &text); err != nil {
		t.Fatal(err)
	}
	if err := srv.Call(ctx, http.MethodPost, "/api/v1/apply", map[string]any{"text": strings.Replace(text.Text, "3600", "1800", 1)}, &made); err != nil {
		t.Fatal(err)
	}
	if err := srv.Call(ctx, http.MethodGet, "/apis/v2beta1/recurringruns/"+run.ID, nil, &run); err != nil || run.Account != "trainer" || run.Trigger.Periodic.Seconds != "1800" {
		t.Errorf("%+v, %v", run, err)
	}
}

var longMonitor = strings.Repeat("m", 93)
