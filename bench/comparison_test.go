package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func measured(folder, mode string, lines ...line) *session {
	s := &session{peer: peer{folder: folder}, mode: mode}
	for _, l := range lines {
		l.Peer, l.Version, l.Mode = strings.ToUpper(folder), "1.0", mode
		s.Lines = append(s.Lines, l)
	}
	return s
}

func chainOf(seconds float64) line { return line{Workload: "chain", Steps: 40, Seconds: seconds} }

func TestAPeerIsComparedWithLevadaInTheSameClass(t *testing.T) {
	isolated := measured(levada, "isolated", chainOf(0.2))
	execed := measured(levada, "isolated-exec", chainOf(2))
	shared := measured(levada, "reuse", chainOf(0.1))
	for _, tt := range []struct {
		name string
		own  []*session
		peer *session
		want string
	}{
		{"isolated", []*session{isolated, execed, shared}, measured("luigi", "isolated", chainOf(1)), "| Levada isolated | 5.00 |"},
		{"in-process", []*session{isolated, execed, shared}, measured("luigi", "in-process", chainOf(1)), "| Levada reuse | 10.0 |"},
		{"no such mode", []*session{isolated, execed}, measured("luigi", "in-process", chainOf(1)), "| Levada isolated | 5.00 |"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := comparison{Steps: 40, Sessions: append(tt.own, tt.peer)}
			if got := c.markdown(); !strings.Contains(got, tt.want) {
				t.Errorf("the tables are\n%s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTheFastestPeerOfAClassIsNamed(t *testing.T) {
	c := comparison{Steps: 40, Sessions: []*session{
		measured(levada, "isolated", chainOf(0.2)),
		measured("metaflow", "isolated", chainOf(20)),
		measured("luigi", "isolated-central", chainOf(0.8)),
		measured("luigi", "in-process", chainOf(0.04)),
	}}
	want := "Fastest of the peers that isolate steps in chain: LUIGI 1.0, isolated-central, 20.0 ms a step; 4.00 times as long as Levada isolated."
	if got := c.markdown(); !strings.Contains(got, want) {
		t.Errorf("the report is\n%s\nwant %s", got, want)
	}
}

func TestFanOutsOfDifferentWidthAreComparedByTheStep(t *testing.T) {
	own := value{sample: sample{2}, steps: 1000}
	other := value{sample: sample{5, 1, 3}, steps: 50}
	if got := ratio(other, own); got != "30.0" {
		t.Errorf("the ratio is %s, want 30.0: 60 ms a step against 2 ms", got)
	}
	if got := other.rate().show(1); got != "16.7 (10.0 – 50.0)" {
		t.Errorf("the rate is %s, want steps a second with their spread", got)
	}
}

func TestAPeerThatFailsIsARowThatSaysWhy(t *testing.T) {
	broken := &session{peer: peer{folder: "prefect"}, mode: "isolated", Broken: "could not be installed: no network"}
	partly := measured("airflow", "isolated", line{Workload: "ready", Seconds: 9}, chainOf(20),
		line{Workload: "fanout", Error: "TimeoutError: run fanout"}, line{Workload: "cached", None: "no cache"})
	got := (&comparison{Steps: 40, Sessions: []*session{broken, partly}}).markdown()
	for _, want := range []string{
		"| prefect | isolated | not measured | not measured |",
		"- prefect, isolated, session: could not be installed: no network",
		"| AIRFLOW 1.0 | isolated | 20.0 | 500 | not measured | failed | – | none | 1 |",
		"- AIRFLOW 1.0, isolated, fanout: TimeoutError: run fanout",
		"- AIRFLOW 1.0, isolated, cached: no cache",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report is\n%s\nwant %s", got, want)
		}
	}
}

func TestWhatAPeerPrintedBeforeItDiedCounts(t *testing.T) {
	lines, err := readLines(strings.NewReader("{\"peer\":\"Luigi\",\"workload\":\"chain\",\"seconds\":2}\nTraceback\n"))
	if len(lines) != 1 || lines[0].Seconds != 2 {
		t.Errorf("the lines are %+v, want the one measurement", lines)
	}
	if err == nil || !strings.Contains(err.Error(), "Traceback") {
		t.Errorf("the error is %v, want what was printed", err)
	}
}

func TestAnUnknownPeerIsRefused(t *testing.T) {
	if _, err := chooseSessions("luigi,oozie"); err == nil || !strings.Contains(err.Error(), "oozie") {
		t.Errorf("the error is %v, want it to name the peer", err)
	}
	sessions, err := chooseSessions("metaflow")
	if err != nil || len(sessions) != 4 || sessions[0].peer.folder != levada {
		t.Errorf("metaflow alone gives %d sessions (%v), want Levada's three and its one", len(sessions), err)
	}
}

func TestTheHarnessRefusesATimeInWhichAStepIsMissing(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	harness, err := filepath.Abs("peers/harness")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "testdata/peer/run.py",
		"ready", "memory-idle", "first-step", "chain=4", "fanout=5", "fanout=13", "cached=5", "memory-load=2")
	command.Env = append(os.Environ(), "PYTHONPATH="+harness)
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("run.py: %v\n%s", err, said.String())
	}
	lines, err := readLines(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		Workload    string
		Steps       int
		Timed       bool
		Memory      bool
		None, Error string
	}
	var got []outcome
	for _, l := range lines {
		got = append(got, outcome{l.Workload, l.Steps, l.Seconds > 0, l.PSS > 0, l.None, l.Error})
	}
	want := []outcome{
		{Workload: "ready", None: "no server"},
		{Workload: "memory-idle", None: "no server"},
		{Workload: "first-step", Steps: 1, Timed: true},
		{Workload: "chain", Steps: 4, Timed: true},
		{Workload: "fanout", Steps: 5, Timed: true},
		{Workload: "fanout", Steps: 13, Error: "RuntimeError: 13 of 14 steps have succeeded"},
		{Workload: "cached", Steps: 5, None: "no cache"},
		{Workload: "memory-load", Steps: 2, Memory: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the measurements differ (-want +got):\n%s\nrun.py said:\n%s", diff, said.String())
	}
}

func TestWhatASessionLeavesBehindIsEnded(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("there is no /proc")
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("there is no sleep")
	}
	setting := "TMPDIR=" + t.TempDir()
	start := func(environment ...string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), sleep, "600")
		command.Env = environment
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		return command
	}
	left, other := start(setting), start(setting+"-of-another")
	sweep(setting)
	if err := left.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process of the session ended with %v, want it killed", err)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process of another session is gone: %v", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = other.Wait() // it was killed
}
