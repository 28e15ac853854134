package ir

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/expr"
	"levada/internal/core/fault"
)

// spec is a small pipeline in JSON. The verbs are further fields of pipelineInfo, of the container, of the components
// and of the first task.
const spec = `{"schemaVersion": "2.1.0", "pipelineInfo": {"name": "p"%s},
"deploymentSpec": {"executors": {"e": {"container": {"image": "i"%s}}}},
"components": {"c": {"executorLabel": "e"}%s},
"root": {"dag": {"tasks": {"t": {"componentRef": {"name": "c"}%s}}}}}`

func text(info, container, components, task string) []byte {
	return fmt.Appendf(nil, spec, info, container, components, task)
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestWhatAliasesRepeatIsBoundedInBytes(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	keys := &strings.Builder{}
	for i := range 100 {
		fmt.Fprintf(keys, "%0900d: 1, ", i)
	}
	for name, doc := range map[string]string{
		"values": "a: &a " + long + "\nb: [" + strings.Repeat("*a, ", 8000) + "]\n",
		"keys":   "a: &a {" + keys.String() + "}\nb: [" + strings.Repeat("*a, ", 480) + "]\n",
	} {
		_, err := Parse([]byte(doc))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "YAML aliases expand to more than 33554432 bytes") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheCanonicalFormIsBoundedToo(t *testing.T) {
	_, err := Parse(text(`, "description": "`+strings.Repeat("<", 6<<20)+`"`, "", "", ""))
	if fault.KindOf(err) != fault.TooLarge {
		t.Errorf("got %v, want a TooLarge error", err)
	}
}

func TestAnExecutorIsReadOnceForAllItsComponents(t *testing.T) {
	p, err := Parse(text("", `, "command": ["`+strings.Repeat("{{$.inputs.parameters['pipelinechannel--x']}} {{$.pipeline_root}}", 1000)+`"]`, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{spec: p.Spec, used: map[string][]use{}}
	check := func() {
		if err := c.leaf(nil, p.Spec.Components["c"]); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, check); n > 0 {
		t.Errorf("checking another component allocates %v times", n)
	}
	if n := len(c.used["e"]); n != 0 {
		t.Errorf("%d placeholders are kept that any component may use", n)
	}
}

func TestAComponentIsReadOnceForAllItsTasks(t *testing.T) {
	p, err := Parse(text("", "", `, "d": {"executorLabel": "e", "inputDefinitions": {"parameters": {
		"a": {"parameterType": "LIST", "defaultValue": [`+strings.Repeat("1,", 10_000)+`1]}, "b": {"parameterType": "LIST", "isOptional": true}}}}`, ""))
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{pipeline: p, spec: p.Spec, needs: map[*Component]needs{}}
	task := taskChecker{c, nil, p.Spec.Root, &Task{Inputs: &TaskInputs{}}}
	check := func() {
		if err := task.parameters(p.Spec.Components["d"]); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, check); n > 0 {
		t.Errorf("checking another task allocates %v times", n)
	}
}

func TestPathsAreNotWrittenOutWithoutAnError(t *testing.T) {
	var n yaml.Node
	key := strings.Repeat("k", maxKey)
	if err := yaml.Unmarshal([]byte(key[1:]+": ["+strings.Repeat("1,", 20_000)+"1]"), &n); err != nil {
		t.Fatal(err)
	}
	conv := &plain{}
	if bytes := allocated(func() { _, _ = conv.value(n.Content[0], nil, 0) }); bytes > 10<<20 {
		t.Errorf("reading 20,000 numbers under a long key allocates %d bytes", bytes)
	}
	doc := text("", `, "args": [`+strings.Repeat(`"",`, 20_000)+`""]`, "", "")
	doc = []byte(strings.ReplaceAll(string(doc), `"e"`, `"`+key+`"`))
	var err error
	if bytes := allocated(func() { _, err = Parse(doc) }); err != nil || bytes > 20<<20 {
		t.Errorf("reading 20,000 arguments under a long key allocates %d bytes: %v", bytes, err)
	}
}

func TestMessagesAreShortWhateverTheFileSays(t *testing.T) {
	long := strings.Repeat("né\x01", 20_000)
	short := fmt.Sprintf("%01000d", 7)
	quoted := JSON(long)
	deep := strings.Repeat(`{"`+short+`":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1)
	tasks := &strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(tasks, `}, "t%d": {"componentRef": {"name": "c"}, "dependentTasks": ["t%d"]`, i, (i+1)%1000)
	}
	for name, doc := range map[string][]byte{
		"key":         text(", "+quoted+": 1", "", "", ""),
		"YAML key":    []byte("? " + strings.Repeat("k", 5000) + "\n: 1\n"),
		"anchor":      []byte("a: *" + strings.Repeat("k", 5000)),
		"field":       text(`, "`+short+`": 1`, "", "", ""),
		"deep":        text(`, "x": `+deep, "", "", ""),
		"value":       text("", "", `, "d": {"executorLabel": `+quoted+"}", ""),
		"type":        text("", "", `, "d": {"executorLabel": "e", "inputDefinitions": {"parameters": {"a": {"parameterType": `+quoted+"}}}}", ""),
		"task":        text("", "", "", `, "dependentTasks": [`+quoted+"]"),
		"cycle":       text("", "", "", tasks.String()),
		"placeholder": text("", `, "args": [`+JSON("{{$.inputs.parameters['"+long+"']}}")+"]", "", ""),
		"condition":   text("", "", "", `, "triggerPolicy": {"condition": `+quoted+"}"),
		"duration":    text("", "", "", `, "retryPolicy": {"backoffDuration": `+quoted+"}"),
		"version":     []byte(`{"schemaVersion": [` + quoted + "]}"),
		"other kind":  []byte(`{"apiVersion": 1, "kind": ` + quoted + "}"),
	} {
		_, err := Parse(doc)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %.200v, want an Invalid error", name, err)
		} else if len(err.Error()) > 1024 {
			t.Errorf("%s: the message is %d bytes long: %s", name, len(err.Error()), err)
		} else if strings.ContainsRune(err.Error(), 1) {
			t.Errorf("%s: the message holds a control character: %q", name, err)
		}
		t.Logf("%s: %v", name, err)
	}
}

func TestJSONIsReadAsJSON(t *testing.T) {
	key := strings.Repeat("k", maxKey)
	p, err := Parse(text(`, "description": "\ud83d\ude00`+"\x7f"+`"`, "", `, "d": {"executorLabel": "e", "inputDefinitions": {"parameters": {
		"a": {"parameterType": "STRUCT", "defaultValue": {"`+key+`": 1}}}}}`, ""))
	if err != nil {
		t.Fatal(err)
	}
	if p.Spec.PipelineInfo.Description != "😀\x7f" {
		t.Errorf("the description is %q", p.Spec.PipelineInfo.Description)
	}
	_, err = Parse(text("", "", "", `, "dependentTasks": ["x"]`))
	if err == nil || !strings.Contains(err.Error(), "at root.dag.tasks.t (line 4)") {
		t.Errorf("got %v, want the line", err)
	}
	_, err = Parse(text("", "", `, "`+key+`k": 1`, ""))
	if err == nil || !strings.Contains(err.Error(), "the key is 1025 bytes long; at most 1024 are accepted") {
		t.Errorf("got %v, want the key refused", err)
	}
}

func TestTheDeepestAcceptedPipelineHasACanonicalFormThatIsAccepted(t *testing.T) {
	doc := func(deep int) []byte {
		value := strings.Repeat("[", deep) + strings.Repeat("]", deep)
		return text("", "", `, "d": {"executorLabel": "e", "inputDefinitions": {"parameters": {"a": {"parameterType": "LIST", "defaultValue": `+value+"}}}}", "")
	}
	const above = 6 // components.d.inputDefinitions.parameters.a.defaultValue
	p, err := Parse(doc(maxDepth - above + 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(p.Canonical); err != nil {
		t.Errorf("the canonical form: %v", err)
	}
	if _, err := Parse(doc(maxDepth - above + 2)); err == nil {
		t.Error("a level more is accepted")
	}
}

func TestExpressionsAreCompiledOnceForEachPipeline(t *testing.T) {
	const expr = "1 < 2 && !(2 < 1)"
	p, err := Parse(text("", "", "", `, "triggerPolicy": {"condition": "`+expr+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	eval := func(p *Pipeline) float64 {
		return testing.AllocsPerRun(5, func() {
			if yes, err := p.Condition(expr, nil); !yes || err != nil {
				t.Fatal(yes, err)
			}
		})
	}
	if kept, fresh := eval(p), eval(&Pipeline{}); kept*5 > fresh {
		t.Errorf("a kept expression allocates %v times, a new one %v times", kept, fresh)
	}
	for range 3 {
		if _, err := p.Condition("1 < 3", nil); err != nil || len(p.programs) != 1 {
			t.Errorf("%v; %d expressions are kept, want 1", err, len(p.programs))
		}
	}
}

func TestLongExpressionsAreRefused(t *testing.T) {
	for _, length := range []int{expr.MaxLength, expr.MaxLength + 1} {
		condition := strings.Repeat(" ", length-len("true")) + "true"
		_, err := new(Pipeline).Condition(condition, nil)
		if refused := fault.KindOf(err) == fault.Invalid && strings.Contains(err.Error(), "at most 8192 are accepted"); refused != (length > expr.MaxLength) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func TestTextIsEscapedAtMostTwice(t *testing.T) {
	in := &ExecutorInput{Inputs: ExecutorInputs{ParameterValues: map[string]any{"s": `"`}}}
	for level := range 10 {
		word := fmt.Sprintf("{{$.json_escape[%d].inputs.parameters['s']}}", level)
		got, err := ResolveContainer(&Container{Args: []string{word}}, in, Placeholders{})
		if level > 2 {
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "unknown placeholder") {
				t.Errorf("%s: got %v, %v; want an Invalid error", word, got, err)
			}
			continue
		}
		if want := []string{`"`, `\"`, `\\\"`}[level]; err != nil || got.Args[0] != want {
			t.Errorf("%s: got %v, %v; want %s", word, got, err, want)
		}
	}
}

func TestNumbersThatJSONCannotHoldAreInvalid(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, typ := range []ParameterType{NumberDouble, NumberInteger, String, List, Struct, ""} {
			for _, v := range []any{f, []any{f}, map[string]any{"k": f}} {
				if got, err := Convert(v, typ); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), ", which JSON cannot hold") {
					t.Errorf("%v as %q: got %v, %v; want an Invalid error", v, typ, got, err)
				}
				if fits(v, typ) {
					t.Errorf("%v fits %q", v, typ)
				}
			}
		}
	}
	if _, err := Convert(math.NaN(), NumberDouble); err.Error() != "want NUMBER_DOUBLE, got NaN, which JSON cannot hold" {
		t.Error(err)
	}
	for _, expr := range []string{"0.0 / 0.0", "[1.0 / 0.0]", "{'a': -1.0 / 0.0}"} {
		if got, err := new(Pipeline).Select(expr, ""); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, %v; want an Invalid error", expr, got, err)
		}
	}
}
