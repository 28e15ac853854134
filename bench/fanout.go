package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// fanout holds the runs of many steps that do not wait for one another, and of one that takes all their results.
type fanout struct {
	Mode  string `json:"mode"`
	Steps int    `json:"steps"`
	// First also builds the environment; Cached is the same run again.
	First  float64 `json:"first_seconds"`
	Runs   sample  `json:"run_seconds"`
	Cached sample  `json:"cached_seconds"`
	// Forks is how many processes a second warm hosts could fork that do nothing, on all cores together, measured between the runs.
	Forks sample `json:"forks_per_second"`
	// CPU is the processor time of all processes for one step.
	CPU sample `json:"cpu_seconds_per_step"`
	// Idle and Loaded are the memory of the server and its supervisor, in bytes, before the first run and after the last.
	Idle   int64 `json:"idle_bytes"`
	Loaded int64 `json:"loaded_bytes"`
}

// fanoutSpec is the pipeline that the peers are measured with, too.
var fanoutSpec = filepath.Join("bench", "peers", "levada", "fanout.yaml")

// sharing asks for shared processes in a compiled pipeline, as task.set_env_variable would.
func sharing(spec []byte) []byte {
	const at, add = "      container:\n", "        env:\n        - name: LEVADA_PYTHON_MODE\n          value: reuse\n"
	return bytes.ReplaceAll(spec, []byte(at), []byte(at+add))
}

// measureFanout runs the fan-out on a fresh server, in mode warm or reuse.
func measureFanout(ctx context.Context, o options, mode string) (f fanout, err error) {
	f = fanout{Mode: mode, Steps: o.fanout + 1}
	spec, err := os.ReadFile(fanoutSpec)
	if err != nil {
		return f, err
	}
	if mode == "reuse" {
		spec = sharing(spec)
	}
	s, err := startServer(ctx, o.binary, "warm")
	if err != nil {
		return f, err
	}
	defer s.stop()
	f.Idle = s.memory()
	pipeline, err := s.upload(ctx, "fanout", spec)
	if err != nil {
		return f, err
	}
	for i := range o.runs + 1 {
		before := s.cpu()
		took, err := s.time(ctx, pipeline, numbers(i, o.fanout))
		if err != nil {
			return f, err
		}
		if i == 0 {
			f.First = seconds(took)
			continue
		}
		f.Runs = append(f.Runs, seconds(took))
		f.CPU = append(f.CPU, (s.cpu()-before)/float64(f.Steps))
		rate, err := forks(ctx, s.folder)
		if err != nil {
			return f, fmt.Errorf("measure forks: %w", err)
		}
		f.Forks = append(f.Forks, rate)
	}
	f.Loaded = s.memory()
	for range o.runs {
		took, err := s.time(ctx, pipeline, numbers(o.runs, o.fanout))
		if err != nil {
			return f, err
		}
		f.Cached = append(f.Cached, seconds(took))
	}
	return f, nil
}

// numbers are the parameters of a run, none of which another run has.
func numbers(run, steps int) map[string]any {
	list := make([]int, steps)
	for i := range list {
		list[i] = run*100_000 + i
	}
	return map[string]any{"numbers": list}
}

// forks measures how many processes a second warm hosts of this server's environment can fork, one host per core.
func forks(ctx context.Context, folder string) (float64, error) {
	pythons, err := filepath.Glob(filepath.Join(folder, "data", "envs", "*", "venv", "bin", "python"))
	tools, toolsErr := filepath.Glob(filepath.Join(folder, "data", "tools", "python-*"))
	if err := errors.Join(err, toolsErr); err != nil {
		return 0, err
	}
	if len(pythons) == 0 || len(tools) == 0 {
		return 0, errors.New("the server has made no environment")
	}
	rates := make([]float64, runtime.NumCPU())
	errs := make([]error, len(rates))
	var all sync.WaitGroup
	for i := range rates {
		all.Go(func() {
			out, err := exec.CommandContext(ctx, pythons[0], filepath.Join("bench", "testdata", "forks.py"), tools[0], "1").Output()
			if err == nil {
				rates[i], err = strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			}
			errs[i] = err
		})
	}
	all.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum, errors.Join(errs...)
}

// tree calls see with the fields of /proc/PID/stat of the server and of all its descendants, from the third field on.
func (s *server) tree(see func(pid int, fields []string)) {
	parents := map[int]int{}
	stats := map[int][]string{}
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		i := bytes.LastIndexByte(b, ')')
		pid, pidErr := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil || i < 0 || pidErr != nil {
			continue
		}
		stats[pid] = strings.Fields(string(b[i+1:]))
		parents[pid], _ = strconv.Atoi(stats[pid][1])
	}
	for pid, fields := range stats {
		for at := pid; at > 1; at = parents[at] {
			if at == s.process.Process.Pid {
				see(pid, fields)
				break
			}
		}
	}
}

// cpu is the processor time that the server and its processes have used, those that have ended included, in seconds.
func (s *server) cpu() float64 {
	ticks := 0
	s.tree(func(_ int, fields []string) {
		for _, f := range fields[11:15] {
			n, _ := strconv.Atoi(f)
			ticks += n
		}
	})
	return float64(ticks) / 100
}

// memory is what the server and its supervisor hold, in bytes, with each shared page counted once (Pss). Warm hosts are not
// counted: they belong to the steps.
func (s *server) memory() int64 {
	var sum int64
	s.tree(func(pid int, _ []string) {
		at := filepath.Join("/proc", strconv.Itoa(pid))
		if line, err := os.ReadFile(filepath.Join(at, "cmdline")); err != nil || !bytes.Contains(line, []byte("levada\x00")) && !strings.HasSuffix(firstWord(line), "levada") {
			return
		}
		kib, _ := strconv.ParseInt(strings.TrimSuffix(field(filepath.Join(at, "smaps_rollup"), "Pss"), " kB"), 10, 64)
		sum += kib << 10
	})
	return sum
}

func firstWord(line []byte) string {
	word, _, _ := bytes.Cut(line, []byte{0})
	return string(word)
}
