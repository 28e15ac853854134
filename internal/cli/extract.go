package cli

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"levada/internal/core/fault"
)

// writeNew writes a file that must not exist. It appears under its name only when it is complete.
func writeNew(name string, content io.Reader) (err error) {
	if _, err := os.Lstat(name); err == nil {
		return fault.Conflictf("%s exists already; choose another path with -O", name)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".levada-*")
	if err != nil {
		return fault.Invalidf("write %s: %w", name, err)
	}
	defer os.Remove(tmp.Name()) // the last name of what was not completed; the link below keeps what was
	if _, err := io.Copy(tmp, content); err != nil {
		tmp.Close()
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	// A link, unlike a rename, fails when the name was taken meanwhile; some file systems have no links.
	if err := os.Link(tmp.Name(), name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// extract unpacks a tar stream into a directory that must not exist. Only regular files and directories are taken, and
// none of them can land outside.
func extract(dir string, content io.Reader) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fault.Conflictf("%s exists already; choose another path with -O", dir)
		}
		return fault.Invalidf("write %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	err = errors.Join(extractInto(root, content), root.Close())
	if err != nil {
		// What was made here is incomplete, and nothing else was in it.
		return errors.Join(fmt.Errorf("write %s: %w", dir, err), os.RemoveAll(dir))
	}
	return nil
}

func extractInto(root *os.Root, content io.Reader) error {
	archive := tar.NewReader(content)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Clean(head.Name)
		if !fs.ValidPath(name) || !filepath.IsLocal(name) {
			return fmt.Errorf("the archive holds the unsafe path %q", head.Name)
		}
		switch head.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeReg:
			err = extractFile(root, name, archive)
		default:
			err = fmt.Errorf("the archive holds %q, which is neither file nor directory", head.Name)
		}
		if err != nil {
			return err
		}
	}
}

func extractFile(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
