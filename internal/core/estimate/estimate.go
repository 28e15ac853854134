// Package estimate says how well a model does on data whose true labels are not known yet.
//
// For classifiers it is NannyML's confidence-based estimation (CBPE): scores are calibrated to chances on a reference whose labels are known,
// and a chance of 0.8 counts as 0.8 of a true positive. For regression it is direct loss estimation (DLE): a second model learns on the
// reference how large the error is, given the features and the prediction. Both assume that only the inputs have drifted: where what the
// inputs mean has changed (concept drift), no estimate without labels can see it. Data is estimated in chunks; a chunk is alarming whose
// figure is outside of the mean of the reference's chunks and three of their standard deviations. Start reading at Classifier.
package estimate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
)

// Span is a chunk: the rows from From to before To.
type Span struct {
	Key  string `json:"key"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// BySize makes chunks of so many rows; the last may have fewer.
func BySize(rows, size int) []Span {
	var out []Span
	for from := 0; from < rows && size > 0; from += size {
		to := min(rows, from+size)
		out = append(out, Span{fmt.Sprintf("[%d:%d]", from, to-1), from, to})
	}
	return out
}

// Period is the length of a chunk by time.
type Period string

// The periods of chunks.
const (
	Daily   Period = "day"
	Weekly  Period = "week"
	Monthly Period = "month"
)

// ByPeriod makes a chunk for each period (UTC) of rows that are ordered by time.
func ByPeriod(times []time.Time, p Period) ([]Span, error) {
	key := func(t time.Time) string {
		t = t.UTC()
		switch p {
		case Monthly:
			return t.Format("2006-01")
		case Weekly:
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}
		return t.Format(time.DateOnly)
	}
	var out []Span
	for i, t := range times {
		if i > 0 && t.Before(times[i-1]) {
			return nil, fault.Invalidf("row %d is earlier than the row before it: chunks by time need rows in order of time", i+1)
		}
		if k := key(t); len(out) == 0 || out[len(out)-1].Key != k {
			out = append(out, Span{k, i, i})
		}
		out[len(out)-1].To = i + 1
	}
	return out, nil
}

// Figure is a metric of a chunk.
type Figure struct {
	Chunk Span
	// Estimated is the estimate, Realized what the labels say where they are known; NaN where it is not defined.
	Estimated float64
	Realized  float64
	Alert     bool
}

// MarshalJSON writes null for what is not defined.
func (f Figure) MarshalJSON() ([]byte, error) {
	defined := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	return json.Marshal(struct {
		Chunk     Span     `json:"chunk"`
		Estimated *float64 `json:"estimated"`
		Realized  *float64 `json:"realized"`
		Alert     bool     `json:"alert"`
	}{f.Chunk, defined(f.Estimated), defined(f.Realized), f.Alert})
}

// Result has a metric on the chunks of the reference and of the data.
type Result struct {
	Metric string `json:"metric"`
	// Low and High bound figures that are as usual.
	Low       float64  `json:"low"`
	High      float64  `json:"high"`
	Reference []Figure `json:"reference"`
	Current   []Figure `json:"current"`
}

// bound sets the bounds to the mean of what was realized on the reference, three standard deviations (of the population) to each side, and
// within limits; and marks what is outside.
func (r *Result) bound(low, high float64) {
	var known []float64
	for _, f := range r.Reference {
		if !math.IsNaN(f.Realized) {
			known = append(known, f.Realized)
		}
	}
	mean, sd := stats.MeanSD(known, 0)
	r.Low, r.High = low, min(high, math.MaxFloat64)
	if len(known) > 0 {
		r.Low, r.High = max(low, mean-3*sd), min(high, mean+3*sd)
	}
	for _, list := range [][]Figure{r.Reference, r.Current} {
		for i, f := range list {
			list[i].Alert = f.Estimated < r.Low || f.Estimated > r.High
		}
	}
}

// Isotonic is an increasing step-wise linear function that was fitted to labels of 0 and 1 (pool adjacent violators).
type Isotonic struct{ x, y []float64 }

// NewIsotonic fits labels by scores.
func NewIsotonic(scores, labels []float64) Isotonic {
	order := ordered(scores, 1)
	type block struct {
		sum, weight float64
		from, to    int // of the different scores
	}
	var blocks []block
	var x []float64
	for k := 0; k < len(order); {
		s := scores[order[k]]
		b := block{from: len(x), to: len(x) + 1}
		for ; k < len(order) && scores[order[k]] == s; k++ {
			b.sum += labels[order[k]]
			b.weight++
		}
		x = append(x, s)
		for len(blocks) > 0 && blocks[len(blocks)-1].sum*b.weight >= b.sum*blocks[len(blocks)-1].weight {
			last := blocks[len(blocks)-1]
			b = block{last.sum + b.sum, last.weight + b.weight, last.from, b.to}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	f := Isotonic{x: x, y: make([]float64, len(x))}
	for _, b := range blocks {
		for i := b.from; i < b.to; i++ {
			f.y[i] = b.sum / b.weight
		}
	}
	return f
}

// At is the function at a score: between two known scores on the line between them, and beyond them at the last.
func (f Isotonic) At(score float64) float64 {
	i, found := slices.BinarySearch(f.x, score)
	switch {
	case found:
		return f.y[i]
	case i == 0:
		return f.y[0]
	case i == len(f.x):
		return f.y[i-1]
	}
	share := (score - f.x[i-1]) / (f.x[i] - f.x[i-1])
	return f.y[i-1] + share*(f.y[i]-f.y[i-1])
}

const (
	calibrationSplits = 10
	calibrationBins   = 10
	// separable is the area under the curve from which on calibrating cannot help.
	separable = 0.999
)

// needsCalibration says whether calibrated scores are nearer to the observed shares than the scores themselves, on rows that the calibration has
// not seen: ten times a tenth of them, of each label (expected calibration error over ten bins).
func needsCalibration(scores, labels []float64, dice *stats.Dice) bool {
	var by [2][]int
	for i, l := range labels {
		by[int(l)] = append(by[int(l)], i)
	}
	if len(by[0]) == 0 || len(by[1]) == 0 {
		return false
	}
	if auc := stats.AreaUnderROC(at(scores, by[0]), at(scores, by[1])); auc > separable {
		return false
	}
	var plain, calibrated, truth []float64
	for range calibrationSplits {
		var train, test []int
		for _, rows := range by {
			rows = slices.Clone(rows)
			dice.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			held := max(1, len(rows)/10)
			test, train = append(test, rows[:held]...), append(train, rows[held:]...)
		}
		f := NewIsotonic(at(scores, train), at(labels, train))
		for _, i := range test {
			plain, calibrated, truth = append(plain, scores[i]), append(calibrated, f.At(scores[i])), append(truth, labels[i])
		}
	}
	return calibrationError(plain, truth) > calibrationError(calibrated, truth)
}

// ordered is the order of scores: from the lowest for a sign of 1, from the highest for -1.
func ordered(scores []float64, sign float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(sign*scores[i], sign*scores[j]) })
	return order
}

func at(values []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = values[r]
	}
	return out
}

// calibrationError is the mean distance between score and share of labels over bins of one size.
func calibrationError(scores, labels []float64) float64 {
	order := ordered(scores, 1)
	bins := calibrationBins
	if len(order) <= 2*bins {
		bins = max(1, len(order)/2)
	}
	sum := 0.0
	for b := range bins {
		part := order[b*len(order)/bins : (b+1)*len(order)/bins]
		s, l := 0.0, 0.0
		for _, i := range part {
			s, l = s+scores[i], l+labels[i]
		}
		sum += math.Abs(s-l) / float64(len(order))
	}
	return sum
}
