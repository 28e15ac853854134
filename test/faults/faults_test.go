// Package faults gives a real server steps that misbehave, and itself misbehaves towards the server.
//
// Each case must end the run with its reason, and the server must go on. The tests must not know Levada's packages: they see
// what a user sees, through Levada's own API.
package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"levada/test/levadatest"
)

type failure struct {
	Reason   string `json:"reason"`
	Message  string `json:"message"`
	ExitCode int    `json:"exit_code"`
}

type runView struct {
	ID      string   `json:"id"`
	State   string   `json:"state"`
	Failure *failure `json:"failure"`
	Cached  int      `json:"cached"`
}

// shell is a pipeline with one task that runs a shell script.
func shell(script, resources string) string {
	quoted, err := json.Marshal(script)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`
schemaVersion: 2.1.0
pipelineInfo: {name: misbehave}
deploymentSpec: {executors: {e: {container: {image: alpine, command: [sh, -c, %s], resources: {%s}}}}}
components: {op: {executorLabel: e}}
root: {dag: {tasks: {step: {componentRef: {name: op}, taskInfo: {name: step}}}}}
`, quoted, resources)
}

func submit(t *testing.T, srv *levadatest.Server, spec string) runView {
	t.Helper()
	var r runView
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/runs", map[string]any{"spec": spec}, &r); status != http.StatusCreated {
		t.Fatalf("submit: status %d", status)
	}
	return r
}

func call(t *testing.T, method, url string, in, out any) int {
	t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, url, err, b)
		}
	}
	return resp.StatusCode
}

// wait polls a run until it is final; the API's stream of events is tested elsewhere.
func wait(t *testing.T, srv *levadatest.Server, id string) runView {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var r runView
		call(t, http.MethodGet, srv.URL+"/api/v1/runs/"+id, nil, &r)
		switch r.State {
		case "SUCCEEDED", "FAILED", "CANCELED", "SKIPPED":
			return r
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("run %s is still %s\n%s", id, r.State, srv.Log())
		}
	}
}

// logs returns the text of the newest attempt of the task "step".
func logs(t *testing.T, srv *levadatest.Server, id string) string {
	t.Helper()
	var l struct {
		Lines []struct {
			Text string `json:"text"`
		} `json:"lines"`
	}
	call(t, http.MethodGet, srv.URL+"/api/v1/runs/"+id+"/tasks/step/logs?limit=100000", nil, &l)
	var b strings.Builder
	for _, line := range l.Lines {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}

func TestAStepThatMisbehavesFailsItsRunWithTheReason(t *testing.T) {
	srv := levadatest.Start(t)
	for _, c := range []struct {
		name, script, resources string
		reason, says            string
		exit                    int
	}{
		{name: "exits with a status", script: "echo no such file >&2; exit 3", reason: "ExitError", says: "no such file", exit: 3},
		{name: "is killed", script: "kill -9 $$", reason: "Killed", says: "9"},
		{name: "uses more memory than it may", resources: "resourceMemoryLimit: 100M", reason: "OutOfMemory", says: "memory",
			script: `exec python3 -c "
import time
hog = [bytearray(1 << 20) for _ in range(400)]
time.sleep(60)"`},
		{name: "names a program that is not there", script: "exec /no/such/program", reason: "ExitError", says: "no/such/program", exit: 127},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := wait(t, srv, submit(t, srv, shell(c.script, c.resources)).ID)
			if r.State != "FAILED" || r.Failure == nil {
				t.Fatalf("run is %s with failure %v", r.State, r.Failure)
			}
			if r.Failure.Reason != c.reason || !strings.Contains(r.Failure.Message, c.says) || !strings.Contains(r.Failure.Message, `"step"`) {
				t.Errorf("failure is %+v; want reason %s and a message with %q that names the step", r.Failure, c.reason, c.says)
			}
			if c.exit != 0 && r.Failure.ExitCode != c.exit {
				t.Errorf("exit code is %d, want %d", r.Failure.ExitCode, c.exit)
			}
		})
	}
	stillWorks(t, srv)
}

func TestANumberThatIsNoneFailsTheStep(t *testing.T) {
	srv := levadatest.Start(t)
	spec := strings.NewReplacer(
		`components: {op: {executorLabel: e}}`, `components: {op: {executorLabel: e, outputDefinitions: {parameters: {loss: {parameterType: NUMBER_DOUBLE}}}}}`,
	).Replace(shell(`echo nan > {{$.outputs.parameters['loss'].output_file}}`, ""))
	r := wait(t, srv, submit(t, srv, spec).ID)
	if r.State != "FAILED" || r.Failure.Reason != "OutputError" || !strings.Contains(r.Failure.Message, "loss") {
		t.Errorf("run is %s with failure %+v; want an OutputError that names the parameter", r.State, r.Failure)
	}
	stillWorks(t, srv)
}

func TestAGroupThatFailsAgainAndAgainEndsItsRunOnly(t *testing.T) {
	srv := levadatest.Start(t)
	r := wait(t, srv, submit(t, srv, `
schemaVersion: 2.1.0
pipelineInfo: {name: retried-group}
deploymentSpec:
  executors:
    ok: {container: {image: alpine, command: [sh, -c, "true"]}}
    bad: {container: {image: alpine, command: [sh, -c, exit 1]}}
components:
  ok: {executorLabel: ok}
  bad: {executorLabel: bad}
  group: {dag: {tasks: {a: {componentRef: {name: ok}}, b: {componentRef: {name: bad}, dependentTasks: [a]}}}}
root: {dag: {tasks: {g: {componentRef: {name: group}, retryPolicy: {maxRetryCount: 2, backoffDuration: 0.1s}}}}}
`).ID)
	if r.State != "FAILED" || r.Failure.ExitCode != 1 || !strings.Contains(r.Failure.Message, "g/b") {
		t.Errorf("run is %s with failure %+v", r.State, r.Failure)
	}
	stillWorks(t, srv)
}

func TestBinaryGarbageInALogIsShownAndHarmsNothing(t *testing.T) {
	srv := levadatest.Start(t)
	r := wait(t, srv, submit(t, srv, shell(`head -c 100000 /dev/urandom; printf '\nbefore \377\033[31m after\n'`, "")).ID)
	if r.State != "SUCCEEDED" {
		t.Errorf("run is %s: %+v", r.State, r.Failure)
	}
	if got := logs(t, srv, r.ID); !strings.Contains(got, `before \xff`) || strings.Contains(got, "\x1b") {
		t.Errorf("the log does not show the last line with its bytes escaped: %q", got[max(0, len(got)-200):])
	}
	stillWorks(t, srv)
}

func TestAGigabyteOfLogsIsCutAndHarmsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 1 GB through the log; not in short mode")
	}
	srv := levadatest.Start(t)
	r := wait(t, srv, submit(t, srv, shell(`yes 'a line of some length that says nothing at all' | head -c 1000000000; echo the end`, "")).ID)
	if r.State != "SUCCEEDED" {
		t.Errorf("run is %s: %+v", r.State, r.Failure)
	}
	if got := logs(t, srv, r.ID); !strings.Contains(got, "the end") || !strings.Contains(got, "dropped") {
		t.Errorf("the log does not hold its end and what was dropped: %q", got[max(0, len(got)-300):])
	}
	var size int64
	err := filepath.Walk(filepath.Join(srv.Data, "logs"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if size > 100<<20 {
		t.Errorf("the logs take %d bytes on disk, want at most 100 MiB", size)
	}
	stillWorks(t, srv)
}

func TestAFullDiskFailsTheStepAndNotTheServer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	data := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", data).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", data).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	r := wait(t, srv, submit(t, srv, shell(`head -c 200000000 /dev/zero > filler`, "")).ID)
	if r.State != "FAILED" || r.Failure == nil || !strings.Contains(strings.ToLower(r.Failure.Message), "no space left") {
		t.Errorf("run is %s with failure %+v; want FAILED with \"no space left\"", r.State, r.Failure)
	}
	stillWorks(t, srv)
	srv.Stop()
}

func TestAStepGoesOnWhenItsServerIsKilledAndIsNotRunAgain(t *testing.T) {
	data := t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	dir := t.TempDir()
	mark, gate := filepath.Join(dir, "started"), filepath.Join(dir, "gate")
	r := submit(t, srv, shell(fmt.Sprintf(`echo $$ >> %s; while ! [ -e %s ]; do sleep 0.01; done; echo finished`, mark, gate), ""))
	waitForFile(t, mark)
	srv.Kill()
	if pid := strings.Fields(read(t, mark))[0]; !running(pid) {
		t.Error("the step ended with its server")
	}
	srv = levadatest.StartOn(t, data)
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, srv, r.ID); got.State != "SUCCEEDED" {
		t.Errorf("run is %s: %+v", got.State, got.Failure)
	}
	if n := len(strings.Fields(read(t, mark))); n != 1 {
		t.Errorf("the step ran %d times", n)
	}
	if got := logs(t, srv, r.ID); !strings.Contains(got, "finished") {
		t.Errorf("the log does not hold what the step printed in the end: %q", got)
	}
	stillWorks(t, srv)
}

func TestInterruptEndsStepsAndSIGTERMLetsThemGoOn(t *testing.T) {
	for _, c := range []struct {
		signal os.Signal
		goesOn bool
	}{{os.Interrupt, false}, {syscall.SIGTERM, true}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			data := t.TempDir()
			levadatest.ShareEnvironments(t, data)
			srv := levadatest.StartOn(t, data)
			dir := t.TempDir()
			mark, gate := filepath.Join(dir, "started"), filepath.Join(dir, "gate")
			r := submit(t, srv, shell(fmt.Sprintf(`echo $$ >> %s; while ! [ -e %s ]; do sleep 0.01; done`, mark, gate), ""))
			waitForFile(t, mark)
			srv.StopWith(c.signal)
			if got := running(strings.Fields(read(t, mark))[0]); got != c.goesOn {
				t.Errorf("after %s the step runs: %v, want %v", c.signal, got, c.goesOn)
			}
			if err := os.WriteFile(gate, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			srv = levadatest.StartOn(t, data)
			if got := wait(t, srv, r.ID); got.State != "SUCCEEDED" {
				t.Errorf("run is %s: %+v", got.State, got.Failure)
			}
			want := 2
			if c.goesOn {
				want = 1
			}
			if n := len(strings.Fields(read(t, mark))); n != want {
				t.Errorf("the step ran %d times, want %d", n, want)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestACancelledRunLeavesNoProcess(t *testing.T) {
	srv := levadatest.Start(t)
	mark := filepath.Join(t.TempDir(), "pids")
	r := submit(t, srv, shell(fmt.Sprintf(`sleep 600 & echo $$ $! > %s.tmp; mv %[1]s.tmp %[1]s; wait`, mark), ""))
	waitForFile(t, mark)
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/runs/"+r.ID+"/cancel", nil, nil); status != http.StatusOK {
		t.Fatalf("cancel: status %d", status)
	}
	if got := wait(t, srv, r.ID); got.State != "CANCELED" {
		t.Errorf("run is %s", got.State)
	}
	pids, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		if running(pid) {
			t.Errorf("process %s of the step still runs", pid)
		}
	}
}

// running reports whether a process exists and is more than an entry that nobody has collected yet.
func running(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// stillWorks runs a harmless pipeline.
func stillWorks(t *testing.T, srv *levadatest.Server) {
	t.Helper()
	if r := wait(t, srv, submit(t, srv, shell("echo fine", "")).ID); r.State != "SUCCEEDED" {
		t.Errorf("a later run is %s: %+v\n%s", r.State, r.Failure, srv.Log())
	}
}

func waitForFile(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s does not appear: the step has not started", path)
		}
	}
}
