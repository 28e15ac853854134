package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"levada/internal/core/fault"
)

// Open reads one file: path is empty for a file digest, a listed path for a directory digest.
func (s *Store) Open(_ context.Context, digest, path string) (io.ReadSeekCloser, error) {
	d, err := parseDigest(digest)
	if err != nil {
		return nil, err
	}
	sum := d.sum
	if d.dir {
		if sum, err = s.lookUp(digest, path); err != nil {
			return nil, err
		}
	} else if path != "" {
		return nil, fault.NotFoundf("%s is a file, it holds no %q", digest, path)
	}
	f, err := os.Open(s.file(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notStored(filePrefix + sum)
	}
	if err != nil {
		return nil, diskError(s.dir, err)
	}
	return f, nil
}

// lookUp returns the sum of a file in a directory.
func (s *Store) lookUp(digest, path string) (string, error) {
	m, err := s.manifest(digest)
	if err != nil {
		return "", err
	}
	for _, e := range m {
		if e.Path == path && !e.isDir() {
			return e.Sum, nil
		}
	}
	return "", fault.NotFoundf("directory %s holds no file %q", digest, path)
}

// Materialise makes the content of a digest appear at dest, which must not exist. Its files are read-only and
// may share their bytes with the store. On failure nothing is left at dest.
func (s *Store) Materialise(ctx context.Context, digest, dest string) (err error) {
	d, err := parseDigest(digest)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dest); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fault.Conflictf("materialise %s at %s: %w", digest, dest, err)
	}
	defer func() {
		if err == nil {
			return
		}
		taken := errors.Is(err, fs.ErrExist) // by someone else, in this very moment
		err = diskError(filepath.Dir(dest), fmt.Errorf("materialise %s at %s: %w", digest, dest, err))
		if !taken {
			err = errors.Join(err, os.RemoveAll(dest))
		}
	}()
	if !d.dir {
		return s.place(ctx, d.sum, dest)
	}
	m, err := s.manifest(digest)
	if err != nil {
		return err
	}
	if err := makeDirs(m, dest); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.parallel)
	for _, e := range m {
		if !e.isDir() {
			group.Go(func() error { return s.place(groupCtx, e.Sum, filepath.Join(dest, filepath.FromSlash(e.Path))) })
		}
	}
	return group.Wait()
}

// makeDirs makes dest and every directory below it. They can be written to, so that they can be removed.
func makeDirs(m []entry, dest string) error {
	if err := os.Mkdir(dest, 0o755); err != nil {
		return err
	}
	made := map[string]bool{"": true}
	for _, e := range m {
		local, err := filepath.Localize(strings.TrimSuffix(e.Path, "/"))
		if err != nil {
			return fault.Invalidf("this system cannot have a file named %q", e.Path)
		}
		if !e.isDir() {
			local = filepath.Dir(local)
		}
		if made[local] {
			continue
		}
		if err := os.MkdirAll(filepath.Join(dest, local), 0o755); err != nil {
			return err
		}
		made[local] = true
	}
	return nil
}

// place makes stored bytes appear at dest in the cheapest way that keeps the store safe from whoever gets them.
func (s *Store) place(ctx context.Context, sum, dest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	src := s.file(sum)
	if _, err := s.stat(sum); err != nil {
		return err
	}
	if !s.noClones.Load() {
		cloned, err := clone(src, dest)
		if err != nil || cloned {
			return err
		}
		s.noClones.Store(true)
	}
	// A link can fail for many reasons (another file system, too many links, a rule of the system); a copy
	// then serves.
	if mayLink() && os.Link(src, dest) == nil {
		return nil
	}
	from, err := os.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(dest, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = copyData(ctx, to, from)
	return errors.Join(err, to.Chmod(blobMode), to.Close())
}

// Verify reads the whole content of a digest again. An error that wraps ErrDamaged names the first file whose
// bytes have changed; NotFound means that something is missing.
func (s *Store) Verify(ctx context.Context, digest string) error {
	d, err := parseDigest(digest)
	if err != nil {
		return err
	}
	if !d.dir {
		return s.verifyOne(ctx, d.sum, -1)
	}
	m, err := s.manifest(digest)
	if err != nil {
		return err
	}
	checked := map[string]bool{}
	for _, e := range m {
		if e.isDir() || checked[e.Sum] {
			continue
		}
		if err := s.verifyOne(ctx, e.Sum, e.Size); err != nil {
			return err
		}
		checked[e.Sum] = true
	}
	return nil
}

// verifyOne checks the bytes of one file, and their number unless want is negative.
func (s *Store) verifyOne(ctx context.Context, sum string, want int64) error {
	f, err := s.Open(ctx, filePrefix+sum, "")
	if err != nil {
		return err
	}
	defer f.Close()
	found, size, err := hashData(ctx, f)
	if err != nil {
		return diskError(s.dir, err)
	}
	if found != sum || (want >= 0 && size != want) {
		return s.damaged(sum)
	}
	return nil
}
