package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Handler is a transport that calls an HTTP handler in the same process, without a socket. Answers may be streams.
type Handler struct{ http.Handler }

// RoundTrip serves one request in a goroutine that ends with the answer's body.
func (t Handler) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	served := req.Clone(ctx)
	served.RequestURI = req.URL.RequestURI()
	served.Host = req.URL.Host
	served.RemoteAddr = "127.0.0.1:0"
	if served.Body == nil {
		served.Body = http.NoBody
	}
	r, w := io.Pipe()
	answer := &answerWriter{header: http.Header{}, body: w, started: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer served.Body.Close()
		// A panic here is what breaks a connection off on a real server; the reader sees it as a broken stream.
		defer func() {
			if p := recover(); p != nil {
				answer.WriteHeader(http.StatusInternalServerError)
				w.CloseWithError(fmt.Errorf("the answer broke off: %v", p))
			}
		}()
		t.ServeHTTP(answer, served)
		answer.WriteHeader(http.StatusOK)
		w.Close()
	}()
	body := &answerBody{PipeReader: r, cancel: cancel, done: done}
	select {
	case <-answer.started:
	case <-ctx.Done():
		body.Close()
		return nil, ctx.Err()
	}
	return &http.Response{Status: fmt.Sprintf("%d %s", answer.status, http.StatusText(answer.status)),
		StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.sent, Body: body, ContentLength: -1, Request: req}, nil
}

type answerWriter struct {
	header  http.Header
	body    *io.PipeWriter
	once    sync.Once
	started chan struct{}
	// status and sent are written before started is closed.
	status int
	sent   http.Header
}

func (a *answerWriter) Header() http.Header { return a.header }

func (a *answerWriter) WriteHeader(status int) {
	if status < 200 {
		return
	}
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.started)
	})
}

func (a *answerWriter) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Flush sends the headers; a pipe holds nothing back.
func (a *answerWriter) Flush() { a.WriteHeader(http.StatusOK) }

type answerBody struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   <-chan struct{}
}

// Close stops the handler and waits for it.
func (b *answerBody) Close() error {
	b.cancel()
	err := b.PipeReader.Close()
	<-b.done
	return err
}
