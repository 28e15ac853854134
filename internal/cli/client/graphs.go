package client

import (
	"context"
	"net/http"
	"net/url"

	"levada/internal/core/infergraph"
)

// Graph is an inference graph with how it is.
type Graph struct {
	infergraph.Graph
	State    string           `json:"state"`
	Trouble  string           `json:"trouble,omitempty"`
	Requests map[string]int64 `json:"requests"`
	P50MS    float64          `json:"p50_ms"`
	P99MS    float64          `json:"p99_ms"`
	Steps    []GraphStep      `json:"steps"`
}

// GraphStep is how a step of a graph has done.
type GraphStep struct {
	Node     string           `json:"node"`
	Step     string           `json:"step"`
	Requests map[string]int64 `json:"requests"`
	MeanMS   float64          `json:"mean_ms"`
	Failure  string           `json:"failure,omitempty"`
}

func graphPath(name string) string { return "/graphs/" + url.PathEscape(name) }

// Graphs lists inference graphs by name.
func (c *Client) Graphs(ctx context.Context) ([]Graph, error) {
	var out struct {
		Graphs []Graph `json:"graphs"`
	}
	return out.Graphs, c.call(ctx, http.MethodGet, "/graphs", nil, nil, &out)
}

// Graph returns an inference graph.
func (c *Client) Graph(ctx context.Context, name string) (Graph, error) {
	var out Graph
	return out, c.call(ctx, http.MethodGet, graphPath(name), nil, nil, &out)
}

// PutGraph gives an inference graph a specification.
func (c *Client) PutGraph(ctx context.Context, name string, spec infergraph.Spec) (Graph, error) {
	var out Graph
	return out, c.call(ctx, http.MethodPut, graphPath(name), nil, spec, &out)
}

// DeleteGraph deletes an inference graph.
func (c *Client) DeleteGraph(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, graphPath(name), nil, nil, nil)
}
