package tabular

import (
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// The numbers in this file are those of parquet.thrift (https://github.com/apache/parquet-format).

// physical is how values are stored.
type physical int

const (
	boolean physical = iota
	int32s
	int64s
	int96s
	floats
	doubles
	byteArrays
	fixed
)

// Repetition of a schema element.
const (
	required = 0
	optional = 1
	repeated = 2
)

// meaning is what stored values stand for.
type meaning struct {
	name string // "", or one of the names of logicalNames and convertedNames
	// scale is that of a decimal, unit how many of a time make a second, unsigned that of integers.
	scale    int
	unit     int64
	unsigned bool
}

// leaf is a column of a file.
type leaf struct {
	path         string
	kind         physical
	length       int // of fixed values
	meaning      meaning
	maxDef       int
	maxRep       int
	elementDef   int // the definition level from which on a repeated column has an element
	emptyListDef int // the level of a list without elements
	index        int // among the leaves of the file
}

// element is a node of the schema as it is written: a tree in the order of a walk.
type element struct {
	kind       int
	length     int
	repetition int
	name       string
	children   int
	meaning    meaning
}

// chunk is a column of a row group.
type chunk struct {
	codec      int
	values     int64
	size       int64 // uncompressed
	compressed int64
	data, dict int64
	elsewhere  bool
}

type rowGroup struct {
	rows   int64
	chunks []chunk
}

type fileMeta struct {
	rows    int64
	leaves  []leaf
	all     int // leaves that there are
	groups  []rowGroup
	schemas []element
}

// The bounds of metadata.
const (
	maxElements = 200_000
	maxChunks   = 500_000
)

// readMeta reads a footer; it keeps at most so many columns, and row groups until there are enough rows.
func readMeta(footer []byte, columns int, rows int64) (*fileMeta, error) {
	t, m := &thrift{b: footer}, &fileMeta{}
	var enough int64
	kept := 0
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 2 && kind == thriftList:
			t.list(func(i int, _ byte) bool {
				if i > maxElements {
					t.fail()
				}
				m.schemas = append(m.schemas, readElement(t))
				return true
			})
			if t.err == nil {
				m.walk(t, columns)
			}
		case id == 3 && kind == thriftI64:
			m.rows = t.int()
		case id == 4 && kind == thriftList:
			t.list(func(int, byte) bool {
				if enough >= rows || kept > maxChunks {
					return false
				}
				g := readGroup(t, columns)
				m.groups = append(m.groups, g)
				enough, kept = enough+max(0, g.rows), kept+len(g.chunks)+1
				return true
			})
		default:
			return false
		}
		return true
	})
	if t.err == nil && (len(m.leaves) == 0 || m.rows < 0) {
		t.err = fault.Invalidf("the file has no columns")
	}
	return m, t.err
}

func readElement(t *thrift) element {
	e := element{kind: -1}
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			e.kind = int(t.int())
		case id == 2 && kind == thriftI32:
			e.length = int(t.int())
		case id == 3 && kind == thriftI32:
			e.repetition = int(t.int())
		case id == 4 && kind == thriftBinary:
			e.name = fault.Shorten(strings.ToValidUTF8(string(t.bytes()), "\uFFFD"), longestName)
		case id == 5 && kind == thriftI32:
			e.children = int(t.int())
		case id == 6 && kind == thriftI32:
			if e.meaning.name == "" {
				e.meaning = converted(int(t.int()), e.meaning)
			} else {
				t.int()
			}
		case id == 7 && kind == thriftI32:
			e.meaning.scale = int(t.int())
		case id == 10 && kind == thriftStruct:
			e.meaning = readLogical(t, e.meaning)
		default:
			return false
		}
		return true
	})
	return e
}

// converted are the older names of meanings.
func converted(n int, m meaning) meaning {
	names := map[int]string{0: "string", 4: "string", 5: "decimal", 6: "date", 7: "time", 8: "time", 9: "timestamp", 10: "timestamp", 19: "string", 20: "bson"}
	m.name = names[n]
	switch n {
	case 7, 9:
		m.unit = 1e3
	case 8, 10:
		m.unit = 1e6
	case 11, 12, 13, 14:
		m.unsigned = true
	}
	return m
}

func readLogical(t *thrift, m meaning) meaning {
	names := map[int]string{1: "string", 4: "string", 5: "decimal", 6: "date", 7: "time", 8: "timestamp", 10: "integer", 12: "string", 14: "uuid", 15: "float16"}
	t.fields(func(id int, kind byte) bool {
		if names[id] != "" {
			m.name = names[id]
		}
		if kind != thriftStruct || id != 5 && id != 7 && id != 8 && id != 10 {
			return false
		}
		t.fields(func(field int, kind byte) bool {
			switch {
			case id == 5 && field == 1 && kind == thriftI32:
				m.scale = int(t.int())
			case (id == 7 || id == 8) && field == 2 && kind == thriftStruct:
				t.fields(func(unit int, _ byte) bool {
					m.unit = map[int]int64{1: 1e3, 2: 1e6, 3: 1e9}[unit]
					return false
				})
			case id == 10 && field == 2:
				m.unsigned = kind == thriftFalse
				return false
			default:
				return false
			}
			return true
		})
		return true
	})
	return m
}

// walk finds the leaves of the schema with their levels.
func (m *fileMeta) walk(t *thrift, columns int) {
	at := 1
	var visit func(until int, path []string, l leaf, depth int)
	visit = func(children int, path []string, l leaf, depth int) {
		for ; children > 0; children-- {
			if at >= len(m.schemas) || depth > deepest || children > len(m.schemas) {
				t.fail()
				return
			}
			e := m.schemas[at]
			at++
			in := l
			switch e.repetition {
			case optional:
				in.maxDef++
			case repeated:
				in.emptyListDef = in.maxDef
				in.maxDef++
				in.maxRep++
				in.elementDef = in.maxDef
			}
			name := slices.Concat(path, []string{e.name})
			if e.children > 0 {
				visit(e.children, name, in, depth+1)
				continue
			}
			if len(m.leaves) < columns {
				in.path, in.kind, in.length, in.meaning, in.index = plainPath(name), physical(e.kind), e.length, e.meaning, m.all
				m.leaves = append(m.leaves, in)
			}
			m.all++
		}
	}
	if len(m.schemas) > 0 {
		visit(m.schemas[0].children, nil, leaf{}, 0)
	}
	m.schemas = nil
}

// plainPath leaves out the names that lists and maps have in the format alone.
func plainPath(parts []string) string {
	var out []string
	for i, p := range parts {
		if i > 0 && (p == "list" || p == "element" || p == "item" || p == "array" || p == "key_value" || p == "bag") {
			continue
		}
		out = append(out, p)
	}
	return strings.Join(out, ".")
}

func readGroup(t *thrift, columns int) rowGroup {
	var g rowGroup
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftList:
			t.list(func(i int, _ byte) bool {
				if i >= columns {
					return false
				}
				g.chunks = append(g.chunks, readChunk(t))
				return true
			})
		case id == 3 && kind == thriftI64:
			g.rows = t.int()
		default:
			return false
		}
		return true
	})
	return g
}

func readChunk(t *thrift) chunk {
	var c chunk
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftBinary:
			c.elsewhere = len(t.bytes()) > 0
		case id == 3 && kind == thriftStruct:
			t.fields(func(id int, kind byte) bool {
				if kind != thriftI32 && kind != thriftI64 {
					return false
				}
				n := t.int()
				switch id {
				case 4:
					c.codec = int(n)
				case 5:
					c.values = n
				case 6:
					c.size = n
				case 7:
					c.compressed = n
				case 9:
					c.data = n
				case 11:
					c.dict = n
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return c
}

// pageHead is the header of a page.
type pageHead struct {
	kind             int
	size, compressed int64
	values           int64
	encoding         int
	// Of the second version of data pages:
	defBytes, repBytes int64
	plain              bool // not compressed
}

// The kinds of pages.
const (
	dataPage   = 0
	dictPage   = 2
	dataPageV2 = 3
)

func readPageHead(t *thrift) pageHead {
	h := pageHead{kind: -1}
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			h.kind = int(t.int())
		case id == 2 && kind == thriftI32:
			h.size = t.int()
		case id == 3 && kind == thriftI32:
			h.compressed = t.int()
		case (id == 5 || id == 7) && kind == thriftStruct:
			t.fields(func(id int, kind byte) bool {
				switch {
				case id == 1 && kind == thriftI32:
					h.values = t.int()
				case id == 2 && kind == thriftI32:
					h.encoding = int(t.int())
				default:
					return false
				}
				return true
			})
		case id == 8 && kind == thriftStruct:
			t.fields(func(id int, kind byte) bool {
				switch {
				case id == 1 && kind == thriftI32:
					h.values = t.int()
				case id == 4 && kind == thriftI32:
					h.encoding = int(t.int())
				case id == 5 && kind == thriftI32:
					h.defBytes = t.int()
				case id == 6 && kind == thriftI32:
					h.repBytes = t.int()
				case id == 7:
					h.plain = kind == thriftFalse
					return false
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return h
}
