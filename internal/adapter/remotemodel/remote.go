// Package remotemodel has another server predict: a remote is a model that it serves over the REST form of the Open Inference Protocol v2
// (https://github.com/kserve/open-inference-protocol).
//
// To the service of endpoints a remote looks like a model in a process of ours: a worker is one request at a time, it is "loaded" when the
// other server says that the model is ready, and lost when that cannot be reached. Which addresses may be reached is the transport's to
// know. No error holds a secret, nor more of an answer than its own message. Start reading at Host.Prepare.
package remotemodel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// Options are what a host is made of.
type Options struct {
	// Transport reaches other servers, and refuses those that must not be reached.
	Transport http.RoundTripper
	// Secret returns a value of a secret.
	Secret func(ctx context.Context, name, key string) ([]byte, error)
	// MaxAnswer is the largest answer that is read, in bytes.
	MaxAnswer int64
}

// Host makes workers for remotes. Its methods may be called from any goroutine.
type Host struct {
	opt    Options
	client *http.Client
}

// New returns a host.
func New(o Options) *Host {
	return &Host{o, &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes connections that are kept; all workers have been closed before.
func (h *Host) Close() { h.client.CloseIdleConnections() }

// Prepared is a remote that workers can be started for.
type Prepared struct {
	host   *Host
	remote endpoint.Remote
}

// Prepare does nothing that could fail: what is needed is asked for with each worker.
func (h *Host) Prepare(r endpoint.Remote) *Prepared { return &Prepared{h, r} }

// Release does nothing: a remote holds nothing.
func (*Prepared) Release() {}

// readyLimit bounds the question whether a model is ready.
const readyLimit = 10 * time.Second

// Start asks whether the model is ready, and returns a worker when it is. The secret is read anew with each worker.
func (p *Prepared) Start(ctx context.Context) (*Worker, error) {
	w := &Worker{host: p.host, url: strings.TrimSuffix(p.remote.URL, "/"), gone: make(chan struct{})}
	if p.remote.Secret != "" {
		token, err := p.host.opt.Secret(ctx, p.remote.Secret, endpoint.SecretKey)
		if err != nil {
			return nil, fault.Unavailablef("the secret of the remote: %w", err)
		}
		w.authorization = "Bearer " + strings.TrimSpace(string(token))
	}
	if err := w.ready(ctx, readyLimit); err != nil {
		return nil, err
	}
	return w, nil
}

// Worker asks another server, one request at a time. Its methods are for one goroutine at a time, but for Gone, Err and Memory.
type Worker struct {
	host          *Host
	url           string
	authorization string

	once sync.Once
	gone chan struct{}
	err  error // set before gone is closed
}

// lost says that the other server cannot be reached, or does not want to be asked as we ask.
func (w *Worker) lost(err error) error {
	w.once.Do(func() { w.err = err; close(w.gone) })
	return err
}

// Gone is closed when the worker is of no more use; Err then says why.
func (w *Worker) Gone() <-chan struct{} { return w.gone }

// Err says why it is of no more use; nil before.
func (w *Worker) Err() error {
	select {
	case <-w.gone:
		return w.err
	default:
		return nil
	}
}

// Memory is 0: what the other server uses is not known.
func (*Worker) Memory() int64 { return 0 }

// Close ends the worker. Closing twice is the same as closing once.
func (w *Worker) Close() { _ = w.lost(fault.Unavailablef("the worker was ended")) }

// Check asks whether the model is still ready.
func (w *Worker) Check(ctx context.Context, limit time.Duration) error {
	if err := w.ready(ctx, limit); err != nil {
		return w.lost(err)
	}
	return nil
}

func (w *Worker) ready(ctx context.Context, limit time.Duration) error {
	status, body, err := w.ask(ctx, http.MethodGet, "/ready", nil, limit)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fault.Unavailablef("the other server says that its model is not ready: %s", said(status, body))
	}
	return nil
}

// Predict sends the requests as one and gives each its rows of the answer.
func (w *Worker) Predict(ctx context.Context, requests []*infer.Request, limit time.Duration) ([]*infer.Response, error) {
	body, err := encode(requests)
	if err != nil {
		return nil, err
	}
	status, answer, err := w.ask(ctx, http.MethodPost, "/infer", body, limit)
	switch {
	case err != nil:
		return nil, w.lost(err)
	case status == http.StatusOK:
		return Decode(answer, requests)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, w.lost(fault.Unavailablef("the other server refuses the request: %s", said(status, answer)))
	case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity:
		return nil, fault.Invalidf("the other server refuses the input: %s", said(status, answer))
	}
	return nil, fault.Unavailablef("the other server: %s", said(status, answer))
}

// ask sends a request and reads the answer whole. Errors are those of getting one, whatever it says.
func (w *Worker) ask(ctx context.Context, method, path string, body []byte, limit time.Duration) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fault.Invalidf("the URL of the remote cannot be used")
	}
	req.Header.Set("User-Agent", "levada")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.authorization != "" {
		req.Header.Set("Authorization", w.authorization)
	}
	resp, err := w.host.client.Do(req)
	if err != nil {
		return 0, nil, reaching(ctx, err, limit)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, w.host.opt.MaxAnswer+1))
	if err != nil {
		return 0, nil, reaching(ctx, err, limit)
	}
	if int64(len(answer)) > w.host.opt.MaxAnswer {
		return 0, nil, fault.Unavailablef("the other server answered more than %d bytes", w.host.opt.MaxAnswer)
	}
	return resp.StatusCode, answer, nil
}

// reaching explains an error of the transport, without the URL.
func reaching(ctx context.Context, err error, limit time.Duration) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w (%w)", fault.Unavailablef("the other server gave no answer within %s", limit), context.DeadlineExceeded)
	}
	if fault.KindOf(err) == fault.Invalid {
		return err // an address that must not be reached
	}
	return fault.Unavailablef("the other server cannot be reached: %w", err)
}

// said is what an answer that is no prediction says: its status, and the message where it has the protocol's form.
func said(status int, body []byte) string {
	text := fmt.Sprintf("status %d", status)
	if status >= 300 && status < 400 {
		return text + ", a redirect, which is not followed"
	}
	var h struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &h) == nil && h.Error != "" {
		text += ": " + fault.Shorten(strings.ToValidUTF8(h.Error, "?"), 500)
	}
	return text
}
