package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
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
	// Interpreter is the program itself; the python3 of the PATH may be a script that looks for it.
	Interpreter string `json:"interpreter"`
	Levada      string `json:"levada"`
}

// limits are what no platform on this machine can go below.
type limits struct {
	Python sample `json:"python_seconds"`
	Exec   sample `json:"exec_seconds"`
	Fsync  sample `json:"fsync_seconds"`
}

// takes is how many times each limit is measured between two runs of the chain.
const takes = 5

// take measures each limit a few times; folder is on the file system of the server's data.
func (l *limits) take(ctx context.Context, interpreter, folder string) error {
	file, err := os.Create(filepath.Join(folder, "fsync"))
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, 4096)
	write := func() error {
		if _, err := file.Write(block); err != nil {
			return err
		}
		return file.Sync()
	}
	for _, m := range []struct {
		into *sample
		do   func() error
	}{
		{&l.Python, command(ctx, interpreter, "-c", "pass")},
		{&l.Exec, command(ctx, "true")},
		{&l.Fsync, write},
	} {
		for range takes {
			began := time.Now()
			if err := m.do(); err != nil {
				return err
			}
			*m.into = append(*m.into, seconds(time.Since(began)))
		}
	}
	return nil
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

func describeMachine(ctx context.Context, binary string) (machine, error) {
	m := machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
	m.CPU = field("/proc/cpuinfo", "model name")
	if m.CPU == "" {
		m.CPU = "unknown processor"
	}
	if kib, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.Memory = fmt.Sprintf("%d GiB", (kib+1<<19)>>20)
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", kernel " + strings.TrimSpace(string(release))
	}
	const ask = "import platform, sys; print(platform.python_version(), sys.executable)"
	python, err := exec.CommandContext(ctx, "python3", "-c", ask).Output()
	if err != nil {
		return m, fmt.Errorf("ask python3 for its version: %w", err)
	}
	m.Python, m.Interpreter, _ = strings.Cut(strings.TrimSpace(string(python)), " ")
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
