package tabular

import (
	"encoding/binary"
	"math"

	"levada/internal/core/fault"
)

// The encodings of values.
const (
	plainEncoding        = 0
	plainDictionary      = 2
	rleEncoding          = 3
	deltaBinaryPacked    = 5
	deltaLengthByteArray = 6
	deltaByteArray       = 7
	rleDictionary        = 8
	byteStreamSplit      = 9
)

var errDamaged = fault.Invalidf("a page is damaged")

// The decoders below give the next values of a page into a slice that their caller made. They stop with errDamaged where the bytes end,
// so that no count in a file makes anybody take memory.

// hybrid decodes runs and bit-packed groups of numbers of a width.
type hybrid struct {
	b     []byte
	width int
	// A run has left times the value; a packed group has left numbers, the next of which begins at bit at of packed.
	left   int
	value  uint32
	packed []byte
	at     int
}

func newHybrid(b []byte, width int) (hybrid, error) {
	if width < 0 || width > 32 {
		return hybrid{}, errDamaged
	}
	return hybrid{b: b, width: width}, nil
}

// next gives the next run: a repeated value, or numbers that lie packed.
func (h *hybrid) run() error {
	head, used := binary.Uvarint(h.b)
	if used <= 0 {
		return errDamaged
	}
	h.b = h.b[used:]
	if head&1 == 0 {
		size := (h.width + 7) / 8
		if len(h.b) < size {
			return errDamaged
		}
		h.value, h.packed = 0, nil
		for i := range size {
			h.value |= uint32(h.b[i]) << (8 * i)
		}
		h.b = h.b[size:]
		h.left = int(min(head>>1, math.MaxInt32))
		return nil
	}
	groups := head >> 1
	if groups > 1<<30 {
		return errDamaged
	}
	if h.width == 0 { // numbers without bits take no bytes
		h.value, h.packed, h.left = 0, nil, int(groups*8)
		return nil
	}
	// The last group may be cut short.
	length := int(min(groups*uint64(h.width), uint64(len(h.b))))
	h.packed, h.at, h.left = h.b[:length:length], 0, int(min(groups*8, uint64(length*8/h.width)))
	h.b = h.b[length:]
	return nil
}

// next decodes len(out) numbers.
func (h *hybrid) next(out []uint32) error {
	for len(out) > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return err
			}
			continue
		}
		n := min(h.left, len(out))
		if h.packed == nil {
			for i := range out[:n] {
				out[i] = h.value
			}
		} else {
			unpack(h.packed, h.at, h.width, out[:n])
			h.at += n * h.width
		}
		h.left -= n
		out = out[n:]
	}
	return nil
}

// all skips n numbers if they are all the value, and says whether it did.
func (h *hybrid) all(value uint32, n int) bool {
	for h.left == 0 && n > 0 {
		if h.run() != nil {
			return false
		}
	}
	if h.packed != nil || h.value != value || h.left < n {
		return false
	}
	h.left -= n
	return true
}

// unpack reads numbers of width bits from bit at on, the lowest bit first.
func unpack(b []byte, at, width int, out []uint32) {
	mask := uint64(1)<<width - 1
	i := 0
	for ; i < len(out) && at>>3+8 <= len(b); i++ {
		out[i] = uint32(binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7) & mask)
		at += width
	}
	for ; i < len(out); i++ {
		out[i] = uint32(bitsAt(b, at, width))
		at += width
	}
}

// bitsAt reads a number of up to 64 bits that begins at a bit.
func bitsAt(b []byte, at, width int) uint64 {
	value := uint64(0)
	for got := 0; got < width; {
		i := (at + got) / 8
		shift := (at + got) % 8
		take := min(8-shift, width-got)
		value |= uint64(b[i]>>shift) & (1<<take - 1) << got
		got += take
	}
	return value
}

// delta decodes numbers that are stored as differences.
type delta struct {
	t           thrift // its numbers are the same
	per, minis  int
	left        int64 // numbers that come
	value       int64
	first       bool // value is the next number
	least       int64
	widths      []byte
	bits        []byte
	width, at   int
	inMini      int
	widthBuffer [64]byte
}

func newDelta(b []byte) (*delta, error) {
	d := &delta{t: thrift{b: b}}
	block, minis, total := d.t.uint(), d.t.uint(), d.t.uint()
	d.value = d.t.int()
	if d.t.err != nil || minis == 0 || minis > 64 || block > 1<<20 || block == 0 || block%minis != 0 || block/minis%8 != 0 || total > math.MaxInt32 {
		return nil, errDamaged
	}
	d.per, d.minis, d.left, d.first = int(block/minis), int(minis), int64(total), true
	return d, nil
}

// next decodes len(out) numbers.
func (d *delta) next(out []int64) error {
	for i := range out {
		if d.left <= 0 {
			return errDamaged
		}
		d.left--
		if d.first {
			d.first = false
			out[i] = d.value
			continue
		}
		if d.inMini == 0 {
			if err := d.mini(); err != nil {
				return err
			}
		}
		d.inMini--
		d.value += d.least + int64(bitsAt(d.bits, d.at, d.width))
		d.at += d.width
		out[i] = d.value
	}
	return nil
}

// mini goes on to the next part of a block, whose numbers have one width.
func (d *delta) mini() error {
	if len(d.widths) == 0 {
		d.least = d.t.int()
		d.widths = d.widthBuffer[:d.minis]
		for i := range d.widths {
			d.widths[i] = d.t.byte()
		}
	}
	d.width, d.widths = int(d.widths[0]), d.widths[1:]
	size := d.width * d.per / 8
	if d.t.err != nil || d.width > 64 || size > len(d.t.b)-d.t.pos {
		return errDamaged
	}
	d.bits, d.at, d.inMini = d.t.b[d.t.pos:d.t.pos+size], 0, d.per
	d.t.pos += size
	return nil
}

// behind is what lies behind numbers that are stored as differences.
func behind(b []byte) ([]byte, error) {
	d, err := newDelta(b)
	if err != nil {
		return nil, err
	}
	if d.left > 0 {
		d.left-- // the first one is in the head
	}
	for d.left > 0 {
		if d.inMini == 0 {
			if err := d.mini(); err != nil {
				return nil, err
			}
		}
		n := min(d.left, int64(d.inMini))
		d.left -= n
		d.inMini -= int(n)
	}
	return d.t.b[d.t.pos:], nil
}

// lengths decodes texts whose lengths come first.
type lengths struct {
	sizes *delta
	text  string
	size  []int64
}

func newLengths(b []byte) (*lengths, error) {
	rest, err := behind(b)
	if err != nil {
		return nil, err
	}
	sizes, err := newDelta(b)
	return &lengths{sizes: sizes, text: string(rest)}, err
}

func (l *lengths) next(out []string) error {
	l.size = sized(l.size, len(out))
	if err := l.sizes.next(l.size); err != nil {
		return err
	}
	for i, n := range l.size {
		if n < 0 || n > int64(len(l.text)) {
			return errDamaged
		}
		out[i], l.text = l.text[:n], l.text[n:]
	}
	return nil
}

// fronts decodes texts of which each says how much of the one before it begins with.
type fronts struct {
	prefixes *delta
	suffixes *lengths
	before   string
	prefix   []int64
}

func newFronts(b []byte) (*fronts, error) {
	rest, err := behind(b)
	if err != nil {
		return nil, err
	}
	f := &fronts{}
	if f.prefixes, err = newDelta(b); err != nil {
		return nil, err
	}
	f.suffixes, err = newLengths(rest)
	return f, err
}

func (f *fronts) next(out []string) error {
	f.prefix = sized(f.prefix, len(out))
	if err := f.prefixes.next(f.prefix); err != nil {
		return err
	}
	if err := f.suffixes.next(out); err != nil {
		return err
	}
	made := 0
	for i, n := range f.prefix {
		if n < 0 || n > int64(len(f.before)) {
			return errDamaged
		}
		if n > 0 {
			out[i] = f.before[:n] + out[i]
		}
		// A few bytes can say that each text repeats the long one before it.
		if made += len(out[i]); made > maxPage {
			return errTooMuch
		}
		f.before = out[i]
	}
	return nil
}

// The plain encoding: values one after the other. Each takes what it gives from the beginning of b.

func plainInts(b []byte, kind physical, out []int64) ([]byte, error) {
	if kind == int32s {
		if len(b)/4 < len(out) {
			return b, errDamaged
		}
		for i := range out {
			out[i] = int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
		return b[4*len(out):], nil
	}
	if len(b)/8 < len(out) {
		return b, errDamaged
	}
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return b[8*len(out):], nil
}

func plainFloats(b []byte, kind physical, out []float64) ([]byte, error) {
	if kind == floats {
		if len(b)/4 < len(out) {
			return b, errDamaged
		}
		for i := range out {
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
		return b[4*len(out):], nil
	}
	if len(b)/8 < len(out) {
		return b, errDamaged
	}
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return b[8*len(out):], nil
}

// plainTexts gives parts of the text of a page, which are valid as long as anybody holds one.
func plainTexts(text string, length int, out []string) (string, error) {
	for i := range out {
		size := length
		if length == 0 {
			if len(text) < 4 {
				return text, errDamaged
			}
			size = int(uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24)
			text = text[4:]
		}
		if size > len(text) {
			return text, errDamaged
		}
		out[i], text = text[:size], text[size:]
	}
	return text, nil
}

// unsplit puts values together whose first bytes come first, then their second bytes, and so on.
func unsplit(b []byte, size int) ([]byte, error) {
	if size <= 0 || len(b)%size != 0 {
		return nil, errDamaged
	}
	total := len(b) / size
	out := make([]byte, len(b))
	for k := range size {
		for i, v := range b[k*total : (k+1)*total] {
			out[i*size+k] = v
		}
	}
	return out, nil
}

// sized is a slice of n values, the one that is given if it is large enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
