package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// load is a way of asking, and what came of it. Times are in milliseconds.
type load struct {
	// Clients is how many connections asked as fast as they were answered; Rate, how many requests a second came.
	Clients int     `json:"clients,omitempty"`
	Rate    float64 `json:"rate,omitempty"`
	// Overload is how many times as many requests came as the server had answered at most; 0 where a rate was asked for.
	Overload  float64 `json:"overload,omitempty"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	// Refused were answered with 429 or 503; Failed, with something else or not at all. Neither counts in the other figures.
	Refused int `json:"refused"`
	Failed  int `json:"failed"`
	// Client is the processor time of the client, in cores, of which it shares those of the machine with the server.
	Client float64 `json:"client_cores"`
}

// warmUp is how long each server is asked before a load is measured.
const warmUp = time.Second

// late bounds how long answers are waited for after the end of a load.
const late = 10 * time.Second

func client(connections int, f form) *http.Client {
	t := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true}
	if f.grpc {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	return &http.Client{Timeout: late, Transport: t}
}

// errRefused is what a server that has too much to do answers.
var errRefused = errors.New("refused")

// ask sends one request and checks the answer.
func ask(ctx context.Context, c *http.Client, url string, f form) error {
	if f.grpc {
		return f.call(ctx, c, url)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+f.path, bytes.NewReader([]byte(f.body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if f.header > 0 {
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set("Inference-Header-Content-Length", strconv.Itoa(f.header))
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		return errRefused
	}
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(strings.ReplaceAll(string(text), " ", ""), f.want)) {
		err = fmt.Errorf("%s answered %s: %.200s", f.path, resp.Status, text)
	}
	return err
}

func loads(ctx context.Context, o options, url string, f form) ([]load, error) {
	var out []load
	length := time.Duration(o.seconds * float64(time.Second))
	for text := range strings.SplitSeq(o.clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return out, fmt.Errorf("-clients: %w", err)
		}
		closed(ctx, url, f, n, warmUp)
		out = append(out, closed(ctx, url, f, n, length))
	}
	for text := range strings.SplitSeq(o.rates, ",") {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || rate <= 0 {
			return out, fmt.Errorf("-rates: %q is no rate", text)
		}
		out = append(out, open(ctx, url, f, rate, length, 256, false))
	}
	if o.overload > 0 {
		most := 0.0
		for _, l := range out[:strings.Count(o.clients, ",")+1] {
			most = max(most, l.PerSecond)
		}
		l := open(ctx, url, f, most*o.overload, length, 4096, true)
		l.Overload = o.overload
		out = append(out, l)
	}
	return out, ctx.Err()
}

// tally collects the times of answers.
type tally struct {
	mu              sync.Mutex
	times           []time.Duration
	refused, failed int
}

func (t *tally) add(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case errors.Is(err, errRefused):
		t.refused++
		return
	case err != nil:
		t.failed++
		return
	}
	t.times = append(t.times, took)
}

func (t *tally) load(took time.Duration) load {
	slices.Sort(t.times)
	at := func(share float64) float64 {
		if len(t.times) == 0 {
			return 0
		}
		return float64(t.times[min(int(share*float64(len(t.times))), len(t.times)-1)]) / 1e6
	}
	return load{PerSecond: float64(len(t.times)) / took.Seconds(), P50: at(0.5), P99: at(0.99), Refused: t.refused, Failed: t.failed}
}

// closed has n connections ask as fast as they are answered.
func closed(ctx context.Context, url string, f form, n int, length time.Duration) load {
	shared := client(n, f)
	defer shared.CloseIdleConnections()
	var t tally
	var all sync.WaitGroup
	began, used := time.Now(), processor()
	for range n {
		all.Go(func() {
			c := shared
			if f.grpc { // one connection would take all requests
				c = client(1, f)
				defer c.CloseIdleConnections()
			}
			for time.Since(began) < length && ctx.Err() == nil {
				at := time.Now()
				err := ask(ctx, c, url, f)
				t.add(time.Since(at), err)
			}
		})
	}
	all.Wait()
	out := t.load(time.Since(began))
	out.Clients, out.Client = n, (processor()-used).Seconds()/time.Since(began).Seconds()
	return out
}

// open sends requests at a rate. A request counts from the time at which it should have been sent, so that a server that falls behind
// cannot hide it by being asked later. Beyond that many connections requests wait for one; where more requests come than any server can
// answer, all wait for that, and a request counts from the time at which it had its connection.
func open(ctx context.Context, url string, f form, rate float64, length time.Duration, connections int, overload bool) load {
	c := client(connections, f)
	defer c.CloseIdleConnections()
	var t tally
	var all sync.WaitGroup
	began, used := time.Now(), processor()
	gap := time.Duration(float64(time.Second) / rate)
	for due := began; due.Sub(began) < length && ctx.Err() == nil; due = due.Add(gap) {
		time.Sleep(time.Until(due))
		all.Go(func() {
			from, asking := due, ctx
			if overload {
				asking = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { from = time.Now() }})
			}
			err := ask(asking, c, url, f)
			t.add(time.Since(from), err)
		})
	}
	all.Wait()
	out := t.load(max(length, time.Since(began)))
	out.Rate, out.Client = rate, (processor()-used).Seconds()/time.Since(began).Seconds()
	return out
}

// processor is the processor time that this program has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
