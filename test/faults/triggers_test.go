package faults

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"levada/test/levadatest"
)

// echo is a pipeline with one parameter and one task.
const echo = `
schemaVersion: 2.1.0
pipelineInfo: {name: echo}
deploymentSpec: {executors: {e: {container: {image: alpine, command: [sh, -c, 'echo "{{$.inputs.parameters[''what'']}}"']}}}}
components: {op: {executorLabel: e, inputDefinitions: {parameters: {what: {parameterType: STRING}}}}}
root:
  inputDefinitions: {parameters: {what: {parameterType: STRING}}}
  dag: {tasks: {step: {componentRef: {name: op}, taskInfo: {name: step}, inputs: {parameters: {what: {componentInputParameter: what}}}}}}
`

// echoed counts the runs by their parameter.
func echoed(t *testing.T, srv *levadatest.Server) map[string]int {
	t.Helper()
	var list struct {
		Runs []struct {
			Parameters map[string]any `json:"parameters"`
		} `json:"runs"`
	}
	call(t, http.MethodGet, srv.URL+"/api/v1/runs?page_size=200", nil, &list)
	out := map[string]int{}
	for _, r := range list.Runs {
		out[fmt.Sprint(r.Parameters["what"])]++
	}
	return out
}

// until polls until done holds, for at most two minutes.
func until(t *testing.T, srv *levadatest.Server, done func(map[string]int) bool) map[string]int {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		runs := echoed(t, srv)
		if done(runs) {
			return runs
		}
		if time.Now().After(deadline) {
			t.Fatalf("after two minutes there are the runs %v\n%s", runs, srv.Log())
		}
		<-tick.C
	}
}

type triggerView struct {
	ID      string `json:"id"`
	Failure string `json:"failure"`
}

func onFiles(dir string) map[string]any {
	return map[string]any{"display_name": "on files", "spec": echo, "on": map[string]any{"file": map[string]any{"path": dir + "/*.csv", "poll_seconds": 1}},
		"when": "event.size > 0", "parameters_from": map[string]any{"what": "event.name"}}
}

// Files appear while the server is killed again and again, and while it is away: each gets its run, and none gets two.
func TestEachFileStartsOneRunWhenTheServerIsKilled(t *testing.T) {
	const kills, each = 8, 6
	data, dir := t.TempDir(), t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	var made triggerView
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/triggers", onFiles(dir), &made); status != http.StatusCreated {
		t.Fatalf("create a trigger: status %d", status)
	}
	want := map[string]int{}
	put := func(n int) {
		name := fmt.Sprintf("%03d.csv", n)
		want[name] = 1
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for n := range kills {
		for i := range each {
			put(n*each + i)
		}
		until(t, srv, func(runs map[string]int) bool { return len(runs) >= n*each+n%each+1 }) // another number of each lot
		srv.Kill()
		srv = levadatest.StartOn(t, data)
	}
	srv.Kill()
	put(kills * each)
	srv = levadatest.StartOn(t, data)
	runs := until(t, srv, func(runs map[string]int) bool { return len(runs) >= len(want) })
	if !maps.Equal(runs, want) {
		t.Errorf("runs are %v, want %v", runs, want)
	}
	// A run is there a moment before its firing says so.
	var firings struct {
		Firings []struct {
			RunID string `json:"run_id"`
		} `json:"firings"`
		Total int `json:"total"`
	}
	for range 100 {
		call(t, http.MethodGet, srv.URL+"/api/v1/triggers/"+made.ID+"/firings?page_size=200&state=STARTED", nil, &firings)
		if firings.Total >= len(want) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	distinct := map[string]bool{}
	for _, f := range firings.Firings {
		distinct[f.RunID] = true
	}
	if len(distinct) != len(want) || firings.Total != len(want) {
		t.Errorf("%d firings with %d runs, want %d", firings.Total, len(distinct), len(want))
	}
}

func TestEventsOfARealServerStartRuns(t *testing.T) {
	srv := levadatest.Start(t)
	create := func(name string, on map[string]any, what string) string {
		t.Helper()
		var made triggerView
		status := call(t, http.MethodPost, srv.URL+"/api/v1/triggers", map[string]any{"display_name": name, "spec": echo, "on": on,
			"parameters_from": map[string]any{"what": what}}, &made)
		if status != http.StatusCreated {
			t.Fatalf("create the trigger %s: status %d", name, status)
		}
		return made.ID
	}
	if status := call(t, http.MethodPut, srv.URL+"/api/v1/secrets/partner", map[string]any{"data": map[string]string{"secret": "shared"}}, nil); status >= 300 {
		t.Fatalf("make a secret: status %d", status)
	}
	hook := create("hook", map[string]any{"webhook": map[string]any{"secret": "partner"}}, `"hook " + event.body.day`)
	create("after", map[string]any{"run": map[string]any{"pipeline": "misbehave", "states": []string{"FAILED"}}}, `"after " + event.state`)
	create("metric", map[string]any{"metric": map[string]any{"experiment": "Default", "metric": "drift_share", "above": 0.5, "poll_seconds": 1}},
		`"metric " + string(event.value)`)
	create("registry", map[string]any{"registry": map[string]any{"model": "taxi", "alias": "champion"}}, `"registry " + event.alias`)

	mlflow := func(path string, body map[string]any, out any) {
		t.Helper()
		if status := call(t, http.MethodPost, srv.URL+"/api/2.0/mlflow/"+path, body, out); status != http.StatusOK {
			t.Fatalf("%s: status %d", path, status)
		}
	}
	submit(t, srv, shell("exit 3", ""))
	var tracked struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	mlflow("runs/create", map[string]any{"experiment_id": "0"}, &tracked)
	mlflow("runs/log-metric", map[string]any{"run_id": tracked.Run.Info.ID, "key": "drift_share", "value": 0.75, "timestamp": 1, "step": 1}, nil)
	mlflow("registered-models/create", map[string]any{"name": "taxi"}, nil)
	mlflow("model-versions/create", map[string]any{"name": "taxi", "source": "s3://models/taxi"}, nil)
	mlflow("registered-models/alias", map[string]any{"name": "taxi", "alias": "champion", "version": "1"}, nil)

	body, stamp := `{"day": "2013-04-01"}`, fmt.Sprint(time.Now().Unix())
	post := func(signature string) int {
		t.Helper()
		return send(t, srv.URL+"/api/v1/triggers/"+hook+"/events", body, map[string]string{
			"webhook-id": "delivery-1", "webhook-timestamp": stamp, "webhook-signature": signature})
	}
	mac := hmac.New(sha256.New, []byte("shared"))
	fmt.Fprintf(mac, "delivery-1.%s.%s", stamp, body)
	good := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if got := []int{post("v1,forged"), post(good), post(good)}; !slices.Equal(got, []int{http.StatusUnauthorized, http.StatusAccepted, http.StatusAccepted}) {
		t.Errorf("a forged, a good and a repeated webhook are answered with %v", got)
	}
	want := map[string]int{"hook 2013-04-01": 1, "after FAILED": 1, "metric 0.75": 1, "registry champion": 1, "<nil>": 1}
	runs := until(t, srv, func(runs map[string]int) bool { return len(runs) >= len(want) })
	if !maps.Equal(runs, want) {
		t.Errorf("runs are %v, want %v", runs, want)
	}
}

// send posts a body of no declared type.
func send(t *testing.T, url, body string, headers map[string]string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
