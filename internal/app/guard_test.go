package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"levada/internal/config"
)

func TestOtherSitesAndForeignNamesReachNoDoor(t *testing.T) {
	for _, c := range []struct {
		what, method, host string
		headers            map[string]string
		insecure           bool
		want               int
	}{
		{what: "a program on this machine", method: "POST", host: "127.0.0.1:8080", want: 200},
		{what: "the same by name", method: "POST", host: "localhost:8080", want: 200},
		{what: "IPv6", method: "GET", host: "[::1]:8080", want: 200},
		{what: "Levada's own page", method: "POST", host: "localhost:8080", headers: map[string]string{"Sec-Fetch-Site": "same-origin"}, want: 200},
		{what: "a page of another site that changes something", method: "POST", host: "localhost:8080", headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		{what: "the same in an old browser", method: "DELETE", host: "localhost:8080", headers: map[string]string{"Origin": "http://evil.example"}, want: 403},
		{what: "a name that was made to resolve to this machine", method: "GET", host: "evil.example:8080", want: 403},
		{what: "a name behind the address of this machine", method: "GET", host: "127.0.0.1:8080.evil.example", want: 403},
		{what: "an address of this machine that others reach", method: "GET", host: "192.0.2.1:8080", want: 403},
		{what: "a name, where that was allowed", method: "GET", host: "ml.example:8080", insecure: true, want: 200},
		{what: "another site, where names are allowed", method: "POST", host: "ml.example:8080", insecure: true, headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
	} {
		reached := false
		h := guard(config.Config{Insecure: c.insecure}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		r := httptest.NewRequest(c.method, "/apis/v2beta1/runs", nil)
		r.Host = c.host
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want || reached != (c.want == 200) {
			t.Errorf("%s: status %d, reached %v; want %d", c.what, w.Code, reached, c.want)
		}
	}
}
