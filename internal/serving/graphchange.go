package serving

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/infergraph"
)

// PutGraph makes an inference graph, or gives it another specification. What is followed changes when all endpoints that the new one cannot
// do without answer.
func (s *Service) PutGraph(ctx context.Context, name string, spec infergraph.Spec) (GraphStatus, error) {
	return s.ChangeGraph(ctx, name, spec, nil)
}

// ChangeGraph does what PutGraph does, but only to the generation that is given, where one is: 0 is that of a graph that is not there. It is a
// conflict where somebody else was faster.
func (s *Service) ChangeGraph(ctx context.Context, name string, spec infergraph.Spec, generation *int64) (GraphStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() || s.deps.Graphs == nil {
		return GraphStatus{}, errStopped()
	}
	compiled, err := s.checkGraph(ctx, name, spec, nil)
	if err != nil {
		return GraphStatus{}, err
	}
	g := s.graph(name)
	fresh := g == nil
	now := s.deps.Now().UTC()
	if fresh {
		g = &liveGraph{name: name, stats: &stats{began: now}, record: infergraph.Graph{Name: name, CreatedAt: now}}
	}
	g.mu.Lock()
	record := g.record
	g.mu.Unlock()
	if generation != nil && *generation != record.Generation {
		return GraphStatus{}, fault.Conflictf("the graph %q was changed meanwhile: it is at change %d, and this is for change %d; look at what it is now, and try again",
			name, record.Generation, *generation)
	}
	if !fresh && reflect.DeepEqual(record.Spec, spec) {
		return s.graphStatus(ctx, g), nil
	}
	event := endpoint.Event{Endpoint: name, At: now, Kind: endpoint.Updated, Data: map[string]any{"after": spec}}
	if fresh {
		event.Kind = endpoint.Created
	} else {
		event.Data["before"] = record.Spec
	}
	record.Spec, record.UpdatedAt = spec, now
	record.Generation++
	event.Message = fmt.Sprintf("asked for version %d of the graph: %s", record.Generation, graphInWords(compiled))
	if err := s.deps.Graphs.PutGraph(ctx, record, event); err != nil {
		return GraphStatus{}, err
	}
	g.mu.Lock()
	g.record, g.coming, g.waits = record, compiled, nil
	g.mu.Unlock()
	if fresh {
		all := maps.Clone(*s.graphs.Load())
		all[name] = g
		s.graphs.Store(&all)
	}
	return s.graphStatus(ctx, g), nil
}

// CheckGraph checks a specification as far as that can be done without storing it. Endpoints and graphs that are not there yet count as
// there if they are declared.
func (s *Service) CheckGraph(ctx context.Context, name string, spec infergraph.Spec, declared []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.checkGraph(ctx, name, spec, declared)
	return err
}

// checkGraph checks a specification whole; s.mu is held.
func (s *Service) checkGraph(ctx context.Context, name string, spec infergraph.Spec, declared []string) (*infergraph.Compiled, error) {
	c, err := infergraph.Compile(name, spec)
	if err != nil {
		return nil, err
	}
	if (*s.all.Load())[name] != nil {
		return nil, fault.Conflictf("%q is an endpoint already: give the graph another name, or undeploy the endpoint first", name)
	}
	for _, t := range c.Targets() {
		if err := s.checkTarget(t, declared); err != nil {
			return nil, err
		}
	}
	if err := s.checkNesting(c); err != nil {
		return nil, err
	}
	signatures := func(asked, version string) *infer.Signature {
		signature, err := s.Signature(ctx, asked, version)
		if err != nil || s.joins(asked) {
			return nil // not there yet, nothing that could be read, or features join what it gets: requests will tell
		}
		return signature
	}
	return c, c.Fits(signatures)
}

// checkTarget refuses an endpoint or version that is not there.
func (s *Service) checkTarget(t infergraph.Target, declared []string) error {
	if s.graph(t.Endpoint) != nil {
		if t.Version != "" {
			return fault.Invalidf("%s: %q is a graph, which is asked as it is: leave out version", t.Place, t.Endpoint)
		}
		return nil
	}
	if slices.Contains(declared, t.Endpoint) {
		return nil
	}
	l, err := s.find(t.Endpoint)
	if err != nil {
		return fault.Invalidf("%s: %w", t.Place, err)
	}
	l.mu.Lock()
	versions := l.record.Spec.Versions
	l.mu.Unlock()
	if t.Version != "" && !slices.Contains(versions, t.Version) {
		return fault.Invalidf("%s: endpoint %q has no version %q; it has %s", t.Place, t.Endpoint, fault.Shorten(t.Version, 50), strings.Join(versions, ", "))
	}
	return nil
}

// checkNesting refuses graphs that ask one another in a circle, or too deep or much, the graphs that ask this one included.
func (s *Service) checkNesting(c *infergraph.Compiled) error {
	// Each graph counts with what it follows and with what it is asked to follow: which of them others meet is not known.
	specs := map[string][]*infergraph.Compiled{c.Name: {c}}
	for name, g := range *s.graphs.Load() {
		g.mu.Lock()
		coming := g.coming
		g.mu.Unlock()
		if coming != nil && name != c.Name {
			specs[name] = append(specs[name], coming)
		}
		if r := g.route.Load(); r != nil {
			specs[name] = append(specs[name], r.compiled)
		}
	}
	within := []string{}
	known := map[string]infergraph.Size{}
	var failed error
	var size func(name string) (depth, calls int)
	size = func(name string) (depth, calls int) {
		if specs[name] == nil {
			return 0, 1
		}
		if k, done := known[name]; done || failed != nil {
			return k.Depth, k.Calls
		}
		if at := slices.Index(within, name); at >= 0 {
			failed = fault.Invalidf("graphs ask one another in a circle: %s", strings.Join(append(within[at:], name), " -> "))
			return 0, 0
		}
		within = append(within, name)
		var most infergraph.Size
		for _, one := range specs[name] {
			k, err := one.Bounds(size)
			if err != nil && failed == nil {
				failed = err
				if name != c.Name {
					failed = fault.Invalidf("graph %q, which asks this one: %w", name, err)
				}
			}
			most.Depth, most.Calls = max(most.Depth, k.Depth), max(most.Calls, k.Calls)
		}
		within = within[:len(within)-1]
		known[name] = most
		return most.Depth, most.Calls
	}
	for _, name := range append([]string{c.Name}, slices.Sorted(maps.Keys(specs))...) {
		size(name)
		if failed != nil {
			return failed
		}
	}
	return nil
}

// DeleteGraph deletes an inference graph. Requests that it has are answered; its history stays.
func (s *Service) DeleteGraph(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.graph(name) == nil {
		return noGraph(name)
	}
	if err := s.unasked(name); err != nil {
		return err
	}
	event := endpoint.Event{Endpoint: name, At: s.deps.Now().UTC(), Kind: endpoint.Deleted, Message: "the graph was deleted"}
	if err := s.deps.Graphs.DeleteGraph(ctx, name, event); err != nil {
		return err
	}
	all := maps.Clone(*s.graphs.Load())
	delete(all, name)
	s.graphs.Store(&all)
	return nil
}

func noGraph(name string) error {
	return fault.NotFoundf("there is no graph %q", fault.Shorten(name, 100))
}

// graphInWords says what a graph is in one line.
func graphInWords(c *infergraph.Compiled) string {
	var asked []string
	for _, t := range c.Targets() {
		if !slices.Contains(asked, t.Endpoint) {
			asked = append(asked, t.Endpoint)
		}
	}
	nodes := "1 node, which asks"
	if len(c.Nodes) > 1 {
		nodes = fmt.Sprintf("%d nodes, which ask", len(c.Nodes))
	}
	return nodes + " " + fault.Shorten(strings.Join(asked, ", "), 500)
}
