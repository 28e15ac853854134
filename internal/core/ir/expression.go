package ir

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"levada/internal/core/fault"
)

// Limits on expressions.
const (
	costLimit      = 1_000_000 // the work of one evaluation, in CEL's units
	maxExpression  = 8 << 10   // the length of one, in bytes
	maxExpressions = 10_000    // different ones in a pipeline
)

// environment declares what expressions may name. Conditions see "inputs" (inputs.parameter_values["x"]); selectors see the
// value as the fields of google.protobuf.Value: the one of its kind, and string_value, its text, always. Both have parseJson.
// The names are those of kubeflow/pipelines backend/src/v2/expression.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("inputs", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("string_value", cel.StringType),
		cel.Variable("number_value", cel.DoubleType),
		cel.Variable("bool_value", cel.BoolType),
		cel.Variable("list_value", cel.ListType(cel.DynType)),
		cel.Variable("struct_value", cel.MapType(cel.StringType, cel.DynType)),
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

// compile checks an expression of the pipeline and keeps it: a loop evaluates the same one many times.
func (p *Pipeline) compile(expr string) error {
	if p.programs[expr] != nil {
		return nil
	}
	if len(p.programs) == maxExpressions {
		return fault.Invalidf("the pipeline has more than %d different expressions", maxExpressions)
	}
	compiled, err := compile(expr)
	if err == nil {
		p.programs[expr] = compiled
	}
	return err
}

// program returns an expression of the pipeline, ready to run.
func (p *Pipeline) program(expr string) (cel.Program, error) {
	if compiled := p.programs[expr]; compiled != nil {
		return compiled, nil
	}
	return compile(expr)
}

func compile(expr string) (cel.Program, error) {
	if len(expr) > maxExpression {
		return nil, invalidf("expression %q is %d bytes long; at most %d are accepted", shorten(expr), len(expr), maxExpression)
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
		return nil, invalidf("expression %q: %s", shorten(expr), strings.TrimPrefix(first, "ERROR: "))
	}
	// The checked form is not used: for int(inputs.a['b']) cel-go 0.33 settles on one overload of int although the type of
	// the argument is known only at run time. The parsed form chooses the overload then.
	p, err := env.Program(parsed, cel.CostLimit(costLimit))
	if err != nil {
		return nil, invalidf("expression %q: %v", shorten(expr), err)
	}
	return p, nil
}

// Condition evaluates a trigger condition over a task's input parameters.
func (p *Pipeline) Condition(expr string, parameters map[string]any) (bool, error) {
	compiled, err := p.program(expr)
	if err != nil {
		return false, err
	}
	out, _, err := compiled.Eval(map[string]any{
		"inputs":       map[string]any{"parameter_values": parameters},
		"string_value": "",
	})
	if err != nil {
		return false, invalidf("condition %q: %v", shorten(expr), err)
	}
	b, ok := out.Value().(bool)
	if !ok {
		return false, invalidf("condition %q: want true or false, got %v", shorten(expr), out.Value())
	}
	return b, nil
}

// Select evaluates a parameterExpressionSelector over a value.
func (p *Pipeline) Select(expr string, value any) (any, error) {
	compiled, err := p.program(expr)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{"inputs": map[string]any{}, "string_value": Text(value)}
	switch value := value.(type) {
	case float64:
		fields["number_value"] = value
	case bool:
		fields["bool_value"] = value
	case []any:
		fields["list_value"] = value
	case map[string]any:
		fields["struct_value"] = value
	}
	out, _, err := compiled.Eval(fields)
	if err != nil {
		return nil, invalidf("selector %q over %s: %v", shorten(expr), shorten(JSON(value)), err)
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
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fault.Invalidf("expression gives %s, which JSON cannot hold", formatNumber(f))
		}
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
