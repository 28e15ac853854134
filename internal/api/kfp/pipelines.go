package kfp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
)

var pipelineColumns = columns{
	"pipeline_id": {key: "id"}, "id": {key: "id"},
	"name":         {key: "name"},
	"display_name": {key: "display_name"},
	"description":  {key: "description"},
	"created_at":   {key: "created_at", kind: instant},
}

var versionColumns = columns{
	"pipeline_version_id": {key: "id"}, "id": {key: "id"},
	"name":         {key: "name"},
	"display_name": {key: "display_name"},
	"description":  {key: "description"},
	"created_at":   {key: "created_at", kind: instant},
}

func (d *door) getPipeline(r *http.Request) (any, error) {
	p, err := d.Service.GetPipeline(r.Context(), r.PathValue("pipeline"))
	if err != nil {
		return nil, err
	}
	return toPipeline(p), nil
}

// pipelineByNameOrVersions serves GET pipelines/names/{name} and GET pipelines/{pipeline}/versions.
func (d *door) pipelineByNameOrVersions(r *http.Request) (any, error) {
	pipelineID, sub := r.PathValue("pipeline"), r.PathValue("sub")
	switch {
	case pipelineID == "names":
		p, err := d.Service.PipelineByName(r.Context(), sub)
		if err != nil {
			return nil, err
		}
		return toPipeline(p), nil
	case sub == "versions":
		return d.listVersions(r, pipelineID)
	}
	return nil, unknownPath(r)
}

func (d *door) listPipelines(r *http.Request) (any, error) {
	p, err := readPage(r, pipelineColumns)
	if err != nil {
		return nil, err
	}
	found, err := d.Service.ListPipelines(r.Context(), p.Query)
	if err != nil {
		return nil, err
	}
	list := pipelineList{TotalSize: found.Total, NextPageToken: p.next(found.NextPageToken)}
	for _, item := range found.Items {
		list.Pipelines = append(list.Pipelines, toPipeline(item))
	}
	return list, nil
}

func (d *door) deletePipeline(r *http.Request) (any, error) {
	cascade := false
	if given := r.URL.Query().Get("cascade"); given != "" {
		var err error
		if cascade, err = strconv.ParseBool(given); err != nil {
			return nil, fault.Invalidf("cascade: want true or false, got %q", shorten(given))
		}
	}
	return empty{}, d.Service.DeletePipeline(r.Context(), r.PathValue("pipeline"), cascade)
}

func (d *door) getVersion(r *http.Request) (any, error) {
	v, err := d.Service.GetVersion(r.Context(), r.PathValue("pipeline"), r.PathValue("version"))
	if err != nil {
		return nil, err
	}
	return d.toVersion(r.Context(), v, specs{})
}

func (d *door) listVersions(r *http.Request, pipelineID string) (any, error) {
	p, err := readPage(r, versionColumns)
	if err != nil {
		return nil, err
	}
	found, err := d.Service.ListVersions(r.Context(), pipelineID, p.Query)
	if err != nil {
		return nil, err
	}
	list := versionList{TotalSize: found.Total, NextPageToken: p.next(found.NextPageToken)}
	seen := specs{}
	for _, item := range found.Items {
		v, err := d.toVersion(r.Context(), item, seen)
		if err != nil {
			return nil, err
		}
		list.PipelineVersions = append(list.PipelineVersions, v)
	}
	return list, nil
}

func (d *door) deleteVersion(r *http.Request) (any, error) {
	return empty{}, d.Service.DeleteVersion(r.Context(), r.PathValue("pipeline"), r.PathValue("version"))
}

func toPipeline(p catalog.Pipeline) uploadedPipeline {
	return uploadedPipeline{
		PipelineID:  p.ID,
		DisplayName: p.DisplayName,
		Name:        p.Name,
		Description: p.Description,
		CreatedAt:   stamp(p.CreatedAt),
		Tags:        p.Tags,
	}
}

func (d *door) toVersion(ctx context.Context, v catalog.Version, seen specs) (pipelineVersion, error) {
	spec, err := d.spec(ctx, v.SpecDigest, seen)
	if err != nil {
		return pipelineVersion{}, err
	}
	return pipelineVersion{
		PipelineID:        v.PipelineID,
		PipelineVersionID: v.ID,
		DisplayName:       v.DisplayName,
		Name:              v.Name,
		Description:       v.Description,
		CreatedAt:         stamp(v.CreatedAt),
		PipelineSpec:      spec,
		CodeSourceURL:     v.CodeSourceURL,
		Tags:              v.Tags,
	}, nil
}

// specs keeps the specifications of one answer, because the rows of a list share few of them.
type specs map[string]json.RawMessage

// spec returns a specification as clients expect it: the bare IR, or with its platform settings an object of both.
func (d *door) spec(ctx context.Context, digest string, seen specs) (json.RawMessage, error) {
	if raw, ok := seen[digest]; ok {
		return raw, nil
	}
	p, err := d.Service.Spec(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("read specification %s: %w", digest, err)
	}
	var both struct {
		PipelineSpec json.RawMessage `json:"pipeline_spec"`
		PlatformSpec json.RawMessage `json:"platform_spec"`
	}
	if err := json.Unmarshal(p.Canonical, &both); err != nil {
		return nil, fmt.Errorf("read specification %s: %w", digest, err)
	}
	raw := json.RawMessage(p.Canonical)
	if len(both.PlatformSpec) == 0 {
		raw = both.PipelineSpec
	}
	seen[digest] = raw
	return raw, nil
}
