package rollout

import (
	"fmt"
	"math"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

// Bandit moves traffic to the arm that earns the most while it learns which one that is (Thompson sampling). It loses fewer rewards than an
// experiment and says less: its estimates are not those of a test.
type Bandit struct {
	// Reward is the metric that is earned: a rate or a mean of the plan.
	Reward string `json:"reward"`
	// Every is how often traffic moves; default 1m.
	Every Duration `json:"every,omitempty"`
	// Floor is the least percentage of an arm, so that each goes on being tried; default 5.
	Floor float64 `json:"floor,omitempty"`
	// Stop is the chance of being the best from which on an arm has won; default 0.95.
	Stop float64 `json:"stop,omitempty"`
	// MinSamples of each arm are there before one wins; default 1000.
	MinSamples  int64    `json:"min_samples,omitempty" minimum:"0"`
	MaxDuration Duration `json:"max_duration,omitempty" doc:"default 14 days; then the baseline stays"`
}

// banditDraws is how many draws the chances of an allocation are counted in: they are known to 1 %.
const banditDraws = 4000

func (p *Plan) completeBandit() error {
	if p.Bandit == nil {
		return nil
	}
	b := *p.Bandit
	orDuration(&b.Every, time.Minute)
	orFloat(&b.Floor, 5)
	orFloat(&b.Stop, 0.95)
	if b.MinSamples == 0 {
		b.MinSamples = 1000
	}
	orDuration(&b.MaxDuration, 14*24*time.Hour)
	p.Bandit = &b
	m, ok := p.metric(b.Reward)
	switch {
	case !ok || m.Measure != Rate && m.Measure != Mean || m.Better == Same:
		return fault.Invalidf("plan: bandit.reward: %q is none of the plan's metrics that are a rate or a mean with a direction", b.Reward)
	case b.Every <= 0 || b.MaxDuration <= 0 || b.MaxDuration > longest:
		return fault.Invalidf("plan: bandit: every and max_duration must be above 0 and at most a year")
	case !(b.Floor > 0 && b.Floor <= 50):
		return fault.Invalidf("plan: bandit.floor is %v; it must be above 0 and at most 50", b.Floor)
	case !(b.Stop > 0.5 && b.Stop < 1) || b.MinSamples < 0:
		return fault.Invalidf("plan: bandit: stop must be above 0.5 and below 1, min_samples not negative")
	}
	return nil
}

// reallocate draws the chances of the arms to be the best and returns the shares of traffic that follow from them, with the evidence.
func (s *State) reallocate() (shares []float64, evidence []Evidence) {
	b := s.Plan.Bandit
	m, _ := s.Plan.metric(b.Reward)
	var live []int // arms that have not been dropped
	var arms []stats.Reward
	for i, d := range s.data.arms {
		if s.data.dropped[i] {
			continue
		}
		moments := d.sums(m).moments()
		if m.Measure == Rate && moments.N < 1 {
			moments.Mean = 0
		}
		if m.Better == Lower {
			moments.Mean = -moments.Mean
			if m.Measure == Rate {
				moments.Mean++ // the share that is not counted
			}
		}
		live, arms = append(live, i), append(arms, stats.Reward{Moments: moments, Bernoulli: m.Measure == Rate})
	}
	// The draws depend on the seed and on how often there were some, so that a replay makes the same.
	dice := stats.Dice(s.seed + s.draws*0x9e3779b97f4a7c15)
	best, loss := stats.Thompson(arms, banditDraws, &dice)
	shares = make([]float64, len(s.Arms))
	free := 100 - b.Floor*float64(len(arms))
	for i, arm := range live {
		shares[arm] = b.Floor + free*best[i]
		sums := s.data.arms[arm].sums(m)
		e := Evidence{Metric: m.Name, Test: "thompson", Arm: s.Arms[arm], Unit: "value", Confidence: b.Stop, Verdict: Inconclusive,
			Candidate: Measured{sums.N, number(sums.moments().Mean)}, Estimate: number(loss[i]), Chance: number(best[i])}
		if best[i] >= b.Stop {
			e.Verdict = Pass
		}
		e.Reason = fmt.Sprintf("%s; it is the best with a chance of %.3f, and the expected loss by choosing it is %s", e.measures(m.label()), best[i], show(e.Estimate))
		evidence = append(evidence, e)
	}
	return shares, evidence
}

// banditEnd is whether an arm has won.
func (s *State) banditEnd(at time.Time, evidence []Evidence) (ending, bool) {
	b := s.Plan.Bandit
	least := int64(math.MaxInt64)
	for _, e := range evidence {
		least = min(least, e.Candidate.N)
	}
	for _, e := range evidence {
		if e.Verdict != Pass || least < b.MinSamples {
			continue
		}
		reason := fmt.Sprintf("%s is the best with a chance of at least %g", e.Arm, b.Stop)
		if e.Arm == s.Arms[0] {
			return ending{outcome: OutcomeKept, reason: reason}, true
		}
		return ending{promote: true, arm: slices.Index(s.Arms, e.Arm), reason: reason}, true
	}
	if !at.Before(s.Since.Add(time.Duration(b.MaxDuration))) {
		return ending{outcome: OutcomeKept, reason: fmt.Sprintf("no arm has won in %v", time.Duration(b.MaxDuration))}, true
	}
	return ending{}, false
}
