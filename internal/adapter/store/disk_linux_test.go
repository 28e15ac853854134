package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// diskEnv names the database for the child of the disk test, and how its disk breaks.
const diskEnv = "LEVADA_TEST_DISK"

// brokenDisk is how the kernel answers calls that reach a disk: seccomp lets this process refuse its own system calls, so the real
// store meets the real error with no code of its own changed.
type brokenDisk struct {
	calls []uint32
	errno unix.Errno
	// files spares the three standard streams.
	files bool
}

func brokenDisks() map[string]brokenDisk {
	writes := []uint32{unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE}
	return map[string]brokenDisk{
		"sync fails":  {calls: []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC}, errno: unix.EIO},
		"write fails": {calls: writes, errno: unix.EIO, files: true},
		"full":        {calls: writes, errno: unix.ENOSPC, files: true},
	}
}

// install makes the disk of this process break, for good.
func (d brokenDisk) install() error {
	const (
		numberOffset = 0  // seccomp_data.nr
		fileOffset   = 16 // seccomp_data.args[0], its low half on little-endian machines
	)
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	program := []unix.SockFilter{load(numberOffset)}
	for i, call := range d.calls { // jump over the rest and the return that allows
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: uint8(len(d.calls) - i)})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	if d.files {
		program = append(program, load(fileOffset),
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: 2, Jt: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(d.errno)})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	return nil
}

// diskChild writes events, prints each number that was acknowledged, breaks the disk, tries on, and ends without a word to the store.
func diskChild() {
	how, path, ok := strings.Cut(os.Getenv(diskEnv), "=")
	if !ok {
		return
	}
	ctx := context.Background()
	fail := func(err error) {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	s, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		fail(err)
	}
	r := run.Run{ID: "r", State: run.Running, CreatedAt: time.UnixMicro(1)}
	if err := s.CreateRun(ctx, r, []run.Event{{Seq: 1, Type: "e"}}, nil); err != nil {
		fail(err)
	}
	next := int64(2)
	write := func() error {
		err := s.Append(ctx, "r", []run.Event{{Seq: next, Type: "e", Body: make([]byte, 3000)}}, run.Changes{Run: &r})
		if err == nil {
			_, _ = fmt.Println(next)
			next++
		}
		return err
	}
	for range 300 {
		if err := write(); err != nil {
			fail(err)
		}
	}
	// As in a server, where the first thing is to look for unfinished runs.
	if _, err := s.UnfinishedRuns(ctx); err != nil {
		fail(err)
	}
	if err := brokenDisks()[how].install(); err != nil {
		fmt.Println("skip:", err)
		os.Exit(0)
	}
	fmt.Println("broken")
	for range 50 {
		if err := write(); err != nil && fault.KindOf(err) != fault.Unavailable {
			fail(fmt.Errorf("kind %d: %w", fault.KindOf(err), err))
		}
	}
	if _, err := s.GetRun(ctx, "r"); err != nil {
		fail(fmt.Errorf("read: %w", err))
	}
	fmt.Println("end")
	os.Exit(0)
}

func TestWhatWasAcknowledgedIsThereAfterTheDiskHasFailed(t *testing.T) {
	for how := range brokenDisks() {
		t.Run(how, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "levada.db")
			acknowledged, despite := playDisk(t, how, path)
			s, err := store.Open(t.Context(), store.Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			log, err := s.Events(t.Context(), "r", 1)
			if err != nil {
				t.Fatal(err)
			}
			if despite > 0 {
				t.Errorf("%d writes were acknowledged on a broken disk", despite)
			}
			if n := int64(len(log)); n < acknowledged {
				t.Errorf("%d events are there, %d were acknowledged", n, acknowledged)
			}
			// Nothing half-written is visible, and the log goes on where it ends.
			r := run.Run{ID: "r", State: run.Succeeded, CreatedAt: time.UnixMicro(1)}
			if err := s.Append(t.Context(), "r", []run.Event{{Seq: int64(len(log)) + 1, Type: "e"}}, run.Changes{Run: &r}); err != nil {
				t.Errorf("on a disk that works again: %v", err)
			}
		})
	}
}

// playDisk runs the child; it returns the last event that was acknowledged, and how many were after the disk had broken.
func playDisk(t *testing.T, how, path string) (acknowledged int64, despite int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), diskEnv+"="+how+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	broken, ended := false, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text := lines.Text()
		reason, skip := strings.CutPrefix(text, "skip: ")
		switch {
		case skip:
			t.Skipf("this system does not let a process refuse its own system calls: %s", reason)
		case text == "broken":
			broken = true
		case text == "end":
			ended = true
		default:
			var n int64
			if _, err := fmt.Sscan(text, &n); err != nil {
				t.Fatalf("child said %q", text)
			}
			acknowledged = n
			if broken {
				despite++
			}
		}
	}
	if err := child.Wait(); err != nil || !ended {
		t.Fatalf("child: %v, reached its end: %v", err, ended)
	}
	return acknowledged, despite
}
