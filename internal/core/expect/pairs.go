package expect

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"levada/internal/core/expect/cells"
	"levada/internal/core/expect/rowcond"
	"levada/internal/core/table"
)

// The names of ignore_row_if, for two columns and for several.
var (
	pairIgnores = map[string]ignore{"both_values_are_missing": whereAll, "either_value_is_missing": whereAny, "neither": never}
	listIgnores = map[string]ignore{"all_values_are_missing": whereAll, "any_value_is_missing": whereAny, "never": never}
)

// pair begins a check of two columns.
func (b *build) pair() *rowCheck {
	i := pairIgnores[b.choice("ignore_row_if", "both_values_are_missing", "either_value_is_missing", "neither")]
	return b.rowCheck(pair, i, b.text("column_A"), b.text("column_B"))
}

// eachPair completes a check of two columns with a function of two values, one or both of which may be missing.
func (b *build) eachPair(c *rowCheck, good func(x, y table.Cell) (bool, error)) check {
	if b.err != nil {
		return nil
	}
	c.bad = func(v *view, rows cells.Bits) (cells.Bits, error) {
		left, right := v.vectors[c.places[0]], v.vectors[c.places[1]]
		return judge(rows, func(i int) (bool, error) { return good(left.Cell(i), right.Cell(i)) })
	}
	return c
}

func buildPairEqual(b *build) check {
	return b.eachPair(b.pair(), func(x, y table.Cell) (bool, error) {
		return !cells.Missing(x) && !cells.Missing(y) && cells.Equal(x, y), nil
	})
}

func buildPairGreater(b *build) check {
	orEqual := b.boolean("or_equal", false)
	return b.eachPair(b.pair(), func(x, y table.Cell) (bool, error) {
		if cells.Missing(x) || cells.Missing(y) {
			return false, nil
		}
		k, err := cells.Compare(x, y)
		if err != nil {
			return false, typeError("%v: %q and %q", err, x.Shown(), y.Shown())
		}
		return k > 0 || k == 0 && orEqual, nil
	})
}

func buildPairInSet(b *build) check {
	c := b.pair()
	if !b.has("value_pairs_set") {
		return b.eachPair(c, func(_, _ table.Cell) (bool, error) { return true, nil })
	}
	hasher := cells.NewHasher()
	wanted := map[[2]cells.Key]bool{}
	for _, v := range b.list("value_pairs_set") {
		two, _ := v.([]any)
		if len(two) != 2 {
			b.bad("value_pairs_set", "want a list of pairs")
			return nil
		}
		var alternatives [2][]cells.Key
		for k := range two {
			cell := b.cell("value_pairs_set", two[k])
			alternatives[k] = append(alternatives[k], hasher.Key(cell))
			if t, err := cells.AsTime(cell, b.now); err == nil && cell.Kind == table.Text {
				alternatives[k] = append(alternatives[k], hasher.Key(t))
			}
		}
		for _, x := range alternatives[0] {
			for _, y := range alternatives[1] {
				wanted[[2]cells.Key{x, y}] = true
			}
		}
	}
	return b.eachPair(c, func(x, y table.Cell) (bool, error) {
		return wanted[[2]cells.Key{hasher.Key(x), hasher.Key(y)}], nil
	})
}

// several begins a check of a list of columns.
func (b *build) several() *rowCheck {
	i := listIgnores[b.choice("ignore_row_if", "all_values_are_missing", "any_value_is_missing", "never")]
	names := b.texts("column_list")
	if len(names) < 2 && b.err == nil {
		b.bad("column_list", "want two columns or more")
	}
	if b.err != nil {
		return nil
	}
	return b.rowCheck(record, i, names...)
}

// eachRecord completes a check of several columns.
func (b *build) eachRecord(c *rowCheck, good func(values []table.Cell) (bool, error)) check {
	if b.err != nil {
		return nil
	}
	values := make([]table.Cell, len(c.places))
	c.bad = func(v *view, rows cells.Bits) (cells.Bits, error) {
		return judge(rows, func(i int) (bool, error) {
			for k, at := range c.places {
				values[k] = v.vectors[at].Cell(i)
			}
			return good(values)
		})
	}
	return c
}

func buildCompoundUnique(b *build) check {
	c := b.several()
	if b.err != nil {
		return nil
	}
	return b.unique(c)
}

func buildSum2(b *build) check {
	want, ok := b.number("sum_total")
	if !ok {
		b.bad("sum_total", "value is not a valid float")
	}
	return b.eachRecord(b.several(), func(values []table.Cell) (bool, error) {
		sum := 0.0
		for _, c := range values {
			if cells.Missing(c) {
				return false, nil
			}
			x, ok := cells.Num(c)
			if !ok {
				return false, typeError("could not convert %q to numeric", c.Shown())
			}
			sum += x
		}
		return sum == want, nil
	})
}

func buildUniqueWithin(b *build) check {
	hasher := cells.NewHasher()
	seen := map[cells.Key]bool{}
	return b.eachRecord(b.several(), func(values []table.Cell) (bool, error) {
		clear(seen)
		for _, c := range values {
			k := hasher.Key(c)
			if seen[k] {
				return false, nil
			}
			seen[k] = true
		}
		return true, nil
	})
}

// buildRows builds expect_rows_to_satisfy, an expectation of our own: a CEL condition that each row must meet.
func buildRows(b *build) check {
	language := rowcond.CEL
	if b.has("language") {
		language = b.choice("language", rowcond.CEL, rowcond.Pandas, rowcond.GX)
	}
	condition, err := rowcond.Parse(b.text("condition"), language, b.now)
	if err != nil {
		b.fail(valueError("%v", err))
		return nil
	}
	if len(condition.Columns) == 0 {
		b.fail(valueError("condition: it names no column"))
		return nil
	}
	c := b.rowCheck(record, never, condition.Columns...)
	if len(condition.Columns) == 1 {
		c.form = single
	}
	if b.err != nil {
		return nil
	}
	c.bad = func(v *view, rows cells.Bits) (cells.Bits, error) {
		columns := make([]*table.Vector, len(c.places))
		for i, at := range c.places {
			columns[i] = v.vectors[at]
		}
		good, err := condition.Evaluate(columns, v.size, v.row)
		if err != nil {
			return nil, typeError("%v", err)
		}
		return rows.Without(good), nil
	}
	return c
}

// countRows counts the rows of a table.
func countRows(s table.Source) (int64, error) {
	if n := s.Rows(); n >= 0 || len(s.Columns()) == 0 {
		return max(0, n), nil
	}
	scan := s.Scan(0)
	defer scan.Close()
	var n int64
	for {
		b, err := scan.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		n = b.Row + int64(b.Size)
	}
}

// crossTable is expect_column_pair_cramers_phi_value_to_be_less_than: it counts pairs of values.
type crossTable struct {
	*rowCheck
	most   int
	values [2][]float64 // numbers are put into bins at the end
	texts  [2][]string

	threshold float64
	bins      [2]int
	edges     [2][]float64
	// groups name the group that a text belongs to; others stay what they are.
	groups [2]map[string]string
}

func buildCramersPhi(b *build) check {
	threshold, ok := b.number("threshold")
	if !ok {
		threshold = 0.1
	}
	bins := [2]int{10, 10}
	for k, name := range []string{"n_bins_A", "n_bins_B"} {
		if n, ok := b.whole(name); ok {
			if n < 2 || n > 1000 {
				b.bad(name, "want between 2 and 1000")
			}
			bins[k] = int(n)
		}
	}
	// Rows without values in both columns count, too: that they have none together is a dependence.
	ignored := pairIgnores[b.choice("ignore_row_if", "neither", "both_values_are_missing", "either_value_is_missing")]
	c := &crossTable{rowCheck: b.rowCheck(pair, ignored, b.text("column_A"), b.text("column_B")), most: b.run.options.MostValues, threshold: threshold, bins: bins}
	for k, name := range []string{"bins_A", "bins_B"} {
		if list := b.list(name); len(list) > 0 {
			if _, ok := list[0].([]any); ok {
				c.groups[k] = b.grouped(name, list)
				continue
			}
		}
		c.edges[k] = slices.Sorted(slices.Values(b.floats(name)))
	}
	if b.err != nil {
		return nil
	}
	return c
}

// grouped reads lists of values, each of which is a group.
func (b *build) grouped(name string, lists []any) map[string]string {
	out := map[string]string{}
	for _, l := range lists {
		list, ok := l.([]any)
		if !ok || len(list) == 0 {
			b.bad(name, "want a list of numbers, or a list of lists of values")
			return nil
		}
		var texts []string
		for _, v := range list {
			c, err := cells.From(v)
			b.fail2(err)
			texts = append(texts, cells.Str(c))
		}
		for _, t := range texts {
			out[t] = strings.Join(texts, ", ")
		}
	}
	return out
}

func (c *crossTable) batch(v *view) error {
	rows, err := c.domain(v)
	if err != nil {
		return err
	}
	if c.elements > int64(c.most) {
		return &Failure{"MemoryError", "the table has more rows than are kept for this expectation; raise the limit or use a row_condition"}
	}
	rows.Rows(func(i int) bool {
		for k, at := range c.places {
			cell := v.vectors[at].Cell(i)
			x, number := cells.Num(cell)
			if !number || cell.Kind == table.Boolean {
				x = math.NaN()
			}
			text := cells.Str(cell)
			if cells.Missing(cell) {
				text = "(missing)"
			}
			c.values[k] = append(c.values[k], x)
			c.texts[k] = append(c.texts[k], text)
		}
		return true
	})
	return nil
}

func (c *crossTable) finish() (outcome, error) {
	for k := range 2 {
		if c.groups[k] != nil {
			for i, t := range c.texts[k] {
				if group, ok := c.groups[k][t]; ok {
					c.texts[k][i] = group
				}
			}
			continue
		}
		binned(c.texts[k], c.values[k], c.bins[k], c.edges[k])
	}
	phi, details := cramersPhi(c.texts[0], c.texts[1])
	o := outcome{success: phi <= c.threshold, observed: cells.JSON(number(phi)), shown: true, details: map[string]any{"crosstab": details}}
	o.elements, o.missing, o.counted = c.elements, c.ignored, true
	return o, nil
}
