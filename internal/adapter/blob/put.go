package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// Put stores the file or directory at path as Add does and removes it from there, unless there is an error.
func (s *Store) Put(ctx context.Context, path string) (run.BlobInfo, error) {
	stored, err := s.Add(ctx, path)
	if err != nil {
		return run.BlobInfo{}, err
	}
	if err := removeTree(filepath.Clean(path)); err != nil {
		return run.BlobInfo{}, fmt.Errorf("remove %s, which is stored: %w", path, err)
	}
	return stored, nil
}

// Add stores the file or directory at path: when it returns without an error, the content is on disk in the store. What is at
// path stays, so that it can be added again, but its files may be read-only from then on: they may be the store's own.
//
// Links inside a directory are stored as what they point to, as long as that is inside too. Anything else
// that is neither a file nor a directory is refused.
func (s *Store) Add(ctx context.Context, path string) (run.BlobInfo, error) {
	path = filepath.Clean(path)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return run.BlobInfo{}, fault.NotFoundf("store %s: there is no such file or directory", path)
	}
	if err != nil {
		return run.BlobInfo{}, err
	}
	var stored run.BlobInfo
	switch {
	case info.Mode().IsRegular():
		stored, err = s.putOne(ctx, path)
	case info.IsDir():
		stored, err = s.putDir(ctx, path)
	default:
		return run.BlobInfo{}, fault.Invalidf("store %s: it is a %s; only files and directories can be stored", path, describe(info.Mode()))
	}
	if err != nil {
		return run.BlobInfo{}, diskError(s.dir, fmt.Errorf("store %s: %w", path, err))
	}
	return stored, nil
}

// PutReader stores the bytes of r as a file.
func (s *Store) PutReader(ctx context.Context, r io.Reader) (run.BlobInfo, error) {
	var stored content
	temp := s.staging.path()
	err := s.newFile(temp, func(f *os.File) (err error) {
		stored, err = copyHashed(ctx, f, r)
		return err
	})
	if err == nil {
		err = s.settle(ctx, temp, stored)
	}
	if err != nil {
		return run.BlobInfo{}, diskError(s.dir, fmt.Errorf("store content: %w", err))
	}
	return run.BlobInfo{Digest: filePrefix + stored.sum, Size: stored.size, Files: 1}, nil
}

// content identifies bytes.
type content struct {
	sum  string
	size int64
}

func copyHashed(ctx context.Context, dst io.Writer, src io.Reader) (content, error) {
	h := sha256.New()
	n, err := copyData(ctx, io.MultiWriter(dst, h), src)
	return content{sum: hex.EncodeToString(h.Sum(nil)), size: n}, err
}

func (s *Store) putOne(ctx context.Context, path string) (run.BlobInfo, error) {
	c, err := s.ingest(ctx, path)
	return run.BlobInfo{Digest: filePrefix + c.sum, Size: c.size, Files: 1}, err
}

func (s *Store) putDir(ctx context.Context, path string) (run.BlobInfo, error) {
	tree, err := survey(ctx, path)
	if err != nil {
		return run.BlobInfo{}, err
	}
	// A file that several links lead to is read once.
	contents := make([]content, len(tree.sources))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.parallel)
	for i, source := range tree.sources {
		group.Go(func() (err error) {
			contents[i], err = s.ingest(groupCtx, source)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return run.BlobInfo{}, err
	}
	var info run.BlobInfo
	entries := tree.entries(contents)
	for _, e := range entries {
		if !e.isDir() {
			info.Files++
			info.Size += e.Size
		}
	}
	manifest, err := s.PutReader(ctx, bytes.NewReader(encodeManifest(entries)))
	if err != nil {
		return run.BlobInfo{}, err
	}
	info.Digest = dirPrefix + manifest.Digest[len(filePrefix):]
	return info, nil
}

// entries are the lines of the manifest of a tree, whose sources have the given contents.
func (t tree) entries(contents []content) []entry {
	out := make([]entry, 0, len(t.leaves))
	for _, leaf := range t.leaves {
		e := entry{Path: leaf.path}
		if !e.isDir() {
			e.Sum, e.Size = contents[leaf.source].sum, contents[leaf.source].size
		}
		out = append(out, e)
	}
	return out
}

// ingest stores the bytes of one file and leaves the file where it is.
func (s *Store) ingest(ctx context.Context, path string) (content, error) {
	src, err := os.Open(path)
	if err != nil {
		return content{}, err
	}
	defer src.Close()
	before, err := src.Stat()
	if err != nil {
		return content{}, err
	}
	if !before.Mode().IsRegular() {
		return content{}, fault.Invalidf("%s is a %s; only files and directories can be stored", path, describe(before.Mode()))
	}
	sum, size, err := hashData(ctx, src)
	if err != nil {
		return content{}, err
	}
	c := content{sum: sum, size: size}
	if size, err := s.stat(sum); err == nil && size == c.size {
		if ok, err := s.keep(sum, c.size); err != nil || ok {
			// Whoever stored it may not have made its name durable yet.
			return c, errors.Join(err, diskError(s.dir, s.syncDir(filepath.Dir(s.file(sum)))))
		}
	}
	temp := s.staging.path()
	linked := ours(before) && s.adopt(path, before, temp) == nil
	if !linked {
		if c, err = s.copyIn(ctx, src, temp); err != nil {
			return content{}, err
		}
	}
	if err := s.settle(ctx, temp, c); err != nil {
		return content{}, err
	}
	if !linked {
		return c, nil
	}
	after, err := src.Stat()
	if err != nil {
		return content{}, err
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return content{}, errors.Join(fault.Conflictf("%s was changed while it was being stored: end what writes to it first", path), removeIfThere(s.file(c.sum)))
	}
	return c, nil
}

// adopt gives a file a second name in the store instead of copying it, and makes it read-only and durable.
func (s *Store) adopt(path string, want fs.FileInfo, temp string) error {
	if err := os.Link(path, temp); err != nil {
		return err
	}
	err := func() error {
		// What is at path now need not be what was read.
		if found, err := os.Lstat(temp); err != nil || !os.SameFile(found, want) {
			return errors.Join(err, errors.New("replaced by another file"))
		}
		f, err := os.Open(temp)
		if err != nil {
			return err
		}
		return errors.Join(f.Chmod(blobMode), s.sync(f), f.Close())
	}()
	if err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	return nil
}

// copyIn copies a file that was read once already. It hashes again, because only that says what was copied.
func (s *Store) copyIn(ctx context.Context, src *os.File, temp string) (content, error) {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return content{}, err
	}
	var c content
	err := s.newFile(temp, func(f *os.File) (err error) {
		c, err = copyHashed(ctx, f, src)
		return err
	})
	return c, err
}

// settle moves a finished file to the name that its content gives it and makes the name durable. A file with
// that content that is there already stays.
func (s *Store) settle(ctx context.Context, temp string, c content) error {
	if err := ctx.Err(); err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	final := s.file(c.sum)
	if size, err := s.stat(c.sum); err == nil && size == c.size {
		if ok, err := s.keep(c.sum, c.size); err != nil || ok {
			return errors.Join(err, removeIfThere(temp), s.syncDir(filepath.Dir(final)))
		}
	}
	shard := filepath.Dir(final)
	err := os.Mkdir(shard, 0o700)
	switch {
	case err == nil:
		err = s.syncDir(filepath.Dir(shard))
	case errors.Is(err, fs.ErrExist):
		err = nil
	}
	if err == nil {
		err = os.Rename(temp, final)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	// Renaming one name of a file over another of its names does nothing and leaves both.
	return errors.Join(removeIfThere(temp), s.syncDir(shard))
}

// removeTree removes what is stored, including directories that their maker has made read-only.
func removeTree(path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err = filepath.WalkDir(path, func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return os.Chmod(dir, 0o700)
	})
	return errors.Join(err, os.RemoveAll(path))
}

// describe names a kind of file for a person.
func describe(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	case m.IsDir():
		return "directory"
	}
	return "special file"
}
