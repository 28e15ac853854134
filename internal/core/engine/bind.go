package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// inputsOf resolves the inputs of a task from its siblings, its group and its constants. absent says which required input
// does not exist because the task that would have made it did not run.
func (s *State) inputsOf(n *node) (in run.Values, absent string, err error) {
	in = run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	var templates []string
	for _, name := range slices.Sorted(maps.Keys(n.task.Inputs.Parameters)) {
		p := n.task.Inputs.Parameters[name]
		v, ok, err := s.parameterSource(n, p)
		if err != nil {
			return in, "", fmt.Errorf("parameter %q: %w", name, err)
		}
		// Only what the pipeline's author wrote is a template; values that come from elsewhere are data.
		if p.RuntimeValue != nil && p.RuntimeValue.RuntimeParameter == "" && ir.HasPlaceholder(v) {
			templates = append(templates, name)
			in.Parameters[name] = v
			continue
		}
		if v, err = s.fit(n, name, p, v, ok); err != nil {
			return in, "", fmt.Errorf("parameter %q: %w", name, err)
		}
		if v == nil && !ok && s.required(n, name) {
			return in, fmt.Sprintf("its input %q comes from a task that did not run", name), nil
		}
		in.Parameters[name] = v
	}
	// Constants may mention the task's other inputs; they are filled in once those are known.
	for _, name := range templates {
		p := n.task.Inputs.Parameters[name]
		v, err := ir.ExpandValue(in.Parameters[name], in.Parameters, s.placeholders(n))
		if err == nil {
			v, err = s.fit(n, name, p, v, true)
		}
		if err != nil {
			return in, "", fmt.Errorf("parameter %q: %w", name, err)
		}
		in.Parameters[name] = v
	}
	s.defaults(n, in.Parameters)
	absent, err = s.artifactInputs(n, in.Artifacts)
	return in, absent, err
}

func (s *State) artifactInputs(n *node, into map[string][]run.Artifact) (absent string, err error) {
	for _, name := range slices.Sorted(maps.Keys(n.task.Inputs.Artifacts)) {
		a := n.task.Inputs.Artifacts[name]
		var list []run.Artifact
		var ok bool
		if src := a.TaskOutputArtifact; src != nil {
			list, ok = s.sibling(n, src.ProducerTask).outputs.Artifacts[src.OutputArtifactKey]
		} else {
			list, ok = n.parent.inputs.Artifacts[a.ComponentInputArtifact]
		}
		if !ok {
			def := n.comp.InputDefinitions.Artifacts[name]
			if def == nil || def.IsOptional {
				continue
			}
			if n.parent == s.root && a.TaskOutputArtifact == nil {
				return "", fault.Invalidf("input artifact %q of the pipeline was not given, and a run cannot be given artifacts: "+
					"use an importer inside the pipeline", a.ComponentInputArtifact)
			}
			return fmt.Sprintf("its input artifact %q comes from a task that did not run", name), nil
		}
		into[name] = list
	}
	return "", nil
}

// parameterSource returns a parameter's value and whether its source has one.
func (s *State) parameterSource(n *node, p *ir.TaskParameter) (any, bool, error) {
	switch {
	case p.TaskOutputParameter != nil:
		v, ok := s.sibling(n, p.TaskOutputParameter.ProducerTask).outputs.Parameters[p.TaskOutputParameter.OutputParameterKey]
		return v, ok, nil
	case p.ComponentInputParameter != "":
		v, ok := n.parent.inputs.Parameters[p.ComponentInputParameter]
		// An optional input that was left out is a value: none.
		return v, ok || n.parent.comp.InputDefinitions.Parameters[p.ComponentInputParameter].IsOptional, nil
	case p.TaskFinalStatus != nil:
		return s.finalStatus(s.sibling(n, p.TaskFinalStatus.ProducerTask)), true, nil
	case p.RuntimeValue.RuntimeParameter != "":
		v, ok := n.parent.inputs.Parameters[p.RuntimeValue.RuntimeParameter]
		return v, ok, nil
	}
	v, err := p.RuntimeValue.Value()
	return v, true, err
}

// fit selects from a value and converts it to the declared type.
func (s *State) fit(n *node, name string, p *ir.TaskParameter, v any, ok bool) (any, error) {
	if p.ParameterExpressionSelector != "" && ok {
		var err error
		if v, err = s.pipeline.Select(p.ParameterExpressionSelector, v); err != nil {
			return nil, err
		}
	}
	def := n.comp.InputDefinitions.Parameters[name]
	if def == nil {
		return v, nil
	}
	if v == nil {
		d, has := def.Default()
		switch {
		case has:
			return d, nil
		case ok && !def.IsOptional && p.ComponentInputParameter == "":
			return nil, fault.Invalidf("the value is null, and the input is not optional")
		}
		return nil, nil
	}
	return def.Fit(v)
}

func (s *State) required(n *node, name string) bool {
	def := n.comp.InputDefinitions.Parameters[name]
	return def != nil && !def.IsOptional
}

// defaults fills in the inputs that the task does not bind. A loop's item is bound later, by its iterations.
func (s *State) defaults(n *node, into map[string]any) {
	for name, def := range n.comp.InputDefinitions.Parameters {
		if _, bound := into[name]; bound {
			continue
		}
		if d, ok := def.Default(); ok {
			into[name] = d
		}
	}
}

func (s *State) placeholders(n *node) ir.Placeholders {
	return s.job.Placeholders(cmp.Or(n.task.TaskInfo.Name, n.stepName()), s.id(n))
}

// finalStatus is what an exit handler gets: PipelineTaskFinalStatus of pipeline_spec.proto. The SDK reads error.code and
// error.message and wants "error" to be there always.
func (s *State) finalStatus(n *node) map[string]any {
	const failedPrecondition, cancelled = 9.0, 1.0 // google.rpc.Code
	status := map[string]any{
		"state":                   string(n.state),
		"pipelineTaskName":        n.name,
		"pipelineJobResourceName": s.job.ResourceName,
		"error":                   map[string]any{},
	}
	switch {
	case n.state == run.Succeeded && s.job.SuccessWord != "":
		status["state"] = s.job.SuccessWord
	case n.state == run.Canceled:
		status["error"] = map[string]any{"code": cancelled, "message": "the run was cancelled"}
	case n.failure != nil:
		status["error"] = map[string]any{"code": failedPrecondition, "message": n.failure.Message}
	}
	return status
}

// readItems returns the items of a loop over parameters: a list, or a string that holds one as JSON.
func readItems(it *ir.ParameterIterator, inputs map[string]any) ([]any, error) {
	var v any = it.Items.Raw
	if it.Items.InputParameter != "" {
		v = inputs[it.Items.InputParameter]
	}
	switch v := v.(type) {
	case []any:
		return v, nil
	case string:
		var list []any
		if err := json.Unmarshal([]byte(v), &list); err == nil {
			return list, nil
		}
	}
	return nil, fault.Invalidf("want a list to loop over, got %s", ir.Text(v))
}

// loopItems is readItems for a log that was checked when it was written.
func loopItems(it *ir.ParameterIterator, inputs map[string]any) []any {
	items, err := readItems(it, inputs)
	if err != nil {
		return nil
	}
	return items
}

// itemInputs are a loop's inputs with the item of one iteration.
func (s *State) itemInputs(loop, n *node) (run.Values, error) {
	in := run.Values{Parameters: maps.Clone(loop.inputs.Parameters), Artifacts: loop.inputs.Artifacts}
	if in.Parameters == nil {
		in.Parameters = map[string]any{}
	}
	if it := loop.task.ArtifactIterator; it != nil {
		in.Artifacts = maps.Clone(loop.inputs.Artifacts)
		in.Artifacts[it.ItemInput] = in.Artifacts[it.Items.InputArtifact][n.index : n.index+1]
		if loop.comp.InputDefinitions.Artifacts[it.Items.InputArtifact] == nil {
			delete(in.Artifacts, it.Items.InputArtifact) // only the loop has the list
		}
		return in, nil
	}
	item := loop.items[n.index]
	name := loop.task.ParameterIterator.ItemInput
	v, err := item, error(nil)
	if loop.task.ParameterIterator.Items.InputParameter == "" { // as in inputsOf: only the author's items are templates
		v, err = ir.ExpandValue(item, loop.inputs.Parameters, s.placeholders(n))
	}
	if err == nil {
		v, err = loop.comp.InputDefinitions.Parameters[name].Fit(v)
	}
	if err != nil {
		return in, fmt.Errorf("item %d (%s): %w", n.index, ir.JSON(item), err)
	}
	in.Parameters[name] = v
	return in, nil
}

// groupOutputs collects the outputs of a DAG from its tasks, or of a loop from its iterations: parameters become a list,
// artifacts one flat list. Members that were skipped contribute nothing.
func (s *State) groupOutputs(n *node) run.Values {
	out := run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	if n.kind == run.KindLoop {
		s.collectLoop(n, &out)
		return out
	}
	byName := make(map[string]*node, len(n.children))
	for _, c := range n.children {
		byName[c.name] = c
	}
	for key, def := range n.comp.DAG.Outputs.Parameters {
		for _, sel := range def.Selectors() {
			c := byName[sel.ProducerSubtask]
			if v, ok := c.outputs.Parameters[sel.OutputParameterKey]; ok && c.state == run.Succeeded {
				out.Parameters[key] = v
				break
			}
		}
	}
	for key, def := range n.comp.DAG.Outputs.Artifacts {
		for _, sel := range def.ArtifactSelectors {
			c := byName[sel.ProducerSubtask]
			if v, ok := c.outputs.Artifacts[sel.OutputArtifactKey]; ok && c.state == run.Succeeded {
				out.Artifacts[key] = v
				break
			}
		}
	}
	return out
}

func (s *State) collectLoop(n *node, out *run.Values) {
	for key := range n.comp.OutputDefinitions.Parameters {
		list := []any{}
		for _, it := range n.children {
			if v, ok := it.outputs.Parameters[key]; ok && it.state == run.Succeeded {
				list = append(list, v)
			}
		}
		out.Parameters[key] = list
	}
	for key := range n.comp.OutputDefinitions.Artifacts {
		list := []run.Artifact{}
		for _, it := range n.children {
			if it.state == run.Succeeded {
				list = append(list, it.outputs.Artifacts[key]...)
			}
		}
		out.Artifacts[key] = list
	}
}
