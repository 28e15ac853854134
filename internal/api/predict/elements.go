package predict

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// errRagged says that lists do not make an array.
var errRagged = fault.Invalidf("the lists do not make an array: they have different lengths, or values and lists are mixed")

// Shaped checks what was read of nested or flat data against a shape.
func Shaped(dims, shape []int64) error {
	want, err := infer.Elements(shape)
	if err != nil {
		return fault.Invalidf("%w", err)
	}
	got, err := infer.Elements(dims)
	if err != nil {
		return fault.Invalidf("%w", err)
	}
	if want != got {
		return fault.Invalidf("shape %v needs %d elements and %d came", shape, want, got)
	}
	if len(dims) > 1 && want > 0 && !slices.Equal(dims, shape) {
		return fault.Invalidf("shape %v is said and the lists have the shape %v", shape, dims)
	}
	return nil
}

// Elements reads an array of one datatype, flat or nested, appends its elements to data as a tensor has them, and returns its
// dimensions. A value that the datatype does not hold is an error; null is NaN where there is one.
func (r *Reader) Elements(d infer.Datatype, data []byte) ([]byte, []int64, error) {
	n := nest{r: r}
	n.leaf = func() (err error) {
		data, err = r.element(d, data)
		return err
	}
	err := n.read()
	return data, n.dims, err
}

// nest reads nested lists and finds their dimensions. leaf reads what is no list.
type nest struct {
	r    *Reader
	dims []int64
	// leaves is the depth at which values are; -1 until the first.
	leaves int
	leaf   func() error
}

func (n *nest) read() error {
	n.leaves = -1
	return n.level(0)
}

func (n *nest) level(depth int) error {
	if n.r.peek() != '[' {
		if n.leaves < 0 && depth == len(n.dims) {
			n.leaves = depth
		}
		if n.leaves != depth {
			return errRagged
		}
		return n.leaf()
	}
	if n.leaves >= 0 && depth >= n.leaves {
		return errRagged
	}
	first := depth == len(n.dims)
	if first {
		n.dims = append(n.dims, 0)
	}
	count := int64(0)
	err := n.r.Array(func(int) error {
		count++
		return n.level(depth + 1)
	})
	if err != nil {
		return err
	}
	if first {
		n.dims[depth] = count
	}
	if n.dims[depth] != count {
		return errRagged
	}
	return nil
}

func (r *Reader) element(d infer.Datatype, data []byte) ([]byte, error) {
	c := r.peek()
	switch {
	case c == '"':
		if d != infer.Bytes {
			return nil, r.fail("%s is wanted and a text came", d)
		}
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		return infer.AppendBytes(data, text), nil
	case d == infer.Bytes:
		return nil, r.fail("BYTES is wanted, as a text")
	case c == 't' || c == 'f':
		value := c == 't'
		if d != infer.Bool || !r.literal("true") && !r.literal("false") {
			return nil, r.fail("%s is wanted", d)
		}
		if value {
			return append(data, 1), nil
		}
		return append(data, 0), nil
	case c == 'n' && r.literal("null"):
		if d != infer.FP16 && d != infer.FP32 && d != infer.FP64 {
			r.at -= len("null")
			return nil, r.fail("%s is wanted and null came", d)
		}
		return appendFloat(data, d, math.NaN()), nil
	}
	start := r.at
	n, err := r.number()
	if err != nil {
		return nil, err
	}
	data, ok := appendNumber(data, d, n)
	if !ok {
		r.at = start
		return nil, r.fail("%s does not hold this number", d)
	}
	return data, nil
}

func appendNumber(data []byte, d infer.Datatype, n number) ([]byte, bool) {
	switch d {
	case infer.FP64, infer.FP32, infer.FP16:
		if d == infer.FP32 && math.Abs(n.float) > math.MaxFloat32 && !math.IsInf(n.float, 0) && math.IsInf(float64(float32(n.float)), 0) {
			return data, false
		}
		if d == infer.FP16 && math.Abs(n.float) >= 65520 && !math.IsInf(n.float, 0) {
			return data, false
		}
		return appendFloat(data, d, n.float), true
	}
	if !n.whole {
		if n.float != math.Trunc(n.float) || math.Abs(n.float) >= 1<<63 {
			return data, false
		}
		n.bits = uint64(int64(n.float)) // 1.0 is an integer
	}
	bits := 8 * d.Width()
	i := int64(n.bits)
	switch d {
	case infer.Bool:
		return append(data, byte(n.bits)), n.bits <= 1
	case infer.Int8, infer.Int16, infer.Int32, infer.Int64:
		if n.large || i>>(bits-1) != i>>63 {
			return data, false
		}
	case infer.Uint8, infer.Uint16, infer.Uint32:
		if n.large || i < 0 || i>>bits != 0 {
			return data, false
		}
	case infer.Uint64:
		if i < 0 && !n.large {
			return data, false
		}
	default:
		return data, false
	}
	switch bits {
	case 8:
		return append(data, byte(n.bits)), true
	case 16:
		return binary.LittleEndian.AppendUint16(data, uint16(n.bits)), true
	case 32:
		return binary.LittleEndian.AppendUint32(data, uint32(n.bits)), true
	}
	return binary.LittleEndian.AppendUint64(data, n.bits), true
}

func appendFloat(data []byte, d infer.Datatype, f float64) []byte {
	switch d {
	case infer.FP16:
		return binary.LittleEndian.AppendUint16(data, infer.FloatToHalf(f))
	case infer.FP32:
		return binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(f)))
	}
	return binary.LittleEndian.AppendUint64(data, math.Float64bits(f))
}

// Tensor reads a value of any kind as a tensor in the type that its values have: an array of numbers, booleans or texts as such, and
// everything else, objects and lists of several lengths, as JSON values, one for each element of the outermost list.
func (r *Reader) Tensor(name string) (infer.Tensor, error) {
	r.peek()
	start, depth := r.at, r.depth
	var c Column
	n := nest{r: r}
	n.leaf = func() error {
		if r.peek() == '{' {
			return errRagged
		}
		return c.Add(r)
	}
	err := n.read()
	switch {
	case err == nil && !c.mixed():
		t := c.tensor(name)
		t.Shape = slices.Clone(n.dims)
		if t.Shape == nil {
			t.Shape = []int64{}
		}
		return t, nil
	case err != nil && !errors.Is(err, errRagged):
		return infer.Tensor{}, err
	}
	r.at, r.depth = start, depth
	c = Column{}
	if r.peek() != '[' {
		err = c.addRaw(r)
		t := c.tensor(name)
		t.Shape = []int64{}
		return t, err
	}
	err = r.Array(func(int) error { return c.addRaw(r) })
	return c.tensor(name), err
}
