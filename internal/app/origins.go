package app

import (
	"context"
	"strings"
	"time"

	v1 "levada/internal/api/v1"
	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/registry"
	"levada/internal/tracking"
)

// origins joins what tracking and the registry know of models.
type origins struct {
	tracking *tracking.Service
	registry *registry.Service
	files    func(ctx context.Context, location string) ([]model.File, error)
}

func (o origins) producer(ctx context.Context, runID string) (*v1.Producer, error) {
	if runID == "" {
		return nil, nil
	}
	p, err := o.tracking.ProducerOf(ctx, runID)
	out := v1.Producer(p)
	return &out, err
}

// modelFiles shows the files of a model; their digests begin with how they were made.
func modelFiles(files []model.File) []v1.ModelFile {
	out := make([]v1.ModelFile, len(files))
	for i, f := range files {
		out[i] = v1.ModelFile{Path: f.Path, Size: f.Size, SHA256: f.Digest[strings.LastIndexByte(f.Digest, ':')+1:]}
	}
	return out
}

func (o origins) version(ctx context.Context, v registry.Version) (v1.ModelVersion, error) {
	producer, err := o.producer(ctx, v.RunID)
	aliases := v.Aliases
	if aliases == nil {
		aliases = []string{}
	}
	return v1.ModelVersion{Name: v.Name, Version: v.Number, Stage: string(v.Stage), Aliases: aliases, Source: v.Source, ModelID: v.ModelID,
		CreatedAt: time.UnixMicro(v.CreatedUS).UTC(), Producer: producer, Files: modelFiles(v.Files)}, err
}

// ModelVersion returns a version with its files and the run that made it.
func (o origins) ModelVersion(ctx context.Context, name, version string) (v1.ModelVersion, error) {
	v, err := o.registry.Version(ctx, name, version)
	if err != nil {
		return v1.ModelVersion{}, err
	}
	return o.version(ctx, v)
}

func (o origins) logged(ctx context.Context, m track.LoggedModel, versions []registry.Version) (v1.LoggedModel, error) {
	out := v1.LoggedModel{ID: m.ID, Name: m.Name, ExperimentID: m.ExperimentID, Status: m.Status.String(), CreatedAt: time.UnixMicro(m.CreatedUS).UTC(),
		Versions: []v1.VersionRef{}}
	for _, v := range versions {
		if v.ModelID == m.ID {
			out.Versions = append(out.Versions, v1.VersionRef{Name: v.Name, Version: v.Number})
		}
	}
	files, err := o.files(ctx, m.ArtifactLocation)
	if err != nil {
		return out, err
	}
	out.Files = modelFiles(files)
	out.Producer, err = o.producer(ctx, m.SourceRunID)
	return out, err
}

// LoggedModel returns a logged model with its files, the run that made it and the versions that it has become.
func (o origins) LoggedModel(ctx context.Context, id string) (v1.LoggedModel, error) {
	m, err := o.tracking.Model(ctx, id, false)
	if err != nil {
		return v1.LoggedModel{}, err
	}
	versions, err := o.registry.From(ctx, []string{id}, nil)
	if err != nil {
		return v1.LoggedModel{}, err
	}
	return o.logged(ctx, m, versions)
}

// MadeIn returns the models that a run and those beneath it have made, and the versions that came of them.
func (o origins) MadeIn(ctx context.Context, runID string) (v1.MadeModels, error) {
	out := v1.MadeModels{LoggedModels: []v1.LoggedModel{}, Versions: []v1.ModelVersion{}}
	runs, models, err := o.tracking.MadeIn(ctx, runID)
	if err != nil {
		return out, err
	}
	ids := make([]string, len(models))
	for i, m := range models {
		ids[i] = m.ID
	}
	versions, err := o.registry.From(ctx, ids, runs)
	if err != nil {
		return out, err
	}
	for _, m := range models {
		shown, err := o.logged(ctx, m, versions)
		if err != nil {
			return out, err
		}
		out.LoggedModels = append(out.LoggedModels, shown)
	}
	for _, v := range versions {
		shown, err := o.version(ctx, v)
		if err != nil {
			return out, err
		}
		out.Versions = append(out.Versions, shown)
	}
	return out, nil
}
