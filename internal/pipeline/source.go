package pipeline

import (
	"context"
	"slices"
	"strings"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// StepSource says what a task of a run executed, and in which environment, as far as that is on record.
type StepSource struct {
	Component, Image string
	// Arguments are the command and its arguments; one of them is the source of a Python component.
	Arguments   []string
	Environment run.TaskEnvironment
}

// StepSource returns what a task executed.
func (s *Service) StepSource(ctx context.Context, runID, task string) (StepSource, error) {
	t, err := s.GetTask(ctx, runID, task)
	if err != nil {
		return StepSource{}, err
	}
	p, err := s.RunSpec(ctx, runID)
	if err != nil {
		return StepSource{}, err
	}
	out := StepSource{Component: t.Component, Image: t.Image, Arguments: argumentsOf(p, t.Component)}
	out.Environment, err = s.TaskEnvironment(ctx, runID, t.Path)
	return out, err
}

// argumentsOf are the command and arguments of a component that runs a container.
func argumentsOf(p *ir.Pipeline, component string) []string {
	c := p.Spec.Components[component]
	if c == nil {
		return nil
	}
	x := p.Spec.Executor(c)
	if x == nil || x.Container == nil {
		return nil
	}
	return slices.Concat(x.Container.Command, x.Container.Args)
}

// codeOf is the command of a component as text, each argument on lines of its own.
func codeOf(p *ir.Pipeline, component string) string {
	arguments := argumentsOf(p, component)
	if len(arguments) == 0 {
		return ""
	}
	return strings.Join(arguments, "\n") + "\n"
}
