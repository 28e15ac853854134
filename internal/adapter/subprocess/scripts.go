package subprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"levada/python"
)

// Scripts puts the embedded Python files on disk.
type Scripts struct {
	// Dir is where the directory with the files is made.
	Dir  string
	once sync.Once
	at   string
	err  error
}

// Path returns where a script is. The directory is named by content, so that versions of the server do not disturb each other.
func (s *Scripts) Path(name string) (string, error) {
	s.once.Do(func() { s.at, s.err = s.write() })
	if s.err != nil {
		return "", fmt.Errorf("write the Python files: %w", s.err)
	}
	return filepath.Join(s.at, name), nil
}

func (s *Scripts) write() (string, error) {
	names, err := fs.Glob(python.Files, "*.py")
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	h := sha256.New()
	contents := make(map[string][]byte, len(names))
	for _, n := range names {
		b, err := python.Files.ReadFile(n)
		if err != nil {
			return "", err
		}
		contents[n] = b
		fmt.Fprintf(h, "%s %d\n%s", n, len(b), b)
	}
	dir := filepath.Join(s.Dir, "python-"+hex.EncodeToString(h.Sum(nil))[:16])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for n, b := range contents {
		if old, err := os.ReadFile(filepath.Join(dir, n)); err == nil && string(old) == string(b) {
			continue
		}
		tmp, err := os.CreateTemp(dir, n+".*")
		if err != nil {
			return "", err
		}
		_, err = tmp.Write(b)
		if err := errors.Join(err, tmp.Close(), os.Rename(tmp.Name(), filepath.Join(dir, n))); err != nil {
			return "", err
		}
	}
	return dir, nil
}
