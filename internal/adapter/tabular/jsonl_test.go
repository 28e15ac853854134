package tabular

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDatesOfJSONBecomeTextsWithANoteOnly(t *testing.T) {
	const words = "dates and times are read as text, since there are texts that are neither"
	for name, c := range map[string]struct {
		values      []string
		rows, found []string
	}{
		"other texts": {
			[]string{`"2013-01-01"`, `"n/a"`, `"2013-01-02"`, `"?"`}, []string{"text 2013-01-01", "text n/a", "text 2013-01-02", "text ?"},
			[]string{"a: " + words + `, 2, row 1, "n/a"`},
		},
		"other texts before them": {[]string{`"soon"`, `null`, `"2013-01-01"`}, []string{"text soon", "empty ", "text 2013-01-01"}, []string{"a: " + words + `, 1, row 0, "soon"`}},
		"an empty text says nothing of the kind": {
			[]string{`""`, `"2013-01-01"`, `""`}, []string{"empty ", "date 2013-01-01", "empty "}, []string{`a: "" is read as no value, 2, row 0, ""`},
		},
		"an empty text among dates and others": {
			[]string{`""`, `"2013-01-01"`, `"x"`}, []string{`text ""`, "text 2013-01-01", "text x"}, []string{"a: " + words + `, 1, row 2, "x"`},
		},
		"empty texts among texts": {[]string{`""`, `"x"`}, []string{`text ""`, "text x"}, nil},
		"empty texts alone":       {[]string{`""`, `1`}, []string{`text ""`, "integer 1"}, nil},
		"escapes": {
			[]string{`"2013-01-01T00:00:00\u002b01:00"`, `"2013\u002d01\u002d01"`, `"\u0032013-01-01"`},
			[]string{"time 2012-12-31 23:00:00", "date 2013-01-01", "date 2013-01-01"}, nil,
		},
		"escapes that make no date": {[]string{`"2013-01-01"`, `"2013\/01\/01"`}, []string{"text 2013-01-01", "text 2013/01/01"}, []string{"a: " + words + `, 1, row 1, "2013/01/01"`}},
		"a long text":               {[]string{`"2013-01-01"`, `"` + strings.Repeat("9", 200) + `"`}, []string{"text 2013-01-01", "text " + strings.Repeat("9", 200)}, []string{"a: " + words + `, 1, row 1, "` + strings.Repeat("9", 100) + `…"`}},
	} {
		t.Run(name, func(t *testing.T) {
			content := ""
			for _, v := range c.values {
				content += fmt.Sprintf("{\"a\":%s}\n", v)
			}
			rows, found := readAll(t, filepath.Join(write(t, t.TempDir(), map[string]string{"x.jsonl": content}), "x.jsonl"))
			if d := cmp.Diff(c.rows, rows); d != "" {
				t.Errorf("rows: %s", d)
			}
			if d := cmp.Diff(c.found, found); d != "" {
				t.Errorf("findings: %s", d)
			}
		})
	}
}

// Two names in Latin-1 are shown alike; both columns are there, and that they are called alike is said.
func TestNamesThatBecomeTheSameAreNoted(t *testing.T) {
	for name, content := range map[string]string{
		"x.jsonl": "{\"gr\xf6\":1,\"gr\xfc\":2}\n", "x.csv": "gr\xf6,gr\xfc\n1,2\n", "y.jsonl": `{"a":1,"\u0061":2}` + "\n",
	} {
		rows, found := readAll(t, filepath.Join(write(t, t.TempDir(), map[string]string{name: content}), name))
		if d := cmp.Diff([]string{"integer 1, integer 2"}, rows); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if !strings.Contains(strings.Join(found, "\n"), ": several columns have this name") {
			t.Errorf("%s: found %q", name, found)
		}
	}
}

// The notes of a column name it as the column is called.
func TestNotesNameTheColumn(t *testing.T) {
	content := `{"a\"b":"2013-01-01"}` + "\n" + `{"a\"b":""}` + "\n"
	_, found := readAll(t, filepath.Join(write(t, t.TempDir(), map[string]string{"x.jsonl": content}), "x.jsonl"))
	if d := cmp.Diff([]string{`a"b: "" is read as no value, 1, row 1, ""`}, found); d != "" {
		t.Error(d)
	}
}

func TestLinesOfJSONAreToldFromADocumentByTheFirst(t *testing.T) {
	for content, want := range map[string]bool{
		`{ "a": 1}` + "\n" + `{ "a": 2}` + "\n": true, "\n{\t\"a\": 1 }\r\n{ \"a\": 2 }\r\n": true, `{ "a": 1 }`: true, `{"a":1}` + "\n": true,
		`{ "a": "` + strings.Repeat("x", 2<<20) + `"}`: false, // its first line is longer than what is looked at
		"{\n  \"a\": 1\n}\n":                           false, "{ \"a\":\n 1}\n": false, `[{ "a": 1}]` + "\n": false,
	} {
		for _, name := range []string{"x.json", "x"} {
			src, _, err := OpenSource(filepath.Join(write(t, t.TempDir(), map[string]string{name: content}), name))
			if _, is := src.(*jsonFile); is != want || (err == nil) != want {
				t.Errorf("%s, %.30q: JSON lines %t, want %t (%v)", name, content, is, want, err)
			}
		}
	}
}

// BenchmarkOpenJSON opens a file for its columns and kinds.
func BenchmarkOpenJSON(b *testing.B) {
	for name, value := range map[string]string{"dates": `"2013-01-01"`, "words": `"twenty words"`, "long": `"` + strings.Repeat("2013 ", 20) + `"`, "escapes": `"a \"b\" c"`} {
		b.Run(name, func(b *testing.B) {
			content := strings.Repeat(fmt.Sprintf("{\"a\":%s,\"b\":%s}\n", value, value), 100_000)
			path := filepath.Join(write(b, b.TempDir(), map[string]string{"x.jsonl": content}), "x.jsonl")
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := OpenSource(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
