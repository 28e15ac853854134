package expr

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"levada/internal/core/fault"
)

// Lookup returns a value for a variable that is a map with texts as keys, whose values are made when an expression names them. names are
// the keys that an expression sees when it goes through all of them. A value that is an error is that of the expression.
func Lookup(names []string, get func(key string) (any, bool)) any {
	keys := make(map[string]string, len(names))
	for _, n := range names {
		keys[n] = ""
	}
	return lookup{types.NewStringStringMap(types.DefaultTypeAdapter, keys), get}
}

type lookup struct {
	traits.Mapper
	get func(string) (any, bool)
}

// Find returns the value of a key.
func (l lookup) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.Value().(string)
	if !ok {
		return types.NewErr("the key %v is not a text", key.Value()), false
	}
	v, ok := l.get(name)
	if !ok {
		return nil, false
	}
	if err, failed := v.(error); failed {
		return types.WrapErr(err), false
	}
	return types.DefaultTypeAdapter.NativeToValue(v), true
}

// Get is Find, with an error for a key that is not there.
func (l lookup) Get(key ref.Val) ref.Val {
	v, ok := l.Find(key)
	if v == nil && !ok {
		return types.NewErr("no such key: %v", key.Value())
	}
	return v
}

// Contains reports whether a key is there.
func (l lookup) Contains(key ref.Val) ref.Val {
	if _, ok := l.Find(key); !ok {
		return types.False
	}
	return types.True
}

// Exact evaluates an expression to nil, bool, int64, uint64, float64, string, or a []any of these: unlike Eval it keeps whole numbers
// whole, and NaN and infinities as they are.
func (p *Program) Exact(variables map[string]any) (any, error) {
	out, _, err := p.program.Eval(variables)
	if err != nil {
		return nil, fault.Invalidf("expression %q: %v", fault.Shorten(p.text, most), fault.Shorten(err.Error(), 4*most))
	}
	v, err := exact(out, true)
	if err != nil {
		return nil, fault.Invalidf("expression %q: %w", fault.Shorten(p.text, most), err)
	}
	return v, nil
}

// scalar is a value that is no list and no map.
func scalar(v ref.Val) (x any, ok bool) {
	switch v := v.(type) {
	case types.Null:
		return nil, true
	case types.Bool:
		return bool(v), true
	case types.Int:
		return int64(v), true
	case types.Uint:
		return uint64(v), true
	case types.Double:
		return float64(v), true
	case types.String:
		return string(v), true
	}
	return nil, false
}

func exact(v ref.Val, list bool) (any, error) {
	if x, ok := scalar(v); ok {
		return x, nil
	}
	if v, ok := v.(traits.Lister); ok && list {
		out := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			e, err := exact(it.Next(), false)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	}
	return nil, fmt.Errorf("it gives a %s; want a truth value, a number, a text, or a list of such", v.Type())
}
