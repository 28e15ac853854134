package faults

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/test/levadatest"
)

// monitored are the newest runs of a pipeline by the name in its specification.
func monitored(t *testing.T, srv *levadatest.Server, pipeline, state string) []runView {
	t.Helper()
	var list struct {
		Runs []runView `json:"runs"`
	}
	call(t, http.MethodGet, srv.URL+"/api/v1/runs?page_size=200&pipeline="+pipeline+"&state="+state, nil, &list)
	return list.Runs
}

// eventually polls until ok holds, for at most two minutes.
func eventually(t *testing.T, srv *levadatest.Server, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after two minutes: %s\n%s", what, srv.Log())
		}
		<-tick.C
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	temporary := filepath.Join(dir, "."+name)
	if err := os.WriteFile(temporary, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

const ages = "age,name\n31,a\n42,b\n53,c\n"

// A monitor by a schedule looks at the newest file; one without looks when a file comes. What they find fails their runs with its reason,
// is told, and starts what is to be done.
func TestMonitorsFindWhatIsWrongTellItAndStartWhatIsToBeDone(t *testing.T) {
	dir := t.TempDir()
	told := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct {
			Text string `json:"text"`
		}
		if json.NewDecoder(r.Body).Decode(&m) == nil {
			told <- m.Text
		}
	}))
	defer receiver.Close()
	srv := levadatest.Start(t, "LEVADA_WEBHOOK_HOSTS="+receiver.URL)
	write(t, dir, "2013-01.csv", ages)
	reference := filepath.Join(t.TempDir(), "reference.csv")
	if err := os.WriteFile(reference, []byte("age,name\n"+strings.Repeat("31,a\n42,b\n53,c\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	suite := "columns:\n  age:\n    - not_null\n    - between: [0, 120]\n"
	resources := []resource{
		{"kind": "pipeline", "name": "echo", "spec": echo},
		{"kind": "monitor", "name": "ages", "data": dir + "/*.csv", "schedule": map[string]any{"interval_seconds": 1}, "suite": suite,
			"notify": map[string]any{"webhook": map[string]any{"url": receiver.URL}},
			"then":   map[string]any{"pipeline": "echo", "when": `event.task == "check"`, "parameters_from": map[string]any{"what": `"after " + event.task`}}},
		{"kind": "monitor", "name": "drift", "data": dir, "reference": reference, "drift": map[string]any{"share": 0.4},
			"then": map[string]any{"pipeline": "echo", "parameters_from": map[string]any{"what": `"after " + event.task`}}},
	}
	var applied changes
	if err := srv.Call(t.Context(), http.MethodPost, "/api/v1/apply", map[string]any{"set": "flows", "resources": resources}, &applied); err != nil {
		t.Fatal(err)
	}
	if len(applied.Changes) != 8 { // the pipeline; pipeline, recurring run, two triggers; pipeline, two triggers
		t.Errorf("%+v", applied.Changes)
	}
	eventually(t, srv, "no run of the monitor has succeeded", func() bool { return len(monitored(t, srv, "monitor-ages", "SUCCEEDED")) > 0 })
	if failed := monitored(t, srv, "monitor-ages", "FAILED"); len(failed) > 0 {
		t.Fatalf("good data fails: %+v", failed[0].Failure)
	}

	// A new file, in which one age is wrong and ages are others.
	write(t, dir, "2013-02.csv", "age,name\n"+strings.Repeat("2,a\n3,b\n4,c\n", 100)+"300,d\n")
	eventually(t, srv, "no run of the monitor has failed", func() bool { return len(monitored(t, srv, "monitor-ages", "FAILED")) > 0 })
	failed := monitored(t, srv, "monitor-ages", "FAILED")
	want := "exit code 1: 1 of 2 expectations fails: age: between [0, 120] (1 of 301 values not as expected)"
	if f := failed[len(failed)-1].Failure; f == nil || !strings.Contains(f.Message, want) {
		t.Errorf("it says %+v, want %q", f, want)
	}
	select {
	case text := <-told:
		if !strings.Contains(text, "monitor-ages: FAILED") || !strings.Contains(text, "age: between [0, 120]") {
			t.Errorf("the message is %q", text)
		}
	case <-time.After(2 * time.Minute):
		t.Error("nobody was told")
	}
	eventually(t, srv, "what is to be done after a failed check and after drift was not started", func() bool {
		runs := echoed(t, srv)
		return runs["after check"] > 0 && runs["after drift"] == 1
	})
	if f := monitored(t, srv, "monitor-drift", "FAILED"); len(f) != 1 || f[0].Failure == nil || !strings.Contains(f[0].Failure.Message, "columns drifted") ||
		!strings.Contains(f[0].Failure.Message, "first age (") {
		t.Errorf("%+v", f)
	}
	fitsSchema(t, srv, dir, reference)
	// Nothing declared, nothing left: the runs stay.
	if err := srv.Call(t.Context(), http.MethodPost, "/api/v1/apply", map[string]any{"set": "flows", "resources": []resource{}}, &applied); err != nil {
		t.Fatal(err)
	}
	if left := names(t, srv, "pipelines", "pipelines", "display_name"); len(left) != 0 || len(monitored(t, srv, "monitor-ages", "FAILED")) == 0 {
		t.Errorf("%v is left", left)
	}
}

// fitsSchema has a monitor hold a table against a schema, and its skew against the reference.
func fitsSchema(t *testing.T, srv *levadatest.Server, dir, reference string) {
	t.Helper()
	schema := "environments: [training, serving]\nfeatures:\n  - {name: age, type: int, skew: {jensen_shannon: 0.1}}\n" +
		"  - {name: name, type: bytes, domain: [a, b, c]}\n  - {name: price, type: float, presence: {min_fraction: 1}, not_in: [serving]}\n"
	declared := resource{"kind": "monitor", "name": "schema", "data": dir, "reference": reference, "schema": schema, "environment": "serving",
		"drift": map[string]any{"share": 1}} // the check alone is to fail
	if err := srv.Call(t.Context(), http.MethodPost, "/api/v1/apply", map[string]any{"set": "schemas", "resources": []resource{declared}}, new(changes)); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "2013-03.csv", ages)
	eventually(t, srv, "what fits the schema does not succeed", func() bool { return len(monitored(t, srv, "monitor-schema", "SUCCEEDED")) == 1 })
	write(t, dir, "2013-04.csv", "age,name\n"+strings.Repeat("2,a\n3,b\n4,c\n", 99)+"300,d\n")
	eventually(t, srv, "what does not fit the schema does not fail", func() bool { return len(monitored(t, srv, "monitor-schema", "FAILED")) == 1 })
	said := monitored(t, srv, "monitor-schema", "FAILED")[0].Failure
	for _, want := range []string{"the table does not fit the schema", "age: the Jensen-Shannon divergence from the training data is", "name: "} {
		if said == nil || !strings.Contains(said.Message, want) {
			t.Errorf("it says %+v, want %q", said, want)
		}
	}
	if err := srv.Call(t.Context(), http.MethodPost, "/api/v1/apply", map[string]any{"set": "schemas", "resources": []resource{}}, new(changes)); err != nil {
		t.Fatal(err)
	}
}
