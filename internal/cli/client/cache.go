package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"levada/internal/core/run"
)

// CacheQuery narrows a list of cache entries. Empty fields do not.
type CacheQuery struct {
	Component, Pipeline, RunID, Key string
	CreatedBefore                   time.Time
	MinSize                         int64 // bytes
	Largest                         bool  // largest first instead of newest first
}

// CacheList is a list of cache entries. Total counts those that a limit cut off, too.
type CacheList struct {
	Entries []run.CacheEntry `json:"entries"`
	Total   int              `json:"total"`
}

// Cache lists results that may be reused, up to a limit.
func (c *Client) Cache(ctx context.Context, q CacheQuery, limit int) (CacheList, error) {
	v := url.Values{"page_size": {strconv.Itoa(min(limit, 200))}}
	for key, value := range map[string]string{"component": q.Component, "pipeline": q.Pipeline, "run_id": q.RunID, "key": q.Key} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if !q.CreatedBefore.IsZero() {
		v.Set("created_before", q.CreatedBefore.UTC().Format(time.RFC3339Nano))
	}
	if q.MinSize > 0 {
		v.Set("min_size", strconv.FormatInt(q.MinSize, 10))
	}
	if q.Largest {
		v.Set("largest", "true")
	}
	all := CacheList{Entries: []run.CacheEntry{}}
	for {
		var page struct {
			CacheList
			NextPageToken string `json:"next_page_token"`
		}
		if err := c.call(ctx, http.MethodGet, "/cache", v, nil, &page); err != nil {
			return all, err
		}
		all.Entries, all.Total = append(all.Entries, page.Entries...), page.Total
		if page.NextPageToken == "" || len(all.Entries) >= limit {
			all.Entries = all.Entries[:min(limit, len(all.Entries))]
			return all, nil
		}
		v.Set("page_token", page.NextPageToken)
	}
}

// Prune says which cache entries to forget.
type Prune struct {
	Component     string    `json:"component,omitempty"`
	Pipeline      string    `json:"pipeline,omitempty"`
	RunID         string    `json:"run_id,omitempty"`
	Key           string    `json:"key,omitempty"`
	CreatedBefore time.Time `json:"created_before,omitzero"`
	All           bool      `json:"all,omitempty"`
	DryRun        bool      `json:"dry_run,omitempty"`
}

// PruneCache forgets results, so that their steps run again.
func (c *Client) PruneCache(ctx context.Context, p Prune) (run.CachePruned, error) {
	var out run.CachePruned
	return out, c.call(ctx, http.MethodPost, "/cache/prune", nil, p, &out)
}

// CollectGarbage removes stored content that no artifact refers to and that has a minimal age, such as "1h".
func (c *Client) CollectGarbage(ctx context.Context, minAge string, dryRun bool) (run.Swept, error) {
	var out run.Swept
	return out, c.call(ctx, http.MethodPost, "/gc", nil, map[string]any{"min_age": minAge, "dry_run": dryRun}, &out)
}

// ExplainRun says for each step of a run why its result was reused, or why not.
func (c *Client) ExplainRun(ctx context.Context, runID string) ([]run.CacheExplanation, error) {
	var out struct {
		Explanations []run.CacheExplanation `json:"explanations"`
	}
	return out.Explanations, c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(runID)+"/cache", nil, nil, &out)
}

// ExplainTask says why a task's result was reused, or what differed from the nearest one.
func (c *Client) ExplainTask(ctx context.Context, runID, task string) (run.CacheExplanation, error) {
	var out run.CacheExplanation
	return out, c.call(ctx, http.MethodGet, "/runs/"+url.PathEscape(runID)+"/tasks/"+url.PathEscape(task)+"/cache", nil, nil, &out)
}

// DeleteRun removes a finished run.
func (c *Client) DeleteRun(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/runs/"+url.PathEscape(id), nil, nil, nil)
}
