package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"levada/internal/core/webhook"
)

// The signature was made with Python: base64(hmac.new(b"secret", b"id-1.1700000000.{}", sha256).digest()).
func TestSignaturesAreThoseThatReceiversCompute(t *testing.T) {
	const want = "v1,INeKoTJf3oA0gkbf9o9zzhF1HmUVFbZjUB3nz8nalnc="
	if got := webhook.Signature([]byte("secret"), "id-1", "1700000000", []byte("{}")); got != want {
		t.Errorf("signature %s; want %s", got, want)
	}
}

// The key of a secret of Standard Webhooks is what its base64 holds; MLflow and Levada's registry sign with the text as it is, whatever it
// begins with.
func TestASecretSignsAsTextOrAsTheKeyThatItHolds(t *testing.T) {
	for _, c := range []struct {
		secret, key string
		want        bool
	}{
		{"whsec_c2VjcmV0", "secret", true}, {"whsec_c2VjcmV0", "whsec_c2VjcmV0", true}, {"whsec_c2VjcmV0", "c2VjcmV0", false},
		{"whsec_my-word", "whsec_my-word", true}, {"whsec_my-word", "my-word", false}, {"whsec_my-word", "", false},
		{"whsec_", "whsec_", true}, {"whsec_", "", false}, {"plain", "plain", true}, {"plain", "other", false},
	} {
		header := "v1,old " + webhook.Signature([]byte(c.key), "id-1", "1700000000", []byte("{}"))
		if got := webhook.Signed(header, []byte(c.secret), "id-1", "1700000000", []byte("{}")); got != c.want {
			t.Errorf("the secret %s and a signature with %q: %t, want %t", c.secret, c.key, got, c.want)
		}
	}
	for secret, want := range map[string]string{"whsec_c2VjcmV0": "secret", "whsec_my-word": "whsec_my-word", "plain": "plain"} {
		if got := webhook.Key([]byte(secret)); string(got) != want {
			t.Errorf("the key of %s is %q, want %q", secret, got, want)
		}
	}
}

func TestBodiesHaveMLflowsForm(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	got, err := webhook.Body(webhook.Example(webhook.Event{Entity: "model_version_tag", Action: webhook.Deleted}), at)
	const want = `{"entity":"model_version_tag","action":"deleted","timestamp":"2026-01-02T02:04:05.000006+00:00","data":{"name":"example_model","version":"1","key":"example_key"}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s %v\nwant %s", got, err, want)
	}
}

func TestADeliveryIsGivenUpInTheEnd(t *testing.T) {
	total, attempts := time.Duration(0), 1
	for ; ; attempts++ {
		pause, more := webhook.Pause(attempts, 0)
		if !more {
			break
		}
		total += pause
	}
	if attempts != len(webhook.Backoff)+1 || total < 12*time.Hour || total > 24*time.Hour {
		t.Errorf("%d attempts over %v", attempts, total)
	}
	if pause, _ := webhook.Pause(1, 30*time.Second); pause != 30*time.Second {
		t.Errorf("a receiver that asks for 30 s waits %v", pause)
	}
	if pause, _ := webhook.Pause(1, 100*time.Hour); pause != time.Hour {
		t.Errorf("a receiver that asks for 100 h waits %v", pause)
	}
}

func TestAPayloadIsBoundedAndIsTextAsItIs(t *testing.T) {
	long := strings.Repeat("é<", 1<<20)
	tags := map[string]string{"zz": "last", "a": "<b>&"}
	for i := range 2000 {
		tags[fmt.Sprintf("k%04d", i)] = strings.Repeat("v", 5000)
	}
	for _, data := range []any{
		webhook.Model{Name: "m", Tags: tags, Description: &long}, webhook.Version{Name: "m", Tags: tags, Description: &long},
		webhook.PromptVersion{Name: "m", Tags: tags, Template: &long, Description: &long}, webhook.Tag{Name: "m", Key: "k", Value: &long},
	} {
		body, err := webhook.Body(webhook.Happening{Data: data}, time.Now())
		if err != nil || !json.Valid(body) || !utf8.Valid(body) || len(body) > 1<<20 || bytes.HasSuffix(body, []byte("\n")) {
			t.Errorf("%T: %d bytes, %v; want JSON of at most 1 MiB", data, len(body), err)
		}
		if _, tag := data.(webhook.Tag); !tag && (!bytes.Contains(body, []byte(`"a":"<b>&"`)) || bytes.Contains(body, []byte(`"zz"`))) {
			t.Errorf("%T: want the first tags, as they are, and not the last: %.200s", data, body)
		}
	}
	if len(tags) != 2002 {
		t.Error("the tags of the caller were changed")
	}
}
