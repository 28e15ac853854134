package tabular

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

const parquetMagic = "PAR1"

// The bounds of what is read at once. Writers make pages of about a MiB.
const (
	maxFooter = 64 << 20
	maxPage   = 64 << 20
	// maxHead bounds the header of a page; statistics may hold long texts.
	maxHead = 64 << 10
	// maxInflated bounds what all pages of a preview together are, decompressed.
	maxInflated = 256 << 20
	// batchRows is how many rows a batch has at most; batchValues how many values its columns have together, but for very many columns.
	batchRows   = 1 << 14
	batchValues = 1 << 22
	leastRows   = 1 << 10
)

// errTooMuch says that the file holds more than is read.
var errTooMuch = fault.Invalidf("it holds more than is read at once")

// parquetFile is the metadata of a file, and how it is read.
type parquetFile struct {
	open opener
	r    io.ReaderAt // of a scan
	size int64
	meta *fileMeta
	rows int64 // that are read of each column
	// budget is what the pages may still be, decompressed; nil is without a bound.
	budget *atomic.Int64
	cut    string
}

// spend takes from the budget.
func (f *parquetFile) spend(n int64) bool { return f.budget == nil || f.budget.Add(-n) >= 0 }

// openParquet reads the footer of a file, whose beginning was looked at.
func openParquet(r io.ReaderAt, size int64, open opener, l table.Limits) (*parquetFile, error) {
	tail := make([]byte, 8)
	if size < 12 {
		return nil, fault.Invalidf("the Parquet file is cut off")
	}
	if err := readAt(r, tail, size-8); err != nil {
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
	if err := readAt(r, footer, size-8-n); err != nil {
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
	var rows int64
	for i, g := range meta.groups {
		if g.rows < 0 || g.rows > meta.rows-rows {
			return nil, fault.Invalidf("the Parquet file is damaged: row group %d has more rows than the file", i+1)
		}
		rows += g.rows
	}
	if rows < min(meta.rows, l.Rows) {
		return nil, fault.Invalidf("the Parquet file is damaged, or has too many row groups: those that are read have %d of its %d rows", rows, meta.rows)
	}
	f := &parquetFile{open: open, size: size, meta: meta, rows: meta.rows}
	if l != everything {
		f.limit(l)
	}
	return f, nil
}

// limit decides how many rows of each column are read: so many that all columns together stay within the limits.
func (f *parquetFile) limit(l table.Limits) {
	f.budget = &atomic.Int64{}
	f.budget.Store(maxInflated)
	f.rows = min(f.meta.rows, l.Rows, l.Cells/int64(len(f.meta.leaves)))
	var rows, size int64
	for _, g := range f.meta.groups {
		rows += max(0, g.rows)
		for _, c := range g.chunks {
			size += max(0, min(c.size, 1<<40))
		}
	}
	if rows > 0 && size > 0 {
		f.rows = min(f.rows, max(1, int64(float64(l.Bytes)/float64(size)*float64(rows))))
	}
	if f.rows < f.meta.rows {
		f.cut = fmt.Sprintf("the first %d rows", f.rows)
	}
}

// Columns returns the columns of the schema; those inside others have names with dots.
func (f *parquetFile) Columns() []table.Column {
	out := make([]table.Column, len(f.meta.leaves))
	for i, l := range f.meta.leaves {
		out[i] = table.Column{Name: l.path, Declared: l.declared()}
	}
	return out
}

// Rows is how many rows the file says that it has.
func (f *parquetFile) Rows() int64 { return f.meta.rows }

// Columnar says that columns are read one by one.
func (f *parquetFile) Columnar() bool { return true }

// Scan reads columns.
func (f *parquetFile) Scan(columns ...int) table.Scanner {
	file := *f
	s := &parquetScanner{f: &file}
	if len(columns) == 0 {
		for i := range f.meta.leaves {
			columns = append(columns, i)
		}
	}
	for _, i := range columns {
		s.columns = append(s.columns, &column{file: &file, leaf: f.meta.leaves[i]})
	}
	s.most = max(leastRows, min(batchRows, batchValues/max(1, len(columns))))
	return s
}

// parquetScanner reads some columns, a part of a row group at a time.
type parquetScanner struct {
	f       *parquetFile
	columns []*column
	close   io.Closer
	most    int
	group   int
	left    int64 // rows of the group
	row     int64
	batch   table.Batch
	err     error
}

// Next decodes the next rows.
func (s *parquetScanner) Next(ctx context.Context) (*table.Batch, error) {
	if s.err == nil {
		s.err = s.next(ctx)
	}
	if s.err != nil {
		return nil, s.err
	}
	return &s.batch, nil
}

func (s *parquetScanner) next(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.close == nil {
		r, err := s.f.open(s.f.size)
		if err != nil {
			return err
		}
		s.f.r, s.close = r, r
	}
	for s.left == 0 {
		if s.group >= len(s.f.meta.groups) || s.row >= s.f.rows {
			return io.EOF
		}
		s.left = s.f.meta.groups[s.group].rows
		s.group++
		for _, c := range s.columns {
			if err := c.open(); err != nil {
				return s.about(c, err)
			}
		}
	}
	n := int(min(int64(s.most), s.left, s.f.rows-s.row))
	if n == 0 {
		return io.EOF
	}
	s.batch = table.Batch{Row: s.row, Size: n, Columns: sized(s.batch.Columns, len(s.columns))}
	for i, c := range s.columns {
		v, err := c.read(n)
		if err != nil {
			return s.about(c, err)
		}
		s.batch.Columns[i] = v
	}
	s.row += int64(n)
	s.left -= int64(n)
	return nil
}

func (s *parquetScanner) about(c *column, err error) error {
	if errors.Is(err, errTooMuch) || fault.KindOf(err) == fault.Invalid {
		return fault.Invalidf("column %q: %w", c.leaf.path, err)
	}
	return err
}

// cutNanos is the finding of times with more digits.
const cutNanos = "times are read to the microsecond; the nanoseconds of some were cut"

// longNumbers is the finding of numbers that are not floats.
const longNumbers = "numbers have more digits than a float keeps; they are shown whole, and summed up rounded"

// Findings says what was lost.
func (s *parquetScanner) Findings() []table.Finding {
	var out []table.Finding
	for _, c := range s.columns {
		if c.longDigits {
			out = append(out, table.Finding{Column: c.leaf.path, What: longNumbers, Row: -1})
		}
		if c.cutNanos {
			out = append(out, table.Finding{Column: c.leaf.path, What: cutNanos, Row: -1})
		}
	}
	return out
}

// Close frees what the scan holds.
func (s *parquetScanner) Close() error {
	for _, c := range s.columns {
		c.inflater.close()
	}
	if s.close == nil {
		return nil
	}
	return s.close.Close()
}

func readAt(r io.ReaderAt, b []byte, at int64) error {
	if n, err := r.ReadAt(b, at); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fault.Invalidf("the file is cut off: %w", err)
	}
	return nil
}
