//go:build !linux

package subprocess

import (
	"context"
	"syscall"
	"time"
)

// Where there is no /proc, memory is not watched, and only the process group of a process is ended with it.

// Process is a process as /proc shows it.
type Process struct {
	PID   int
	RSS   int64
	Start uint64
	CPU   time.Duration
}

// Stat is known on Linux only.
func Stat(int) (p Process, session int) { return p, 0 }

// OfSession is known on Linux only.
func OfSession(int) []Process { return nil }

// Memory is known on Linux only.
func Memory(int) int64 { return 0 }

// WatchMemory waits for the end of ctx.
func WatchMemory(ctx context.Context, _ int, _ int64, _ chan<- int64) { <-ctx.Done() }

// NoCore has an effect on Linux only.
func NoCore(int) {}

// MachineMemory is known on Linux only.
func MachineMemory() float64 { return 1 << 40 }

// Attributes are those of a process that leads a session of its own.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
