package cli_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"levada/internal/cli"
	"levada/internal/core/run"
)

const spec = `
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
pipelineInfo: {name: demo}
root:
  inputDefinitions:
    parameters:
      rate: {parameterType: NUMBER_DOUBLE, defaultValue: 0.5}
      rounds: {parameterType: NUMBER_INTEGER, defaultValue: 1}
      on: {parameterType: BOOLEAN, defaultValue: true}
      names: {parameterType: LIST, defaultValue: []}
      more: {parameterType: STRUCT, defaultValue: {}}
      text: {parameterType: STRING, defaultValue: hello}
  dag:
    tasks:
      train:
        taskInfo: {name: train}
        componentRef: {name: comp-train}
components:
  comp-train: {executorLabel: exec-train}
deploymentSpec:
  executors:
    exec-train: {container: {image: alpine, command: [sh, -c, "echo hi"]}}
`

func specFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "demo.yaml")
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func played(end run.State) *script {
	last := theRun(end)
	if end == run.Failed {
		last.Failure = &run.Failure{Reason: run.ReasonExit, Message: "train ended with exit status 3", Task: "train"}
	}
	return &script{runs: []run.Run{theRun(run.Pending)}, tasks: []run.Task{theTask(end)}, lines: []string{"first", "\x1b[2Jlast"},
		events: []string{event("run", theRun(run.Running)), event("task", theTask(run.Running)), event("task", theTask(end)),
			event("run", last), "event: end\ndata: {}"}, canceled: make(chan struct{})}
}

func TestEveryCommandShowsAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.Hidden && (c.Example == "" || c.Short == "") {
			t.Errorf("%s has no example or no short text", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(cli.New(cli.Deps{}))
}

func TestARunIsFollowedToItsEnd(t *testing.T) {
	s := played(run.Succeeded)
	got := levada(t, s, "run", specFile(t), "-p", "rate=0.25", "--name", "mine", "--experiment", "e", "--no-cache")
	if got.status != cli.ExitOK || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	for _, part := range []string{"RUNNING    train", "SUCCEEDED  train  2.0s", "demo in 3.0s", "train.metrics  accuracy = 0.9"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("no %q in:\n%s", part, got.stdout)
		}
	}
	delete(s.submitted, "spec")
	want := map[string]any{"parameters": map[string]any{"rate": 0.25}, "display_name": "mine", "experiment": "e", "cache": false}
	if diff := cmp.Diff(want, s.submitted); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedRunShowsWhyAndEndsWithStatusOne(t *testing.T) {
	got := levada(t, played(run.Failed), "run", specFile(t))
	if got.status != cli.ExitFailed {
		t.Errorf("status %d, want 1", got.status)
	}
	for _, part := range []string{"train ended with exit status 3", "Last lines of train:\n  first\n  last\n", "levada logs 3f2a0000 train"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("no %q in:\n%s", part, got.stdout)
		}
	}
}

func TestJSONIsAloneOnStandardOutput(t *testing.T) {
	got := levada(t, played(run.Failed), "run", specFile(t), "-o", "json")
	var out struct {
		Run   run.Run
		Tasks []run.Task
	}
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil || out.Run.State != run.Failed || len(out.Tasks) != 1 || got.status != 1 {
		t.Errorf("%v, status %d: %s", err, got.status, got.stdout)
	}
	if !strings.Contains(got.stderr, "FAILED") {
		t.Errorf("progress is missing on standard error: %s", got.stderr)
	}
}

func TestAnInterruptCancelsARunInsideTheCommandAndWaitsForIt(t *testing.T) {
	s := played(run.Canceled)
	s.hold = make(chan struct{})
	ctx, interrupt := context.WithCancel(t.Context())
	watching := make(chan struct{})
	done := make(chan result)
	file := specFile(t)
	go func() { done <- levadaCtx(t, ctx, announce{s, "/events", watching}, "run", file) }()
	<-watching
	interrupt()
	got := <-done
	select {
	case <-s.canceled:
	default:
		t.Error("the run was not canceled")
	}
	if got.status != cli.ExitInterrupted || !strings.Contains(got.stdout, "CANCELED") {
		t.Errorf("%+v", got)
	}
}

func TestWrongUsageEndsWithStatusTwo(t *testing.T) {
	file := specFile(t)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"unknown command":      {[]string{"rnu"}, `unknown command "rnu"`},
		"unknown subcommand":   {[]string{"runs", "lst"}, `unknown command "lst"`},
		"unknown flag":         {[]string{"run", file, "--nope"}, "unknown flag"},
		"missing argument":     {[]string{"run"}, "accepts 1 arg"},
		"wrong output":         {[]string{"version", "-o", "xml"}, "text or json"},
		"missing file":         {[]string{"run", "/no/such.yaml"}, "no such file"},
		"a directory":          {[]string{"run", t.TempDir()}, "is not a file"},
		"unknown parameter":    {[]string{"run", file, "-p", "lr=1"}, "it takes: more (STRUCT), names (LIST)"},
		"not a number":         {[]string{"run", file, "-p", "rate=fast"}, `parameter "rate": want NUMBER_DOUBLE`},
		"not an integer":       {[]string{"run", file, "-p", "rounds=1.5"}, `want NUMBER_INTEGER, got "1.5"`},
		"not a list":           {[]string{"run", file, "-p", "names={}"}, "JSON list"},
		"not an object":        {[]string{"run", file, "-p", "more=[1]"}, "JSON object"},
		"not a boolean":        {[]string{"run", file, "-p", "on=yes"}, "true or false"},
		"no key":               {[]string{"run", file, "-p", "0.5"}, "KEY=VALUE"},
		"missing value file":   {[]string{"run", file, "-p", "@/no/such"}, "no such file"},
		"detach and no server": {[]string{"run", file, "--detach"}, "levada up"},
		"compiled, --python":   {[]string{"run", file, "--python", "python3"}, "is compiled already"},
		"not a run":            {[]string{"runs", "show", "../x"}, "is not a run"},
		"unknown run":          {[]string{"runs", "show", "ffff"}, `there is no run "ffff"`},
		"get with two words":   {[]string{"artifacts", "get", "a", "b"}, "RUN TASK NAME"},
		"wrong config":         {[]string{"config", "--log-level", "loud"}, "--log-level"},
		"open to all":          {[]string{"up", "--listen", "0.0.0.0:8080"}, "--insecure"},
		"two on one output":    {[]string{"artifacts", "get", "a", "-o", "json", "-O", "-"}, "standard output"},
		"attempt of all":       {[]string{"logs", "latest", "--attempt", "2"}, "--attempt"},
	} {
		t.Run(name, func(t *testing.T) {
			got := levada(t, played(run.Succeeded), tc.args...)
			if got.status != cli.ExitUsage || !strings.Contains(got.stderr, tc.want) || got.stdout != "" {
				t.Errorf("%+v; want status 2 and %q", got, tc.want)
			}
		})
	}
}

func TestAServerThatDoesNotAnswerIsStatusThree(t *testing.T) {
	got := levada(t, nil, "runs", "list", "--server", "http://127.0.0.1:1")
	if got.status != cli.ExitUnreachable || !strings.Contains(got.stderr, "levada up") {
		t.Errorf("%+v", got)
	}
	if got := levada(t, nil, "runs", "list", "--server", "http://u:secret@h:1"); strings.Contains(got.stderr, "secret") || got.status != cli.ExitUsage {
		t.Errorf("%+v", got)
	}
}

func TestParametersAreReadByTheirDeclaredTypes(t *testing.T) {
	values := filepath.Join(t.TempDir(), "values.json")
	if err := os.WriteFile(values, []byte(`{"rounds": 2, "text": "from file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := played(run.Succeeded)
	got := levada(t, s, "run", specFile(t), "-p", "@"+values, "-p", "rate=1e-3", "-p", "on=false", "-p", `names=["a", 1]`,
		"-p", `more={"a": null}`, "-p", "text=3=x", "-p", "rounds=7")
	want := map[string]any{"rate": 1e-3, "rounds": 7.0, "on": false, "names": []any{"a", 1.0}, "more": map[string]any{"a": nil}, "text": "3=x"}
	if diff := cmp.Diff(want, s.submitted["parameters"]); diff != "" || got.status != 0 {
		t.Error(got.stderr, diff)
	}
}

func TestRunsAreListedAndFoundByTheBeginningOfTheirID(t *testing.T) {
	other := theRun(run.Failed)
	other.ID, other.DisplayName = "3f2b0000-0000-4000-8000-000000000002", "other\x1b]0;x\x07"
	s := &script{runs: []run.Run{theRun(run.Succeeded), other}, tasks: []run.Task{theTask(run.Succeeded)}}
	want := "RUN       NAME   PIPELINE  STATE      STARTED  TOOK\n" +
		"3f2a0000  demo   demo      SUCCEEDED  1m ago   3.0s\n" +
		"3f2b0000  other  demo      FAILED     1m ago   3.0s\n"
	if got := levada(t, s, "runs", "list"); got.stdout != want {
		t.Error(cmp.Diff(want, got.stdout), got.stderr)
	}
	for _, name := range []string{"3f2a", "latest", runID} {
		if got := levada(t, s, "runs", "show", name); got.status != 0 || !strings.Contains(got.stdout, runID) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := levada(t, s, "runs", "show", "3f2"); got.status != cli.ExitUsage || !strings.Contains(got.stderr, "is the beginning of 2 runs") {
		t.Errorf("%+v", got)
	}
}

func TestLogsAreShownWithoutWhatCouldCommandTheTerminal(t *testing.T) {
	s := played(run.Succeeded)
	if got := levada(t, s, "logs", "latest", "train"); got.stdout != "first\nlast\n" {
		t.Errorf("%+v", got)
	}
	for _, args := range [][]string{{"logs", "latest"}, {"logs", "latest", "-f"}} {
		if got := levada(t, s, args...); got.stdout != "train | first\ntrain | last\n" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := levada(t, s, "logs", "latest", "train", "-o", "json"); !strings.HasPrefix(got.stdout, `{"task":"train","at":`) {
		t.Errorf("%+v", got)
	}
}

func TestAnArtifactIsFetchedAndNeverOverwrites(t *testing.T) {
	s := played(run.Succeeded)
	s.content = []byte("bytes")
	path := filepath.Join(t.TempDir(), "model.bin")
	for _, args := range [][]string{{"artifacts", "get", "a1", "-O", "-"}, {"artifacts", "get", "latest", "train", "model", "-O", "-"}} {
		if got := levada(t, s, args...); got.stdout != "bytes" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := levada(t, s, "artifacts", "get", "a1", "-O", path); got.status != 0 {
		t.Fatalf("%+v", got)
	}
	if got := levada(t, s, "artifacts", "get", "a1", "-O", path); got.status != cli.ExitFailed || !strings.Contains(got.stderr, "exists already") {
		t.Errorf("%+v", got)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "bytes" {
		t.Errorf("%q, %v", b, err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
	if got := levada(t, s, "artifacts", "get", "latest", "train", "modle"); !strings.Contains(got.stderr, "it has: metrics, model") {
		t.Errorf("%+v", got)
	}
}

func TestADirectoryIsUnpackedAndCannotReachOutside(t *testing.T) {
	for name, tc := range map[string]struct {
		entries []tar.Header
		want    string
	}{
		"plain":            {[]tar.Header{{Name: "sub/a.txt", Typeflag: tar.TypeReg}}, ""},
		"parent":           {[]tar.Header{{Name: "../evil", Typeflag: tar.TypeReg}}, "unsafe path"},
		"absolute":         {[]tar.Header{{Name: "/tmp/evil", Typeflag: tar.TypeReg}}, "unsafe path"},
		"hidden parent":    {[]tar.Header{{Name: "a/../../evil", Typeflag: tar.TypeReg}}, "unsafe path"},
		"symbolic link":    {[]tar.Header{{Name: "l", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}}, "neither file nor directory"},
		"hard link":        {[]tar.Header{{Name: "l", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}}, "neither file nor directory"},
		"device":           {[]tar.Header{{Name: "d", Typeflag: tar.TypeChar}}, "neither file nor directory"},
		"the same twice":   {[]tar.Header{{Name: "a", Typeflag: tar.TypeReg}, {Name: "a", Typeflag: tar.TypeReg}}, "exists"},
		"file as a folder": {[]tar.Header{{Name: "a", Typeflag: tar.TypeReg}, {Name: "a/b", Typeflag: tar.TypeReg}}, "file exists"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range tc.entries {
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			s := played(run.Succeeded)
			s.tar, s.content = true, b.Bytes()
			s.tasks[0].Outputs.Artifacts["model"][0].Digest = "dir-sha256:00"
			dir := filepath.Join(t.TempDir(), "out")
			got := levada(t, s, "artifacts", "get", "a1", "-O", dir)
			_, err := os.Stat(dir)
			if tc.want == "" {
				if _, err := os.Stat(filepath.Join(dir, "sub", "a.txt")); err != nil || got.status != 0 {
					t.Errorf("%v %+v", err, got)
				}
				return
			}
			if got.status == 0 || !strings.Contains(got.stderr, tc.want) || err == nil {
				t.Errorf("%+v; want %q and nothing left (%v)", got, tc.want, err)
			}
		})
	}
}

func TestVersionAndConfigArePrinted(t *testing.T) {
	if got := levada(t, nil, "version"); got.stdout != "levada 1.2.3\n" {
		t.Errorf("%+v", got)
	}
	got := levada(t, nil, "config", "--listen", "127.0.0.1:9", "-o", "json")
	var out struct {
		Settings []struct {
			Key, Source string
			Value       any
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
		t.Fatal(err, got)
	}
	found := map[string]string{}
	for _, s := range out.Settings {
		found[s.Key] = fmt.Sprint(s.Value, " from ", s.Source)
	}
	if found["listen"] != "127.0.0.1:9 from flag --listen" || !strings.HasSuffix(found["data"], "environment LEVADA_DATA") {
		t.Errorf("%v", found)
	}
}
