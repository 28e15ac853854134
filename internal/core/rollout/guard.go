package rollout

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"levada/internal/core/stats"
)

// guardMean is how many values of a mean each arm needs before the guard looks: below, a variance is not known well enough.
const guardMean = 100

// mostErrors is the rate of errors that no version may have, whatever is known of others.
const mostErrors = 0.5

// guardState is what the guard knows of one metric in a stage.
type guardState struct {
	p      float64 // lowest so far
	mixing float64 // variance of the alternatives of a mean, fixed at the first look
	looks  int     // at a distribution, whose size doubles each time
	worse  int     // points of a quantile that were worse
	seen   int     // points that were counted
	alarm  *Evidence
}

// watchOver updates the guard by what was observed. It is called after every window: its tests are valid at all times.
func (s *State) watchOver(arm int) {
	if s.Plan.Guard.Off {
		return
	}
	if s.Stage.Phase == PhaseBandit {
		s.watchArms()
		return
	}
	for i, m := range s.Plan.Metrics {
		if m.Critical && !s.unseen(m) {
			s.guard(i, m, arm)
		}
	}
	if s.alone() && !s.Plan.guardsErrors() {
		s.guard(len(s.Plan.Metrics), Metric{Name: MetricErrors, Measure: Rate, Better: Lower, Critical: true, Limit: number(mostErrors), Tolerance: number(0)}, arm)
	}
}

// guardsErrors reports whether the rate of errors is a critical metric of the plan. Where it is not, a version that has all traffic is held against mostErrors alone.
func (p *Plan) guardsErrors() bool {
	return slices.ContainsFunc(p.Metrics, func(m Metric) bool { return m.Name == MetricErrors && m.Critical })
}

// guard looks at one metric of an arm; i is the place of what is known of it.
func (s *State) guard(i int, m Metric, arm int) {
	g := &s.data.guard[i]
	if g.alarm != nil {
		return
	}
	e := Evidence{Metric: m.Name, Arm: s.Arms[arm], Confidence: 1 - s.Plan.level(), Critical: true, Tolerance: m.Tolerance}
	a, b, points := s.data.arms[arm], s.data.arms[0], [][2]float64(nil)
	if i < len(s.data.points) {
		points = s.data.points[i]
	}
	if s.alone() {
		if b = standard(s.standards, m); b == nil {
			if m.Limit == nil && m.Name != MetricErrors {
				return
			}
			if m.Limit == nil {
				m.Limit = number(mostErrors)
			}
			b = newArmData() // a limit needs nothing to compare with
		}
	}
	if s.alarmed(&e, m, g, points, a, b) {
		e.Verdict, e.P = Fail, number(g.p)
		e.explain(m.label())
		g.alarm = &e
	}
}

// watchArms looks after the critical rates of the arms of a bandit. It moves traffic while it compares, so each arm is compared on what came since the last
// move, and the moves share the level (6/(pi² k²) of it for move k).
func (s *State) watchArms() {
	level := stats.Spent(s.Plan.level()/float64(len(s.Arms)-1), int(min(s.draws, 1<<30)))
	for arm := 1; arm < len(s.Arms); arm++ {
		for _, m := range s.Plan.Metrics {
			if !m.Critical || m.Measure != Rate || s.data.dropped[arm] || s.data.bad[arm] != nil {
				continue
			}
			e := Evidence{Metric: m.Name, Arm: s.Arms[arm], Confidence: 1 - level, Critical: true, Tolerance: m.Tolerance}
			g, worse := guardState{p: 1}, false
			if x := s.data.moved[arm].sums(m); m.Limit != nil {
				worse = guardShare(&e, m, &g, x, *m.Limit)
			} else {
				worse = guardRatio(&e, m, &g, x, s.data.moved[0].sums(m))
			}
			if worse {
				e.Verdict, e.P = Fail, number(g.p)
				e.explain(m.label())
				s.data.bad[arm] = &e
			}
		}
	}
}

// dropped takes the traffic of arms that do harm away from them, and ends the bandit where no candidate is left. It has no events without such arms.
func (s *State) dropped(at time.Time) []Event {
	var evidence []Evidence
	var names []string
	shares, left, sum := slices.Clone(s.Traffic.Shares), 0, 0.0
	for arm, e := range s.data.bad {
		switch {
		case e != nil:
			evidence, names, shares[arm] = append(evidence, *e), append(names, e.Arm), 0
		case arm > 0 && !s.data.dropped[arm]:
			left++
		}
		sum += shares[arm]
	}
	if len(evidence) == 0 {
		return nil
	}
	reason := fmt.Sprintf("%s got worse: %s", evidence[0].Metric, evidence[0].Reason)
	if left == 0 {
		return s.back(at, OutcomeRolledBack, reason, "", evidence)
	}
	for i := range shares {
		shares[i] *= 100 / sum
	}
	until := s.Until
	return []Event{{Type: TrafficChanged, At: at, Stage: &s.Stage, Until: &until, Traffic: &Traffic{Shares: shares}, Evidence: evidence,
		Reason: strings.Join(names, " and ") + " gets no traffic any more: " + reason}}
}

// alone reports whether the promoted version has all traffic: then it is compared with what it did before.
func (s *State) alone() bool { return s.Stage.Phase == PhaseWatch && s.Plan.Watch.Holdback == 0 }

// before is what a version that is promoted now is held against, the best first: what it did itself in the stage that ends, unless it saw copies alone,
// what the baseline did then, and what that did since the start.
func (s *State) before(arm int) []*armData {
	out := []*armData{s.data.arms[0], s.past}
	if s.Stage.Phase != PhaseShadow {
		out = append([]*armData{s.data.arms[arm]}, out...)
	}
	return out
}

// standard is the first of which enough was observed; nil where of none.
func standard(list []*armData, m Metric) *armData {
	for _, d := range list {
		if d.samples(m) >= max(1, m.MinSamples) {
			return d
		}
	}
	return nil
}

// samples is how much of a metric was observed.
func (d *armData) samples(m Metric) (n int64) {
	switch m.Measure {
	case Quantile:
		return d.Latency.total()
	case Distribution:
		n = d.Predictions.total()
		for _, c := range d.Labels {
			n += c
		}
		return n
	}
	return d.sums(m).N
}

// without are the critical metrics of which no standard is known.
func (p *Plan) without(standards []*armData) (names []string) {
	for _, m := range p.Metrics {
		if m.Critical && m.Limit == nil && standard(standards, m) == nil {
			names = append(names, m.Name)
		}
	}
	return names
}

// unwatched are the metrics that a version with all traffic cannot be held against, in words; empty where there are none.
func (s *State) unwatched(arm int) string {
	names := s.Plan.without(s.before(arm))
	if len(names) == 0 || s.Plan.Guard.Off || s.Plan.Watch.Holdback > 0 {
		return ""
	}
	return "too little was observed before to hold the version against it by " + strings.Join(names, " and ") + "; a holdback would be compared with"
}

// alarmed reports whether a metric is worse beyond its tolerance at the guard's level.
func (s *State) alarmed(e *Evidence, m Metric, g *guardState, points [][2]float64, a, b *armData) bool {
	against := s.alone()
	limit := m.Limit
	switch m.Measure {
	case Rate:
		x, y := a.sums(m), b.sums(m)
		if limit == nil && against {
			limit = bound(m, y.Sum/float64(y.N), *m.Tolerance, y.N)
			if limit == nil {
				return false
			}
		}
		if limit != nil {
			return guardShare(e, m, g, x, *limit)
		}
		return guardRatio(e, m, g, x, y)
	case Mean:
		x, y := a.sums(m), b.sums(m)
		if limit == nil && against {
			limit = bound(m, y.moments().Mean, *m.Tolerance*math.Abs(y.moments().Mean), y.N)
			if limit == nil {
				return false
			}
		}
		return guardMeans(e, m, g, x, y, limit)
	case Quantile:
		if limit == nil && against {
			q := b.Latency.quantile(m.Quantile)
			if limit = bound(m, q, *m.Tolerance*q, b.Latency.total()); limit == nil {
				return false
			}
		}
		return guardPoints(e, m, g, points, a, b, limit)
	}
	return guardDistribution(e, m, g, a, b, 1-e.Confidence, against)
}

// bound is the limit that what was measured before a promotion sets; nil where too little was, or any change counts.
func bound(m Metric, value, allowed float64, n int64) *float64 {
	if n < max(1, m.MinSamples) || m.Better == Same {
		return nil
	}
	if m.Better == Higher {
		return number(value - allowed)
	}
	return number(value + allowed)
}

// lower takes up a p-value from the logarithm of a likelihood ratio, and reports whether it is below the level.
func (g *guardState) lower(l float64, e *Evidence) bool {
	p := math.Exp(-math.Max(0, l))
	g.p = math.Min(g.p, p)
	return p <= 1-e.Confidence
}

// guardShare compares a rate with a limit.
func guardShare(e *Evidence, m Metric, g *guardState, x Sums, limit float64) bool {
	k, n := x.Sum, float64(x.N)
	if m.Better == Higher {
		k, limit = n-k, 1-limit
	}
	e.Test, e.Unit, e.Tolerance = "binomial_sequence", "share", number(limit)
	e.Candidate = Measured{x.N, number(x.Sum / n)}
	if n == 0 || k/n <= limit || limit >= 1 {
		return false
	}
	if !g.lower(stats.BinomialSPRT(k, n, math.Max(limit, 1e-12)), e) {
		return false
	}
	i := stats.BinomialSequence(k, n, 1-e.Confidence)
	e.within(less(i, limit))
	e.Reason = fmt.Sprintf("%s; with confidence it is beyond %s (at least %s of the requests are bad)", e.measures(m.label()), show(number(limit)), show(&i.Low))
	return i.Low > limit
}

// guardRatio compares two rates that were measured side by side.
func guardRatio(e *Evidence, m Metric, g *guardState, x, y Sums) bool {
	ka, na, kb, nb := x.Sum, float64(x.N), y.Sum, float64(y.N)
	if m.Better == Higher {
		ka, kb = na-ka, nb-kb
	}
	e.Test, e.Unit = "rate_ratio_sequence", "ratio"
	e.Baseline, e.Candidate = &Measured{y.N, number(y.Sum / nb)}, Measured{x.N, number(x.Sum / na)}
	if na == 0 || nb == 0 {
		return false
	}
	difference := ka/na - kb/nb
	if m.Better == Same {
		difference = math.Abs(difference)
	}
	if !g.lower(stats.RateRatioSPRT(ka, na, kb, nb, 1), e) {
		return false
	}
	i := stats.RateRatio(ka, na, kb, nb, 1-e.Confidence)
	e.within(i)
	return (i.Low > 1 || m.Better == Same && i.High < 1) && difference > *m.Tolerance
}

// guardMeans compares two means, or one with a limit.
func guardMeans(e *Evidence, m Metric, g *guardState, x, y Sums, limit *float64) bool {
	e.Test, e.Unit = "mixture_sprt", "relative"
	mx, my := x.moments(), y.moments()
	e.Candidate = Measured{x.N, number(mx.Mean)}
	if limit == nil {
		e.Baseline = &Measured{y.N, number(my.Mean)}
	} else {
		my = stats.Moments{N: guardMean, Mean: *limit}
		e.Tolerance = limit
	}
	if mx.N < guardMean || my.N < guardMean {
		return false
	}
	variance, scale := mx.Variance/mx.N+my.Variance/my.N, math.Abs(my.Mean)
	if g.mixing == 0 {
		if g.mixing = math.Pow(math.Max(*m.Tolerance, 0.01)*scale, 2); g.mixing == 0 {
			g.mixing = mx.Variance / 100
		}
	}
	if variance == 0 || g.mixing == 0 {
		return false
	}
	d := mx.Mean - my.Mean
	half := stats.MixtureRadius(variance, g.mixing, 1-e.Confidence)
	if !g.lower(stats.MixtureSPRT(d, variance, g.mixing), e) {
		return false
	}
	i := harm(m.Better, stats.Interval{Estimate: d, Low: d - half, High: d + half})
	i, tolerance := relative(e, i, scale, *m.Tolerance)
	if limit != nil {
		tolerance = 0
	}
	e.within(i)
	worse := i.Low > 0 && i.Estimate > tolerance
	return worse || m.Better == Same && i.High < 0 && -i.Estimate > tolerance
}

// guardPoints counts the windows in which the candidate was slower than tolerated. For two versions alike it is so in at most half of
// them, however much requests within a window depend on each other.
func guardPoints(e *Evidence, m Metric, g *guardState, points [][2]float64, a, b *armData, limit *float64) bool {
	for ; g.seen < len(points); g.seen++ {
		base, candidate := points[g.seen][0], points[g.seen][1]
		switch {
		case limit != nil && m.Better != Higher:
			g.worse += count(candidate > *limit)
		case limit != nil:
			g.worse += count(candidate < *limit)
		case m.Better == Higher:
			g.worse += count(candidate < base*(1-*m.Tolerance))
		default:
			g.worse += count(candidate > base*(1+*m.Tolerance))
		}
	}
	e.Test, e.Unit = "sign_sequence", "windows"
	if limit == nil {
		e.Baseline = &Measured{b.Latency.total(), number(b.Latency.quantile(m.Quantile))}
	} else {
		e.Tolerance = limit
	}
	e.Candidate = Measured{a.Latency.total(), number(a.Latency.quantile(m.Quantile))}
	if g.seen == 0 {
		return false
	}
	k, n := float64(g.worse), float64(g.seen)
	if k/n <= 0.5 {
		return false
	}
	if !g.lower(stats.BinomialSPRT(k, n, 0.5), e) {
		return false
	}
	i := stats.BinomialSequence(k, n, 1-e.Confidence)
	e.within(i)
	e.Reason = fmt.Sprintf("%s; in %d of %d windows it was beyond the tolerance of %s", e.measures(m.label()), g.worse, g.seen, show(e.Tolerance))
	return i.Low > 0.5
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// guardDistribution looks each time that the samples have doubled, with a part of the level for each look.
func guardDistribution(e *Evidence, m Metric, g *guardState, a, b *armData, alpha float64, fixed bool) bool {
	e.Test, e.Unit = "psi_at_doublings", "psi"
	na, nb := a.samples(m), b.samples(m)
	// What was measured before a promotion does not grow: then the candidate's doublings count alone.
	least := min(na, nb)
	if fixed {
		least = na
	}
	if float64(least) < math.Ldexp(float64(max(50, m.MinSamples)), g.looks) || nb < m.MinSamples {
		return false
	}
	level := stats.Spent(alpha, g.looks)
	g.looks++
	i, p := stabilityIndex(predictionCounts(a, b))
	g.p = math.Min(g.p, math.Min(1, p*alpha/level))
	e.Baseline, e.Candidate = &Measured{N: nb}, Measured{N: na}
	e.Confidence = 1 - level
	e.within(i)
	return p < level && i.Estimate > *m.Tolerance
}

// alarms is what the guard has found.
func (d *stageData) alarms() []Evidence {
	var out []Evidence
	for _, g := range d.guard {
		if g.alarm != nil {
			out = append(out, *g.alarm)
		}
	}
	return out
}
