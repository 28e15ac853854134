package series

import "encoding/binary"

// bitWriter appends numbers of any width up to 64 bits, the lowest bit first.
type bitWriter struct {
	out  []byte
	acc  uint64
	used uint // bits of acc in use, under 64
}

func (w *bitWriter) put(v uint64, width uint) {
	if width < 64 {
		v &= 1<<width - 1
	}
	w.acc |= v << w.used
	if w.used+width < 64 {
		w.used += width
		return
	}
	w.out = binary.LittleEndian.AppendUint64(w.out, w.acc)
	taken := 64 - w.used
	w.used = w.used + width - 64
	w.acc = 0
	if w.used > 0 {
		w.acc = v >> taken
	}
}

// finish pads to a whole byte and returns everything.
func (w *bitWriter) finish() []byte {
	for ; w.used > 0; w.used -= min(w.used, 8) {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
	return w.out
}

// bitReader reads what bitWriter wrote. Past the end it reads zeros; over tells that it did.
type bitReader struct {
	in []byte
	at uint // the next bit
}

// get reads a number of up to 64 bits.
func (r *bitReader) get(width uint) uint64 {
	if width > peeked {
		low := r.get(32)
		return low | r.get(width-32)<<32
	}
	v := r.peek() & (1<<width - 1)
	r.at += width
	return v
}

// peeked is how many bits peek gives at least: eight bytes less the bits of the first that were read already.
const peeked = 57

// peek gives the next bits without reading them.
func (r *bitReader) peek() uint64 {
	if at := r.at / 8; at+8 <= uint(len(r.in)) {
		return binary.LittleEndian.Uint64(r.in[at:]) >> (r.at % 8)
	}
	return r.peekEnd()
}

// peekEnd is peek for the last bytes.
func (r *bitReader) peekEnd() uint64 {
	var last [8]byte
	if at := r.at / 8; at < uint(len(r.in)) {
		copy(last[:], r.in[at:])
	}
	return binary.LittleEndian.Uint64(last[:]) >> (r.at % 8)
}

// over tells whether more was read than there is.
func (r *bitReader) over() bool { return r.at > 8*uint(len(r.in)) }

// rest is what follows the bits that were read. The last byte of them is padded.
func (r *bitReader) rest() []byte { return r.in[(r.at+7)/8:] }
