package infergraph_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"encoding/json"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/infergraph"
)

// spec reads a specification as files have it.
func spec(t testing.TB, text string) infergraph.Spec {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var s infergraph.Spec
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func compile(t testing.TB, text string) *infergraph.Compiled {
	t.Helper()
	c, err := infergraph.Compile("g", spec(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func floats(name string, v ...float64) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.FP64, Shape: []int64{int64(len(v))}}
	for _, f := range v {
		for i := range 8 {
			t.Data = append(t.Data, byte(math.Float64bits(f)>>(8*i)))
		}
	}
	return t
}

func texts(name string, v ...string) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.Bytes, Shape: []int64{int64(len(v))}}
	for _, s := range v {
		t.Data = infer.AppendBytes(t.Data, []byte(s))
	}
	return t
}

func flow(tensors ...infer.Tensor) infergraph.Flow {
	return infergraph.Flow{Tensors: tensors, Content: infer.ContentTable, Answered: true}
}

// shown is data as name, type and values.
func shown(t testing.TB, f infergraph.Flow) map[string]any {
	t.Helper()
	out := map[string]any{}
	for i := range f.Tensors {
		v, err := f.Tensors[i].Values()
		if err != nil {
			t.Fatal(err)
		}
		out[f.Tensors[i].Name] = fmt.Sprint(f.Tensors[i].Datatype, " ", v)
	}
	return out
}

func asked(parameters map[string]any, headers map[string]string, inputs ...infer.Tensor) *infergraph.Asked {
	return infergraph.NewAsked(&infer.Request{Inputs: inputs, Parameters: parameters}, func(n string) string { return headers[n] }, "")
}

func onward() error { return nil }

func TestGraphsThatCannotBeFollowedAreRefusedWithTheNodeAndStep(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing":           {`{}`, `at least one node`},
		"no root":           {`{nodes: {a: {router: sequence, steps: [{endpoint: e}]}}}`, `no node "root"`},
		"unknown router":    {`{nodes: {root: {router: fork, steps: [{endpoint: e}]}}}`, `node "root": router is "fork"`},
		"no steps":          {`{nodes: {root: {router: sequence, steps: []}}}`, `has 0 steps`},
		"a step of nothing": {`{nodes: {root: {router: sequence, steps: [{name: a}]}}}`, `step 1 (a): it does nothing`},
		"two targets":       {`{nodes: {root: {router: sequence, steps: [{endpoint: e, node: root}]}}}`, `an endpoint and a node`},
		"unknown node":      {`{nodes: {root: {router: sequence, steps: [{node: b}]}}}`, `node root, step b: there is no node "b"; there is "root"`},
		"itself":            {`{nodes: {root: {router: sequence, steps: [{node: root}]}}}`, `in a circle: root -> root`},
		"a circle": {`{nodes: {root: {router: sequence, steps: [{node: a}]}, a: {router: ensemble, steps: [{node: b}]},
			b: {router: sequence, steps: [{node: a}]}}}`, `in a circle: a -> b -> a`},
		"not reached":        {`{nodes: {root: {router: sequence, steps: [{endpoint: e}]}, a: {router: sequence, steps: [{endpoint: e}]}}}`, `node "a": no request reaches it`},
		"twice":              {`{nodes: {root: {router: sequence, steps: [{endpoint: e}, {endpoint: e}]}}}`, `two steps are called "e"`},
		"percents":           {`{nodes: {root: {router: splitter, steps: [{endpoint: a, percent: 50}, {endpoint: b, percent: 40}]}}}`, `node "root": the percents add up to 90; want 100`},
		"percent elsewhere":  {`{nodes: {root: {router: switch, steps: [{endpoint: a, percent: 50}]}}}`, `percent is for a splitter`},
		"when elsewhere":     {`{nodes: {root: {router: ensemble, steps: [{endpoint: a, when: "true"}]}}}`, `when is for a switch or a sequence`},
		"not CEL":            {`{nodes: {root: {router: switch, steps: [{endpoint: a, when: "inputs.x[0] >"}]}}}`, `step 1 (a): when: expression "inputs.x[0] >"`},
		"an unknown name":    {`{nodes: {root: {router: switch, steps: [{endpoint: a, when: "input.x[0] > 1"}]}}}`, `undeclared reference to 'input'`},
		"row of a condition": {`{nodes: {root: {router: switch, steps: [{endpoint: a, when: "row.x > 1"}]}}}`, `undeclared reference to 'row'`},
		"never taken":        {`{nodes: {root: {router: switch, steps: [{endpoint: a}, {endpoint: b, when: "true"}]}}}`, `no step after it is ever taken`},
		"first when":         {`{nodes: {root: {router: sequence, steps: [{endpoint: a, when: "true"}]}}}`, `use a switch`},
		"soft switch":        {`{nodes: {root: {router: switch, steps: [{endpoint: a, dependency: soft}]}}}`, `dependency is for a sequence or an ensemble`},
		"merge elsewhere":    {`{nodes: {root: {router: sequence, merge: mean, steps: [{endpoint: a}]}}}`, `merge is for an ensemble`},
		"unknown merge":      {`{nodes: {root: {router: ensemble, merge: max, steps: [{endpoint: a}]}}}`, `merge is "max"`},
		"empty mapping":      {`{nodes: {root: {router: sequence, steps: [{endpoint: a, before: {}}]}}}`, `the mapping is empty`},
		"bad mapping":        {`{nodes: {root: {router: sequence, steps: [{endpoint: a, before: {set: {x: "1 +"}}}]}}}`, `before: set "x": expression`},
		"deep":               {deep(11), `inside of 11 nodes at once; at most 10`},
		"wide":               {wide(11), `could ask 110 endpoints; at most 100`},
	}
	for name, tt := range tests {
		_, err := infergraph.Compile("g", spec(t, tt.text))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
	}
	for _, fine := range []string{deep(10), wide(10)} {
		compile(t, fine)
	}
}

// deep is a chain of nodes.
func deep(n int) string {
	var b strings.Builder
	b.WriteString("root: n1\nnodes:\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  n%d: {router: sequence, steps: [{node: n%d}]}\n", i, i+1)
	}
	fmt.Fprintf(&b, "  n%d: {router: sequence, steps: [{endpoint: e}]}\n", n)
	return b.String()
}

// wide is an ensemble of ensembles of ten endpoints.
func wide(n int) string {
	var b strings.Builder
	var outer []string
	b.WriteString("nodes:\n")
	for i := range n {
		outer = append(outer, fmt.Sprintf("{node: n%d}", i))
		var inner []string
		for j := range 10 {
			inner = append(inner, fmt.Sprintf("{endpoint: e%d}", j))
		}
		fmt.Fprintf(&b, "  n%d: {router: ensemble, steps: [%s]}\n", i, strings.Join(inner, ", "))
	}
	fmt.Fprintf(&b, "  root: {router: ensemble, steps: [%s]}\n", strings.Join(outer, ", "))
	return b.String()
}

func TestASwitchTakesTheFirstStepWhoseConditionHolds(t *testing.T) {
	c := compile(t, `
nodes:
  root:
    router: switch
    steps:
    - {endpoint: german, when: 'parameters.country == "de"'}
    - {endpoint: gold, when: 'headers["x-tier"] == "gold"'}
    - {endpoint: long, when: 'inputs.words[0] > 100.0 && size(request.words) == 2'}
    - {endpoint: named, when: '"name" in inputs && inputs.name.exists(n, n == "é")'}`)
	words := func(v float64) infergraph.Flow { return flow(floats("words", v, 1)) }
	tests := []struct {
		in      infergraph.Flow
		params  map[string]any
		headers map[string]string
		want    string
	}{
		{words(7), map[string]any{"country": "de"}, nil, "german"},
		{words(7), map[string]any{"country": "fr"}, map[string]string{"x-tier": "gold"}, "gold"},
		{words(700), map[string]any{"country": "fr"}, nil, "long"},
		{flow(floats("words", 1, 1), texts("name", "a", "é")), map[string]any{"country": "fr"}, nil, "named"},
	}
	for _, tt := range tests {
		s, err := c.Root().Taken(tt.in, asked(tt.params, tt.headers, tt.in.Tensors...))
		if err != nil || s.Name != tt.want {
			t.Errorf("%v: %v; want %s", s, err, tt.want)
		}
	}
	in := words(7)
	_, err := c.Root().Taken(in, asked(map[string]any{"country": "fr"}, nil, in.Tensors...))
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "node root: none of its 4 conditions holds") {
		t.Errorf("%v", err)
	}
	_, err = c.Root().Taken(in, asked(nil, nil, in.Tensors...))
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "node root, step german") || !strings.Contains(err.Error(), "no such key: country") {
		t.Errorf("%v", err)
	}
}

func TestASplitterFollowsItsWeightsAndKeysStick(t *testing.T) {
	c := compile(t, `{nodes: {root: {router: splitter, sticky: true, steps: [{endpoint: a, percent: 75}, {endpoint: b, percent: 25}]}}}`)
	counts, keyed := map[string]int{}, map[string]int{}
	const n = 20_000
	for i := range n {
		counts[c.Root().Drawn(asked(nil, nil), uint64(i)*0x9e3779b97f4a7c15).Name]++
		user := asked(nil, map[string]string{"X-Levada-Key": fmt.Sprint("user-", i)})
		s := c.Root().Drawn(user, uint64(i))
		keyed[s.Name]++
		if again := c.Root().Drawn(user, ^uint64(i)); again != s {
			t.Fatalf("key %d moved from %s to %s", i, s.Name, again.Name)
		}
	}
	for _, got := range []map[string]int{counts, keyed} {
		// Five standard deviations of a binomial share of 75 % are 306.
		if d := math.Abs(float64(got["a"]) - 0.75*n); d > 306 || got["a"]+got["b"] != n {
			t.Errorf("%v", got)
		}
	}
}

func TestMappingsSetRenameAndSelect(t *testing.T) {
	c := compile(t, `
nodes:
  root:
    router: sequence
    steps:
    - name: map
      before:
        set:
          speed: row.distance / row.hours
          far: row.distance > 100.0
          label: 'row.name + "/" + parameters.unit + headers.x'
          whole: "7"
          both: "[row.distance, row.hours]"
          distance: row.distance * 1000.0
          share: row.hours / inputs.hours[1]
        rename: {name: who}
        select: [who, speed, far, label, whole, both, distance, share]`)
	in := flow(floats("distance", 90, 120), floats("hours", 1, 2), texts("name", "é", ""))
	a := asked(map[string]any{"unit": "km"}, map[string]string{"x": "!"}, in.Tensors...)
	out, err := c.Root().Steps[0].Prepare(in, a, onward)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"who": "BYTES [é ]", "speed": "FP64 [90 60]", "far": "BOOL [false true]", "label": "BYTES [é/km! /km!]", "whole": "INT64 [7 7]",
		"both": "FP64 [[90 1] [120 2]]", "distance": "FP64 [90000 120000]", "share": "FP64 [0.5 1]"}
	if diff := cmp.Diff(want, shown(t, out)); diff != "" || !out.Untyped || out.Tensors[0].Name != "who" || !cmp.Equal(out.Tensors[5].Shape, []int64{2, 2}) {
		t.Errorf("%s\n%+v", diff, out)
	}
	if diff := cmp.Diff(map[string]any{"distance": "FP64 [90 120]", "hours": "FP64 [1 2]", "name": "BYTES [é ]"}, shown(t, in)); diff != "" {
		t.Errorf("the input has changed: %s", diff)
	}
}

func TestMappingsThatCannotBeMadeSayWhy(t *testing.T) {
	tests := map[string]struct {
		mapping string
		want    string
	}{
		"select":       {`select: [z]`, `select: there is no column "z"; there is "x", "name"`},
		"rename":       {`rename: {z: y}`, `rename: there is no column "z"`},
		"same name":    {`rename: {x: name}`, `two columns would be called "name"`},
		"no column":    {`set: {y: row.z + 1.0}`, `set "y", row 0`},
		"by zero":      {`set: {y: "int(row.x) / 0"}`, `set "y", row 0`},
		"mixed types":  {`set: {y: 'row.x > 1.0 ? dyn("a") : dyn(1)'}`, `set "y": value 1 is of another type`},
		"ragged lists": {`set: {y: 'row.x > 1.0 ? [1.0] : [1.0, 2.0]'}`, `row 1: want a list of 2 values`},
		"a map":        {`set: {y: '{"a": 1}'}`, `it gives a map`},
	}
	in := flow(floats("x", 1, 2), texts("name", "a", "b"))
	for name, tt := range tests {
		c := compile(t, `{nodes: {root: {router: sequence, steps: [{name: m, before: {`+tt.mapping+`}}]}}}`)
		_, err := c.Root().Steps[0].Prepare(in, asked(nil, nil), onward)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
	}
	c := compile(t, `{nodes: {root: {router: sequence, steps: [{name: m, before: {set: {y: row.x}}}]}}}`)
	flowing := c
	many := infer.Tensor{Name: "x", Datatype: infer.Bool, Shape: []int64{1<<20 + 1}, Data: make([]byte, 1<<20+1)}
	if _, err := c.Root().Steps[0].Prepare(flow(many), asked(nil, nil), onward); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "1048577 rows") {
		t.Errorf("%v", err)
	}
	s := compile(t, `{nodes: {root: {router: switch, steps: [{endpoint: a, when: "inputs.x[0]"}]}}}`)
	if _, err := s.Root().Taken(flow(many), asked(nil, nil)); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "at most 1048576 values") {
		t.Errorf("%v", err)
	}
	c = compile(t, `{nodes: {root: {router: sequence, steps: [{name: m, before: {set: {y: inputs.x}}}]}}}`)
	if _, err := c.Root().Steps[0].Prepare(flow(floats("x", make([]float64, 2000)...)), asked(nil, nil), onward); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "more than 1048576 values") {
		t.Errorf("%v", err)
	}
	gone := errors.New("the client has gone")
	_, err := flowing.Root().Steps[0].Prepare(flow(floats("x", make([]float64, 1000)...)), asked(nil, nil), func() error { return gone })
	if !errors.Is(err, gone) {
		t.Errorf("a mapping of many rows does not stop: %v", err)
	}
}

func TestAnswersOfAnEnsembleBecomeOne(t *testing.T) {
	steps := `steps: [{endpoint: a}, {endpoint: b}, {endpoint: c, dependency: soft}]`
	whole := infer.Tensor{Name: "y", Datatype: infer.Int64, Shape: []int64{2}, Data: append([]byte{2, 0, 0, 0, 0, 0, 0, 0}, 5, 0, 0, 0, 0, 0, 0, 0)}
	one := func(v ...float64) *infergraph.Flow { f := flow(floats("y", v...)); return &f }
	words := func(v ...string) *infergraph.Flow { f := flow(texts("y", v...)); return &f }
	numbers := flow(whole)
	two := flow(floats("y", 1, 2), floats("p", 3, 4))
	tests := []struct {
		merge   string
		answers []*infergraph.Flow
		want    map[string]any
		err     string
	}{
		{"all", []*infergraph.Flow{one(1, 2), &two, nil}, map[string]any{"a": "FP64 [1 2]", "b.y": "FP64 [1 2]", "b.p": "FP64 [3 4]"}, ""},
		{"mean", []*infergraph.Flow{one(1, 2), &numbers, one(3, 5)}, map[string]any{"y": "FP64 [2 4]"}, ""},
		{"mean", []*infergraph.Flow{one(1, 2), nil, one(3, 5)}, map[string]any{"y": "FP64 [2 3.5]"}, ""},
		{"vote", []*infergraph.Flow{words("x", "y"), words("z", "z"), words("z", "w")}, map[string]any{"y": "BYTES [z y]"}, ""},
		{"vote", []*infergraph.Flow{one(1, 5), &numbers, one(2, 9)}, map[string]any{"y": "FP64 [2 5]"}, ""},
		{"mean", []*infergraph.Flow{words("x"), words("x"), nil}, nil, "a mean is of numbers"},
		{"mean", []*infergraph.Flow{one(1, 2), one(1), nil}, nil, "shape [2] in step a and [1] in step b"},
		{"vote", []*infergraph.Flow{one(1, 2), words("1", "2"), nil}, nil, "FP64 in one step and BYTES in another"},
		{"vote", []*infergraph.Flow{one(1, 2), &two, nil}, nil, "want the same outputs"},
		{"all", []*infergraph.Flow{nil, nil, nil}, nil, "none of its steps has answered"},
	}
	for i, tt := range tests {
		c := compile(t, `{nodes: {root: {router: ensemble, merge: `+tt.merge+`, `+steps+`}}}`)
		got, err := c.Root().Merged(tt.answers)
		if tt.err != "" {
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d: %v; want %s", i, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, shown(t, got)); err != nil || diff != "" {
			t.Errorf("%d: %v %s", i, err, diff)
		}
		for j := range got.Tensors {
			if err := got.Tensors[j].Check(); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
}

func signature(t testing.TB, inputs, outputs string) *infer.Signature {
	t.Helper()
	s, err := infer.ParseSignature(inputs, outputs, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStepsWhoseTypesCanNeverFitAreRefused(t *testing.T) {
	numbers := `[{"name": "a", "type": "double"}, {"name": "b", "type": "double"}]`
	signatures := map[string]*infer.Signature{
		"numbers": signature(t, numbers, numbers),
		"matrix":  signature(t, numbers, `[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}]`),
		"words":   signature(t, numbers, `[{"name": "word", "type": "string"}]`),
		"flags":   signature(t, `[{"name": "word", "type": "boolean"}]`, numbers),
		"dates":   signature(t, `[{"name": "word", "type": "datetime"}]`, numbers),
		"only":    signature(t, `[{"name": "x", "type": "string"}]`, numbers),
		"three":   signature(t, `[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}]`, numbers),
		"four":    signature(t, `[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]`, numbers),
	}
	sequence := func(steps string) string { return `{nodes: {root: {router: sequence, steps: [` + steps + `]}}}` }
	tests := map[string]struct{ text, want string }{
		"fits":              {sequence(`{endpoint: numbers}, {endpoint: words}, {endpoint: only}`), ""},
		"missing":           {sequence(`{endpoint: words}, {endpoint: numbers}`), `node root, step numbers: what it gets can never be what endpoint "numbers" takes`},
		"not a type":        {sequence(`{endpoint: words}, {endpoint: flags}`), `boolean is wanted`},
		"a text as date":    {sequence(`{endpoint: words}, {endpoint: dates}`), ""},
		"unknown":           {sequence(`{endpoint: nobody}, {endpoint: numbers}`), ""},
		"shape":             {sequence(`{endpoint: matrix}, {endpoint: three}`), ""},
		"other shape":       {sequence(`{endpoint: matrix}, {endpoint: four}`), `step four: what it gets`},
		"mapped":            {sequence(`{endpoint: numbers}, {endpoint: only, before: {set: {x: '"a"'}, select: [x]}}`), ""},
		"renamed away":      {sequence(`{endpoint: numbers, after: {rename: {a: c}}}, {endpoint: words}`), `requires inputs that did not come: "a"`},
		"selects nothing":   {sequence(`{endpoint: numbers, after: {select: [z]}}, {endpoint: words}`), `step numbers: select: there is no column "z"`},
		"depends on values": {sequence(`{endpoint: numbers, after: {set: {q: "1.0 / parameters.x"}}}, {endpoint: only}`), ""},
		"the request":       {sequence(`{endpoint: words}, {endpoint: numbers, data: $request}`), ""},
		"through an ensemble": {`{nodes: {root: {router: sequence, steps: [{node: both}, {endpoint: only}]},
			both: {router: ensemble, steps: [{endpoint: words}, {endpoint: numbers}]}}}`, `requires inputs that did not come: "x"`},
		"through a switch": {`{nodes: {root: {router: sequence, steps: [{node: one}, {endpoint: numbers}]},
			one: {router: switch, steps: [{endpoint: words, when: "true"}, {name: w2, endpoint: words}]}}}`, `step numbers: what it gets`},
		"through an uncertain switch": {`{nodes: {root: {router: sequence, steps: [{node: one}, {endpoint: numbers}]},
			one: {router: switch, steps: [{endpoint: words, when: "true"}, {endpoint: numbers}]}}}`, ""},
	}
	for name, tt := range tests {
		err := compile(t, tt.text).Fits(func(endpoint, _ string) *infer.Signature { return signatures[endpoint] })
		if (tt.want == "") != (err == nil) || err != nil && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
}

func TestTargetsAreHardWhereOneStepNeedsThem(t *testing.T) {
	c := compile(t, `
nodes:
  root: {router: sequence, steps: [{node: more, dependency: soft}, {endpoint: a}]}
  more: {router: ensemble, steps: [{endpoint: a}, {endpoint: b, version: "3"}]}`)
	want := []infergraph.Target{
		{Endpoint: "a", Place: "node more, step a"}, {Endpoint: "b", Version: "3", Place: "node more, step b", Soft: true},
	}
	if diff := cmp.Diff(want, c.Targets()); diff != "" {
		t.Error(diff)
	}
}
