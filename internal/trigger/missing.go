package trigger

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
)

// Known knows what triggers and recurring runs name.
type Known interface {
	// Missing says why a thing cannot be used as it is named; "" where it can.
	Missing(ctx context.Context, r event.Reference) (string, error)
}

// Missing says which of the things that triggers name are not there, one a line, for each of the lists. Some may come later.
func (e *Events) Missing(ctx context.Context, named [][]event.Reference) ([][]string, error) {
	out, failures := missing(ctx, e.deps.Known, named)
	if len(failures) > 0 {
		return nil, failures[0]
	}
	return out, nil
}

// Warnings say for each of the triggers what it names that is not there. What cannot be found out is logged and left out: a trigger is shown
// without it too.
func (e *Events) Warnings(ctx context.Context, triggers []event.Trigger) [][]string {
	named := make([][]event.Reference, len(triggers))
	for i, t := range triggers {
		named[i] = t.References()
	}
	out, failures := missing(ctx, e.deps.Known, named)
	logFailures(ctx, e.deps.Logger, failures)
	return out
}

// warn gives recurring runs their warnings: of a pipeline that is gone whose newest version runs, and of times that may be meant otherwise. What
// cannot be found out is logged and left out.
func (s *Service) warn(ctx context.Context, list []catalog.RecurringRun) {
	named := make([][]event.Reference, len(list))
	for i, r := range list {
		named[i] = event.Uploaded(r.Run)
	}
	out, failures := missing(ctx, s.deps.Known, named)
	logFailures(ctx, s.deps.Logger, failures)
	for i := range list {
		list[i].Warnings = append(list[i].Trigger.Warnings(), out[i]...)
	}
}

// missing looks up each thing once, however many of the lists name it. After a failure it goes on, unless nobody waits any more.
func missing(ctx context.Context, known Known, named [][]event.Reference) (out [][]string, failures []error) {
	out = make([][]string, len(named))
	if known == nil {
		return out, nil
	}
	answers := map[string]string{}
	for i, refs := range named {
		for _, r := range refs {
			key := fmt.Sprintf("%q %q %q %q", r.Kind, r.Name, r.Keys, r.KeysWith)
			why, asked := answers[key]
			if !asked {
				var err error
				if why, err = known.Missing(ctx, r); err != nil { // then why is empty
					failures = append(failures, fmt.Errorf("%s: look for %q: %w", r.Field, r.Name, err))
					if ctx.Err() != nil {
						return out, failures
					}
				}
				answers[key] = why
			}
			if line := r.Field + ": " + why; why != "" && !slices.Contains(out[i], line) {
				out[i] = append(out[i], line)
			}
		}
	}
	return out, failures
}

// logFailures logs what could not be looked up, the first for all: they fail together when the disk does. Somebody who has gone is no failure.
func logFailures(ctx context.Context, log *slog.Logger, failures []error) {
	if len(failures) > 0 && ctx.Err() == nil {
		log.Warn("warnings are left out because what is named cannot be looked up", "things", len(failures), "error", failures[0])
	}
}
