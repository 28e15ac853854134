package declare

import (
	"context"

	"levada/internal/core/declare"
	"levada/internal/core/event"
)

// runNames are the names that runs of the declared pipelines have, by the names of these. A specification that cannot be read is left out: it is
// a mistake of its own.
type runNames struct {
	of map[string]string
	// any are the names without the pipelines.
	any map[string]bool
}

func (s *Service) runNames(resources []declare.Resource) runNames {
	names := runNames{of: map[string]string{}, any: map[string]bool{}}
	for _, r := range resources {
		if r.Kind != declare.Pipeline {
			continue
		}
		if name, err := s.deps.Pipelines.RunName(r.Spec); err == nil {
			names.of[r.Name], names.any[name] = name, true
		}
	}
	return names
}

// warn says in the steps what triggers name that is neither there nor declared beside them, and where a time may be meant otherwise.
func (s *Service) warn(ctx context.Context, steps []step, runs runNames) error {
	named := make([][]event.Reference, len(steps))
	for i := range steps {
		r, c := steps[i].resource, &steps[i].change
		switch {
		case r.Kind == declare.RecurringRun && r.Schedule != nil:
			c.Warnings = r.Schedule.Warnings()
		case r.Kind == declare.Trigger:
			named[i], c.Warnings = elsewhere(r, runs)
		}
	}
	there, err := s.deps.Triggers.Missing(ctx, named)
	if err != nil {
		return err
	}
	for i := range steps {
		steps[i].change.Warnings = append(steps[i].change.Warnings, there[i]...)
	}
	return nil
}

// elsewhere are the things that a trigger names and that are not declared beside it. The warnings are of pipelines that are, and whose runs have
// another name.
func elsewhere(trigger declare.Resource, runs runNames) (refs []event.Reference, warnings []string) {
	for _, ref := range triggerOf(trigger, submission(trigger, "", "")).References() {
		switch is := runs.of[ref.Name]; {
		case ref.Kind != event.ToPipeline:
			refs = append(refs, ref)
		case runs.any[ref.Name]:
		case is != "":
			warnings = append(warnings, ref.Field+": "+event.NamedOtherwise(ref.Name, is))
		default:
			refs = append(refs, ref)
		}
	}
	return refs, warnings
}
