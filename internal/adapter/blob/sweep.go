package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// Keep reports whether the whole content of a digest is here, as Has does, and with the size that it had when it was stored; the
// files of a directory have theirs in its manifest. Content that is here counts as new from then on: a Sweep up to an earlier
// time leaves it alone.
func (s *Store) Keep(ctx context.Context, digest string, size int64) (bool, error) {
	d, err := parseDigest(digest)
	if err != nil {
		return false, err
	}
	if !d.dir {
		return s.keep(d.sum, size)
	}
	if ok, err := s.keep(d.sum, anySize); err != nil || !ok {
		return false, err
	}
	files, err := s.Files(ctx, digest)
	if err != nil {
		return absent(err)
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if ok, err := s.keep(f.Digest[len(filePrefix):], f.Size); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// anySize is the size of a manifest, which nobody has written down.
const anySize = -1

// keep makes stored bytes of a size new. The lock parts it from a Sweep that has decided about the file, but has not removed it yet.
func (s *Store) keep(sum string, size int64) (bool, error) {
	s.sweeping.RLock()
	defer s.sweeping.RUnlock()
	is, err := s.stat(sum)
	if err != nil {
		return absent(err)
	}
	if size != anySize && is != size {
		s.log.Error("stored content is damaged", "digest", filePrefix+sum, "bytes", is, "were", size)
		return false, nil
	}
	if err := touch(s.file(sum)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, diskError(s.dir, err)
	}
	return true, nil
}

// Sweep removes the files that were stored, or kept, before a time and that no root is or holds. roots calls yield for each
// digest that is needed. With dryRun nothing is removed.
//
// It may run while content is stored and read, by this store alone: whoever stores content in the same directory through another
// process is not known to it. A file is removed whole or not at all, so a crash leaves the rest for the next time. When the
// content of a root cannot be read, nothing is removed: what it holds is not known.
func (s *Store) Sweep(ctx context.Context, before time.Time, dryRun bool, roots func(yield func(digest string) error) error) (run.Swept, error) {
	needed, err := s.mark(ctx, roots)
	if err != nil {
		return run.Swept{}, fmt.Errorf("remove unused content: %w; nothing was removed", err)
	}
	w := sweep{store: s, before: before, needed: needed, swept: run.Swept{DryRun: dryRun}}
	shards, err := os.ReadDir(filepath.Join(s.dir, "sha256"))
	if err != nil {
		return run.Swept{}, diskError(s.dir, fmt.Errorf("remove unused content: %w", err))
	}
	for _, shard := range shards {
		if err := w.shard(ctx, shard.Name()); err != nil {
			return w.swept, diskError(s.dir, fmt.Errorf("remove unused content: %w", err))
		}
	}
	return w.swept, nil
}

// mark returns the sums of every file that the roots are or hold.
func (s *Store) mark(ctx context.Context, roots func(yield func(digest string) error) error) (map[string]bool, error) {
	needed := map[string]bool{}
	err := roots(func(digest string) error {
		d, err := parseDigest(digest)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil || needed[d.sum] && !d.dir {
			return err
		}
		needed[d.sum] = true
		if !d.dir {
			return nil
		}
		entries, err := s.manifest(digest)
		if fault.KindOf(err) == fault.NotFound {
			return nil // lost already, with the names of what it held
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !e.isDir() {
				needed[e.Sum] = true
			}
		}
		return nil
	})
	return needed, err
}

// sweep is one walk over the stored files.
type sweep struct {
	store  *Store
	before time.Time
	needed map[string]bool
	swept  run.Swept
}

func (w *sweep) shard(ctx context.Context, name string) error {
	files, err := os.ReadDir(filepath.Join(w.store.dir, "sha256", name))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		// What is not named by its content was not put here by us.
		if sum := f.Name(); validSum(sum) && sum[:2] == name && f.Type().IsRegular() {
			if err := w.file(sum); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *sweep) file(sum string) error {
	s := w.store
	// Nobody finds the file and relies on it between the look at its age and its removal.
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	path := s.file(sum)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	size := info.Size()
	switch {
	case w.needed[sum]:
		w.swept.KeptFiles++
		w.swept.KeptBytes += size
		return nil
	case !changedAt(info).Before(w.before):
		w.swept.Young++
		w.swept.YoungBytes += size
		return nil
	case !w.swept.DryRun:
		if err := removeIfThere(path); err != nil {
			return err
		}
	}
	w.swept.Files++
	w.swept.Bytes += size
	return nil
}
