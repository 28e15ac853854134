package serving

import (
	"cmp"
	"context"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

// Monitors look at data by themselves.
type Monitors interface {
	// Monitored returns a NotFound error where there is no monitor of a name.
	Monitored(ctx context.Context, name string) error
	// Findings returns what a monitor has found since a time, in any order.
	Findings(ctx context.Context, name string, since time.Time) ([]rollout.Finding, error)
}

// monitored refuses a plan with a monitor that is not there.
func (s *Service) monitored(ctx context.Context, plan rollout.Plan) error {
	if plan.Watch == nil || len(plan.Watch.Monitors) == 0 {
		return nil
	}
	if s.deps.Monitors == nil {
		return fault.Invalidf("plan: watch.monitors: this server has no monitors")
	}
	for _, name := range plan.Watch.Monitors {
		if err := s.deps.Monitors.Monitored(ctx, name); err != nil {
			return fault.Invalidf("plan: watch.monitors: %w", err)
		}
	}
	return nil
}

// findings has what monitors have found since the last look decided; d.mu is held.
func (d *driver) findings(ctx context.Context, now time.Time) error {
	if d.state.Plan.Watch == nil || d.s.deps.Monitors == nil || now.Sub(d.asked) < flushEvery {
		return nil
	}
	d.asked = now
	for _, name := range d.state.Plan.Watch.Monitors {
		since, asks := d.state.Asks(name)
		if !asks {
			return nil
		}
		found, err := d.s.deps.Monitors.Findings(ctx, name, since)
		if err != nil {
			return err
		}
		slices.SortFunc(found, func(a, b rollout.Finding) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(b.Verdict, a.Verdict)) })
		for _, f := range found {
			if d.state.Done() {
				return nil
			}
			if err := d.command(ctx, rollout.Found{At: now, Finding: f}); err != nil {
				return err
			}
		}
	}
	return nil
}
