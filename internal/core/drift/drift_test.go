package drift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// columns makes a table of slices of float64, int, string, bool or table.Cell.
func columns(named map[string]any, order ...string) table.Memory {
	var m table.Memory
	for _, name := range order {
		var cells []table.Cell
		switch values := named[name].(type) {
		case []float64:
			for _, v := range values {
				cells = append(cells, table.Cell{Kind: table.Number, Float: v})
			}
		case []int:
			for _, v := range values {
				cells = append(cells, table.Cell{Kind: table.Integer, Int: int64(v)})
			}
		case []string:
			for _, v := range values {
				cells = append(cells, table.Cell{Kind: table.Text, Text: v})
			}
		case []table.Cell:
			cells = values
		}
		m.Names = append(m.Names, table.Column{Name: name})
		m.Vectors = append(m.Vectors, table.VectorOf(cells))
	}
	return m
}

func many[T any](n int, of func(i int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = of(i)
	}
	return out
}

func compare(t *testing.T, a, b table.Source, o Options) Report {
	t.Helper()
	r, err := Compare(context.Background(), a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func named(t *testing.T, r Report, name string) Column {
	t.Helper()
	for _, c := range r.Columns {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no column %q in %+v", name, r.Columns)
	return Column{}
}

func TestTheDefaultMethodIsEvidentlys(t *testing.T) {
	for _, c := range []struct {
		kind                Kind
		reference, distinct int
		want                string
	}{
		{Numerical, 1000, 6, "ks"}, {Numerical, 1000, 5, "chisquare"}, {Numerical, 1000, 2, "z"}, {Numerical, 1001, 6, "wasserstein"},
		{Numerical, 1001, 5, "jensenshannon"}, {Categorical, 1000, 3, "chisquare"}, {Categorical, 1000, 2, "z"}, {Categorical, 1, 1, "z"},
		{Categorical, 1001, 2, "jensenshannon"}, {Text, 1000, 900, "perc_text_content_drift"}, {Text, 1001, 900, "abs_text_content_drift"},
	} {
		if got := Default(c.kind, c.reference, c.distinct); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestChangesOfFormAreFindingsAndDrift(t *testing.T) {
	numbers := many(50, func(i int) float64 { return float64(i) })
	words := many(50, func(i int) string { return fmt.Sprint("w", i%3) })
	none := make([]table.Cell, 50)
	a := columns(map[string]any{"same": numbers, "type": numbers, "emptied": words, "gone": words, "filled": none, "void": none}, "same", "type", "emptied", "gone", "filled", "void")
	b := columns(map[string]any{"same": numbers, "type": words, "emptied": none, "new": words, "filled": numbers, "void": none}, "new", "void", "filled", "emptied", "type", "same")
	r := compare(t, a, b, Options{})
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Kind+" "+f.Column)
	}
	if d := cmp.Diff([]string{"appeared new", "vanished gone", "type type", "empty emptied", "empty filled"}, got); d != "" {
		t.Error(d)
	}
	// Of same, type, emptied, filled and gone four have changed; nothing is known of void.
	if r.DriftedColumns != 4 || r.Compared != 5 || !r.Drifted {
		t.Errorf("%d of %d, %v", r.DriftedColumns, r.Compared, r.Drifted)
	}
	if text := named(t, r, "type").Note; text != "the reference has numbers, the current table has texts" {
		t.Error(text)
	}
}

func TestWhatMattersComesFirst(t *testing.T) {
	d := stats.Dice(5)
	draw := func(shift float64) func(int) float64 { return func(int) float64 { return shift + gauss(&d) } }
	signal := many(2000, draw(0))
	target := many(2000, func(i int) float64 { return 3*signal[i] + 0.3*gauss(&d) })
	a := columns(map[string]any{"noise": many(2000, draw(0)), "signal": signal, "calm": many(2000, draw(0)), "y": target}, "noise", "signal", "calm", "y")
	b := columns(map[string]any{"noise": many(2000, draw(2)), "signal": many(2000, draw(0.5)), "calm": many(2000, draw(0)), "y": target}, "noise", "signal", "calm", "y")
	order := func(r Report) (out []string) {
		for _, c := range r.Columns {
			out = append(out, c.Name)
		}
		return out
	}
	if d := cmp.Diff([]string{"noise", "signal", "calm", "y"}, order(compare(t, a, b, Options{}))); d != "" {
		t.Error("by effect alone", d)
	}
	r := compare(t, a, b, Options{Target: "y"})
	if d := cmp.Diff([]string{"y", "signal", "noise", "calm"}, order(r)); d != "" {
		t.Error("by what explains the target", d)
	}
	if got := *named(t, r, "signal").Importance; got < 0.9 {
		t.Errorf("the signal explains %v", got)
	}
	if got := *named(t, r, "noise").Importance; got > 0.01 {
		t.Errorf("the noise explains %v", got)
	}
	if d := cmp.Diff([]string{"noise", "signal", "calm", "y"}, order(compare(t, a, b, Options{Importance: map[string]float64{"noise": 5, "signal": 1}}))); d != "" {
		t.Error("by given importance", d)
	}
}

func TestACategoricalTargetIsExplainedToo(t *testing.T) {
	d := stats.Dice(6)
	class := many(3000, func(int) int { return d.Below(3) })
	a := columns(map[string]any{
		"class": class, "number": many(3000, func(i int) float64 { return float64(class[i]) + 0.1*gauss(&d) }),
		"word": many(3000, func(i int) string { return fmt.Sprint("c", class[i]) }), "noise": many(3000, func(int) string { return fmt.Sprint(d.Below(40)) }),
	}, "class", "number", "word", "noise")
	r := compare(t, a, a, Options{Target: "class"})
	for name, low := range map[string]float64{"number": 0.8, "word": 0.99} {
		if got := *named(t, r, name).Importance; got < low || got > 1 {
			t.Errorf("%s explains %v", name, got)
		}
	}
	if got := *named(t, r, "noise").Importance; got > 0.01 {
		t.Errorf("noise explains %v", got)
	}
}

func TestManyColumnsWithoutDriftGiveFewFalseAlarmsUnderControl(t *testing.T) {
	d := stats.Dice(7)
	values := [2]map[string]any{{}, {}}
	var names []string
	for i := range 300 {
		name := fmt.Sprint("x", i)
		names = append(names, name)
		for side := range values {
			values[side][name] = many(200, func(int) float64 { return gauss(&d) })
		}
	}
	values[1]["x0"] = many(200, func(int) float64 { return 2 + gauss(&d) })
	a, b := columns(values[0], names...), columns(values[1], names...)
	free, held := compare(t, a, b, Options{}), compare(t, a, b, Options{FalseDiscovery: 0.05})
	if free.DriftedColumns < 8 {
		t.Errorf("%d columns without control; about 5 %% of 300 are wanted", free.DriftedColumns)
	}
	if held.DriftedColumns > 2 || !named(t, held, "x0").Drifted {
		t.Errorf("%d columns with control", held.DriftedColumns)
	}
}

func TestTheSamePeriodIsCompared(t *testing.T) {
	d := stats.Dice(8)
	day := func(i int) table.Cell { return table.Cell{Kind: table.Date, Int: 15000 + int64(i)} }
	heat := func(i int) float64 { return 20 - 10*math.Cos(2*math.Pi*float64(15000+i-7)/365.25) + gauss(&d) }
	year := columns(map[string]any{"day": many(3*365, day), "heat": many(3*365, heat)}, "day", "heat")
	// Day 15000 is the 26th of January 2011: there are 6 + 31 + 31 + 24 days of January. Five are from the 20th of January 2014 on, which is day 16090.
	winter := columns(map[string]any{"day": many(5, func(i int) table.Cell { return day(1090 + i) }), "heat": many(5, func(i int) float64 { return heat(1090 + i) })}, "day", "heat")
	o := Options{Methods: map[string]string{"heat": "ks"}}
	if !named(t, compare(t, year, winter, o), "heat").Drifted {
		t.Error("winter is not found to be colder than the year")
	}
	o.Season, o.TimeColumn = Month, "day"
	r := compare(t, year, winter, o)
	if named(t, r, "heat").Drifted {
		t.Errorf("January differs from January: %+v", named(t, r, "heat"))
	}
	if r.ReferenceRows != 92 || !strings.Contains(r.Season, "January") {
		t.Errorf("%d rows, %s", r.ReferenceRows, r.Season)
	}
}

// apart hides that a table is in memory, so that its columns are read in groups.
type apart struct{ batches }

func (apart) Columnar() bool { return false }

func TestColumnsThatAreReadTogetherGiveTheSameReport(t *testing.T) {
	d := stats.Dice(9)
	values := map[string]any{
		"n": many(3000, func(int) float64 { return gauss(&d) }), "i": many(3000, func(int) int { return d.Below(7) }),
		"w": many(3000, func(int) string { return strings.Repeat("long ", 100) + fmt.Sprint(d.Below(4)) }), "t": many(3000, func(i int) string { return fmt.Sprint("text ", i) }),
	}
	a := columns(values, "n", "i", "w", "t")
	values["n"] = many(2500, func(int) float64 { return 1 + gauss(&d) })
	b := columns(map[string]any{"n": values["n"]}, "n")
	for i := 1; i < 4; i++ {
		b.Names = append(b.Names, a.Names[i])
		b.Vectors = append(b.Vectors, a.Vectors[i])
	}
	b.Vectors[0] = table.VectorOf(append(many(2500, func(i int) table.Cell { return b.Vectors[0].Cell(i) }), make([]table.Cell, 500)...))
	want := compare(t, a, b, Options{Target: "i"})
	atOnce := func(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
		var all sync.WaitGroup
		failed := make([]error, n)
		for i := range n {
			all.Go(func() { failed[i] = do(ctx, i) })
		}
		all.Wait()
		return errors.Join(failed...)
	}
	for _, memory := range []int64{0, 1, 8 * 12_000} {
		got := compare(t, apart{batches{a}}, apart{batches{b}}, Options{Target: "i", Memory: memory, Each: atOnce})
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("memory %d: %s", memory, d)
		}
	}
}

func TestBadOptionsAreInvalid(t *testing.T) {
	a := columns(map[string]any{"x": []string{"a", "b", "b", "a"}, "t": []int{1, 2, 3, 4}}, "x", "t")
	for name, o := range map[string]Options{
		"unknown method":            {Methods: map[string]string{"x": "nope"}},
		"method of an unknown":      {Methods: map[string]string{"z": "ks"}},
		"numbers wanted":            {Methods: map[string]string{"x": "ks"}},
		"unknown column":            {Columns: []string{"z"}},
		"unknown target":            {Target: "z"},
		"share":                     {Share: 1.5},
		"kind method":               {Method: map[Kind]string{Text: "ks"}},
		"season without times":      {Season: Month, TimeColumn: "x"},
		"season without column":     {Season: Month, TimeColumn: "z"},
		"unknown season":            {Season: "decade", TimeColumn: "x"},
		"embedding of words":        {Embeddings: []Embedding{{Name: "e", Columns: []string{"x"}}}},
		"embedding of nothing":      {Embeddings: []Embedding{{Name: "e", Columns: []string{"z"}}}},
		"unknown embedding measure": {Embeddings: []Embedding{{Name: "e", Columns: []string{"t"}, Method: "z"}}},
	} {
		if _, err := Compare(context.Background(), a, a, o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Compare(context.Background(), a, columns(map[string]any{"y": []int{1}}, "y"), Options{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("nothing in common: %v", err)
	}
}

func TestAnyValuesGiveAReportThatIsJSON(t *testing.T) {
	odd := [][]table.Cell{
		{}, {{}}, {{Kind: table.Number, Float: math.NaN()}}, {{Kind: table.Number, Float: math.Inf(1)}, {Kind: table.Number, Float: 1}},
		{{Kind: table.Number, Float: math.MaxFloat64}, {Kind: table.Number, Float: -math.MaxFloat64}}, {{Kind: table.Integer, Int: math.MinInt64}},
		{{Kind: table.Text, Text: "\x00\xff"}}, {{Kind: table.Text, Text: strings.Repeat("x", 1<<20)}}, {{Kind: table.Boolean, Int: 1}, {Kind: table.Text, Text: "1"}, {Kind: table.Number, Float: 2}},
		{{Kind: table.List, Text: "[1, 2]"}}, {{Kind: table.Time, Int: 5}}, {{Kind: table.Number, Float: 5e-324}, {Kind: table.Number, Float: 0}},
	}
	for i, x := range odd {
		for k, y := range odd {
			a, b := columns(map[string]any{"x": x, "y": []int{1}}, "x", "y"), columns(map[string]any{"x": y, "y": []int{1}}, "x", "y")
			methods := []string{""}
			if r, err := Compare(context.Background(), a, b, Options{}); err == nil && named(t, r, "x").Method != "" {
				for _, m := range Methods() {
					methods = append(methods, m.Name)
				}
			}
			for _, m := range methods {
				o := Options{Target: "y"}
				if m != "" {
					o.Methods = map[string]string{"x": m}
				}
				r, err := Compare(context.Background(), a, b, o)
				if err != nil {
					if fault.KindOf(err) != fault.Invalid {
						t.Errorf("%d, %d, %s: %v", i, k, m, err)
					}
					continue
				}
				if _, err := json.Marshal(r); err != nil {
					t.Errorf("%d, %d, %s: %v", i, k, m, err)
				}
				var page strings.Builder
				if err := WritePage(&page, r, "a", "b"); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestAPageHoldsNothingThatOthersWroteAsMarkup(t *testing.T) {
	hostile := `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\u202e\x1b[2J"
	words := func(i int) string { return hostile + fmt.Sprint(i%2) }
	a := columns(map[string]any{hostile: many(40, words), hostile + "gone": many(40, words)}, hostile, hostile+"gone")
	b := columns(map[string]any{hostile: many(40, words)}, hostile)
	r := compare(t, a, b, Options{})
	r.CurrentFindings = []table.Finding{{Column: hostile, What: hostile, Count: 1, Example: hostile}}
	var page strings.Builder
	if err := WritePage(&page, r, hostile, hostile); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "\x1b", "http:", "https:", "src="} {
		text := strings.ReplaceAll(page.String(), "&lt;img src=x", "")
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(page.String(), "&lt;script&gt;") {
		t.Error("the name is not on the page")
	}
}
