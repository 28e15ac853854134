package tabular

import (
	"encoding/binary"

	"levada/internal/core/fault"
)

// errLZ4 says that bytes are no LZ4 of the size that was said.
var errLZ4 = fault.Invalidf("what is compressed with LZ4 is damaged")

const lz4Magic = 0x184d2204

// lz4Frame decompresses an LZ4 frame to exactly so many bytes (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). Its checksums
// are not looked at.
func lz4Frame(b []byte, size int) ([]byte, error) {
	if len(b) < 7 || binary.LittleEndian.Uint32(b) != lz4Magic {
		return nil, errLZ4
	}
	flags := b[4]
	skip := 7
	if flags>>6 != 1 || flags&1 != 0 { // another version, or a dictionary
		return nil, errLZ4
	}
	if flags&8 != 0 {
		skip += 8
	}
	if len(b) < skip {
		return nil, errLZ4
	}
	b = b[skip:]
	out := make([]byte, 0, min(size, 64*len(b)+64))
	for {
		if len(b) < 4 {
			return nil, errLZ4
		}
		n := int(binary.LittleEndian.Uint32(b))
		stored := n>>31 != 0
		n &= 1<<31 - 1
		b = b[4:]
		if n == 0 {
			break
		}
		if n > len(b) {
			return nil, errLZ4
		}
		if stored {
			if len(out)+n > size {
				return nil, errLZ4
			}
			out = append(out, b[:n]...)
		} else {
			var ok bool
			if out, ok = lz4Block(out, b[:n], size); !ok {
				return nil, errLZ4
			}
		}
		b = b[n:]
		if flags&16 != 0 {
			if len(b) < 4 {
				return nil, errLZ4
			}
			b = b[4:]
		}
	}
	if len(out) != size {
		return nil, errLZ4
	}
	return out, nil
}

// lz4Block appends what a block holds, which may repeat what is before it; never more than size bytes.
func lz4Block(out, b []byte, size int) ([]byte, bool) {
	length := func(n int) (int, bool) {
		if n < 15 {
			return n, true
		}
		for {
			if len(b) == 0 {
				return 0, false
			}
			more := b[0]
			b = b[1:]
			if n += int(more); n > size {
				return 0, false
			}
			if more != 255 {
				return n, true
			}
		}
	}
	for len(b) > 0 {
		token := b[0]
		b = b[1:]
		n, ok := length(int(token >> 4))
		if !ok || n > len(b) || len(out)+n > size {
			return nil, false
		}
		out, b = append(out, b[:n]...), b[n:]
		if len(b) == 0 {
			return out, true
		}
		if len(b) < 2 {
			return nil, false
		}
		back := int(binary.LittleEndian.Uint16(b))
		b = b[2:]
		n, ok = length(int(token & 15))
		if n += 4; !ok || back == 0 || back > len(out) || len(out)+n > size {
			return nil, false
		}
		for from := len(out) - back; n > 0; {
			part := min(n, len(out)-from)
			out = append(out, out[from:from+part]...)
			from, n = from+part, n-part
		}
	}
	return out, true
}
