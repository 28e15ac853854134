// Package table holds the vocabulary of tables: columns, cells and what a column is like.
//
// A reader of some format gives cells a piece of a column at a time; a Profiler sums them up within fixed bounds of memory.
// The package is pure: it knows no format and no storage. Start reading at Reader.
package table

import (
	"context"
	"math"
	"strconv"
	"time"
)

// Kind says what a cell holds.
type Kind uint8

// The kinds of cells.
const (
	Null Kind = iota
	Boolean
	Integer
	Number
	Text
	Time   // microseconds since 1970 UTC
	Date   // days since 1970
	Binary // bytes that are no text
	List   // several values, or a value with parts
)

// String is the name of a kind in answers of the API.
func (k Kind) String() string {
	return [...]string{"empty", "boolean", "integer", "number", "text", "time", "date", "binary", "list"}[k]
}

// Cell is one value of a table.
type Cell struct {
	Kind Kind
	// Int holds a Boolean (0 or 1), an Integer, a Time, a Date, or how many bytes a Binary or values a List has.
	Int   int64
	Float float64 // a Number
	// Text holds a Text, and what is shown of a Binary or a List. For other kinds it is set where the usual form would lose digits.
	Text string
}

// Shown is the cell as people read it.
func (c Cell) Shown() string {
	if c.Text != "" {
		return c.Text
	}
	switch c.Kind {
	case Boolean:
		return strconv.FormatBool(c.Int != 0)
	case Integer:
		return strconv.FormatInt(c.Int, 10)
	case Number:
		return strconv.FormatFloat(c.Float, 'g', -1, 64)
	case Time:
		return time.UnixMicro(c.Int).UTC().Format("2006-01-02 15:04:05.999999")
	case Date:
		return time.Unix(c.Int*secondsOfDay, 0).UTC().Format(time.DateOnly)
	}
	return ""
}

const secondsOfDay = 24 * 60 * 60

// measure is the cell as a number that can be ordered, where it has one.
func (c Cell) measure() (float64, bool) {
	switch c.Kind {
	case Integer, Time, Date:
		return float64(c.Int), true
	case Number:
		return c.Float, !math.IsNaN(c.Float) && !math.IsInf(c.Float, 0)
	}
	return 0, false
}

// Column is a column as its format names it. Declared is the format's own type, empty where it has none.
type Column struct {
	Name     string
	Declared string
}

// Chunk is a piece of a column: the cells of the rows from Row on.
type Chunk struct {
	Column int
	Row    int64
	Cells  []Cell
}

// Reader gives the cells of a table, within the limits it was opened with.
type Reader interface {
	// Columns are the columns that are known; a format without a schema finds more of them while it is read.
	Columns() []Column
	// Next returns the next chunk, whose cells are valid until the next call, and io.EOF after the last. The chunks of a column come
	// in the order of rows; nothing is said of the order among columns. A row that a column has no cell for is Null there.
	Next(ctx context.Context) (Chunk, error)
	// Extent says, once Next has returned io.EOF, how much there is and how much of it was read.
	Extent() Extent
}

// Extent says how much of a table was read.
type Extent struct {
	// Rows were read. Total is the number of rows that there are, -1 when only reading them all would tell.
	Rows, Total int64
	// Columns is the number of columns that there are.
	Columns int
	// Bad counts rows that could not be read and were left out.
	Bad int64
	// Cut says in words why not everything was read; empty when it was.
	Cut string
}

// Limits bound what is read of a table.
type Limits struct {
	Rows    int64
	Columns int
	Bytes   int64
	Cells   int64
}

// Preview bounds what is read to show a table to a person.
var Preview = Limits{Rows: 100_000, Columns: 500, Bytes: 64 << 20, Cells: 10_000_000}
