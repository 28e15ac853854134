package infergraph

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"levada/internal/core/expr"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// mapping is a Mapping that is ready to be applied.
type mapping struct {
	Mapping
	set map[string]*expr.Program
}

// compile checks a mapping and reads its expressions.
func (m *Mapping) compile() (*mapping, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // no mapping is none
	}
	if len(m.Set)+len(m.Rename)+len(m.Select) == 0 {
		return nil, fault.Invalidf("the mapping is empty; want set, rename or select")
	}
	if len(m.Set) > maxNames || len(m.Rename) > maxNames || len(m.Select) > maxNames {
		return nil, fault.Invalidf("at most %d columns can be mapped", maxNames)
	}
	env, err := environments()
	if err != nil {
		return nil, err
	}
	out := &mapping{Mapping: *m, set: make(map[string]*expr.Program, len(m.Set))}
	for _, name := range slices.Sorted(maps.Keys(m.Set)) {
		if name == "" {
			return nil, fault.Invalidf("set: a column has no name")
		}
		if out.set[name], err = env.value.Compile(m.Set[name]); err != nil {
			return nil, fault.Invalidf("set %q: %w", fault.Shorten(name, 100), err)
		}
	}
	for i, name := range m.Select {
		if slices.Contains(m.Select[:i], name) {
			return nil, fault.Invalidf("select: %q is there twice", fault.Shorten(name, 100))
		}
	}
	return out, nil
}

// evaluationError is an error of an expression over these values; with others it may be fine.
type evaluationError struct{ error }

func (e evaluationError) Unwrap() error { return e.error }

// apply makes other data of data. It asks stop now and then whether to go on.
func (m *mapping) apply(f Flow, a *Asked, stop func() error) (Flow, error) {
	if m == nil {
		return f, nil
	}
	out := f
	out.Tensors = slices.Clone(f.Tensors)
	if err := m.compute(&out, f, a, stop); err != nil {
		return f, err
	}
	for _, from := range slices.Sorted(maps.Keys(m.Rename)) {
		if f.index(from) < 0 && m.set[from] == nil {
			return f, fault.Invalidf("rename: %w", out.missing(from))
		}
	}
	for i := range out.Tensors {
		if to, renamed := m.Rename[out.Tensors[i].Name]; renamed {
			out.Tensors[i].Name = to
		}
	}
	for i := range out.Tensors {
		if out.index(out.Tensors[i].Name) != i {
			return f, fault.Invalidf("rename: two columns would be called %q", fault.Shorten(out.Tensors[i].Name, 100))
		}
	}
	if len(m.Select) == 0 {
		return out, nil
	}
	kept := make([]infer.Tensor, 0, len(m.Select))
	for _, name := range m.Select {
		i := out.index(name)
		if i < 0 {
			return f, fault.Invalidf("select: %w", out.missing(name))
		}
		kept = append(kept, out.Tensors[i])
	}
	out.Tensors = kept
	return out, nil
}

// compute sets columns by expressions over the rows of f.
func (m *mapping) compute(out *Flow, f Flow, a *Asked, stop func() error) error {
	if len(m.set) == 0 {
		return nil
	}
	rows, ok := infer.BatchRows(&infer.Request{Inputs: f.Tensors})
	if !ok {
		return fault.Invalidf("set: the data has no rows: its tensors differ in their first dimension, or there are none")
	}
	if rows > mostValues {
		return fault.Invalidf("set: the data has %d rows; expressions are evaluated for at most %d", rows, mostValues)
	}
	out.Untyped = true
	variables := a.variables(f)
	cells := f.cells()
	at := int64(0)
	variables["row"] = expr.Lookup(f.names(), func(name string) (any, bool) { return cells(name, at) })
	for _, name := range slices.Sorted(maps.Keys(m.set)) {
		made, values := make([]any, rows), 0
		for at = range rows {
			if at%256 == 255 {
				if err := stop(); err != nil {
					return err
				}
			}
			v, err := m.set[name].Exact(variables)
			if err != nil {
				return evaluationError{fault.Invalidf("set %q, row %d: %w", name, at, err)}
			}
			if list, ok := v.([]any); ok {
				if values += len(list); values > mostValues {
					return fault.Invalidf("set %q: the lists have more than %d values together", name, mostValues)
				}
			}
			made[at] = v
		}
		t, err := columnOf(made)
		if err != nil {
			return evaluationError{fault.Invalidf("set %q: %w", name, err)}
		}
		t.Name = name
		if i := out.index(name); i >= 0 {
			out.Tensors[i] = t
		} else {
			out.Tensors = append(out.Tensors, t)
		}
	}
	return nil
}

// cells returns a reader of single cells. Numbers in flat columns are read where they stand; of others the whole column is read once.
func (f Flow) cells() func(name string, row int64) (any, bool) {
	whole := map[string][]any{}
	return func(name string, row int64) (any, bool) {
		i := f.index(name)
		if i < 0 {
			return nil, false
		}
		t := &f.Tensors[i]
		if t.Datatype != infer.Bytes && len(t.Shape) == 1 {
			return t.Element(row), true
		}
		column, known := whole[name]
		if !known {
			v, err := f.values(i)
			if err != nil {
				return err, true
			}
			if column, known = v.([]any); !known {
				return v, true // a tensor without dimensions is the same for all rows
			}
			whole[name] = column
		}
		v := column[row]
		if only, ok := v.([]any); ok && len(only) == 1 && len(t.Shape) == 2 { // [rows, 1] is a column
			v = only[0]
		}
		return v, true
	}
}

// columnOf makes a tensor [rows], or [rows, n] of lists.
func columnOf(values []any) (infer.Tensor, error) {
	t := infer.Tensor{Shape: []int64{int64(len(values))}}
	flat := values
	if len(values) > 0 {
		if first, ok := values[0].([]any); ok {
			t.Shape = append(t.Shape, int64(len(first)))
			flat = make([]any, 0, len(values)*len(first))
			for i, v := range values {
				list, ok := v.([]any)
				if !ok || len(list) != len(first) {
					return t, fault.Invalidf("row %d: want a list of %d values, as in the first row", i, len(first))
				}
				flat = append(flat, list...)
			}
		}
	}
	var err error
	t.Datatype, err = typeOf(flat)
	if err != nil {
		return t, err
	}
	if t.Datatype == infer.Bytes {
		t.Parameters = map[string]any{infer.ContentType: infer.ContentText}
	}
	for _, v := range flat {
		t.Data = appendValue(t.Data, t.Datatype, v)
	}
	return t, nil
}

// typeOf is the one type that holds all values: null counts as a missing number.
func typeOf(values []any) (infer.Datatype, error) {
	kind := infer.Datatype("")
	for i, v := range values {
		var is infer.Datatype
		switch v := v.(type) {
		case bool:
			is = infer.Bool
		case int64:
			is = infer.Int64
		case uint64:
			if is = infer.Int64; v > math.MaxInt64 {
				is = infer.FP64
			}
		case float64, nil:
			is = infer.FP64
		case string:
			is = infer.Bytes
		default:
			return "", fault.Invalidf("value %d is a list inside of a list", i)
		}
		numbers := (kind == infer.Int64 || kind == infer.FP64) && (is == infer.Int64 || is == infer.FP64)
		switch {
		case kind == "" || kind == is:
			kind = is
		case numbers:
			kind = infer.FP64
		default:
			return "", fault.Invalidf("value %d is of another type than those before it: %s and %s", i, is, kind)
		}
	}
	if kind == "" {
		kind = infer.FP64 // no rows
	}
	return kind, nil
}

func appendValue(data []byte, d infer.Datatype, v any) []byte {
	if d == infer.FP64 {
		return binary.LittleEndian.AppendUint64(data, math.Float64bits(infer.Number(v)))
	}
	switch v := v.(type) {
	case bool:
		if v {
			return append(data, 1)
		}
		return append(data, 0)
	case int64:
		return binary.LittleEndian.AppendUint64(data, uint64(v))
	case uint64:
		return binary.LittleEndian.AppendUint64(data, v)
	case string:
		return infer.AppendBytes(data, []byte(v))
	}
	return data
}

// listed quotes names for a message; of many the first ten.
func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	parts := make([]string, 0, 10)
	for i, n := range names {
		if i == 10 {
			return strings.Join(parts, ", ") + " and " + strconv.Itoa(len(names)-i) + " more"
		}
		parts = append(parts, strconv.Quote(fault.Shorten(n, 100)))
	}
	return strings.Join(parts, ", ")
}

// isEvaluation reports whether an error depends on the values.
func isEvaluation(err error) bool {
	_, is := errors.AsType[evaluationError](err)
	return is
}
