package declare_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/declare"
	"levada/internal/core/infergraph"
)

const graphText = `kind: graph
name: g
graph:
  description: "yes"
  nodes:
    root:
      router: switch
      steps:
        - node: both
          when: '"a" in row'
          timeout_ms: 50
        - endpoint: b
          version: "2"
    both:
      router: sequence
      steps:
        - endpoint: a
        - name: shape
          before:
            select: [x, y]
`

func TestAGraphIsWrittenAsFilesDeclareIt(t *testing.T) {
	text := strings.NewReplacer(`'"a" in row'`, `"'a' in inputs"`).Replace(graphText)
	d, line, err := declare.ParseGraph("g", text)
	if err != nil {
		t.Fatalf("line %d: %v", line, err)
	}
	written, err := declare.GraphText("g", d.Spec)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := declare.ParseGraph("g", written)
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	if diff := cmp.Diff(d.Spec, again.Spec); diff != "" {
		t.Error(diff)
	}
	want := `kind: graph
name: g
graph:
  description: yes
  nodes:
    both:
      router: sequence
      steps:
        - endpoint: a
        - name: shape
          before:
            select:
              - x
              - y
    root:
      router: switch
      steps:
        - node: both
          when: '''a'' in inputs'
          timeout_ms: 50
        - endpoint: b
          version: "2"
`
	if diff := cmp.Diff(want, written); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongWithAGraphHasItsLine(t *testing.T) {
	good := strings.NewReplacer(`'"a" in row'`, `"'a' in inputs"`).Replace(graphText)
	for name, c := range map[string]struct {
		old, with string
		line      int
		says      string
	}{
		"syntax":         {"router: switch", "router: [switch", 7, "did not find"},
		"unknown field":  {"timeout_ms: 50", "timeout: 50", 11, "no field timeout"},
		"type":           {"timeout_ms: 50", "timeout_ms: soon", 11, "want a whole number"},
		"kind":           {"kind: graph", "kind: endpoint", 1, "kind is"},
		"name":           {"name: g", "name: h", 2, `about "g"`},
		"router":         {"router: switch", "router: fork", 7, "router is"},
		"field of step":  {"timeout_ms: 50", "timeout_ms: -1", 11, "timeout_ms is -1"},
		"condition":      {"'a' in inputs", "'a' in", 10, "when: "},
		"step":           {"- endpoint: b\n          version", "- version", 12, "step 2"},
		"unknown node":   {"node: both", "node: neither", 9, `no node "neither"`},
		"nobody goes":    {"node: both", "endpoint: c", 14, "no request reaches it"},
		"circle":         {"- endpoint: a", "- node: root", 6, "circle"},
		"no root":        {"root:", "first:", 3, `no node "root"`},
		"second":         {"[x, y]", "[x, y]\n---\nkind: graph", 21, "second document"},
		"nothing":        {good, "", 1, "nothing is declared"},
		"no mapping":     {good, "- a", 1, "want a mapping"},
		"empty mapping":  {"select: [x, y]", "select: []", 19, "mapping is empty"},
		"twice the step": {"name: shape", "name: a", 14, "two steps"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.with, 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			_, line, err := declare.ParseGraph("g", text)
			if err == nil || line != c.line || !strings.Contains(err.Error(), c.says) {
				t.Errorf("line %d: %v; want line %d with %q", line, err, c.line, c.says)
			}
		})
	}
}

func TestTheLineOfWhatAServerFindsIsThatOfTheStep(t *testing.T) {
	d, _, err := declare.ParseGraph("g", strings.NewReplacer(`'"a" in row'`, `"'a' in inputs"`).Replace(graphText))
	if err != nil {
		t.Fatal(err)
	}
	c, err := infergraph.Compile("g", d.Spec)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for _, target := range c.Targets() {
		lines[target.Endpoint] = d.LineOf(errorText(target.Place + ": there is no endpoint"))
	}
	if diff := cmp.Diff(map[string]int{"a": 17, "b": 12}, lines); diff != "" {
		t.Error(diff)
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }

func TestAGraphThatIsWrittenOtherwiseHasALineToo(t *testing.T) {
	for _, text := range []string{"kind: graph\nname: g\nGraph:\n  nodes: {}\n", "kind: graph\nname: g\n<<: {graph: {nodes: {}}}\n"} {
		d, line, err := declare.ParseGraph("g", text)
		if line = max(line, d.LineOf(errorText("the graph has no nodes"))); line < 1 {
			t.Errorf("%s: line %d, %v", text, line, err)
		}
	}
}
