package ir_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/ir"
)

// Compiled pipelines are written by PyYAML, which knows YAML 1.1: what it leaves without quotes is a string for it, though YAML
// 1.2 would read a number.
func TestScalarsMeanWhatPyYAMLMeansByThem(t *testing.T) {
	for _, c := range []struct {
		plain string
		want  any
	}{
		{"08", "08"}, {"00089", "00089"}, {"1e5", "1e5"}, {"1e-5", "1e-5"}, {"1.5e3", "1.5e3"}, {"0o7", "0o7"}, {"-.5", "-.5"}, {"12e03", "12e03"},
		{"1.0e+21", 1e21}, {"1.0e-05", 1e-5}, {"7", 7.0}, {"-7", -7.0}, {"0.5", 0.5}, {"5.", 5.0}, {".5", 0.5}, {"1_000", 1000.0}, {"0x1F", 31.0},
		{"true", true}, {"yes", "yes"}, {"'7'", "7"}, {"!!float 7", 7.0}, {"~", nil},
	} {
		text := strings.Replace(valid, "{text: {componentInputParameter: word}}",
			"{text: {componentInputParameter: word}, pipelinechannel--x: {runtimeValue: {constant: "+c.plain+"}}}", 1)
		p, err := ir.Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", c.plain, err)
			continue
		}
		got, err := p.Spec.Root.DAG.Tasks["first"].Inputs.Parameters["pipelinechannel--x"].RuntimeValue.Value()
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.plain, err, diff)
		}
	}
}

// Other writers leave out the point that PyYAML wants in a number with an exponent.
func TestADefaultThatReadsAsTextIsTheNumberItHolds(t *testing.T) {
	text := strings.Replace(valid, "word: {parameterType: STRING, defaultValue: hello}",
		"word: {parameterType: STRING, defaultValue: hello}\n      rate: {parameterType: NUMBER_DOUBLE, defaultValue: 1e-05}", 1)
	p, err := ir.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := p.Spec.Root.InputDefinitions.Parameters["rate"].Default(); got != 1e-5 {
		t.Errorf("got %v, want 1e-05", got)
	}
}

// kfp 2.17 binds an input of an outer loop to the item of an inner one, which does not exist there, when an f-string mentions it.
func TestABindingToNothingThatNothingUsesIsIgnored(t *testing.T) {
	const nested = `
  group:
    inputDefinitions: {parameters: {stray: {parameterType: STRING}}}
    dag:
      tasks:
        inner: {componentRef: {name: comp-op}, inputs: {parameters: {text: {runtimeValue: {constant: x}}}}}
root:
  dag:
    tasks:
      outer: {componentRef: {name: group}, inputs: {parameters: {stray: {componentInputParameter: nowhere}}}}
`
	begin, _, _ := strings.Cut(valid, "root:")
	if _, err := ir.Parse([]byte(begin + strings.TrimPrefix(nested, "\n"))); err != nil {
		t.Error(err)
	}
	used := strings.Replace(nested, "runtimeValue: {constant: x}", "componentInputParameter: stray", 1)
	if _, err := ir.Parse([]byte(begin + strings.TrimPrefix(used, "\n"))); err == nil || !strings.Contains(err.Error(), `no input parameter "nowhere"`) {
		t.Errorf("a binding to nothing that is used: got %v", err)
	}
}

func TestOnlyNamesOfTheRunAndTheTaskAreReplacedInValues(t *testing.T) {
	in := map[string]any{"text": "{{$.inputs.parameters['a']}} {{$.pipeline_job_name}} {{$.inputs.parameters['b']}} {{$.nonsense}} {{$}} {{$.outputs.output_file}}",
		"list": []any{"{{$.inputs.parameters['n']}}", 1.0}}
	got, err := ir.ExpandValue(in, map[string]any{"a": "{{$.inputs.parameters['n']}}", "n": 2.0}, job)
	want := map[string]any{"text": "{{$.inputs.parameters['n']}} job {{$.inputs.parameters['b']}} {{$.nonsense}} {{$}} {{$.outputs.output_file}}", "list": []any{"2", 1.0}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAConstantMustBeOneOfTheLiterals(t *testing.T) {
	text := strings.NewReplacer("isOptional: true", "isOptional: true, literals: [1, 2]",
		"{text: {componentInputParameter: word}}", "{text: {componentInputParameter: word}, count: {runtimeValue: {constant: 3}}}").Replace(valid)
	if _, err := ir.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "count.runtimeValue.constant (line 28): want one of [1,2], got 3") {
		t.Errorf("got %v", err)
	}
	if _, err := ir.Parse([]byte(strings.Replace(text, "constant: 3", "constant: 2", 1))); err != nil {
		t.Error(err)
	}
}

// kfp 2.17 forgets to hand the item of an outer loop down to an inner one when only an f-string mentions it.
func TestTheItemOfAnOuterLoopIsHandedDown(t *testing.T) {
	begin, _, _ := strings.Cut(valid, "root:")
	text := begin + `  middle:
    dag: {tasks: {deeper: {componentRef: {name: innermost}}}}
  innermost:
    dag:
      tasks:
        say: {componentRef: {name: comp-op}, inputs: {parameters: {pipelinechannel--item: {componentInputParameter: pipelinechannel--item}, text: {runtimeValue: {constant: "{{$.inputs.parameters['pipelinechannel--item']}}"}}}}}
  loop:
    inputDefinitions: {parameters: {pipelinechannel--item: {parameterType: STRING}}}
    dag: {tasks: {down: {componentRef: {name: middle}}}}
root:
  dag: {tasks: {loop: {componentRef: {name: loop}, parameterIterator: {items: {raw: '["a"]'}, itemInput: pipelinechannel--item}}}}
`
	p, err := ir.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for component, task := range map[string]string{"loop": "down", "middle": "deeper", "innermost": "say"} {
		if b := p.Spec.Components[component].DAG.Tasks[task].Inputs.Parameters["pipelinechannel--item"]; b == nil || b.ComponentInputParameter != "pipelinechannel--item" {
			t.Errorf("%s/%s is not given the item: %+v", component, task, b)
		}
	}
	if _, err := ir.Parse([]byte(strings.ReplaceAll(text, "itemInput: pipelinechannel--item", "itemInput: pipelinechannel--other"))); err == nil {
		t.Error("an item that no graph has is accepted")
	}
}
