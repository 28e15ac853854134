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
	Arguments []string
	// Environment is the digest of the environment; empty when the task was not looked up in the cache, which is where it is noted.
	Environment string
	// Packages are those of the environment, "name==version" each, with the Python version as one of them. They are nil when the
	// environment is not there any more.
	Packages []string
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
	lookups, err := s.lookups(ctx, runID, t.Path)
	if err != nil {
		return out, err
	}
	if l := lookups[t.Path]; l.CacheLookup != nil {
		if i := slices.IndexFunc(l.Parts, func(p run.KeyPart) bool { return p.Kind == run.PartEnvironment }); i >= 0 {
			out.Environment = l.Parts[i].Value
		}
	}
	if out.Environment != "" && s.deps.Packages != nil {
		out.Packages, err = s.deps.Packages.Packages(ctx, out.Environment)
	}
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
