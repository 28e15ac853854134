package tabular

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// The files of testdata/arrow are written by test/kinds/arrow_files.py, with PyArrow; want.json has their values as people read them.
const arrowFiles = "testdata/arrow"

// shownColumns reads a table as it is shown.
func shownColumns(src table.Source) (map[string][]*string, error) {
	s := src.Scan()
	defer s.Close()
	out := map[string][]*string{}
	for {
		b, err := s.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for k, c := range src.Columns() {
			for i := range b.Size {
				var text *string
				if cell := b.Columns[k].Cell(i); cell.Kind != table.Null {
					shown := cell.Shown()
					text = &shown
				}
				out[c.Name] = append(out[c.Name], text)
			}
		}
	}
}

func TestArrowFilesAreReadAsTheyWereWritten(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(arrowFiles, "want.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Files  map[string]string               `json:"files"`
		Tables map[string]map[string][]*string `json:"tables"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for file, name := range want.Files {
		columns := want.Tables[name]
		t.Run(file, func(t *testing.T) {
			src, _, err := OpenSource(filepath.Join(arrowFiles, file))
			if err != nil {
				t.Fatal(err)
			}
			got, err := shownColumns(src)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(columns) {
				t.Errorf("%d columns, want %d", len(got), len(columns))
			}
			for name, column := range columns {
				a, _ := json.Marshal(column)
				b, _ := json.Marshal(got[name])
				if !bytes.Equal(a, b) {
					t.Errorf("%s is\n%s\nwant\n%s", name, b, a)
				}
			}
		})
	}
}

func TestDamagedArrowFilesAreRefused(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(arrowFiles, "plain.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := os.ReadFile(filepath.Join(arrowFiles, "zstd-stream.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"cut.arrow":    whole[:len(whole)/2],
		"footer.arrow": append(bytes.Clone(whole[:len(whole)-10]), append(binary.LittleEndian.AppendUint32(nil, 1<<30), arrowMagic...)...),
		"stream.arrow": stream[:len(stream)-100],
		"empty.arrow":  []byte(arrowMagic),
		"old.feather":  []byte(featherMagic + "0000000000000000"),
		"none.arrow":   []byte("this is no table at all, whatever its name says"),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		src, _, err := OpenSource(path)
		if err == nil {
			_, err = shownColumns(src)
		}
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASavedDatasetIsATable(t *testing.T) {
	dir := t.TempDir()
	part, err := os.ReadFile(filepath.Join(arrowFiles, "delta.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	for _, split := range []string{"train", "test"} {
		if err := os.Mkdir(filepath.Join(dir, split), 0o750); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"data-00000-of-00002.arrow": part, "data-00001-of-00002.arrow": part, "state.json": []byte("{}"), "dataset_info.json": []byte("{}"),
			"cache-0123.arrow": []byte("no table")} {
			if err := os.WriteFile(filepath.Join(dir, split, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "dataset_dict.json"), []byte(`{"splits": ["train", "test"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, rows := range map[string]int64{dir: 40, filepath.Join(dir, "train"): 20} {
		src, _, err := OpenSource(path)
		if err != nil {
			t.Fatal(err)
		}
		if found := table.Findings(src); src.Rows() != rows || len(found) != int(rows/20)-1 {
			t.Errorf("%s: %d rows, findings %v", path, src.Rows(), found)
		}
	}
}

func TestLZ4FramesAreDecompressed(t *testing.T) {
	// A frame as the reference program writes it, with a content size, block checksums and a match that overlaps itself.
	frame := []byte{0x04, 0x22, 0x4d, 0x18, 0x78, 0x40, 12, 0, 0, 0, 0, 0, 0, 0, 0xaa, 8, 0, 0, 0, 0x24, 'a', 'b', 2, 0, 0x20, 'c', 'd', 1, 2, 3, 4, 0, 0, 0, 0}
	got, err := lz4Frame(frame, 12)
	if err != nil || string(got) != "abababababcd" {
		t.Errorf("%q, %v", got, err)
	}
	for n := range frame {
		if out, err := lz4Frame(frame[:n], 12); err == nil {
			t.Errorf("the first %d bytes are %q", n, out)
		}
	}
	if _, err := lz4Frame(frame, 11); err == nil {
		t.Error("a frame of another size is taken")
	}
}

func FuzzArrow(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(arrowFiles, "*.*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 40<<10 && !strings.HasSuffix(file, ".json") {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		open := func(int64) (file, error) { return readCloser{bytes.NewReader(b)}, nil }
		stream, ok, err := isArrow(b, "x.arrow")
		if !ok || err != nil {
			return
		}
		src, err := openArrow(bytes.NewReader(b), int64(len(b)), open, stream)
		if err != nil || src.rows > 1<<16 {
			return
		}
		if _, err := shownColumns(src); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
	})
}

// readCloser is bytes as a file.
type readCloser struct{ *bytes.Reader }

// Close does nothing.
func (readCloser) Close() error { return nil }
