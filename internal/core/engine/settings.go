package engine

import (
	"fmt"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// settings completes a step with what its task asks of the platform: names given by parameters are filled in, and what the
// component takes over becomes an input.
func (s *State) settings(n *node, step *run.Step) {
	var err error
	step.Kubernetes, err = step.Kubernetes.Resolve(func(p *ir.TaskParameter) (any, error) { return s.setting(n, p) })
	if err == nil && len(n.comp.TaskConfigPassthrough) > 0 {
		err = s.passOn(n, step)
	}
	if err != nil {
		step.Invalid = &run.Failure{Reason: run.ReasonInput, Task: n.path, Message: fmt.Sprintf("its settings cannot be resolved: %v", err)}
	}
}

func (s *State) passOn(n *node, step *run.Step) error {
	workspace := ""
	if s.job.WorkspacePath != "" {
		workspace = s.job.RunID + "-kfp-workspace"
	}
	passed, err := n.comp.PassOn(step.Executor, step.Kubernetes, workspace, n.inputs.Parameters, s.placeholders(n))
	if err != nil {
		return err
	}
	step.Executor, step.Kubernetes = passed.Executor, passed.Kubernetes
	if passed.Input == "" {
		return nil
	}
	parameters := make(map[string]any, len(n.inputs.Parameters)+1)
	for k, v := range n.inputs.Parameters {
		parameters[k] = v
	}
	parameters[passed.Input] = passed.Config
	step.Inputs.Parameters = parameters
	return nil
}

// setting returns the value of a parameter that a task's settings name. It is one of the graph the task stands in or, where
// the compiler names it from inside a group, of a graph around that.
func (s *State) setting(n *node, p *ir.TaskParameter) (any, error) {
	v, err := s.settingSource(n, p)
	if err != nil || v == nil || p.ParameterExpressionSelector == "" {
		return v, err
	}
	return s.pipeline.Select(p.ParameterExpressionSelector, v)
}

func (s *State) settingSource(n *node, p *ir.TaskParameter) (any, error) {
	if p.RuntimeValue != nil && p.RuntimeValue.RuntimeParameter == "" {
		v, err := p.RuntimeValue.Value()
		if err != nil {
			return nil, err
		}
		return ir.ExpandValue(v, n.inputs.Parameters, s.placeholders(n))
	}
	input := p.ComponentInputParameter
	if p.RuntimeValue != nil {
		input = p.RuntimeValue.RuntimeParameter
	}
	for at := n; at.parent != nil; at = at.parent {
		group := at.parent
		if group.kind == run.KindLoop {
			continue // an iteration stands where its loop stands
		}
		if src := p.TaskOutputParameter; src != nil {
			i, ok := s.planOf(group.comp).index[src.ProducerTask]
			if !ok {
				continue
			}
			v, ok := group.children[i].outputs.Parameters[src.OutputParameterKey]
			if !ok {
				return nil, fmt.Errorf("task %q has given no output %q", src.ProducerTask, src.OutputParameterKey)
			}
			return v, nil
		}
		if v, ok := group.inputs.Parameters[input]; ok {
			return v, nil
		}
		if group.comp.InputDefinitions.Parameters[input] != nil {
			return nil, nil // optional, and left out
		}
	}
	if src := p.TaskOutputParameter; src != nil {
		return nil, fmt.Errorf("there is no task %q before it", src.ProducerTask)
	}
	return nil, fmt.Errorf("there is no input %q", input)
}
