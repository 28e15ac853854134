package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/lineage"
)

// Lineage finds what things were made of and what was made of them.
type Lineage interface {
	Graph(ctx context.Context, q lineage.Query) (lineage.Graph, error)
}

// LineageNode is a thing that was made or read.
type LineageNode struct {
	ID           string     `json:"id" doc:"names the node in edges and in the parameter node"`
	Kind         string     `json:"kind" enum:"artifact,task,run,dataset,logged-model,model-version,endpoint"`
	Name         string     `json:"name"`
	Type         string     `json:"type,omitempty" doc:"type of an artifact, kind of a dataset's source, stage of a version"`
	State        string     `json:"state,omitempty" doc:"of a task, a run or a logged model"`
	Digest       string     `json:"digest,omitempty"`
	Size         int64      `json:"size,omitempty"`
	URI          string     `json:"uri,omitempty" doc:"address of an artifact, source of a dataset"`
	ArtifactID   string     `json:"artifact_id,omitempty" doc:"an artifact with this content"`
	TaskID       string     `json:"task_id,omitempty"`
	RunID        string     `json:"run_id,omitempty" doc:"the pipeline's run of a task or an artifact; for a run itself its id"`
	RunName      string     `json:"run_name,omitempty"`
	ExperimentID string     `json:"experiment_id,omitempty"`
	Model        string     `json:"model,omitempty" doc:"registered model of a version or an endpoint"`
	Version      string     `json:"version,omitempty"`
	Aliases      []string   `json:"aliases,omitempty"`
	Context      string     `json:"context,omitempty" doc:"what a dataset was for: training"`
	Reused       int        `json:"reused,omitempty" doc:"tasks that took over the result of this one"`
	Imported     bool       `json:"imported,omitempty" doc:"an importer named it; Levada did not make it"`
	Deleted      bool       `json:"deleted,omitempty" doc:"it was deleted and is only remembered"`
	At           *time.Time `json:"at,omitempty" doc:"when it was made or began"`
	Level        int        `json:"level" doc:"steps from the root, below zero for what the root was made of"`
	MoreUp       bool       `json:"more_up,omitempty" doc:"it was made of more than the answer shows"`
	MoreDown     bool       `json:"more_down,omitempty" doc:"more was made of it than the answer shows"`
}

// LineageEdge says that something went into something else.
type LineageEdge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Label string `json:"label,omitempty" doc:"name of the input or output, or what a dataset was for"`
}

type lineageGraph struct {
	Root      string        `json:"root" doc:"id of the node that was asked for"`
	Nodes     []LineageNode `json:"nodes" nullable:"false" doc:"at most 300"`
	Edges     []LineageEdge `json:"edges" nullable:"false"`
	Truncated bool          `json:"truncated,omitempty" doc:"the graph stops at its bound; ask for a node at its edge to see more"`
}

type lineageInput struct {
	Node      string `query:"node" required:"true" maxLength:"2000" doc:"artifact:ID, task:ID, tracked-run:ID, logged-model:ID, model:NAME/VERSION, endpoint:NAME, dataset:NAME@DIGEST, or the id of a node"`
	Direction string `query:"direction" enum:"up,down,both" default:"both" doc:"up: what it was made of; down: what was made of it"`
	Depth     int    `query:"depth" minimum:"1" maximum:"20" default:"8" doc:"levels to each side"`

	Neighbours int `query:"neighbours" minimum:"1" maximum:"100" default:"25" doc:"most neighbours of the node itself to each side; of others it is 25"`
	Skip       int `query:"skip" minimum:"0" maximum:"10000" default:"0" doc:"neighbours of the node itself that are left out: those that are known"`
}

type lineageOutput struct{ Body lineageGraph }

func (h *handler) registerLineage(api huma.API) {
	huma.Register(api, huma.Operation{OperationID: "get-lineage", Method: http.MethodGet, Path: Prefix + "/lineage",
		Summary: "Find what something was made of, and what was made of it", Tags: []string{"lineage"}, Errors: []int{400, 404}}, h.findLineage)
}

func (h *handler) findLineage(ctx context.Context, in *lineageInput) (*lineageOutput, error) {
	g, err := h.Lineage.Graph(ctx, lineage.Query{Node: in.Node, Direction: lineage.Direction(in.Direction), Depth: in.Depth,
		Neighbours: in.Neighbours, Skip: in.Skip})
	if err != nil {
		return nil, h.problem(ctx, "find lineage", err)
	}
	out := lineageGraph{Root: g.Root, Nodes: make([]LineageNode, len(g.Nodes)), Edges: make([]LineageEdge, len(g.Edges)), Truncated: g.Truncated}
	for i, n := range g.Nodes {
		out.Nodes[i] = LineageNode{ID: n.ID, Kind: string(n.Kind), Name: n.Name, Type: n.Type, State: n.State, Digest: n.Digest, Size: n.Size, URI: n.URI,
			ArtifactID: n.ArtifactID, TaskID: n.TaskID, RunID: n.RunID, RunName: n.RunName, ExperimentID: n.ExperimentID, Model: n.Model, Version: n.Version,
			Aliases: n.Aliases, Context: n.Context, Reused: n.Reused, Imported: n.Imported, Deleted: n.Deleted, Level: n.Level, MoreUp: n.MoreUp, MoreDown: n.MoreDown}
		if !n.At.IsZero() {
			out.Nodes[i].At = &n.At
		}
	}
	for i, e := range g.Edges {
		out.Edges[i] = LineageEdge(e)
	}
	return &lineageOutput{Body: out}, nil
}
