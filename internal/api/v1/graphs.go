package v1

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/declare"
	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
	"levada/internal/serving"
)

// Graphs is the part of the serving service that this door opens for inference graphs.
type Graphs interface {
	// ChangeGraph puts a graph, but only to the generation that is given, where one is.
	ChangeGraph(ctx context.Context, name string, spec infergraph.Spec, generation *int64) (serving.GraphStatus, error)
	// CheckGraph checks what ChangeGraph would be given, with endpoints that count as there.
	CheckGraph(ctx context.Context, name string, spec infergraph.Spec, declared []string) error
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
	Generation int64 `query:"generation" minimum:"-1" default:"-1" doc:"only if the graph is at this generation; 0 only if it is not there; -1 in any case"`
	Body       infergraph.Spec
}

type checkGraphInput struct {
	GraphName
	Body struct {
		Text string `json:"text" maxLength:"4194304" doc:"kind, name and graph as YAML, as files declare them"`
	}
}

// GraphText is an inference graph as a file declares it.
type GraphText struct {
	Text       string `json:"text" doc:"kind, name and graph as YAML"`
	Generation int64  `json:"generation" doc:"of the graph that this is; 0 where it is not there"`
}

// GraphCheck says what a text would make of an inference graph.
type GraphCheck struct {
	Before GraphText `json:"before" doc:"what is asked for at present; the text is empty where there is no such graph"`
	// After is what the text says, in the form of Before; Spec the same for PUT.
	After    string            `json:"after,omitempty" doc:"what the text says, written as before is"`
	Spec     *infergraph.Spec  `json:"spec,omitempty" doc:"what the text says, to be put"`
	Problems []declare.Problem `json:"problems" nullable:"false" doc:"why it cannot be made so"`
}

type graphTextOutput struct{ Body GraphText }

type checkGraphOutput struct{ Body GraphCheck }

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
	huma.Register(api, huma.Operation{OperationID: "get-graph-text", Method: http.MethodGet, Path: one + "/text",
		Summary: "Get an inference graph as a file declares it", Tags: tags, Errors: []int{404}}, h.graphText)
	huma.Register(api, huma.Operation{OperationID: "check-graph", Method: http.MethodPost, Path: one + "/check", MaxBodyBytes: maxSubmitBytes,
		Summary: "Say what a text would make of an inference graph, and what is wrong with it", Tags: tags, Errors: []int{400},
		Description: "Nothing is changed. The graph may be there or not."}, h.checkGraph)
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
	var generation *int64
	if in.Generation >= 0 {
		generation = &in.Generation
	}
	s, err := h.Graphs.ChangeGraph(ctx, in.Name, in.Body, generation)
	return h.graph(ctx, "put graph", s, err)
}

// textOf is a graph as a file declares it; an empty text where it is not there.
func (h *handler) textOf(ctx context.Context, name string) (GraphText, error) {
	s, err := h.Graphs.Graph(ctx, name)
	if err != nil {
		return GraphText{}, err
	}
	text, err := declare.GraphText(name, s.Spec)
	return GraphText{Text: text, Generation: s.Generation}, err
}

func (h *handler) graphText(ctx context.Context, in *GraphName) (*graphTextOutput, error) {
	text, err := h.textOf(ctx, in.Name)
	if err != nil {
		return nil, h.problem(ctx, "get the text of a graph", err)
	}
	return &graphTextOutput{Body: text}, nil
}

func (h *handler) checkGraph(ctx context.Context, in *checkGraphInput) (*checkGraphOutput, error) {
	before, err := h.textOf(ctx, in.Name)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, h.problem(ctx, "check graph", err)
	}
	out := &checkGraphOutput{Body: GraphCheck{Before: before, Problems: []declare.Problem{}}}
	draft, line, err := declare.ParseGraph(in.Name, in.Body.Text)
	if err == nil {
		if err = h.Graphs.CheckGraph(ctx, in.Name, draft.Spec, nil); err != nil {
			line = draft.LineOf(err)
		}
	}
	switch {
	case err != nil && slices.Contains([]fault.Kind{fault.Invalid, fault.NotFound, fault.Conflict, fault.TooLarge}, fault.KindOf(err)):
		out.Body.Problems = append(out.Body.Problems, declare.Problem{Line: line, Message: err.Error()})
		return out, nil
	case err != nil:
		return nil, h.problem(ctx, "check graph", err)
	}
	out.Body.Spec = &draft.Spec
	if out.Body.After, err = declare.GraphText(in.Name, draft.Spec); err != nil {
		return nil, h.problem(ctx, "check graph", err)
	}
	return out, nil
}

func (h *handler) deleteGraph(ctx context.Context, in *GraphName) (*struct{}, error) {
	if err := h.Graphs.DeleteGraph(ctx, in.Name); err != nil {
		return nil, h.problem(ctx, "delete graph", err)
	}
	return nil, nil
}
