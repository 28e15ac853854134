package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// lockSuffix ends the name of the file that a process keeps locked for as long as it uses the staging directory
// of the same name.
const lockSuffix = ".lock"

// staging is where one open store writes files before they get their final names.
type staging struct {
	dir  string
	lock *os.File
	next atomic.Uint64
}

// openStaging makes a staging directory of our own and removes those whose processes are gone.
func openStaging(parent string, log *slog.Logger) (*staging, error) {
	lock, err := os.CreateTemp(parent, "*"+lockSuffix)
	if err != nil {
		return nil, err
	}
	s := &staging{dir: strings.TrimSuffix(lock.Name(), lockSuffix), lock: lock}
	if err := lockFile(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := removeLeftovers(parent, log); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func removeLeftovers(parent string, log *slog.Logger) error {
	found, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range found {
		name, isLock := strings.CutSuffix(e.Name(), lockSuffix)
		if !isLock {
			continue
		}
		path := filepath.Join(parent, e.Name())
		gone, err := abandoned(path)
		if err != nil {
			return fmt.Errorf("look for leftovers: %w", err)
		}
		if !gone {
			continue
		}
		log.Info("removing files that a process left half-written", "dir", filepath.Join(parent, name))
		// The lock goes last, so that an interrupted removal is taken up again.
		if err := errors.Join(os.RemoveAll(filepath.Join(parent, name)), removeIfThere(path)); err != nil {
			return err
		}
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *staging) close() error {
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close(), removeIfThere(s.lock.Name()))
}

// path is a name for a new file.
func (s *staging) path() string {
	return filepath.Join(s.dir, strconv.FormatUint(s.next.Add(1), 36))
}
