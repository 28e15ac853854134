package serving_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/infergraph"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

// graphMemory is a GraphStore in memory.
type graphMemory struct {
	*memory
	graphs map[string]infergraph.Graph
}

func (m *graphMemory) PutGraph(_ context.Context, g infergraph.Graph, e endpoint.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.graphs[g.Name] = g
	m.append(e)
	return nil
}

func (m *graphMemory) DeleteGraph(_ context.Context, name string, e endpoint.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.graphs, name)
	m.append(e)
	return nil
}

func (m *graphMemory) Graphs(context.Context) ([]infergraph.Graph, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.graphs)), nil
}

// graphBench is a service with endpoints one, two and three, which add 1, 2 and 3 to each row.
func graphBench(t *testing.T, m *models, kept *graphMemory) (*bench, *graphMemory) {
	t.Helper()
	if kept == nil {
		kept = &graphMemory{&memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}, map[string]infergraph.Graph{}}
	}
	b := open(t, m, kept.memory, func(o *serving.Options) { o.Graphs = kept })
	for number, name := range map[string]string{"1": "one", "2": "two", "3": "three"} {
		if _, err := b.Put(t.Context(), name, endpoint.Spec{Model: "m", Versions: []string{number}, Traffic: traffic.All(number)}); err != nil {
			t.Fatal(err)
		}
	}
	return b, kept
}

func steps(router infergraph.Router, list ...infergraph.Step) infergraph.Node {
	return infergraph.Node{Router: router, Steps: list}
}

func to(name string) infergraph.Step { return infergraph.Step{Endpoint: name} }

func soft(s infergraph.Step) infergraph.Step {
	s.Dependency = infergraph.Soft
	return s
}

// graph gives a graph a specification and waits until that is followed.
func (b *bench) graph(name string, nodes map[string]infergraph.Node) {
	b.t.Helper()
	if _, err := b.PutGraph(b.t.Context(), name, infergraph.Spec{Nodes: nodes}); err != nil {
		b.t.Fatal(err)
	}
	b.awaitGraph(name, func(s serving.GraphStatus) bool { return s.State == serving.StateReady })
}

func (b *bench) awaitGraph(name string, wanted func(serving.GraphStatus) bool) serving.GraphStatus {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		s, err := b.Graph(b.t.Context(), name)
		if err == nil && wanted(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("the graph does not become what is wanted: %+v, %v", s, err)
		}
	}
}

func (b *bench) askGraph(name string, v ...float64) (*infer.Response, error) {
	return b.Infer(b.t.Context(), serving.Call{Endpoint: name, Request: request(v...)})
}

// gives checks the first output of a graph's answer.
func (b *bench) gives(name string, in float64, want float64) *infer.Response {
	b.t.Helper()
	resp, err := b.askGraph(name, in)
	if err != nil {
		b.t.Fatal(err)
	}
	if got := values(resp.Outputs[0]); len(got) != 1 || got[0] != want || resp.Model != name {
		b.t.Errorf("%s of %v is %v by %s; want %v", name, in, got, resp.Model, want)
	}
	return resp
}

func TestARequestGoesThroughAGraph(t *testing.T) {
	b, kept := graphBench(t, &models{}, nil)
	b.graph("g", map[string]infergraph.Node{
		"root": steps(infergraph.Sequence, to("one"), infergraph.Step{Node: "choose"}, infergraph.Step{Name: "again", Endpoint: "three"}),
		"choose": steps(infergraph.Switch, infergraph.Step{Endpoint: "two", When: "request.x[0] < 10.0"},
			infergraph.Step{Node: "both"}),
		"both": {Router: infergraph.Ensemble, Merge: infergraph.MergeMean, Steps: []infergraph.Step{to("one"), to("three")}},
	})
	b.gives("g", 5, 5+1+2+3)
	b.gives("g", 50, 50+1+2+3) // the mean of adding 1 and adding 3 is adding 2
	b.graph("outer", map[string]infergraph.Node{"root": steps(infergraph.Sequence, to("g"), to("one"))})
	b.gives("outer", 5, 12)
	if names, err := b.Endpoints(t.Context()); err != nil || !slices.Equal(names, []string{"g", "one", "outer", "three", "two"}) {
		t.Errorf("%v %v", names, err)
	}
	s := b.awaitGraph("g", func(s serving.GraphStatus) bool { return s.Requests["ok"] == 3 })
	if s.Following != 1 || s.P99MS <= 0 || len(s.Steps) != 7 || s.Steps[0].Node != "both" || s.Steps[0].Requests["ok"] != 1 {
		t.Errorf("%+v", s)
	}
	counted := map[string]int64{}
	for _, m := range b.MeasureGraphs() {
		counted[m.Graph+"/"+m.Node+"/"+m.Step] = m.Requests[endpoint.OK]
	}
	if counted["g//"] != 3 || counted["g/choose/"] != 3 || counted["g/choose/two"] != 2 || counted["g/both/three"] != 1 {
		t.Errorf("%v", counted)
	}
	// Another server over the same store follows what was followed.
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, _ := graphBench(t, &models{}, kept)
	second.awaitGraph("outer", func(s serving.GraphStatus) bool { return s.State == serving.StateReady })
	second.gives("outer", 5, 12)
}

func TestErrorsNameTheNodeAndTheStep(t *testing.T) {
	b, _ := graphBench(t, &models{slow: map[string]time.Duration{"3": 60 * time.Millisecond}}, nil)
	b.graph("g", map[string]infergraph.Node{
		"root":  steps(infergraph.Sequence, infergraph.Step{Name: "first", Endpoint: "one", Before: &infergraph.Mapping{Set: map[string]string{"x": "row.x - 1.0"}}}, infergraph.Step{Node: "later"}),
		"later": steps(infergraph.Switch, infergraph.Step{Endpoint: "two", When: "request.x[0] < 10.0"}, infergraph.Step{Endpoint: "three", When: "request.x[0] < 100.0"}),
	})
	if _, err := b.askGraph("g", 0); fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), `graph "g": node root, step first: `) ||
		!strings.Contains(err.Error(), "the model raised ValueError") {
		t.Errorf("%v", err)
	}
	if _, err := b.askGraph("g", 500); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `graph "g": node root, step later: node later: none of its 2 conditions holds`) {
		t.Errorf("%v", err)
	}
	_, err := b.Infer(t.Context(), serving.Call{Endpoint: "g", Request: &infer.Request{Inputs: []infer.Tensor{tensor("y", 1)}}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `node root, step first: set "x", row 0`) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = b.Infer(ctx, serving.Call{Endpoint: "g", Request: request(50)})
	if !errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), `node later, step three: no answer before the deadline`) {
		t.Errorf("%v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err = b.Infer(gone, serving.Call{Endpoint: "g", Request: request(5)}); !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
	if _, err := b.Infer(t.Context(), serving.Call{Endpoint: "g", Version: "7", Request: request(5)}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	s := b.awaitGraph("g", func(s serving.GraphStatus) bool { return s.Requests["rejected"] == 3 && s.Requests["timeout"] == 1 })
	for _, st := range s.Steps {
		if st.Step == "first" && !strings.Contains(st.Failure, `set "x"`) {
			t.Errorf("%+v", st)
		}
	}
}

func TestAGraphGoesOnWithoutSoftSteps(t *testing.T) {
	b, _ := graphBench(t, &models{slow: map[string]time.Duration{"3": 60 * time.Millisecond}}, nil)
	minus := &infergraph.Mapping{Set: map[string]string{"x": "-1.0"}, Select: []string{"x"}} // the model raises an exception for it
	slow := infergraph.Step{Endpoint: "three", TimeoutMS: 10, Dependency: infergraph.Soft}
	b.graph("sequence", map[string]infergraph.Node{"root": steps(infergraph.Sequence,
		to("one"), infergraph.Step{Name: "bad", Endpoint: "one", Before: minus, Dependency: infergraph.Soft}, slow, to("two"))})
	resp := b.gives("sequence", 5, 8)
	if got := resp.Parameters[serving.ParameterWithout]; got != "node root, step bad; node root, step three" {
		t.Errorf("%v", got)
	}
	b.graph("ensemble", map[string]infergraph.Node{"root": steps(infergraph.Ensemble, soft(slow), infergraph.Step{Name: "a", Endpoint: "one"}, to("two"))})
	resp = b.gives("ensemble", 5, 6)
	if len(resp.Outputs) != 2 || resp.Outputs[0].Name != "a" || resp.Outputs[1].Name != "two" || resp.Parameters[serving.ParameterWithout] != "node root, step three" {
		t.Errorf("%+v", resp)
	}
	b.graph("hopeless", map[string]infergraph.Node{"root": steps(infergraph.Ensemble, soft(slow))})
	if _, err := b.askGraph("hopeless", 5); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "none of its steps has answered") {
		t.Errorf("%v", err)
	}
	b.graph("nested", map[string]infergraph.Node{"root": steps(infergraph.Sequence, to("ensemble"))})
	if resp := b.gives("nested", 5, 6); resp.Parameters[serving.ParameterWithout] != "node root, step ensemble: node root, step three" {
		t.Errorf("%+v", resp.Parameters)
	}
}

func TestAHardStepThatFailsEndsAnEnsembleAtOnce(t *testing.T) {
	b, _ := graphBench(t, &models{slow: map[string]time.Duration{"3": 2 * time.Second}}, nil)
	minus := &infergraph.Mapping{Set: map[string]string{"x": "-1.0"}}
	b.graph("g", map[string]infergraph.Node{"root": steps(infergraph.Ensemble, to("three"), infergraph.Step{Endpoint: "one", Before: minus})})
	began := time.Now()
	_, err := b.askGraph("g", 5)
	if took := time.Since(began); !strings.Contains(err.Error(), "node root, step one") || took > time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestGraphsChangeUnderLoadWithoutAFailedRequest(t *testing.T) {
	m := &models{}
	b, _ := graphBench(t, m, nil)
	b.graph("g", map[string]infergraph.Node{"root": steps(infergraph.Sequence, to("one"))})
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var asked atomic.Int64
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				resp, err := b.Infer(ctx, serving.Call{Endpoint: "g", Request: request(5)})
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if got := values(resp.Outputs[0])[0]; (got != 6) == (resp.Version == "1") || (got != 8) == (resp.Version == "2") || (got != 14) == (resp.Version == "3") {
					t.Errorf("version %s gave %v", resp.Version, got)
				}
				asked.Add(1)
			}
		})
	}
	b.graph("g", map[string]infergraph.Node{"root": steps(infergraph.Sequence, to("one"), to("two"))})
	// An endpoint that is still being loaded: the graph before goes on until it answers.
	m.mu.Lock()
	m.broken = map[string]error{"9": fault.Unavailablef("not yet")}
	m.mu.Unlock()
	if _, err := b.Put(ctx, "nine", endpoint.Spec{Model: "m", Versions: []string{"9"}, Traffic: traffic.All("9")}); err != nil {
		t.Fatal(err)
	}
	if s, err := b.PutGraph(ctx, "g", infergraph.Spec{Nodes: map[string]infergraph.Node{"root": steps(infergraph.Sequence, to("nine"))}}); err != nil ||
		s.State != serving.StateUpdating || !strings.Contains(s.Trouble, `node root, step nine: endpoint "nine"`) {
		t.Errorf("%+v %v", s, err)
	}
	if resp := b.gives("g", 5, 8); resp.Version != "2" {
		t.Errorf("version %s", resp.Version)
	}
	m.mu.Lock()
	m.broken = nil
	m.mu.Unlock()
	b.awaitGraph("g", func(s serving.GraphStatus) bool { return s.State == serving.StateReady && s.Following == 3 })
	b.gives("g", 5, 14)
	stop()
	all.Wait()
	if asked.Load() < 10 {
		t.Errorf("only %d requests", asked.Load())
	}
}

func TestGraphsThatDoNotFitTheEndpointsAreRefused(t *testing.T) {
	b, _ := graphBench(t, &models{}, nil)
	one := func(s ...infergraph.Step) map[string]infergraph.Node {
		return map[string]infergraph.Node{"root": steps(infergraph.Sequence, s...)}
	}
	b.graph("a", one(to("one")))
	b.graph("b", one(to("a")))
	if _, err := b.SetTraffic(t.Context(), "a", traffic.All("1")); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), `"a" is an inference graph`) {
		t.Errorf("traffic of a graph: %v", err)
	}
	twenty := make([]infergraph.Step, infergraph.MaxSteps)
	for i := range twenty {
		twenty[i] = infergraph.Step{Name: strings.Repeat("s", i+1), Endpoint: "two"}
	}
	b.graph("wide", map[string]infergraph.Node{"root": steps(infergraph.Ensemble, twenty...)})
	tests := map[string]struct {
		name  string
		nodes map[string]infergraph.Node
		kind  fault.Kind
		want  string
	}{
		"unknown":        {"g", one(to("nobody")), fault.Invalid, `node root, step nobody: there is no endpoint "nobody"`},
		"no version":     {"g", one(infergraph.Step{Endpoint: "one", Version: "2"}), fault.Invalid, `endpoint "one" has no version "2"; it has 1`},
		"version":        {"g", one(infergraph.Step{Endpoint: "a", Version: "2"}), fault.Invalid, `"a" is a graph`},
		"a name in use":  {"one", one(to("two")), fault.Conflict, `"one" is an endpoint already`},
		"itself":         {"g", one(to("g")), fault.Invalid, `there is no endpoint "g"`},
		"itself, there":  {"a", one(to("a")), fault.Invalid, `in a circle: a -> a`},
		"a circle":       {"a", one(to("b")), fault.Invalid, `in a circle: a -> b -> a`},
		"too much of it": {"a", one(repeated(6)...), fault.Invalid, `one request could ask 120 endpoints`},
	}
	for name, tt := range tests {
		_, err := b.PutGraph(t.Context(), tt.name, infergraph.Spec{Nodes: tt.nodes})
		if fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
	}
	// What a graph follows counts until it follows something else: here it never does, because nine is never loaded.
	b.models.mu.Lock()
	b.models.broken = map[string]error{"9": fault.Unavailablef("never")}
	b.models.mu.Unlock()
	if _, err := b.Put(t.Context(), "nine", endpoint.Spec{Model: "m", Versions: []string{"9"}, Traffic: traffic.All("9")}); err != nil {
		t.Fatal(err)
	}
	if s, err := b.PutGraph(t.Context(), "b", infergraph.Spec{Nodes: one(to("nine"))}); err != nil || s.State != serving.StateUpdating {
		t.Fatalf("%+v %v", s, err)
	}
	if _, err := b.PutGraph(t.Context(), "a", infergraph.Spec{Nodes: one(to("b"))}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "a -> b -> a") {
		t.Errorf("%v", err)
	}
	b.gives("b", 1, 2)
	if _, err := b.Put(t.Context(), "a", endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.All("1")}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	if err := b.Delete(t.Context(), "one"); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), `the graph "a" asks "one"`) {
		t.Errorf("%v", err)
	}
	if err := b.DeleteGraph(t.Context(), "a"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"b", "a"} {
		if err := b.DeleteGraph(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if err := b.Delete(t.Context(), "one"); err != nil {
		t.Error(err)
	}
	if _, err := b.askGraph("a", 1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

// repeated asks a graph several times that asks endpoint two twenty times.
func repeated(n int) []infergraph.Step {
	out := make([]infergraph.Step, n)
	for i := range out {
		out[i] = infergraph.Step{Name: strings.Repeat("s", i+1), Endpoint: "wide"}
	}
	return out
}

// BenchmarkAGraphBesideItsEndpoint asks an endpoint by itself, and through graphs.
func BenchmarkAGraphBesideItsEndpoint(b *testing.B) {
	kept := &graphMemory{&memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}, map[string]infergraph.Graph{}}
	s := open(b, &models{}, kept.memory, func(o *serving.Options) { o.Graphs = kept })
	if _, err := s.Put(b.Context(), "endpoint", endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.All("1")}); err != nil {
		b.Fatal(err)
	}
	one := to("endpoint")
	s.graph("sequence", map[string]infergraph.Node{"root": steps(infergraph.Sequence, one)})
	s.graph("switch", map[string]infergraph.Node{"root": steps(infergraph.Switch, infergraph.Step{Endpoint: "endpoint", When: "inputs.x[0] < 10.0"})})
	one.Before = &infergraph.Mapping{Set: map[string]string{"x": "row.x * 2.0"}}
	s.graph("mapping", map[string]infergraph.Node{"root": steps(infergraph.Sequence, one)})
	for _, name := range []string{"endpoint", "sequence", "switch", "mapping"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Infer(b.Context(), serving.Call{Endpoint: name, Request: request(5)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAGraphIsChangedOnlyAtTheGenerationThatWasLookedAt(t *testing.T) {
	b, _ := graphBench(t, &models{}, nil)
	change := func(generation int64, endpoint string) error {
		_, err := b.ChangeGraph(t.Context(), "g", infergraph.Spec{Nodes: map[string]infergraph.Node{"root": steps(infergraph.Sequence, to(endpoint))}}, &generation)
		return err
	}
	for _, c := range []struct {
		generation int64
		endpoint   string
		refused    bool
	}{{1, "one", true}, {0, "one", false}, {0, "two", true}, {1, "two", false}, {1, "three", true}} {
		if err := change(c.generation, c.endpoint); (fault.KindOf(err) == fault.Conflict) != c.refused || !c.refused && err != nil {
			t.Errorf("generation %d: %v", c.generation, err)
		}
	}
	g, err := b.Graph(t.Context(), "g")
	if err != nil || g.Generation != 2 || g.Spec.Nodes["root"].Steps[0].Endpoint != "two" || g.Since.IsZero() {
		t.Errorf("%+v, %v", g, err)
	}
}
