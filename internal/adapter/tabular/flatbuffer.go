package tabular

import (
	"encoding/binary"

	"levada/internal/core/fault"
)

// flatbuffer reads FlatBuffers, in which Arrow writes its metadata (https://flatbuffers.dev/internals/). Whatever lies outside of the
// bytes fails: every value is zero from then on, and a caller looks once. It takes no memory but for what its caller keeps.
type flatbuffer struct {
	b      []byte
	failed bool
}

// flatTable is a table at a place; at the place 0 there is none, and its fields are missing.
type flatTable struct {
	of *flatbuffer
	at int
}

// errFlat says that the metadata cannot be read.
var errFlat = fault.Invalidf("the metadata of the Arrow data is damaged")

func (f *flatbuffer) bytes(at, n int) []byte {
	if f.failed || at < 0 || n < 0 || at > len(f.b) || n > len(f.b)-at {
		f.failed = true
		return make([]byte, min(max(n, 0), 8))
	}
	return f.b[at : at+n]
}

func (f *flatbuffer) u16(at int) int   { return int(binary.LittleEndian.Uint16(f.bytes(at, 2))) }
func (f *flatbuffer) u32(at int) int   { return int(binary.LittleEndian.Uint32(f.bytes(at, 4))) }
func (f *flatbuffer) i64(at int) int64 { return int64(binary.LittleEndian.Uint64(f.bytes(at, 8))) }

func (f *flatbuffer) root() flatTable { return flatTable{f, f.u32(0)} }

func (f *flatbuffer) err() error {
	if f.failed {
		return errFlat
	}
	return nil
}

// field is the place of the field with a number, 0 where it is missing.
func (t flatTable) field(n int) int {
	if t.at == 0 {
		return 0
	}
	names := t.at - int(int32(t.of.u32(t.at)))
	if names < 0 || 4+2*n+2 > t.of.u16(names) {
		return 0
	}
	off := t.of.u16(names + 4 + 2*n)
	if off == 0 {
		return 0
	}
	return t.at + off
}

func (t flatTable) number(n, size int, missing int64) int64 {
	at := t.field(n)
	if at == 0 {
		return missing
	}
	switch size {
	case 1:
		return int64(int8(t.of.bytes(at, 1)[0]))
	case 2:
		return int64(int16(t.of.u16(at)))
	case 4:
		return int64(int32(t.of.u32(at)))
	}
	return t.of.i64(at)
}

func (t flatTable) table(n int) flatTable {
	at := t.field(n)
	if at == 0 {
		return flatTable{t.of, 0}
	}
	return flatTable{t.of, at + t.of.u32(at)}
}

// vector is the place and the length of a vector whose elements have a size.
func (t flatTable) vector(n, size int) (at, length int) {
	at = t.field(n)
	if at == 0 {
		return 0, 0
	}
	at += t.of.u32(at)
	length = t.of.u32(at)
	if length > len(t.of.b)/size { // before they are multiplied
		t.of.failed = true
		return 0, 0
	}
	t.of.bytes(at+4, length*size)
	if t.of.failed {
		return 0, 0
	}
	return at + 4, length
}

func (t flatTable) text(n int) string {
	at, length := t.vector(n, 1)
	if length == 0 {
		return ""
	}
	return string(t.of.bytes(at, length))
}

func (t flatTable) tables(n int) []flatTable {
	at, length := t.vector(n, 4)
	out := make([]flatTable, 0, length)
	for i := range length {
		place := at + 4*i
		out = append(out, flatTable{t.of, place + t.of.u32(place)})
	}
	return out
}
