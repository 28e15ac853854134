//go:build !linux

package runner

import (
	"os"
	"time"
)

// Where there is no /proc, a step is not measured, and only its process group is ended with it.

// usedBySessions is known on Linux only: elsewhere steps are not measured.
func usedBySessions() map[int]used { return nil }

func cpuOf(int) time.Duration { return 0 }

func processesWith(string) []int { return nil }

func strays(string, string) []int { return nil }

// bootID is not known, so no record of an earlier process says anything about processes.
func bootID() string { return "" }

func startTime(int) uint64 { return 0 }

func closeOnExec() {}

// diskSpace is known on Linux only.
func diskSpace(string) (free, total uint64) { return 0, 0 }

func becomeSubreaper() bool { return false }

func childProcesses() ([]child, bool) { return nil, false }

func (c *child) look() {}

func ownProgram() (string, error) { return os.Executable() }
