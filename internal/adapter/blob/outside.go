package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"levada/internal/core/partition"
	"levada/internal/core/run"
)

// maxSums bounds how many sums of outside files are remembered.
const maxSums = 50_000

// grain is how far behind the times of some file systems are.
const grain = 2 * time.Second

// Outside compares files of this machine with what was imported of them. Its methods may be called from any goroutine.
type Outside struct {
	mu   sync.Mutex
	sums map[stamp]string
}

// stamp is what a file looked like when it was read.
type stamp struct {
	path              string
	size              int64
	modified, changed time.Time
}

// NewOutside returns one that has read nothing yet.
func NewOutside() *Outside { return &Outside{sums: map[stamp]string{}} }

// Changed says why what a run has imported is not the same any more, or "" when it is, or when that cannot be known: of what is on
// other machines nothing is known. A file that nothing has touched since the run began is not read; one that was is compared by
// content, and what was read is remembered.
func (o *Outside) Changed(ctx context.Context, in partition.Input, since time.Time) string {
	path, local := run.LocalPath(in.URI)
	if !local || !filepath.IsAbs(path) {
		return ""
	}
	path, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "it is not there any more"
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	digest := ""
	if info.IsDir() {
		digest, err = o.directory(ctx, path, since)
	} else if info.Size() != in.Size || touched(info, since) {
		digest, err = o.file(ctx, path, info)
		digest = filePrefix + digest
	}
	if err != nil || digest == "" || digest == in.Digest {
		return ""
	}
	return "its content has changed"
}

func touched(info fs.FileInfo, since time.Time) bool {
	after := since.Add(-grain)
	return info.ModTime().After(after) || changedAt(info).After(after)
}

// file returns the sum of a file.
func (o *Outside) file(ctx context.Context, path string, info fs.FileInfo) (string, error) {
	key := stamp{path, info.Size(), info.ModTime(), changedAt(info)}
	o.mu.Lock()
	sum, known := o.sums[key]
	o.mu.Unlock()
	if known {
		return sum, nil
	}
	if !info.Mode().IsRegular() {
		return "", fs.ErrInvalid // reading a pipe would wait for its writer
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if sum, _, err = hashData(ctx, f); err != nil {
		return "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.sums) >= maxSums {
		clear(o.sums)
	}
	o.sums[key] = sum
	return sum, nil
}

// directory returns the digest of a directory, or "" when nothing in it was touched.
func (o *Outside) directory(ctx context.Context, dir string, since time.Time) (string, error) {
	t, err := survey(ctx, dir)
	if err != nil {
		return "", err
	}
	infos, anything := make([]fs.FileInfo, len(t.sources)), false
	for i, source := range t.sources {
		if infos[i], err = os.Stat(source); err != nil {
			return "", err
		}
		anything = anything || touched(infos[i], since)
	}
	if !anything {
		// What was taken away has touched the directory that it was in.
		err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			info, err := d.Info()
			anything = anything || err == nil && touched(info, since)
			return err
		})
		if err != nil || !anything {
			return "", err
		}
	}
	contents := make([]content, len(t.sources))
	for i, source := range t.sources {
		sum, err := o.file(ctx, source, infos[i])
		if err != nil {
			return "", err
		}
		contents[i] = content{sum, infos[i].Size()}
	}
	sum := sha256.Sum256(encodeManifest(t.entries(contents)))
	return dirPrefix + hex.EncodeToString(sum[:]), nil
}
