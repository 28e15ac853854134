package archtest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "levada"

// pkg is one package of the module with the files that are built into the product; tests are not among them.
type pkg struct {
	// Path is relative to the module: "internal/core/ir".
	Path    string
	Name    string
	Dir     string
	Imports []string
	Files   []*file
}

// file is one parsed source file. Name is relative to the repository.
type file struct {
	Name  string
	AST   *ast.File
	Lines int
}

// repository finds the root of the repository from the directory that `go test` runs in.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("find the root of the repository: %v", err)
	}
	return root
}

// goTool runs the go command in the repository, built as the product is, and returns what it prints.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = repository(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
		}
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

var (
	loadOnce sync.Once
	loaded   []pkg
	fset     = token.NewFileSet()
)

// packages lists and parses every package of the module. It works on code that does not compile, so a
// broken build elsewhere does not hide a broken rule.
func packages(t *testing.T) []pkg {
	t.Helper()
	loadOnce.Do(func() { loaded = load(t) })
	if len(loaded) == 0 {
		t.Fatal("no package was found; the first test that failed says why")
	}
	return loaded
}

func load(t *testing.T) []pkg {
	t.Helper()
	root := repository(t)
	dec := json.NewDecoder(strings.NewReader(goTool(t, "list", "-e", "-tags", "grpcnotrace",
		"-json=ImportPath,Name,Dir,Imports,GoFiles,IgnoredGoFiles", "./...")))
	var out []pkg
	for {
		var l struct {
			ImportPath, Name, Dir            string
			Imports, GoFiles, IgnoredGoFiles []string
		}
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("read the list of packages: %v", err)
		}
		p := pkg{Path: strings.TrimPrefix(l.ImportPath, module+"/"), Name: l.Name, Dir: l.Dir, Imports: l.Imports}
		// Files for other systems obey the same rules.
		for _, name := range append(l.GoFiles, l.IgnoredGoFiles...) {
			if !strings.HasSuffix(name, "_test.go") {
				p.Files = append(p.Files, parse(t, root, filepath.Join(l.Dir, name)))
			}
		}
		out = append(out, p)
	}
}

func parse(t *testing.T, root, name string) *file {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(root, name)
	if err != nil {
		t.Fatal(err)
	}
	// A file that does not parse is the compiler's business; what was read of it is still checked.
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if f == nil {
		t.Fatalf("parse %s: %v", rel, err)
	}
	return &file{Name: filepath.ToSlash(rel), AST: f, Lines: strings.Count(string(src), "\n")}
}

// within reports whether path is prefix or lies below it.
func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// own returns the module-relative form of an import path, and false for a package of someone else.
func own(path string) (string, bool) {
	return strings.CutPrefix(path, module+"/")
}

// standard reports whether an import path is of the standard library: its first element has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != module
}
