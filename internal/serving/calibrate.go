package serving

import (
	"context"
	"time"

	"levada/internal/core/estimate"
	"levada/internal/core/reqlog"
	"levada/internal/core/rollout"
)

// The bounds of what a calibration learns from.
const (
	// leastLabels is how many predictions with their truth a calibration needs.
	leastLabels = 200
	mostLabels  = 20_000
	// learnedFrom is how far back truths are looked for when a rollout begins.
	learnedFrom = 90 * 24 * time.Hour
)

// calibration learns from predictions whose truth is known how likely a score is right, so that the accuracy of other predictions can be estimated before
// their truth is there (confidence-based performance estimation, as NannyML has it; package estimate). It sees a drift of what a model is asked, and not one
// of what is true of it.
type calibration struct {
	scores, labels []float64
	next           int // which is replaced when there are many
	fitted         int // labels that were there at the last fit
	since          int // labels that came since then
}

// add takes a prediction with its truth, if it is a score of two classes. It reports whether the next fit is due: each tenth more.
func (c *calibration) add(m reqlog.Match) bool {
	x, y := m.Predicted, m.Actual
	if x.IsText || y.IsText || !(x.Number >= 0 && x.Number <= 1) || y.Number != 0 && y.Number != 1 {
		return false
	}
	if len(c.scores) < mostLabels {
		c.scores, c.labels = append(c.scores, x.Number), append(c.labels, y.Number)
	} else {
		c.scores[c.next], c.labels[c.next] = x.Number, y.Number
		c.next = (c.next + 1) % mostLabels
	}
	c.since++
	return len(c.scores) >= leastLabels && c.since*10 >= c.fitted
}

// fit is the chance of the positive class by score.
func (c *calibration) fit() *estimate.Isotonic {
	c.fitted, c.since = len(c.scores), 0
	f := estimate.NewIsotonic(c.scores, c.labels)
	return &f
}

// expected is the chance that a score above or below one half says the right class.
func expected(f *estimate.Isotonic, score float64) float64 {
	p := f.At(score)
	if score < 0.5 {
		return 1 - p
	}
	return p
}

// calibrate begins to estimate the accuracy of the versions, where the plan wants that, from what is known of them already. It does not hold d.mu while it
// reads the log, which tells of truths while it is read.
func (d *driver) calibrate(ctx context.Context) {
	if !d.state.Plan.Watches(rollout.MetricEstimatedAccuracy) || d.s.deps.Log == nil {
		return
	}
	calibrations := map[string]*calibration{}
	for _, arm := range d.state.Arms {
		calibrations[arm] = &calibration{}
	}
	now := d.s.deps.Now()
	err := d.s.deps.Log.Matches(ctx, d.l.name, now.Add(-learnedFrom), now, func(m reqlog.Match) error {
		if c := calibrations[m.Version]; c != nil {
			c.add(m)
		}
		return nil
	})
	if err != nil {
		d.s.deps.Logger.Warn("what is known of the predictions so far cannot be read", "endpoint", d.l.name, "error", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calibrations = calibrations
	for i, arm := range d.state.Arms {
		if c := calibrations[arm]; len(c.scores) >= leastLabels {
			d.taps[i].estimate(c.fit())
		}
	}
}

// learn takes a prediction whose truth became known; d.mu is held.
func (d *driver) learn(arm int, m reqlog.Match) {
	if c := d.calibrations[m.Version]; c != nil && c.add(m) {
		d.taps[arm].estimate(c.fit())
	}
}
