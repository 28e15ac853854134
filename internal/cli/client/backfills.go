package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"levada/internal/core/catalog"
	"levada/internal/core/ir"
	"levada/internal/core/partition"
)

// Backfill asks for a run for each of a range of partitions.
type Backfill struct {
	PipelineID  string                `json:"pipeline_id"`
	VersionID   string                `json:"version_id,omitempty"`
	DisplayName string                `json:"display_name,omitempty"`
	Experiment  string                `json:"experiment,omitempty"`
	Parameters  map[string]any        `json:"parameters,omitempty"`
	Cache       bool                  `json:"cache"`
	Parameter   string                `json:"parameter,omitempty"`
	Partitions  *partition.Definition `json:"partitions,omitempty"`
	From        string                `json:"from,omitempty"`
	To          string                `json:"to,omitempty"`
	Only        []partition.State     `json:"only,omitempty"`
	Order       catalog.BackfillOrder `json:"order,omitempty"`
	Parallel    int                   `json:"parallel,omitempty"`
}

// BackfillPlan says what a backfill would do.
type BackfillPlan struct {
	Backfill   catalog.Backfill        `json:"backfill"`
	Partitions []partition.Status      `json:"partitions"`
	Left       map[partition.State]int `json:"left"`
}

// BackfillList is a page of backfills.
type BackfillList struct {
	Backfills []catalog.Backfill `json:"backfills"`
	Total     int                `json:"total"`
}

// PartitionList is how a pipeline is partitioned, with some of its partitions.
type PartitionList struct {
	Definition *partition.Definition   `json:"definition,omitempty"`
	Counts     map[partition.State]int `json:"counts"`
	Total      int                     `json:"total"`
	Partitions []partition.Status      `json:"partitions"`
}

// Pipelines lists uploaded pipelines, newest first, by a part of their name.
func (c *Client) Pipelines(ctx context.Context, text string) ([]catalog.Pipeline, error) {
	var out struct {
		Pipelines []catalog.Pipeline `json:"pipelines"`
	}
	return out.Pipelines, c.call(ctx, http.MethodGet, "/pipelines", url.Values{"page_size": {"200"}, "q": {text}}, nil, &out)
}

// PipelineInputs returns the parameters of a version of a pipeline, of the newest one when version is empty.
func (c *Client) PipelineInputs(ctx context.Context, id, version string) (map[string]*ir.InputParameter, error) {
	v := url.Values{}
	if version != "" {
		v.Set("version", version)
	}
	var out struct {
		Version struct {
			Outline struct {
				Root struct {
					Inputs []struct {
						Name string           `json:"name"`
						Type ir.ParameterType `json:"type"`
					} `json:"inputs"`
				} `json:"root"`
			} `json:"outline"`
		} `json:"version"`
	}
	err := c.call(ctx, http.MethodGet, "/pipelines/"+url.PathEscape(id), v, nil, &out)
	inputs := map[string]*ir.InputParameter{}
	for _, in := range out.Version.Outline.Root.Inputs {
		inputs[in.Name] = &ir.InputParameter{ParameterType: in.Type}
	}
	return inputs, err
}

// PlanBackfill says what a backfill would do.
func (c *Client) PlanBackfill(ctx context.Context, b Backfill) (BackfillPlan, error) {
	var out BackfillPlan
	return out, c.call(ctx, http.MethodPost, "/backfills/plan", nil, b, &out)
}

// CreateBackfill makes a backfill.
func (c *Client) CreateBackfill(ctx context.Context, b Backfill) (catalog.Backfill, error) {
	var out catalog.Backfill
	return out, c.call(ctx, http.MethodPost, "/backfills", nil, b, &out)
}

// Backfill gets a backfill with its progress.
func (c *Client) Backfill(ctx context.Context, id string) (catalog.Backfill, error) {
	var out catalog.Backfill
	return out, c.call(ctx, http.MethodGet, "/backfills/"+url.PathEscape(id), nil, nil, &out)
}

// Backfills lists backfills, newest first, by the beginning of their id.
func (c *Client) Backfills(ctx context.Context, idPrefix string, limit int) (BackfillList, error) {
	v := url.Values{"page_size": {strconv.Itoa(limit)}}
	if idPrefix != "" {
		v.Set("id_prefix", idPrefix)
	}
	var out BackfillList
	return out, c.call(ctx, http.MethodGet, "/backfills", v, nil, &out)
}

// ChangeBackfill pauses, resumes or cancels a backfill, as the word says.
func (c *Client) ChangeBackfill(ctx context.Context, id, word string) (catalog.Backfill, error) {
	var out catalog.Backfill
	return out, c.call(ctx, http.MethodPost, "/backfills/"+url.PathEscape(id)+"/"+word, nil, nil, &out)
}

// RetryBackfill tries those partitions again that did not succeed, and returns how many there are.
func (c *Client) RetryBackfill(ctx context.Context, id string) (catalog.Backfill, int, error) {
	var out struct {
		Backfill catalog.Backfill `json:"backfill"`
		Retried  int              `json:"retried"`
	}
	err := c.call(ctx, http.MethodPost, "/backfills/"+url.PathEscape(id)+"/retry", nil, nil, &out)
	return out.Backfill, out.Retried, err
}

// BackfillPartitions lists the partitions of a backfill after a position.
func (c *Client) BackfillPartitions(ctx context.Context, id string, after, limit int) ([]catalog.BackfillPartition, error) {
	var out struct {
		Partitions []catalog.BackfillPartition `json:"partitions"`
	}
	return out.Partitions, c.call(ctx, http.MethodGet, "/backfills/"+url.PathEscape(id)+"/partitions",
		url.Values{"after": {strconv.Itoa(after)}, "limit": {strconv.Itoa(limit)}}, nil, &out)
}

// Partitions lists the partitions of a pipeline, those in a state or all.
func (c *Client) Partitions(ctx context.Context, pipelineID string, state partition.State, offset, limit int) (PartitionList, error) {
	v := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(limit)}}
	if state != "" {
		v.Set("state", string(state))
	}
	var out PartitionList
	return out, c.call(ctx, http.MethodGet, "/pipelines/"+url.PathEscape(pipelineID)+"/partitions", v, nil, &out)
}

// SetPartitions says how a pipeline is partitioned.
func (c *Client) SetPartitions(ctx context.Context, pipelineID string, d partition.Definition) (PartitionList, error) {
	var out PartitionList
	return out, c.call(ctx, http.MethodPut, "/pipelines/"+url.PathEscape(pipelineID)+"/partitions", nil, d, &out)
}
