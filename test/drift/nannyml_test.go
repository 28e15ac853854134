package drift

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"levada/internal/core/drift"
	"levada/internal/core/estimate"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

type nannyCase struct {
	What      string         `json:"what"`
	Classes   int            `json:"classes"`
	Size      int            `json:"size"`
	Reference map[string]any `json:"reference"`
	Current   map[string]any `json:"current"`
}

type nannyFigures struct {
	Low       *float64   `json:"low"`
	High      *float64   `json:"high"`
	Reference []*float64 `json:"reference"`
	Analysis  []*float64 `json:"analysis"`
	Realized  []*float64 `json:"reference_realized"`
}

func skipWithout(t *testing.T) {
	t.Helper()
	if os.Getenv("LEVADA_DRIFT") == "" {
		t.Skip("NannyML takes a while to install: run make test-drift, or set LEVADA_DRIFT=all")
	}
}

// scored draws labels, and scores of a classifier that exaggerates: softmax of noisy logits, so that it needs calibration.
func scored(d *stats.Dice, n, classes int, shift float64) (estimate.Scores, map[string]any) {
	s := estimate.Scores{Class: make([][]float64, max(1, classes)), Predicted: make([]int, n), True: make([]int, n)}
	if classes == 2 {
		s.Class = s.Class[:1]
	}
	for i := range n {
		truth := 0
		if d.Float() < 0.4+shift/4 {
			truth = 1 + d.Below(classes-1)
		}
		weights, sum := make([]float64, classes), 0.0
		for c := range weights {
			logit := 1.5 * normal(d, 0, 1)()
			if c == truth {
				logit += 2 - shift
			}
			weights[c] = math.Exp(1.7 * logit)
			sum += weights[c]
		}
		best := 0
		for c := range weights {
			if weights[c] > weights[best] {
				best = c
			}
		}
		for c := range s.Class {
			w := weights[c] / sum
			if classes == 2 {
				w = weights[1] / sum
			}
			s.Class[c] = append(s.Class[c], w)
		}
		s.Predicted[i], s.True[i] = best, truth
	}
	frame := map[string]any{"predicted": s.Predicted, "truth": s.True}
	for c := range s.Class {
		frame[fmt.Sprint("p", c)] = s.Class[c]
	}
	return s, frame
}

func TestEstimatesOfClassifiersEqualNannyMLs(t *testing.T) {
	skipWithout(t)
	d := stats.Dice(21)
	var cases []nannyCase
	var ours [][]estimate.Result
	for _, classes := range []int{2, 3} {
		ref, refFrame := scored(&d, 5000, classes, 0)
		cur, curFrame := scored(&d, 3000, classes, 0.5)
		cases = append(cases, nannyCase{"classifier", classes, 500, refFrame, curFrame})
		r, err := estimate.Classifier(ref, cur, estimate.BySize(5000, 500), estimate.BySize(3000, 500))
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, r)
	}
	var want []map[string]nannyFigures
	ask(t, "nannyml", "nannyml_values.py", cases, &want)
	compared := 0
	for i, results := range ours {
		for _, r := range results {
			w := want[i][r.Metric]
			check := func(what string, want []*float64, got []estimate.Figure, of func(estimate.Figure) float64) {
				if len(want) != len(got) {
					t.Errorf("%d classes, %s, %s: %d chunks, want %d", cases[i].Classes, r.Metric, what, len(got), len(want))
					return
				}
				for k := range want {
					compared++
					if want[k] == nil || !near(of(got[k]), *want[k]) {
						t.Errorf("%d classes, %s, %s of chunk %d is %v, want %v", cases[i].Classes, r.Metric, what, k, of(got[k]), shown(want[k]))
					}
				}
			}
			estimated := func(f estimate.Figure) float64 { return f.Estimated }
			check("estimate on the reference", w.Reference, r.Reference, estimated)
			check("estimate", w.Analysis, r.Current, estimated)
			check("realized", w.Realized, r.Reference, func(f estimate.Figure) float64 { return f.Realized })
			if w.Low != nil && !near(*w.Low, r.Low) || w.High != nil && !near(*w.High, r.High) {
				t.Errorf("%d classes, %s: usual is %v to %v, want %v to %v", cases[i].Classes, r.Metric, r.Low, r.High, shown(w.Low), shown(w.High))
			}
		}
	}
	t.Logf("%d figures compared", compared)
}

func TestEstimatesOfErrorsAreNearNannyMLs(t *testing.T) {
	skipWithout(t)
	d := stats.Dice(22)
	drawn := func(n int, shift float64) (estimate.Predictions, map[string]any) {
		p := estimate.Predictions{Features: make([][]float64, 2)}
		for range n {
			a, b := d.Float()+shift, normal(&d, 0, 1)()
			predicted := 10 + 5*a + b
			p.Features[0], p.Features[1] = append(p.Features[0], a), append(p.Features[1], b)
			p.Predicted = append(p.Predicted, predicted)
			p.True = append(p.True, max(0, predicted+(0.3+2*a)*normal(&d, 0, 1)()))
		}
		return p, map[string]any{"f0": p.Features[0], "f1": p.Features[1], "predicted": p.Predicted, "truth": p.True}
	}
	ref, refFrame := drawn(10_000, 0)
	cur, curFrame := drawn(3000, 0)
	// The second half of the current rows is of a part of the features where the model is worse.
	for i := 1500; i < 3000; i++ {
		a := 0.7 + 0.3*d.Float()
		cur.Features[0][i], cur.Predicted[i] = a, 10+5*a+cur.Features[1][i]
		cur.True[i] = max(0, cur.Predicted[i]+(0.3+2*a)*normal(&d, 0, 1)())
	}
	r, err := estimate.Regression(ref, cur, estimate.BySize(10_000, 500), estimate.BySize(3000, 500))
	if err != nil {
		t.Fatal(err)
	}
	var want []map[string]nannyFigures
	ask(t, "nannyml", "nannyml_values.py", []nannyCase{{"regression", 0, 500, refFrame, curFrame}}, &want)
	for _, m := range r {
		w := want[0][m.Metric]
		for k, f := range m.Current {
			if off := math.Abs(f.Estimated / *w.Analysis[k] - 1); off > 0.05 {
				t.Errorf("%s of chunk %d is %v, NannyML's is %v", m.Metric, k, f.Estimated, *w.Analysis[k])
			}
		}
		if !near(m.Low, *w.Low) || !near(m.High, *w.High) {
			t.Errorf("%s: usual is %v to %v, want %v to %v", m.Metric, m.Low, m.High, *w.Low, *w.High)
		}
	}
}

func TestTheReconstructionErrorEqualsNannyMLs(t *testing.T) {
	skipWithout(t)
	d := stats.Dice(23)
	frame := func(n int, mix float64) (table.Memory, map[string]any) {
		named := map[string][]any{}
		for range n {
			x, y := normal(&d, 0, 1)(), normal(&d, 0, 1)()
			named["a"] = append(named["a"], x)
			named["b"] = append(named["b"], mix*x+(1-mix)*y)
			named["c"] = append(named["c"], 3+2*normal(&d, 0, 1)())
			named["e"] = append(named["e"], x+0.2*normal(&d, 0, 1)())
			named["w"] = append(named["w"], strings.Repeat("w", 1+int(4*d.Float()*d.Float())))
		}
		var m table.Memory
		out := map[string]any{}
		for _, name := range []string{"a", "b", "c", "e", "w"} {
			kind := "number"
			if name == "w" {
				kind = "label"
			}
			m.Names = append(m.Names, table.Column{Name: name})
			m.Vectors = append(m.Vectors, vector(kind, named[name]))
			out[name] = named[name]
		}
		return m, out
	}
	ref, refFrame := frame(5000, 0.9)
	cur, curFrame := frame(4000, 0.1)
	var want []struct{ Score, Low, High float64 }
	ask(t, "nannyml", "nannyml_values.py", []nannyCase{{"reconstruction", 0, 0, refFrame, curFrame}}, &want)
	r, err := drift.Compare(context.Background(), ref, cur, drift.Options{Multivariate: true})
	if err != nil {
		t.Fatal(err)
	}
	got := r.Together[0]
	if !near(*got.Score, want[0].Score) || !near(*got.Low, want[0].Low) || !near(got.Threshold, want[0].High) || !got.Drifted {
		t.Errorf("%v, usual %v to %v, want %+v", *got.Score, *got.Low, got.Threshold, want[0])
	}
	if dc := r.Together[1]; dc.Score == nil || !dc.Drifted {
		t.Errorf("the domain classifier does not find it: %+v", dc)
	}
}
