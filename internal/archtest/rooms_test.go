package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// room is a part of the house: a folder, what its packages may import of this module, and what of others.
// The room with the longest folder that holds a package is the package's room.
type room struct {
	Folder string
	// Own lists folders of this module that may be imported. A package may always import packages of the
	// same room below its own folder.
	Own []string
	// Others lists modules or folders of other people; anyone stands for all of them. The standard library is
	// always allowed here; what core may not take from it is in purity_test.go.
	Others []string
	Why    string
}

const anyone = "*"

// rooms is docs/ARCHITECTURE.md as a table.
var rooms = []room{
	{
		Folder: "cmd/levada-onnx", Own: []string{"internal/adapter/onnxworker"},
		Why: "a worker that the server starts; it knows nothing of the server",
	},
	{
		Folder: "cmd/levada", Own: []string{"internal/app"},
		Why: "main calls app.Run and nothing else",
	},
	{
		Folder: "internal/app", Own: []string{"internal", "python", "components"}, Others: []string{anyone},
		Why: "the composition root: the one place that knows every part",
	},
	{
		Folder: "internal/config", Own: []string{"internal/core"}, Others: []string{"sigs.k8s.io/yaml"},
		Why: "settings are plain values; they know none of the parts they are for",
	},
	{
		Folder: "internal/core", Own: []string{"internal/core"},
		Others: []string{"cel.dev/cel-go", "gonum.org/v1/gonum", "go.yaml.in/yaml", "github.com/google/uuid"},
		Why:    "decisions are pure, so that they can be tested through millions of schedules",
	},
	{
		Folder: "internal/core/expect", Own: []string{"internal/core"},
		Others: []string{"cel.dev/cel-go", "gonum.org/v1/gonum", "go.yaml.in/yaml", "github.com/dlclark/regexp2", "github.com/santhosh-tekuri/jsonschema"},
		Why:    "expectations are pure; suites hold Python's regular expressions and JSON schemas, which the standard library does not read",
	},
	{
		Folder: "internal/pipeline", Own: []string{"internal/core"}, Others: []string{"github.com/google/uuid", "golang.org/x/sync", "github.com/rogpeppe/go-internal/diff"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/tracking", Own: []string{"internal/core"}, Others: []string{"golang.org/x/sync"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/tracing", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/registry", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/lineage", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/webhook", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/dataset", Own: []string{"internal/core"}, Others: []string{"golang.org/x/sync"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/secret", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/changes", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/trigger", Own: []string{"internal/core"}, Others: []string{"github.com/google/uuid"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest, the starting of runs too",
	},
	{
		Folder: "internal/declare", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/adapter", Own: []string{"internal/core"}, Others: []string{anyone},
		Why: "an adapter satisfies interfaces that services declare, and knows only core's types",
	},
	{
		Folder: "internal/serving", Own: []string{"internal/core"},
		Why: "a service knows core and the small interfaces it declares; app hands it the rest",
	},
	{
		Folder: "internal/adapter/subprocess", Own: []string{"python"}, Others: []string{anyone},
		Why: "what starting programs needs, whoever starts them; the embedded Python files are part of it",
	},
	{
		Folder: "internal/adapter/modelhost", Own: []string{"internal/core", "internal/adapter/modelwire", "internal/adapter/pyenv", "internal/adapter/subprocess"},
		Others: []string{anyone},
		Why:    "model workers are processes, most of them in Python environments, that answer frames",
	},
	{
		Folder: "internal/adapter/onnxworker", Own: []string{"internal/core", "internal/adapter/modelwire"}, Others: []string{anyone},
		Why: "the worker's side of the frames; it is a program of its own and knows nothing of the server",
	},
	{
		Folder: "internal/adapter/requestlog", Own: []string{"internal/core", "internal/adapter/tabular"}, Others: []string{anyone},
		Why: "logged requests are Parquet files, which tabular writes and reads",
	},
	{
		Folder: "internal/adapter/runner", Own: []string{"internal/core", "internal/adapter/pyenv", "internal/adapter/steplog", "internal/adapter/subprocess"},
		Others: []string{anyone},
		Why:    "the process runner starts steps in Python environments and captures their output",
	},
	{
		Folder: "internal/api", Own: []string{"internal/core", "internal/pipeline", "internal/secret", "internal/tracking", "internal/tracing", "internal/registry", "internal/webhook", "internal/changes", "internal/lineage", "internal/trigger", "internal/serving", "internal/dataset", "internal/api/predict", "internal/api/status"}, Others: []string{anyone},
		Why: "a door translates wire <-> domain and reaches everything else through a service",
	},
	{
		Folder: "internal/cli", Own: []string{"internal/core", "internal/config", "internal/dataset"}, Others: []string{anyone},
		Why: "commands talk to the server over its API, so that they work against any server; tables in files they read themselves, with dataset",
	},
	{
		Folder: "internal/web", Own: nil, Others: nil,
		Why: "the built user interface as files, nothing else",
	},
	{
		Folder: "python", Own: nil, Others: nil,
		Why: "the Python files that steps run with, nothing else",
	},
	{
		Folder: "components", Own: nil, Others: nil,
		Why: "the ready-made components as files, nothing else",
	},
	{
		Folder: "internal/archtest", Own: nil, Others: nil,
		Why: "tests only",
	},
	{
		Folder: "bench", Own: nil, Others: []string{"google.golang.org/protobuf/encoding/protowire"},
		Why: "a benchmark is a client: it knows the product only from outside, and speaks its protocols",
	},
	{
		Folder: "test", Own: []string{"internal", "python"}, Others: []string{anyone},
		Why: "tests may look at everything",
	},
}

// roomOf returns the room of a package.
func roomOf(path string) (room, bool) {
	var found room
	for _, r := range rooms {
		if within(path, r.Folder) && len(r.Folder) > len(found.Folder) {
			found = r
		}
	}
	return found, found.Folder != ""
}

// trespasses returns one sentence for each import that a package's room does not allow.
func trespasses(p pkg) []string {
	r, ok := roomOf(p.Path)
	if !ok {
		return []string{fmt.Sprintf("%s belongs to no room: say in rooms_test.go what it may import and why", p.Path)}
	}
	var out []string
	for _, imported := range p.Imports {
		if allowed(r, p.Path, imported) {
			continue
		}
		out = append(out, fmt.Sprintf("%s must not import %s: %s", p.Path, imported, r.Why))
	}
	return out
}

func allowed(r room, importer, imported string) bool {
	if standard(imported) {
		return true
	}
	if path, ok := own(imported); ok {
		return within(path, importer) || slices.ContainsFunc(r.Own, func(folder string) bool { return within(path, folder) })
	}
	return slices.ContainsFunc(r.Others, func(other string) bool { return other == anyone || within(imported, other) })
}

func TestEveryPackageImportsOnlyWhatItsRoomAllows(t *testing.T) {
	for _, p := range packages(t) {
		for _, trespass := range trespasses(p) {
			t.Error(trespass)
		}
	}
}

func TestARoomThatHoldsNoPackageIsNotListed(t *testing.T) {
	for _, r := range rooms {
		if !slices.ContainsFunc(packages(t), func(p pkg) bool { return within(p.Path, r.Folder) }) {
			t.Errorf("room %s holds no package: remove it from rooms_test.go", r.Folder)
		}
	}
}

func TestTheRulesCatchWhatTheyAreFor(t *testing.T) {
	tests := []struct {
		importer, imported string
		want               bool
	}{
		{"internal/core/engine", "levada/internal/core/ir", true},
		{"internal/core/engine", "levada/internal/pipeline", false},
		{"internal/core/ir", "go.yaml.in/yaml/v3", true},
		{"internal/core/ir", "github.com/spf13/cobra", false},
		{"internal/core/ir", "strings", true},
		{"internal/pipeline", "levada/internal/adapter/store", false},
		{"internal/pipeline", "levada/internal/core/run", true},
		{"internal/adapter/blob", "levada/internal/pipeline", false},
		{"internal/adapter/blob", "levada/internal/adapter/store", false},
		{"internal/adapter/store", "levada/internal/adapter/store/sqlite", true},
		{"internal/adapter/runner", "levada/internal/adapter/pyenv", true},
		{"internal/adapter/runner", "levada/internal/adapter/blob", false},
		{"internal/trigger", "levada/internal/pipeline", false},
		{"internal/api/kfp", "levada/internal/pipeline", true},
		{"internal/api/kfp", "levada/internal/adapter/store", false},
		{"internal/cli", "levada/internal/adapter/store", false},
		{"internal/cli", "levada/internal/app", false},
		{"cmd/levada", "levada/internal/app", true},
		{"cmd/levada", "levada/internal/cli", false},
		{"bench", "levada/internal/app", false},
	}
	for _, tt := range tests {
		got := len(trespasses(pkg{Path: tt.importer, Imports: []string{tt.imported}})) == 0
		if got != tt.want {
			t.Errorf("%s imports %s: allowed is %v, want %v", tt.importer, tt.imported, got, tt.want)
		}
	}
	homeless := trespasses(pkg{Path: "internal/elsewhere"})
	if len(homeless) != 1 || !strings.Contains(homeless[0], "belongs to no room") {
		t.Errorf("a package without a room gives %q", homeless)
	}
}
