package rollout

import (
	"maps"
	"math"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

// bucketWidth is the ratio of the limits of a bucket: values are known to 1 %.
const (
	bucketWidth = 1.02
	leastValue  = 1e-9
)

// most bounds what a window may hold.
const (
	maxBuckets    = 4096
	maxCategories = 1000
	maxValues     = 200
)

// Histogram counts values in buckets whose limits grow by 2 %, negative ones in negative buckets; bucket 0 is for what is nearer to 0 than
// 1e-9. Histograms of the same values in other windows can be added.
type Histogram map[int]int64

// Add counts a value. What is not finite is not counted.
func (h Histogram) Add(v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		h[Bucket(v)]++
	}
}

// Bucket is the bucket of a value.
func Bucket(v float64) int {
	size := math.Abs(v)
	if size < leastValue {
		return 0
	}
	b := 1 + int((math.Log(size)-math.Log(leastValue))/math.Log(bucketWidth))
	if v < 0 {
		return -b
	}
	return b
}

// valueOf is the middle of a bucket.
func valueOf(b int) float64 {
	switch {
	case b == 0:
		return 0
	case b < 0:
		return -valueOf(-b)
	}
	return math.Exp(math.Log(leastValue) + (float64(b)-0.5)*math.Log(bucketWidth))
}

func (h Histogram) total() (n int64) {
	for _, c := range h {
		n += c
	}
	return n
}

// quantile is the value below which a share q lies; NaN without values.
func (h Histogram) quantile(q float64) float64 {
	n := h.total()
	if n == 0 {
		return math.NaN()
	}
	rank, seen := int64(math.Ceil(q*float64(n))), int64(0)
	for _, b := range slices.Sorted(maps.Keys(h)) {
		if seen += h[b]; seen >= max(1, rank) {
			return valueOf(b)
		}
	}
	return math.NaN()
}

// above is how many values are above a limit.
func (h Histogram) above(limit float64) (n int64) {
	for b, c := range h {
		if valueOf(b) > limit {
			n += c
		}
	}
	return n
}

// Sums are what is known of a reported value. A value of 0 or 1 has a sum of squares that equals its sum.
type Sums struct {
	N       int64   `json:"n"`
	Sum     float64 `json:"sum"`
	Squares float64 `json:"squares"`
	// X, XX and XY are sums of a covariate that was known before, of its squares and of its products with the value (CUPED).
	X  float64 `json:"x,omitempty"`
	XX float64 `json:"xx,omitempty"`
	XY float64 `json:"xy,omitempty"`
}

// Add counts a value.
func (s *Sums) Add(v float64) { s.N, s.Sum, s.Squares = s.N+1, s.Sum+v, s.Squares+v*v }

// AddWith counts a value and its covariate.
func (s *Sums) AddWith(v, x float64) {
	s.Add(v)
	s.X, s.XX, s.XY = s.X+x, s.XX+x*x, s.XY+x*v
}

func (s Sums) plus(o Sums) Sums {
	return Sums{s.N + o.N, s.Sum + o.Sum, s.Squares + o.Squares, s.X + o.X, s.XX + o.XX, s.XY + o.XY}
}

func (s Sums) moments() stats.Moments { return stats.MomentsOf(float64(s.N), s.Sum, s.Squares) }

func (s Sums) paired() stats.Paired {
	return stats.Paired{N: float64(s.N), Y: s.Sum, YY: s.Squares, X: s.X, XX: s.XX, XY: s.XY}
}

// Arm is what one version did in a window.
type Arm struct {
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors,omitempty"`
	// Units are the keys that were seen for the first time, and the requests without one: what is divided among the versions. Nil is as many as
	// there are requests.
	Units *int64 `json:"units,omitempty"`
	// Latency counts requests by milliseconds.
	Latency Histogram `json:"latency,omitempty"`
	// Predictions counts predicted numbers, Labels predicted categories.
	Predictions Histogram        `json:"predictions,omitempty"`
	Labels      map[string]int64 `json:"labels,omitempty"`
	// Values are the reported ones, of whatever requests they are; among them labels that came late, and mismatch with the baseline's answers.
	Values map[string]Sums `json:"values,omitempty"`
}

// NewArm returns an arm of which nothing was observed.
func NewArm() Arm {
	return Arm{Latency: Histogram{}, Predictions: Histogram{}, Labels: map[string]int64{}, Values: map[string]Sums{}}
}

// Answer is what is counted of a request.
type Answer struct {
	// Milliseconds is its latency. TimedOut requests have one and failed, others that failed have none.
	Milliseconds     float64
	Failed, TimedOut bool
	// Prediction is the first predicted number, nil or NaN where there is none; Label a predicted category.
	Prediction *float64
	Label      string
}

// mostLabels bounds the labels that an arm tells apart while it counts.
const mostLabels = 500

// Count counts a request.
func (a *Arm) Count(r Answer) {
	a.Requests++
	if r.Failed {
		a.Errors++
	}
	if !r.Failed || r.TimedOut {
		a.Latency.Add(r.Milliseconds)
	}
	if r.Failed {
		return
	}
	if r.Prediction != nil {
		a.Predictions.Add(*r.Prediction)
	}
	if _, known := a.Labels[r.Label]; r.Label != "" && (known || len(a.Labels) < mostLabels) {
		a.Labels[r.Label]++
	}
}

// Value counts a value of a request.
func (a *Arm) Value(name string, v float64) {
	s := a.Values[name]
	s.Add(v)
	a.Values[name] = s
}

// Window is what the arms did from one time to another, in the order of the arms.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Arms []Arm     `json:"arms"`
}

// Empty reports whether nothing was observed.
func (w Window) Empty() bool {
	return !slices.ContainsFunc(w.Arms, func(a Arm) bool { return a.Requests > 0 || len(a.Values) > 0 })
}

func (w Window) check(arms int) error {
	if len(w.Arms) != arms {
		return fault.Invalidf("a window has %d arms, the rollout has %d", len(w.Arms), arms)
	}
	if w.To.Before(w.From) {
		return fault.Invalidf("a window ends at %v, before it begins at %v", w.To, w.From)
	}
	for i, a := range w.Arms {
		bad := a.Requests < 0 || a.Errors < 0 || a.Errors > a.Requests || a.Units != nil && *a.Units < 0
		counts := func(n int, least int64) { bad = bad || n > maxBuckets || least < 0 }
		counts(len(a.Latency), lowestCount(maps.Values(a.Latency)))
		counts(len(a.Predictions), lowestCount(maps.Values(a.Predictions)))
		counts(len(a.Labels), lowestCount(maps.Values(a.Labels)))
		if bad || len(a.Labels) > maxCategories || len(a.Values) > maxValues {
			return fault.Invalidf("a window has counts for arm %d that cannot be: none may be negative, errors are among the requests, and there are at most %d buckets, %d labels and %d values", i, maxBuckets, maxCategories, maxValues)
		}
		for name, v := range a.Values {
			sum := v.Sum + v.Squares + v.X + v.XX + v.XY
			if v.N < 0 || v.Squares < 0 || v.XX < 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
				return fault.Invalidf("a window has sums of %q for arm %d that cannot be", name, i)
			}
		}
	}
	return nil
}

func lowestCount(counts func(func(int64) bool)) int64 {
	least := int64(0)
	for c := range counts {
		least = min(least, c)
	}
	return least
}

// armData is what an arm did in a stage so far.
type armData struct {
	Arm
	units int64
}

func newArmData() *armData {
	return &armData{Arm: NewArm()}
}

func (d *armData) add(a Arm) {
	d.Requests, d.Errors = d.Requests+a.Requests, d.Errors+a.Errors
	if a.Units != nil {
		d.units += *a.Units
	} else {
		d.units += a.Requests
	}
	for b, c := range a.Latency {
		d.Latency[b] += c
	}
	for b, c := range a.Predictions {
		d.Predictions[b] += c
	}
	for l, c := range a.Labels {
		if _, known := d.Labels[l]; !known && len(d.Labels) >= maxCategories {
			l = otherLabel
		}
		d.Labels[l] += c
	}
	for name, v := range a.Values {
		if _, known := d.Values[name]; known || len(d.Values) < maxValues {
			d.Values[name] = d.Values[name].plus(v)
		}
	}
}

// otherLabel counts the labels beyond those that are told apart.
const otherLabel = "(other)"

// sums are those of a rate or a mean.
func (d *armData) sums(m Metric) Sums {
	if m.Name == MetricErrors {
		e := float64(d.Errors)
		return Sums{N: d.Requests, Sum: e, Squares: e}
	}
	return d.Values[m.Name]
}
