// Package chaos kills what runs Levada, at random moments, while a run of many Python steps is going on.
//
// It looks from outside: at the run's state, and at the files that the steps write as side effects. `make chaos` runs it at full
// length; CHAOS_KILLS and CHAOS_STEPS set other lengths, CHAOS_SEED repeats the choice of victims and pauses.
package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"levada/test/levadatest"
)

// source is a step that writes down each of its lives: when it starts it checks that no other life of it is still there.
const source = `
import kfp
from kfp import dsl
from kfp.dsl import *
from typing import *

def f(n: int, folder: str, most: float) -> int:
    import os, random, time
    mine = os.path.join(folder, str(n))
    if os.path.exists(mine):
        for line in open(mine):
            word, attempt, pid = line.split()
            root = '/%s.%s/' % (attempt.rpartition('-')[0], attempt.rpartition('-')[2])
            try:
                if word == 'began' and root in os.readlink('/proc/' + pid + '/cwd'):
                    open(mine, 'a').write('beside %s %s\n' % (attempt, pid))
            except OSError:
                pass
    me = os.environ['KFP_POD_UID'] + ' ' + str(os.getpid()) + '\n'
    with open(mine, 'a') as file:
        file.write('began ' + me)
    time.sleep(random.random() * most)
    with open(mine, 'a') as file:
        file.write('ended ' + me)
    return n
`

const install = "\nif ! [ -x \"$(command -v pip)\" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n" +
	"PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location 'kfp==2.17.0' '--no-deps' && \"$0\" \"$@\"\n"

const program = "program_path=$(mktemp -d)\n\nprintf \"%s\" \"$0\" > \"$program_path/ephemeral_component.py\"\n" +
	"_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path                         \"$program_path/ephemeral_component.py\"                         \"$@\"\n"

// pipeline is a loop over so many steps, each followed by nothing.
func pipeline(t *testing.T, steps int, folder string, most float64) string {
	items := make([]int, steps)
	for i := range items {
		items[i] = i
	}
	constant := func(v any) any { return map[string]any{"runtimeValue": map[string]any{"constant": v}} }
	type m = map[string]any
	parameters := m{"n": m{"parameterType": "NUMBER_INTEGER"}, "folder": m{"parameterType": "STRING"}, "most": m{"parameterType": "NUMBER_DOUBLE"}}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return text(m{
		"schemaVersion": "2.1.0",
		"pipelineInfo":  m{"name": "chaos"},
		"deploymentSpec": m{"executors": m{"e": m{"container": m{
			"image": "python:3.11", "command": []string{"sh", "-c", install, "sh", "-ec", program, source},
			"args": []string{"--executor_input", "{{$}}", "--function_to_execute", "f"},
		}}}},
		"components": m{
			"op": m{"executorLabel": "e", "inputDefinitions": m{"parameters": parameters}, "outputDefinitions": m{"parameters": m{"Output": m{"parameterType": "NUMBER_INTEGER"}}}},
			"body": m{
				"inputDefinitions": m{"parameters": m{"item": m{"parameterType": "NUMBER_INTEGER"}}},
				"dag": m{"tasks": m{"step": m{
					"componentRef": m{"name": "op"}, "taskInfo": m{"name": "step"},
					"inputs": m{"parameters": m{"n": m{"componentInputParameter": "item"}, "folder": constant(folder), "most": constant(most)}},
				}}},
			},
		},
		"root": m{"dag": m{"tasks": m{"loop": m{
			"componentRef": m{"name": "body"}, "taskInfo": m{"name": "loop"},
			"parameterIterator": m{"itemInput": "item", "items": m{"raw": text(items)}},
		}}}},
	})
}

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// trial is a run under attack.
type trial struct {
	t      *testing.T
	random *rand.Rand
	data   string
	folder string
	server *levadatest.Server
	killed map[string]int
}

// attack runs a pipeline, kills the given victims at random moments until it has killed enough, and waits for the end.
func attack(t *testing.T, victims []string) *trial {
	steps, kills, seed := setting(t, "CHAOS_STEPS", 40), setting(t, "CHAOS_KILLS", 10), setting(t, "CHAOS_SEED", 1)
	c := &trial{t: t, random: rand.New(rand.NewPCG(uint64(seed), 0)), data: t.TempDir(), folder: t.TempDir(), killed: map[string]int{}}
	levadatest.ShareEnvironments(t, c.data)
	c.server = levadatest.StartOn(t, c.data)
	// Long enough that the run is still going on when the last victim falls.
	most := 1 + 12*float64(kills)/float64(steps)
	id := c.submit(pipeline(t, steps, c.folder, most))
	began := time.Now()
	done := 0
	for done < kills && !final(c.state(id)) {
		c.pause(time.Duration(c.random.IntN(400)) * time.Millisecond)
		if c.kill(victims[c.random.IntN(len(victims))]) {
			done++
		}
	}
	state := c.wait(id)
	t.Logf("%d steps, %v killed in %s, seed %d: run is %s", steps, c.killed, time.Since(began).Round(time.Second), seed, state)
	if state != "SUCCEEDED" {
		t.Fatalf("run is %s: %s\n%s", state, c.failure(id), c.server.Log())
	}
	if done < kills*3/4 {
		t.Errorf("the run ended after %d of %d kills: its steps are too short", done, kills)
	}
	if n := len(c.files()); n != steps {
		t.Errorf("%d steps left a file, want %d", n, steps)
	}
	return c
}

func (c *trial) files() []string {
	names, err := filepath.Glob(filepath.Join(c.folder, "*"))
	if err != nil {
		c.t.Fatal(err)
	}
	return names
}

// lives returns what each step wrote, by its number.
func (c *trial) lives() map[string][]string {
	out := map[string][]string{}
	for _, name := range c.files() {
		b, err := os.ReadFile(name)
		if err != nil {
			c.t.Fatal(err)
		}
		out[filepath.Base(name)] = strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	return out
}

// pause waits; a random pause is what this test is about.
func (c *trial) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.t.Context().Done():
	}
}

// kill kills a victim, if there is one at the moment.
func (c *trial) kill(victim string) bool {
	if victim == "server" {
		c.server.Kill()
		c.killed[victim]++
		c.server = levadatest.StartOn(c.t, c.data)
		return true
	}
	pids := c.supervisors()
	if victim == "host" {
		pids = hosts(pids)
	}
	if len(pids) == 0 || syscall.Kill(pids[c.random.IntN(len(pids))], syscall.SIGKILL) != nil {
		return false
	}
	c.killed[victim]++
	return true
}

// supervisors returns the processes that own steps of this data directory; their log is the only thing that names it.
func (c *trial) supervisors() []int {
	var out []int
	for _, pid := range processes("supervise-steps") {
		if log, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/2", pid)); err == nil && log == filepath.Join(c.data, "supervisor.log") {
			out = append(out, pid)
		}
	}
	return out
}

// hosts returns the warm hosts of supervisors: those of their children that have children themselves.
func hosts(supervisors []int) []int {
	var out []int
	all := processes("warmhost.py")
	for _, pid := range all {
		isParent := slices.ContainsFunc(all, func(other int) bool { return parent(other) == pid })
		if slices.Contains(supervisors, parent(pid)) && isParent {
			out = append(out, pid)
		}
	}
	return out
}

func processes(word string) []int {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	var out []int
	for _, name := range names {
		line, err := os.ReadFile(name)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil && bytes.Contains(line, []byte(word)) && pid != os.Getpid() {
			out = append(out, pid)
		}
	}
	return out
}

func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

func (c *trial) submit(spec string) string {
	c.t.Helper()
	body, err := json.Marshal(map[string]string{"spec": spec})
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.Post(c.server.URL+"/api/v1/runs", "application/json", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var r struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil || resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("submit: %s, %v", resp.Status, err)
	}
	return r.ID
}

// runView is what the API says of a run.
type runView struct {
	State   string          `json:"state"`
	Failure json.RawMessage `json:"failure"`
}

func (c *trial) look(id string) (r runView) {
	c.t.Helper()
	resp, err := c.server.Get(c.t.Context(), "/api/v1/runs/"+id)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *trial) state(id string) string   { return c.look(id).State }
func (c *trial) failure(id string) string { return string(c.look(id).Failure) }

func final(state string) bool {
	return slices.Contains([]string{"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}, state)
}

func (c *trial) wait(id string) string {
	c.t.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for time.Now().Before(deadline) {
		if s := c.state(id); final(s) {
			return s
		}
		c.pause(50 * time.Millisecond)
	}
	c.t.Fatalf("run %s does not end\n%s", id, c.server.Log())
	return ""
}

func TestNoKillOfServerOrWarmHostRunsAStepTwice(t *testing.T) {
	c := attack(t, []string{"server", "server", "server", "host"})
	for n, lives := range c.lives() {
		if len(lives) != 2 || !strings.HasPrefix(lives[0], "began ") || lives[1] != strings.Replace(lives[0], "began", "ended", 1) {
			t.Errorf("step %s: %q, want one life", n, lives)
		}
	}
}

func TestAKilledSupervisorCostsAnAttemptAndNeverRunsTwoAtOnce(t *testing.T) {
	c := attack(t, []string{"server", "server", "host", "supervisor"})
	cut := 0
	for n, lives := range c.lives() {
		var ended int
		attempts := map[string]bool{}
		for _, l := range lives {
			f := strings.Fields(l)
			switch {
			case len(f) != 3 || f[0] == "beside":
				t.Errorf("step %s: two lives at once: %q", n, lives)
			case f[0] == "began":
				if attempts[f[1]] {
					t.Errorf("step %s: attempt %s ran twice: %q", n, f[1], lives)
				}
				attempts[f[1]] = true
			case f[0] == "ended":
				ended++
			}
		}
		if ended == 0 {
			t.Errorf("step %s never ended: %q", n, lives)
		}
		cut += len(attempts) - 1
	}
	t.Logf("%d attempts were cut short by %d kills of a supervisor", cut, c.killed["supervisor"])
	if c.killed["supervisor"] == 0 && cut > 0 {
		t.Errorf("%d steps ran again although no supervisor was killed", cut)
	}
}
