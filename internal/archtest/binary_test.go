package archtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unwanted lists packages that must not be part of the product, by what they would bring.
var unwanted = map[string]string{
	"testing":                      "test code in the product; it also registers flags",
	"testing/fstest":               "test code in the product",
	"net/http/httptest":            "test code in the product",
	"net/http/pprof":               "its import adds routes to the default mux, open to everyone",
	"runtime/cgo":                  "the product is one static binary",
	"plugin":                       "the product is one static binary",
	"golang.org/x/net/trace":       "brings html/template and switches off the linker's pruning; build with -tags grpcnotrace",
	"github.com/google/go-cmp/cmp": "for tests only",
	"pgregory.net/rapid":           "for tests only",
	"go.uber.org/goleak":           "for tests only",
	"github.com/ebitengine/purego": "links libc; what loads libraries is a program of its own (cmd/levada-onnx)",
	"gopkg.in/yaml.v3":             "no longer maintained; use go.yaml.in/yaml/v3",
	"gopkg.in/yaml.v2":             "no longer maintained; use go.yaml.in/yaml/v2",
	"github.com/mattn/go-sqlite3":  "needs a C compiler; modernc.org/sqlite is the SQLite of the product",
}

const (
	tags     = "grpcnotrace"
	maxBytes = 70 << 20
)

func TestTheProductLinksNothingUnwanted(t *testing.T) {
	for path := range strings.Lines(goTool(t, "list", "-deps", "-tags", tags, "./cmd/levada")) {
		path = strings.TrimSpace(path)
		if why := unwanted[path]; why != "" {
			t.Errorf("the product links %s: %s (see who: go mod why -m, go list -deps)", path, why)
		}
	}
}

// TestTheBinaryStaysSmall builds the product as `make build` does. The linker's dump of dependencies names
// every function that may call methods found by reflection; one such function makes the linker keep all
// exported methods of everything, which costs tens of megabytes.
func TestTheBinaryStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the product; run without -short")
	}
	binary := filepath.Join(t.TempDir(), "levada")
	// The go command keeps what the linker printed beside the compiled main package, and prints it again in later
	// builds that use the same one. Compiled with a flag of its own, this main package is not the same.
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags, "-gcflags", module+"/cmd/levada=-l",
		"-ldflags", "-s -w -dumpdep", "-o", binary, "./cmd/levada")
	cmd.Dir = repository(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTOOLCHAIN=local")
	dump, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout // the go command passes the linker's dump on as diagnostics
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var tail []string
	seen, reflecting := 0, 0
	lines := bufio.NewScanner(dump)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		seen++
		if strings.Contains(line, "<ReflectMethod>") {
			reflecting++
			t.Errorf("the linker cannot prune methods because of %s", line)
		}
		if tail = append(tail, line); len(tail) > 20 {
			tail = tail[1:]
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("read the linker's dump: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("build the product: %v\n%s", err, strings.Join(tail, "\n"))
	}
	if seen < 1000 {
		t.Fatalf("the linker named %d dependencies, want thousands: has the form of its dump changed?", seen)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the binary has %.1f MiB, %d functions hinder pruning", float64(info.Size())/(1<<20), reflecting)
	if info.Size() >= maxBytes {
		t.Errorf("the binary has %d bytes, want under %d: a part that needs more needs a decision record", info.Size(), maxBytes)
	}
}

// TestLibcIsTheOneSQLiteWasTestedWith guards the pair: modernc.org/sqlite is translated C that fits exactly one
// version of modernc.org/libc, and minimal version selection may choose a newer one without a word.
func TestLibcIsTheOneSQLiteWasTestedWith(t *testing.T) {
	used := strings.TrimSpace(goTool(t, "list", "-m", "-f", "{{.Version}}", "modernc.org/libc"))
	src, err := os.ReadFile(strings.TrimSpace(goTool(t, "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite")))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*(?:require )?modernc\.org/libc (v\S+)`).FindSubmatch(src)
	if found == nil {
		t.Fatal("modernc.org/sqlite no longer requires modernc.org/libc")
	}
	if want := string(found[1]); used != want {
		t.Errorf("modernc.org/libc is %s, modernc.org/sqlite wants exactly %s: %s", used, want,
			fmt.Sprintf("go get modernc.org/libc@%s", want))
	}
}
