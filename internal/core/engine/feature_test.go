package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/run"
)

// parts are components for the specifications below, beside those of spec.
const parts = `
  make: {executorLabel: exec, outputDefinitions: {artifacts: {files: {isArtifactList: true, artifactType: {schemaTitle: system.Dataset}}}}}
  take:
    executorLabel: exec
    inputDefinitions: {artifacts: {file: {artifactType: {schemaTitle: system.Dataset}, isOptional: true}}}
    outputDefinitions: {artifacts: {copy: {artifactType: {schemaTitle: system.Dataset}}}, parameters: {size: {parameterType: NUMBER_INTEGER}}}
  takeall:
    executorLabel: exec
    inputDefinitions: {artifacts: {files: {isArtifactList: true, artifactType: {schemaTitle: system.Dataset}}}, parameters: {sizes: {parameterType: LIST, isOptional: true}}}
  each:
    inputDefinitions: {artifacts: {file: {artifactType: {schemaTitle: system.Dataset}}}}
    outputDefinitions: {artifacts: {copies: {isArtifactList: true, artifactType: {schemaTitle: system.Dataset}}}, parameters: {sizes: {parameterType: LIST}}}
    dag:
      outputs:
        artifacts: {copies: {artifactSelectors: [{producerSubtask: one, outputArtifactKey: copy}]}}
        parameters: {sizes: {valueFromParameter: {producerSubtask: one, outputParameterKey: size}}}
      tasks:
        one: {componentRef: {name: take}, inputs: {artifacts: {file: {componentInputArtifact: file}}}}
  mode:
    executorLabel: exec
    inputDefinitions: {parameters: {mode: {parameterType: STRING, literals: [fast, slow]}, level: {parameterType: NUMBER_INTEGER, isOptional: true, literals: [1, 2]}}}
  branch:
    inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {out: {parameterType: STRING}}, artifacts: {file: {artifactType: {schemaTitle: system.Artifact}}}}
    dag:
      outputs:
        parameters: {out: {valueFromOneof: {parameterSelectors: [{producerSubtask: low, outputParameterKey: out}, {producerSubtask: high, outputParameterKey: out}]}}}
        artifacts: {file: {artifactSelectors: [{producerSubtask: low, outputArtifactKey: file}, {producerSubtask: high, outputArtifactKey: file}]}}
      tasks:
        low:
          componentRef: {name: op1}
          inputs: {parameters: {in: {runtimeValue: {constant: l}}, n: {componentInputParameter: n}}}
          triggerPolicy: {condition: "int(inputs.parameter_values['n']) < 5"}
        high:
          componentRef: {name: op1}
          inputs: {parameters: {in: {runtimeValue: {constant: h}}, n: {componentInputParameter: n}}}
          triggerPolicy: {condition: "int(inputs.parameter_values['n']) >= 5"}
  never:
    outputDefinitions: {parameters: {out: {parameterType: STRING}}, artifacts: {file: {artifactType: {schemaTitle: system.Artifact}}}}
    dag:
      outputs:
        parameters: {out: {valueFromOneof: {parameterSelectors: [{producerSubtask: "no", outputParameterKey: out}]}}}
        artifacts: {file: {artifactSelectors: [{producerSubtask: "no", outputArtifactKey: file}]}}
      tasks: {"no": {componentRef: {name: op1}, inputs: {parameters: {in: {runtimeValue: {constant: x}}}}, triggerPolicy: {condition: "false"}}}
  twostep:
    inputDefinitions: {parameters: {item: {parameterType: STRING}}}
    dag:
      tasks:
        a: {componentRef: {name: op1}, taskInfo: {name: a}, inputs: {parameters: {in: {componentInputParameter: item}}}}
        b: {componentRef: {name: op}, taskInfo: {name: b}, dependentTasks: [a]}
  outer:
    inputDefinitions: {parameters: {item: {parameterType: STRING}}}
    dag: {tasks: {inner: {componentRef: {name: twostep}, retryPolicy: {maxRetryCount: 2}, inputs: {parameters: {item: {componentInputParameter: item}}}}}}
`

// firstTime fails the first attempt of each task whose name is given.
func firstTime(names ...string) func(*run.Step) (run.Values, *run.Failure) {
	tried := map[string]bool{}
	return func(step *run.Step) (run.Values, *run.Failure) {
		if slices.Contains(names, step.TaskName) && !tried[step.TaskPath] {
			tried[step.TaskPath] = true
			return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "once", Task: step.TaskPath}
		}
		return succeed(step)
	}
}

// threeFiles is succeed, but every list of artifacts has three.
func threeFiles(step *run.Step) (run.Values, *run.Failure) {
	out, _ := succeed(step)
	for k, d := range step.Component.OutputDefinitions.Artifacts {
		if d.IsArtifactList {
			out.Artifacts[k] = []run.Artifact{{Name: "f0", URI: "f0"}, {Name: "f1", URI: "f1"}, {Name: "f2", URI: "f2"}}
		}
	}
	return out, nil
}

// What KFP's SDK does not compile, or its backend does not run, but the specification says.
func TestTheSpecificationIsFollowedWhereTheSDKDoesNotReach(t *testing.T) {
	for _, c := range []struct {
		name, root string
		params     map[string]any
		outcome    func(*run.Step) (run.Values, *run.Failure)
		end        run.State
		states     string
		// inputs are "task.input" -> the value, or the names of the artifacts.
		inputs map[string]any
		// launches counts attempts, where a test says so.
		launches map[string]int
	}{
		{
			name: "an artifact iterator runs a container for each artifact and collects what they make",
			root: `
  dag:
    tasks:
      m: {componentRef: {name: make}}
      loop:
        componentRef: {name: take}
        inputs: {artifacts: {all: {taskOutputArtifact: {producerTask: m, outputArtifactKey: files}}}}
        artifactIterator: {items: {inputArtifact: all}, itemInput: file}
        iteratorPolicy: {parallelismLimit: 2}
      t:
        componentRef: {name: takeall}
        inputs:
          artifacts: {files: {taskOutputArtifact: {producerTask: loop, outputArtifactKey: copy}}}
          parameters: {sizes: {taskOutputParameter: {producerTask: loop, outputParameterKey: size}}}
`,
			outcome: threeFiles,
			states:  "m SUCCEEDED\nloop SUCCEEDED\nt SUCCEEDED\nloop/0 SUCCEEDED\nloop/1 SUCCEEDED\nloop/2 SUCCEEDED",
			inputs:  map[string]any{"loop/0.file": "f0", "loop/2.file": "f2", "t.files": "copy copy copy", "t.sizes": []any{1.0, 1.0, 1.0}},
		},
		{
			name: "an artifact iterator over a group, which gives lists itself, flattens artifacts and nests parameters",
			root: `
  dag:
    tasks:
      m: {componentRef: {name: make}}
      loop:
        componentRef: {name: each}
        inputs: {artifacts: {all: {taskOutputArtifact: {producerTask: m, outputArtifactKey: files}}}}
        artifactIterator: {items: {inputArtifact: all}, itemInput: file}
      t:
        componentRef: {name: takeall}
        inputs:
          artifacts: {files: {taskOutputArtifact: {producerTask: loop, outputArtifactKey: copies}}}
`,
			outcome: threeFiles,
			inputs:  map[string]any{"loop/1/one.file": "f1", "t.files": "copy copy copy"},
		},
		{
			name:   "OneOf takes the parameter and the artifact of the task that ran",
			params: map[string]any{"n": 7.0},
			root: `
  inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}}}
  dag:
    tasks:
      one: {componentRef: {name: branch}, inputs: {parameters: {n: {componentInputParameter: n}}}}
      two: {componentRef: {name: branch}, inputs: {parameters: {n: {runtimeValue: {constant: 1}}}}}
      use: {componentRef: {name: op1}, inputs: {parameters: {in: {taskOutputParameter: {producerTask: one, outputParameterKey: out}}}}}
      file: {componentRef: {name: take}, inputs: {artifacts: {file: {taskOutputArtifact: {producerTask: two, outputArtifactKey: file}}}}}
`,
			states: "one SUCCEEDED\ntwo SUCCEEDED\nuse SUCCEEDED\nfile SUCCEEDED\none/high SUCCEEDED\none/low SKIPPED\ntwo/high SKIPPED\ntwo/low SUCCEEDED",
			inputs: map[string]any{"use.in": "high-out", "file.file": "file"},
		},
		{
			name: "a nested group inside a loop is tried again alone",
			root: `
  dag:
    tasks:
      loop: {componentRef: {name: outer}, parameterIterator: {items: {raw: '["x", "y"]'}, itemInput: item}}
`,
			outcome:  firstTime("b"),
			launches: map[string]int{"loop/0/inner/a": 2, "loop/0/inner/b": 2, "loop/1/inner/a": 2, "loop/1/inner/b": 2},
		},
		{
			name: "the retry policy of a loop over a group is that of each iteration",
			root: `
  dag:
    tasks:
      loop:
        componentRef: {name: twostep}
        retryPolicy: {maxRetryCount: 1, backoffDuration: 1s}
        parameterIterator: {items: {raw: '["x", "y"]'}, itemInput: item}
        iteratorPolicy: {parallelismLimit: 1}
`,
			outcome: func(step *run.Step) (run.Values, *run.Failure) {
				if step.TaskPath == "loop/1/b" && step.Attempt == 1 {
					return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: "once"}
				}
				return succeed(step)
			},
			launches: map[string]int{"loop/0/a": 1, "loop/0/b": 1, "loop/1/a": 2, "loop/1/b": 2},
		},
		{
			name: "the retry policy of a loop over a container is that of each iteration, and is used up once",
			root: `
  dag:
    tasks:
      loop:
        componentRef: {name: op1}
        retryPolicy: {maxRetryCount: 2}
        parameterIterator: {items: {raw: '["x"]'}, itemInput: in}
`,
			outcome:  fail("loop"),
			end:      run.Failed,
			launches: map[string]int{"loop/0": 3},
		},
		{
			name:   "a loop reads a string that holds a list, and items of every type",
			params: map[string]any{"text": `["a", 1, {"k": [true]}, null]`},
			root: `
  inputDefinitions: {parameters: {text: {parameterType: STRING}}}
  dag:
    tasks:
      loop:
        componentRef: {name: op1}
        inputs: {parameters: {list: {componentInputParameter: text}}}
        parameterIterator: {items: {inputParameter: list}, itemInput: in}
`,
			inputs: map[string]any{"loop/0.in": "a", "loop/1.in": "1", "loop/2.in": `{"k":[true]}`, "loop/3.in": nil},
		},
		{
			name:   "a loop over something else fails and says so",
			params: map[string]any{"text": `no list`},
			root: `
  inputDefinitions: {parameters: {text: {parameterType: STRING}}}
  dag:
    tasks:
      loop:
        componentRef: {name: op1}
        inputs: {parameters: {list: {componentInputParameter: text}}}
        parameterIterator: {items: {inputParameter: list}, itemInput: in}
`,
			end:    run.Failed,
			states: "loop FAILED: loop \"loop\": want a list to loop over, got no list",
		},
		{
			name:   "a value that is none of the literals fails its task before it starts",
			params: map[string]any{"m": "warp"},
			root: `
  inputDefinitions: {parameters: {m: {parameterType: STRING}}}
  dag:
    tasks:
      bad: {componentRef: {name: mode}, inputs: {parameters: {mode: {componentInputParameter: m}}}}
      good: {componentRef: {name: mode}, inputs: {parameters: {mode: {runtimeValue: {constant: slow}}, level: {runtimeValue: {constant: 2}}}}}
`,
			end: run.Failed,
			states: `bad FAILED: task "bad": its inputs cannot be resolved: parameter "mode": want one of ["fast","slow"], got "warp"
good SUCCEEDED`,
			launches: map[string]int{"good": 1},
		},
		{
			name: "an input that was left out is null in conditions, and OneOf over tasks that were all skipped skips who needs it",
			root: `
  inputDefinitions: {parameters: {who: {parameterType: STRING, isOptional: true}, n: {parameterType: NUMBER_INTEGER, isOptional: true}}}
  dag:
    tasks:
      given:
        componentRef: {name: op}
        inputs: {parameters: {who: {componentInputParameter: who}}}
        triggerPolicy: {condition: "inputs.parameter_values['who'] == 'me'"}
      left:
        componentRef: {name: op}
        inputs: {parameters: {who: {componentInputParameter: who}}}
        triggerPolicy: {condition: "inputs.parameter_values['who'] == null"}
      none: {componentRef: {name: never}}
      needs: {componentRef: {name: op1}, inputs: {parameters: {in: {taskOutputParameter: {producerTask: none, outputParameterKey: out}}}}}
      may: {componentRef: {name: take}, inputs: {artifacts: {file: {taskOutputArtifact: {producerTask: none, outputArtifactKey: file}}}}}
`,
			states: "given SKIPPED\nleft SUCCEEDED\nnone SUCCEEDED\nmay SUCCEEDED\nneeds SKIPPED\nnone/no SKIPPED",
		},
		{
			name: "a selector takes a part of a list, a mapping, a number or a boolean",
			root: `
  dag:
    tasks:
      a:
        componentRef: {name: op1}
        inputs: {parameters: {in: {runtimeValue: {constant: {k: [1, {deep: x}]}}, parameterExpressionSelector: 'struct_value["k"][1]["deep"]'}}}
      b: {componentRef: {name: op1}, inputs: {parameters: {in: {runtimeValue: {constant: [5, 6]}, parameterExpressionSelector: 'list_value[1]'}}}}
      c: {componentRef: {name: op1}, inputs: {parameters: {in: {runtimeValue: {constant: 2}, parameterExpressionSelector: 'number_value * 1.5'}}}}
      d: {componentRef: {name: op1}, inputs: {parameters: {in: {runtimeValue: {constant: true}, parameterExpressionSelector: '!bool_value'}}}}
`,
			inputs: map[string]any{"a.in": "x", "b.in": "6", "c.in": "3", "d.in": "false"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDriver(t, spec(c.root, parts))
			if c.outcome != nil {
				d.outcome = c.outcome
			}
			d.start(c.params)
			if c.end == "" {
				c.end = run.Succeeded
			}
			if got := d.finish(); got != c.end {
				t.Errorf("run is %s, want %s\n%s", got, c.end, d.states())
			}
			if c.states != "" {
				d.wantOutcomes(c.states)
			}
			for _, key := range slices.Sorted(maps.Keys(c.inputs)) {
				if diff := cmp.Diff(c.inputs[key], d.input(key)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			if diff := cmp.Diff(c.launches, d.launches); c.launches != nil && diff != "" {
				t.Errorf("launches (-want +got):\n%s", diff)
			}
		})
	}
}

// wantOutcomes is wantStates with the messages of failures.
func (d *driver) wantOutcomes(want string) {
	d.t.Helper()
	var b strings.Builder
	for line := range strings.Lines(d.states()) {
		path, _, _ := strings.Cut(line, " ")
		b.WriteString(strings.TrimSuffix(line, "\n"))
		if f := d.task(path).Failure; f != nil && d.launches[path] == 0 {
			fmt.Fprintf(&b, ": %s", f.Message)
		}
		b.WriteByte('\n')
	}
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(b.String())); diff != "" {
		d.t.Errorf("states (-want +got):\n%s", diff)
	}
}

// input returns the input "task.name": a parameter's value or the names of artifacts.
func (d *driver) input(key string) any {
	d.t.Helper()
	path, name, _ := strings.Cut(key, ".")
	in := d.task(path).Inputs
	if list, ok := in.Artifacts[name]; ok {
		names := make([]string, len(list))
		for i, a := range list {
			names[i] = a.Name
		}
		return strings.Join(names, " ")
	}
	return in.Parameters[name]
}
