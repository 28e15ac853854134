package runner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// sharing is a step that counts its life in a module's state and returns it with its process.
func (f *fixture) sharing(mode, body string) *run.Step {
	s := f.python("def f() -> str:\n    import os, sys, json\n    json.lives = getattr(json, 'lives', 0) + 1\n" + body +
		"    return f'{os.getpid()} {json.lives}'")
	if mode != "" {
		s.Executor.Container.Env = []ir.EnvVar{{Name: "LEVADA_PYTHON_MODE", Value: mode}}
	}
	parameter(s, "Output", ir.String)
	return s
}

func (f *fixture) life(s *run.Step) (pid, lives int) {
	f.t.Helper()
	text, _ := f.must(s).Parameters["Output"].(string)
	if _, err := fmt.Sscan(text, &pid, &lives); err != nil {
		f.t.Fatalf("%q: %v", text, err)
	}
	return pid, lives
}

func TestStepsShareAProcessOnlyWhereTheirAuthorAsksForIt(t *testing.T) {
	f := newFixture(t, supervised)
	first, n := f.life(f.sharing("reuse", "    print('one')\n"))
	if n != 1 {
		t.Errorf("the first step of a component finds %d lives", n)
	}
	again := f.sharing("reuse", "    print('one')\n")
	second, n := f.life(again)
	if second != first || n != 2 {
		t.Errorf("the second step ran in process %d, life %d; want process %d, life 2", second, n, first)
	}
	contains(t, f.log(again), "stdout one")
	other, n := f.life(f.sharing("reuse", "    print('other')\n"))
	if other == first || n != 1 {
		t.Error("another component shares the process")
	}
	for _, mode := range []string{"", "isolated", "nonsense"} {
		if pid, n := f.life(f.sharing(mode, "    print('one')\n")); pid == first || n != 1 {
			t.Errorf("a step in mode %q shares the process", mode)
		}
	}
}

func TestAStepThatFailsIsTheLastOfItsProcess(t *testing.T) {
	f := newFixture(t, supervised)
	mark := filepath.Join(t.TempDir(), "fail")
	body := fmt.Sprintf("    if os.path.exists(%q): raise ValueError('bad')\n", mark)
	first, _ := f.life(f.sharing("reuse", body))
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, f.fails(t.Context(), f.sharing("reuse", body), run.ReasonExit).Message, "ValueError: bad")
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if pid, n := f.life(f.sharing("reuse", body)); pid == first || n != 1 {
		t.Errorf("process %d, life %d; want another than %d, and life 1", pid, n, first)
	}
}

func TestWhatAStepOfASharedProcessLeavesIsEndedAndTheProcessIsNot(t *testing.T) {
	f := newFixture(t, supervised)
	const body = "    import subprocess\n    p = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n    print('child', p.pid)\n"
	s := f.sharing("reuse", body)
	first, _ := f.life(s)
	var child int
	for _, line := range strings.Split(f.log(s), "\n") {
		_, _ = fmt.Sscanf(line, "stdout child %d", &child)
	}
	gone(t, fmt.Sprint(child))
	if pid, n := f.life(f.sharing("reuse", body)); pid != first || n != 2 {
		t.Errorf("process %d, life %d; want %d, 2", pid, n, first)
	}
}
