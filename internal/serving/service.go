// Package serving owns endpoints: names under which versions of registered models answer requests for predictions.
//
// It decides which version of an endpoint is loaded when, joins requests into batches, moves traffic from one version to another without
// dropping a request, and remembers how versions did. How a model runs is behind Runtimes, which version gets a request is in
// core/traffic, wire formats are the doors'. Start reading at Service.Infer for the way of a request, at Service.Put for that of a
// change, then live.go, version.go and slot.go.
package serving

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// Options are what a service is made of.
type Options struct {
	Store    Store
	Models   Models
	Runtimes Runtimes
	// Askable refuses a remote that must not be reached, or whose secret is not there; nil lets all be.
	Askable func(ctx context.Context, r endpoint.Remote) error
	// Graphs is needed where endpoints are put together to inference graphs.
	Graphs GraphStore
	// Rollouts and Aliases are needed where versions are rolled out.
	Rollouts RolloutStore
	Aliases  Aliases
	// Monitors look at the data of endpoints; nil where none do.
	Monitors Monitors
	// Log keeps requests of endpoints that want it; nil keeps none.
	Log RequestLog
	// Tables are looked up in; needed where endpoints do so.
	Tables Tables
	Now    func() time.Time
	// Random returns uniform numbers.
	Random func() uint64
	// MemoryBudget is how much the workers of all endpoints may use together, in bytes: over it those are ended whose versions were used
	// least recently, until the next request. 0 is no limit.
	MemoryBudget int64
	// Paused services keep endpoints and start no workers: requests are refused.
	Paused bool
	Logger *slog.Logger
}

// Service answers requests for predictions. Its methods may be called from any goroutine.
type Service struct {
	deps Options
	// all are the endpoints by name; the map is never changed but replaced, under mu.
	all atomic.Pointer[map[string]*live]
	// graphs are the inference graphs by name, in the same way. No endpoint has the name of one.
	graphs atomic.Pointer[map[string]*liveGraph]
	mu     sync.Mutex // one change of endpoints and graphs at a time
	// until ends with the service.
	until  context.Context //nolint:containedctx // workers live longer than the call that wants them
	end    context.CancelFunc
	parts  sync.WaitGroup
	closed atomic.Bool
	// turns are taken by versions of an earlier server while they load (slot.turn).
	turns chan struct{}
}

// Open reads the endpoints and begins to load those that have answered before.
func Open(ctx context.Context, o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{deps: o, turns: make(chan struct{}, max(2, runtime.NumCPU()))}
	s.until, s.end = context.WithCancel(context.Background())
	s.all.Store(&map[string]*live{})
	records, err := o.Store.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	deployed, err := o.Store.DeployedVersions(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*live, len(records))
	for _, r := range records {
		l := newLive(s, r)
		for _, d := range deployed {
			if d.Endpoint == r.Name {
				l.deployed[d.Version] = d
			}
		}
		all[r.Name] = l
	}
	s.all.Store(&all)
	if err := s.openGraphs(ctx); err != nil {
		return nil, err
	}
	if o.Paused {
		return s, nil
	}
	for _, l := range all {
		l.resume()
	}
	if o.Rollouts != nil {
		if err := s.resumeRollouts(ctx); err != nil {
			return nil, errors.Join(err, s.Close(ctx))
		}
	}
	s.parts.Go(s.keep)
	return s, nil
}

// Close lets requests finish until ctx is done, then ends all workers and waits for them. Closing twice is the same as closing once.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed.Store(true)
	all := *s.all.Load()
	s.mu.Unlock()
	for _, l := range all {
		l.finish(ctx)
	}
	s.end()
	s.parts.Wait()
	return nil
}

// Call is one request for a prediction.
type Call struct {
	Endpoint string
	// Version is a version of the registered model; empty lets the traffic plan choose.
	Version string
	// Key is what sticks to a version; empty lets the plan's header say it.
	Key string
	// Header returns the value of a header, for rules; nil for none.
	Header  func(string) string
	Request *infer.Request
	// Read, where it is set, makes the request in place of Request: of one whose form depends on the signature of the version that
	// answers, which is nil where the model has none. It may be called again with the signature of another one.
	Read func(*infer.Signature) (*infer.Request, error)
}

// find returns an endpoint.
func (s *Service) find(name string) (*live, error) {
	if l := (*s.all.Load())[name]; l != nil {
		return l, nil
	}
	if s.graph(name) != nil {
		return nil, fault.NotFoundf("%q is an inference graph, which has no versions, traffic, rollouts or logged requests of its own; the endpoints that it asks have them", name)
	}
	return nil, fault.NotFoundf("there is no endpoint %q", fault.Shorten(name, 100))
}

// Known returns nil when there is an endpoint or a graph of a name, and a version of it where one is named: so that who asks for what is not
// there is told that, whatever else is wrong with the request.
func (s *Service) Known(name, number string) error {
	l, err := s.find(name)
	if g := s.graph(name); g != nil {
		if number != "" {
			_, err = g.metadata(number)
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	if r := l.route.Load(); number != "" && r != nil && r.versions[number] == nil {
		return noVersion(name, number)
	}
	return nil
}

// Endpoints returns the names of all endpoints and graphs, in order.
func (s *Service) Endpoints(context.Context) ([]string, error) {
	names := append(slices.Collect(maps.Keys(*s.all.Load())), s.graphNames()...)
	slices.Sort(names)
	return names, nil
}

// Ready returns nil when an endpoint or a graph answers, or one of its versions.
func (s *Service) Ready(ctx context.Context, name, number string) error {
	l, err := s.find(name)
	g := s.graph(name)
	if err != nil && g == nil {
		return err
	}
	if s.deps.Paused || s.closed.Load() {
		return errStopped()
	}
	if l == nil {
		return s.readyGraph(ctx, g, number)
	}
	r := l.route.Load()
	if r == nil {
		return l.notYet()
	}
	numbers := []string{number}
	if number == "" {
		numbers = r.spec.Traffic.Answering()
	}
	for _, n := range numbers {
		v := r.versions[n]
		if v == nil {
			return noVersion(name, n)
		}
		if err := v.answers(); err != nil {
			return err
		}
	}
	return nil
}

// versionFor returns the version that a question about an endpoint means: the one that gets most requests where none is named.
func (s *Service) versionFor(name, number string) (*live, endpoint.Deployed, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, endpoint.Deployed{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	spec := l.record.Active
	if spec == nil {
		spec = &l.record.Spec
	}
	if number == "" {
		number = spec.Traffic.Most()
	}
	d, ok := l.deployed[number]
	if !ok || !slices.Contains(spec.Versions, number) {
		return nil, d, noVersion(name, number)
	}
	return l, d, nil
}

// Signature returns what a version takes and gives, nil where the model does not say; of the version with most requests where none
// is named. A graph has none: its steps have.
func (s *Service) Signature(ctx context.Context, name, number string) (*infer.Signature, error) {
	if s.graph(name) != nil {
		return nil, nil //nolint:nilnil // as of a model that does not say
	}
	l, d, err := s.versionFor(name, number)
	if err != nil {
		return nil, err
	}
	described, err := l.describe(ctx, d)
	return described.Signature, err
}

// Metadata returns what an endpoint, or a version of it, says about itself.
func (s *Service) Metadata(ctx context.Context, name, number string) (infer.Metadata, error) {
	if g := s.graph(name); g != nil {
		return g.metadata(number)
	}
	l, d, err := s.versionFor(name, number)
	if err != nil {
		return infer.Metadata{}, err
	}
	described, err := l.describe(ctx, d)
	if err != nil {
		return infer.Metadata{}, err
	}
	out := infer.Metadata{Name: name, Platform: described.Platform}
	l.mu.Lock()
	spec := l.record.Active
	if spec == nil {
		spec = &l.record.Spec
	}
	out.Versions = slices.Clone(spec.Versions)
	l.mu.Unlock()
	if sig := described.Signature; sig != nil {
		out.Inputs, out.Outputs = sig.Specs()
		out.Columns = sig.Columns()
	}
	return out, nil
}

func noVersion(name, number string) error {
	return fault.NotFoundf("endpoint %q has no version %q", fault.Shorten(name, 100), fault.Shorten(number, 50))
}

func errStopped() error {
	return fault.Unavailablef("models are not served now: the server is starting or shutting down")
}
