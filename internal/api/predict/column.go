package predict

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"levada/internal/core/infer"
)

// sortOf says what the values of a column have been so far.
type sortOf byte

const (
	nothing sortOf = iota // no value, or only missing ones
	booleans
	integers
	large // integers that only a uint64 holds are among them
	floats
	texts
	anything // each as JSON
)

// Column collects values whose type is not said, in the narrowest type that holds all: integers become floats with the first float
// or missing value, and where sorts are mixed each value is kept as JSON.
type Column struct {
	sort sortOf
	data []byte
	n    int64
	// lists says that each value so far is a list.
	lists bool
}

func (c *Column) mixed() bool { return c.sort == anything }

// Add reads the next value.
func (c *Column) Add(r *Reader) error {
	first := r.peek()
	switch {
	case c.sort == anything || first == '{' || first == '[':
		return c.addRaw(r)
	case first == 'n' && r.literal("null"):
		c.missing()
	case first == '"':
		text, err := r.text()
		if err != nil {
			return err
		}
		if !c.become(texts) {
			c.rawText(text)
			return nil
		}
		c.data = infer.AppendBytes(c.data, text)
	case first == 't' || first == 'f':
		value := r.literal("true")
		if !value && !r.literal("false") {
			return r.fail("a value is wanted")
		}
		if !c.become(booleans) {
			c.data = infer.AppendBytes(c.data, strconv.AppendBool(nil, value))
			break
		}
		b := byte(0)
		if value {
			b = 1
		}
		c.data = append(c.data, b)
	default:
		start := r.at
		n, err := r.number()
		if err != nil {
			return err
		}
		c.addNumber(n, r.data[start:r.at])
	}
	c.n++
	return nil
}

// AddText adds the field of a CSV file: a number, true or false, nothing, or a text, as pandas reads them.
func (c *Column) AddText(field string) {
	r := Reader{data: []byte(field)}
	switch {
	case field == "" || field == "NaN" || field == "nan" || field == "NA" || field == "N/A" || field == "null" || field == "NULL" || field == "None":
		c.missing()
	case field == "True" || field == "true" || field == "False" || field == "false":
		value := field[0]|0x20 == 't'
		if c.become(booleans) {
			b := byte(0)
			if value {
				b = 1
			}
			c.data = append(c.data, b)
		} else {
			c.data = infer.AppendBytes(c.data, strconv.AppendBool(nil, value))
		}
	default:
		if n, err := r.number(); err == nil && r.at == len(field) {
			c.addNumber(n, r.data)
			break
		}
		if c.become(texts) {
			c.data = infer.AppendBytes(c.data, []byte(field))
		} else {
			c.data = infer.AppendBytes(c.data, AppendString(nil, field))
		}
	}
	c.n++
}

func (c *Column) rawText(text []byte) {
	c.data = infer.AppendBytes(c.data, AppendString(nil, string(text)))
	c.n++
}

func (c *Column) addNumber(n number, text []byte) {
	want := floats
	switch {
	case n.whole && (n.large || c.sort == large && int64(n.bits) >= 0):
		want = large
	case n.whole:
		want = integers
	}
	if !c.become(want) {
		if math.IsNaN(n.float) || math.IsInf(n.float, 0) {
			text = []byte("null")
		}
		c.data = infer.AppendBytes(c.data, text)
		return
	}
	bits := n.bits
	if c.sort == floats {
		bits = math.Float64bits(n.float)
	}
	c.data = binary.LittleEndian.AppendUint64(c.data, bits)
}

func (c *Column) missing() {
	switch c.sort {
	case nothing:
		c.data = binary.LittleEndian.AppendUint64(c.data, math.Float64bits(math.NaN()))
		return
	case integers, large, floats:
		c.toFloats()
		c.data = binary.LittleEndian.AppendUint64(c.data, math.Float64bits(math.NaN()))
		return
	}
	c.toJSON()
	c.data = infer.AppendBytes(c.data, []byte("null"))
}

// become makes room for a value of a sort and reports whether it is stored as one; otherwise it is stored as JSON.
func (c *Column) become(want sortOf) bool {
	numeric := want == integers || want == large || want == floats
	switch {
	case c.sort == want:
	case c.sort == nothing && c.n == 0:
		c.sort = want
	case c.sort == nothing && numeric: // only missing values so far, which are NaN
		c.sort = floats
	case numeric && (c.sort == integers || c.sort == large || c.sort == floats):
		switch {
		case want == floats:
			c.toFloats()
		case c.sort == floats:
		case !c.negative(want):
			c.sort = large
		default:
			c.toFloats()
		}
	default:
		c.toJSON()
	}
	return c.sort != anything
}

// negative reports whether integers are among the values that a uint64 does not hold, or may come where the column is large already.
func (c *Column) negative(want sortOf) bool {
	if want == integers {
		return true // the next one may be; a float holds both
	}
	for at := 0; at < len(c.data); at += 8 {
		if c.data[at+7]&0x80 != 0 {
			return true
		}
	}
	return false
}

func (c *Column) toFloats() {
	if c.sort == floats {
		return
	}
	for at := 0; at < len(c.data); at += 8 {
		bits := binary.LittleEndian.Uint64(c.data[at:])
		switch c.sort {
		case integers:
			bits = math.Float64bits(float64(int64(bits)))
		case large:
			bits = math.Float64bits(float64(bits))
		}
		binary.LittleEndian.PutUint64(c.data[at:], bits)
	}
	c.sort = floats
}

// toJSON keeps what came so far as JSON values.
func (c *Column) toJSON() {
	if c.sort == anything {
		return
	}
	var out []byte
	var text []byte
	for at := 0; at < len(c.data); {
		text = text[:0]
		switch c.sort {
		case booleans:
			text = strconv.AppendBool(text, c.data[at] != 0)
			at++
		case texts:
			size := int(binary.LittleEndian.Uint32(c.data[at:]))
			text = AppendString(text, string(c.data[at+4:at+4+size]))
			at += 4 + size
		default:
			bits := binary.LittleEndian.Uint64(c.data[at:])
			switch c.sort {
			case integers:
				text = strconv.AppendInt(text, int64(bits), 10)
			case large:
				text = strconv.AppendUint(text, bits, 10)
			default:
				text = AppendNumber(text, math.Float64frombits(bits), 64)
			}
			at += 8
		}
		out = infer.AppendBytes(out, text)
	}
	c.sort, c.data = anything, out
}

// addRaw reads a value of any kind and keeps it as JSON.
func (c *Column) addRaw(r *Reader) error {
	list := r.peek() == '['
	raw, err := r.Raw()
	if err != nil {
		return err
	}
	c.lists = list && (c.n == 0 || c.lists)
	c.toJSON()
	if string(raw) == "NaN" || string(raw) == "Infinity" || string(raw) == "-Infinity" {
		raw = []byte("null") // Python's words, which are not JSON
	}
	c.data = infer.AppendBytes(c.data, raw)
	c.n++
	return nil
}

// tensor gives the column as a tensor [rows].
func (c *Column) tensor(name string) infer.Tensor {
	t := infer.Tensor{Name: name, Shape: []int64{c.n}, Data: c.data}
	switch c.sort {
	case booleans:
		t.Datatype = infer.Bool
	case integers:
		t.Datatype = infer.Int64
	case large:
		t.Datatype = infer.Uint64
	case texts:
		t.Datatype, t.Parameters = infer.Bytes, textContent
	case anything:
		t.Datatype, t.Parameters = infer.Bytes, jsonContent
	default:
		t.Datatype = infer.FP64
	}
	return t
}

var (
	textContent = map[string]any{infer.ContentType: infer.ContentText}
	jsonContent = map[string]any{infer.ContentType: infer.ContentJSON}
)

// Tensor gives the column as a tensor [rows], or [rows, ...] where each value is an array of numbers and all have one shape.
func (c *Column) Tensor(name string) infer.Tensor {
	t := c.tensor(name)
	if !c.mixed() || !c.lists || c.n == 0 {
		return t
	}
	var inner Column
	var dims []int64
	for at := 0; at < len(c.data); {
		size := int(binary.LittleEndian.Uint32(c.data[at:]))
		r := NewReader(c.data[at+4 : at+4+size])
		n := nest{r: r, leaf: func() error {
			if f := r.peek(); f == '{' || f == '"' || f == 'n' {
				return errRagged // a text or a missing value stays in its list
			}
			return inner.Add(r)
		}}
		if n.read() != nil || inner.mixed() || dims != nil && !slices.Equal(dims, n.dims) {
			return t
		}
		dims = n.dims
		at += 4 + size
	}
	array := inner.tensor(name)
	array.Shape = append([]int64{c.n}, dims...)
	return array
}

// Len is how many values came.
func (c *Column) Len() int64 { return c.n }

// Missing adds a value that is not there.
func (c *Column) Missing() {
	c.missing()
	c.n++
}

// Text adds a text as it is, whatever it looks like.
func (c *Column) Text(s string) {
	if c.become(texts) {
		c.data = infer.AppendBytes(c.data, []byte(s))
	} else {
		c.data = infer.AppendBytes(c.data, AppendString(nil, s))
	}
	c.n++
}
