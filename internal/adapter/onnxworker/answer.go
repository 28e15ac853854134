package onnxworker

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"unsafe"

	"levada/internal/adapter/modelwire"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// badInput is wrapped by what is the doing of who asked.
type badInput struct{ error }

func (e badInput) Unwrap() error { return e.error }

// predict runs the model.
func (s *session) predict(tensors []infer.Tensor, table bool) (modelwire.OutputHeader, [][]byte, error) {
	h := modelwire.OutputHeader{Content: infer.ContentTensor}
	arranged, err := s.arranged(tensors, table)
	if err != nil {
		return h, nil, badInput{err}
	}
	var pin runtime.Pinner
	defer pin.Unpin() // not before the outputs are copied: a model may give an input as it came, and then they are the same bytes
	values, err := s.run(&pin, arranged)
	defer func() {
		for _, v := range values {
			s.lib.release(fnReleaseValue, v)
		}
	}()
	if err != nil {
		return h, nil, badInput{err}
	}
	if table {
		h.Content = infer.ContentTable
	}
	buffers := make([][]byte, len(values))
	for i, v := range values {
		t, err := s.encode(s.outputs[i], v)
		if err != nil {
			return h, nil, fmt.Errorf("output %q cannot be sent: %w", fault.Shorten(s.outputs[i].name, 100), err)
		}
		if n := len(t.Shape); table && n > 1 && t.Shape[n-1] == 1 && n == 2 {
			t.Shape = t.Shape[:1] // MLflow's flavor gives the rows of a table one value each
		}
		h.Outputs = append(h.Outputs, modelwire.TensorHeader{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape, Content: infer.ContentOf(t.Parameters)})
		buffers[i] = t.Data
	}
	return h, buffers, nil
}

// run gives the model its inputs, in their order. Its outputs are released by the caller, also with an error; they may lie on what is
// pinned.
func (s *session) run(pin *runtime.Pinner, tensors []infer.Tensor) ([]handle, error) {
	in, out := make([]handle, 0, len(tensors)), make([]handle, len(s.outputs))
	defer func() {
		for _, v := range in {
			s.lib.release(fnReleaseValue, v)
		}
	}()
	for i := range tensors {
		v, err := s.value(pin, s.inputs[i], &tensors[i])
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	return out, s.lib.call(fnRun, uintptr(s.handle), 0, uintptr(unsafe.Pointer(&s.inputNames[0])), uintptr(unsafe.Pointer(&in[0])), uintptr(len(in)),
		uintptr(unsafe.Pointer(&s.outputNames[0])), uintptr(len(out)), uintptr(unsafe.Pointer(&out[0])))
}

// encode copies an output.
func (s *session) encode(p port, v handle) (infer.Tensor, error) {
	if p.dicts {
		return s.encodeDicts(p, v)
	}
	e, shape, err := s.lib.shapeOf(v)
	if err != nil {
		return infer.Tensor{}, err
	}
	n, err := infer.Elements(shape)
	if err != nil {
		return infer.Tensor{}, err
	}
	t := infer.Tensor{Name: p.name, Datatype: datatypes[e], Shape: shape}
	if len(shape) == 0 {
		t.Shape = []int64{1}
	}
	if e != elementText {
		t.Data, err = s.lib.bytesOf(v, n*int64(t.Datatype.Width()))
		return t, err
	}
	texts, err := s.lib.textsOf(v, n)
	for _, text := range texts {
		t.Data = infer.AppendBytes(t.Data, text)
	}
	t.Parameters = map[string]any{infer.ContentType: infer.ContentText}
	return t, err
}

// encodeDicts makes a text of JSON for each dictionary, as Python's json writes it.
func (s *session) encodeDicts(p port, v handle) (infer.Tensor, error) {
	t := infer.Tensor{Name: p.name, Datatype: infer.Bytes, Parameters: map[string]any{infer.ContentType: infer.ContentJSON}}
	var n uintptr
	if err := s.lib.call(fnGetValueCount, uintptr(v), uintptr(unsafe.Pointer(&n))); err != nil {
		return t, err
	}
	t.Shape = []int64{int64(n)}
	for i := range int(n) {
		dict, err := s.lib.part(v, i)
		if err != nil {
			return t, err
		}
		text, err := s.dictionary(dict)
		s.lib.release(fnReleaseValue, dict)
		if err != nil {
			return t, err
		}
		t.Data = infer.AppendBytes(t.Data, text)
	}
	return t, nil
}

func (s *session) dictionary(dict handle) ([]byte, error) {
	keys, err := s.elements(dict, 0)
	if err != nil {
		return nil, err
	}
	values, err := s.elements(dict, 1)
	if err != nil {
		return nil, err
	}
	if len(keys) != len(values) {
		return nil, fmt.Errorf("a dictionary has %d keys and %d values", len(keys), len(values))
	}
	out := []byte{'{'}
	for i, k := range keys {
		if i > 0 {
			out = append(out, ", "...)
		}
		key, err := json.Marshal(fmt.Sprint(k))
		if err != nil {
			return nil, err
		}
		out = appendValue(append(append(out, key...), ": "...), values[i])
	}
	return append(out, '}'), nil
}

// appendValue appends a number as Python writes it.
func appendValue(b []byte, v any) []byte {
	f, ok := v.(float64)
	if !ok {
		return fmt.Append(b, v)
	}
	switch size := math.Abs(f); {
	case f != f:
		return append(b, "null"...)
	case size == 0 || size >= 1e-4 && size < 1e16:
		from := len(b)
		b = strconv.AppendFloat(b, f, 'f', -1, 64)
		for _, c := range b[from:] {
			if c == '.' {
				return b
			}
		}
		return append(b, ".0"...)
	}
	return strconv.AppendFloat(b, f, 'e', -1, 64)
}

// elements are the keys (0) or values (1) of a dictionary.
func (s *session) elements(dict handle, which int) ([]any, error) {
	v, err := s.lib.part(dict, which)
	if err != nil {
		return nil, err
	}
	defer s.lib.release(fnReleaseValue, v)
	t, err := s.encode(port{}, v)
	if err != nil {
		return nil, err
	}
	n, err := infer.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	out := make([]any, n)
	if t.Datatype == infer.Bytes {
		texts, err := s.lib.textsOf(v, n)
		for i := range texts {
			out[i] = string(texts[i])
		}
		return out, err
	}
	for i := range out {
		out[i] = t.Element(int64(i))
	}
	return out, nil
}
