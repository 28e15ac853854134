package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine says what the numbers were taken on.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory,omitempty"`
	System string `json:"system"`
	Python string `json:"python"`
	Levada string `json:"levada"`
}

// limits are what no platform on this machine can go below.
type limits struct {
	Python sample `json:"python_seconds"`
	Exec   sample `json:"exec_seconds"`
	Fsync  sample `json:"fsync_seconds"`
}

// takes is how many times each limit is measured for each run of the chain.
const takes = 10

func measureLimits(ctx context.Context, o options) (limits, error) {
	var l limits
	n := takes * o.runs
	var err error
	if l.Python, err = repeat(n, command(ctx, "python3", "-c", "pass")); err != nil {
		return l, err
	}
	if l.Exec, err = repeat(n, command(ctx, "true")); err != nil {
		return l, err
	}
	folder, err := os.MkdirTemp("", "levada-bench-")
	if err != nil {
		return l, err
	}
	defer os.RemoveAll(folder)
	f, err := os.Create(filepath.Join(folder, "fsync"))
	if err != nil {
		return l, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	l.Fsync, err = repeat(n, func() error {
		if _, err := f.Write(block); err != nil {
			return err
		}
		return f.Sync()
	})
	return l, err
}

// command returns a function that starts a program and waits for it.
func command(ctx context.Context, name string, args ...string) func() error {
	return func() error {
		if err := exec.CommandContext(ctx, name, args...).Run(); err != nil {
			return fmt.Errorf("run %s: %w", name, err)
		}
		return nil
	}
}

func repeat(n int, do func() error) (sample, error) {
	out := make(sample, 0, n)
	for range n {
		began := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		out = append(out, seconds(time.Since(began)))
	}
	return out, nil
}

func describeMachine(ctx context.Context, binary string) (machine, error) {
	m := machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
	m.CPU = field("/proc/cpuinfo", "model name")
	if m.CPU == "" {
		m.CPU = "unknown processor"
	}
	m.Memory = field("/proc/meminfo", "MemTotal")
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", kernel " + strings.TrimSpace(string(release))
	}
	python, err := exec.CommandContext(ctx, "python3", "--version").Output()
	if err != nil {
		return m, fmt.Errorf("ask python3 for its version: %w", err)
	}
	m.Python = strings.TrimPrefix(strings.TrimSpace(string(python)), "Python ")
	version, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return m, fmt.Errorf("ask %s for its version (make build builds it): %w", binary, err)
	}
	m.Levada, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(version)), "levada "), "\n")
	return m, nil
}

// field reads the first "name : value" line of a file; where the file does not exist there is no value.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
