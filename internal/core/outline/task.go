package outline

import "levada/internal/core/ir"

func task(name string, t *ir.Task) Node {
	out := Node{Name: name, DisplayName: first(t.TaskInfo.Name, name), Component: t.ComponentRef.Name, Cache: t.CachingOptions.EnableCache,
		Loop: loop(t)}
	before := map[string]bool{}
	for _, d := range t.DependentTasks {
		before[d] = true
	}
	for _, input := range sorted(t.Inputs.Parameters) {
		from, producer := parameter(t.Inputs.Parameters[input])
		out.Inputs = append(out.Inputs, Binding{input, from})
		before[producer] = true
	}
	for _, input := range sorted(t.Inputs.Artifacts) {
		from, producer := artifact(t.Inputs.Artifacts[input])
		out.Inputs = append(out.Inputs, Binding{input, from})
		before[producer] = true
	}
	delete(before, "")
	if len(before) > 0 {
		out.DependsOn = sorted(before)
	}
	if p := t.TriggerPolicy; p != nil {
		out.Condition, out.Always = p.Condition, p.Strategy == ir.AllUpstreamCompleted
	}
	if t.RetryPolicy != nil {
		out.Retries = t.RetryPolicy.MaxRetryCount
	}
	return out
}

func loop(t *ir.Task) *Loop {
	l := &Loop{}
	switch {
	case t.ParameterIterator != nil:
		l.Items = first(t.ParameterIterator.Items.InputParameter, t.ParameterIterator.Items.Raw)
	case t.ArtifactIterator != nil:
		l.Items = t.ArtifactIterator.Items.InputArtifact
	default:
		return nil
	}
	if t.IteratorPolicy != nil {
		l.Parallelism = t.IteratorPolicy.ParallelismLimit
	}
	return l
}

// parameter says where a parameter comes from, and of which task of the dag it needs the end.
func parameter(p *ir.TaskParameter) (from, producer string) {
	switch {
	case p.TaskOutputParameter != nil:
		from, producer = p.TaskOutputParameter.ProducerTask+"."+p.TaskOutputParameter.OutputParameterKey, p.TaskOutputParameter.ProducerTask
	case p.TaskFinalStatus != nil:
		from, producer = "status of "+p.TaskFinalStatus.ProducerTask, p.TaskFinalStatus.ProducerTask
	case p.RuntimeValue != nil:
		from = value(p.RuntimeValue)
	default:
		from = p.ComponentInputParameter
	}
	if p.ParameterExpressionSelector != "" {
		from += ": " + p.ParameterExpressionSelector
	}
	return from, producer
}

func artifact(a *ir.TaskArtifact) (from, producer string) {
	if o := a.TaskOutputArtifact; o != nil {
		return o.ProducerTask + "." + o.OutputArtifactKey, o.ProducerTask
	}
	return a.ComponentInputArtifact, ""
}

// value is a constant as JSON, or the name of the input whose value is used.
func value(v *ir.ValueOrRuntime) string {
	return first(v.RuntimeParameter, string(v.Constant))
}
