package store

import (
	"context"
	"testing"
	"time"

	"levada/internal/core/webhook"
)

var modelCreated = webhook.Event{Entity: "registered_model", Action: webhook.Created}

// tellAll puts the example of an event into the deliveries of the webhooks that want it.
func tellAll(t *testing.T, s *Store, e webhook.Event) {
	t.Helper()
	err := s.update(t.Context(), func(ctx context.Context, tx *tx) error {
		return s.tell(ctx, tx, []webhook.Happening{webhook.Example(e)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func createWebhook(t *testing.T, h Webhooks, id string, disabled bool) {
	t.Helper()
	err := h.CreateWebhook(t.Context(), webhook.Webhook{ID: id, Name: id, Events: []webhook.Event{modelCreated}, Disabled: disabled}, 100)
	if err != nil {
		t.Fatal(err)
	}
}

// The number of the row of a delivery that is gone is given to the next one.
func TestAnAttemptOfADeliveryThatIsGoneLeavesOthersAlone(t *testing.T) {
	for _, state := range []webhook.State{webhook.Delivered, webhook.Failed, webhook.Retrying} {
		s := openForTest(t)
		h := s.Webhooks()
		ctx := t.Context()
		createWebhook(t, h, "slow", false)
		createWebhook(t, h, "other", true)
		soon := time.Now().Add(time.Hour).UnixMicro()
		tellAll(t, s, modelCreated)
		due, _, err := h.Due(ctx, soon)
		if err != nil || len(due) != 1 {
			t.Fatal(due, err)
		}
		// While it is under way its webhook is disabled, another one is enabled, and something happens.
		for id, off := range map[string]bool{"slow": true, "other": false} {
			if err := h.ChangeWebhook(ctx, id, func(w *webhook.Webhook) error { w.Disabled = off; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		tellAll(t, s, modelCreated)
		outcome := webhook.Outcome{DeliveryID: due[0].ID, State: state, Attempts: 5}
		if err := h.Settle(ctx, due[0], outcome, soon+1); err != nil {
			t.Fatal(err)
		}
		left, _, err := h.Due(ctx, soon)
		if err != nil || len(left) != 1 || left[0].WebhookID != "other" || left[0].Attempts != 0 || left[0].Row != due[0].Row {
			t.Errorf("%s: after the attempt %+v is due, %v; want the untouched delivery of the other webhook in the same row", state, left, err)
		}
	}
}
