package infer

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"levada/internal/core/fault"
)

// conform checks a decoded JSON value against a type and gives it as the type has it: whole numbers are float64 where a float is
// wanted. It follows MLflow's _enforce_type and _enforce_param_datatype; as JSON does not tell 1 from 1.0, a whole number is a
// double here, which MLflow grants to parameters but not to elements of arrays.
func (t Type) conform(v any) (any, error) {
	switch t.Kind {
	case Any, SparkVector:
		return v, nil
	case Array:
		list, ok := v.([]any)
		if !ok {
			return nil, fault.Invalidf("%s is wanted and %s came", t, sortJSON(v))
		}
		for i := range list {
			var err error
			if list[i], err = t.Items.conform(list[i]); err != nil {
				return nil, fault.Invalidf("element %d: %w", i, err)
			}
		}
		return list, nil
	case Map:
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fault.Invalidf("%s is wanted and %s came", t, sortJSON(v))
		}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			var err error
			if m[k], err = t.Values.conform(m[k]); err != nil {
				return nil, fault.Invalidf("key %q: %w", fault.Shorten(k, 100), err)
			}
		}
		return m, nil
	case Object:
		return t.conformObject(v)
	}
	return t.conformScalar(v)
}

func (t Type) conformObject(v any) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fault.Invalidf("%s is wanted and %s came", t, sortJSON(v))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Properties)) {
		if _, there := m[name]; !there && !t.Properties[name].Optional {
			return nil, fault.Invalidf("the property %q is missing", name)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p, known := t.Properties[k]
		if !known {
			return nil, fault.Invalidf("the property %q is not one of the signature's; %s is wanted", fault.Shorten(k, 100), t)
		}
		if m[k] == nil && p.Optional {
			continue
		}
		var err error
		if m[k], err = p.Type.conform(m[k]); err != nil {
			return nil, fault.Invalidf("property %q: %w", k, err)
		}
	}
	return m, nil
}

func (t Type) conformScalar(v any) (any, error) {
	switch c := v.(type) {
	case nil:
		if t.Kind == Float || t.Kind == Double || t.Kind == Text || t.Kind == Datetime {
			return nil, nil
		}
	case bool:
		if t.Kind == Boolean {
			return c, nil
		}
	case int64:
		switch t.Kind {
		case Long:
			return c, nil
		case Integer:
			if c == int64(int32(c)) {
				return c, nil
			}
		case Float, Double:
			return float64(c), nil
		}
	case uint64:
		if t.Kind == Float || t.Kind == Double {
			return float64(c), nil
		}
	case float64:
		if t.Kind == Double || t.Kind == Float && (math.IsInf(c, 0) || !math.IsInf(float64(float32(c)), 0)) {
			return c, nil
		}
	case string:
		switch t.Kind {
		case Text, Binary:
			return c, nil
		case Datetime:
			if _, err := nanoseconds([]byte(c)); err != nil {
				return nil, err
			}
			return c, nil
		}
	}
	return nil, fault.Invalidf("%s is wanted and %s came", t, sortJSON(v))
}

func sortJSON(v any) string {
	switch v := v.(type) {
	case string:
		return sort([]byte(v))
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return sort(v)
}

// conform checks the value of a parameter.
func (p Param) conform(v any) (any, error) {
	if v == nil {
		return nil, nil //nolint:nilnil // null is the value
	}
	if !p.List {
		return p.Type.conform(v)
	}
	return Type{Kind: Array, Items: &p.Type}.conform(v)
}

// conformJSON is conform for the text of a cell.
func (t Type) conformJSON(c any, optional bool) ([]byte, error) {
	var v any
	switch c := c.(type) {
	case json.RawMessage:
		var err error
		if v, err = decodeValue(c); err != nil {
			return nil, err
		}
	case []byte:
		v = string(c)
	default:
		v = c
	}
	if v == nil && (optional || t.Kind == Any) {
		return []byte("null"), nil
	}
	v, err := t.conform(v)
	if err != nil {
		return nil, err
	}
	return appendJSON(nil, v)
}

// appendJSON writes a value so that a reader that tells 1 from 1.0, as Python's does, tells them.
func appendJSON(b []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...), nil
		}
		text, err := json.Marshal(v)
		b = append(b, text...)
		if v == math.Trunc(v) && !slices.Contains(text, 'e') {
			b = append(b, ".0"...)
		}
		return b, err
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, e); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		b = append(b, '{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			key, err := json.Marshal(k)
			if err != nil {
				return nil, err
			}
			if b, err = appendJSON(append(append(b, key...), ':'), v[k]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	text, err := json.Marshal(v)
	return append(b, text...), err
}
