package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"levada/internal/core/ir"
)

// generator makes random pipelines of everything that the KFP compiler writes: nested graphs, conditions, loops over constants,
// over lists that steps make and over artifacts, exit handlers, tasks that ignore failures before them, OneOf and Collected
// outputs, retries of tasks and groups, limits of parallelism, cached tasks, optional inputs, importers.
type generator struct {
	rng   *rand.Rand
	spec  *ir.Spec
	comps int
	// leaves bounds the size of the pipeline.
	leaves int
}

// The types of what tasks hand to each other. An artifact list is not the same as an artifact.
const (
	artifact     ir.ParameterType = "artifact"
	artifactList ir.ParameterType = "artifact list"
)

// source is a value that tasks of a graph can have: the output of a task before, or an input of the graph.
type source struct {
	typ    ir.ParameterType
	task   string // empty for an input of the graph
	name   string
	absent bool // may not be there: it comes from an optional input
}

// Generate returns the pipeline of a seed.
func Generate(seed uint64) (*ir.Pipeline, error) {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 0x6c657661)), comps: 0}
	if g.leaves = 1 + g.rng.IntN(5); g.rng.IntN(6) == 0 {
		g.leaves += 6
	}
	g.spec = &ir.Spec{SchemaVersion: "2.1.0", PipelineInfo: ir.PipelineInfo{Name: fmt.Sprintf("generated-%d", seed)}, Components: map[string]*ir.Component{}}
	g.leafComponents()
	g.spec.Root = g.graph(0, rootInputs(), g.rng.IntN(3) == 0)
	body, err := json.Marshal(g.spec)
	if err != nil {
		return nil, err
	}
	return ir.Parse(body)
}

func rootInputs() *ir.InputDefinitions {
	return &ir.InputDefinitions{Parameters: map[string]*ir.InputParameter{
		"text":   {ParameterType: ir.String, DefaultValue: json.RawMessage(`"a"`)},
		"number": {ParameterType: ir.NumberInteger, DefaultValue: json.RawMessage(`1`)},
		"items":  {ParameterType: ir.List, DefaultValue: json.RawMessage(`["a","b"]`)},
		"maybe":  {ParameterType: ir.String, IsOptional: true},
	}}
}

// leafComponents declares what steps can be. All of them give the same outputs.
func (g *generator) leafComponents() {
	outputs := func() *ir.OutputDefinitions {
		return &ir.OutputDefinitions{
			Parameters: map[string]*ir.OutputParameter{"text": {ParameterType: ir.String}, "number": {ParameterType: ir.NumberInteger}, "items": {ParameterType: ir.List}},
			Artifacts:  map[string]*ir.OutputArtifact{"file": {ArtifactType: ir.ArtifactType{SchemaTitle: "system.Dataset", SchemaVersion: "0.0.1"}}},
		}
	}
	dataset := ir.ArtifactType{SchemaTitle: "system.Dataset", SchemaVersion: "0.0.1"}
	leaf := func(name string, params map[string]*ir.InputParameter, artifacts map[string]*ir.InputArtifact) {
		g.spec.Components[name] = &ir.Component{
			ExecutorLabel: "exec-" + name, OutputDefinitions: outputs(),
			InputDefinitions: &ir.InputDefinitions{Parameters: params, Artifacts: artifacts},
		}
	}
	g.spec.DeploymentSpec.Executors = map[string]*ir.Executor{}
	for _, name := range []string{"source", "map", "count", "merge", "status"} {
		g.spec.DeploymentSpec.Executors["exec-"+name] = &ir.Executor{Container: &ir.Container{Image: "image", Command: []string{"run", name}}}
	}
	leaf("source", nil, nil)
	leaf("map", map[string]*ir.InputParameter{
		"text": {ParameterType: ir.String}, "extra": {ParameterType: ir.String, IsOptional: true},
		"dflt": {ParameterType: ir.String, IsOptional: true, DefaultValue: json.RawMessage(`"d"`)},
	}, map[string]*ir.InputArtifact{"data": {ArtifactType: dataset, IsOptional: true}})
	leaf("count", map[string]*ir.InputParameter{"number": {ParameterType: ir.NumberInteger}}, map[string]*ir.InputArtifact{"data": {ArtifactType: dataset, IsOptional: true}})
	leaf("merge", map[string]*ir.InputParameter{"items": {ParameterType: ir.List}}, map[string]*ir.InputArtifact{"files": {ArtifactType: dataset, IsArtifactList: true, IsOptional: true}})
	leaf("status", map[string]*ir.InputParameter{
		"status": {ParameterType: ir.TaskFinalStatus, IsOptional: true}, "extra": {ParameterType: ir.String, IsOptional: true},
	}, nil)
	uri := "gs://bucket/given"
	g.spec.DeploymentSpec.Executors["exec-import"] = &ir.Executor{Importer: &ir.Importer{
		ArtifactURI: ir.ValueOrRuntime{Constant: json.RawMessage(strconv.Quote(uri))}, TypeSchema: dataset,
	}}
	g.spec.Components["import"] = &ir.Component{
		ExecutorLabel: "exec-import", InputDefinitions: &ir.InputDefinitions{},
		OutputDefinitions: &ir.OutputDefinitions{Artifacts: map[string]*ir.OutputArtifact{"artifact": {ArtifactType: dataset}}},
	}
}

// graph makes a component of tasks.
func (g *generator) graph(depth int, in *ir.InputDefinitions, exitHandler bool) *ir.Component {
	c := &ir.Component{InputDefinitions: in, OutputDefinitions: &ir.OutputDefinitions{}, DAG: &ir.DAG{Tasks: map[string]*ir.Task{}, Outputs: &ir.DAGOutputs{}}}
	var have []source
	for _, name := range sorted(in.Parameters) {
		have = append(have, source{typ: in.Parameters[name].ParameterType, name: name, absent: in.Parameters[name].IsOptional})
	}
	for _, name := range sorted(in.Artifacts) {
		typ := artifact
		if in.Artifacts[name].IsArtifactList {
			typ = artifactList
		}
		have = append(have, source{typ: typ, name: name})
	}
	var names []string
	add := func(prefix string, t *ir.Task) {
		name := fmt.Sprintf("%s%d", prefix, len(names))
		t.TaskInfo.Name = name
		c.DAG.Tasks[name] = t
		names = append(names, name)
		have = append(have, g.outputsOf(name, t)...)
	}
	if exitHandler {
		g.exitHandler(c, &names)
	}
	for n := 1 + g.rng.IntN(4); n > 0 && (g.leaves > 0 || len(names) == 0); n-- {
		t, prefix := g.task(depth, have)
		g.policies(t, names)
		add(prefix, t)
	}
	g.outputs(c, names)
	return c
}

// exitHandler adds a group and the task that runs after it whatever happens.
func (g *generator) exitHandler(c *ir.Component, names *[]string) {
	body := g.group(g.graph(1, &ir.InputDefinitions{}, false))
	body.TaskInfo.Name = "exit-handler-1"
	g.leaves--
	handler := &ir.Task{
		TaskInfo: ir.TaskInfo{Name: "at-exit"}, ComponentRef: ir.ComponentRef{Name: "status"}, DependentTasks: []string{"exit-handler-1"},
		TriggerPolicy: &ir.TriggerPolicy{Strategy: ir.AllUpstreamCompleted},
		Inputs:        &ir.TaskInputs{Parameters: map[string]*ir.TaskParameter{"status": {TaskFinalStatus: &ir.FinalStatusOf{ProducerTask: "exit-handler-1"}}}},
	}
	c.DAG.Tasks["exit-handler-1"], c.DAG.Tasks["at-exit"] = body, handler
	*names = append(*names, "exit-handler-1")
}

// group registers a component of tasks and returns a task of it without inputs.
func (g *generator) group(c *ir.Component) *ir.Task {
	g.comps++
	name := fmt.Sprintf("comp-group-%d", g.comps)
	g.spec.Components[name] = c
	return &ir.Task{ComponentRef: ir.ComponentRef{Name: name}, Inputs: &ir.TaskInputs{}}
}

// task makes a leaf, a group or a loop.
func (g *generator) task(depth int, have []source) (*ir.Task, string) {
	if depth < 3 && g.leaves > 1 {
		switch g.rng.IntN(10) {
		case 0, 1:
			in, inputs := g.handDown(have)
			t := g.group(g.graph(depth+1, in, false))
			t.Inputs = inputs
			return t, "group-"
		case 2, 3, 4:
			return g.loop(depth, have), "loop-"
		}
	}
	return g.leaf(have), "task-"
}

// handDown chooses inputs for a group among what there is.
func (g *generator) handDown(have []source) (*ir.InputDefinitions, *ir.TaskInputs) {
	defs := &ir.InputDefinitions{Parameters: map[string]*ir.InputParameter{}, Artifacts: map[string]*ir.InputArtifact{}}
	inputs := &ir.TaskInputs{Parameters: map[string]*ir.TaskParameter{}, Artifacts: map[string]*ir.TaskArtifact{}}
	for i := g.rng.IntN(4); i > 0 && len(have) > 0; i-- {
		s := have[g.rng.IntN(len(have))]
		name := fmt.Sprintf("in%d", i)
		switch s.typ {
		case artifact, artifactList:
			defs.Artifacts[name] = &ir.InputArtifact{ArtifactType: ir.ArtifactType{SchemaTitle: "system.Dataset"}, IsArtifactList: s.typ == artifactList, IsOptional: g.rng.IntN(4) == 0}
			inputs.Artifacts[name] = artifactFrom(s)
		default:
			defs.Parameters[name] = &ir.InputParameter{ParameterType: s.typ, IsOptional: s.absent || g.rng.IntN(5) == 0}
			inputs.Parameters[name] = parameterFrom(s)
		}
	}
	return defs, inputs
}

func parameterFrom(s source) *ir.TaskParameter {
	if s.task == "" {
		return &ir.TaskParameter{ComponentInputParameter: s.name}
	}
	return &ir.TaskParameter{TaskOutputParameter: &ir.TaskOutputParameter{ProducerTask: s.task, OutputParameterKey: s.name}}
}

func artifactFrom(s source) *ir.TaskArtifact {
	if s.task == "" {
		return &ir.TaskArtifact{ComponentInputArtifact: s.name}
	}
	return &ir.TaskArtifact{TaskOutputArtifact: &ir.TaskOutputArtifact{ProducerTask: s.task, OutputArtifactKey: s.name}}
}

func constant(v any) *ir.TaskParameter {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return &ir.TaskParameter{RuntimeValue: &ir.ValueOrRuntime{Constant: body}}
}

// pick chooses a source of one of the types.
func (g *generator) pick(have []source, types ...ir.ParameterType) (source, bool) {
	fit := slices.DeleteFunc(slices.Clone(have), func(s source) bool { return !slices.Contains(types, s.typ) })
	if len(fit) == 0 {
		return source{}, false
	}
	// What was made last is the most interesting.
	return fit[max(g.rng.IntN(len(fit)), g.rng.IntN(len(fit)))], true
}

func (g *generator) loop(depth int, have []source) *ir.Task {
	var in *ir.InputDefinitions
	var inputs *ir.TaskInputs
	in, inputs = g.handDown(have)
	var parameter *ir.ParameterIterator
	var artifacts *ir.ArtifactIterator
	lists, ok := g.pick(have, artifactList)
	items, dynamic := g.pick(have, ir.List)
	switch kind := g.rng.IntN(5); {
	case kind == 0 && ok:
		in.Artifacts["item"] = &ir.InputArtifact{ArtifactType: ir.ArtifactType{SchemaTitle: "system.Dataset"}}
		in.Artifacts["list"] = &ir.InputArtifact{ArtifactType: ir.ArtifactType{SchemaTitle: "system.Dataset"}, IsArtifactList: true}
		inputs.Artifacts["list"] = artifactFrom(lists)
		artifacts = &ir.ArtifactIterator{Items: ir.ArtifactItems{InputArtifact: "list"}, ItemInput: "item"}
	case kind <= 2 && dynamic:
		in.Parameters["item"] = &ir.InputParameter{ParameterType: ir.String}
		in.Parameters["list"] = &ir.InputParameter{ParameterType: ir.List}
		inputs.Parameters["list"] = parameterFrom(items)
		parameter = &ir.ParameterIterator{Items: ir.ParameterItems{InputParameter: "list"}, ItemInput: "item"}
	default:
		raw := []string{`[]`, `["a"]`, `["a","b"]`, `["b","a","c"]`, `["a","b","c","d"]`}[g.rng.IntN(5)]
		in.Parameters["item"] = &ir.InputParameter{ParameterType: ir.String}
		parameter = &ir.ParameterIterator{Items: ir.ParameterItems{Raw: raw}, ItemInput: "item"}
	}
	body := g.graph(depth+1, in, false)
	for _, def := range body.OutputDefinitions.Parameters {
		def.ParameterType = ir.List // Collected
	}
	for _, def := range body.OutputDefinitions.Artifacts {
		def.IsArtifactList = true
	}
	t := g.group(body)
	t.Inputs, t.ParameterIterator, t.ArtifactIterator = inputs, parameter, artifacts
	if g.rng.IntN(3) == 0 {
		t.IteratorPolicy = &ir.IteratorPolicy{ParallelismLimit: 1 + g.rng.IntN(2)}
	}
	return t
}

// leaf makes a task that runs a step.
func (g *generator) leaf(have []source) *ir.Task {
	g.leaves--
	t := &ir.Task{Inputs: &ir.TaskInputs{Parameters: map[string]*ir.TaskParameter{}, Artifacts: map[string]*ir.TaskArtifact{}}}
	t.CachingOptions.EnableCache = g.rng.IntN(3) == 0
	name := []string{"source", "map", "map", "map", "count", "merge", "import"}[g.rng.IntN(7)]
	params := t.Inputs.Parameters
	switch name {
	case "map":
		params["text"] = constant("c")
		if s, ok := g.pick(have, ir.String); ok && g.rng.IntN(5) > 0 {
			params["text"] = parameterFrom(s)
		}
		if s, ok := g.pick(have, ir.String, ir.NumberInteger); ok && g.rng.IntN(2) == 0 {
			params["extra"] = parameterFrom(s)
		}
		switch s, ok := g.pick(have, ir.String); {
		case ok && g.rng.IntN(4) == 0:
			params["dflt"] = parameterFrom(s)
		case g.rng.IntN(4) == 0:
			params["dflt"] = constant("<{{$.inputs.parameters['text']}}>")
		}
	case "count":
		params["number"] = constant(2)
		if s, ok := g.pick(have, ir.NumberInteger); ok {
			params["number"] = parameterFrom(s)
		}
	case "merge":
		params["items"] = constant([]any{"x"})
		if s, ok := g.pick(have, ir.List); ok {
			params["items"] = parameterFrom(s)
		}
		if s, ok := g.pick(have, artifactList, artifact); ok && g.rng.IntN(2) == 0 {
			t.Inputs.Artifacts["files"] = artifactFrom(s)
		}
	}
	if s, ok := g.pick(have, artifact); ok && (name == "map" || name == "count") && g.rng.IntN(2) == 0 {
		t.Inputs.Artifacts["data"] = artifactFrom(s)
	}
	t.ComponentRef.Name = name
	if s, ok := g.pick(have, ir.NumberInteger, ir.String); ok && g.rng.IntN(5) == 0 {
		g.condition(t, s)
	}
	return t
}

// condition lets a task run only when a value is as wanted.
func (g *generator) condition(t *ir.Task, s source) {
	const name = "pipelinechannel--c"
	t.Inputs.Parameters[name] = parameterFrom(s)
	test := fmt.Sprintf("inputs.parameter_values['%s'] ", name)
	switch {
	case s.typ == ir.String:
		test += []string{"== 'a'", "!= 'a'"}[g.rng.IntN(2)]
	default:
		test += []string{"== 1", ">= 2", "!= 0"}[g.rng.IntN(3)]
	}
	t.TriggerPolicy = &ir.TriggerPolicy{Condition: test}
}

// policies adds what does not depend on the kind of task.
func (g *generator) policies(t *ir.Task, before []string) {
	if len(before) > 0 && g.rng.IntN(4) == 0 {
		t.DependentTasks = []string{before[g.rng.IntN(len(before))]}
	}
	if g.rng.IntN(6) == 0 {
		if t.TriggerPolicy == nil {
			t.TriggerPolicy = &ir.TriggerPolicy{}
		}
		t.TriggerPolicy.Strategy = ir.AllUpstreamCompleted
	}
	if g.rng.IntN(4) == 0 {
		t.RetryPolicy = &ir.RetryPolicy{
			MaxRetryCount:   1 + g.rng.IntN(2),
			BackoffDuration: ir.Duration(time.Duration(g.rng.IntN(3)*2) * time.Second), BackoffFactor: 2,
		}
	}
}

// outputsOf lists what later tasks can take from a task.
func (g *generator) outputsOf(name string, t *ir.Task) []source {
	c := g.spec.Component(t)
	var out []source
	for _, k := range sorted(c.OutputDefinitions.Parameters) {
		out = append(out, source{typ: c.OutputDefinitions.Parameters[k].ParameterType, task: name, name: k})
	}
	for _, k := range sorted(c.OutputDefinitions.Artifacts) {
		typ := artifact
		if c.OutputDefinitions.Artifacts[k].IsArtifactList {
			typ = artifactList
		}
		out = append(out, source{typ: typ, task: name, name: k})
	}
	return out
}

// outputs chooses what a graph gives: the output of one task, or the first there is of several.
func (g *generator) outputs(c *ir.Component, names []string) {
	c.OutputDefinitions.Parameters, c.OutputDefinitions.Artifacts = map[string]*ir.OutputParameter{}, map[string]*ir.OutputArtifact{}
	c.DAG.Outputs.Parameters, c.DAG.Outputs.Artifacts = map[string]*ir.DAGOutputParameter{}, map[string]*ir.DAGOutputArtifact{}
	var all []source
	for _, name := range names {
		all = append(all, g.outputsOf(name, c.DAG.Tasks[name])...)
	}
	for i := g.rng.IntN(4); i > 0 && len(all) > 0; i-- {
		key := fmt.Sprintf("out%d", i)
		first := all[g.rng.IntN(len(all))]
		chosen := []source{first}
		if second, ok := g.pick(all, first.typ); ok && second != first && g.rng.IntN(2) == 0 {
			chosen = append(chosen, second)
		}
		if first.typ == artifact || first.typ == artifactList {
			c.OutputDefinitions.Artifacts[key] = &ir.OutputArtifact{ArtifactType: ir.ArtifactType{SchemaTitle: "system.Dataset"}, IsArtifactList: first.typ == artifactList}
			out := &ir.DAGOutputArtifact{}
			for _, s := range chosen {
				out.ArtifactSelectors = append(out.ArtifactSelectors, ir.ArtifactSelector{ProducerSubtask: s.task, OutputArtifactKey: s.name})
			}
			c.DAG.Outputs.Artifacts[key] = out
			continue
		}
		c.OutputDefinitions.Parameters[key] = &ir.OutputParameter{ParameterType: first.typ}
		out := &ir.DAGOutputParameter{}
		if len(chosen) == 1 {
			out.ValueFromParameter = &ir.ParameterSelector{ProducerSubtask: first.task, OutputParameterKey: first.name}
		} else {
			out.ValueFromOneOf = &ir.ParameterSelectors{}
			for _, s := range chosen {
				out.ValueFromOneOf.ParameterSelectors = append(out.ValueFromOneOf.ParameterSelectors, ir.ParameterSelector{ProducerSubtask: s.task, OutputParameterKey: s.name})
			}
		}
		c.DAG.Outputs.Parameters[key] = out
	}
}
