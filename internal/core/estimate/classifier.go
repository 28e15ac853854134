package estimate

import (
	"math"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

// Scores are the outputs of a classifier.
type Scores struct {
	// Class[c][i] is the score of class c for row i, a number that grows with its chance. A binary classifier has one: that of the positive class.
	Class [][]float64
	// Predicted is the predicted class of each row; of a binary classifier 0 or 1, and nil stands for a score of at least 0.5.
	Predicted []int
	// True is the true class of each row; nil where it is not known.
	True []int
}

func (s Scores) rows() int { return len(s.Class[0]) }

func (s Scores) check(which string, labelled bool) error {
	if len(s.Class) == 0 || len(s.Class[0]) == 0 {
		return fault.Invalidf("the %s has no scores", which)
	}
	classes := max(2, len(s.Class))
	for _, c := range s.Class {
		if len(c) != s.rows() {
			return fault.Invalidf("the %s has %d scores of one class and %d of another", which, s.rows(), len(c))
		}
		for i, v := range c {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fault.Invalidf("the %s has no score in row %d", which, i+1)
			}
		}
	}
	for name, labels := range map[string][]int{"predicted": s.Predicted, "true": s.True} {
		if labels == nil && (name == "predicted" && len(s.Class) == 1 || name == "true" && !labelled) {
			continue
		}
		if len(labels) != s.rows() {
			return fault.Invalidf("the %s has %d rows and %d %s classes", which, s.rows(), len(labels), name)
		}
		for i, l := range labels {
			if l < 0 || l >= classes {
				return fault.Invalidf("the %s class of row %d of the %s is %d; there are %d classes", name, i+1, which, l, classes)
			}
		}
	}
	return nil
}

// binary returns, for each class, scores and whether it was predicted and is true. A binary classifier has its positive class alone.
func (s Scores) binary() []view {
	out := make([]view, len(s.Class))
	for c, scores := range s.Class {
		class := c
		if len(s.Class) == 1 {
			class = 1
		}
		v := view{scores: scores, predicted: make([]float64, len(scores))}
		for i, p := range scores {
			if s.Predicted == nil && p >= 0.5 || s.Predicted != nil && s.Predicted[i] == class {
				v.predicted[i] = 1
			}
		}
		if s.True != nil {
			v.truth = make([]float64, len(scores))
			for i, t := range s.True {
				if t == class {
					v.truth[i] = 1
				}
			}
		}
		out[c] = v
	}
	return out
}

// view is one class against all others.
type view struct{ scores, chance, predicted, truth []float64 }

func (v view) part(s Span) view {
	cut := func(x []float64) []float64 {
		if x == nil {
			return nil
		}
		return x[s.From:s.To]
	}
	return view{cut(v.scores), cut(v.chance), cut(v.predicted), cut(v.truth)}
}

// metric is a figure of one class from chances, or from labels in their place.
type metric struct {
	name string
	of   func(v view, chance []float64) float64
}

func metrics() []metric {
	ratio := func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return a / b
	}
	return []metric{
		{"roc_auc", func(v view, chance []float64) float64 { return rocAUC(v.scores, chance) }},
		{"average_precision", func(v view, chance []float64) float64 { return averagePrecision(v.scores, chance) }},
		{"accuracy", func(v view, chance []float64) float64 {
			tp, fp, fn, tn := confusion(v.predicted, chance)
			return (tp + tn) / (tp + fp + fn + tn)
		}},
		{"precision", func(v view, chance []float64) float64 {
			tp, fp, _, _ := confusion(v.predicted, chance)
			return ratio(tp, tp+fp)
		}},
		{"recall", func(v view, chance []float64) float64 {
			tp, _, fn, _ := confusion(v.predicted, chance)
			return ratio(tp, tp+fn)
		}},
		{"specificity", func(v view, chance []float64) float64 {
			_, fp, _, tn := confusion(v.predicted, chance)
			return ratio(tn, tn+fp)
		}},
		{"f1", func(v view, chance []float64) float64 {
			tp, fp, fn, _ := confusion(v.predicted, chance)
			return ratio(tp, tp+(fp+fn)/2)
		}},
	}
}

// confusion is the expected confusion matrix.
func confusion(predicted, chance []float64) (tp, fp, fn, tn float64) {
	for i, p := range predicted {
		tp += p * chance[i]
		fp += p * (1 - chance[i])
		fn += (1 - p) * chance[i]
		tn += (1 - p) * (1 - chance[i])
	}
	return tp, fp, fn, tn
}

// rocAUC is the area under the expected curve. Rows of one score are one step of it.
func rocAUC(scores, chance []float64) float64 {
	order := ordered(scores, -1)
	var tp, fp, area float64
	for k := 0; k < len(order); {
		tp0, fp0 := tp, fp
		for s := scores[order[k]]; k < len(order) && scores[order[k]] == s; k++ {
			tp += chance[order[k]]
			fp += 1 - chance[order[k]]
		}
		area += (fp - fp0) * (tp + tp0) / 2
	}
	if tp == 0 || fp == 0 {
		return math.NaN()
	}
	return area / (tp * fp)
}

// averagePrecision is the expected precision, weighted by the recall that each score adds.
func averagePrecision(scores, chance []float64) float64 {
	order := ordered(scores, -1)
	var tp, sum float64
	for k := 0; k < len(order); {
		tp0 := tp
		for s := scores[order[k]]; k < len(order) && scores[order[k]] == s; k++ {
			tp += chance[order[k]]
		}
		sum += (tp - tp0) * tp / float64(k)
	}
	if tp == 0 {
		return math.NaN()
	}
	return sum / tp
}

// Classifier estimates the metrics of a classifier (confidence-based performance estimation). Figures of several classes are the means of
// those of each class against the others; the accuracy is the expected share of right rows.
func Classifier(reference, current Scores, referenceChunks, currentChunks []Span) ([]Result, error) {
	if err := reference.check("reference", true); err != nil {
		return nil, err
	}
	if err := current.check("current data", false); err != nil {
		return nil, err
	}
	if len(reference.Class) != len(current.Class) {
		return nil, fault.Invalidf("the reference has scores of %d classes, the current data of %d", len(reference.Class), len(current.Class))
	}
	ref, cur := reference.binary(), current.binary()
	dice := stats.Dice(42)
	for c := range ref {
		f := Isotonic{}
		calibrate := needsCalibration(ref[c].scores, ref[c].truth, &dice)
		if calibrate {
			f = NewIsotonic(ref[c].scores, ref[c].truth)
		}
		for _, v := range []*view{&ref[c], &cur[c]} {
			v.chance = slices.Clone(v.scores)
			for i, s := range v.scores {
				if calibrate {
					v.chance[i] = f.At(s)
				}
			}
		}
	}
	if len(ref) > 1 {
		normalize(ref)
		normalize(cur)
	}
	var out []Result
	for _, m := range metrics() {
		r := Result{Metric: m.name, Reference: m.figures(ref, referenceChunks), Current: m.figures(cur, currentChunks)}
		r.bound(0, 1)
		out = append(out, r)
	}
	return out, nil
}

// normalize makes the chances of the classes of a row add up to 1.
func normalize(views []view) {
	for i := range views[0].chance {
		sum := 0.0
		for _, v := range views {
			sum += v.chance[i]
		}
		for _, v := range views {
			if sum > 0 {
				v.chance[i] /= sum
			} else {
				v.chance[i] = 1 / float64(len(views))
			}
		}
	}
}

func (m metric) figures(views []view, chunks []Span) []Figure {
	out := make([]Figure, len(chunks))
	for i, c := range chunks {
		out[i] = Figure{Chunk: c, Estimated: m.mean(views, c, false), Realized: m.mean(views, c, true)}
	}
	return out
}

func (m metric) mean(views []view, s Span, realized bool) float64 {
	if m.name == "accuracy" && len(views) > 1 {
		return accuracy(views, s, realized)
	}
	sum := 0.0
	for _, v := range views {
		v = v.part(s)
		chance := v.chance
		if realized {
			chance = v.truth
		}
		if len(chance) == 0 {
			return math.NaN()
		}
		sum += m.of(v, chance)
	}
	return sum / float64(len(views))
}

// accuracy is the mean chance of the predicted class.
func accuracy(views []view, s Span, realized bool) float64 {
	sum := 0.0
	for _, v := range views {
		v = v.part(s)
		chance := v.chance
		if realized {
			chance = v.truth
		}
		if chance == nil {
			return math.NaN()
		}
		for i, p := range v.predicted {
			sum += p * chance[i]
		}
	}
	return sum / float64(s.To-s.From)
}
