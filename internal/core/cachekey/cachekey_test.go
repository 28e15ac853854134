package cachekey_test

import (
	"testing"

	"levada/internal/core/cachekey"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

func step() *run.Step {
	return &run.Step{
		Job: run.Job{RunID: "run-1", Name: "a name"}, TaskID: "task-1", TaskPath: "a/b", TaskName: "b", Attempt: 1,
		Component: &ir.Component{OutputDefinitions: &ir.OutputDefinitions{Parameters: map[string]*ir.OutputParameter{"o": {ParameterType: ir.String}}}},
		Executor:  &ir.Executor{Container: &ir.Container{Image: "i", Command: []string{"c"}, Args: []string{"{{$.inputs.parameters['p']}}"}, Env: []ir.EnvVar{{Name: "E", Value: "1"}}}},
		Inputs: run.Values{
			Parameters: map[string]any{"p": 1.0, "q": "x"},
			Artifacts:  map[string][]run.Artifact{"a": {{ID: "id-1", Name: "n", URI: "levada://1", Digest: "sha256:1", RunID: "r", TaskID: "t", SchemaTitle: "system.Dataset"}}},
		},
	}
}

func key(t *testing.T, s *run.Step, component, environment, custom string) string {
	t.Helper()
	k, err := cachekey.Of(s, component, run.Environment{Digest: environment}, custom)
	if err != nil {
		t.Fatal(err)
	}
	return k.Digest
}

func TestWhatChangesTheResultChangesTheKey(t *testing.T) {
	base := key(t, step(), "comp", "env", "")
	for name, change := range map[string]func(*run.Step){
		"a parameter":              func(s *run.Step) { s.Inputs.Parameters["p"] = 2.0 },
		"one more parameter":       func(s *run.Step) { s.Inputs.Parameters["r"] = nil },
		"the bytes of an artifact": func(s *run.Step) { s.Inputs.Artifacts["a"][0].Digest = "sha256:2" },
		"its metadata":             func(s *run.Step) { s.Inputs.Artifacts["a"][0].Metadata = map[string]any{"k": 1.0} },
		"the command":              func(s *run.Step) { s.Executor.Container.Command = []string{"d"} },
		"the image":                func(s *run.Step) { s.Executor.Container.Image = "j" },
		"a variable":               func(s *run.Step) { s.Executor.Container.Env[0].Value = "2" },
		"an output's type":         func(s *run.Step) { s.Component.OutputDefinitions.Parameters["o"].ParameterType = ir.List },
		"Kubernetes extras": func(s *run.Step) {
			s.Kubernetes = &ir.KubernetesExecutor{NodeSelector: &ir.NodeSelector{Labels: map[string]string{"a": "b"}}}
		},
		"the address of what is elsewhere": func(s *run.Step) { s.Inputs.Artifacts["a"][0].Digest, s.Inputs.Artifacts["a"][0].URI = "", "gs://b/x" },
	} {
		s := step()
		change(s)
		if key(t, s, "comp", "env", "") == base {
			t.Errorf("%s changed, and the key did not", name)
		}
	}
	if key(t, step(), "comp", "another environment", "") == base {
		t.Error("the environment changed, and the key did not")
	}
}

func TestNamesAndIdsDoNotChangeTheKey(t *testing.T) {
	s := step()
	s.Job, s.TaskID, s.TaskPath, s.TaskName, s.Attempt, s.Iteration = run.Job{RunID: "run-2", Name: "another"}, "task-2", "x", "x", 7, 3
	a := &s.Inputs.Artifacts["a"][0]
	a.ID, a.Name, a.URI, a.RunID, a.TaskID = "id-2", "m", "levada://2", "r2", "t2"
	s.Executor.Container.Resources = &ir.Resources{ResourceCPULimit: "4"}
	if key(t, s, "another component name", "env", "") != key(t, step(), "comp", "env", "") {
		t.Error("the key changed with names, ids or resources")
	}
}

func TestACustomKeyCountsAlone(t *testing.T) {
	s := step()
	s.Inputs.Parameters["p"] = 99.0
	if key(t, s, "comp", "another environment", "mine") != key(t, step(), "comp", "env", "mine") {
		t.Error("a custom key must not depend on inputs or environment")
	}
	if key(t, step(), "comp", "env", "mine") == key(t, step(), "comp", "env", "yours") || key(t, step(), "comp", "env", "mine") == key(t, step(), "other", "env", "mine") {
		t.Error("a custom key must depend on itself and on the component")
	}
	elsewhere := step()
	elsewhere.Job.PipelineName = "another"
	if key(t, step(), "comp", "env", "mine") == key(t, elsewhere, "comp", "env", "mine") {
		t.Error("a custom key must not reach into other pipelines")
	}
}
