package pipeline

import (
	"context"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// FindRuns returns up to limit runs by the beginning of their id or a part of their name. However many runs there are, only a bounded
// number of the newest is looked at for a part of a name.
func (s *Service) FindRuns(ctx context.Context, text string, limit int) ([]run.Brief, error) {
	return s.deps.Store.FindRuns(ctx, text, limit)
}

// FindArtifacts returns up to limit artifacts by the beginning of their id or digest or a part of their name, bounded in the same way.
func (s *Service) FindArtifacts(ctx context.Context, text string, limit int) ([]run.Artifact, error) {
	return s.deps.Store.FindArtifacts(ctx, text, limit)
}

// FindExperiments returns up to limit experiments by the beginning of their id or a part of their name, also archived ones.
func (s *Service) FindExperiments(ctx context.Context, text string, limit int) ([]catalog.Experiment, error) {
	return listing.Find(ctx, text, limit, s.ListExperiments, func(e catalog.Experiment) string { return e.ID })
}

// FindPipelines returns up to limit uploaded pipelines by the beginning of their id or a part of their name.
func (s *Service) FindPipelines(ctx context.Context, text string, limit int) ([]catalog.Pipeline, error) {
	return listing.Find(ctx, text, limit, s.ListPipelines, func(p catalog.Pipeline) string { return p.ID })
}
