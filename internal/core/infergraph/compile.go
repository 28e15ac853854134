package infergraph

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"levada/internal/core/endpoint"
	"levada/internal/core/expr"
	"levada/internal/core/fault"
	"levada/internal/core/traffic"
)

// Compiled is a specification that can be followed. It never changes.
type Compiled struct {
	Name  string
	Spec  Spec
	Nodes map[string]*Routing
}

// Routing is a node that is ready to decide.
type Routing struct {
	Node
	Name  string
	Steps []*Action
	plan  traffic.Plan // of a splitter
}

// Action is a step that is ready to be taken.
type Action struct {
	Step
	// Name is unique in the node, and Place names node and step for messages.
	Name, Place   string
	when          *expr.Program
	before, after *mapping
}

// Root is the node that requests begin at.
func (c *Compiled) Root() *Routing { return c.Nodes[c.Spec.Start()] }

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$`)

func checkName(what, name string) error {
	if !nameForm.MatchString(name) {
		return fault.Invalidf("%s %q: want a name of at most 63 letters, digits, dots, hyphens and underscores", what, fault.Shorten(name, 100))
	}
	return nil
}

// Compile checks a specification for itself, without looking at the endpoints that it names, and makes it ready. What is wrong is an
// Invalid error that names node and step.
func Compile(name string, s Spec) (*Compiled, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	switch {
	case len(s.Nodes) == 0:
		return nil, fault.Invalidf("nodes: a graph has at least one node, %q", DefaultRoot)
	case len(s.Nodes) > MaxNodes:
		return nil, fault.Invalidf("nodes: %d of them; at most %d are possible", len(s.Nodes), MaxNodes)
	case s.TimeoutMS < 0 || s.TimeoutMS > 3_600_000:
		return nil, fault.Invalidf("timeout_ms is %d; want a number from 0 to 3600000", s.TimeoutMS)
	case len(s.Description) > 2000:
		return nil, fault.Invalidf("the description is longer than 2000 bytes")
	}
	if _, there := s.Nodes[s.Start()]; !there {
		return nil, fault.Invalidf("there is no node %q, where requests begin; call one that, or name another with root", fault.Shorten(s.Start(), 100))
	}
	c := &Compiled{Name: name, Spec: s, Nodes: make(map[string]*Routing, len(s.Nodes))}
	for _, n := range slices.Sorted(maps.Keys(s.Nodes)) {
		if err := checkName("node", n); err != nil {
			return nil, err
		}
		r, err := compileNode(n, s.Nodes[n])
		if err != nil {
			return nil, fault.Invalidf("node %q: %w", n, err)
		}
		c.Nodes[n] = r
	}
	if err := c.wired(); err != nil {
		return nil, err
	}
	if _, err := c.Bounds(func(string) (depth, calls int) { return 0, 1 }); err != nil {
		return nil, err
	}
	return c, nil
}

func compileNode(name string, n Node) (*Routing, error) {
	if len(n.Steps) == 0 || len(n.Steps) > MaxSteps {
		return nil, fault.Invalidf("it has %d steps; want 1 to %d", len(n.Steps), MaxSteps)
	}
	splits := n.Router == Splitter
	switch {
	case !slices.Contains([]Router{Sequence, Switch, Ensemble, Splitter}, n.Router):
		return nil, fault.Invalidf("router is %q; want sequence, switch, ensemble or splitter", fault.Shorten(string(n.Router), 40))
	case n.Merge != "" && n.Router != Ensemble:
		return nil, fault.Invalidf("merge is for an ensemble, and this is a %s", n.Router)
	case !slices.Contains([]Merge{"", MergeAll, MergeMean, MergeVote}, n.Merge):
		return nil, fault.Invalidf("merge is %q; want all, mean or vote", fault.Shorten(string(n.Merge), 40))
	case !splits && (n.Sticky || n.KeyHeader != "" || n.Salt != ""):
		return nil, fault.Invalidf("sticky, key_header and salt are for a splitter, and this is a %s", n.Router)
	case len(n.Salt) > maxText:
		return nil, fault.Invalidf("salt has more than %d bytes", maxText)
	}
	r := &Routing{Node: n, Name: name}
	names := make([]string, len(n.Steps))
	for i, s := range n.Steps {
		a, err := compileStep(n.Router, i, len(n.Steps), s)
		if err != nil {
			return nil, fault.Invalidf("step %d (%s): %w", i+1, fault.Shorten(s.Called(), 100), err)
		}
		if slices.Contains(names[:i], a.Name) {
			return nil, fault.Invalidf("two steps are called %q: give one of them another name", a.Name)
		}
		a.Place = "node " + name + ", step " + a.Name
		names[i] = a.Name
		r.Steps = append(r.Steps, a)
	}
	if splits {
		r.plan = traffic.Plan{Sticky: n.Sticky, KeyHeader: n.KeyHeader, Salt: n.Salt}
		if n.Salt == "" {
			r.plan.Salt = name
		}
		for i, s := range n.Steps {
			r.plan.Split = append(r.plan.Split, traffic.Share{Version: names[i], Percent: s.Percent})
		}
		if err := r.plan.Validate(names); err != nil {
			return nil, fault.Invalidf("%s", strings.NewReplacer("traffic: ", "", "version ", "step ").Replace(err.Error()))
		}
	}
	return r, nil
}

// compileStep checks the step at a place of a node with several.
func compileStep(router Router, at, of int, s Step) (*Action, error) {
	a := &Action{Step: s, Name: s.Called()}
	if a.Name == "" {
		return nil, fault.Invalidf("it has no endpoint and no node: one that only maps needs a name")
	}
	if err := checkName("step", a.Name); err != nil {
		return nil, err
	}
	if err := s.checkTarget(); err != nil {
		return nil, err
	}
	if err := s.checkRouter(router, at, of); err != nil {
		return nil, err
	}
	env, err := environments()
	if err != nil {
		return nil, err
	}
	if s.When != "" {
		if a.when, err = env.condition.Compile(s.When); err != nil {
			return nil, fault.Invalidf("when: %w", err)
		}
	}
	if a.before, err = s.Before.compile(); err != nil {
		return nil, fault.Invalidf("before: %w", err)
	}
	if a.after, err = s.After.compile(); err != nil {
		return nil, fault.Invalidf("after: %w", err)
	}
	return a, nil
}

func (s *Step) checkTarget() error {
	switch {
	case s.Endpoint != "" && s.Node != "":
		return fault.Invalidf("it names an endpoint and a node; want one of them")
	case s.Version != "" && s.Endpoint == "":
		return fault.Invalidf("version is for a step that asks an endpoint")
	case s.Endpoint == "" && s.Node == "" && s.Before == nil:
		return fault.Invalidf("it does nothing: want endpoint, node or before")
	case s.Endpoint == "" && s.Node == "" && s.After != nil:
		return fault.Invalidf("it asks nobody, so there is nothing after: put the mapping into before")
	case s.TimeoutMS < 0 || s.TimeoutMS > 3_600_000:
		return fault.Invalidf("timeout_ms is %d; want a number from 0 to 3600000", s.TimeoutMS)
	case s.Endpoint != "":
		return endpoint.CheckName(s.Endpoint)
	}
	return nil
}

// checkRouter refuses what is for steps of other routers.
func (s *Step) checkRouter(router Router, at, of int) error {
	either := router == Sequence || router == Ensemble
	switch {
	case s.Percent != 0 && router != Splitter:
		return fault.Invalidf("percent is for a splitter, and this is a %s", router)
	case s.Data != "" && router != Sequence:
		return fault.Invalidf("data is for a sequence, and this is a %s", router)
	case !slices.Contains([]Data{"", FromRequest, FromResponse}, s.Data):
		return fault.Invalidf("data is %q; want $request or $response", fault.Shorten(string(s.Data), 40))
	case s.Dependency != "" && !either:
		return fault.Invalidf("dependency is for a sequence or an ensemble, and this is a %s", router)
	case !slices.Contains([]Dependency{"", Hard, Soft}, s.Dependency):
		return fault.Invalidf("dependency is %q; want hard or soft", fault.Shorten(string(s.Dependency), 40))
	case s.When != "" && (router == Ensemble || router == Splitter):
		return fault.Invalidf("when is for a switch or a sequence, and this is a %s", router)
	case s.When != "" && router == Sequence && at == 0:
		return fault.Invalidf("when: the first step of a sequence has no answer before it that could be the last; use a switch")
	case s.When == "" && router == Switch && at < of-1:
		return fault.Invalidf("it has no condition, so no step after it is ever taken; give it when, or put it last")
	}
	return nil
}

// wired refuses references to nodes that are not there, cycles, and nodes that no request reaches.
func (c *Compiled) wired() error {
	reached := map[string]bool{}
	var within []string
	var visit func(name string) error
	visit = func(name string) error {
		if at := slices.Index(within, name); at >= 0 {
			return fault.Invalidf("the nodes go in a circle: %s", strings.Join(append(within[at:], name), " -> "))
		}
		if reached[name] {
			return nil
		}
		within = append(within, name)
		for _, s := range c.Nodes[name].Steps {
			if s.Node == "" {
				continue
			}
			if c.Nodes[s.Node] == nil {
				return fault.Invalidf("%s: there is no node %q; there is %s", s.Place, fault.Shorten(s.Node, 100), listed(slices.Sorted(maps.Keys(c.Nodes))))
			}
			if err := visit(s.Node); err != nil {
				return err
			}
		}
		within = within[:len(within)-1]
		reached[name] = true
		return nil
	}
	if err := visit(c.Spec.Start()); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
		if !reached[name] {
			return fault.Invalidf("node %q: no request reaches it: no step that can be reached from %q names it", name, c.Spec.Start())
		}
	}
	return nil
}

// Size is how large a request to a graph may become.
type Size struct {
	// Depth is how many nodes it is inside of at most, Calls how many endpoints it asks at most.
	Depth, Calls int
}

// Bounds says how large a request may become, given that of each endpoint that is asked: nothing deep and one call, unless it is a graph.
// What is too large is an Invalid error.
func (c *Compiled) Bounds(of func(endpoint string) (depth, calls int)) (Size, error) {
	known := map[string]Size{}
	var size func(name string) Size
	size = func(name string) Size {
		if s, done := known[name]; done {
			return s
		}
		n := c.Nodes[name]
		var out Size
		for _, s := range n.Steps {
			var one Size
			switch {
			case s.Node != "":
				one = size(s.Node)
			case s.Endpoint != "":
				one.Depth, one.Calls = of(s.Endpoint)
			}
			out.Depth = max(out.Depth, one.Depth)
			if n.Router == Sequence || n.Router == Ensemble {
				out.Calls = min(out.Calls+one.Calls, 1_000_000)
			} else {
				out.Calls = max(out.Calls, one.Calls)
			}
		}
		out.Depth++
		known[name] = out
		return out
	}
	s := size(c.Spec.Start())
	switch {
	case s.Depth > MaxDepth:
		return s, fault.Invalidf("a request would be inside of %d nodes at once; at most %d are possible", s.Depth, MaxDepth)
	case s.Calls > MaxCalls:
		return s, fault.Invalidf("one request could ask %d endpoints; at most %d are possible", s.Calls, MaxCalls)
	}
	return s, nil
}

// Target is an endpoint that a graph asks.
type Target struct {
	Endpoint, Version string
	// Place names the first step that asks it. Soft targets are those that the graph can do without.
	Place string
	Soft  bool
}

// Targets are the endpoints that a graph asks, each with each version once, in the order of a walk from the root. What is asked by a soft
// step and by a hard one is hard.
func (c *Compiled) Targets() []Target {
	var out []Target
	var visit func(name string, soft bool)
	visit = func(name string, soft bool) {
		for _, s := range c.Nodes[name].Steps {
			soft := soft || s.Dependency == Soft
			if s.Node != "" {
				visit(s.Node, soft)
				continue
			}
			if s.Endpoint == "" {
				continue
			}
			i := slices.IndexFunc(out, func(t Target) bool { return t.Endpoint == s.Endpoint && t.Version == s.Version })
			if i < 0 {
				out = append(out, Target{s.Endpoint, s.Version, s.Place, soft})
			} else {
				out[i].Soft = out[i].Soft && soft
			}
		}
	}
	visit(c.Spec.Start(), false)
	return out
}
