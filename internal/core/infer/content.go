package infer

import (
	"encoding/binary"
	"math"

	"levada/internal/core/fault"
)

// Content types say in Tensor.Parameters and Request.Parameters, under ContentType, what the bytes of a datatype stand for. The names
// str, pd and np are MLServer's.
const (
	ContentType = "content_type"
	// ContentText is a Bytes tensor of UTF-8.
	ContentText = "str"
	// ContentBinary is a Bytes tensor of anything.
	ContentBinary = "bytes"
	// ContentJSON is a Bytes tensor each of whose elements is a JSON value: null, a text, a list, an object.
	ContentJSON = "json"
	// ContentDatetime is an Int64 tensor of nanoseconds since 1970 in UTC; math.MinInt64 stands for none (numpy's NaT).
	ContentDatetime = "datetime"
	// ContentTable says of a request or response that its tensors are the columns of a table.
	ContentTable = "pd"
	// ContentTensor says of a request or response that it is tensors and no table.
	ContentTensor = "np"
	// ContentUntyped marks a request whose format carries no types (JSON of MLflow, CSV), so that 1 may stand for 1.0: values are
	// converted to what the signature wants where that changes none. It is a parameter of the request, true or absent.
	ContentUntyped = "untyped"
)

func (t *Tensor) content() string {
	return ContentOf(t.Parameters)
}

// Content types as parameters, shared by all tensors that have no other parameter. They are never written to.
var (
	textContent     = map[string]any{ContentType: ContentText}
	binaryContent   = map[string]any{ContentType: ContentBinary}
	jsonContent     = map[string]any{ContentType: ContentJSON}
	datetimeContent = map[string]any{ContentType: ContentDatetime}
)

// Rows is the size of the first dimension; a scalar is one row.
func (t *Tensor) Rows() int64 {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[0]
}

// Check says whether the bytes of a tensor are what its type and shape promise. Whoever took them from outside calls it before
// anybody else sees the tensor.
func (t *Tensor) Check() error {
	n, err := Elements(t.Shape)
	if err != nil {
		return fault.Invalidf("input %q: %w", t.Name, err)
	}
	width := int64(t.Datatype.Width())
	switch {
	case width < 0:
		return fault.Invalidf("input %q: the datatype %q is none of the protocol's (BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64, BYTES)",
			t.Name, fault.Shorten(string(t.Datatype), 40))
	case width == 0:
		return t.eachBytes(n, func(int64, []byte) error { return nil })
	case n > int64(len(t.Data)) || n*width != int64(len(t.Data)):
		return fault.Invalidf("input %q: shape %v of %s needs %d elements of %d bytes each, and %d bytes came", t.Name, t.Shape, t.Datatype, n, width, len(t.Data))
	}
	return nil
}

// eachBytes calls f with the elements of a Bytes tensor.
func (t *Tensor) eachBytes(n int64, f func(i int64, b []byte) error) error {
	rest := t.Data
	for i := range n {
		if len(rest) < 4 {
			return fault.Invalidf("input %q: shape %v of BYTES needs %d elements, and only %d came", t.Name, t.Shape, n, i)
		}
		size := binary.LittleEndian.Uint32(rest)
		if uint64(size) > uint64(len(rest)-4) {
			return fault.Invalidf("input %q: element %d says that it has %d bytes, and %d are left", t.Name, i, size, len(rest)-4)
		}
		if err := f(i, rest[4:4+size]); err != nil {
			return err
		}
		rest = rest[4+size:]
	}
	if len(rest) > 0 {
		return fault.Invalidf("input %q: %d bytes are left after the %d elements of shape %v", t.Name, len(rest), n, t.Shape)
	}
	return nil
}

// AppendBytes appends an element of a Bytes tensor.
func AppendBytes(data, element []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(element))), element...)
}

// Element says one value of a tensor in Go: bool, int64, uint64 or float64; nil for a Bytes tensor, whose elements have no fixed
// places.
func (t *Tensor) Element(i int64) any {
	d := t.Data
	switch t.Datatype {
	case Bool:
		return d[i] != 0
	case Int8:
		return int64(int8(d[i]))
	case Uint8:
		return uint64(d[i])
	case Int16:
		return int64(int16(binary.LittleEndian.Uint16(d[2*i:])))
	case Uint16:
		return uint64(binary.LittleEndian.Uint16(d[2*i:]))
	case Int32:
		return int64(int32(binary.LittleEndian.Uint32(d[4*i:])))
	case Uint32:
		return uint64(binary.LittleEndian.Uint32(d[4*i:]))
	case Int64:
		return int64(binary.LittleEndian.Uint64(d[8*i:]))
	case Uint64:
		return binary.LittleEndian.Uint64(d[8*i:])
	case FP16:
		return HalfToFloat(binary.LittleEndian.Uint16(d[2*i:]))
	case FP32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(d[4*i:])))
	case FP64:
		return math.Float64frombits(binary.LittleEndian.Uint64(d[8*i:]))
	}
	return nil
}

// HalfToFloat widens an IEEE 754 half to a float64, which holds each of its values.
func HalfToFloat(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		if v = math.Inf(1); fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(fraction+1024, exponent-25)
	}
	if h>>15 == 1 {
		return -v
	}
	return v
}

// FloatToHalf rounds to the nearest IEEE 754 half, ties to even; what is too large becomes infinite.
func FloatToHalf(f float64) uint16 {
	sign := uint16(math.Float64bits(f) >> 63 << 15)
	a := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return sign | 0x7e00
	case a >= 65520: // halfway between the largest half and the next that there would be
		return sign | 0x7c00
	case a < math.Ldexp(1, -14):
		// Below the normal ones all halves are multiples of 2^-24; 1024 of them are the first normal one, as its bits say too.
		return sign | uint16(math.RoundToEven(math.Ldexp(a, 24)))
	}
	fraction, exponent := math.Frexp(a) // a = fraction x 2^exponent, fraction in [0.5, 1)
	m := uint16(math.RoundToEven(math.Ldexp(fraction, 11)))
	return sign | (uint16(exponent+13)<<10 + m) // m has its leading bit at 1024, which carries into the exponent
}
