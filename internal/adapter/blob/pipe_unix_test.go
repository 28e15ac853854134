//go:build unix

package blob_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"levada/internal/core/fault"
)

func TestANamedPipeIsRefusedWithoutWaitingForItsWriter(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	src := write(t, filepath.Join(dir, "out"), tree{"a.txt": []byte("a")})
	must(t, unix.Mkfifo(filepath.Join(src, "pipe"), 0o600))
	_, err := s.Put(t.Context(), src)
	wantKind(t, err, fault.Invalid, "pipe is a named pipe")
	_, err = s.Put(t.Context(), filepath.Join(src, "pipe"))
	wantKind(t, err, fault.Invalid, "named pipe")
}
