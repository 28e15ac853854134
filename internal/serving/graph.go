package serving

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/infergraph"
)

// GraphStore keeps inference graphs. What happens to them is among the events of endpoints.
type GraphStore interface {
	// PutGraph stores a graph and appends the event, in one transaction; DeleteGraph forgets one and appends the event.
	PutGraph(ctx context.Context, g infergraph.Graph, event endpoint.Event) error
	DeleteGraph(ctx context.Context, name string, event endpoint.Event) error
	// Graphs returns all graphs in the order of their names.
	Graphs(ctx context.Context) ([]infergraph.Graph, error)
}

// liveGraph is an inference graph as it runs. Requests read its route and nothing else.
type liveGraph struct {
	name  string
	route atomic.Pointer[graphRoute] // nil before its endpoints have answered
	stats *stats

	mu     sync.Mutex // also held where route changes: while there is none, something is coming
	record infergraph.Graph
	// coming is what was asked for and is not followed yet; nil when it is. waits is why.
	coming *infergraph.Compiled
	waits  error
}

// graphRoute is what requests to a graph follow, with the counts of its parts. It never changes.
type graphRoute struct {
	compiled *infergraph.Compiled
	version  string // the generation, as clients see it
	nodes    map[string]*tally
	steps    map[stepKey]*stepTally
}

type stepKey struct{ node, step string }

type stepTally struct {
	tally
	failure atomic.Pointer[string] // of the last request that failed
}

// newGraphRoute counts on where the route before it has counted parts of the same names.
func newGraphRoute(c *infergraph.Compiled, generation int64, before *graphRoute) *graphRoute {
	r := &graphRoute{compiled: c, version: strconv.FormatInt(generation, 10), nodes: map[string]*tally{}, steps: map[stepKey]*stepTally{}}
	for name, n := range c.Nodes {
		r.nodes[name] = &tally{}
		if before != nil && before.nodes[name] != nil {
			r.nodes[name] = before.nodes[name]
		}
		for _, s := range n.Steps {
			key := stepKey{name, s.Name}
			r.steps[key] = &stepTally{}
			if before != nil && before.steps[key] != nil {
				r.steps[key] = before.steps[key]
			}
		}
	}
	return r
}

// openGraphs reads the graphs. What was followed before is followed at once.
func (s *Service) openGraphs(ctx context.Context) error {
	s.graphs.Store(&map[string]*liveGraph{})
	if s.deps.Graphs == nil {
		return nil
	}
	records, err := s.deps.Graphs.Graphs(ctx)
	if err != nil {
		return err
	}
	all := make(map[string]*liveGraph, len(records))
	for _, r := range records {
		g := &liveGraph{name: r.Name, record: r, stats: &stats{began: s.deps.Now().UTC()}}
		if r.Active != nil {
			c, err := infergraph.Compile(r.Name, *r.Active)
			if err != nil {
				return fmt.Errorf("read graph %q: %w", r.Name, err)
			}
			g.route.Store(newGraphRoute(c, r.Following, nil))
		}
		if r.Following != r.Generation {
			if g.coming, err = infergraph.Compile(r.Name, r.Spec); err != nil {
				return fmt.Errorf("read graph %q: %w", r.Name, err)
			}
		}
		all[r.Name] = g
	}
	s.graphs.Store(&all)
	return nil
}

// graph returns a graph, or nil.
func (s *Service) graph(name string) *liveGraph { return (*s.graphs.Load())[name] }

func (g *liveGraph) notYet() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waits != nil {
		return fault.Unavailablef("graph %q: not all of its endpoints answer yet: %s", g.name, fault.Shorten(g.waits.Error(), 1000))
	}
	return fault.Unavailablef("graph %q: its endpoints are being loaded; try again in a moment", g.name)
}

// answering returns nil when all endpoints that a graph cannot do without answer.
func (s *Service) answering(ctx context.Context, c *infergraph.Compiled) error {
	for _, t := range c.Targets() {
		if t.Soft {
			continue
		}
		if err := s.Ready(ctx, t.Endpoint, t.Version); err != nil {
			return fault.Unavailablef("%s: %w", t.Place, err)
		}
	}
	return nil
}

// followGraphs has graphs follow what was asked for, where all endpoints of that answer now.
func (s *Service) followGraphs(ctx context.Context) {
	for _, g := range *s.graphs.Load() {
		g.mu.Lock()
		coming := g.coming
		g.mu.Unlock()
		if coming == nil {
			continue
		}
		err := s.answering(ctx, coming)
		if err == nil {
			err = s.moveGraph(ctx, g, coming)
		}
		g.mu.Lock()
		if g.coming == coming {
			g.waits = err
		}
		g.mu.Unlock()
	}
}

// moveGraph makes requests follow what was asked for: first on disk, then here. Requests that are on their way go on as they began.
func (s *Service) moveGraph(ctx context.Context, g *liveGraph, coming *infergraph.Compiled) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.graph(g.name) != g {
		return nil // deleted meanwhile
	}
	g.mu.Lock()
	record, still := g.record, g.coming == coming
	g.mu.Unlock()
	if !still {
		return nil
	}
	record.Active, record.Following, record.UpdatedAt = &coming.Spec, record.Generation, s.deps.Now().UTC()
	event := endpoint.Event{Endpoint: g.name, At: record.UpdatedAt, Kind: endpoint.TrafficMoved,
		Message: fmt.Sprintf("requests follow version %d of the graph", record.Following), Data: map[string]any{"generation": record.Generation}}
	if err := s.deps.Graphs.PutGraph(ctx, record, event); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.record, g.coming = record, nil
	g.route.Store(newGraphRoute(coming, record.Following, g.route.Load()))
	return nil
}

// readyGraph returns nil when a graph answers.
func (s *Service) readyGraph(ctx context.Context, g *liveGraph, version string) error {
	r := g.route.Load()
	if r == nil {
		return g.notYet()
	}
	if version != "" && version != r.version {
		return noVersion(g.name, version)
	}
	return s.answering(ctx, r.compiled)
}

// graphMetadata is what a graph says about itself: what its parts take and give is theirs to say.
func (g *liveGraph) metadata(version string) (infer.Metadata, error) {
	g.mu.Lock()
	shown := strconv.FormatInt(g.record.Following, 10)
	g.mu.Unlock()
	if version != "" && version != shown {
		return infer.Metadata{}, noVersion(g.name, version)
	}
	return infer.Metadata{Name: g.name, Platform: "levada_graph", Versions: []string{shown}}, nil
}

// askedBy are the graphs that ask an endpoint, in what they follow or are asked to.
func (s *Service) askedBy(name string) []string {
	var out []string
	for _, g := range *s.graphs.Load() {
		g.mu.Lock()
		asks := g.record.Asks(name)
		g.mu.Unlock()
		if asks && g.name != name {
			out = append(out, g.name)
		}
	}
	slices.Sort(out)
	return out
}

// unasked refuses when a graph asks an endpoint.
func (s *Service) unasked(name string) error {
	if by := s.askedBy(name); len(by) > 0 {
		return fault.Conflictf("the graph %q asks %q: change or delete the graph first", by[0], name)
	}
	return nil
}

// graphNames are the names of all graphs, in order.
func (s *Service) graphNames() []string { return slices.Sorted(maps.Keys(*s.graphs.Load())) }
