package outline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/ir"
	"levada/internal/core/outline"
)

const spec = `
pipelineInfo: {name: shapes, description: what it does}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
deploymentSpec:
  executors:
    exec-say:
      container:
        image: python:3.11
        command: [sh, -c, 'echo "$0"']
        args: ["{{$.inputs.parameters['what']}}"]
        resources: {resourceCpuLimit: "2", memoryLimit: 1.5}
        env: [{name: MODE, value: fast}]
    exec-fetch:
      importer: {artifactUri: {constant: "s3://x/y"}, typeSchema: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}
components:
  comp-say:
    executorLabel: exec-say
    inputDefinitions: {parameters: {what: {parameterType: STRING}}}
    outputDefinitions: {parameters: {Output: {parameterType: STRING}}}
  comp-fetch:
    executorLabel: exec-fetch
    outputDefinitions: {artifacts: {artifact: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}}
  comp-loop:
    inputDefinitions: {parameters: {item: {parameterType: STRING}, words: {parameterType: LIST}}}
    dag: {tasks: {say: {taskInfo: {name: say it}, componentRef: {name: comp-say}, inputs: {parameters: {what: {componentInputParameter: item}}}}}}
root:
  inputDefinitions:
    parameters:
      words: {parameterType: LIST}
      size: {parameterType: NUMBER_INTEGER, defaultValue: 2, literals: [2, 4], description: how big}
      note: {parameterType: STRING, isOptional: true}
  dag:
    tasks:
      fetch: {componentRef: {name: comp-fetch}, cachingOptions: {enableCache: true}}
      each:
        componentRef: {name: comp-loop}
        dependentTasks: [fetch]
        parameterIterator: {itemInput: item, items: {inputParameter: words}}
        iteratorPolicy: {parallelismLimit: 3}
        inputs: {parameters: {words: {componentInputParameter: words}}}
      say:
        componentRef: {name: comp-say}
        inputs: {parameters: {what: {runtimeValue: {constant: hello}}}}
        retryPolicy: {maxRetryCount: 2}
      last:
        componentRef: {name: comp-say}
        dependentTasks: [each]
        inputs: {parameters: {what: {taskOutputParameter: {producerTask: say, outputParameterKey: Output}}}}
        triggerPolicy: {condition: "inputs.parameter_values['what'] == 'x'", strategy: ALL_UPSTREAM_TASKS_COMPLETED}
`

func parse(t *testing.T) *ir.Pipeline {
	t.Helper()
	p, err := ir.Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnOutlineTellsInputsTasksAndStepsOfAPipeline(t *testing.T) {
	got := outline.Of(parse(t), nil)
	what := outline.Input{Name: "what", Type: "STRING", Required: true}
	want := outline.Outline{
		Name: "shapes", Description: "what it does", SDK: "kfp-2.17.0",
		Root: outline.Component{Kind: "dag", Outputs: []outline.Output{}, Inputs: []outline.Input{
			{Name: "note", Type: "STRING"},
			{Name: "size", Type: "NUMBER_INTEGER", Default: 2.0, Literals: []any{2.0, 4.0}, Description: "how big"},
			{Name: "words", Type: "LIST", Required: true},
		}, Tasks: []outline.Node{
			{Name: "each", DisplayName: "each", Component: "comp-loop", DependsOn: []string{"fetch"},
				Loop: &outline.Loop{Items: "words", Parallelism: 3}, Inputs: []outline.Binding{{Name: "words", From: "words"}}},
			{Name: "fetch", DisplayName: "fetch", Component: "comp-fetch", Cache: true},
			{Name: "last", DisplayName: "last", Component: "comp-say", DependsOn: []string{"each", "say"}, Always: true,
				Condition: "inputs.parameter_values['what'] == 'x'", Inputs: []outline.Binding{{Name: "what", From: "say.Output"}}},
			{Name: "say", DisplayName: "say", Component: "comp-say", Retries: 2, Inputs: []outline.Binding{{Name: "what", From: `"hello"`}}},
		}},
		Components: map[string]outline.Component{
			"comp-say": {Kind: "container", Inputs: []outline.Input{what}, Outputs: []outline.Output{{Name: "Output", Type: "STRING"}},
				Step: &outline.Step{Image: "python:3.11", Command: []string{"sh", "-c", `echo "$0"`, "{{$.inputs.parameters['what']}}"},
					Settings: []outline.Setting{{Name: "CPU limit", Value: "2"}, {Name: "memory limit", Value: "1.5G"}, {Name: "variable MODE", Value: "fast"}}}},
			"comp-fetch": {Kind: "importer", URI: `"s3://x/y"`, Inputs: []outline.Input{},
				Outputs: []outline.Output{{Name: "artifact", Type: "system.Dataset", Artifact: true}}},
			"comp-loop": {Kind: "dag", Outputs: []outline.Output{},
				Inputs: []outline.Input{{Name: "item", Type: "STRING", Required: true}, {Name: "words", Type: "LIST", Required: true}},
				Tasks: []outline.Node{{Name: "say", DisplayName: "say it", Component: "comp-say",
					Inputs: []outline.Binding{{Name: "what", From: "item"}}}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheCommandOfAPythonComponentIsToldAsRequirementsAndCode(t *testing.T) {
	got := outline.Of(parse(t), func(command, args []string) ([]string, string, bool) {
		return []string{"six"}, "def say(): ...", len(command) == 3 && len(args) == 1
	})
	step := got.Components["comp-say"].Step
	if diff := cmp.Diff([]string{"six"}, step.Requirements); diff != "" || step.Code != "def say(): ..." || step.Command != nil {
		t.Errorf("%+v", step)
	}
}
