package kinds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"levada/internal/adapter/tabular"
	"levada/internal/core/table"
)

// values reads a table as it is shown, by columns.
func values(t *testing.T, path string) map[string][]*string {
	t.Helper()
	src, closer, err := tabular.OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	s := src.Scan()
	defer s.Close()
	out := map[string][]*string{}
	for {
		b, err := s.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
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

func same(t *testing.T, what string, want, got map[string][]*string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d columns, want %d", what, len(got), len(want))
	}
	text := func(s *string) string {
		if s == nil {
			return "null"
		}
		return fmt.Sprintf("%q", *s)
	}
	for name, column := range want {
		if len(got[name]) != len(column) {
			t.Errorf("%s: %s has %d rows, want %d", what, name, len(got[name]), len(column))
			continue
		}
		for i := range column {
			if text(column[i]) != text(got[name][i]) {
				t.Errorf("%s: %s in row %d is %s, want %s", what, name, i, text(got[name][i]), text(column[i]))
				break
			}
		}
	}
}

func TestValuesOfArrowFilesAreThoseOfPyArrow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "arrow")
	var want struct {
		Files  map[string]string               `json:"files"`
		Tables map[string]map[string][]*string `json:"tables"`
	}
	ask(t, "pyarrow", "arrow_files.py", &want, dir, "5000")
	for file, name := range want.Files {
		t.Run(file, func(t *testing.T) { same(t, file, want.Tables[name], values(t, filepath.Join(dir, file))) })
	}
	if len(want.Files) < 10 {
		t.Errorf("%d files", len(want.Files))
	}
}

// TestSavedDatasetsAreRead reads what Hugging Face's datasets saves.
func TestSavedDatasetsAreRead(t *testing.T) {
	dir := t.TempDir()
	var want map[string]map[string][]*string
	ask(t, "datasets", "saved_dataset.py", &want, dir)
	for name, columns := range want {
		t.Run(name, func(t *testing.T) { same(t, name, columns, values(t, filepath.Join(dir, name))) })
	}
}
