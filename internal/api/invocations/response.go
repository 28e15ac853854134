package invocations

import (
	"levada/internal/api/predict"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// appendAnswer writes an answer as MLflow's server does: a table as records, one array as lists, several arrays as an object.
func appendAnswer(b []byte, r *infer.Response, bare bool) ([]byte, error) {
	if !bare {
		b = append(b, `{"predictions":`...)
	}
	var err error
	switch {
	case r.Parameters[infer.ContentType] == infer.ContentTable:
		b, err = appendRecords(b, r.Outputs)
	case len(r.Outputs) == 1:
		b, err = predict.Nested(b, &r.Outputs[0])
	default:
		b = append(b, '{')
		for i := range r.Outputs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(predict.AppendString(b, r.Outputs[i].Name), ':')
			if b, err = predict.Nested(b, &r.Outputs[i]); err != nil {
				return nil, err
			}
		}
		b = append(b, '}')
	}
	if err != nil || bare {
		return b, err
	}
	return append(b, '}'), nil
}

func appendRecords(b []byte, columns []infer.Tensor) ([]byte, error) {
	values := make([]*predict.Values, len(columns))
	keys := make([][]byte, len(columns))
	for i := range columns {
		if len(columns[i].Shape) == 0 || columns[i].Shape[0] != columns[0].Shape[0] {
			return nil, fault.Unavailablef("the model's answer is a table whose columns have different numbers of rows")
		}
		values[i] = predict.NewValues(&columns[i], true)
		keys[i] = append(predict.AppendString(nil, columns[i].Name), ':')
	}
	rows := int64(0)
	if len(columns) > 0 {
		rows = columns[0].Shape[0]
	}
	b = append(b, '[')
	for row := range rows {
		if row > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		for i := range columns {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = predict.Row(append(b, keys[i]...), values[i]); err != nil {
				return nil, err
			}
		}
		b = append(b, '}')
	}
	return append(b, ']'), nil
}
