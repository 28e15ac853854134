package profile

import (
	"context"
	"errors"
	"io"

	"levada/internal/core/table"
)

// Summary is a table as it is shown to a person: its first rows and what its columns are like.
type Summary struct {
	Format  string
	Columns []Column
	// Rows are the first rows; a nil cell is Null. A row may be shorter than there are columns.
	Rows   [][]*string
	Extent table.Extent
	// Findings say what was read in another way than it is written, or left out.
	Findings []table.Finding
}

// maxShown bounds the texts of the first rows, in bytes.
const maxShown = 2 << 20

// Preview makes a Summary of the batches that it is given.
type Preview struct {
	Summary Summary
	columns []table.Column
	states  []*State
	rows    int
	shown   int
}

// The bounds of what is kept for a preview.
const (
	previewValues = 10_000
	previewAll    = 200_000
)

// NewPreview keeps so many first rows.
func NewPreview(columns []table.Column, rows int) *Preview {
	p := &Preview{columns: columns, rows: rows, states: make([]*State, len(columns))}
	for i := range p.states {
		p.states[i] = newState(previewValues, previewAll, len(columns))
	}
	return p
}

// Scan reads columns to their end, or to a number of rows. It returns how many it read, and whether there are more.
func (p *Preview) Scan(ctx context.Context, s table.Scanner, columns []int, most int64) (read int64, more bool, err error) {
	for {
		b, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return read, false, nil
		}
		if err != nil {
			return read, false, err
		}
		n := int(min(int64(b.Size), most-read))
		for i, c := range columns {
			v := b.Columns[i]
			v.Size = n
			p.states[c].Add(&v)
			p.show(&v, int(b.Row), c)
		}
		if read += int64(n); n < b.Size {
			return read, true, nil
		}
	}
}

// show puts the first values of a column into the rows that are shown.
func (p *Preview) show(v *table.Vector, row, column int) {
	bits := 64
	if p.columns[column].Declared == "float" {
		bits = 32
	}
	for i := 0; i < v.Size && row+i < p.rows && p.shown < maxShown; i++ {
		rows := &p.Summary.Rows
		for len(*rows) <= row+i {
			*rows = append(*rows, nil)
		}
		c := v.Cell(i)
		if c.Kind == table.Null {
			continue
		}
		for len((*rows)[row+i]) <= column {
			(*rows)[row+i] = append((*rows)[row+i], nil)
		}
		text := shorten(c.Shown())
		if c.Kind == table.Number && c.Text == "" {
			text = table.ShownNumber(c.Float, bits)
		}
		p.shown += len(text) + 8
		(*rows)[row+i][column] = &text
	}
}

// Finish makes the profiles, of so many rows.
func (p *Preview) Finish(rows int64) Summary {
	for i, s := range p.states {
		s.Nulls(max(0, rows-s.count))
		p.Summary.Columns = append(p.Summary.Columns, s.Column(p.columns[i]))
	}
	return p.Summary
}
