package client

import (
	"context"
	"net/http"

	"levada/internal/core/declare"
)

// Declaration is what a set of files declares.
type Declaration struct {
	Set       string             `json:"set"`
	Resources []declare.Resource `json:"resources"`
	// Adopt takes over what is there already and belongs to no set.
	Adopt bool `json:"adopt,omitempty"`
}

// Planned is what has to change, or has changed.
type Planned struct {
	Changes []declare.Change `json:"changes"`
	Changed bool             `json:"changed"`
}

// Plan says what has to change so that the server has what is declared.
func (c *Client) Plan(ctx context.Context, d Declaration) (Planned, error) {
	var out Planned
	return out, c.call(ctx, http.MethodPost, "/plan", nil, d, &out)
}

// Apply makes the server have what is declared.
func (c *Client) Apply(ctx context.Context, d Declaration) (Planned, error) {
	var out Planned
	return out, c.call(ctx, http.MethodPost, "/apply", nil, d, &out)
}
