package remotemodel

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// unnamed is what a tensor is called here that has no name in the model's signature.
var unnamed = regexp.MustCompile(`^input-\d+$`)

// encodeMLflow writes a body of MLflow's scoring server (mlflow.pyfunc.scoring_server, version 3.17): the columns of a table as
// dataframe_split, tensors as inputs.
func encodeMLflow(r *infer.Request) ([]byte, error) {
	columns := make([][]json.RawMessage, len(r.Inputs))
	for i := range r.Inputs {
		var err error
		if columns[i], err = mlflowElements(&r.Inputs[i]); err != nil {
			return nil, fault.Invalidf("input %q cannot be sent to the other server: %w", fault.Shorten(r.Inputs[i].Name, 100), err)
		}
	}
	body := map[string]any{}
	switch {
	case isTable(r):
		names := make([]string, len(r.Inputs))
		rows := make([][]json.RawMessage, len(columns[0]))
		for i := range r.Inputs {
			names[i] = r.Inputs[i].Name
			if len(columns[i]) != len(rows) {
				return nil, fault.Invalidf("the columns of the table have different numbers of rows")
			}
			for row, v := range columns[i] {
				rows[row] = append(rows[row], v)
			}
		}
		body["dataframe_split"] = map[string]any{"columns": names, "data": rows}
	case len(r.Inputs) == 1 && unnamed.MatchString(r.Inputs[0].Name):
		body["inputs"] = nested(r.Inputs[0].Shape, columns[0])
	default:
		named := map[string]any{}
		for i := range r.Inputs {
			named[r.Inputs[i].Name] = nested(r.Inputs[i].Shape, columns[i])
		}
		body["inputs"] = named
	}
	params := infer.ModelParameters(r)
	if len(params) > 0 {
		body["params"] = params
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fault.Invalidf("the parameters of the request cannot be sent: %w", err)
	}
	return text, nil
}

// isTable says whether inputs are the columns of a table, as python/modelworker.py decides it.
func isTable(r *infer.Request) bool {
	if content := infer.ContentOf(r.Parameters); content != "" {
		return content == infer.ContentTable
	}
	return len(r.Inputs) > 1 && !slices.ContainsFunc(r.Inputs, func(t infer.Tensor) bool {
		return len(t.Shape) == 0 || len(t.Shape) > 2 || len(t.Shape) == 2 && t.Shape[1] != 1
	})
}

// nested puts the elements of a tensor into lists by its shape.
func nested(shape []int64, elements []json.RawMessage) any {
	if len(shape) == 0 && len(elements) == 1 {
		return elements[0]
	}
	if len(shape) < 2 {
		return elements
	}
	out := make([]any, shape[0])
	width := 0
	if shape[0] > 0 {
		width = len(elements) / int(shape[0])
	}
	for i := range out {
		out[i] = nested(shape[1:], elements[i*width:(i+1)*width])
	}
	return out
}

// mlflowElements are the elements of a tensor as MLflow reads them: what is missing is null, bytes are base64, times ISO 8601.
func mlflowElements(t *infer.Tensor) ([]json.RawMessage, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	n, err := infer.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	if n == 0 && len(t.Shape) > 1 && t.Shape[0] > 0 { // each of them would be written
		return nil, fmt.Errorf("its shape %v has rows without elements", t.Shape)
	}
	out := make([]json.RawMessage, n)
	content, data := infer.ContentOf(t.Parameters), t.Data
	for i := range n {
		if t.Datatype == infer.Bytes {
			size := 4 + binary.LittleEndian.Uint32(data)
			if out[i], err = mlflowText(data[4:size], content); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			data = data[size:]
			continue
		}
		switch e := t.Element(i).(type) {
		case int64:
			switch {
			case content != infer.ContentDatetime:
				out[i] = strconv.AppendInt(nil, e, 10)
			case e == math.MinInt64:
				out[i] = json.RawMessage("null")
			default:
				out[i] = time.Unix(0, e).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.999999999"`)
			}
		case uint64:
			out[i] = strconv.AppendUint(nil, e, 10)
		case bool:
			out[i] = strconv.AppendBool(nil, e)
		case float64:
			if out[i], err = mlflowFloat(e, t.Datatype); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
	}
	return out, nil
}

func mlflowFloat(f float64, d infer.Datatype) (json.RawMessage, error) {
	bits := 64
	switch {
	case math.IsNaN(f):
		return json.RawMessage("null"), nil
	case math.IsInf(f, 0):
		return nil, fmt.Errorf("%v is no number of JSON", f)
	case d == infer.FP32:
		bits = 32
	}
	b := strconv.AppendFloat(nil, f, 'g', -1, bits)
	if !bytes.ContainsAny(b, ".e") {
		b = append(b, ".0"...) // without it the column is one of whole numbers, which MLflow refuses for one of doubles
	}
	return b, nil
}

func mlflowText(text []byte, content string) (json.RawMessage, error) {
	switch content {
	case infer.ContentJSON:
		if !json.Valid(text) {
			return nil, fmt.Errorf("it is no JSON")
		}
		return text, nil
	case infer.ContentBinary:
		return json.Marshal(base64.StdEncoding.EncodeToString(text))
	}
	return json.Marshal(string(text))
}

// DecodeMLflow reads the answer of a server of MLflow's to requests that were sent as one: each gets its rows.
func DecodeMLflow(body []byte, requests []*infer.Request) ([]*infer.Response, error) {
	answer, err := decodeMLflow(body)
	if err != nil {
		return nil, err
	}
	return divided(answer, requests)
}

// decodeMLflow reads what MLflow's scoring server answers: a list, a table as records, or an object that has an array for each output.
func decodeMLflow(body []byte) (*infer.Response, error) {
	var answer struct {
		Predictions json.RawMessage `json:"predictions"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Predictions == nil {
		return nil, fault.Unavailablef("the other server's answer is not one of MLflow's: it has no predictions")
	}
	out := &infer.Response{Parameters: map[string]any{infer.ContentType: infer.ContentTensor}}
	names, columns, err := columnsOf(answer.Predictions)
	switch {
	case err != nil:
		return nil, fault.Unavailablef("the other server's answer: %w", err)
	case names == nil:
		names, columns = []string{"output-0"}, []json.RawMessage{answer.Predictions}
	case bytes.HasPrefix(bytes.TrimSpace(answer.Predictions), []byte("[")):
		out.Parameters[infer.ContentType] = infer.ContentTable
	}
	for i, name := range names {
		t, err := untyped(name, columns[i])
		if err != nil {
			return nil, fault.Unavailablef("output %q of the other server's answer: %w", fault.Shorten(name, 100), err)
		}
		out.Outputs = append(out.Outputs, t)
	}
	return out, nil
}

// columnsOf takes apart a table of records, or an object with arrays. Without names it is neither.
func columnsOf(predictions json.RawMessage) (names []string, columns []json.RawMessage, err error) {
	text := bytes.TrimSpace(predictions)
	if bytes.HasPrefix(text, []byte("{")) {
		var named map[string]json.RawMessage
		if names, err = keysOf(text); err == nil {
			err = json.Unmarshal(text, &named)
		}
		for _, n := range names {
			columns = append(columns, named[n])
		}
		return names, columns, err
	}
	if rest := bytes.TrimSpace(bytes.TrimPrefix(text, []byte("["))); !bytes.HasPrefix(text, []byte("[")) || !bytes.HasPrefix(rest, []byte("{")) {
		return nil, nil, nil
	}
	var records []json.RawMessage
	if err := json.Unmarshal(text, &records); err != nil {
		return nil, nil, err
	}
	if names, err = keysOf(records[0]); err != nil {
		return nil, nil, err
	}
	lists := make([][]json.RawMessage, len(names))
	for row, r := range records {
		var record map[string]json.RawMessage
		if err := json.Unmarshal(r, &record); err != nil || len(record) != len(names) {
			return nil, nil, fmt.Errorf("record %d is not one of the same table", row)
		}
		for i, n := range names {
			v, there := record[n]
			if !there {
				return nil, nil, fmt.Errorf("record %d has no %q", row, fault.Shorten(n, 100))
			}
			lists[i] = append(lists[i], v)
		}
	}
	for _, list := range lists {
		column, err := json.Marshal(list)
		if err != nil {
			return nil, nil, err
		}
		columns = append(columns, column)
	}
	return names, columns, nil
}

// keysOf are the keys of an object in their order, each once.
func keysOf(object json.RawMessage) (keys []string, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // the keys of an object are
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return nil, err
		}
		if !seen[name] {
			seen[name] = true
			keys = append(keys, name)
		}
	}
	return keys, nil
}

// untyped makes a tensor of an array of JSON, whose values say what they are.
func untyped(name string, data json.RawMessage) (infer.Tensor, error) {
	t := infer.Tensor{Name: name}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return t, err
	}
	t.Shape = []int64{}
	for at := v; ; {
		list, ok := at.([]any)
		if !ok {
			break
		}
		t.Shape = append(t.Shape, int64(len(list)))
		if len(list) == 0 {
			break
		}
		at = list[0]
	}
	flat, err := flattened(nil, v, t.Shape)
	if err != nil {
		return t, err
	}
	if len(t.Shape) == 0 {
		t.Shape = []int64{1}
	}
	return t, typed(&t, flat)
}

func flattened(into []any, v any, shape []int64) ([]any, error) {
	list, ok := v.([]any)
	if ok != (len(shape) > 0) || ok && int64(len(list)) != shape[0] {
		return nil, fmt.Errorf("its lists do not make an array")
	}
	if !ok {
		return append(into, v), nil
	}
	for _, e := range list {
		var err error
		if into, err = flattened(into, e, shape[1:]); err != nil {
			return nil, err
		}
	}
	return into, nil
}

// typed chooses the datatype that holds all values, and writes them.
func typed(t *infer.Tensor, values []any) error {
	whole, numbers, texts, logical := true, true, true, true
	for _, v := range values {
		n, isNumber := v.(json.Number)
		_, isText := v.(string)
		_, isBool := v.(bool)
		_, err := strconv.ParseInt(n.String(), 10, 64)
		whole, numbers = whole && isNumber && err == nil, numbers && (isNumber || v == nil)
		texts, logical = texts && isText, logical && isBool
	}
	switch {
	case whole && len(values) > 0:
		t.Datatype = infer.Int64
	case numbers:
		t.Datatype = infer.FP64
	case logical:
		t.Datatype = infer.Bool
	default:
		t.Datatype, t.Parameters = infer.Bytes, map[string]any{infer.ContentType: infer.ContentJSON}
		if texts {
			t.Parameters = map[string]any{infer.ContentType: infer.ContentText}
		}
	}
	for i, v := range values {
		var err error
		switch {
		case t.Datatype == infer.FP64 && v == nil:
			t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(math.NaN()))
		case t.Datatype == infer.Bytes && !texts:
			var text []byte
			if text, err = json.Marshal(v); err == nil {
				t.Data = infer.AppendBytes(t.Data, text)
			}
		default:
			t.Data, err = appendElement(t.Data, v, t.Datatype)
		}
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}
