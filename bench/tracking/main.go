// Command tracking measures experiment tracking: it sends the same requests to Levada and to an MLflow server and prints what
// each took, and how many times faster Levada was.
//
// It knows both only from outside: their HTTP API, their process, the bytes on their disks. scripts/mlflow-server.sh starts
// the MLflow server; `make bench-tracking` runs everything. Start reading at main, then load.go.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	levada, out string
	runs        int
	points      int
	duration    time.Duration
	artifact    int64
	oneRun      int
	only        string
}

func main() {
	var o options
	flag.StringVar(&o.levada, "levada", "bin/levada", "the program to measure")
	flag.StringVar(&o.out, "out", "bench/out", "where the table is written")
	flag.IntVar(&o.runs, "runs", 20_000, "runs that searches look through")
	flag.IntVar(&o.points, "points", 400, "points of metrics in each of them")
	flag.DurationVar(&o.duration, "duration", 6*time.Second, "how long each load lasts")
	flag.Int64Var(&o.artifact, "artifact", 1<<30, "bytes of the artifact that goes up and down")
	flag.IntVar(&o.oneRun, "one-run", 0, "instead of all this, log so many points to one run of Levada and ask for them")
	flag.StringVar(&o.only, "only", "", "a part of the names of the loads that are run, for instance trace")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "levada-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	own, err := startLevada(ctx, o.levada, dir)
	if err != nil {
		return err
	}
	defer own.stop()
	if o.oneRun > 0 {
		return measureOneRun(ctx, own, o)
	}
	servers := []*server{own}
	if url := os.Getenv("MLFLOW_SERVER"); url != "" {
		pid, err := strconv.Atoi(os.Getenv("MLFLOW_SERVER_PID"))
		if err != nil {
			return fmt.Errorf("MLFLOW_SERVER_PID: %w", err)
		}
		peer := &server{name: "mlflow", url: url, pids: []int{pid}, data: os.Getenv("MLFLOW_SERVER_DATA"), database: os.Getenv("POSTGRES_URL")}
		if peer.database != "" {
			pid, err := strconv.Atoi(os.Getenv("POSTGRES_PID"))
			if err != nil {
				return fmt.Errorf("POSTGRES_PID: %w", err)
			}
			peer.name, peer.pids = "mlflow on PostgreSQL", append(peer.pids, pid)
		}
		servers = append(servers, peer)
	}
	var results [][]result
	for _, s := range servers {
		fmt.Fprintf(os.Stderr, "%s: filling with %d runs of %d points\n", s.name, o.runs, o.points)
		r, err := s.measure(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		results = append(results, r)
	}
	rows := compare(results)
	table := report(servers, rows, o)
	fmt.Print(table)
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	text, err := machineReadable(servers, rows, o)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(o.out, "tracking.md"), []byte(table), 0o644),
		os.WriteFile(filepath.Join(o.out, "tracking.json"), text, 0o644))
}

// server is one of the two.
type server struct {
	name, url, data string
	// database is the URL of the PostgreSQL database that MLflow uses; empty for SQLite.
	database string
	// pids are its processes; their descendants belong to it.
	pids     []int
	stop     func()
	perPoint float64
	// own says that this is Levada: a request that it refuses ends the measurement.
	own bool

	mu     sync.Mutex
	peakKB int64
	// runsKB is the peak before the loads of traces.
	runsKB int64
}

func startLevada(ctx context.Context, bin, data string) (*server, error) {
	cmd := exec.CommandContext(ctx, bin, "up", "--data", data, "--listen", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		_ = cmd.Wait()                       // its status says nothing about the measurement
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); url != "" {
			go func() {
				for lines.Scan() { // so that the server never waits for a reader
				}
			}()
			return &server{name: "levada", own: true, url: url, data: data, pids: []int{cmd.Process.Pid}, stop: stop}, nil
		}
	}
	stop()
	return nil, fmt.Errorf("%s up ended before it listened", bin)
}

// memory is what its processes and all their descendants hold in memory, in KiB; pages that several of them share count once.
func (s *server) memory() int64 {
	children := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	var total int64
	queue := slices.Clone(s.pids)
	for len(queue) > 0 {
		pid := queue[0]
		queue = append(queue[1:], children[pid]...)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
				if err == nil {
					total += kb
				}
			}
		}
	}
	return total
}

// watch notes the most memory that the server holds until the function that it returns is called.
func (s *server) watch() (stop func()) {
	quit := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			now := s.memory()
			s.mu.Lock()
			s.peakKB = max(s.peakKB, now)
			s.mu.Unlock()
			select {
			case <-quit:
				return
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
	return func() {
		close(quit)
		watcher.Wait()
	}
}

// memoryPeak is what watch has noted so far, in KiB.
func (s *server) memoryPeak() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peakKB
}

// bytesBelow is the size of all files below a folder whose path contains part.
func bytesBelow(dir, part string) (total int64) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error { // what vanishes meanwhile does not count
		if err == nil && !e.IsDir() && strings.Contains(path, part) {
			if info, err := e.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}
