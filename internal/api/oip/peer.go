package oip

import (
	"google.golang.org/protobuf/encoding/protowire"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// EncodeInferRequest writes a ModelInferRequest for another server, with raw contents. An empty version lets that server choose.
func EncodeInferRequest(model, version string, r *infer.Request) []byte {
	size := 256
	for i := range r.Inputs {
		size += len(r.Inputs[i].Data) + 64
	}
	b := appendText(appendText(make([]byte, 0, size), 1, model), 2, version)
	b = appendParameterMap(appendText(b, 3, r.ID), 4, r.Parameters)
	for i := range r.Inputs {
		t := &r.Inputs[i]
		m := appendPacked(appendText(appendText(nil, 1, t.Name), 2, string(t.Datatype)), 3, t.Shape)
		b = appendMessage(b, 5, appendParameterMap(m, 4, t.Parameters))
	}
	for i := range r.Inputs {
		b = appendMessage(b, 7, r.Inputs[i].Data)
	}
	return b
}

// DecodeInferResponse reads a ModelInferResponse of another server, with raw or typed contents. What is none is an Invalid error.
func DecodeInferResponse(message []byte) (*infer.Response, error) {
	r := new(infer.Response)
	var raws [][]byte
	err := fields(message, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			r.Model, err = v.text()
		case 2:
			r.Version, err = v.text()
		case 3:
			r.ID, err = v.text()
		case 4:
			err = decodeParameter(&r.Parameters, v)
		case 5:
			if len(r.Outputs) >= mostTensors {
				return fault.TooLargef("the answer has more than %d outputs", mostTensors)
			}
			var t infer.Tensor
			t, _, err = decodeTensor(v)
			r.Outputs = append(r.Outputs, t)
		case 6:
			var b []byte
			b, err = v.message()
			raws = append(raws, b)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(raws) > 0 && len(raws) != len(r.Outputs) {
		return nil, fault.Invalidf("%d outputs came with %d raw_output_contents", len(r.Outputs), len(raws))
	}
	for i := range r.Outputs {
		if len(raws) > 0 {
			r.Outputs[i].Data = raws[i]
		}
		if err := r.Outputs[i].Check(); err != nil {
			return nil, err
		}
	}
	return r, nil
}
