package aside

import (
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// apart gives the process a session of its own. Where the kernel shares the processors out by sessions, its priority counts among those of
// others then.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

const (
	ioprioProcess = 1
	ioprioIdle    = 3 << 13
)

// giveWay puts the process behind all others: for the processors, the disk, and when memory is short. These are properties of threads,
// which a program has several of from the beginning; what starts it again from one of them keeps those of that one for all. What the kernel
// does not allow is left as it is.
func giveWay(environ []string) {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE, Nice: 19}, 0)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioProcess, 0, ioprioIdle)
	_ = os.WriteFile("/proc/self/autogroup", []byte("19"), 0)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = syscall.Exec("/proc/self/exe", os.Args, append(slices.Clone(environ), asideVariable+"=1"))
	runtime.UnlockOSThread() // it could not be started again; then this thread alone has given way
}

// processorTime is what the process has taken.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
