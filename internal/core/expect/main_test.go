package expect_test

import (
	"context"
	"io"

	"levada/internal/core/table"
)

// tContext is for checks that nothing cancels.
var tContext = context.Background()

// pieces gives a table in batches of some rows.
type pieces struct {
	memory table.Memory
	batch  int
	at     int
}

func (p *pieces) Next(context.Context) (*table.Batch, error) {
	n := min(p.batch, int(p.memory.Rows())-p.at)
	if n <= 0 {
		return nil, io.EOF
	}
	b := &table.Batch{Row: int64(p.at), Size: n}
	for i := range p.memory.Vectors {
		list := make([]table.Cell, n)
		for k := range n {
			list[k] = p.memory.Vectors[i].Cell(p.at + k)
		}
		b.Columns = append(b.Columns, table.VectorOf(list))
	}
	p.at += n
	return b, nil
}

func (p *pieces) Close() error { return nil }
