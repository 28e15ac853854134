package serving

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/infergraph"
)

// ParameterWithout is the parameter of an answer that names the soft steps of a graph that it was made without.
const ParameterWithout = "without"

// journey is one request on its way through a graph.
type journey struct {
	s     *Service
	route *graphRoute
	call  Call
	asked *infergraph.Asked

	mu      sync.Mutex
	without []string // places of the soft steps that failed
}

// misstep is an error with the step that it happened in.
type misstep struct {
	place string
	err   error
}

func (m *misstep) Error() string { return m.place + ": " + m.err.Error() }
func (m *misstep) Unwrap() error { return m.err }

// depthKey is the key of a context's value that counts the graphs that a request is inside of.
type depthKey struct{}

// inferGraph asks a graph for a prediction.
func (s *Service) inferGraph(ctx context.Context, g *liveGraph, c Call) (*infer.Response, error) {
	route := g.route.Load()
	if route == nil {
		return nil, g.notYet()
	}
	if c.Version != "" && c.Version != route.version {
		return nil, fault.NotFoundf("graph %q has no version %q: it follows version %s", g.name, fault.Shorten(c.Version, 50), route.version)
	}
	depth, _ := ctx.Value(depthKey{}).(int)
	if depth >= infergraph.MaxDepth { // what is stored cannot be so, but may have been put together of old and new parts
		return nil, fault.Unavailablef("graph %q: the request is inside of %d graphs already", g.name, depth)
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, depthKey{}, depth+1), route.compiled.Spec.Timeout())
	defer cancel()
	j := &journey{s: s, route: route, call: c, asked: infergraph.NewAsked(c.Request, c.Header, c.Key)}
	began := s.deps.Now()
	out, err := j.node(ctx, route.compiled.Root(), infergraph.OfRequest(c.Request))
	var resp *infer.Response
	if err == nil {
		resp = out.Response()
	}
	if o, known := outcomeOf(err); known {
		g.stats.observe(observed(s.deps.Now().Sub(began), c.Request, resp, chosen{key: c.Key}.seen(began, o)))
	}
	if err != nil {
		return nil, g.explain(err)
	}
	resp.Model, resp.Version, resp.ID = g.name, route.version, c.Request.ID
	if len(j.without) > 0 {
		if resp.Parameters == nil {
			resp.Parameters = map[string]any{}
		}
		slices.Sort(j.without)
		resp.Parameters[ParameterWithout] = strings.Join(j.without, "; ")
	}
	return resp, resp.Keep(c.Request.Outputs)
}

// explain says which graph an error is of. Whoever asked knows the graph and not its endpoints: that one of them is not there is no mistake
// of theirs.
func (g *liveGraph) explain(err error) error {
	kind, text := fault.KindOf(err), err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		kind = fault.Unavailable
	}
	if kind == fault.NotFound || kind == fault.Conflict {
		kind = fault.Unavailable
	}
	if wrong, ok := errors.AsType[*misstep](err); ok && wrong.err == context.DeadlineExceeded { //nolint:errorlint // exactly that: nobody has said more
		text = wrong.place + ": no answer before the deadline of the request"
	}
	return &fault.Error{Kind: kind, Cause: err, Message: "graph \"" + g.name + "\": " + text}
}

// node sends data through a node.
func (j *journey) node(ctx context.Context, r *infergraph.Routing, in infergraph.Flow) (infergraph.Flow, error) {
	began := j.s.deps.Now()
	out, err := j.through(ctx, r, in)
	if o, known := outcomeOf(err); known {
		now := j.s.deps.Now()
		j.route.nodes[r.Name].count(o, now.Sub(began), now)
	}
	return out, err
}

func (j *journey) through(ctx context.Context, r *infergraph.Routing, in infergraph.Flow) (infergraph.Flow, error) {
	switch r.Router {
	case infergraph.Sequence:
		return j.sequence(ctx, r, in)
	case infergraph.Ensemble:
		return j.ensemble(ctx, r, in)
	case infergraph.Splitter:
		return j.step(ctx, r, r.Drawn(j.asked, j.s.deps.Random()), in)
	}
	s, err := r.Taken(in, j.asked)
	if err != nil {
		return in, err
	}
	return j.step(ctx, r, s, in)
}

// sequence takes steps one after the other.
func (j *journey) sequence(ctx context.Context, r *infergraph.Routing, in infergraph.Flow) (infergraph.Flow, error) {
	last, answered := in, false
	var failed error
	for _, s := range r.Steps {
		goes, err := s.Continues(last, j.asked)
		if err != nil {
			return last, &misstep{s.Place, err}
		}
		if !goes {
			break
		}
		out, err := j.step(ctx, r, s, s.Given(in, last))
		switch {
		case err == nil:
			last, answered = out, true
		case s.Dependency != infergraph.Soft || ctx.Err() != nil:
			return last, err
		default:
			failed = err
			j.doWithout(s.Place)
		}
	}
	if !answered {
		return last, failed
	}
	return last, nil
}

// ensemble takes all steps at once, and merges what they answer. The first hard step that fails ends the others.
func (j *journey) ensemble(ctx context.Context, r *infergraph.Routing, in infergraph.Flow) (infergraph.Flow, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make([]*infergraph.Flow, len(r.Steps))
	var first error
	var once sync.Once
	var all sync.WaitGroup
	for i, s := range r.Steps {
		all.Go(func() {
			out, err := j.step(ctx, r, s, in)
			switch {
			case err == nil:
				answers[i] = &out
			case s.Dependency == infergraph.Soft && ctx.Err() == nil:
				j.doWithout(s.Place)
			default:
				once.Do(func() { first = err })
				cancel()
			}
		})
	}
	all.Wait()
	if first != nil {
		return in, first
	}
	return r.Merged(answers)
}

func (j *journey) doWithout(place string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.without = append(j.without, place)
}

// step takes one step: maps, asks, and maps again.
func (j *journey) step(ctx context.Context, r *infergraph.Routing, s *infergraph.Action, in infergraph.Flow) (infergraph.Flow, error) {
	began := j.s.deps.Now()
	out, err := j.takeInTime(ctx, s, in)
	if o, known := outcomeOf(err); known {
		now := j.s.deps.Now()
		t := j.route.steps[stepKey{r.Name, s.Name}]
		t.count(o, now.Sub(began), now)
		if o != endpoint.OK {
			text := fault.Shorten(err.Error(), 500)
			t.failure.Store(&text)
		}
	}
	if _, placed := errors.AsType[*misstep](err); err != nil && !placed {
		err = &misstep{s.Place, err}
	}
	return out, err
}

// takeInTime takes a step within the time that it has for itself.
func (j *journey) takeInTime(ctx context.Context, s *infergraph.Action, in infergraph.Flow) (infergraph.Flow, error) {
	if s.TimeoutMS == 0 {
		return j.take(ctx, s, in)
	}
	limit := time.Duration(s.TimeoutMS) * time.Millisecond
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := j.take(within, s, in)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = &fault.Error{Kind: fault.Unavailable, Cause: context.DeadlineExceeded, Message: "no answer within " + limit.String()}
	}
	return out, err
}

func (j *journey) take(ctx context.Context, s *infergraph.Action, in infergraph.Flow) (infergraph.Flow, error) {
	if err := ctx.Err(); err != nil {
		return in, err
	}
	given, err := s.Prepare(in, j.asked, ctx.Err)
	if err != nil {
		return in, err
	}
	out := given
	switch {
	case s.Node != "":
		out, err = j.node(ctx, j.route.compiled.Nodes[s.Node], given)
	case s.Endpoint != "":
		out, err = j.ask(ctx, s, given)
	}
	if err != nil {
		return in, err
	}
	return s.Finish(out, j.asked, ctx.Err)
}

// ask asks an endpoint, or another graph.
func (j *journey) ask(ctx context.Context, s *infergraph.Action, in infergraph.Flow) (infergraph.Flow, error) {
	resp, err := j.s.Infer(ctx, Call{Endpoint: s.Endpoint, Version: s.Version, Key: j.call.Key, Header: j.call.Header,
		Read: func(signature *infer.Signature) (*infer.Request, error) {
			return in.Request(j.asked.Request, signature), nil
		}})
	if _, ok := errors.AsType[*misfit](err); ok {
		return in, fault.Invalidf("endpoint %q: %w", s.Endpoint, err)
	}
	if err != nil {
		return in, err
	}
	if missing, ok := resp.Parameters[ParameterWithout].(string); ok {
		j.doWithout(s.Place + ": " + missing)
	}
	return infergraph.OfResponse(resp), nil
}
