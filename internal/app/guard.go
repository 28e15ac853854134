package app

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"

	"levada/internal/config"
)

// guard keeps web pages of others away from a server without authentication. A page can make a browser send requests to
// localhost: those that change something are refused by their origin, and a name that was made to resolve to this
// machine (DNS rebinding) is refused by its Host header. With --insecure any host name is served.
func guard(cfg config.Config, next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !cfg.Insecure && !localHost(r.Host) {
			http.Error(w, "This server answers only to localhost and 127.0.0.1, not to the name in your request.", http.StatusForbidden)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

func localHost(hostport string) bool {
	host := hostport
	if h, port, err := net.SplitHostPort(hostport); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
			return false // "127.0.0.1:80.example.com" is no port of this machine
		}
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
