package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"levada/internal/core/fault"
	"levada/internal/core/webhook"
)

// Webhooks is what the webhook service sees of a Store: webhooks, and the deliveries that are still to be sent.
type Webhooks struct{ s *Store }

// Webhooks returns the part of the store that is for the webhook service.
func (s *Store) Webhooks() Webhooks { return Webhooks{s} }

func scanWebhook(scan scanner) (webhook.Webhook, error) {
	var w webhook.Webhook
	var body string
	if err := scan(&body); err != nil {
		return w, err
	}
	return w, decode("webhook", body, &w)
}

// CreateWebhook stores a webhook unless there are limit already.
func (h Webhooks) CreateWebhook(ctx context.Context, w webhook.Webhook, limit int) error {
	body, err := encode("webhook", w)
	if err != nil {
		return err
	}
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		var n int
		if err := tx.get(ctx, `SELECT COUNT(*) FROM webhooks`, nil, []any{&n}); err != nil {
			return err
		}
		if n >= limit {
			return fault.Conflictf("there are %d webhooks already, which is the most: delete one first", n)
		}
		_, err := tx.exec(ctx, `INSERT INTO webhooks (id, body) VALUES ($1, $2)`, w.ID, body)
		return err
	})
}

// Webhook returns a webhook.
func (h Webhooks) Webhook(ctx context.Context, id string) (webhook.Webhook, error) {
	// Uses the primary key.
	return readOne(ctx, h.s, "webhook", id, `SELECT body FROM webhooks WHERE id = $1`, scanWebhook, id)
}

// Webhooks returns all webhooks.
func (h Webhooks) Webhooks(ctx context.Context) ([]webhook.Webhook, error) {
	return readAll(ctx, h.s, scanWebhook, `SELECT body FROM webhooks`)
}

// ChangeWebhook reads, changes and stores a webhook. What waits for one that becomes disabled is dropped.
func (h Webhooks) ChangeWebhook(ctx context.Context, id string, change func(*webhook.Webhook) error) error {
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		w, err := changeWebhook(ctx, tx, id, change)
		if err != nil || !w.Disabled {
			return err
		}
		// Uses webhook_deliveries_by_webhook.
		_, err = tx.exec(ctx, `DELETE FROM webhook_deliveries WHERE webhook_id = $1`, id)
		return err
	})
}

func changeWebhook(ctx context.Context, tx *tx, id string, change func(*webhook.Webhook) error) (webhook.Webhook, error) {
	// Uses the primary key.
	w, err := scanWebhook(func(dest ...any) error {
		return tx.get(ctx, `SELECT body FROM webhooks WHERE id = $1`, []any{id}, dest)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return w, notFound("webhook", id)
	}
	if err != nil {
		return w, err
	}
	if err := change(&w); err != nil {
		return w, err
	}
	body, err := encode("webhook", w)
	if err != nil {
		return w, err
	}
	_, err = tx.exec(ctx, `UPDATE webhooks SET body = $2 WHERE id = $1`, id, body)
	return w, err
}

// DeleteWebhook deletes a webhook with what waits for it.
func (h Webhooks) DeleteWebhook(ctx context.Context, id string) error {
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		n, err := tx.exec(ctx, `DELETE FROM webhooks WHERE id = $1`, id)
		if err == nil && n == 0 {
			return notFound("webhook", id)
		}
		return err
	})
}

// tell puts what has happened into the deliveries of those that want it, in the transaction of the change.
func (s *Store) tell(ctx context.Context, tx *tx, happenings []webhook.Happening) error {
	if len(happenings) == 0 {
		return nil
	}
	var all []webhook.Webhook
	err := tx.each(ctx, `SELECT body FROM webhooks ORDER BY id`, nil, func(rows *sql.Rows) error {
		w, err := scanWebhook(rows.Scan)
		all = append(all, w)
		return err
	})
	if err != nil {
		return err
	}
	told := false
	for _, h := range happenings {
		now := time.Now()
		body, err := webhook.Body(h, now)
		if err != nil {
			return err
		}
		for _, w := range all {
			if !w.Wants(h.Event) {
				continue
			}
			_, err := tx.exec(ctx, `
				INSERT INTO webhook_deliveries (delivery_id, webhook_id, event, body, attempts, next_us)
				VALUES ($1, $2, $3, $4, 0, $5)`, uuid.NewString(), w.ID, h.Event.String(), string(body), micros(now))
			if err != nil {
				return err
			}
			told = true
		}
	}
	if told {
		tx.committed(s.signalDeliveries)
	}
	return nil
}

func (s *Store) signalDeliveries() {
	select {
	case s.deliveries <- struct{}{}:
	default: // the worker has not looked yet
	}
}

// DeliverySignal is sent to when there is a new delivery.
func (h Webhooks) DeliverySignal() <-chan struct{} { return h.s.deliveries }

// Due returns, without its body, the delivery of each webhook that has been due for the longest time, and when the next one is; 0 for
// never.
func (h Webhooks) Due(ctx context.Context, atUS int64) ([]webhook.Delivery, int64, error) {
	// Uses webhook_deliveries_by_webhook, once for each webhook: of a backlog only its beginning is read.
	due, err := readAll(ctx, h.s, func(scan scanner) (webhook.Delivery, error) {
		var d webhook.Delivery
		err := scan(&d.Row, &d.ID, &d.WebhookID, &d.Event, &d.Attempts, &d.NextUS)
		return d, err
	}, `
		SELECT d.id, d.delivery_id, d.webhook_id, d.event, d.attempts, d.next_us
		FROM webhooks w JOIN webhook_deliveries d ON d.id = (
			SELECT id
			FROM webhook_deliveries
			WHERE webhook_id = w.id AND next_us <= $1
			ORDER BY next_us, id
			LIMIT 1)
		ORDER BY d.next_us, d.id`, atUS)
	if err != nil {
		return nil, 0, err
	}
	var next sql.NullInt64
	// Uses webhook_deliveries_by_time.
	err = h.s.read.QueryRowContext(ctx, `SELECT MIN(next_us) FROM webhook_deliveries WHERE next_us > $1`, atUS).Scan(&next)
	return due, next.Int64, h.s.readError(err)
}

// DeliveryBody returns what a delivery is to send; NotFound when it was dropped.
func (h Webhooks) DeliveryBody(ctx context.Context, d webhook.Delivery) ([]byte, error) {
	// Uses the primary key.
	return readOne(ctx, h.s, "delivery", d.ID, `SELECT body FROM webhook_deliveries WHERE id = $1 AND delivery_id = $2`, func(scan scanner) ([]byte, error) {
		var body string
		err := scan(&body)
		return []byte(body), err
	}, d.Row, d.ID)
}

// Settle notes how an attempt went: on the webhook, and on the delivery, which is removed when it is not to be tried again.
func (h Webhooks) Settle(ctx context.Context, d webhook.Delivery, o webhook.Outcome, nextUS int64) error {
	return h.s.update(ctx, func(ctx context.Context, tx *tx) error {
		_, err := changeWebhook(ctx, tx, d.WebhookID, func(w *webhook.Webhook) error {
			if w.Last != nil {
				o.Failures = w.Last.Failures
			}
			switch o.State {
			case webhook.Delivered:
				o.Failures = 0
			case webhook.Failed:
				o.Failures++
			case webhook.Retrying:
			}
			w.Last = &o
			return nil
		})
		if fault.KindOf(err) == fault.NotFound {
			return nil // it was deleted, with its deliveries
		}
		if err != nil {
			return err
		}
		// Uses the primary key. SQLite gives the number of a row that is gone to a new one: the id says whether it is still the same.
		if o.State == webhook.Retrying {
			_, err = tx.exec(ctx, `UPDATE webhook_deliveries SET attempts = $3, next_us = $4 WHERE id = $1 AND delivery_id = $2`,
				d.Row, d.ID, o.Attempts, nextUS)
			return err
		}
		_, err = tx.exec(ctx, `DELETE FROM webhook_deliveries WHERE id = $1 AND delivery_id = $2`, d.Row, d.ID)
		return err
	})
}

// WaitingDeliveries counts the deliveries.
func (h Webhooks) WaitingDeliveries(ctx context.Context) (int64, error) {
	var n int64
	err := h.s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM webhook_deliveries`).Scan(&n)
	return n, h.s.readError(err)
}
