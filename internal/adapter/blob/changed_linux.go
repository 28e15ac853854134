package blob

import (
	"os"
	"syscall"
	"time"
)

// changedAt is when a file's names, mode or times last changed: unlike the time of its content, nobody can set it.
func changedAt(info os.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}

// touch makes changedAt the present. The time of the content stays: others may hold the file under another name.
func touch(path string) error { return os.Chtimes(path, time.Now(), time.Time{}) }
