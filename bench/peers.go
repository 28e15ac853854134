package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peer is an orchestrator that is measured beside Levada, by the run.py in its folder below bench/peers.
type peer struct {
	folder string
	modes  []string
	// fanout is how wide its fan-out is: 1,000 steps, or fewer where those would take minutes; the report says so.
	fanout int
}

// levada is measured like the others, with the same clock; reuse is its mode in which a process serves several steps.
const (
	levada = "levada"
	reuse  = "reuse"
)

// peers are in the order of the report. Airflow takes longest and comes last, so that a budget that is too small costs its
// rows and not those of the others.
var peers = []peer{
	{folder: levada, modes: []string{"isolated", "isolated-exec", reuse}, fanout: 1000},
	{folder: "luigi", modes: []string{"in-process", "isolated", "isolated-central"}, fanout: 1000},
	{folder: "dagster", modes: []string{"in-process", "isolated"}, fanout: 50},
	{folder: "prefect", modes: []string{"in-process", "isolated"}, fanout: 500},
	{folder: "kfp_local", modes: []string{"isolated"}, fanout: 50},
	{folder: "metaflow", modes: []string{"isolated"}, fanout: 50},
	{folder: "airflow", modes: []string{"isolated"}, fanout: 50},
}

// wideInProcess is the fan-out of modes that call functions: no peer is so slow there that it needs a smaller one.
const wideInProcess = 1000

const (
	// fullChain is the length of both chains, that of the published comparisons; with -steps 10 everything is a quarter.
	fullChain = 40
	// loadSteps is the fan-out during which memory is watched.
	loadSteps = 40
	// sessionWithin is how long one session of one peer may take.
	sessionWithin = 6 * time.Minute
	// installWithin is how long the installation of one peer may take; it does not count against the budget.
	installWithin = 15 * time.Minute
	// stopPeerWithin is how long run.py may take to stop its servers after it was told to.
	stopPeerWithin = 40 * time.Second
)

// line is what run.py prints for one measurement.
type line struct {
	Peer     string  `json:"peer"`
	Version  string  `json:"version"`
	Mode     string  `json:"mode"`
	Workload string  `json:"workload"`
	Steps    int     `json:"steps"`
	Seconds  float64 `json:"seconds,omitempty"`
	PSS      float64 `json:"pss_mib,omitempty"`
	RSS      float64 `json:"rss_mib,omitempty"`
	// None says why the peer has no way to do this, Error why it did not work.
	None  string `json:"none,omitempty"`
	Error string `json:"error,omitempty"`
}

// session is one mode of one peer over all rounds.
type session struct {
	peer peer
	mode string
	// python is the interpreter of the peer's environment.
	python string
	took   time.Duration
	Lines  []line
	// Broken says why a session did not come to its end.
	Broken string
}

// besidePeers measures Levada and the peers that o names, round by round, so that a machine that is busy for a while slows all
// of them. A peer that cannot be installed or fails is a row that says why.
func besidePeers(ctx context.Context, o options) (*comparison, error) {
	machine, err := describeMachine(ctx, o.binary)
	if err != nil {
		return nil, err
	}
	sessions, err := chooseSessions(o.peers)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "levada-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	for _, s := range sessions {
		s.install(ctx, machine.Interpreter)
	}
	c := &comparison{At: time.Now().UTC().Truncate(time.Second), Machine: machine, Steps: o.steps, Sessions: sessions}
	ends := time.Now().Add(o.budget)
	for round := range o.rounds {
		for _, s := range sessions {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := c.Limits.take(ctx, machine.Interpreter, scratch); err != nil {
				return nil, fmt.Errorf("measure the limits of the machine: %w", err)
			}
			s.round(ctx, o, round, time.Until(ends))
		}
	}
	return c, nil
}

// chooseSessions turns "all" or a list of folders into sessions; Levada is always among them.
func chooseSessions(names string) ([]*session, error) {
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if name != "all" && !slices.ContainsFunc(peers, func(p peer) bool { return p.folder == name }) {
			return nil, fmt.Errorf("unknown peer %q, want all or folders below bench/peers", name)
		}
	}
	var out []*session
	for _, p := range peers {
		if p.folder != levada && !slices.Contains(wanted, "all") && !slices.Contains(wanted, p.folder) {
			continue
		}
		for _, mode := range p.modes {
			out = append(out, &session{peer: p, mode: mode})
		}
	}
	return out, nil
}

// install makes the environment of a peer, unless it is there already.
func (s *session) install(ctx context.Context, interpreter string) {
	if s.peer.folder == levada {
		s.python = interpreter
		return
	}
	cache, err := os.UserHomeDir()
	if err != nil {
		s.Broken = err.Error()
		return
	}
	environment := filepath.Join(cache, ".cache", "levada-bench", s.peer.folder)
	requirements := filepath.Join("bench", "peers", s.peer.folder, "requirements.txt")
	ctx, cancel := context.WithTimeout(ctx, installWithin)
	defer cancel()
	fmt.Fprintf(os.Stderr, "bench: %s (%s): look for its environment, or make it\n", s.peer.folder, s.mode)
	command := exec.CommandContext(ctx, "scripts/python-env.sh", environment, requirements)
	// Compiled now, the code does not have to be when the clock runs.
	command.Env = append(os.Environ(), "UV_COMPILE_BYTECODE=1")
	if said, err := command.CombinedOutput(); err != nil {
		s.Broken = fmt.Sprintf("could not be installed: %v: %s", err, lastLine(said))
		return
	}
	s.python = filepath.Join(environment, "bin", "python")
}

// round measures everything once. In later rounds a session is left out when it would not end in time.
func (s *session) round(ctx context.Context, o options, round int, left time.Duration) {
	if s.python == "" || (round > 0 && (s.Broken != "" || left < s.took)) {
		return
	}
	within := min(sessionWithin, left)
	if within <= 0 {
		s.Broken = "no time was left; -budget gives more"
		return
	}
	fmt.Fprintf(os.Stderr, "bench: round %d of %d: %s, %s\n", round+1, o.rounds, s.peer.folder, s.mode)
	began := time.Now()
	lines, err := s.measure(ctx, o, within)
	s.took = max(s.took, time.Since(began))
	s.Lines = append(s.Lines, lines...)
	if err != nil {
		s.Broken = err.Error()
		fmt.Fprintf(os.Stderr, "bench: %s, %s: %v\n", s.peer.folder, s.mode, err)
	}
}

// workloads are what run.py is asked for, in order: the quick ones first, so that they are there when time runs out.
func (s *session) workloads(steps int) []string {
	wide := s.peer.fanout
	if s.inProcess() {
		wide = wideInProcess
	}
	wide = wide * steps / fullChain
	return []string{
		"ready", "memory-idle", "first-step",
		fmt.Sprintf("chain=%d", steps),
		fmt.Sprintf("chain10ms=%d", steps),
		fmt.Sprintf("fanout=%d", wide),
		fmt.Sprintf("cached=%d", wide),
		fmt.Sprintf("memory-load=%d", loadSteps*steps/fullChain),
	}
}

// inProcess tells modes that call functions from those that give a step a process.
func (s *session) inProcess() bool { return s.mode == reuse || strings.HasPrefix(s.mode, "in-process") }

// measure runs run.py once and returns the lines that it printed, also when it failed after them.
func (s *session) measure(ctx context.Context, o options, within time.Duration) ([]line, error) {
	program, err := filepath.Abs(o.binary)
	if err != nil {
		return nil, err
	}
	harness, err := filepath.Abs(filepath.Join("bench", "peers", "harness"))
	if err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	// The folder is of this session alone: it is removed, and its name finds the processes that a session leaves behind.
	scratch, err := os.MkdirTemp("", "levada-bench-")
	if err != nil {
		return nil, err
	}
	defer func() {
		sweep("TMPDIR=" + scratch)
		if err := os.RemoveAll(scratch); err != nil {
			fmt.Fprintln(os.Stderr, "bench: remove what a session wrote:", err)
		}
	}()
	// PostgreSQL may run as another user.
	if err := os.Chmod(scratch, 0o755); err != nil {
		return nil, err
	}
	script := filepath.Join(filepath.Dir(harness), s.peer.folder, "run.py")
	command := exec.CommandContext(timed, s.python, append([]string{script, "--mode", s.mode}, s.workloads(o.steps)...)...)
	command.Env = append(os.Environ(), "PYTHONPATH="+harness, "LEVADA_BIN="+program, "TMPDIR="+scratch)
	// run.py stops its servers when it is told to end.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopPeerWithin
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	err = command.Run()
	lines, bad := readLines(&out)
	switch {
	case ctx.Err() != nil:
		return lines, ctx.Err()
	case timed.Err() != nil:
		return lines, fmt.Errorf("did not end within %s", within.Round(time.Second))
	case err != nil:
		return lines, fmt.Errorf("run.py: %w: %s", err, lastLine(said.Bytes()))
	}
	return lines, bad
}

// sweep ends the processes that have this setting in the environment they were started with. A run.py that had to be killed leaves
// its servers behind, and they would slow the sessions after it.
func sweep(setting string) {
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return
	}
	for _, name := range names {
		environment, err := os.ReadFile(name)
		if err != nil || !slices.Contains(strings.Split(string(environment), "\x00"), setting) {
			continue // it has ended, is another user's, or not ours
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			fmt.Fprintf(os.Stderr, "bench: end process %d: %v\n", pid, err)
		}
	}
}

// readLines reads one JSON object a line.
func readLines(r io.Reader) ([]line, error) {
	var lines []line
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			return lines, errors.Join(fmt.Errorf("run.py printed %q", scanner.Text()), err)
		}
		lines = append(lines, l)
	}
	return lines, scanner.Err()
}

// lastLine is the end of what a program said, where Python names the error.
func lastLine(said []byte) string {
	text := strings.TrimSpace(string(said))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
