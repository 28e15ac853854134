package expect_test

import (
	"math"
	"strings"
	"testing"

	"levada/internal/core/expect"
	"levada/internal/core/table"
)

// judged is the result of one expectation about a table of columns a and b.
func judged(t *testing.T, kind string, kwargs map[string]any, a, b table.Vector) expect.Result {
	t.Helper()
	source := table.Memory{Names: []table.Column{{Name: "a"}, {Name: "b"}}, Vectors: []table.Vector{a, b}}
	r, err := expect.Check(tContext, source, expect.Suite{Expectations: []expect.Expectation{{Type: kind, Kwargs: kwargs}}}, expect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Results[0]
}

func observed(r expect.Result) float64 {
	v, _ := r.Observed()
	f, ok := v.(float64)
	if !ok {
		return math.NaN()
	}
	return f
}

// The deviations are those that pandas 2 prints.
func TestTheDeviationIsThatOfPandasToTheLastDigit(t *testing.T) {
	same := texts(0.1, 0.1, 0.1)
	for want, values := range map[float64]table.Vector{1.1547005383792517: texts(1, nil, 1, 3), 0: same, 0.816496580927726: texts(1e9, 1e9+1, 1e9+2, 1e9+1),
		2.42755020545405: texts(3, 5.9, 8.8, 8.5, 5.1), 2.990484910512006: texts(5.9, 0.3, 2.4, 8, 4.1)} {
		r := judged(t, "expect_column_stdev_to_be_between", map[string]any{"column": "a", "min_value": want, "max_value": want}, values, values)
		if !r.Success {
			t.Errorf("want %v, got %v (%v)", want, observed(r), r.Failure)
		}
	}
	huge := texts(1e308, 1.5e308, 1.6e308)
	if r := judged(t, "expect_column_stdev_to_be_between", map[string]any{"column": "a"}, huge, huge); r.Failure != nil {
		t.Errorf("numbers whose sum is infinite: %v", r.Failure)
	}
}

func TestDependenceIsMeasuredInGroupsAndWhereNothingIs(t *testing.T) {
	words := texts("x", "x", "y", "y", "z", "z")
	for name, c := range map[string]struct {
		b      table.Vector
		kwargs map[string]any
		want   float64
	}{
		"values in groups":              {texts("k", "l", "m", "n", "o", "p"), map[string]any{"bins_B": []any{[]any{"k", "l"}, []any{"m", "n"}, []any{"o", "p"}}}, 1},
		"a group of what is not there":  {texts("k", "k", "m", "m", "k", "m"), map[string]any{"bins_B": []any{[]any{"k", "m", "q"}}}, 0},
		"neither has a value":           {texts(1, 1, 2, 2, nil, nil), map[string]any{}, 1},
		"rows without values left out":  {texts(1, 1, 2, 2, nil, nil), map[string]any{"ignore_row_if": "either_value_is_missing"}, 0.5},
		"numbers in bins by their ends": {texts(1, 2, 11, 12, 21, 22), map[string]any{"bins_B": []any{int64(10), int64(20)}}, 1},
	} {
		c.kwargs["column_A"], c.kwargs["column_B"] = "a", "b"
		if r := judged(t, "expect_column_pair_cramers_phi_value_to_be_less_than", c.kwargs, words, c.b); r.Failure != nil || math.Abs(observed(r)-c.want) > 1e-12 {
			t.Errorf("%s: want %v, got %v (%v)", name, c.want, observed(r), r.Failure)
		}
	}
	r := judged(t, "expect_column_pair_cramers_phi_value_to_be_less_than", map[string]any{"column_A": "a", "column_B": "b", "bins_B": []any{[]any{"k"}, "l"}}, words, words)
	if r.Failure == nil || !strings.Contains(r.Failure.Message, "a list of lists") {
		t.Errorf("%v", r.Failure)
	}
}

func TestFailuresHaveTheWordsOfGreatExpectations(t *testing.T) {
	numbers := texts(1, 2, 3)
	for want, e := range map[string]expect.Expectation{
		"argument of type 'NoneType' is not iterable":               {Type: "expect_column_values_to_not_be_in_set", Kwargs: map[string]any{"column": "a", "value_set": nil}},
		"Minimum Threshold cannot be larger than Maximum Threshold": {Type: "expect_table_row_count_to_be_between", Kwargs: map[string]any{"min_value": int64(2), "max_value": int64(1)}},
		"to_be_dateutil_parseable must be of type string.":          {Type: "expect_column_values_to_be_dateutil_parseable", Kwargs: map[string]any{"column": "a"}},
	} {
		if r := judged(t, e.Type, e.Kwargs, numbers, numbers); r.Failure == nil || !strings.Contains(r.Failure.Error(), want) {
			t.Errorf("want %q, got %v", want, r.Failure)
		}
	}
}

func TestTheShareOfValuesThatAreThere(t *testing.T) {
	for want, values := range map[float64]table.Vector{0.75: texts(1, nil, 3, "x"), 0: texts(nil, nil), 1: texts("a", "b", "c")} {
		kwargs := map[string]any{"column": "a", "min_value": want, "max_value": want}
		if r := judged(t, "expect_column_proportion_of_non_null_values_to_be_between", kwargs, values, values); !r.Success || observed(r) != want {
			t.Errorf("want %v, got %v (%v)", want, observed(r), r.Failure)
		}
	}
	if r := check(t, people(2), "columns: {age: [{not_null_share: [0.8, 0.8]}, {not_null_share: [1, 1], where: id < 3}]}", expect.Options{}); !r.Success {
		t.Errorf("%+v", r.Results)
	}
}

// TestConditionsAreReadAsObjects has conditions as Great Expectations writes them into suites since 1.8.
func TestConditionsAreReadAsObjects(t *testing.T) {
	for condition, want := range map[string]int64{
		`{"type": "comparison", "column": {"name": "age"}, "operator": ">", "parameter": 40}`:                    2,
		`{"type": "comparison", "column": {"name": "country"}, "operator": "!=", "parameter": "NO"}`:             3,
		`{"type": "comparison", "column": {"name": "country"}, "operator": "IN", "parameter": ["NO", "DK"]}`:     3,
		`{"type": "comparison", "column": {"name": "country"}, "operator": "NOT_IN", "parameter": ["NO", "DK"]}`: 2,
		`{"type": "nullity", "column": {"name": "age"}, "is_null": true}`:                                        1,
		`{"type": "nullity", "column": {"name": "age"}, "is_null": false}`:                                       4,
		`{"type": "pass_through", "pass_through_filter": "age > 40 and id == 2"}`:                                2,
		`{"type": "and", "conditions": [{"type": "comparison", "column": {"name": "age"}, "operator": ">=", "parameter": 30},
			{"type": "comparison", "column": {"name": "score"}, "operator": "<", "parameter": 2.0},
			{"type": "nullity", "column": {"name": "country"}, "is_null": false}]}`: 1,
		`{"type": "or", "conditions": [{"type": "comparison", "column": {"name": "id"}, "operator": "==", "parameter": 5},
			{"type": "nullity", "column": {"name": "country"}, "is_null": true}]}`: 2,
	} {
		text := `{"expectations": [{"type": "expect_table_row_count_to_equal", "kwargs": {"value": ` + string(rune('0'+want)) + `, "row_condition": ` + condition + `}}]}`
		r := check(t, people(2), text, expect.Options{})
		if !r.Success {
			seen, _ := r.Results[0].Observed()
			t.Errorf("%s: want %d rows, got %v (%v)", condition, want, seen, r.Results[0].Failure)
		}
		short, err := suite(t, text).YAML() // what is written in the short form is read again
		if err != nil {
			t.Fatal(err)
		}
		if r := check(t, people(2), string(short), expect.Options{}); !r.Success {
			t.Errorf("%s: %+v", short, r.Results[0].Failure)
		}
	}
	for condition, want := range map[string]string{
		`{"type": "xor"}`: `its type is "xor"`, `{"type": "and", "conditions": []}`: "a list of 1 to", `{"type": "nullity", "is_null": true}`: "column must be an object",
		`{"type": "nullity", "column": {"name": "age"}}`:                                         "is_null must be",
		`{"type": "comparison", "column": {"name": "age"}, "operator": "~", "parameter": 1}`:     `"~" is not known`,
		`{"type": "comparison", "column": {"name": "age"}, "operator": "==", "parameter": null}`: "of the type nullity",
		`{"type": "comparison", "column": {"name": "age"}, "operator": "IN", "parameter": 1}`:    "must be a list",
		`{"type": "comparison", "column": {"name": "no"}, "operator": "==", "parameter": 1}`:     "does not exist",
	} {
		r := check(t, people(2), `{"expectations": [{"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1, "row_condition": `+condition+`}}]}`, expect.Options{})
		if f := r.Results[0].Failure; f == nil || !strings.Contains(f.Message, want) {
			t.Errorf("%s: got %v, want %q", condition, f, want)
		}
	}
}
