// Package webhook holds the vocabulary of webhooks: which events there are, what a webhook and a delivery are, and the bytes
// that are sent.
//
// Events, payloads, headers and signature are MLflow's, so that a receiver written for MLflow works unchanged. The package is
// pure: it knows neither how a delivery is stored nor how it is sent.
package webhook

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Entity is what an event is about.
type Entity string

// Action is what happened to it.
type Action string

// The entities and actions, in the order of MLflow's numbers for them, which begin with 1.
var (
	Entities = []Entity{"registered_model", "model_version", "model_version_tag", "model_version_alias", "prompt", "prompt_version",
		"prompt_tag", "prompt_version_tag", "prompt_alias", "budget_policy"}
	Actions = []Action{Created, "updated", Deleted, Set, "exceeded"}
)

// The actions that happen to something here.
const (
	Created Action = "created"
	Deleted Action = "deleted"
	Set     Action = "set"
)

// Event is a kind of event.
type Event struct {
	Entity Entity `json:"entity"`
	Action Action `json:"action"`
}

// String is the form in which people write an event, as in "model_version.created".
func (e Event) String() string { return string(e.Entity) + "." + string(e.Action) }

// ActionsOf returns what can happen to an entity, sorted.
func ActionsOf(e Entity) []Action {
	var out []Action
	for kind := range examples {
		if kind.Entity == e {
			out = append(out, kind.Action)
		}
	}
	slices.Sort(out)
	return out
}

// Happening is one event with what it tells.
type Happening struct {
	Event
	Data any
}

// Webhook is where events are sent to. Times are microseconds since 1970.
type Webhook struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	URL         string  `json:"url"`
	Events      []Event `json:"events"`
	Disabled    bool    `json:"disabled,omitempty"`
	// Sealed is the encrypted secret of the signature; nil when deliveries are not signed.
	Sealed    []byte `json:"sealed,omitempty"`
	CreatedUS int64  `json:"created_us"`
	UpdatedUS int64  `json:"updated_us"`
	// Last is how the latest attempt of a delivery went; nil before the first.
	Last *Outcome `json:"last,omitempty"`
}

// Wants reports whether the webhook gets an event.
func (w Webhook) Wants(e Event) bool { return !w.Disabled && slices.Contains(w.Events, e) }

// State is how far a delivery has come.
type State string

// The states of a delivery.
const (
	Delivered State = "DELIVERED"
	Retrying  State = "RETRYING"
	Failed    State = "FAILED"
)

// Outcome is how an attempt of a delivery went.
type Outcome struct {
	DeliveryID string `json:"delivery_id"`
	Event      string `json:"event"`
	State      State  `json:"state"`
	Attempts   int    `json:"attempts"`
	// Status is what the receiver answered; 0 when there was no answer.
	Status int    `json:"response_status,omitempty"`
	Error  string `json:"error,omitempty"`
	AtUS   int64  `json:"at_us"`
	// Failures counts the deliveries that were given up since one got through.
	Failures int `json:"failures_in_a_row,omitempty"`
}

// Delivery is an event on its way to one webhook. It is sent at least once, each time with the same id.
type Delivery struct {
	// Row is the store's own number of the delivery, ID what the receiver knows it by.
	Row       int64
	ID        string
	WebhookID string
	Event     string
	Body      []byte
	// Attempts is how often it was tried, NextUS when it is due again.
	Attempts int
	NextUS   int64
}

// Answer is what a receiver answered.
type Answer struct {
	Status int
	// Body is the beginning of what came.
	Body string
	// Again is how long the receiver asks to wait.
	Again time.Duration
}

// Body is what is sent of a happening: one JSON object. Of long texts and many tags it has only the beginning.
func Body(h Happening, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false) // as MLflow: a < is sent as it is
	err := to.Encode(struct {
		Entity    Entity `json:"entity"`
		Action    Action `json:"action"`
		Timestamp string `json:"timestamp"`
		Data      any    `json:"data"`
	}{h.Entity, h.Action, at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), bounded(h.Data)})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// keyPrefix begins a secret that holds a key as base64.
const keyPrefix = "whsec_"

// Key is what a shared secret signs with. One of whsec_ and base64 holds the key, as Standard Webhooks writes it
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md); any other text is itself the key, as with
// MLflow, which takes each text as it is.
func Key(secret []byte) []byte {
	text, is := strings.CutPrefix(string(secret), keyPrefix)
	if !is {
		return secret
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return secret
	}
	return key
}

// Signed reports whether one of the signatures in a header, which are parted by blanks, is that of a shared secret: of its Key, or of the text
// as it is, since MLflow and Levada's own registry sign with the text whatever it begins with. They are compared in constant time.
func Signed(header string, secret []byte, deliveryID, timestamp string, body []byte) bool {
	wants := []string{Signature(Key(secret), deliveryID, timestamp, body), Signature(secret, deliveryID, timestamp, body)}
	signed := false
	for given := range strings.FieldsSeq(header) {
		for _, want := range wants {
			signed = hmac.Equal([]byte(given), []byte(want)) || signed
		}
	}
	return signed
}

// Signature is what the receiver checks with the key that it shares (see Key): HMAC-SHA-256 (RFC 2104) of id, time in seconds since
// 1970 and body, joined by dots.
func Signature(key []byte, deliveryID, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", deliveryID, timestamp)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Backoff says how long to wait after each failed attempt; a delivery has one attempt more than there are pauses. All
// together a receiver may be away for about 16 hours.
var Backoff = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 5 * time.Hour, 10 * time.Hour}

// Retried reports whether an answer with that status, 0 for none, may be another one later.
func Retried(status int) bool {
	switch status {
	case 0, 408, 425, 429:
		return true
	}
	return status >= 500 && status != 501 && status != 505
}

// Pause is how long to wait after a number of attempts, at least as long as the receiver asks for, but an hour at most for
// that; false means that the delivery is given up.
func Pause(attempts int, asked time.Duration) (time.Duration, bool) {
	if attempts > len(Backoff) {
		return 0, false
	}
	return max(Backoff[attempts-1], min(asked, time.Hour)), true
}

// Newest sorts webhooks, the newest first.
func Newest(a, b Webhook) int {
	if c := cmp.Compare(b.CreatedUS, a.CreatedUS); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}
