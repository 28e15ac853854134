package trigger

import (
	"context"
	"slices"

	"levada/internal/core/event"
)

// Known knows what triggers name.
type Known interface {
	// Missing says why a thing cannot be used as it is named; "" where it can.
	Missing(ctx context.Context, r event.Reference) (string, error)
}

// Missing says which of the things that a trigger names are not there, one a line. Some may come later.
func (e *Events) Missing(ctx context.Context, refs []event.Reference) ([]string, error) {
	var out []string
	if e.deps.Known == nil {
		return nil, nil
	}
	for _, r := range refs {
		why, err := e.deps.Known.Missing(ctx, r)
		if err != nil {
			return nil, err
		}
		if line := r.Field + ": " + why; why != "" && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out, nil
}
