// Package outbound sends requests to addresses that clients have named.
//
// Such an address must not become a way into the network that the server is in: the address that a connection really goes to
// is looked at after the name was resolved and before a byte is sent, so a name that resolves to something else the second
// time gains nothing. Redirects are not followed and proxies not used. Start reading at Sender.Dial.
package outbound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/webhook"
)

const (
	// requestTime bounds one attempt, from the resolution of the name to the end of the answer.
	requestTime = 30 * time.Second
	resolveTime = 5 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 4 << 10
)

// Sender posts to receivers. Its methods may be called from any goroutine.
type Sender struct {
	allowed map[string]bool // hosts with or without port, true for those that may be reached without encryption
	client  *http.Client
}

// New returns a sender. Hosts are those that may be reached although their addresses are not public, each as HOST or HOST:PORT;
// with "http://" before it requests to it may also go unencrypted.
func New(hosts []string) (*Sender, error) {
	s := &Sender{allowed: map[string]bool{}}
	for _, h := range hosts {
		name, plain := strings.CutPrefix(strings.ToLower(h), "http://")
		name = strings.TrimPrefix(name, "https://")
		u, err := url.Parse("http://" + name)
		if err != nil || name == "" || u.Host != name || u.Hostname() == "" {
			return nil, fault.Invalidf("%q is not a host; want HOST or HOST:PORT, with http:// before it when unencrypted requests are meant", h)
		}
		s.allowed[name] = s.allowed[name] || plain
	}
	s.client = &http.Client{
		Timeout:       requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: s.Dial, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
			MaxIdleConnsPerHost: 1, MaxIdleConns: 32, IdleConnTimeout: time.Minute,
		},
	}
	return s, nil
}

// listed reports whether a host was named in the settings, and whether it may be reached without encryption.
func (s *Sender) listed(host, port string) (named, plain bool) {
	host = strings.ToLower(host)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	for _, name := range []string{host, host + ":" + port} {
		p, ok := s.allowed[name]
		named, plain = named || ok, plain || p
	}
	return named, plain
}

// errPrivate says that an address is not to be reached.
func errPrivate(a netip.Addr) error {
	return fault.Invalidf("the address %s is not a public one; hosts inside may be named in the setting webhook_hosts", a.Unmap())
}

// Dial connects to a host; unless it was named in the settings, to a public address of it only.
func (s *Sender) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 10 * time.Second}
	if named, _ := s.listed(host, port); !named {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if !Public(to.Addr()) {
				return errPrivate(to.Addr())
			}
			return nil
		}
	}
	return d.DialContext(ctx, network, address)
}

// Transport makes connections as Dial does, up to idle of them kept for each host. It checks the scheme of each request, whose settings may
// have changed since the address was given.
func (s *Sender) Transport(idle int) http.RoundTripper {
	return guarded{s, &http.Transport{
		DialContext: s.Dial, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		MaxIdleConnsPerHost: idle, IdleConnTimeout: time.Minute,
	}}
}

// HTTP2 is a transport that speaks HTTP/2 alone, as gRPC does, also unencrypted where that is allowed. It reaches what Transport reaches.
func (s *Sender) HTTP2() http.RoundTripper {
	t := &http.Transport{
		DialContext: s.Dial, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		IdleConnTimeout: time.Minute, Protocols: new(http.Protocols),
		// All requests share a connection: one whose other end is gone must not keep them.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return guarded{s, t}
}

type guarded struct {
	s    *Sender
	next *http.Transport
}

func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, plain := g.s.listed(r.URL.Hostname(), portOf(r.URL)); r.URL.Scheme != "https" && !plain {
		return nil, errPlain(r.URL.Scheme)
	}
	return g.next.RoundTrip(r)
}

// CloseIdleConnections closes those that are kept.
func (g guarded) CloseIdleConnections() { g.next.CloseIdleConnections() }

func errPlain(scheme string) error {
	return fault.Invalidf("the scheme %q is not allowed: want https, or name the host with http:// in the setting webhook_hosts", scheme)
}

// Reachable refuses a URL that a Transport would not reach: unencrypted, or at an address that is not public, unless the settings name it.
func (s *Sender) Reachable(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fault.Invalidf("the URL cannot be read")
	}
	host, port := u.Hostname(), portOf(u)
	named, plain := s.listed(host, port)
	if !strings.EqualFold(u.Scheme, "https") && (!strings.EqualFold(u.Scheme, "http") || !plain) {
		return errPlain(u.Scheme)
	}
	if named {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return fault.Invalidf("the host %s has no address", fault.Shorten(host, 200))
	}
	for _, a := range found {
		if !Public(a) {
			return errPrivate(a)
		}
	}
	return nil
}

// Check refuses a URL that nothing would be sent to. Its messages are MLflow's.
func (s *Sender) Check(ctx context.Context, raw string) error {
	if strings.TrimSpace(raw) == "" {
		return fault.Invalidf("Webhook URL cannot be empty or just whitespace: '%s'", raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return fault.Invalidf("Invalid webhook URL: it cannot be read")
	}
	host, port := u.Hostname(), portOf(u)
	named, plain := s.listed(host, port)
	if scheme := strings.ToLower(u.Scheme); scheme != "https" && (scheme != "http" || !plain) {
		return fault.Invalidf("Invalid webhook URL scheme: '%s'. Allowed schemes are: https.", scheme)
	}
	if host == "" {
		return fault.Invalidf("Webhook URL must include a hostname: '%s'", raw)
	}
	if u.User != nil {
		return fault.Invalidf("Webhook URL must not include embedded credentials: give the webhook a secret, with which deliveries are signed")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fault.Invalidf("Invalid webhook URL: %q is not a port", port)
	}
	if named {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return fault.Invalidf("Cannot resolve Webhook URL hostname '%s': %s", host, dns.Err)
		}
		return fault.Invalidf("Cannot resolve Webhook URL hostname '%s'", host)
	}
	for _, a := range found {
		if !Public(a) {
			return fault.Invalidf("Webhook URL must not resolve to a non-public IP address. '%s' resolves to %s.", host, shown(host, a))
		}
	}
	return nil
}

// shown is an address as Python writes it: one of IPv4 inside IPv6 in hexadecimal digits.
func shown(host string, a netip.Addr) string {
	if given, err := netip.ParseAddr(host); err == nil && given.Is4In6() {
		b := given.As16()
		return fmt.Sprintf("::ffff:%x:%x", int(b[12])<<8|int(b[13]), int(b[14])<<8|int(b[15]))
	}
	return a.Unmap().String()
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	}
	return "443"
}

// Send posts a body once.
func (s *Sender) Send(ctx context.Context, raw string, headers map[string]string, body []byte) (webhook.Answer, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return webhook.Answer{}, errors.New("the URL cannot be read")
	}
	// The settings may have changed since the webhook was made.
	if _, plain := s.listed(u.Hostname(), portOf(u)); u.Scheme != "https" && (u.Scheme != "http" || !plain) {
		return webhook.Answer{}, errPlain(u.Scheme)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, raw, bytes.NewReader(body))
	if err != nil {
		return webhook.Answer{}, errors.New("the URL cannot be used")
	}
	req.Header.Set("User-Agent", "levada")
	for name, value := range headers {
		req.Header[name] = []string{value} // in MLflow's spelling
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL, which may hold a secret
		}
		return webhook.Answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return webhook.Answer{}, fmt.Errorf("the answer broke off: %w", err)
	}
	a := webhook.Answer{Status: resp.StatusCode, Body: strings.ToValidUTF8(string(text), "\uFFFD")}
	a.Again = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return a, nil
}

// retryAfter is how long a Retry-After asks to wait, a day at most: it holds seconds or a date (RFC 9110, section 10.2.3). What cannot
// be read asks for nothing.
func retryAfter(value string, now time.Time) time.Duration {
	const day = 24 * time.Hour
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(day/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), day)
}
