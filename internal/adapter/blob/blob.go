// Package blob keeps artifact content in a local directory, each file once, under the SHA-256 of its bytes.
//
// A directory is kept as a manifest of its files, which is itself a file. The package knows digests and
// bytes, nothing of runs, tasks or what an artifact means. What Put returns is on disk, synced. Start reading
// at put.go for the way in, at materialise.go for the way out. The layout is described in
// docs/format/blobs.md.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/run"
)

// ErrDamaged is wrapped by the errors that tell of stored content that is not what its digest says.
var ErrDamaged = errors.New("stored content is damaged")

// The bounds of one directory artifact, which hostile links could make endless.
const (
	maxEntries = 1 << 20
	maxDepth   = 256
)

// Options are the settings of a store.
type Options struct {
	// Parallel is how many files of one directory are read or written at the same time; 0 means one per
	// processor.
	Parallel int
	// Ephemeral leaves out the syncing: content survives the end of the process, but not that of the machine.
	Ephemeral bool
	// Logger gets what nobody else is told, such as leftovers that were removed. Nil means silence.
	Logger *slog.Logger
}

// Store is a content-addressed directory. Its methods may be called from any goroutine, and several processes
// may use the same directory.
type Store struct {
	dir      string
	parallel int
	log      *slog.Logger
	// ephemeral stores do not sync.
	ephemeral bool
	staging   *staging
	// noClones is set when the file system turned out not to share blocks between files.
	noClones atomic.Bool
	// sweeping is held by Sweep while it removes a file, and shared by those who find stored bytes and rely on them.
	sweeping sync.RWMutex
	closing  sync.Once
	closed   error
}

// Open opens the store in dir, creates it when it is not there, and removes what processes that died have
// left half-written.
func Open(dir string, o Options) (*Store, error) {
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	for _, sub := range []string{"sha256", "staging"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, diskError(dir, fmt.Errorf("open blob store: %w", err))
		}
	}
	if err := syncDir(dir); err != nil {
		return nil, diskError(dir, fmt.Errorf("open blob store: %w", err))
	}
	stage, err := openStaging(filepath.Join(dir, "staging"), o.Logger)
	if err != nil {
		return nil, diskError(dir, fmt.Errorf("open blob store: %w", err))
	}
	return &Store{dir: dir, parallel: o.Parallel, log: o.Logger, ephemeral: o.Ephemeral, staging: stage}, nil
}

// Close removes the store's staging area. The content stays. Closing twice is the same as closing once.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.staging.close() })
	return s.closed
}

// Has reports whether the whole content of a digest is here: for a directory, its manifest and every file.
func (s *Store) Has(ctx context.Context, digest string) (bool, error) {
	d, err := parseDigest(digest)
	if err != nil {
		return false, err
	}
	if !d.dir {
		_, err := s.stat(d.sum)
		return absent(err)
	}
	m, err := s.manifest(digest)
	if err != nil {
		return absent(err)
	}
	for _, e := range m {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if e.isDir() {
			continue
		}
		size, err := s.stat(e.Sum)
		if err != nil {
			return absent(err)
		}
		if size != e.Size {
			return false, nil
		}
	}
	return true, nil
}

// absent turns the absence of content into an answer.
func absent(err error) (bool, error) {
	if fault.KindOf(err) == fault.NotFound || errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return err == nil, err
}

// Files lists the files of a digest in the order of their paths: one with an empty Path for a file, all of
// them for a directory.
func (s *Store) Files(ctx context.Context, digest string) ([]run.BlobFile, error) {
	d, err := parseDigest(digest)
	if err != nil {
		return nil, err
	}
	if !d.dir {
		size, err := s.stat(d.sum)
		if err != nil {
			return nil, err
		}
		return []run.BlobFile{{Size: size, Digest: digest}}, nil
	}
	m, err := s.manifest(digest)
	if err != nil {
		return nil, err
	}
	files := make([]run.BlobFile, 0, len(m))
	for _, e := range m {
		if !e.isDir() {
			files = append(files, run.BlobFile{Path: e.Path, Size: e.Size, Digest: filePrefix + e.Sum})
		}
	}
	return files, ctx.Err()
}

// file is where the bytes of a SHA-256 (in hex) are.
func (s *Store) file(sum string) string {
	return filepath.Join(s.dir, "sha256", sum[:2], sum)
}

// stat returns the size of stored bytes; NotFound when there are none.
func (s *Store) stat(sum string) (int64, error) {
	info, err := os.Lstat(s.file(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, notStored(filePrefix + sum)
	}
	if err != nil {
		return 0, diskError(s.dir, err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%w: %s is not a file", ErrDamaged, s.file(sum))
	}
	return info.Size(), nil
}

func notStored(digest string) error {
	return fault.NotFoundf("content %s is not stored here", digest)
}

// Locate returns where the files of a digest are, for those who only read them. The files may be removed when nothing needs their content
// any more.
func (s *Store) Locate(ctx context.Context, digest string) ([]observe.File, error) {
	files, err := s.Files(ctx, digest)
	if err != nil {
		return nil, err
	}
	out := make([]observe.File, len(files))
	for i, f := range files {
		out[i] = observe.File{Name: f.Path, Path: s.file(f.Digest[len(filePrefix):]), Digest: f.Digest}
	}
	return out, nil
}
