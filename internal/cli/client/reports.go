package client

import (
	"context"
	"net/http"
	"net/url"

	"levada/internal/core/observe"
)

// Reports returns the newest report of a kind of each task that makes some.
func (c *Client) Reports(ctx context.Context, kind observe.Kind) ([]observe.Stored, error) {
	var out struct {
		Reports []observe.Stored `json:"reports"`
	}
	err := c.call(ctx, http.MethodGet, "/data-reports", url.Values{"kind": {string(kind)}}, nil, &out)
	return out.Reports, err
}
