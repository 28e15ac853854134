package webhook_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
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

func (m *memory) DeliveryBody(_ context.Context, d core.Delivery) ([]byte, error) { return d.Body, nil }

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

// crowd is a store of many webhooks, for virtual time. What it does with deliveries is as in the real one.
type crowd struct {
	webhook.Store
	mu      sync.Mutex
	waiting []core.Delivery
}

func (c *crowd) Webhook(_ context.Context, id string) (core.Webhook, error) {
	return core.Webhook{ID: id, URL: id}, nil
}
func (c *crowd) DeliverySignal() <-chan struct{} { return nil }
func (c *crowd) DeliveryBody(context.Context, core.Delivery) ([]byte, error) {
	return []byte("{}"), nil
}

func (c *crowd) Due(_ context.Context, at int64) (due []core.Delivery, next int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortStableFunc(c.waiting, func(a, b core.Delivery) int { return cmp.Compare(a.NextUS, b.NextUS) })
	seen := map[string]bool{}
	for _, d := range c.waiting {
		if d.NextUS > at {
			return due, d.NextUS, nil
		}
		if !seen[d.WebhookID] {
			seen[d.WebhookID] = true
			due = append(due, d)
		}
	}
	return due, 0, nil
}

func (c *crowd) Settle(_ context.Context, d core.Delivery, o core.Outcome, next int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.waiting, func(w core.Delivery) bool { return w.ID == d.ID })
	if o.State != core.Retrying {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		return nil
	}
	c.waiting[i].Attempts, c.waiting[i].NextUS = o.Attempts, next
	return nil
}

// mixed has one receiver that answers at once; the others let it wait for 30 seconds and then fail.
type mixed struct{ good atomic.Int64 }

func (*mixed) Check(context.Context, string) error { return nil }
func (m *mixed) Send(_ context.Context, url string, _ map[string]string, _ []byte) (core.Answer, error) {
	if url == "good" {
		m.good.Add(1)
		return core.Answer{Status: 200}, nil
	}
	time.Sleep(30 * time.Second) // virtual
	return core.Answer{}, context.DeadlineExceeded
}

func TestSlowReceiversWithMuchToGetLeaveTheirPlacesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &crowd{}
		for event := range 50 {
			for w := range 16 {
				store.waiting = append(store.waiting, core.Delivery{ID: fmt.Sprint(w, ".", event), WebhookID: fmt.Sprint("slow ", w), NextUS: int64(event)})
			}
		}
		for event := range 3 {
			store.waiting = append(store.waiting, core.Delivery{ID: fmt.Sprint("good.", event), WebhookID: "good", NextUS: int64(1000 + event)})
		}
		receivers := &mixed{}
		s := webhook.New(webhook.Options{Store: store, Sender: receivers, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		s.Run(ctx)
		if n := receivers.good.Load(); n != 3 {
			t.Errorf("the receiver that answers got %d of its 3 deliveries while 16 slow ones had each to get 50", n)
		}
	})
}
