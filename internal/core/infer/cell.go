package infer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
)

// eachCell calls f with the values of a tensor in Go: nil, bool, int64, uint64, float64, []byte for text or bytes, and
// json.RawMessage for a list or an object.
func (t *Tensor) eachCell(n int64, f func(i int64, c any) error) error {
	if t.Datatype != Bytes {
		for i := range n {
			if err := f(i, t.Element(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if t.content() != ContentJSON {
		return t.eachBytes(n, func(i int64, b []byte) error { return f(i, b) })
	}
	return t.eachBytes(n, func(i int64, b []byte) error {
		c, err := jsonCell(b)
		if err != nil {
			return fault.Invalidf("input %q, row %d: %w", t.Name, i, err)
		}
		return f(i, c)
	})
}

func jsonCell(b []byte) (any, error) {
	trimmed := strings.TrimLeft(string(b), " \t\r\n")
	if trimmed != "" && (trimmed[0] == '[' || trimmed[0] == '{') {
		if !json.Valid(b) {
			return nil, fault.Invalidf("the value is not JSON")
		}
		return json.RawMessage(b), nil
	}
	v, err := decodeValue(b)
	if s, ok := v.(string); ok {
		return []byte(s), err
	}
	return v, err
}

// sort says in an error message what came.
func sort(c any) string {
	switch c := c.(type) {
	case nil:
		return "a missing value"
	case bool:
		return "a boolean"
	case int64:
		return "the number " + strconv.FormatInt(c, 10)
	case uint64:
		return "the number " + strconv.FormatUint(c, 10)
	case float64:
		if math.IsNaN(c) {
			return "a missing value (NaN)"
		}
		return "the number " + strconv.FormatFloat(c, 'g', -1, 64)
	case []byte:
		return "the text " + strconv.Quote(fault.Shorten(string(c), 40))
	}
	return "a list or an object"
}

// wrong is the error of a value that cannot become what is wanted. Whoever knows the column wraps it.
func wrong(want string, c any) error {
	if f, ok := c.(float64); (c == nil || ok && math.IsNaN(f)) && (want == string(Integer) || want == string(Long) || strings.HasPrefix(want, "int") || strings.HasPrefix(want, "uint")) {
		return fault.Invalidf("%s is wanted and %s came: integer columns hold none; a model whose column may lack values has to be logged with a signature that says double", want, sort(c))
	}
	return fault.Invalidf("%s is wanted and %s came", want, sort(c))
}

// appendCell appends a value to the data of a numeric or Bool tensor. Only conversions that keep the value are made: whole floats
// to integers in range, numbers and texts that are numbers to floats, 0 and 1 to booleans and back. want is for the error.
func appendCell(data []byte, d Datatype, c any, want string) ([]byte, error) {
	if text, ok := c.([]byte); ok && d != Bool {
		v, err := numberOf(text)
		if err != nil {
			return nil, wrong(want, c)
		}
		c = v
	}
	if b, ok := c.(bool); ok {
		c = int64(0)
		if b {
			c = int64(1)
		}
	}
	switch d {
	case FP16, FP32, FP64:
		f, ok := toFloat(c)
		if !ok {
			return nil, wrong(want, c)
		}
		return appendFloat(data, d, f, want)
	}
	i, u, ok := toWhole(c)
	if !ok {
		return nil, wrong(want, c)
	}
	return appendWhole(data, d, i, u, want)
}

// numberOf reads a text that is one number.
func numberOf(text []byte) (any, error) {
	s := strings.TrimSpace(string(text))
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, nil
	}
	if strings.ContainsAny(s, "_xXpP") {
		return nil, fault.Invalidf("not a number") // Go's own ways of writing numbers
	}
	return strconv.ParseFloat(s, 64)
}

func toFloat(c any) (float64, bool) {
	switch c := c.(type) {
	case nil:
		return math.NaN(), true
	case int64:
		return float64(c), true
	case uint64:
		return float64(c), true
	case float64:
		return c, true
	}
	return 0, false
}

// toWhole gives a whole number as an int64, or as a uint64 where it is larger than those.
func toWhole(c any) (i int64, u uint64, ok bool) {
	switch c := c.(type) {
	case int64:
		return c, 0, true
	case uint64:
		if c > math.MaxInt64 {
			return 0, c, true
		}
		return int64(c), 0, true
	case float64:
		if c != math.Trunc(c) || c < -(1<<63) || c >= 1<<63 { // NaN and infinities fail here too
			return 0, 0, false
		}
		return int64(c), 0, true
	}
	return 0, 0, false
}

func appendFloat(data []byte, d Datatype, f float64, want string) ([]byte, error) {
	switch d {
	case FP64:
		return binary.LittleEndian.AppendUint64(data, math.Float64bits(f)), nil
	case FP32:
		if v := float32(f); !math.IsInf(float64(v), 0) || math.IsInf(f, 0) {
			return binary.LittleEndian.AppendUint32(data, math.Float32bits(v)), nil
		}
	case FP16:
		if h := FloatToHalf(f); h&0x7fff != 0x7c00 || math.IsInf(f, 0) {
			return binary.LittleEndian.AppendUint16(data, h), nil
		}
	}
	return nil, fault.Invalidf("%s is wanted and %s, which is out of its range, came", want, sort(f))
}

func appendWhole(data []byte, d Datatype, i int64, u uint64, want string) ([]byte, error) {
	bits := 8 * d.Width()
	ok := false
	switch d {
	case Bool:
		ok = u == 0 && (i == 0 || i == 1)
	case Int8, Int16, Int32, Int64:
		ok = u == 0 && i>>(bits-1) == i>>63
	case Uint8, Uint16, Uint32:
		ok = u == 0 && i >= 0 && i>>bits == 0
	case Uint64:
		ok = i >= 0
	}
	if !ok {
		var c any = i
		if u != 0 {
			c = u
		}
		if d == Bool {
			return nil, wrong(want, c)
		}
		return nil, fault.Invalidf("%s is wanted and %s, which is out of its range, came", want, sort(c))
	}
	if u == 0 {
		u = uint64(i)
	}
	switch d.Width() {
	case 1:
		return append(data, byte(u)), nil
	case 2:
		return binary.LittleEndian.AppendUint16(data, uint16(u)), nil
	case 4:
		return binary.LittleEndian.AppendUint32(data, uint32(u)), nil
	}
	return binary.LittleEndian.AppendUint64(data, u), nil
}

// timeLayouts are the forms of ISO 8601 that pandas writes; a time without a zone is taken as UTC.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

// nanoseconds gives a time as numpy's datetime64[ns] has it.
func nanoseconds(c any) (int64, error) {
	switch c := c.(type) {
	case nil:
		return math.MinInt64, nil
	case []byte:
		for _, layout := range timeLayouts {
			t, err := time.Parse(layout, string(c))
			if err != nil {
				continue
			}
			if t.Year() < 1678 || t.Year() > 2261 {
				return 0, fault.Invalidf("%s is outside of 1678 to 2261, which nanoseconds in 64 bits can say", sort(c))
			}
			return t.UnixNano(), nil
		}
	}
	return 0, fault.Invalidf("datetime is wanted, such as 2013-01-31T17:05:00, and %s came", sort(c))
}

func unbase64(c any) ([]byte, error) {
	if text, ok := c.([]byte); ok {
		// Python's base64.encodebytes, which MLflow's clients use, breaks lines; the decoder skips the breaks.
		if b, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
			return b, nil
		}
	}
	return nil, fault.Invalidf("binary is wanted, as base64, and %s came", sort(c))
}
