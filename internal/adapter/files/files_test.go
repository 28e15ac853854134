package files_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/adapter/files"
	"levada/internal/core/fault"
)

func write(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFilesAreFoundByPathDirectoryAndPattern(t *testing.T) {
	dir := write(t, "a.csv", "b.csv", "b.csv.part", "c.txt", ".hidden", "sub/d.csv", ".git/e.csv", "2013-01/x.csv", "2013-02/x.csv")
	if err := errors.Join(os.Symlink(filepath.Join(dir, "a.csv"), filepath.Join(dir, "sub", "link.csv")), os.Symlink(dir, filepath.Join(dir, "sub", "circle")),
		os.Symlink("nowhere", filepath.Join(dir, "sub", "broken.csv"))); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                         "2013-01/x.csv 2013-02/x.csv a.csv b.csv c.txt sub/d.csv sub/link.csv",
		"a.csv":                    "a.csv",
		"*.csv":                    "a.csv b.csv",
		"2013-*/x.csv":             "2013-01/x.csv 2013-02/x.csv",
		"[ab].csv":                 "a.csv b.csv",
		"sub/":                     "sub/d.csv sub/link.csv",
		"*.parquet":                "",
		"nothing*/with/a/file.csv": "",
	} {
		list, err := files.Files{}.List(t.Context(), dir+"/"+path, 100)
		var got []string
		for _, f := range list {
			got = append(got, strings.TrimPrefix(f.Path, dir+"/"))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v; want %s", path, got, err, want)
		}
	}
	for path, missing := range map[string]string{"x.csv": "x.csv", "no/x.csv": "no", "no/*.csv": "no"} {
		_, err := files.Files{}.List(t.Context(), dir+"/"+path, 100)
		cause, ok := errors.AsType[*fs.PathError](err)
		if fault.KindOf(err) != fault.NotFound || !ok || cause.Path != filepath.Join(dir, missing) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := (files.Files{}).List(t.Context(), dir, 3); fault.KindOf(err) != fault.Invalid {
		t.Errorf("more than the limit: %v", err)
	}
}

func TestADigestComesWithTheStateThatWasRead(t *testing.T) {
	dir := write(t, "a.csv")
	list, err := files.Files{}.List(t.Context(), dir, 10)
	if err != nil {
		t.Fatal(err)
	}
	got, err := files.Files{}.Digest(t.Context(), list[0].Path)
	want := list[0]
	want.Digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("a.csv")))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
	if _, err := (files.Files{}).Digest(t.Context(), dir+"/gone"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a file that is gone: %v", err)
	}
}
