package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

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
//	    with mlflow.start_span("ask", span_type="LLM") as span:
//	        span.set_inputs({"question": lr})
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
	// What a step logs is there when the step ends; what its artifacts say reaches the metric store a moment later.
	task := await(t, server, "tags.`mlflow.parentRunId` IS NOT NULL AND metrics.inner = 0.25 AND metrics.accuracy = 0.9")
	got := flat(task)
	if got["param opt"] != "adam" || got["param lr"] != "0.1" || task.Info.Status != "FINISHED" {
		t.Errorf("the task's run holds %v, status %s", got, task.Info.Status)
	}
	if names := tracesOf(t, server, task.Info.RunID); !slices.Equal(names, []string{"ask"}) {
		t.Errorf("the task's traces have the spans %q, want the one that the step made", names)
	}
	parent, _ := got["tag mlflow.parentRunId"].(string)
	run := await(t, server, "run_id = '"+parent+"' AND metrics.accuracy = 0.9")
	if got := flat(run); got["param lr"] != "0.1" || run.Info.Status != "FINISHED" {
		t.Errorf("the pipeline's run holds %v, status %s", got, run.Info.Status)
	}
	lineageOf(t, server, parent, task.Info.RunID)
}

// tracesOf returns the names of the spans of the traces that belong to a run.
func tracesOf(t *testing.T, server *levadatest.Server, run string) []string {
	t.Helper()
	third := "/api/3.0/mlflow/traces"
	body := fields{"locations": []fields{{"mlflow_experiment": fields{"experiment_id": "0"}}}, "filter": "run_id = '" + run + "'"}
	text, ok := postTo(t.Context(), server.URL+third+"/search", body)
	var found struct {
		Traces []struct {
			ID string `json:"trace_id"`
		}
	}
	if err := json.Unmarshal(text, &found); err != nil || !ok {
		t.Fatal(string(text), err)
	}
	var names []string
	for _, trace := range found.Traces {
		resp, err := server.Get(t.Context(), third+"/get?trace_id="+trace.ID)
		if err != nil {
			t.Fatal(err)
		}
		var whole struct {
			Trace struct{ Spans []struct{ Name string } }
		}
		err = json.NewDecoder(resp.Body).Decode(&whole)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range whole.Trace.Spans {
			names = append(names, s.Name)
		}
	}
	return names
}

// await returns the one run that a filter finds, as soon as it finds one.
func await(t *testing.T, server *levadatest.Server, filter string) tracked {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		switch runs := search(t, server, filter); len(runs) {
		case 1:
			return runs[0]
		case 0:
		default:
			t.Fatalf("%s: %d runs, want 1", filter, len(runs))
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: no run, want 1", filter)
		}
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
