package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"levada/internal/adapter/runner"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// isolated makes a fixture whose steps get views of their own, or skips where the machine allows none.
func isolated(t *testing.T, mode runner.Mode) *fixture {
	t.Helper()
	f := newFixture(t, func(o *runner.Options) { o.Mode = mode })
	if err := f.Isolation(); err != nil {
		t.Skipf("this machine allows no mount namespaces: %v", err)
	}
	return f
}

func views(t *testing.T, test func(t *testing.T, f *fixture)) {
	for _, mode := range []runner.Mode{runner.Exec, runner.Warm} {
		t.Run(string(mode), func(t *testing.T) { test(t, isolated(t, mode)) })
	}
}

func TestStepsThatRunAtOnceDoNotShareTmp(t *testing.T) {
	views(t, func(t *testing.T, f *fixture) {
		const name = "/tmp/levada-isolation-test"
		if err := os.WriteFile(name, []byte("the machine's own"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(name) })
		// Each waits until the other has written too.
		meet := t.TempDir()
		var wg sync.WaitGroup
		for i := range 2 {
			s := f.python(fmt.Sprintf(`
def f() -> str:
    import os, pathlib, time
    assert not os.path.exists(%[1]q), os.listdir('/tmp')
    open(%[1]q, 'w').write('%[2]d')
    pathlib.Path(%[3]q, '%[2]d').touch()
    while len(os.listdir(%[3]q)) < 2:
        time.sleep(0.01)
    return open(%[1]q).read()
`, name, i, meet))
			parameter(s, "Output", ir.String)
			wg.Go(func() {
				v, err := f.Runner.Run(t.Context(), s)
				f.Settle(s.ID())
				if err != nil || v.Parameters["Output"] != fmt.Sprint(i) {
					t.Errorf("step %d: %v %v\n%s", i, v, err, f.log(s))
				}
			})
		}
		wg.Wait()
		f.Settled()
		if b, err := os.ReadFile(name); err != nil || string(b) != "the machine's own" {
			t.Errorf("the machine's file holds %q, %v", b, err)
		}
		if left, _ := filepath.Glob(filepath.Join(f.data, "work", "*", "*")); len(left) > 0 {
			t.Errorf("the steps left %v", left)
		}
		if f.Stats().Fallbacks != 0 {
			t.Errorf("a warm host was not used: %+v", f.Stats())
		}
	})
}

func TestStepsFindTheProgramsTheyAreGivenAlsoBelowTmp(t *testing.T) {
	elsewhere, err := os.MkdirTemp("/tmp", "levada-isolation-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(elsewhere) })
	program := filepath.Join(elsewhere, "bin", "program")
	if err := errors.Join(os.Mkdir(filepath.Dir(program), 0o755), os.WriteFile(program, []byte("#!/bin/sh\necho found"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []runner.Mode{runner.Exec, runner.Warm} {
		t.Run(string(mode), func(t *testing.T) {
			f := newFixture(t, func(o *runner.Options) {
				o.Mode, o.Commands = mode, filepath.Join(o.DataDir, "commands")
				if err := errors.Join(os.MkdirAll(o.Commands, 0o755), os.Symlink(program, filepath.Join(o.Commands, "levada-test-program"))); err != nil {
					t.Fatal(err)
				}
			})
			if err := f.Isolation(); err != nil {
				t.Skipf("this machine allows no mount namespaces: %v", err)
			}
			s := f.python("def f() -> str:\n    import subprocess\n    return subprocess.check_output('levada-test-program', text=True)")
			parameter(s, "Output", ir.String)
			v, err := f.Runner.Run(t.Context(), s)
			f.Settle(s.ID())
			if err != nil || v.Parameters["Output"] != "found\n" {
				t.Errorf("%v %v\n%s", v, err, f.log(s))
			}
		})
	}
}

func TestTheWorkspaceOfEachRunIsAtOnePath(t *testing.T) {
	views(t, func(t *testing.T, f *fixture) {
		write := f.python("def f():\n    open('/kfp-workspace/x', 'w').write('a')")
		write.Job.WorkspacePath = filepath.Join(f.data, "workspaces", "run-1")
		f.must(write)
		other := f.command("alpine", "sh", "-c", "ls -A /kfp-workspace; echo b > /kfp-workspace/x")
		other.Job.RunID, other.Job.WorkspacePath = "run-2", filepath.Join(f.data, "workspaces", "run-2")
		f.must(other)
		contains(t, f.log(other), "")
		if strings.Contains(f.log(other), "x") {
			t.Errorf("a run sees the workspace of another:\n%s", f.log(other))
		}
		read := f.command("alpine", "cat", "/kfp-workspace/x")
		read.Job = write.Job
		f.must(read)
		contains(t, f.log(read), "stdout a")
		if _, err := os.Stat("/kfp-workspace"); err == nil {
			t.Error("the machine has a directory /kfp-workspace now")
		}
	})
}

func TestAnArtifactBelowTmpIsCollected(t *testing.T) {
	views(t, func(t *testing.T, f *fixture) {
		s := f.python(`
def f(out: Output[Dataset]):
    out.custom_path = '/tmp/levada-made-here'
    open('/tmp/levada-made-here', 'w').write('content')
`)
		artifact(s, "out", "system.Dataset")
		s.Executor.Container.Command[2] = strings.Replace(install, "2.14.6", "2.15.2", 1)
		out := f.must(s).Artifacts["out"]
		if len(out) != 1 || out[0].Digest == "" {
			t.Fatalf("got %+v\n%s", out, f.log(s))
		}
		if got := f.content(out[0].Digest, ""); got != "content" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAPathThatAParameterNamesIsSharedWithTheMachine(t *testing.T) {
	f := isolated(t, runner.Exec)
	dir, err := os.MkdirTemp("/tmp", "levada-shared-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// A file as such, in a directory of which nothing else is shared.
	from := t.TempDir()
	data := filepath.Join(from, "of", "january.csv")
	if err := errors.Join(os.Mkdir(filepath.Dir(data), 0o755), os.WriteFile(data, []byte("here\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s := f.command("alpine", "sh", "-c", "cat {{$.inputs.parameters['from']}} > {{$.inputs.parameters['to']}}; ls /tmp")
	s.Inputs.Parameters = map[string]any{"from": data, "to": filepath.Join(dir, "file"), "gone": "/tmp/levada-is-not-here/x"}
	f.must(s)
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "here\n" {
		t.Errorf("%q, %v\n%s", b, err, f.log(s))
	}
	contains(t, f.log(s), `parameter "gone" names /tmp/levada-is-not-here/x, which is not on this machine`)
}

func TestWithoutIsolationStepsFindTheirFilesElsewhere(t *testing.T) {
	f := newFixture(t, func(o *runner.Options) { o.NoIsolation = true })
	if err := f.Isolation(); err == nil || !strings.Contains(err.Error(), "isolation") {
		t.Errorf("the reason is %v", err)
	}
	s := f.command("alpine", "sh", "-c", "echo $TMPDIR")
	s.Job.WorkspacePath = filepath.Join(f.data, "workspaces", "run-1")
	f.must(s)
	contains(t, f.log(s), "nothing can be mounted at /kfp-workspace on this machine", s.Job.WorkspacePath, "stdout "+f.data)
}

func TestAProgramThatIsNotThereIsNamedInAViewToo(t *testing.T) {
	f := isolated(t, runner.Exec)
	got := f.fails(t.Context(), f.command("alpine", "/no/such/program"), run.ReasonUnsupported)
	contains(t, got.Message, "/no/such/program", "no such file")
}

func TestAServerThatIsStartedBelowTmpIsolatesItsStepsToo(t *testing.T) {
	want := newFixture(t, nil).Isolation()
	dir, err := os.MkdirTemp("/tmp", "levada-cwd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Chdir(dir)
	if got := newFixture(t, nil).Isolation(); (got == nil) != (want == nil) {
		t.Errorf("started in %s: %v; elsewhere: %v", dir, got, want)
	}
}

func TestAnImporterUnderstandsThePathsAndAddressesOfArtifacts(t *testing.T) {
	var tasks map[string]run.Task
	f := newFixture(t, func(o *runner.Options) {
		o.Task = func(_ context.Context, _, taskID string) (run.Task, error) { return tasks[taskID], nil }
	})
	made := f.command("alpine", "sh", "-c", `echo content > "$0"; echo "$0"`, "{{$.outputs.artifacts['out'].path}}")
	artifact(made, "out", "system.Dataset")
	out := f.must(made).Artifacts["out"][0]
	read := f.command("alpine", "echo", "{{$.inputs.artifacts['in'].path}}")
	read.Inputs.Artifacts = map[string][]run.Artifact{"in": {out}}
	f.must(read)
	tasks = map[string]run.Task{
		made.TaskID: {Path: "made", Outputs: run.Values{Artifacts: map[string][]run.Artifact{"out": {out}}}},
		read.TaskID: {Path: "read", Inputs: read.Inputs},
	}
	printed := func(s *run.Step) string {
		_, path, _ := strings.Cut(f.log(s), "stdout ")
		path, _, _ = strings.Cut(path, "\n")
		return path
	}
	for _, uri := range []string{out.URI, printed(made), printed(read)} {
		if got := f.must(f.importer(ir.Importer{ArtifactURI: constant(uri)})).Artifacts["artifact"][0]; got.Digest != out.Digest || got.URI != uri {
			t.Errorf("%s: got %+v, want the content %s", uri, got, out.Digest)
		}
	}
	gone := strings.Replace(printed(read), "/in/0/", "/in/7/", 1)
	contains(t, f.fails(t.Context(), f.importer(ir.Importer{ArtifactURI: constant(gone)}), run.ReasonInput).Message, "no artifact is known by it")
}
