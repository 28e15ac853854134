package rollout

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
)

const fullPlan = `
interval: 2s
metrics:
  - {name: errors, critical: true, tolerance: 0.005}
  - {name: latency, quantile: 0.99, limit: 250}
  - {name: predictions}
  - {name: conversion, measure: rate, better: higher}
shadow: {wait: 30s, max_mismatch: 0.05}
canary:
  steps: [{percent: 5, wait: 30s}, {percent: 25, wait: 1m, min_samples: 500}, {percent: 50}]
  failure_limit: 1
experiment:
  decide: [{metric: conversion, minimum_effect: 0.01}]
watch: {duration: 30m, holdback: 5}
`

func TestAPlanIsReadWithItsDefaults(t *testing.T) {
	p, err := ParsePlan([]byte(fullPlan))
	if err != nil {
		t.Fatal(err)
	}
	if p.Interval != Duration(2*time.Second) || p.Confidence != 0.98 || p.Guard.Alpha != 0.001 || *p.Canary.Extensions != 3 || p.Canary.OnInconclusive != InconclusivePause ||
		p.Canary.Steps[2].Wait != Duration(time.Minute) || p.Watch.Window != Duration(2*time.Minute) || p.Shadow.Percent != 100 || p.Experiment.Alpha != 0.05 {
		t.Errorf("defaults: %+v", p)
	}
	if m := p.Metrics[1]; m.Measure != Quantile || m.Quantile != 0.99 || *m.Limit != 250 || m.MinSamples != 100 {
		t.Errorf("latency: %+v", m)
	}
	if len(p.stages()) != 5 || p.watches() != 15 {
		t.Errorf("stages %v and %d blocks of a watch", p.stages(), p.watches())
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePlan(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("a plan is another after it was written and read:\n%s", diff)
	}
}

func TestBadPlansAreRefusedWithTheReason(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "at least one",
		"canary: {steps: []}":               "from 1 to 100",
		"canary: {steps: [{percent: 100}]}": "below 100",
		"canary: {steps: [{percent: 50}, {percent: 5}]}":                                 "less than that of the step before",
		"canary: {steps: [{percent: 5, wait: soon}]}":                                    "duration",
		"canary: {steps: [{percent: 5, wait: 5}]}":                                       `text such as "90s"`,
		"canary: {step: 5}":                                                              `unknown field "step"`,
		"canary: {steps: [{percent: .nan}]}":                                             "NaN",
		"canary: {steps: [{percent: 5}], pass_score: 2}":                                 "pass_score",
		"metrics: [{name: errors, measure: mean}]\ncanary: {steps: [{percent: 5}]}":      "cannot be measured as mean",
		"metrics: [{name: revenue, measure: quantile}]\ncanary: {steps: [{percent: 5}]}": "latency or predictions alone",
		"metrics: [{name: errors}, {name: errors}]\ncanary: {steps: [{percent: 5}]}":     "twice",
		"metrics: [{name: errors, tolerance: -1}]\ncanary: {steps: [{percent: 5}]}":      "tolerance",
		"metrics: [{name: x, better: same, limit: 1}]\ncanary: {steps: [{percent: 5}]}":  "direction",
		"experiment: {}": "experiment.decide has 0",
		"experiment: {decide: [{metric: clicks, minimum_effect: 1}]}": `"clicks" is none of`,
		"experiment: {decide: [{metric: errors, minimum_effect: 0}]}": "minimum_effect",
		"bandit: {reward: latency}":                                   `"latency" is none`,
		"shadow: {}\nwatch: {duration: 100h, window: 1s}":             "windows; the most",
		"canary: [": "read the plan",
		"experiment: {decide: [{metric: errors, minimum_effect: 1}]}\nbandit: {reward: errors}": "give one of them",
	} {
		_, err := ParsePlan([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

func TestSampleSizesArePlanned(t *testing.T) {
	p, err := ParsePlan([]byte(fullPlan))
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.SampleSize(Decision{Metric: "conversion", MinimumEffect: 0.25}, 0.5, 0)
	if err != nil || n != 58 { // power.prop.test(p1 = .5, p2 = .75, power = .8) in R: 57.67
		t.Errorf("size %d, %v", n, err)
	}
	if _, err := p.SampleSize(Decision{Metric: "conversion", MinimumEffect: 0.25}, 1.5, 0); err == nil {
		t.Error("a rate of 1.5 is planned for")
	}
	p.Metrics = append(p.Metrics, Metric{Name: "x", Measure: Mean})
	if n, err := p.SampleSize(Decision{Metric: "x", MinimumEffect: 0.1}, 10, 1); err != nil || n != 16 {
		t.Errorf("size %d, %v", n, err)
	}
}

func TestHistogramsKnowValuesToOnePercent(t *testing.T) {
	h := Histogram{}
	for _, v := range []float64{0, 1e-12, 0.003, 7, 42.5, 1e6, -3, -1e-3, math.NaN(), math.Inf(1)} {
		h.Add(v)
	}
	if n := h.total(); n != 8 {
		t.Errorf("%d values", n)
	}
	for _, v := range []float64{0.003, 7, 42.5, 1e6, -3, -1e-3, 1e300} {
		if got := valueOf(Bucket(v)); math.Abs(got/v-1) > 0.0101 {
			t.Errorf("%v is known as %v", v, got)
		}
	}
	if got := h.quantile(0.99); math.Abs(got/1e6-1) > 0.011 {
		t.Errorf("0.99 quantile %v", got)
	}
	if h.above(7.5) != 2 || !math.IsNaN(Histogram{}.quantile(0.5)) {
		t.Errorf("%d above 7.5", h.above(7.5))
	}
}

func TestThePlanOfTheExampleIsOne(t *testing.T) {
	text, err := os.ReadFile("../../../examples/flights-serve/plan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := ParsePlan(text); err != nil || p.Experiment == nil || len(p.stages()) != 4 {
		t.Errorf("%+v, %v", p, err)
	}
}
