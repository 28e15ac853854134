package tabular_test

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"levada/internal/adapter/tabular"
	"levada/internal/core/table"
)

// columnsOfAnyKind are columns with values that may be missing.
func columnsOfAnyKind(t *rapid.T, rows int) ([]tabular.Written, [][]table.Cell) {
	kinds := []table.Kind{table.Boolean, table.Integer, table.Number, table.Text, table.Time}
	var columns []tabular.Written
	var cells [][]table.Cell
	for i := range rapid.IntRange(1, 20).Draw(t, "columns") {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		missing := rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(t, "missing")
		columns = append(columns, tabular.Written{Name: string(rune('a'+i)) + " ü.x", Kind: kind})
		var of []table.Cell
		for range rows {
			c := table.Cell{Kind: kind}
			switch kind {
			case table.Boolean:
				c.Int = rapid.Int64Range(0, 1).Draw(t, "b")
			case table.Integer:
				c.Int = rapid.Int64().Draw(t, "i")
			case table.Time:
				c.Int = rapid.Int64Range(-1<<52, 1<<52).Draw(t, "t")
			case table.Number:
				c.Float = rapid.Float64().Draw(t, "f")
			default:
				c.Text = rapid.String().Draw(t, "s")
			}
			if rapid.Float64Range(0, 1).Draw(t, "m") < missing || missing == 1 {
				c = table.Cell{}
			}
			of = append(of, c)
		}
		cells = append(cells, of)
	}
	return columns, cells
}

func TestWhatIsWrittenAsParquetIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(rapid.IntRange(0, 70), 0, 4).Draw(t, "groups")
		rows := 0
		for _, n := range groups {
			rows += n
		}
		columns, cells := columnsOfAnyKind(t, rows)
		path := filepath.Join(dir, "t.parquet")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := tabular.NewParquetWriter(f, columns)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, n := range groups {
			b := &table.Batch{Size: n}
			for i := range cells {
				b.Columns = append(b.Columns, table.VectorOf(cells[i][at:at+n]))
			}
			at += n
			if err := w.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		compareWithFile(t, path, columns, cells, rows)
	})
}

func compareWithFile(t *rapid.T, path string, columns []tabular.Written, cells [][]table.Cell, rows int) {
	source, _, err := tabular.OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := source.Rows(); n != int64(rows) {
		t.Fatalf("%d rows; want %d", n, rows)
	}
	for i, c := range source.Columns() {
		if c.Name != columns[i].Name {
			t.Fatalf("column %d is %q; want %q", i, c.Name, columns[i].Name)
		}
	}
	scan := source.Scan()
	defer scan.Close()
	seen := 0
	for {
		b, err := scan.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for row := range b.Size {
			for i := range columns {
				got, want := b.Columns[i].Cell(row), cells[i][seen+row]
				same := got == want || got.Kind == table.Number && want.Kind == table.Number && math.IsNaN(got.Float) && math.IsNaN(want.Float)
				if got.Kind == table.Time { // shown is not compared
					same = got.Int == want.Int && want.Kind == table.Time
				}
				if !same {
					t.Fatalf("row %d of %s: %+v; want %+v", seen+row, columns[i].Name, got, want)
				}
			}
		}
		seen += b.Size
	}
	if seen != rows {
		t.Fatalf("%d rows were read; want %d", seen, rows)
	}
}
