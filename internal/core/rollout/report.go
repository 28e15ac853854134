package rollout

import (
	"fmt"
	"math"
	"slices"
	"time"

	"levada/internal/core/stats"
)

// mostPoints bounds the points of a trail: of longer stages every second, fourth, ... window has one, and the last.
const mostPoints = 150

// Report is a rollout with all that its decisions rest on: its events, and what can be drawn of each stage. It is made from the record and the
// events alone, so whoever has these can make it again.
type Report struct {
	Record
	Plan   Plan          `json:"plan"`
	Arms   []string      `json:"arms" nullable:"false" doc:"the versions, the baseline first"`
	Stages []StageReport `json:"stages" nullable:"false"`
	// Told are the events but what was observed, each with a sentence for people.
	Told []Told `json:"told" nullable:"false"`
	// Events are all of them: who has these can decide again what was decided, as Verify does.
	Events []Event `json:"events,omitempty" doc:"all events, what was observed among them; of an export"`
}

// Told is an event and what it is in words.
type Told struct {
	Event
	Words string `json:"words"`
}

// StageReport is what was seen in a stage.
type StageReport struct {
	Stage Stage `json:"stage"`
	// Name is the stage in words, Traffic how requests were divided, in words.
	Name    string    `json:"name"`
	Traffic string    `json:"traffic"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// Verdict is that of the last judgement; a stage that the guard has ended failed. Reason is why it ended the rollout, empty where it did not.
	Verdict Verdict `json:"verdict,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	// Arms are what the versions did, in their order.
	Arms []ArmReport `json:"arms" nullable:"false"`
	// Latency and Predictions are how values were distributed; absent without any.
	Latency     *Shape  `json:"latency,omitempty"`
	Predictions *Shape  `json:"predictions,omitempty"`
	Trails      []Trail `json:"trails" nullable:"false"`
	// Shares are how a bandit has divided the requests, each from a time on.
	Shares []Shares `json:"shares,omitempty"`
}

// ArmReport is what one version did in a stage.
type ArmReport struct {
	Version  string   `json:"version"`
	Requests int64    `json:"requests"`
	Errors   int64    `json:"errors"`
	Rate     *Span    `json:"rate,omitempty" doc:"rate of errors with Wilson's interval at the plan's confidence"`
	P50      *float64 `json:"p50,omitempty" doc:"latency in milliseconds"`
	P95      *float64 `json:"p95,omitempty"`
	P99      *float64 `json:"p99,omitempty"`
}

// Shape is how values of the arms were distributed: Counts of each arm for each part. Parts of numbers lie between two edges, those of
// categories have labels.
type Shape struct {
	Edges  []float64 `json:"edges,omitempty"`
	Labels []string  `json:"labels,omitempty"`
	Counts [][]int64 `json:"counts" nullable:"false"`
}

// Shares are the shares of the arms in percent, from a time on.
type Shares struct {
	At     time.Time `json:"at"`
	Shares []float64 `json:"shares" nullable:"false"`
}

// Span is a value with its interval; what is not known is absent.
type Span struct {
	Value *float64 `json:"value,omitempty"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
}

// Trail is how the comparison of one metric went on during a stage.
type Trail struct {
	Metric string `json:"metric"`
	// Label is the metric in words, Arm the version that is compared with the baseline.
	Label string `json:"label"`
	Arm   string `json:"arm"`
	// Unit is that of the effect, as Evidence has it, and Tolerance how much of it is allowed.
	Unit      string   `json:"unit,omitempty"`
	Tolerance *float64 `json:"tolerance,omitempty"`
	// PTest says of which test the p-values are, and Level below what they end the stage. Both are absent for metrics that are only judged.
	PTest string   `json:"p_test,omitempty"`
	Level *float64 `json:"level,omitempty"`
	// Points are in the order of time, and each is about all that was observed in the stage until then.
	Points []Point `json:"points" nullable:"false"`
}

// Point is what a comparison said at a time.
type Point struct {
	At        time.Time `json:"at"`
	Baseline  *Span     `json:"baseline,omitempty"`
	Candidate *Span     `json:"candidate,omitempty"`
	// Effect is the harm with its interval: above 0 is worse.
	Effect *Span `json:"effect,omitempty"`
	// P is the lowest p-value so far of a test that may be looked at all the time.
	P *float64 `json:"p,omitempty"`
	// Chance is that of the version being the best, of a bandit.
	Chance *float64 `json:"chance,omitempty"`
}

// NewReport replays the events of a rollout and keeps what its stages have seen.
func NewReport(record Record, events []Event) (Report, error) {
	r, err := ReplayReporter(events)
	if err != nil {
		return Report{}, err
	}
	out := r.Report(record)
	out.Events = events
	return out, nil
}

// Reporter makes a report while events come, each of which it takes in once.
type Reporter struct {
	state  *State
	stages []StageReport
	told   []Told
	// seen are the windows of the present stage; each that stride divides has a point.
	seen, stride int
	// pending is when the newest window ended, unless it has a point.
	pending time.Time
}

// NewReporter returns a reporter that has seen nothing.
func NewReporter() *Reporter {
	return &Reporter{state: New(), stages: []StageReport{}, told: []Told{}}
}

// ReplayReporter returns a reporter that has seen the events.
func ReplayReporter(events []Event) (*Reporter, error) {
	r := NewReporter()
	for i, e := range events {
		if err := r.Add(e); err != nil {
			return nil, fmt.Errorf("replay event %d: %w", i, err)
		}
	}
	return r, nil
}

// State is what the events have led to. It goes on with Add, and nobody else may change it.
func (r *Reporter) State() *State { return r.state }

// End is what the rollout came to.
func (r *Reporter) End(record Record) End {
	return End{State: r.state.View(), Report: r.Report(record)}
}

// Add takes in the next event.
func (r *Reporter) Add(e Event) error {
	if e.Type != Observed && !r.pending.IsZero() {
		r.state.draw(&r.stages[len(r.stages)-1], r.pending) // what is decided now rests on it
		r.pending = time.Time{}
	}
	if err := Apply(r.state, e); err != nil {
		return err
	}
	r.take(e)
	if e.Type != Observed {
		r.told = append(r.told, Told{e, e.Words()})
	}
	return nil
}

// Report is what was seen until now, without the events. It stays as it is when more is added.
func (r *Reporter) Report(record Record) Report {
	stages := slices.Clone(r.stages)
	if n := len(stages); n > 0 {
		last := &stages[n-1]
		last.Trails, last.Shares = slices.Clone(last.Trails), slices.Clip(last.Shares)
		for i := range last.Trails {
			last.Trails[i].Points = slices.Clip(last.Trails[i].Points)
		}
		if !r.pending.IsZero() {
			r.state.draw(last, r.pending)
		}
	}
	return Report{Record: record, Plan: r.state.Plan, Arms: r.state.Arms, Stages: stages, Told: slices.Clip(r.told)}
}

// take keeps what an event, which is applied already, has to say.
func (r *Reporter) take(e Event) {
	s := r.state
	if e.Type == StageStarted {
		r.seen, r.stride = 0, 1
		out := StageReport{Stage: *e.Stage, Name: e.Stage.String(), Traffic: e.Traffic.String(), From: e.At, To: e.At, Arms: []ArmReport{}, Trails: s.trails()}
		if e.Stage.Phase == PhaseBandit {
			out.Shares = []Shares{{e.At, e.Traffic.Shares}}
		}
		r.stages = append(r.stages, out)
		return
	}
	if len(r.stages) == 0 {
		return
	}
	at := &r.stages[len(r.stages)-1]
	at.To = e.At
	switch e.Type {
	case Observed:
		r.seen++
		r.pending = e.At
		if r.seen%r.stride == 0 {
			s.draw(at, e.At)
			r.pending = time.Time{}
			r.thin(at)
		}
	case Judged:
		at.Verdict = e.Verdict
	case TrafficChanged:
		at.Shares = append(at.Shares, Shares{e.At, e.Traffic.Shares})
	case RolledBack:
		at.Reason = e.Reason
		if e.Outcome == OutcomeRolledBack {
			at.Verdict = Fail
		}
	}
	if e.Type == Judged || e.Type == TrafficChanged {
		for i := range at.Trails {
			at.Trails[i].chance(e)
		}
	}
}

// thin leaves every second point of trails that have grown too long.
func (r *Reporter) thin(at *StageReport) {
	if !slices.ContainsFunc(at.Trails, func(t Trail) bool { return len(t.Points) > mostPoints }) {
		return
	}
	if r.stride *= 2; r.seen%r.stride != 0 {
		r.pending = at.To
	}
	for i := range at.Trails {
		t := &at.Trails[i]
		kept := make([]Point, 0, mostPoints) // another list: a report may have this one
		for k := 1; k < len(t.Points); k += 2 {
			kept = append(kept, t.Points[k])
		}
		t.Points = kept
	}
}

// chance takes up what a bandit said of an arm.
func (t *Trail) chance(e Event) {
	for _, v := range e.Evidence {
		if v.Arm == t.Arm && v.Metric == t.Metric && v.Chance != nil {
			t.Points = append(t.Points, Point{At: e.At, Chance: v.Chance})
		}
	}
}

// trails are those of the present stage, which has just begun.
func (s *State) trails() []Trail {
	out := []Trail{}
	arms := []string{s.Arms[s.arm()]}
	if s.Stage.Phase == PhaseBandit {
		arms = s.Arms[1:]
	}
	for _, arm := range arms {
		for _, m := range s.Plan.Metrics {
			if s.unseen(m) || s.Stage.Phase == PhaseBandit && m.Name != s.Plan.Bandit.Reward {
				continue
			}
			t := Trail{Metric: m.Name, Label: m.label(), Arm: arm, Points: []Point{}}
			if s.decidedBy(m) >= 0 {
				t.PTest, t.Level = "mixture_sprt", number(s.Plan.Experiment.Alpha)
			} else if m.Critical && !s.Plan.Guard.Off && s.Stage.Phase != PhaseBandit {
				t.PTest, t.Level = "guard", number(s.Plan.level())
			}
			out = append(out, t)
		}
	}
	return out
}

// decidedBy is which of the experiment's decisions is by a metric; -1 for none.
func (s *State) decidedBy(m Metric) int {
	if s.Stage.Phase == PhaseExperiment {
		for i, d := range s.Plan.Experiment.Decide {
			if d.Metric == m.Name {
				return i
			}
		}
	}
	return -1
}

// draw adds a point to each trail of a stage, and what the arms have done until now.
func (s *State) draw(at *StageReport, now time.Time) {
	at.Arms = nil
	for i, d := range s.data.arms {
		a := ArmReport{Version: s.Arms[i], Requests: d.Requests, Errors: d.Errors, P50: number(d.Latency.quantile(0.5)), P95: number(d.Latency.quantile(0.95)),
			P99: number(d.Latency.quantile(0.99))}
		if d.Requests > 0 {
			a.Rate = spanOf(stats.Wilson(float64(d.Errors), float64(d.Requests), s.Plan.Confidence))
		}
		at.Arms = append(at.Arms, a)
	}
	at.Latency, at.Predictions = latencyShape(s.data.arms), predictionShape(s.data.arms)
	for i := range at.Trails {
		t := &at.Trails[i]
		for k, m := range s.Plan.Metrics {
			if m.Name == t.Metric && m.label() == t.Label {
				s.point(t, k, m, now)
			}
		}
	}
}

// point adds what the comparison by a metric says now.
func (s *State) point(t *Trail, k int, m Metric, now time.Time) {
	arm := 1
	for i, a := range s.Arms {
		if a == t.Arm {
			arm = i
		}
	}
	p := Point{At: now, Baseline: s.measured(s.data.arms[0], m), Candidate: s.measured(s.data.arms[arm], m)}
	var e Evidence
	switch i := s.decidedBy(m); {
	case i >= 0:
		e = s.trialEvidence()[i]
		p.P = e.Adjusted
	case s.alone():
		p.Baseline = nil
		if m.Limit != nil {
			e = s.compare(k, m, arm)
		}
		if d := standard(s.standards, m); d != nil {
			p.Baseline = s.measured(d, m)
		}
	default:
		e = s.compare(k, m, arm)
	}
	if t.PTest == "guard" {
		p.P = number(s.data.guard[k].p)
	}
	if e.Estimate != nil {
		p.Effect = &Span{e.Estimate, e.Low, e.High}
		t.Unit, t.Tolerance = e.Unit, e.Tolerance
	}
	if p.Baseline == nil && p.Candidate == nil && p.Effect == nil && p.P == nil {
		return
	}
	t.Points = append(t.Points, p)
}

// measured is a metric of one arm, nil where it has no value of its own or nothing is known.
func (s *State) measured(d *armData, m Metric) *Span {
	switch m.Measure {
	case Rate:
		if x := d.sums(m); x.N > 0 {
			return spanOf(stats.Wilson(x.Sum, float64(x.N), s.Plan.Confidence))
		}
	case Mean:
		if x := d.sums(m).moments(); x.N > 1 {
			half := stats.StudentQuantile(1-(1-s.Plan.Confidence)/2, x.N-1) * math.Sqrt(x.Variance/x.N)
			return spanOf(stats.Interval{Estimate: x.Mean, Low: x.Mean - half, High: x.Mean + half})
		}
	case Quantile:
		if q := d.Latency.quantile(m.Quantile); !math.IsNaN(q) {
			return &Span{Value: &q}
		}
	}
	return nil
}

func spanOf(i stats.Interval) *Span { return &Span{number(i.Estimate), number(i.Low), number(i.High)} }
