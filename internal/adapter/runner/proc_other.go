//go:build !linux

package runner

import (
	"context"
	"os"
	"syscall"
	"time"
)

// Where there is no /proc, a step's memory is not watched, and only its process group is ended with it.

type proc struct {
	pid   int
	start uint64
}

func sessionProcesses(int) []proc { return nil }

// usedBySessions is known on Linux only: elsewhere steps are not measured.
func usedBySessions() map[int]used { return nil }

func cpuOf(int) time.Duration { return 0 }

func processesWith(string) []int { return nil }

func strays(string, string) []int { return nil }

// bootID is not known, so no record of an earlier process says anything about processes.
func bootID() string { return "" }

func watchMemory(ctx context.Context, _ int, _ int64, _ chan<- int64) { <-ctx.Done() }

func startTime(int) uint64 { return 0 }

func noCore(int) {}

func machineMemory() float64 { return 1 << 40 }

func closeOnExec() {}

// diskSpace is known on Linux only.
func diskSpace(string) (free, total uint64) { return 0, 0 }

func stepProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func becomeSubreaper() bool { return false }

func childProcesses() ([]child, bool) { return nil, false }

func (c *child) look() {}

func ownProgram() (string, error) { return os.Executable() }
