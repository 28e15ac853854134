package drift

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"levada/internal/core/drift"
	"levada/internal/core/stats"
	"levada/internal/core/table"
)

// evidentlyCase is a column of two tables; null is a missing value.
type evidentlyCase struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	A       []any    `json:"a"`
	B       []any    `json:"b"`
	Methods []string `json:"methods"`
}

type judgement struct {
	Error     string   `json:"error"`
	Method    string   `json:"method"`
	Score     *float64 `json:"score"`
	Drifted   bool     `json:"drifted"`
	Threshold float64  `json:"threshold"`
}

func list[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// vector is a column of a case as the readers of tables give it.
func vector(kind string, values []any) table.Vector {
	cells := make([]table.Cell, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case float64:
			cells[i] = table.Cell{Kind: table.Number, Float: v}
			if kind == "integer" {
				cells[i] = table.Cell{Kind: table.Integer, Int: int64(v)}
			}
		case string:
			switch {
			case kind != "number":
				cells[i] = table.Cell{Kind: table.Text, Text: v}
			case v == "inf":
				cells[i] = table.Cell{Kind: table.Number, Float: math.Inf(1)}
			default:
				cells[i] = table.Cell{Kind: table.Number, Float: math.Inf(-1)}
			}
		}
	}
	return table.VectorOf(cells)
}

// judge compares the column of a case. An empty method is the default one.
func judge(t *testing.T, c evidentlyCase, method string) drift.Column {
	t.Helper()
	kind := map[string]drift.Kind{"integer": drift.Numerical, "number": drift.Numerical, "label": drift.Categorical, "text": drift.Text}[c.Kind]
	o := drift.Options{Kinds: map[string]drift.Kind{"x": kind}}
	if method != "" {
		o.Methods = map[string]string{"x": method}
	}
	source := func(values []any) table.Memory {
		return table.Memory{Names: []table.Column{{Name: "x"}}, Vectors: []table.Vector{vector(c.Kind, values)}}
	}
	r, err := drift.Compare(context.Background(), source(c.A), source(c.B), o)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return r.Columns[0]
}

func evidentlyCases() []evidentlyCase {
	var numbers, categories []string
	for _, m := range drift.Methods() {
		switch {
		case m.Name == "welch" || m.Name == "l_infinity" || m.Name == "chi2_contingency": // not Evidently's
		case m.Kinds[0] == drift.Numerical:
			numbers = append(numbers, m.Name)
		case m.Kinds[0] == drift.Categorical:
			categories = append(categories, m.Name)
			if len(m.Kinds) == 2 {
				numbers = append(numbers, m.Name)
			}
		}
	}
	var cases []evidentlyCase
	d := stats.Dice(11)
	for _, p := range samplePairs() {
		methods := numbers
		// Of a few values many permutations score alike, and of large ones its squares keep no digits.
		if len(p.A) > 300 || len(p.B) > 300 || len(p.A) < 10 || p.Name == "large integers" { // a kernel matrix of Evidently's takes minutes
			methods = without(numbers, "empirical_mmd")
		}
		c := evidentlyCase{p.Name, "number", list(p.A), list(p.B), methods}
		cases = append(cases, c)
		whole := true
		for _, v := range append(p.A[:len(p.A):len(p.A)], p.B...) {
			whole = whole && v == math.Trunc(v) && math.Abs(v) < 1e9
		}
		if whole {
			c.Kind, c.Name = "integer", c.Name+", integers"
			cases = append(cases, c)
		}
	}
	// Missing and infinite values.
	holes := evidentlyCase{"missing and infinite", "number", nil, nil, numbers}
	for i := range 300 {
		holes.A, holes.B = append(holes.A, normal(&d, 0, 1)()), append(holes.B, normal(&d, 0.1, 1)())
		if i%7 == 0 {
			holes.A, holes.B = append(holes.A, nil, "inf"), append(holes.B, "-inf", nil)
		}
	}
	cases = append(cases, holes)
	for _, k := range []int{1, 2, 3, 8, 30, 200} {
		for _, size := range [][2]int{{40, 40}, {600, 600}, {900, 1300}, {1001, 800}} {
			for _, tilt := range []float64{1, 1.3} {
				word := func(power float64) func() any {
					return func() any {
						if k > 1 && d.Below(50) == 0 {
							return nil
						}
						return fmt.Sprintf("category %d", int(float64(k)*math.Pow(d.Float(), power)))
					}
				}
				methods := categories
				if size[0] > 40 && k != 3 { // the permutations of Evidently's TVD take seconds
					methods = without(categories, "TVD")
				}
				c := evidentlyCase{fmt.Sprintf("%d categories %v %v", k, size, tilt), "label", nil, nil, methods}
				first, second := word(1), word(tilt)
				for range size[0] {
					c.A = append(c.A, first())
				}
				for range size[1] {
					c.B = append(c.B, second())
				}
				cases = append(cases, c)
			}
		}
	}
	fisher := func(name string, a, b string, times int) evidentlyCase {
		return evidentlyCase{name, "label", list(strings.Split(strings.Repeat(a, times), "")), list(strings.Split(strings.Repeat(b, times), "")), categories}
	}
	cases = append(cases, fisher("fisher 1", "abbaab", "bbabba", 15), fisher("fisher 2", "abbaab", "aaaaaa", 1), fisher("fisher 3", "aaaaaa", "aaaaaa", 1),
		fisher("fisher 4", "abbbab", "bbbaba", 1), fisher("fisher 5", "aaaaaa", "bbbbbb", 1), fisher("fisher 6", "aaabb", "bbbaa", 30))
	return append(cases, textCases()...)
}

func without(methods []string, left string) []string {
	return slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == left })
}

// textCases are texts about three things; the current ones are about the same, or about others.
func textCases() []evidentlyCase {
	d := stats.Dice(12)
	about := func(n int, words string) []any {
		vocabulary := strings.Fields(words)
		var out []any
		for range n {
			var text []string
			for range 8 + d.Below(20) {
				text = append(text, vocabulary[int(float64(len(vocabulary))*math.Pow(d.Float(), 1.5))])
			}
			out = append(out, strings.Join(text, " ")+".")
		}
		return out
	}
	const travel = "flight airline delay seat airport gate crew luggage weather runway ticket passenger departure arrival boarding captain snack window terminal baggage customs passport upgrade lounge layover"
	const cooking = "recipe flour butter oven pan salt pepper garlic onion simmer roast bake stir cup spoon dough sauce cheese tomato basil knife grill lemon rice noodle"
	methods := []string{"abs_text_content_drift", "perc_text_content_drift"}
	return []evidentlyCase{
		{"texts alike", "text", about(400, travel), about(400, travel), methods},
		{"texts alike, many", "text", about(1500, travel), about(1500, travel), methods},
		{"other texts", "text", about(300, travel), about(300, cooking), methods},
		{"some other texts", "text", append(about(600, travel), about(600, cooking)...), append(about(900, travel), about(300, cooking)...), methods},
		{"a word more", "text", about(1200, travel), about(1200, travel+" pandemic quarantine pandemic mask"), methods},
	}
}

// tolerance is how far a score may be from Evidently's. Permutations are drawn at random by both, and the classifiers of texts are two
// implementations.
func tolerance(method string) float64 {
	switch method {
	case "TVD":
		return 0.1
	case "empirical_mmd":
		return 0.3
	case "cramer_von_mises":
		return 1e-4 // it rounds exact p-values to half precision; the test with SciPy asks for all digits
	case "abs_text_content_drift", "perc_text_content_drift":
		return 0.08
	}
	return 1e-6
}

func TestScoresAndDecisionsEqualEvidentlys(t *testing.T) {
	if os.Getenv("LEVADA_DRIFT") == "" {
		t.Skip("Evidently takes a while to install: run make test-drift, or set LEVADA_DRIFT=all")
	}
	cases := evidentlyCases()
	var want []map[string]judgement
	ask(t, "evidently", "evidently_values.py", cases, &want)
	compared, refused, sizes, broken := 0, 0, 0, 0
	for i, c := range cases {
		for _, method := range append([]string{""}, c.Methods...) {
			w := want[i][method]
			if method == "" {
				w = want[i]["default"]
			}
			got := judge(t, c, method)
			where := fmt.Sprintf("%s: %s", c.Name, method)
			switch {
			case strings.Contains(w.Error, "sum of the observed") || strings.Contains(w.Error, "not of equal length"):
				sizes++ // Evidently's G and Fisher's tests want samples of one size; ours do not
				continue
			case strings.Contains(w.Error, "Cannot cast"):
				broken++ // its exact Cramér-von Mises test fails on NumPy 2; that with SciPy is in the other test
				continue
			case w.Error != "":
				refused++
				if got.Score != nil && method != "empirical_mmd" {
					t.Errorf("%s is %v; Evidently refuses: %s", where, *got.Score, w.Error)
				}
				continue
			}
			compared++
			if got.Method != w.Method || got.Threshold != w.Threshold {
				t.Errorf("%s is method %s at %v, want %s at %v", where, got.Method, got.Threshold, w.Method, w.Threshold)
				continue
			}
			if got.Score == nil || w.Score == nil {
				if got.Score != w.Score {
					t.Errorf("%s is %v, want %v", where, shown(got.Score), shown(w.Score))
				}
				continue
			}
			near := math.Abs(*got.Score-*w.Score) <= tolerance(w.Method)*max(1, math.Abs(*w.Score))
			// Where chance is at work, decisions must agree unless the score is near the line.
			line := w.Threshold
			if w.Method == "perc_text_content_drift" {
				line = 0.5 // the threshold is a share of random areas, which are about a half
			}
			decided := got.Drifted == w.Drifted || tolerance(w.Method) > 1e-6 && math.Abs(*w.Score-line) < tolerance(w.Method)
			if !near || !decided {
				t.Errorf("%s is %v (drift %v), want %v (drift %v)", where, *got.Score, got.Drifted, *w.Score, w.Drifted)
			}
		}
	}
	t.Logf("%d scores and decisions compared; %d samples that Evidently refuses; %d that it wants of equal size; %d where it fails", compared, refused, sizes, broken)
}

func shown(v *float64) any {
	if v == nil {
		return "undefined"
	}
	return *v
}
