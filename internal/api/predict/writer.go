package predict

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// AppendNumber appends a float so that it reads back as the same float: with a point or an exponent also where it is whole. What JSON
// has no number for is null.
func AppendNumber(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	if a := math.Abs(f); f == math.Trunc(f) && a < 1e15 {
		if f == 0 && math.Signbit(f) {
			return append(b, "-0.0"...)
		}
		return append(strconv.AppendInt(b, int64(f), 10), ".0"...)
	} else if a < 1e-5 || a >= 1e15 {
		return strconv.AppendFloat(b, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, f, 'f', -1, bits)
}

// Values writes the elements of a tensor as JSON, one after the other.
type Values struct {
	t *infer.Tensor
	// readable gives times and bytes as text for people and programs that know no datatype: ISO 8601 and base64.
	readable bool
	at       int64
	rest     []byte
}

// NewValues starts at the first element of a tensor.
func NewValues(t *infer.Tensor, readable bool) *Values {
	return &Values{t: t, readable: readable, rest: t.Data}
}

// Next appends the next element.
func (v *Values) Next(b []byte) ([]byte, error) {
	width := v.t.Datatype.Width()
	if width == 0 {
		return v.text(b)
	}
	if width < 0 || len(v.rest) < width {
		return nil, fault.Invalidf("the model's answer %q has fewer elements than its shape %v says", v.t.Name, v.t.Shape)
	}
	d := v.rest[:width]
	v.rest = v.rest[width:]
	i := v.at
	v.at++
	switch v.t.Datatype {
	case infer.FP64:
		return AppendNumber(b, math.Float64frombits(binary.LittleEndian.Uint64(d)), 64), nil
	case infer.FP32:
		return AppendNumber(b, float64(math.Float32frombits(binary.LittleEndian.Uint32(d))), 32), nil
	case infer.FP16:
		return AppendNumber(b, infer.HalfToFloat(binary.LittleEndian.Uint16(d)), 32), nil
	case infer.Bool:
		return strconv.AppendBool(b, d[0] != 0), nil
	}
	switch e := v.t.Element(i).(type) {
	case int64:
		if v.readable && v.t.Parameters[infer.ContentType] == infer.ContentDatetime {
			return appendTime(b, e), nil
		}
		return strconv.AppendInt(b, e, 10), nil
	case uint64:
		return strconv.AppendUint(b, e, 10), nil
	}
	return b, nil
}

func appendTime(b []byte, ns int64) []byte {
	if ns == math.MinInt64 {
		return append(b, "null"...)
	}
	return append(time.Unix(0, ns).UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.999999999"), '"')
}

func (v *Values) text(b []byte) ([]byte, error) {
	if len(v.rest) < 4 || uint64(binary.LittleEndian.Uint32(v.rest)) > uint64(len(v.rest)-4) {
		return nil, fault.Invalidf("the model's answer %q has fewer elements than its shape %v says", v.t.Name, v.t.Shape)
	}
	size := binary.LittleEndian.Uint32(v.rest)
	text := v.rest[4 : 4+size]
	v.rest = v.rest[4+size:]
	switch {
	case v.readable && v.t.Parameters[infer.ContentType] == infer.ContentJSON && json.Valid(text):
		return append(b, text...), nil
	case v.readable && (v.t.Parameters[infer.ContentType] == infer.ContentBinary || !utf8.Valid(text)):
		b = base64.StdEncoding.AppendEncode(append(b, '"'), text)
		return append(b, '"'), nil
	case !utf8.Valid(text):
		return nil, fault.Invalidf("the output %q has bytes that are no text, which JSON cannot hold: ask for binary data", v.t.Name)
	}
	return AppendString(b, string(text)), nil
}

// Flat appends all elements of a tensor as one list.
func Flat(b []byte, t *infer.Tensor) ([]byte, error) {
	n, err := infer.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	return list(b, NewValues(t, false), []int64{n})
}

// Nested appends a tensor as lists in lists, as its shape says.
func Nested(b []byte, t *infer.Tensor) ([]byte, error) {
	if _, err := infer.Elements(t.Shape); err != nil {
		return nil, err
	}
	return list(b, NewValues(t, true), t.Shape)
}

// Row appends what a tensor has for the next row: a value, or lists.
func Row(b []byte, v *Values) ([]byte, error) { return list(b, v, v.t.Shape[1:]) }

func list(b []byte, v *Values, shape []int64) ([]byte, error) {
	if len(shape) == 0 {
		return v.Next(b)
	}
	var err error
	b = append(b, '[')
	for i := range shape[0] {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = list(b, v, shape[1:]); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}
