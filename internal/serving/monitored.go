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

// findings asks the monitors of a watch what they have found. The rollout goes on meanwhile, so that it may have ended by then. Monitors that cannot be asked are logged,
// and asked again in a while.
func (d *driver) findings(ctx context.Context) []rollout.Finding {
	since := d.asks()
	var out []rollout.Finding
	for name, t := range since {
		found, err := d.s.deps.Monitors.Findings(ctx, name, t)
		if err != nil {
			d.s.deps.Logger.Warn("what a monitor has found cannot be read at the moment", "endpoint", d.l.name, "rollout", d.id, "monitor", name, "error", err)
			continue
		}
		out = append(out, found...)
	}
	// What has failed ends the rollout, so it comes first.
	slices.SortFunc(out, func(a, b rollout.Finding) int {
		failed := func(f rollout.Finding) int {
			if f.Verdict == rollout.Fail {
				return 0
			}
			return 1
		}
		return cmp.Or(failed(a)-failed(b), a.At.Compare(b.At), cmp.Compare(a.Monitor, b.Monitor), cmp.Compare(a.Report, b.Report))
	})
	return out
}

// asks are the monitors that are asked now, and since when.
func (d *driver) asks() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.deps.Now()
	if d.state.Plan.Watch == nil || d.s.deps.Monitors == nil || now.Sub(d.asked) < flushEvery {
		return nil
	}
	out := map[string]time.Time{}
	for _, name := range d.state.Plan.Watch.Monitors {
		if since, asks := d.state.Asks(name); asks {
			out[name] = since
		}
	}
	if len(out) > 0 {
		d.asked = now
	}
	return out
}

// heed has what monitors have found decided; d.mu is held.
func (d *driver) heed(ctx context.Context, found []rollout.Finding, now time.Time) error {
	for _, f := range found {
		if d.state.Done() {
			return nil
		}
		if err := d.command(ctx, rollout.Found{At: now, Finding: f}); err != nil {
			return err
		}
	}
	return nil
}
