package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"levada/internal/core/fault"
)

// blobMode is that of stored files: nobody changes them, everybody who reaches the directory may read them.
const blobMode = 0o444

// chunk is how much is copied between two looks at the context.
const chunk = 8 << 20

// diskError makes a failure of the disk Unavailable and says what to do. Other errors stay as they are.
func diskError(dir string, err error) error {
	switch {
	case err == nil || fault.KindOf(err) != fault.Internal:
		return err
	case full(err):
		return fault.Unavailablef("the disk is full at %s: free some space and try again (%w)", dir, err)
	case failing(err):
		return fault.Unavailablef("the disk failed at %s: see the system's log (%w)", dir, err)
	}
	return err
}

// copyData copies to the end of src, or until ctx is done. Between two files the system copies by itself.
func copyData(ctx context.Context, dst io.Writer, src io.Reader) (int64, error) {
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := io.CopyN(dst, src, chunk)
		total += n
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// hashData returns the SHA-256, in hex, and the number of the bytes that src holds.
func hashData(ctx context.Context, src io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := copyData(ctx, h, src)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// newFile creates a file, lets write fill it, and makes its content durable. On failure nothing is left.
func (s *Store) newFile(path string, write func(*os.File) error) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(path))
		}
	}()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(blobMode), s.sync(f)); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// sync makes the bytes of a file durable.
func (s *Store) sync(f *os.File) error {
	if s.ephemeral {
		return nil
	}
	return f.Sync()
}

// syncDir makes the names in a directory durable.
func (s *Store) syncDir(path string) error {
	if s.ephemeral {
		return nil
	}
	return syncDir(path)
}

// damaged names a file whose bytes are not those of its name.
func (s *Store) damaged(sum string) error {
	return fmt.Errorf("%w: %s; delete that file and run the step that made it again, or restore it from a backup", ErrDamaged, s.file(sum))
}
