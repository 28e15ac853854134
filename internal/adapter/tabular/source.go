package tabular

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
)

// everything is no limit.
var everything = table.Limits{Rows: math.MaxInt64, Columns: math.MaxInt, Bytes: math.MaxInt64, Cells: math.MaxInt64}

// file is what a scan reads from.
type file interface {
	io.ReaderAt
	io.Closer
}

// opener opens a file again, for a scan. A file that has another size than when its schema was read is an error.
type opener func(size int64) (file, error)

// OpenSource opens a table: a file of Parquet, Arrow, CSV or JSON lines, or a directory of files of one of them. What is no table is an Invalid
// error. Scans open the files for themselves; the Closer frees what is left.
func OpenSource(path string) (table.Source, io.Closer, error) {
	s, err := OpenKept(path, nil)
	if err != nil {
		return nil, nil, err
	}
	return s, io.NopCloser(nil), nil
}

// Kept are files of which what a profile needs is known already.
type Kept interface {
	// Known returns what is known of the table in a file, nil where nothing is.
	Known(f observe.File) *profile.Part
}

// OpenKept is OpenSource for who only makes a profile: of a directory, the files that kept knows are not opened. kept may be nil.
func OpenKept(path string, kept Kept) (table.Source, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.NotFoundf("open table %q: there is no such file or directory", path)
	}
	if err != nil {
		return nil, fault.Invalidf("open table: %w", err)
	}
	switch {
	case info.IsDir():
		return openDirectory(path, kept)
	case info.Mode().IsRegular():
		s, _, err := openPath(path, path)
		return s, err
	}
	return nil, fault.Invalidf("read table %q: it is neither a file nor a directory", path)
}

// openPath opens the file at a path under a name, which says of what format it may be.
func openPath(path, name string) (table.Source, string, error) {
	open := func(size int64) (file, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fault.Invalidf("read table: %w", err)
		}
		if info, err := f.Stat(); size >= 0 && (err != nil || info.Size() != size) {
			_ = f.Close()
			return nil, fault.Conflictf("read table %q: the file changed while it was read", name)
		}
		return f, nil
	}
	f, err := open(-1)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.(*os.File).Stat()
	if err != nil {
		return nil, "", err
	}
	return openFile(f, info.Size(), name, open, everything)
}

// openFile finds out which format a file has, and what its columns are.
func openFile(r io.ReaderAt, size int64, name string, open opener, l table.Limits) (table.Source, string, error) {
	if size == 0 {
		return nil, "", fault.Invalidf("read table %q: the file is empty", name)
	}
	head := make([]byte, min(size, 8))
	if err := readAt(r, head, 0); err != nil {
		return nil, "", about(name, err)
	}
	if string(head[:min(4, len(head))]) == parquetMagic {
		f, err := openParquet(r, size, open, l)
		if err != nil {
			return nil, "", about(name, err)
		}
		return f, Parquet, nil
	}
	if stream, ok, err := isArrow(head, name); ok || err != nil {
		if err == nil {
			var f *arrowFile
			if f, err = openArrow(r, size, open, stream); err == nil {
				return f, Arrow, nil
			}
		}
		return nil, "", about(name, err)
	}
	t := &textFile{open: open, size: size, bytes: l.Bytes, name: name}
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		t.zipped, name = true, strings.TrimSuffix(name, ".gz")
	}
	sample, err := t.begin(r)
	if err != nil {
		return nil, "", about(t.name, err)
	}
	if linesOfJSON(name, sample) {
		j, err := openJSON(t, r)
		if err != nil {
			return nil, "", about(t.name, err)
		}
		return j, JSONLines, nil
	}
	if documentOfJSON(name, sample) {
		return nil, "", about(t.name, fault.Invalidf("it is one JSON document; a table has a JSON object on each line (jq -c '.[]', or in pandas to_json(orient=\"records\", lines=True))"))
	}
	c, err := openCSV(t, name, sample)
	if err != nil {
		return nil, "", about(t.name, err)
	}
	return c, CSV, nil
}

// textFile is a file of text.
type textFile struct {
	open   opener
	size   int64
	bytes  int64 // to read, decompressed
	name   string
	zipped bool
	// skip is where the text begins, behind a mark of its encoding; more says that there is more than the sample.
	skip int64
	more bool
}

// text is a file of text that is being read.
type text struct {
	io.Reader
	left *io.LimitedReader
	file io.Closer
}

// cut reports whether the limit of bytes ended the text.
func (t *text) cut() bool { return t.left.N <= 0 }

func (t *text) Close() error {
	if t.file != nil {
		return t.file.Close()
	}
	return nil
}

// reader begins to read.
func (t *textFile) reader(r io.ReaderAt) (*text, error) {
	out := &text{}
	var in io.Reader = io.NewSectionReader(r, 0, t.size)
	if t.zipped {
		z, err := gzip.NewReader(bufio.NewReaderSize(in, 1<<17))
		if err != nil {
			return nil, fault.Invalidf("it begins as gzip does, and is none: %w", err)
		}
		in = unzipped{z}
	}
	if _, err := io.CopyN(io.Discard, in, t.skip); err != nil {
		return nil, damaged(err)
	}
	most := t.bytes
	if most < math.MaxInt64 {
		most++ // to see whether there is more
	}
	out.left = &io.LimitedReader{R: in, N: most}
	out.Reader = out.left
	return out, nil
}

// unzipped tells a zipped text that is cut off from one that ends.
type unzipped struct{ io.Reader }

func (u unzipped) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.Invalidf("the gzip file is cut off")
	}
	return n, err
}

func damaged(err error) error {
	if fault.KindOf(err) == fault.Invalid {
		return err
	}
	return fault.Invalidf("the file is damaged: %w", err)
}

// begin looks at the beginning of a text, and finds its encoding.
func (t *textFile) begin(r io.ReaderAt) ([]byte, error) {
	in, err := t.reader(r)
	if err != nil {
		return nil, err
	}
	sample := make([]byte, sampleSize)
	n, err := io.ReadFull(in, sample)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, damaged(err)
	}
	t.more = n == sampleSize
	sample = sample[:n]
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(sample, []byte(mark)) {
			return nil, fault.Invalidf("the text is in UTF-16; tables are read in UTF-8")
		}
	}
	if bytes.HasPrefix(sample, []byte("\xef\xbb\xbf")) {
		t.skip, sample = 3, sample[3:]
	}
	switch {
	case bytes.HasPrefix(sample, []byte("PK\x03\x04")):
		return nil, fault.Invalidf("the file is a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV")
	case bytes.IndexByte(sample, 0) >= 0:
		return nil, fault.Invalidf("the file is neither Parquet nor text; a text in UTF-16 is to be converted to UTF-8")
	case bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(bytes.TrimRight(sample, "\r"), '\r') >= 0:
		return nil, fault.Invalidf("lines end with a carriage return alone; convert them, for example with tr '\\r' '\\n'")
	}
	return sample, nil
}

// directory is a table in several files.
type directory struct {
	files   []table.Part
	columns []table.Column
	rows    int64
	found   []table.Finding
}

// maxFiles bounds how many files a table has.
const maxFiles = 100_000

var endings = map[string]bool{".parquet": true, ".pq": true, ".csv": true, ".tsv": true, ".jsonl": true, ".ndjson": true,
	".arrow": true, ".arrows": true, ".feather": true, ".ipc": true}

func openDirectory(root string, kept Kept) (table.Source, error) {
	var files []observe.File
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fault.Invalidf("read table %q: %w", root, err)
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
		files = append(files, observe.File{Name: filepath.ToSlash(name), Path: path})
		if len(files) > maxFiles {
			return tooManyFiles(root)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return openFiles(root, files, kept)
}

// hidden says that a file or directory is none of the table's.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

func tooManyFiles(root string) error {
	return fault.Invalidf("read table %q: the directory has more than %d files", root, maxFiles)
}

// OpenContent opens a table whose files have other names where they are: one file, or a directory of them. kept is as of OpenKept.
func OpenContent(c observe.Content, kept Kept) (table.Source, error) {
	if !c.Directory {
		if len(c.Files) != 1 {
			return nil, fault.Invalidf("read table %q: it is one file, not %d", c.Name, len(c.Files))
		}
		s, _, err := openPath(c.Files[0].Path, c.Name)
		return s, err
	}
	if len(c.Files) > maxFiles {
		return nil, tooManyFiles(c.Name)
	}
	return openFiles(c.Name, slices.DeleteFunc(slices.Clone(c.Files), func(f observe.File) bool {
		return slices.ContainsFunc(strings.Split(f.Name, "/"), hidden)
	}), kept)
}

// openFiles opens the files of a directory as one table: those with the endings of tables, or all where none has one.
func openFiles(root string, files []observe.File, kept Kept) (table.Source, error) {
	files = withoutCaches(files)
	known := slices.DeleteFunc(slices.Clone(files), func(f observe.File) bool {
		return !endings[strings.ToLower(filepath.Ext(strings.TrimSuffix(f.Name, ".gz")))]
	})
	if len(known) == 0 {
		known = files
	}
	if len(known) == 0 {
		return nil, fault.Invalidf("read table %q: the directory has no files", root)
	}
	slices.SortFunc(known, func(a, b observe.File) int { return strings.Compare(a.Name, b.Name) })
	d := &directory{found: savedSplits(files)}
	first := ""
	for _, f := range known {
		s, format, err := openPart(f, kept)
		if err != nil {
			return nil, err
		}
		if first == "" {
			first = format
		}
		if format != first {
			return nil, fault.Invalidf("read table %q: it holds files of %s and of %s (%s); a table is of one format", root, first, format, filepath.Base(f.Name))
		}
		d.files = append(d.files, table.Part{Source: s, Name: f.Name, Format: format})
		if n := s.Rows(); n < 0 || d.rows < 0 {
			d.rows = -1
		} else {
			d.rows += n
		}
	}
	d.unite()
	return d, nil
}

// openPart opens a file of a directory, unless it is known.
func openPart(f observe.File, kept Kept) (table.Source, string, error) {
	if kept != nil {
		if p := kept.Known(f); p != nil {
			return p, p.Format, nil
		}
	}
	return openPath(f.Path, f.Name)
}

// withoutCaches leaves out what Hugging Face's datasets keeps beside a dataset for its own use.
func withoutCaches(files []observe.File) []observe.File {
	saved := map[string]bool{}
	for _, f := range files {
		if path.Base(f.Name) == "state.json" {
			saved[path.Dir(f.Name)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(files), func(f observe.File) bool {
		base := path.Base(f.Name)
		return saved[path.Dir(f.Name)] && strings.HasPrefix(base, "cache-") && path.Ext(base) == ".arrow"
	})
}

// savedSplits says where a directory is a saved dataset with several splits, which are one table.
func savedSplits(files []observe.File) []table.Finding {
	if !slices.ContainsFunc(files, func(f observe.File) bool { return f.Name == "dataset_dict.json" }) {
		return nil
	}
	return []table.Finding{{Row: -1, What: "the directory holds the splits of a dataset, which are read as one table; name the folder of one of them to read it alone"}}
}

// unite makes one schema of those of the files.
func (d *directory) unite() {
	type key struct {
		name string
		nth  int
	}
	at := map[key]int{}
	lack := map[int]int{} // files that lack a column
	var firstLack []string
	for i := range d.files {
		p := &d.files[i]
		seen := map[string]int{}
		there := map[int]bool{}
		p.At = slices.Repeat([]int{-1}, len(d.columns))
		for k, c := range p.Columns() {
			seen[c.Name]++
			id := key{c.Name, seen[c.Name]}
			column, ok := at[id]
			if !ok {
				column = len(d.columns)
				at[id] = column
				d.columns = append(d.columns, c)
				p.At = append(p.At, -1)
				firstLack = append(firstLack, "")
				if lack[column] = i; i > 0 {
					firstLack[column] = d.files[0].Name
				}
			} else if was := d.columns[column]; was.Declared != c.Declared && c.Declared != "" && was.Declared != "" {
				d.found = append(d.found, table.Finding{Column: c.Name, Row: -1, Count: 1, Example: p.Name,
					What: fmt.Sprintf("its type changes: %s, and %s in %s", was.Declared, c.Declared, p.Name)})
			} else if was.Declared == "" {
				d.columns[column].Declared = c.Declared
			}
			p.At[column] = k
			there[column] = true
		}
		for c := range d.columns {
			if !there[c] {
				if lack[c]++; firstLack[c] == "" {
					firstLack[c] = p.Name
				}
			}
		}
	}
	for c, n := range lack {
		if n > 0 {
			d.found = append(d.found, table.Finding{Column: d.columns[c].Name, Row: -1, Count: int64(n), Example: firstLack[c],
				What: fmt.Sprintf("%d of %d files lack the column; it is null there", n, len(d.files))})
		}
	}
	slices.SortStableFunc(d.found, func(a, b table.Finding) int { return strings.Compare(a.Column, b.Column) })
	for i := range d.files {
		for len(d.files[i].At) < len(d.columns) {
			d.files[i].At = append(d.files[i].At, -1)
		}
	}
}

// Parts are the files.
func (d *directory) Parts() []table.Part { return d.files }

// Columns are those that any file has.
func (d *directory) Columns() []table.Column { return d.columns }

// Rows is the sum over the files.
func (d *directory) Rows() int64 { return d.rows }

// Columnar is what the files are.
func (d *directory) Columnar() bool { return table.Columnar(d.files[0].Source) }

// Findings are how the files differ.
func (d *directory) Findings() []table.Finding {
	out := slices.Clone(d.found)
	for _, f := range d.files {
		for _, x := range table.Findings(f.Source) {
			x.What = f.Name + ": " + x.What
			out = append(out, x)
		}
	}
	return out
}

// Scan reads the files one after the other.
func (d *directory) Scan(columns ...int) table.Scanner {
	if len(columns) == 0 {
		for i := range d.columns {
			columns = append(columns, i)
		}
	}
	return &directoryScanner{d: d, columns: columns}
}

type directoryScanner struct {
	d       *directory
	columns []int
	next    int
	now     table.Scanner
	places  []int // of the columns in the batches of the file
	row     int64
	base    int64
	batch   table.Batch
	found   []table.Finding
	bare    int64 // rows of a file that has none of the columns
}

// Next gives the next rows of a file, or those of the next file.
func (s *directoryScanner) Next(ctx context.Context) (*table.Batch, error) {
	for {
		if s.bare > 0 {
			return s.null(int(min(s.bare, batchRows))), nil
		}
		if s.now == nil {
			if s.next >= len(s.d.files) {
				return nil, io.EOF
			}
			s.begin(s.d.files[s.next])
			s.next++
			continue
		}
		b, err := s.now.Next(ctx)
		if errors.Is(err, io.EOF) {
			if err := s.end(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, about(s.d.files[s.next-1].Name, err)
		}
		return s.place(b), nil
	}
}

// begin opens a file. Of one that has none of the columns, and does not say how many rows it has, the first column is read.
func (s *directoryScanner) begin(f table.Part) {
	var there []int
	s.places, s.base = s.places[:0], s.row
	for _, c := range s.columns {
		if f.At[c] < 0 {
			s.places = append(s.places, -1)
			continue
		}
		s.places = append(s.places, len(there))
		there = append(there, f.At[c])
	}
	if len(there) == 0 {
		if s.bare = max(0, f.Rows()); f.Rows() >= 0 {
			return
		}
		there = []int{0}
	}
	s.now = f.Scan(there...)
}

func (s *directoryScanner) place(b *table.Batch) *table.Batch {
	s.batch = table.Batch{Row: s.row, Size: b.Size, Columns: sized(s.batch.Columns, len(s.columns))}
	for i, p := range s.places {
		if p < 0 {
			s.batch.Columns[i] = table.Vector{Kind: table.Null, Size: b.Size}
		} else {
			s.batch.Columns[i] = b.Columns[p]
		}
	}
	s.row += int64(b.Size)
	return &s.batch
}

func (s *directoryScanner) null(n int) *table.Batch {
	s.bare -= int64(n)
	return s.place(&table.Batch{Size: n})
}

func (s *directoryScanner) end() error {
	for _, f := range table.Findings(s.now) {
		if f.Row >= 0 {
			f.Row += s.base
		}
		s.found = append(s.found, f)
	}
	err := s.now.Close()
	s.now = nil
	return err
}

// Findings are those of the files.
func (s *directoryScanner) Findings() []table.Finding { return table.MergeFindings(s.found) }

// Close ends the scan.
func (s *directoryScanner) Close() error {
	if s.now == nil {
		return nil
	}
	return s.now.Close()
}
