package rollout

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"levada/internal/core/stats"
)

// Verdict is what a comparison says.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "pass"         // with confidence not worse than tolerated
	Fail         Verdict = "fail"         // with confidence worse, and by more than tolerated as far as can be estimated
	Inconclusive Verdict = "inconclusive" // the interval holds both
	NoData       Verdict = "no_data"      // too little was observed
)

// Measured is what one arm showed of a metric. N are requests, or reported values.
type Measured struct {
	N     int64    `json:"n"`
	Value *float64 `json:"value,omitempty"`
}

// Evidence is one comparison, with all that is needed to make it again by hand.
type Evidence struct {
	Metric  string  `json:"metric"`
	Verdict Verdict `json:"verdict"`
	// Test is how it was compared; docs/canary.md has their formulas.
	Test string `json:"test"`
	// Arm is the version that was compared with the baseline.
	Arm       string    `json:"arm"`
	Baseline  *Measured `json:"baseline,omitempty"`
	Candidate Measured  `json:"candidate"`
	// Estimate is the harm that was done, Low and High its interval at the confidence: above 0 is worse. Unit says in what: "share" (a
	// difference of shares), "relative" (to the baseline's value), "psi", "ratio" (of rates; 1 is no harm), "windows" (share of windows that
	// were worse; 0.5 is no harm) or "value". A limit that is not known is absent.
	Estimate   *float64 `json:"estimate,omitempty"`
	Low        *float64 `json:"low,omitempty"`
	High       *float64 `json:"high,omitempty"`
	Unit       string   `json:"unit"`
	Confidence float64  `json:"confidence"`
	// P is the p-value, of a sequential test at its lowest so far; Adjusted that for the number of metrics.
	P        *float64 `json:"p,omitempty"`
	Adjusted *float64 `json:"adjusted,omitempty"`
	// Chance is that of the version being the best, of a bandit.
	Chance *float64 `json:"chance,omitempty"`
	// Tolerance is how much harm is allowed, or the limit that the candidate must keep to.
	Tolerance *float64 `json:"tolerance,omitempty"`
	Critical  bool     `json:"critical,omitempty"`
	Reason    string   `json:"reason"`
}

// number is a pointer to a finite number, nil for others.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// within sets estimate and interval.
func (e *Evidence) within(i stats.Interval) {
	e.Estimate, e.Low, e.High = number(i.Estimate), number(i.Low), number(i.High)
}

// show writes a number for people: four digits.
func show(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return strconv.FormatFloat(*v, 'g', 4, 64)
}

// measures are what the two arms showed, in words.
func (e *Evidence) measures(of string) string {
	if e.Unit == "psi" {
		return fmt.Sprintf("%s of %d values is compared with that of the baseline's %d", of, e.Candidate.N, e.Baseline.N)
	}
	text := fmt.Sprintf("%s is %s (n = %d)", of, show(e.Candidate.Value), e.Candidate.N)
	if e.Baseline != nil {
		text += fmt.Sprintf(", the baseline's %s (n = %d)", show(e.Baseline.Value), e.Baseline.N)
	}
	return text
}

// explain writes the reason from the numbers.
func (e *Evidence) explain(of string) {
	if e.Reason != "" {
		return
	}
	if e.Unit == "ratio" {
		e.Reason = fmt.Sprintf("%s; with confidence bad requests are at least %s times as frequent, and the difference is beyond the tolerance of %s", e.measures(of), show(e.Low),
			show(e.Tolerance))
		return
	}
	percent := strconv.FormatFloat(e.Confidence*100, 'g', 6, 64)
	limits := fmt.Sprintf("%s (%s%% interval %s to %s)", show(e.Estimate), percent, show(e.Low), show(e.High))
	harm := map[string]string{"share": "the share is worse by ", "relative": "relative to the baseline it is worse by ", "psi": "the stability index is ",
		"value": "it is worse by "}[e.Unit]
	end := map[Verdict]string{
		Pass:         fmt.Sprintf("that is within the tolerance of %s", show(e.Tolerance)),
		Fail:         fmt.Sprintf("that is beyond the tolerance of %s", show(e.Tolerance)),
		Inconclusive: fmt.Sprintf("the tolerance of %s is within the interval: more is needed to tell", show(e.Tolerance)),
	}[e.Verdict]
	e.Reason = strings.Join([]string{e.measures(of), harm + limits, end}, "; ")
}
