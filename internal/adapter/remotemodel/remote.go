// Package remotemodel has another server predict: a remote is a model that it serves over the Open Inference Protocol v2, as REST or gRPC
// (https://github.com/kserve/open-inference-protocol), or over MLflow's /invocations.
//
// To the service of endpoints a remote looks like a model in a process of ours: a worker is one request at a time, it is "loaded" when the
// other server says that the model is ready, and lost when that cannot be reached. Which addresses may be reached is the transport's to
// know. No error holds a secret, nor more of an answer than its own message. Start reading at Host.Prepare.
package remotemodel

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	// GRPC is one that speaks HTTP/2. Encode writes the message that a model is asked with over gRPC, and Decode reads the answer.
	GRPC   http.RoundTripper
	Encode func(model, version string, r *infer.Request) []byte
	Decode func(message []byte) (*infer.Response, error)
	// Secret returns a value of a secret.
	Secret func(ctx context.Context, name, key string) ([]byte, error)
	// MaxAnswer is the largest answer that is read, in bytes.
	MaxAnswer int64
}

// Host makes workers for remotes. Its methods may be called from any goroutine.
type Host struct {
	opt    Options
	client *http.Client
	grpc   *http.Client
}

// New returns a host.
func New(o Options) *Host {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Host{o, &http.Client{Transport: o.Transport, CheckRedirect: stay}, &http.Client{Transport: o.GRPC, CheckRedirect: stay}}
}

// Close closes connections that are kept; all workers have been closed before.
func (h *Host) Close() {
	h.client.CloseIdleConnections()
	h.grpc.CloseIdleConnections()
}

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
	w := &Worker{host: p.host, gone: make(chan struct{})}
	var err error
	if w.form, err = formOf(w, p.remote); err != nil {
		return nil, err
	}
	if p.remote.Secret != "" {
		token, err := p.host.opt.Secret(ctx, p.remote.Secret, endpoint.SecretKey)
		if err != nil {
			return nil, fault.Unavailablef("the secret of the remote: %w", err)
		}
		w.authorization = "Bearer " + strings.TrimSpace(string(token))
	}
	if err := w.form.ready(ctx, readyLimit); err != nil {
		return nil, err
	}
	return w, nil
}

// form is a protocol that another server speaks.
type form interface {
	// ready asks whether the model is ready.
	ready(ctx context.Context, limit time.Duration) error
	// infer asks for a prediction. What went wrong in reaching the server, or in what it wants to know of us, has ended the worker.
	infer(ctx context.Context, r *infer.Request, limit time.Duration) (*infer.Response, error)
}

func formOf(w *Worker, r endpoint.Remote) (form, error) {
	base := strings.TrimSuffix(r.URL, "/")
	switch r.Protocol {
	case endpoint.ProtocolGRPC:
		return newGRPC(w, base)
	case endpoint.ProtocolMLflow:
		before := strings.TrimSuffix(base, endpoint.InvocationsPath)
		return &rest{w, before + "/ping", base, encodeMLflow, decodeMLflow}, nil
	}
	return &rest{w, base + "/ready", base + "/infer", encode, decode}, nil
}

// rest asks with JSON.
type rest struct {
	w            *Worker
	alive, asked string // URLs
	encode       func(*infer.Request) ([]byte, error)
	decode       func([]byte) (*infer.Response, error)
}

// Worker asks another server, one request at a time. Its methods are for one goroutine at a time, but for Gone, Err and Memory.
type Worker struct {
	host          *Host
	form          form
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
	if err := w.form.ready(ctx, limit); err != nil {
		return w.lost(err)
	}
	return nil
}

// Predict sends the requests as one and gives each its rows of the answer. With the end of ctx the other server is left alone; that does not
// end the worker.
func (w *Worker) Predict(ctx context.Context, requests []*infer.Request, limit time.Duration) ([]*infer.Response, error) {
	r, err := joined(requests)
	if err != nil {
		return nil, err
	}
	answer, err := w.form.infer(ctx, r, limit)
	if err != nil {
		return nil, err
	}
	return divided(answer, requests)
}

func (f *rest) ready(ctx context.Context, limit time.Duration) error {
	status, body, err := f.ask(ctx, http.MethodGet, f.alive, nil, limit)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fault.Unavailablef("the other server says that its model is not ready: %s", said(status, body))
	}
	return nil
}

func (f *rest) infer(ctx context.Context, r *infer.Request, limit time.Duration) (*infer.Response, error) {
	body, err := f.encode(r)
	if err != nil {
		return nil, err
	}
	status, answer, err := f.ask(ctx, http.MethodPost, f.asked, body, limit)
	switch {
	case err != nil:
		return nil, f.w.unreached(ctx, err)
	case status == http.StatusOK:
		return f.decode(answer)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, f.w.lost(fault.Unavailablef("the other server refuses the request: %s", said(status, answer)))
	case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity:
		return nil, fault.Invalidf("the other server refuses the input: %s", said(status, answer))
	}
	return nil, fault.Unavailablef("the other server: %s", said(status, answer))
}

// ask sends a request and reads the answer whole.
func (f *rest) ask(ctx context.Context, method, url string, body []byte, limit time.Duration) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fault.Invalidf("the URL of the remote cannot be used")
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, answer, err := f.w.exchange(f.w.host.client, req, limit) //nolint:bodyclose // exchange has read and closed it
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, answer, nil
}

// said is what an answer that is no prediction says: its status, and the message where it has the protocol's form.
func said(status int, body []byte) string {
	text := fmt.Sprintf("status %d", status)
	if status >= 300 && status < 400 {
		return text + ", a redirect, which is not followed"
	}
	var h struct {
		Error   any    `json:"error"`
		Message string `json:"message"` // of MLflow
	}
	if json.Unmarshal(body, &h) == nil {
		if message := cmp.Or(h.Message, asText(h.Error)); message != "" {
			text += ": " + fault.Shorten(strings.ToValidUTF8(message, "?"), 500)
		}
	}
	return text
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}
