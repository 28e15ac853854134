package rollout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"levada/internal/core/fault"
)

// MaxPlanBytes bounds the text of a plan.
const MaxPlanBytes = 1 << 20

const (
	maxSteps   = 100
	maxMetrics = 50
	// maxWatches bounds the blocks of a watch: each has a part of the guard's level.
	maxWatches = 1000
	longest    = Duration(366 * 24 * time.Hour)
)

// Duration is a time.Duration that is text in JSON, such as "90s" or "1h30m".
type Duration time.Duration

// MarshalJSON writes text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads text that time.ParseDuration reads.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a duration is text such as \"90s\" or \"5m\", not %s", b)
	}
	v, err := time.ParseDuration(text)
	*d = Duration(v)
	return err
}

// Plan says how a version earns its traffic. At least one of Shadow, Canary, Experiment and Bandit is set; they follow each other in this order.
type Plan struct {
	// Interval is how long a window of observation is; default 1s.
	Interval Duration `json:"interval,omitempty" doc:"length of a window of observation; default 1s"`
	// Confidence is that of the intervals of a judgement; default 0.98.
	Confidence float64 `json:"confidence,omitempty" doc:"confidence of the intervals of a judgement; default 0.98"`
	// Metrics are judged; default DefaultMetrics.
	Metrics    []Metric    `json:"metrics,omitempty" maxItems:"50"`
	Guard      Guard       `json:"guard,omitzero" doc:"ends the rollout at once when a critical metric is worse"`
	Shadow     *Shadow     `json:"shadow,omitempty"`
	Canary     *Canary     `json:"canary,omitempty"`
	Experiment *Experiment `json:"experiment,omitempty" doc:"an A/B test"`
	Bandit     *Bandit     `json:"bandit,omitempty"`
	Watch      *Watch      `json:"watch,omitempty" doc:"what is looked after once a candidate is promoted"`
	// Manual leaves promotion to a person: the rollout pauses before it.
	Manual bool `json:"manual,omitempty" doc:"pause before promotion, for a person to decide"`
}

// Measure is how a metric is compared.
type Measure string

// The measures.
const (
	Rate         Measure = "rate"         // a share of requests
	Mean         Measure = "mean"         // the mean of a value
	Quantile     Measure = "quantile"     // a quantile of latencies, one value for each window
	Distribution Measure = "distribution" // the distribution of predictions
)

// Better says which way a metric is good.
type Better string

// The directions.
const (
	Lower  Better = "lower"
	Higher Better = "higher"
	Same   Better = "same" // any change is bad
)

// The metrics that the gateway measures itself. All other names, but those of quality, are of values that are reported to it.
const (
	MetricErrors      = "errors"
	MetricLatency     = "latency"
	MetricPredictions = "predictions"
	MetricMismatch    = "mismatch"
)

// The metrics of quality, which are counted when the truth of a logged request becomes known. They are reported by nobody else.
const (
	MetricAccuracy      = "accuracy" // the share of right predictions
	MetricAbsoluteError = "absolute_error"
	MetricSquaredError  = "squared_error"
	MetricLogLoss       = "log_loss" // of scores from 0 to 1
)

// MetricEstimatedAccuracy is the accuracy that a classifier of two classes has by its own scores, once these are calibrated: it needs no truth of the
// requests that it is about.
const MetricEstimatedAccuracy = "estimated_accuracy"

// Watches says whether a plan has a metric.
func (p *Plan) Watches(metric string) bool {
	_, there := p.metric(metric)
	return there
}

// FromTruth says whether a metric is one of quality.
func FromTruth(metric string) bool {
	return slices.Contains([]string{MetricAccuracy, MetricAbsoluteError, MetricSquaredError, MetricLogLoss}, metric)
}

// FromGateway says whether the gateway measures a metric itself.
func FromGateway(metric string) bool {
	return slices.Contains([]string{MetricErrors, MetricLatency, MetricPredictions, MetricMismatch, MetricEstimatedAccuracy}, metric)
}

// Metric is something that versions are compared by.
type Metric struct {
	Name    string  `json:"name" maxLength:"200" doc:"errors, latency, predictions; accuracy, absolute_error, squared_error or log_loss, from the truth of logged requests; estimated_accuracy, without it; or the name of a reported value"`
	Measure Measure `json:"measure,omitempty" enum:"rate,mean,quantile,distribution" doc:"default by name; mean for reported values"`
	Better  Better  `json:"better,omitempty" enum:"lower,higher,same" doc:"default lower, and higher for accuracy and estimated_accuracy"`
	// Tolerance is how much worse a candidate may be: a difference of shares for a rate, a share of the baseline's value for a mean or a
	// quantile, a population stability index for a distribution. Defaults: 0.01, 0.05, 0.25, 0.2.
	Tolerance *float64 `json:"tolerance,omitempty" minimum:"0"`
	// Limit, where it is set, is what the candidate itself must keep to; it is not compared with the baseline.
	Limit *float64 `json:"limit,omitempty"`
	// Quantile is which one of the latencies in milliseconds; default 0.95.
	Quantile float64 `json:"quantile,omitempty" minimum:"0" maximum:"1"`
	// Critical metrics fail a stage alone, and are guarded. The others are weighed together.
	Critical bool    `json:"critical,omitempty"`
	Weight   float64 `json:"weight,omitempty" minimum:"0" doc:"of a metric that is not critical; default 1"`
	// MinSamples is how many requests, or reported values, of each arm a judgement needs; default 100.
	MinSamples int64 `json:"min_samples,omitempty" minimum:"0"`
}

// Guard ends a rollout at once when a critical metric is worse than tolerated. It looks after each window; its tests allow that.
type Guard struct {
	Off bool `json:"off,omitempty"`
	// Alpha bounds the chance that it ever ends a rollout of a version that is not worse, over all metrics and stages; default 0.001.
	Alpha float64 `json:"alpha,omitempty" minimum:"0" maximum:"0.5"`
}

// Shadow sends copies of requests to the candidate and uses none of its answers.
type Shadow struct {
	Percent    float64  `json:"percent,omitempty" doc:"of the requests; default 100"`
	Wait       Duration `json:"wait,omitempty" doc:"default 1m"`
	MinSamples int64    `json:"min_samples,omitempty"`
	// MaxMismatch is the largest share of answers that may differ from the baseline's; not judged without it.
	MaxMismatch *float64 `json:"max_mismatch,omitempty"`
}

// Step is one share of traffic of a canary.
type Step struct {
	Percent    float64  `json:"percent" doc:"of the requests that the candidate gets; as many are the control group"`
	Wait       Duration `json:"wait,omitempty" doc:"how long, at the least; default 1m"`
	MinSamples int64    `json:"min_samples,omitempty" doc:"requests that each arm must have had; default that of the metrics"`
}

// WhenInconclusive says what happens when a stage still has no verdict after its extensions.
type WhenInconclusive string

// The ways to go on.
const (
	InconclusivePause    WhenInconclusive = "pause"
	InconclusiveRollback WhenInconclusive = "rollback"
	InconclusiveProceed  WhenInconclusive = "proceed"
)

// Canary gives a candidate traffic step by step.
type Canary struct {
	Steps []Step `json:"steps" maxItems:"100"`
	// FailureLimit is how many failed judgements of a step are borne: the step is repeated.
	FailureLimit int `json:"failure_limit,omitempty" minimum:"0"`
	// Extensions is how often an inconclusive step is given its time again; default 3.
	Extensions     *int             `json:"extensions,omitempty" minimum:"0"`
	OnInconclusive WhenInconclusive `json:"on_inconclusive,omitempty" enum:"pause,rollback,proceed" doc:"default pause"`
	// PassScore is the weighted share of metrics that are not critical that must pass; default 0.75.
	PassScore float64 `json:"pass_score,omitempty" minimum:"0" maximum:"1"`
}

// Watch looks after a promoted version.
type Watch struct {
	Duration Duration `json:"duration,omitempty" doc:"default 1h"`
	// Window is how long a comparison lasts before it begins afresh: harm that sets in late is found the sooner the shorter it is, and
	// it must be long enough for some 20 windows of latencies. Default 2m, or a thirtieth of the duration.
	Window Duration `json:"window,omitempty"`
	// Holdback is the percentage that the old version keeps, to be compared with at the same time. Without it, what the new version did
	// before its promotion is the standard.
	Holdback float64 `json:"holdback,omitempty" minimum:"0" maximum:"50"`
	// Monitors by name: what one of them finds against the data of the endpoint after the promotion takes the version back.
	Monitors []string `json:"monitors,omitempty" maxItems:"20" doc:"monitors whose findings after the promotion take the version back: drift of what is asked, expectations that do not hold"`
}

// Empty says whether a plan has no stage at all.
func (p *Plan) Empty() bool {
	return p.Shadow == nil && p.Canary == nil && p.Experiment == nil && p.Bandit == nil
}

// ParsePlan reads a plan from YAML or JSON, and checks it. Fields that it does not know are errors.
func ParsePlan(text []byte) (Plan, error) {
	var p Plan
	if len(text) > MaxPlanBytes {
		return p, fault.Invalidf("read the plan: it has %d bytes, more than %d", len(text), MaxPlanBytes)
	}
	var raw any
	if err := yaml.Unmarshal(text, &raw); err != nil {
		return p, fault.Invalidf("read the plan: %w", err)
	}
	if _, is := raw.(map[string]any); !is && raw != nil {
		return p, fault.Invalidf("read the plan: it is not a mapping; want one with shadow, canary, experiment or bandit, and metrics")
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return p, fault.Invalidf("read the plan: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return p, fault.Invalidf("read the plan: %w", err)
	}
	return p, p.Complete()
}

// DefaultMetrics are errors, the 95th percentile of the latency and the distribution of predictions, all critical.
func DefaultMetrics() []Metric {
	return []Metric{
		{Name: MetricErrors, Critical: true},
		{Name: MetricLatency, Critical: true},
		{Name: MetricPredictions, Critical: true},
	}
}

// Complete fills in defaults and checks the plan.
func (p *Plan) Complete() error {
	orDuration(&p.Interval, time.Second)
	orFloat(&p.Confidence, 0.98)
	orFloat(&p.Guard.Alpha, 0.001)
	if len(p.Metrics) == 0 {
		p.Metrics = DefaultMetrics()
	}
	p.Metrics = slices.Clone(p.Metrics)
	switch {
	case p.Interval < Duration(100*time.Millisecond) || p.Interval > Duration(24*time.Hour):
		return fault.Invalidf("plan: interval is %v; it may be from 100ms to 24h", time.Duration(p.Interval))
	case !(p.Confidence > 0.5 && p.Confidence < 1):
		return fault.Invalidf("plan: confidence is %v; it must be above 0.5 and below 1", p.Confidence)
	case !(p.Guard.Alpha > 0 && p.Guard.Alpha <= 0.5):
		return fault.Invalidf("plan: guard.alpha is %v; it must be above 0 and at most 0.5", p.Guard.Alpha)
	case len(p.Metrics) > maxMetrics:
		return fault.Invalidf("plan: there are %d metrics; the most are %d", len(p.Metrics), maxMetrics)
	case p.Empty():
		return fault.Invalidf("plan: it has none of shadow, canary, experiment and bandit; give at least one")
	case p.Experiment != nil && p.Bandit != nil:
		return fault.Invalidf("plan: it has an experiment and a bandit; give one of them")
	}
	seen := map[string]bool{}
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if err := m.complete(); err != nil {
			return err
		}
		key := fmt.Sprint(m.Name, m.Measure, m.Quantile)
		if seen[key] {
			return fault.Invalidf("plan: metric %q is there twice", m.Name)
		}
		seen[key] = true
	}
	for _, complete := range []func() error{p.completeShadow, p.completeCanary, p.completeExperiment, p.completeBandit, p.completeWatch} {
		if err := complete(); err != nil {
			return err
		}
	}
	return nil
}

func (m *Metric) complete() error {
	if m.Measure == "" {
		m.Measure = map[string]Measure{MetricErrors: Rate, MetricLatency: Quantile, MetricPredictions: Distribution, MetricAccuracy: Rate}[m.Name]
		if m.Measure == "" {
			m.Measure = Mean
		}
	}
	tolerance := map[Measure]float64{Rate: 0.01, Mean: 0.05, Quantile: 0.25, Distribution: 0.2}[m.Measure]
	if m.Tolerance == nil {
		m.Tolerance = &tolerance
	}
	if m.Better == "" && (m.Name == MetricAccuracy || m.Name == MetricEstimatedAccuracy) {
		m.Better = Higher
	}
	if m.Better == "" {
		m.Better = Lower
	}
	if m.Weight == 0 {
		m.Weight = 1
	}
	if m.MinSamples == 0 {
		m.MinSamples = 100
	}
	if m.Measure == Quantile {
		orFloat(&m.Quantile, 0.95)
	}
	bad := func(format string, args ...any) error {
		return fault.Invalidf("plan: metric %q: "+format, append([]any{m.Name}, args...)...)
	}
	switch {
	case m.Name == "" || len(m.Name) > 200:
		return bad("a name has from 1 to 200 characters")
	case !slices.Contains([]Measure{Rate, Mean, Quantile, Distribution}, m.Measure):
		return bad("measure is %q; it may be rate, mean, quantile or distribution", m.Measure)
	case m.Name == MetricErrors && m.Measure != Rate, m.Name == MetricEstimatedAccuracy && m.Measure != Mean, m.Name == MetricPredictions && m.Measure != Distribution,
		m.Name == MetricLatency && m.Measure != Quantile:
		return bad("it cannot be measured as %s", m.Measure)
	case (m.Measure == Quantile) != (m.Name == MetricLatency), (m.Measure == Distribution) != (m.Name == MetricPredictions):
		return bad("%s is the measure of latency or predictions alone", m.Measure)
	case !slices.Contains([]Better{Lower, Higher, Same}, m.Better):
		return bad("better is %q; it may be lower, higher or same", m.Better)
	case !(*m.Tolerance >= 0) || math.IsInf(*m.Tolerance, 0):
		return bad("tolerance is %v; it must be a number from 0 on", *m.Tolerance)
	case m.Limit != nil && (math.IsNaN(*m.Limit) || math.IsInf(*m.Limit, 0)):
		return bad("limit must be a number")
	case m.Limit != nil && (m.Better == Same || m.Measure == Distribution):
		return bad("a limit needs a direction, and a number to limit")
	case !(m.Weight >= 0) || math.IsInf(m.Weight, 0):
		return bad("weight is %v; it must be a number from 0 on", m.Weight)
	case m.MinSamples < 0:
		return bad("min_samples is %d; it must not be negative", m.MinSamples)
	case m.Measure == Quantile && !(m.Quantile > 0 && m.Quantile < 1):
		return bad("quantile is %v; it must be above 0 and below 1", m.Quantile)
	}
	return nil
}

func (p *Plan) completeShadow() error {
	if p.Shadow == nil {
		return nil
	}
	s := *p.Shadow
	p.Shadow = &s
	orFloat(&s.Percent, 100)
	orDuration(&s.Wait, time.Minute)
	p.Shadow = &s
	switch {
	case !(s.Percent > 0 && s.Percent <= 100):
		return fault.Invalidf("plan: shadow.percent is %v; it must be above 0 and at most 100", s.Percent)
	case s.Wait < 0 || s.Wait > longest || s.MinSamples < 0:
		return fault.Invalidf("plan: shadow: wait is from 0 to a year, and min_samples not negative")
	case s.MaxMismatch != nil && !(*s.MaxMismatch >= 0 && *s.MaxMismatch <= 1):
		return fault.Invalidf("plan: shadow.max_mismatch is %v; it is a share, from 0 to 1", *s.MaxMismatch)
	}
	return nil
}

func (p *Plan) completeCanary() error {
	if p.Canary == nil {
		return nil
	}
	c := *p.Canary
	c.Steps = slices.Clone(c.Steps)
	if c.Extensions == nil {
		three := 3
		c.Extensions = &three
	}
	if c.OnInconclusive == "" {
		c.OnInconclusive = InconclusivePause
	}
	orFloat(&c.PassScore, 0.75)
	switch {
	case len(c.Steps) == 0 || len(c.Steps) > maxSteps:
		return fault.Invalidf("plan: canary.steps has %d; give from 1 to %d", len(c.Steps), maxSteps)
	case c.FailureLimit < 0 || *c.Extensions < 0:
		return fault.Invalidf("plan: canary: failure_limit and extensions must not be negative")
	case !slices.Contains([]WhenInconclusive{InconclusivePause, InconclusiveRollback, InconclusiveProceed}, c.OnInconclusive):
		return fault.Invalidf("plan: canary.on_inconclusive is %q; it may be pause, rollback or proceed", c.OnInconclusive)
	case !(c.PassScore > 0 && c.PassScore <= 1):
		return fault.Invalidf("plan: canary.pass_score is %v; it must be above 0 and at most 1", c.PassScore)
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		orDuration(&s.Wait, time.Minute)
		switch {
		case !(s.Percent > 0 && s.Percent < 100):
			return fault.Invalidf("plan: canary.steps[%d].percent is %v; it must be above 0 and below 100, for there is nothing to compare with at 100", i, s.Percent)
		case i > 0 && s.Percent < c.Steps[i-1].Percent:
			return fault.Invalidf("plan: canary.steps[%d].percent is less than that of the step before", i)
		case s.Wait < 0 || s.Wait > longest || s.MinSamples < 0:
			return fault.Invalidf("plan: canary.steps[%d]: wait is from 0 to a year, and min_samples not negative", i)
		}
	}
	p.Canary = &c
	return nil
}

func (p *Plan) completeWatch() error {
	if p.Watch == nil {
		return nil
	}
	w := *p.Watch
	orDuration(&w.Duration, time.Hour)
	if w.Window == 0 {
		w.Window = min(max(Duration(2*time.Minute), w.Duration/30), w.Duration)
	}
	p.Watch = &w
	switch {
	case w.Duration <= 0 || w.Duration > longest || w.Window <= 0 || w.Window > w.Duration:
		return fault.Invalidf("plan: watch: duration is above 0 and at most a year, and window above 0 and at most duration")
	case p.watches() > maxWatches:
		return fault.Invalidf("plan: watch: duration has %d windows; the most are %d", p.watches(), maxWatches)
	case !(w.Holdback >= 0 && w.Holdback <= 50):
		return fault.Invalidf("plan: watch.holdback is %v; it may be from 0 to 50", w.Holdback)
	case len(w.Monitors) > 20:
		return fault.Invalidf("plan: watch.monitors has %d; the most are 20", len(w.Monitors))
	}
	for i, m := range w.Monitors {
		if m == "" || slices.Contains(w.Monitors[:i], m) {
			return fault.Invalidf("plan: watch.monitors[%d] is %q: want names that differ", i, m)
		}
	}
	return nil
}

func orDuration(d *Duration, value time.Duration) {
	if *d == 0 {
		*d = Duration(value)
	}
}

func orFloat(f *float64, value float64) {
	if *f == 0 {
		*f = value
	}
}
