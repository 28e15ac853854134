package onnxworker

import (
	"encoding/binary"
	"fmt"
	"math"

	"levada/internal/core/infer"
)

// element is the type of a tensor's elements, an ONNXTensorElementDataType of the library.
type element int32

const (
	elementFloat  element = 1
	elementText   element = 8
	elementInt64  element = 7
	elementDouble element = 11
)

// datatypes are the protocol's names of the types. Complex numbers, bfloat16 and types of fewer than 8 bits have none.
var datatypes = map[element]infer.Datatype{
	elementFloat: infer.FP32, 2: infer.Uint8, 3: infer.Int8, 4: infer.Uint16, 5: infer.Int16, 6: infer.Int32, elementInt64: infer.Int64,
	elementText: infer.Bytes, 9: infer.Bool, 10: infer.FP16, elementDouble: infer.FP64, 12: infer.Uint32, 13: infer.Uint64,
}

func (e element) String() string {
	if d, ok := datatypes[e]; ok {
		return string(d)
	}
	return fmt.Sprintf("ONNX's element type %d", int32(e))
}

// whole reports whether numbers of a type have no fraction.
func whole(d infer.Datatype) bool {
	switch d {
	case infer.FP16, infer.FP32, infer.FP64, infer.Bytes, infer.Bool:
		return false
	}
	return true
}

// converted is the bytes of a tensor of numbers as another type. Whole numbers become others where they fit, and floats; doubles become
// floats, with fewer digits, as MLflow's flavor has it. Anything else is an error.
func converted(t *infer.Tensor, to infer.Datatype) ([]byte, error) {
	if t.Datatype == to {
		return t.Data, nil
	}
	float := to == infer.FP32 || to == infer.FP64
	from := t.Datatype
	if from == infer.Bytes || from == infer.Bool || from == infer.FP16 || to == infer.Bytes || to == infer.Bool || to == infer.FP16 || !whole(from) && !float {
		return nil, fmt.Errorf("it has the type %s and the model wants %s", from, to)
	}
	if from == infer.FP64 && to == infer.FP32 {
		return narrowed(t.Data), nil // what most clients send, and most models take
	}
	n := int64(len(t.Data) / from.Width())
	data := make([]byte, 0, n*int64(to.Width()))
	for i := range n {
		var err error
		if data, err = appendNumber(data, t.Element(i), to); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// appendNumber appends a number (int64, uint64 or float64) as a type.
func appendNumber(data []byte, e any, to infer.Datatype) ([]byte, error) {
	switch to {
	case infer.FP32:
		return binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(infer.Number(e)))), nil
	case infer.FP64:
		return binary.LittleEndian.AppendUint64(data, math.Float64bits(infer.Number(e))), nil
	}
	v, err := fitting(e, to)
	if err != nil {
		return nil, err
	}
	switch to.Width() {
	case 1:
		return append(data, byte(v)), nil
	case 2:
		return binary.LittleEndian.AppendUint16(data, uint16(v)), nil
	case 4:
		return binary.LittleEndian.AppendUint32(data, uint32(v)), nil
	}
	return binary.LittleEndian.AppendUint64(data, v), nil
}

// fitting is a whole number as the low bits of one of another type, or an error where it does not fit.
func fitting(e any, to infer.Datatype) (uint64, error) {
	bits := uint(8 * to.Width())
	unsigned := to == infer.Uint8 || to == infer.Uint16 || to == infer.Uint32 || to == infer.Uint64
	switch e := e.(type) {
	case int64:
		low, high := int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits)
		if unsigned {
			low = 0
			if high = math.MaxInt64; bits < 64 {
				high = 1<<bits - 1
			}
		}
		if e >= low && e <= high {
			return uint64(e), nil
		}
	case uint64:
		high := uint64(math.MaxUint64) >> (64 - bits)
		if !unsigned {
			high >>= 1
		}
		if e <= high {
			return e, nil
		}
	}
	return 0, fmt.Errorf("%v does not fit into %s, which the model wants", e, to)
}
