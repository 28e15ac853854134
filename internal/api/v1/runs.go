package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// maxSubmitBytes bounds the request that starts a run: the specification is text inside JSON, where escapes can
// double it.
const maxSubmitBytes = 2*ir.MaxBytes + 1<<20

type runInput struct {
	ID string `path:"id" doc:"id of the run"`
}

type runOutput struct{ Body run.Run }

// SubmitRun is the request that starts a run.
type SubmitRun struct {
	Spec         string         `json:"spec,omitempty" doc:"a compiled pipeline as YAML or JSON text; or give pipeline_id or run_id"`
	PipelineID   string         `json:"pipeline_id,omitempty" doc:"id of an uploaded pipeline"`
	VersionID    string         `json:"version_id,omitempty" doc:"version of that pipeline; default: the newest"`
	RunID        string         `json:"run_id,omitempty" doc:"a run whose very specification is used again"`
	Parameters   map[string]any `json:"parameters,omitempty"`
	DisplayName  string         `json:"display_name,omitempty"`
	Description  string         `json:"description,omitempty"`
	Experiment   string         `json:"experiment,omitempty" doc:"name of the experiment, created if it is missing; or give experiment_id"`
	ExperimentID string         `json:"experiment_id,omitempty"`
	Cache        *bool          `json:"cache,omitempty" doc:"reuse earlier results where the pipeline allows it; default true"`
}

type submitInput struct{ Body SubmitRun }

type specOutput struct{ Body json.RawMessage }

func (h *handler) registerRuns(api huma.API) {
	tags := []string{"runs"}
	huma.Register(api, huma.Operation{OperationID: "list-runs", Method: http.MethodGet, Path: Prefix + "/runs",
		Summary: "List runs, newest first", Tags: tags}, h.listRuns)
	huma.Register(api, huma.Operation{OperationID: "submit-run", Method: http.MethodPost, Path: Prefix + "/runs",
		Summary: "Start a run", Tags: tags, DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 404, 413}}, h.submitRun)
	huma.Register(api, huma.Operation{OperationID: "get-run", Method: http.MethodGet, Path: Prefix + "/runs/{id}",
		Summary: "Get a run", Tags: tags, Errors: []int{404}}, h.getRun)
	huma.Register(api, huma.Operation{OperationID: "delete-run", Method: http.MethodDelete, Path: Prefix + "/runs/{id}",
		Summary: "Delete a finished run", Tags: tags, Errors: []int{404, 409}}, h.deleteRun)
	huma.Register(api, huma.Operation{OperationID: "cancel-run", Method: http.MethodPost, Path: Prefix + "/runs/{id}/cancel",
		Summary: "Ask a run to stop", Tags: tags, Errors: []int{404, 409}}, h.cancelRun)
	huma.Register(api, huma.Operation{OperationID: "retry-run", Method: http.MethodPost, Path: Prefix + "/runs/{id}/retry",
		Summary: "Let a run that failed or was cancelled go on", Tags: tags, Errors: []int{404, 409},
		Description: "Tasks that succeeded are kept; the others are done again."}, h.retryRun)
	huma.Register(api, huma.Operation{OperationID: "archive-run", Method: http.MethodPost, Path: Prefix + "/runs/{id}/archive",
		Summary: "Hide a run from the default list", Tags: tags, Errors: []int{404}}, h.archiveRun(true))
	huma.Register(api, huma.Operation{OperationID: "unarchive-run", Method: http.MethodPost, Path: Prefix + "/runs/{id}/unarchive",
		Summary: "Bring an archived run back", Tags: tags, Errors: []int{404}}, h.archiveRun(false))
	huma.Register(api, huma.Operation{OperationID: "get-run-spec", Method: http.MethodGet, Path: Prefix + "/runs/{id}/spec",
		Summary: "Get the specification a run was started from", Tags: tags, Errors: []int{404},
		Description: "An object with pipeline_spec and, where there is one, platform_spec."}, h.runSpec)
	huma.Register(api, h.eventsOperation(tags), h.runEvents)
	h.registerRunGroups(api, tags)
	h.registerRunActions(api, tags)
}

func (h *handler) submitRun(ctx context.Context, in *submitInput) (*runOutput, error) {
	sub, err := h.submission(ctx, in.Body)
	if err != nil {
		return nil, h.problem(ctx, "start a run", err)
	}
	r, err := h.Service.Submit(ctx, sub)
	if err != nil {
		return nil, h.problem(ctx, "start a run", err)
	}
	return &runOutput{Body: wireRun(r)}, nil
}

// submission is what a request asks for. An experiment that it names is made if it is missing.
func (h *handler) submission(ctx context.Context, b SubmitRun) (pipeline.Submission, error) {
	sub := pipeline.Submission{Spec: []byte(b.Spec), PipelineID: b.PipelineID, VersionID: b.VersionID,
		DisplayName: b.DisplayName, Description: b.Description, ExperimentID: b.ExperimentID,
		Parameters: b.Parameters, CacheOff: b.Cache != nil && !*b.Cache}
	if err := b.check(); err != nil {
		return sub, err
	}
	if b.RunID != "" {
		r, err := h.Service.GetRun(ctx, b.RunID)
		if err != nil {
			return sub, err
		}
		sub.SpecDigest, sub.PipelineID, sub.VersionID, sub.PipelineRoot = r.SpecDigest, r.PipelineID, r.VersionID, r.PipelineRoot
	}
	if b.Experiment != "" {
		id, err := h.experimentID(ctx, b.Experiment)
		if err != nil {
			return sub, err
		}
		sub.ExperimentID = id
	}
	return sub, nil
}

// check refuses requests that name a thing twice or not at all.
func (b SubmitRun) check() error {
	sources := 0
	for _, given := range []bool{strings.TrimSpace(b.Spec) != "", b.PipelineID != "", b.RunID != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources == 0:
		return fault.Invalidf("start a run: give the compiled pipeline as spec, the pipeline_id of an uploaded one, or the run_id of a run to repeat")
	case sources > 1:
		return fault.Invalidf("start a run: give one of spec, pipeline_id and run_id, not several")
	case b.VersionID != "" && b.PipelineID == "":
		return fault.Invalidf("start a run: version_id needs the pipeline_id it belongs to")
	case b.Experiment != "" && b.ExperimentID != "":
		return fault.Invalidf("start a run: give experiment (a name) or experiment_id, not both")
	}
	return nil
}

// experimentID finds an experiment by name, or creates it. Another request may create it in between.
func (h *handler) experimentID(ctx context.Context, name string) (string, error) {
	find := listing.Query{Where: equals(nil, "display_name", name), PageSize: 1}
	page, err := h.Service.ListExperiments(ctx, find)
	if err != nil {
		return "", err
	}
	if len(page.Items) > 0 {
		return page.Items[0].ID, nil
	}
	e, err := h.Service.CreateExperiment(ctx, name, "")
	if fault.KindOf(err) != fault.Conflict {
		return e.ID, err
	}
	if page, listErr := h.Service.ListExperiments(ctx, find); listErr == nil && len(page.Items) > 0 {
		return page.Items[0].ID, nil
	}
	return "", err
}

func (h *handler) getRun(ctx context.Context, in *runInput) (*runOutput, error) {
	r, err := h.Service.GetRun(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get a run", err)
	}
	return &runOutput{Body: wireRun(r)}, nil
}

func (h *handler) deleteRun(ctx context.Context, in *runInput) (*struct{}, error) {
	if err := h.Service.DeleteRun(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, "delete a run", err)
	}
	return nil, nil
}

func (h *handler) cancelRun(ctx context.Context, in *runInput) (*runOutput, error) {
	if err := h.Service.CancelRun(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, "cancel a run", err)
	}
	return h.getRun(ctx, in)
}

func (h *handler) retryRun(ctx context.Context, in *runInput) (*runOutput, error) {
	r, err := h.Service.RetryRun(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "retry a run", err)
	}
	return &runOutput{Body: wireRun(r)}, nil
}

func (h *handler) archiveRun(archived bool) func(context.Context, *runInput) (*runOutput, error) {
	return func(ctx context.Context, in *runInput) (*runOutput, error) {
		if err := h.Service.ArchiveRun(ctx, in.ID, archived); err != nil {
			return nil, h.problem(ctx, "archive a run", err)
		}
		return h.getRun(ctx, in)
	}
}

func (h *handler) runSpec(ctx context.Context, in *runInput) (*specOutput, error) {
	p, err := h.Service.RunSpec(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get the specification of a run", err)
	}
	return &specOutput{Body: p.Canonical}, nil
}

// wireRun keeps the promise of the schema that parameters is an object.
func wireRun(r run.Run) run.Run {
	if r.Parameters == nil {
		r.Parameters = map[string]any{}
	}
	return r
}
