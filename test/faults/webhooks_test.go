package faults

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"levada/internal/core/webhook"
	"levada/test/levadatest"
)

type webhookCase struct {
	Secret    string `json:"secret"`
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Body      string `json:"body"`
	Signature string `json:"signature,omitempty"`
}

// The official library of Standard Webhooks signs what a trigger takes and verifies what a notification sends, with a secret in the form that
// the standard gives it.
func TestWebhooksAreThoseOfTheOfficialLibrary(t *testing.T) {
	const secret, word = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_my-word" // 24 bytes in base64, and a text that is none
	// The environment is made before anything is signed: that may take longer than a signature is good for.
	if _, err := levadatest.LibraryPython("faults", "webhooks"); err != nil {
		t.Fatal(err)
	}
	sent := make(chan webhookCase, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		at, wrong := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
		if err == nil && wrong == nil {
			sent <- webhookCase{secret, r.Header.Get("Webhook-Id"), at, string(body), r.Header.Get("Webhook-Signature")}
		}
	}))
	defer receiver.Close()
	srv := levadatest.Start(t, "LEVADA_WEBHOOK_HOSTS="+receiver.URL)
	for name, value := range map[string]string{"partner": secret, "word": word} {
		if status := call(t, http.MethodPut, srv.URL+"/api/v1/secrets/"+name, map[string]any{"data": map[string]string{"secret": value}}, nil); status >= 300 {
			t.Fatalf("make a secret: status %d", status)
		}
	}
	create := func(name string, body map[string]any) string {
		t.Helper()
		var made triggerView
		body["display_name"] = name
		if status := call(t, http.MethodPost, srv.URL+"/api/v1/triggers", body, &made); status != http.StatusCreated {
			t.Fatalf("create the trigger %s: status %d", name, status)
		}
		return made.ID
	}
	hook := func(secret string) map[string]any { return map[string]any{"webhook": map[string]any{"secret": secret}} }
	taking := create("hook", map[string]any{"spec": echo, "on": hook("partner"), "parameters_from": map[string]any{"what": "event.body.day"}})
	wording := create("word", map[string]any{"spec": echo, "on": hook("word"), "parameters_from": map[string]any{"what": "event.body.day"}})
	create("tell", map[string]any{"on": map[string]any{"run": map[string]any{"pipeline": "echo"}},
		"notify": map[string]any{"webhook": map[string]any{"url": receiver.URL, "signed": map[string]any{"secret": "partner"}}}})

	delivery := webhookCase{secret, "delivery-1", time.Now().Unix(), `{"day": "2013-04-01"}`, ""}
	var signatures []string
	levadatest.AskPython(t, "faults", "webhooks", "webhook_values.py", []webhookCase{delivery}, &signatures)
	post := func(trigger, signature string) int {
		t.Helper()
		return send(t, srv.URL+"/api/v1/triggers/"+trigger+"/events", delivery.Body, map[string]string{
			"webhook-id": delivery.ID, "webhook-timestamp": fmt.Sprint(delivery.Timestamp), "webhook-signature": signature})
	}
	// As MLflow and Levada's registry sign.
	text := func(secret string) string {
		return webhook.Signature([]byte(secret), delivery.ID, fmt.Sprint(delivery.Timestamp), []byte(delivery.Body))
	}
	got := []int{post(taking, signatures[0]), post(taking, "v1,"+signatures[0][4:]+"="), post(taking, text(secret)), post(wording, signatures[0]), post(wording, text(word))}
	if want := []int{http.StatusAccepted, http.StatusUnauthorized, http.StatusAccepted, http.StatusUnauthorized, http.StatusAccepted}; !slices.Equal(got, want) {
		t.Errorf("a good and a forged webhook, the good one signed with the text, one signed with another secret and one with a text that is no key are answered with %v, want %v", got, want)
	}
	want := map[string]int{"2013-04-01": 2} // what comes twice fires once
	if runs := until(t, srv, func(runs map[string]int) bool { return runs["2013-04-01"] >= 2 }); !maps.Equal(runs, want) {
		t.Errorf("runs are %v, want %v", runs, want)
	}
	select {
	case message := <-sent:
		var said []string
		levadatest.AskPython(t, "faults", "webhooks", "webhook_values.py", []webhookCase{message}, &said)
		if said[0] != "verified" {
			t.Errorf("the library says of %+v: %s", message, said[0])
		}
	case <-time.After(2 * time.Minute):
		t.Fatalf("nobody was told\n%s", srv.Log())
	}
}
