package serving

import (
	"context"
	"reflect"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/lookup"
	"levada/internal/core/table"
)

// Tables finds and opens the tables that endpoints look features up in.
type Tables interface {
	// Digest is the content of an artifact that is a table.
	Digest(ctx context.Context, artifactID string) (string, error)
	// OpenTable opens content as a table. What is none is an Invalid error.
	OpenTable(ctx context.Context, digest string) (table.Source, error)
}

// features is a table that is looked up in, or is being loaded. Its fields are read when ready is closed.
type features struct {
	settings endpoint.Lookup
	ready    chan struct{}
	table    *lookup.Table
	err      error
}

// load begins to load the table of a specification; nil where it has none. The one of the route before serves again where it is the same.
func (s *Service) load(spec *endpoint.Spec, before *route) *features {
	want := spec.Settings.Lookup
	if want == nil {
		return nil
	}
	if before != nil && before.features != nil && reflect.DeepEqual(before.features.settings, *want) && !before.features.failed() {
		return before.features
	}
	f := &features{settings: *want, ready: make(chan struct{})}
	s.parts.Go(func() {
		defer close(f.ready)
		if s.deps.Tables == nil {
			f.err = fault.Unavailablef("this server has no tables to look features up in")
			return
		}
		source, err := s.deps.Tables.OpenTable(s.until, want.Digest)
		if err == nil {
			f.table, err = lookup.Build(s.until, source, *want)
		}
		f.err = err
	})
	return f
}

// failed reports whether the table could not be loaded, which another attempt may.
func (f *features) failed() bool {
	select {
	case <-f.ready:
		return f.err != nil
	default:
		return false
	}
}

// joins reports whether an endpoint has a table whose columns are joined to its requests.
func (s *Service) joins(name string) bool {
	l, err := s.find(name)
	if err != nil {
		return false
	}
	r := l.route.Load()
	return r != nil && r.features != nil
}

// await returns the table when it is there.
func (f *features) await(ctx context.Context) (*lookup.Table, error) {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, fault.Unavailablef("the lookup table (artifact %s) could not be loaded: %s", f.settings.Artifact, fault.Shorten(f.err.Error(), 1000))
	}
	return f.table, nil
}

// looked finds the content of the table that a specification names.
func (s *Service) looked(ctx context.Context, spec *endpoint.Spec) error {
	l := spec.Settings.Lookup
	if l == nil {
		return nil
	}
	if s.deps.Tables == nil {
		return fault.Unavailablef("this server has no tables to look features up in")
	}
	digest, err := s.deps.Tables.Digest(ctx, l.Artifact)
	if err != nil {
		return err
	}
	found := *l
	found.Digest = digest
	spec.Settings.Lookup = &found
	return nil
}

// joined joins to a request the columns of the table that is looked up in, if there is one. The request itself is not changed.
func (r *route) joined(ctx context.Context, asked *infer.Request) (*infer.Request, error) {
	if r.features == nil {
		return asked, nil
	}
	t, err := r.features.await(ctx)
	if err != nil {
		return nil, err
	}
	return t.Join(asked)
}
