package table

import (
	"context"
	"fmt"
	"io"
)

// Mixed is the kind of a Vector whose values are of several kinds.
const Mixed Kind = List + 1

// Vector is a stretch of a column in memory. Which of its slices holds the values, its Kind says:
//
//	Boolean, Integer, Time, Date   Ints, as in Cell
//	Number                         Floats
//	Text, Binary, List             Texts: one for each value or, where Codes is not nil, Texts[Codes[i]] (a dictionary); a Text as
//	                               it is stored, which may be no UTF-8, the bytes of a Binary, what is shown of a List
//	Mixed                          Cells
//	Null                           none; Size says how many
//
// A List may have in Ints how many values it holds. A value that is not there (Null says so) has an undefined place in the slice of its kind.
type Vector struct {
	Kind Kind
	Size int
	// Nulls has bit i of word i/64 set where value i is not there; it is nil when all are there.
	Nulls  []uint64
	Ints   []int64
	Floats []float64
	Texts  []string
	Codes  []uint32
	Cells  []Cell
}

// Null says whether value i is not there.
func (v *Vector) Null(i int) bool {
	return v.Kind == Null || v.Nulls != nil && v.Nulls[i>>6]&(1<<(i&63)) != 0 || v.Kind == Mixed && v.Cells[i].Kind == Null
}

// SetNull notes that value i is not there.
func (v *Vector) SetNull(i int) {
	if v.Nulls == nil {
		v.Nulls = make([]uint64, (v.Size+63)/64)
	}
	v.Nulls[i>>6] |= 1 << (i & 63)
}

// Text is value i of a Vector whose values are in Texts.
func (v *Vector) Text(i int) string {
	if v.Codes != nil {
		return v.Texts[v.Codes[i]]
	}
	return v.Texts[i]
}

// Cell is value i.
func (v *Vector) Cell(i int) Cell {
	if v.Null(i) {
		return Cell{}
	}
	switch v.Kind {
	case Number:
		return Cell{Kind: Number, Float: v.Floats[i]}
	case Text:
		return Cell{Kind: Text, Text: v.Text(i)}
	case Binary:
		b := v.Text(i)
		return Cell{Kind: Binary, Int: int64(len(b)), Text: ShownBytes(b)}
	case List:
		c := Cell{Kind: List, Text: v.Text(i)}
		if v.Ints != nil {
			c.Int = v.Ints[i]
		}
		return c
	case Mixed:
		return v.Cells[i]
	}
	return Cell{Kind: v.Kind, Int: v.Ints[i]}
}

// ShownBytes is what people see of bytes that are no text.
func ShownBytes(b string) string { return fmt.Sprintf("%d bytes: %x", len(b), b[:min(len(b), 16)]) }

// VectorOf returns the cells as a Vector of the narrowest kind: one kind if all that are there have it, and no number has more digits than
// a float.
func VectorOf(cells []Cell) Vector {
	v := Vector{Size: len(cells)}
	for _, c := range cells {
		switch {
		case c.Kind == Number && c.Text != "": // more digits than a float keeps
			return Vector{Kind: Mixed, Size: len(cells), Cells: cells}
		case c.Kind == Null || c.Kind == v.Kind:
		case v.Kind == Null:
			v.Kind = c.Kind
		default:
			return Vector{Kind: Mixed, Size: len(cells), Cells: cells}
		}
	}
	for i, c := range cells {
		if c.Kind == Null && v.Kind != Null {
			v.SetNull(i)
		}
		switch v.Kind {
		case Null:
		case Number:
			v.Floats = append(v.Floats, c.Float)
		case Text, Binary, List:
			v.Texts = append(v.Texts, c.Text)
		default:
			v.Ints = append(v.Ints, c.Int)
		}
	}
	return v
}

// Batch holds the same rows of some columns.
type Batch struct {
	// Row is the number of the first of them in the table, from 0, and Size how many they are.
	Row  int64
	Size int
	// Columns are in the order in which they were asked for. They and what they hold are valid until the next call of Next, but for
	// texts and dictionaries (Texts where there are Codes), which nobody changes.
	Columns []Vector
}

// Source is a table that can be read more than once, and by several at the same time.
type Source interface {
	// Columns are all columns of the table. Where a format has no schema, they are found before.
	Columns() []Column
	// Rows is how many rows there are, -1 where only reading them would tell.
	Rows() int64
	// Scan reads some columns (all, where none is named) from the first row to the last.
	Scan(columns ...int) Scanner
}

// Scanner gives a table in batches.
type Scanner interface {
	// Next returns the next rows, and io.EOF after the last.
	Next(ctx context.Context) (*Batch, error)
	Close() error
}

// Parted is a Source that is made of several, whose rows follow one another.
type Parted interface {
	Source
	Parts() []Part
}

// Part is one of the Sources that a Parted is made of.
type Part struct {
	Source
	// Name is what it is called within the whole, Format that of its bytes.
	Name, Format string
	// At says which of its columns a column of the whole is, -1 for none.
	At []int
}

// Memory is a Source that lies in memory: one Vector for each column, all of one Size.
type Memory struct {
	Names   []Column
	Vectors []Vector
}

// Columns are the columns of the table.
func (m Memory) Columns() []Column { return m.Names }

// Rows is how many rows there are.
func (m Memory) Rows() int64 {
	if len(m.Vectors) == 0 {
		return 0
	}
	return int64(m.Vectors[0].Size)
}

// Columnar says that columns are read one by one.
func (m Memory) Columnar() bool { return true }

// Scan gives the columns as one batch.
func (m Memory) Scan(columns ...int) Scanner {
	b := &Batch{Size: int(m.Rows()), Columns: m.Vectors}
	if len(columns) > 0 {
		b.Columns = make([]Vector, len(columns))
		for i, c := range columns {
			b.Columns[i] = m.Vectors[c]
		}
	}
	return &once{b}
}

type once struct{ b *Batch }

func (o *once) Next(context.Context) (*Batch, error) {
	b := o.b
	o.b = nil
	if b == nil || b.Size == 0 {
		return nil, io.EOF
	}
	return b, nil
}

func (o *once) Close() error { return nil }
