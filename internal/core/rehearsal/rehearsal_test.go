package rehearsal_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/rehearsal"
	"levada/internal/core/run"
)

const pipeline = `
schemaVersion: 2.1.0
pipelineInfo: {name: p}
deploymentSpec:
  executors:
    train: {container: {image: x, command: [train]}}
    fetch: {importer: {artifactUri: {constant: "gs://x"}, typeSchema: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}
components:
  comp-fetch:
    executorLabel: fetch
    outputDefinitions: {artifacts: {artifact: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}
  comp-train:
    executorLabel: train
    inputDefinitions:
      parameters: {rate: {parameterType: NUMBER_DOUBLE}}
      artifacts:
        data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
        extra: {artifactType: {schemaTitle: system.Artifact, schemaVersion: 0.0.1}, isOptional: true}
    outputDefinitions:
      parameters: {score: {parameterType: NUMBER_DOUBLE}, names: {parameterType: LIST}, note: {parameterType: STRING}}
      artifacts:
        model: {artifactType: {schemaTitle: system.Model, schemaVersion: 0.0.1}}
        parts: {artifactType: {schemaTitle: system.Artifact, schemaVersion: 0.0.1}, isArtifactList: true}
  comp-loop:
    inputDefinitions:
      parameters: {rate: {parameterType: NUMBER_DOUBLE}}
      artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}
    dag:
      tasks:
        train:
          taskInfo: {name: train}
          componentRef: {name: comp-train}
          retryPolicy: {maxRetryCount: 2, backoffDuration: 3600s}
          inputs: {parameters: {rate: {componentInputParameter: rate}}, artifacts: {data: {componentInputArtifact: data}}}
root:
  inputDefinitions:
    parameters: {rate: {parameterType: NUMBER_DOUBLE, defaultValue: 0.5}}
    artifacts:
      data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
      extra: {artifactType: {schemaTitle: system.Artifact, schemaVersion: 0.0.1}, isOptional: true}
  dag:
    tasks:
      fetch: {taskInfo: {name: fetch}, componentRef: {name: comp-fetch}}
      train:
        taskInfo: {name: train}
        componentRef: {name: comp-train}
        dependentTasks: [fetch]
        inputs:
          parameters: {rate: {componentInputParameter: rate}}
          artifacts: {data: {componentInputArtifact: data}, extra: {componentInputArtifact: extra}}
      for-loop-1:
        taskInfo: {name: for-loop-1}
        componentRef: {name: comp-loop}
        parameterIterator: {items: {raw: "[1, 2]"}, itemInput: rate}
        inputs: {artifacts: {data: {componentInputArtifact: data}}}
`

func file(path string) rehearsal.Given {
	return rehearsal.Given{Artifacts: []rehearsal.Fixture{{Path: path}}}
}

func value(v any) rehearsal.Given { return rehearsal.Given{Value: v} }

func request() rehearsal.Request {
	return rehearsal.Request{Spec: pipeline, Inputs: map[string]rehearsal.Given{"data": file("/d")}}
}

func prepare(t *testing.T, req rehearsal.Request) *rehearsal.Prepared {
	t.Helper()
	p, err := rehearsal.Prepare(req)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func answer(message string) rehearsal.Replacement {
	return rehearsal.Replacement{Failure: &rehearsal.Failure{Message: message, ExitCode: 1}}
}

func TestTheMostExactKeyStandsIn(t *testing.T) {
	req := request()
	req.Replace = map[string]rehearsal.Replacement{
		"train": answer("name"), "for_loop_1/train": answer("static path"), "for-loop-1/1/train": answer("one iteration"),
	}
	rest := rehearsal.Replacement{Placeholders: true}
	req.Rest = &rest
	p := prepare(t, req)
	for path, want := range map[string]string{
		"train": "name", "for-loop-1/0/train": "static path", "for-loop-1/1/train": "one iteration", "for-loop-1/12/train": "static path",
	} {
		got, ok := p.For(&run.Step{TaskPath: path, TaskName: "train", Attempt: 1})
		if !ok || got.Failure == nil || got.Failure.Message != want {
			t.Errorf("%s: %+v, want %q", path, got, want)
		}
	}
	if got, ok := p.For(&run.Step{TaskPath: "fetch", TaskName: "fetch", Attempt: 1}); !ok || !got.Placeholders {
		t.Errorf("the rest: %+v", got)
	}
	want := []string{"fetch", "for-loop-1/train", "train"}
	var got []string
	for _, s := range p.Steps {
		got = append(got, s.Path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestWithoutAnAnswerAStepRuns(t *testing.T) {
	req := request()
	req.Replace = map[string]rehearsal.Replacement{"fetch": answer("x")}
	if got, ok := prepare(t, req).For(&run.Step{TaskPath: "train", TaskName: "train", Attempt: 1}); ok {
		t.Errorf("got %+v", got)
	}
}

func TestEachAttemptHasItsAnswerAndTheLastOneStays(t *testing.T) {
	r := rehearsal.Replacement{Attempts: []rehearsal.Replacement{answer("first"), answer("second")}}
	for attempt, want := range map[int]string{1: "first", 2: "second", 3: "second", 9: "second"} {
		if got := r.Of(attempt).Failure.Message; got != want {
			t.Errorf("attempt %d: %s, want %s", attempt, got, want)
		}
	}
}

func TestFixturesComeFromTasksAndRetriesDoNotWait(t *testing.T) {
	p := prepare(t, request())
	spec, err := ir.Parse(p.Spec)
	if err != nil {
		t.Fatalf("the edited specification is refused: %v", err)
	}
	if diff := cmp.Diff([]string{"levada-fixture-data"}, p.Hidden); diff != "" {
		t.Errorf("hidden (-want +got):\n%s", diff)
	}
	tasks := spec.Spec.Root.DAG.Tasks
	for _, name := range []string{"train", "for-loop-1"} {
		from := tasks[name].Inputs.Artifacts["data"].TaskOutputArtifact
		if from == nil || from.ProducerTask != "levada-fixture-data" {
			t.Errorf("%s takes its data from %+v", name, tasks[name].Inputs.Artifacts["data"])
		}
	}
	if diff := cmp.Diff([]string{"fetch", "levada-fixture-data"}, tasks["train"].DependentTasks); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if _, bound := tasks["train"].Inputs.Artifacts["extra"]; bound {
		t.Error("an optional input that was not given is still bound")
	}
	if in := spec.Spec.Root.InputDefinitions; len(in.Artifacts) != 0 {
		t.Errorf("the pipeline still takes artifacts: %+v", in.Artifacts)
	}
	policy := spec.Spec.Components["comp-loop"].DAG.Tasks["train"].RetryPolicy
	if policy.MaxRetryCount != 2 || policy.BackoffDuration != 0 {
		t.Errorf("retry policy %+v", policy)
	}
	got, ok := p.For(&run.Step{TaskPath: "levada-fixture-data", TaskName: "levada-fixture-data", Attempt: 1})
	if !ok || got.Outputs["artifact"].Artifacts[0].Path != "/d" {
		t.Errorf("the fixture is %+v", got)
	}
}

func TestWhatThePipelineDoesNotHaveIsRefused(t *testing.T) {
	good := map[string]rehearsal.Given{"score": value(1.0), "names": value([]any{"a"}), "note": value("n"), "model": file("/m"),
		"parts": {Artifacts: []rehearsal.Fixture{{}, {URI: "gs://x"}}, List: true}}
	with := func(name string, given *rehearsal.Given) map[string]rehearsal.Given {
		out := map[string]rehearsal.Given{}
		for k, v := range good {
			out[k] = v
		}
		if delete(out, name); given != nil {
			out[name] = *given
		}
		return out
	}
	give := func(g rehearsal.Given) *rehearsal.Given { return &g }
	for want, outputs := range map[string]map[string]rehearsal.Given{
		"": good,
		`no output "modle"; it has: names (LIST), note (STRING), score (NUMBER_DOUBLE), model (system.Model), parts (system.Artifact)`: with("modle", give(file("/m"))),
		"outputs are missing: note":                                                       with("note", nil),
		`output "score": want NUMBER_DOUBLE, got "1"`:                                     with("score", give(value("1"))),
		`output "note": want STRING, got 1`:                                               with("note", give(value(1.0))),
		`output "names": want LIST`:                                                       with("names", give(value(map[string]any{}))),
		`output "score": it is a parameter`:                                               with("score", give(file("/x"))),
		`output "model": it is an artifact (system.Model), got "/m"; give a pathlib.Path`: with("model", give(value("/m"))),
		`output "model": it is one artifact`:                                              with("model", give(rehearsal.Given{Artifacts: []rehearsal.Fixture{{}}, List: true})),
		`output "parts": it is a list of artifacts`:                                       with("parts", give(file("/m"))),
		`output "model": an artifact has either`:                                          with("model", give(rehearsal.Given{Artifacts: []rehearsal.Fixture{{Path: "/m", URI: "gs://x"}}})),
	} {
		req := request()
		req.Replace = map[string]rehearsal.Replacement{"train": {Outputs: outputs}}
		_, err := rehearsal.Prepare(req)
		if want == "" {
			if err != nil {
				t.Errorf("good outputs: %v", err)
			}
			continue
		}
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for want, change := range map[string]func(*rehearsal.Request){
		"it has: fetch, for-loop-1/train, train": func(r *rehearsal.Request) { r.Replace = map[string]rehearsal.Replacement{"trian": answer("x")} },
		"attempts cannot hold attempts": func(r *rehearsal.Request) {
			r.Replace = map[string]rehearsal.Replacement{"train": {Attempts: []rehearsal.Replacement{{Attempts: []rehearsal.Replacement{answer("x")}}}}}
		},
		"the rest, which step fetch is a part of": func(r *rehearsal.Request) { r.Rest = &rehearsal.Replacement{Outputs: map[string]rehearsal.Given{}} },
		`input "data" is missing`:                 func(r *rehearsal.Request) { r.Inputs = nil },
		`input "data": it is an artifact`:         func(r *rehearsal.Request) { r.Inputs["data"] = value("x") },
		`input "date": the pipeline has no such input artifact; it takes: rate (NUMBER_DOUBLE), data (system.Dataset), extra (system.Artifact)`: func(r *rehearsal.Request) { r.Inputs["date"] = file("/x") },
		"rates":         func(r *rehearsal.Request) { r.Inputs["rates"] = value(1.0) },
		"schemaVersion": func(r *rehearsal.Request) { r.Spec = "{}" },
	} {
		req := request()
		change(&req)
		if _, err := rehearsal.Prepare(req); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestPlaceholdersFitEveryDeclaration(t *testing.T) {
	types := []ir.ParameterType{ir.NumberDouble, ir.NumberInteger, ir.String, ir.Boolean, ir.List, ir.Struct}
	rapid.Check(t, func(rt *rapid.T) {
		defs := &ir.OutputDefinitions{Parameters: map[string]*ir.OutputParameter{}, Artifacts: map[string]*ir.OutputArtifact{}}
		for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[a-z]{1,3}`), func(s string) string { return s }).Draw(rt, "parameters") {
			defs.Parameters[name] = &ir.OutputParameter{ParameterType: rapid.SampledFrom(types).Draw(rt, "type")}
		}
		for _, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[A-Z]{1,3}`), func(s string) string { return s }).Draw(rt, "artifacts") {
			defs.Artifacts[name] = &ir.OutputArtifact{IsArtifactList: rapid.Bool().Draw(rt, "list")}
		}
		c := &ir.Component{OutputDefinitions: defs}
		got, err := rehearsal.Outputs(rehearsal.Replacement{Placeholders: true}, c)
		if err != nil || len(got) != len(defs.Parameters)+len(defs.Artifacts) {
			rt.Fatalf("%d outputs of %d, %v", len(got), len(defs.Parameters)+len(defs.Artifacts), err)
		}
		if _, err := json.Marshal(got); err != nil {
			rt.Fatal(err)
		}
		// What placeholders give is what one could have written.
		if err := rehearsal.Check(rehearsal.Replacement{Outputs: got}, c); err != nil {
			rt.Fatal(err)
		}
	})
}
