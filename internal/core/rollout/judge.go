package rollout

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"levada/internal/core/stats"
)

// The constants of judging, as Kayenta's judge has them by default where it has one.
const (
	// shiftMargin is the share of the estimated shift by which its interval must be away from none.
	shiftMargin = 0.25
	// pointRequests is how many requests of each arm make one value of a quantile, and leastPoints how many values a judgement needs.
	pointRequests = 20
	leastPoints   = 8
	// predictionBins is in how many parts of equal share the baseline's predictions are cut.
	predictionBins = 10
)

// stageData is what was observed in a stage.
type stageData struct {
	arms []*armData
	// pending is a window of the first two arms that has too few requests for a point yet; points are quantiles of both for each metric.
	pending [2]Histogram
	points  [][][2]float64
	guard   []guardState // of each metric, and of errors where they are none
	trial   []trialState
	// moved is what the arms of a bandit did since traffic moved last, bad what the guard has found against which of them, and dropped those that get no
	// traffic any more because of it.
	moved   []*armData
	bad     []*Evidence
	dropped []bool
	// unplanned is the lowest p-value so far for the shares of units being as planned.
	unplanned float64
}

func newStageData(p *Plan, arms int) *stageData {
	d := &stageData{points: make([][][2]float64, len(p.Metrics)), guard: make([]guardState, len(p.Metrics)+1), unplanned: 1, bad: make([]*Evidence, arms), dropped: make([]bool, arms)}
	for range arms {
		d.arms = append(d.arms, newArmData())
	}
	d.move(arms)
	d.pending = [2]Histogram{{}, {}}
	for i := range d.guard {
		d.guard[i].p = 1
	}
	if p.Experiment != nil {
		d.trial = make([]trialState, len(p.Experiment.Decide))
		for i := range d.trial {
			d.trial[i].p = 1
		}
	}
	return d
}

// move begins anew with what is compared between two moves of traffic.
func (d *stageData) move(arms int) {
	d.moved = nil
	for range arms {
		d.moved = append(d.moved, newArmData())
	}
}

// add takes up a window. The arm is compared with arm 0, or alone with what it did before.
func (d *stageData) add(p *Plan, w Window, arm int, alone bool) {
	for i, a := range w.Arms {
		d.arms[i].add(a)
		d.moved[i].add(a)
	}
	for k, i := range []int{0, arm} {
		for b, c := range w.Arms[i].Latency {
			d.pending[k][b] += c
		}
	}
	base, candidate := d.pending[0].total(), d.pending[1].total()
	if candidate < pointRequests || base < pointRequests && !alone {
		return
	}
	for i, m := range p.Metrics {
		if m.Measure == Quantile {
			d.points[i] = append(d.points[i], [2]float64{d.pending[0].quantile(m.Quantile), d.pending[1].quantile(m.Quantile)})
		}
	}
	d.pending = [2]Histogram{{}, {}}
}

// judge compares an arm with the baseline by all metrics.
func (s *State) judge(arm int) []Evidence {
	var out []Evidence
	for i, m := range s.Plan.Metrics {
		if s.unseen(m) {
			continue
		}
		out = append(out, s.compare(i, m, arm))
	}
	if s.Stage.Phase == PhaseShadow && s.Plan.Shadow.MaxMismatch != nil {
		least := max(1, s.Plan.Shadow.MinSamples)
		m := Metric{Name: MetricMismatch, Measure: Rate, Better: Lower, Limit: s.Plan.Shadow.MaxMismatch, Critical: true, MinSamples: least, Tolerance: number(0)}
		out = append(out, s.compare(-1, m, arm))
	}
	return out
}

// unseen reports whether the present stage says nothing about a metric. Nobody acts on the answers of a shadow, and its copies come after the
// originals, many at once, so that they wait where those did not: only a limit of its own can be held against its latency.
func (s *State) unseen(m Metric) bool {
	if s.Stage.Phase != PhaseShadow {
		return false
	}
	return m.Name != MetricErrors && m.Name != MetricPredictions && (m.Name != MetricLatency || m.Limit == nil)
}

// compare judges one metric.
func (s *State) compare(i int, m Metric, arm int) Evidence {
	e := Evidence{Metric: m.Name, Arm: s.Arms[arm], Confidence: s.Plan.Confidence, Critical: m.Critical, Tolerance: m.Tolerance}
	a, b := s.data.arms[arm], s.data.arms[0]
	switch {
	case m.Limit != nil:
		e.Tolerance = m.Limit
		judgeLimit(&e, m, a)
	case m.Measure == Rate:
		judgeRate(&e, m, a.sums(m), b.sums(m))
	case m.Measure == Mean:
		judgeMean(&e, m, a.sums(m), b.sums(m))
	case m.Measure == Quantile:
		judgeQuantile(&e, m, s.data.points[i], a, b)
	default:
		judgeDistribution(&e, m, a, b)
	}
	e.explain(m.label())
	return e
}

// label is a metric in words.
func (m Metric) label() string {
	switch m.Measure {
	case Rate:
		return "the rate of " + m.Name
	case Mean:
		return "the mean of " + m.Name
	case Quantile:
		return fmt.Sprintf("the %g quantile of %s", m.Quantile, m.Name)
	}
	return "the distribution of " + m.Name
}

// scarce says that there is too little to judge.
func (e *Evidence) scarce(m Metric, least int64) bool {
	n := e.Candidate.N
	if e.Baseline != nil {
		n = min(n, e.Baseline.N)
	}
	if n >= least && n > 0 {
		return false
	}
	e.Verdict, e.Reason = NoData, fmt.Sprintf("%s has %d values in an arm, fewer than %d", m.Name, n, max(1, least))
	return true
}

// harm turns a difference so that above 0 is worse.
func harm(better Better, i stats.Interval) stats.Interval {
	if better == Higher {
		return stats.Interval{Estimate: -i.Estimate, Low: -i.High, High: -i.Low}
	}
	return i
}

// decide gives the verdict of an interval of harm: fail where it is away from none by a margin and the effect is beyond the tolerance, pass
// where the interval is within the tolerance.
func decide(better Better, i stats.Interval, effect, margin, tolerance float64) Verdict {
	if better == Same {
		up := decide(Lower, i, effect, margin, tolerance)
		down := decide(Lower, harm(Higher, i), -effect, margin, tolerance)
		switch {
		case up == Fail || down == Fail:
			return Fail
		case up == Pass && down == Pass:
			return Pass
		}
		return Inconclusive
	}
	switch {
	case i.Low > margin*math.Abs(i.Estimate) && effect > tolerance:
		return Fail
	case i.High <= tolerance:
		return Pass
	}
	return Inconclusive
}

func judgeRate(e *Evidence, m Metric, a, b Sums) {
	e.Test, e.Unit = "newcombe", "share"
	e.Baseline = &Measured{b.N, number(b.Sum / float64(b.N))}
	e.Candidate = Measured{a.N, number(a.Sum / float64(a.N))}
	if e.scarce(m, m.MinSamples) {
		return
	}
	i := harm(m.Better, stats.Newcombe(a.Sum, float64(a.N), b.Sum, float64(b.N), e.Confidence))
	e.within(i)
	e.Verdict = decide(m.Better, i, i.Estimate, 0, *m.Tolerance)
}

func judgeMean(e *Evidence, m Metric, a, b Sums) {
	e.Test, e.Unit = "welch", "relative"
	ma, mb := a.moments(), b.moments()
	e.Baseline, e.Candidate = &Measured{b.N, number(mb.Mean)}, Measured{a.N, number(ma.Mean)}
	if e.scarce(m, max(2, m.MinSamples)) {
		return
	}
	i := harm(m.Better, stats.WelchInterval(ma, mb, e.Confidence))
	i, tolerance := relative(e, i, math.Abs(mb.Mean), *m.Tolerance)
	e.within(i)
	e.Verdict = decide(m.Better, i, i.Estimate, 0, tolerance)
}

// relative divides harm by the baseline's value. Where that is 0 there is no relation, and no tolerance.
func relative(e *Evidence, i stats.Interval, value, tolerance float64) (stats.Interval, float64) {
	if !(value > 0) {
		e.Unit = "value"
		return i, 0
	}
	return stats.Interval{Estimate: i.Estimate / value, Low: i.Low / value, High: i.High / value}, tolerance
}

// judgeQuantile compares the quantiles of windows by the Mann-Whitney test.
func judgeQuantile(e *Evidence, m Metric, points [][2]float64, a, b *armData) {
	e.Test, e.Unit = "mann_whitney", "relative"
	e.Baseline = &Measured{b.Latency.total(), number(b.Latency.quantile(m.Quantile))}
	e.Candidate = Measured{a.Latency.total(), number(a.Latency.quantile(m.Quantile))}
	if e.scarce(m, m.MinSamples) {
		return
	}
	if len(points) < leastPoints {
		e.Verdict, e.Reason = NoData, fmt.Sprintf("latency has %d windows of %d requests in each arm, fewer than %d", len(points), pointRequests, leastPoints)
		return
	}
	x, y := make([]float64, len(points)), make([]float64, len(points))
	for i, p := range points {
		x[i], y[i] = p[1], p[0]
	}
	slices.Sort(x)
	slices.Sort(y)
	i, effect := shift(x, y, e.Confidence)
	_, p := stats.MannWhitneyTwoSided(x, y)
	e.P = number(p)
	i = harm(m.Better, i)
	if m.Better == Higher {
		effect = -effect
	}
	i, tolerance := relative(e, i, math.Abs(stats.Quantile(y, 0.5)), *m.Tolerance)
	e.within(i)
	e.Verdict = decide(m.Better, i, effect, shiftMargin, tolerance)
}

// shift compares two sorted samples as Kayenta's judge does: the Hodges-Lehmann estimate with its interval, and as the effect the ratio of
// the means less 1. The effect is infinite, and so not asked for, where a mean is 0.
func shift(x, y []float64, confidence float64) (i stats.Interval, effect float64) {
	i = stats.HodgesLehmann(x, y, confidence)
	mx, _ := stats.MeanSD(x, 0)
	my, _ := stats.MeanSD(y, 0)
	if mx == 0 || my == 0 {
		return i, math.Copysign(math.Inf(1), i.Estimate)
	}
	return i, mx/my - 1
}

// judgeDistribution compares predictions by the population stability index.
func judgeDistribution(e *Evidence, m Metric, a, b *armData) {
	e.Test, e.Unit = "psi", "psi"
	counts := predictionCounts(a, b)
	nb, na := counts.Totals()
	e.Baseline, e.Candidate = &Measured{N: int64(nb)}, Measured{N: int64(na)}
	if e.scarce(m, m.MinSamples) {
		return
	}
	i, p := stabilityIndex(counts)
	e.within(i)
	e.P = number(p)
	e.Verdict = decide(Lower, i, i.Estimate, 0, *m.Tolerance)
}

// stabilityIndex is the population stability index, less what chance alone adds to it. For two samples of the same distribution in k bins it is
// about (1/na + 1/nb) times a chi-squared number with k-1 degrees of freedom (Yurdakul, 2018), for others a non-central one, whose normal
// approximation gives the interval (at 98 %).
func stabilityIndex(c stats.Counts) (i stats.Interval, p float64) {
	df := float64(len(c.A) - 1)
	if df < 1 {
		return stats.Interval{}, 1
	}
	nb, na := c.Totals()
	scale := 1/na + 1/nb
	_, p = stats.ChiSquaredBoth(c)
	t := stats.PSI(c) / scale
	off := math.Max(0, t-df)
	half := stats.NormalQuantile(0.99) * math.Sqrt(2*(df+2*off))
	return stats.Interval{Estimate: off * scale, Low: math.Max(0, t-df-half) * scale, High: (off + half) * scale}, p
}

// predictionCounts are those of categories, or of the parts of the baseline's numbers of equal share.
func predictionCounts(a, b *armData) stats.Counts {
	var c stats.Counts
	for _, label := range slices.Sorted(maps.Keys(union(a.Labels, b.Labels))) {
		c.A, c.B = append(c.A, float64(b.Labels[label])), append(c.B, float64(a.Labels[label]))
	}
	all := union(a.Predictions, b.Predictions)
	if len(all) == 0 {
		return c
	}
	total, part, inA, inB, seen := b.Predictions.total(), int64(1), int64(0), int64(0), int64(0)
	for _, bucket := range slices.Sorted(maps.Keys(all)) {
		inA, inB = inA+a.Predictions[bucket], inB+b.Predictions[bucket]
		seen += b.Predictions[bucket]
		if seen*predictionBins >= part*total && inB > 0 && part < predictionBins {
			c.A, c.B = append(c.A, float64(inB)), append(c.B, float64(inA))
			inA, inB = 0, 0
			for part < predictionBins && seen*predictionBins >= part*total {
				part++
			}
		}
	}
	if inA+inB > 0 {
		c.A, c.B = append(c.A, float64(inB)), append(c.B, float64(inA))
	}
	return c
}

func union[K comparable, V any](a, b map[K]V) map[K]bool {
	out := map[K]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

// judgeLimit compares the candidate alone with a limit.
func judgeLimit(e *Evidence, m Metric, a *armData) {
	var i stats.Interval
	switch m.Measure {
	case Quantile:
		// A quantile is above the limit where the share of requests above it is more than the rest beyond the quantile.
		n, above := float64(a.Latency.total()), float64(a.Latency.above(*m.Limit))
		e.Test, e.Unit = "wilson", "share"
		e.Candidate = Measured{int64(n), number(a.Latency.quantile(m.Quantile))}
		i = less(stats.Wilson(above, n, e.Confidence), 1-m.Quantile)
	case Rate:
		s := a.sums(m)
		e.Test, e.Unit = "wilson", "share"
		e.Candidate = Measured{s.N, number(s.Sum / float64(s.N))}
		i = less(stats.Wilson(s.Sum, float64(s.N), e.Confidence), *m.Limit)
	default:
		s := a.sums(m)
		mean := s.moments()
		e.Test, e.Unit = "student", "value"
		e.Candidate = Measured{s.N, number(mean.Mean)}
		half := stats.StudentQuantile(1-(1-e.Confidence)/2, mean.N-1) * math.Sqrt(mean.Variance/mean.N)
		i = less(stats.Interval{Estimate: mean.Mean, Low: mean.Mean - half, High: mean.Mean + half}, *m.Limit)
	}
	if e.scarce(m, max(2, m.MinSamples)) {
		return
	}
	i = harm(m.Better, i)
	e.within(i)
	e.Verdict = decide(Lower, i, i.Estimate, 0, 0)
	where := map[Verdict]string{Pass: "kept to", Fail: "broken", Inconclusive: "neither kept to nor broken with confidence"}[e.Verdict]
	e.Reason = fmt.Sprintf("%s; the limit of %s is %s", e.measures(m.label()), show(m.Limit), where)
}

func less(i stats.Interval, v float64) stats.Interval {
	return stats.Interval{Estimate: i.Estimate - v, Low: i.Low - v, High: i.High - v}
}

// score is the weighted share of metrics that are not critical which passed, among those with a verdict; 1 without any.
func score(metrics []Metric, evidence []Evidence) float64 {
	weights := map[string]float64{}
	for _, m := range metrics {
		weights[m.Name] = m.Weight
	}
	passed, all := 0.0, 0.0
	for _, e := range evidence {
		if e.Critical || e.Verdict != Pass && e.Verdict != Fail {
			continue
		}
		all += weights[e.Metric]
		if e.Verdict == Pass {
			passed += weights[e.Metric]
		}
	}
	if all == 0 {
		return 1
	}
	return passed / all
}

// verdict is that of a stage: fail where a critical metric fails or too few of the others pass, inconclusive where a metric has no verdict.
// A metric that is not critical and has no data is left out.
func verdict(metrics []Metric, evidence []Evidence, pass float64) (Verdict, float64) {
	sum := score(metrics, evidence)
	out := Pass
	for _, e := range evidence {
		switch {
		case e.Critical && e.Verdict == Fail:
			return Fail, sum
		case e.Verdict == Inconclusive, e.Critical && e.Verdict == NoData:
			out = Inconclusive
		}
	}
	if sum < pass {
		return Fail, sum
	}
	return out, sum
}
