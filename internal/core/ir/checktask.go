package ir

// taskChecker checks one task of a DAG against its component and its siblings.
type taskChecker struct {
	*checker
	path *place
	dag  *Component
	task *Task
}

func (t taskChecker) check() error {
	comp := t.spec.Component(t.task)
	if comp == nil {
		return t.fail(t.path.of("componentRef", "name"), "component %q is not defined", t.task.ComponentRef.Name)
	}
	for _, name := range t.task.Upstream() {
		if t.dag.DAG.Tasks[name] == nil {
			return t.fail(t.path, "depends on task %q, which is not in this graph", name)
		}
	}
	if err := t.parameters(comp); err != nil {
		return err
	}
	if err := t.artifacts(comp); err != nil {
		return err
	}
	if err := t.iterator(comp); err != nil {
		return err
	}
	return t.policies()
}

func (t taskChecker) parameters(comp *Component) error {
	for _, k := range sortedKeys(t.task.Inputs.Parameters) {
		at := t.path.of("inputs", "parameters", k)
		// The compiler also binds inputs that the component does not declare: the values behind f-strings and
		// machine settings. They have no type.
		def := comp.InputDefinitions.Parameters[k]
		if def == nil {
			def = &InputParameter{}
		}
		if err := t.parameter(at, t.task.Inputs.Parameters[k], def); err != nil {
			return err
		}
	}
	for _, k := range t.needsOf(comp).parameters {
		if t.task.Inputs.Parameters[k] == nil && !t.isItem(k) {
			return t.fail(t.path.of("inputs"), "input parameter %q of component %q is missing", k, t.task.ComponentRef.Name)
		}
	}
	return nil
}

// isItem reports whether an input is filled by the task's loop.
func (t taskChecker) isItem(input string) bool {
	return t.task.ParameterIterator != nil && t.task.ParameterIterator.ItemInput == input ||
		t.task.ArtifactIterator != nil && t.task.ArtifactIterator.ItemInput == input
}

func (t taskChecker) parameter(at *place, p *TaskParameter, def *InputParameter) error {
	if p.ParameterExpressionSelector != "" {
		if err := t.pipeline.compile(p.ParameterExpressionSelector); err != nil {
			return t.fail(at.of("parameterExpressionSelector"), "%v", err)
		}
	}
	switch {
	case p.TaskOutputParameter != nil:
		src := p.TaskOutputParameter
		if t.component(src.ProducerTask).OutputDefinitions.Parameters[src.OutputParameterKey] == nil {
			return t.fail(at, "task %q has no output parameter %q", src.ProducerTask, src.OutputParameterKey)
		}
	case p.ComponentInputParameter != "":
		if t.dag.InputDefinitions.Parameters[p.ComponentInputParameter] == nil {
			return t.fail(at, "the enclosing graph has no input parameter %q", p.ComponentInputParameter)
		}
	case p.TaskFinalStatus != nil:
		if def.ParameterType != TaskFinalStatus && def.ParameterType != Struct {
			return t.fail(at, "a final status needs an input of type TASK_FINAL_STATUS, not %s", def.ParameterType)
		}
	case p.RuntimeValue != nil:
		return t.runtimeValue(at, p, def)
	default:
		return t.fail(at, "has no source: want taskOutputParameter, runtimeValue, componentInputParameter or taskFinalStatus")
	}
	return nil
}

func (t taskChecker) runtimeValue(at *place, p *TaskParameter, def *InputParameter) error {
	v := p.RuntimeValue
	if v.RuntimeParameter != "" {
		if t.dag.InputDefinitions.Parameters[v.RuntimeParameter] == nil {
			return t.fail(at, "the enclosing graph has no input parameter %q", v.RuntimeParameter)
		}
		return nil
	}
	value, err := v.Value()
	if err != nil {
		return t.fail(at.of("runtimeValue", "constant"), "%v", err)
	}
	if s, ok := value.(string); ok && (p.ParameterExpressionSelector != "" || len(findPlaceholders(s)) > 0) {
		return nil // known only when the task runs
	}
	if _, err := def.Fit(value); err != nil && p.ParameterExpressionSelector == "" {
		return t.fail(at.of("runtimeValue", "constant"), "%v", err)
	}
	return nil
}

func (t taskChecker) artifacts(comp *Component) error {
	for _, k := range sortedKeys(t.task.Inputs.Artifacts) {
		at := t.path.of("inputs", "artifacts", k)
		// The list of an iterator belongs to the loop; its component needs only the item.
		if comp.InputDefinitions.Artifacts[k] == nil && (t.task.ArtifactIterator == nil || t.task.ArtifactIterator.Items.InputArtifact != k) {
			return t.fail(at, "component %q has no input artifact %q", t.task.ComponentRef.Name, k)
		}
		switch a := t.task.Inputs.Artifacts[k]; {
		case a.TaskOutputArtifact != nil:
			src := a.TaskOutputArtifact
			if t.component(src.ProducerTask).OutputDefinitions.Artifacts[src.OutputArtifactKey] == nil {
				return t.fail(at, "task %q has no output artifact %q", src.ProducerTask, src.OutputArtifactKey)
			}
		case a.ComponentInputArtifact != "":
			if t.dag.InputDefinitions.Artifacts[a.ComponentInputArtifact] == nil {
				return t.fail(at, "the enclosing graph has no input artifact %q", a.ComponentInputArtifact)
			}
		default:
			return t.fail(at, "has no source: want taskOutputArtifact or componentInputArtifact")
		}
	}
	for _, k := range t.needsOf(comp).artifacts {
		if t.task.Inputs.Artifacts[k] == nil && !t.isItem(k) {
			return t.fail(t.path.of("inputs"), "input artifact %q of component %q is missing", k, t.task.ComponentRef.Name)
		}
	}
	return nil
}

func (t taskChecker) iterator(comp *Component) error {
	if t.task.ParameterIterator != nil && t.task.ArtifactIterator != nil {
		return t.fail(t.path, "want only one of parameterIterator and artifactIterator")
	}
	if it := t.task.ParameterIterator; it != nil {
		at := t.path.of("parameterIterator")
		if comp.InputDefinitions.Parameters[it.ItemInput] == nil {
			return t.fail(at.of("itemInput"), "component %q has no input parameter %q", t.task.ComponentRef.Name, it.ItemInput)
		}
		switch {
		case it.Items.InputParameter != "":
			if t.task.Inputs.Parameters[it.Items.InputParameter] == nil {
				return t.fail(at.of("items", "inputParameter"), "the task has no input parameter %q", it.Items.InputParameter)
			}
		default:
			if _, err := rawList(it.Items.Raw); err != nil {
				return t.fail(at.of("items", "raw"), "want a JSON list, got %q", shorten(it.Items.Raw))
			}
		}
	}
	if it := t.task.ArtifactIterator; it != nil {
		at := t.path.of("artifactIterator")
		if comp.InputDefinitions.Artifacts[it.ItemInput] == nil {
			return t.fail(at.of("itemInput"), "component %q has no input artifact %q", t.task.ComponentRef.Name, it.ItemInput)
		}
		if t.task.Inputs.Artifacts[it.Items.InputArtifact] == nil {
			return t.fail(at.of("items", "inputArtifact"), "the task has no input artifact %q", it.Items.InputArtifact)
		}
	}
	return nil
}

func (t taskChecker) policies() error {
	if p := t.task.TriggerPolicy; p != nil {
		switch p.Strategy {
		case "", "TRIGGER_STRATEGY_UNSPECIFIED", AllUpstreamSucceeded, AllUpstreamCompleted:
		default:
			return t.fail(t.path.of("triggerPolicy", "strategy"), "unknown strategy %q", p.Strategy)
		}
		if p.Condition != "" {
			if err := t.pipeline.compile(p.Condition); err != nil {
				return t.fail(t.path.of("triggerPolicy", "condition"), "%v", err)
			}
		}
	}
	if p := t.task.RetryPolicy; p != nil && (p.MaxRetryCount < 0 || p.BackoffDuration < 0 || p.BackoffFactor < 0 || p.BackoffMaxDuration < 0) {
		return t.fail(t.path.of("retryPolicy"), "want no negative numbers")
	}
	if p := t.task.IteratorPolicy; p != nil && p.ParallelismLimit < 0 {
		return t.fail(t.path.of("iteratorPolicy", "parallelismLimit"), "want 0 (no limit) or a positive number")
	}
	return nil
}

// component returns the component of a sibling; the caller has checked that the sibling exists.
func (t taskChecker) component(task string) *Component {
	c := t.spec.Component(t.dag.DAG.Tasks[task])
	if c == nil {
		return &Component{OutputDefinitions: &OutputDefinitions{}}
	}
	return c
}
