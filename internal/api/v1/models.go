package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Models tells where models come from and which bytes they are.
type Models interface {
	ModelVersion(ctx context.Context, name, version string) (ModelVersion, error)
	LoggedModel(ctx context.Context, id string) (LoggedModel, error)
	// MadeIn returns what a run, and the runs and tasks beneath it, have made.
	MadeIn(ctx context.Context, runID string) (MadeModels, error)
}

// ModelVersion is a version of a registered model.
type ModelVersion struct {
	Name      string    `json:"name"`
	Version   int64     `json:"version"`
	Stage     string    `json:"stage"`
	Aliases   []string  `json:"aliases" nullable:"false"`
	Source    string    `json:"source" doc:"the URI that was registered"`
	ModelID   string    `json:"model_id,omitempty" doc:"the logged model that it came of"`
	CreatedAt time.Time `json:"created_at"`
	Producer  *Producer `json:"producer,omitempty" doc:"the run that made the model"`
	// Files are those of the moment of registration.
	Files []ModelFile `json:"files" nullable:"false" doc:"files of the model when it was registered; empty when they are kept elsewhere"`
}

// LoggedModel is a model that a run has logged.
type LoggedModel struct {
	ID           string       `json:"id"`
	Name         string       `json:"name"`
	ExperimentID string       `json:"experiment_id"`
	Status       string       `json:"status" doc:"PENDING, READY, UPLOAD_FAILED or UNSPECIFIED"`
	CreatedAt    time.Time    `json:"created_at"`
	Producer     *Producer    `json:"producer,omitempty" doc:"the run that made the model"`
	Files        []ModelFile  `json:"files" nullable:"false" doc:"files that it has now; empty when they are kept elsewhere"`
	Versions     []VersionRef `json:"versions" nullable:"false" doc:"versions that it has become"`
}

// Producer is the run that made a model.
type Producer struct {
	RunID         string `json:"run_id" doc:"for a step of a pipeline, the id of its task"`
	RunName       string `json:"run_name,omitempty"`
	ExperimentID  string `json:"experiment_id,omitempty"`
	PipelineRunID string `json:"pipeline_run_id,omitempty" doc:"the pipeline's run that the task is of"`
	Task          string `json:"task,omitempty" doc:"path of the task in that run"`
	Deleted       bool   `json:"deleted,omitempty" doc:"the run was deleted"`
}

// ModelFile is a file of a model.
type ModelFile struct {
	Path   string `json:"path" doc:"relative to the model"`
	Size   int64  `json:"size" doc:"in bytes"`
	SHA256 string `json:"sha256" doc:"in hexadecimal digits"`
}

// VersionRef names a version.
type VersionRef struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
}

// MadeModels is what a run has made.
type MadeModels struct {
	LoggedModels []LoggedModel  `json:"logged_models" nullable:"false"`
	Versions     []ModelVersion `json:"versions" nullable:"false"`
}

type modelVersionOutput struct{ Body ModelVersion }

type loggedModelInput struct {
	ID string `path:"id" doc:"id of the logged model"`
}

type loggedModelOutput struct{ Body LoggedModel }

type runModelsInput struct {
	ID string `path:"id" doc:"id of a pipeline's run, of a task, or of a tracked run"`
}

type runModelsOutput struct{ Body MadeModels }

func (h *handler) registerModels(api huma.API) {
	tags := []string{"models"}
	huma.Register(api, huma.Operation{OperationID: "get-model-version", Method: http.MethodGet, Path: Prefix + "/models/{name}/versions/{version}",
		Summary: "Get a model version with its files and the run that made it", Tags: tags, Errors: []int{400, 404}}, h.getModelVersion)
	huma.Register(api, huma.Operation{OperationID: "get-logged-model", Method: http.MethodGet, Path: Prefix + "/logged-models/{id}",
		Summary: "Get a logged model with its files, the run that made it, and the versions it has become", Tags: tags, Errors: []int{404}}, h.getLoggedModel)
	huma.Register(api, huma.Operation{OperationID: "list-run-models", Method: http.MethodGet, Path: Prefix + "/runs/{id}/models",
		Summary: "List the models that a run and what is beneath it have made, on one page", Tags: tags, Errors: []int{404}}, h.listRunModels)
}

func (h *handler) getModelVersion(ctx context.Context, in *VersionNumber) (*modelVersionOutput, error) {
	v, err := h.Models.ModelVersion(ctx, in.Name, in.Version)
	if err != nil {
		return nil, h.problem(ctx, "get model version", err)
	}
	return &modelVersionOutput{Body: v}, nil
}

func (h *handler) getLoggedModel(ctx context.Context, in *loggedModelInput) (*loggedModelOutput, error) {
	m, err := h.Models.LoggedModel(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get logged model", err)
	}
	return &loggedModelOutput{Body: m}, nil
}

func (h *handler) listRunModels(ctx context.Context, in *runModelsInput) (*runModelsOutput, error) {
	made, err := h.Models.MadeIn(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "list models", err)
	}
	return &runModelsOutput{Body: made}, nil
}
