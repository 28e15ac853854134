package mlflow

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"levada/test/levadatest"
)

// tracked is a run as the API shows it.
type tracked struct {
	Info struct {
		RunID  string `json:"run_id"`
		Name   string `json:"run_name"`
		Status string `json:"status"`
	} `json:"info"`
	Data struct {
		Metrics []struct {
			Key   string  `json:"key"`
			Value float64 `json:"value"`
		} `json:"metrics"`
		Params []struct{ Key, Value string } `json:"params"`
		Tags   []struct{ Key, Value string } `json:"tags"`
	} `json:"data"`
}

// The component of testdata/tracked.yaml was compiled by kfp 2.17 from
//
//	def train(lr: float, metrics: dsl.Output[dsl.Metrics]) -> float:
//	    import mlflow
//	    mlflow.log_metric("inner", 0.25, step=1)
//	    mlflow.log_param("opt", "adam")
//	    metrics.log_metric("accuracy", 0.9)
//	    ...
//
// with mlflow-skinny as its only package: nothing in it names a server or a run.
func TestMLflowInAComponentLogsOnItsTask(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not on the PATH: steps need it")
	}
	server := levadatest.Start(t)
	out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "run", filepath.Join("testdata", "tracked.yaml"), "--server", server.URL).CombinedOutput()
	if err != nil {
		t.Fatalf("levada run: %v\n%s", err, out)
	}
	task := search(t, server, "tags.`mlflow.parentRunId` IS NOT NULL AND metrics.inner = 0.25")
	if len(task) != 1 {
		t.Fatalf("%d runs hold the metric that the component logged, want 1", len(task))
	}
	if got := flat(task[0]); got["metric accuracy"] != 0.9 || got["param opt"] != "adam" || got["param lr"] != "0.1" || task[0].Info.Status != "FINISHED" {
		t.Errorf("the task's run holds %v, status %s", got, task[0].Info.Status)
	}
	parent, _ := flat(task[0])["tag mlflow.parentRunId"].(string)
	run := search(t, server, "run_id = '"+parent+"'")
	if len(run) != 1 {
		t.Fatalf("the pipeline's run %s is not tracked", parent)
	}
	if got := flat(run[0]); got["metric accuracy"] != 0.9 || got["param lr"] != "0.1" || run[0].Info.Status != "FINISHED" {
		t.Errorf("the pipeline's run holds %v, status %s", got, run[0].Info.Status)
	}
}

func search(t *testing.T, server *levadatest.Server, filter string) []tracked {
	t.Helper()
	body, err := json.Marshal(map[string]any{"experiment_ids": []string{"0"}, "filter": filter})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+api+"/runs/search", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Runs []tracked }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return answer.Runs
}

func flat(r tracked) map[string]any {
	out := map[string]any{}
	for _, m := range r.Data.Metrics {
		out["metric "+m.Key] = m.Value
	}
	for _, p := range r.Data.Params {
		out["param "+p.Key] = p.Value
	}
	for _, p := range r.Data.Tags {
		out["tag "+p.Key] = p.Value
	}
	return out
}
