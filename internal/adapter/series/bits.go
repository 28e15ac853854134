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

// bitReader reads what bitWriter wrote. Past the end it reads zeros and remembers that it did.
type bitReader struct {
	in   []byte
	acc  uint64
	have uint
	bad  bool
}

func (r *bitReader) get(width uint) uint64 {
	if width > 56 {
		low := r.get(32)
		return low | r.get(width-32)<<32
	}
	for r.have < width {
		if len(r.in) == 0 {
			r.bad = true
			return 0
		}
		if r.have == 0 && len(r.in) >= 7 {
			// Seven bytes at once; an eighth would not fit beside bits that are left over.
			r.acc = binary.LittleEndian.Uint64(append7(r.in))
			r.in, r.have = r.in[7:], 56
			continue
		}
		r.acc |= uint64(r.in[0]) << r.have
		r.in, r.have = r.in[1:], r.have+8
	}
	v := r.acc & (1<<width - 1)
	r.acc >>= width
	r.have -= width
	return v
}

// append7 returns the first seven bytes as eight, the last of them zero.
func append7(in []byte) []byte {
	var b [8]byte
	copy(b[:7], in)
	return b[:]
}
