package expect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"levada/internal/core/expect/cells"
	"levada/internal/core/expect/param"
	"levada/internal/core/expect/rowcond"
	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Options say how a table is checked.
type Options struct {
	// Format says how much results hold; the default is Summary. An expectation's own result_format comes first.
	Format Format
	// Parameters are values of $PARAMETER in the suite.
	Parameters map[string]any
	// Environment leaves out the expectations of other environments; empty checks all.
	Environment string
	// Now is the time that now() means, and that completes dates without a year.
	Now time.Time
	// MostValues bounds how many numbers of a column are kept for one expectation that needs them all (quantiles, distributions), and
	// four times how many different values (duplicates, sets, counts); the default is 20 million. Duplicates and the number of different
	// values are exact beyond it, too: the table is read again. Other expectations fail there with a statement of it.
	MostValues int
	// Table opens another table by name, for expect_table_row_count_to_equal_other_table.
	Table func(name string) (table.Source, error)
}

// defaultValues is the default of Options.MostValues.
const defaultValues = 20_000_000

// Format says how much a result holds. The names are Great Expectations'.
type Format struct {
	Level Level
	// Partial is how many unexpected values are kept as examples; the default is 20, below 0 none.
	Partial int
	// Index names columns whose values identify a row beside its number.
	Index []string
	// WithoutValues leaves unexpected values out of results; their rows stay.
	WithoutValues bool
}

// Level is a result_format.
type Level string

// The levels, each with more than the one before.
const (
	BooleanOnly Level = "BOOLEAN_ONLY"
	Basic       Level = "BASIC"
	Summary     Level = "SUMMARY"
	Complete    Level = "COMPLETE"
)

const defaultPartial = 20

// check is one expectation while its table is read.
type check interface {
	// batch looks at a batch. After an error it is not called again.
	batch(v *view) error
	// finish is called after the last batch.
	finish() (outcome, error)
}

// again is a check or a metric that may need another reading of the table. It is asked after each.
type again interface {
	// second prepares for another reading; false says that none is needed.
	second() (bool, error)
}

// outcome is what a check found.
type outcome struct {
	success bool
	// observed is what was seen, for expectations about a figure. It is left out of the result where shown is false.
	observed any
	shown    bool
	details  map[string]any
	// mapped holds the counts of expectations about each row; nil for others.
	mapped *mapped
	// of are the rows looked at and those without a value, for expectations about a column's figure.
	elements, missing int64
	counted           bool
}

// run is the checking of one table.
type run struct {
	options    Options
	source     table.Source
	columns    []table.Column
	places     map[string]int
	used       []bool
	conditions []*rowcond.Condition // [0] is nil: all rows
	known      map[string]int
	metrics    map[string]metric
	order      []metric
	broken     map[metric]error
	rows       int64
	findings   []table.Finding
}

// running is an expectation with its check; a check that failed has an error and is not called again.
type running struct {
	expectation Expectation
	format      Format
	check       check
	err         error
}

// Check reads a table and answers each expectation of a suite. The error is one of reading the table; what is wrong with an expectation
// stands in its result.
func Check(ctx context.Context, source table.Source, suite Suite, o Options) (*Report, error) {
	if o.MostValues <= 0 {
		o.MostValues = defaultValues
	}
	r := &run{options: o, source: source, columns: source.Columns(), places: map[string]int{}, known: map[string]int{"": 0},
		conditions: []*rowcond.Condition{nil}, metrics: map[string]metric{}, broken: map[metric]error{}}
	r.used = make([]bool, len(r.columns))
	for i, c := range r.columns {
		if _, twice := r.places[c.Name]; !twice {
			r.places[c.Name] = i
		}
	}
	var all []*running
	for _, e := range suite.Expectations {
		if o.Environment != "" && len(e.In) > 0 && !slices.Contains(e.In, o.Environment) {
			continue
		}
		all = append(all, r.prepare(e, suite.Parameters))
	}
	if err := r.first(ctx, all); err != nil {
		return nil, err
	}
	if err := r.second(ctx, all); err != nil {
		return nil, err
	}
	report := &Report{Suite: suite.Name, Rows: r.rows, Columns: len(r.columns), Success: true, Findings: r.findings}
	for _, x := range all {
		result := x.result()
		if result.Success {
			report.Passed++
		} else {
			report.Success = false
		}
		report.Results = append(report.Results, result)
	}
	return report, r.identify(ctx, report)
}

// prepare builds the check of an expectation.
func (r *run) prepare(e Expectation, parameters map[string]any) (x *running) {
	x = &running{expectation: e, format: r.options.Format}
	defer x.recovered()
	merged := map[string]any{}
	for _, given := range []map[string]any{parameters, r.options.Parameters} {
		for k, v := range given {
			merged[k] = v
		}
	}
	values, err := param.Substitute(e.Kwargs, merged, r.options.Now)
	if err != nil {
		x.err = &Failure{"SuiteParameterError", err.Error()}
		return x
	}
	kind, known := registry[e.Type]
	if !known {
		x.err = valueError("there is no expectation %q%s", e.Type, didYouMean(e.Type))
		return x
	}
	a := &args{values: values.(map[string]any), now: r.options.Now}
	x.format = a.format(r.options.Format)
	b := &build{run: r, args: a, kind: e.Type, format: x.format}
	b.condition = b.rows()
	x.check = kind.build(b)
	if a.err == nil {
		a.unknown()
	}
	if a.err != nil {
		x.err, x.check = a.err, nil
	}
	return x
}

// recovered makes a failure of what panics: a mistake of ours in one expectation must not take the others with it.
func (x *running) recovered() {
	if p := recover(); p != nil {
		x.err = internalError(p)
	}
}

func internalError(p any) error {
	return &Failure{"InternalError", fmt.Sprintf("%v\n%s", p, debug.Stack())}
}

func (x *running) batch(v *view) {
	defer x.recovered()
	x.err = x.check.batch(v)
}

// format reads result_format, a name or an object.
func (a *args) format(f Format) Format {
	if f.Level == "" {
		f.Level = Summary
	}
	switch {
	case f.Partial == 0:
		f.Partial = defaultPartial
	case f.Partial < 0:
		f.Partial = 0
	}
	switch given := a.values["result_format"].(type) {
	case string:
		f.Level = Level(given)
	case map[string]any:
		inner := &args{values: given}
		f.Level = Level(inner.choice("result_format", string(f.Level), string(BooleanOnly), string(Basic), string(Summary), string(Complete)))
		if n, ok := inner.whole("partial_unexpected_count"); ok {
			f.Partial = int(min(max(n, 0), mostRows))
		}
		if inner.has("unexpected_index_column_names") {
			f.Index = inner.texts("unexpected_index_column_names")
		}
		f.WithoutValues = inner.boolean("exclude_unexpected_values", f.WithoutValues)
		a.fail2(inner.err)
	}
	if !slices.Contains([]Level{BooleanOnly, Basic, Summary, Complete}, f.Level) {
		a.fail(valueError("result_format: value is not a valid enumeration member; permitted: BOOLEAN_ONLY, BASIC, SUMMARY, COMPLETE, got %q", f.Level))
	}
	return f
}

func (a *args) fail2(err error) {
	if err != nil {
		a.fail(err)
	}
}

// build is what a check is made with.
type build struct {
	*args
	run       *run
	kind      string
	format    Format
	condition int
}

// mostKeys is how many different values are kept at a time: one takes about as much memory as four numbers.
func (b *build) mostKeys() int { return max(1, b.run.options.MostValues/4) }

// column returns the place of a column in the table and has it read.
func (b *build) column(name string) int {
	at, ok := b.run.places[name]
	if !ok {
		b.fail(columnError(name))
		return 0
	}
	b.run.used[at] = true
	return at
}

// rows reads row_condition and returns the number of the condition.
func (b *build) rows() int {
	if !b.has("row_condition") {
		if b.has("condition_parser") {
			b.choice("condition_parser", rowcond.Pandas, rowcond.GX, rowcond.CEL, "great_expectations__experimental__", "spark")
		}
		return 0
	}
	text, language := b.text("row_condition"), rowcond.Pandas
	if b.has("condition_parser") {
		language = b.text("condition_parser")
	}
	id := language + "\x00" + text
	if n, ok := b.run.known[id]; ok {
		return n
	}
	c, err := rowcond.Parse(text, language, b.now)
	if err != nil {
		b.fail(valueError("%v", err))
		return 0
	}
	for _, name := range c.Columns {
		b.column(name)
	}
	b.run.conditions = append(b.run.conditions, c)
	b.run.known[id] = len(b.run.conditions) - 1
	return len(b.run.conditions) - 1
}

// read scans the columns that are used and calls do for each batch.
func (r *run) read(ctx context.Context, used []bool, do func(v *view)) error {
	var places []int
	for i, u := range used {
		if u {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		if r.source.Rows() >= 0 || len(r.columns) == 0 {
			r.rows = max(0, r.source.Rows())
			return nil
		}
		places = []int{0} // only reading tells how many rows there are
	}
	s := r.source.Scan(places...)
	defer s.Close()
	var rows int64
	for {
		b, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			r.rows = rows
			if r.findings == nil {
				r.findings = table.MergeFindings(slices.Concat(table.Findings(r.source), table.Findings(s)))
			}
			return nil
		}
		if err != nil {
			return err
		}
		rows = b.Row + int64(b.Size)
		do(r.look(b, places))
	}
}

// look makes a view of a batch.
func (r *run) look(b *table.Batch, places []int) *view {
	v := &view{row: b.Row, size: b.Size, vectors: make([]*table.Vector, len(r.columns)), missing: make([]cells.Bits, len(r.columns)),
		chosen: make([]cells.Bits, len(r.conditions)), failed: make([]error, len(r.conditions))}
	for i, at := range places {
		v.vectors[at] = &b.Columns[i]
	}
	v.chosen[0] = cells.All(b.Size)
	for i, c := range r.conditions[1:] {
		columns := make([]*table.Vector, len(c.Columns))
		for k, name := range c.Columns {
			if columns[k] = v.vectors[r.places[name]]; columns[k] == nil {
				v.failed[i+1] = errors.New("not read")
			}
		}
		if v.failed[i+1] == nil {
			v.chosen[i+1], v.failed[i+1] = c.Evaluate(columns, b.Size, b.Row)
		}
		if err := v.failed[i+1]; err != nil {
			v.failed[i+1] = typeError("row_condition: %v", err)
		}
	}
	return v
}

// measure gives a metric a batch, unless it has failed.
func (r *run) measure(m metric, v *view) {
	if r.broken[m] != nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			r.broken[m] = internalError(p)
		}
	}()
	r.broken[m] = m.batch(v)
}

// first is the first reading of the table, for all expectations at once.
func (r *run) first(ctx context.Context, all []*running) error {
	return r.read(ctx, r.used, func(v *view) {
		for _, m := range r.order {
			r.measure(m, v)
		}
		for _, x := range all {
			if x.err == nil {
				x.batch(v)
			}
		}
	})
}

// mostPasses bounds how often a table is read.
const mostPasses = 200

// second reads the table again, as often as some expectations need it.
func (r *run) second(ctx context.Context, all []*running) error {
	for range mostPasses {
		metrics, checks := r.unfinished(all)
		if len(metrics)+len(checks) == 0 {
			return nil
		}
		err := r.read(ctx, r.used, func(v *view) {
			for _, m := range metrics {
				r.measure(m, v)
			}
			for _, x := range checks {
				if x.err == nil {
					x.batch(v)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return fault.TooLargef("the table has so many different values that it would be read more than %d times; check with more memory", mostPasses)
}

// unfinished are the metrics and checks that need another reading.
func (r *run) unfinished(all []*running) (metrics []metric, checks []*running) {
	for _, m := range r.order {
		if a, ok := m.(again); ok && r.broken[m] == nil {
			needed, err := a.second()
			if r.broken[m] = err; err == nil && needed {
				metrics = append(metrics, m)
			}
		}
	}
	for _, x := range all {
		a, ok := x.check.(again)
		if !ok || x.err != nil {
			continue
		}
		needed, err := a.second()
		if x.err = err; err == nil && needed {
			checks = append(checks, x)
		}
	}
	return metrics, checks
}

// result closes a check.
func (x *running) result() (result Result) {
	result = Result{Expectation: x.expectation, Format: x.format}
	defer func() {
		x.recovered()
		if x.err == nil {
			return
		}
		var f *Failure
		if !errors.As(x.err, &f) {
			f = &Failure{"MetricError", x.err.Error()}
		}
		result.Success, result.Failure = false, f
	}()
	if x.err != nil {
		return result
	}
	o, err := x.check.finish()
	if x.err = err; err == nil {
		result.Success, result.outcome = o.success, o
	}
	return result
}
