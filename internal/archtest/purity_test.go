package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// impure lists what packages below internal/core must not import from the standard library. Subpackages are
// meant too, so "net" stands for net/http; the pure parts that live below such a name are in pureAfterAll.
var impure = []string{
	"database", "crypto/rand", "log", "math/rand", "net", "os", "plugin", "runtime/pprof", "syscall", "testing",
}

var pureAfterAll = []string{"net/url", "net/netip"}

// clocks are the functions of package time that read or wait for the clock.
var clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// dice are the functions of github.com/google/uuid that draw randomness; NewSHA1 and NewMD5 do not.
var dice = []string{"New", "NewDCEGroup", "NewDCEPerson", "NewDCESecurity", "NewRandom", "NewString", "NewUUID", "NewV6", "NewV7"}

func TestCoreHasNoClockNoRandomnessNoGoroutineAndNoOutsideWorld(t *testing.T) {
	for _, p := range packages(t) {
		if !within(p.Path, "internal/core") {
			continue
		}
		for _, f := range p.Files {
			for _, fault := range impurities(f.AST) {
				t.Errorf("%s: %s; core is pure: take it as an argument", f.Name, fault)
			}
		}
	}
}

func impurities(f *ast.File) []string {
	var out []string
	for _, path := range imports(f) {
		forbidden := slices.ContainsFunc(impure, func(folder string) bool { return within(path, folder) })
		if forbidden && !slices.Contains(pureAfterAll, path) {
			out = append(out, "imports "+path)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			out = append(out, "starts a goroutine")
		}
		return true
	})
	for _, name := range uses(f, "time", clocks) {
		out = append(out, "uses time."+name)
	}
	for _, name := range uses(f, "github.com/google/uuid", dice) {
		out = append(out, "uses uuid."+name)
	}
	return out
}

// readers are the functions that read the environment of the process.
var readers = map[string][]string{
	"os":      {"Environ", "ExpandEnv", "Getenv", "LookupEnv", "UserCacheDir", "UserConfigDir", "UserHomeDir"},
	"syscall": {"Environ", "Getenv"},
}

// environmentExceptions may read the environment; the reason stands beside each.
var environmentExceptions = map[string]string{
	"bench": "a program of its own, not part of the product",
	"test":  "drives the product from outside",
}

func TestOnlyAppReadsTheEnvironment(t *testing.T) {
	for _, p := range packages(t) {
		if within(p.Path, "internal/app") || excepted(environmentExceptions, p.Path) {
			continue
		}
		for _, f := range p.Files {
			for path, names := range readers {
				for _, name := range uses(f.AST, path, names) {
					t.Errorf("%s uses %s.%s: only internal/app reads the environment; take the value as an argument", f.Name, path, name)
				}
			}
		}
	}
}

func TestNoPackageHasAnInitFunction(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.Files {
			for _, d := range f.AST.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s has an init function: work happens where it is called, not on import", f.Name)
				}
			}
		}
	}
}

func TestMainIsUnderThirtyLines(t *testing.T) {
	for _, p := range packages(t) {
		if p.Path != "cmd/levada" {
			continue
		}
		lines := 0
		for _, f := range p.Files {
			lines += f.Lines
		}
		if lines >= 30 {
			t.Errorf("cmd/levada has %d lines, want under 30: it calls app.Run and nothing else", lines)
		}
	}
}

// imports returns the import paths of a file.
func imports(f *ast.File) []string {
	var out []string
	for _, spec := range f.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			out = append(out, path)
		}
	}
	return out
}

// uses returns which of the names a file uses of the package with the given import path.
func uses(f *ast.File, path string, names []string) []string {
	local := ""
	for _, spec := range f.Imports {
		if spec.Path.Value != strconv.Quote(path) {
			continue
		}
		local = path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
	}
	if local == "" {
		return nil
	}
	if local == "." {
		return []string{fmt.Sprintf("* (a dot import of %s)", path)}
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(names, sel.Sel.Name) {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
			out = append(out, sel.Sel.Name)
		}
		return true
	})
	return out
}

// excepted reports whether a path lies below an entry of a table of exceptions.
func excepted(table map[string]string, path string) bool {
	for folder := range table {
		if within(path, folder) {
			return true
		}
	}
	return false
}
