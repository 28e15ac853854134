package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"levada/test/levadatest"
)

// asking is a script that calls MLflow's API of the server that runs it, as its client does: each call is a path and a body, in which RUN is the
// run that MLflow logs to in the step, and VERSION the version that the call before has made.
func asking(calls ...string) string {
	var script strings.Builder
	script.WriteString(`python3 - <<'END'
import json, os, urllib.request
ask, version = urllib.request.build_opener(urllib.request.ProxyHandler({})).open, ""
for path, body in [`)
	for _, c := range calls {
		path, body, _ := strings.Cut(c, " ")
		fmt.Fprintf(&script, "(%q, %q), ", path, body)
	}
	script.WriteString(`]:
    body = body.replace("RUN", os.environ["MLFLOW_RUN_ID"]).replace("VERSION", version)
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/" + path
    answer = json.load(ask(urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})))
    version = answer.get("model_version", {}).get("version", version)
END
`)
	return script.String()
}

// What a run does that a trigger has started does not fire the trigger again, whichever way it comes back: as a metric that a step logs, as a
// version that it registers, as the alias that it gives to that version. What somebody else does later with the same version does.
func TestATriggerIsNotFiredByWhatItsOwnRunLogsAndRegisters(t *testing.T) {
	srv := levadatest.Start(t)
	mlflow := func(path string, body map[string]any, out any) {
		t.Helper()
		if status := call(t, http.MethodPost, srv.URL+"/api/2.0/mlflow/"+path, body, out); status != http.StatusOK {
			t.Fatalf("%s: status %d", path, status)
		}
	}
	create := func(name string, on map[string]any, spec string) string {
		t.Helper()
		var made triggerView
		if status := call(t, http.MethodPost, srv.URL+"/api/v1/triggers", map[string]any{"display_name": name, "spec": spec, "on": on}, &made); status != http.StatusCreated {
			t.Fatalf("create the trigger %s: status %d", name, status)
		}
		return made.ID
	}
	onMetric := create("on a metric", map[string]any{"metric": map[string]any{"experiment": "Default", "metric": "drift_share", "above": 0.5, "poll_seconds": 1}},
		shell(asking(`runs/log-metric {"run_id": "RUN", "key": "drift_share", "value": 0.9, "timestamp": 1, "step": 1}`), ""))
	mlflow("registered-models/create", map[string]any{"name": "taxi"}, nil)
	onVersion := create("on a version", map[string]any{"registry": map[string]any{"model": "taxi", "changes": []string{"version_created"}}},
		shell(asking(`model-versions/create {"name": "taxi", "source": "s3://models/taxi", "run_id": "RUN"}`), ""))
	onAlias := create("on an alias", map[string]any{"registry": map[string]any{"model": "taxi", "alias": "champion"}},
		shell(asking(`model-versions/create {"name": "taxi", "source": "s3://models/taxi", "run_id": "RUN"}`,
			`registered-models/alias {"name": "taxi", "alias": "champion", "version": "VERSION"}`), ""))

	type firing struct {
		State  string
		Reason string
		RunID  string `json:"run_id"`
	}
	firings := func(id string) (out []firing) {
		t.Helper()
		var list struct{ Firings []firing }
		call(t, http.MethodGet, srv.URL+"/api/v1/triggers/"+id+"/firings?page_size=100", nil, &list)
		return list.Firings
	}
	// once waits until a trigger has started a run and has ignored what that has done; a second run is a circle.
	once := func(id, what string) {
		t.Helper()
		eventually(t, srv, what+": the run's own doing was not noticed", func() bool {
			started, ignored := 0, 0
			for _, f := range firings(id) {
				switch {
				case f.State == "STARTED":
					started++
				case f.State == "IGNORED" && strings.Contains(f.Reason, "a run that this trigger started has caused it"):
					ignored++
				}
			}
			if started > 1 {
				t.Fatalf("%s: the trigger has fired itself: %+v", what, firings(id))
			}
			return started == 1 && ignored == 1
		})
		for _, f := range firings(id) {
			if f.State == "STARTED" {
				if r := wait(t, srv, f.RunID); r.State != "SUCCEEDED" {
					t.Fatalf("%s: its run is %+v\n%s", what, r, logs(t, srv, f.RunID))
				}
			}
		}
	}
	var tracked struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	mlflow("runs/create", map[string]any{"experiment_id": "0"}, &tracked)
	mlflow("runs/log-metric", map[string]any{"run_id": tracked.Run.Info.ID, "key": "drift_share", "value": 0.75, "timestamp": 1, "step": 1}, nil)
	once(onMetric, "a metric")
	mlflow("model-versions/create", map[string]any{"name": "taxi", "source": "s3://models/taxi"}, nil) // version 1; the run makes 2
	once(onVersion, "a version")
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/triggers/"+onVersion+"/pause", nil, nil); status != http.StatusOK {
		t.Fatalf("pause: status %d", status)
	}
	mlflow("registered-models/alias", map[string]any{"name": "taxi", "alias": "champion", "version": "1"}, nil) // the run makes 3
	once(onAlias, "an alias")
	// The run has ended: who sets the alias now is somebody else, also of a version that the run has made.
	mlflow("registered-models/alias", map[string]any{"name": "taxi", "alias": "champion", "version": "2"}, nil)
	mlflow("registered-models/alias", map[string]any{"name": "taxi", "alias": "champion", "version": "3"}, nil)
	eventually(t, srv, "what somebody else does starts no run", func() bool {
		n := 0
		for _, f := range firings(onAlias) {
			if f.State == "STARTED" {
				n++
			}
		}
		return n == 3
	})
}
