package registry

import (
	"context"
	"fmt"
	"net/url"

	"levada/internal/core/fault"
	"levada/internal/core/model"
)

// Import is a registered model of another server with its versions. Key names it there, so that it is found again.
type Import struct {
	Key      string
	Model    model.Registered
	Versions []model.Version
}

// Import brings a registered model as it is; of one that was brought before, what has changed in the source since. Versions that
// no import has brought stay as they are, what was deleted here stays deleted. The name stays when it is free; a model of the same name that is
// another one is left alone, and the new one is called "NAME-imported".
//
// The locations of versions were chosen by the importer: they may be places that are kept here, or object stores.
func (s *Service) Import(ctx context.Context, in Import) (out model.Brought, err error) {
	if err := checkModelName("name", in.Model.Name); err != nil {
		return out, err
	}
	if in.Model.Tags, err = s.checkTags(in.Model.Tags); err != nil {
		return out, err
	}
	for i := range in.Versions {
		v := &in.Versions[i]
		if err := s.checkImported(ctx, v); err != nil {
			return out, fmt.Errorf("version %d: %w", v.Number, err)
		}
		in.Model.Last = max(in.Model.Last, v.Number)
	}
	for _, a := range in.Model.Aliases {
		if err := checkAlias(a.Name); err != nil {
			return out, err
		}
	}
	names := func(try int) string {
		switch try {
		case 0:
			return in.Model.Name
		case 1:
			return in.Model.Name + "-imported"
		}
		return fmt.Sprintf("%s-imported-%d", in.Model.Name, try)
	}
	return s.deps.Store.ImportModel(ctx, in.Key, names, in.Model, in.Versions)
}

func (s *Service) checkImported(ctx context.Context, v *model.Version) (err error) {
	if v.Number < 1 {
		return fault.Invalidf("the number of a version must be positive")
	}
	if v.Stage, err = canonical(string(v.Stage)); err != nil {
		return err
	}
	switch v.Status {
	case "", "READY":
		v.Status = ""
	case "PENDING_REGISTRATION", "FAILED_REGISTRATION":
	default:
		return fault.Invalidf("the status %q is none", v.Status)
	}
	if v.Tags, err = s.checkTags(v.Tags); err != nil {
		return err
	}
	u, err := url.Parse(v.Location)
	if err != nil || foreignHost(u) || localScheme(v.Location) && checkPromptSource(v.Location) != nil || escapes(v.Location) {
		return fault.Invalidf("the location %q names no place that is kept here and no object store", v.Location)
	}
	v.Files, err = s.deps.Sources.Files(ctx, v.Location)
	return err
}
