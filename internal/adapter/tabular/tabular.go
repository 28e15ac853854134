// Package tabular reads tables: Parquet, CSV and JSON lines.
//
// What it reads was made by others. Every reader works within the limits it is given, believes no count in a file before it has
// seen the bytes for it, and answers a damaged file with an Invalid error. It knows neither artifacts nor runs. Start reading at
// Summarize; a reader that gives cells is opened with Open.
package tabular

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Names of formats.
const (
	Parquet   = "parquet"
	CSV       = "csv"
	JSONLines = "jsonl"
)

// patience bounds how long one table is read.
const patience = 20 * time.Second

// atOnce is how many tables are read at one time; each needs memory.
const atOnce = 2

// Tables summarizes tables, a few at one time.
type Tables struct{ turn chan struct{} }

// New returns Tables.
func New() *Tables { return &Tables{turn: make(chan struct{}, atOnce)} }

// Summarize reads the table in a file and returns its first rows and the profiles of its columns. The name says of what format a file
// is that does not begin as Parquet does.
func (t *Tables) Summarize(ctx context.Context, f io.ReadSeeker, name string, rows int) (table.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return table.Summary{}, fault.Unavailablef("read table %q: other tables are being read; try again in a moment", name)
	}
	r, format, err := Open(f, name, table.Preview)
	if err != nil {
		return table.Summary{}, err
	}
	s, err := table.Summarize(ctx, r, rows)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Unavailablef("read table %q: this took longer than %v; download the file and look at it elsewhere", name, patience)
	}
	s.Format = format
	return s, err
}

// Open opens the table in a file. A file that holds none is an Invalid error.
func Open(f io.ReadSeeker, name string, l table.Limits) (table.Reader, string, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, "", err
	}
	if size == 0 {
		return nil, "", fault.Invalidf("read table %q: the file is empty", name)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err == nil && string(head) == parquetMagic {
		r, err := openParquet(f, size, l)
		return r, Parquet, about(name, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, "", err
	}
	var in io.Reader = f
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(bufio.NewReader(f))
		if err != nil {
			return nil, "", fault.Invalidf("read table %q: it begins as gzip does, and is none: %w", name, err)
		}
		in, name = unzipped, strings.TrimSuffix(name, ".gz")
	}
	text, err := openText(in, l.Bytes)
	if err != nil {
		return nil, "", about(name, err)
	}
	if linesOfJSON(name, text.sample) {
		return openJSON(text, l), JSONLines, nil
	}
	r, err := openCSV(text, name, l)
	return r, CSV, about(name, err)
}

// about says which table an error is about.
func about(name string, err error) error {
	if err == nil || fault.KindOf(err) != fault.Invalid {
		return err
	}
	return fault.Invalidf("read table %q: %w", name, err)
}

// linesOfJSON reports whether a text is a JSON object on each line.
func linesOfJSON(name string, sample []byte) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jsonl", ".ndjson":
		return true
	case ".csv", ".tsv":
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(sample, " \t\r\n"), []byte(`{"`))
}

// text is a text that is read up to a number of bytes, and its beginning, which was looked at.
type text struct {
	in     *bufio.Reader
	sample []byte
	left   *io.LimitedReader
	// since counts the bytes that were read since the last row.
	since int
}

const (
	sampleSize = 64 << 10
	// longestRow bounds a row in bytes.
	longestRow = 4 << 20
)

// errLongRow says that a row does not end.
var errLongRow = fault.Invalidf("a row is longer than %d MiB", longestRow>>20)

func openText(r io.Reader, most int64) (*text, error) {
	t := &text{left: &io.LimitedReader{R: r, N: most}}
	t.in = bufio.NewReaderSize(t, sampleSize)
	sample, err := t.in.Peek(sampleSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Invalidf("the file is damaged: %w", err)
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(sample, []byte(mark)) {
			return nil, fault.Invalidf("the text is in UTF-16; tables are read in UTF-8")
		}
	}
	if bytes.IndexByte(sample, 0) >= 0 {
		return nil, fault.Invalidf("the file is neither Parquet nor text")
	}
	if bytes.HasPrefix(sample, []byte("\xef\xbb\xbf")) {
		if _, err := t.in.Discard(3); err != nil {
			return nil, err
		}
		sample = sample[3:]
	}
	t.sample = bytes.Clone(sample)
	return t, nil
}

// Read reads on and refuses a row without an end, before it fills the memory.
func (t *text) Read(p []byte) (int, error) {
	if t.since > longestRow {
		return 0, errLongRow
	}
	n, err := t.left.Read(p)
	t.since += n
	return n, err
}

// full reports whether the limit of bytes was reached.
func (t *text) full() bool { return t.left.N <= 0 }

// row says that a row was read to its end.
func (t *text) row() { t.since = 0 }
