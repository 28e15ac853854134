package tabular

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Written is a column of a Parquet file that is written: every value may be missing.
type Written struct {
	Name string
	// Kind is Boolean, Integer, Number, Text or Time.
	Kind table.Kind
}

// writtenPage is how many bytes a page gets before another one begins.
const writtenPage = 1 << 20

// ParquetWriter writes a Parquet file from the first byte to the last, and keeps none of what was written but its metadata: it can write
// to a connection. Columns are flat and optional, values PLAIN, pages compressed with zstd (github.com/apache/parquet-format).
type ParquetWriter struct {
	w       io.Writer
	columns []Written
	zip     *zstd.Encoder
	at      int64
	rows    int64
	groups  []writtenGroup
	err     error
}

type writtenGroup struct {
	rows   int64
	chunks []writtenChunk
}

type writtenChunk struct {
	at, values, size, compressed int64
}

// NewParquetWriter begins a file.
func NewParquetWriter(w io.Writer, columns []Written) (*ParquetWriter, error) {
	for _, c := range columns {
		if _, ok := writtenTypes[c.Kind]; !ok {
			return nil, fault.Invalidf("write Parquet: column %q is of kind %s, which is not written", c.Name, c.Kind)
		}
	}
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	p := &ParquetWriter{w: w, columns: columns, zip: zip}
	p.write([]byte(parquetMagic))
	return p, p.err
}

// writtenTypes are the physical types of kinds.
var writtenTypes = map[table.Kind]physical{
	table.Boolean: boolean, table.Integer: int64s, table.Time: int64s, table.Number: doubles, table.Text: byteArrays,
}

func (p *ParquetWriter) write(b []byte) {
	if p.err != nil {
		return
	}
	n, err := p.w.Write(b)
	p.at += int64(n)
	p.err = err
}

// Write writes rows as a row group. The columns are those of the file, in their order; a value of another kind is written as what the
// column's kind makes of it.
func (p *ParquetWriter) Write(b *table.Batch) error {
	if len(b.Columns) != len(p.columns) {
		return fault.Invalidf("write Parquet: %d columns came for a file of %d", len(b.Columns), len(p.columns))
	}
	if b.Size == 0 {
		return p.err
	}
	g := writtenGroup{rows: int64(b.Size)}
	for i := range p.columns {
		g.chunks = append(g.chunks, p.chunk(p.columns[i].Kind, &b.Columns[i], b.Size))
	}
	p.groups, p.rows = append(p.groups, g), p.rows+int64(b.Size)
	return p.err
}

// chunk writes the pages of a column.
func (p *ParquetWriter) chunk(kind table.Kind, v *table.Vector, rows int) writtenChunk {
	c := writtenChunk{at: p.at, values: int64(rows)}
	var values []byte
	var there []bool
	bits := 0
	flush := func() {
		if len(there) == 0 {
			return
		}
		page := append(levels(there), values...)
		packed := p.zip.EncodeAll(page, nil)
		head := pageHeader(len(page), len(packed), len(there))
		c.size += int64(len(head) + len(page))
		c.compressed += int64(len(head) + len(packed))
		p.write(head)
		p.write(packed)
		values, there, bits = values[:0], there[:0], 0
	}
	for i := range rows {
		cell := v.Cell(i)
		ok := cell.Kind != table.Null
		if ok {
			values, bits, ok = appendPlain(values, bits, kind, cell)
		}
		there = append(there, ok)
		if len(values) >= writtenPage {
			flush()
		}
	}
	flush()
	return c
}

// appendPlain appends a value in the encoding PLAIN; ok is false for what the kind cannot hold. Booleans are bits: bits of them are there.
func appendPlain(b []byte, bits int, kind table.Kind, c table.Cell) (out []byte, now int, ok bool) {
	switch kind {
	case table.Boolean:
		if c.Kind != table.Boolean {
			return b, bits, false
		}
		if bits&7 == 0 {
			b = append(b, 0)
		}
		b[len(b)-1] |= byte(c.Int&1) << (bits & 7)
		return b, bits + 1, true
	case table.Integer, table.Time:
		if c.Kind != kind {
			return b, bits, false
		}
		return binary.LittleEndian.AppendUint64(b, uint64(c.Int)), bits, true
	case table.Number:
		switch c.Kind {
		case table.Integer, table.Boolean:
			c.Float = float64(c.Int)
		case table.Number:
		default:
			return b, bits, false
		}
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Float)), bits, true
	}
	text := c.Text
	if c.Kind != table.Text {
		text = c.Shown()
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...), bits, true
}

// levels says which values are there: definition levels of one bit, in the hybrid of runs and packed bits.
func levels(there []bool) []byte {
	all := true
	for _, t := range there {
		all = all && t
	}
	var b []byte
	if all {
		b = append(binary.AppendUvarint(nil, uint64(len(there))<<1), 1)
	} else {
		groups := (len(there) + 7) / 8
		b = binary.AppendUvarint(nil, uint64(groups)<<1|1)
		packed := make([]byte, groups)
		for i, t := range there {
			if t {
				packed[i>>3] |= 1 << (i & 7)
			}
		}
		b = append(b, packed...)
	}
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// Close writes the metadata. The writer below is the caller's.
func (p *ParquetWriter) Close() error {
	footer := p.footer()
	p.write(footer)
	p.write(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	p.write([]byte(parquetMagic))
	return p.err
}

// Numbers of parquet.thrift.
const (
	codecZstd       = 6
	encodingPlain   = 0
	encodingRLE     = 3
	convertedUTF8   = 0
	convertedMicros = 10
)

func pageHeader(size, packed, values int) []byte {
	var t thriftWriter
	t.i32(1, 0) // a data page
	t.i32(2, int64(size))
	t.i32(3, int64(packed))
	t.structure(5, func() {
		t.i32(1, int64(values))
		t.i32(2, encodingPlain)
		t.i32(3, encodingRLE)
		t.i32(4, encodingRLE)
	})
	return t.end()
}

func (p *ParquetWriter) footer() []byte {
	var t thriftWriter
	t.i32(1, 2)
	t.list(2, thriftStruct, len(p.columns)+1, func(i int) {
		if i == 0 {
			t.text(4, "schema")
			t.i32(5, int64(len(p.columns)))
			return
		}
		t.element(p.columns[i-1])
	})
	t.i64(3, p.rows)
	t.list(4, thriftStruct, len(p.groups), func(i int) { t.group(&p.groups[i], p.columns) })
	t.text(6, "levada")
	return t.end()
}

func (t *thriftWriter) element(c Written) {
	t.i32(1, int64(writtenTypes[c.Kind]))
	t.i32(3, optional)
	t.text(4, c.Name)
	switch c.Kind {
	case table.Text:
		t.i32(6, convertedUTF8)
		t.structure(10, func() { t.structure(1, func() {}) })
	case table.Time:
		t.i32(6, convertedMicros)
		t.structure(10, func() {
			t.structure(8, func() {
				t.bool(1, true) // of UTC
				t.structure(2, func() { t.structure(2, func() {}) })
			})
		})
	}
}

func (t *thriftWriter) group(g *writtenGroup, columns []Written) {
	total := int64(0)
	for _, c := range g.chunks {
		total += c.size
	}
	t.list(1, thriftStruct, len(g.chunks), func(i int) {
		c := g.chunks[i]
		t.i64(2, c.at)
		t.structure(3, func() {
			t.i32(1, int64(writtenTypes[columns[i].Kind]))
			t.list(2, thriftI32, 2, func(i int) { t.plain(int64([]int{encodingPlain, encodingRLE}[i])) })
			t.list(3, thriftBinary, 1, func(int) { t.plainText(columns[i].Name) })
			t.i32(4, codecZstd)
			t.i64(5, c.values)
			t.i64(6, c.size)
			t.i64(7, c.compressed)
			t.i64(9, c.at)
		})
	})
	t.i64(2, total)
	t.i64(3, g.rows)
}

// thriftWriter writes Thrift's compact protocol (see thrift).
type thriftWriter struct {
	b    bytes.Buffer
	last int // id of the field before
}

func (t *thriftWriter) field(id int, kind byte) {
	t.b.WriteByte(byte(id-t.last)<<4 | kind) // ids here are never 16 apart
	t.last = id
}

func (t *thriftWriter) plain(v int64) { t.b.Write(binary.AppendVarint(nil, v)) }
func (t *thriftWriter) plainText(s string) {
	t.b.Write(binary.AppendUvarint(nil, uint64(len(s))))
	t.b.WriteString(s)
}
func (t *thriftWriter) i32(id int, v int64)   { t.field(id, thriftI32); t.plain(v) }
func (t *thriftWriter) i64(id int, v int64)   { t.field(id, thriftI64); t.plain(v) }
func (t *thriftWriter) text(id int, s string) { t.field(id, thriftBinary); t.plainText(s) }

func (t *thriftWriter) bool(id int, v bool) {
	kind := byte(thriftFalse)
	if v {
		kind = thriftTrue
	}
	t.field(id, kind)
}

// structure writes a field that is a structure.
func (t *thriftWriter) structure(id int, fields func()) {
	t.field(id, thriftStruct)
	t.nested(fields)
}

func (t *thriftWriter) nested(fields func()) {
	before := t.last
	t.last = 0
	fields()
	t.b.WriteByte(0)
	t.last = before
}

// list writes a field that is a list of n; each writes the fields of a structure, or a plain value.
func (t *thriftWriter) list(id int, kind byte, n int, each func(i int)) {
	t.field(id, thriftList)
	if n < 15 {
		t.b.WriteByte(byte(n)<<4 | kind)
	} else {
		t.b.WriteByte(0xf0 | kind)
		t.b.Write(binary.AppendUvarint(nil, uint64(n)))
	}
	for i := range n {
		if kind == thriftStruct {
			t.nested(func() { each(i) })
		} else {
			each(i)
		}
	}
}

func (t *thriftWriter) end() []byte {
	t.b.WriteByte(0)
	return t.b.Bytes()
}
