package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"levada/test/levadatest"
)

// declaredGraph asks the models iris and adder at once; a sequence follows that ends in what is given.
const declaredGraph = `kind: graph
name: both
graph:
  nodes:
    root:
      router: sequence
      steps:
        - node: models
        - name: answer
          before: {%s}
    models:
      router: ensemble
      steps:
        - endpoint: iris
        - endpoint: adder
          after: {select: [sum]}
`

// changeGraph applies two graphs one after the other while requests go on, and checks every answer.
func changeGraph(t *testing.T, server *levadatest.Server, l logged) {
	dir := filepath.Join(t.TempDir(), "graphs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "both.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(want string, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), append(args, "--server", server.URL)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: no %q in\n%s", err, want, out)
		}
	}
	good := fmt.Sprintf(declaredGraph, "select: [iris]")
	write(strings.Replace(good, "endpoint: iris", "endpoint: nobody", 1))
	refused(`both.yaml:1: node models, step nobody: there is no endpoint "nobody"`, "apply", "-f", dir)
	write(strings.Replace(good, "before: {select: [iris]}", "endpoint: iris", 1)) // what the models have said at logging tells that
	refused(`both.yaml:1: node root, step answer: what it gets can never be what endpoint "iris" takes: the model's signature requires inputs that did not come`, "apply", "-f", dir)
	write(fmt.Sprintf(declaredGraph, "select: [iris, adder]"))
	levada(t, server, "apply", "-f", dir)
	levada(t, server, "deploy", "-f", dir, "--wait")
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if err := askBoth(ctx, server.URL, l, n%len(l.Rows)); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	write(fmt.Sprintf(declaredGraph, `set: {total: "double(row.iris) + row.adder"}, select: [total]`))
	if out := levada(t, server, "plan", "-f", dir); !strings.Contains(out, "~ graph both") {
		t.Error(out)
	}
	levada(t, server, "apply", "-f", dir)
	levada(t, server, "deploy", "-f", dir, "--wait")
	for i := range 20 {
		if err := askBoth(t.Context(), server.URL, l, i); err != nil {
			t.Error(err)
		}
	}
	stop()
	all.Wait()
	if out := levada(t, server, "plan", "-f", dir); !strings.Contains(out, "Nothing to change") {
		t.Error(out)
	}
	// Graphs that ask graphs are made after these, and deleted before.
	more := filepath.Join(dir, "more")
	if err := os.Mkdir(more, 0o700); err != nil {
		t.Fatal(err)
	}
	const asking = "kind: graph\nname: a-%s\ngraph: {nodes: {root: {router: sequence, steps: [{endpoint: %s}]}}}\n"
	nested := fmt.Sprintf(asking, "outer", "z-inner") + "---\n" + strings.Replace(fmt.Sprintf(asking, "inner", "both"), "a-inner", "z-inner", 1)
	if err := os.WriteFile(filepath.Join(more, "nested.yaml"), []byte(nested), 0o600); err != nil {
		t.Fatal(err)
	}
	levada(t, server, "apply", "-f", more)
	levada(t, server, "deploy", "-f", more, "--wait")
	if a, _, err := predict(t.Context(), server.URL, "a-outer", l.Rows[0], nil); err != nil || a.Outputs[0].Name != "total" {
		t.Errorf("%+v %v", a, err)
	}
	if err := os.Remove(filepath.Join(more, "nested.yaml")); err != nil {
		t.Fatal(err)
	}
	if out := levada(t, server, "apply", "-f", more); !strings.Contains(out, "2 to delete") {
		t.Error(out)
	}
	shown := levada(t, server, "endpoints", "both")
	for _, want := range []string{"both: graph, version 2 of 2, READY", "models  adder   adder", "root    models  node models", "traffic_moved"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	resp, err := server.Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`levada_graph_requests_total{graph="both",outcome="ok"}`, `levada_graph_node_duration_seconds_count{graph="both",node="models"}`,
		`levada_graph_step_requests_total{graph="both",node="models",outcome="ok",step="adder"}`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s among the metrics", want)
		}
	}
	refused(`the graph "both" asks "adder"`, "undeploy", "adder")
}

// askBoth asks the graph about one row, and compares the answer with what the models said when they were logged: in the first version of the
// graph label and sum, in the second one number.
func askBoth(ctx context.Context, url string, l logged, row int) error {
	a, status, err := predict(ctx, url, "both", l.Rows[row], nil)
	if err != nil {
		return err
	}
	got := map[string]float64{}
	for _, o := range a.Outputs {
		var v float64
		if err := json.Unmarshal(o.Data[0], &v); err != nil {
			return err
		}
		got[o.Name] = v
	}
	iris, sum := float64(l.Iris[1][row]), l.Sums[row]
	want := map[string]float64{"iris": iris, "adder": sum}
	if a.Version == "2" {
		want = map[string]float64{"total": iris + sum}
	}
	for name, v := range want {
		if d := got[name] - v; status != http.StatusOK || len(got) != len(want) || d > 1e-9 || d < -1e-9 {
			return fmt.Errorf("row %d of version %s: %v; want %v", row, a.Version, got, want)
		}
	}
	return nil
}
