package blob

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// clone makes dest share the blocks of src until one of them is written (Btrfs, XFS, bcachefs). It reports
// false, and leaves nothing, where the file system cannot.
func clone(src, dest string) (bool, error) {
	from, err := os.Open(src)
	if err != nil {
		return false, err
	}
	defer from.Close()
	to, err := os.OpenFile(dest, os.O_WRONLY|os.O_CREATE|os.O_EXCL, blobMode)
	if err != nil {
		return false, err
	}
	if unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) != nil {
		_ = to.Close() // it is removed
		return false, os.Remove(dest)
	}
	return true, errors.Join(to.Chmod(blobMode), to.Close())
}
