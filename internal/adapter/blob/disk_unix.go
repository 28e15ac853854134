//go:build unix

package blob

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// full reports whether an error says that no space is left for this user.
func full(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// failing reports whether an error is the disk's and not the caller's.
func failing(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.EROFS)
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// ours reports whether a file belongs to this process's user alone under this one name, so that nobody can
// change it through another.
func ours(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 1 && int(st.Uid) == os.Geteuid()
}

// mayLink reports whether stored files can be given away as hard links: they are read-only, which binds every
// user but root.
func mayLink() bool { return os.Geteuid() != 0 }
