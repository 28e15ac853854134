package table

import (
	"context"
	"errors"
	"io"
)

// Summary is a table as it is shown to a person: its first rows and what its columns are like.
type Summary struct {
	Format  string
	Columns []Column
	// Profiles has one for each column.
	Profiles []Profile
	// Rows are the first rows; a nil cell is Null. A row may be shorter than there are columns.
	Rows   [][]*string
	Extent Extent
}

// maxShown bounds the texts of the first rows, in bytes.
const maxShown = 2 << 20

// Summarize reads a table to its end, or to the limits of its reader, and keeps the first rows.
func Summarize(ctx context.Context, r Reader, rows int) (Summary, error) {
	profiler := NewProfiler(len(r.Columns()))
	shown := 0
	var first [][]*string
	for {
		c, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Summary{}, err
		}
		profiler.Add(c)
		for i, cell := range c.Cells {
			at := c.Row + int64(i)
			if at >= int64(rows) || shown > maxShown {
				break
			}
			first = place(first, int(at), c.Column, cell, &shown)
		}
	}
	s := Summary{Columns: r.Columns(), Extent: r.Extent(), Rows: first}
	s.Profiles = make([]Profile, len(s.Columns))
	for i := range s.Columns {
		s.Profiles[i] = profiler.Profile(i, s.Extent.Rows)
	}
	return s, nil
}

// place puts a cell into the rows that are shown.
func place(rows [][]*string, row, column int, cell Cell, shown *int) [][]*string {
	for len(rows) <= row {
		rows = append(rows, nil)
	}
	if cell.Kind == Null {
		return rows
	}
	for len(rows[row]) <= column {
		rows[row] = append(rows[row], nil)
	}
	text := shorten(cell.Shown())
	*shown += len(text) + 8
	rows[row][column] = &text
	return rows
}
