package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/adapter/runner"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

func constant(v any) ir.ValueOrRuntime {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return ir.ValueOrRuntime{Constant: b}
}

func (f *fixture) importer(imp ir.Importer) *run.Step {
	s := f.command("")
	imp.TypeSchema = ir.ArtifactType{SchemaTitle: "system.Dataset", SchemaVersion: "0.0.1"}
	s.Executor = &ir.Executor{Importer: &imp}
	artifact(s, "artifact", "system.Dataset")
	return s
}

func TestImportersStoreWhatIsLocalAndReferToTheRest(t *testing.T) {
	f := newFixture(t, nil)
	path := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(path, []byte("a,b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := f.importer(ir.Importer{
		ArtifactURI: ir.ValueOrRuntime{RuntimeParameter: "uri"},
		Metadata:    map[string]any{"n": "{{$.inputs.parameters['n']}}", "t": "no {{$.inputs.parameters['n']}}", "l": []any{1.0}},
	})
	s.Inputs.Parameters = map[string]any{"uri": path, "n": 3.0}
	a := f.must(s).Artifacts["artifact"][0]
	if a.URI != path || f.content(a.Digest, "") != "a,b\n" || a.SchemaTitle != "system.Dataset" {
		t.Errorf("%+v", a)
	}
	if diff := cmp.Diff(map[string]any{"n": 3.0, "t": "no 3", "l": []any{1.0}}, a.Metadata); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the imported file was moved away")
	}
	a = f.must(f.importer(ir.Importer{ArtifactURI: constant("gs://bucket/x")})).Artifacts["artifact"][0]
	if a.URI != "gs://bucket/x" || a.Digest != "" {
		t.Errorf("%+v", a)
	}
	for uri, want := range map[string]string{
		"/no/such/file": "no file or directory", "relative/x": "absolute path", "": "empty", f.data: "own data", "/": "own data",
	} {
		contains(t, f.fails(t.Context(), f.importer(ir.Importer{ArtifactURI: constant(uri)}), run.ReasonInput).Message, want)
	}
}

func TestAnImporterOfAPatternTakesTheNewestFile(t *testing.T) {
	f := newFixture(t, nil)
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{"b.csv": 2 * time.Hour, "a.csv": time.Hour, "c.csv": 3 * time.Hour, ".d.csv": 0, "e.csv.part": 0, "odd[1].csv": time.Minute, "1.txt": 0} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(name), 0o644), os.Chtimes(path, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{"[abc].csv": "a.csv", "?.csv": "a.csv", "*.csv": "odd[1].csv", "odd[1].csv": "odd[1].csv", "*.csv*": "odd[1].csv"} {
		a := f.must(f.importer(ir.Importer{ArtifactURI: constant(filepath.Join(dir, pattern))})).Artifacts["artifact"][0]
		if a.URI != filepath.Join(dir, want) || f.content(a.Digest, "") != want {
			t.Errorf("%s: %+v", pattern, a)
		}
	}
	for pattern, want := range map[string]string{"*.parquet": "no file at", "[": "syntax error", "*.part": "no file at"} {
		contains(t, f.fails(t.Context(), f.importer(ir.Importer{ArtifactURI: constant(filepath.Join(dir, pattern))}), run.ReasonInput).Message, want)
	}
}

func TestVolumeStubsMakeAndRemoveDirectories(t *testing.T) {
	f := newFixture(t, nil)
	s := f.command("argostub/createpvc")
	s.Inputs.Parameters = map[string]any{"pvc_name_suffix": "-my-pvc"}
	parameter(s, "name", ir.String)
	name, _ := f.must(s).Parameters["name"].(string)
	if name != "run-1-my-pvc" {
		t.Errorf("name %q", name)
	}
	dir := filepath.Join(f.data, "volumes", name)
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
	for range 2 {
		s = f.command("argostub/deletepvc")
		s.Inputs.Parameters = map[string]any{"pvc_name": name}
		f.must(s)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the volume is still there")
	}
	s = f.command("argostub/deletepvc")
	s.Inputs.Parameters = map[string]any{"pvc_name": "../blobs"}
	f.fails(t.Context(), s, run.ReasonInput)
}

func TestKubernetesSettingsBecomeVariablesOrErrors(t *testing.T) {
	f := newFixture(t, nil)
	s := f.command("alpine", "sh", "-c", `printf %s "$L-$N-$M" > "$0"`, "{{$.outputs.parameters['x'].output_file}}")
	parameter(s, "x", ir.String)
	s.Kubernetes = &ir.KubernetesExecutor{
		PodMetadata: &ir.PodMetadata{Labels: map[string]string{"app/x": "blue"}},
		FieldPathAsEnv: []ir.FieldPathEnv{
			{Name: "L", FieldPath: "metadata.labels['app/x']"}, {Name: "N", FieldPath: "metadata.name"}, {Name: "M", FieldPath: "metadata.annotations['no']"},
		},
		SecretAsEnv: []ir.KeySource{{SecretName: "maybe", Optional: true}},
		PVCMount:    []ir.PVCMount{{Constant: "data", MountPath: "/levada-test-data"}},
	}
	if got := f.must(s).Parameters["x"]; got != "blue-a-task-"+s.TaskID+"-1-" {
		t.Errorf("x = %q", got)
	}
	contains(t, f.log(s), "volume data did not exist: it is made")
	s = f.command("alpine", "true")
	s.Kubernetes = &ir.KubernetesExecutor{SecretAsEnv: []ir.KeySource{{SecretName: "db-password"}}}
	contains(t, f.fails(t.Context(), s, run.ReasonInput).Message, `secret "db-password" does not exist`, "levada secret set db-password KEY=VALUE")
	s.Kubernetes = &ir.KubernetesExecutor{FieldPathAsEnv: []ir.FieldPathEnv{{Name: "X", FieldPath: "spec.magic"}}}
	f.fails(t.Context(), s, run.ReasonInput)
}

func TestWhatCannotRunHereSaysSo(t *testing.T) {
	f := newFixture(t, nil)
	contains(t, f.fails(t.Context(), f.command("alpine", "a-program-nobody-has"), run.ReasonUnsupported).Message, "a-program-nobody-has", "not in their image")
	contains(t, f.fails(t.Context(), f.command("alpine"), run.ReasonUnsupported).Message, "no command")
	s := f.command("alpine", "true")
	s.TaskName = "../../x"
	f.fails(t.Context(), s, run.ReasonInput)
	s = f.command("alpine", "true", strings.Repeat("x", 3<<20))
	contains(t, f.fails(t.Context(), s, run.ReasonInput).Message, "E2BIG")
	s = f.python("def f(): pass")
	s.Executor.Container.Command[2] = strings.Replace(install, "'kfp==2.14.6'", "'kfp==2.14.6' 'no-such-package-at-all==77'", 1)
	contains(t, f.fails(t.Context(), s, run.ReasonEnvironment).Message, "no-such-package-at-all")
}

func TestAWarmStepTakesALargeInput(t *testing.T) {
	f := newFixture(t, nil)
	s := f.python("def f(text: str) -> int:\n    return len(text)")
	s.Inputs.Parameters = map[string]any{"text": strings.Repeat("ü", 3<<20)}
	parameter(s, "Output", ir.NumberInteger)
	if got := f.must(s).Parameters["Output"]; got != float64(3<<20) {
		t.Errorf("length %v", got)
	}
	if st := f.Stats(); st.Warm != 1 {
		t.Errorf("%+v", st)
	}
}

func TestAStepThatInstallsPackagesItselfGetsItsOwnEnvironment(t *testing.T) {
	f := newFixture(t, nil)
	s := f.command("python:3.11", "sh", "-c", `python3 -m pip install -q six==1.16.0 && python3 -c "import six, sys; print(sys.prefix)" > "$0"`,
		"{{$.outputs.parameters['x'].output_file}}")
	parameter(s, "x", ir.String)
	if got := f.must(s).Parameters["x"]; !strings.HasPrefix(got.(string), f.data) {
		t.Errorf("prefix %q", got)
	}
}

func TestTheEnvironmentDigestFollowsWhatTheStepRunsIn(t *testing.T) {
	f := newFixture(t, nil)
	digest := func(s *run.Step) string {
		t.Helper()
		d, err := f.Environment(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return d.Digest
	}
	one, two := digest(f.python("def f(): pass")), digest(f.python("def f(): return 1"))
	if one != two || !strings.HasPrefix(one, "sha256:") {
		t.Errorf("%s, %s", one, two)
	}
	other := f.python("def f(): pass")
	other.Executor.Container.Command[2] = strings.Replace(install, "2.14.6", "2.7.0", 1)
	if digest(other) == one {
		t.Error("another kfp gives the same digest")
	}
	if digest(f.importer(ir.Importer{ArtifactURI: constant("gs://x")})) != "" {
		t.Error("an importer has an environment")
	}
}

func TestManyStepsAtOnceKeepTheirOutputsApart(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		var wg sync.WaitGroup
		steps := make([]*run.Step, 24)
		for i := range steps {
			steps[i] = f.python("def f(n: int) -> int:\n    print('I am', n)\n    return n")
			steps[i].Inputs.Parameters = map[string]any{"n": float64(i)}
			parameter(steps[i], "Output", ir.NumberInteger)
		}
		for i, s := range steps {
			wg.Go(func() {
				v, err := f.Run(t.Context(), s)
				if err != nil || v.Parameters["Output"] != float64(i) {
					t.Errorf("step %d: %v, %v", i, v, err)
				}
				if l := f.log(s); strings.Count(l, "I am") != 1 || !strings.Contains(l, fmt.Sprintf("stdout I am %d\n", i)) {
					t.Errorf("step %d: log %s", i, l)
				}
			})
		}
		wg.Wait()
		if st := f.Stats(); st.Fallbacks != 0 || st.Running != 0 {
			t.Errorf("%+v", st)
		}
		if left, _ := filepath.Glob(filepath.Join(f.data, "work", "*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// killParent kills the parent of a step that prints "parent " and its pid.
func killParent(t *testing.T, f *fixture, s *run.Step) {
	go func() {
		_ = f.logs.Read(t.Context(), s.Job.RunID, s.TaskID, s.Attempt, true, func(l run.LogLine) error {
			if text, ok := strings.CutPrefix(l.Text, "parent "); ok {
				if pid, err := strconv.Atoi(text); err == nil {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			return nil
		})
	}()
}

func TestWithoutASupervisorAHostThatDiesTakesItsStepsWithIt(t *testing.T) {
	f := newFixture(t, nil)
	f.must(f.python("def f(): pass"))
	s := f.python("def f():\n    import os, time\n    print('parent', os.getppid(), flush=True)\n    time.sleep(60)")
	killParent(t, f, s)
	contains(t, f.fails(t.Context(), s, run.ReasonLost).Message, "result of the attempt is not known")
	f.must(f.python("def f(): pass"))
	if st := f.Stats(); st.Warm != 3 || st.Fallbacks != 0 || st.Lost != 1 {
		t.Errorf("%+v", st)
	}
}

func TestAStepOutlivesItsHostUnderASupervisor(t *testing.T) {
	f := newFixture(t, supervised)
	f.must(f.python("def f(): pass"))
	s := f.python(`
def f() -> str:
    import os, time
    host = os.getppid()
    print('parent', host, flush=True)
    while os.getppid() == host:
        time.sleep(0.01)
    print('alone', flush=True)
    return 'done'
`)
	parameter(s, "Output", ir.String)
	killParent(t, f, s)
	if got := f.must(s).Parameters["Output"]; got != "done" {
		t.Errorf("got %v", got)
	}
	contains(t, f.log(s), "alone")
	hostsBecome(t, f, 0)
	f.must(f.python("def f(): pass"))
	if st := f.Stats(); st.Warm != 3 || st.Fallbacks != 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
	hostsBecome(t, f, 1)
}

// hostsBecome waits until there are so many warm hosts.
func hostsBecome(t *testing.T, f *fixture, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); f.Stats().Hosts != n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d warm hosts, want %d", f.Stats().Hosts, n)
		}
	}
}

func TestAHostThatCannotStartIsReplacedByAnInterpreter(t *testing.T) {
	f := newFixture(t, nil)
	scripts := filepath.Join(f.data, "tools")
	if err := os.WriteFile(scripts, nil, 0o644); err != nil { // a file where a directory is wanted
		t.Fatal(err)
	}
	s := f.python("def f(): pass")
	f.must(s)
	contains(t, f.log(s), "the warm host could not be used")
	if st := f.Stats(); st.Fallbacks != 1 || st.Executed != 1 {
		t.Errorf("%+v", st)
	}
}

func TestWhatStepsImportIsImportedForTheNextOnes(t *testing.T) {
	f := newFixture(t, func(o *runner.Options) { o.MaxHosts = 1 })
	source := "def f() -> bool:\n    import sys\n    there = 'tomllib' in sys.modules\n    import tomllib\n    return there"
	last := func() any {
		s := f.python(source)
		parameter(s, "Output", ir.Boolean)
		return f.must(s).Parameters["Output"]
	}
	for range 3 {
		last()
	}
	if st := f.Stats(); st.Warm != 3 {
		t.Errorf("%+v", st)
	}
	next := newFixture(t, nil)
	s := next.python(source)
	parameter(s, "Output", ir.Boolean)
	if next.must(s).Parameters["Output"] != true {
		t.Error("a new host has not imported what earlier steps needed")
	}
}

func TestOnlyTheNewestFailedDirectoriesAreKept(t *testing.T) {
	f := newFixture(t, func(o *runner.Options) { o.KeepFailed = 2 })
	var ids []string
	for range 4 {
		s := f.command("alpine", "false")
		f.fails(t.Context(), s, run.ReasonExit)
		ids = append(ids, s.TaskID)
	}
	var kept []string
	for _, id := range ids {
		if _, err := os.Stat(filepath.Join(f.data, "work", "run-1", id+".1")); err == nil {
			kept = append(kept, id)
		}
	}
	if diff := cmp.Diff(ids[2:], kept); diff != "" {
		t.Error(diff)
	}
}

func TestStepsWaitForRoomInTheirOrder(t *testing.T) {
	f := newFixture(t, func(o *runner.Options) { o.Cores = 2 })
	need := func(cores string) *run.Step {
		s := f.command("alpine", "true")
		s.Executor.Container.Resources = &ir.Resources{ResourceCPURequest: cores}
		return s
	}
	reserve := func(ctx context.Context, s *run.Step) <-chan func() {
		t.Helper()
		before := f.Stats().Waiting
		got := make(chan func(), 1)
		go func() {
			defer close(got)
			if release, err := f.Reserve(ctx, s); err == nil {
				got <- release
			}
		}()
		for deadline := time.Now().Add(20 * time.Second); f.Stats().Waiting == before; {
			if time.Now().After(deadline) {
				t.Fatal("nobody waits")
			}
			runtime.Gosched()
		}
		return got
	}
	release, err := f.Reserve(t.Context(), need("1"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := reserve(ctx, need("2"))
	large := reserve(t.Context(), need("64"))
	small := reserve(t.Context(), need("500m"))
	cancel()
	if _, ok := <-gone; ok {
		t.Error("a step that was stopped while it waited was admitted")
	}
	select {
	case <-small:
		t.Error("a small step overtook a large one")
	default:
	}
	release()
	(<-large)()
	(<-small)()
	if st := f.Stats(); st.Running != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// Each waits for the disk in a thread of its own: ten thousand at once would be more threads than a process may have.
func TestOnlySoManyStepsWithoutAProcessWorkAtOnce(t *testing.T) {
	f := newFixture(t, func(o *runner.Options) { o.Cores, o.MaxParallel = 1, 1 })
	importer := &run.Step{Executor: &ir.Executor{Importer: &ir.Importer{}}}
	const most = 64
	var releases []func()
	for range most {
		release, err := f.Reserve(t.Context(), importer)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Reserve(ctx, importer); err == nil {
		t.Errorf("one more than %d was admitted", most)
	}
	releases[0]()
	release, err := f.Reserve(t.Context(), importer)
	if err != nil {
		t.Fatal(err)
	}
	release()
	step, err := f.Reserve(t.Context(), f.command("alpine", "true"))
	if err != nil {
		t.Fatal(err)
	}
	step()
}

func TestStepsThatDeclareNothingShareThePlaces(t *testing.T) {
	f := newFixture(t, func(o *runner.Options) { o.Cores, o.MaxParallel = 1, 3 })
	var releases []func()
	for range 3 {
		release, err := f.Reserve(t.Context(), f.command("alpine", "true"))
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Reserve(ctx, f.command("alpine", "true")); err == nil {
		t.Error("a fourth step was admitted to three places")
	}
	for _, release := range releases {
		release()
	}
}

func TestWhatAStepAsksForInVainIsSaid(t *testing.T) {
	f := newFixture(t, nil)
	s := f.command("alpine", "true")
	s.Executor.Container.Resources = &ir.Resources{ResourceCPURequest: "64", Accelerator: &ir.Accelerator{ResourceType: "nvidia.com/gpu", ResourceCount: "1"}}
	f.must(s)
	contains(t, f.log(s), "more than this machine has", "accelerator(s) nvidia.com/gpu")
}

func TestThePythonOfTheImageIsUsedWhereItIsInstalled(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		for _, minor := range []string{"3.9", "3.10", "3.12", "3.13", "3.14"} {
			s := f.python("def f() -> str:\n    import sys\n    return '%d.%d' % sys.version_info[:2]")
			s.Executor.Container.Image = "docker.io/library/python:" + minor + "-slim"
			parameter(s, "Output", ir.String)
			got := f.must(s).Parameters["Output"]
			if got != minor && !strings.Contains(f.log(s), "asks for Python "+minor+", which is not on the search path") {
				t.Errorf("image with Python %s: the step had %v, and its log does not say why", minor, got)
			}
		}
		if st := f.Stats(); st.Fallbacks != 0 {
			t.Errorf("%+v", st)
		}
	})
}
