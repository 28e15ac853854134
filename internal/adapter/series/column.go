package series

import (
	"encoding/binary"
	"math/bits"
)

// A column is a list of 64-bit numbers. What is stored of it are residues, which are small where the numbers are regular:
//
//	order 0: the number less the smallest one
//	order 1: the difference to the number before, less the smallest difference
//	order 2: the difference of differences, signs folded in (0, -1, 1, -2, ... are 0, 1, 2, 3, ...)
//
// and the residues are written in one of three modes:
//
//	mode 0: all are zero and nothing is written
//	mode 1: each in the same number of bits
//	mode 2: "0" for zero, "10" and w1 bits, "110" and w2 bits, "111" and 64 bits
//
// The encoder takes the pair that is shortest. All arithmetic wraps, so every list survives.
const (
	modeZero = iota
	modeFixed
	modeLadder
)

type plan struct {
	order, mode int
	w1, w2      uint
	cost        int // bits
}

// appendColumn appends the numbers to out.
func appendColumn(out []byte, v []int64) []byte {
	if len(v) == 0 {
		return out
	}
	best := plan{cost: -1}
	var keep []uint64
	for order := range min(3, len(v)) {
		res := residues(v, order)
		p := choose(res)
		p.order = order
		if best.cost < 0 || p.cost < best.cost {
			best, keep = p, res
		}
	}
	out = append(out, byte(best.order|best.mode<<2))
	switch best.mode {
	case modeFixed:
		out = append(out, byte(best.w1))
	case modeLadder:
		out = append(out, byte(best.w1), byte(best.w2))
	}
	switch best.order {
	case 0:
		out = binary.AppendVarint(out, lowest(v))
	case 1:
		out = binary.AppendVarint(out, v[0])
		out = binary.AppendVarint(out, lowest(differences(v)))
	case 2:
		out = binary.AppendVarint(out, v[0])
		out = binary.AppendVarint(out, v[1]-v[0])
	}
	w := bitWriter{out: out}
	for _, r := range keep {
		best.put(&w, r)
	}
	return w.finish()
}

func (p plan) put(w *bitWriter, r uint64) {
	switch {
	case p.mode == modeZero:
	case p.mode == modeFixed:
		w.put(r, p.w1)
	case r == 0:
		w.put(0, 1)
	case uint(bits.Len64(r)) <= p.w1:
		w.put(0b01, 2)
		w.put(r, p.w1)
	case uint(bits.Len64(r)) <= p.w2:
		w.put(0b011, 3)
		w.put(r, p.w2)
	default:
		w.put(0b111, 3)
		w.put(r, 64)
	}
}

// choose finds the shortest mode for residues.
func choose(res []uint64) plan {
	var lengths [65]int
	for _, r := range res {
		lengths[bits.Len64(r)]++
	}
	widest := 64
	for widest > 0 && lengths[widest] == 0 {
		widest--
	}
	if widest == 0 {
		return plan{mode: modeZero}
	}
	best := plan{mode: modeFixed, w1: uint(widest), cost: widest * len(res)}
	// cost = zeros + (2+w1) up to w1 + (3+w2) up to w2 + 67 beyond
	upTo := func(lo, hi int) (n int) {
		for l := lo; l <= hi; l++ {
			n += lengths[l]
		}
		return n
	}
	for w1 := 1; w1 <= widest; w1++ {
		if lengths[w1] == 0 {
			continue
		}
		short := lengths[0] + (2+w1)*upTo(1, w1)
		for w2 := w1; w2 <= widest; w2++ {
			if lengths[w2] == 0 {
				continue
			}
			cost := short + (3+w2)*upTo(w1+1, w2) + 67*upTo(w2+1, widest)
			if cost < best.cost {
				best = plan{mode: modeLadder, w1: uint(w1), w2: uint(w2), cost: cost}
			}
		}
	}
	return best
}

func residues(v []int64, order int) []uint64 {
	switch order {
	case 0:
		return above(v, lowest(v))
	case 1:
		d := differences(v)
		return above(d, lowest(d))
	}
	d := differences(v)
	out := make([]uint64, len(d)-1)
	for i := range out {
		out[i] = fold(d[i+1] - d[i])
	}
	return out
}

func above(v []int64, base int64) []uint64 {
	out := make([]uint64, len(v))
	for i, x := range v {
		out[i] = uint64(x - base)
	}
	return out
}

func lowest(v []int64) int64 {
	m := v[0]
	for _, x := range v {
		m = min(m, x)
	}
	return m
}

func differences(v []int64) []int64 {
	d := make([]int64, len(v)-1)
	for i := range d {
		d[i] = v[i+1] - v[i]
	}
	return d
}

func fold(x int64) uint64   { return uint64(x<<1) ^ uint64(x>>63) }
func unfold(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// readColumn reads n numbers into v and returns what follows them in the input.
func readColumn(in []byte, v []int64) ([]byte, error) {
	n := len(v)
	if n == 0 {
		return in, nil
	}
	r := byteReader{in: in}
	head := r.byte()
	p := plan{order: int(head & 3), mode: int(head >> 2)}
	switch p.mode {
	case modeFixed:
		p.w1 = uint(r.byte())
	case modeLadder:
		p.w1, p.w2 = uint(r.byte()), uint(r.byte())
	}
	if p.order > 2 || p.order >= n || p.mode > modeLadder || p.w1 > 64 || p.w2 > 64 {
		return nil, errDamaged
	}
	first := r.varint()
	second := int64(0)
	if p.order > 0 {
		second = r.varint()
	}
	if r.bad {
		return nil, errDamaged
	}
	b := bitReader{in: r.in}
	p.read(&b, v[p.order:])
	if b.over() {
		return nil, errDamaged
	}
	switch p.order {
	case 0:
		for i := range v {
			v[i] += first
		}
	case 1:
		v[0] = first
		for i := 1; i < n; i++ {
			first += second + v[i]
			v[i] = first
		}
	case 2:
		v[0], v[1] = first, first+second
		last, d := v[1], second
		for i := 2; i < n; i++ {
			d += unfold(uint64(v[i]))
			last += d
			v[i] = last
		}
	}
	return b.rest(), nil
}

// read is the reverse of put for a whole column: it fills v with residues.
func (p plan) read(b *bitReader, v []int64) {
	switch {
	case p.mode == modeZero:
		clear(v)
	case p.mode == modeFixed:
		for i := range v {
			v[i] = int64(b.get(p.w1))
		}
	default:
		for i := range v {
			v[i] = int64(p.rung(b))
		}
	}
}

// rung reads a residue of modeLadder. The prefix and the bits of all but the widest are looked at together.
func (p plan) rung(b *bitReader) uint64 {
	x := b.peek()
	switch {
	case x&1 == 0:
		b.at++
		return 0
	case x&2 == 0 && p.w1 <= peeked-2:
		b.at += 2 + p.w1
		return x >> 2 & (1<<p.w1 - 1)
	case x&2 == 0:
		b.at += 2
		return b.get(p.w1)
	case x&4 == 0 && p.w2 <= peeked-3:
		b.at += 3 + p.w2
		return x >> 3 & (1<<p.w2 - 1)
	}
	b.at += 3
	if x&4 == 0 {
		return b.get(p.w2)
	}
	return b.get(64)
}

// byteReader reads the parts that are whole bytes. Past the end it reads zeros and remembers that it did.
type byteReader struct {
	in  []byte
	bad bool
}

func (r *byteReader) byte() byte {
	if len(r.in) == 0 {
		r.bad = true
		return 0
	}
	b := r.in[0]
	r.in = r.in[1:]
	return b
}

func (r *byteReader) varint() int64 {
	v, n := binary.Varint(r.in)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.in = r.in[n:]
	return v
}

func (r *byteReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.in)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.in = r.in[n:]
	return v
}

// count reads a number of things of which each takes at least size bytes of what is left.
func (r *byteReader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.in)/size) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *byteReader) bytes(n int) []byte {
	if n < 0 || n > len(r.in) {
		r.bad = true
		return nil
	}
	b := r.in[:n]
	r.in = r.in[n:]
	return b
}

func (r *byteReader) text() string { return string(r.bytes(r.count(1))) }

func (r *byteReader) uint64() uint64 {
	b := r.bytes(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}
