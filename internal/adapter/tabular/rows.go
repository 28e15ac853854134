package tabular

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/table"
)

// rowsReader gives a format that comes row by row as chunks of columns.
type rowsReader struct {
	limits  table.Limits
	columns []table.Column
	// read reads a row into cells, growing them and columns where the row has more; io.EOF ends.
	read func(cells []table.Cell) ([]table.Cell, error)
	// more are columns over the limit.
	more  int
	total int64 // cells
	batch [][]table.Cell
	next  int
	row   int64 // first row of the batch
	end   table.Extent
	done  bool
	whole func() bool
}

// batchCells is about how many cells are read before they are given.
const batchCells = 1 << 15

// Columns returns the columns found until now.
func (r *rowsReader) Columns() []table.Column { return r.columns }

// Extent says how much was read.
func (r *rowsReader) Extent() table.Extent { return r.end }

// Next gives the columns of the batch one after the other, then reads the next batch.
func (r *rowsReader) Next(ctx context.Context) (table.Chunk, error) {
	for r.next >= len(r.batch) {
		if r.done {
			return table.Chunk{}, io.EOF
		}
		if err := ctx.Err(); err != nil {
			return table.Chunk{}, err
		}
		if err := r.fill(); err != nil {
			return table.Chunk{}, err
		}
	}
	c := table.Chunk{Column: r.next, Row: r.row, Cells: r.batch[r.next]}
	r.next++
	return c, nil
}

func (r *rowsReader) fill() error {
	for i := range r.batch {
		r.batch[i] = r.batch[i][:0]
	}
	r.next, r.row = 0, r.end.Rows
	var cells []table.Cell
	for n := int64(0); n < batchCells; {
		if r.end.Rows >= r.limits.Rows || r.total >= r.limits.Cells {
			return r.cut(fmt.Sprintf("the first %d rows", r.end.Rows))
		}
		var err error
		cells, err = r.read(cells[:0])
		if errors.Is(err, io.EOF) {
			r.done = true
			r.end.Total, r.end.Columns = r.end.Rows, len(r.columns)+r.more
			if !r.whole() {
				return r.cut(fmt.Sprintf("the first %d MiB", r.limits.Bytes>>20))
			}
			return nil
		}
		if err != nil {
			return err
		}
		for len(r.batch) < len(r.columns) {
			r.batch = append(r.batch, nil)
		}
		at := int(r.end.Rows - r.row)
		for i, c := range cells {
			for len(r.batch[i]) < at { // a column that is new in this batch
				r.batch[i] = append(r.batch[i], table.Cell{})
			}
			r.batch[i] = append(r.batch[i], c)
		}
		for i := len(cells); i < len(r.batch); i++ {
			r.batch[i] = append(r.batch[i], table.Cell{})
		}
		r.end.Rows++
		n, r.total = n+int64(len(r.columns))+1, r.total+int64(len(r.columns))
	}
	return nil
}

// cut ends the reading, if there is anything left.
func (r *rowsReader) cut(what string) error {
	if !r.done {
		if _, err := r.read(nil); errors.Is(err, io.EOF) && r.whole() {
			r.done = true
			r.end.Total, r.end.Columns = r.end.Rows, len(r.columns)+r.more
			return nil
		}
	}
	r.done = true
	r.end.Total, r.end.Columns, r.end.Cut = -1, len(r.columns)+r.more, what
	return nil
}

// missing are texts that stand for no value, as pandas reads them.
var missing = map[string]bool{"": true, "NA": true, "N/A": true, "NaN": true, "nan": true, "null": true, "NULL": true, "None": true}

// cellOf reads a text that may be a number, a date or a truth. A number that would not be written this way stays text: 007 is a code.
func cellOf(s string) table.Cell {
	if missing[s] {
		return table.Cell{}
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		if n, ok := numberOf(s); ok {
			return n
		}
		if t, ok := momentOf(s); ok {
			return t
		}
	case len(s) <= 5:
		switch strings.ToLower(s) {
		case "true":
			return table.Cell{Kind: table.Boolean, Int: 1}
		case "false":
			return table.Cell{Kind: table.Boolean}
		}
	}
	return table.Cell{Kind: table.Text, Text: s}
}

func numberOf(s string) (table.Cell, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s) > 40 || len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' || strings.ContainsAny(s, "xX_pP") {
		return table.Cell{}, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return table.Cell{Kind: table.Integer, Int: n}, true
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return table.Cell{Kind: table.Number, Float: f, Text: s}, true
	}
	return table.Cell{}, false
}

var moments = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04"}

func momentOf(s string) (table.Cell, bool) {
	if len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return table.Cell{}, false
	}
	if len(s) == 10 {
		t, err := time.Parse(time.DateOnly, s)
		return table.Cell{Kind: table.Date, Int: t.Unix() / (24 * 60 * 60)}, err == nil
	}
	for _, form := range moments {
		if t, err := time.Parse(form, s); err == nil {
			return table.Cell{Kind: table.Time, Int: t.UnixMicro(), Text: s}, true
		}
	}
	return table.Cell{}, false
}
