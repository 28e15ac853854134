// Package expr evaluates expressions of CEL, the Common Expression Language, over values of encoding/json.
//
// The expressions come from outside: their length and the work of one evaluation are bounded. What an expression may name is the
// business of those who make an Environment. Start reading at Environment.Compile.
package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"levada/internal/core/fault"
)

// MaxLength bounds the length of an expression, in bytes.
const MaxLength = 8 << 10

const (
	// costLimit bounds the work of one evaluation, in CEL's units.
	costLimit = 1_000_000
	// most is how much of an expression is shown in a message.
	most = 200
)

// Environment declares what expressions may name. Every one has parseJson.
type Environment struct{ env *cel.Env }

// NewEnvironment returns an environment with variables. Numbers of different types compare.
func NewEnvironment(variables ...cel.EnvOption) (*Environment, error) {
	env, err := cel.NewEnv(append(variables,
		cel.CrossTypeNumericComparisons(true),
		cel.Function("parseJson", cel.Overload("parse_json_string", []*cel.Type{cel.StringType}, cel.DynType, cel.UnaryBinding(parseJSON))),
	)...)
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	return &Environment{env}, nil
}

func parseJSON(v ref.Val) ref.Val {
	var x any
	s, _ := v.Value().(string)
	if err := json.Unmarshal([]byte(s), &x); err != nil {
		return types.NewErr("parseJson: %q is not JSON", fault.Shorten(s, most))
	}
	return types.DefaultTypeAdapter.NativeToValue(x)
}

// Program is an expression that is ready to run. It may be used from any goroutine.
type Program struct {
	text    string
	program cel.Program
}

// Compile reads an expression. One that is too long, is not of the language or names what there is not is an Invalid error.
func (e *Environment) Compile(text string) (*Program, error) { return e.compile(text, cel.DynType) }

// CompileCondition reads an expression for Holds. One that can be neither true nor false is an Invalid error too.
func (e *Environment) CompileCondition(text string) (*Program, error) {
	return e.compile(text, cel.BoolType)
}

// compile reads an expression that gives values of a type; of which type a value of an event is, is known only when there is one.
func (e *Environment) compile(text string, want *cel.Type) (*Program, error) {
	if len(text) > MaxLength {
		return nil, fault.Invalidf("expression %q is %d bytes long; at most %d are accepted", fault.Shorten(text, most), len(text), MaxLength)
	}
	parsed, issues := e.env.Parse(text)
	var checked *cel.Ast
	if issues.Err() == nil {
		checked, issues = e.env.Check(parsed)
	}
	if issues.Err() != nil {
		first, _, _ := strings.Cut(issues.Err().Error(), "\n")
		return nil, fault.Invalidf("expression %q: %s", fault.Shorten(text, most), fault.Shorten(strings.TrimPrefix(first, "ERROR: "), 4*most))
	}
	if given := checked.OutputType(); !want.IsAssignableType(given) && !given.IsExactType(cel.DynType) {
		return nil, fault.Invalidf("expression %q gives a value of type %s; want true or false", fault.Shorten(text, most), given)
	}
	// The checked form is not used: for int(inputs.a['b']) cel-go 0.33 settles on one overload of int although the type of
	// the argument is known only at run time. The parsed form chooses the overload then.
	p, err := e.env.Program(parsed, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fault.Invalidf("expression %q: %v", fault.Shorten(text, most), err)
	}
	return &Program{text, p}, nil
}

// Eval returns what an expression gives, as a value of encoding/json: numbers are float64.
func (p *Program) Eval(variables map[string]any) (any, error) {
	out, _, err := p.program.Eval(variables)
	if err != nil {
		return nil, fault.Invalidf("%v", fault.Shorten(err.Error(), 4*most))
	}
	return native(out)
}

// Holds evaluates a condition.
func (p *Program) Holds(variables map[string]any) (bool, error) {
	out, _, err := p.program.Eval(variables)
	if err != nil {
		return false, fault.Invalidf("condition %q: %v", fault.Shorten(p.text, most), fault.Shorten(err.Error(), 4*most))
	}
	b, ok := out.Value().(bool)
	if !ok {
		return false, fault.Invalidf("condition %q: want true or false, got %v", fault.Shorten(p.text, most), fault.Shorten(fmt.Sprint(out.Value()), most))
	}
	return b, nil
}

// native turns a CEL value into a value of encoding/json.
func native(v ref.Val) (any, error) {
	if x, ok := scalar(v); ok {
		switch x := x.(type) {
		case int64:
			return float64(x), nil
		case uint64:
			return float64(x), nil
		case float64:
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fault.Invalidf("expression gives %v, which JSON cannot hold", x)
			}
		}
		return x, nil
	}
	switch v := v.(type) {
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
