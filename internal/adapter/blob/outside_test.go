package blob

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"levada/internal/core/partition"
)

func TestAnImportHasChangedWhenItsContentHas(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "blobs"), Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file, tree := write("a.csv", "1,2"), filepath.Dir(write("tree/x/b.csv", "3,4"))
	tree = filepath.Dir(tree)
	write("tree/c.csv", "5")
	imported := func(path string) partition.Input {
		t.Helper()
		info, err := s.Add(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return partition.Input{URI: "file://" + path, Digest: info.Digest, Size: info.Size}
	}
	of, ofTree := imported(file), imported(tree)
	for _, since := range []time.Time{time.Now().Add(time.Hour), time.Now().Add(-time.Hour)} { // untouched since, and touched since
		o := NewOutside()
		for range 2 {
			if why := o.Changed(t.Context(), of, since) + o.Changed(t.Context(), ofTree, since); why != "" {
				t.Errorf("as it was imported: %s", why)
			}
		}
	}
	since, o := time.Now().Add(-time.Hour), NewOutside()
	if why := o.Changed(t.Context(), of, since); why != "" {
		t.Errorf("as it was imported: %s", why)
	}
	write("a.csv", "1,3")
	write("tree/x/b.csv", "3,5")
	for _, in := range []partition.Input{of, ofTree} {
		if why := o.Changed(t.Context(), in, since); why != "its content has changed" {
			t.Errorf("%s was changed: %q", in.URI, why)
		}
	}
	write("a.csv", "longer") // another size, whatever the times say
	if why := o.Changed(t.Context(), of, time.Now().Add(time.Hour)); why != "its content has changed" {
		t.Errorf("of another size: %q", why)
	}
	write("a.csv", "1,2")
	write("tree/x/b.csv", "3,4")
	if why := o.Changed(t.Context(), of, since) + o.Changed(t.Context(), ofTree, since); why != "" {
		t.Errorf("as it was again: %s", why)
	}
	if err := os.Remove(filepath.Join(tree, "c.csv")); err != nil {
		t.Fatal(err)
	}
	if why := o.Changed(t.Context(), ofTree, since); why != "its content has changed" {
		t.Errorf("a file is gone: %q", why)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if why := o.Changed(t.Context(), of, since); why != "it is not there any more" {
		t.Errorf("it is gone: %q", why)
	}
	if why := o.Changed(t.Context(), partition.Input{URI: "s3://bucket/x", Digest: "sha256:1"}, since); why != "" {
		t.Errorf("it is elsewhere: %q", why)
	}
}
