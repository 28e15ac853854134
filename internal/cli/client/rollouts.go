package client

import (
	"context"
	"net/http"
	"net/url"

	"levada/internal/core/rollout"
)

// Rollout is a rollout with how it is.
type Rollout struct {
	rollout.Record
	State rollout.State `json:"state"`
}

// StartRollout asks for a rollout.
type StartRollout struct {
	Plan       string   `json:"plan,omitempty"`
	Candidates []string `json:"candidates"`
	Alias      string   `json:"alias,omitempty"`
	By         string   `json:"by,omitempty"`
}

// StartRollout starts a rollout; it answers when the candidates are ready.
func (c *Client) StartRollout(ctx context.Context, endpoint string, r StartRollout) (Rollout, error) {
	var out Rollout
	return out, c.call(ctx, http.MethodPost, endpointPath(endpoint)+"/rollout", nil, r, &out)
}

// Rollout returns the rollout of an endpoint that goes on, or its last one.
func (c *Client) Rollout(ctx context.Context, endpoint string) (Rollout, error) {
	var out Rollout
	return out, c.call(ctx, http.MethodGet, endpointPath(endpoint)+"/rollout", nil, nil, &out)
}

// CommandRollout pauses, resumes, aborts or promotes.
func (c *Client) CommandRollout(ctx context.Context, endpoint, do, version, reason, by string) (Rollout, error) {
	var out Rollout
	body := map[string]string{"version": version, "reason": reason, "by": by}
	return out, c.call(ctx, http.MethodPost, endpointPath(endpoint)+"/rollout/"+do, nil, body, &out)
}

// RolloutEvents are a rollout and its events.
type RolloutEvents struct {
	rollout.Record
	Events []rollout.Event `json:"events"`
}

// RolloutEvents returns the events of a rollout; with those of what was observed, if that is wanted.
func (c *Client) RolloutEvents(ctx context.Context, id string, observed bool) (RolloutEvents, error) {
	var out RolloutEvents
	q := url.Values{}
	if observed {
		q.Set("observed", "true")
	}
	return out, c.call(ctx, http.MethodGet, "/rollouts/"+url.PathEscape(id), q, nil, &out)
}
