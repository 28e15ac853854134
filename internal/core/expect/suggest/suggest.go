package suggest

import (
	"context"
	"fmt"
	"math"
	"slices"

	"levada/internal/core/expect"
	"levada/internal/core/expect/cells"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Options say what is suggested.
type Options struct {
	Name string
	// TrainingOnly names columns that tables have in training and not in serving, such as the target. Their expectations are for the
	// environment "training" alone.
	TrainingOnly []string
	// Skew adds comparisons of distributions: L-infinity of shares for categories, the Jensen-Shannon divergence for numbers.
	Skew bool
}

// The rules. A wide margin misses small faults; a narrow one raises alarms where nothing is wrong.
const (
	enough       = 200  // rows below which nothing is said of values
	many         = 1000 // rows from which "never" is taken to mean never
	setSize      = 100  // different values that may be a set
	seldom       = 5    // times that each value of a closed set was seen
	toleranceSet = 0.02 // share of unknown values, where the set may not be complete
	deviations   = 5    // between stretches, that figures may be off
	ofSpread     = 0.35 // of the distance between the quartiles, that they may be off at least
	outliers     = 0.002
)

// Suite reads tables that are known to be good and suggests expectations for the next. Several tables are batches of one stream, in
// their order; a single one stands for a batch.
func Suite(ctx context.Context, sources []table.Source, o Options) (expect.Suite, error) {
	if len(sources) == 0 {
		return expect.Suite{}, fault.Invalidf("name a table to look at")
	}
	c := newCollector(sources[0].Columns())
	for _, s := range sources {
		if err := c.read(ctx, s); err != nil {
			return expect.Suite{}, err
		}
	}
	if c.rows == 0 {
		return expect.Suite{}, fault.Invalidf("the table has no rows; nothing can be said of the next one")
	}
	w := &writer{suite: expect.Suite{Name: o.Name, Meta: map[string]any{"made_from": fmt.Sprintf("%d rows", c.rows)}}, options: o}
	for _, col := range c.columns {
		w.in = nil
		if slices.Contains(o.TrainingOnly, col.name) {
			w.in = []string{"training"}
		}
		w.column(col)
	}
	w.in = nil
	w.table(c)
	return w.suite, nil
}

// writer collects expectations.
type writer struct {
	suite   expect.Suite
	options Options
	in      []string
}

func (w *writer) add(kind string, kwargs map[string]any) {
	w.suite.Expectations = append(w.suite.Expectations, expect.Expectation{Type: kind, Kwargs: kwargs, In: w.in})
}

// about is the arguments of an expectation about a column, with mostly where it is not 1.
func about(col *column, mostly float64, more map[string]any) map[string]any {
	out := map[string]any{"column": col.name}
	if mostly < 1 {
		out["mostly"] = mostly
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func (w *writer) column(col *column) {
	if len(w.in) > 0 {
		w.add("expect_column_to_exist", map[string]any{"column": col.name})
	}
	kind := col.kind()
	if kind == table.Null {
		return
	}
	w.types(col, kind)
	w.presence(col)
	if col.rows-col.nulls < enough {
		return
	}
	set := w.set(col, kind)
	if !col.repeats && (kind == table.Integer || kind == table.Text) && !set {
		w.add("expect_column_values_to_be_unique", about(col, 1, nil))
	}
	switch kind {
	case table.Text:
		if !set {
			w.lengths(col)
		}
	case table.Integer, table.Number:
		if !set {
			w.numbers(col, kind)
		}
	}
	if w.options.Skew {
		w.skew(col, kind, set)
	}
}

// types says what kind the values have.
func (w *writer) types(col *column, kind table.Kind) {
	name := map[table.Kind]string{table.Integer: "int", table.Boolean: "bool", table.Text: "str", table.Time: "datetime", table.Date: "date"}[kind]
	if kind == table.Number {
		w.add("expect_column_values_to_be_in_type_list", about(col, 1, map[string]any{"type_list": []any{"float", "int"}}))
		return
	}
	if kind == table.Time {
		w.add("expect_column_values_to_be_in_type_list", about(col, 1, map[string]any{"type_list": []any{"datetime", "timestamp"}}))
		return
	}
	if name != "" {
		w.add("expect_column_values_to_be_of_type", about(col, 1, map[string]any{"type_": name}))
	}
}

// presence says how many values may be missing: as many as in the worst stretch, and some more.
func (w *writer) presence(col *column) {
	if col.nulls == 0 {
		mostly := 1.0
		switch {
		case col.rows < many:
			mostly = 0.95
		case col.kinds[table.Number] > 0:
			mostly = 0.99 // measurements fail now and then; keys and categories do not
		}
		w.add("expect_column_values_to_not_be_null", about(col, mostly, nil))
		return
	}
	var shares []float64
	for _, s := range col.stretches {
		if s.rows > 0 {
			shares = append(shares, float64(s.nulls)/float64(s.rows))
		}
	}
	share := float64(col.nulls) / float64(col.rows)
	_, spread := meanAndSpread(shares)
	limit := max(share+4*spread, 1.5*slices.Max(shares), 2*share, share+0.01)
	if limit = math.Ceil(limit*100) / 100; limit < 0.9 {
		w.add("expect_column_values_to_not_be_null", about(col, round(1-limit), nil))
	}
}

// set suggests a set of values for categories.
func (w *writer) set(col *column, kind table.Kind) bool {
	if col.many || len(col.values) > setSize || kind != table.Text && kind != table.Integer || float64(len(col.values)) > 0.05*float64(col.rows-col.nulls) {
		return false
	}
	values := make([]*value, 0, len(col.values))
	closed := col.rows-col.nulls >= many
	for _, v := range col.values {
		values = append(values, v)
		// A value that came late may be followed by others.
		closed = closed && v.count >= seldom && v.born < col.rows/2
	}
	if kind == table.Integer && (len(values) == 1 || len(values) > 12 || col.progresses()) {
		return len(values) == 1
	}
	slices.SortFunc(values, func(a, b *value) int { k, _ := cells.Compare(a.cell, b.cell); return k })
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = cells.JSON(v.cell)
	}
	mostly := 1.0
	if !closed {
		mostly = 1 - toleranceSet
	}
	w.add("expect_column_values_to_be_in_set", about(col, mostly, map[string]any{"value_set": list}))
	return true
}

// common is the share of values that is as before; with few rows one that is not weighs much.
func (col *column) common() float64 {
	return round(1 - max(outliers, 5/float64(col.rows-col.nulls)))
}

// lengths bounds texts that are no set.
func (w *writer) lengths(col *column) {
	low, high := col.shortest, col.long
	mostly := col.common()
	if low != high {
		low, high = low/2, high*2+5
	}
	w.add("expect_column_value_lengths_to_be_between", about(col, mostly, map[string]any{"min_value": low, "max_value": high}))
}

// progresses reports whether the values grow or shrink with the rows, as times, numbers of rows and months do: then the next ones lie
// beyond those that were seen.
func (col *column) progresses() bool {
	var means []float64
	for _, s := range col.stretches {
		if m, _ := meanAndSpread(s.sample); len(s.sample) > 0 {
			means = append(means, m)
		}
	}
	if len(means) < 3 {
		return false
	}
	up, down := 0, 0
	for i := 1; i < len(means); i++ {
		if means[i] >= means[i-1] {
			up++
		}
		if means[i] <= means[i-1] {
			down++
		}
	}
	moved := math.Abs(means[len(means)-1] - means[0])
	_, within := meanAndSpread(col.stretches[0].sample)
	return moved > within && moved > 0 && float64(max(up, down)) >= 0.9*float64(len(means)-1)
}

// numbers bounds numbers: their range, and where the quartiles lie.
func (w *writer) numbers(col *column, kind table.Kind) {
	var all []float64
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range col.stretches {
		all = append(all, s.sample...)
		low, high = min(low, s.low), max(high, s.high)
	}
	if len(all) == 0 || low == high {
		return
	}
	slices.Sort(all)
	progresses := col.progresses() || !col.repeats && kind == table.Integer
	limits := map[string]any{"max_value": nil}
	if width := high - low; low >= 0 {
		limits["min_value"] = int64(0)
		limits["max_value"] = neat(high+width/2, 1)
	} else {
		limits["min_value"], limits["max_value"] = neat(low-width/2, -1), neat(high+width/2, 1)
	}
	if progresses {
		limits["max_value"] = nil
		if low < 0 {
			return
		}
	}
	w.add("expect_column_values_to_be_between", about(col, col.common(), limits))
	if progresses {
		return
	}
	if n := len(col.values); !col.many && n >= 10 && kind == table.Integer {
		w.add("expect_column_unique_value_count_to_be_between", about(col, 1, map[string]any{"min_value": int64(n / 2), "max_value": nil}))
	}
	spread := quantile(all, 0.75) - quantile(all, 0.25)
	if spread == 0 {
		return
	}
	var quantiles, ranges []any
	for _, q := range []float64{0.25, 0.5, 0.75} {
		var seen []float64
		for _, s := range col.stretches {
			if len(s.sample) >= 30 {
				sorted := slices.Clone(s.sample)
				slices.Sort(sorted)
				seen = append(seen, quantile(sorted, q))
			}
		}
		at := quantile(all, q)
		margin := ofSpread * spread
		if len(seen) > 2 {
			_, between := meanAndSpread(seen)
			margin = max(margin, deviations*between)
		}
		quantiles, ranges = append(quantiles, q), append(ranges, []any{neat(at-margin, -1), neat(at+margin, 1)})
	}
	w.add("expect_column_quantile_values_to_be_between", about(col, 1, map[string]any{"quantile_ranges": map[string]any{"quantiles": quantiles, "value_ranges": ranges}}))
}

// table bounds the columns and rows of a table.
func (w *writer) table(c *collector) {
	var names []any
	for _, col := range c.columns {
		if !slices.Contains(w.options.TrainingOnly, col.name) {
			names = append(names, col.name)
		}
	}
	w.add("expect_table_columns_to_match_set", map[string]any{"column_set": names, "exact_match": false})
	low, high := slices.Min(c.batches)/2, slices.Max(c.batches)*2
	if len(c.batches) < 3 {
		low, high = slices.Min(c.batches)/10, slices.Max(c.batches)*10
	}
	w.add("expect_table_row_count_to_be_between", map[string]any{"min_value": max(1, low), "max_value": high})
}

func meanAndSpread(values []float64) (mean, deviation float64) {
	if len(values) == 0 {
		return 0, 0
	}
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	for _, v := range values {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / float64(max(1, len(values)-1)))
}

func quantile(sorted []float64, q float64) float64 {
	return sorted[int(math.RoundToEven(q*float64(len(sorted)-1)))]
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// neat is a number with three digits, away from the middle in the direction of sign.
func neat(x float64, sign float64) any {
	if x == 0 || math.IsInf(x, 0) {
		return int64(0)
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(x)))-2)
	y := math.Ceil(x*sign/unit) * unit * sign
	if y == math.Trunc(y) && math.Abs(y) < 1e15 {
		return int64(y)
	}
	digits := math.Pow(10, math.Max(0, 2-math.Floor(math.Log10(math.Abs(x)))))
	return math.Round(y*digits) / digits
}
