package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/cachekey"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// Cache shows which results may be reused, explains why they were or not, and forgets them.
type Cache interface {
	ListCache(ctx context.Context, q listing.Query) (listing.Page[run.CacheEntry], error)
	PruneCache(ctx context.Context, selected run.CacheSelection, all, dryRun bool) (run.CachePruned, error)
	ExplainCache(ctx context.Context, runID, task string) ([]run.CacheExplanation, error)
	CollectGarbage(ctx context.Context, minAge time.Duration, dryRun bool) (run.Swept, error)
}

type listCacheInput struct {
	PageRequest
	Component     string    `query:"component" doc:"name of the component, with or without the SDK's \"comp-\""`
	Pipeline      string    `query:"pipeline" doc:"name of the pipeline that made the result"`
	RunID         string    `query:"run_id"`
	Key           string    `query:"key" doc:"a key, or the beginning of one"`
	CreatedBefore time.Time `query:"created_before"`
	MinSize       int64     `query:"min_size" minimum:"0" doc:"bytes"`
	Largest       bool      `query:"largest" doc:"largest first instead of newest first"`
}

type cacheList struct {
	Entries []run.CacheEntry `json:"entries" nullable:"false"`
	PageInfo
}

type listCacheOutput struct{ Body cacheList }

// PruneRequest says which entries of the cache to forget.
type PruneRequest struct {
	Component     string    `json:"component,omitempty"`
	Pipeline      string    `json:"pipeline,omitempty"`
	RunID         string    `json:"run_id,omitempty"`
	Key           string    `json:"key,omitempty" doc:"a key, or the unique beginning of one"`
	CreatedBefore time.Time `json:"created_before,omitzero"`
	All           bool      `json:"all,omitempty" doc:"must be true when nothing else narrows the selection"`
	DryRun        bool      `json:"dry_run,omitempty"`
}

type pruneInput struct{ Body PruneRequest }

type pruneOutput struct{ Body run.CachePruned }

// CollectRequest asks for the removal of content that nothing needs.
type CollectRequest struct {
	MinAge string `json:"min_age,omitempty" doc:"how old content must be to be removed, such as 1h (the default) or 0s"`
	DryRun bool   `json:"dry_run,omitempty"`
}

type collectInput struct{ Body CollectRequest }

type collectOutput struct{ Body run.Swept }

type explanationList struct {
	Explanations []run.CacheExplanation `json:"explanations" nullable:"false"`
}

type explanationsOutput struct{ Body explanationList }

type explanationOutput struct{ Body run.CacheExplanation }

func (h *handler) registerCache(api huma.API) {
	tags := []string{"cache"}
	huma.Register(api, huma.Operation{OperationID: "list-cache", Method: http.MethodGet, Path: Prefix + "/cache",
		Summary: "List the results that may be reused, newest first", Tags: tags}, h.listCache)
	huma.Register(api, huma.Operation{OperationID: "prune-cache", Method: http.MethodPost, Path: Prefix + "/cache/prune",
		Summary: "Forget results, so that their steps run again", Tags: tags, Errors: []int{400, 404},
		Description: "Runs and their artifacts stay."}, h.pruneCache)
	huma.Register(api, huma.Operation{OperationID: "collect-garbage", Method: http.MethodPost, Path: Prefix + "/gc",
		Summary: "Remove stored content that no artifact refers to", Tags: tags, Errors: []int{400}}, h.collectGarbage)
	huma.Register(api, huma.Operation{OperationID: "explain-run-cache", Method: http.MethodGet, Path: Prefix + "/runs/{id}/cache",
		Summary: "Say for each step of a run why its result was reused, or why not", Tags: tags, Errors: []int{404}}, h.explainRun)
	huma.Register(api, huma.Operation{OperationID: "explain-task-cache", Method: http.MethodGet, Path: Prefix + "/runs/{id}/tasks/{task}/cache",
		Summary: "Say why a task's result was reused, or what differed from the nearest one", Tags: tags, Errors: []int{400, 404}}, h.explainTask)
}

func (h *handler) listCache(ctx context.Context, in *listCacheInput) (*listCacheOutput, error) {
	where := equals(nil, "pipeline_name", in.Pipeline)
	where = equals(where, "run_id", in.RunID)
	where = startsWith(where, "key", in.Key)
	if in.Component != "" {
		where = append(where, pipeline.ComponentIs(in.Component))
	}
	if !in.CreatedBefore.IsZero() {
		where = append(where, listing.Predicate{Key: "created_at", Op: listing.LessThan, Values: []any{in.CreatedBefore}})
	}
	if in.MinSize > 0 {
		where = append(where, listing.Predicate{Key: "size", Op: listing.GreaterThanEquals, Values: []any{in.MinSize}})
	}
	q := in.query(where)
	if in.Largest {
		q.SortBy, q.Descending = "size", true
	}
	page, err := h.Service.ListCache(ctx, q)
	if err != nil {
		return nil, h.problem(ctx, "list the cache", err)
	}
	return &listCacheOutput{Body: cacheList{Entries: orEmpty(page.Items), PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) pruneCache(ctx context.Context, in *pruneInput) (*pruneOutput, error) {
	b := in.Body
	pruned, err := h.Service.PruneCache(ctx, run.CacheSelection{Component: b.Component, Pipeline: b.Pipeline, RunID: b.RunID, Key: b.Key,
		CreatedBefore: b.CreatedBefore}, b.All, b.DryRun)
	if err != nil {
		return nil, h.problem(ctx, "prune the cache", err)
	}
	return &pruneOutput{Body: pruned}, nil
}

func (h *handler) collectGarbage(ctx context.Context, in *collectInput) (*collectOutput, error) {
	age := pipeline.CollectAge
	if in.Body.MinAge != "" {
		var err error
		if age, err = cachekey.ParseAge(in.Body.MinAge); err != nil {
			return nil, h.problem(ctx, "collect unused content", fault.Invalidf("min_age: %w", err))
		}
	}
	swept, err := h.Service.CollectGarbage(ctx, age, in.Body.DryRun)
	if err != nil {
		return nil, h.problem(ctx, "collect unused content", err)
	}
	return &collectOutput{Body: swept}, nil
}

func (h *handler) explainRun(ctx context.Context, in *runInput) (*explanationsOutput, error) {
	list, err := h.Service.ExplainCache(ctx, in.ID, "")
	if err != nil {
		return nil, h.problem(ctx, "explain the cache", err)
	}
	return &explanationsOutput{Body: explanationList{Explanations: orEmpty(list)}}, nil
}

func (h *handler) explainTask(ctx context.Context, in *TaskRef) (*explanationOutput, error) {
	list, err := h.Service.ExplainCache(ctx, in.ID, in.Task)
	if err != nil {
		return nil, h.problem(ctx, "explain the cache", err)
	}
	return &explanationOutput{Body: list[0]}, nil
}
