//go:build linux || darwin || freebsd

package app

import "golang.org/x/sys/unix"

// diskSpace returns the size of the file system that a directory is on, and what of it this user may still fill; 0 where that is not known.
func diskSpace(dir string) (total, free int64) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0
	}
	size := int64(st.Bsize)
	return int64(st.Blocks) * size, int64(st.Bavail) * size //nolint:gosec // file systems are far smaller than 8 EiB
}
