package infer

import (
	"encoding/binary"
	"reflect"
	"slices"

	"levada/internal/core/fault"
)

// doorParameters are the parameters of a request that are for the doors and not for the model.
var doorParameters = []string{ContentType, ContentUntyped, "binary_data_output", "binary_data", "headers"}

// ContentOf is the content type that the parameters of a tensor, request or response name; empty for none.
func ContentOf(parameters map[string]any) string {
	c, _ := parameters[ContentType].(string)
	return c
}

// ModelParameters are the parameters of a request that are for the model; nil for none.
func ModelParameters(r *Request) map[string]any {
	var out map[string]any
	for name, v := range r.Parameters {
		if slices.Contains(doorParameters, name) {
			continue
		}
		if out == nil {
			out = make(map[string]any, len(r.Parameters))
		}
		out[name] = v
	}
	return out
}

// BatchRows is the first dimension of a request's inputs where all of them have the same one. Otherwise the request has no rows, and
// must be given to a model by itself.
func BatchRows(r *Request) (rows int64, ok bool) {
	for i := range r.Inputs {
		shape := r.Inputs[i].Shape
		if len(shape) == 0 || i > 0 && shape[0] != rows {
			return 0, false
		}
		rows = shape[0]
	}
	return rows, len(r.Inputs) > 0
}

// Joinable reports whether two requests that have rows may be one batch: they have the same inputs in the same order, alike but for
// their rows, and give the model the same parameters.
func Joinable(a, b *Request) bool {
	if len(a.Inputs) != len(b.Inputs) {
		return false
	}
	for i := range a.Inputs {
		x, y := &a.Inputs[i], &b.Inputs[i]
		if x.Name != y.Name || x.Datatype != y.Datatype || len(x.Shape) != len(y.Shape) || len(x.Shape) == 0 ||
			!slices.Equal(x.Shape[1:], y.Shape[1:]) || ContentOf(x.Parameters) != ContentOf(y.Parameters) {
			return false
		}
	}
	if len(a.Parameters) == 0 && len(b.Parameters) == 0 {
		return true
	}
	return ContentOf(a.Parameters) == ContentOf(b.Parameters) && sameParameters(a, b)
}

func sameParameters(a, b *Request) bool {
	x, y := ModelParameters(a), ModelParameters(b)
	return len(x) == 0 && len(y) == 0 || reflect.DeepEqual(x, y)
}

// Parts gives each of the requests that were joined its rows of an output, whose bytes are what its type and shape promise. One request gets it
// as it is. An output that does not have a row for each of the requests' is a Conflict.
func Parts(t Tensor, requests []*Request) ([]Tensor, error) {
	if len(requests) == 1 {
		return []Tensor{t}, nil
	}
	rows := int64(0)
	for _, r := range requests {
		n, _ := BatchRows(r)
		rows += n
	}
	if len(t.Shape) == 0 || t.Shape[0] != rows {
		return nil, fault.Conflictf("output %q has the shape %v for %d rows", fault.Shorten(t.Name, 100), t.Shape, rows)
	}
	row, err := Elements(t.Shape[1:])
	if err != nil {
		return nil, err
	}
	out := make([]Tensor, len(requests))
	data := t.Data
	for i, r := range requests {
		n, _ := BatchRows(r)
		size := n * row * int64(t.Datatype.Width())
		if t.Datatype == Bytes {
			for range n * row {
				size += 4 + int64(binary.LittleEndian.Uint32(data[size:]))
			}
		}
		out[i] = t
		out[i].Shape = append([]int64{n}, t.Shape[1:]...)
		out[i].Data, data = data[:size:size], data[size:]
	}
	return out, nil
}
