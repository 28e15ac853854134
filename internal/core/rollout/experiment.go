package rollout

import (
	"fmt"
	"math"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

// leastUnits is how many values each arm needs before an experiment is looked at: below, a variance is not known well enough.
const leastUnits = 100

// unplannedLevel is the level at which shares of units that are not as planned end an experiment.
const unplannedLevel = 0.001

// Experiment is an A/B test. It may be looked at after every window; what it says stays valid.
type Experiment struct {
	// Percent is the candidate's share of the traffic; default 50. The rest is the baseline's, all of which is compared.
	Percent float64 `json:"percent,omitempty"`
	// Decide are the metrics that decide. With several, their p-values are adjusted by Holm's method.
	Decide []Decision `json:"decide" maxItems:"20"`
	// Alpha bounds the chance to find a difference where there is none (default 0.05); 1 - Power that to give up although there is one of
	// the minimum effect (default 0.8).
	Alpha float64 `json:"alpha,omitempty"`
	Power float64 `json:"power,omitempty"`
	// MaxSamples of each arm, or MaxDuration (default 14 days), end an experiment that has not ended itself.
	MaxSamples  int64    `json:"max_samples,omitempty" minimum:"0"`
	MaxDuration Duration `json:"max_duration,omitempty"`
	// PromoteIfNoWorse promotes the candidate where no effect was found, if none of the metrics may be worse by the minimum effect.
	PromoteIfNoWorse bool `json:"promote_if_no_worse,omitempty"`
}

// Decision is a metric that an experiment decides by.
type Decision struct {
	Metric string `json:"metric" doc:"one of the plan's metrics that is a rate or a mean"`
	// MinimumEffect is the smallest difference that matters: a difference of shares for a rate, relative to the baseline for a mean. The
	// experiment is planned for it and gives up when it is excluded.
	MinimumEffect float64 `json:"minimum_effect"`
}

// SampleSize is how many values each arm of the plan's experiment would need if its size were fixed, from what is expected of the baseline: its mean, or its
// rate, and the standard deviation of its values (not used for a rate). A sequential test needs more at the most, fewer on average where the effect is larger.
func (p *Plan) SampleSize(d Decision, mean, sd float64) (int64, error) {
	e := p.Experiment
	m, _ := p.metric(d.Metric)
	n := 0.0
	switch {
	case m.Measure == Rate && !(mean > 0 && mean < 1):
		return 0, fault.Invalidf("sample size for %q: the expected rate is %v; it must be above 0 and below 1", m.Name, mean)
	case m.Measure == Rate:
		q := mean + d.MinimumEffect
		if q >= 1 {
			q = mean - d.MinimumEffect
		}
		if q <= 0 {
			return 0, fault.Invalidf("sample size for %q: a rate of %v cannot differ by %v", m.Name, mean, d.MinimumEffect)
		}
		n = stats.SampleSizeProportions(mean, q, e.Alpha, e.Power)
	case !(sd > 0) || mean == 0 || math.IsNaN(mean) || math.IsInf(mean, 0) || math.IsInf(sd, 0):
		return 0, fault.Invalidf("sample size for %q: give a mean that is not 0 and a standard deviation above 0", m.Name)
	default:
		n = stats.SampleSizeMeans(sd, d.MinimumEffect*mean, e.Alpha, e.Power)
	}
	if n > 1e15 {
		return 0, fault.Invalidf("sample size for %q: more than 10^15; the minimum effect is too small", m.Name)
	}
	return int64(math.Ceil(n)), nil
}

func (p *Plan) completeExperiment() error {
	if p.Experiment == nil {
		return nil
	}
	e := *p.Experiment
	orFloat(&e.Percent, 50)
	orFloat(&e.Alpha, 0.05)
	orFloat(&e.Power, 0.8)
	orDuration(&e.MaxDuration, 14*24*time.Hour)
	p.Experiment = &e
	switch {
	case !(e.Percent > 0 && e.Percent < 100):
		return fault.Invalidf("plan: experiment.percent is %v; it must be above 0 and below 100", e.Percent)
	case !(e.Alpha > 0 && e.Alpha < 0.5) || !(e.Power > 0.5 && e.Power < 1):
		return fault.Invalidf("plan: experiment: alpha must be above 0 and below 0.5, power above 0.5 and below 1")
	case e.MaxSamples < 0 || e.MaxDuration <= 0 || e.MaxDuration > longest:
		return fault.Invalidf("plan: experiment: max_samples must not be negative, max_duration is above 0 and at most a year")
	case len(e.Decide) == 0 || len(e.Decide) > 20:
		return fault.Invalidf("plan: experiment.decide has %d metrics; give from 1 to 20", len(e.Decide))
	}
	for i, d := range e.Decide {
		m, ok := p.metric(d.Metric)
		switch {
		case !ok || m.Measure != Rate && m.Measure != Mean:
			return fault.Invalidf("plan: experiment.decide[%d]: %q is none of the plan's metrics that are a rate or a mean", i, d.Metric)
		case m.Better == Same || m.Limit != nil:
			return fault.Invalidf("plan: experiment.decide[%d]: %q needs a direction and no limit", i, d.Metric)
		case !(d.MinimumEffect > 0) || math.IsInf(d.MinimumEffect, 0):
			return fault.Invalidf("plan: experiment.decide[%d]: minimum_effect is %v; it must be above 0", i, d.MinimumEffect)
		case slices.ContainsFunc(e.Decide[:i], func(o Decision) bool { return o.Metric == d.Metric }):
			return fault.Invalidf("plan: experiment.decide has %q twice", d.Metric)
		}
	}
	return nil
}

// metric is the one with a name.
func (p *Plan) metric(name string) (Metric, bool) {
	for _, m := range p.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// trialState is what is known of a metric of an experiment.
type trialState struct {
	p      float64 // lowest so far
	effect float64 // the minimum effect in the unit of the metric, fixed at the first look
	futile bool    // an improvement of the minimum effect has been excluded once
	gain   stats.Interval
	// reduction is the share of the variance that a covariate took away.
	reduction float64
	variance  float64
}

// try updates an experiment by what was observed.
func (s *State) try() {
	e := s.Plan.Experiment
	units := []float64{float64(s.data.arms[0].units), float64(s.data.arms[1].units)}
	l := stats.BinomialSPRT(units[1], units[0]+units[1], e.Percent/100)
	s.data.unplanned = math.Min(s.data.unplanned, math.Exp(-math.Max(0, l)))
	for i, d := range e.Decide {
		m, _ := s.Plan.metric(d.Metric)
		x, y := s.data.arms[1].sums(m), s.data.arms[0].sums(m)
		if min(x.N, y.N) < leastUnits {
			continue
		}
		t := &s.data.trial[i]
		mx, my, reduction := stats.CUPED(x.paired(), y.paired())
		t.reduction = reduction
		if t.effect == 0 {
			t.effect = d.MinimumEffect
			if m.Measure == Mean {
				t.effect *= math.Abs(my.Mean)
			}
		}
		t.variance = mx.Variance/mx.N + my.Variance/my.N
		if t.variance == 0 || t.effect == 0 {
			continue
		}
		mixing := t.effect * t.effect
		gain := mx.Mean - my.Mean
		t.p = math.Min(t.p, math.Exp(-math.Max(0, stats.MixtureSPRT(gain, t.variance, mixing))))
		half := stats.MixtureRadius(t.variance, mixing, e.Alpha)
		t.gain = stats.Interval{Estimate: gain, Low: gain - half, High: gain + half}
		if m.Better == Lower {
			t.gain = harm(Higher, t.gain) // above 0 is better
		}
		if t.gain.Estimate+stats.MixtureRadius(t.variance, mixing, 1-e.Power) < t.effect {
			t.futile = true
		}
	}
}

// trialEvidence is what the experiment says so far. Its estimates are harm, as all evidence is.
func (s *State) trialEvidence() []Evidence {
	e := s.Plan.Experiment
	raw := make([]float64, len(e.Decide))
	for i, t := range s.data.trial {
		raw[i] = t.p
	}
	adjusted := stats.Holm(raw)
	var out []Evidence
	for i, d := range e.Decide {
		m, _ := s.Plan.metric(d.Metric)
		t := s.data.trial[i]
		x, y := s.data.arms[1].sums(m), s.data.arms[0].sums(m)
		v := Evidence{Metric: m.Name, Test: "mixture_sprt", Arm: s.Arms[1], Confidence: 1 - e.Alpha, Unit: "value", P: number(raw[i]), Adjusted: number(adjusted[i]),
			Tolerance: number(t.effect), Verdict: Inconclusive,
			Baseline: &Measured{y.N, number(y.moments().Mean)}, Candidate: Measured{x.N, number(x.moments().Mean)}}
		if m.Measure == Rate {
			v.Unit = "share"
		}
		if t.effect == 0 {
			v.Verdict, v.Reason = NoData, fmt.Sprintf("%s has fewer than %d values in an arm", m.Name, leastUnits)
			out = append(out, v)
			continue
		}
		v.within(harm(Higher, t.gain))
		says := "no difference is known yet"
		switch {
		case adjusted[i] <= e.Alpha && t.gain.Estimate > 0:
			v.Verdict, says = Pass, "the candidate is better"
		case adjusted[i] <= e.Alpha:
			v.Verdict, says = Fail, "the candidate is worse"
		case t.futile:
			says = fmt.Sprintf("it is not better by the minimum effect of %s", show(&t.effect))
		}
		v.Reason = fmt.Sprintf("%s; the gain is %s (%s%% sequence %s to %s), p %s after adjustment: %s", v.measures(m.label()), show(&t.gain.Estimate),
			show(number(v.Confidence*100)), show(&t.gain.Low), show(&t.gain.High), show(v.Adjusted), says)
		if t.reduction > 0 {
			v.Reason += fmt.Sprintf("; the covariate takes away %.0f %% of the variance", 100*t.reduction)
		}
		out = append(out, v)
	}
	return out
}

// trialEnd is how an experiment ends; over is false while it goes on.
func (s *State) trialEnd(at time.Time, evidence []Evidence) (end ending, over bool) {
	e := s.Plan.Experiment
	if p := s.data.unplanned; p <= unplannedLevel {
		a, b := s.data.arms[1].units, s.data.arms[0].units
		return ending{outcome: OutcomeInvalid, reason: fmt.Sprintf("the sample ratio does not match: %d of %d units went to the candidate, planned are %g %% (p %s); what divides the traffic is at fault, and the arms cannot be compared",
			a, a+b, e.Percent, show(&p))}, true
	}
	better, worse, futile, noWorse := 0, 0, 0, true
	for i, v := range evidence {
		better += count(v.Verdict == Pass)
		worse += count(v.Verdict == Fail)
		t := s.data.trial[i]
		futile += count(t.futile || v.Verdict == Fail)
		noWorse = noWorse && t.effect > 0 && t.gain.Low > -t.effect
	}
	full := e.MaxSamples > 0
	for _, d := range e.Decide {
		m, _ := s.Plan.metric(d.Metric)
		full = full && min(s.data.arms[0].sums(m).N, s.data.arms[1].sums(m).N) >= e.MaxSamples
	}
	timeout := !s.Until.IsZero() && !at.Before(s.Until)
	none := func(reason string) (ending, bool) {
		if e.PromoteIfNoWorse && noWorse {
			return ending{promote: true, reason: reason + "; the candidate is not worse by the minimum effect, and the plan promotes it then"}, true
		}
		return ending{outcome: OutcomeKept, reason: reason}, true
	}
	switch {
	case better > 0 && worse > 0:
		return ending{pause: true, reason: "the candidate is better by one metric and worse by another; somebody must weigh them: promote or abort"}, true
	case worse > 0:
		return ending{outcome: OutcomeRolledBack, reason: "the candidate is worse"}, true
	case better > 0:
		return ending{promote: true, reason: "the candidate is better"}, true
	case futile == len(e.Decide) && (noWorse || !e.PromoteIfNoWorse): // else it goes on to tell whether the candidate is no worse
		return none("an improvement of the minimum effect is excluded: going on is futile")
	case full:
		return none(fmt.Sprintf("each arm has %d values and no difference was found", e.MaxSamples))
	case timeout:
		return none(fmt.Sprintf("no difference was found in %v", time.Duration(e.MaxDuration)))
	}
	return ending{}, false
}

// ending is how a stage that decides by itself ends.
type ending struct {
	outcome Outcome
	promote bool
	pause   bool
	arm     int
	reason  string
}
