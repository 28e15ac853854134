package onnxworker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"levada/internal/adapter/modelwire"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// read takes from the signature what decides how inputs are understood.
func (s *session) read(signature modelwire.Signature) error {
	var inputs []struct {
		Name   *string         `json:"name"`
		Tensor json.RawMessage `json:"tensor-spec"`
	}
	if len(signature.Inputs) > 0 {
		if err := json.Unmarshal(signature.Inputs, &inputs); err != nil {
			return fmt.Errorf("the signature: %w", err)
		}
	}
	if s.known = len(inputs) > 0; s.known {
		s.columns = inputs[0].Tensor == nil
		s.named = inputs[0].Name != nil && *inputs[0].Name != ""
	}
	return nil
}

// tensorsOf makes tensors of the frame of a prediction, on its bytes.
func tensorsOf(f modelwire.Frame, h *modelwire.InputHeader) ([]infer.Tensor, error) {
	if len(h.Inputs) != len(f.Buffers) {
		return nil, fmt.Errorf("%w: %d inputs and %d buffers", modelwire.ErrGarbage, len(h.Inputs), len(f.Buffers))
	}
	out := make([]infer.Tensor, len(h.Inputs))
	for i, in := range h.Inputs {
		shape := slices.Clone(in.Shape)
		if len(shape) > 0 && shape[0] == -1 {
			shape[0] = int64(f.Rows)
		}
		out[i] = infer.Tensor{Name: in.Name, Datatype: in.Datatype, Shape: shape, Data: f.Buffers[i]}
		if in.Content != "" {
			out[i].Parameters = map[string]any{infer.ContentType: in.Content}
		}
		if err := modelwire.Check(&out[i]); err != nil {
			return nil, fmt.Errorf("%w: input %q: %w", modelwire.ErrGarbage, fault.Shorten(in.Name, 100), err)
		}
	}
	return out, nil
}

// isTable says whether inputs are the columns of a table; python/modelworker.py decides it in the same way.
func (s *session) isTable(h *modelwire.InputHeader) bool {
	if s.known {
		return s.columns
	}
	if h.Content == "" && len(h.Inputs) > 1 {
		return !slices.ContainsFunc(h.Inputs, func(in modelwire.TensorHeader) bool {
			return len(in.Shape) == 0 || len(in.Shape) > 2 || in.Shape[0] != -1 || len(in.Shape) == 2 && in.Shape[1] != 1
		})
	}
	return h.Content == infer.ContentTable
}

// arranged gives each of the model's inputs its tensor: one of a table's columns side by side, or one for each; else by name.
func (s *session) arranged(tensors []infer.Tensor, table bool) ([]infer.Tensor, error) {
	switch {
	case table && len(s.inputs) == 1:
		t, err := s.sideBySide(tensors)
		return []infer.Tensor{t}, err
	case len(tensors) == 1 && len(s.inputs) == 1 && !table && !s.named:
		return tensors, nil
	}
	out := make([]infer.Tensor, len(s.inputs))
	for i, in := range s.inputs {
		at := slices.IndexFunc(tensors, func(t infer.Tensor) bool { return t.Name == in.name })
		if at < 0 {
			return nil, fmt.Errorf("an input %q is missing; the model has %s", fault.Shorten(in.name, 100), s.described())
		}
		out[i] = tensors[at]
		rows := out[i].Rows()
		// One value for each row, and no fewer: what is behind them would be read or forgotten.
		if n, _ := infer.Elements(out[i].Shape); table && n == rows && len(in.shape) != len(out[i].Shape) {
			out[i].Shape = []int64{rows, 1}[:max(1, min(len(in.shape), 2))]
		}
	}
	if len(tensors) > len(out) {
		for _, t := range tensors {
			if !slices.ContainsFunc(s.inputs, func(p port) bool { return p.name == t.Name }) {
				return nil, fmt.Errorf("there is no input %q; the model has %s", fault.Shorten(t.Name, 100), s.described())
			}
		}
	}
	return out, nil
}

// described says what the model takes.
func (s *session) described() string {
	parts := make([]string, len(s.inputs))
	for i, in := range s.inputs {
		parts[i] = fmt.Sprintf("%s (%s %v)", in.name, in.element, in.shape)
	}
	return fault.Shorten(strings.Join(parts, ", "), 500)
}

// sideBySide makes one tensor of the columns of a table: [rows, columns] of the type that the model's only input has.
func (s *session) sideBySide(columns []infer.Tensor) (infer.Tensor, error) {
	in := s.inputs[0]
	to := datatypes[in.element]
	rows, width := columns[0].Rows(), int64(to.Width())
	parts := make([][]byte, len(columns))
	for i := range columns {
		c := &columns[i]
		if n, _ := infer.Elements(c.Shape); n != rows { // checked with the frame
			return infer.Tensor{}, fmt.Errorf("column %q has the shape %v where others have %d rows", fault.Shorten(c.Name, 100), c.Shape, rows)
		}
		if err := plain(c); err != nil {
			return infer.Tensor{}, err
		}
		var err error
		if parts[i], err = converted(c, to); err != nil {
			return infer.Tensor{}, fmt.Errorf("column %q: %w", fault.Shorten(c.Name, 100), err)
		}
	}
	out := infer.Tensor{Name: in.name, Datatype: to, Shape: []int64{rows, int64(len(columns))}}
	if len(in.shape) == 1 && len(columns) == 1 {
		out.Shape = out.Shape[:1]
	}
	for r := range rows {
		for i, p := range parts {
			if width > 0 {
				out.Data = append(out.Data, p[r*width:(r+1)*width]...)
				continue
			}
			n := 4 + binary.LittleEndian.Uint32(p)
			out.Data = append(out.Data, p[:n]...)
			parts[i] = p[n:]
		}
	}
	return out, nil
}

// plain refuses what a tensor of ONNX cannot hold.
func plain(t *infer.Tensor) error {
	switch infer.ContentOf(t.Parameters) {
	case infer.ContentJSON:
		return fmt.Errorf("input %q has values that are missing or no texts, which an ONNX model does not take", fault.Shorten(t.Name, 100))
	case infer.ContentDatetime:
		return fmt.Errorf("input %q has dates, which an ONNX model does not take", fault.Shorten(t.Name, 100))
	}
	return nil
}

// value makes a tensor of the library of one of ours, for an input.
func (s *session) value(pin *runtime.Pinner, in port, t *infer.Tensor) (handle, error) {
	if err := plain(t); err != nil {
		return 0, err
	}
	to := datatypes[in.element]
	data, err := converted(t, to)
	if err != nil {
		return 0, fmt.Errorf("input %q: %w", fault.Shorten(in.name, 100), err)
	}
	if to != infer.Bytes {
		return s.lib.tensor(pin, in.element, t.Shape, data)
	}
	n, _ := infer.Elements(t.Shape) // checked with the frame
	elements := make([][]byte, n)
	for i := range elements {
		size := 4 + binary.LittleEndian.Uint32(data)
		elements[i], data = data[4:size], data[size:]
		if bytes.IndexByte(elements[i], 0) >= 0 {
			return 0, fmt.Errorf("input %q: element %d has a zero byte, which ONNX Runtime would end the text at", fault.Shorten(in.name, 100), i)
		}
	}
	return s.lib.texts(t.Shape, elements)
}

// narrowed makes floats of doubles.
func narrowed(doubles []byte) []byte {
	out := make([]byte, 0, len(doubles)/2)
	for at := 0; at < len(doubles); at += 8 {
		v := float32(math.Float64frombits(binary.LittleEndian.Uint64(doubles[at:])))
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}
