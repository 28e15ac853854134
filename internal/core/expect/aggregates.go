package expect

import (
	"fmt"
	"math"
	"slices"
	"time"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// figure is an expectation about a figure of a column.
type figure struct {
	of       *domain
	measured *measuring
	close    func() (outcome, error)
}

func (f *figure) batch(*view) error { return f.measured.err }

func (f *figure) finish() (outcome, error) {
	if err := f.measured.err; err != nil {
		return outcome{}, err
	}
	o, err := f.close()
	o.elements, o.missing, o.counted = f.of.elements, f.of.missing, true
	return o, err
}

// figure makes a check of a metric and what is said of it at the end.
func (b *build) figure(m metric, of *domain, close func() (outcome, error)) check {
	if b.err != nil {
		return nil
	}
	return &figure{of: of, measured: b.run.measured[m], close: close}
}

// place is the column of the argument "column".
func (b *build) place() int { return b.column(b.text("column")) }

// bounded says whether an observed value lies within; a value that is not there does not.
func bounded(s span, c table.Cell) (outcome, error) {
	if cells.Missing(c) {
		return outcome{shown: true}, nil
	}
	ok, err := s.holds(c)
	if err != nil {
		if c.Kind == table.Text && s.timesOnly() {
			return outcome{}, valueError("Could not parse %q into a date: the bounds are dates", c.Text)
		}
		return outcome{}, typeError("invalid datetime format, or %v: the observed value is %q, the bounds are %v and %v", err, c.Shown(), s.lowShown, s.highShown)
	}
	return outcome{success: ok, observed: cells.JSON(c), shown: true}, nil
}

func (s span) timesOnly() bool { return s.low.Kind == table.Time || s.high.Kind == table.Time }

// required fails where there is no bound.
func (b *build) required(s span) {
	if s.empty() {
		b.fail(valueError("min_value and max_value cannot both be None"))
	}
}

// numeric fails where a bound is no number.
func (b *build) numeric(s span) {
	if _, _, ok := s.numeric(); !ok {
		b.fail(valueError("min_value, max_value: value is not a valid number, or invalid datetime format, got %v and %v", s.lowShown, s.highShown))
	}
}

func buildMean(b *build) check {
	s := b.span()
	b.numeric(s)
	m := b.moments(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) { return bounded(s, number(m.mean())) })
}

func buildDeviation(b *build) check {
	s := b.span()
	b.numeric(s)
	m := b.moments(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) { return bounded(s, number(m.deviation())) })
}

func buildSum(b *build) check {
	s := b.span()
	b.numeric(s)
	b.required(s)
	m := b.moments(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) { return bounded(s, m.sum()) })
}

func number(f float64) table.Cell { return table.Cell{Kind: table.Number, Float: f} }

func buildExtreme(greatest bool) func(b *build) check {
	return func(b *build) check {
		s := b.span()
		b.required(s)
		m := b.extremes(b.place())
		return b.figure(m, &m.domain, func() (outcome, error) {
			if greatest {
				return bounded(s, m.high)
			}
			return bounded(s, m.low)
		})
	}
}

func buildMedian(b *build) check {
	s := b.span()
	m := b.numbers(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) { return bounded(s, m.cell(m.quantile(0.5, "linear"))) })
}

// cell is one of the numbers as the kind the column has.
func (m *numbersOf) cell(x float64) table.Cell {
	switch {
	case m.kind == table.Time && !math.IsNaN(x):
		return table.Cell{Kind: table.Time, Int: int64(x)}
	case m.kind == table.Integer && x == math.Trunc(x):
		return table.Cell{Kind: table.Integer, Int: int64(x)}
	}
	return number(x)
}

func buildUniqueCount(b *build) check {
	s := b.span()
	b.numeric(s)
	m := b.distinct(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		return bounded(s, table.Cell{Kind: table.Integer, Int: m.keys.distinct})
	})
}

func buildUniqueShare(b *build) check {
	s := b.span()
	b.numeric(s)
	m := b.distinct(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		if m.count() == 0 {
			return bounded(s, number(0))
		}
		return bounded(s, number(float64(m.keys.distinct)/float64(m.count())))
	})
}

// presence counts the rows with a value.
type presence struct{ domain }

func (p *presence) batch(v *view) error {
	_, _, err := p.rows(v)
	return err
}

func buildNotNullShare(b *build) check {
	s := b.span()
	b.numeric(s)
	m := shared(b, "presence", b.place(), func(d domain) *presence { return &presence{d} })
	return b.figure(m, &m.domain, func() (outcome, error) {
		return bounded(s, number(float64(m.count())/float64(max(1, m.elements))))
	})
}

// buildDistinctSet builds the expectations about the set of a column's values.
func buildDistinctSet(holds func(observed, wanted *set, values []counted, given []table.Cell) bool) func(b *build) check {
	return func(b *build) check {
		given := b.cells("value_set")
		m := b.valueCounts(b.place())
		return b.figure(m, &m.domain, func() (outcome, error) {
			values := m.sorted()
			var seen []table.Cell
			for _, v := range values {
				seen = append(seen, v.value)
			}
			o := outcome{shown: true, observed: shown(seen), details: map[string]any{"value_counts": tally(values)}}
			o.success = holds(b.setOf(seen), b.setOf(given), values, given)
			return o, nil
		})
	}
}

func shown(values []table.Cell) []any {
	out := make([]any, 0, len(values))
	for _, v := range values {
		out = append(out, cells.JSON(v))
	}
	return out
}

func tally(values []counted) []any {
	out := make([]any, 0, len(values))
	for _, v := range values {
		out = append(out, map[string]any{"value": cells.JSON(v.value), "count": v.count})
	}
	return out
}

func subset(_, wanted *set, values []counted, given []table.Cell) bool {
	return len(given) == 0 || !slices.ContainsFunc(values, func(v counted) bool { return !wanted.has(v.value) })
}

func superset(observed, _ *set, values []counted, given []table.Cell) bool {
	return !slices.ContainsFunc(given, func(c table.Cell) bool { return !observed.covers(c, values) })
}

func sameSet(observed, wanted *set, values []counted, given []table.Cell) bool {
	return superset(observed, wanted, values, given) && !slices.ContainsFunc(values, func(v counted) bool { return !wanted.has(v.value) })
}

// covers reports whether a value of a suite is among the observed ones; a date in a text stands for a time.
func (s *set) covers(c table.Cell, values []counted) bool {
	if s.has(c) {
		return true
	}
	if len(values) == 0 || values[0].value.Kind != table.Time && values[0].value.Kind != table.Date {
		return false
	}
	t, err := cells.AsTime(c, time.Time{})
	return err == nil && s.has(t)
}

func buildMostCommon(b *build) check {
	wanted := b.setOf(b.cells("value_set"))
	ties := b.boolean("ties_okay", false)
	m := b.valueCounts(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		var most int64
		var modes []table.Cell
		for _, v := range m.sorted() {
			if v.count > most {
				most, modes = v.count, nil
			}
			if v.count == most {
				modes = append(modes, v.value)
			}
		}
		within := 0
		for _, c := range modes {
			if wanted.has(c) {
				within++
			}
		}
		o := outcome{shown: true, observed: shown(modes), success: len(modes) == 1 && within == 1}
		if ties {
			o.success = within > 0
		}
		return o, nil
	})
}

func buildQuantiles(b *build) check {
	ranges, ok := b.value("quantile_ranges").(map[string]any)
	if !ok {
		b.bad("quantile_ranges", `want an object with "quantiles" and "value_ranges"`)
		return nil
	}
	inner := &args{values: ranges, now: b.now}
	quantiles, limits := inner.list("quantiles"), inner.list("value_ranges")
	b.fail2(inner.err)
	if len(quantiles) != len(limits) {
		b.fail(valueError("quantile_values and quantiles must have the same number of elements, got %d and %d", len(limits), len(quantiles)))
	}
	way := "nearest"
	if s, ok := b.value("allow_relative_error").(string); ok {
		b.choice("allow_relative_error", "linear", "lower", "higher", "midpoint", "nearest")
		way = s
	}
	var spans []span
	var at []float64
	for i := range min(len(quantiles), len(limits)) {
		q, ok := float(quantiles[i])
		pair, _ := limits[i].([]any)
		if !ok || q < 0 || q > 1 || len(pair) != 2 {
			b.fail(valueError("quantile_ranges: quantiles lie between 0 and 1, and each has a range of two values"))
			return nil
		}
		s := (&args{values: map[string]any{"min_value": pair[0], "max_value": pair[1]}, now: b.now}).span()
		if s.ordered() != nil {
			b.fail(valueError("quantile_ranges must consist of ordered pairs, got %v", pair))
		}
		spans, at = append(spans, s), append(at, q)
	}
	m := b.numbers(b.place())
	return b.figure(m, &m.domain, func() (outcome, error) {
		o := outcome{success: true, shown: true}
		values, details := []any{}, []any{}
		for i, q := range at {
			c := m.cell(m.quantile(q, way))
			ok, err := spans[i].about(c)
			if err != nil {
				return o, err
			}
			o.success = o.success && ok
			values, details = append(values, cells.JSON(c)), append(details, ok)
		}
		o.observed = map[string]any{"quantiles": quantiles, "values": values}
		o.details = map[string]any{"success_details": details}
		return o, nil
	})
}

// about is holds with a tolerance of 1e-4 of the bounds, as numpy.isclose has it.
func (s span) about(c table.Cell) (bool, error) {
	if cells.Missing(c) {
		return false, nil
	}
	ok, err := s.holds(c)
	if ok || err != nil {
		return ok, err
	}
	x, number := cells.Num(c)
	for _, bound := range []table.Cell{s.low, s.high} {
		if y, isNumber := cells.Num(bound); number && isNumber && math.Abs(x-y) <= 1e-8+1e-4*math.Abs(y) {
			return true, nil
		}
	}
	return false, nil
}

// tableCheck is an expectation about the table as a whole.
type tableCheck struct {
	condition int
	rows      int64
	close     func(rows int64) (outcome, error)
}

func (c *tableCheck) batch(v *view) error {
	if err := v.failed[c.condition]; err != nil {
		return err
	}
	c.rows += v.chosen[c.condition].Count()
	return nil
}

func (c *tableCheck) finish() (outcome, error) { return c.close(c.rows) }

// whole bounds are for counts.
func (b *build) wholeSpan() span {
	b.whole("min_value")
	b.whole("max_value")
	s := b.span()
	if b.err == nil {
		b.fail2(s.ordered())
	}
	return s
}

func buildRowCountBetween(b *build) check {
	b.whole("min_value")
	b.whole("max_value")
	s := b.span()
	if b.err == nil && s.ordered() != nil {
		b.fail(valueError("Minimum Threshold cannot be larger than Maximum Threshold: %v", s.ordered()))
	}
	return b.counting(func(rows int64) (outcome, error) { return bounded(s, table.Cell{Kind: table.Integer, Int: rows}) })
}

func (b *build) counting(close func(rows int64) (outcome, error)) check {
	c := &tableCheck{condition: b.condition}
	c.close = func(rows int64) (outcome, error) {
		if b.condition == 0 {
			rows = b.run.rows // also where no column was read
		}
		return close(rows)
	}
	return c
}

func buildRowCount(b *build) check {
	want, ok := b.whole("value")
	if !ok {
		b.bad("value", "value is not a valid integer")
	}
	return b.counting(func(rows int64) (outcome, error) {
		return outcome{success: rows == want, observed: rows, shown: true}, nil
	})
}

func buildOtherRowCount(b *build) check {
	name := b.text("other_table_name")
	open := b.run.options.Table
	return b.counting(func(rows int64) (outcome, error) {
		if open == nil {
			return outcome{}, valueError("the table %q is not known here: name it when you check", name)
		}
		other, err := open(name)
		if err != nil {
			return outcome{}, valueError("open the table %q: %v", name, err)
		}
		n, err := countRows(other)
		return outcome{success: rows == n, shown: true, observed: map[string]any{"self": rows, "other": n}}, err
	})
}

func buildColumnCountBetween(b *build) check {
	s := b.wholeSpan()
	n := int64(len(b.run.columns))
	return &tableCheck{close: func(int64) (outcome, error) { return bounded(s, table.Cell{Kind: table.Integer, Int: n}) }}
}

func buildColumnCount(b *build) check {
	want, ok := b.whole("value")
	if !ok {
		b.bad("value", "value is not a valid integer")
	}
	n := int64(len(b.run.columns))
	return &tableCheck{close: func(int64) (outcome, error) { return outcome{success: n == want, observed: n, shown: true}, nil }}
}

func buildColumnExists(b *build) check {
	name := b.text("column")
	index, _ := b.whole("column_index")
	names := b.run.names()
	ok := slices.Contains(names, name)
	if index != 0 {
		if index < 0 {
			index += int64(len(names))
		}
		ok = index >= 0 && index < int64(len(names)) && names[index] == name
	}
	return &tableCheck{close: func(int64) (outcome, error) { return outcome{success: ok}, nil }}
}

func (r *run) names() []string {
	out := make([]string, len(r.columns))
	for i, c := range r.columns {
		out[i] = c.Name
	}
	return out
}

func buildColumnList(b *build) check {
	names := b.run.names()
	if !b.has("column_list") {
		return &tableCheck{close: func(int64) (outcome, error) { return outcome{success: true, observed: names, shown: true}, nil }}
	}
	want := b.texts("column_list")
	o := outcome{success: slices.Equal(names, want), observed: names, shown: true}
	if !o.success {
		mismatched := []any{}
		for i := range max(len(names), len(want)) {
			var expected, found any
			if i < len(want) {
				expected = want[i]
			}
			if i < len(names) {
				found = names[i]
			}
			if expected != found {
				mismatched = append(mismatched, map[string]any{"Expected Column Position": i, "Expected": expected, "Found": found})
			}
		}
		o.details = map[string]any{"mismatched": mismatched}
	}
	return &tableCheck{close: func(int64) (outcome, error) { return o, nil }}
}

func buildColumnSet(b *build) check {
	var want []string
	if b.has("column_set") {
		want = b.texts("column_set")
	}
	exact := b.boolean("exact_match", false)
	names := b.run.names()
	missing, unexpected := without(want, names), without(names, want)
	o := outcome{success: len(missing) == 0 && (!exact || len(unexpected) == 0), shown: true, observed: names}
	if len(missing)+len(unexpected) > 0 {
		sorted := slices.Sorted(slices.Values(names))
		mismatched := map[string]any{}
		if len(unexpected) > 0 {
			mismatched["unexpected"] = unexpected
		}
		if len(missing) > 0 {
			mismatched["missing"] = missing
		}
		o.observed, o.details = sorted, map[string]any{"mismatched": mismatched}
	}
	return &tableCheck{close: func(int64) (outcome, error) { return o, nil }}
}

// without returns the names of a that are not in b, sorted, each once.
func without(a, b []string) []string {
	var out []string
	for _, name := range a {
		if !slices.Contains(b, name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func buildQuery(b *build) check {
	b.fail(&Failure{"NotImplementedError", fmt.Sprintf("%s needs an SQL database; write the rows as a condition with expect_rows_to_satisfy instead", b.kind)})
	return nil
}
