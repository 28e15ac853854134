package expect_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"levada/internal/core/expect"
	"levada/internal/core/expect/pylike"
	"levada/internal/core/table"
	"levada/test/levadatest"
)

// TestTextsAreReadAsByPython compares the reading of dates, formats, patterns, JSON and numbers with Python's on random texts.
func TestTextsAreReadAsByPython(t *testing.T) {
	if os.Getenv("LEVADA_DATA") != "all" {
		t.Skip("compares with Python's libraries; run by make test-data-all")
	}
	python, err := levadatest.LibraryPython("expect", "gx")
	if err != nil {
		t.Fatal(err)
	}
	d := &dice{rand.New(rand.NewPCG(5, 6))}
	var cases [][3]string
	for range 4000 {
		cases = append(cases, [3]string{"date", "", d.words(1+d.IntN(7), dateWords)})
		cases = append(cases, [3]string{"strptime", d.words(1+d.IntN(5), formats), d.words(1+d.IntN(6), dateWords)})
		cases = append(cases, [3]string{"regex", pick(d, patterns...), d.words(d.IntN(6), letters)})
		cases = append(cases, [3]string{"is_json", "", d.words(1+d.IntN(6), signs)})
		cases = append(cases, [3]string{"number", "", strconv.FormatFloat((d.Float64()-0.5)*pow(d), 'g', -1, 64)})
	}
	dir := t.TempDir()
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	in, out := filepath.Join(dir, "cases.json"), filepath.Join(dir, "results.json")
	if err := os.WriteFile(in, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(python, filepath.Join(levadatest.Root(), "test", "expect", "python_results.py"), in, out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if text, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	var want []any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	wrong := map[string]int{}
	for i, c := range cases {
		if got := read(c); got != want[i] {
			if wrong[c[0]]++; wrong[c[0]] <= 10 {
				t.Errorf("%s %q of %q: want %v, got %v", c[0], c[1], c[2], want[i], got)
			}
		}
	}
	t.Logf("%d texts, %d differ", len(cases), sum(wrong))
}

func pow(d *dice) float64 {
	f, _ := strconv.ParseFloat("1e"+strconv.Itoa(d.IntN(40)-20), 64)
	return f
}

// read is what we make of a case.
func read(c [3]string) any {
	switch c[0] {
	case "date":
		m, err := pylike.ParseDate(c[2], time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC))
		if err != nil {
			return nil
		}
		if m.Nanosecond() > 0 {
			return m.Format("2006-01-02T15:04:05.000000")
		}
		return m.Format("2006-01-02T15:04:05")
	case "strptime":
		p, err := pylike.CompileStrptime(c[1])
		return err == nil && p.Matches(c[2])
	case "regex":
		r, err := pylike.CompileRegex(c[1])
		if err != nil {
			return err.Error()
		}
		found, err := r.Search(c[2])
		return found && err == nil
	case "number":
		f, _ := strconv.ParseFloat(c[2], 64)
		return pylike.Float(f)
	}
	source := table.Memory{Names: []table.Column{{Name: "x"}}, Vectors: []table.Vector{table.VectorOf([]table.Cell{{Kind: table.Text, Text: c[2]}})}}
	report, err := expect.Check(context.Background(), source, expect.Suite{Expectations: []expect.Expectation{
		{Type: "expect_column_values_to_be_json_parseable", Kwargs: map[string]any{"column": "x"}}}}, expect.Options{})
	return err == nil && report.Success
}

func (d *dice) words(n int, from []string) string {
	var b strings.Builder
	for range n {
		b.WriteString(pick(d, from...))
	}
	return b.String()
}

var (
	dateWords = []string{"2024", "99", "12", "31", "1", "07", "2001", "20240229", "101112", "-", "/", " ", " ", ":", ".", ",", "Jan", "feb", "September", "Tue", "friday",
		"am", "PM", "h", "m", "s", "T", "Z", "UTC", "+", "-", "0300", "03:00", "at", "of", "th", "10:36", "10:36:28", "10:36:28.5", "2024-02-29", "5 May", "x", "hours", "EST", "(", ")"}
	formats  = []string{"%Y", "%m", "%d", "%H", "%M", "%S", "%b", "%B", "%a", "%y", "%p", "%I", "%j", "-", "/", " ", ":", "%Y-%m-%d", "%H:%M", "%f", ".", "%z", "%%"}
	patterns = []string{"^a", "b$", `\d`, `^\w+$`, `\bx`, `a.c`, `^.{2}$`, "", `\s`, `(?i)AB`, `^(a|b)+$`, `[^a]`, `(?=a)b`, `(?<!a)b`, `(.)\1`, `(?P<q>x)(?P=q)`, `\.`,
		`^$`, `a\Z`, `(?m)^b`, `(?s)a.b`, `\W`, `\D+$`, `[\w.]+`, `é`, `^\S+$`, `a{2,}`, `(?:ab)?c`, `a*?b`}
	letters = []string{"a", "b", "c", "x", "7", "é", "Ж", " ", "\n", ".", "_", "٣", "A", "B"}
	signs   = []string{"{", "}", "[", "]", ":", ",", `"a"`, "1", "-1.5e3", "true", "null", "NaN", "-Infinity", " ", `"\u00e9"`, `"`, "01", "'a'", "\n", "1."}
)
