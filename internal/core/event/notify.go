package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"levada/internal/core/fault"
)

// Notify says whom a trigger tells instead of starting a run: exactly one of Webhook, Slack and Email.
type Notify struct {
	Webhook *WebhookReceiver `json:"webhook,omitempty" doc:"post the message and the events as JSON"`
	Slack   *SecretKey       `json:"slack,omitempty" doc:"an incoming webhook of Slack, or of what takes the same; its address is in a secret, as url unless key says otherwise"`
	Email   *EmailReceiver   `json:"email,omitempty" doc:"an email by SMTP"`
	// Text is an expression in CEL that gives the message.
	Text string `json:"text,omitempty" maxLength:"8192" doc:"expression in CEL over event and events that gives the message"`
}

// SecretKey names a value of a secret.
type SecretKey struct {
	Secret string `json:"secret" maxLength:"253" doc:"name of a secret (levada secret)"`
	Key    string `json:"key,omitempty" maxLength:"253"`
}

// Of is the key, or another one where none is named.
func (s SecretKey) Of(otherwise string) string {
	if s.Key == "" {
		return otherwise
	}
	return s.Key
}

// WebhookReceiver is an address that is posted to.
type WebhookReceiver struct {
	URL string `json:"url" maxLength:"2000"`
	// Signed names the secret with which requests are signed as those of WebhookSource are.
	Signed *SecretKey `json:"signed,omitempty" doc:"sign requests with this secret, as Standard Webhooks does; its key is secret unless named"`
}

// EmailReceiver are the receivers of an email. The secret has server (HOST:PORT) and from, and user and password where the server
// wants them.
type EmailReceiver struct {
	To     []string `json:"to" minItems:"1" maxItems:"50" doc:"addresses"`
	Secret string   `json:"secret" maxLength:"253" doc:"name of a secret with server (HOST:PORT), from, and if need be user and password"`
}

func (n *Notify) check() error {
	named := 0
	for _, set := range []bool{n.Webhook != nil, n.Slack != nil, n.Email != nil} {
		if set {
			named++
		}
	}
	switch {
	case named != 1:
		return fault.Invalidf("notify names %d receivers; want one of webhook, slack and email", named)
	case n.Slack != nil && n.Slack.Secret == "" || n.Email != nil && n.Email.Secret == "":
		return fault.Invalidf("notify names no secret; \"levada secret set\" makes one")
	case n.Email != nil && len(n.Email.To) == 0:
		return fault.Invalidf("notify.email.to is empty")
	case n.Webhook != nil && n.Webhook.URL == "":
		return fault.Invalidf("notify.webhook.url is missing")
	}
	if n.Email != nil {
		for _, to := range n.Email.To {
			// Whoever sends it reads the address whole.
			if name, domain, ok := strings.Cut(to, "@"); !ok || name == "" || domain == "" || strings.ContainsFunc(to, unicode.IsControl) {
				return fault.Invalidf("notify.email.to has %q; want an address such as ops@example.com", fault.Shorten(to, 200))
			}
		}
	}
	return nil
}

// Message is what a receiver is told.
type Message struct {
	// ID is the same each time that it is sent.
	ID      string  `json:"id"`
	Trigger string  `json:"trigger"`
	Text    string  `json:"text"`
	Events  []Event `json:"events"`
}

// Message makes the message for some events, oldest first. With an error, which is that of notify.text, it says what has happened without it.
func (r *Rules) Message(id string, events []Event) (Message, error) {
	m := Message{ID: id, Trigger: r.trigger.Name, Events: events}
	m.Text = r.trigger.Name + ": " + summary(events[len(events)-1])
	if more := len(events) - 1; more > 0 {
		m.Text += fmt.Sprintf(" (and %d more)", more)
	}
	if r.text == nil {
		return m, nil
	}
	v, err := r.text.Eval(variables(events))
	if err != nil {
		return m, fault.Invalidf("notify.text: %w", err)
	}
	m.Text = text(v)
	return m, nil
}

// summary says what has happened in one line.
func summary(e Event) string {
	switch e.Kind {
	case Run:
		if e.text("state") == string(Refused) {
			pipeline := e.text("pipeline")
			if pipeline != "" {
				pipeline = " of " + pipeline
			}
			return fmt.Sprintf("run %s%s was not started: %s", e.text("name"), pipeline, fault.Shorten(e.text("message"), 2500))
		}
		text := fmt.Sprintf("run %s of %s: %s", e.text("name"), e.text("pipeline"), e.text("state"))
		if why := e.text("message"); why != "" {
			text += ": " + fault.Shorten(why, 1000)
		}
		return text
	case Late:
		return fmt.Sprintf("run %s of %s is late: it has not ended", e.text("name"), e.text("pipeline"))
	}
	b, err := json.Marshal(e.Data)
	if err != nil {
		return string(e.Kind)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", e.Kind, fault.Shorten(string(b), 500)))
}
