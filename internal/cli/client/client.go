// Package client calls Levada's own HTTP API.
//
// It is the one way in which commands reach an engine: over a connection to a server, or, through Handler, by calling
// the API inside the same process. It must not know terminals or commands. Start reading at Client.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"levada/internal/core/fault"
)

const prefix = "/api/v1"

// maxAnswerBytes bounds what is read into memory of one answer that is not a stream.
const maxAnswerBytes = 256 << 20

// Unreachable says that no server answered. It is apart from the kinds of fault, because the caller has to start or
// find a server instead of changing the request.
type Unreachable struct {
	URL   string
	Cause error
}

// Error says which address did not answer and why.
func (e *Unreachable) Error() string {
	cause := e.Cause
	var u *url.Error
	if errors.As(cause, &u) {
		cause = u.Err
	}
	return fmt.Sprintf("no Levada server answers at %s: %v", e.URL, cause)
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Cause }

// Client calls one server.
type Client struct {
	base string
	http *http.Client
}

// New makes a client for a server's address, such as http://127.0.0.1:8080. With a transport the calls go through it.
func New(base string, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.Invalidf("server address %q: want http://HOST:PORT", redact(base))
	}
	if u.User != nil {
		return nil, fault.Invalidf("server address %q: a user and password are not supported", u.Redacted())
	}
	if transport == nil {
		// A client of a local server must not go through a proxy meant for the outside world.
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.Proxy = proxyUnlessLocal
		transport = t
	}
	return &Client{base: strings.TrimSuffix(u.String(), "/"), http: &http.Client{Transport: transport}}, nil
}

// redact keeps a password out of a message about an address that could not be read.
func redact(address string) string {
	if i := strings.LastIndex(address, "@"); i >= 0 {
		return "…" + address[i:]
	}
	return address
}

func proxyUnlessLocal(r *http.Request) (*url.URL, error) {
	if h := r.URL.Hostname(); h == "localhost" || h == "::1" || strings.HasPrefix(h, "127.") {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// Close gives the idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// do sends a request and returns an answer with a status below 300; the caller closes its body.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body any, accept string) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	target := c.base + prefix + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", accept)
	return c.send(ctx, req)
}

// send sends a request and returns an answer with a status below 300; the caller closes its body.
func (c *Client) send(ctx context.Context, req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &Unreachable{URL: c.base, Cause: err}
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, problemOf(c.base, resp)
	}
	return resp, nil
}

// call sends a request and decodes the JSON answer into out, unless out is nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, out any) error {
	resp, err := c.do(ctx, method, path, query, body, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := decode(resp.Body, out); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	return nil
}

func decode(body io.Reader, out any) error {
	return json.NewDecoder(io.LimitReader(body, maxAnswerBytes)).Decode(out)
}

// problemOf turns an answer with a failure into the error that the server meant (RFC 9457).
func problemOf(base string, resp *http.Response) error {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		// Message is what MLflow's part of the API calls the detail.
		Message string `json:"message"`
		Errors  []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what could be read is better than nothing
	if !strings.Contains(resp.Header.Get("Content-Type"), "json") || json.Unmarshal(b, &p) != nil {
		return fmt.Errorf("%s answered %s, which Levada does not: is another program listening there?", base, resp.Status)
	}
	text := cmp.Or(p.Detail, p.Message, p.Title)
	for _, e := range p.Errors {
		text += fmt.Sprintf("; %s: %s", e.Location, e.Message)
	}
	return &fault.Error{Kind: kindOf(resp.StatusCode), Message: text}
}

func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fault.Invalid
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusServiceUnavailable:
		return fault.Unavailable
	case http.StatusNotImplemented:
		return fault.Unimplemented
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusTooManyRequests:
		return fault.Exhausted
	default:
		return fault.Internal
	}
}
