package webhook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/webhook"
)

const (
	// parallel is how many receivers are served at once; each gets one delivery after the other.
	parallel = 16
	// storePause is how long to wait when the store cannot be read.
	storePause = 5 * time.Second
)

// Run delivers until ctx ends. A receiver that is slow or down holds up nobody else.
func (s *Service) Run(ctx context.Context) {
	busy := map[string]bool{} // by webhook
	var turns turns
	done := make(chan string)
	defer func() {
		for range len(busy) {
			<-done
		}
	}()
	for {
		now := s.deps.Now()
		due, next, err := s.deps.Store.Due(ctx, now.UnixMicro())
		wait := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.deps.Logger.WarnContext(ctx, "the deliveries of webhooks cannot be read; trying again", "in", storePause, "error", err)
			wait = storePause
		case next > 0:
			wait = max(time.UnixMicro(next).Sub(now), time.Millisecond)
		}
		turns.sort(due)
		for _, d := range due {
			if busy[d.WebhookID] || len(busy) == parallel {
				continue // looked at again when one is done
			}
			busy[d.WebhookID] = true
			turns.took(d.WebhookID)
			go func() {
				s.deliver(ctx, d)
				done <- d.WebhookID
			}()
		}
		var again <-chan time.Time
		if wait > 0 {
			again = time.After(wait)
		}
		select {
		case <-again:
		case <-s.deps.Store.DeliverySignal():
		case id := <-done:
			delete(busy, id)
		case <-ctx.Done():
			return
		}
	}
}

// turns says whose turn it is: who was served longest ago comes first, so that a few receivers that are slow and have much to get leave
// their places to the others.
type turns struct {
	now  int64
	last map[string]int64 // by webhook; 0 for one that was never served
}

// maxTurns bounds how many webhooks are remembered, deleted ones among them; then all are forgotten.
const maxTurns = 10 * maxWebhooks

func (t *turns) took(id string) {
	if t.last == nil || len(t.last) >= maxTurns {
		t.last = map[string]int64{}
	}
	t.now++
	t.last[id] = t.now
}

func (t *turns) sort(due []webhook.Delivery) {
	slices.SortStableFunc(due, func(a, b webhook.Delivery) int { return cmp.Compare(t.last[a.WebhookID], t.last[b.WebhookID]) })
}

// deliver makes one attempt of a delivery and notes how it went. What cannot be noted is sent again.
func (s *Service) deliver(ctx context.Context, d webhook.Delivery) {
	w, err := s.deps.Store.Webhook(ctx, d.WebhookID)
	if err == nil {
		d.Body, err = s.deps.Store.DeliveryBody(ctx, d)
	}
	if err != nil {
		if fault.KindOf(err) != fault.NotFound && ctx.Err() == nil {
			s.deps.Logger.WarnContext(ctx, "a webhook or its delivery cannot be read", "id", d.WebhookID, "delivery", d.ID, "error", err)
			s.pause(ctx)
		}
		return
	}
	answer, err := s.send(ctx, w, d)
	if ctx.Err() != nil {
		return // it is sent again by the next server
	}
	d.Attempts++
	now := s.deps.Now()
	o := webhook.Outcome{DeliveryID: d.ID, Event: d.Event, State: webhook.Delivered, Attempts: d.Attempts, Status: answer.Status, AtUS: now.UnixMicro()}
	next := int64(0)
	switch {
	case err != nil:
		o.Error = fault.Shorten(err.Error(), 500)
	case answer.Status < 200 || answer.Status > 299:
		o.Error = fmt.Sprintf("the receiver answered with status %d", answer.Status)
	}
	if o.Error != "" {
		o.State = webhook.Failed
		if pause, more := webhook.Pause(d.Attempts, answer.Again); more && webhook.Retried(answer.Status) {
			o.State, next = webhook.Retrying, now.Add(pause).UnixMicro()
		}
	}
	if err := s.deps.Store.Settle(ctx, d, o, next); err != nil {
		if ctx.Err() == nil {
			s.deps.Logger.WarnContext(ctx, "the outcome of a delivery cannot be stored; it is sent again", "webhook", w.Name, "delivery", d.ID, "error", err)
			s.pause(ctx)
		}
		return
	}
	switch o.State {
	case webhook.Delivered:
		s.delivered.Add(1)
	case webhook.Retrying:
		s.retried.Add(1)
		s.deps.Logger.InfoContext(ctx, "a webhook was not delivered; trying again", "webhook", w.Name, "event", d.Event, "delivery", d.ID, "attempts", d.Attempts, "error", o.Error)
	case webhook.Failed:
		s.failed.Add(1)
		s.deps.Logger.WarnContext(ctx, "a webhook was not delivered and is given up", "webhook", w.Name, "event", d.Event, "delivery", d.ID, "attempts", d.Attempts, "error", o.Error)
	}
}

// pause keeps one receiver from being tried without end while the store is broken.
func (s *Service) pause(ctx context.Context) {
	select {
	case <-time.After(storePause):
	case <-ctx.Done():
	}
}

// Stats count since the service was made.
type Stats struct {
	// Delivered and Failed count deliveries that ended, Retried attempts after which another one follows.
	Delivered, Failed, Retried int64
	// Waiting is how many deliveries there are now; -1 when the store cannot say.
	Waiting int64
}

// Stats returns the figures of this moment.
func (s *Service) Stats() Stats {
	waiting, err := s.deps.Store.WaitingDeliveries(context.Background())
	if err != nil {
		waiting = -1
	}
	return Stats{Delivered: s.delivered.Load(), Failed: s.failed.Load(), Retried: s.retried.Load(), Waiting: waiting}
}
