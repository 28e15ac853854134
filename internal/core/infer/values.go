package infer

import (
	"encoding/json"
	"math"
)

// Values are the elements of a tensor in Go, nested by its shape: bool, int64, uint64, float64, string, and nil for a missing value of
// JSON. The tensor must be one that Check accepts. A tensor without dimensions is one value.
func (t *Tensor) Values() (any, error) {
	n, err := Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	flat := make([]any, 0, min(n, int64(len(t.Data))+1))
	err = t.eachCell(n, func(_ int64, c any) error {
		switch v := c.(type) {
		case []byte:
			c = string(v)
		case json.RawMessage:
			var err error
			if c, err = decodeValue(v); err != nil {
				return err
			}
		}
		flat = append(flat, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(t.Shape) == 0 {
		return flat[0], nil
	}
	return nested(flat, t.Shape), nil
}

// nested makes lists of lists of elements.
func nested(flat []any, shape []int64) []any {
	if len(shape) == 1 {
		return flat
	}
	out := make([]any, 0, min(shape[0], int64(len(flat))))
	if len(flat) == 0 {
		return out
	}
	size := len(flat) / int(shape[0])
	for ; len(flat) > 0; flat = flat[size:] {
		out = append(out, nested(flat[:size:size], shape[1:]))
	}
	return out
}

// Fit gives a request as a signature wants it, where there is one: see Enforce.
func Fit(s *Signature, r *Request) (*Request, error) {
	if s == nil {
		return r, nil
	}
	return s.Enforce(r)
}

// Number is a numeric or boolean element as a float64, and NaN for any other value.
func Number(e any) float64 {
	switch e := e.(type) {
	case bool:
		if e {
			return 1
		}
		return 0
	case int64:
		return float64(e)
	case uint64:
		return float64(e)
	case float64:
		return e
	}
	return math.NaN()
}
