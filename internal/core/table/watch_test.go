package table_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/table"
)

// misread is a source whose scans find something at their end.
type misread struct{ table.Memory }

func (m misread) Scan(columns ...int) table.Scanner {
	return &misreading{Scanner: m.Memory.Scan(columns...)}
}

type misreading struct {
	table.Scanner
	ended bool
}

func (m *misreading) Next(ctx context.Context) (*table.Batch, error) {
	b, err := m.Scanner.Next(ctx)
	m.ended = errors.Is(err, io.EOF)
	return b, err
}

func (m *misreading) Findings() []table.Finding {
	if !m.ended {
		return nil
	}
	return []table.Finding{{Column: "a", What: "odd", Count: 2}, {What: "ragged", Count: 1, Row: 3}}
}

func TestAWatchedSourceRemembersWhatItsScansFound(t *testing.T) {
	w := table.Watch(misread{table.Memory{Names: []table.Column{{Name: "a"}}, Vectors: []table.Vector{table.VectorOf([]table.Cell{{Kind: table.Integer, Int: 1}})}}})
	if !table.Columnar(w) || len(w.Findings()) != 0 {
		t.Errorf("%v", w.Findings())
	}
	for range 2 { // a column that is read twice finds the same
		if n, err := table.CountRows(context.Background(), unsized{w}, 0); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if d := cmp.Diff([]table.Finding{{What: "ragged", Count: 1, Row: 3}, {Column: "a", What: "odd", Count: 2}}, table.Findings(w)); d != "" {
		t.Error(d)
	}
}

// unsized does not say how many rows there are.
type unsized struct{ table.Source }

func (unsized) Rows() int64 { return -1 }
