package serving

import (
	"context"
	"maps"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
)

// GraphStatus is an inference graph with how it is at present. Figures count from Since on: none of an earlier server are known.
type GraphStatus struct {
	infergraph.Graph
	State EndpointState `json:"state" enum:"READY,UPDATING,FAILED,LOADING,PAUSED"`
	// Trouble is why the state is not READY.
	Trouble     string           `json:"trouble,omitempty" doc:"what is missing for the state READY"`
	Requests    map[string]int64 `json:"requests" doc:"how requests ended: ok, rejected, failed, timeout, shed"`
	Since       time.Time        `json:"counted_since" doc:"when counting of requests began: with the start of the server, or later with the graph"`
	P50MS       float64          `json:"p50_ms" doc:"median latency of the newest requests that were answered"`
	P99MS       float64          `json:"p99_ms"`
	LastRequest *time.Time       `json:"last_request,omitempty"`
	// Steps are those that are followed, by node and place.
	Steps []StepStatus `json:"steps" nullable:"false"`
}

// StepStatus is how a step of a graph has done.
type StepStatus struct {
	Node     string           `json:"node"`
	Step     string           `json:"step"`
	Requests map[string]int64 `json:"requests"`
	MeanMS   float64          `json:"mean_ms" doc:"mean time of what was not refused at once"`
	Failure  string           `json:"failure,omitempty" doc:"why it failed the last time"`
}

// Graph returns an inference graph.
func (s *Service) Graph(ctx context.Context, name string) (GraphStatus, error) {
	g := s.graph(name)
	if g == nil {
		return GraphStatus{}, noGraph(name)
	}
	return s.graphStatus(ctx, g), nil
}

// Graphs returns all inference graphs in the order of their names.
func (s *Service) Graphs(ctx context.Context) ([]GraphStatus, error) {
	all := *s.graphs.Load()
	out := make([]GraphStatus, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, s.graphStatus(ctx, all[name]))
	}
	return out, nil
}

func (s *Service) graphStatus(ctx context.Context, g *liveGraph) GraphStatus {
	g.mu.Lock()
	r := g.route.Load()
	out := GraphStatus{Graph: g.record, State: StateReady, Requests: g.stats.byName(), Since: g.stats.began, Steps: []StepStatus{}}
	coming := g.coming
	g.mu.Unlock()
	switch {
	case s.deps.Paused:
		out.State = StatePaused
	case r == nil:
		out.State = StateLoading
		out.Trouble = textOf(s.answering(ctx, coming))
	case coming != nil:
		out.State, out.Trouble = StateUpdating, textOf(s.answering(ctx, coming))
	default:
		if out.Trouble = textOf(s.answering(ctx, r.compiled)); out.Trouble != "" {
			out.State = StateFailed
		}
	}
	out.P50MS, out.P99MS, out.LastRequest = latencies(g.stats.since(s.deps.Now().Add(-10 * time.Minute)))
	if r == nil {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(r.compiled.Nodes)) {
		for _, step := range r.compiled.Nodes[name].Steps {
			t := r.steps[stepKey{name, step.Name}]
			st := StepStatus{Node: name, Step: step.Name, Requests: t.byName()}
			read := t.read()
			n := int64(0)
			for _, b := range read.Buckets {
				n += b
			}
			if n > 0 {
				st.MeanMS = 1000 * read.Seconds / float64(n)
			}
			if f := t.failure.Load(); f != nil {
				st.Failure = *f
			}
			out.Steps = append(out.Steps, st)
		}
	}
	return out
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.Shorten(err.Error(), 2000)
}

// MeasuredGraph are the figures of an inference graph, of a node of it, or of a step, for a metrics system.
type MeasuredGraph struct {
	// Node is empty for the graph as a whole, Step for a node as a whole.
	Graph, Node, Step string
	Tally
}

// MeasureGraphs returns the figures of all graphs, their nodes and their steps.
func (s *Service) MeasureGraphs() []MeasuredGraph {
	var out []MeasuredGraph
	for name, g := range *s.graphs.Load() {
		out = append(out, MeasuredGraph{Graph: name, Tally: g.stats.read()})
		r := g.route.Load()
		if r == nil {
			continue
		}
		for node, t := range r.nodes {
			out = append(out, MeasuredGraph{Graph: name, Node: node, Tally: t.read()})
		}
		for key, t := range r.steps {
			out = append(out, MeasuredGraph{Graph: name, Node: key.node, Step: key.step, Tally: t.read()})
		}
	}
	return out
}
