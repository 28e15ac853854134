package estimate

import (
	"math"

	"levada/internal/core/boost"
	"levada/internal/core/fault"
)

// Predictions are the inputs and outputs of a regression model.
type Predictions struct {
	// Features[f][i] is feature f of row i, NaN where it is missing.
	Features [][]float64
	// Predicted are the model's predictions, True the true values; nil where they are not known.
	Predicted, True []float64
}

// loss is an error of one row, and how errors become a metric.
type loss struct {
	name string
	of   func(predicted, truth float64) float64
	mean func(v float64) float64
}

func losses() []loss {
	same := func(v float64) float64 { return v }
	root := func(v float64) float64 { return math.Sqrt(max(0, v)) }
	absolute := func(p, t float64) float64 { return math.Abs(t - p) }
	squared := func(p, t float64) float64 { return (t - p) * (t - p) }
	relative := func(p, t float64) float64 { return math.Abs(t-p) / max(math.Abs(t), 0x1p-52) }
	logarithmic := func(p, t float64) float64 { d := math.Log1p(t) - math.Log1p(p); return d * d }
	return []loss{
		{"mae", absolute, same}, {"mape", relative, same}, {"mse", squared, same}, {"rmse", squared, root}, {"msle", logarithmic, same}, {"rmsle", logarithmic, root},
	}
}

// Regression estimates the metrics of a regression model (direct loss estimation): boosted trees learn the error of each row of the
// reference from its features and its prediction. The logarithmic ones are left out where a value is below 0.
func Regression(reference, current Predictions, referenceChunks, currentChunks []Span) ([]Result, error) {
	if len(reference.True) != len(reference.Predicted) || len(reference.True) == 0 {
		return nil, fault.Invalidf("the reference has %d predictions and %d true values", len(reference.Predicted), len(reference.True))
	}
	if len(current.Predicted) == 0 || len(reference.Features) != len(current.Features) {
		return nil, fault.Invalidf("the reference has %d features, the current data %d and %d predictions", len(reference.Features), len(current.Features), len(current.Predicted))
	}
	negative := false
	for i, t := range reference.True {
		negative = negative || t < 0 || reference.Predicted[i] < 0
	}
	inputs := func(p Predictions) [][]float64 {
		return append(p.Features[:len(p.Features):len(p.Features)], p.Predicted)
	}
	var out []Result
	estimates := map[string][2][]float64{}
	for _, l := range losses() {
		if negative && (l.name == "msle" || l.name == "rmsle") {
			continue
		}
		errors := rowLosses(reference, l)
		key := map[string]string{"rmse": "mse", "rmsle": "msle"}[l.name]
		estimated, known := estimates[key]
		if !known {
			m := boost.Fit(thinned(inputs(reference)), thinned([][]float64{errors})[0], boost.Squared)
			estimated = [2][]float64{m.Predict(inputs(reference)), m.Predict(inputs(current))}
			estimates[l.name] = estimated
		}
		r := Result{Metric: l.name, Reference: l.figures(estimated[0], errors, referenceChunks)}
		r.Current = l.figures(estimated[1], rowLosses(current, l), currentChunks)
		r.bound(0, math.Inf(1))
		out = append(out, r)
	}
	return out, nil
}

// mostFitted bounds the rows that trees are fitted to.
const mostFitted = 100_000

// thinned takes rows evenly over a table.
func thinned(columns [][]float64) [][]float64 {
	n := len(columns[0])
	if n <= mostFitted {
		return columns
	}
	out := make([][]float64, len(columns))
	for c, values := range columns {
		for i := range mostFitted {
			out[c] = append(out[c], values[int(int64(i)*int64(n)/mostFitted)])
		}
	}
	return out
}

// rowLosses are nil where the true values are not known.
func rowLosses(p Predictions, l loss) []float64 {
	if p.True == nil {
		return nil
	}
	out := make([]float64, len(p.True))
	for i, t := range p.True {
		out[i] = l.of(p.Predicted[i], t)
	}
	return out
}

func (l loss) figures(estimated, realized []float64, chunks []Span) []Figure {
	out := make([]Figure, len(chunks))
	for i, c := range chunks {
		out[i] = Figure{Chunk: c, Estimated: l.over(estimated, c), Realized: l.over(realized, c)}
	}
	return out
}

func (l loss) over(values []float64, s Span) float64 {
	if values == nil || s.To <= s.From {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range values[s.From:s.To] {
		sum += v
	}
	return l.mean(sum / float64(s.To-s.From))
}
