package oip

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/serving"
)

// The messages of the protocol are few and small, and tensors go through them as they are, so they are read and written here by
// their field numbers (kserve/open-inference-protocol, specification/protocol/open_inference_grpc.proto) and not through generated
// code with reflection.

// fields calls each at every field of a message: number, and the value, whose type the callee asks for.
func fields(message []byte, each func(n protowire.Number, v value) error) error {
	for len(message) > 0 {
		n, t, size := protowire.ConsumeTag(message)
		if size < 0 {
			return malformed(protowire.ParseError(size))
		}
		message = message[size:]
		v := value{kind: t}
		switch t {
		case protowire.VarintType:
			v.number, size = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var u uint32
			u, size = protowire.ConsumeFixed32(message)
			v.number = uint64(u)
		case protowire.Fixed64Type:
			v.number, size = protowire.ConsumeFixed64(message)
		case protowire.BytesType:
			v.bytes, size = protowire.ConsumeBytes(message)
		default:
			size = protowire.ConsumeFieldValue(n, t, message)
		}
		if size < 0 {
			return malformed(protowire.ParseError(size))
		}
		if err := each(n, v); err != nil {
			return err
		}
		message = message[size:]
	}
	return nil
}

func malformed(err error) error { return fault.Invalidf("the message is not the protocol's: %w", err) }

// value is a field as it stands in the message.
type value struct {
	kind   protowire.Type
	number uint64
	bytes  []byte
}

func (v value) text() (string, error) {
	if v.kind != protowire.BytesType {
		return "", fault.Invalidf("the message is not the protocol's: a text is wanted")
	}
	return string(v.bytes), nil
}

func (v value) message() ([]byte, error) {
	if v.kind != protowire.BytesType {
		return nil, fault.Invalidf("the message is not the protocol's: a message is wanted")
	}
	return v.bytes, nil
}

// decodeModel reads the messages that have a name and a version.
func decodeModel(message []byte) (name, version string, err error) {
	err = fields(message, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			name, err = v.text()
		case 2:
			version, err = v.text()
		}
		return err
	})
	return name, version, err
}

// decodeInfer reads a ModelInferRequest; raw says that its tensors came as raw bytes.
func decodeInfer(message []byte) (c serving.Call, raw bool, err error) {
	c.Request = new(infer.Request)
	r := c.Request
	var raws [][]byte
	var typed []bool
	err = fields(message, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			c.Endpoint, err = v.text()
		case 2:
			c.Version, err = v.text()
		case 3:
			r.ID, err = v.text()
		case 4:
			err = decodeParameter(&r.Parameters, v)
		case 5:
			var t infer.Tensor
			var has bool
			if len(r.Inputs) >= mostTensors {
				return fault.TooLargef("the request has more than %d inputs", mostTensors)
			}
			t, has, err = decodeTensor(v)
			r.Inputs, typed = append(r.Inputs, t), append(typed, has)
		case 6:
			var o infer.Output
			if len(r.Outputs) >= mostTensors {
				return fault.TooLargef("the request has more than %d outputs", mostTensors)
			}
			o, err = decodeOutput(v)
			r.Outputs = append(r.Outputs, o)
		case 7:
			var b []byte
			b, err = v.message()
			raws = append(raws, b)
		}
		return err
	})
	if err != nil {
		return c, false, err
	}
	if len(raws) > 0 && len(raws) != len(r.Inputs) {
		return c, false, fault.Invalidf("%d inputs came with %d raw_input_contents: there is one for each input, or none", len(r.Inputs), len(raws))
	}
	for i := range r.Inputs {
		if len(raws) > 0 {
			if typed[i] {
				return c, false, fault.Invalidf("input %q has both contents and raw_input_contents", fault.Shorten(r.Inputs[i].Name, 100))
			}
			r.Inputs[i].Data = raws[i]
		}
		if err := r.Inputs[i].Check(); err != nil {
			return c, false, err
		}
	}
	return c, len(raws) > 0, nil
}

// decodeParameter reads an entry of a map of InferParameter.
func decodeParameter(into *map[string]any, v value) error {
	entry, err := v.message()
	if err != nil {
		return err
	}
	var key string
	var val any
	err = fields(entry, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			key, err = v.text()
		case 2:
			var m []byte
			if m, err = v.message(); err == nil {
				val, err = decodeChoice(m)
			}
		}
		return err
	})
	if *into == nil {
		*into = map[string]any{}
	}
	(*into)[key] = val
	return err
}

func decodeChoice(message []byte) (val any, err error) {
	return val, fields(message, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			val = v.number != 0
		case 2:
			val = int64(v.number)
		case 3:
			val, err = v.text()
		case 4:
			val = math.Float64frombits(v.number)
		case 5:
			val = float64(v.number)
			if v.number <= math.MaxInt64 {
				val = int64(v.number)
			}
		}
		return err
	})
}

func decodeTensor(v value) (t infer.Tensor, typed bool, err error) {
	message, err := v.message()
	if err != nil {
		return t, false, err
	}
	t.Shape = []int64{}
	var contents []byte
	err = fields(message, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			t.Name, err = v.text()
		case 2:
			var s string
			s, err = v.text()
			t.Datatype = infer.Datatype(s)
		case 3:
			err = v.repeated(protowire.VarintType, func(u uint64) {
				if len(t.Shape) <= mostDimensions {
					t.Shape = append(t.Shape, int64(u))
				}
			})
		case 4:
			err = decodeParameter(&t.Parameters, v)
		case 5:
			typed = true
			contents, err = v.message()
		}
		return err
	})
	if err == nil && len(t.Shape) > mostDimensions {
		err = fault.Invalidf("input %q: a shape has at most %d dimensions", fault.Shorten(t.Name, 100), mostDimensions)
	}
	if err == nil && typed {
		t.Data, err = decodeContents(&t, contents)
	}
	return t, typed, err
}

// repeated reads a repeated number, packed or not.
func (v value) repeated(kind protowire.Type, each func(u uint64)) error {
	if v.kind == kind {
		each(v.number)
		return nil
	}
	if v.kind != protowire.BytesType {
		return fault.Invalidf("the message is not the protocol's: a list of numbers is wanted")
	}
	for b := v.bytes; len(b) > 0; {
		var u uint64
		var size int
		switch kind {
		case protowire.Fixed32Type:
			var f uint32
			f, size = protowire.ConsumeFixed32(b)
			u = uint64(f)
		case protowire.Fixed64Type:
			u, size = protowire.ConsumeFixed64(b)
		default:
			u, size = protowire.ConsumeVarint(b)
		}
		if size < 0 {
			return malformed(protowire.ParseError(size))
		}
		each(u)
		b = b[size:]
	}
	return nil
}

// contentField is the field of InferTensorContents that holds a datatype, and how its numbers are written.
func contentField(d infer.Datatype) (protowire.Number, protowire.Type) {
	switch d {
	case infer.Bool:
		return 1, protowire.VarintType
	case infer.Int8, infer.Int16, infer.Int32:
		return 2, protowire.VarintType
	case infer.Int64:
		return 3, protowire.VarintType
	case infer.Uint8, infer.Uint16, infer.Uint32:
		return 4, protowire.VarintType
	case infer.Uint64:
		return 5, protowire.VarintType
	case infer.FP32:
		return 6, protowire.Fixed32Type
	case infer.FP64:
		return 7, protowire.Fixed64Type
	case infer.Bytes:
		return 8, protowire.BytesType
	}
	return 0, 0 // FP16 goes as raw bytes only
}

func decodeContents(t *infer.Tensor, message []byte) ([]byte, error) {
	field, kind := contentField(t.Datatype)
	if field == 0 {
		return nil, fault.Invalidf("input %q: %q does not go as contents; send raw_input_contents", fault.Shorten(t.Name, 100), fault.Shorten(string(t.Datatype), 40))
	}
	var data []byte
	outside := false
	err := fields(message, func(n protowire.Number, v value) error {
		switch {
		case n > 8:
			return nil
		case n != field:
			return fault.Invalidf("input %q: %s goes in another field of its contents than %d", fault.Shorten(t.Name, 100), t.Datatype, n)
		case t.Datatype == infer.Bytes:
			b, err := v.message()
			data = infer.AppendBytes(data, b)
			return err
		}
		return v.repeated(kind, func(u uint64) {
			var ok bool
			data, ok = appendContent(data, t.Datatype, u)
			outside = outside || !ok
		})
	})
	if outside {
		err = fault.Invalidf("input %q: a number of its contents is outside of what %s holds", fault.Shorten(t.Name, 100), t.Datatype)
	}
	return data, err
}

func appendContent(data []byte, d infer.Datatype, u uint64) ([]byte, bool) {
	switch d {
	case infer.Bool:
		return append(data, byte(min(u, 1))), true
	case infer.Int8:
		return append(data, byte(u)), int64(int8(u)) == int64(u)
	case infer.Uint8:
		return append(data, byte(u)), u <= math.MaxUint8
	case infer.Int16:
		return binary.LittleEndian.AppendUint16(data, uint16(u)), int64(int16(u)) == int64(u)
	case infer.Uint16:
		return binary.LittleEndian.AppendUint16(data, uint16(u)), u <= math.MaxUint16
	case infer.Int32:
		return binary.LittleEndian.AppendUint32(data, uint32(u)), int64(int32(u)) == int64(u)
	case infer.Uint32, infer.FP32:
		return binary.LittleEndian.AppendUint32(data, uint32(u)), u <= math.MaxUint32
	}
	return binary.LittleEndian.AppendUint64(data, u), true
}

func decodeOutput(v value) (o infer.Output, err error) {
	message, err := v.message()
	if err != nil {
		return o, err
	}
	err = fields(message, func(n protowire.Number, v value) (err error) {
		switch n {
		case 1:
			o.Name, err = v.text()
		case 2:
			err = decodeParameter(&o.Parameters, v)
		}
		return err
	})
	if err != nil {
		return o, err
	}
	return o, extensionsOf(&o, new(binaryOutputs))
}

func appendText(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendMessage(b []byte, n protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), message)
}

func appendUint(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func appendBool(b []byte, n protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return appendUint(b, n, 1)
}

func encodeServer(version string) []byte {
	b := appendText(appendText(nil, 1, "levada"), 2, version)
	for _, e := range extensions {
		if e == "binary_tensor_data" {
			continue // of REST
		}
		b = appendText(b, 3, e)
	}
	return b
}

func encodeMetadata(m infer.Metadata) []byte {
	b := appendText(nil, 1, m.Name)
	for _, v := range m.Versions {
		b = appendMessage(b, 2, []byte(v))
	}
	b = appendText(b, 3, m.Platform)
	for i, specs := range [][]infer.Spec{m.Inputs, m.Outputs} {
		for _, s := range specs {
			t := appendText(appendText(nil, 1, s.Name), 2, string(s.Datatype))
			b = appendMessage(b, protowire.Number(4+i), appendPacked(t, 3, s.Shape))
		}
	}
	return b
}

func appendPacked(b []byte, n protowire.Number, numbers []int64) []byte {
	if len(numbers) == 0 {
		return b
	}
	var packed []byte
	for _, v := range numbers {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	return appendMessage(b, n, packed)
}

func appendParameterMap(b []byte, n protowire.Number, m map[string]any) []byte {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		var p []byte
		switch v := m[k].(type) {
		case bool:
			x := uint64(0)
			if v {
				x = 1
			}
			p = appendUint(nil, 1, x)
		case int64:
			p = appendUint(nil, 2, uint64(v))
		case int:
			p = appendUint(nil, 2, uint64(v))
		case float64:
			p = protowire.AppendFixed64(protowire.AppendTag(nil, 4, protowire.Fixed64Type), math.Float64bits(v))
		case string:
			p = appendMessage(nil, 3, []byte(v))
		}
		b = appendMessage(b, n, appendMessage(appendText(nil, 1, k), 2, p))
	}
	return b
}

// encodeInfer writes a ModelInferResponse. Tensors go as raw bytes to a client that sent them so, and where contents have no field
// for one of them.
func encodeInfer(r *infer.Response, raw bool) ([]byte, error) {
	size := 256
	for i := range r.Outputs {
		size += len(r.Outputs[i].Data) + 64
		raw = raw || r.Outputs[i].Datatype == infer.FP16
	}
	b := appendText(make([]byte, 0, size), 1, r.Model)
	b = appendText(appendText(b, 2, r.Version), 3, r.ID)
	b = appendParameterMap(b, 4, r.Parameters)
	for i := range r.Outputs {
		t := &r.Outputs[i]
		m := appendPacked(appendText(appendText(nil, 1, t.Name), 2, string(t.Datatype)), 3, t.Shape)
		m = appendParameterMap(m, 4, t.Parameters)
		if !raw {
			contents, err := encodeContents(t)
			if err != nil {
				return nil, err
			}
			m = appendMessage(m, 5, contents)
		}
		b = appendMessage(b, 5, m)
	}
	if raw {
		for i := range r.Outputs {
			b = appendMessage(b, 6, r.Outputs[i].Data)
		}
	}
	return b, nil
}

func encodeContents(t *infer.Tensor) ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("the model's answer is broken: %v", err) //nolint:errorlint // it is not the client's fault, whose kind it has
	}
	field, kind := contentField(t.Datatype)
	if t.Datatype == infer.Bytes {
		var b []byte
		for rest := t.Data; len(rest) >= 4; {
			n := binary.LittleEndian.Uint32(rest)
			b = appendMessage(b, field, rest[4:4+n])
			rest = rest[4+n:]
		}
		return b, nil
	}
	if kind != protowire.VarintType {
		return appendMessage(nil, field, t.Data), nil // packed floats are little-endian, as they are here
	}
	packed := make([]byte, 0, len(t.Data))
	for i := range len(t.Data) / t.Datatype.Width() {
		switch e := t.Element(int64(i)).(type) {
		case bool:
			packed = protowire.AppendVarint(packed, protowire.EncodeBool(e))
		case int64:
			packed = protowire.AppendVarint(packed, uint64(e))
		case uint64:
			packed = protowire.AppendVarint(packed, e)
		}
	}
	return appendMessage(nil, field, packed), nil
}
