//go:build !linux

package runner

import "context"

// Where there is no /proc, a step's memory is not watched, and only its process group is ended with it.

type proc struct{ pid int }

func sessionProcesses(int) []proc { return nil }

func processesWith(string) []int { return nil }

func watchMemory(ctx context.Context, _ int, _ int64, _ chan<- int64) { <-ctx.Done() }

func startTime(int) uint64 { return 0 }

func noCore(int) {}

func machineMemory() float64 { return 1 << 40 }

func closeOnExec() {}

// diskSpace is known on Linux only.
func diskSpace(string) (free, total uint64) { return 0, 0 }
