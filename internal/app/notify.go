package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"levada/internal/adapter/mail"
	"levada/internal/adapter/outbound"
	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/webhook"
)

// notifier sends the messages of triggers.
type notifier struct {
	sender  *outbound.Sender
	secrets secretValues
}

// Send sends a message once.
func (n notifier) Send(ctx context.Context, to event.Notify, m event.Message) error {
	switch {
	case to.Slack != nil:
		url, err := n.secrets.Value(ctx, to.Slack.Secret, to.Slack.Of("url"))
		if err != nil {
			return err
		}
		return n.post(ctx, string(url), map[string]string{"text": m.Text}, nil, m.ID)
	case to.Webhook != nil:
		var secret []byte
		if signed := to.Webhook.Signed; signed != nil {
			var err error
			if secret, err = n.secrets.Value(ctx, signed.Secret, signed.Of("secret")); err != nil {
				return err
			}
			secret = webhook.Key(secret)
		}
		return n.post(ctx, to.Webhook.URL, m, secret, m.ID)
	case to.Email != nil:
		return n.mail(ctx, *to.Email, m)
	}
	return fault.Invalidf("nobody is to be told")
}

// post sends JSON. An answer that another attempt cannot change is an Invalid error. The address may be a secret: errors do not name it.
func (n notifier) post(ctx context.Context, url string, body any, secret []byte, id string) error {
	if err := n.sender.Check(ctx, url); err != nil {
		return fmt.Errorf("the address of the receiver cannot be used: it must be https, or named in the setting webhook_hosts, and resolve to a public address")
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	headers := map[string]string{"Content-Type": "application/json", "Webhook-Id": id, "Webhook-Timestamp": at}
	if secret != nil {
		headers["Webhook-Signature"] = webhook.Signature(secret, id, at, text.Bytes())
	}
	answer, err := n.sender.Send(ctx, url, headers, text.Bytes())
	switch {
	case err != nil:
		return err
	case answer.Status >= 200 && answer.Status < 300:
		return nil
	case webhook.Retried(answer.Status):
		return fmt.Errorf("the receiver answered with status %d", answer.Status)
	}
	return fault.Invalidf("the receiver answered with status %d", answer.Status)
}

func (n notifier) mail(ctx context.Context, to event.EmailReceiver, m event.Message) error {
	value := func(key string) (string, error) {
		v, err := n.secrets.Value(ctx, to.Secret, key)
		return string(v), err
	}
	server := mail.Server{Dial: n.sender.Dial}
	var err error
	if server.Address, err = value("server"); err != nil {
		return err
	}
	if server.From, err = value("from"); err != nil {
		return err
	}
	if server.User, err = value("user"); fault.KindOf(err) == fault.NotFound {
		err = nil
	}
	if err == nil && server.User != "" {
		server.Password, err = value("password")
	}
	if err != nil {
		return err
	}
	events, err := json.MarshalIndent(m.Events, "", "  ")
	if err != nil {
		return err
	}
	return server.Send(ctx, mail.Mail{ID: m.ID, Subject: m.Text, Text: m.Text + "\n\n" + string(events), To: to.To, Date: time.Now()})
}
