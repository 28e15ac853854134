package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/run"
)

// ArtifactRef names an artifact in a path.
type ArtifactRef struct {
	ID string `path:"id" doc:"id of the artifact"`
}

type artifactOutput struct{ Body run.Artifact }

type listArtifactsInput struct {
	PageRequest
	ArtifactFilter
	RunID string `query:"run_id"`
	Q     string `query:"q" maxLength:"256" doc:"part of the name"`
}

type listRunArtifactsInput struct {
	ID string `path:"id" doc:"id of the run"`
}

// ArtifactFilter narrows a list of artifacts.
type ArtifactFilter struct {
	TaskID      string `query:"task_id"`
	Name        string `query:"name" doc:"name of the output that made it"`
	SchemaTitle string `query:"schema_title" doc:"type, such as system.Model"`
	Digest      string `query:"digest"`
}

type artifactList struct {
	Artifacts []run.Artifact `json:"artifacts" nullable:"false"`
	PageInfo
}

type listArtifactsOutput struct{ Body artifactList }

type fileList struct {
	Files []run.BlobFile `json:"files" nullable:"false" doc:"one with an empty path when the artifact is a file"`
}

type listFilesOutput struct{ Body fileList }

func (h *handler) registerArtifacts(api huma.API) {
	tags := []string{"artifacts"}
	huma.Register(api, huma.Operation{OperationID: "list-run-artifacts", Method: http.MethodGet, Path: Prefix + "/runs/{id}/artifacts",
		Summary: "List what the tasks of a run made or reused, on one page", Tags: tags, Errors: []int{404}}, h.listRunArtifacts)
	huma.Register(api, huma.Operation{OperationID: "list-artifacts", Method: http.MethodGet, Path: Prefix + "/artifacts",
		Summary: "List artifacts, newest first", Tags: tags}, h.listArtifacts)
	huma.Register(api, huma.Operation{OperationID: "get-artifact", Method: http.MethodGet, Path: Prefix + "/artifacts/{id}",
		Summary: "Get an artifact", Tags: tags, Errors: []int{404}}, h.getArtifact)
	huma.Register(api, huma.Operation{OperationID: "list-artifact-files", Method: http.MethodGet, Path: Prefix + "/artifacts/{id}/files",
		Summary: "List the files of an artifact", Tags: tags, Errors: []int{404}}, h.listFiles)
	huma.Register(api, h.contentOperation(tags), h.artifactContent)
}

func (h *handler) listRunArtifacts(ctx context.Context, in *listRunArtifactsInput) (*listArtifactsOutput, error) {
	list, err := h.Service.RunArtifacts(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "list artifacts", err)
	}
	return &listArtifactsOutput{Body: artifactList{Artifacts: orEmpty(list), PageInfo: PageInfo{Total: len(list)}}}, nil
}

func (h *handler) listArtifacts(ctx context.Context, in *listArtifactsInput) (*listArtifactsOutput, error) {
	where := equals(nil, "run_id", in.RunID)
	where = equals(where, "task_id", in.TaskID)
	where = equals(where, "name", in.Name)
	where = equals(where, "schema_title", in.SchemaTitle)
	where = equals(where, "digest", in.Digest)
	where = contains(where, "name", in.Q)
	page, err := h.Service.ListArtifacts(ctx, in.query(where))
	if err != nil {
		return nil, h.problem(ctx, "list artifacts", err)
	}
	return &listArtifactsOutput{Body: artifactList{Artifacts: orEmpty(page.Items),
		PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) getArtifact(ctx context.Context, in *ArtifactRef) (*artifactOutput, error) {
	a, err := h.Service.GetArtifact(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get an artifact", err)
	}
	return &artifactOutput{Body: a}, nil
}

func (h *handler) listFiles(ctx context.Context, in *ArtifactRef) (*listFilesOutput, error) {
	files, err := h.Service.ArtifactFiles(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "list the files of an artifact", err)
	}
	return &listFilesOutput{Body: fileList{Files: orEmpty(files)}}, nil
}
