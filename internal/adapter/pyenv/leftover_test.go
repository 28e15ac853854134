package pyenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"levada/internal/core/fault"
)

// buildIn makes this test program a server that builds an environment in the directory that the variable names.
const buildIn = "LEVADA_TEST_BUILD_IN"

func buildAndExit(dir string) {
	p := New(Options{Dir: filepath.Join(dir, "envs"), Environ: os.Environ()})
	py, err := p.pythons.standard(context.Background())
	if err == nil {
		_, err = p.Ensure(context.Background(), sixSpec(py), func(l string) { fmt.Println(l) })
	}
	fmt.Println("built:", err)
	os.Exit(0)
}

func sixSpec(py Interpreter) Spec {
	return Spec{Python: py, Installs: []Install{{Packages: []string{"six==1.16.0"}}}}
}

// withoutUV is the environment of this process with a search path on which there is no uv.
func withoutUV() []string {
	dirs := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool { return isFile(filepath.Join(dir, "uv")) })
	return append(os.Environ(), "PATH="+strings.Join(dirs, ":"))
}

// tool writes a uv that makes an environment with the real Python after it has run the lines first.
func tool(t *testing.T, py Interpreter, dir, first string) []string {
	t.Helper()
	script := "#!/bin/sh\nhere=$(dirname \"$0\")\nfor last; do :; done\n" + first + `
case $1 in
venv) exec "` + py.Path + `" -m venv --without-pip "$last" ;;
pip) if [ "$2" = freeze ]; then echo six==1.16.0; fi ;;
esac
`
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "uv"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
}

// marked returns the processes whose environment has a variable that begins with the text.
func marked(t *testing.T, text string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+text)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			out = append(out, pid)
		}
	}
	return out
}

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(60 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

// killMidway starts a server that builds, and kills it when ok says so.
func killMidway(t *testing.T, dir string, environ []string, what string, ok func() bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self)
	server.Env = append(environ, buildIn+"="+dir)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, pid := range marked(t, placeVariable+"="+dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	eventually(t, what, ok)
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err == nil {
		t.Fatal("the server ended before it was killed")
	}
}

func standardPython(t *testing.T) Interpreter {
	t.Helper()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("no /proc")
	}
	i := interpreters{environ: os.Environ()}
	py, err := i.standard(t.Context())
	if err != nil {
		t.Skip(err)
	}
	return py
}

func TestWhatAKilledServerLeftBehindIsEndedBeforeTheNextBuild(t *testing.T) {
	py, dir := standardPython(t), t.TempDir()
	// The tool and a process in a session of its own both go on writing into the environment.
	environ := tool(t, py, filepath.Join(dir, "bin"), `
litter='while true; do mkdir -p "$0/litter" && echo > "$0/litter/$1"; done 2> /dev/null'
if [ "$1" = venv ] && ! [ -e "$here/done" ]; then
	: > "$here/done"
	setsid sh -c "$litter" "$last" y &
	sh -c "$litter" "$last" x
fi`)
	place := filepath.Join(dir, "envs", sixSpec(py).Key())
	killMidway(t, dir, environ, "both to write", func() bool {
		return isFile(filepath.Join(place, "venv/litter/x")) && isFile(filepath.Join(place, "venv/litter/y"))
	})
	if len(marked(t, placeVariable+"="+place)) < 2 {
		t.Fatal("the tools ended with the server: there is nothing to see")
	}
	p := New(Options{Dir: filepath.Join(dir, "envs"), Environ: environ})
	defer p.Close()
	var log []string
	e, err := p.Ensure(t.Context(), sixSpec(py), func(l string) { log = append(log, l) })
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(log, "\n"))
	}
	if left := marked(t, placeVariable+"="+dir); len(left) > 0 {
		t.Errorf("processes %v of the first build are left", left)
	}
	if _, err := os.Stat(filepath.Join(e.Path, "venv", "litter")); err == nil {
		t.Error("the environment holds what the first build wrote")
	}
	if !strings.Contains(strings.Join(log, "\n"), "outlived its server") {
		t.Errorf("log: %q", log)
	}
}

func TestAServerKilledWhileItInstallsUVDoesNotDisturbTheNext(t *testing.T) {
	py, dir := standardPython(t), t.TempDir()
	environ := withoutUV()
	killMidway(t, dir, environ, "the installation of pip", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "tools", "uv.new-*", "venv", "bin", "python"))
		return len(found) > 0
	})
	p := New(Options{Dir: filepath.Join(dir, "envs"), Environ: environ})
	defer p.Close()
	if _, err := p.Ensure(t.Context(), sixSpec(py), func(l string) { t.Log(l) }); err != nil {
		t.Fatal(err)
	}
	if left := marked(t, placeVariable+"="+dir); len(left) > 0 {
		t.Errorf("processes %v of the first build are left", left)
	}
	uv, err := p.UV(t.Context())
	if err != nil || !strings.HasPrefix(uv, dir) {
		t.Skipf("uv could not be installed here: %q, %v", uv, err)
	}
	if out, err := exec.CommandContext(t.Context(), uv, "--version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "uv ") {
		t.Errorf("uv --version: %s, %v", out, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "tools", "uv.new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestABuildWhoseToolCrashesIsTriedOnceMore(t *testing.T) {
	py := standardPython(t)
	for name, tt := range map[string]struct {
		first string
		kind  fault.Kind
		runs  string
	}{
		"crashed once":    {`[ "$1" = venv ] || [ -e "$here/done" ] || { : > "$here/done"; kill -9 $$; }`, 0, "xxxxx"},
		"always crashes":  {`[ "$1" = pip ] && kill -9 $$`, fault.Unavailable, "xxxx"},
		"wrong packages":  {`[ "$1" = pip ] && { echo "error: no six"; exit 1; }`, fault.Invalid, "xx"},
		"venv goes wrong": {`[ "$1" = venv ] && exit 2`, fault.Unavailable, "xxxx"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			environ := tool(t, py, filepath.Join(dir, "bin"), `printf x >> "$here/runs"`+"\n"+tt.first)
			p := New(Options{Dir: filepath.Join(dir, "envs"), Environ: environ})
			defer p.Close()
			var log strings.Builder
			_, err := p.Ensure(t.Context(), sixSpec(py), func(l string) { log.WriteString(l + "\n") })
			if tt.kind == 0 && err != nil || tt.kind != 0 && fault.KindOf(err) != tt.kind {
				t.Errorf("got %v, want kind %d", err, tt.kind)
			}
			if again := strings.Contains(log.String(), "trying once more"); again == (tt.kind == fault.Invalid) {
				t.Errorf("tried again: %t\n%s", again, log.String())
			}
			if runs, err := os.ReadFile(filepath.Join(dir, "bin", "runs")); err != nil || string(runs) != tt.runs {
				t.Errorf("the tool ran %d times, want %d: %v", len(runs), len(tt.runs), err)
			}
			if _, err := os.Stat(filepath.Join(dir, "envs", sixSpec(py).Key())); err != nil != (tt.kind != 0) {
				t.Errorf("directory: %v", err)
			}
		})
	}
}

func TestAnEmptyEnvironmentNeedsNeitherUVNorAnIndex(t *testing.T) {
	py, dir := standardPython(t), t.TempDir()
	nowhere := "http://127.0.0.1:1/simple"
	p := New(Options{Dir: filepath.Join(dir, "envs"), Environ: append(withoutUV(), "PIP_INDEX_URL="+nowhere, "UV_DEFAULT_INDEX="+nowhere)})
	defer p.Close()
	e, err := p.Ensure(t.Context(), Spec{Python: py}, func(l string) {
		if strings.Contains(l, "uv") {
			t.Errorf("log: %s", l)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tools")); err == nil {
		t.Error("a directory for tools was made")
	}
	out, err := exec.CommandContext(t.Context(), e.Executable(), "-c", "import sys; print(sys.prefix)").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != filepath.Join(e.Path, "venv") {
		t.Errorf("prefix %s, %v", out, err)
	}
	again, err := p.Rebuild(t.Context(), e.Key, nil)
	if err != nil || again.Digest != e.Digest {
		t.Errorf("rebuilt: %+v, %v; want digest %s", again, err, e.Digest)
	}
}
