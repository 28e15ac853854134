package v1_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/catalog"
	"levada/internal/core/ir"
	"levada/internal/core/outline"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
	"levada/internal/pipeline"
)

const twoDocuments = `
pipelineInfo: {name: "my pipe / <b>"}
schemaVersion: 2.1.0
deploymentSpec: {executors: {exec-say: {container: {image: python:3.11, command: [sh, -c, "echo 1\necho 2\n"]}}}}
components: {comp-say: {executorLabel: exec-say}}
root:
  inputDefinitions: {parameters: {n: {parameterType: NUMBER_DOUBLE}, s: {parameterType: STRING}}}
  dag: {tasks: {say: {taskInfo: {name: say}, componentRef: {name: comp-say}}}}
---
platforms: {kubernetes: {deploymentSpec: {executors: {exec-say: {imagePullPolicy: Always}}}}}
`

func parsed(t *testing.T) *ir.Pipeline {
	t.Helper()
	p, err := ir.Parse([]byte(twoDocuments))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPipelineIsToldWithItsVersionsItsRunsAndWhatAVersionIsMadeOf(t *testing.T) {
	f := &fake{spec: parsed(t), versions: []catalog.Version{{ID: "new"}, {ID: "old"}}, run: run.Run{ID: "r1"}}
	w := request(t, f, "GET", "/api/v1/pipelines/p1?against=old", "")
	if want := []string{"get pipeline p1", "list versions p1", "get version p1 new", "spec of new", "get version p1 old", "spec of old", "list runs"}; !cmp.Equal(want, f.calls) {
		t.Errorf("calls %v, want %v", f.calls, want)
	}
	var got v1.PipelineDetail
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%v: %d %s", err, w.Code, w.Body)
	}
	if got.Version.ID != "new" || got.Against.ID != "old" || got.Version.Outline.Components["comp-say"].Kind != outline.Container || got.Runs.Total != 7 {
		t.Errorf("%s", w.Body)
	}
	f = &fake{}
	if w := request(t, f, "GET", "/api/v1/pipelines/empty", ""); w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"version":{`) {
		t.Errorf("a pipeline without versions: %d %s", w.Code, w.Body)
	}
}

func TestASpecificationAsYAMLIsTheSameSpecification(t *testing.T) {
	p := parsed(t)
	for _, path := range []string{"/pipelines/p1/versions/v1/yaml?download=true", "/runs/r1/yaml?download=true"} {
		w := request(t, &fake{spec: p}, "GET", "/api/v1"+path, "")
		back, err := ir.Parse(w.Body.Bytes())
		if err != nil || back.Digest != p.Digest {
			t.Errorf("%s: %v: %s", path, err, w.Body)
		}
		if kind, name := w.Header().Get("Content-Type"), w.Header().Get("Content-Disposition"); kind != "application/yaml; charset=utf-8" || name != "attachment; filename=my-pipe----b-.yaml" {
			t.Errorf("%s: %q %q", path, kind, name)
		}
		if !strings.Contains(w.Body.String(), "|\n") {
			t.Errorf("%s: a script is not written over several lines:\n%s", path, w.Body)
		}
	}
}

func TestAnUploadIsStoredWithTheNameThatItWasGiven(t *testing.T) {
	f := &fake{}
	w := request(t, f, "POST", "/api/v1/pipelines/p1/versions", `{"spec":"the spec","name":" two ","description":"d"}`)
	if want := (pipeline.Upload{Name: "two", Description: "d", Spec: []byte("the spec")}); w.Code != http.StatusCreated || !cmp.Equal(want, f.upload) {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f.upload)
	}
	if w := request(t, f, "POST", "/api/v1/pipelines", `{"spec":"the spec"}`); w.Code != http.StatusCreated || f.upload.Name != "" || !strings.Contains(w.Body.String(), `"pipeline_id":"p"`) {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f.upload)
	}
}

func TestARunIsRepeatedFromItsVerySpecification(t *testing.T) {
	f := &fake{run: run.Run{ID: "r1", SpecDigest: "sha256:1", PipelineID: "p", VersionID: "v", PipelineRoot: "s3://x"}}
	w := request(t, f, "POST", "/api/v1/runs", `{"run_id":"r1","parameters":{"n":2},"cache":false}`)
	want := pipeline.Submission{Spec: []byte{}, SpecDigest: "sha256:1", PipelineID: "p", VersionID: "v", PipelineRoot: "s3://x",
		Parameters: map[string]any{"n": 2.0}, CacheOff: true}
	if diff := cmp.Diff(want, f.submission); diff != "" || w.Code != http.StatusCreated {
		t.Errorf("%d %s\n%s", w.Code, w.Body, diff)
	}
	f = &fake{}
	if w := request(t, f, "POST", "/api/v1/runs", `{"run_id":"r1","pipeline_id":"p"}`); w.Code != http.StatusBadRequest || len(f.calls) > 0 {
		t.Errorf("two sources: %d %s", w.Code, w.Body)
	}
}

func TestEachWrongParameterIsNamedByItsPlaceInTheRequest(t *testing.T) {
	_, err := parsed(t).CheckParameters(map[string]any{"n": "x", "more": 1.0})
	w := request(t, &fake{err: err}, "POST", "/api/v1/runs", `{"spec":"s"}`)
	var p struct {
		Detail string
		Errors []struct{ Message, Location string }
	}
	if json.Unmarshal(w.Body.Bytes(), &p) != nil || w.Code != http.StatusBadRequest || len(p.Errors) != 3 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for i, want := range []string{"body.parameters.more", "body.parameters.n", "body.parameters.s"} {
		if p.Errors[i].Location != want || !strings.Contains(p.Detail, p.Errors[i].Message) {
			t.Errorf("%+v of %q, want %s", p.Errors[i], p.Detail, want)
		}
	}
}

func TestARecurringRunIsCreatedWithItsSchedule(t *testing.T) {
	f := &fake{}
	w := request(t, f, "POST", "/api/v1/recurring-runs",
		`{"pipeline_id":"p","display_name":"nightly","trigger":{"cron":"0 30 2 * * *"},"parameters":{"n":1},"experiment_id":"e","no_catchup":true,"paused":true}`)
	want := catalog.RecurringRun{DisplayName: "nightly", Trigger: schedule.Trigger{Cron: "0 30 2 * * *"}, MaxConcurrency: 1, NoCatchup: true,
		Run: run.Submission{Spec: []byte{}, PipelineID: "p", DisplayName: "nightly", ExperimentID: "e", Parameters: map[string]any{"n": 1.0}}}
	if diff := cmp.Diff(want, f.recurring); diff != "" || w.Code != http.StatusCreated {
		t.Errorf("%d %s\n%s", w.Code, w.Body, diff)
	}
	w = request(t, &fake{}, "POST", "/api/v1/recurring-runs", `{"pipeline_id":"p","trigger":{"cron":"wrong"}}`)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"location":"body.trigger"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAScheduleTellsItsNextTimes(t *testing.T) {
	w := request(t, &fake{}, "GET", "/api/v1/schedule?cron=@hourly&n=3", "")
	var got struct{ Times []string }
	if json.Unmarshal(w.Body.Bytes(), &got) != nil || len(got.Times) != 3 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := request(t, &fake{}, "GET", "/api/v1/schedule?cron=wrong", ""); w.Code != http.StatusBadRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
