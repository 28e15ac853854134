// Package files looks at files of the machine on behalf of triggers: which there are, and whether they are other ones.
//
// What a change means is not its business. It follows symbolic links to files, not to directories, so that no walk goes in circles.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"levada/internal/core/event"
	"levada/internal/core/fault"
)

// maxEntries bounds how many names a look may come across, those of other files and of directories included.
const maxEntries = 200_000

// Files looks at files. The zero value is ready.
type Files struct{}

// List returns the files at a path, below it where it is a directory, or that a pattern of filepath.Match means, in the order of their
// paths and without digests. Names that begin with a dot or end in .tmp or .part are left out: they are not meant to be read yet. A path
// that is not there is a NotFound error, whose cause is an *fs.PathError with that path or with that of the directory which is not
// there either; more than limit files are an Invalid error.
func (Files) List(ctx context.Context, path string, limit int) ([]event.FileState, error) {
	path = filepath.Clean(path)
	l := &listing{ended: ctx.Err, limit: limit}
	var err error
	switch info, statErr := os.Stat(path); {
	case statErr == nil && info.IsDir():
		err = l.walk(path)
	case statErr == nil:
		err = l.add(path)
	case strings.ContainsAny(path, `*?[`):
		err = l.match(path)
	default:
		if err = statErr; errors.Is(err, fs.ErrNotExist) {
			if _, parent := os.Stat(filepath.Dir(path)); parent != nil {
				err = parent
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.NotFoundf("%w", err)
	}
	slices.SortFunc(l.files, func(a, b event.FileState) int { return strings.Compare(a.Path, b.Path) })
	return l.files, err
}

type listing struct {
	// ended says why the look is to end, nil while it is not.
	ended   func() error
	limit   int
	entries int
	files   []event.FileState
}

// count refuses to look at more and more.
func (l *listing) count(path string) error {
	if err := l.ended(); err != nil {
		return err
	}
	if l.entries++; l.entries > maxEntries {
		return fault.Invalidf("there are more than %d files and directories at %s: name fewer of them", maxEntries, path)
	}
	return nil
}

func (l *listing) walk(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != root {
			return nil // it went away meanwhile
		}
		if err != nil {
			return err
		}
		if err := l.count(root); err != nil {
			return err
		}
		switch {
		case path != root && event.Unfinished(d.Name()) && d.IsDir():
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		return l.add(path)
	})
}

// match looks at what a pattern means. The directory before its first part with a wildcard has to be there.
func (l *listing) match(pattern string) error {
	root := pattern
	for strings.ContainsAny(root, `*?[`) {
		root = filepath.Dir(root)
	}
	if _, err := os.Stat(root); err != nil {
		return err
	}
	found, err := filepath.Glob(pattern)
	if err != nil {
		return fault.Invalidf("%s: %w", pattern, err)
	}
	for _, path := range found {
		if err := l.count(pattern); err != nil {
			return err
		}
		if err := l.add(path); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) add(path string) error {
	if event.Unfinished(filepath.Base(path)) {
		return nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went away meanwhile, or is a link to nothing
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if len(l.files) >= l.limit {
		return fault.Invalidf("there are more than %d files: name fewer of them", l.limit)
	}
	l.files = append(l.files, event.FileState{Path: path, Size: info.Size(), ModifiedNS: info.ModTime().UnixNano()})
	return nil
}

// Digest reads a file whole. The state that it returns is that after the reading: where it is not the one of List, the file has changed
// meanwhile. One that is not there is a NotFound error.
func (Files) Digest(ctx context.Context, path string) (event.FileState, error) {
	out := event.FileState{Path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, fault.NotFoundf("%w", err)
	}
	if err != nil {
		return out, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, reader{ctx.Err, f}); err != nil {
		return out, err
	}
	info, err := f.Stat()
	if err != nil {
		return out, err
	}
	out.Size, out.ModifiedNS, out.Digest = info.Size(), info.ModTime().UnixNano(), "sha256:"+hex.EncodeToString(sum.Sum(nil))
	return out, nil
}

// reader stops reading when its context ends.
type reader struct {
	ended func() error
	r     io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ended(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
