package tabular

import (
	"encoding/binary"

	"levada/internal/core/fault"
)

// thrift reads Thrift's compact protocol, in which Parquet writes its metadata
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). After the first mistake every value is zero and
// err is set, so that a caller looks once. It takes no memory but for what its caller keeps.
type thrift struct {
	b   []byte
	pos int
	err error
}

// The types of fields.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// deepest bounds how far values may lie inside one another.
const deepest = 32

func (t *thrift) fail() {
	if t.err == nil {
		t.err = fault.Invalidf("the metadata is damaged at byte %d of %d", t.pos, len(t.b))
	}
}

func (t *thrift) byte() byte {
	if t.err != nil || t.pos >= len(t.b) {
		t.fail()
		return 0
	}
	t.pos++
	return t.b[t.pos-1]
}

func (t *thrift) uint() uint64 {
	if t.err != nil {
		return 0
	}
	n, size := binary.Uvarint(t.b[t.pos:])
	if size <= 0 {
		t.fail()
		return 0
	}
	t.pos += size
	return n
}

func (t *thrift) int() int64 {
	n := t.uint()
	return int64(n>>1) ^ -int64(n&1)
}

// bytes returns a part of the input.
func (t *thrift) bytes() []byte {
	n := t.uint()
	if t.err != nil || n > uint64(len(t.b)-t.pos) {
		t.fail()
		return nil
	}
	t.pos += int(n)
	return t.b[t.pos-int(n) : t.pos]
}

// fields calls field for each field of a structure. What field does not read, and says so, is skipped.
func (t *thrift) fields(field func(id int, kind byte) bool) {
	id := int64(0)
	for t.err == nil {
		head := t.byte()
		kind := head & 15
		if kind == 0 {
			return
		}
		if delta := head >> 4; delta != 0 {
			id += int64(delta)
		} else {
			id = t.int()
		}
		if t.err == nil && !field(int(id), kind) {
			t.skip(kind, 0)
		}
	}
}

// list calls item for each item of a list, and returns early when one returns false.
func (t *thrift) list(item func(i int, kind byte) bool) {
	n, kind := t.listHead()
	for i := 0; i < n && t.err == nil; i++ {
		if !item(i, kind) {
			t.skip(kind, 0)
		}
	}
}

func (t *thrift) listHead() (int, byte) {
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.uint()
	}
	// Each item takes a byte at least.
	if n > uint64(len(t.b)-t.pos) {
		t.fail()
		return 0, 0
	}
	return int(n), head & 15
}

func (t *thrift) skip(kind byte, depth int) {
	if depth > deepest {
		t.fail()
		return
	}
	switch kind {
	case thriftTrue, thriftFalse: // the type is the value; in lists it takes a byte, see skipItems
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.uint()
	case thriftDouble:
		for range 8 {
			t.byte()
		}
	case thriftBinary:
		t.bytes()
	case thriftList, thriftSet:
		n, of := t.listHead()
		t.skipItems(n, of, depth)
	case thriftMap:
		n := t.uint()
		if n == 0 {
			return
		}
		kinds := t.byte()
		for i := uint64(0); i < n && t.err == nil; i++ {
			t.skipItems(1, kinds>>4, depth)
			t.skipItems(1, kinds&15, depth)
		}
	case thriftStruct:
		for t.err == nil {
			head := t.byte()
			if head&15 == 0 {
				return
			}
			if head>>4 == 0 {
				t.uint()
			}
			t.skip(head&15, depth+1)
		}
	default:
		t.fail()
	}
}

func (t *thrift) skipItems(n int, kind byte, depth int) {
	for i := 0; i < n && t.err == nil; i++ {
		if kind == thriftTrue || kind == thriftFalse {
			t.byte()
			continue
		}
		t.skip(kind, depth+1)
	}
}
