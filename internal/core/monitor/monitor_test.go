package monitor_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"levada/components"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/monitor"
)

const (
	suite  = "columns:\n  a:\n    - not_null\n"
	schema = "environments: [training, serving]\nfeatures:\n  - {name: a, type: int, skew: {jensen_shannon: 0.1}}\n"
)

func parts(t *testing.T) *monitor.Parts {
	t.Helper()
	p, err := monitor.Load(components.Data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plain is a specification as JSON has it.
func plain(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

func TestComponentsAreCompiledAsTheSDKDoes(t *testing.T) {
	text, err := parts(t).Pipeline(monitor.Spec{Name: "m", Suite: suite, Reference: "/ref.csv"})
	if err != nil {
		t.Fatal(err)
	}
	ours := plain(t, text)
	file, err := os.ReadFile("../../../test/pipelines/compiled/data-components.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(file, &raw); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	theirs := plain(t, string(body))
	for name, theirName := range map[string]string{"profile": "profile-data", "check-report": "check-data", "drift-report": "compare-data", "drift": "gate-data"} {
		a, b := at(ours, "components", "comp-"+name), at(theirs, "components", "comp-"+theirName)
		if a == nil || b == nil {
			t.Fatalf("%s is not there: %v, %v", name, a, b)
		}
		a.(map[string]any)["executorLabel"] = at(b, "executorLabel")
		if diff := cmp.Diff(b, a); diff != "" {
			t.Errorf("the interface of %s (-SDK +ours):\n%s", name, diff)
		}
		if diff := cmp.Diff(at(theirs, "deploymentSpec", "executors", "exec-"+theirName), at(ours, "deploymentSpec", "executors", "exec-"+name)); diff != "" {
			t.Errorf("the executor of %s (-SDK +ours):\n%s", name, diff)
		}
	}
}

func TestAPipelineHasTheStepsThatAreAskedForAndIsAccepted(t *testing.T) {
	for name, tc := range map[string]struct {
		spec  monitor.Spec
		tasks string
	}{
		"a profile":   {monitor.Spec{Name: "m"}, "data profile"},
		"a check":     {monitor.Spec{Name: "m", Suite: suite, Environment: "serving"}, "check check-report data profile"},
		"a schema":    {monitor.Spec{Name: "m", Schema: schema, Environment: "serving"}, "check check-report data profile"},
		"skew":        {monitor.Spec{Name: "m", Schema: schema, Reference: "/ref"}, "check check-report data drift drift-report profile reference"},
		"drift":       {monitor.Spec{Name: "m", Reference: "/ref", Drift: monitor.Drift{Ignore: "a,b", Target: "y", Prediction: "p", Share: 0.3}}, "data drift drift-report profile reference"},
		"requests":    {monitor.Spec{Name: "m", Reference: "/ref", Requests: true, MinRows: 500}, "data drift drift-report profile reference"},
		"all of them": {monitor.Spec{Name: "My data", Description: "d", Suite: suite, Reference: "/ref"}, "check check-report data drift drift-report profile reference"},
	} {
		text, err := parts(t).Pipeline(tc.spec)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, err := ir.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if _, err := p.CheckParameters(map[string]any{"data": "/data.csv"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tasks, _ := at(plain(t, text), "root", "dag", "tasks").(map[string]any)
		var names []string
		for _, n := range []string{"check", "check-report", "data", "drift", "drift-report", "profile", "reference"} {
			if tasks[n] != nil {
				names = append(names, n)
			}
		}
		if got := strings.Join(names, " "); got != tc.tasks || len(names) != len(tasks) {
			t.Errorf("%s: tasks %s, want %s", name, got, tc.tasks)
		}
		again, err := parts(t).Pipeline(tc.spec)
		if err != nil || again != text {
			t.Errorf("%s: it is not the same each time", name)
		}
	}
	text, _ := parts(t).Pipeline(monitor.Spec{Name: "m", Reference: "/ref", Requests: true, MinRows: 500, Drift: monitor.Drift{Share: 0.3}})
	drift := at(plain(t, text), "root", "dag", "tasks", "drift-report")
	for name, want := range map[string]any{"share": 0.3, "min_rows": 500.0, "vanished": "note", "on_failure": "warn"} {
		if got := at(drift, "inputs", "parameters", name, "runtimeValue", "constant"); got != want {
			t.Errorf("%s %v", name, got)
		}
	}
	if diff := cmp.Diff([]any{"data", "reference"}, at(drift, "dependentTasks")); diff != "" {
		t.Error(diff)
	}
}

func TestASchemaMeasuresSkewFromTheReferenceAndDriftFromWhatWasEarlier(t *testing.T) {
	for name, tc := range map[string]struct {
		spec monitor.Spec
		want []string
	}{
		"alone":           {monitor.Spec{Name: "m", Schema: schema}, []string{"data"}},
		"a reference":     {monitor.Spec{Name: "m", Schema: schema, Reference: "/ref"}, []string{"data", "training"}},
		"earlier":         {monitor.Spec{Name: "m", Schema: schema, Reference: "/ref", Earlier: true}, []string{"data", "previous"}},
		"a suite has not": {monitor.Spec{Name: "m", Suite: suite, Reference: "/ref"}, []string{"data"}},
	} {
		text, err := parts(t).Pipeline(tc.spec)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tables, _ := at(plain(t, text), "root", "dag", "tasks", "check-report", "inputs", "artifacts").(map[string]any)
		if diff := cmp.Diff(tc.want, slices.Sorted(maps.Keys(tables))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatCannotBeLookedAtSoIsRefused(t *testing.T) {
	for mention, spec := range map[string]monitor.Spec{
		"suite: ":                             {Name: "m", Suite: "columns: {a: [no_such_thing]}"},
		"schema: ":                            {Name: "m", Schema: "features: [{name: a, type: no_such_thing}]"},
		"there is neither":                    {Name: "m", Environment: "serving"},
		"a suite and a schema":                {Name: "m", Suite: suite, Schema: schema},
		`the schema knows no environment "x"`: {Name: "m", Schema: schema, Environment: "x"},
		"no reference":                        {Name: "m", Drift: monitor.Drift{Target: "y"}},
		"0 or more":                           {Name: "m", MinRows: -1},
		"0 to 1":                              {Name: "m", Reference: "/r", Drift: monitor.Drift{Share: 2}},
	} {
		if _, err := parts(t).Pipeline(spec); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), mention) {
			t.Errorf("%s: %v", mention, err)
		}
	}
}

// BenchmarkLoad measures what a server pays for monitors when it starts.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := monitor.Load(components.Data); err != nil {
			b.Fatal(err)
		}
	}
}
