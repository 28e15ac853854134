package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/catalog"
)

type listExperimentsInput struct {
	PageRequest
	Q        string `query:"q" maxLength:"500" doc:"part of the name"`
	Archived string `query:"archived" enum:"true,false,any" default:"false"`
}

type experimentList struct {
	Experiments []catalog.Experiment `json:"experiments" nullable:"false"`
	PageInfo
}

type listExperimentsOutput struct{ Body experimentList }

type listPipelinesInput struct {
	PageRequest
	Q string `query:"q" maxLength:"500" doc:"part of the display name"`
}

type pipelineList struct {
	Pipelines []catalog.Pipeline `json:"pipelines" nullable:"false"`
	PageInfo
}

type listPipelinesOutput struct{ Body pipelineList }

type environmentList struct {
	Environments []Environment `json:"environments" nullable:"false"`
}

type listEnvironmentsOutput struct{ Body environmentList }

type infoOutput struct{ Body Info }

func (h *handler) registerCatalog(api huma.API) {
	huma.Register(api, huma.Operation{OperationID: "list-experiments", Method: http.MethodGet, Path: Prefix + "/experiments",
		Summary: "List experiments, newest first", Tags: []string{"catalog"}}, h.listExperiments)
	huma.Register(api, huma.Operation{OperationID: "list-pipelines", Method: http.MethodGet, Path: Prefix + "/pipelines",
		Summary: "List uploaded pipelines, newest first", Tags: []string{"catalog"}}, h.listPipelines)
	huma.Register(api, huma.Operation{OperationID: "list-environments", Method: http.MethodGet, Path: Prefix + "/environments",
		Summary: "List the managed Python environments", Tags: []string{"server"}}, h.listEnvironments)
	huma.Register(api, huma.Operation{OperationID: "get-info", Method: http.MethodGet, Path: Prefix + "/info",
		Summary: "Describe the server", Tags: []string{"server"}}, h.getInfo)
}

func (h *handler) listExperiments(ctx context.Context, in *listExperimentsInput) (*listExperimentsOutput, error) {
	page, err := h.Service.ListExperiments(ctx, in.query(archivedIs(contains(nil, "display_name", in.Q), in.Archived)))
	if err != nil {
		return nil, h.problem(ctx, "list experiments", err)
	}
	return &listExperimentsOutput{Body: experimentList{Experiments: orEmpty(page.Items),
		PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) listPipelines(ctx context.Context, in *listPipelinesInput) (*listPipelinesOutput, error) {
	page, err := h.Service.ListPipelines(ctx, in.query(contains(nil, "display_name", in.Q)))
	if err != nil {
		return nil, h.problem(ctx, "list pipelines", err)
	}
	return &listPipelinesOutput{Body: pipelineList{Pipelines: orEmpty(page.Items),
		PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) listEnvironments(ctx context.Context, _ *struct{}) (*listEnvironmentsOutput, error) {
	out := &listEnvironmentsOutput{Body: environmentList{Environments: []Environment{}}}
	if h.Environments == nil {
		return out, nil
	}
	list, err := h.Environments.List(ctx)
	if err != nil {
		return nil, h.problem(ctx, "list Python environments", err)
	}
	for _, e := range list {
		e.Requirements = orEmpty(e.Requirements)
		out.Body.Environments = append(out.Body.Environments, e)
	}
	return out, nil
}

func (h *handler) getInfo(context.Context, *struct{}) (*infoOutput, error) {
	if h.Info == nil {
		return &infoOutput{}, nil
	}
	return &infoOutput{Body: h.Info()}, nil
}
