package tabular

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Arrow IPC: the file format (also called Feather 2), and the stream format, in which Hugging Face's datasets are saved
// (https://arrow.apache.org/docs/format/Columnar.html). Both are a row of messages; a file has a footer behind them.
const (
	arrowMagic   = "ARROW1"
	featherMagic = "FEA1"
	continues    = 0xffffffff
)

// The bounds of what is read at once.
const (
	maxArrowMeta    = 64 << 20
	maxArrowBuffer  = 1 << 30
	mostArrowRows   = 1 << 31 // of a batch
	mostArrowValues = 1 << 40 // of a field in a batch, those inside others too
	mostArrowBlocks = 1 << 22
	// mostDictionary bounds the texts of a dictionary, mostCells its values that are none.
	mostDictionary = 1 << 26
	mostCells      = 1 << 20
)

// arrowFile is the schema of a file, and where its batches lie.
type arrowFile struct {
	open    opener
	size    int64
	fields  []arrowField
	leaves  []arrowLeaf
	blocks  []arrowBlock
	rows    int64
	found   []table.Finding
	byField map[int64]*arrowField // the fields of dictionaries, by their numbers
}

// arrowLeaf is a column: a field that is no struct, and the structs that it is in.
type arrowLeaf struct {
	name string
	path []*arrowField
}

func (l arrowLeaf) field() *arrowField { return l.path[len(l.path)-1] }

// arrowBlock is a message with a body: a batch of rows, or of the values of a dictionary.
type arrowBlock struct {
	kind int8
	meta int32
	at   int64 // of the metadata; the body follows
	body int64
	rows int64
}

// openArrow reads the schema and finds the batches; stream says that the bytes begin with a message.
func openArrow(r io.ReaderAt, size int64, open opener, stream bool) (*arrowFile, error) {
	f := &arrowFile{open: open, size: size, byField: map[int64]*arrowField{}}
	at := int64(0)
	if !stream {
		tail := make([]byte, 10)
		if size < 24 {
			return nil, fault.Invalidf("the Arrow file is cut off")
		}
		if err := readAt(r, tail, size-10); err != nil {
			return nil, err
		}
		if string(tail[4:]) != arrowMagic {
			return nil, fault.Invalidf("the Arrow file is cut off: its end is not where it should be")
		}
		footer := int64(binary.LittleEndian.Uint32(tail))
		if at, size = 8, size-10-footer; footer <= 0 || size < at {
			return nil, fault.Invalidf("the Arrow file is damaged: its footer would be larger than the file")
		}
	}
	if err := f.messages(r, at, size); err != nil {
		return nil, err
	}
	if f.fields == nil {
		return nil, fault.Invalidf("the Arrow data has no schema")
	}
	return f, nil
}

// messages goes from message to message, and passes over the bodies.
func (f *arrowFile) messages(r io.ReaderAt, at, size int64) error {
	for at+4 <= size {
		head := make([]byte, 8)
		if err := readAt(r, head[:min(8, size-at)], at); err != nil {
			return err
		}
		n, skip := int64(binary.LittleEndian.Uint32(head)), int64(4)
		if n == continues {
			n, skip = int64(binary.LittleEndian.Uint32(head[4:])), 8
		}
		if at += skip; n == 0 {
			return nil // the end
		}
		if n > maxArrowMeta || n > size-at {
			return fault.Invalidf("the Arrow data is cut off or damaged: a message at byte %d would have %d bytes", at, n)
		}
		meta := make([]byte, n)
		if err := readAt(r, meta, at); err != nil {
			return err
		}
		b := &flatbuffer{b: meta}
		message := b.root()
		block := arrowBlock{kind: int8(message.number(1, 1, 0)), meta: int32(n), at: at, body: message.number(3, 8, 0)}
		if b.failed || block.body < 0 || block.body > size-at-n {
			return fault.Invalidf("the Arrow data is cut off or damaged: the message at byte %d has a body of %d bytes", at, block.body)
		}
		if err := f.message(message.table(2), block); err != nil {
			return err
		}
		at += n + block.body
	}
	return nil
}

func (f *arrowFile) message(header flatTable, block arrowBlock) error {
	switch block.kind {
	case arrowSchema:
		if f.fields != nil {
			return fault.Invalidf("the Arrow data has a second schema")
		}
		fields, err := arrowSchemaOf(header)
		if err != nil {
			return err
		}
		f.fields = fields
		for i := range f.fields {
			f.leaf("", nil, &f.fields[i])
		}
		return nil
	case arrowRecords:
		block.rows = header.number(0, 8, 0)
		if block.rows < 0 || block.rows > mostArrowRows || f.rows > math.MaxInt64-block.rows {
			return fault.Invalidf("the Arrow data is damaged: a batch would have %d rows", block.rows)
		}
		f.rows += block.rows
	case arrowDictionary:
	default:
		return fault.Invalidf("the Arrow data holds a message that belongs to no table (kind %d)", block.kind)
	}
	if f.fields == nil {
		return fault.Invalidf("the Arrow data has rows before its schema")
	}
	if f.blocks = append(f.blocks, block); len(f.blocks) > mostArrowBlocks {
		return fault.Invalidf("the Arrow data has more than %d batches", mostArrowBlocks)
	}
	return header.of.err()
}

// leaf adds the columns of a field. Structs are not columns, what is in them is.
func (f *arrowFile) leaf(prefix string, path []*arrowField, x *arrowField) {
	name := prefix + x.name
	path = append(path[:len(path):len(path)], x)
	f.dictionaries(x)
	if x.kind == arrowStruct && x.index == nil && len(x.children) > 0 {
		for i := range x.children {
			f.leaf(name+".", path, &x.children[i])
		}
		return
	}
	if t := x.unread(); t != "" {
		f.found = append(f.found, table.Finding{Column: name, Row: -1, What: fmt.Sprintf("values of the Arrow type %s are not read; the column was left out", t)})
		return
	}
	f.leaves = append(f.leaves, arrowLeaf{name, path})
}

// dictionaries notes which fields are in which dictionary.
func (f *arrowFile) dictionaries(x *arrowField) {
	if x.index != nil {
		if _, known := f.byField[x.dictionary]; !known {
			f.byField[x.dictionary] = x
		}
		for i := range x.value.children {
			f.dictionaries(&x.value.children[i])
		}
		return
	}
	for i := range x.children {
		f.dictionaries(&x.children[i])
	}
}

// Columns are the columns of the schema; those inside structs have names with dots.
func (f *arrowFile) Columns() []table.Column {
	out := make([]table.Column, len(f.leaves))
	for i, l := range f.leaves {
		out[i] = table.Column{Name: l.name, Declared: l.field().declared()}
	}
	return out
}

// Rows is how many rows the batches say that they have.
func (f *arrowFile) Rows() int64 { return f.rows }

// Columnar says that columns are read one by one.
func (f *arrowFile) Columnar() bool { return true }

// Findings are columns that are not read.
func (f *arrowFile) Findings() []table.Finding { return f.found }

// Scan reads columns.
func (f *arrowFile) Scan(columns ...int) table.Scanner {
	if len(columns) == 0 {
		for i := range f.leaves {
			columns = append(columns, i)
		}
	}
	return &arrowScanner{f: f, columns: columns, reader: &arrowReader{dictionaries: map[int64]*arrowDictionaryValues{}},
		most: max(leastRows, min(batchRows, batchValues/max(1, len(columns))))}
}

// arrowScanner reads some columns, a part of a batch at a time.
type arrowScanner struct {
	f       *arrowFile
	columns []int
	reader  *arrowReader
	close   io.Closer
	most    int
	block   int
	from    int64 // within the batch
	left    int64
	row     int64
	batch   table.Batch
	err     error
}

// Next decodes the next rows.
func (s *arrowScanner) Next(ctx context.Context) (*table.Batch, error) {
	if s.err == nil {
		s.err = s.next(ctx)
	}
	if s.err != nil {
		return nil, s.err
	}
	return &s.batch, nil
}

func (s *arrowScanner) next(ctx context.Context) error {
	if s.close == nil {
		r, err := s.f.open(s.f.size)
		if err != nil {
			return err
		}
		s.reader.r, s.close = r, r
	}
	for s.left == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.block == len(s.f.blocks) {
			return io.EOF
		}
		if err := s.begin(s.f.blocks[s.block]); err != nil {
			return err
		}
		s.block++
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	n := int(min(int64(s.most), s.left))
	s.batch = table.Batch{Row: s.row, Size: n, Columns: sized(s.batch.Columns, len(s.columns))}
	for i := 0; i < len(s.columns); i++ {
		v, err := s.reader.column(s.f.leaves[s.columns[i]], s.from, n)
		if errors.Is(err, errLarge) && n > 1 { // once more, with fewer rows
			n /= 2
			s.batch.Size, i = n, -1
			continue
		}
		if err != nil {
			return s.about(s.columns[i], err)
		}
		s.batch.Columns[i] = v
	}
	s.from, s.left, s.row = s.from+int64(n), s.left-int64(n), s.row+int64(n)
	return nil
}

// begin reads what a batch says of itself, or a dictionary.
func (s *arrowScanner) begin(b arrowBlock) error {
	meta := make([]byte, b.meta)
	if err := readAt(s.reader.r, meta, b.at); err != nil {
		return err
	}
	fb := &flatbuffer{b: meta}
	header := fb.root().table(2)
	if b.kind == arrowRecords {
		if err := s.reader.batch(header, b.at+int64(b.meta), b.body); err != nil {
			return err
		}
		s.from, s.left = 0, b.rows
		return nil
	}
	id := header.number(0, 8, 0)
	field := s.f.byField[id]
	if field == nil || !s.wants(id) {
		return fb.err()
	}
	data := header.table(1)
	rows := data.number(0, 8, 0)
	delta := header.number(2, 1, 0) != 0
	if err := s.reader.batch(data, b.at+int64(b.meta), b.body); err != nil {
		return err
	}
	if err := s.reader.dictionary(id, field.value, rows, delta); err != nil {
		return fault.Invalidf("the dictionary of column %q: %w", fault.Shorten(field.name, 60), err)
	}
	return nil
}

// wants reports whether a column that is read needs a dictionary.
func (s *arrowScanner) wants(id int64) bool {
	var in func(x *arrowField) bool
	in = func(x *arrowField) bool {
		if x.index != nil && x.dictionary == id {
			return true
		}
		children := x.children
		if x.index != nil {
			children = x.value.children
		}
		for i := range children {
			if in(&children[i]) {
				return true
			}
		}
		return false
	}
	for _, c := range s.columns {
		if in(s.f.leaves[c].field()) {
			return true
		}
	}
	return false
}

func (s *arrowScanner) about(column int, err error) error {
	if errors.Is(err, errLarge) {
		err = fault.Invalidf("a value has more than %d MiB", maxArrowBuffer>>20)
	}
	if fault.KindOf(err) == fault.Invalid {
		return fault.Invalidf("column %q: %w", s.f.leaves[column].name, err)
	}
	return err
}

// Findings say what was lost.
func (s *arrowScanner) Findings() []table.Finding {
	var out []table.Finding
	for _, c := range s.columns {
		field := s.f.leaves[c].field()
		if s.reader.long[field] {
			out = append(out, table.Finding{Column: s.f.leaves[c].name, What: longNumbers, Row: -1})
		}
		if s.reader.cut[field] {
			out = append(out, table.Finding{Column: s.f.leaves[c].name, What: cutNanos, Row: -1})
		}
	}
	return out
}

// Close frees what the scan holds.
func (s *arrowScanner) Close() error {
	s.reader.inflater.close()
	if s.close == nil {
		return nil
	}
	return s.close.Close()
}

// isArrow reports whether the bytes at the beginning of a file, or its name, are those of Arrow data; stream says that there is no magic
// word before the first message.
func isArrow(head []byte, name string) (stream, ok bool, err error) {
	switch {
	case strings.HasPrefix(string(head), arrowMagic):
		return false, true, nil
	case strings.HasPrefix(string(head), featherMagic):
		return false, false, fault.Invalidf("the file is Feather of version 1, which is no longer written; save it as version 2 (Arrow)")
	case len(head) >= 4 && binary.LittleEndian.Uint32(head) == continues:
		return true, true, nil
	}
	name = strings.ToLower(name)
	return true, len(head) >= 4 && (strings.HasSuffix(name, ".arrow") || strings.HasSuffix(name, ".arrows")), nil
}
