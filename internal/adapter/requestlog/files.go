package requestlog

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"levada/internal/adapter/tabular"
	"levada/internal/core/endpoint"
	"levada/internal/core/reqlog"
	"levada/internal/core/table"
)

// sealed is a Parquet file: log/ENDPOINT/VERSION/HOUR-NUMBER.parquet.
type sealed struct {
	path              string
	endpoint, version string
	hour              time.Time
	size              int64
}

// listSealed finds the Parquet files of all endpoints.
func listSealed(dir string) ([]sealed, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*", "*", "*"+fileEnd))
	if err != nil {
		return nil, err
	}
	var out []sealed
	for _, path := range paths {
		version := filepath.Dir(path)
		hour, err := time.Parse(hourForm, filepath.Base(path)[:min(len(hourForm), len(filepath.Base(path)))])
		info, gone := os.Stat(path)
		if err != nil || gone != nil {
			continue // not one of ours
		}
		out = append(out, sealed{path, filepath.Base(filepath.Dir(version)), filepath.Base(version), hour, info.Size()})
	}
	return out, nil
}

// escapeGlob takes the meaning from characters of a directory's name.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// publish makes a Parquet file of a journal, which is there whole or not at all, and removes the journal; nil for an empty one. A file that
// is there already was made before a crash.
func (l *Log) publish(j *journal) (*sealed, error) {
	number := j.name[strings.LastIndexByte(j.name, '~')+1:]
	dir := filepath.Join(l.o.Dir, "log", j.key.endpoint, j.key.version)
	s := &sealed{path: filepath.Join(dir, j.key.hour.Format(hourForm)+"-"+number+fileEnd), endpoint: j.key.endpoint, version: j.key.version, hour: j.key.hour}
	journal := filepath.Join(l.o.Dir, "open", j.name+journalEnd)
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		var rows int
		temp := filepath.Join(l.o.Dir, "open", j.name+".tmp")
		if rows, err = l.convert(j, temp); err != nil {
			return nil, errors.Join(err, ignoreMissing(os.Remove(temp)))
		}
		if rows == 0 {
			return nil, errors.Join(os.Remove(temp), os.Remove(journal))
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := errors.Join(os.Rename(temp, s.path), syncDir(dir)); err != nil {
			return nil, err
		}
		info, err = os.Stat(s.path)
	}
	if err != nil {
		return nil, err
	}
	s.size = info.Size()
	return s, os.Remove(journal)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// convert writes the records of a journal as a Parquet file, and syncs it.
func (l *Log) convert(j *journal, path string) (rows int, err error) {
	f := &frame{endpoint: j.key.endpoint}
	err = each(io.NewSectionReader(j.file, 0, j.size.Load()), func(r reqlog.Record) error {
		f.add(&r, func(column string) bool { return !r.KeepPII && l.leftByLooks(j.key.endpoint, column) })
		return nil
	})
	if err != nil || f.rows == 0 {
		return 0, errors.Join(err, os.WriteFile(path, nil, 0o600))
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w, err := tabular.NewParquetWriter(out, f.columns())
	if err != nil {
		return 0, err
	}
	if err := errors.Join(w.Write(f.batch()), w.Close(), out.Sync()); err != nil {
		return 0, err
	}
	return f.rows, nil
}

// leftByLooks says whether values of a column looked like personal data.
func (l *Log) leftByLooks(name, column string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.HasPrefix(l.left[name][column].Reason, reqlog.Personal)
}

// frame is a table that grows by records.
type frame struct {
	endpoint string
	rows     int
	names    []string
	kinds    []table.Kind
	cells    [][]table.Cell
	places   map[string]int
}

func (f *frame) place(name string, kind table.Kind) int {
	if f.places == nil {
		f.places = map[string]int{}
		for _, c := range reqlog.Fixed {
			f.places[c.Name] = len(f.names)
			f.names, f.kinds, f.cells = append(f.names, c.Name), append(f.kinds, c.Kind), append(f.cells, nil)
		}
	}
	i, known := f.places[name]
	if !known {
		i = len(f.names)
		f.places[name] = i
		f.names, f.kinds, f.cells = append(f.names, name), append(f.kinds, table.Null), append(f.cells, nil)
	}
	f.kinds[i] = reqlog.Unified(f.kinds[i], kind)
	return i
}

// add appends the rows of a record, without the columns that are left out.
func (f *frame) add(r *reqlog.Record, left func(column string) bool) {
	text := func(s string) table.Cell { return table.Cell{Kind: table.Text, Text: s} }
	for row := range r.Rows {
		f.set(reqlog.ColumnID, text(r.ID))
		f.set(reqlog.ColumnRow, table.Cell{Kind: table.Integer, Int: int64(row)})
		f.set(reqlog.ColumnTime, table.Cell{Kind: table.Time, Int: r.At})
		f.set(reqlog.ColumnName, text(f.endpoint))
		f.set(reqlog.ColumnVersion, text(r.Version))
		f.set(reqlog.ColumnRole, text(string(r.Role)))
		f.set(reqlog.ColumnStatus, text(r.Status))
		f.set(reqlog.ColumnLatency, table.Cell{Kind: table.Number, Float: float64(r.Nanos) / 1e6})
		for i := range r.Columns {
			c := &r.Columns[i]
			if !left(c.Name) {
				f.set(c.Name, c.Cell(row))
			}
		}
		f.rows++
	}
}

// set sets a cell of the row that is added.
func (f *frame) set(name string, c table.Cell) {
	i := f.place(name, c.Kind)
	for len(f.cells[i]) < f.rows {
		f.cells[i] = append(f.cells[i], table.Cell{})
	}
	f.cells[i] = append(f.cells[i][:f.rows], c)
}

// columns are those of the file.
func (f *frame) columns() []tabular.Written {
	out := make([]tabular.Written, len(f.names))
	for i, name := range f.names {
		out[i] = tabular.Written{Name: name, Kind: f.kinds[i]}
		if f.kinds[i] == table.Null {
			out[i].Kind = table.Text
		}
	}
	return out
}

// batch are the rows.
func (f *frame) batch() *table.Batch {
	b := &table.Batch{Size: f.rows}
	for i := range f.cells {
		for len(f.cells[i]) < f.rows {
			f.cells[i] = append(f.cells[i], table.Cell{})
		}
		b.Columns = append(b.Columns, table.Vector{Kind: table.Mixed, Size: f.rows, Cells: f.cells[i]})
	}
	return b
}

// tidy removes what is older than an endpoint keeps, or more than it keeps. What endpoints that log no more have is kept by the defaults.
func (l *Log) tidy(ctx context.Context, now time.Time) {
	l.mu.Lock()
	files := slices.Clone(l.sealed)
	l.mu.Unlock()
	keep := func(name string) endpoint.Log {
		if l.hooks.Settings == nil {
			return endpoint.Log{}.Filled()
		}
		return l.hooks.Settings(name).Filled()
	}
	slices.SortFunc(files, func(a, b sealed) int { return b.hour.Compare(a.hour) })
	total := map[string]int64{}
	gone := map[string]bool{}
	for _, f := range files {
		keep := keep(f.endpoint)
		total[f.endpoint] += f.size
		if now.Sub(f.hour) <= time.Duration(keep.KeepDays)*24*time.Hour && total[f.endpoint] <= int64(keep.KeepMB)<<20 {
			continue
		}
		if err := ignoreMissing(os.Remove(f.path)); err != nil {
			l.o.Logger.Warn("logged requests that are too old could not be removed", "file", f.path, "error", err)
			continue
		}
		gone[f.path] = true
	}
	l.mu.Lock()
	l.sealed = slices.DeleteFunc(l.sealed, func(s sealed) bool { return gone[s.path] })
	l.mu.Unlock()
	l.opening.Lock()
	x, opened := l.index, l.opened
	l.opening.Unlock()
	if !opened {
		return // nothing was ever logged
	}
	names, err := x.endpoints(ctx) // a truth may have come for what was never logged
	if err != nil && ctx.Err() == nil {
		l.o.Logger.Warn("truths that are too old could not be looked for", "error", err)
	}
	for _, name := range names {
		before := now.Add(-time.Duration(keep(name).KeepDays) * 24 * time.Hour)
		if err := x.forget(ctx, name, before); err != nil && ctx.Err() == nil {
			l.o.Logger.Warn("truths that are too old could not be removed", "endpoint", name, "error", err)
		}
		if err := x.bound(ctx, name, l.o.IndexRows); err != nil && ctx.Err() == nil {
			l.o.Logger.Warn("predictions that are too many could not be removed from the index", "endpoint", name, "error", err)
		}
	}
}
