package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// oracle is a second, simple interpreter of pipelines: it evaluates a specification recursively, all at once, given how steps end.
// It shares no code with the engine but the text form of values; what it says of a run must be what the engine arrives at in
// whatever order things happen, as long as nobody cancels the run.
type oracle struct {
	spec   *ir.Spec
	script script

	tasks map[string]*expected
	// results is how many attempts of each leaf must report, over all tries of the groups around it, unless its outputs are reused.
	results map[string]int
	// inputs holds all the inputs that a leaf may be started with: another try of a group may give other ones.
	inputs map[string][]run.Values
	// prior are the tasks of a run that is retried, as they were when it had ended.
	prior map[string]run.Task
	state run.State
	// outputs are those of the run.
	outputs run.Values
}

// expected is how a task must end.
type expected struct {
	path      string
	kind      run.Kind
	state     run.State
	inputs    run.Values
	outputs   run.Values
	cacheable bool
	comp      *ir.Component
	task      *ir.Task
	failed    string // why, for a person
}

// foretell says how a run must end.
func foretell(p *ir.Pipeline, parameters map[string]any, s script) *oracle {
	o := &oracle{spec: p.Spec, script: s, tasks: map[string]*expected{}, results: map[string]int{}, inputs: map[string][]run.Values{}}
	o.state, o.outputs = o.graph("", p.Spec.Root, run.Values{Parameters: parameters}, false)
	return o
}

// again says how a run must end that is retried after it has ended with these tasks, of which these results are in its log.
func (o *oracle) again(parameters map[string]any, rows map[string]run.Task, results map[string]int) {
	o.prior, o.results, o.tasks = maps.Clone(rows), maps.Clone(results), map[string]*expected{}
	o.state, o.outputs = o.graph("", o.spec.Root, run.Values{Parameters: parameters}, true)
}

// keeps reports whether a task of a retried run is not done again. What is below it stays as well.
func (o *oracle) keeps(e *expected) bool {
	row, ok := o.prior[e.path]
	if !ok || row.State != run.Succeeded && row.State != run.Skipped {
		return false
	}
	e.state, e.kind, e.inputs, e.outputs = row.State, row.Kind, row.Inputs, row.Outputs
	for path, row := range o.prior {
		if strings.HasPrefix(path, e.path+"/") {
			o.tasks[path] = &expected{path: path, kind: row.Kind, state: row.State, inputs: row.Inputs, outputs: row.Outputs, cacheable: true}
		}
	}
	return true
}

// goesOn reports whether a group of a retried run has members to go on with.
func (o *oracle) goesOn(path string) bool {
	for other := range o.prior {
		if strings.HasPrefix(other, path+"/") {
			return true
		}
	}
	return false
}

// graph evaluates the tasks of a component, each after those it needs. With resume, what succeeded in the run before its retry is
// kept, unless something before it is done again.
func (o *oracle) graph(path string, c *ir.Component, in run.Values, resume bool) (run.State, run.Values) {
	done, redone := map[string]*expected{}, map[string]bool{}
	var eval func(name string) *expected
	eval = func(name string) *expected {
		if e := done[name]; e != nil {
			return e
		}
		resume := resume
		for _, before := range needs(c.DAG.Tasks[name]) {
			eval(before)
			resume = resume && !redone[before]
		}
		e := &expected{path: join(path, name), task: c.DAG.Tasks[name], comp: o.spec.Component(c.DAG.Tasks[name])}
		done[name], o.tasks[e.path] = e, e
		if resume && o.keeps(e) {
			return e
		}
		redone[name] = true
		o.eval(e, name, c, in, done, resume && o.goesOn(e.path))
		return e
	}
	state := run.Succeeded
	for _, name := range sorted(c.DAG.Tasks) {
		if eval(name).state == run.Failed {
			state = run.Failed
		}
	}
	out := run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	for key, def := range c.DAG.Outputs.Parameters {
		candidates := []ir.ParameterSelector{}
		if def.ValueFromParameter != nil {
			candidates = append(candidates, *def.ValueFromParameter)
		} else {
			candidates = def.ValueFromOneOf.ParameterSelectors
		}
		for _, s := range candidates {
			if v, ok := done[s.ProducerSubtask].outputs.Parameters[s.OutputParameterKey]; ok && done[s.ProducerSubtask].state == run.Succeeded {
				out.Parameters[key] = v
				break
			}
		}
	}
	for key, def := range c.DAG.Outputs.Artifacts {
		for _, s := range def.ArtifactSelectors {
			if v, ok := done[s.ProducerSubtask].outputs.Artifacts[s.OutputArtifactKey]; ok && done[s.ProducerSubtask].state == run.Succeeded {
				out.Artifacts[key] = v
				break
			}
		}
	}
	return state, out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// needs returns the names of the tasks that a task comes after.
func needs(t *ir.Task) []string {
	names := slices.Clone(t.DependentTasks)
	for _, p := range t.Inputs.Parameters {
		if p.TaskOutputParameter != nil {
			names = append(names, p.TaskOutputParameter.ProducerTask)
		}
		if p.TaskFinalStatus != nil {
			names = append(names, p.TaskFinalStatus.ProducerTask)
		}
	}
	for _, a := range t.Inputs.Artifacts {
		if a.TaskOutputArtifact != nil {
			names = append(names, a.TaskOutputArtifact.ProducerTask)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// eval decides whether a task runs, and runs it.
func (o *oracle) eval(e *expected, name string, c *ir.Component, in run.Values, done map[string]*expected, resume bool) {
	t := e.task
	switch {
	case t.ParameterIterator != nil || t.ArtifactIterator != nil:
		e.kind = run.KindLoop
	case e.comp.DAG != nil:
		e.kind = run.KindDAG
	case o.spec.DeploymentSpec.Executors[e.comp.ExecutorLabel].Importer != nil:
		e.kind = run.KindImporter
	default:
		e.kind = run.KindContainer
	}
	e.cacheable = t.CachingOptions.EnableCache && e.kind == run.KindContainer
	always := t.TriggerPolicy != nil && t.TriggerPolicy.Strategy == ir.AllUpstreamCompleted
	for _, before := range needs(t) {
		if s := done[before].state; s != run.Succeeded && !always && !resume {
			e.state = run.Skipped
			return
		}
	}
	inputs, present, err := o.bind(e, name, c, in, done)
	switch {
	case err != nil:
		e.state, e.failed = run.Failed, err.Error()
		return
	case !present:
		e.state = run.Skipped
		return
	}
	if t.TriggerPolicy != nil && t.TriggerPolicy.Condition != "" && !resume {
		holds, err := condition(t.TriggerPolicy.Condition, inputs.Parameters)
		if err != nil {
			e.state, e.failed = run.Failed, err.Error()
			return
		}
		if !holds {
			e.state = run.Skipped
			return
		}
	}
	e.inputs = inputs
	o.run(e, resume)
}

// run runs a task, and again while its policy allows. With resume, the first try of a group goes on with its members.
func (o *oracle) run(e *expected, resume bool) {
	tries := e.tries()
	if e.kind == run.KindLoop {
		tries = 1 // its policy is that of its iterations
	}
	for range tries {
		switch e.kind {
		case run.KindDAG:
			o.forget(e.path)
			e.state, e.outputs = o.graph(e.path, e.comp, e.inputs, resume)
		case run.KindLoop:
			o.forget(e.path)
			if !o.loop(e, resume) {
				return
			}
		default:
			if !o.leaf(e) {
				return
			}
		}
		if e.state != run.Failed {
			return
		}
		resume = false
	}
}

// tries is how often a task may be run.
func (e *expected) tries() int {
	if e.task.RetryPolicy == nil {
		return 1
	}
	return 1 + e.task.RetryPolicy.MaxRetryCount
}

// forget drops the tasks of an earlier try.
func (o *oracle) forget(group string) {
	maps.DeleteFunc(o.tasks, func(path string, _ *expected) bool { return strings.HasPrefix(path, group+"/") })
}

// leaf runs one attempt and reports whether another one may follow if it failed.
func (o *oracle) leaf(e *expected) bool {
	name := e.task.ComponentRef.Name
	id := identity(name, e.inputs)
	o.inputs[e.path] = append(o.inputs[e.path], e.inputs)
	how := o.script.end(e.path, o.results[e.path], e.cacheable, id)
	o.results[e.path]++
	if how == endsWell {
		e.state, e.outputs = run.Succeeded, outputs(e.comp, id)
		return false
	}
	e.state = run.Failed
	return how != endsPermanently
}

// loop runs the iterations; it reports false when there is no list to loop over, which no other try would change.
func (o *oracle) loop(e *expected, resume bool) bool {
	var bodies []run.Values
	if it := e.task.ArtifactIterator; it != nil {
		for _, a := range e.inputs.Artifacts[it.Items.InputArtifact] {
			in := run.Values{Parameters: e.inputs.Parameters, Artifacts: maps.Clone(e.inputs.Artifacts)}
			in.Artifacts[it.ItemInput] = []run.Artifact{a}
			bodies = append(bodies, in)
		}
	} else {
		items, err := listOf(e.task.ParameterIterator, e.inputs.Parameters)
		if err != nil {
			e.state, e.failed = run.Failed, err.Error()
			return false
		}
		for _, item := range items {
			in := run.Values{Parameters: maps.Clone(e.inputs.Parameters), Artifacts: e.inputs.Artifacts}
			in.Parameters[e.task.ParameterIterator.ItemInput] = ir.Text(item)
			bodies = append(bodies, in)
		}
	}
	e.state = run.Succeeded
	e.outputs = run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	for key := range e.comp.OutputDefinitions.Parameters {
		e.outputs.Parameters[key] = []any{}
	}
	for key := range e.comp.OutputDefinitions.Artifacts {
		e.outputs.Artifacts[key] = []run.Artifact{}
	}
	for i, in := range bodies {
		it := &expected{path: join(e.path, strconv.Itoa(i)), kind: run.KindIteration, task: e.task, comp: e.comp, inputs: in}
		o.tasks[it.path] = it
		if !resume || !o.keeps(it) {
			o.iterate(it, resume && o.goesOn(it.path))
		}
		if it.state == run.Failed {
			e.state = run.Failed
			continue
		}
		for key := range e.comp.OutputDefinitions.Parameters {
			if v, ok := it.outputs.Parameters[key]; ok {
				e.outputs.Parameters[key] = append(e.outputs.Parameters[key].([]any), v)
			}
		}
		for key := range e.comp.OutputDefinitions.Artifacts {
			e.outputs.Artifacts[key] = append(e.outputs.Artifacts[key], it.outputs.Artifacts[key]...)
		}
	}
	return true
}

// iterate runs an iteration, and again while the loop's policy allows.
func (o *oracle) iterate(it *expected, resume bool) {
	for range it.tries() {
		o.forget(it.path)
		if it.state, it.outputs = o.graph(it.path, it.comp, it.inputs, resume); it.state != run.Failed {
			return
		}
		resume = false
	}
}

func listOf(it *ir.ParameterIterator, parameters map[string]any) ([]any, error) {
	if it.Items.InputParameter == "" {
		var list []any
		err := json.Unmarshal([]byte(it.Items.Raw), &list)
		return list, err
	}
	list, ok := parameters[it.Items.InputParameter].([]any)
	if !ok {
		return nil, fmt.Errorf("not a list: %v", parameters[it.Items.InputParameter])
	}
	return list, nil
}

// bind gives a task its inputs; present is false when one that it cannot do without is not there.
func (o *oracle) bind(e *expected, name string, c *ir.Component, in run.Values, done map[string]*expected) (out run.Values, present bool, err error) {
	out = run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	for key, p := range e.task.Inputs.Parameters {
		var v any
		given := true
		switch {
		case p.TaskOutputParameter != nil:
			v, given = done[p.TaskOutputParameter.ProducerTask].outputs.Parameters[p.TaskOutputParameter.OutputParameterKey]
		case p.TaskFinalStatus != nil:
			v = map[string]any{"state": string(done[p.TaskFinalStatus.ProducerTask].state), "pipelineTaskName": p.TaskFinalStatus.ProducerTask}
		case p.ComponentInputParameter != "":
			if v, given = in.Parameters[p.ComponentInputParameter]; !given {
				given = c.InputDefinitions.Parameters[p.ComponentInputParameter].IsOptional
			}
		default:
			if err := json.Unmarshal(p.RuntimeValue.Constant, &v); err != nil {
				return out, false, err
			}
		}
		def := e.comp.InputDefinitions.Parameters[key]
		switch {
		case def == nil || v != nil:
		case len(def.DefaultValue) > 0:
			if err := json.Unmarshal(def.DefaultValue, &v); err != nil {
				return out, false, err
			}
		case !given && !def.IsOptional:
			return out, false, nil
		}
		if v != nil && def != nil && def.ParameterType == ir.String {
			v = ir.Text(v)
		}
		out.Parameters[key] = v
	}
	for key, v := range out.Parameters { // only constants of the generator have this form
		if s, ok := v.(string); ok && e.task.Inputs.Parameters[key].RuntimeValue != nil {
			out.Parameters[key] = strings.ReplaceAll(s, "{{$.inputs.parameters['text']}}", ir.Text(out.Parameters["text"]))
		}
	}
	for key, def := range e.comp.InputDefinitions.Parameters {
		if _, bound := out.Parameters[key]; !bound && len(def.DefaultValue) > 0 {
			var v any
			if err := json.Unmarshal(def.DefaultValue, &v); err != nil {
				return out, false, err
			}
			out.Parameters[key] = v
		}
	}
	for key, a := range e.task.Inputs.Artifacts {
		var list []run.Artifact
		var given bool
		if a.TaskOutputArtifact != nil {
			list, given = done[a.TaskOutputArtifact.ProducerTask].outputs.Artifacts[a.TaskOutputArtifact.OutputArtifactKey]
		} else {
			list, given = in.Artifacts[a.ComponentInputArtifact]
		}
		switch {
		case given:
			out.Artifacts[key] = list
		case !e.comp.InputDefinitions.Artifacts[key].IsOptional:
			return out, false, nil
		}
	}
	return out, true, nil
}

// condition evaluates the forms of test that the generator writes: inputs.parameter_values['name'] OPERATOR LITERAL.
func condition(test string, parameters map[string]any) (bool, error) {
	words := strings.SplitN(test, " ", 3)
	name := strings.TrimSuffix(strings.TrimPrefix(words[0], "inputs.parameter_values['"), "']")
	v := parameters[name]
	if text, ok := strings.CutPrefix(words[2], "'"); ok {
		return (v == strings.TrimSuffix(text, "'")) == (words[1] == "=="), nil
	}
	want, err := strconv.ParseFloat(words[2], 64)
	if err != nil {
		return false, err
	}
	n, number := v.(float64)
	switch words[1] {
	case "==":
		return number && n == want, nil
	case "!=":
		return !number || n != want, nil
	}
	if !number {
		return false, fmt.Errorf("%v cannot be compared", v)
	}
	return n >= want, nil
}
