package blob

import "os"

// lockFile has nothing to do: an open file cannot be removed by another process.
func lockFile(*os.File) error { return nil }

// abandoned reports whether no living process has the file open, in which case it is removed.
func abandoned(path string) (bool, error) {
	return os.Remove(path) == nil, nil
}
