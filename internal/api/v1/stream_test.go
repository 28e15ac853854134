package v1_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// events reads the names and states of a stream's events until it closes.
func events(t *testing.T, resp *http.Response) []string {
	t.Helper()
	defer resp.Body.Close()
	var got []string
	s := bufio.NewScanner(resp.Body)
	for s.Scan() {
		if name, ok := strings.CutPrefix(s.Text(), "event: "); ok {
			got = append(got, name)
		}
	}
	return got
}

func serve(t *testing.T, f *fake, heartbeat time.Duration) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(v1.NewHandler(v1.Options{Service: f, Heartbeat: heartbeat}))
	t.Cleanup(func() { s.Close(); http.DefaultClient.CloseIdleConnections() })
	return s
}

func get(t *testing.T, ctx context.Context, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestAWatcherGetsThePresentStateThenChangesThenTheEnd(t *testing.T) {
	f := &fake{run: run.Run{ID: "r1", State: run.Running}, tasks: []run.Task{{ID: "t1"}, {ID: "t2"}}, updates: make(chan pipeline.Update, 9)}
	f.updates <- pipeline.Update{Task: &run.Task{ID: "t1", State: run.Succeeded}}
	f.updates <- pipeline.Update{Run: &run.Run{ID: "r1", State: run.Succeeded}}
	close(f.updates)
	got := events(t, get(t, t.Context(), serve(t, f, 0).URL+"/api/v1/runs/r1/events"))
	if diff := cmp.Diff([]string{"run", "task", "task", "synced", "task", "run", "end"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAStreamThatTheServerBreaksOffHasNoEnd(t *testing.T) {
	f := &fake{run: run.Run{ID: "r1", State: run.Running}, updates: make(chan pipeline.Update)}
	close(f.updates)
	got := events(t, get(t, t.Context(), serve(t, f, 0).URL+"/api/v1/runs/r1/events"))
	if diff := cmp.Diff([]string{"run", "synced"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnIdleStreamIsKeptOpenByHeartbeats(t *testing.T) {
	f := &fake{run: run.Run{ID: "r1", State: run.Running}, updates: make(chan pipeline.Update), block: true}
	server := serve(t, f, time.Millisecond)
	for _, path := range []string{"/api/v1/runs/r1/events", "/api/v1/runs/r1/tasks/t1/logs?follow=true"} {
		ctx, cancel := context.WithCancel(t.Context())
		resp := get(t, ctx, server.URL+path)
		beats := 0
		for s := bufio.NewScanner(resp.Body); beats < 3 && s.Scan(); {
			if strings.HasPrefix(s.Text(), ":") {
				beats++
			}
		}
		if beats != 3 {
			t.Errorf("%s: the stream closed after %d heartbeats", path, beats)
		}
		cancel()
		resp.Body.Close()
	}
}

func TestAnUnknownRunIsAProblemAndNotAStream(t *testing.T) {
	server := serve(t, &fake{err: fault.NotFoundf("no such run")}, 0)
	for _, path := range []string{"/api/v1/runs/r1/events", "/api/v1/runs/r1/tasks/t1/logs?follow=true"} {
		resp := get(t, t.Context(), server.URL+path)
		resp.Body.Close()
		if resp.StatusCode != 404 || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s", path, resp.Status, resp.Header.Get("Content-Type"))
		}
	}
}

func TestAFollowedLogStreamsLinesAndSaysHowItEnded(t *testing.T) {
	f := &fake{lines: []run.LogLine{{Text: "one"}, {Text: "two"}}}
	server := serve(t, f, 0)
	if diff := cmp.Diff([]string{"line", "line", "end"}, events(t, get(t, t.Context(), server.URL+"/api/v1/runs/r1/tasks/t1/logs?follow=true"))); diff != "" {
		t.Error(diff)
	}
	f.logErr = errors.New("disk broke")
	if diff := cmp.Diff([]string{"line", "line", "failure"}, events(t, get(t, t.Context(), server.URL+"/api/v1/runs/r1/tasks/t1/logs?follow=true"))); diff != "" {
		t.Error(diff)
	}
}

// measured is a service whose task has one sample more each time, and ends with its second.
type measured struct {
	*fake
	samples int
}

func (m *measured) GetTask(context.Context, string, string) (run.Task, error) {
	m.samples++
	return run.Task{ID: "t1", State: map[bool]run.State{true: run.Running, false: run.Succeeded}[m.samples < 3]}, nil
}

func (m *measured) TaskUsage(context.Context, string, string, int) (run.Usage, error) {
	return run.Usage{Seconds: make([]float64, m.samples-1)}, nil
}

func TestWhatATaskUsesIsFollowedToItsEnd(t *testing.T) {
	server := httptest.NewServer(v1.NewHandler(v1.Options{Service: &measured{fake: &fake{}}}))
	t.Cleanup(func() { server.Close(); http.DefaultClient.CloseIdleConnections() })
	got := events(t, get(t, t.Context(), server.URL+"/api/v1/runs/r1/tasks/train/usage/events"))
	if diff := cmp.Diff([]string{"usage", "usage", "end"}, got); diff != "" {
		t.Error(diff)
	}
}
