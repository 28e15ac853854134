// Package pipelines runs pipelines written with the real KFP SDK, one file in src for each area of the specification, against
// a real server, and compares everything that can be seen of how they ended with what is expected: states, attempts,
// inputs, outputs, metadata, content of artifacts, reasons and error texts.
//
// The pipelines in compiled/ are what kfp 2.17.0 made of src (`make pipelines`); golden/ says how each must end, and
// `go test ./test/pipelines -update` rewrites it. With LEVADA_PIPELINES=all (`make pipelines-all`) the sources are compiled
// by SDKs of every generation and must end the same. It must not know Levada's packages: it speaks KFP's API and Levada's own.
package pipelines

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/test/levadatest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	// limit bounds one run, building its environment included.
	limit = 5 * time.Minute
	// parallel is how many pipelines run at once.
	parallel = 4
)

// parameters gives the inputs that a pipeline has no default for. "DIR" in a value stands for a directory of the test.
var parameters = map[string]map[string]any{
	"retry-groups": {"marker": "DIR/marker"},
}

func TestPipelinesOfEveryFeatureEndAsWritten(t *testing.T) {
	files, err := filepath.Glob("compiled/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d compiled pipelines: %v", len(files), err)
	}
	srv := levadatest.Start(t, "LEVADA_SECRET_OF_THE_SERVER=1")
	runAll(t, srv, files, "")
}

// newest made the files in compiled/.
const newest = "2.17.0"

// The SDK generations whose compilers write the same features in different ways.
var generations = []string{newest, "2.15.2", "2.14.3", "2.10.1", "2.7.0", "2.4.0", "2.1.3", "2.0.1"}

func TestPipelinesOfEverySDKGenerationEndAsWritten(t *testing.T) {
	if os.Getenv("LEVADA_PIPELINES") != "all" {
		t.Skip("compiles with eight SDKs and builds their environments: make pipelines-all, or LEVADA_PIPELINES=all")
	}
	for _, version := range generations {
		t.Run(version, func(t *testing.T) {
			python, err := levadatest.SDKPython(version)
			if err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			left, err := exec.Command(python, "compile.py", out).CombinedOutput()
			if err != nil {
				t.Fatalf("compile: %v\n%s", err, left)
			}
			t.Logf("%s", left)
			files, err := filepath.Glob(filepath.Join(out, "*.yaml"))
			if err != nil || len(files) == 0 {
				t.Fatalf("nothing was compiled: %v", err)
			}
			if version == newest {
				same(t, out, "compiled")
				return
			}
			srv := levadatest.Start(t, "LEVADA_SECRET_OF_THE_SERVER=1") // one each: results must not be reused across versions
			runAll(t, srv, files, version)
		})
	}
}

// same tests that two directories hold the same files. Two files differ each time: the SDK packs the times of embedded files into
// one, and names executors of the other in any order.
func same(t *testing.T, got, want string) {
	t.Helper()
	if out, err := exec.Command("diff", "-r", "-x", "modern-components.yaml", "-x", "nesting-loops.yaml", want, got).CombinedOutput(); err != nil {
		t.Errorf("make pipelines writes something else than what is in %s:\n%.2000s", want, out)
	}
}

func runAll(t *testing.T, srv *levadatest.Server, files []string, version string) {
	t.Helper()
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	ended := make([]string, len(files))
	failed := make([]error, len(files))
	for i, file := range files {
		dir := t.TempDir()
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			ended[i], failed[i] = runOne(ctx, srv, file, version, dir)
		})
	}
	wg.Wait()
	for i, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			if failed[i] != nil {
				t.Fatal(failed[i])
			}
			golden := goldenFile(name, version)
			if want, err := os.ReadFile(golden); *update && (err != nil || string(want) != ended[i]) {
				golden = filepath.Join("golden", name+at(version)+".txt")
				if err := os.WriteFile(golden, []byte(ended[i]), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), ended[i]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func at(version string) string {
	if version == "" {
		return ""
	}
	return "@" + version
}

// goldenFile is the expectation for what an SDK compiled: its own where it writes something else than the newest, as
// golden/NAME@VERSION.txt.
func goldenFile(name, version string) string {
	own := filepath.Join("golden", name+at(version)+".txt")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return filepath.Join("golden", name+".txt")
}

func runOne(ctx context.Context, srv *levadatest.Server, file, version, dir string) (string, error) {
	name := strings.TrimSuffix(filepath.Base(file), ".yaml")
	file, err := withIndex(file, dir)
	if err != nil {
		return "", err
	}
	uploaded, err := srv.Upload(ctx, strings.TrimSpace(name+" "+version), file)
	if err != nil {
		return "", err
	}
	given := map[string]any{}
	for k, v := range parameters[name] {
		if text, ok := v.(string); ok {
			v = strings.ReplaceAll(text, "DIR", dir)
		}
		given[k] = v
	}
	run, err := srv.Run(ctx, name, uploaded, given)
	if err != nil {
		return "", err
	}
	if _, _, err := srv.Wait(ctx, run); err != nil {
		return "", err
	}
	return describe(ctx, srv, name, run, dir)
}
