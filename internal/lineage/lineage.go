// Package lineage finds what things were made of and what was made of them: from data over runs and tasks to models and the
// endpoints where they are deployed.
//
// It reads what tasks, tracking and the registry have written and writes nothing itself. It goes through the graph level by level, a few
// queries for each, and stops at its bounds. It knows no SQL and no wire format. Start reading at Service.Graph.
package lineage

import (
	"context"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

// Store answers for many keys at once and leaves out what is not there. each bounds how much there is for one key.
type Store interface {
	Contents
	Trackings
	Registrations
	Deployments
}

// Contents tells of artifacts and the tasks that read and made them.
type Contents interface {
	Artifacts(ctx context.Context, ids []string) ([]run.Artifact, error)
	// ArtifactsWith returns artifacts with a content (run.Artifact.Content), the newest first.
	ArtifactsWith(ctx context.Context, contents []string, each int) ([]run.Artifact, error)
	// Tasks returns for a task that was deleted one that reused its result.
	Tasks(ctx context.Context, ids []string) ([]run.Task, error)
	// Users returns the tasks that read contents. For one that reused an earlier result it is the earlier task.
	Users(ctx context.Context, contents []string, each int) (map[string][]string, error)
	Reuses(ctx context.Context, tasks []string, most int) (map[string]int, error)
	RunNames(ctx context.Context, ids []string) (map[string]string, error)
}

// Trackings tells of tracked runs, which tasks are too, and of logged models. A dataset is named by its name and digest with a NUL
// between.
type Trackings interface {
	Runs(ctx context.Context, ids []string) ([]track.Run, error)
	RunsWithDataset(ctx context.Context, datasets []string, each int) (map[string][]string, error)
	RunsWithModel(ctx context.Context, models []string, each int) (map[string][]string, error)
	RunsBeneath(ctx context.Context, runs []string, each int) (map[string][]string, error)
	Models(ctx context.Context, ids []string) ([]track.LoggedModel, error)
	ModelsOf(ctx context.Context, runs []string, each int) (map[string][]string, error)
}

// Registrations tells of registered models. A version is named "model/number".
type Registrations interface {
	Versions(ctx context.Context, names []string) ([]model.Version, error)
	Registered(ctx context.Context, names []string) ([]model.Registered, error)
	VersionsOfModels(ctx context.Context, models []string, each int) (map[string][]string, error)
	VersionsOfRuns(ctx context.Context, runs []string, each int) (map[string][]string, error)
}

// Deployments tells of what is deployed at present. A version is named "model/number".
type Deployments interface {
	Deployed(ctx context.Context, endpoints []string) ([]endpoint.Deployed, error)
	EndpointsOf(ctx context.Context, versions []string, each int) (map[string][]string, error)
}

// Kind says what a node is.
type Kind string

// The kinds of nodes.
const (
	Artifact Kind = "artifact"
	Task     Kind = "task"
	Run      Kind = "run" // a tracked run that is no task
	Dataset  Kind = "dataset"
	Logged   Kind = "logged-model"
	Version  Kind = "model-version"
	Endpoint Kind = "endpoint"
)

// Node is a thing of the graph.
type Node struct {
	// ID names the node in a query and in edges.
	ID   string
	Kind Kind
	Name string
	// Type is an artifact's type, the kind of a dataset's source, a version's stage.
	Type string
	// State is that of a task, a run or a logged model.
	State string
	// Digest, Size and URI are those of an artifact or of a dataset.
	Digest, URI string
	Size        int64
	// ArtifactID names one artifact with the content, TaskID and RunID the task and its pipeline's run. For a tracked run RunID is its own.
	ArtifactID, TaskID, RunID, RunName string
	ExperimentID                       string
	// Model and Version name a version, Aliases are those that point to it.
	Model, Version string
	Aliases        []string
	// Context says what a dataset was for: training.
	Context string
	// Reused is how many tasks took the result of this one instead of running.
	Reused int
	// Imported says that an artifact was named by an importer, Deleted that the thing is gone and only remembered.
	Imported, Deleted bool
	At                time.Time
	// Level is how far from the root the node is, below zero for what the root was made of.
	Level int
	// MoreUp and MoreDown say that the thing was made of, or became, more than the graph shows.
	MoreUp, MoreDown bool

	loaded, missing bool
	// instances are the tasks that made artifacts with the content, by what they call it.
	instances map[string]string
	task      *run.Task
	tracked   *track.Run
	logged    *track.LoggedModel
	version   *model.Version
	// deployed are the versions of an endpoint.
	deployed []endpoint.Deployed
}

// Edge says that something went into, or came out of, something else.
type Edge struct {
	From, To string
	// Label is the input or output, or what data was for.
	Label string
}

// Graph is a part of the lineage around a node.
type Graph struct {
	Root  string
	Nodes []*Node
	Edges []Edge
	// Truncated says that the graph stops at its bound of nodes.
	Truncated bool
}

// Direction says where to look.
type Direction string

// The directions.
const (
	Up   Direction = "up"   // what it was made of
	Down Direction = "down" // what was made of it
	Both Direction = "both"
)

// Query says which part of the graph to find.
type Query struct {
	// Node is "artifact:ID", "content:DIGEST", "task:ID", "tracked-run:ID", "logged-model:ID", "model:NAME/VERSION", "endpoint:NAME" or
	// "dataset:NAME@DIGEST".
	Node      string
	Direction Direction
	Depth     int
	// Neighbours is how many neighbours of Node itself are shown on a side, after the first Skip of them; 0 stands for as many as of
	// other nodes.
	Neighbours, Skip int
}

// The bounds of a graph.
const (
	MaxDepth      = 20
	MaxNeighbours = 100
	MaxSkip       = 10_000
	maxNodes      = 300
	// each bounds how many neighbours of a node on one side are shown, where more are not asked for.
	each = 25
)

// Service finds lineage.
type Service struct{ store Store }

// New returns a Service.
func New(s Store) *Service { return &Service{store: s} }
