package requestlog

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"levada/internal/adapter/tabular"
	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
	"levada/internal/core/table"
)

// part is a file or a journal that is read.
type part struct {
	version string
	hour    time.Time
	name    string
	source  table.Source
}

// Export prepares to write logged requests, the oldest first by hours and versions: as parquet or as jsonl. What is wrong with the question
// is an error here; the function that is returned writes.
func (l *Log) Export(ctx context.Context, q reqlog.Query, format string) (func(ctx context.Context, w io.Writer) error, error) {
	if format != tabular.Parquet && format != tabular.JSONLines {
		return nil, fault.Invalidf("export requests: the format is %q; want parquet or jsonl", fault.Shorten(format, 40))
	}
	if _, err := l.synced(ctx); err != nil {
		return nil, err
	}
	parts, err := l.parts(q)
	if err != nil {
		return nil, err
	}
	e := &exporter{log: l, q: q, parts: parts}
	if err := e.plan(ctx); err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<16)
		var s sink = jsonSink{out, e.columns}
		if format == tabular.Parquet {
			p, err := tabular.NewParquetWriter(out, e.columns)
			if err != nil {
				return err
			}
			s = p
		}
		return errors.Join(e.run(ctx, s), s.Close(), out.Flush())
	}, nil
}

// parts are the files and journals that a question is about, in order. Journals are read into memory.
func (l *Log) parts(q reqlog.Query) ([]part, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []part
	for _, s := range l.sealed {
		if !asked(q, s.endpoint, s.version, s.hour) {
			continue
		}
		source, _, err := tabular.OpenSource(s.path)
		if fault.KindOf(err) == fault.NotFound || errors.Is(err, fs.ErrNotExist) {
			continue // somebody removed it
		}
		if err != nil {
			return nil, fmt.Errorf("read logged requests: %w", err)
		}
		out = append(out, part{s.version, s.hour, filepath.Base(s.path), source})
	}
	for key, j := range l.journals {
		if !asked(q, key.endpoint, key.version, key.hour) {
			continue
		}
		f := &frame{endpoint: key.endpoint}
		err := each(io.NewSectionReader(j.file, 0, j.size.Load()), func(r reqlog.Record) error {
			f.add(&r, func(column string) bool {
				return !r.KeepPII && strings.HasPrefix(l.left[key.endpoint][column].Reason, reqlog.Personal)
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
		if f.rows > 0 {
			out = append(out, part{key.version, key.hour, "~" + j.name, f.memory()})
		}
	}
	slices.SortFunc(out, func(a, b part) int {
		return cmp.Or(a.hour.Compare(b.hour), strings.Compare(a.version, b.version), strings.Compare(a.name, b.name))
	})
	return out, nil
}

// asked says whether a question is about the requests of a version in an hour.
func asked(q reqlog.Query, name, version string, hour time.Time) bool {
	return name == q.Endpoint && (q.Version == "" || q.Version == version) && (q.Until.IsZero() || hour.Before(q.Until)) &&
		(q.Since.IsZero() || hour.Add(time.Hour).After(q.Since))
}

// memory is the frame as a table.
func (f *frame) memory() table.Memory {
	m := table.Memory{Vectors: f.batch().Columns}
	for _, c := range f.columns() {
		m.Names = append(m.Names, table.Column{Name: c.Name, Declared: c.Kind.String()})
	}
	return m
}

// declared is the kind of a column of a file of ours, or of a frame.
func declared(c table.Column) table.Kind {
	switch c.Declared {
	case "boolean":
		return table.Boolean
	case "int64", table.Integer.String():
		return table.Integer
	case "double", table.Number.String():
		return table.Number
	case "text", "string":
		return table.Text
	}
	if strings.HasPrefix(c.Declared, "time") {
		return table.Time
	}
	return table.Text
}

// sink takes rows.
type sink interface {
	Write(b *table.Batch) error
	Close() error
}

// mostColumns bounds the columns of an export: where a model takes any names, those of its inputs are the clients' to choose.
const mostColumns = 4000

// exporter writes the rows of parts under the columns of all of them.
type exporter struct {
	log     *Log
	q       reqlog.Query
	parts   []part
	columns []tabular.Written
	places  map[string]int
	// from are the names of the columns in the files, where they are not those of the export.
	from map[string]string
	// oldest is the time of the oldest row of a limited export, in microseconds; surplus is how many rows of just that time are too many.
	oldest, surplus int64
}

// plan finds the columns, and how many rows are passed over.
func (e *exporter) plan(ctx context.Context) error {
	e.places = map[string]int{}
	for _, c := range reqlog.Fixed {
		e.column(c.Name, c.Kind)
	}
	for _, p := range e.parts {
		for _, c := range p.source.Columns() {
			e.column(c.Name, declared(c))
		}
	}
	if len(e.columns) > mostColumns {
		return fault.Invalidf("export requests: they have %d inputs and outputs by different names; at most %d are exported at once: ask for a shorter time, or for one version",
			len(e.columns), mostColumns)
	}
	if e.q.Truth {
		text, err := e.log.index.anyText(ctx, e.q.Endpoint)
		if err != nil {
			return err
		}
		kind := table.Number
		if text {
			kind = table.Text
		}
		e.column(reqlog.ColumnActual, kind)
		e.column(reqlog.ColumnTruthTime, table.Time)
	}
	if e.q.Limit > 0 {
		if err := e.newest(ctx); err != nil {
			return err
		}
	}
	if e.q.Model {
		return e.asModel()
	}
	return nil
}

// newest finds where the newest rows begin. Hours are looked at from the last on, until there are enough.
func (e *exporter) newest(ctx context.Context) error {
	all := e.parts
	var times []int64
	from := len(all)
	for from > 0 && len(times) < e.q.Limit {
		hour := all[from-1].hour
		for from > 0 && all[from-1].hour.Equal(hour) {
			from--
			if err := e.part(ctx, all[from], timesOf{e.places[reqlog.ColumnTime], &times}, nil); err != nil {
				return err
			}
		}
	}
	e.parts = all[from:]
	if len(times) <= e.q.Limit {
		return nil
	}
	slices.Sort(times)
	e.oldest = times[len(times)-e.q.Limit]
	first, _ := slices.BinarySearch(times, e.oldest)
	e.surplus = int64(len(times)-e.q.Limit) - int64(first)
	return nil
}

// asModel leaves the columns that the model knows, under its names; an output that is called as an input is left out.
func (e *exporter) asModel() error {
	all := e.columns
	e.columns, e.places, e.from = nil, map[string]int{}, map[string]string{}
	for _, prefix := range []string{reqlog.InputPrefix, reqlog.OutputPrefix} {
		for _, c := range all {
			name, ok := strings.CutPrefix(c.Name, prefix)
			if _, taken := e.places[name]; !ok || taken || e.q.Truth && (name == reqlog.ColumnActual || name == reqlog.ColumnTruthTime) {
				continue
			}
			e.column(name, c.Kind)
			e.from[name] = c.Name
		}
	}
	if len(e.columns) == 0 {
		return fault.NotFoundf("export requests: none of endpoint %q has inputs or outputs in the log", e.q.Endpoint)
	}
	for _, c := range all {
		if c.Name == reqlog.ColumnActual || c.Name == reqlog.ColumnTruthTime {
			e.column(c.Name, c.Kind)
		}
	}
	return nil
}

func (e *exporter) column(name string, kind table.Kind) {
	i, known := e.places[name]
	if !known {
		e.places[name] = len(e.columns)
		e.columns = append(e.columns, tabular.Written{Name: name, Kind: kind})
		return
	}
	e.columns[i].Kind = reqlog.Unified(e.columns[i].Kind, kind)
}

// timesOf is a sink that keeps the times of rows.
type timesOf struct {
	column int
	times  *[]int64
}

func (s timesOf) Close() error { return nil }

func (s timesOf) Write(b *table.Batch) error {
	for _, c := range b.Columns[s.column].Cells {
		*s.times = append(*s.times, c.Int)
	}
	return nil
}

func (e *exporter) run(ctx context.Context, s sink) error {
	surplus := e.surplus
	for _, p := range e.parts {
		if err := e.part(ctx, p, s, &surplus); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) part(ctx context.Context, p part, s sink, surplus *int64) error {
	return p.batches(ctx, nil, func(b *table.Batch, at map[string]*table.Vector) error {
		truths, err := e.truths(ctx, b, at)
		if err != nil {
			return err
		}
		rows := e.wanted(b, at, truths, surplus)
		for piece := range slices.Chunk(rows, max(1, mostCells/4/len(e.columns))) {
			if err := s.Write(e.pick(piece, at, truths)); err != nil {
				return err
			}
		}
		return nil
	})
}

// batches calls f with the batches of a part, of columns with these names or of all, and their columns by name. A file that is gone by now
// has none.
func (p part) batches(ctx context.Context, names []string, f func(b *table.Batch, at map[string]*table.Vector) error) error {
	var columns []int
	var titles []string
	for i, c := range p.source.Columns() {
		if len(names) == 0 || slices.Contains(names, c.Name) {
			columns, titles = append(columns, i), append(titles, c.Name)
		}
	}
	scan := p.source.Scan(columns...)
	defer scan.Close()
	for {
		b, err := scan.Next(ctx)
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		at := make(map[string]*table.Vector, len(titles))
		for i, title := range titles {
			at[title] = &b.Columns[i]
		}
		if err := f(b, at); err != nil {
			return err
		}
	}
}

// truths are those of the requests of a batch.
func (e *exporter) truths(ctx context.Context, b *table.Batch, at map[string]*table.Vector) (map[rowKey]known, error) {
	if !e.q.Truth && !e.q.OnlyTruth {
		return nil, nil
	}
	ids := make([]string, 0, b.Size)
	for i := range b.Size {
		ids = append(ids, at[reqlog.ColumnID].Cell(i).Text)
	}
	slices.Sort(ids)
	return e.log.index.truthsOf(ctx, e.q.Endpoint, slices.Compact(ids))
}

func keyOf(at map[string]*table.Vector, i int) rowKey {
	return rowKey{at[reqlog.ColumnID].Cell(i).Text, at[reqlog.ColumnRow].Cell(i).Int}
}

// wanted are the rows of a batch that the question is about.
func (e *exporter) wanted(b *table.Batch, at map[string]*table.Vector, truths map[rowKey]known, surplus *int64) []int {
	var rows []int
	for i := range b.Size {
		micros := at[reqlog.ColumnTime].Cell(i).Int
		when := time.UnixMicro(micros)
		if !e.q.Since.IsZero() && when.Before(e.q.Since) || !e.q.Until.IsZero() && !when.Before(e.q.Until) ||
			e.q.Role != "" && at[reqlog.ColumnRole].Cell(i).Text != string(e.q.Role) ||
			e.q.Status != "" && at[reqlog.ColumnStatus].Cell(i).Text != e.q.Status {
			continue
		}
		if e.q.OnlyTruth {
			if _, ok := truths[keyOf(at, i)]; !ok {
				continue
			}
		}
		if e.oldest != 0 && micros <= e.oldest {
			if micros < e.oldest || *surplus > 0 {
				if micros == e.oldest {
					*surplus--
				}
				continue
			}
		}
		rows = append(rows, i)
	}
	return rows
}

// pick gives rows under the columns of the export.
func (e *exporter) pick(rows []int, at map[string]*table.Vector, truths map[rowKey]known) *table.Batch {
	out := &table.Batch{Size: len(rows)}
	for _, c := range e.columns {
		cells := make([]table.Cell, len(rows))
		if v := at[cmp.Or(e.from[c.Name], c.Name)]; v != nil {
			for i, row := range rows {
				cells[i] = v.Cell(row)
			}
		}
		out.Columns = append(out.Columns, table.Vector{Kind: table.Mixed, Size: len(rows), Cells: cells})
	}
	if !e.q.Truth {
		return out
	}
	actual, when := out.Columns[e.places[reqlog.ColumnActual]].Cells, out.Columns[e.places[reqlog.ColumnTruthTime]].Cells
	for i, row := range rows {
		k, ok := truths[keyOf(at, row)]
		if !ok {
			continue
		}
		actual[i] = k.value.Cell()
		if k.at.Valid {
			when[i] = table.Cell{Kind: table.Time, Int: k.at.Int64}
		}
	}
	return out
}

// jsonSink writes an object a line. What is not there is left out.
type jsonSink struct {
	w       *bufio.Writer
	columns []tabular.Written
}

func (s jsonSink) Close() error { return nil }

func (s jsonSink) Write(b *table.Batch) error {
	var text []byte
	for i := range b.Size {
		text = append(text[:0], '{')
		for k, c := range s.columns {
			cell := b.Columns[k].Cell(i)
			if cell.Kind == table.Null {
				continue
			}
			if len(text) > 1 {
				text = append(text, ',')
			}
			text = reqlog.AppendJSON(text, table.Cell{Kind: table.Text, Text: c.Name})
			text = append(text, ':')
			switch {
			case c.Kind == table.Text && cell.Kind != table.Text:
				cell = table.Cell{Kind: table.Text, Text: cell.Shown()}
			case cell.Kind == table.Time:
				cell = table.Cell{Kind: table.Text, Text: time.UnixMicro(cell.Int).UTC().Format(time.RFC3339Nano)}
			}
			text = reqlog.AppendJSON(text, cell)
		}
		if _, err := s.w.Write(append(text, '}', '\n')); err != nil {
			return err
		}
	}
	return nil
}

// ReadTruth reads truths: parquet, csv or jsonl, with the columns request_id and actual, and where they are wanted row and time.
func (l *Log) ReadTruth(ctx context.Context, r io.Reader, format string) (_ []reqlog.Truth, err error) {
	switch format {
	case tabular.JSONLines:
		return reqlog.ReadTruthLines(r)
	case tabular.CSV:
		return reqlog.ReadTruthCSV(r)
	case tabular.Parquet:
	default:
		return nil, fault.Invalidf("read the truth: the format is %q; want jsonl, csv or parquet", fault.Shorten(format, 40))
	}
	if _, err := l.indexed(ctx); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Join(l.o.Dir, "open"), "truth-*.parquet")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if _, err := io.Copy(f, r); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	source, _, err := tabular.OpenSource(f.Name())
	if fault.KindOf(err) == fault.Invalid {
		return nil, fault.Invalidf("read the truth: it is no Parquet file that can be read: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return reqlog.ReadTruths(ctx, source)
}
