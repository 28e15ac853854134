package ir_test

import (
	"fmt"
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

const valid = `schemaVersion: 2.1.0
pipelineInfo:
  name: pipe
deploymentSpec:
  executors:
    exec-op:
      container:
        image: python:3.11
        command: [echo, "{{$.inputs.parameters['text']}}"]
components:
  comp-op:
    executorLabel: exec-op
    inputDefinitions:
      parameters:
        text: {parameterType: STRING}
        count: {parameterType: NUMBER_INTEGER, isOptional: true}
    outputDefinitions:
      parameters:
        out: {parameterType: STRING}
root:
  inputDefinitions:
    parameters:
      word: {parameterType: STRING, defaultValue: hello}
  dag:
    tasks:
      first:
        componentRef: {name: comp-op}
        inputs: {parameters: {text: {componentInputParameter: word}}}
      second:
        componentRef: {name: comp-op}
        dependentTasks: [first]
        inputs: {parameters: {text: {taskOutputParameter: {producerTask: first, outputParameterKey: out}}}}
`

func TestAMistakeIsRefusedWithItsPlace(t *testing.T) {
	if _, err := ir.Parse([]byte(valid)); err != nil {
		t.Fatalf("the specification without a mistake: %v", err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"empty file", valid, "  \n", "the specification is empty"},
		{"not YAML", "pipelineInfo:\n", "pipelineInfo: [\n", "not valid YAML"},
		{"a list", valid, "- a\n", "the specification is a list"},
		{"three documents", valid, valid + "---\nplatforms: {}\n---\na: 1\n", "more than two YAML documents"},
		{"a Kubernetes resource", valid, "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "a Kubernetes resource (Workflow)"},
		{"no version", "schemaVersion: 2.1.0\n", "", "schemaVersion"},
		{"another version", "schemaVersion: 2.1.0", "schemaVersion: 2.0.0", `at schemaVersion (line 1): unsupported version 2.0.0: want "2.1.0"`},
		{"no name", "name: pipe\n", "description: x\n", "pipelineInfo.name"},
		{"unknown field", "name: pipe\n", "name: pipe\n  nmae: x\n", `pipelineInfo.nmae (line 4): unknown field "nmae"`},
		{"key twice", "name: pipe\n", "name: pipe\n  name: again\n", "pipelineInfo.name (line 4): the key is given twice"},
		{"wrong kind of value", "image: python:3.11", "image: 3", "deploymentSpec.executors.exec-op.container.image (line 8): want a string, got the number 3"},
		{"missing component", "first:\n        componentRef: {name: comp-op}", "first:\n        componentRef: {name: comp-pp}", `root.dag.tasks.first.componentRef.name (line 27): component "comp-pp" is not defined`},
		{"missing executor", "executorLabel: exec-op", "executorLabel: exec-pp", `executor "exec-pp" is not in deploymentSpec.executors`},
		{"unsupported executor", "container:\n        image: python:3.11\n        command: [echo, \"{{$.inputs.parameters['text']}}\"]", "customJob: {a: 1}", "unsupported executor: customJob"},
		{"resolver", "container:\n        image: python:3.11\n        command: [echo, \"{{$.inputs.parameters['text']}}\"]", "resolver: {a: 1}", "unsupported executor: resolver"},
		{"cycle", "first:\n        componentRef: {name: comp-op}\n", "first:\n        componentRef: {name: comp-op}\n        dependentTasks: [second]\n", "cyclic dependency: first -> second -> first"},
		{"unknown dependency", "dependentTasks: [first]", "dependentTasks: [frist]", `depends on task "frist", which is not in this graph`},
		{"unknown producer output", "outputParameterKey: out", "outputParameterKey: uot", `task "first" has no output parameter "uot"`},
		{"missing input", "inputs: {parameters: {text: {componentInputParameter: word}}}", "inputs: {parameters: {}}", `input parameter "text" of component "comp-op" is missing`},
		{"unknown graph input", "componentInputParameter: word", "componentInputParameter: wrod", `the enclosing graph has no input parameter "wrod"`},
		{"wrong constant", "{text: {componentInputParameter: word}}", "{text: {componentInputParameter: word}, count: {runtimeValue: {constant: many}}}", `count.runtimeValue.constant (line 28): want NUMBER_INTEGER, got the string "many"`},
		{"wrong default", "defaultValue: hello", "defaultValue: 7", "word.defaultValue (line 23): want STRING, got the number 7"},
		{"unknown type", "parameterType: NUMBER_INTEGER", "parameterType: NUMBER_COMPLEX", `unknown parameterType "NUMBER_COMPLEX"`},
		{"unknown placeholder", "parameters['text']", "parameters['txet']", `container.command[1] (line 9): {{$.inputs.parameters['txet']}} refers to "txet"`},
		{"task name as path", "first:\n        componentRef", "../first:\n        componentRef", "want letters, digits"},
		{"bad condition", "dependentTasks: [first]", "dependentTasks: [first]\n        triggerPolicy: {condition: \"1 +\"}", "second.triggerPolicy.condition"},
		{"bad retry", "dependentTasks: [first]", "dependentTasks: [first]\n        retryPolicy: {maxRetryCount: -1}", "second.retryPolicy"},
		{"bad duration", "dependentTasks: [first]", "dependentTasks: [first]\n        retryPolicy: {backoffDuration: soon}", `want a duration in seconds such as "30s"`},
		{"component inside itself", "executorLabel: exec-op\n", "dag: {tasks: {again: {componentRef: {name: comp-op}, inputs: {parameters: {text: {componentInputParameter: text}}}}}}\n", "the component contains itself: comp-op -> comp-op"},
		{"alias bomb", "name: pipe\n", "name: pipe\n" + bomb(), "YAML aliases expand to more than"},
		{"alias to itself", "pipelineInfo:\n  name: pipe\n", "pipelineInfo: &x\n  name: pipe\n  description: *x\n", "YAML alias refers to itself"},
		{"deep nesting", "name: pipe\n", "name: pipe\n  description: " + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "\n", "nested more than"},
	} {
		text := strings.Replace(valid, c.old, c.new, 1)
		if text == valid {
			t.Fatalf("%s: the mistake was not made", c.name)
		}
		_, err := ir.Parse([]byte(text))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant an Invalid error with %q", c.name, err, c.want)
		}
	}
	if _, err := ir.Parse(make([]byte, ir.MaxBytes+1)); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("too large: got %v", err)
	}
}

// bomb is a few lines of YAML that mean billions of values.
func bomb() string {
	var b strings.Builder
	b.WriteString("  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 10 {
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	return b.String()
}

func TestAllFormsOfAPackageAreTheSamePipeline(t *testing.T) {
	want, err := ir.Parse([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(string(want.Canonical), `{"pipeline_spec":`), "}")
	for name, text := range map[string]string{
		"JSON":                    inner,
		"JSON with tabs":          strings.ReplaceAll(inner, `,"root"`, ",\n\t\"root\""),
		"wrapped by the API":      string(want.Canonical),
		"wrapped by a Vertex job": `{"displayName": "x", "pipelineSpec": ` + inner + `}`,
	} {
		got, err := ir.Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got.Digest != want.Digest {
			t.Errorf("%s: digest %s, want %s", name, got.Digest, want.Digest)
		}
	}
	emoji := strings.Replace(inner, `"hello"`, `"\ud83d\ude00"`, 1)
	got, err := ir.Parse([]byte(emoji))
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := got.Spec.Root.InputDefinitions.Parameters["word"].Default(); d != "😀" {
		t.Errorf("escaped text is read as %q", d)
	}
}

func TestParametersAreCheckedAgainstThePipelinesInputs(t *testing.T) {
	p, err := ir.Parse([]byte(strings.Replace(valid, "word: {parameterType: STRING, defaultValue: hello}", `word: {parameterType: STRING, defaultValue: hello}
      n: {parameterType: NUMBER_INTEGER}
      size: {parameterType: STRING, defaultValue: S, literals: [S, M, L]}
      maybe: {parameterType: LIST, isOptional: true}`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		given map[string]any
		want  string
	}{
		{map[string]any{}, `parameter "n": missing`},
		{map[string]any{"n": "3"}, `parameter "n": want NUMBER_INTEGER, got the string "3"`},
		{map[string]any{"n": 3.5}, `parameter "n": want NUMBER_INTEGER, got the number 3.5`},
		{map[string]any{"n": 3.0, "m": 1.0}, `parameter "m": pipeline "pipe" has no such input; its inputs are: maybe, n, size, word`},
		{map[string]any{"n": 3.0, "size": "XL"}, `parameter "size": want one of ["S","M","L"], got "XL"`},
		{map[string]any{"n": 3.0, "maybe": map[string]any{}}, `parameter "maybe": want LIST, got a mapping`},
	} {
		if _, err := p.CheckParameters(c.given); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want an Invalid error with %q", c.given, err, c.want)
		}
	}
	got, err := p.CheckParameters(map[string]any{"n": 3.0})
	if err != nil || got["word"] != "hello" || got["size"] != "S" || got["n"] != 3.0 {
		t.Errorf("got %v, %v; want the defaults filled in", got, err)
	}
}
