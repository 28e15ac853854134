package expect

import (
	"context"
	"strconv"

	"levada/internal/core/expect/cells"
	"levada/internal/core/table"
)

// The bounds of what is kept of unexpected rows.
const (
	// mostRows bounds the numbers of rows in a COMPLETE result; their count goes on.
	mostRows = 100_000
	// mostExamples bounds the unexpected values in a COMPLETE result, as in Great Expectations.
	mostExamples = 200
)

// Unexpected is a row that is not as expected.
type Unexpected struct {
	// Row is its number in the table, from 0.
	Row int64
	// Values are the values of the expectation's columns in it; nil behind the first that are kept.
	Values []table.Cell
	// IDs are the values of the columns that identify rows, where such were named.
	IDs []table.Cell
}

// mapped is what is counted of an expectation about each row.
type mapped struct {
	// Columns are the expectation's columns.
	columns []string
	form    form
	// elements are the rows that were looked at, ignored those among them that were left out because values are missing.
	elements, ignored, unexpected int64
	// ofMissing says that the expectation is itself about values that are missing: none are left out.
	ofMissing bool
	rows      []Unexpected
}

// form is how unexpected values are shown.
type form uint8

const (
	single form = iota // the value
	pair               // [a, b]
	record             // {"a": 1, "b": 2}
)

// rowCheck is an expectation about each row.
type rowCheck struct {
	mapped
	condition int
	places    []int
	ignore    ignore
	mostly    float64
	keep      int
	// bad returns the rows, among some, that are not as expected.
	bad func(v *view, rows cells.Bits) (cells.Bits, error)
}

// ignore says which rows are left out because of missing values.
type ignore uint8

const (
	never ignore = iota
	whereAll
	whereAny
)

// each builds a check of one column.
func (b *build) each(t test) check {
	c := b.rowCheck(single, whereAny, b.text("column"))
	if b.err != nil {
		return nil
	}
	at := c.places[0]
	c.bad = func(v *view, rows cells.Bits) (cells.Bits, error) { return t(v.vectors[at], rows) }
	return c
}

func (b *build) rowCheck(f form, i ignore, names ...string) *rowCheck {
	c := &rowCheck{condition: b.condition, ignore: i, mostly: b.share("mostly", 1), keep: b.format.Partial}
	c.columns, c.form = names, f
	if b.format.Level == Complete {
		c.keep = mostRows
	}
	for _, n := range names {
		c.places = append(c.places, b.column(n))
	}
	return c
}

// domain returns the rows that a check looks at, and counts them.
func (c *rowCheck) domain(v *view) (cells.Bits, error) {
	if err := v.failed[c.condition]; err != nil {
		return nil, err
	}
	rows := v.chosen[c.condition]
	all := rows.Count()
	c.elements += all
	if c.ignore == never {
		return rows, nil
	}
	out := v.gone(c.places[0])
	for _, at := range c.places[1:] {
		if c.ignore == whereAny {
			out = out.Or(v.gone(at))
		} else {
			out = out.And(v.gone(at))
		}
	}
	rows = rows.Without(out)
	c.ignored += all - rows.Count()
	return rows, nil
}

func (c *rowCheck) batch(v *view) error {
	rows, err := c.domain(v)
	if err != nil {
		return err
	}
	bad, err := c.bad(v, rows)
	if err != nil {
		return err
	}
	c.collect(v, bad)
	return nil
}

// collect counts unexpected rows and keeps the first.
func (c *rowCheck) collect(v *view, bad cells.Bits) {
	n := bad.Count()
	c.unexpected += n
	if n == 0 || len(c.mapped.rows) >= c.keep {
		return
	}
	bad.Rows(func(i int) bool {
		u := Unexpected{Row: v.row + int64(i)}
		if len(c.mapped.rows) < mostExamples {
			u.Values = valuesAt(v, c.places, i)
		}
		c.mapped.rows = append(c.mapped.rows, u)
		return len(c.mapped.rows) < c.keep
	})
}

func valuesAt(v *view, places []int, i int) []table.Cell {
	out := make([]table.Cell, len(places))
	for k, at := range places {
		out[k] = v.vectors[at].Cell(i)
	}
	return out
}

func (c *rowCheck) finish() (outcome, error) {
	considered := c.elements - c.ignored
	success := considered == 0 || float64(considered-c.unexpected)/float64(considered) >= c.mostly
	return outcome{success: success, mapped: &c.mapped}, nil
}

// nullCheck builds expect_column_values_to_be_null and its opposite.
func nullCheck(want bool) func(b *build) check {
	return func(b *build) check {
		c := b.rowCheck(single, never, b.text("column"))
		c.ofMissing = true
		if b.err != nil {
			return nil
		}
		at := c.places[0]
		c.bad = func(v *view, rows cells.Bits) (cells.Bits, error) {
			if want {
				return rows.Without(v.gone(at)), nil
			}
			return rows.And(v.gone(at)), nil
		}
		return c
	}
}

// identify reads the columns that identify rows, for the unexpected rows that are kept.
func (r *run) identify(ctx context.Context, report *Report) error {
	wanted := map[int64]map[int]table.Cell{}
	used := make([]bool, len(r.columns))
	for i := range report.Results {
		x := &report.Results[i]
		if len(x.Format.Index) == 0 || x.outcome.mapped == nil {
			continue
		}
		for _, name := range x.Format.Index {
			at, ok := r.places[name]
			if !ok {
				x.Success = false
				x.Failure = &Failure{"ValueError", "Error: The unexpected_index_column " + strconv.Quote(name) + " does not exist in the table"}
				break
			}
			used[at] = true
		}
		if x.Failure == nil {
			for _, u := range x.outcome.mapped.rows {
				wanted[u.Row] = map[int]table.Cell{}
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var places []int
	for at, u := range used {
		if u {
			places = append(places, at)
		}
	}
	_, err := scan(ctx, r.source.Scan(places...), func(b *table.Batch) bool {
		for i := range b.Size {
			if ids, ok := wanted[b.Row+int64(i)]; ok {
				for k, at := range places {
					ids[at] = b.Columns[k].Cell(i)
				}
			}
		}
		return true
	})
	for i := range report.Results {
		x := &report.Results[i]
		if len(x.Format.Index) == 0 || x.outcome.mapped == nil || x.Failure != nil {
			continue
		}
		for k, u := range x.outcome.mapped.rows {
			for _, name := range x.Format.Index {
				x.outcome.mapped.rows[k].IDs = append(x.outcome.mapped.rows[k].IDs, wanted[u.Row][r.places[name]])
			}
		}
	}
	return err
}
