package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"levada/internal/core/event"
)

// TriggerList is a page of triggers.
type TriggerList struct {
	Triggers []TriggerLine `json:"triggers"`
	Total    int           `json:"total"`
}

// TriggerLine is a trigger with what it names and what is not there.
type TriggerLine struct {
	event.Trigger
	Warnings []string `json:"warnings,omitempty"`
}

// FiringList is a page of firings.
type FiringList struct {
	Firings []event.Firing `json:"firings"`
	Total   int            `json:"total"`
}

// Triggers lists triggers, newest first, by a part of their name or the beginning of their id.
func (c *Client) Triggers(ctx context.Context, text, idPrefix string, limit int) (TriggerList, error) {
	v := url.Values{"page_size": {strconv.Itoa(limit)}}
	if text != "" {
		v.Set("q", text)
	}
	if idPrefix != "" {
		v.Set("id_prefix", idPrefix)
	}
	var out TriggerList
	return out, c.call(ctx, http.MethodGet, "/triggers", v, nil, &out)
}

// TriggerDetail is a trigger with what it will do next.
type TriggerDetail struct {
	event.Trigger
	Outlook event.Outlook `json:"outlook"`
}

// Trigger finds a trigger by its id.
func (c *Client) Trigger(ctx context.Context, id string) (TriggerDetail, error) {
	var out TriggerDetail
	return out, c.call(ctx, http.MethodGet, "/triggers/"+url.PathEscape(id), nil, nil, &out)
}

// Firings lists what a trigger made of events, newest first.
func (c *Client) Firings(ctx context.Context, id string, limit int) (FiringList, error) {
	var out FiringList
	return out, c.call(ctx, http.MethodGet, "/triggers/"+url.PathEscape(id)+"/firings", url.Values{"page_size": {strconv.Itoa(limit)}}, nil, &out)
}

// FireTrigger fires a trigger by hand.
func (c *Client) FireTrigger(ctx context.Context, id, key string, data map[string]any) (event.Firing, error) {
	var out event.Firing
	return out, c.call(ctx, http.MethodPost, "/triggers/"+url.PathEscape(id)+"/fire", nil, map[string]any{"data": orNone(data), "key": key}, &out)
}

// TestTrigger says what a trigger would make of an event.
func (c *Client) TestTrigger(ctx context.Context, id string, data map[string]any) (event.Verdict, error) {
	var out event.Verdict
	return out, c.call(ctx, http.MethodPost, "/triggers/"+url.PathEscape(id)+"/test", nil, map[string]any{"data": orNone(data)}, &out)
}

func orNone(data map[string]any) map[string]any {
	if data == nil {
		return map[string]any{}
	}
	return data
}

// SwitchTrigger pauses a trigger, or resumes it.
func (c *Client) SwitchTrigger(ctx context.Context, id string, paused bool) (event.Trigger, error) {
	verb := "resume"
	if paused {
		verb = "pause"
	}
	var out event.Trigger
	return out, c.call(ctx, http.MethodPost, "/triggers/"+url.PathEscape(id)+"/"+verb, nil, nil, &out)
}

// DeleteTrigger deletes a trigger.
func (c *Client) DeleteTrigger(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/triggers/"+url.PathEscape(id), nil, nil, nil)
}
