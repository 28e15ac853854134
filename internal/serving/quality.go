package serving

import (
	"cmp"
	"context"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/quality"
	"levada/internal/core/reqlog"
)

// The bounds of a question about quality.
const (
	maxPairs   = 2_000_000
	maxWindows = 5_000
)

// ages are those by which coverage is counted.
var ages = []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

// QualityQuery asks how good predictions were.
type QualityQuery struct {
	// Since and Until bound the times of the requests.
	Since, Until time.Time
	// Window is how long the requests of one measurement came; 0 is one for all.
	Window time.Duration
}

// QualityReport says how good the predictions of an endpoint were, as far as the truth is known.
type QualityReport struct {
	Task       quality.Task      `json:"task,omitempty" enum:"classification,scores,regression" doc:"what the predictions are taken for"`
	Since      time.Time         `json:"since"`
	Until      time.Time         `json:"until"`
	Confidence float64           `json:"confidence" doc:"of the intervals"`
	Windows    []QualityWindow   `json:"windows" nullable:"false" doc:"by time, version and role"`
	Coverage   []reqlog.Coverage `json:"coverage" nullable:"false" doc:"for how many logged predictions the truth is known, by the age of the requests"`
	Truths     int64             `json:"truths" doc:"that were reported and are kept"`
	Waiting    int64             `json:"waiting" doc:"truths whose request is not in the log"`
}

// QualityWindow is the quality of a version over a time.
type QualityWindow struct {
	From    time.Time        `json:"from"`
	To      time.Time        `json:"to"`
	Version string           `json:"version"`
	Role    reqlog.Role      `json:"role"`
	N       int              `json:"n" doc:"predictions whose truth is known"`
	Metrics []quality.Metric `json:"metrics" nullable:"false"`
}

// Quality measures the predictions of an endpoint whose truth is known.
func (s *Service) Quality(ctx context.Context, name string, q QualityQuery) (QualityReport, error) {
	log, err := s.logOf(name)
	if err != nil {
		return QualityReport{}, err
	}
	if q.Until.IsZero() {
		q.Until = s.deps.Now()
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-30 * 24 * time.Hour)
	}
	q.Since, q.Until = q.Since.UTC(), q.Until.UTC()
	if !q.Since.Before(q.Until) {
		return QualityReport{}, fault.Invalidf("quality: since is not before until")
	}
	if q.Window < 0 || q.Window > 0 && q.Until.Sub(q.Since)/q.Window > maxWindows {
		return QualityReport{}, fault.Invalidf("quality: windows of %v from %v to %v are more than %d", q.Window, q.Since, q.Until, maxWindows)
	}
	out := QualityReport{Since: q.Since, Until: q.Until, Confidence: quality.Confidence}
	if err := out.measure(ctx, log, name, q); err != nil {
		return out, err
	}
	if out.Coverage, err = log.Covered(ctx, name, q.Since, q.Until, ages); err != nil {
		return out, err
	}
	out.Truths, out.Waiting, err = log.Truths(ctx, name)
	return out, err
}

// windowKey says which predictions are measured together.
type windowKey struct {
	from    time.Time
	version string
	role    reqlog.Role
}

func (r *QualityReport) measure(ctx context.Context, log RequestLog, name string, q QualityQuery) error {
	pairs := map[windowKey][]quality.Pair{}
	var guess quality.Guess
	all := 0
	err := log.Matches(ctx, name, q.Since, q.Until, func(m reqlog.Match) error {
		if all++; all > maxPairs {
			return fault.TooLargef("quality: more than %d predictions have a truth in this time: ask for a shorter one", maxPairs)
		}
		key := windowKey{q.Since, m.Version, m.Role}
		if q.Window > 0 {
			key.from = q.Since.Add(m.At.Sub(q.Since) / q.Window * q.Window)
		}
		p := quality.Pair{Predicted: m.Predicted, Actual: m.Actual}
		guess.Add(p)
		pairs[key] = append(pairs[key], p)
		return nil
	})
	if err != nil {
		return err
	}
	r.Windows = []QualityWindow{}
	if all == 0 {
		return nil
	}
	r.Task = guess.Task()
	for key, list := range pairs {
		to := q.Until
		if q.Window > 0 && key.from.Add(q.Window).Before(to) {
			to = key.from.Add(q.Window)
		}
		r.Windows = append(r.Windows, QualityWindow{From: key.from, To: to, Version: key.version, Role: key.role, N: len(list), Metrics: quality.Measure(r.Task, list)})
	}
	slices.SortFunc(r.Windows, func(a, b QualityWindow) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(len(a.Version), len(b.Version)), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Role, b.Role))
	})
	return nil
}
