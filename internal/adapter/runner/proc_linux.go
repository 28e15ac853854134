package runner

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// proc is a process as /proc shows it.
type proc struct {
	pid   int
	rss   int64 // bytes
	start uint64
	cpu   time.Duration // with that of its children that have ended
}

// readProc reads a file of a process. It goes around os.File, whose preparations for polling cost more than the reading.
func readProc(pid int, name string) ([]byte, error) {
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

// stat reads /proc/<pid>/stat; session is 0 when the process is gone.
func stat(pid int) (p proc, session int) {
	b, err := readProc(pid, "/stat")
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
	return proc{pid, pages * int64(os.Getpagesize()), start, time.Duration(ticks) * clockTick}, session
}

// clockTick is the unit of times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuOf is the processor time that a process has used.
func cpuOf(pid int) time.Duration {
	p, _ := stat(pid)
	return p.cpu
}

// usedBySessions adds up what all processes use, by their sessions.
func usedBySessions() map[int]used {
	out := map[int]used{}
	for _, pid := range pids() {
		p, session := stat(pid)
		if session == 0 {
			continue
		}
		u := out[session]
		out[session] = used{u.cpu + p.cpu, u.memory + p.rss}
	}
	return out
}

func pids() []int {
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

// sessionProcesses returns the processes of a session.
func sessionProcesses(session int) []proc {
	var out []proc
	for _, pid := range pids() {
		if p, s := stat(pid); s == session {
			out = append(out, p)
		}
	}
	return out
}

// processesWith returns the processes that were started with a variable in their environment.
func processesWith(variable string) []int {
	var out []int
	for _, pid := range pids() {
		env, err := readProc(pid, "/environ")
		if err == nil && bytes.Contains(append([]byte{0}, env...), append([]byte{0}, variable...)) && pid != os.Getpid() {
			out = append(out, pid)
		}
	}
	return out
}

// strays returns what may still run of an attempt whose leader is not known: processes that were started with its id in their
// environment, and forks of a warm host, whose environment the system does not show, with their working directory in root.
func strays(root, podUID string) []int {
	root = realPath(root)
	out := processesWith("KFP_POD_UID=" + podUID)
	for _, pid := range pids() {
		at := "/proc/" + strconv.Itoa(pid)
		dir, err := os.Readlink(at + "/cwd")
		if err != nil || !within(dir, root) {
			continue
		}
		if line, err := os.ReadFile(at + "/cmdline"); err == nil && bytes.Contains(line, []byte(hostScript)) {
			out = append(out, pid)
		}
	}
	return out
}

// bootID names the present start of the machine.
var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
})

// watchMemory adds up what the processes of a session hold and reports once when that is over the limit.
func watchMemory(ctx context.Context, session int, limit int64, over chan<- int64) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		var used int64
		for _, p := range sessionProcesses(session) {
			used += p.rss
		}
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

// startTime identifies a process together with its pid, which the system uses again.
func startTime(pid int) uint64 {
	p, _ := stat(pid)
	return p.start
}

// noCore keeps a crash of the step from filling the disk.
func noCore(pid int) {
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
}

// machineMemory is the memory of the machine in bytes.
func machineMemory() float64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 1 << 40
	}
	return float64(info.Totalram) * float64(info.Unit)
}

// closeOnExec keeps descriptors that the server was started with out of the steps.
func closeOnExec() {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range d {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// diskSpace returns the bytes that are free for this user and the size of the file system; zeros when they are not known.
func diskSpace(path string) (free, total uint64) {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil || st.Bsize <= 0 {
		return 0, 0
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize)
}

// stepProcess are the attributes of a step's process: it leads a session of its own, and it dies with its parent, so that a
// supervisor that is killed leaves nothing behind that nobody waits for.
func stepProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

func becomeSubreaper() bool { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == nil }

// childProcesses returns the children of this process, also those that have ended and that nobody has waited for, with their sessions.
// ok is false where the system does not say.
func childProcesses() (children []child, ok bool) {
	self := os.Getpid()
	// Orphans come to the first thread, which in Go never ends.
	b, err := readProc(self, "/task/"+strconv.Itoa(self)+"/children")
	if err != nil {
		return nil, false
	}
	for f := range bytes.FieldsSeq(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil {
			children = append(children, child{pid: pid})
		}
	}
	return children, true
}

// look finds out about a child.
func (c *child) look() {
	_, c.session = stat(c.pid)
}

// ownProgram is the file this process runs, also when another one has its name by now.
func ownProgram() (string, error) { return "/proc/self/exe", nil }
