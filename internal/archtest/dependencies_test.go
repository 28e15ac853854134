package archtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryDependencyIsListedWithItsReason compares docs/dependencies.md and ui/README.md with what is really required.
func TestEveryDependencyIsListedWithItsReason(t *testing.T) {
	listed := listedDependencies(t)
	required := webDependencies(t)
	for line := range strings.Lines(goTool(t, "list", "-m", "-f", "{{if not (or .Main .Indirect)}}{{.Path}} {{.Version}}{{end}}", "all")) {
		if path, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			required[path] = version
		}
	}
	for name, version := range required {
		switch listed[name] {
		case version:
		case "":
			t.Errorf("%s %s is not in docs/dependencies.md or ui/README.md: say there what it is for, and its licence", name, version)
		default:
			t.Errorf("%s is at %s, the list of dependencies says %s", name, version, listed[name])
		}
	}
	for name := range listed {
		if strings.ContainsAny(name, "./@") && required[name] == "" && !isTool(t, name, listed[name]) {
			t.Errorf("%s is in the list of dependencies, but nothing requires it", name)
		}
	}
}

// listedDependencies reads the tables: name and version are the first two cells of a row.
func listedDependencies(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (\\S+) \\| [^|]+ \\| [^|]+ \\|$")
	for _, name := range []string{"docs/dependencies.md", "ui/README.md"} {
		page, err := os.ReadFile(filepath.Join(repository(t), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range row.FindAllSubmatch(page, -1) {
			out[string(found[1])] = string(found[2])
		}
	}
	return out
}

func webDependencies(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), "ui", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Dependencies    map[string]string `json:"dependencies"`
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("read ui/package.json: %v", err)
	}
	out := map[string]string{}
	for _, part := range []map[string]string{p.Dependencies, p.DevDependencies} {
		for name, version := range part {
			out[name] = version
		}
	}
	return out
}

// isTool reports whether tools/go.mod requires a module at a version.
func isTool(t *testing.T, name, version string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), "tools", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), "\t"+name+" "+version+" ")
}
