package app

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/components"
	"levada/internal/adapter/store"
	"levada/internal/core/monitor"
	"levada/internal/core/observe"
	"levada/internal/core/rollout"
	"levada/internal/core/run"
)

func TestWhatThePipelineOfAMonitorReportsIsFound(t *testing.T) {
	parts, err := monitor.Load(components.Data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := parts.Pipeline(monitor.Spec{Name: monitorPipeline("asked"), Suite: "columns: {age: [not_null]}", Reference: "/reference.csv"})
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		PipelineInfo struct{ Name string }
		Components   map[string]struct {
			OutputDefinitions struct{ Artifacts map[string]any }
		}
		Root struct {
			Dag struct {
				Tasks map[string]struct{ ComponentRef struct{ Name string } }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "levada.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	at := time.Unix(1000, 0).UTC()
	r := run.Run{ID: "r", PipelineName: spec.PipelineInfo.Name, ExperimentID: "0", State: run.Running, CreatedAt: at}
	if err := s.CreateRun(t.Context(), r, []run.Event{{Seq: 1, At: at, Type: "x"}}, nil); err != nil {
		t.Fatal(err)
	}
	// A task that has a report among its outputs makes one of its kind, as it runs; a profile is judged by nobody.
	kinds, seq, want := map[string]observe.Kind{"check-report": observe.Check, "drift-report": observe.Drift}, int64(1), []string{}
	for name, task := range spec.Root.Dag.Tasks {
		if name == "profile" || spec.Components[task.ComponentRef.Name].OutputDefinitions.Artifacts["report"] == nil {
			continue
		}
		kind, known := kinds[name]
		if !known {
			t.Errorf("task %s makes a report that is not known here", name)
		}
		seq++
		a := run.Artifact{ID: name + ".report", Name: "report", RunID: "r", TaskID: name, TaskName: name}
		if err := s.Append(t.Context(), "r", []run.Event{{Seq: seq, At: at, Type: "x"}}, run.Changes{Artifacts: []run.Artifact{a}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Data().Seen(t.Context(), []string{a.ID}, nil, &observe.Stored{Result: observe.Result{Kind: kind}, ArtifactID: a.ID, Task: name}); err != nil {
			t.Fatal(err)
		}
		want = append(want, a.ID)
	}
	if len(want) != 2 {
		t.Errorf("the pipeline makes reports %v", want)
	}
	for since, n := range map[time.Time]int{at.Add(-time.Second): 2, at.Add(time.Hour): 0} {
		found, err := monitorFindings{s}.Findings(t.Context(), "asked", since)
		if err != nil || len(found) != n {
			t.Errorf("since %v: %+v, %v", since, found, err)
		}
		for _, f := range found {
			if !slices.Contains(want, f.Report) || f.Verdict != rollout.Fail {
				t.Errorf("%+v", f)
			}
		}
	}
}

func TestReportsOfMonitorsAsRolloutsSeeThem(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		result observe.Result
		want   rollout.Finding
	}{
		{observe.Result{Kind: observe.Drift, Passed: true, Rows: 9, Compared: 4, Failed: 1, Columns: []observe.Column{{Name: "a", Drifted: true}, {Name: "b"}}},
			rollout.Finding{Verdict: rollout.Pass, Rows: 9, Reason: "1 of 4 columns have drifted: a"}},
		{observe.Result{Kind: observe.Drift, Compared: 2, Failed: 2, Columns: []observe.Column{{Name: "a", Drifted: true}, {Name: "b", Drifted: true}}},
			rollout.Finding{Verdict: rollout.Fail, Reason: "2 of 2 columns have drifted: a, b"}},
		{observe.Result{Kind: observe.Drift, Passed: true, NotJudged: "too few rows"}, rollout.Finding{Verdict: rollout.NoData, Reason: "too few rows"}},
		{observe.Result{Kind: observe.Check, Compared: 3, Failed: 1, Expectations: []observe.Expectation{{Column: "age", Statement: "not null"}, {Statement: "10 rows", Passed: true}}},
			rollout.Finding{Verdict: rollout.Fail, Reason: "1 of 3 expectations do not hold: age: not null"}},
		{observe.Result{Kind: observe.Check, Anomalies: true, Compared: 1, Failed: 2, Expectations: []observe.Expectation{{Column: "age", Statement: "FLOAT_TYPE_HAS_NAN"}}},
			rollout.Finding{Verdict: rollout.Fail, Reason: "2 anomalies by the schema: age: FLOAT_TYPE_HAS_NAN"}},
	} {
		c.want.Monitor, c.want.At, c.want.Run = "asked", at, "r"
		got := findingOf("asked", observe.Stored{Result: c.result, RunID: "r", At: at})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Error(diff)
		}
	}
}
