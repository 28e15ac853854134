package runner

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"levada/internal/adapter/subprocess"
)

// cpuOf is the processor time that a process has used.
func cpuOf(pid int) time.Duration {
	p, _ := subprocess.Stat(pid)
	return p.CPU
}

// usedBySessions adds up what all processes use, by their sessions.
func usedBySessions() map[int]used {
	out := map[int]used{}
	for _, pid := range subprocess.PIDs() {
		p, session := subprocess.Stat(pid)
		if session == 0 {
			continue
		}
		u := out[session]
		out[session] = used{u.cpu + p.CPU, u.memory + p.RSS}
	}
	return out
}

// processesWith returns the processes that were started with a variable in their environment.
func processesWith(variable string) []int {
	var out []int
	for _, pid := range subprocess.PIDs() {
		env, err := subprocess.Read(pid, "/environ")
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
	for _, pid := range subprocess.PIDs() {
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

// startTime identifies a process together with its pid, which the system uses again.
func startTime(pid int) uint64 {
	p, _ := subprocess.Stat(pid)
	return p.Start
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

func becomeSubreaper() bool { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == nil }

// childProcesses returns the children of this process, also those that have ended and that nobody has waited for, with their sessions.
// ok is false where the system does not say.
func childProcesses() (children []child, ok bool) {
	self := os.Getpid()
	// Orphans come to the first thread, which in Go never ends.
	b, err := subprocess.Read(self, "/task/"+strconv.Itoa(self)+"/children")
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
	_, c.session = subprocess.Stat(c.pid)
}

// ownProgram is the file this process runs, also when another one has its name by now.
func ownProgram() (string, error) { return "/proc/self/exe", nil }
