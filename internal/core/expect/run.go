package expect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"levada/internal/core/expect/param"
	"levada/internal/core/expect/rowcond"
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
	// MostValues bounds how many numbers of a column are kept for one expectation that needs them all (quantiles, distributions), twice
	// how many keys (duplicates, how many values differ), and four times how many different values (sets, counts of each); the default is
	// 20 million. Duplicates and the number of different values are exact beyond it, too: the columns are read again. Other expectations
	// fail there with a statement of it.
	MostValues int
	// Table opens another table by name, for expect_table_row_count_to_equal_other_table. It may be called from several goroutines.
	Table func(name string) (table.Source, error)
	// Each calls do for 0 to n-1 and returns the first error; it may call several at once, and is called within do, too. Without it, they
	// are called in turn. The report does not depend on it.
	Each func(ctx context.Context, n int, do func(ctx context.Context, i int) error) error
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

// satisfied is a check or a metric that may know, in a reading after the first, that it needs no more rows.
type satisfied interface {
	satisfied() bool
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
	// missingUnsaid leaves the number of missing values null in Great Expectations' form.
	missingUnsaid bool
}

// run is the checking of one table.
type run struct {
	options    Options
	source     table.Source
	columns    []table.Column
	places     map[string]int
	conditions []*condition // [0] is nil: all rows
	known      map[string]int
	metrics    map[string]metric
	measured   map[metric]*measuring
	order      []*measuring
	rows       int64
	findings   []table.Finding
}

// condition is a row_condition, and where its columns are in the table.
type condition struct {
	*rowcond.Condition
	places []int
}

// running is an expectation with its check; a check that failed has an error and is not called again.
type running struct {
	expectation Expectation
	format      Format
	check       check
	err         error
	// columns are those that the check looks at, condition chooses the rows.
	columns   []int
	condition int
	closed    Result
}

// measuring is a metric, or why it could not be computed.
type measuring struct {
	metric
	err error
}

// Check reads a table and answers each expectation of a suite. The error is one of reading the table; what is wrong with an expectation
// stands in its result.
func Check(ctx context.Context, source table.Source, suite Suite, o Options) (*Report, error) {
	if o.MostValues <= 0 {
		o.MostValues = defaultValues
	}
	r := &run{options: o, source: source, columns: source.Columns(), places: map[string]int{}, known: map[string]int{"": 0},
		conditions: []*condition{nil}, metrics: map[string]metric{}, measured: map[metric]*measuring{}}
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
	if err := r.readAll(ctx, all); err != nil {
		return nil, err
	}
	report := &Report{Suite: suite.Name, Rows: r.rows, Columns: len(r.columns), Success: true, Findings: r.findings}
	for _, x := range all {
		if x.closed.Success {
			report.Passed++
		} else {
			report.Success = false
		}
		report.Results = append(report.Results, x.closed)
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
	x.columns, x.condition = b.columns, b.condition
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
	columns   []int
}

// mostValues is how many different values are kept at a time: one takes about as much memory as four numbers.
func (b *build) mostValues() int { return max(1, b.run.options.MostValues/4) }

// mostKeys is how many keys a keyTable keeps at a time: 24 bytes each, or 32.
func (b *build) mostKeys() int { return max(1, b.run.options.MostValues/2) }

// column returns the place of a column in the table and has it read.
func (b *build) column(name string) int {
	at := b.find(name)
	b.columns = append(b.columns, at)
	return at
}

func (b *build) find(name string) int {
	at, ok := b.run.places[name]
	if !ok {
		b.fail(columnError(name))
	}
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
	if object, ok := b.value("row_condition").(map[string]any); ok {
		id, err := json.Marshal(object)
		b.fail2(err)
		return b.chosen(string(id), func() (*rowcond.Condition, error) { return rowcond.ParseObject(object, b.now) })
	}
	text, language := b.text("row_condition"), rowcond.Pandas
	if b.has("condition_parser") {
		language = b.text("condition_parser")
	}
	return b.chosen(language+"\x00"+text, func() (*rowcond.Condition, error) { return rowcond.Parse(text, language, b.now) })
}

// chosen returns the number of a condition, which is read where it is the first of its words.
func (b *build) chosen(id string, parse func() (*rowcond.Condition, error)) int {
	if n, ok := b.run.known[id]; ok {
		return n
	}
	c, err := parse()
	if err != nil {
		b.fail(valueError("%v", err))
		return 0
	}
	chosen := &condition{Condition: c}
	for _, name := range c.Columns {
		chosen.places = append(chosen.places, b.find(name))
	}
	if b.err != nil {
		return 0
	}
	b.run.conditions = append(b.run.conditions, chosen)
	b.run.known[id] = len(b.run.conditions) - 1
	return len(b.run.conditions) - 1
}

// result closes a check and lets go of it.
func (x *running) result() (result Result) {
	defer func() { x.check = nil }()
	result = Result{Expectation: x.expectation, Format: x.format}
	defer func() {
		if p := recover(); p != nil { // not by recovered, which recovers nothing unless it is deferred itself
			x.err = internalError(p)
		}
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
