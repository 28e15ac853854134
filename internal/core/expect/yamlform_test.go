package expect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/expect"
)

const short = `
name: people
parameters: {oldest: 120}
columns:
  age:
    - exists
    - not_null
    - between: [0, {$PARAMETER: oldest}]
    - {in_set: [1, 2.5, x], mostly: 0.99, where: country == "NO"}
    - quantiles: {0.5: [20, 50], 0.9: [null, 90]}
  born:
    in: training
    checks:
      - min: [2020-01-01, null]
table:
  - row_count_between: [1, 1000]
  - {greater: [end, start], or_equal: true}
  - unique_together: [a, b, c]
  - rows: age > 3
  - expect_table_column_count_to_equal: 7
`

func TestTheShortFormAndTheJSONFormSayTheSame(t *testing.T) {
	s, err := expect.ParseYAML([]byte(short))
	if err != nil {
		t.Fatal(err)
	}
	want := []expect.Expectation{
		{Type: "expect_column_to_exist", Kwargs: map[string]any{"column": "age"}},
		{Type: "expect_column_values_to_not_be_null", Kwargs: map[string]any{"column": "age"}},
		{Type: "expect_column_values_to_be_between", Kwargs: map[string]any{"column": "age", "min_value": int64(0), "max_value": map[string]any{"$PARAMETER": "oldest"}}},
		{Type: "expect_column_values_to_be_in_set", Kwargs: map[string]any{"column": "age", "value_set": []any{int64(1), 2.5, "x"}, "mostly": 0.99,
			"row_condition": `country == "NO"`, "condition_parser": "cel"}},
		{Type: "expect_column_quantile_values_to_be_between", Kwargs: map[string]any{"column": "age", "quantile_ranges": map[string]any{
			"quantiles": []any{0.5, 0.9}, "value_ranges": []any{[]any{int64(20), int64(50)}, []any{nil, int64(90)}}}}},
		{Type: "expect_column_min_to_be_between", Kwargs: map[string]any{"column": "born", "min_value": "2020-01-01", "max_value": nil}, In: []string{"training"}},
		{Type: "expect_table_row_count_to_be_between", Kwargs: map[string]any{"min_value": int64(1), "max_value": int64(1000)}},
		{Type: "expect_column_pair_values_a_to_be_greater_than_b", Kwargs: map[string]any{"column_A": "end", "column_B": "start", "or_equal": true}},
		{Type: "expect_compound_columns_to_be_unique", Kwargs: map[string]any{"column_list": []any{"a", "b", "c"}}},
		{Type: "expect_rows_to_satisfy", Kwargs: map[string]any{"condition": "age > 3"}},
		{Type: "expect_table_column_count_to_equal", Kwargs: map[string]any{"value": int64(7)}},
	}
	if diff := cmp.Diff(want, s.Expectations); diff != "" {
		t.Fatal(diff)
	}
	for name, again := range map[string]func() (expect.Suite, error){
		"YAML": func() (expect.Suite, error) {
			text, err := s.YAML()
			if err != nil {
				return s, err
			}
			return expect.ParseYAML(text)
		},
		"JSON": func() (expect.Suite, error) {
			text, err := s.GX()
			if err != nil {
				return s, err
			}
			return expect.ParseGX(text)
		},
	} {
		got, err := again()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sorted := func(list []expect.Expectation) map[string]expect.Expectation {
			out := map[string]expect.Expectation{}
			for _, e := range list {
				out[e.Type] = bare(e)
			}
			return out
		}
		if diff := cmp.Diff(sorted(want), sorted(got.Expectations)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// bare leaves out what only one of the forms writes down.
func bare(e expect.Expectation) expect.Expectation {
	delete(e.Meta, "environments")
	if len(e.Meta) == 0 {
		e.Meta = nil
	}
	return e
}

func TestAMistakeInASuiteIsNamedWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"columns:\n  a:\n    - not_nul":                        "line 3: \"not_nul\" is no expectation that is known; did you mean not_null?",
		"columns:\n  a:\n    - between: 3":                     "line 3: between takes [least, greatest]",
		"columns:\n  a:\n    - {between: [1, 2], min: [1, 2]}": "two expectations",
		"column:\n  a: []":                                     "\"column\" is not known here",
		"columns: [a]":                                         "columns is a mapping",
		"table:\n  - equal: [a]":                               "equal takes two columns",
		"table: {a: b}":                                        "read the suite",
		"columns:\n  a: {checks: [], ni: x}":                   "\"ni\" is not known here",
		"a: [":                                                 "read the suite",
	} {
		_, err := expect.ParseYAML([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"expectations": 3}`:    `no list "expectations"`,
		`[]`:                     "want an object",
		`{"expectations": [{}]}`: "expectation 1 has no type",
		`{`:                      "read the suite",
	} {
		_, err := expect.ParseGX([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
