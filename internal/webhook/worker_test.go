package webhook_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"levada/internal/adapter/seal"
	"levada/internal/core/fault"
	core "levada/internal/core/webhook"
	"levada/internal/webhook"
)

// memory is a store of one webhook, for virtual time.
type memory struct {
	hook    core.Webhook
	waiting []core.Delivery
	signal  chan struct{}
}

func (m *memory) CreateWebhook(_ context.Context, w core.Webhook, _ int) error {
	m.hook = w
	return nil
}
func (m *memory) Webhooks(context.Context) ([]core.Webhook, error) {
	return []core.Webhook{m.hook}, nil
}
func (m *memory) DeleteWebhook(context.Context, string) error      { return nil }
func (m *memory) DeliverySignal() <-chan struct{}                  { return m.signal }
func (m *memory) WaitingDeliveries(context.Context) (int64, error) { return int64(len(m.waiting)), nil }
func (m *memory) Webhook(_ context.Context, id string) (core.Webhook, error) {
	if id != m.hook.ID {
		return core.Webhook{}, fault.NotFoundf("none")
	}
	return m.hook, nil
}

func (m *memory) ChangeWebhook(_ context.Context, _ string, change func(*core.Webhook) error) error {
	return change(&m.hook)
}

func (m *memory) Due(_ context.Context, at int64) (due []core.Delivery, next int64, err error) {
	for _, d := range m.waiting {
		if d.NextUS <= at {
			return []core.Delivery{d}, 0, nil
		}
		next = d.NextUS
	}
	return nil, next, nil
}

func (m *memory) Settle(_ context.Context, d core.Delivery, o core.Outcome, next int64) error {
	m.hook.Last = &o
	m.waiting = m.waiting[1:]
	if o.State == core.Retrying {
		d.NextUS, d.Attempts = next, o.Attempts
		m.waiting = append([]core.Delivery{d}, m.waiting...)
	}
	return nil
}

// broken answers with a status, or with nothing when it is 0.
type broken struct {
	status int
	at     []time.Time
	ids    map[string]bool
}

func (b *broken) Check(context.Context, string) error { return nil }
func (b *broken) Send(_ context.Context, _ string, headers map[string]string, _ []byte) (core.Answer, error) {
	b.at = append(b.at, time.Now())
	b.ids[headers["X-MLflow-Delivery-Id"]] = true
	if b.status == 0 {
		return core.Answer{}, errors.New("connection refused")
	}
	return core.Answer{Status: b.status}, nil
}

func TestADeadReceiverIsTriedForHoursAndThenGivenUp(t *testing.T) {
	for status, attempts := range map[int]int{0: 9, 500: 9, 429: 9, 400: 1, 302: 1, 501: 1} {
		synctest.Test(t, func(t *testing.T) {
			store := &memory{signal: make(chan struct{}, 1), waiting: []core.Delivery{{ID: "d", WebhookID: "h", Event: "prompt.created", Body: []byte("{}")}}}
			store.hook = core.Webhook{ID: "h", Events: []core.Event{{Entity: "prompt", Action: core.Created}}}
			receiver := &broken{status: status, ids: map[string]bool{}}
			s := webhook.New(webhook.Options{Store: store, Sender: receiver, Box: seal.New(filepath.Join(t.TempDir(), "key")), Logger: slog.New(slog.DiscardHandler), Now: time.Now})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { s.Run(ctx); close(done) }()
			time.Sleep(48 * time.Hour) // virtual
			cancel()
			<-done
			if len(receiver.at) != attempts || len(receiver.ids) != 1 {
				t.Errorf("status %d: %d attempts with %d ids; want %d with one", status, len(receiver.at), len(receiver.ids), attempts)
			}
			for i := 1; i < len(receiver.at); i++ {
				if pause := receiver.at[i].Sub(receiver.at[i-1]); pause < core.Backoff[i-1] || pause > core.Backoff[i-1]+time.Second {
					t.Errorf("status %d: pause %d was %v; want %v", status, i, pause, core.Backoff[i-1])
				}
			}
			if l := store.hook.Last; l == nil || l.State != core.Failed || l.Attempts != attempts || s.Stats().Failed != 1 || s.Stats().Waiting != 0 {
				t.Errorf("status %d: ended with %+v, %+v; want it failed and seen", status, l, s.Stats())
			}
		})
	}
}
