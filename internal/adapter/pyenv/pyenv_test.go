package pyenv

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(buildIn); dir != "" {
		buildAndExit(dir)
	}
	goleak.VerifyTestMain(m)
}

// testDir is kept between test runs: environments are slow to make.
func testDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LEVADA_TEST_CACHE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(cache, "levada-test")
	}
	return dir
}

type component struct {
	Image         string
	Command, Args []string
}

func corpus(t testing.TB, path string) map[string]component {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		DeploymentSpec struct {
			Executors map[string]struct{ Container component }
		} `yaml:"deploymentSpec"`
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]component{}
	for name, e := range doc.DeploymentSpec.Executors {
		out[strings.TrimPrefix(name, "exec-")] = e.Container
	}
	return out
}

func TestEverySDKVersionsComponentsAreRecognised(t *testing.T) {
	files, err := filepath.Glob("testdata/kfp-*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "kfp-"), ".yaml")
		kfp := Install{Packages: []string{"kfp==" + version, `typing-extensions>=3.7.4,<5; python_version<"3.9"`}, NoDeps: true}
		private := Install{IndexURL: "https://index.example/simple", ExtraIndexURLs: []string{"https://user:pa55word@extra.example/simple"}}
		private.TrustedHosts = []string{private.IndexURL, private.ExtraIndexURLs[0]}
		with := func(in Install, noDeps bool, packages ...string) Install {
			in.Packages, in.NoDeps = packages, noDeps
			return in
		}
		trusted := Install{IndexURL: "https://index.example/simple", TrustedHosts: []string{"index.example"}}
		want := map[string][]Install{
			"noop": {kfp}, "add": {kfp}, "write": {kfp}, "read": {kfp}, "funcs": {kfp}, "bare": nil,
			"venv":    {{Packages: []string{"six"}}, kfp},
			"pkgs":    {{Packages: []string{"tabulate==0.9.0", "six>=1.16 ; python_version > '3'"}}, kfp},
			"index":   {with(private, false, "requests"), with(private, true, kfp.Packages...)},
			"trusted": {with(trusted, false, "six"), with(trusted, true, kfp.Packages...)},
			"gitkfp":  {{Packages: []string{"git+https://example.org/kfp.git@main#subdirectory=sdk/python"}}},
			"userkfp": {{Packages: []string{"kfp==2.7.0", "six"}}},
		}
		for name, c := range corpus(t, file) {
			l, ok := Recognise(c.Command, c.Args)
			if name == "cont" {
				if ok {
					t.Errorf("%s: a container component is taken for a Python component", version)
				}
				continue
			}
			if !ok {
				t.Errorf("%s: %s is not recognised: %q", version, name, c.Command)
				continue
			}
			byFirst := func(a []Install) map[string]Install {
				m := map[string]Install{}
				for _, in := range a {
					m[in.Packages[0]] = in
				}
				return m
			}
			// SDKs differ in whether kfp comes before the component's own packages.
			if diff := cmp.Diff(byFirst(want[name]), byFirst(l.Installs)); diff != "" {
				t.Errorf("%s: %s: %s", version, name, diff)
			}
			if !strings.Contains(l.Source, "def "+name) {
				t.Errorf("%s: source of %s: %q", version, name, l.Source)
			}
		}
	}
}

func TestACommandThatDiffersInAnythingIsNotRecognised(t *testing.T) {
	c := corpus(t, "testdata/kfp-2.14.2.yaml")["pkgs"]
	for name, change := range map[string]func(*component){
		"an expansion in the install line": func(c *component) { c.Command[2] = strings.Replace(c.Command[2], "'tabulate==0.9.0'", `"$PKG"`, 1) },
		"a requirements file":              func(c *component) { c.Command[2] = strings.Replace(c.Command[2], "'tabulate==0.9.0'", `-r req.txt`, 1) },
		"a local package":                  func(c *component) { c.Command[2] = strings.Replace(c.Command[2], "'tabulate==0.9.0'", `./pkg`, 1) },
		"another command": func(c *component) {
			c.Command[2] = strings.Replace(c.Command[2], " && \"$0\"", " && rm x && \"$0\"", 1)
		},
		"another program": func(c *component) { c.Command[5] += "echo done\n" },
		"no function":     func(c *component) { c.Args = nil },
		"another shell":   func(c *component) { c.Command[0] = "bash" },
		"a pipe":          func(c *component) { c.Command[2] = strings.Replace(c.Command[2], "--quiet", "--quiet | tee x", 1) },
	} {
		changed := component{c.Image, append([]string{}, c.Command...), c.Args}
		change(&changed)
		if _, ok := Recognise(changed.Command, changed.Args); ok {
			t.Errorf("%s: still recognised", name)
		}
	}
}

func provider(t testing.TB, dir string) *Provider {
	t.Helper()
	p := New(Options{Dir: dir, ToolsDir: filepath.Join(testDir(t), "tools"), Environ: os.Environ()})
	t.Cleanup(p.Close)
	return p
}

func TestOneEnvironmentIsBuiltForAllWhoAskAtOnce(t *testing.T) {
	p := provider(t, t.TempDir())
	py, err := p.pythons.standard(t.Context())
	if err != nil {
		t.Skip(err)
	}
	s := Spec{Python: py, Installs: []Install{{Packages: []string{"six==1.16.0"}}}}
	var wg sync.WaitGroup
	envs := make([]*Environment, 8)
	for i := range envs {
		wg.Go(func() {
			e, err := p.Ensure(t.Context(), s, func(l string) { t.Log(l) })
			if err != nil {
				t.Error(err)
				return
			}
			envs[i] = e
		})
	}
	wg.Wait()
	for _, e := range envs[1:] {
		if e != envs[0] {
			t.Error("two builds for one specification")
		}
	}
	if b, err := os.ReadFile(filepath.Join(envs[0].Path, lockFile)); err != nil || !strings.Contains(string(b), "six==1.16.0") {
		t.Errorf("lock: %q, %v", b, err)
	}
	before := envs[0].Digest
	again, err := p.Rebuild(t.Context(), envs[0].Key, nil)
	if err != nil || again.Digest != before {
		t.Errorf("rebuilt: %v, %v; want digest %s", again, err, before)
	}
	list, err := p.List()
	if err != nil || len(list) != 1 || list[0].State != Ready || list[0].SizeBytes == 0 {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := p.Remove(t.Context(), again.Key); err != nil {
		t.Error(err)
	}
	if err := p.Remove(t.Context(), "../../x"); err == nil {
		t.Error("removed a path outside the directory")
	}
}

func TestABuildThatFailsSaysWhichPackageAndKeepsCredentialsToItself(t *testing.T) {
	p := provider(t, t.TempDir())
	py, err := p.pythons.standard(t.Context())
	if err != nil {
		t.Skip(err)
	}
	_, err = p.Ensure(t.Context(), Spec{Python: py, Installs: []Install{{
		Packages: []string{"six==99.99"}, FindLinks: []string{"https://user:hunter2@127.0.0.1:1/simple"},
	}}}, func(l string) {
		if strings.Contains(l, "hunter2") {
			t.Errorf("a credential in the log: %s", l)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "six==99.99") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestWaitingForABuildEndsWithItsContext(t *testing.T) {
	p := provider(t, t.TempDir())
	py, err := p.pythons.standard(t.Context())
	if err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Ensure(ctx, Spec{Python: py, Installs: []Install{{Packages: []string{"six==1.15.0"}}}}, nil); err == nil {
		t.Error("want an error")
	}
}

func BenchmarkAnEnvironmentThatIsThere(b *testing.B) {
	p := provider(b, filepath.Join(testDir(b), "envs"))
	c := corpus(b, "testdata/kfp-2.14.2.yaml")["noop"]
	for b.Loop() {
		plan, err := p.Plan(b.Context(), c.Image, c.Command, c.Args)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Ensure(b.Context(), plan.Spec, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// kfp 2.0 installs the whole SDK and calls an executor that has another name since.
func TestTheFirstSDKsComponentsAreRecognised(t *testing.T) {
	command := []string{"sh", "-c", "\nif ! [ -x \"$(command -v pip)\" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n" +
		"PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet     --no-warn-script-location 'kfp==2.0.1' && \"$0\" \"$@\"\n",
		"sh", "-ec", "program_path=$(mktemp -d)\nprintf \"%s\" \"$0\" > \"$program_path/ephemeral_component.py\"\npython3 -m kfp.components.executor_main" +
			"                         --component_module_path                         \"$program_path/ephemeral_component.py\"                         \"$@\"\n",
		"def f(): pass"}
	args := []string{"--executor_input", "{}", "--function_to_execute", "f"}
	l, ok := Recognise(command, args)
	want := Lightweight{Installs: []Install{{Packages: []string{"kfp==2.0.1"}}}, Source: "def f(): pass", Args: args, Whole: true}
	if diff := cmp.Diff(want, l); !ok || diff != "" {
		t.Errorf("recognised: %t (-want +got):\n%s", ok, diff)
	}
}
