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

// raw is a stored value; which of the fields counts depends on the physical type.
type raw struct {
	i int64
	f float64
	b []byte
}

// hybrid decodes runs and bit-packed groups, until n numbers or the end. No count in the input makes it take memory: it appends at most n.
func hybrid(b []byte, width, n int, out []uint32) ([]uint32, error) {
	if width < 0 || width > 32 {
		return out, errDamaged
	}
	want := len(out) + n
	size := (width + 7) / 8
	for len(out) < want && len(b) > 0 {
		head, used := binary.Uvarint(b)
		if used <= 0 {
			return out, errDamaged
		}
		b = b[used:]
		if head&1 == 0 {
			if len(b) < size {
				return out, errDamaged
			}
			value := uint32(0)
			for i := range size {
				value |= uint32(b[i]) << (8 * i)
			}
			b = b[size:]
			for range min(head>>1, uint64(want-len(out))) {
				out = append(out, value)
			}
			continue
		}
		groups := head >> 1
		if groups > 1<<40 {
			return out, errDamaged
		}
		// The last group may be cut short. Numbers without bits take no bytes.
		length := int(min(groups*uint64(width), uint64(len(b))))
		values := min(uint64(want-len(out)), groups*8)
		if width > 0 {
			values = min(values, uint64(length*8/width))
		}
		out = unpack(b[:length], width, int(values), out)
		b = b[length:]
	}
	return out, nil
}

// unpack reads n numbers of width bits, the lowest bit first.
func unpack(b []byte, width, n int, out []uint32) []uint32 {
	buffer, have, at := uint64(0), 0, 0
	for range n {
		for have < width && at < len(b) {
			buffer |= uint64(b[at]) << have
			have, at = have+8, at+1
		}
		out = append(out, uint32(buffer&(1<<width-1)))
		buffer >>= width
		have -= width
	}
	return out
}

// plain decodes at most n values one after the other.
func plain(b []byte, kind physical, length, n int, out []raw) ([]raw, error) {
	if kind == boolean {
		for i := range n {
			if i/8 >= len(b) {
				return out, errDamaged
			}
			out = append(out, raw{i: int64(b[i/8] >> (i % 8) & 1)})
		}
		return out, nil
	}
	for range n {
		size := length
		switch kind {
		case int32s, floats:
			size = 4
		case int64s, doubles:
			size = 8
		case int96s:
			size = 12
		case byteArrays:
			if len(b) < 4 {
				return out, errDamaged
			}
			size = int(binary.LittleEndian.Uint32(b))
			b = b[4:]
		}
		if size < 0 || size > len(b) {
			return out, errDamaged
		}
		out = append(out, stored(b[:size], kind))
		b = b[size:]
	}
	return out, nil
}

func stored(b []byte, kind physical) raw {
	switch kind {
	case int32s:
		return raw{i: int64(int32(binary.LittleEndian.Uint32(b)))}
	case int64s:
		return raw{i: int64(binary.LittleEndian.Uint64(b))}
	case floats:
		return raw{f: float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))}
	case doubles:
		return raw{f: math.Float64frombits(binary.LittleEndian.Uint64(b))}
	}
	return raw{b: b}
}

// split decodes values whose first bytes come first, then their second bytes, and so on.
func split(b []byte, kind physical, length, total, n int, out []raw) ([]raw, error) {
	size := length
	switch kind {
	case int32s, floats:
		size = 4
	case int64s, doubles:
		size = 8
	}
	if size <= 0 || total < n || total > len(b)/size {
		return out, errDamaged
	}
	for i := range n {
		value := make([]byte, size)
		for k := range size {
			value[k] = b[k*total+i]
		}
		out = append(out, stored(value, kind))
	}
	return out, nil
}

// delta decodes at most n numbers that are stored as differences, and returns what is behind all that are stored.
func delta(b []byte, n int) (out []int64, rest []byte, err error) {
	t := &thrift{b: b} // its numbers are the same
	block, minis, total := t.uint(), t.uint(), t.uint()
	value := t.int()
	if t.err != nil || minis == 0 || minis > 1<<10 || block > 1<<20 || block%minis != 0 || block/minis%8 != 0 || block == 0 {
		return nil, nil, errDamaged
	}
	per := int(block / minis)
	// A block has its head and the widths, whatever it holds: its bytes bound how many values there can be.
	if total > uint64(len(b))*block {
		return nil, nil, errDamaged
	}
	left := int64(total)
	keep := func(v int64) {
		if len(out) < n {
			out = append(out, v)
		}
	}
	if left > 0 {
		keep(value)
		left--
	}
	for left > 0 {
		least := t.int()
		widths := make([]byte, minis)
		for i := range widths {
			widths[i] = t.byte()
		}
		for _, width := range widths {
			if left <= 0 {
				break
			}
			size := int(width) * per / 8
			if t.err != nil || width > 64 || size > len(t.b)-t.pos {
				return nil, nil, errDamaged
			}
			bits := t.b[t.pos : t.pos+size]
			t.pos += size
			count := int(min(left, int64(per)))
			left -= int64(count)
			for i := range count {
				if len(out) >= n {
					break
				}
				value += least + int64(bitsAt(bits, i*int(width), int(width)))
				keep(value)
			}
		}
	}
	if t.err != nil {
		return nil, nil, errDamaged
	}
	return out, t.b[t.pos:], nil
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

// deltaLengths decodes texts whose lengths come first.
func deltaLengths(b []byte, n, stored int, out []raw) ([]raw, error) {
	lengths, rest, err := delta(b, stored)
	if err != nil {
		return out, err
	}
	for i, l := range lengths {
		if i >= n {
			break
		}
		if l < 0 || l > int64(len(rest)) {
			return out, errDamaged
		}
		out = append(out, raw{b: rest[:l]})
		rest = rest[l:]
	}
	return out, nil
}

// deltaTexts decodes texts of which each says how much of the one before it begins with.
func deltaTexts(b []byte, n, stored int, budget *int64, out []raw) ([]raw, error) {
	prefixes, rest, err := delta(b, stored)
	if err != nil {
		return out, err
	}
	suffixes, err := deltaLengths(rest, n, stored, nil)
	if err != nil {
		return out, err
	}
	var before []byte
	for i, s := range suffixes {
		if i >= len(prefixes) || prefixes[i] < 0 || prefixes[i] > int64(len(before)) {
			return out, errDamaged
		}
		text := make([]byte, 0, int(prefixes[i])+len(s.b))
		text = append(append(text, before[:prefixes[i]]...), s.b...)
		if *budget -= int64(len(text)); *budget < 0 {
			return out, errTooMuch
		}
		out = append(out, raw{b: text})
		before = text
	}
	return out, nil
}
