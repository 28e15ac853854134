package declare

import (
	"context"

	"levada/internal/core/declare"
	"levada/internal/core/event"
)

// missing says what a trigger names that is neither there nor declared beside it, and where a time may be meant otherwise.
func (s *Service) missing(ctx context.Context, r declare.Resource, with declared) ([]string, error) {
	if r.Kind == declare.RecurringRun && r.Schedule != nil {
		return r.Schedule.Warnings(), nil
	}
	if r.Kind != declare.Trigger {
		return nil, nil
	}
	var refs []event.Reference
	var otherwise []string
	for _, ref := range triggerOf(r, submission(r, "", "")).References() {
		if ref.Kind == event.ToPipeline {
			beside, named, err := s.runsBeside(ref.Name, with)
			if err != nil {
				return nil, err
			}
			if named != "" {
				otherwise = append(otherwise, ref.Field+": "+event.NamedOtherwise(ref.Name, named))
			}
			if beside || named != "" {
				continue
			}
		}
		refs = append(refs, ref)
	}
	there, err := s.deps.Triggers.Missing(ctx, refs)
	return append(otherwise, there...), err
}

// runsBeside reports whether the runs of a pipeline that is declared have a name; otherwise it returns the name that runs of the pipeline
// have which is declared by it, if one is.
func (s *Service) runsBeside(name string, with declared) (found bool, otherwise string, err error) {
	if spec := with.specs[name]; spec != "" {
		if otherwise, err = s.deps.Pipelines.RunName(spec); err != nil || otherwise == name {
			return err == nil, "", err
		}
	}
	for _, spec := range with.specs {
		run, err := s.deps.Pipelines.RunName(spec)
		if err != nil || run == name {
			return err == nil, "", err
		}
	}
	return false, otherwise, nil
}
