// Package table holds the vocabulary of tables: columns, cells and what a column is like.
//
// A Source of some format gives its columns in batches of vectors; package profile sums them up within fixed bounds of memory.
// The package is pure: it knows no format and no storage. Start reading at Source.
package table

import (
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
	return [...]string{"empty", "boolean", "integer", "number", "text", "time", "date", "binary", "list", "mixed"}[k]
}

// Cell is one value of a table.
type Cell struct {
	Kind Kind
	// Int holds a Boolean (0 or 1), an Integer, a Time, a Date, or how many bytes a Binary or values a List has.
	Int   int64
	Float float64 // a Number
	// Text holds a Text, and what is shown of a Binary or a List. For a Number it is set where Float has not all of its digits.
	Text string
}

// Shown is the cell as people read it.
func (c Cell) Shown() string {
	if c.Text != "" {
		return c.Text
	}
	switch c.Kind {
	case Text:
		return `""` // of a text without characters
	case Boolean:
		return strconv.FormatBool(c.Int != 0)
	case Integer:
		return strconv.FormatInt(c.Int, 10)
	case Number:
		return ShownNumber(c.Float, 64)
	case Time:
		return time.UnixMicro(c.Int).UTC().Format("2006-01-02 15:04:05.999999")
	case Date:
		return time.Unix(c.Int*secondsOfDay, 0).UTC().Format(time.DateOnly)
	}
	return ""
}

// ShownNumber is a number with as few digits as tell it from others of so many bits; without an exponent where it is not very long.
func ShownNumber(f float64, bits int) string {
	if size := math.Abs(f); size >= 1e15 || size < 1e-5 && size > 0 {
		return strconv.FormatFloat(f, 'g', -1, bits)
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

const secondsOfDay = 24 * 60 * 60

// Column is a column as its format names it. Declared is the format's own type, empty where it has none.
type Column struct {
	Name     string
	Declared string
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
