package expect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"levada/internal/core/expect"
	"levada/internal/core/table"
)

// apart is a table whose columns are read one by one, in batches of some rows. Texts come with a dictionary, a new one every few batches,
// where coded says so. It counts how often each column is read.
type apart struct {
	names []string
	cells [][]table.Cell
	batch int
	coded bool

	mutex sync.Mutex
	reads map[string]int
}

func (a *apart) Columns() []table.Column {
	out := make([]table.Column, len(a.names))
	for i, n := range a.names {
		out[i].Name = n
	}
	return out
}

func (a *apart) Rows() int64    { return int64(len(a.cells[0])) }
func (a *apart) Columnar() bool { return true }

func (a *apart) Scan(columns ...int) table.Scanner {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.reads == nil {
		a.reads = map[string]int{}
	}
	for _, c := range columns {
		a.reads[a.names[c]]++
	}
	return &apartScanner{a: a, columns: columns, dictionaries: map[int]*lexicon{}}
}

// lexicon is the texts that a dictionary has.
type lexicon struct {
	texts []string
	at    map[string]uint32
}

type apartScanner struct {
	a            *apart
	columns      []int
	row, batches int
	dictionaries map[int]*lexicon
}

func (s *apartScanner) Close() error { return nil }

func (s *apartScanner) Next(context.Context) (*table.Batch, error) {
	n := min(s.a.batch, int(s.a.Rows())-s.row)
	if n <= 0 {
		return nil, io.EOF
	}
	b := &table.Batch{Row: int64(s.row), Size: n}
	if s.batches%3 == 0 {
		clear(s.dictionaries)
	}
	for _, c := range s.columns {
		v := table.VectorOf(slices.Clone(s.a.cells[c][s.row : s.row+n]))
		if s.a.coded && v.Kind == table.Text {
			s.code(c, &v)
		}
		b.Columns = append(b.Columns, v)
	}
	s.row += n
	s.batches++
	return b, nil
}

// code puts the texts of a vector, and of the batches that follow, into a dictionary.
func (s *apartScanner) code(c int, v *table.Vector) {
	d := s.dictionaries[c]
	if d == nil {
		d = &lexicon{at: map[string]uint32{}}
		s.dictionaries[c] = d
		for _, cell := range s.a.cells[c][s.row:min(len(s.a.cells[c]), s.row+3*s.a.batch)] {
			if _, known := d.at[cell.Text]; !known {
				d.at[cell.Text] = uint32(len(d.texts))
				d.texts = append(d.texts, cell.Text)
			}
		}
	}
	v.Codes = make([]uint32, v.Size)
	for i, cell := range s.a.cells[c][s.row : s.row+v.Size] {
		v.Codes[i] = d.at[cell.Text]
	}
	v.Texts = d.texts
}

// atOnce calls all at the same time.
func atOnce(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	failed := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { failed[i] = do(ctx, i) })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// plain tells values apart in the simplest way: by their digits or letters. Empty says that there is none.
func plain(c table.Cell) string {
	switch c.Kind {
	case table.Null:
		return ""
	case table.Integer, table.Boolean:
		return "number " + strconv.FormatInt(c.Int, 10)
	case table.Number:
		if math.IsNaN(c.Float) {
			return ""
		}
		if c.Text != "" {
			return "number " + c.Text
		}
		return "number " + strconv.FormatFloat(c.Float+0, 'f', -1, 64) // -0 + 0 is 0
	}
	return fmt.Sprint(c.Kind, c.Int, c.Text)
}

// naive returns the rows whose values in some columns are in another row, how many rows were looked at, and how many different values there
// are.
func naive(a *apart, columns []int, rows func(i int) bool, skip func(missing int) bool) (repeated []int64, looked, different int) {
	keys := make([]string, a.Rows())
	seen := map[string]int{}
	for i := range keys {
		missing := 0
		for _, c := range columns {
			k := plain(a.cells[c][i])
			if k == "" {
				missing++
			}
			keys[i] += k + "\x00"
		}
		if !rows(i) || skip(missing) {
			keys[i] = ""
			continue
		}
		looked++
		seen[keys[i]]++
	}
	for i, k := range keys {
		if seen[k] > 1 && k != "" {
			repeated = append(repeated, int64(i))
		}
	}
	return repeated, looked, len(seen)
}

// drawn are random values of a kind, few of them different.
func drawn(t *rapid.T, kind string, n int) []table.Cell {
	many := rapid.SampledFrom([]int{2, 10, 1000}).Draw(t, "different "+kind)
	one := rapid.Custom(func(t *rapid.T) table.Cell {
		x := rapid.IntRange(-many, many).Draw(t, kind)
		if rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
			return table.Cell{}
		}
		switch kind {
		case "int":
			return table.Cell{Kind: table.Integer, Int: int64(x) * (1 << 40)}
		case "float":
			special := map[int]float64{-2: math.NaN(), -1: math.Copysign(0, -1), 0: 0, 1: math.Inf(1)}
			if f, ok := special[x]; ok {
				return table.Cell{Kind: table.Number, Float: f}
			}
			return table.Cell{Kind: table.Number, Float: float64(x) / 4}
		case "decimal": // more digits than a float has, but for some
			if x%3 == 0 {
				return table.Cell{Kind: table.Number, Float: float64(x) / 4}
			}
			text := fmt.Sprintf("12345678901234567.%04d1", x+many)
			f, _ := strconv.ParseFloat(text, 64)
			return table.Cell{Kind: table.Number, Float: f, Text: text}
		case "mixed":
			if x%2 == 0 {
				return table.Cell{Kind: table.Integer, Int: int64(x)}
			}
			return table.Cell{Kind: table.Text, Text: strconv.Itoa(x - 1)}
		case "time":
			return table.Cell{Kind: table.Time, Int: int64(x)}
		}
		return table.Cell{Kind: table.Text, Text: fmt.Sprintf("text %d", x)}
	})
	return rapid.SliceOfN(one, n, n).Draw(t, kind+"s")
}

// TestDuplicatesAreThoseOfANaiveSearch draws tables with columns of each kind, and compares what is found of single columns and of several
// together, all rows and some, with much memory and with little.
func TestDuplicatesAreThoseOfANaiveSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 120).Draw(t, "rows")
		a := &apart{names: []string{"int", "float", "decimal", "mixed", "time", "text"}, batch: rapid.IntRange(1, 70).Draw(t, "batch"), coded: rapid.Bool().Draw(t, "coded")}
		for _, kind := range a.names {
			a.cells = append(a.cells, drawn(t, kind, n))
		}
		chosen := func(int) bool { return true }
		kwargs := func(more map[string]any) map[string]any { return more }
		if rapid.Bool().Draw(t, "condition") {
			chosen = func(i int) bool { return a.cells[0][i].Kind == table.Integer && a.cells[0][i].Int > 0 }
			kwargs = func(more map[string]any) map[string]any {
				more["row_condition"], more["condition_parser"] = "int > 0", "pandas"
				return more
			}
		}
		skips := map[string]func(columns int) func(missing int) bool{
			"any_value_is_missing":   func(int) func(int) bool { return func(missing int) bool { return missing > 0 } },
			"all_values_are_missing": func(columns int) func(int) bool { return func(missing int) bool { return missing == columns } },
			"never":                  func(int) func(int) bool { return func(int) bool { return false } },
		}
		var expectations []expect.Expectation
		var want []any
		for c, name := range a.names {
			rows, looked, different := naive(a, []int{c}, chosen, skips["any_value_is_missing"](1))
			expectations = append(expectations,
				expect.Expectation{Type: "expect_column_values_to_be_unique", Kwargs: kwargs(map[string]any{"column": name})},
				expect.Expectation{Type: "expect_column_unique_value_count_to_be_between", Kwargs: kwargs(map[string]any{"column": name, "min_value": int64(0)})})
			want = append(want, looked, len(rows), rows, different)
		}
		for _, columns := range [][]int{{0, 5}, {1, 2, 3}, {4, 5}} {
			ignore := rapid.SampledFrom([]string{"any_value_is_missing", "all_values_are_missing", "never"}).Draw(t, "ignore")
			rows, looked, _ := naive(a, columns, chosen, skips[ignore](len(columns)))
			var names []any
			for _, c := range columns {
				names = append(names, a.names[c])
			}
			expectations = append(expectations, expect.Expectation{Type: "expect_compound_columns_to_be_unique",
				Kwargs: kwargs(map[string]any{"column_list": names, "ignore_row_if": ignore})})
			want = append(want, looked, len(rows), rows)
		}
		o := expect.Options{Format: expect.Format{Level: expect.Complete}, Each: atOnce}
		if rapid.Bool().Draw(t, "little memory") {
			o.MostValues = rapid.IntRange(1, 200).Draw(t, "most values")
		}
		report, err := expect.Check(tContext, a, expect.Suite{Expectations: expectations}, o)
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		for _, r := range report.Results {
			if r.Failure != nil {
				t.Fatal(r.Failure)
			}
			f := r.Fields()
			if seen, shown := r.Observed(); shown {
				got = append(got, seen)
				continue
			}
			rows := []int64(nil)
			for _, u := range r.Unexpected() {
				rows = append(rows, u.Row)
			}
			got = append(got, f["element_count"].(int64)-missing(f), f["unexpected_count"], rows)
		}
		if diff := cmp.Diff(asJSON(t, want), asJSON(t, got)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func missing(f map[string]any) int64 {
	n, _ := f["missing_count"].(int64)
	return n
}

func asJSON(t interface{ Fatal(...any) }, v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDuplicatesAmongManyKeysAreFound looks for them in columns long enough for each of the ways in which keys are kept.
func TestDuplicatesAmongManyKeysAreFound(t *testing.T) {
	const n = 30_000
	rising := make([]int64, n)
	for i := range rising {
		rising[i] = int64(i)*3 - 1000
	}
	shuffled := slices.Clone(rising)
	dice := rand.New(rand.NewPCG(1, 2))
	dice.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	falling := slices.Clone(rising)
	slices.Reverse(falling)
	with := func(v []int64, changes map[int]int64) []int64 {
		v = slices.Clone(v)
		for at, x := range changes {
			v[at] = x
		}
		return v
	}
	columns := map[string][]int64{
		"rising": rising, "falling": falling, "shuffled": shuffled,
		"rising, the last is the first":        with(rising, map[int]int64{n - 1: rising[0]}),
		"rising, the last is the one before":   with(rising, map[int]int64{n - 1: rising[n-2]}),
		"rising, out of order but different":   with(rising, map[int]int64{20_000: -5000, 25_000: -6000}),
		"rising, duplicates before and after":  with(rising, map[int]int64{5: rising[4], 20_000: rising[7], 20_001: rising[25_000], 29_000: rising[8]}),
		"falling, duplicates far apart":        with(falling, map[int]int64{15_000: falling[1], 29_999: falling[2]}),
		"shuffled, duplicates of near and far": with(shuffled, map[int]int64{1: shuffled[0], 29_999: shuffled[3], 10_000: shuffled[20_500]}),
		"twice the same, in order":             append(slices.Clone(rising[:n/2]), rising[:n/2]...),
		"few values": func() []int64 {
			v := slices.Clone(shuffled)
			each(v, func(x int64) int64 { return x % 1000 })
			return v
		}(),
		"more values than are kept, all repeated": func() []int64 { v := slices.Clone(shuffled); each(v, func(x int64) int64 { return x / 6 }); return v }(),
	}
	for name, values := range columns {
		for _, most := range []int{0, 10_000} {
			for _, kind := range []string{"integer", "text"} {
				t.Run(fmt.Sprint(name, " ", kind, " ", most), func(t *testing.T) {
					list := make([]table.Cell, n)
					for i, x := range values {
						list[i] = table.Cell{Kind: table.Integer, Int: x}
						if kind == "text" {
							list[i] = table.Cell{Kind: table.Text, Text: strconv.FormatInt(x, 10)}
						}
					}
					checkDuplicates(t, list, most)
				})
			}
		}
	}
}

func each(v []int64, f func(int64) int64) {
	for i := range v {
		v[i] = f(v[i])
	}
}

func checkDuplicates(t *testing.T, list []table.Cell, most int) {
	a := &apart{names: []string{"x"}, cells: [][]table.Cell{list}, batch: 3000}
	rows, _, different := naive(a, []int{0}, func(int) bool { return true }, func(int) bool { return false })
	report, err := expect.Check(tContext, a, expect.Suite{Expectations: []expect.Expectation{
		{Type: "expect_column_values_to_be_unique", Kwargs: map[string]any{"column": "x"}},
		{Type: "expect_column_unique_value_count_to_be_between", Kwargs: map[string]any{"column": "x", "min_value": int64(0)}},
	}}, expect.Options{MostValues: most, Format: expect.Format{Level: expect.Complete}})
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for i, u := range report.Results[0].Unexpected() {
		got = append(got, u.Row)
		if i < 200 && (len(u.Values) != 1 || u.Values[0] != list[u.Row]) {
			t.Fatalf("row %d is shown as %v, want %v", u.Row, u.Values, list[u.Row])
		}
	}
	if !slices.Equal(got, rows) {
		t.Errorf("got %d rows, want %d", len(got), len(rows))
	}
	if seen, _ := report.Results[1].Observed(); seen != int64(different) {
		t.Errorf("got %v different values, want %d", seen, different)
	}
	if n := report.Results[0].Fields()["unexpected_count"]; n != int64(len(rows)) {
		t.Errorf("got %v unexpected rows, want %d", n, len(rows))
	}
}

// TestColumnsThatAreReadAtTheSameTimeGiveTheSameReport compares a table that is read column by column, at the same time, with one that is
// read row by row, in turn; each column is read once.
func TestColumnsThatAreReadAtTheSameTimeGiveTheSameReport(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	a := &apart{names: []string{"id", "age", "country", "score", "other"}, batch: 100, coded: true, cells: make([][]table.Cell, 5)}
	for i := range 2000 {
		a.cells[0] = append(a.cells[0], table.Cell{Kind: table.Integer, Int: int64(i % 1990)})
		a.cells[1] = append(a.cells[1], table.Cell{Kind: table.Integer, Int: int64(dice.IntN(130))})
		a.cells[2] = append(a.cells[2], table.Cell{Kind: table.Text, Text: []string{"NO", "SE", "DK", "se"}[dice.IntN(4)]})
		a.cells[3] = append(a.cells[3], table.Cell{Kind: table.Number, Float: dice.NormFloat64()})
		a.cells[4] = append(a.cells[4], []table.Cell{{}, {Kind: table.Boolean}, {Kind: table.Boolean, Int: 1}}[dice.IntN(3)])
	}
	const text = `
columns:
  id: [not_null, unique, {between: [1, 500]}, {unique_count: [1, 9]}, increasing, {lengths: [1, 2]}]
  age: [{mean: [1, 99]}, {median: [1, 99]}, {between: [0, 120], where: country == "NO"}, {stdev: [0, 1]}]
  country: [{in_set: [NO, SE]}, {regex: "^[A-Z]+$"}, {most_common: [NO]}, {lengths: [2, 2]}, {unique_count: [1, 3]}]
  score: [{quantiles: {0.5: [0, 1], 0.9: [0, 1]}}, {median: [0, 1]}, {max: [0, 3]}, {sum: [0, 1]}]
  other: [not_null, {in_set: [true]}]
  nobody: [not_null]
table: [{row_count: 2000}, {greater: [age, id]}, {unique_together: [id, country]}, {rows: score > -1.0}, {column_count: 5}]
`
	together := &scans{batch: 100, Memory: table.Memory{Names: a.Columns()}}
	for _, c := range a.cells {
		together.Vectors = append(together.Vectors, table.VectorOf(slices.Clone(c)))
	}
	s, err := expect.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]string{}
	for name, run := range map[string]func() (*expect.Report, error){
		"at once": func() (*expect.Report, error) { return expect.Check(tContext, a, s, expect.Options{Each: atOnce}) },
		"in turn": func() (*expect.Report, error) { return expect.Check(tContext, together, s, expect.Options{}) },
		"rows": func() (*expect.Report, error) {
			return expect.Check(tContext, together, s, expect.Options{Each: atOnce})
		},
	} {
		r, err := run()
		if err != nil {
			t.Fatal(err)
		}
		reports[name] = asJSON(t, r.JSON())
	}
	for _, name := range []string{"at once", "rows"} {
		if diff := cmp.Diff(reports["in turn"], reports[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff(map[string]int{"id": 1, "age": 1, "country": 1, "score": 1, "other": 1}, a.reads); diff != "" {
		t.Error(diff)
	}
}

// TestBytesAreToldApartByAllOfThem looks at bytes whose first 16, which are shown, are the same.
func TestBytesAreToldApartByAllOfThem(t *testing.T) {
	const head = "\x00\x01234567890123456"
	for name, v := range map[string]table.Vector{
		"plain":      {Kind: table.Binary, Size: 3, Texts: []string{head + "a", head + "b", head + "a"}},
		"dictionary": {Kind: table.Binary, Size: 3, Texts: []string{head + "a", head + "b"}, Codes: []uint32{0, 1, 0}},
	} {
		s := table.Memory{Names: []table.Column{{Name: "x"}}, Vectors: []table.Vector{v}}
		r := check(t, s, "columns: {x: [unique, {unique_count: [2, 2]}]}", expect.Options{})
		var rows []int64
		for _, u := range r.Results[0].Unexpected() {
			rows = append(rows, u.Row)
		}
		if !slices.Equal(rows, []int64{0, 2}) || !r.Results[1].Success {
			t.Errorf("%s: rows %v, two different values: %v", name, rows, r.Results[1].Success)
		}
	}
}
