// Package quality measures how good predictions were, once the truth is known: of classes, of scores and of numbers, with intervals.
//
// It is given pairs and knows neither requests nor storage. Start reading at Measure.
package quality

import (
	"math"
	"slices"

	"levada/internal/core/reqlog"
	"levada/internal/core/stats"
)

// Task is what a model predicts.
type Task string

// The tasks.
const (
	Classes Task = "classification"
	Scores  Task = "scores" // of the positive class of two, from 0 to 1
	Numbers Task = "regression"
)

// Confidence is that of the intervals.
const Confidence = 0.95

// mostClasses is how many different whole numbers are taken for classes.
const mostClasses = 20

// Metric is a measure of quality.
type Metric struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Low and High are the limits of the 95 % interval; absent where there is none.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

// Pair is a prediction and what was true.
type Pair struct{ Predicted, Actual reqlog.Value }

// Guess finds out what pairs are about, one pair after the other: texts are classes; of numbers, truths of 0 and 1 with predictions between are
// scores, and few different whole numbers are classes. The zero value has seen none.
type Guess struct {
	texts, fractions, outside, between bool
	different                          map[float64]bool
}

// Add takes in a pair.
func (g *Guess) Add(p Pair) {
	if g.texts = g.texts || p.Predicted.IsText || p.Actual.IsText; g.texts {
		return
	}
	x, y := p.Predicted.Number, p.Actual.Number
	g.fractions = g.fractions || x != math.Trunc(x) || y != math.Trunc(y)
	g.outside = g.outside || (y != 0 && y != 1) || !(x >= 0 && x <= 1)
	g.between = g.between || x != math.Trunc(x)
	if len(g.different) <= mostClasses {
		if g.different == nil {
			g.different = map[float64]bool{}
		}
		g.different[x], g.different[y] = true, true
	}
}

// Task is what the pairs so far are about.
func (g *Guess) Task() Task {
	switch {
	case g.texts:
		return Classes
	case !g.outside && g.between:
		return Scores
	case !g.fractions && len(g.different) <= mostClasses:
		return Classes
	}
	return Numbers
}

// TaskOf says what pairs are about.
func TaskOf(pairs []Pair) Task {
	var g Guess
	for _, p := range pairs {
		g.Add(p)
	}
	return g.Task()
}

// Measure measures pairs. A measure that is no number, because a prediction or truth is infinite or so large that its square is, is left out.
func Measure(task Task, pairs []Pair) []Metric {
	if len(pairs) == 0 {
		return nil
	}
	return slices.DeleteFunc(measure(task, pairs), func(m Metric) bool {
		for _, v := range []*float64{&m.Value, m.Low, m.High} {
			if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
				return true
			}
		}
		return false
	})
}

func measure(task Task, pairs []Pair) []Metric {
	switch task {
	case Scores:
		return append(classes(pairs, func(v reqlog.Value) string { return class(reqlog.Value{Number: round(v.Number)}) }), scores(pairs)...)
	case Numbers:
		return numbers(pairs)
	}
	return classes(pairs, class)
}

// round is the class of a score.
func round(score float64) float64 {
	if score >= 0.5 {
		return 1
	}
	return 0
}

func class(v reqlog.Value) string { return v.String() }

func interval(name string, i stats.Interval) Metric {
	return Metric{Name: name, Value: i.Estimate, Low: &i.Low, High: &i.High}
}

// classes are the accuracy, with Wilson's interval, and F1. Of two classes that is F1 of the positive one, which is 1 or else the later
// in the alphabet; its interval comes from that of J = TP / (TP + FP + FN), a share, by F1 = 2J / (1 + J). Of more classes it is the mean
// of each class's.
func classes(pairs []Pair, of func(reqlog.Value) string) []Metric {
	right := 0.0
	tp, fp, fn := map[string]float64{}, map[string]float64{}, map[string]float64{}
	var names []string
	seen := map[string]bool{}
	for _, p := range pairs {
		x, y := of(p.Predicted), of(p.Actual)
		for _, c := range []string{x, y} {
			if !seen[c] {
				seen[c] = true
				names = append(names, c)
			}
		}
		if x == y {
			right++
			tp[x]++
		} else {
			fp[x]++
			fn[y]++
		}
	}
	out := []Metric{interval("accuracy", stats.Wilson(right, float64(len(pairs)), Confidence))}
	slices.Sort(names)
	if len(names) <= 2 {
		positive := names[len(names)-1]
		all := tp[positive] + fp[positive] + fn[positive]
		if all == 0 {
			return out
		}
		j := stats.Wilson(tp[positive], all, Confidence)
		f := func(j float64) float64 { return 2 * j / (1 + j) }
		return append(out, interval("f1", stats.Interval{Estimate: f(j.Estimate), Low: f(j.Low), High: f(j.High)}))
	}
	sum := 0.0
	for _, c := range names {
		sum += 2 * tp[c] / (2*tp[c] + fp[c] + fn[c])
	}
	return append(out, Metric{Name: "f1_macro", Value: sum / float64(len(names))})
}

// scores are the area under the ROC curve, with the interval of Hanley and McNeil (1982), and the logarithmic loss.
func scores(pairs []Pair) []Metric {
	var negative, positive []float64
	var loss, squares float64
	for _, p := range pairs {
		l := LogLoss(p.Predicted.Number, p.Actual.Number)
		loss, squares = loss+l, squares+l*l
		if p.Actual.Number == 1 {
			positive = append(positive, p.Predicted.Number)
		} else {
			negative = append(negative, p.Predicted.Number)
		}
	}
	out := []Metric{mean("log_loss", float64(len(pairs)), loss, squares)}
	if len(positive) == 0 || len(negative) == 0 {
		return out
	}
	m, n := float64(len(positive)), float64(len(negative))
	auc := stats.AreaUnderROC(negative, positive)
	q1, q2 := auc/(2-auc), 2*auc*auc/(1+auc)
	se := math.Sqrt(math.Max(0, (auc*(1-auc)+(m-1)*(q1-auc*auc)+(n-1)*(q2-auc*auc))/(m*n)))
	z := stats.NormalQuantile(1 - (1-Confidence)/2)
	return append(out, interval("auc", stats.Interval{Estimate: auc, Low: math.Max(0, auc-z*se), High: math.Min(1, auc+z*se)}))
}

// LogLoss is the logarithmic loss of a score; scores are kept 1e-15 away from 0 and 1.
func LogLoss(score, actual float64) float64 {
	s := math.Min(math.Max(score, 1e-15), 1-1e-15)
	if actual == 1 {
		return -math.Log(s)
	}
	return -math.Log(1 - s)
}

// mean is a mean with Student's interval.
func mean(name string, n, sum, squares float64) Metric {
	m := stats.MomentsOf(n, sum, squares)
	if n < 2 {
		return Metric{Name: name, Value: m.Mean}
	}
	half := stats.StudentQuantile(1-(1-Confidence)/2, n-1) * math.Sqrt(m.Variance/n)
	return interval(name, stats.Interval{Estimate: m.Mean, Low: m.Mean - half, High: m.Mean + half})
}

// numbers are the mean absolute error, the root of the mean squared error, whose interval is the root of that of the mean of squares, and
// the mean error.
func numbers(pairs []Pair) []Metric {
	var abs, square, fourth, sum float64
	for _, p := range pairs {
		e := p.Predicted.Number - p.Actual.Number
		abs, sum, square, fourth = abs+math.Abs(e), sum+e, square+e*e, fourth+e*e*e*e
	}
	n := float64(len(pairs))
	rmse := mean("rmse", n, square, fourth)
	rmse.Value = math.Sqrt(rmse.Value)
	for _, limit := range []*float64{rmse.Low, rmse.High} {
		if limit != nil {
			*limit = math.Sqrt(math.Max(0, *limit))
		}
	}
	return []Metric{mean("mae", n, abs, square), rmse, mean("bias", n, sum, square)}
}

// Losses are what a prediction and its truth say about quality, by the name of the metric: accuracy (1 where it is right), and of numbers absolute_error,
// squared_error and, of a score of two classes, log_loss.
func Losses(p Pair) map[string]float64 {
	x, y := p.Predicted, p.Actual
	right := 0.0
	if x.String() == y.String() {
		right = 1
	}
	if x.IsText || y.IsText {
		return map[string]float64{"accuracy": right}
	}
	out := map[string]float64{"absolute_error": math.Abs(x.Number - y.Number), "squared_error": (x.Number - y.Number) * (x.Number - y.Number)}
	if (y.Number == 0 || y.Number == 1) && x.Number >= 0 && x.Number <= 1 {
		right = 0
		if (x.Number >= 0.5) == (y.Number == 1) {
			right = 1
		}
		out["log_loss"] = LogLoss(x.Number, y.Number)
	}
	out["accuracy"] = right
	for name, v := range out {
		if math.IsInf(v, 0) || v > 1e100 {
			delete(out, name)
		}
	}
	return out
}
