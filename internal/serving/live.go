package serving

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
)

// route is what requests follow: a specification all of whose versions are there. It never changes.
type route struct {
	spec     *endpoint.Spec
	versions map[string]*version // by number
	// features is what is joined to requests; nil for nothing.
	features *features
}

// live is an endpoint as it runs. Requests read its route and nothing else.
type live struct {
	s     *Service
	name  string
	route atomic.Pointer[route] // nil before the first version answers
	// rollout changes the traffic while it goes on; nil without one.
	rollout atomic.Pointer[driver]

	// writing is held from reading the record until its successor is on disk and here, so that none is lost.
	writing sync.Mutex

	mu     sync.Mutex
	record endpoint.Endpoint
	// deployed are the versions of the specification and of the route, by number.
	deployed  map[string]endpoint.Deployed
	described map[string]endpoint.Described
	stats     map[string]*stats
	// coming are versions that load for an update, by number.
	coming map[string]*version
	// trouble is why the specification is not followed; nil while it is, or may still be.
	trouble error

	// updating ends the update that goes on; settled is closed when it has ended.
	updating context.CancelFunc
	settled  chan struct{}
}

func newLive(s *Service, r endpoint.Endpoint) *live {
	settled := make(chan struct{})
	close(settled)
	return &live{s: s, name: r.Name, record: r, deployed: map[string]endpoint.Deployed{}, described: map[string]endpoint.Described{},
		stats: map[string]*stats{}, updating: func() {}, settled: settled}
}

// statsOf returns what is remembered of a version; l.mu must not be held.
func (l *live) statsOf(number string) *stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stats[number] == nil {
		l.stats[number] = &stats{began: l.s.deps.Now().UTC()}
	}
	return l.stats[number]
}

// notYet is the error of a request that comes before any version has answered.
func (l *live) notYet() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble != nil {
		return fault.Unavailablef("endpoint %q: its version could not be loaded: %s", l.name, fault.Shorten(l.trouble.Error(), 1000))
	}
	return fault.Unavailablef("endpoint %q: its version is being loaded; try again in a moment", l.name)
}

// describe reads what a version says about itself, once.
func (l *live) describe(ctx context.Context, d endpoint.Deployed) (endpoint.Described, error) {
	l.mu.Lock()
	known, ok := l.described[d.Version]
	l.mu.Unlock()
	if ok {
		return known, nil
	}
	described, err := l.s.deps.Runtimes.Describe(ctx, d)
	if err == nil {
		l.mu.Lock()
		l.described[d.Version] = described
		l.mu.Unlock()
	}
	return described, err
}

// resume goes on where an earlier server ended: what was followed is followed at once, and requests wait for its workers.
func (l *live) resume() {
	if active := l.record.Active; active != nil {
		r := &route{spec: active, versions: map[string]*version{}, features: l.s.load(active, nil)}
		for _, n := range active.Versions {
			v := newVersion(l, l.deployed[n], active.Settings)
			if active.Settings.IdleSeconds == 0 {
				v.patient.Store(v.deployed.Remote == nil)
				v.warm()
			} else {
				v.set(func() { v.everUp = true }) // by an earlier server: it waits for a request
			}
			r.versions[n] = v
		}
		l.route.Store(r)
		if reflect.DeepEqual(*active, l.record.Spec) {
			return
		}
	}
	l.update(l.record.Spec)
}

// update begins to follow a specification, instead of the one before.
func (l *live) update(spec endpoint.Spec) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.updating()
	ctx, end := context.WithCancel(l.s.until)
	before, settled := l.settled, make(chan struct{})
	l.updating, l.settled, l.trouble = end, settled, nil
	l.s.parts.Go(func() {
		defer close(settled)
		defer end()
		<-before
		if ctx.Err() != nil {
			return
		}
		err := l.follow(ctx, spec)
		if err == nil || ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		l.trouble = err
		l.mu.Unlock()
		l.s.deps.Logger.Warn("an endpoint cannot be brought to its specification; what it followed before goes on", "endpoint", l.name, "error", err)
	})
}

// follow loads the versions of a specification that are not there, moves the traffic when those that will answer are ready, and drains
// those that are not wanted any more.
func (l *live) follow(ctx context.Context, spec endpoint.Spec) error {
	old := l.route.Load()
	next := &route{spec: &spec, versions: map[string]*version{}, features: l.s.load(&spec, old)}
	usable := func(v *version) bool { return v != nil && sameService(v.settings, spec.Settings) && !v.givenUp() }
	l.mu.Lock()
	before, coming := l.coming, map[string]*version{}
	l.mu.Unlock()
	for _, n := range spec.Versions {
		if old != nil && usable(old.versions[n]) {
			next.versions[n] = old.versions[n]
			continue
		}
		v := before[n]
		if !usable(v) {
			l.mu.Lock()
			d := l.deployed[n]
			l.mu.Unlock()
			v = newVersion(l, d, spec.Settings)
			v.warm()
		}
		next.versions[n], coming[n] = v, v
	}
	l.setComing(coming)
	for n, v := range before {
		if coming[n] != v {
			v.retire(ctx)
		}
	}
	err := awaitAll(ctx, next, spec.Traffic.Answering())
	if err == nil && next.features != nil {
		_, err = next.features.await(ctx)
	}
	if err == nil {
		err = l.move(ctx, next)
	}
	if err != nil && ctx.Err() != nil {
		return err // what comes next takes over what loads
	}
	l.setComing(nil)
	if err != nil {
		for _, v := range coming {
			v.retire(ctx)
		}
		return err
	}
	if old == nil {
		return nil
	}
	for n, v := range old.versions {
		if next.versions[n] != v {
			l.s.parts.Go(func() { l.s.remove(v, next.versions[n] == nil) })
		}
	}
	return nil
}

func (l *live) setComing(coming map[string]*version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming = coming
}

// sameService reports whether versions with one of the settings can serve for the other.
func sameService(a, b endpoint.Settings) bool {
	a.Description, b.Description = "", ""
	a.Log, b.Log, a.Lookup, b.Lookup = nil, nil, nil, nil // the route has them
	a.Rollout, b.Rollout = nil, nil
	return a.Filled() == b.Filled()
}

// givenUp reports whether nothing but another deployment can make the version answer.
func (v *version) givenUp() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.hopeless
}

func awaitAll(ctx context.Context, r *route, numbers []string) error {
	for _, n := range numbers {
		v := r.versions[n]
		if v.asleep() {
			continue
		}
		if err := v.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// asleep reports whether the version has answered before and gets its workers with the next request.
func (v *version) asleep() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.everUp && v.state == endpoint.Idle
}

// move makes requests follow a route: first on disk, then here.
func (l *live) move(ctx context.Context, next *route) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.mu.Lock()
	record := l.record
	before := record.Active
	record.Active, record.UpdatedAt = next.spec, l.s.deps.Now().UTC()
	kept := l.keptBy(&record)
	l.mu.Unlock()
	event := endpoint.Event{Endpoint: l.name, At: record.UpdatedAt, Kind: endpoint.TrafficMoved, Message: "requests follow " + inWords(next.spec),
		Data: map[string]any{"generation": record.Generation, "after": next.spec.Traffic}}
	if before != nil {
		event.Data["before"] = before.Traffic
	}
	if err := l.s.deps.Store.PutEndpoint(ctx, record, kept, []endpoint.Event{event}); err != nil {
		return err
	}
	l.mu.Lock()
	l.record = record
	l.forgetOthers()
	l.mu.Unlock()
	l.route.Store(next)
	return nil
}

// keptBy are the versions that a record needs; l.mu is held.
func (l *live) keptBy(r *endpoint.Endpoint) []endpoint.Deployed {
	var out []endpoint.Deployed
	for _, n := range needed(r) {
		if d, ok := l.deployed[n]; ok {
			out = append(out, d)
		}
	}
	return out
}

// needed are the versions of what is asked for and of what is followed.
func needed(r *endpoint.Endpoint) []string {
	out := slices.Clone(r.Spec.Versions)
	if r.Active != nil {
		out = append(out, r.Active.Versions...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// forgetOthers forgets versions that nothing needs; l.mu is held.
func (l *live) forgetOthers() {
	keep := needed(&l.record)
	for n := range l.deployed {
		if !slices.Contains(keep, n) {
			delete(l.deployed, n)
			delete(l.described, n)
			delete(l.stats, n)
		}
	}
}

// remove drains a version that no request follows any more.
func (s *Service) remove(v *version, told bool) {
	v.retire(s.until)
	if told && s.until.Err() == nil {
		s.note(endpoint.Event{Endpoint: v.endpoint, Kind: endpoint.VersionRemoved, Version: v.number, Message: "version " + v.number + " was drained and removed"})
	}
}

// finish ends an update that goes on, lets requests finish until ctx is done, and ends the workers.
func (l *live) finish(ctx context.Context) {
	l.mu.Lock()
	l.updating()
	settled := l.settled
	l.mu.Unlock()
	<-settled
	var all sync.WaitGroup
	l.mu.Lock()
	for _, v := range l.coming {
		all.Go(func() { v.retire(ctx) })
	}
	l.coming = nil
	l.mu.Unlock()
	if r := l.route.Swap(nil); r != nil {
		for _, v := range r.versions {
			all.Go(func() { v.retire(ctx) })
		}
	}
	all.Wait()
}

// note appends to an endpoint's history. A failure is only logged: what the event tells of has happened all the same.
func (s *Service) note(e endpoint.Event) {
	if err := s.Note(context.WithoutCancel(s.until), e); err != nil {
		s.deps.Logger.Error("an event of an endpoint could not be stored", "endpoint", e.Endpoint, "event", e.Message, "error", err)
	}
}

// Note appends an event to the history of an endpoint.
func (s *Service) Note(ctx context.Context, e endpoint.Event) error {
	if e.At.IsZero() {
		e.At = s.deps.Now().UTC()
	}
	return s.deps.Store.AppendEndpointEvent(ctx, e)
}
