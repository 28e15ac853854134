package estimate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"levada/internal/core/drift"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Columns say where in two tables the outputs of a model are.
type Columns struct {
	// Truth is the column of true labels or values; the current table may lack it. Prediction is that of the predicted ones; a binary classifier
	// may do without.
	Truth, Prediction string
	// Score is the column of the positive class's score of a binary classifier; its labels are 0 and 1, false and true. Scores has a column for
	// each class of a classifier of several, by the class's name. Without either, the model is one of regression.
	Score  string
	Scores map[string]string
	// Features are the columns that the errors of a regression model are learned from; all others where it is empty.
	Features []string
	// Size is that of chunks; without it, Count is the number of the reference's, whose size all chunks have; without both, ten. Where Time
	// names a column by which the rows are ordered, a chunk is a Period.
	Size, Count int
	Period      Period
	Time        string
}

const defaultChunks = 10

// mostRows bounds a table.
const mostRows = 5_000_000

// Tables estimates the metrics of a model on a table without labels. Rows of the reference without a label, and rows without a prediction or
// a score, are left out. What does not fit is an Invalid error.
func Tables(ctx context.Context, reference, current table.Source, c Columns) ([]Result, error) {
	if c.Truth == "" || c.Prediction == "" && c.Score == "" {
		return nil, fault.Invalidf("name the column of the true values, and that of the predictions or of the score")
	}
	c.Features = c.features(reference)
	ref, err := c.read(ctx, reference, "reference", true)
	if err != nil {
		return nil, err
	}
	cur, err := c.read(ctx, current, "current table", false)
	if err != nil {
		return nil, err
	}
	size := cmp.Or(c.Size, max(1, ref.n/cmp.Or(max(0, c.Count), defaultChunks)))
	refChunks, err := c.chunks(ref, size)
	if err != nil {
		return nil, err
	}
	curChunks, err := c.chunks(cur, size)
	if err != nil {
		return nil, err
	}
	if len(refChunks) < 2 {
		return nil, fault.Invalidf("the reference has %d rows, one chunk: what is usual needs two or more; take smaller chunks", ref.n)
	}
	if c.Score == "" && len(c.Scores) == 0 {
		features := func(r *rows) Predictions {
			p := Predictions{Predicted: r.numbers[c.Prediction], True: r.numbers[c.Truth]}
			if slices.ContainsFunc(p.True, math.IsNaN) {
				p.True = nil // labels that are not all known are not used
			}
			for _, f := range c.Features {
				p.Features = append(p.Features, r.numbers[f])
			}
			return p
		}
		return Regression(features(ref), features(cur), refChunks, curChunks)
	}
	a, err := c.scores(ref)
	if err != nil {
		return nil, err
	}
	b, err := c.scores(cur)
	if err != nil {
		return nil, err
	}
	return Classifier(a, b, refChunks, curChunks)
}

// features are the columns that errors are learned from, where the table is one of regression.
func (c Columns) features(reference table.Source) []string {
	if len(c.Features) > 0 || c.Score != "" || len(c.Scores) > 0 {
		return c.Features
	}
	var out []string
	for _, column := range reference.Columns() {
		if n := column.Name; n != c.Truth && n != c.Prediction && n != c.Time && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// rows are the columns of a table that are needed. A number that is not there is NaN, a label empty.
type rows struct {
	n       int
	numbers map[string][]float64
	labels  map[string][]string
	times   []time.Time
}

// wanted are the names of the columns to read, as numbers and as labels. A column of the truth is read where it is there.
func (c Columns) wanted(at map[string]int, labelled bool) (numbers, labels []string) {
	numbers = append(slices.Sorted(maps.Values(c.Scores)), c.Features...)
	for _, name := range []string{c.Score, c.Truth, c.Prediction} {
		_, there := at[name]
		switch {
		case name == "" || name == c.Truth && !labelled && !there:
		case name != c.Score && (c.Score != "" || len(c.Scores) > 0):
			labels = append(labels, name)
		default:
			numbers = append(numbers, name)
		}
	}
	return numbers, labels
}

func (c Columns) read(ctx context.Context, source table.Source, which string, labelled bool) (*rows, error) {
	at := map[string]int{}
	for i, column := range source.Columns() {
		if _, twice := at[column.Name]; !twice {
			at[column.Name] = i
		}
	}
	numbers, labels := c.wanted(at, labelled)
	names := append(slices.Clone(numbers), labels...)
	if c.Time != "" {
		names = append(names, c.Time)
	}
	columns := make([]int, len(names))
	for i, name := range names {
		k, there := at[name]
		if !there {
			return nil, fault.Invalidf("the %s has no column %q", which, fault.Shorten(name, 100))
		}
		columns[i] = k
	}
	r := &rows{numbers: map[string][]float64{}, labels: map[string][]string{}}
	needed := c.needed(labelled)
	scanner := source.Scan(columns...)
	defer scanner.Close()
	for {
		batch, err := scanner.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if batch.Row+int64(batch.Size) > mostRows {
			return nil, fault.TooLargef("the %s has more than %d rows; estimate a part of it", which, mostRows)
		}
		for i := range batch.Size {
			r.add(batch, i, numbers, labels, needed)
		}
	}
	if r.n == 0 {
		return nil, fault.Invalidf("the %s has no rows with predictions%s", which, map[bool]string{true: " and labels"}[labelled])
	}
	return r, nil
}

// needed are the columns without which a row is left out.
func (c Columns) needed(labelled bool) []string {
	out := slices.Collect(maps.Values(c.Scores))
	if c.Score != "" {
		out = append(out, c.Score)
	}
	if c.Prediction != "" {
		out = append(out, c.Prediction)
	}
	if labelled {
		out = append(out, c.Truth)
	}
	return out
}

// add takes a row, unless it lacks what is needed.
func (r *rows) add(b *table.Batch, row int, numbers, labels, needed []string) {
	values := make([]float64, len(numbers))
	for i, name := range numbers {
		values[i] = number(b.Columns[i].Cell(row))
		if math.IsNaN(values[i]) && slices.Contains(needed, name) {
			return
		}
	}
	texts := make([]string, len(labels))
	for i, name := range labels {
		texts[i] = label(b.Columns[len(numbers)+i].Cell(row))
		if texts[i] == "" && slices.Contains(needed, name) {
			return
		}
	}
	if len(b.Columns) > len(numbers)+len(labels) {
		c := b.Columns[len(numbers)+len(labels)].Cell(row)
		at, ok := drift.TimeOf(c)
		if !ok {
			return
		}
		r.times = append(r.times, at)
	}
	for i, name := range numbers {
		r.numbers[name] = append(r.numbers[name], values[i])
	}
	for i, name := range labels {
		r.labels[name] = append(r.labels[name], texts[i])
	}
	r.n++
}

// number is a cell as a number. A text is one of 65,536 numbers that trees can part: its hash.
func number(c table.Cell) float64 {
	switch c.Kind {
	case table.Boolean, table.Integer, table.Time, table.Date:
		return float64(c.Int)
	case table.Number:
		if !math.IsInf(c.Float, 0) {
			return c.Float
		}
	case table.Text:
		h := uint32(2166136261)
		for i := range len(c.Text) {
			h = (h ^ uint32(c.Text[i])) * 16777619
		}
		return float64(h>>16 ^ h&0xffff)
	}
	return math.NaN()
}

// label is a cell as the name of a class: 1 and 1.0 and true are one.
func label(c table.Cell) string {
	switch c.Kind {
	case table.Null:
		return ""
	case table.Boolean, table.Integer:
		return strconv.FormatInt(c.Int, 10)
	case table.Number:
		return strconv.FormatFloat(c.Float, 'g', -1, 64)
	}
	return string([]byte(c.Shown())) // a copy: the batch's texts do not last
}

// chunks are of one size in both tables: small ones vary more. What is left over and less than half of one belongs to the last.
func (c Columns) chunks(r *rows, size int) ([]Span, error) {
	if c.Time != "" {
		return ByPeriod(r.times, c.Period)
	}
	out := BySize(r.n, size)
	if last := len(out) - 1; last > 0 && 2*(out[last].To-out[last].From) < size {
		out[last-1] = Span{fmt.Sprintf("[%d:%d]", out[last-1].From, r.n-1), out[last-1].From, r.n}
		out = out[:last]
	}
	return out, nil
}

// scores numbers the classes. Those of several are in the order of their names.
func (c Columns) scores(r *rows) (Scores, error) {
	names := []string{"0", "1"}
	var s Scores
	if c.Score != "" {
		s.Class = [][]float64{r.numbers[c.Score]}
	} else {
		names = slices.Sorted(maps.Keys(c.Scores))
		for _, n := range names {
			s.Class = append(s.Class, r.numbers[c.Scores[n]])
		}
	}
	numbered := func(column string) ([]int, error) {
		texts := r.labels[column]
		if texts == nil {
			return nil, nil
		}
		out := make([]int, len(texts))
		for i, t := range texts {
			if c.Score != "" && (t == "false" || t == "true") {
				t = map[string]string{"false": "0", "true": "1"}[t]
			}
			if out[i] = slices.Index(names, t); out[i] < 0 && t == "" {
				return nil, nil // labels that are not all known are not used
			}
			if out[i] < 0 {
				return nil, fault.Invalidf("column %q holds %q, which is none of the classes %v", fault.Shorten(column, 100), fault.Shorten(t, 60), names)
			}
		}
		return out, nil
	}
	var err error
	if s.Predicted, err = numbered(c.Prediction); err != nil {
		return s, err
	}
	s.True, err = numbered(c.Truth)
	return s, err
}
