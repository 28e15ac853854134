package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/pyenv"
	"levada/internal/adapter/runner"
	"levada/internal/adapter/steplog"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == runner.SuperviseCommand {
		os.Exit(runner.Supervise(os.Environ()))
	}
	if len(os.Args) > 1 && os.Args[1] == runner.EnterCommand {
		os.Exit(runner.Enter(os.Args[2:], os.Environ())) // the test program stands in for levada
	}
	if filepath.Base(os.Args[0]) == "levada" {
		args, err := os.Args[1:], error(nil)
		if len(args) == 2 && args[0] == runner.ArgumentsCommand {
			args, err = runner.Arguments(args[1])
		}
		fmt.Println(err, len(args), "arguments, the longest of", len(slices.MaxFunc(args, func(a, b string) int { return len(a) - len(b) })), "bytes, the last", args[len(args)-1])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// cacheDir is kept between test runs: environments are slow to make.
func cacheDir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("LEVADA_TEST_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "levada-test")
}

// fixture is a runner with real environments, a real blob store and real logs.
type fixture struct {
	settling sync.Mutex
	*runner.Runner
	t     testing.TB
	data  string
	blobs *blob.Store
	logs  *steplog.Store
	next  int
}

func newFixture(t testing.TB, change func(*runner.Options)) *fixture {
	t.Helper()
	data := t.TempDir()
	blobs, err := blob.Open(filepath.Join(data, "blobs"), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	logs := steplog.New(steplog.Options{Dir: filepath.Join(data, "logs")})
	environ := append(os.Environ(), "LEVADA_SECRET=hunter2")
	envs := pyenv.New(pyenv.Options{Dir: filepath.Join(cacheDir(t), "envs"), Environ: environ})
	opt := runner.Options{
		DataDir: data, Envs: envs, Blobs: blobs, Logs: logs, Environ: environ, Grace: 2 * time.Second, Cores: 8,
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
	if change != nil {
		change(&opt)
	}
	f := &fixture{Runner: runner.New(opt), t: t, data: data, blobs: blobs, logs: logs}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := f.Close(ctx); err != nil {
			t.Error(err)
		}
		envs.Close()
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// modes runs a test in both modes, and with a supervisor.
func modes(t *testing.T, test func(t *testing.T, f *fixture)) {
	for _, mode := range []runner.Mode{runner.Exec, runner.Warm} {
		t.Run(string(mode), func(t *testing.T) {
			test(t, newFixture(t, func(o *runner.Options) { o.Mode = mode }))
		})
	}
	t.Run("supervised", func(t *testing.T) { test(t, newFixture(t, supervised)) })
}

func supervised(o *runner.Options) { o.Supervised = true }

const install = `
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location 'kfp==2.14.6' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<"3.9"' && "$0" "$@"
`

const program = `program_path=$(mktemp -d)

printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path                         "$program_path/ephemeral_component.py"                         "$@"
`

// python makes the step of a lightweight component whose function is called f.
func (f *fixture) python(source string) *run.Step {
	s := f.command("python:3.11", "sh", "-c", install, "sh", "-ec", program,
		"\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"+source+"\n")
	s.Executor.Container.Args = []string{"--executor_input", "{{$}}", "--function_to_execute", "f"}
	return s
}

func (f *fixture) command(image string, words ...string) *run.Step {
	f.next++
	return &run.Step{
		Job:    run.Job{RunID: "run-1", Name: "r", ResourceName: "p-1", PipelineName: "p", CreatedAt: time.Now(), ScheduledAt: time.Now()},
		TaskID: fmt.Sprintf("task-%d-%d", os.Getpid(), f.next), TaskPath: "a-task", TaskName: "a-task", Attempt: 1, Iteration: -1,
		Component: &ir.Component{InputDefinitions: &ir.InputDefinitions{}, OutputDefinitions: &ir.OutputDefinitions{}},
		Executor:  &ir.Executor{Container: &ir.Container{Image: image, Command: words}},
	}
}

func parameter(s *run.Step, name string, t ir.ParameterType) {
	if s.Component.OutputDefinitions.Parameters == nil {
		s.Component.OutputDefinitions.Parameters = map[string]*ir.OutputParameter{}
	}
	s.Component.OutputDefinitions.Parameters[name] = &ir.OutputParameter{ParameterType: t}
}

func artifact(s *run.Step, name, title string) {
	if s.Component.OutputDefinitions.Artifacts == nil {
		s.Component.OutputDefinitions.Artifacts = map[string]*ir.OutputArtifact{}
	}
	s.Component.OutputDefinitions.Artifacts[name] = &ir.OutputArtifact{ArtifactType: ir.ArtifactType{SchemaTitle: title, SchemaVersion: "0.0.1"}}
}

// must runs a step that succeeds.
func (f *fixture) must(s *run.Step) run.Values {
	f.t.Helper()
	v, err := f.Run(f.t.Context(), s)
	if err != nil {
		f.t.Fatalf("%v\n%s", err, f.log(s))
	}
	return v
}

// Run runs a step and says that its result is safe.
func (f *fixture) Run(ctx context.Context, s *run.Step) (run.Values, error) {
	v, err := f.Runner.Run(ctx, s)
	f.settling.Lock() // what is waited for must not grow meanwhile
	defer f.settling.Unlock()
	f.Settle(s.ID())
	f.Settled()
	return v, err
}

// fails runs a step that fails with a reason.
func (f *fixture) fails(ctx context.Context, s *run.Step, want run.Reason) *run.Failure {
	f.t.Helper()
	_, err := f.Run(ctx, s)
	var got *run.Failure
	if !errors.As(err, &got) || got.Reason != want {
		f.t.Fatalf("got %v, want a failure with reason %s\n%s", err, want, f.log(s))
	}
	return got
}

func (f *fixture) log(s *run.Step) string {
	var b strings.Builder
	err := f.logs.Read(context.Background(), s.Job.RunID, s.TaskID, s.Attempt, false, func(l run.LogLine) error {
		if b.Len() < 1<<20 {
			fmt.Fprintf(&b, "%s %s\n", l.Stream, l.Text)
		}
		return nil
	})
	if err != nil {
		f.t.Error(err)
	}
	return b.String()
}

func (f *fixture) content(digest, path string) string {
	f.t.Helper()
	r, err := f.blobs.Open(context.Background(), digest, path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

func TestAPythonComponentGivesItsParametersAndArtifacts(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		s := f.python(`
def f(text: str, n: int, out: Output[Dataset], m: Output[Metrics]) -> NamedTuple('Outputs', [('a', str), ('b', int), ('c', list)]):
    import os
    print('päth', out.path)
    os.makedirs(out.path)
    for i in range(n):
        open(os.path.join(out.path, f'{i}.txt'), 'w').write(text)
    out.metadata['rows'] = n
    m.log_metric('loss', float('nan'))
    return (text, n, [1, 'x'])
`)
		s.Inputs.Parameters = map[string]any{"text": "grüße\n", "n": 3.0}
		parameter(s, "a", ir.String)
		parameter(s, "b", ir.NumberInteger)
		parameter(s, "c", ir.List)
		artifact(s, "out", "system.Dataset")
		artifact(s, "m", "system.Metrics")
		v := f.must(s)
		if diff := cmp.Diff(map[string]any{"a": "grüße\n", "b": 3.0, "c": []any{1.0, "x"}}, v.Parameters); diff != "" {
			t.Error(diff)
		}
		out := v.Artifacts["out"][0]
		if out.Files != 3 || !strings.HasPrefix(out.Digest, "dir-sha256:") || out.URI != "levada://"+out.Digest || out.Metadata["rows"] != 3.0 {
			t.Errorf("out: %+v", out)
		}
		if got := f.content(out.Digest, "1.txt"); got != "grüße\n" {
			t.Errorf("content: %q", got)
		}
		if m := v.Artifacts["m"][0]; m.Digest != "" || m.Metadata["loss"] != "NaN" {
			t.Errorf("m: %+v", m)
		}
		contains(t, f.log(s), "stdout päth ", "/outputs/a-task/out")
		if strings.Contains(f.log(s), "has no content") {
			t.Error("a warning for metrics without a file")
		}

		r := f.python(`
def f(data: Input[Dataset]) -> str:
    import os
    assert data.metadata['rows'] == 3
    assert '/a-task/' in data.uri, data.uri
    return ' '.join(sorted(os.listdir(data.path)))
`)
		r.TaskName = "read"
		r.Inputs.Artifacts = map[string][]run.Artifact{"data": {out}}
		parameter(r, "Output", ir.String)
		if got := f.must(r).Parameters["Output"]; got != "0.txt 1.txt 2.txt" {
			t.Errorf("read: %q", got)
		}
		if st := f.Stats(); st.Fallbacks != 0 {
			t.Errorf("stats: %+v\n%s", st, f.log(r))
		}
	})
}

func TestAnExceptionBecomesTheFailureMessage(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		s := f.python("def f():\n    def g(): raise ValueError('bad\\nreally bad')\n    g()")
		got := f.fails(t.Context(), s, run.ReasonExit)
		if got.ExitCode != 1 {
			t.Errorf("exit code %d", got.ExitCode)
		}
		contains(t, got.Message, "ValueError: bad\nreally bad")
		contains(t, f.log(s), "stderr Traceback (most recent call last):", "ephemeral_component.py", "directory is kept: ")
		if strings.Contains(f.log(s), "warmhost.py") || strings.Contains(f.log(s), "warmstep.py") {
			t.Error("the traceback shows the warm host")
		}

		s = f.python("def f():\n    import a_module_nobody_has")
		contains(t, f.fails(t.Context(), s, run.ReasonExit).Message, "ModuleNotFoundError", "packages_to_install")
		s = f.python("def f():\n    import sys\n    sys.exit(7)")
		if got := f.fails(t.Context(), s, run.ReasonExit); got.ExitCode != 7 {
			t.Errorf("exit code %d", got.ExitCode)
		}
		s = f.python("def f():\n    import sys\n    sys.exit('in words')")
		contains(t, f.fails(t.Context(), s, run.ReasonExit).Message, "exit code 1: in words")
		s = f.python("def f():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)")
		if got := f.fails(t.Context(), s, run.ReasonKilled); got.ExitCode != 137 {
			t.Errorf("exit code %d", got.ExitCode)
		}
		s = f.python("def f():\n    import ctypes\n    ctypes.string_at(0)")
		if got := f.fails(t.Context(), s, run.ReasonKilled); got.ExitCode != 139 {
			t.Errorf("exit code %d", got.ExitCode)
		}
		f.must(f.python("def f(): pass"))
	})
}

func TestAStepBehavesAsAnInterpreterOfItsOwn(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		s := f.python(`
def f() -> dict:
    import atexit, os, random, signal, sys, threading, time, tempfile, multiprocessing, subprocess
    global keep
    atexit.register(lambda: print('at exit'))
    threading.Thread(target=lambda: (time.sleep(0.2), print('thread done'))).start()
    sys.stdout.write('no line break')
    sub = subprocess.run([sys.executable, '-c', 'import os; print(os.environ["MINE"])'], capture_output=True, text=True, check=True)
    return {
        'argv0': os.path.basename(sys.argv[0]), 'main': sys.modules['__main__'].__name__, 'cwd': os.getcwd() in sys.path[:2],
        'secret': os.environ.get('LEVADA_SECRET'), 'home': os.environ['HOME'] == tempfile.gettempdir(), 'mine': sub.stdout.strip(),
        'uid': os.environ['KFP_POD_UID'], 'retry': os.environ['KFP_RETRY_INDEX'], 'sid': os.getsid(0) == os.getpid(),
        'term': signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, 'fds': sorted(int(x) for x in os.listdir('/proc/self/fd') if int(x) > 3 and int(x) != 200),
        'prefix': sys.prefix, 'stdin': sys.stdin.read(), 'libc': subprocess.run(['sh', '-c', 'echo $KFP_RUN_ID'], capture_output=True, text=True).stdout.strip(),
    }
`)
		s.Executor.Container.Env = []ir.EnvVar{{Name: "MINE", Value: "ü"}}
		s.Attempt = 2
		parameter(s, "Output", ir.Struct)
		got, _ := f.must(s).Parameters["Output"].(map[string]any)
		want := map[string]any{
			"main": "__main__", "cwd": true, "secret": nil, "home": true, "mine": "ü", "uid": s.TaskID + "-2", "retry": "1",
			"sid": true, "term": true, "fds": []any{}, "stdin": "", "libc": "run-1",
		}
		delete(got, "argv0")
		delete(got, "prefix")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		contains(t, f.log(s), "no line break", "thread done", "at exit")
	})
}

func TestStepsDoNotShareRandomNumbers(t *testing.T) {
	f := newFixture(t, nil)
	seen := map[any]bool{}
	for range 3 {
		s := f.python("def f() -> float:\n    import random\n    return random.random()")
		parameter(s, "Output", ir.NumberDouble)
		seen[f.must(s).Parameters["Output"]] = true
	}
	if len(seen) != 3 {
		t.Errorf("three steps drew %v", seen)
	}
}

func TestStoppingAStepEndsEverythingItStarted(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		s := f.python(`
def f():
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, lambda *a: os.write(1, b'no, I stay\n'))
    p = subprocess.Popen(['sleep', '1000'])
    print('child', p.pid, flush=True)
    while True: time.sleep(1)
`)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		child := make(chan string, 1)
		following := make(chan error, 1)
		go func() {
			following <- f.logs.Read(t.Context(), s.Job.RunID, s.TaskID, 1, true, func(l run.LogLine) error {
				if pid, ok := strings.CutPrefix(l.Text, "child "); ok {
					child <- pid
					cancel()
				}
				return nil
			})
		}()
		f.fails(ctx, s, run.ReasonCanceled)
		if err := <-following; err != nil {
			t.Error(err)
		}
		contains(t, f.log(s), "no, I stay", "it is killed")
		if b, err := os.ReadFile("/proc/" + <-child + "/stat"); err == nil && !strings.Contains(string(b), ") Z ") {
			t.Errorf("the child is still there: %s", b)
		}
		f.must(f.python("def f(): pass"))
	})
}

func TestABackgroundProcessDoesNotHoldTheStepUp(t *testing.T) {
	f := newFixture(t, nil)
	began := time.Now()
	s := f.command("alpine", "sh", "-c", "sleep 1000 & echo started")
	f.must(s)
	s = f.command("alpine", "sh", "-c", "setsid sleep 1000 & echo started")
	f.must(s)
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestAStepOverItsMemoryLimitIsEnded(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		s := f.python("def f():\n    import time\n    x = bytearray(300 << 20)\n    time.sleep(30)")
		s.Executor.Container.Resources = &ir.Resources{ResourceMemoryLimit: "150Mi"}
		contains(t, f.fails(t.Context(), s, run.ReasonMemory).Message, "limit is 150 MiB")
	})
}

func TestAStepOverItsTimeLimitIsEnded(t *testing.T) {
	f := newFixture(t, nil)
	s := f.command("alpine", "sleep", "1000")
	s.Kubernetes = &ir.KubernetesExecutor{ActiveDeadlineSeconds: json.Number("1")}
	contains(t, f.fails(t.Context(), s, run.ReasonTimeout).Message, "1s")
}

func TestParameterFilesAreReadByTheirType(t *testing.T) {
	f := newFixture(t, nil)
	for _, tt := range []struct {
		t       ir.ParameterType
		written string
		want    any
		bad     string
	}{
		{ir.String, "a line\n", "a line\n", ""},
		{ir.NumberInteger, " 42\n", 42.0, ""},
		{ir.NumberInteger, "4.5", nil, "want NUMBER_INTEGER"},
		{ir.NumberDouble, "4.5\n", 4.5, ""},
		{ir.Boolean, "True\n", true, ""},
		{ir.Boolean, "maybe", nil, "want BOOLEAN"},
		{ir.List, `["ü", 1]`, []any{"ü", 1.0}, ""},
		{ir.Struct, `[1]`, nil, "want STRUCT"},
	} {
		s := f.command("alpine", "sh", "-c", `printf %s "$1" > "$0"`, "{{$.outputs.parameters['x'].output_file}}", tt.written)
		parameter(s, "x", tt.t)
		if tt.bad != "" {
			contains(t, f.fails(t.Context(), s, run.ReasonOutput).Message, `"x"`, tt.bad)
			continue
		}
		if diff := cmp.Diff(tt.want, f.must(s).Parameters["x"]); diff != "" {
			t.Errorf("%s %q: %s", tt.t, tt.written, diff)
		}
	}
	s := f.command("alpine", "true")
	parameter(s, "x", ir.String)
	contains(t, f.fails(t.Context(), s, run.ReasonOutput).Message, `output parameter "x" is missing`)
	s = f.command("alpine", "sh", "-c", `ln -s /etc/passwd "$0"`, "{{$.outputs.parameters['x'].output_file}}")
	parameter(s, "x", ir.String)
	f.fails(t.Context(), s, run.ReasonOutput)
}

func TestArtifactsMayBeAnywhereButNotBehindLinks(t *testing.T) {
	f := newFixture(t, nil)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	s := f.python("def f(out: Output[Dataset]):\n    out.custom_path = " + fmt.Sprintf("%q", elsewhere) + "\n    open(out.custom_path, 'w').write('x')")
	s.Executor.Container.Command[2] = strings.Replace(install, "2.14.6", "2.17.0", 1)
	artifact(s, "out", "system.Dataset")
	a := f.must(s).Artifacts["out"][0]
	if a.CustomPath != elsewhere || f.content(a.Digest, "") != "x" {
		t.Errorf("%+v", a)
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Error("the step's own file was moved away")
	}
	for name, script := range map[string]string{
		"the output is a link":     `ln -s /etc/hostname "$0"`,
		"a link in a directory":    `mkdir "$0"; ln -s /etc/hostname "$0/x"`,
		"a directory link":         `mkdir "$0"; ln -s / "$0/x"`,
		"a pipe in the directory":  `mkdir "$0"; mkfifo "$0/x"`,
		"a link to nothing inside": `mkdir "$0"; ln -s nowhere "$0/x"`,
	} {
		s := f.command("alpine", "sh", "-c", script, "{{$.outputs.artifacts['out'].path}}")
		artifact(s, "out", "system.Dataset")
		if got := f.fails(t.Context(), s, run.ReasonOutput); !strings.Contains(got.Message, `"out"`) {
			t.Errorf("%s: %s", name, got.Message)
		}
	}
	s = f.command("alpine", "true")
	artifact(s, "out", "system.Dataset")
	if a := f.must(s).Artifacts["out"][0]; a.Digest != "" {
		t.Errorf("%+v", a)
	}
	contains(t, f.log(s), `output artifact "out" has no content`)
}

func TestOutputOfAnyKindIsKept(t *testing.T) {
	f := newFixture(t, nil)
	s := f.command("alpine", "sh", "-c", "head -c 300000 /dev/urandom; printf 'a\\tb\\r\\n\\033[1mbold\\n' >&2")
	f.must(s)
	contains(t, f.log(s), "stderr a\tb\n", `stderr \x1b[1mbold`)
	big := f.command("alpine", "sh", "-c", "yes 'a line of ordinary length, as steps print them' | head -c 209715200; echo the end")
	began := time.Now()
	f.must(big)
	t.Logf("200 MiB of output in %s", time.Since(began))
	st, err := os.Stat(filepath.Join(f.data, "logs", "run-1", big.TaskID, "1.log"))
	if err != nil || st.Size() > 40<<20 {
		t.Errorf("log: %v, %v", st, err)
	}
	var last string
	err = f.logs.Read(t.Context(), "run-1", big.TaskID, 1, false, func(l run.LogLine) error {
		if l.Stream == steplog.Stdout {
			last = l.Text
		}
		return nil
	})
	if err != nil || !strings.HasSuffix(last, "the end") {
		t.Errorf("last line %q, %v", last, err)
	}
}

func TestSDKsOfEveryAgeRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds environments")
	}
	modes(t, func(t *testing.T, f *fixture) {
		for _, v := range []string{"2.1.3", "2.4.0", "2.7.0", "2.10.1", "2.15.2", "2.17.0"} {
			s := f.python("def f(text: str, out: Output[Dataset]) -> int:\n    open(out.path, 'w').write(text)\n    return len(text)")
			s.Executor.Container.Command[2] = strings.Replace(install, "2.14.6", v, 1)
			s.Inputs.Parameters = map[string]any{"text": v}
			artifact(s, "out", "system.Dataset")
			parameter(s, "Output", ir.NumberInteger)
			out := f.must(s)
			if got := f.content(out.Artifacts["out"][0].Digest, ""); got != v {
				t.Errorf("%s: %q", v, got)
			}
		}
		if st := f.Stats(); st.Fallbacks != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func BenchmarkANoOpStep(b *testing.B) {
	for _, mode := range []runner.Mode{runner.Exec, runner.Warm} {
		b.Run(string(mode), func(b *testing.B) {
			f := newFixture(b, func(o *runner.Options) { o.Mode = mode; o.Logger = nil })
			f.must(f.python("def f(): pass"))
			for b.Loop() {
				f.must(f.python("def f(): pass"))
			}
		})
	}
}
