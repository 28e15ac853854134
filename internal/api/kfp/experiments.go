package kfp

import (
	"net/http"
	"strings"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
)

// experimentColumns are the fields that experiments can be filtered and sorted by; "id" and "name" are v1 spellings that
// KFP still takes.
var experimentColumns = columns{
	"experiment_id": {key: "id"}, "id": {key: "id"},
	"display_name": {key: "display_name"}, "name": {key: "display_name"},
	"description":         {key: "description"},
	"created_at":          {key: "created_at", kind: instant},
	"last_run_created_at": {key: "last_run_at", kind: instant},
	"storage_state":       {key: "archived", kind: hidden},
}

var experimentFields = []string{
	"experiment_id", "display_name", "description", "created_at", "namespace", "storage_state", "last_run_created_at",
}

func (d *door) createExperiment(r *http.Request) (any, error) {
	m, err := d.readMessage(r, "experiment", experimentFields...)
	if err != nil {
		return nil, err
	}
	// The namespace is read to check its type and then dropped, as by KFP in single-user mode.
	var name, description, namespace string
	if err := m.texts(map[string]*string{"display_name": &name, "description": &description, "namespace": &namespace}); err != nil {
		return nil, err
	}
	if strings.TrimSpace(name) == "" {
		return nil, fault.Invalidf("experiment.display_name is empty: give the experiment a name")
	}
	e, err := d.Service.CreateExperiment(r.Context(), name, description)
	if err != nil {
		return nil, err
	}
	return toExperiment(e), nil
}

func (d *door) getExperiment(r *http.Request) (any, error) {
	e, err := d.Service.GetExperiment(r.Context(), r.PathValue("experiment"))
	if err != nil {
		return nil, err
	}
	return toExperiment(e), nil
}

func (d *door) listExperiments(r *http.Request) (any, error) {
	p, err := readPage(r, experimentColumns)
	if err != nil {
		return nil, err
	}
	found, err := d.Service.ListExperiments(r.Context(), p.Query)
	if err != nil {
		return nil, err
	}
	list := experimentList{TotalSize: found.Total, NextPageToken: p.next(found.NextPageToken)}
	for _, e := range found.Items {
		list.Experiments = append(list.Experiments, toExperiment(e))
	}
	return list, nil
}

func (d *door) archiveExperiment(archived bool) call {
	return func(r *http.Request) (any, error) {
		return empty{}, d.Service.ArchiveExperiment(r.Context(), r.PathValue("experiment"), archived)
	}
}

func (d *door) deleteExperiment(r *http.Request) (any, error) {
	return empty{}, d.Service.DeleteExperiment(r.Context(), r.PathValue("experiment"))
}

func toExperiment(e catalog.Experiment) experiment {
	return experiment{
		ExperimentID:     e.ID,
		DisplayName:      e.DisplayName,
		Description:      e.Description,
		CreatedAt:        stamp(e.CreatedAt),
		StorageState:     storageState(e.Archived),
		LastRunCreatedAt: stampOf(e.LastRunAt),
	}
}
