// Package webhook owns webhooks: it keeps them, and delivers to them what happens in the model registry.
//
// What happens comes to it through the store: whoever changes the registry writes the deliveries in the same transaction, and
// the worker here sends them, again and again, until the receiver has taken them or they are given up. It must not know HTTP,
// SQL or how secrets are sealed: those are behind the interfaces below. Start reading at Service.Run.
package webhook

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"levada/internal/core/fault"
	"levada/internal/core/webhook"
)

// Store keeps webhooks and deliveries. What does not exist is a NotFound error; a method that returns nil has its writes on disk.
type Store interface {
	// CreateWebhook refuses with a Conflict error when there are limit webhooks already.
	CreateWebhook(ctx context.Context, w webhook.Webhook, limit int) error
	Webhook(ctx context.Context, id string) (webhook.Webhook, error)
	Webhooks(ctx context.Context) ([]webhook.Webhook, error)
	// ChangeWebhook reads, changes and stores a webhook in one transaction. What waits for one that becomes disabled is dropped.
	ChangeWebhook(ctx context.Context, id string, change func(*webhook.Webhook) error) error
	// DeleteWebhook deletes a webhook with what waits for it.
	DeleteWebhook(ctx context.Context, id string) error
	// Due returns, without its body, the first delivery of each webhook that is due at a time, and the time at which the next one
	// is, 0 for never.
	Due(ctx context.Context, atUS int64) (due []webhook.Delivery, nextUS int64, err error)
	// DeliveryBody returns what a delivery is to send, a NotFound error when it was dropped.
	DeliveryBody(ctx context.Context, d webhook.Delivery) ([]byte, error)
	// Settle notes how an attempt went. A delivery that is to be tried again is due at nextUS; another one is removed.
	Settle(ctx context.Context, d webhook.Delivery, o webhook.Outcome, nextUS int64) error
	// WaitingDeliveries is how many deliveries there are.
	WaitingDeliveries(ctx context.Context) (int64, error)
	// DeliverySignal is sent to when there is a new delivery.
	DeliverySignal() <-chan struct{}
}

// Sender reaches receivers.
type Sender interface {
	// Check refuses a URL that is not to be sent to.
	Check(ctx context.Context, url string) error
	// Send posts a body. An error means that there was no answer.
	Send(ctx context.Context, url string, headers map[string]string, body []byte) (webhook.Answer, error)
}

// Box seals secrets with a key that is not in the store.
type Box interface {
	Seal(content []byte, purpose string, create bool) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Options are what a service is made of.
type Options struct {
	Store  Store
	Sender Sender
	Box    Box
	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() string
}

// Service keeps webhooks. Its methods may be called from any goroutine; Run by one.
type Service struct {
	deps Options

	delivered, failed, retried atomic.Int64
}

// New returns a service.
func New(o Options) *Service { return &Service{deps: o} }

// maxWebhooks bounds how much one event can cause.
const maxWebhooks = 1000

// Change says what a webhook is to be; what is nil stays, or is left out of a new one.
type Change struct {
	Name, Description, URL, Secret *string
	Events                         []webhook.Event
	Disabled                       *bool
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// check refuses a change whole.
func (s *Service) check(ctx context.Context, c Change) error {
	if c.Name != nil && (!nameForm.MatchString(*c.Name) || len(*c.Name) > 63) {
		return fault.Invalidf("Webhook name '%s' is invalid. It must start and end with a letter or digit, be less than 63 characters "+
			"long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-).", *c.Name)
	}
	for _, l := range []struct {
		what string
		text *string
		most int
	}{{"description", c.Description, 1000}, {"url", c.URL, 500}, {"secret", c.Secret, 1000}} {
		if l.text != nil && utf8.RuneCountInString(*l.text) > l.most {
			return fault.Invalidf("'%s' exceeds the maximum length of %d characters", l.what, l.most)
		}
	}
	for _, e := range c.Events {
		if err := CheckEvent(e); err != nil {
			return err
		}
	}
	if c.URL != nil {
		return s.deps.Sender.Check(ctx, *c.URL)
	}
	return nil
}

// CheckEvent refuses an event that never happens.
func CheckEvent(e webhook.Event) error {
	if e.Known() {
		return nil
	}
	var valid []string
	for _, a := range webhook.ActionsOf(e.Entity) {
		valid = append(valid, "'"+string(a)+"'")
	}
	return fault.Invalidf("Invalid action '%s' for entity '%s'. Valid actions are: [%s]", e.Action, e.Entity, strings.Join(valid, ", "))
}

func purpose(id string) string { return "webhook " + id }

func (s *Service) apply(w *webhook.Webhook, c Change) error {
	set := func(to, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&w.Name, c.Name)
	set(&w.Description, c.Description)
	set(&w.URL, c.URL)
	if c.Events != nil {
		w.Events = slices.Clone(c.Events)
		slices.SortFunc(w.Events, func(a, b webhook.Event) int { return cmp.Compare(a.String(), b.String()) })
		w.Events = slices.Compact(w.Events)
	}
	if c.Disabled != nil {
		w.Disabled = *c.Disabled
	}
	if c.Secret == nil {
		return nil
	}
	w.Sealed = nil
	if *c.Secret == "" {
		return nil
	}
	var err error
	w.Sealed, err = s.deps.Box.Seal([]byte(*c.Secret), purpose(w.ID), true)
	return err
}

// Create creates a webhook; name, URL and events must be there.
func (s *Service) Create(ctx context.Context, c Change) (webhook.Webhook, error) {
	if len(c.Events) == 0 {
		return webhook.Webhook{}, fault.Invalidf("Webhook events must be a non-empty list of WebhookEvent objects: [].")
	}
	if err := s.check(ctx, c); err != nil {
		return webhook.Webhook{}, err
	}
	now := s.deps.Now().UnixMicro()
	w := webhook.Webhook{ID: s.deps.NewID(), CreatedUS: now, UpdatedUS: now}
	if err := s.apply(&w, c); err != nil {
		return w, err
	}
	return w, s.deps.Store.CreateWebhook(ctx, w, maxWebhooks)
}

func noWebhook(id string, err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.NotFoundf("Webhook with ID %s not found.", id)
	}
	return err
}

// Webhook returns a webhook.
func (s *Service) Webhook(ctx context.Context, id string) (webhook.Webhook, error) {
	w, err := s.deps.Store.Webhook(ctx, id)
	return w, noWebhook(id, err)
}

// List returns a page of webhooks, the newest first, and whether there are more.
func (s *Service) List(ctx context.Context, offset, limit int) ([]webhook.Webhook, bool, error) {
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > 1000 {
		return nil, false, fault.Invalidf("max_results must be between 1 and 1000.")
	}
	all, err := s.deps.Store.Webhooks(ctx)
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(all, webhook.Newest)
	all = all[min(offset, len(all)):]
	return all[:min(limit, len(all))], len(all) > limit, nil
}

// Update changes a webhook.
func (s *Service) Update(ctx context.Context, id string, c Change) (webhook.Webhook, error) {
	if _, err := s.Webhook(ctx, id); err != nil {
		return webhook.Webhook{}, err
	}
	if err := s.check(ctx, c); err != nil {
		return webhook.Webhook{}, err
	}
	var changed webhook.Webhook
	err := s.deps.Store.ChangeWebhook(ctx, id, func(w *webhook.Webhook) error {
		w.UpdatedUS = s.deps.Now().UnixMicro()
		err := s.apply(w, c)
		changed = *w
		return err
	})
	return changed, noWebhook(id, err)
}

// Delete deletes a webhook with what waits for it.
func (s *Service) Delete(ctx context.Context, id string) error {
	return noWebhook(id, s.deps.Store.DeleteWebhook(ctx, id))
}

// Tested is how a test of a webhook went.
type Tested struct {
	OK     bool
	Answer webhook.Answer
	// Error is why there was no answer.
	Error string
}

// Test sends an event with made-up data at once, and once; a nil event means the first that the webhook wants.
func (s *Service) Test(ctx context.Context, id string, event *webhook.Event) (Tested, error) {
	if event != nil {
		if err := CheckEvent(*event); err != nil {
			return Tested{}, err
		}
	}
	w, err := s.Webhook(ctx, id)
	if err != nil {
		return Tested{}, err
	}
	if event == nil {
		event = &w.Events[0]
	}
	body, err := webhook.Body(webhook.Example(*event), s.deps.Now())
	if err != nil {
		return Tested{}, err
	}
	answer, err := s.send(ctx, w, webhook.Delivery{ID: s.deps.NewID(), Body: body})
	if err != nil {
		return Tested{Error: fmt.Sprintf("Failed to test webhook: %v", err)}, ctx.Err()
	}
	return Tested{OK: answer.Status < 400, Answer: answer}, nil
}

// send makes one attempt.
func (s *Service) send(ctx context.Context, w webhook.Webhook, d webhook.Delivery) (webhook.Answer, error) {
	at := fmt.Sprint(s.deps.Now().Unix())
	headers := map[string]string{"Content-Type": "application/json", "X-MLflow-Delivery-Id": d.ID, "X-MLflow-Timestamp": at}
	if w.Sealed != nil {
		secret, err := s.deps.Box.Open(w.Sealed, purpose(w.ID))
		if err != nil {
			return webhook.Answer{}, fmt.Errorf("the secret of the webhook cannot be used: %w", err)
		}
		headers["X-MLflow-Signature"] = webhook.Signature(secret, d.ID, at, d.Body)
	}
	return s.deps.Sender.Send(ctx, w.URL, headers, d.Body)
}
