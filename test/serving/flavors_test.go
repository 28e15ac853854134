package serving

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"levada/test/levadatest"
)

// flavored is what log_flavors.py says of the models that it has registered.
type flavored struct {
	Rows   [][]float64
	Texts  []string
	Models map[string][]any // what MLflow itself says that they predict
}

// bodyOf asks a model in the form that its signature has.
func (f flavored) bodyOf(name string, from, to int) map[string]any {
	switch {
	case name == "transformers":
		return map[string]any{"inputs": f.Texts[from:to]}
	case strings.HasPrefix(name, "pytorch"):
		return map[string]any{"inputs": f.Rows[from:to]}
	}
	return map[string]any{"dataframe_split": map[string]any{"columns": columns, "data": f.Rows[from:to]}}
}

// alike compares values of JSON; numbers may differ in the last digits of a float.
func alike(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && math.Abs(x-y) <= 1e-5*max(1, math.Abs(x))
	case []any:
		y, ok := b.([]any)
		return ok && len(x) == len(y) && slices.EqualFunc(x, y, alike)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, alike)
	}
	return a == b
}

func TestModelsOfGradientBoostingAreServed(t *testing.T) {
	serveFlavors(t, "boosted", "xgboost,lightgbm", 2)
}

// TestModelsOfTorchAreServed is run by `make test-flavors`: their libraries take 5 GB of the disk.
func TestModelsOfTorchAreServed(t *testing.T) {
	if os.Getenv("LEVADA_FLAVORS") != "all" {
		t.Skip("LEVADA_FLAVORS=all serves PyTorch and transformers, too")
	}
	serveFlavors(t, "torch", "pytorch,transformers", 3)
}

// serveFlavors has MLflow's client log models of flavors, and compares what endpoints answer with what MLflow predicts with them.
func serveFlavors(t *testing.T, libraries, flavors string, many int) {
	t.Setenv("LEVADA_TEST_FLAVORS", flavors)
	var f flavored
	server, _ := startAndLog(t, libraries, "log_flavors.py", &f)
	if len(f.Models) != many {
		t.Fatalf("%d models were logged; want %d", len(f.Models), many)
	}
	for name, want := range f.Models {
		t.Run(name, func(t *testing.T) {
			t.Log(levada(t, server, "deploy", "models:/"+name+"/1", "--endpoint", name, "--wait"))
			defer levada(t, server, "undeploy", name)
			f.ask(t, server, name, 0, len(want), want)
			var all sync.WaitGroup
			for i := range want { // so that requests are joined
				all.Go(func() { f.ask(t, server, name, i, i+1, want[i:i+1]) })
			}
			all.Wait()
			if shown := levada(t, server, "endpoints", name, "-o", "json"); !strings.Contains(shown, "Python 3.") || strings.Contains(shown, "could not be predicted") {
				t.Errorf("%s", shown)
			}
			refuseFlavor(t, server, name)
		})
	}
}

func (f flavored) ask(t *testing.T, server *levadatest.Server, name string, from, to int, want []any) {
	t.Helper()
	body, err := json.Marshal(f.bodyOf(name, from, to))
	if err != nil {
		t.Error(err)
		return
	}
	status, text := post(t, server.URL+"/serving-endpoints/"+name+"/invocations", string(body))
	var got struct{ Predictions []any }
	if err := json.Unmarshal([]byte(text), &got); status != http.StatusOK || err != nil || !alike(got.Predictions, want) {
		t.Errorf("rows %d to %d: %d %s; want %v", from, to, status, text, want)
	}
}

// refuseFlavor asks for what does not fit.
func refuseFlavor(t *testing.T, server *levadatest.Server, name string) {
	t.Helper()
	body, want := `{"dataframe_split": {"columns": ["sepal length"], "data": [["x"]]}}`, "did not come"
	switch {
	case name == "transformers":
		body, want = `{"inputs": [7]}`, "string is wanted"
	case strings.HasPrefix(name, "pytorch"):
		body, want = `{"inputs": [[1, 2, 3]]}`, "shape [-1 4] is wanted"
	}
	if status, text := post(t, server.URL+"/serving-endpoints/"+name+"/invocations", body); status != http.StatusBadRequest || !strings.Contains(text, want) {
		t.Errorf("%s: %d %s; want %q", body, status, text, want)
	}
}
