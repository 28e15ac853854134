package ir_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
)

func TestConditionsSeeTheTasksParameters(t *testing.T) {
	params := map[string]any{"n": 2.0, "s": "heads", "digits": "7", "yes": true, "none": nil, "list": []any{"a"}, "m": map[string]any{"k": 1.0}}
	for expr, want := range map[string]bool{
		`inputs.parameter_values['s'] == 'heads'`:                                       true,
		`!(inputs.parameter_values['s'] == 'heads')`:                                    false,
		`int(inputs.parameter_values['n']) > 1`:                                         true,
		`int(inputs.parameter_values['digits']) >= int(inputs.parameter_values['n'])`:   true,
		`inputs.parameter_values['n'] == 2`:                                             true,
		`inputs.parameter_values['yes'] == true && inputs.parameter_values['n'] < 2.5`:  true,
		`inputs.parameter_values['none'] == null`:                                       true,
		`'a' in inputs.parameter_values['list']`:                                        true,
		`inputs.parameter_values['m']['k'] == 1`:                                        true,
		`!(inputs.parameter_values['s'] == 'a') && inputs.parameter_values['s'] != 'b'`: true,
	} {
		got, err := new(ir.Pipeline).Condition(expr, params)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", expr, got, err, want)
		}
	}
}

func TestConditionsThatCannotBeEvaluatedAreInvalid(t *testing.T) {
	for _, expr := range []string{
		`inputs.parameter_values['missing'] == 1`, `1 +`, `nothing == 1`, `unknown(1)`, `inputs.parameter_values['s']`, `int(inputs.parameter_values['s']) == 1`,
		`[1,2,3].map(a, [1,2,3].map(b, [1,2,3].map(c, [1,2,3].map(d, [1,2,3].map(e, [1,2,3].map(f, [1,2,3].map(g, [1,2,3].map(h, [1,2,3].map(i, [1,2,3].map(j, [1,2,3].map(k, [1,2,3].map(l, [1,2,3].map(m, a))))))))))))).size() == 3`,
	} {
		if got, err := new(ir.Pipeline).Condition(expr, map[string]any{"s": "heads"}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, %v; want an Invalid error", expr, got, err)
		}
	}
}

func TestSelectorsTakeAPartOfAValue(t *testing.T) {
	for _, c := range []struct {
		expr        string
		value, want any
	}{
		{`parseJson(string_value)["a"]`, `{"a": [1, {"b": null}]}`, []any{1.0, map[string]any{"b": nil}}},
		{`parseJson(string_value)["a"]`, map[string]any{"a": "x"}, "x"},
		{`int(parseJson(string_value)["a"]["b"]) + 1`, map[string]any{"a": map[string]any{"b": 2.0}}, 3.0},
		{`string_value + "!"`, "hey", "hey!"},
		{`list_value[1]`, []any{"a", "b"}, "b"},
		{`struct_value["k"].size()`, map[string]any{"k": []any{1.0, 2.0}}, 2.0},
		{`number_value > 2.5 && string_value == "3"`, 3.0, true},
		{`!bool_value`, true, false},
	} {
		got, err := new(ir.Pipeline).Select(c.expr, c.value)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.expr, diff)
		}
	}
}
