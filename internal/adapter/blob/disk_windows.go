package blob

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// full reports whether an error says that no space is left.
func full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// failing reports whether an error is the disk's and not the caller's.
func failing(err error) bool {
	return errors.Is(err, windows.ERROR_CRC) || errors.Is(err, windows.ERROR_WRITE_PROTECT)
}

// syncDir has nothing to do: NTFS keeps names in its journal.
func syncDir(string) error { return nil }

// ours is always false: whether a file has other names is not known here, so its content is copied.
func ours(os.FileInfo) bool { return false }

// mayLink is false: a read-only file is no protection here, the attribute is shared and easily cleared.
func mayLink() bool { return false }
