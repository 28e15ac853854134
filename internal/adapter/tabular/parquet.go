package tabular

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

const parquetMagic = "PAR1"

// The bounds of what is read at once. Writers make pages of about a MiB.
const (
	maxFooter = 16 << 20
	maxPage   = 32 << 20
	// maxHead bounds the header of a page; statistics may hold long texts.
	maxHead = 64 << 10
	// maxInflated bounds what all pages together are, decompressed.
	maxInflated = 256 << 20
	// maxLevels bounds how many values of one page are decoded.
	maxLevels = 1 << 20
)

// errTooMuch says that the file holds more than is read. It is no failure: what was read is shown.
var errTooMuch = errors.New("more than is read")

// parquetReader gives a file column by column, so that there is one page in memory at a time.
type parquetReader struct {
	f      io.ReadSeeker
	size   int64
	meta   *fileMeta
	rows   int64 // to read of each column
	budget int64
	column int
	group  int
	pages  *pages
	row    int64
	list   listCell
	cells  []table.Cell
	cut    string
}

// openParquet reads the footer of a file, whose beginning was looked at.
func openParquet(f io.ReadSeeker, size int64, l table.Limits) (table.Reader, error) {
	tail := make([]byte, 8)
	if size < 12 {
		return nil, fault.Invalidf("the Parquet file is cut off")
	}
	if err := readAt(f, tail, size-8); err != nil {
		return nil, err
	}
	if string(tail[4:]) != parquetMagic {
		return nil, fault.Invalidf("the Parquet file is cut off, or encrypted: its end is not where it should be")
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if n > size-12 {
		return nil, fault.Invalidf("the Parquet file is damaged: its metadata would be larger than the file")
	}
	if n > maxFooter {
		return nil, fault.Invalidf("the metadata of the Parquet file has %d MiB; at most %d are read", n>>20, maxFooter>>20)
	}
	footer := make([]byte, n)
	if err := readAt(f, footer, size-8-n); err != nil {
		return nil, err
	}
	meta, err := readMeta(footer, l.Columns, l.Rows)
	if err != nil {
		return nil, err
	}
	for _, leaf := range meta.leaves {
		if leaf.kind < boolean || leaf.kind > fixed || leaf.kind == fixed && (leaf.length <= 0 || leaf.length > maxPage) {
			return nil, fault.Invalidf("column %q has a type that Parquet does not know", leaf.path)
		}
	}
	r := &parquetReader{f: f, size: size, meta: meta, budget: maxInflated}
	r.limit(l)
	return r, nil
}

// limit decides how many rows of each column are read: so many that all columns together stay within the limits.
func (r *parquetReader) limit(l table.Limits) {
	r.rows = min(r.meta.rows, l.Rows, l.Cells/int64(len(r.meta.leaves)))
	var rows, size int64
	for _, g := range r.meta.groups {
		rows += max(0, g.rows)
		for _, c := range g.chunks {
			size += max(0, min(c.size, 1<<40))
		}
	}
	if rows > 0 && size > 0 {
		r.rows = min(r.rows, max(1, int64(float64(l.Bytes)/float64(size)*float64(rows))))
	}
	if r.rows < r.meta.rows {
		r.cut = fmt.Sprintf("the first %d rows", r.rows)
	}
}

// Columns returns the columns of the schema; those inside others have names with dots.
func (r *parquetReader) Columns() []table.Column {
	out := make([]table.Column, len(r.meta.leaves))
	for i, l := range r.meta.leaves {
		out[i] = table.Column{Name: l.path, Declared: l.declared()}
	}
	return out
}

// Extent says how much was read.
func (r *parquetReader) Extent() table.Extent {
	return table.Extent{Rows: r.rows, Total: r.meta.rows, Columns: r.meta.all, Cut: r.cut}
}

// Next reads the next page of a column.
func (r *parquetReader) Next(ctx context.Context) (table.Chunk, error) {
	for {
		if r.column >= len(r.meta.leaves) {
			return table.Chunk{}, io.EOF
		}
		if err := ctx.Err(); err != nil {
			return table.Chunk{}, err
		}
		c, err := r.next()
		if errors.Is(err, errTooMuch) {
			r.cut = fmt.Sprintf("what fits into %d MiB", maxInflated>>20)
			r.column = len(r.meta.leaves)
			continue
		}
		if err != nil {
			return c, fault.Invalidf("column %q: %w", r.meta.leaves[r.column].path, err)
		}
		if len(c.Cells) > 0 {
			return c, nil
		}
	}
}

// next reads a page, or goes on to the next row group or column, which gives no cells.
func (r *parquetReader) next() (table.Chunk, error) {
	leaf := r.meta.leaves[r.column]
	if r.pages == nil {
		if r.row >= r.rows || r.group >= len(r.meta.groups) {
			c := table.Chunk{Column: r.column, Row: r.row, Cells: r.finish(r.cells[:0])}
			r.column, r.group, r.row = r.column+1, 0, 0
			return c, nil
		}
		g := r.meta.groups[r.group]
		r.group++
		if r.column >= len(g.chunks) {
			return table.Chunk{}, fault.Invalidf("row group %d lacks it", r.group)
		}
		var err error
		if r.pages, err = r.open(g.chunks[r.column]); err != nil {
			return table.Chunk{}, err
		}
	}
	cells, done, err := r.page(leaf)
	if err != nil {
		return table.Chunk{}, err
	}
	c := table.Chunk{Column: r.column, Row: r.row, Cells: cells}
	r.row += int64(len(cells))
	if done || r.row >= r.rows {
		r.pages = nil
	}
	return c, nil
}

// finish closes the last list of a column.
func (r *parquetReader) finish(cells []table.Cell) []table.Cell {
	if r.list.open && r.row < r.rows {
		cells = append(cells, r.list.cell())
	}
	r.list = listCell{}
	return cells
}

// pages is a column of a row group that is being read.
type pages struct {
	chunk chunk
	at    int64
	end   int64
	left  int64 // values
	dict  []raw
}

func (r *parquetReader) open(c chunk) (*pages, error) {
	at := c.data
	if c.dict > 0 && c.dict < at {
		at = c.dict
	}
	if c.elsewhere {
		return nil, fault.Invalidf("its data is in another file")
	}
	if at < 4 || c.compressed < 0 || at > r.size-8 || c.compressed > r.size-8-at {
		return nil, fault.Invalidf("it lies outside of the file")
	}
	return &pages{chunk: c, at: at, end: at + c.compressed, left: c.values}, nil
}

// page reads a page of values, and a dictionary that comes before it.
func (r *parquetReader) page(l leaf) (cells []table.Cell, done bool, err error) {
	p := r.pages
	if p.at >= p.end || p.left <= 0 {
		return nil, true, nil
	}
	head := make([]byte, min(maxHead, p.end-p.at))
	if err := readAt(r.f, head, p.at); err != nil {
		return nil, false, err
	}
	t := &thrift{b: head}
	h := readPageHead(t)
	if t.err != nil || h.size < 0 || h.compressed < 0 || h.values < 0 || h.compressed > p.end-p.at-int64(t.pos) {
		return nil, false, errDamaged
	}
	if h.size > maxPage || h.compressed > maxPage {
		return nil, false, fault.Invalidf("a page has %d MiB; at most %d are read", max(h.size, h.compressed)>>20, maxPage>>20)
	}
	if r.budget -= h.size + h.compressed; r.budget < 0 {
		return nil, false, errTooMuch
	}
	body := make([]byte, h.compressed)
	if err := readAt(r.f, body, p.at+int64(t.pos)); err != nil {
		return nil, false, err
	}
	p.at += int64(t.pos) + h.compressed
	switch h.kind {
	case dictPage:
		if h.values > maxLevels {
			return nil, false, errTooMuch
		}
		if body, err = inflate(body, p.chunk.codec, h.size); err == nil {
			p.dict, err = plain(body, l.kind, l.length, int(h.values), nil)
		}
		return nil, false, err
	case dataPage, dataPageV2:
		p.left -= h.values
		cells, err = r.data(l, h, body)
		return cells, false, err
	}
	return nil, false, nil // an index, or something that a later version adds
}

// data decodes the rows of a page.
func (r *parquetReader) data(l leaf, h pageHead, body []byte) ([]table.Cell, error) {
	var def, rep []byte
	var err error
	if h.kind == dataPageV2 {
		if h.defBytes < 0 || h.repBytes < 0 || h.defBytes+h.repBytes > int64(len(body)) {
			return nil, errDamaged
		}
		rep, def, body = body[:h.repBytes], body[h.repBytes:h.repBytes+h.defBytes], body[h.repBytes+h.defBytes:]
		if !h.plain {
			body, err = inflate(body, r.pages.chunk.codec, h.size-h.defBytes-h.repBytes)
		}
	} else {
		if body, err = inflate(body, r.pages.chunk.codec, h.size); err == nil && l.maxRep > 0 {
			rep, body, err = levelBytes(body)
		}
		if err == nil && l.maxDef > 0 {
			def, body, err = levelBytes(body)
		}
	}
	if err != nil {
		return nil, err
	}
	// Of a column without lists a value is a row, and no more are needed.
	n := int(min(h.values, maxLevels))
	if l.maxRep == 0 {
		n = int(min(int64(n), r.rows-r.row))
	}
	if n < int(h.values) && l.maxRep > 0 {
		return nil, errTooMuch
	}
	defs, err := levels(def, l.maxDef, n)
	if err != nil {
		return nil, err
	}
	reps, err := levels(rep, l.maxRep, n)
	if err != nil {
		return nil, err
	}
	there := n
	if l.maxDef > 0 {
		there = 0
		for _, d := range defs {
			if int(d) == l.maxDef {
				there++
			}
		}
	}
	values, err := r.values(l, h, body, there)
	if err != nil {
		return nil, err
	}
	if len(values) < there {
		return nil, errDamaged
	}
	return r.assemble(l, n, defs, reps, values)
}

// assemble makes cells of values and levels.
func (r *parquetReader) assemble(l leaf, n int, defs, reps []uint32, values []raw) ([]table.Cell, error) {
	cells := r.cells[:0]
	if l.maxRep == 0 {
		for i := range n {
			if l.maxDef > 0 && int(defs[i]) < l.maxDef {
				cells = append(cells, table.Cell{})
				continue
			}
			cells = append(cells, l.cell(values[0]))
			values = values[1:]
		}
		r.cells = cells
		return cells, nil
	}
	for i := range n {
		if reps[i] == 0 {
			if r.list.open {
				cells = append(cells, r.list.cell())
				if r.row+int64(len(cells)) >= r.rows {
					r.list = listCell{}
					break
				}
			}
			r.list = listCell{open: true, null: int(defs[i]) < l.emptyListDef}
		}
		switch d := int(defs[i]); {
		case d == l.maxDef:
			r.list.add(l.cell(values[0]))
			values = values[1:]
		case d >= l.elementDef:
			r.list.add(table.Cell{})
		}
	}
	r.cells = cells
	return cells, nil
}

// levelBytes takes the levels from the beginning of a page of the first version.
func levelBytes(body []byte) (levels, rest []byte, err error) {
	if len(body) < 4 {
		return nil, nil, errDamaged
	}
	n := int64(binary.LittleEndian.Uint32(body))
	if n > int64(len(body)-4) {
		return nil, nil, errDamaged
	}
	return body[4 : 4+n], body[4+n:], nil
}

// levels decodes n levels; what is missing is damage.
func levels(b []byte, most, n int) ([]uint32, error) {
	if most == 0 {
		return nil, nil
	}
	out, err := hybrid(b, bits.Len(uint(most)), n, make([]uint32, 0, min(n, 1<<16)))
	if err != nil || len(out) < n {
		return nil, errDamaged
	}
	for _, level := range out {
		if level > uint32(most) {
			return nil, errDamaged
		}
	}
	return out, nil
}

// values decodes the first n values of a page.
func (r *parquetReader) values(l leaf, h pageHead, body []byte, n int) ([]raw, error) {
	stored := int(min(h.values, maxLevels))
	if !fits(h.encoding, l.kind) {
		return nil, errDamaged
	}
	switch h.encoding {
	case plainEncoding:
		return plain(body, l.kind, l.length, n, nil)
	case plainDictionary, rleDictionary:
		return r.fromDictionary(body, n)
	case rleEncoding:
		part, _, err := levelBytes(body)
		if err != nil {
			return nil, errDamaged
		}
		ones, err := hybrid(part, 1, n, nil)
		out := make([]raw, len(ones))
		for i, v := range ones {
			out[i].i = int64(v)
		}
		return out, err
	case deltaBinaryPacked:
		numbers, _, err := delta(body, n)
		out := make([]raw, len(numbers))
		for i, v := range numbers {
			if l.kind == int32s {
				v = int64(int32(v))
			}
			out[i].i = v
		}
		return out, err
	case deltaLengthByteArray:
		return deltaLengths(body, n, stored, nil)
	case deltaByteArray:
		return deltaTexts(body, n, stored, &r.budget, nil)
	case byteStreamSplit:
		size := map[physical]int{int32s: 4, floats: 4, int64s: 8, doubles: 8, fixed: l.length}[l.kind]
		if size == 0 {
			return nil, errDamaged
		}
		return split(body, l.kind, l.length, len(body)/size, n, nil)
	}
	return nil, fault.Invalidf("its encoding (number %d) is not known here", h.encoding)
}

// fits reports whether values of a type can be encoded in a way.
func fits(encoding int, kind physical) bool {
	switch encoding {
	case rleEncoding:
		return kind == boolean
	case deltaBinaryPacked:
		return kind == int32s || kind == int64s
	case deltaLengthByteArray:
		return kind == byteArrays
	case deltaByteArray:
		return kind == byteArrays || kind == fixed
	}
	return true
}

func (r *parquetReader) fromDictionary(body []byte, n int) ([]raw, error) {
	if n == 0 {
		return nil, nil
	}
	if len(body) == 0 {
		return nil, errDamaged
	}
	at, err := hybrid(body[1:], int(body[0]), n, nil)
	if err != nil {
		return nil, err
	}
	out := make([]raw, len(at))
	for i, v := range at {
		if int64(v) >= int64(len(r.pages.dict)) {
			return nil, errDamaged
		}
		out[i] = r.pages.dict[v]
	}
	return out, nil
}

// inflate decompresses a page to the size that its header gives, and never further.
func inflate(b []byte, codec int, size int64) ([]byte, error) {
	if size < 0 {
		return nil, errDamaged
	}
	switch codec {
	case 0:
		return b, nil
	case 1: // Snappy
		if n, err := s2.DecodedLen(b); err != nil || int64(n) != size {
			return nil, errDamaged
		}
		out, err := s2.Decode(nil, b)
		if err != nil {
			return nil, errDamaged
		}
		return out, nil
	case 2:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, errDamaged
		}
		return exactly(z, size)
	case 6:
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage+1<<20), zstd.WithDecoderMaxWindow(maxPage))
		if err != nil {
			return nil, errDamaged
		}
		defer z.Close()
		return exactly(z, size)
	}
	name := map[int]string{3: "LZO", 4: "Brotli", 5: "LZ4", 7: "LZ4"}[codec]
	return nil, fault.Invalidf("its compression %s (number %d) is not known here; write the file with Snappy, Zstandard or gzip", name, codec)
}

func exactly(z io.Reader, size int64) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(z, size+1))
	if err != nil || int64(len(out)) != size {
		return nil, errDamaged
	}
	return out, nil
}

func readAt(f io.ReadSeeker, b []byte, at int64) error {
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.ReadFull(f, b); err != nil {
		return fault.Invalidf("the file is cut off: %w", err)
	}
	return nil
}
