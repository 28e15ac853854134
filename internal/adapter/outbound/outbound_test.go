package outbound_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"levada/internal/adapter/outbound"
	"levada/internal/core/fault"
)

func TestOnlyAddressesOfThePublicInternetArePublic(t *testing.T) {
	for address, public := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1:248:1893:25c8:1946": true, "64:ff9b::5db8:d822": true, "::ffff:93.184.216.34": true, "2002:5db8:d822::1": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "192.0.2.1": false, "198.18.0.1": false, "203.0.113.9": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "2002:a00:1::": false, "2001:db8::1": false, "2001:0:1::1": false, "fec0::1": false,
	} {
		if got := outbound.Public(netip.MustParseAddr(address)); got != public {
			t.Errorf("%s: public %t; want %t", address, got, public)
		}
	}
	if outbound.Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

func sender(t *testing.T, hosts ...string) *outbound.Sender {
	t.Helper()
	s, err := outbound.New(hosts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Send asks nobody whether the URL was checked: this is what a name meets that resolves to something else the second time.
func TestAnAddressInsideIsRefusedWhenItIsDialled(t *testing.T) {
	asked := make(chan string, 10)
	inside := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer inside.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "https://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		_, err := sender(t).Send(t.Context(), "https://"+host+":"+port+"/hook?token=hidden", nil, []byte("{}"))
		if err == nil || !strings.Contains(err.Error(), "is not a public one") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: error %v; want it refused, without the URL", host, err)
		}
	}
	if _, err := sender(t, "127.0.0.1").Send(t.Context(), "http://127.0.0.1:"+port, nil, nil); err == nil || !strings.Contains(err.Error(), "http") {
		t.Errorf("unencrypted to a host that was named without http://: %v", err)
	}
	if len(asked) > 0 {
		t.Errorf("the server inside was asked for %s", <-asked)
	}
}

func TestHostsThatAreNamedAreReached(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(302)
		_, _ = w.Write([]byte(strings.Repeat("x", 1<<20)))
	}))
	defer inside.Close()
	for _, host := range []string{"http://127.0.0.1", strings.ToUpper(inside.URL)} {
		s := sender(t, host)
		if err := s.Check(t.Context(), inside.URL); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		a, err := s.Send(t.Context(), inside.URL, nil, nil)
		if err != nil || a.Status != 302 || a.Again != 7*time.Second || len(a.Body) != 4<<10 {
			t.Errorf("%s: status %d, again %v, %d bytes, %v; want the redirect itself, with 4 KiB of its body", host, a.Status, a.Again, len(a.Body), err)
		}
	}
	if err := sender(t, "http://127.0.0.1:1").Check(t.Context(), inside.URL); err == nil {
		t.Error("another port than the one that was named is taken")
	}
}

func TestAReceiverThatSaysNothingIsNotWaitedForWithoutEnd(t *testing.T) {
	release := make(chan struct{})
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer inside.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := sender(t, "http://127.0.0.1").Send(ctx, inside.URL, nil, nil); err == nil {
		t.Error("there was no answer and no error")
	}
}

func TestHostsThatAreNoneAreRefused(t *testing.T) {
	for _, host := range []string{"http://", "a/b", "http://a/b", "user@host", "https://x?y", "a b", ":80"} {
		if _, err := outbound.New([]string{host}); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%q: %v; want it refused", host, err)
		}
	}
}
