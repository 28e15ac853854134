package serving

import (
	"context"
	"fmt"

	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

// decide has decided what follows from how the versions are, from what they did and from what monitors have found; d.mu is held. After an error nothing else is decided
// until what was, is stored.
func (d *driver) decide(ctx context.Context, due bool, found []rollout.Finding) error {
	if err := d.settle(ctx); err != nil || d.state.Done() {
		return err
	}
	now := d.now()
	if arm, why := d.broken(); arm != "" {
		return d.command(ctx, rollout.Broken{At: now, Arm: arm, Reason: why})
	}
	if due {
		if err := d.observe(ctx, now); err != nil {
			return err
		}
	}
	return d.heed(ctx, found, now)
}

// settle stores what follows from the newest window, where that could not be stored before; d.mu is held.
func (d *driver) settle(ctx context.Context) error {
	if d.owed.IsZero() {
		return nil
	}
	return d.command(ctx, rollout.Tick{At: d.owed})
}

// broken finds a version of the rollout that cannot be loaded any more.
func (d *driver) broken() (arm, why string) {
	r := d.l.route.Load()
	if r == nil {
		return "", ""
	}
	for _, number := range d.state.Arms {
		if v := r.versions[number]; v != nil && d.state.Needs(number) && v.givenUp() {
			v.mu.Lock()
			err := v.failure
			v.mu.Unlock()
			return number, fault.Shorten(fmt.Sprint(err), 1000)
		}
	}
	return "", ""
}
