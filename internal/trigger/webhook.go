package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/webhook"
)

// tolerance is how old a signed request may be, and how far in the future, as Standard Webhooks advises.
const tolerance = 5 * time.Minute

// Receive takes a signed request for a trigger. One that is not signed as it must be is a *event.SignatureError.
func (e *Events) Receive(ctx context.Context, id string, r event.Signed) (event.Firing, error) {
	t, err := e.deps.Store.GetTrigger(ctx, id)
	if err != nil {
		return event.Firing{}, err
	}
	if t.On.Webhook == nil {
		return event.Firing{}, fault.Invalidf("trigger %q takes no webhooks: it is on %s", t.Name, t.On.Kind())
	}
	if err := e.verify(ctx, t.On.Webhook, r); err != nil {
		return event.Firing{}, err
	}
	var body any
	if err := json.Unmarshal(r.Body, &body); err != nil {
		body = string(r.Body)
	}
	return e.fire(ctx, id, event.Event{ID: "webhook/" + r.ID, Kind: event.Webhook, At: e.now(), Data: map[string]any{"body": body, "delivery_id": r.ID}})
}

func (e *Events) verify(ctx context.Context, on *event.WebhookSource, r event.Signed) error {
	bad := func(format string, args ...any) error {
		return &event.SignatureError{Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case r.ID == "" || r.Timestamp == "" || r.Signature == "":
		return bad("it needs the headers webhook-id, webhook-timestamp and webhook-signature")
	case len(r.ID) > 200 || len(r.Signature) > 2000:
		return bad("webhook-id or webhook-signature is too long")
	case len(r.Body) > event.MaxBody:
		return fault.TooLargef("the body has %d bytes; a webhook may have %d", len(r.Body), event.MaxBody)
	}
	sent, err := strconv.ParseInt(r.Timestamp, 10, 64)
	if err != nil {
		return bad("webhook-timestamp is not a number of seconds since 1970")
	}
	if age := e.now().Sub(time.Unix(sent, 0)); age > tolerance || age < -tolerance {
		return bad("webhook-timestamp is more than %s away from the time of this server", tolerance)
	}
	key := on.Key
	if key == "" {
		key = "secret"
	}
	secret, err := e.deps.Secrets.Value(ctx, on.Secret, key)
	if err != nil {
		e.deps.Logger.Error("a webhook cannot be checked", "secret", on.Secret, "error", err)
		return fault.Unavailablef("the secret that the request would be checked with cannot be read")
	}
	if !webhook.Signed(r.Signature, secret, r.ID, r.Timestamp, r.Body) {
		return bad("the signature is not that of the body with the shared secret")
	}
	return nil
}
