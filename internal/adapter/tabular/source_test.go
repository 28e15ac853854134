package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// readAll returns the rows of a table as people see them, and what was found.
func readAll(t testing.TB, path string, columns ...int) ([]string, []string) {
	t.Helper()
	src, closer, err := OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	s := src.Scan(columns...)
	defer s.Close()
	var rows []string
	for {
		b, err := s.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Row != int64(len(rows)) {
			t.Fatalf("a batch begins at row %d, not %d", b.Row, len(rows))
		}
		for i := range b.Size {
			var cells []string
			for k := range b.Columns {
				c := b.Columns[k].Cell(i)
				cells = append(cells, c.Kind.String()+" "+c.Shown())
			}
			rows = append(rows, strings.Join(cells, ", "))
		}
	}
	var found []string
	for _, f := range append(table.Findings(src), table.Findings(s)...) {
		found = append(found, fmt.Sprintf("%s: %s, %d, row %d, %q", f.Column, f.What, f.Count, f.Row, f.Example))
	}
	return rows, found
}

func TestNothingInATextIsReadAsSomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		rows    []string
		found   []string
	}{
		"codes stay texts": {
			"a\n1\n007\n2\n", []string{"text 1", "text 007", "text 2"},
			[]string{`a: read as text: as a number, "007" would lose what is written before it, 0, row -1, ""`},
		},
		"phone numbers stay texts": {
			"a\n+49170\n2\n", []string{"text +49170", "text 2"},
			[]string{`a: read as text: as a number, "+49170" would lose what is written before it, 0, row -1, ""`},
		},
		"long numbers stay texts": {
			"a\n1\n123456789012345678901\n", []string{"text 1", "text 123456789012345678901"},
			[]string{`a: read as text: "123456789012345678901" has more digits than a number keeps, 0, row -1, ""`},
		},
		"the largest and the smallest integer": {
			"a\n9223372036854775807\n-9223372036854775808\n", []string{"integer 9223372036854775807", "integer -9223372036854775808"}, nil,
		},
		"a stray word among numbers": {
			"a\n" + strings.Repeat("1\n", 19) + "x\n", append(repeat("integer 1", 19), "text x"),
			[]string{`a: text where the others are integer, 1, row 19, "x"`},
		},
		"a fraction among integers": {
			"a\n" + strings.Repeat("1\n", 2) + "2.5\n", []string{"number 1", "number 1", "number 2.5"}, nil,
		},
		"several kinds": {
			"a\n1\nx\n2013-01-01\n", []string{"text 1", "text x", "text 2013-01-01"},
			[]string{`a: read as text: its values are of several kinds, "x" among them, 0, row -1, ""`},
		},
		"what is no value": {
			"a,b\n1,x\nNA,null\n,\n", []string{"integer 1, text x", "empty , empty ", "empty , empty "},
			[]string{`a: "NA" is read as no value, 1, row 1, ""`, `b: "null" is read as no value, 1, row 1, ""`},
		},
		"an empty text is one when it is quoted": {
			"a,b\n\"\",1\n,2\nx,3\n", []string{`text "", integer 1`, "empty , integer 2", "text x, integer 3"}, nil,
		},
		"quotes": {
			"a,b\n\"x, \"\"y\"\"\nz\",1\n5\" pipe,2\n\"a\"b\",3\n", []string{"text x, \"y\"\nz, integer 1", `text 5" pipe, integer 2`, `text a"b, integer 3`},
			[]string{`: a quote within a quoted value is not doubled; the value goes on to the next quote before a delimiter, 1, row 2, ""`},
		},
		"names in Latin-1": {
			"gr\xf6\xdfe\n1\n", []string{"integer 1"},
			[]string{"gr\uFFFDe: its name is not in UTF-8; the file may be in Latin-1 or Windows-1252, convert it first, 0, row -1, \"\""},
		},
		"ragged rows": {
			"a,b\n1,2\n3\n4,5,6\n", []string{"integer 1, integer 2, empty ", "integer 3, empty , empty ", "integer 4, integer 5, integer 6"},
			[]string{`: rows have fewer fields than there are columns; what is not there is null, 2, row 0, ""`},
		},
		"Latin-1": {
			"a\ncaf\xe9\nx\n", []string{"text caf\xe9", "text x"},
			[]string{`a: values are not in UTF-8; the file may be in Latin-1 or Windows-1252, convert it first, 1, row 0, "caf` + "\uFFFD" + `"`},
		},
		"a mark, semicolons and ends of lines of Windows": {
			"\xef\xbb\xbfa;b\r\n1;x\r\n2;\"y\"\r\n", []string{"integer 1, text x", "integer 2, text y"}, []string{`: columns are parted by ";", 0, row -1, ""`},
		},
		"names that are there twice": {
			"a,a\n1,2\n", []string{"integer 1, integer 2"}, []string{`a: several columns have this name, 0, row -1, ""`},
		},
		"times": {
			"a,b\n2013-02-28 23:59:59.5,2013-02-30\n2013-03-01T00:00:00+01:00,2013-03-01\n",
			[]string{"time 2013-02-28 23:59:59.5, text 2013-02-30", "time 2013-02-28 23:00:00, text 2013-03-01"},
			[]string{`b: read as text: its values are of several kinds, "2013-02-30" among them, 0, row -1, ""`},
		},
		"infinities and truths": {
			"a,b\n1.5,true\ninf,False\n-Infinity,TRUE\n", []string{"number 1.5, boolean true", "number +Inf, boolean false", "number -Inf, boolean true"}, nil,
		},
		"blanks": {"a,b\n 1, x\n2 ,y \n", []string{"integer 1, text  x", "integer 2, text y "}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rows, found := readAll(t, filepath.Join(write(t, t.TempDir(), map[string]string{"x.csv": c.content}), "x.csv"))
			if d := cmp.Diff(c.rows, rows); d != "" {
				t.Errorf("rows: %s", d)
			}
			if d := cmp.Diff(c.found, found); d != "" {
				t.Errorf("findings: %s", d)
			}
		})
	}
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// A text that is cut into blocks anywhere, quotes and ends of lines in it, has its rows.
func TestATextOfManyBlocksHasItsRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	var want []string
	b.WriteString("id,text,half\n")
	words := []string{"plain", `"quo""ted"`, "\"two\nlines\"", `"a,b"`, `5" wide`, ""}
	shown := []string{"text plain", `text quo"ted`, "text two\nlines", "text a,b", `text 5" wide`, "empty "}
	for i := 0; b.Len() < 3*blockSize; i++ {
		k := r.IntN(len(words))
		fmt.Fprintf(&b, "%d,%s,%g\n", i, words[k], float64(i)+0.5)
		want = append(want, fmt.Sprintf("integer %d, %s, number %s", i, shown[k], table.ShownNumber(float64(i)+0.5, 64)))
	}
	dir := write(t, t.TempDir(), map[string]string{"x.csv": b.String()})
	rows, found := readAll(t, filepath.Join(dir, "x.csv"))
	if d := cmp.Diff(want, rows); d != "" || found != nil {
		t.Fatalf("%.2000s %v", d, found)
	}
	rows, _ = readAll(t, filepath.Join(dir, "x.csv"), 2)
	if len(rows) != len(want) || rows[7] != "number 7.5" {
		t.Errorf("%d rows of one column: %s", len(rows), rows[7])
	}
}

func TestAValueThatComesLateIsNotLost(t *testing.T) {
	content := "a,b\n" + strings.Repeat("1,\n", 600_000) + "x,007\n2.5,1\n"
	rows, found := readAll(t, filepath.Join(write(t, t.TempDir(), map[string]string{"x.csv": content}), "x.csv"))
	if d := cmp.Diff([]string{"integer 1, empty ", "text x, text 007", "number 2.5, integer 1"}, append([]string{rows[0]}, rows[600_000:]...)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{`a: text where the others are integer, 1, row 600000, "x"`}, found); d != "" {
		t.Error(d)
	}
}

func TestADirectoryIsOneTable(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"part-1.csv": "a,b\n1,x\n", "part-2.csv": "b,c\ny,2.5\nz,3\n", "part-3.csv": "a,b,c\n7.5,w,\n", "_SUCCESS": "", ".hidden.csv": "q\n1\n", "notes.md": "hello",
	})
	rows, found := readAll(t, dir)
	want := []string{"integer 1, text x, empty ", "empty , text y, number 2.5", "empty , text z, number 3", "number 7.5, text w, empty "}
	if d := cmp.Diff(want, rows); d != "" {
		t.Error(d)
	}
	if len(found) != 2 || !strings.HasPrefix(found[0], "a: 1 of 3 files lack the column") || !strings.HasPrefix(found[1], "c: 1 of 3 files lack the column") {
		t.Errorf("%q", found)
	}
	rows, _ = readAll(t, dir, 0)
	if d := cmp.Diff([]string{"integer 1", "empty ", "empty ", "number 7.5"}, rows); d != "" {
		t.Error(d)
	}
}

func TestADirectoryOfParquetFilesSaysWhichTypesChange(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"types", "empty", "brotli"} {
		if name != "brotli" {
			write(t, dir, map[string]string{name + ".parquet": string(testFile(t, name+".parquet"))})
		}
	}
	src, _, err := OpenSource(dir)
	if err != nil || src.Rows() != 300 || len(src.Columns()) != 22 || !table.Columnar(src) {
		t.Fatalf("%v", err)
	}
	if found := table.Findings(src); len(found) != 0 {
		t.Errorf("%v", found)
	}
	rows, _ := readAll(t, dir, 0)
	if len(rows) != 300 || rows[299] != "integer 299" {
		t.Errorf("%d rows", len(rows))
	}
}

func TestWhatIsNoTableIsNamed(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"mixed/a.csv": "a\n1\n", "mixed/b.jsonl": "{\"a\":1}\n", "none/_x": "", "zip.csv.gz": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b",
		"list.json": `[{"a": 1}, {"a": 2}]`, "list": "[\n  {\"a\": 1},\n  {\"a\": 2}\n]\n", "pretty": "{\n  \"a\": [1, 2]\n}\n", "mac.csv": "a,b\r1,2\r3,4\r", "book.xlsx": "PK\x03\x04\x14\x00\x06",
		"wide.csv": "a\x00,\x00b\x00\n\x00", "utf16.csv": "\xff\xfea\x00\n\x00", "none.csv": "", "blank.csv": "\n\n"})
	for path, want := range map[string]string{"mixed": "a table is of one format", "none": "has no files", "gone.csv": "no such file", "zip.csv.gz": "cut off",
		"list.json": "one JSON document", "list": "one JSON document", "pretty": "one JSON document", "mac.csv": "a carriage return alone", "book.xlsx": "an Excel workbook",
		"wide.csv": "in UTF-16", "utf16.csv": "in UTF-16", "none.csv": "the file is empty", "blank.csv": "holds no rows"} {
		_, _, err := OpenSource(filepath.Join(dir, path))
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) == fault.Internal {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestLinesOfJSONHaveTheirKinds(t *testing.T) {
	content := `{"a":1,"b":"x","c":[1,2,{"d":[3]}],"e":true}` + "\n" +
		`{"b":"2013-01-01","a":2.5,"late":12345678901234567890, "e" : false ,"a":3}` + "\n" +
		`{"a":null,"b":"\u00e9\n","c":{"x":1}}` + "\nno\n{\"a\":1} x\n"
	rows, found := readAll(t, filepath.Join(write(t, t.TempDir(), map[string]string{"x.jsonl": content}), "x.jsonl"))
	want := []string{
		`integer 1, text x, list [1,2,{"d":[3]}], boolean true, empty `,
		"integer 3, text 2013-01-01, empty , boolean false, number 12345678901234567890",
		"empty , text é\n, list {\"x\":1}, empty , empty ",
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Error(d)
	}
	if len(found) != 4 || !strings.Contains(found[1], "the key is there twice in an object; the last counts, 1, row 1") || !strings.Contains(found[3], "lines are no JSON objects and were left out, 2") {
		t.Errorf("%q", found)
	}
}

func TestTextsOfJSONAreReadAsTheyAreWritten(t *testing.T) {
	content := "{\"a\":\"caf\xe9\",\"b\":\"2013-01-01\",\"c\":\"2013-01-01\"}\n" + `{"a":"\ud83d","b":"2013-01-02","c":"soon"}` + "\n" + `{"a":"\ud83d\ude00 \ufffd","r` + "\xe9" + `":"x"}` + "\n"
	rows, found := readAll(t, filepath.Join(write(t, t.TempDir(), map[string]string{"x.jsonl": content}), "x.jsonl"))
	want := []string{
		"text caf\xe9, date 2013-01-01, text 2013-01-01, empty ",
		"text \uFFFD, date 2013-01-02, text soon, empty ",
		"text \U0001F600 \uFFFD, empty , empty , text x",
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Error(d)
	}
	want = []string{
		"r\uFFFD: its name is not in UTF-8; the file may be in Latin-1 or Windows-1252, convert it first, 0, row -1, \"\"",
		`c: dates and times are read as text, since there are texts that are neither, 1, row 1, "soon"`,
		"a: values are not in UTF-8; the file may be in Latin-1 or Windows-1252, convert it first, 1, row 0, \"caf\uFFFD\"",
		`a: an escape is half of a character and was replaced, 1, row 1, "\"\\ud83d\""`,
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Error(d)
	}
}

func TestAQuoteThatIsNotClosedIsNoValue(t *testing.T) {
	long := "a,b\n" + strings.Repeat("1,x\n", 700_000)
	for content, want := range map[string]string{
		"a,b\n1,\"x\n2,y\n3,z\n":     `begins with "x"; the file is cut off`,
		"\"a,b\n1,x\n":               `begins with "a,b"`,
		long + "2,\"y\n3,z\n":        `row 700001: a quote is opened and not closed`,
		long + "2,\"y\n3,z\"\n4,\"u": `row 700002: a quote is opened and not closed`,
	} {
		path := filepath.Join(write(t, t.TempDir(), map[string]string{"x.csv": content}), "x.csv")
		src, _, err := OpenSource(path)
		if err == nil {
			s := src.Scan()
			for err == nil {
				_, err = s.Next(context.Background())
			}
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%.20q: %v, want %q", content, err, want)
		}
	}
}

func TestAScanThatIsStoppedLeavesNothingBehind(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"x.csv": "a\n" + strings.Repeat("1\n", 4_000_000)})
	src, _, err := OpenSource(filepath.Join(dir, "x.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s := src.Scan()
	if _, err := s.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Next(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A text that says nothing of its size, and damaged Parquet files, are read in bounded memory.
func TestReadingTakesLittleMemory(t *testing.T) {
	row := strings.Repeat("0123456789,", 20) + "\n"
	dir := write(t, t.TempDir(), map[string]string{"x.csv": strings.Repeat("a,", 20) + "\n" + strings.Repeat(row, 400_000)}) // 88 MB
	src, _, err := OpenSource(filepath.Join(dir, "x.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s := src.Scan()
	defer s.Close()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := uint64(0)
	for {
		_, err := s.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	if most > before.HeapInuse+64<<20 {
		t.Errorf("%d MiB of memory", (most-before.HeapInuse)>>20)
	}
}

// FuzzColumns reads changed Parquet files as a scan does, without the limits of a preview.
func FuzzColumns(f *testing.F) {
	for _, name := range []string{"types", "plain", "pages", "gzip", "delta", "empty"} {
		f.Add(testFile(f, name+".parquet"), uint16(0), byte(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint16, to byte) {
		if len(b) == 0 || len(b) > 1<<16 {
			return
		}
		b = bytes.Clone(b)
		b[int(at)%len(b)] = to
		scanAll(t, b, "x.parquet")
	})
}

// FuzzScan reads any text as a scan does.
func FuzzScan(f *testing.F) {
	f.Add("a.csv", []byte("a,b\n1,\"2\n\",3\n"))
	f.Add("a.csv", []byte("a;b\n007;2013-01-01\n"))
	f.Add("a.jsonl", []byte("{\"a\":{\"b\":[1]}}\n{}"))
	f.Add("a.csv", []byte("\"\"\"\n\"\"x\",\r\n"))
	f.Fuzz(func(t *testing.T, name string, b []byte) { scanAll(t, b, name) })
}

func scanAll(t *testing.T, b []byte, name string) {
	r := &seeker{f: bytes.NewReader(b)}
	src, _, err := openFile(r, int64(len(b)), name, func(int64) (file, error) { return r, nil }, everything)
	for i := 0; err == nil && i < 2; i++ {
		var columns []int
		if i == 1 && len(src.Columns()) > 0 {
			columns = []int{len(src.Columns()) - 1}
		}
		s := src.Scan(columns...)
		for err == nil {
			var batch *table.Batch
			if batch, err = s.Next(context.Background()); err == nil {
				for k := range batch.Columns {
					v := &batch.Columns[k]
					if v.Size != batch.Size {
						t.Fatalf("column %d has %d values in a batch of %d rows", k, v.Size, batch.Size)
					}
					_ = v.Cell(v.Size - 1)
				}
			}
		}
		table.Findings(s)
		if e := s.Close(); e != nil {
			t.Fatal(e)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil && fault.KindOf(err) == fault.Internal {
		t.Errorf("%v has no kind", err)
	}
}
