// Package imagefile reads images in a directory: JPEG, PNG, GIF, WebP, BMP and TIFF.
//
// What it reads was made by others. The size of an image is looked at before its pixels are decoded, a decoder that gives up or breaks
// makes its file a broken one, and a few images are in memory at one time. It knows how images are encoded; what they are like,
// core/images knows. Start reading at Open.
package imagefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"levada/internal/core/fault"
	"levada/internal/core/images"
	"levada/internal/core/observe"
	"levada/internal/core/table"
)

const (
	// maxFiles bounds how many images a set has.
	maxFiles = 5_000_000
	// maxPixels bounds the pixels of an image.
	maxPixels = 100_000_000
	// memory is about how many bytes decoded images take at one time; a larger image has it for itself.
	memory = 512 << 20
	// bytesOfPixel is how many bytes a decoder needs at most for a pixel: the coefficients and the pixels of a progressive JPEG.
	bytesOfPixel = 15
)

// endings are those of the names of images; false stands for formats that are not read.
var endings = map[string]bool{".jpg": true, ".jpeg": true, ".jpe": true, ".jfif": true, ".png": true, ".gif": true, ".webp": true, ".bmp": true,
	".tif": true, ".tiff": true, ".jp2": false, ".heic": false, ".heif": false, ".avif": false, ".jxl": false}

// tables are endings of files that are tables, in a directory that may be one with images beside it.
var tables = []string{".parquet", ".pq", ".csv", ".tsv", ".jsonl", ".ndjson", ".arrow", ".feather", ".gz"}

// Set are the images in a directory. It is a table with a row for each.
type Set struct {
	files []observe.File // in the order of their names
	found []table.Finding

	mu     sync.Mutex
	read   bool
	all    []images.Figures
	report *images.Report
	table  table.Memory
}

// Open finds the images in a directory and the folders in it, or the one that a file is. It returns nil where there are none, or more
// files with tables than images.
func Open(path string) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil //nolint:nilerr // who opens a table says so
	}
	var f finder
	if info.Mode().IsRegular() {
		f.see(filepath.Base(path), path)
		return f.set(false), nil
	}
	if err := f.walk(path); err != nil {
		return nil, err
	}
	return f.set(true), nil
}

// OpenContent is Open for files that have other names where they are.
func OpenContent(c observe.Content) *Set {
	var f finder
	for _, file := range c.Files {
		name := file.Name
		if !c.Directory {
			name = c.Name
		}
		if !slices.ContainsFunc(strings.Split(name, "/"), hidden) {
			f.see(name, file.Path)
		}
	}
	return f.set(c.Directory)
}

// hidden says that a file or folder is none of the set's.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// finder finds images among files.
type finder struct {
	images       []observe.File
	tables, rest int
}

func (f *finder) see(name, path string) {
	if _, image := endings[ending(name)]; image {
		f.images = append(f.images, observe.File{Name: name, Path: path})
	} else if slices.Contains(tables, ending(name)) {
		f.tables++
	} else {
		f.rest++
	}
}

// set is that of the images, nil where there are none or too few among tables.
func (f *finder) set(directory bool) *Set {
	if len(f.images) == 0 || f.tables > len(f.images) {
		return nil
	}
	s := &Set{files: f.images}
	slices.SortFunc(s.files, func(a, b observe.File) int { return strings.Compare(a.Name, b.Name) })
	if n := f.tables + f.rest; n > 0 && directory {
		s.found = append(s.found, table.Finding{Row: -1, Count: int64(n), What: fmt.Sprintf("%d other files in the directory are no images and were left out", n)})
	}
	return s
}

func (f *finder) walk(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fault.Invalidf("read images in %q: %w", root, err)
		}
		if hidden(d.Name()) && path != root {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if f.see(filepath.ToSlash(name), path); len(f.images) > maxFiles {
			return fault.Invalidf("read images in %q: the directory has more than %d", root, maxFiles)
		}
		return nil
	})
}

func ending(path string) string { return strings.ToLower(filepath.Ext(path)) }

// Columns are those of images.Table.
func (s *Set) Columns() []table.Column { return images.Table(nil, nil).Names }

// Rows is how many images can be read, -1 before they were.
func (s *Set) Rows() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.read {
		return -1
	}
	return int64(len(s.all))
}

// Columnar says that columns are read one by one: the images are measured once.
func (s *Set) Columnar() bool { return true }

// Findings are files that are no images, and once they were read those that are damaged.
func (s *Set) Findings() []table.Finding { return s.found }

// Images is what the set is like, nil before it was read.
func (s *Set) Images() *images.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// Scan gives columns of the table. The first one measures the images.
func (s *Set) Scan(columns ...int) table.Scanner { return &scan{set: s, columns: columns} }

type scan struct {
	set     *Set
	columns []int
	rows    table.Scanner
}

// Next gives all rows.
func (s *scan) Next(ctx context.Context) (*table.Batch, error) {
	if s.rows == nil {
		if _, err := s.set.Figures(ctx); err != nil {
			return nil, err
		}
		s.rows = s.set.table.Scan(s.columns...)
	}
	return s.rows.Next(ctx)
}

// Findings are the files that could not be read.
func (s *scan) Findings() []table.Finding {
	var out []table.Finding
	if r := s.set.Images(); r != nil && r.Broken > 0 {
		first := r.BrokenFiles[0]
		what := "1 file cannot be read as an image"
		if r.Broken > 1 {
			what = fmt.Sprintf("%d files cannot be read as images; the first is", r.Broken)
		}
		out = append(out, table.Finding{Row: -1, What: fmt.Sprintf("%s %s: %s", what, first.File, first.Why)})
	}
	return out
}

// Close ends the scan.
func (s *scan) Close() error { return nil }

// Figures measures the images, as many at a time as there are processors, and gives those of all that can be read.
func (s *Set) Figures(ctx context.Context) ([]images.Figures, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read {
		return s.all, nil
	}
	figures, whys := make([]images.Figures, len(s.files)), make([]string, len(s.files))
	room := semaphore.NewWeighted(memory)
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(len(s.files), runtime.GOMAXPROCS(0)) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(s.files) {
					return nil
				}
				f, err := s.measure(ctx, s.files[i], room)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if figures[i] = f; err != nil {
					whys[i] = err.Error()
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var broken []images.Broken
	for i, why := range whys {
		if why != "" {
			broken = append(broken, images.Broken{File: s.files[i].Name, Why: why})
			continue
		}
		s.all = append(s.all, figures[i])
	}
	report, marks := images.Summarize(s.all, broken)
	s.report, s.table, s.read = report, images.Table(s.all, marks), true
	return s.all, nil
}

// broken says that a file is no image that can be read.
func broken(format string, args ...any) error { return fault.Invalidf(format, args...) }

// measure reads one image.
func (s *Set) measure(ctx context.Context, file observe.File, room *semaphore.Weighted) (images.Figures, error) {
	if read := endings[ending(file.Name)]; !read {
		return images.Figures{}, broken("images of this format are not read (%s)", ending(file.Name))
	}
	f, err := os.Open(file.Path)
	if err != nil {
		return images.Figures{}, broken("%w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return images.Figures{}, broken("%w", err)
	}
	if info.Size() == 0 {
		return images.Figures{}, broken("the file is empty")
	}
	head, err := look(f)
	if err != nil {
		return images.Figures{}, err
	}
	cost := min(memory, int64(head.width)*int64(head.height)*bytesOfPixel)
	if err := room.Acquire(ctx, cost); err != nil {
		return images.Figures{}, err
	}
	defer room.Release(cost)
	frame, mode, err := head.decode(f)
	if err != nil {
		return images.Figures{}, err
	}
	out := images.Measure(frame)
	out.File, out.Format, out.Mode, out.Bytes = file.Name, head.format, mode, info.Size()
	return out, nil
}

// guarded turns what a decoder panics with into an error.
func guarded(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the image is damaged in a way that its decoder does not expect")
		}
	}()
	return do()
}
