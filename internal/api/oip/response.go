package oip

import (
	"maps"
	"slices"
	"strconv"

	"levada/internal/api/predict"
	"levada/internal/core/infer"
)

// appendResponse writes an answer as JSON, and returns beside it the data of the outputs that are wanted as bytes.
func appendResponse(b []byte, r *infer.Response, binary *binaryOutputs) ([]byte, [][]byte, error) {
	b = predict.AppendString(append(b, `{"model_name":`...), r.Model)
	b = predict.AppendString(append(b, `,"model_version":`...), r.Version)
	if r.ID != "" {
		b = predict.AppendString(append(b, `,"id":`...), r.ID)
	}
	b = appendParameters(b, r.Parameters, -1)
	b = append(b, `,"outputs":[`...)
	var parts [][]byte
	for i := range r.Outputs {
		t := &r.Outputs[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = predict.AppendString(append(b, `{"name":`...), t.Name)
		b = predict.AppendString(append(b, `,"datatype":`...), string(t.Datatype))
		b = appendShape(append(b, `,"shape":`...), t.Shape)
		if binary.wants(t.Name) {
			if parts == nil {
				parts = [][]byte{}
			}
			b = appendParameters(b, t.Parameters, len(t.Data))
			parts = append(parts, t.Data)
		} else {
			var err error
			b = append(appendParameters(b, t.Parameters, -1), `,"data":`...)
			if b, err = predict.Flat(b, t); err != nil {
				return nil, nil, err
			}
		}
		b = append(b, '}')
	}
	return append(b, "]}"...), parts, nil
}

// appendParameters writes parameters in the order of their names, and the size of binary data unless it is negative.
func appendParameters(b []byte, m map[string]any, size int) []byte {
	if len(m) == 0 && size < 0 {
		return b
	}
	b = append(b, `,"parameters":{`...)
	first := true
	if size >= 0 {
		b = strconv.AppendInt(append(b, `"binary_data_size":`...), int64(size), 10)
		first = false
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(predict.AppendString(b, k), ':')
		switch v := m[k].(type) {
		case bool:
			b = strconv.AppendBool(b, v)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case float64:
			b = predict.AppendNumber(b, v, 64)
		case string:
			b = predict.AppendString(b, v)
		default:
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}

func appendShape(b []byte, shape []int64) []byte {
	b = append(b, '[')
	for i, d := range shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, d, 10)
	}
	return append(b, ']')
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = predict.AppendString(b, s)
	}
	return append(b, ']')
}

func appendMetadata(b []byte, m infer.Metadata) []byte {
	b = predict.AppendString(append(b, `{"name":`...), m.Name)
	b = appendStrings(append(b, `,"versions":`...), m.Versions)
	b = predict.AppendString(append(b, `,"platform":`...), m.Platform)
	b = appendSpecs(append(b, `,"inputs":`...), m.Inputs)
	b = appendSpecs(append(b, `,"outputs":`...), m.Outputs)
	return append(b, '}')
}

func appendSpecs(b []byte, specs []infer.Spec) []byte {
	b = append(b, '[')
	for i, s := range specs {
		if i > 0 {
			b = append(b, ',')
		}
		b = predict.AppendString(append(b, `{"name":`...), s.Name)
		b = predict.AppendString(append(b, `,"datatype":`...), string(s.Datatype))
		b = appendShape(append(b, `,"shape":`...), s.Shape)
		if s.Optional {
			b = append(b, `,"parameters":{"optional":true}`...)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}
