package reqlog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
)

func TestAddressesComeBackAsTheyWere(t *testing.T) {
	for text, want := range map[string]reqlog.Address{
		"levada://endpoints/flights/requests?window=24h0m0s":                           {Endpoint: "flights", Window: 24 * time.Hour},
		"levada://endpoints/flights/requests?earlier=168h0m0s&version=3&window=1h0m0s": {Endpoint: "flights", Window: time.Hour, Earlier: 7 * 24 * time.Hour, Version: "3"},
		"levada://endpoints/flights/training":                                          {Endpoint: "flights", Training: true},
	} {
		got, is, err := reqlog.ParseAddress(text)
		if err != nil || !is || got.String() != text {
			t.Errorf("%s: %v, %v: %s", text, is, err, got)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	if a, is, err := reqlog.ParseAddress("levada://endpoints/e/requests?window=7d"); err != nil || !is || a.Window != 7*24*time.Hour {
		t.Errorf("days: %v, %v, %v", a, is, err)
	}
}

func TestAddressesOfOtherThingsAreNotRead(t *testing.T) {
	for _, text := range []string{"levada://sha256:12", "/data/a.csv", "s3://endpoints/x", ""} {
		if _, is, err := reqlog.ParseAddress(text); is || err != nil {
			t.Errorf("%q: %v, %v", text, is, err)
		}
	}
}

func TestWrongAddressesAreRefused(t *testing.T) {
	for _, rest := range []string{"", "e", "e/", "e/quality", "e/requests", "e/requests?window=", "e/requests?window=soon", "e/requests?window=1ms", "e/requests?window=-1h",
		"e/requests?window=1h&earlier=x", "e/requests?window=1h&until=now", "e/training?window=1h", "a%2Fb/training", "%zz/training", "e/requests?window=%zz"} {
		if a, is, err := reqlog.ParseAddress("levada://endpoints/" + rest); !is || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, %v, %v", rest, a, is, err)
		}
	}
}
