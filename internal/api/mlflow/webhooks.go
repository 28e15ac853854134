package mlflow

import (
	"slices"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/webhook"
	hooks "levada/internal/webhook"
)

type eventWire struct {
	Entity string `json:"entity"`
	Action string `json:"action"`
}

type webhookWire struct {
	ID          string      `json:"webhook_id"`
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	URL         string      `json:"url"`
	Events      []eventWire `json:"events"`
	Status      string      `json:"status"`
	CreatedMS   int64       `json:"creation_timestamp"`
	UpdatedMS   int64       `json:"last_updated_timestamp"`
	// Last is not part of MLflow's answer; its clients pass over it.
	Last *outcomeWire `json:"last_delivery,omitempty"`
}

type outcomeWire struct {
	DeliveryID string `json:"delivery_id"`
	Event      string `json:"event"`
	Status     string `json:"status"`
	Attempts   int    `json:"attempts"`
	Response   int    `json:"response_status,omitempty"`
	Error      string `json:"error,omitempty"`
	At         string `json:"at"`
	Failures   int    `json:"failures_in_a_row,omitempty"`
}

type webhookAnswer struct {
	Webhook webhookWire `json:"webhook"`
}

func wireWebhook(w webhook.Webhook) webhookWire {
	out := webhookWire{ID: w.ID, Name: w.Name, Description: w.Description, URL: w.URL, Status: "ACTIVE", CreatedMS: w.CreatedUS / 1000, UpdatedMS: w.UpdatedUS / 1000}
	if w.Disabled {
		out.Status = "DISABLED"
	}
	for _, e := range w.Events {
		out.Events = append(out.Events, eventWire{strings.ToUpper(string(e.Entity)), strings.ToUpper(string(e.Action))})
	}
	if l := w.Last; l != nil {
		out.Last = &outcomeWire{DeliveryID: l.DeliveryID, Event: l.Event, Status: string(l.State), Attempts: l.Attempts, Response: l.Status, Error: l.Error,
			At: time.UnixMicro(l.AtUS).UTC().Format(time.RFC3339Nano), Failures: l.Failures}
	}
	return out
}

// enumerated reads a value of an enumeration, by name or by its number, which counts from 1.
func enumerated[T ~string](o object, field string, values []T) T {
	v, _ := o.get(field)
	if s, ok := v.(string); ok && s == strings.ToUpper(s) {
		if value := T(strings.ToLower(s)); slices.Contains(values, value) {
			return value
		}
	}
	if n, ok := integer(v); ok && n >= 1 && n <= int64(len(values)) {
		return values[n-1]
	}
	if o.r.err == nil {
		names := make([]string, len(values))
		for i, value := range values {
			names[i] = strings.ToUpper(string(value))
		}
		o.r.err = fault.Invalidf("Invalid value %s for parameter '%s' supplied: want one of %s", fault.Shorten(compact(v), 100), o.path+field, strings.Join(names, ", "))
	}
	return ""
}

func (o object) event() webhook.Event {
	return webhook.Event{Entity: enumerated(o, "entity", webhook.Entities), Action: enumerated(o, "action", webhook.Actions)}
}

// webhookChange reads what a webhook is to be. Empty names and URLs count as none, as in MLflow.
func (r *request) webhookChange(n need) hooks.Change {
	c := hooks.Change{Description: r.optionalText("description"), Secret: r.optionalText("secret")}
	for _, f := range []struct {
		name string
		to   **string
	}{{"name", &c.Name}, {"url", &c.URL}} {
		if text := r.text(f.name, n); text != "" {
			*f.to = &text
		}
	}
	for _, o := range r.objects("events", n) {
		c.Events = append(c.Events, o.event())
	}
	if v, there := r.take("status", optional); there {
		disabled := v == "DISABLED"
		number, whole := integer(v)
		switch {
		case whole && (number == 1 || number == 2):
			disabled = number == 2
		case v != "ACTIVE" && !disabled:
			r.wrong("status", v)
		}
		c.Disabled = &disabled
	}
	return c
}

func (d *door) createWebhook(r *request) (any, error) {
	c := r.webhookChange(required)
	if r.err != nil {
		return nil, r.err
	}
	w, err := d.Webhooks.Create(r.Context(), c)
	return webhookAnswer{wireWebhook(w)}, err
}

func (d *door) listWebhooks(r *request) (any, error) {
	limit, offset := r.limit64("max_results", 0), r.page()
	if r.err != nil {
		return nil, r.err
	}
	found, more, err := d.Webhooks.List(r.Context(), offset, limit)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Webhooks []webhookWire `json:"webhooks,omitempty"`
		Token    string        `json:"next_page_token,omitempty"`
	}
	for _, w := range found {
		answer.Webhooks = append(answer.Webhooks, wireWebhook(w))
	}
	if more {
		answer.Token = encodeToken(offset + len(found))
	}
	return answer, nil
}

func (d *door) getWebhook(r *request) (any, error) {
	w, err := d.Webhooks.Webhook(r.Context(), r.args[0])
	return webhookAnswer{wireWebhook(w)}, err
}

func (d *door) updateWebhook(r *request) (any, error) {
	c := r.webhookChange(optional)
	if r.err != nil {
		return nil, r.err
	}
	w, err := d.Webhooks.Update(r.Context(), r.args[0], c)
	return webhookAnswer{wireWebhook(w)}, err
}

func (d *door) deleteWebhook(r *request) (any, error) {
	return empty{}, d.Webhooks.Delete(r.Context(), r.args[0])
}

func (d *door) testWebhook(r *request) (any, error) {
	var event *webhook.Event
	if v, there := r.take("event", optional); there {
		fields, ok := v.(map[string]any)
		if !ok {
			r.wrong("event", v)
		}
		e := object{r, "event.", fields}.event()
		event = &e
	}
	if r.err != nil {
		return nil, r.err
	}
	tested, err := d.Webhooks.Test(r.Context(), r.args[0], event)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Result struct {
			OK     bool   `json:"success"`
			Status int    `json:"response_status,omitempty"`
			Body   string `json:"response_body,omitempty"`
			Error  string `json:"error_message,omitempty"`
		} `json:"result"`
	}
	answer.Result.OK, answer.Result.Status, answer.Result.Body, answer.Result.Error = tested.OK, tested.Answer.Status, tested.Answer.Body, tested.Error
	return answer, nil
}

// webhookCalls are the calls of one webhook.
func (d *door) webhookCalls(parts []string) methods {
	switch {
	case len(parts) == 1:
		return methods{"GET": d.getWebhook, "PATCH": d.updateWebhook, "DELETE": d.deleteWebhook}
	case len(parts) == 2 && parts[1] == "test":
		return post(d.testWebhook)
	}
	return nil
}
