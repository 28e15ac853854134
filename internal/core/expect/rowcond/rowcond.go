// Package rowcond chooses rows of a table by a condition on their values.
//
// A condition is written in one of three languages: a subset of pandas' DataFrame.query, the col("x") form of Great Expectations, and
// CEL. All become the same tree, which is evaluated over batches. A comparison with a value that is not there is false, and != is true,
// as in pandas. The package knows nothing of expectations. Start reading at Parse.
package rowcond

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"levada/internal/core/expect/cells"
	"levada/internal/core/expect/pylike"
	"levada/internal/core/table"
)

// The languages of conditions.
const (
	Pandas = "pandas"
	GX     = "great_expectations"
	CEL    = "cel"
)

// longest bounds the text of a condition in bytes, deepest how far it may be nested.
const (
	longest = 10_000
	deepest = 100
)

// Condition says of rows whether they are looked at.
type Condition struct {
	// Columns are the names of the columns that are needed, each once. Evaluate takes them in this order.
	Columns []string
	root    *node
}

// Parse reads a condition in a language; now completes dates that are written without a year.
func Parse(text, language string, now time.Time) (*Condition, error) {
	if len(text) > longest {
		return nil, fmt.Errorf("the condition is longer than %d bytes", longest)
	}
	b := &builder{now: now, condition: &Condition{}}
	var err error
	switch language {
	case Pandas:
		err = b.query(text)
	case GX, "great_expectations__experimental__", "spark":
		err = b.gx(text)
	case CEL:
		err = b.cel(text)
	default:
		return nil, fmt.Errorf("condition_parser %q: value is not a valid enumeration member; permitted: %q, %q, %q", language, Pandas, GX, CEL)
	}
	if err != nil {
		return nil, fmt.Errorf("condition %q: %w", text, err)
	}
	if !b.condition.root.logical() {
		return nil, fmt.Errorf("condition %q: the result is a value; compare it with something", text)
	}
	return b.condition, nil
}

// Evaluate returns the rows of a batch that meet the condition. The columns are in the order of Columns and hold n rows; row is the
// number of the first in the table.
func (c *Condition) Evaluate(columns []*table.Vector, n int, row int64) (cells.Bits, error) {
	return c.root.bits(&frame{columns, row, n})
}

// frame is what a condition is evaluated over.
type frame struct {
	columns []*table.Vector
	row     int64
	n       int
}

// operation is what a node does with its operands.
type operation uint8

const (
	literal operation = iota
	column
	rowNumber
	and
	or
	not
	equal
	unequal
	less
	atMost
	more
	atLeast
	in
	plus
	minus
	times
	divided
	remainder
	negative
	isNull
	startsWith
	endsWith
	contains
	matches
	size
)

// node is a part of a condition.
type node struct {
	op       operation
	operands []*node
	value    table.Cell // of a literal
	place    int        // of a column among the condition's columns
	list     []table.Cell
	regex    *pylike.Regex
	when     table.Cell // of a comparison with a text that is a date: its time
}

// logical reports whether a node is true or false of a row. A column may be; that shows when it is read.
func (n *node) logical() bool {
	switch n.op {
	case literal:
		return n.value.Kind == table.Boolean
	case rowNumber, plus, minus, times, divided, remainder, negative, size:
		return false
	}
	return true
}

// bits evaluates a node that is true or false.
func (n *node) bits(f *frame) (cells.Bits, error) {
	switch n.op {
	case and, or:
		a, err := n.operands[0].bits(f)
		if err != nil {
			return nil, err
		}
		b, err := n.operands[1].bits(f)
		if err != nil {
			return nil, err
		}
		if n.op == and {
			return a.And(b), nil
		}
		return a.Or(b), nil
	case not:
		a, err := n.operands[0].bits(f)
		if err != nil {
			return nil, err
		}
		return cells.All(f.n).Without(a), nil
	}
	if out, ok := n.fast(f); ok {
		return out, nil
	}
	out := cells.None(f.n)
	for i := range f.n {
		c, err := n.cell(f, i)
		if err != nil {
			return nil, err
		}
		switch {
		case c.Kind == table.Boolean && c.Int != 0:
			out.Set(i)
		case c.Kind != table.Boolean && !cells.Missing(c):
			return nil, fmt.Errorf("row %d: %q is neither true nor false", f.row+int64(i), c.Shown())
		}
	}
	return out, nil
}

// fast compares a column of numbers with a number.
func (n *node) fast(f *frame) (cells.Bits, bool) {
	if n.op < equal || n.op > atLeast || n.operands[0].op != column || n.operands[1].op != literal {
		return nil, false
	}
	limit, ok := cells.Num(n.operands[1].value)
	v := f.columns[n.operands[0].place]
	if !ok || v.Kind != table.Number && v.Kind != table.Integer || n.operands[1].value.Kind == table.Integer && int64(limit) != n.operands[1].value.Int {
		return nil, false
	}
	out := cells.None(f.n)
	for i := range f.n {
		x := 0.0
		if v.Kind == table.Number {
			x = v.Floats[i]
		} else if x = float64(v.Ints[i]); int64(x) != v.Ints[i] {
			return nil, false
		}
		if v.Null(i) {
			if n.op == unequal {
				out.Set(i)
			}
			continue
		}
		if n.op == equal && x == limit || n.op == unequal && x != limit || n.op == less && x < limit || n.op == atMost && x <= limit ||
			n.op == more && x > limit || n.op == atLeast && x >= limit {
			out.Set(i)
		}
	}
	return out, true
}

// truth is a boolean as a cell.
func truth(b bool) table.Cell {
	if b {
		return table.Cell{Kind: table.Boolean, Int: 1}
	}
	return table.Cell{Kind: table.Boolean}
}

// cell evaluates a node for row i of a batch.
func (n *node) cell(f *frame, i int) (table.Cell, error) {
	switch n.op {
	case literal:
		return n.value, nil
	case column:
		return f.columns[n.place].Cell(i), nil
	case rowNumber:
		return table.Cell{Kind: table.Integer, Int: f.row + int64(i)}, nil
	case and, or, not:
		b, err := n.truths(f, i)
		return truth(b), err
	}
	var operands [2]table.Cell
	for k, o := range n.operands {
		c, err := o.cell(f, i)
		if err != nil {
			return c, err
		}
		operands[k] = c
	}
	return n.apply(operands[0], operands[1])
}

// truths evaluates and, or and not for one row.
func (n *node) truths(f *frame, i int) (bool, error) {
	var sides [2]bool
	for k, o := range n.operands {
		c, err := o.cell(f, i)
		if err != nil {
			return false, err
		}
		if c.Kind != table.Boolean && !cells.Missing(c) {
			return false, fmt.Errorf("row %d: %q is neither true nor false", f.row+int64(i), c.Shown())
		}
		sides[k] = c.Int != 0
	}
	switch n.op {
	case and:
		return sides[0] && sides[1], nil
	case or:
		return sides[0] || sides[1], nil
	}
	return !sides[0], nil
}

// apply is a node's operation on the values of its operands.
func (n *node) apply(a, b table.Cell) (table.Cell, error) {
	switch n.op {
	case isNull:
		return truth(cells.Missing(a)), nil
	case in:
		return truth(!cells.Missing(a) && slices.ContainsFunc(n.list, func(c table.Cell) bool { return cells.Equal(a, c) })), nil
	case equal, unequal, less, atMost, more, atLeast:
		return n.compare(a, b)
	case startsWith, endsWith, contains, matches, size:
		return n.text(a, b)
	}
	if cells.Missing(a) || n.op != negative && cells.Missing(b) {
		return table.Cell{}, nil
	}
	return n.arithmetic(a, b)
}

func (n *node) compare(a, b table.Cell) (table.Cell, error) {
	if cells.Missing(a) || cells.Missing(b) {
		return truth(n.op == unequal), nil
	}
	if n.when.Kind == table.Time {
		if _, time := cells.Micros(a); time && b.Kind == table.Text {
			b = n.when
		} else if _, time := cells.Micros(b); time && a.Kind == table.Text {
			a = n.when
		}
	}
	switch n.op {
	case equal:
		return truth(cells.Equal(a, b)), nil
	case unequal:
		return truth(!cells.Equal(a, b)), nil
	}
	c, err := cells.Compare(a, b)
	if err != nil {
		return table.Cell{}, err
	}
	return truth(n.op == less && c < 0 || n.op == atMost && c <= 0 || n.op == more && c > 0 || n.op == atLeast && c >= 0), nil
}

func (n *node) text(a, b table.Cell) (table.Cell, error) {
	if cells.Missing(a) {
		return table.Cell{}, nil
	}
	if a.Kind != table.Text {
		return table.Cell{}, fmt.Errorf("%q is a %s, not a text", a.Shown(), a.Kind)
	}
	switch n.op {
	case startsWith:
		return truth(strings.HasPrefix(a.Text, b.Text)), nil
	case endsWith:
		return truth(strings.HasSuffix(a.Text, b.Text)), nil
	case contains:
		return truth(strings.Contains(a.Text, b.Text)), nil
	case size:
		return table.Cell{Kind: table.Integer, Int: int64(len([]rune(a.Text)))}, nil
	}
	found, err := n.regex.Search(a.Text)
	return truth(found), err
}

func (n *node) arithmetic(a, b table.Cell) (table.Cell, error) {
	if n.op == plus && a.Kind == table.Text && b.Kind == table.Text {
		return table.Cell{Kind: table.Text, Text: a.Text + b.Text}, nil
	}
	x, okA := cells.Num(a)
	y, okB := cells.Num(b)
	if !okA || !okB && n.op != negative {
		return table.Cell{}, fmt.Errorf("%q and %q are not both numbers", a.Shown(), b.Shown())
	}
	result := 0.0
	switch n.op {
	case plus:
		result = x + y
	case minus:
		result = x - y
	case times:
		result = x * y
	case negative:
		result = -x
	case divided:
		result = x / y
	case remainder:
		if y == 0 {
			return table.Cell{}, nil
		}
		// As in Python, the remainder has the sign of the divisor.
		if result = x - y*float64(int64(x/y)); result != 0 && (result < 0) != (y < 0) {
			result += y
		}
	}
	return table.Cell{Kind: table.Number, Float: result}, nil
}
