// Package tabular reads tables: Parquet, Arrow, CSV, JSON lines, and directories of them.
//
// What it reads was made by others. Every reader works within bounds of memory, believes no count in a file before it has seen the bytes
// for it, and answers a damaged file with an Invalid error. It knows neither artifacts nor runs. Start reading at OpenSource, which gives
// a table in typed batches; Summarize shows a table to a person.
package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
)

// Names of formats.
const (
	Parquet   = "parquet"
	Arrow     = "arrow"
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

// Summarize reads the table in a file, within table.Preview, and returns its first rows and the profiles of its columns. The name says of
// what format a file is that does not begin as Parquet does.
func (t *Tables) Summarize(ctx context.Context, f io.ReadSeeker, name string, rows int) (profile.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return profile.Summary{}, fault.Unavailablef("read table %q: other tables are being read; try again in a moment", name)
	}
	s, err := summarize(ctx, f, name, rows, table.Preview)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Unavailablef("read table %q: this took longer than %v; download the file and look at it elsewhere", name, patience)
	}
	return s, err
}

func summarize(ctx context.Context, f io.ReadSeeker, name string, rows int, l table.Limits) (profile.Summary, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return profile.Summary{}, err
	}
	r := &seeker{f: f}
	src, format, err := openFile(r, size, name, func(int64) (file, error) { return r, nil }, l)
	if err != nil {
		return profile.Summary{}, err
	}
	columns := src.Columns()
	all := len(columns)
	if p, ok := src.(*parquetFile); ok {
		all = p.meta.all
	}
	columns = columns[:min(l.Columns, len(columns))]
	extent := table.Extent{Total: src.Rows(), Columns: all}
	p := profile.NewPreview(columns, rows)
	if f, ok := src.(*parquetFile); ok {
		err = previewColumns(ctx, p, f, &extent, name)
	} else {
		err = previewRows(ctx, p, src, &extent, l, len(columns))
	}
	if err != nil {
		return profile.Summary{}, err
	}
	s := p.Finish(extent.Rows)
	s.Format, s.Extent = format, extent
	s.Findings = append(table.Findings(src), s.Findings...)
	return s, nil
}

// previewColumns reads the columns one after the other, so that there is one page in memory at a time.
func previewColumns(ctx context.Context, p *profile.Preview, f *parquetFile, extent *table.Extent, name string) error {
	extent.Rows, extent.Cut = f.rows, f.cut
	for i := range f.meta.leaves {
		s := f.Scan(i)
		_, _, err := p.Scan(ctx, s, []int{i}, f.rows)
		p.Summary.Findings = append(p.Summary.Findings, table.Findings(s)...)
		if err := s.Close(); err != nil {
			return err
		}
		if errors.Is(err, errTooMuch) {
			extent.Cut = fmt.Sprintf("what fits into %d MiB", maxInflated>>20)
			return nil
		}
		if err != nil {
			return about(name, err)
		}
	}
	return nil
}

func previewRows(ctx context.Context, p *profile.Preview, src table.Source, extent *table.Extent, l table.Limits, columns int) error {
	if columns == 0 {
		extent.Total = 0
		return nil
	}
	asked := make([]int, columns)
	for i := range asked {
		asked[i] = i
	}
	s := src.Scan(asked...)
	defer s.Close()
	most := max(1, min(l.Rows, l.Cells/int64(columns)))
	n, more, err := p.Scan(ctx, s, asked, most)
	if err != nil {
		return err
	}
	extent.Rows, extent.Total = n, n
	if more {
		extent.Total, extent.Cut = src.Rows(), fmt.Sprintf("the first %d rows", most)
	} else if c, ok := s.(interface{ Cut() string }); ok && c.Cut() != "" {
		extent.Total, extent.Cut = -1, c.Cut()
	}
	found := table.Findings(s)
	for _, f := range found {
		if f.What == notObjects {
			extent.Bad += f.Count
		}
	}
	p.Summary.Findings = append(p.Summary.Findings, found...)
	return nil
}

// seeker reads at places of a file that can only be read at one place at a time.
type seeker struct {
	mu sync.Mutex
	f  io.ReadSeeker
}

// ReadAt reads at a place.
func (s *seeker) ReadAt(b []byte, at int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.f.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.f, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// Close leaves the file open, which belongs to the caller.
func (s *seeker) Close() error { return nil }

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
	text := bytes.TrimLeft(sample, " \t\r\n")
	first, _, _ := bytes.Cut(text, []byte("\n")) // one that the end of the sample has cut is no object
	return bytes.HasPrefix(text, []byte(`{"`)) || isObject(bytes.TrimSpace(first))
}

// documentOfJSON reports whether a text that is no JSON object on each line is JSON all the same: a list, or an object on several lines.
func documentOfJSON(name string, sample []byte) bool {
	text := bytes.TrimLeft(sample, " \t\r\n")
	switch strings.ToLower(path.Ext(name)) {
	case ".csv", ".tsv":
		return false
	case ".json":
		return bytes.HasPrefix(text, []byte("[")) || bytes.HasPrefix(text, []byte("{"))
	}
	if len(text) < 2 || text[0] != '[' && text[0] != '{' {
		return false
	}
	inside := bytes.TrimLeft(text[1:], " \t\r\n")
	if text[0] == '[' {
		object, ok := bytes.CutPrefix(inside, []byte("{"))
		return ok && bytes.HasPrefix(bytes.TrimLeft(object, " \t\r\n"), []byte(`"`))
	}
	return len(inside) < len(text)-1 && bytes.HasPrefix(inside, []byte(`"`))
}
