package onnxworker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"levada/internal/adapter/modelwire"
	"levada/internal/core/infer"
)

// maxExample bounds the example of a model.
const maxExample = 8 << 20

// warmUp lets the model predict its own example, if it has one. A failure is only told: it may be the example's.
func (s *session) warmUp(o modelwire.Order) (bool, string) {
	name, _ := o.Example["artifact_path"].(string)
	if name == "" {
		return false, ""
	}
	tensors, table, err := s.example(o.Path, name)
	if err == nil {
		_, _, err = s.predict(tensors, table)
	}
	if err != nil {
		return false, "the model's own example could not be predicted: " + err.Error()
	}
	return true, ""
}

// example reads input_example.json in the forms that MLflow writes: {"columns", "data"}, {"inputs": ...}, or a list.
func (s *session) example(dir, name string) ([]infer.Tensor, bool, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return nil, false, err
	}
	path := filepath.Join(dir, local)
	if info, err := os.Stat(path); err != nil || info.Size() > maxExample {
		return nil, false, errors.Join(err, fmt.Errorf("%s is not there or has more than %d bytes", name, maxExample))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false, err
	}
	var table struct {
		Columns []string `json:"columns"`
		Data    [][]any  `json:"data"`
	}
	if json.Unmarshal(text, &table) == nil && len(table.Columns) > 0 {
		tensors, err := s.exampleTable(table.Columns, table.Data)
		return tensors, true, err
	}
	var content any
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, false, err
	}
	if m, ok := content.(map[string]any); ok && len(m) == 1 && m["inputs"] != nil {
		content = m["inputs"]
	}
	named, ok := content.(map[string]any)
	if !ok {
		if len(s.inputs) != 1 {
			return nil, false, fmt.Errorf("it is one tensor and the model has %d inputs", len(s.inputs))
		}
		named = map[string]any{s.inputs[0].name: content}
	}
	tensors := make([]infer.Tensor, 0, len(named))
	for _, in := range s.inputs {
		t := infer.Tensor{Name: in.name, Datatype: datatypes[in.element]}
		if t.Shape, t.Data, err = nested(named[in.name], t.Datatype); err != nil {
			return nil, false, err
		}
		tensors = append(tensors, t)
	}
	return tensors, false, nil
}

// exampleTable makes columns of the types that the model wants.
func (s *session) exampleTable(names []string, rows [][]any) ([]infer.Tensor, error) {
	out := make([]infer.Tensor, len(names))
	for c, name := range names {
		column := make([]any, len(rows))
		for r := range rows {
			if len(rows[r]) != len(names) {
				return nil, fmt.Errorf("row %d has %d values for %d columns", r, len(rows[r]), len(names))
			}
			column[r] = rows[r][c]
		}
		to := s.inputs[0].element
		for _, in := range s.inputs {
			if in.name == name {
				to = in.element
			}
		}
		out[c] = infer.Tensor{Name: name, Datatype: datatypes[to]}
		var err error
		if out[c].Shape, out[c].Data, err = nested(column, out[c].Datatype); err != nil {
			return nil, fmt.Errorf("column %q: %w", name, err)
		}
	}
	return out, nil
}

// nested is the shape of nested lists, and their elements as a type.
func nested(v any, to infer.Datatype) (shape []int64, data []byte, err error) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			inner, more, err := nested(e, to)
			if err != nil {
				return nil, nil, err
			}
			if i > 0 && fmt.Sprint(inner) != fmt.Sprint(shape[1:]) {
				return nil, nil, errors.New("its lists have several lengths")
			}
			shape = append([]int64{int64(len(v))}, inner...)
			data = append(data, more...)
		}
		if len(v) == 0 {
			shape = []int64{0}
		}
		return shape, data, nil
	case string:
		if to == infer.Bytes {
			return nil, infer.AppendBytes(nil, []byte(v)), nil
		}
	case bool:
		if to == infer.Bool {
			if v {
				return nil, []byte{1}, nil
			}
			return nil, []byte{0}, nil
		}
	case float64:
		if to == infer.Bytes || to == infer.Bool || to == infer.FP16 {
			break
		}
		var e any = v
		if whole(to) && v == float64(int64(v)) {
			e = int64(v)
		}
		data, err = appendNumber(nil, e, to)
		return nil, data, err
	}
	return nil, nil, fmt.Errorf("%v is no %s", v, to)
}
