package serving

import (
	"hash/maphash"
	"sync"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/estimate"
	"levada/internal/core/rollout"
)

// maxKeys bounds the keys that a tap tells apart.
const maxKeys = 1_000_000

// tap sums up what a version does while a rollout compares it.
type tap struct {
	random func() uint64
	// others are the versions that this one is compared with.
	others []string

	mu  sync.Mutex
	arm rollout.Arm
	// keep is the share of the requests that are compared: the control group is a part of what the baseline answers.
	keep float64
	// counts says which requests are counted.
	counts counted
	// since is when counting began: requests that were on their way by then were divided otherwise.
	since time.Time
	// chance is how likely a score is right; nil while that is not known.
	chance *estimate.Isotonic
	seed   maphash.Seed
	keys   map[uint64]struct{}
}

// counted says which requests a tap counts.
type counted int

const (
	countAnswers counted = iota // those that the version answered
	countCopies                 // copies that it saw as a shadow
	// countOriginals are those that it answered and of which a shadow has answered a copy. A shadow that cannot keep up sees few of the requests, and
	// not an even choice of them: both sides are compared on the same ones.
	countOriginals
)

func newTap(random func() uint64, others []string) *tap {
	return &tap{random: random, others: others, keep: 1, seed: maphash.MakeSeed(), keys: map[uint64]struct{}{}, arm: emptyArm()}
}

func emptyArm() rollout.Arm {
	a := rollout.NewArm()
	a.Units = new(int64)
	return a
}

// set begins to count for another stage.
func (t *tap) set(keep float64, counts counted, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep, t.counts, t.since, t.arm = keep, counts, since, emptyArm()
	t.keys = map[uint64]struct{}{}
}

// estimate begins to estimate the accuracy from scores.
func (t *tap) estimate(chance *estimate.Isotonic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.chance = chance
}

// take returns what was counted since the last time.
func (t *tap) take() rollout.Arm {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.arm
	t.arm = emptyArm()
	return out
}

// add counts a request, if it is one of those that are counted.
func (t *tap) add(o endpoint.Observation, is counted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if is != t.counts || o.Aimed || o.At.Before(t.since) {
		return // versions are compared on requests that were divided among them by lot, as the stage wants
	}
	if t.keep < 1 && float64(t.random()>>11)/(1<<53) >= t.keep {
		return
	}
	a := &t.arm
	if o.Key != "" && len(t.keys) < maxKeys {
		before := len(t.keys)
		t.keys[maphash.String(t.seed, o.Key)] = struct{}{}
		*a.Units += int64(len(t.keys) - before)
	} else if o.Key == "" {
		*a.Units++
	}
	// An input that only one of the versions refuses is that version's doing, and one that is wrong for both is in both arms.
	a.Count(rollout.Answer{Milliseconds: float64(o.Latency) / float64(time.Millisecond), Failed: o.Outcome != endpoint.OK, TimedOut: o.Outcome == endpoint.TimedOut,
		Prediction: &o.Prediction, Label: o.Label})
	if o.Outcome == endpoint.OK && t.chance != nil && o.Prediction >= 0 && o.Prediction <= 1 {
		a.Value(rollout.MetricEstimatedAccuracy, expected(t.chance, o.Prediction))
	}
	if o.Shadow {
		different := 1.0
		if o.Agreed {
			different = 0
		}
		a.Value(rollout.MetricMismatch, different)
	}
}

// report adds a value that was reported of an answer.
func (t *tap) report(v Reported) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, known := t.arm.Values[v.Metric]
	if !known && len(t.arm.Values) >= 100 {
		return
	}
	if v.Before != nil {
		s.AddWith(v.Value, *v.Before)
	} else {
		s.Add(v.Value)
	}
	t.arm.Values[v.Metric] = s
}
