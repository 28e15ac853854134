package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"levada/internal/cli/client"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func inProcess(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	c, err := client.New("http://levada.localhost", client.Handler{Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAStreamFromAHandlerArrivesWhileItIsWritten(t *testing.T) {
	read := make(chan struct{})
	c := inProcess(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, ": heartbeat\n\nevent: line\ndata: {\"text\":\"one\"}\n\n")
		<-read // would wait for ever if the first line were held back
		fmt.Fprint(w, "event: line\ndata: {\"text\":\"two\"}\n\nevent: end\ndata: {}\n\n")
	})
	var got []string
	err := c.Logs(t.Context(), "r", "t", 0, true, func(l run.LogLine) error {
		if got = append(got, l.Text); len(got) == 1 {
			close(read)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"one", "two"}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestAHandlerStopsWhenItsAnswerIsNoLongerRead(t *testing.T) {
	stopped := make(chan struct{})
	c := inProcess(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(stopped)
		fmt.Fprint(w, "event: line\ndata: {}\n\n")
		<-r.Context().Done()
	})
	enough := errors.New("enough")
	if err := c.Logs(t.Context(), "r", "t", 0, true, func(run.LogLine) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	<-stopped
}

func TestARequestEndsWithItsContextBeforeTheHandlerAnswers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := inProcess(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := c.Info(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestAnAnswerThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	c := inProcess(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		panic(http.ErrAbortHandler)
	})
	content, _, err := c.Content(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if b, err := io.ReadAll(content); err == nil {
		t.Errorf("read %q without an error", b)
	}
}

func TestAWatchIsTakenUpAgainAfterAnInterruption(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "event: run\ndata: {\"state\":\"RUNNING\"}\n\n")
		if calls.Add(1) == 2 {
			fmt.Fprint(w, "event: task\ndata: {\"path\":\"train\"}\n\nevent: end\ndata: {}\n\n")
		}
	}))
	defer server.Close()
	c, err := client.New(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	err = c.Watch(t.Context(), "r", client.Watcher{Run: func(r run.Run) { got = append(got, string(r.State)) },
		Task: func(x run.Task) { got = append(got, x.Path) }})
	if diff := cmp.Diff([]string{"RUNNING", "RUNNING", "train"}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestAProblemBecomesTheErrorTheServerMeant(t *testing.T) {
	for status, want := range map[int]fault.Kind{400: fault.Invalid, 422: fault.Invalid, 404: fault.NotFound, 409: fault.Conflict,
		413: fault.TooLarge, 429: fault.Exhausted, 501: fault.Unimplemented, 503: fault.Unavailable, 500: fault.Internal} {
		c := inProcess(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			fmt.Fprint(w, `{"detail":"because","errors":[{"location":"body.spec","message":"too odd"}]}`)
		})
		_, err := c.Task(t.Context(), "r", "t")
		if fault.KindOf(err) != want || err.Error() != "because; body.spec: too odd" {
			t.Errorf("%d: kind %d, %v", status, fault.KindOf(err), err)
		}
	}
}

func TestAnotherProgramOnThePortIsRecognised(t *testing.T) {
	c := inProcess(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>nope</html>", 404) })
	if _, err := c.Info(t.Context()); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("error %v", err)
	}
}

func TestAServerAddressMustBePlain(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://x?y=1", "http://x#y", "http://user:secret@x", "http://u:secret@%zz"} {
		_, err := client.New(address, nil)
		if fault.KindOf(err) != fault.Invalid || err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v", address, err)
		}
	}
}
