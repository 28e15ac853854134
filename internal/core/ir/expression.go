package ir

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"levada/internal/core/fault"
)

// costLimit bounds the work of one expression, in CEL's units.
const costLimit = 1_000_000

// environment declares what expressions may name. Conditions see "inputs" (inputs.parameter_values["x"]); selectors see
// "string_value", the value as text, and parseJson. The names are those of kubeflow/pipelines
// backend/src/v2/expression.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("inputs", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("string_value", cel.StringType),
		cel.CrossTypeNumericComparisons(true),
		cel.Function("parseJson", cel.Overload("parse_json_string", []*cel.Type{cel.StringType}, cel.DynType,
			cel.UnaryBinding(parseJSON))),
	)
})

func parseJSON(v ref.Val) ref.Val {
	var x any
	s, _ := v.Value().(string)
	if err := json.Unmarshal([]byte(s), &x); err != nil {
		return types.NewErr("parseJson: %q is not JSON", shorten(s))
	}
	return types.DefaultTypeAdapter.NativeToValue(x)
}

// programs keeps compiled expressions by their text: a loop evaluates the same one many times.
var programs = sync.Map{}

func program(expr string) (cel.Program, error) {
	if p, ok := programs.Load(expr); ok {
		return p.(cel.Program), nil
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	parsed, issues := env.Parse(expr)
	if issues.Err() == nil {
		_, issues = env.Check(parsed)
	}
	if issues.Err() != nil {
		first, _, _ := strings.Cut(issues.Err().Error(), "\n")
		return nil, fault.Invalidf("expression %q: %s", shorten(expr), strings.TrimPrefix(first, "ERROR: "))
	}
	// The checked form is not used: for int(inputs.a['b']) cel-go 0.33 settles on one overload of int although the type of
	// the argument is known only at run time. The parsed form chooses the overload then.
	p, err := env.Program(parsed, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fault.Invalidf("expression %q: %w", shorten(expr), err)
	}
	return p, nil
}

// CompileCondition reports whether a trigger condition can be evaluated.
func CompileCondition(expr string) error { return compileInto(expr) }

// CompileSelector reports whether a parameterExpressionSelector can be evaluated.
func CompileSelector(expr string) error { return compileInto(expr) }

func compileInto(expr string) error {
	p, err := program(expr)
	if err == nil {
		programs.Store(expr, p)
	}
	return err
}

// Condition evaluates a trigger condition over a task's input parameters.
func Condition(expr string, parameters map[string]any) (bool, error) {
	p, err := program(expr)
	if err != nil {
		return false, err
	}
	out, _, err := p.Eval(map[string]any{
		"inputs":       map[string]any{"parameter_values": parameters},
		"string_value": "",
	})
	if err != nil {
		return false, fault.Invalidf("condition %q: %w", shorten(expr), err)
	}
	b, ok := out.Value().(bool)
	if !ok {
		return false, fault.Invalidf("condition %q: want true or false, got %v", shorten(expr), out.Value())
	}
	return b, nil
}

// Select evaluates a parameterExpressionSelector over a value.
func Select(expr string, value any) (any, error) {
	p, err := program(expr)
	if err != nil {
		return nil, err
	}
	out, _, err := p.Eval(map[string]any{"inputs": map[string]any{}, "string_value": Text(value)})
	if err != nil {
		return nil, fault.Invalidf("selector %q over %s: %w", shorten(expr), shorten(JSON(value)), err)
	}
	return native(out)
}

// native turns a CEL value into a value of encoding/json.
func native(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return float64(v), nil
	case types.Uint:
		return float64(v), nil
	case types.Double:
		return float64(v), nil
	case types.String:
		return string(v), nil
	case traits.Lister:
		list := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			e, err := native(it.Next())
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		return list, nil
	case traits.Mapper:
		m := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			e, err := native(v.Get(k))
			if err != nil {
				return nil, err
			}
			m[fmt.Sprint(k.Value())] = e
		}
		return m, nil
	}
	return nil, fault.Invalidf("expression gives a %s, which is not a parameter value", v.Type())
}
