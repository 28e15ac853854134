package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"levada/internal/core/observe"
	"levada/internal/dataset"
)

// ArtifactProfile is what a server knows of an artifact as a table.
type ArtifactProfile struct {
	State   observe.State    `json:"state"`
	Reason  string           `json:"reason"`
	Profile *dataset.Profile `json:"profile"`
}

// Profile gets the profile of an artifact.
func (c *Client) Profile(ctx context.Context, artifactID string) (ArtifactProfile, error) {
	var out ArtifactProfile
	return out, c.call(ctx, http.MethodGet, "/artifacts/"+url.PathEscape(artifactID)+"/profile", nil, nil, &out)
}

// Compare says how an artifact differs from an earlier one, with a key row by row.
func (c *Client) Compare(ctx context.Context, earlier, artifactID string, key []string) (dataset.Comparison, error) {
	var out dataset.Comparison
	query := url.Values{"with": {earlier}}
	if len(key) > 0 {
		query.Set("key", strings.Join(key, ","))
	}
	return out, c.call(ctx, http.MethodGet, "/artifacts/"+url.PathEscape(artifactID)+"/comparison", query, nil, &out)
}
