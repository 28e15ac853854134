package tabular

import (
	"encoding/binary"
	"errors"
	"io"

	"levada/internal/core/fault"
)

// arrowReader reads the values of a batch. Buffers that are not compressed are read as far as they are needed.
type arrowReader struct {
	r        io.ReaderAt
	inflater inflater

	nodes   []arrowNode
	buffers []arrowRange
	views   []int // buffers of each field of views, one sum after the other
	base    int64
	codec   int
	whole   map[int][]byte
	held    int64

	dictionaries map[int64]*arrowDictionaryValues
	long, cut    map[*arrowField]bool
}

type arrowNode struct{ length, nulls int64 }

type arrowRange struct{ at, size int64 }

// The codecs of bodies.
const (
	arrowPlain = -1
	arrowLZ4   = 0
	arrowZstd  = 1
)

// errArrow says that a batch cannot be what it says.
var errArrow = fault.Invalidf("the Arrow data is damaged: a batch does not hold what it says")

// errLarge says that fewer rows have to be read at once.
var errLarge = errors.New("the values are too large")

// largestStretch bounds what the values that are read at once take.
const largestStretch = 64 << 20

// batch reads what a batch says of itself.
func (r *arrowReader) batch(t flatTable, base, body int64) error {
	r.nodes, r.buffers, r.views, r.base, r.codec = r.nodes[:0], r.buffers[:0], append(r.views[:0], 0), base, arrowPlain
	r.whole, r.held = map[int][]byte{}, 0
	at, n := t.vector(1, 16)
	for i := range n {
		node := arrowNode{t.of.i64(at + 16*i), t.of.i64(at + 16*i + 8)}
		if node.length < 0 || node.nulls < 0 || node.nulls > node.length || node.length > mostArrowValues {
			return errArrow
		}
		r.nodes = append(r.nodes, node)
	}
	at, n = t.vector(2, 16)
	for i := range n {
		b := arrowRange{t.of.i64(at + 16*i), t.of.i64(at + 16*i + 8)}
		if b.at < 0 || b.size < 0 || b.size > body || b.at > body-b.size {
			return errArrow
		}
		r.buffers = append(r.buffers, b)
	}
	if c := t.table(3); c.at != 0 {
		if r.codec = int(c.number(0, 1, 0)); r.codec != arrowLZ4 && r.codec != arrowZstd || c.number(1, 1, 0) != 0 {
			return fault.Invalidf("the Arrow data is compressed in a way that is not known here; write it with LZ4 or Zstandard")
		}
	}
	at, n = t.vector(4, 8)
	for i := range n {
		count := t.of.i64(at + 8*i)
		if count < 0 || count > int64(len(r.buffers)) {
			return errArrow
		}
		r.views = append(r.views, r.views[i]+int(count))
	}
	return t.of.err()
}

// index is the place of a buffer of a field among those of the batch.
func (r *arrowReader) index(f *arrowField, k int) (int, error) {
	i := f.buffer + k
	if f.views > 0 {
		if f.views >= len(r.views) {
			return 0, errArrow
		}
		i += r.views[f.views]
	}
	if i >= len(r.buffers) {
		return 0, errArrow
	}
	return i, nil
}

// bytes are those of a part of a buffer.
func (r *arrowReader) bytes(f *arrowField, k int, at, n int64) ([]byte, error) {
	i, err := r.index(f, k)
	if err != nil {
		return nil, err
	}
	if n > maxArrowBuffer {
		return nil, errLarge
	}
	if r.codec != arrowPlain {
		b, err := r.all(i)
		if err != nil {
			return nil, err
		}
		if at < 0 || n < 0 || at > int64(len(b)) || n > int64(len(b))-at {
			return nil, errArrow
		}
		return b[at : at+n], nil
	}
	b := r.buffers[i]
	if at < 0 || n < 0 || at > b.size || n > b.size-at {
		return nil, errArrow
	}
	out := make([]byte, n)
	if n == 0 {
		return out, nil
	}
	return out, readAt(r.r, out, r.base+b.at+at)
}

// all is a whole buffer, which is kept until the next batch.
func (r *arrowReader) all(i int) ([]byte, error) {
	if b, known := r.whole[i]; known {
		return b, nil
	}
	b := r.buffers[i]
	if r.held += b.size; r.held > maxArrowBuffer {
		return nil, fault.Invalidf("a batch of the Arrow data has more than %d MiB; write it in smaller ones", maxArrowBuffer>>20)
	}
	out := make([]byte, b.size)
	if b.size > 0 {
		if err := readAt(r.r, out, r.base+b.at); err != nil {
			return nil, err
		}
	}
	if r.codec != arrowPlain {
		var err error
		if out, err = r.inflate(out); err != nil {
			return nil, err
		}
		if r.held += int64(len(out)); r.held > 2*maxArrowBuffer {
			return nil, fault.Invalidf("a batch of the Arrow data has more than %d MiB; write it in smaller ones", maxArrowBuffer>>20)
		}
	}
	r.whole[i] = out
	return out, nil
}

// inflate decompresses a buffer, which begins with its size; -1 says that it is not compressed.
func (r *arrowReader) inflate(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 8 {
		return nil, errArrow
	}
	size := int64(binary.LittleEndian.Uint64(b))
	b = b[8:]
	switch {
	case size == -1:
		return b, nil
	case size < 0 || size > maxArrowBuffer:
		return nil, errArrow
	case size == 0:
		return nil, nil
	case r.codec == arrowLZ4:
		out, err := lz4Frame(b, int(size))
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	return r.inflater.zstandard(b, size)
}

// nulls returns which of some values are not there, nil where all are.
func (r *arrowReader) nulls(f *arrowField, from int64, n int) ([]uint64, error) {
	if f.node >= len(r.nodes) {
		return nil, errArrow
	}
	node := r.nodes[f.node]
	if from > node.length || int64(n) > node.length-from {
		return nil, errArrow
	}
	i, err := r.index(f, 0)
	if err != nil {
		return nil, err
	}
	if node.nulls == 0 || r.buffers[i].size == 0 || n == 0 {
		return nil, nil
	}
	first := from / 8
	bits, err := r.bytes(f, 0, first, (from+int64(n)+7)/8-first)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for k := range n {
		at := int(from%8) + k
		if bits[at>>3]&(1<<(at&7)) == 0 {
			if out == nil {
				out = make([]uint64, (n+63)/64)
			}
			out[k>>6] |= 1 << (k & 63)
		}
	}
	return out, nil
}

// ints are whole numbers of so many bits, from a buffer.
func (r *arrowReader) ints(f *arrowField, k, bits int, signed bool, from int64, n int) ([]int64, error) {
	wide := int64(bits / 8)
	b, err := r.bytes(f, k, from*wide, int64(n)*wide)
	if err != nil {
		return nil, err
	}
	out := make([]int64, n)
	switch {
	case bits == 8 && signed:
		for i := range out {
			out[i] = int64(int8(b[i]))
		}
	case bits == 8:
		for i := range out {
			out[i] = int64(b[i])
		}
	case bits == 16 && signed:
		for i := range out {
			out[i] = int64(int16(binary.LittleEndian.Uint16(b[2*i:])))
		}
	case bits == 16:
		for i := range out {
			out[i] = int64(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case bits == 32 && signed:
		for i := range out {
			out[i] = int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case bits == 32:
		for i := range out {
			out[i] = int64(binary.LittleEndian.Uint32(b[4*i:]))
		}
	default:
		for i := range out {
			out[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	return out, nil
}

// offsets are where values of different length begin, and where the last ends.
func (r *arrowReader) offsets(f *arrowField, large bool, from int64, n int) ([]int64, error) {
	i, err := r.index(f, 1)
	if err != nil {
		return nil, err
	}
	if n == 0 && r.buffers[i].size == 0 {
		return []int64{0}, nil
	}
	bits := 32
	if large {
		bits = 64
	}
	out, err := r.ints(f, 1, bits, true, from, n+1)
	if err != nil {
		return nil, err
	}
	last := int64(0)
	for _, o := range out {
		if o < last {
			return nil, errArrow
		}
		last = o
	}
	return out, nil
}
