package v1_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/changes"
	"levada/internal/core/change"
)

func TestChangesAreStreamedAndASubscriptionEndsWithItsRequest(t *testing.T) {
	feed := changes.New(time.Now)
	server := httptest.NewServer(v1.NewHandler(v1.Options{Service: &fake{}, Changes: feed, Heartbeat: 10 * time.Millisecond}))
	t.Cleanup(func() { server.Close(); http.DefaultClient.CloseIdleConnections() })
	ctx, cancel := context.WithCancel(t.Context())
	resp := get(t, ctx, server.URL+"/api/v1/changes?topics=runs,models")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), ":") { // a heartbeat: the subscription is there
	}
	var set change.Set
	set.Add(change.Runs, "r1")
	set.Add(change.Runs, "r2")
	set.Add(change.Models, "")
	set.Add(change.System, "")
	feed.Publish(&set)
	var got []string
	for len(got) < 4 && lines.Scan() {
		if text := lines.Text(); text != "" && !strings.HasPrefix(text, ":") {
			got = append(got, text)
		}
	}
	want := []string{"event: change", `data: {"topic":"runs","ids":["r1","r2"]}`, "event: change", `data: {"topic":"models"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	cancel()
	for deadline := time.Now().Add(10 * time.Second); feed.Listening(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the subscription is still there")
		}
	}
}

func TestWhoWasAwayIsToldAtOnce(t *testing.T) {
	feed := changes.New(time.Now)
	server := httptest.NewServer(v1.NewHandler(v1.Options{Service: &fake{}, Changes: feed}))
	t.Cleanup(func() { server.Close(); http.DefaultClient.CloseIdleConnections() })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp := get(t, ctx, server.URL+"/api/v1/changes?topics=runs&away_ms=5000")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data") {
	}
	if lines.Text() != `data: {"topic":"runs"}` {
		t.Error(lines.Text())
	}
}

func TestATopicThatThereIsNotIsAProblem(t *testing.T) {
	server := httptest.NewServer(v1.NewHandler(v1.Options{Service: &fake{}, Changes: changes.New(time.Now)}))
	t.Cleanup(func() { server.Close(); http.DefaultClient.CloseIdleConnections() })
	resp := get(t, t.Context(), server.URL+"/api/v1/changes?topics=weather")
	resp.Body.Close()
	if resp.StatusCode != 422 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Error(resp.Status, resp.Header.Get("Content-Type"))
	}
}
