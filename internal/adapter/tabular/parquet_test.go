package tabular

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

var update = flag.Bool("update", false, "rewrite the expected files")

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// whole reads a table column by column, or, at a second time, all columns together.
func whole(t *testing.T, b []byte, name string, l table.Limits) map[string][]string {
	t.Helper()
	r := &seeker{f: bytes.NewReader(b)}
	src, _, err := openFile(r, int64(len(b)), name, func(int64) (file, error) { return r, nil }, l)
	if err != nil {
		t.Fatal(err)
	}
	one, all := map[string][]string{}, map[string][]string{}
	for i := range src.Columns() {
		cells(t, src, one, i)
	}
	cells(t, src, all)
	if diff := cmp.Diff(one, all); diff != "" {
		t.Errorf("columns one by one and together: %s", diff)
	}
	return one
}

// cells adds what people see of columns.
func cells(t *testing.T, src table.Source, out map[string][]string, columns ...int) {
	t.Helper()
	s := src.Scan(columns...)
	defer s.Close()
	if len(columns) == 0 {
		for i := range src.Columns() {
			columns = append(columns, i)
		}
	}
	row := int64(0)
	for {
		b, err := s.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Row != row {
			t.Fatalf("a batch begins at row %d, not %d", b.Row, row)
		}
		row += int64(b.Size)
		for i, c := range columns {
			column := src.Columns()[c].Name
			for k := range b.Size {
				shown := "null"
				if cell := b.Columns[i].Cell(k); cell.Kind != table.Null {
					shown = cell.Shown()
				}
				out[column] = append(out[column], shown)
			}
		}
	}
}

func TestEveryTypeOfParquetIsReadAndSummedUp(t *testing.T) {
	s, err := New().Summarize(context.Background(), bytes.NewReader(testFile(t, "types.parquet")), "x", 8)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for i, c := range s.Columns {
		p := c
		text = fmt.Appendf(text, "%s (%s): %s, %d nulls, %d distinct, %q to %q", c.Name, c.Declared, p.Type, p.Nulls, p.Distinct, p.Min, p.Max)
		if p.Mean != nil {
			text = fmt.Appendf(text, ", mean %g", *p.Mean)
		}
		text = append(text, "\n  first"...)
		for _, row := range s.Rows {
			cell := "null"
			if i < len(row) && row[i] != nil {
				cell = strconv.Quote(*row[i])
			}
			text = append(text, " "+cell...)
		}
		text = fmt.Appendf(text, "\n  top %v\n", p.Top)
	}
	golden := filepath.Join("testdata", "types.txt")
	if *update {
		if err := os.WriteFile(golden, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(testFile(t, "types.txt")), string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestAllWaysToWriteAParquetFileGiveTheSameTable(t *testing.T) {
	want := whole(t, testFile(t, "types.parquet"), "", everything)
	if len(want["text"]) != 300 || want["text"][1] != "number 0119" {
		t.Fatalf("text %q", want["text"][:2])
	}
	for _, name := range []string{"plain", "pages", "gzip", "delta"} {
		got := whole(t, testFile(t, name+".parquet"), "", everything)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLimitsCutAParquetFileAndSayWhere(t *testing.T) {
	pages := testFile(t, "pages.parquet")
	all := whole(t, pages, "", everything)
	limits := table.Limits{Rows: 100, Columns: 3, Bytes: 1 << 20, Cells: 1 << 20}
	got := whole(t, pages, "", limits)
	if diff := cmp.Diff(all["small"][:100], got["small"]); diff != "" || len(got) != 3 {
		t.Errorf("%d columns %s", len(got), diff)
	}
	s, err := summarize(context.Background(), bytes.NewReader(pages), "", 5, limits)
	if extent := s.Extent; err != nil || extent.Rows != 100 || extent.Total != 300 || extent.Columns != 22 || extent.Cut != "the first 100 rows" {
		t.Errorf("%v, %+v", err, extent)
	}
	s, err = summarize(context.Background(), bytes.NewReader(pages), "", 5, table.Limits{Rows: 100, Columns: 30, Bytes: 1000, Cells: 1 << 20})
	if err != nil || s.Extent.Rows > 20 {
		t.Errorf("%v, %d rows were read of about a thousand bytes", err, s.Extent.Rows)
	}
	lists := whole(t, pages, "", table.Limits{Rows: 100, Columns: 30, Bytes: 1 << 20, Cells: 1 << 20})
	if diff := cmp.Diff(all["tags"][:100], lists["tags"]); diff != "" {
		t.Error(diff)
	}
}

func TestAParquetFileWithoutRowsHasItsColumns(t *testing.T) {
	s, err := New().Summarize(context.Background(), bytes.NewReader(testFile(t, "empty.parquet")), "", 10)
	if err != nil || len(s.Columns) != 22 || s.Extent.Rows != 0 {
		t.Errorf("%v, %+v", err, s.Extent)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	types := testFile(t, "types.parquet")
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"brotli.parquet", testFile(t, "brotli.parquet"), "Brotli"},
		{"cut.parquet", types[:len(types)/2], "cut off"},
		{"short.parquet", []byte("PAR1"), "cut off"},
		{"footer.parquet", append([]byte("PAR1"), "\xff\xff\xff\x7fPAR1"...), "larger than the file"},
		{"empty.csv", nil, "empty"},
		{"binary.csv", []byte("a,b\n\x00\x01"), "neither Parquet nor text"},
		{"wide.csv", []byte("\xff\xfea\x00"), "UTF-16"},
		{"quote.csv", []byte("a,b\n\"" + strings.Repeat("x", 5<<20)), "longer than 4 MiB"},
		{"x.jsonl", []byte("no\nno\n"), "no line is a JSON object"},
		{"x.jsonl", []byte(`{"a":"` + strings.Repeat("x", 5<<20)), "longer than 4 MiB"},
		{"x.csv.gz", []byte("\x1f\x8bnonsense"), "gzip"},
	} {
		_, err := New().Summarize(context.Background(), bytes.NewReader(c.content), c.name, 10)
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want %q and Invalid", c.name, err, c.want)
		}
	}
}

// FuzzParquet changes bytes of real files: a reader may refuse them, and neither panics nor takes more memory than its limits.
func FuzzParquet(f *testing.F) {
	for _, name := range []string{"types", "plain", "pages", "gzip", "delta", "empty", "brotli"} {
		f.Add(testFile(f, name+".parquet"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 || string(b[:4]) != parquetMagic {
			b = append([]byte(parquetMagic), b...)
		}
		_, err := New().Summarize(context.Background(), bytes.NewReader(b), "x.parquet", 10)
		if err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%v has no kind", err)
		}
	})
}

func TestDamageAnywhereInAParquetFileIsNoPanic(t *testing.T) {
	for _, name := range []string{"types", "plain", "pages", "gzip", "delta"} {
		b := testFile(t, name+".parquet")
		step := max(1, len(b)/60)
		for at := 4; at < len(b); at += step {
			for _, to := range []byte{0, 0xff, b[at] ^ 0x80, b[at] + 1} {
				changed := bytes.Clone(b)
				changed[at] = to
				if _, err := New().Summarize(context.Background(), bytes.NewReader(changed), "x", 10); err != nil && fault.KindOf(err) == fault.Internal {
					t.Fatalf("%s with byte %d changed to %d: %v has no kind", name, at, to, err)
				}
			}
		}
	}
}
