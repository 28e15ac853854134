package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// linkCommand makes a directory beneath tools in which this program is named levada, so that steps can call it: the ready-made
// components do.
func linkCommand(tools string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	dir := filepath.Join(tools, "bin")
	link := filepath.Join(dir, "levada")
	if was, err := os.Readlink(link); err == nil && was == self {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return dir, os.Symlink(self, link)
}
