package remotemodel

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// joined makes one request of requests that can be joined, with what another server is to know of their parameters.
func joined(requests []*infer.Request) (*infer.Request, error) {
	first := requests[0]
	rows := int64(0)
	for _, r := range requests {
		n, rowed := infer.BatchRows(r)
		if !rowed && len(requests) > 1 {
			return nil, fmt.Errorf("requests without a common first dimension were joined")
		}
		rows += n
	}
	out := &infer.Request{Inputs: make([]infer.Tensor, len(first.Inputs)), Parameters: infer.ModelParameters(first)}
	for i, t := range first.Inputs {
		t.Shape, t.Parameters = slices.Clone(t.Shape), told(nil, t.Parameters)
		if len(requests) > 1 {
			t.Shape[0] = rows
			parts := make([][]byte, len(requests))
			for k, r := range requests {
				parts[k] = r.Inputs[i].Data
			}
			t.Data = bytes.Join(parts, nil)
		}
		out.Inputs[i] = t
	}
	out.Parameters = told(out.Parameters, first.Parameters)
	return out, nil
}

// told adds the content type of parameters to others.
func told(to, from map[string]any) map[string]any {
	if content := infer.ContentOf(from); content != "" {
		if to == nil {
			to = map[string]any{}
		}
		to[infer.ContentType] = content
	}
	return to
}

// divided gives each of the requests that were joined its rows of the answer.
func divided(answer *infer.Response, requests []*infer.Request) ([]*infer.Response, error) {
	out := make([]*infer.Response, len(requests))
	for i, r := range requests {
		out[i] = &infer.Response{ID: r.ID, Parameters: told(nil, answer.Parameters)}
	}
	for _, t := range answer.Outputs {
		t.Parameters = told(nil, t.Parameters)
		parts, err := infer.Parts(t, requests)
		if err != nil {
			return nil, err
		}
		for i := range parts {
			out[i].Outputs = append(out[i].Outputs, parts[i])
		}
	}
	return out, nil
}

// encode writes a request of the Open Inference Protocol.
func encode(r *infer.Request) ([]byte, error) {
	b := []byte(`{"inputs":[`)
	for i := range r.Inputs {
		t := &r.Inputs[i]
		if i > 0 {
			b = append(b, ',')
		}
		head := map[string]any{"name": t.Name, "datatype": t.Datatype, "shape": t.Shape}
		if len(t.Parameters) > 0 {
			head["parameters"] = t.Parameters
		}
		text, err := json.Marshal(head)
		if err != nil {
			return nil, err
		}
		b = append(append(b, text[:len(text)-1]...), `,"data":[`...)
		if b, err = appendElements(b, t); err != nil {
			return nil, fault.Invalidf("input %q cannot be sent to the other server as JSON: %w", fault.Shorten(t.Name, 100), err)
		}
		b = append(b, "]}"...)
	}
	b = append(b, ']')
	if len(r.Parameters) > 0 {
		text, err := json.Marshal(r.Parameters)
		if err != nil {
			return nil, fault.Invalidf("the parameters of the request cannot be sent: %w", err)
		}
		b = append(append(b, `,"parameters":`...), text...)
	}
	return append(b, '}'), nil
}

// appendElements appends the elements of a tensor, with commas.
func appendElements(b []byte, t *infer.Tensor) ([]byte, error) {
	n, err := infer.Elements(t.Shape)
	if err != nil {
		return b, err
	}
	data := t.Data
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if t.Datatype == infer.Bytes {
			size := 4 + binary.LittleEndian.Uint32(data)
			text := data[4:size]
			if data = data[size:]; !utf8.Valid(text) {
				return b, fmt.Errorf("element %d is no text", i)
			}
			quoted, err := json.Marshal(string(text))
			if err != nil {
				return b, err
			}
			b = append(b, quoted...)
			continue
		}
		switch e := t.Element(i).(type) {
		case bool:
			b = strconv.AppendBool(b, e)
		case int64:
			b = strconv.AppendInt(b, e, 10)
		case uint64:
			b = strconv.AppendUint(b, e, 10)
		case float64:
			if math.IsNaN(e) || math.IsInf(e, 0) {
				return b, fmt.Errorf("element %d is %v, which JSON does not have", i, e)
			}
			bits := 64
			if t.Datatype == infer.FP32 {
				bits = 32
			}
			b = strconv.AppendFloat(b, e, 'g', -1, bits)
		}
	}
	return b, nil
}

// Decode reads the answer to requests that were sent as one: each gets its rows.
func Decode(body []byte, requests []*infer.Request) ([]*infer.Response, error) {
	answer, err := decode(body)
	if err != nil {
		return nil, err
	}
	return divided(answer, requests)
}

// decode reads an answer of the Open Inference Protocol.
func decode(body []byte) (*infer.Response, error) {
	var answer struct {
		Outputs []struct {
			Name       string          `json:"name"`
			Datatype   infer.Datatype  `json:"datatype"`
			Shape      []int64         `json:"shape"`
			Data       json.RawMessage `json:"data"`
			Parameters map[string]any  `json:"parameters"`
		} `json:"outputs"`
		Parameters map[string]any `json:"parameters"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fault.Unavailablef("the other server's answer is not one of the Open Inference Protocol: %w", err)
	}
	if len(answer.Outputs) == 0 {
		return nil, fault.Unavailablef("the other server's answer has no outputs")
	}
	out := &infer.Response{Parameters: answer.Parameters}
	for _, o := range answer.Outputs {
		t := infer.Tensor{Name: o.Name, Datatype: o.Datatype, Shape: o.Shape, Parameters: o.Parameters}
		if err := elements(&t, o.Data); err != nil {
			return nil, fault.Unavailablef("output %q of the other server's answer: %w", fault.Shorten(o.Name, 100), err)
		}
		out.Outputs = append(out.Outputs, t)
	}
	return out, nil
}

// elements fills in the data of a tensor.
func elements(t *infer.Tensor, data []byte) error {
	n, err := infer.Elements(t.Shape)
	if err != nil {
		return err
	}
	if t.Datatype.Width() < 0 {
		return fmt.Errorf("there is no datatype %q", fault.Shorten(string(t.Datatype), 40))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	found := int64(0)
	for {
		token, err := d.Token()
		if err != nil {
			break // the end: RawMessage was read as JSON before
		}
		if _, list := token.(json.Delim); list {
			continue // nested lists are row-major too
		}
		if t.Data, err = appendElement(t.Data, token, t.Datatype); err != nil {
			return fmt.Errorf("element %d: %w", found, err)
		}
		found++
	}
	if found != n {
		return fmt.Errorf("the shape %v has %d elements, and %d are there", t.Shape, n, found)
	}
	return nil
}

func appendElement(b []byte, token json.Token, to infer.Datatype) ([]byte, error) {
	switch v := token.(type) {
	case bool:
		if to == infer.Bool && v {
			return append(b, 1), nil
		} else if to == infer.Bool {
			return append(b, 0), nil
		}
	case string:
		if to == infer.Bytes {
			return infer.AppendBytes(b, []byte(v)), nil
		}
	case json.Number:
		return appendNumber(b, v.String(), to)
	}
	return b, fmt.Errorf("%v is no %s", token, to)
}

func appendNumber(b []byte, text string, to infer.Datatype) ([]byte, error) {
	bits := 8 * to.Width()
	var v uint64
	switch to {
	case infer.FP16, infer.FP32, infer.FP64:
		f, err := strconv.ParseFloat(text, max(bits, 32))
		if err != nil {
			return b, err
		}
		switch to {
		case infer.FP16:
			v = uint64(infer.FloatToHalf(f))
		case infer.FP32:
			v = uint64(math.Float32bits(float32(f)))
		default:
			v = math.Float64bits(f)
		}
	case infer.Uint8, infer.Uint16, infer.Uint32, infer.Uint64:
		u, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return b, err
		}
		v = u
	case infer.Int8, infer.Int16, infer.Int32, infer.Int64:
		i, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return b, err
		}
		v = uint64(i)
	default:
		return b, fmt.Errorf("%s is no %s", fault.Shorten(text, 40), to)
	}
	return append(b, binary.LittleEndian.AppendUint64(nil, v)[:to.Width()]...), nil
}
