package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/infergraph"
	"levada/internal/serving"
)

// Graphs is the part of the serving service that this door opens for inference graphs.
type Graphs interface {
	PutGraph(ctx context.Context, name string, spec infergraph.Spec) (serving.GraphStatus, error)
	Graph(ctx context.Context, name string) (serving.GraphStatus, error)
	Graphs(ctx context.Context) ([]serving.GraphStatus, error)
	DeleteGraph(ctx context.Context, name string) error
}

// GraphName says which inference graph.
type GraphName struct {
	Name string `path:"name" doc:"name of the graph, which is also that of its endpoint"`
}

type putGraphInput struct {
	GraphName
	Body infergraph.Spec
}

type graphOutput struct{ Body serving.GraphStatus }

type listGraphsOutput struct {
	Body struct {
		Graphs []serving.GraphStatus `json:"graphs" nullable:"false"`
	}
}

func (h *handler) registerGraphs(api huma.API) {
	tags := []string{"endpoints"}
	const one = Prefix + "/graphs/{name}"
	huma.Register(api, huma.Operation{OperationID: "list-graphs", Method: http.MethodGet, Path: Prefix + "/graphs",
		Summary: "List inference graphs by name", Tags: tags}, h.listGraphs)
	huma.Register(api, huma.Operation{OperationID: "get-graph", Method: http.MethodGet, Path: one,
		Summary: "Get an inference graph with how its steps are", Tags: tags, Errors: []int{404}}, h.getGraph)
	huma.Register(api, huma.Operation{OperationID: "put-graph", Method: http.MethodPut, Path: one,
		Summary: "Make an inference graph, or give it another specification", Tags: tags, Errors: []int{400, 409},
		Description: "The graph answers under its name like an endpoint. It is checked whole before anything is stored. Requests follow it when all " +
			"endpoints that it cannot do without answer; until then what was followed before goes on. Its history is that of an endpoint of the same name."}, h.putGraph)
	huma.Register(api, huma.Operation{OperationID: "delete-graph", Method: http.MethodDelete, Path: one,
		Summary: "Delete an inference graph; its history stays", Tags: tags, Errors: []int{404, 409}}, h.deleteGraph)
}

func (h *handler) listGraphs(ctx context.Context, _ *struct{}) (*listGraphsOutput, error) {
	list, err := h.Graphs.Graphs(ctx)
	if err != nil {
		return nil, h.problem(ctx, "list graphs", err)
	}
	out := &listGraphsOutput{}
	out.Body.Graphs = orEmpty(list)
	return out, nil
}

func (h *handler) graph(ctx context.Context, doing string, s serving.GraphStatus, err error) (*graphOutput, error) {
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &graphOutput{Body: s}, nil
}

func (h *handler) getGraph(ctx context.Context, in *GraphName) (*graphOutput, error) {
	s, err := h.Graphs.Graph(ctx, in.Name)
	return h.graph(ctx, "get graph", s, err)
}

func (h *handler) putGraph(ctx context.Context, in *putGraphInput) (*graphOutput, error) {
	s, err := h.Graphs.PutGraph(ctx, in.Name, in.Body)
	return h.graph(ctx, "put graph", s, err)
}

func (h *handler) deleteGraph(ctx context.Context, in *GraphName) (*struct{}, error) {
	if err := h.Graphs.DeleteGraph(ctx, in.Name); err != nil {
		return nil, h.problem(ctx, "delete graph", err)
	}
	return nil, nil
}
