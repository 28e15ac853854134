package pipeline

import (
	"context"
	"net/url"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
)

// DefaultExperiment is the name of the experiment that takes the runs that name none.
const DefaultExperiment = "Default"

// defaultExperiment returns the id of the default experiment, creating it when it is missing.
func (s *Service) defaultExperiment(ctx context.Context) (string, error) {
	_, err := s.deps.Store.GetExperiment(ctx, catalog.DefaultExperimentID)
	if fault.KindOf(err) == fault.NotFound {
		err = s.deps.Store.CreateExperiment(ctx, catalog.Experiment{ID: catalog.DefaultExperimentID, DisplayName: DefaultExperiment,
			Description: "Runs that name no experiment.", CreatedAt: s.now()})
		if fault.KindOf(err) == fault.Conflict { // someone else was faster
			_, err = s.deps.Store.GetExperiment(ctx, catalog.DefaultExperimentID)
		}
	}
	return catalog.DefaultExperimentID, err
}

// CreateExperiment creates an experiment; a name in use is a Conflict.
func (s *Service) CreateExperiment(ctx context.Context, name, description string) (catalog.Experiment, error) {
	if err := catalog.CheckName("experiment", name); err != nil {
		return catalog.Experiment{}, err
	}
	e := catalog.Experiment{ID: catalog.ExperimentID(s.deps.NewID()), DisplayName: name, Description: description, CreatedAt: s.now()}
	return e, s.deps.Store.CreateExperiment(ctx, e)
}

// GetExperiment returns an experiment.
func (s *Service) GetExperiment(ctx context.Context, id string) (catalog.Experiment, error) {
	return s.deps.Store.GetExperiment(ctx, id)
}

// ExperimentByName finds an experiment by its unique name.
func (s *Service) ExperimentByName(ctx context.Context, name string) (catalog.Experiment, error) {
	return s.deps.Store.ExperimentByName(ctx, name)
}

// ListExperiments lists experiments; keys: id, display_name, created_at, last_run_at, archived.
func (s *Service) ListExperiments(ctx context.Context, q listing.Query) (listing.Page[catalog.Experiment], error) {
	return s.deps.Store.ListExperiments(ctx, q)
}

// ArchiveExperiment archives an experiment and its runs, or brings the experiment back.
func (s *Service) ArchiveExperiment(ctx context.Context, id string, archived bool) error {
	if _, err := s.deps.Store.GetExperiment(ctx, id); err != nil {
		return err
	}
	if err := s.deps.Store.SetExperimentArchived(ctx, id, archived); err != nil || !archived || s.deps.Archived == nil {
		return err
	}
	return s.deps.Archived(ctx, id)
}

// DeleteExperiment deletes an experiment; its runs stay and belong to the default experiment.
func (s *Service) DeleteExperiment(ctx context.Context, id string) error {
	e, err := s.deps.Store.GetExperiment(ctx, id)
	if err != nil {
		return err
	}
	if id == catalog.DefaultExperimentID {
		return fault.Conflictf("experiment %q takes the runs that name none and cannot be deleted", e.DisplayName)
	}
	other, err := s.defaultExperiment(ctx)
	if err != nil {
		return err
	}
	// A crash between the two leaves an empty experiment, which can be deleted again.
	if err := s.deps.Store.MoveRuns(ctx, id, other); err != nil {
		return err
	}
	return s.deps.Store.DeleteExperiment(ctx, id)
}

// Upload describes a pipeline or version to store.
type Upload struct {
	Name        string // default: the name inside the specification
	DisplayName string
	Description string
	Tags        map[string]string
	// CodeSourceURL is where the pipeline's code is kept.
	CodeSourceURL string
	Spec          []byte
}

// fill completes an upload from its specification.
func (u *Upload) fill(p *ir.Pipeline) error {
	if u.Name == "" {
		u.Name = p.Spec.PipelineInfo.Name
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Name
	}
	if u.Description == "" {
		u.Description = p.Spec.PipelineInfo.Description
	}
	if err := catalog.CheckTags(u.Tags); err != nil {
		return err
	}
	if link, err := url.Parse(u.CodeSourceURL); u.CodeSourceURL != "" && (err != nil || link.Scheme != "https" && link.Scheme != "http") {
		return fault.Invalidf("code_source_url %.100q is not an address that begins with https://", u.CodeSourceURL)
	}
	return catalog.CheckName("pipeline", u.Name)
}

// CreatePipeline stores a pipeline that has no version yet; a name in use is a Conflict.
func (s *Service) CreatePipeline(ctx context.Context, u Upload) (catalog.Pipeline, error) {
	if u.DisplayName == "" {
		u.DisplayName = u.Name
	}
	if err := catalog.CheckName("pipeline", u.Name); err != nil {
		return catalog.Pipeline{}, err
	}
	if err := catalog.CheckTags(u.Tags); err != nil {
		return catalog.Pipeline{}, err
	}
	p := s.pipeline(u)
	return p, s.deps.Store.CreatePipeline(ctx, p, nil)
}

// UpdatePipeline gives a pipeline another display name, unless that is empty, and other tags, unless those are nil.
func (s *Service) UpdatePipeline(ctx context.Context, id, displayName string, tags map[string]string) (catalog.Pipeline, error) {
	p, err := s.deps.Store.GetPipeline(ctx, id)
	if err != nil {
		return p, err
	}
	if err := change(&p.DisplayName, &p.Tags, displayName, tags); err != nil {
		return p, err
	}
	return p, s.deps.Store.UpdatePipeline(ctx, p)
}

// UpdateVersion is UpdatePipeline for a version.
func (s *Service) UpdateVersion(ctx context.Context, pipelineID, versionID, displayName string, tags map[string]string) (catalog.Version, error) {
	v, err := s.GetVersion(ctx, pipelineID, versionID)
	if err != nil {
		return v, err
	}
	if err := change(&v.DisplayName, &v.Tags, displayName, tags); err != nil {
		return v, err
	}
	return v, s.deps.Store.UpdateVersion(ctx, v)
}

func change(name *string, tags *map[string]string, newName string, newTags map[string]string) error {
	if newName != "" {
		*name = newName
	}
	if newTags != nil {
		*tags = newTags
	}
	if err := catalog.CheckTags(*tags); err != nil {
		return err
	}
	return catalog.CheckName("pipeline", *name)
}

func (s *Service) pipeline(u Upload) catalog.Pipeline {
	return catalog.Pipeline{
		ID: s.deps.NewID(), Name: u.Name, DisplayName: u.DisplayName, Description: u.Description, Tags: u.Tags, CreatedAt: s.now(),
	}
}

// UploadPipeline validates a specification and stores it as a new pipeline with its first version.
func (s *Service) UploadPipeline(ctx context.Context, u Upload) (catalog.Pipeline, catalog.Version, error) {
	p, err := s.deps.Parse(u.Spec)
	if err == nil {
		err = u.fill(p)
	}
	if err != nil {
		return catalog.Pipeline{}, catalog.Version{}, err
	}
	pl := s.pipeline(u)
	v := s.version(pl.ID, u, p)
	if err := s.deps.Store.PutSpec(ctx, p.Digest, p.Canonical); err != nil {
		return catalog.Pipeline{}, catalog.Version{}, err
	}
	return pl, v, s.deps.Store.CreatePipeline(ctx, pl, &v)
}

// UploadVersion validates a specification and stores it as a new version of a pipeline.
func (s *Service) UploadVersion(ctx context.Context, pipelineID string, u Upload) (catalog.Version, error) {
	if _, err := s.deps.Store.GetPipeline(ctx, pipelineID); err != nil {
		return catalog.Version{}, err
	}
	p, err := s.deps.Parse(u.Spec)
	if err == nil {
		err = u.fill(p)
	}
	if err != nil {
		return catalog.Version{}, err
	}
	v := s.version(pipelineID, u, p)
	if err := s.deps.Store.PutSpec(ctx, p.Digest, p.Canonical); err != nil {
		return catalog.Version{}, err
	}
	return v, s.deps.Store.CreateVersion(ctx, v)
}

func (s *Service) version(pipelineID string, u Upload, p *ir.Pipeline) catalog.Version {
	return catalog.Version{
		ID: s.deps.NewID(), PipelineID: pipelineID, Name: u.Name, DisplayName: u.DisplayName, Description: u.Description,
		Tags: u.Tags, SpecDigest: p.Digest, CodeSourceURL: u.CodeSourceURL, CreatedAt: s.now(),
	}
}

// GetPipeline returns a pipeline.
func (s *Service) GetPipeline(ctx context.Context, id string) (catalog.Pipeline, error) {
	return s.deps.Store.GetPipeline(ctx, id)
}

// PipelineByName finds a pipeline by its unique name.
func (s *Service) PipelineByName(ctx context.Context, name string) (catalog.Pipeline, error) {
	return s.deps.Store.PipelineByName(ctx, name)
}

// ListPipelines lists pipelines; keys: id, name, display_name, created_at.
func (s *Service) ListPipelines(ctx context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error) {
	return s.deps.Store.ListPipelines(ctx, q)
}

// DeletePipeline deletes a pipeline and, with cascade, its versions; without cascade one that still has versions is a Conflict.
func (s *Service) DeletePipeline(ctx context.Context, id string, cascade bool) error {
	if _, err := s.deps.Store.GetPipeline(ctx, id); err != nil {
		return err
	}
	if !cascade {
		page, err := s.deps.Store.ListVersions(ctx, id, listing.Query{PageSize: 1})
		if err != nil {
			return err
		}
		if page.Total > 0 {
			return fault.Conflictf("pipeline %s still has %d versions; delete them first, or ask for cascade", id, page.Total)
		}
	}
	return s.deps.Store.DeletePipeline(ctx, id)
}

// GetVersion returns a version of a pipeline.
func (s *Service) GetVersion(ctx context.Context, pipelineID, versionID string) (catalog.Version, error) {
	v, err := s.deps.Store.GetVersion(ctx, versionID)
	if err == nil && v.PipelineID != pipelineID {
		err = fault.NotFoundf("pipeline %s has no version %s", pipelineID, versionID)
	}
	return v, err
}

// ListVersions lists the versions of a pipeline; keys: id, name, display_name, created_at.
func (s *Service) ListVersions(ctx context.Context, pipelineID string, q listing.Query) (listing.Page[catalog.Version], error) {
	if _, err := s.deps.Store.GetPipeline(ctx, pipelineID); err != nil {
		return listing.Page[catalog.Version]{}, err
	}
	return s.deps.Store.ListVersions(ctx, pipelineID, q)
}

// DeleteVersion deletes a version.
func (s *Service) DeleteVersion(ctx context.Context, pipelineID, versionID string) error {
	if _, err := s.GetVersion(ctx, pipelineID, versionID); err != nil {
		return err
	}
	return s.deps.Store.DeleteVersion(ctx, versionID)
}
