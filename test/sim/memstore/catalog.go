package memstore

import (
	"context"
	"maps"
	"slices"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

// CreateExperiment stores an experiment; a name in use is a Conflict.
func (s *Store) CreateExperiment(ctx context.Context, e catalog.Experiment) error {
	return change(ctx, s, func() error {
		for _, other := range s.experiments {
			if other.DisplayName == e.DisplayName {
				return fault.Conflictf("an experiment named %q already exists", e.DisplayName)
			}
		}
		s.experiments[e.ID] = e
		return nil
	})
}

// GetExperiment returns an experiment.
func (s *Store) GetExperiment(ctx context.Context, id string) (catalog.Experiment, error) {
	return byID(ctx, s, "experiment", s.experiments, id)
}

// ExperimentByName finds an experiment by its unique name.
func (s *Store) ExperimentByName(ctx context.Context, name string) (catalog.Experiment, error) {
	return locked(ctx, s, func() (catalog.Experiment, error) {
		for _, e := range s.experiments {
			if e.DisplayName == name {
				return e, nil
			}
		}
		return catalog.Experiment{}, notFound("experiment", name)
	})
}

// ListExperiments lists experiments.
func (s *Store) ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error) {
	return locked(ctx, s, func() (listing.Page[catalog.Experiment], error) {
		return page(experimentList(), slices.Collect(maps.Values(s.experiments)), q)
	})
}

// SetExperimentArchived archives an experiment and its runs, or brings the experiment back, without its runs.
func (s *Store) SetExperimentArchived(ctx context.Context, id string, archived bool) error {
	return change(ctx, s, func() error {
		e, ok := s.experiments[id]
		if !ok {
			return notFound("experiment", id)
		}
		e.Archived = archived
		s.experiments[id] = e
		for _, row := range s.runs {
			if archived && row.run.ExperimentID == id {
				row.run.Archived = true
			}
		}
		return nil
	})
}

// DeleteExperiment removes an experiment and leaves its runs as they are.
func (s *Store) DeleteExperiment(ctx context.Context, id string) error {
	return remove(ctx, s, "experiment", s.experiments, id)
}

func remove[T any](ctx context.Context, s *Store, what string, rows map[string]T, id string) error {
	return change(ctx, s, func() error {
		if _, ok := rows[id]; !ok {
			return notFound(what, id)
		}
		delete(rows, id)
		return nil
	})
}

// MoveRuns files the runs of one experiment under another.
func (s *Store) MoveRuns(ctx context.Context, from, to string) error {
	return change(ctx, s, func() error {
		for _, row := range s.runs {
			if row.run.ExperimentID == from {
				row.run.ExperimentID = to
			}
		}
		return nil
	})
}

// CreatePipeline stores a pipeline and, unless it is nil, its first version.
func (s *Store) CreatePipeline(ctx context.Context, p catalog.Pipeline, first *catalog.Version) error {
	return change(ctx, s, func() error {
		for _, other := range s.pipelines {
			if other.Name == p.Name {
				return fault.Conflictf("a pipeline named %q already exists", p.Name)
			}
		}
		s.pipelines[p.ID] = p
		if first != nil {
			s.versions[first.ID] = *first
		}
		return nil
	})
}

// GetPipeline returns a pipeline.
func (s *Store) GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error) {
	return byID(ctx, s, "pipeline", s.pipelines, id)
}

// PipelineByName finds a pipeline by its unique name.
func (s *Store) PipelineByName(ctx context.Context, name string) (catalog.Pipeline, error) {
	return locked(ctx, s, func() (catalog.Pipeline, error) {
		for _, p := range s.pipelines {
			if p.Name == name {
				return p, nil
			}
		}
		return catalog.Pipeline{}, notFound("pipeline", name)
	})
}

// ListPipelines lists pipelines.
func (s *Store) ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error) {
	return locked(ctx, s, func() (listing.Page[catalog.Pipeline], error) {
		return page(pipelineList(), slices.Collect(maps.Values(s.pipelines)), q)
	})
}

// DeletePipeline also deletes the pipeline's versions.
func (s *Store) DeletePipeline(ctx context.Context, id string) error {
	if err := remove(ctx, s, "pipeline", s.pipelines, id); err != nil {
		return err
	}
	return change(ctx, s, func() error {
		maps.DeleteFunc(s.versions, func(_ string, v catalog.Version) bool { return v.PipelineID == id })
		return nil
	})
}

// UpdatePipeline changes the names, description and tags of a pipeline.
func (s *Store) UpdatePipeline(ctx context.Context, p catalog.Pipeline) error {
	return update(ctx, s, "pipeline", s.pipelines, p.ID, p)
}

// UpdateVersion changes the names, description and tags of a version.
func (s *Store) UpdateVersion(ctx context.Context, v catalog.Version) error {
	return update(ctx, s, "version", s.versions, v.ID, v)
}

func update[T any](ctx context.Context, s *Store, what string, rows map[string]T, id string, row T) error {
	return change(ctx, s, func() error {
		if _, ok := rows[id]; !ok {
			return notFound(what, id)
		}
		rows[id] = row
		return nil
	})
}

// CreateVersion stores a version; its name must be new in its pipeline.
func (s *Store) CreateVersion(ctx context.Context, v catalog.Version) error {
	return change(ctx, s, func() error {
		if _, ok := s.pipelines[v.PipelineID]; !ok {
			return notFound("pipeline", v.PipelineID)
		}
		for _, other := range s.versions {
			if other.PipelineID == v.PipelineID && other.Name == v.Name {
				return fault.Conflictf("a version named %q already exists", v.Name)
			}
		}
		s.versions[v.ID] = v
		return nil
	})
}

// GetVersion returns a version.
func (s *Store) GetVersion(ctx context.Context, id string) (catalog.Version, error) {
	return byID(ctx, s, "version", s.versions, id)
}

// ListVersions lists the versions of one pipeline.
func (s *Store) ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error) {
	return locked(ctx, s, func() (listing.Page[catalog.Version], error) {
		var rows []catalog.Version
		for _, v := range s.versions {
			if v.PipelineID == pipelineID {
				rows = append(rows, v)
			}
		}
		return page(versionList(), rows, q)
	})
}

// DeleteVersion removes a version.
func (s *Store) DeleteVersion(ctx context.Context, id string) error {
	return remove(ctx, s, "version", s.versions, id)
}
