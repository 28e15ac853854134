package tracking

import (
	"context"
	"strconv"
	"strings"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/track"
)

// View says whether deleted things are meant.
type View int

// The views; the numbers are MLflow's.
const (
	Active  View = 1
	Deleted View = 2
	Both    View = 3
)

// Includes reports whether the view shows a thing.
func (v View) Includes(deleted bool) bool {
	return v == Both || deleted == (v == Deleted)
}

// CreateExperiment creates an experiment and returns its id.
func (s *Service) CreateExperiment(ctx context.Context, name, location string, tags []track.KV) (string, error) {
	if location != "" {
		if err := checkLocation(location); err != nil {
			return "", err
		}
	}
	if err := checkExperimentName(name); err != nil {
		return "", err
	}
	var set []track.KV
	for _, t := range tags {
		if err := checkExperimentTag(t); err != nil {
			return "", err
		}
		set = track.Set(set, t.Key, t.Value)
	}
	now := s.now()
	e := track.Experiment{ID: catalog.ExperimentID(s.deps.NewID()), Name: name, ArtifactLocation: strings.TrimSuffix(location, "/"),
		CreatedAt: now, UpdatedAt: now, Tags: set}
	return e.ID, s.deps.Store.CreateExperiment(ctx, e)
}

// Experiment returns an experiment; an empty id means the default one.
func (s *Service) Experiment(ctx context.Context, id string) (track.Experiment, error) {
	if id == "" {
		id = catalog.DefaultExperimentID
	}
	e, err := s.deps.Store.Experiment(ctx, id)
	return e, noExperiment(id, err)
}

// noExperiment says in MLflow's words that there is no such experiment.
func noExperiment(id string, err error) error {
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	n, parse := strconv.ParseInt(strings.TrimSpace(id), 10, 64)
	if parse != nil {
		return fault.Invalidf("Invalid experiment ID '%s'. Experiment ID must be a valid integer.", id)
	}
	return fault.NotFoundf("No Experiment with id=%d exists", n)
}

// ExperimentNamed returns the experiment of a name.
func (s *Service) ExperimentNamed(ctx context.Context, name string) (track.Experiment, error) {
	e, err := s.deps.Store.ExperimentNamed(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		return e, fault.NotFoundf("Could not find experiment with name '%s'", name)
	}
	return e, err
}

// SetExperimentDeleted deletes an experiment with its runs, or restores it with them. Only one that is in the other state can
// be found.
func (s *Service) SetExperimentDeleted(ctx context.Context, id string, deleted bool) error {
	return s.changeExperiment(ctx, id, func(e *track.Experiment) error {
		if deleted && e.ID == catalog.DefaultExperimentID {
			return fault.Invalidf("Cannot delete the default experiment '%s': it takes the runs that name none.", e.ID)
		}
		if e.Deleted == deleted {
			return fault.NotFoundf("No Experiment with id=%s exists", id)
		}
		e.Deleted, e.UpdatedAt = deleted, s.now()
		return nil
	})
}

// RenameExperiment gives an experiment another name.
func (s *Service) RenameExperiment(ctx context.Context, id, name string) error {
	if err := checkExperimentName(name); err != nil {
		return err
	}
	return s.changeExperiment(ctx, id, func(e *track.Experiment) error {
		if e.Deleted {
			return &StateError{"Cannot rename a non-active experiment."}
		}
		e.Name, e.UpdatedAt = name, s.now()
		return nil
	})
}

// SetExperimentTag sets a tag of an experiment.
func (s *Service) SetExperimentTag(ctx context.Context, id string, tag track.KV) error {
	if err := checkExperimentTag(tag); err != nil {
		return err
	}
	return s.changeExperiment(ctx, id, func(e *track.Experiment) error {
		if err := activeExperiment(*e); err != nil {
			return err
		}
		e.Tags = track.Set(e.Tags, tag.Key, tag.Value)
		return nil
	})
}

// DeleteExperimentTag removes a tag of an experiment.
func (s *Service) DeleteExperimentTag(ctx context.Context, id, key string) error {
	return s.changeExperiment(ctx, id, func(e *track.Experiment) error {
		if err := activeExperiment(*e); err != nil {
			return err
		}
		if _, there := track.Find(e.Tags, key); !there {
			return fault.NotFoundf("No tag with name: %s in experiment with id %s", key, id)
		}
		e.Tags = track.Without(e.Tags, key)
		return nil
	})
}

func (s *Service) changeExperiment(ctx context.Context, id string, change func(*track.Experiment) error) error {
	found := false
	err := s.deps.Store.ChangeExperiment(ctx, id, func(e *track.Experiment) error {
		found = true
		return change(e)
	})
	if !found {
		return noExperiment(id, err)
	}
	return err
}

func activeExperiment(e track.Experiment) error {
	if e.Deleted {
		return fault.Invalidf("The experiment %s must be in the 'active' state. Current state is deleted.", e.ID)
	}
	return nil
}
