package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/traffic"
)

// Endpoint is an endpoint with how it is.
type Endpoint struct {
	endpoint.Endpoint
	State    string            `json:"state"`
	Trouble  string            `json:"trouble,omitempty"`
	Versions []EndpointVersion `json:"versions"`
}

// EndpointVersion is how a version of an endpoint is.
type EndpointVersion struct {
	Version     string           `json:"version"`
	State       endpoint.State   `json:"state"`
	Percent     float64          `json:"percent"`
	Error       string           `json:"error,omitempty"`
	Runtime     string           `json:"runtime,omitempty"`
	Note        string           `json:"note,omitempty"`
	Workers     int              `json:"workers"`
	Waiting     int              `json:"waiting"`
	MemoryBytes int64            `json:"memory_bytes"`
	Requests    map[string]int64 `json:"requests"`
	Shadowed    int64            `json:"shadowed,omitempty"`
	Agreed      int64            `json:"agreed,omitempty"`
	P50MS       float64          `json:"p50_ms"`
	P99MS       float64          `json:"p99_ms"`
	BatchRows   float64          `json:"batch_rows"`
	LastRequest *time.Time       `json:"last_request,omitempty"`
}

// DeployModel asks for a version of a model on an endpoint.
type DeployModel struct {
	Model    string             `json:"model"`
	As       string             `json:"as,omitempty"`
	Secret   string             `json:"secret,omitempty"`
	Protocol string             `json:"protocol,omitempty"`
	Percent  *float64           `json:"percent,omitempty"`
	Settings *endpoint.Settings `json:"settings,omitempty"`
}

func endpointPath(name string) string { return "/endpoints/" + url.PathEscape(name) }

// Endpoints lists endpoints by name.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	var out struct {
		Endpoints []Endpoint `json:"endpoints"`
	}
	return out.Endpoints, c.call(ctx, http.MethodGet, "/endpoints", nil, nil, &out)
}

// Endpoint returns an endpoint.
func (c *Client) Endpoint(ctx context.Context, name string) (Endpoint, error) {
	var out Endpoint
	return out, c.call(ctx, http.MethodGet, endpointPath(name), nil, nil, &out)
}

// Deploy deploys a version of a model.
func (c *Client) Deploy(ctx context.Context, name string, d DeployModel) (Endpoint, error) {
	var out Endpoint
	return out, c.call(ctx, http.MethodPost, endpointPath(name)+"/deploy", nil, d, &out)
}

// PutEndpoint gives an endpoint a specification.
func (c *Client) PutEndpoint(ctx context.Context, name string, spec endpoint.Spec) (Endpoint, error) {
	var out Endpoint
	return out, c.call(ctx, http.MethodPut, endpointPath(name), nil, spec, &out)
}

// SetTraffic changes how the requests of an endpoint are shared.
func (c *Client) SetTraffic(ctx context.Context, name string, plan traffic.Plan) (Endpoint, error) {
	var out Endpoint
	return out, c.call(ctx, http.MethodPut, endpointPath(name)+"/traffic", nil, plan, &out)
}

// DeleteEndpoint deletes an endpoint.
func (c *Client) DeleteEndpoint(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, endpointPath(name), nil, nil, nil)
}

// EndpointEvents lists what happened to an endpoint, the newest first.
func (c *Client) EndpointEvents(ctx context.Context, name string, limit int) ([]endpoint.Event, error) {
	var out struct {
		Events []endpoint.Event `json:"events"`
	}
	return out.Events, c.call(ctx, http.MethodGet, endpointPath(name)+"/events", url.Values{"limit": {strconv.Itoa(limit)}}, nil, &out)
}
