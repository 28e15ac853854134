//go:build !unix

package app

import (
	"os"
	"path/filepath"

	"levada/internal/core/fault"
)

// lockDirectory makes sure that only one process works on a data directory: the file cannot be removed while it is open.
func lockDirectory(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Unavailablef("data directory: %w; choose another with --data", err)
	}
	path := filepath.Join(dir, "lock")
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fault.Conflictf("another levada process works on the data directory %s; use that one, or choose another directory with --data", dir)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fault.Unavailablef("data directory: %w; choose another with --data", err)
	}
	return f, nil
}
