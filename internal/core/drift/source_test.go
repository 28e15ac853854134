package drift

import (
	"context"
	"io"

	"levada/internal/core/table"
)

const batchRows = 64 << 10

func (s *batchScanner) Next(context.Context) (*table.Batch, error) {
	n := min(batchRows, int(s.Rows())-s.row)
	if n <= 0 {
		return nil, io.EOF
	}
	b := &table.Batch{Row: int64(s.row), Size: n}
	for _, c := range s.columns {
		v := s.Vectors[c]
		part := table.Vector{Kind: v.Kind, Size: n}
		for i := range n {
			if v.Null(s.row + i) {
				part.SetNull(i)
			}
		}
		switch v.Kind {
		case table.Number:
			part.Floats = v.Floats[s.row : s.row+n]
		case table.Text:
			if v.Codes != nil {
				part.Codes, part.Texts = v.Codes[s.row:s.row+n], v.Texts
			} else {
				part.Texts = v.Texts[s.row : s.row+n]
			}
		case table.Mixed:
			part.Cells = v.Cells[s.row : s.row+n]
		case table.Null:
		default:
			part.Ints = v.Ints[s.row : s.row+n]
		}
		b.Columns = append(b.Columns, part)
	}
	s.row += n
	return b, nil
}

func (s *batchScanner) Close() error { return nil }
