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
	"levada/internal/core/traffic"
)

// Deploy is what deploying a version to an endpoint asks for.
type Deploy struct {
	// Model and Version say what: the version is a number, "@" with an alias, or "latest".
	Model, Version string
	// Remote, where it is set, is deployed in place of a version of a model, under the name As.
	Remote *endpoint.Remote
	As     string
	// Percent is the share of the requests that the version gets; nil sends it all of them, and removes the versions that then
	// get none. 0 deploys it dark.
	Percent *float64
	// Settings replace those of the endpoint, unless nil.
	Settings *endpoint.Settings
}

// Deploy deploys a version to an endpoint, which is made if it is not there.
func (s *Service) Deploy(ctx context.Context, name string, d Deploy) (Status, error) {
	if err := endpoint.CheckName(name); err != nil {
		return Status{}, err
	}
	if err := s.free(name); err != nil {
		return Status{}, err
	}
	number := d.As
	if d.Remote == nil {
		found, err := s.deps.Models.Resolve(ctx, d.Model, d.Version)
		if err != nil {
			return Status{}, fmt.Errorf("model %q, version %s: %w", d.Model, d.Version, err)
		}
		number = fmt.Sprint(found.Number)
	}
	return s.change(ctx, name, func(before *endpoint.Spec) (endpoint.Spec, error) { return s.deployed(ctx, name, number, d, before) })
}

// deployed is the specification of an endpoint that gets a version by a number or a name; before is nil for a new one.
func (s *Service) deployed(ctx context.Context, name, number string, d Deploy, before *endpoint.Spec) (endpoint.Spec, error) {
	if before == nil {
		if d.Percent != nil && *d.Percent != 100 {
			return endpoint.Spec{}, fault.Invalidf("endpoint %q is new: its only version gets all requests", name)
		}
		before = &endpoint.Spec{Model: d.Model}
	}
	if before.Model == "" && d.Model != "" {
		named := *before
		named.Model, before = d.Model, &named
	}
	if d.Remote == nil && before.Model != d.Model {
		return endpoint.Spec{}, fault.Conflictf("endpoint %q serves model %q: deploy %q to another endpoint, or undeploy this one first", name, before.Model, d.Model)
	}
	spec := *before
	if d.Settings != nil {
		spec.Settings = *d.Settings
		if err := s.looked(ctx, &spec); err != nil {
			return spec, err
		}
	}
	if d.Remote != nil {
		if was, there := before.Remotes[number]; there && was != *d.Remote {
			return spec, fault.Conflictf("endpoint %q has another remote %s: deploy this one under another name", name, number)
		}
		spec.Remotes = map[string]endpoint.Remote{}
		maps.Copy(spec.Remotes, before.Remotes)
		spec.Remotes[number] = *d.Remote
	}
	if d.Percent == nil {
		spec.Versions, spec.Traffic = []string{number}, traffic.All(number)
		spec.Traffic.Sticky, spec.Traffic.KeyHeader = before.Traffic.Sticky, before.Traffic.KeyHeader
		spec.Remotes = nil
		if d.Remote != nil {
			spec.Remotes = map[string]endpoint.Remote{number: *d.Remote}
		}
		return spec, nil
	}
	if *d.Percent < 0 || *d.Percent > 100 {
		return spec, fault.Invalidf("traffic: %v percent; want a number from 0 to 100", *d.Percent)
	}
	spec.Versions = slices.Clone(before.Versions)
	if !slices.Contains(spec.Versions, number) {
		spec.Versions = append(spec.Versions, number)
	}
	spec.Traffic.Split = withShare(before.Traffic.Split, number, *d.Percent)
	return spec, nil
}

// withShare gives a version a share; the others keep theirs in proportion.
func withShare(split []traffic.Share, number string, percent float64) []traffic.Share {
	others := 0.0
	for _, s := range split {
		if s.Version != number {
			others += s.Percent
		}
	}
	var out []traffic.Share
	for _, s := range split {
		if s.Version == number {
			continue
		}
		if others > 0 {
			s.Percent *= (100 - percent) / others
		}
		out = append(out, s)
	}
	if percent > 0 || others == 0 {
		out = append(out, traffic.Share{Version: number, Percent: percent})
	}
	return out
}

// Put gives an endpoint a specification; it is made if it is not there. What is followed changes when the versions that then answer are
// ready.
func (s *Service) Put(ctx context.Context, name string, spec endpoint.Spec) (Status, error) {
	if err := s.free(name); err != nil {
		return Status{}, err
	}
	return s.change(ctx, name, func(before *endpoint.Spec) (endpoint.Spec, error) {
		if before != nil && before.Model != "" && before.Model != spec.Model {
			return spec, fault.Conflictf("endpoint %q serves model %q, which cannot change: make another endpoint, or delete this one first", name, before.Model)
		}
		return s.numbered(ctx, spec)
	})
}

// Resolved checks a specification as far as that can be done without loading anything, and returns it with numbers in place of aliases.
func (s *Service) Resolved(ctx context.Context, spec endpoint.Spec) (endpoint.Spec, error) {
	spec, err := s.numbered(ctx, spec)
	if err != nil {
		return spec, err
	}
	return spec, spec.Validate()
}

// numbered puts numbers in place of aliases and "latest".
func (s *Service) numbered(ctx context.Context, spec endpoint.Spec) (endpoint.Spec, error) {
	spec.Versions = slices.Clone(spec.Versions)
	spec.Traffic = copied(spec.Traffic)
	if err := s.looked(ctx, &spec); err != nil {
		return spec, err
	}
	if len(spec.Traffic.Split) == 0 && len(spec.Versions) == 1 {
		spec.Traffic.Split = traffic.All(spec.Versions[0]).Split
	}
	for i, v := range spec.Versions {
		if v != "latest" && !strings.HasPrefix(v, "@") {
			continue
		}
		found, err := s.deps.Models.Resolve(ctx, spec.Model, v)
		if err != nil {
			return spec, err
		}
		spec.Versions[i] = fmt.Sprint(found.Number)
		spec.Traffic.Rename(v, spec.Versions[i])
	}
	return spec, nil
}

// copied is a plan whose lists may be changed.
func copied(p traffic.Plan) traffic.Plan {
	p.Split, p.Rules, p.Shadows = slices.Clone(p.Split), slices.Clone(p.Rules), slices.Clone(p.Shadows)
	return p
}

// SetTraffic changes how the requests of an endpoint are shared.
func (s *Service) SetTraffic(ctx context.Context, name string, plan traffic.Plan) (Status, error) {
	if _, err := s.find(name); err != nil {
		return Status{}, err
	}
	if err := s.free(name); err != nil {
		return Status{}, err
	}
	return s.change(ctx, name, func(before *endpoint.Spec) (endpoint.Spec, error) {
		if before == nil {
			return endpoint.Spec{}, fault.NotFoundf("there is no endpoint %q", name)
		}
		spec := *before
		spec.Traffic = plan
		return spec, nil
	})
}

// Change changes the specification of an endpoint that is there, if changing still wants to when it sees the present one.
func (s *Service) Change(ctx context.Context, name string, changing func(endpoint.Spec) (endpoint.Spec, error)) (Status, error) {
	return s.change(ctx, name, func(before *endpoint.Spec) (endpoint.Spec, error) {
		if before == nil {
			return endpoint.Spec{}, fault.NotFoundf("there is no endpoint %q", fault.Shorten(name, 100))
		}
		return changing(*before)
	})
}

// change makes the next specification of the one before (nil for an endpoint that is not there), checks and stores it, and begins to
// follow it.
func (s *Service) change(ctx context.Context, name string, next func(before *endpoint.Spec) (endpoint.Spec, error)) (Status, error) {
	if err := endpoint.CheckName(name); err != nil {
		return Status{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return Status{}, errStopped()
	}
	l := (*s.all.Load())[name]
	fresh := l == nil
	if s.graph(name) != nil {
		return Status{}, fault.Conflictf("%q is a graph: give the endpoint another name, or undeploy the graph first", name)
	}
	if fresh {
		l = newLive(s, endpoint.Endpoint{Name: name, CreatedAt: s.deps.Now().UTC()})
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	var before *endpoint.Spec
	if !fresh {
		spec := l.record.Spec
		before = &spec
	}
	spec, err := next(before)
	if err != nil {
		return Status{}, err
	}
	if err := spec.Validate(); err != nil {
		return Status{}, err
	}
	deployed, err := s.deploy(ctx, l, spec)
	if err != nil {
		return Status{}, err
	}
	return s.store(ctx, l, spec, deployed, before)
}

// deploy finds the versions of a specification, and refuses those that could not be loaded.
func (s *Service) deploy(ctx context.Context, l *live, spec endpoint.Spec) (map[string]endpoint.Deployed, error) {
	l.mu.Lock()
	out := maps.Clone(l.deployed)
	l.mu.Unlock()
	for _, n := range spec.Versions {
		if err := s.deployRemote(ctx, l, spec, n, out); err != nil {
			return nil, err
		}
		if _, there := out[n]; there {
			continue
		}
		found, err := s.deps.Models.Resolve(ctx, spec.Model, n)
		if err != nil {
			return nil, err
		}
		d := endpoint.Deployed{Endpoint: l.name, Model: spec.Model, Version: n, Files: found.Files, At: s.deps.Now().UTC()}
		if len(d.Files) == 0 {
			return nil, fault.Invalidf("version %s of model %q is kept at %s: only files that this server keeps, with their digests, are loaded; log the model "+
				"to this server and register that", n, spec.Model, fault.Shorten(found.Location, 200))
		}
		if _, err := l.describe(ctx, d); err != nil {
			return nil, err
		}
		out[n] = d
	}
	return out, nil
}

// deployRemote adds a version of a specification to those that are deployed, if it is a remote. A name keeps its meaning as long as the
// endpoint has it.
func (s *Service) deployRemote(ctx context.Context, l *live, spec endpoint.Spec, n string, deployed map[string]endpoint.Deployed) error {
	r, remote := spec.Remotes[n]
	was, there := deployed[n]
	switch {
	case !remote:
		return nil
	case there && (was.Remote == nil || *was.Remote != r):
		return fault.Conflictf("endpoint %q has another remote %s: give this one another name", l.name, n)
	case there:
		return nil
	}
	if s.deps.Askable != nil {
		if err := s.deps.Askable(ctx, r); err != nil {
			return fault.Invalidf("remote %s: %w", n, err)
		}
	}
	deployed[n] = endpoint.Deployed{Endpoint: l.name, Version: n, Remote: &r, At: s.deps.Now().UTC()}
	return nil
}

// store stores an endpoint's next specification and begins to follow it; s.mu and l.writing are held.
func (s *Service) store(ctx context.Context, l *live, spec endpoint.Spec, deployed map[string]endpoint.Deployed, before *endpoint.Spec) (Status, error) {
	if before != nil && reflect.DeepEqual(*before, spec) && s.settledWell(l) {
		return l.status(s.deps.Now()), nil
	}
	l.mu.Lock()
	record := l.record
	l.mu.Unlock()
	record.Spec, record.UpdatedAt = spec, s.deps.Now().UTC()
	record.Generation++
	event := endpoint.Event{Endpoint: l.name, At: record.UpdatedAt, Kind: endpoint.Updated, Message: "asked for: " + inWords(&spec),
		Data: map[string]any{"generation": record.Generation, "after": spec}}
	if before == nil {
		event.Kind = endpoint.Created
	} else {
		event.Data["before"] = *before
	}
	l.mu.Lock()
	l.deployed = deployed
	kept := l.keptBy(&record)
	l.mu.Unlock()
	if err := s.deps.Store.PutEndpoint(ctx, record, kept, []endpoint.Event{event}); err != nil {
		return Status{}, err
	}
	l.mu.Lock()
	l.record = record
	l.mu.Unlock()
	if before == nil {
		all := maps.Clone(*s.all.Load())
		all[l.name] = l
		s.all.Store(&all)
	}
	if !s.deps.Paused {
		l.update(spec)
	}
	return l.status(s.deps.Now()), nil
}

// settledWell reports whether what was asked for last is followed, or on its way.
func (s *Service) settledWell(l *live) bool {
	if r := l.route.Load(); r != nil {
		if r.features != nil && r.features.failed() {
			return false
		}
		for _, v := range r.versions {
			if v.givenUp() {
				return false
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble == nil
}

// Delete deletes an endpoint. Requests that it has are answered; its history stays.
func (s *Service) Delete(ctx context.Context, name string) error {
	if err := s.free(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.find(name)
	if err != nil {
		return err
	}
	if err := s.unasked(name); err != nil {
		return err
	}
	event := endpoint.Event{Endpoint: name, At: s.deps.Now().UTC(), Kind: endpoint.Deleted, Message: "the endpoint was deleted"}
	l.mu.Lock()
	l.updating() // it must not store the endpoint again
	settled := l.settled
	l.mu.Unlock()
	<-settled
	if err := s.deps.Store.DeleteEndpoint(ctx, name, event); err != nil {
		return err
	}
	all := maps.Clone(*s.all.Load())
	delete(all, name)
	s.all.Store(&all)
	s.parts.Go(func() { l.finish(s.until) })
	return nil
}

// Events returns up to limit events of an endpoint, the newest first; those before the one with the given id unless that is 0. An
// endpoint that was deleted has its history still.
func (s *Service) Events(ctx context.Context, name string, before int64, limit int) ([]endpoint.Event, error) {
	events, err := s.deps.Store.EndpointEvents(ctx, name, before, limit)
	if err == nil && len(events) == 0 && before == 0 && s.graph(name) == nil {
		_, err = s.find(name)
	}
	return events, err
}

// inWords says what a specification does in one line.
func inWords(s *endpoint.Spec) string {
	parts := make([]string, 0, len(s.Traffic.Split))
	for _, share := range s.Traffic.Split {
		parts = append(parts, fmt.Sprintf("version %s %.4g %%", share.Version, share.Percent))
	}
	text := strings.Join(parts, ", ")
	if s.Model != "" {
		text += " of model " + s.Model
	}
	if n := len(s.Traffic.Rules); n > 0 {
		text += fmt.Sprintf(", %d rules", n)
	}
	for _, shadow := range s.Traffic.Shadows {
		text += fmt.Sprintf(", version %s shadows %.4g %%", shadow.Version, shadow.Percent)
	}
	return text
}
