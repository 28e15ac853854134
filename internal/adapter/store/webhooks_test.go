package store

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"levada/internal/core/fault"
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

func TestWhatIsDueIsTheFirstOfEachWebhookAndItsBodyIsReadWhenItIsSent(t *testing.T) {
	s := openForTest(t)
	h := s.Webhooks()
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		createWebhook(t, h, id, false)
	}
	tellAll(t, s, modelCreated)
	tellAll(t, s, modelCreated)
	soon := time.Now().Add(time.Hour).UnixMicro()
	due, next, err := h.Due(ctx, soon)
	if err != nil || len(due) != 2 || due[0].WebhookID == due[1].WebhookID || next != 0 {
		t.Fatalf("due are %+v, then %d, %v; want one of each webhook", due, next, err)
	}
	first := due[0]
	body, err := h.DeliveryBody(ctx, first)
	if err != nil || first.Body != nil || !json.Valid(body) {
		t.Errorf("its body is %s, %v, and %q beforehand; want JSON, read late", body, err, first.Body)
	}
	if err := h.Settle(ctx, first, webhook.Outcome{State: webhook.Retrying, Attempts: 1}, soon+5); err != nil {
		t.Fatal(err)
	}
	due, next, err = h.Due(ctx, soon)
	if err != nil || len(due) != 2 || next != soon+5 {
		t.Errorf("due are %+v, then %d, %v; want the second of the webhook whose first is tried again, and the other's first", due, next, err)
	}
	for _, d := range due {
		if d.ID == first.ID {
			t.Error("what waits for another attempt is due")
		}
	}
	if err := h.DeleteWebhook(ctx, first.WebhookID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DeliveryBody(ctx, first); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the body of a delivery that was dropped: %v", err)
	}
}
