package subprocess

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process as /proc shows it.
type Process struct {
	PID int
	// RSS is what it has in memory, in bytes.
	RSS int64
	// Start identifies it together with its PID, which the system uses again.
	Start uint64
	// CPU is the processor time it has used, with that of its children that have ended.
	CPU time.Duration
}

// Read reads a file of a process. It goes around os.File, whose preparations for polling cost more than the reading.
func Read(pid int, name string) ([]byte, error) {
	var path [64]byte
	fd, err := unix.Open(string(append(strconv.AppendInt(append(path[:0], "/proc/"...), int64(pid), 10), name...)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 1<<10)
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return b, nil
		}
		b = b[:len(b)+n]
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
	}
}

// Stat reads /proc/<pid>/stat; session is 0 when the process is gone.
func Stat(pid int) (p Process, session int) {
	b, err := Read(pid, "/stat")
	if err != nil {
		return p, 0
	}
	// The second field is the name in parentheses, which may hold anything.
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return p, 0
	}
	// The fields from the third on; see proc_pid_stat(5).
	f := bytes.Fields(b[i+1:])
	if len(f) < 22 || f[0][0] == 'Z' {
		return p, 0
	}
	session, _ = strconv.Atoi(string(f[3]))
	pages, _ := strconv.ParseInt(string(f[21]), 10, 64)
	start, _ := strconv.ParseUint(string(f[19]), 10, 64)
	var ticks uint64
	for _, field := range f[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseUint(string(field), 10, 64)
		ticks += n
	}
	return Process{pid, pages * int64(os.Getpagesize()), start, time.Duration(ticks) * clockTick}, session
}

// clockTick is the unit of times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// PIDs returns all processes.
func PIDs() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var out []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// OfSession returns the processes of a session.
func OfSession(session int) []Process {
	var out []Process
	for _, pid := range PIDs() {
		if p, s := Stat(pid); s == session {
			out = append(out, p)
		}
	}
	return out
}

// Memory adds up what the processes of a session hold, in bytes.
func Memory(session int) int64 {
	var used int64
	for _, p := range OfSession(session) {
		used += p.RSS
	}
	return used
}

// WatchMemory adds up what the processes of a session hold and reports once when that is over the limit.
func WatchMemory(ctx context.Context, session int, limit int64, over chan<- int64) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		used := Memory(session)
		if used > limit {
			over <- used
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// NoCore keeps a crash of a process from filling the disk.
func NoCore(pid int) {
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
}

// Attributes are those of a process that leads a session of its own and dies with its parent, so that a parent that is killed leaves
// nothing behind that nobody waits for. Start it on a Thread.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// MachineMemory is the memory of the machine in bytes, or of the container that this process is in, as its control group says at the place where
// containers find it (https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.max; memory.limit_in_bytes of version 1).
func MachineMemory() float64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 1 << 40
	}
	return within(float64(info.Totalram)*float64(info.Unit), "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
}

// within is the least of the bytes and those that files have limits of; "max", and a file that is not there, are none.
func within(bytes float64, files ...string) float64 {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64); err == nil && limit > 0 {
			bytes = min(bytes, limit)
		}
	}
	return bytes
}
