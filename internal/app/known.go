package app

import (
	"context"
	"fmt"
	"slices"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	core "levada/internal/core/secret"
)

// known knows what triggers name.
type known struct{ *server }

// Missing says why a thing cannot be used as it is named.
func (k known) Missing(ctx context.Context, r event.Reference) (string, error) {
	var err error
	why := ""
	switch r.Kind {
	case event.ToSecret:
		return k.missingSecret(ctx, r)
	case event.ToPipeline:
		return k.missingPipeline(ctx, r.Name)
	case event.ToUploaded:
		_, err = k.service.GetPipeline(ctx, r.Name)
		why = "the pipeline was deleted, so each run will be refused: upload it again and have this run that one, or delete this"
	case event.ToModel:
		_, err = k.store.Registry().Model(ctx, r.Name)
		why = fmt.Sprintf("there is no registered model %q yet: until there is, nothing happens", fault.Shorten(r.Name, 200))
	case event.ToExperiment:
		_, err = k.store.Tracking().ExperimentNamed(ctx, r.Name)
		why = fmt.Sprintf("there is no experiment %q yet: until there is, nothing happens", fault.Shorten(r.Name, 200))
	}
	switch {
	case err == nil:
		return "", nil
	case fault.KindOf(err) == fault.NotFound:
		return why, nil
	}
	return "", err
}

// missingSecret says that a secret, or one of the keys that are needed, is not there. It opens none: lists ask for it.
func (k known) missingSecret(ctx context.Context, r event.Reference) (string, error) {
	entry, err := k.secrets.Get(ctx, core.Secret, r.Name)
	if fault.KindOf(err) == fault.NotFound {
		return core.Missing(core.Secret, r.Name, r.Keys...).Error(), nil
	}
	if err != nil {
		return "", err
	}
	for _, key := range r.Keys {
		if !slices.Contains(entry.Keys, key) {
			return core.MissingKey(core.Secret, r.Name, key).Error(), nil
		}
	}
	for with, key := range r.KeysWith {
		if slices.Contains(entry.Keys, with) && !slices.Contains(entry.Keys, key) {
			return core.MissingKey(core.Secret, r.Name, key).Error(), nil
		}
	}
	return "", nil
}

// missingPipeline says why no run can have the name of a pipeline. Runs are named by their specification.
func (k known) missingPipeline(ctx context.Context, name string) (string, error) {
	if ran, err := k.store.RunNamed(ctx, name); err != nil || ran {
		return "", err
	}
	p, err := k.service.PipelineByName(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		return fmt.Sprintf("no run has the name %q yet, and no pipeline is uploaded by that name: until one runs, nothing happens", fault.Shorten(name, 200)), nil
	}
	if err != nil {
		return "", err
	}
	versions, err := k.service.ListVersions(ctx, p.ID, listing.Query{PageSize: 1})
	if err != nil || len(versions.Items) == 0 {
		return "", err
	}
	spec, err := k.service.Spec(ctx, versions.Items[0].SpecDigest)
	if err != nil {
		return "", err
	}
	if is := spec.Spec.PipelineInfo.Name; is != name {
		return event.NamedOtherwise(name, is), nil
	}
	return "", nil
}
