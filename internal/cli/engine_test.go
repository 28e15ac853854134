package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"levada/internal/cli"
	"levada/internal/config"
	"levada/internal/core/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is an API that plays a part: what it answers is fixed by the test.
type script struct {
	runs      []run.Run
	tasks     []run.Task
	events    []string // server-sent events of any run, without the blank line after them
	hold      chan struct{}
	lines     []string
	submitted map[string]any
	content   []byte
	tar       bool
	canceled  chan struct{}
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	switch {
	case path == "/info":
		reply(w, map[string]string{"version": "test"})
	case path == "/runs" && r.Method == http.MethodPost:
		_ = json.NewDecoder(r.Body).Decode(&s.submitted)
		reply(w, s.runs[0])
	case path == "/runs":
		found := []run.Run{}
		for _, x := range s.runs {
			if strings.HasPrefix(x.ID, r.URL.Query().Get("id_prefix")) {
				found = append(found, x)
			}
		}
		reply(w, map[string]any{"runs": found, "total": len(found)})
	case strings.HasSuffix(path, "/events"):
		s.stream(w, r, s.events)
	case strings.HasSuffix(path, "/logs"):
		s.logs(w, r)
	case strings.HasSuffix(path, "/cancel"):
		close(s.canceled)
		reply(w, s.runs[0])
	case strings.HasSuffix(path, "/tasks"):
		reply(w, map[string]any{"tasks": s.tasks})
	case strings.Contains(path, "/tasks/"):
		reply(w, s.tasks[0])
	case strings.HasSuffix(path, "/content"):
		if s.tar {
			w.Header().Set("Content-Type", "application/x-tar")
		}
		_, _ = w.Write(s.content)
	case strings.HasPrefix(path, "/artifacts/"):
		reply(w, s.tasks[0].Outputs.Artifacts["model"][0])
	default:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"status":404,"detail":"nothing at %s"}`, path)
	}
}

func (s *script) stream(w http.ResponseWriter, r *http.Request, events []string) {
	for _, e := range events {
		if strings.HasPrefix(e, "event: end") && s.hold != nil {
			select {
			case <-s.hold:
			case <-s.canceled:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "%s\n\n", e)
	}
}

func (s *script) logs(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept") != "text/event-stream" {
		lines := []run.LogLine{}
		for _, l := range s.lines {
			lines = append(lines, run.LogLine{Text: l})
		}
		reply(w, map[string]any{"lines": lines})
		return
	}
	var events []string
	for _, l := range s.lines {
		events = append(events, event("line", run.LogLine{Stream: "stdout", Text: l}))
	}
	s.stream(w, r, append(events, `event: end`+"\n"+`data: {}`))
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func event(name string, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return "event: " + name + "\ndata: " + string(b)
}

// result is what a command line did.
type result struct {
	status         int
	stdout, stderr string
}

func levada(t *testing.T, h http.Handler, args ...string) result {
	t.Helper()
	return levadaCtx(t, t.Context(), h, args...)
}

func levadaCtx(t *testing.T, ctx context.Context, h http.Handler, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	opened, closed := 0, 0
	status := cli.Execute(ctx, cli.Deps{
		Open: func(context.Context, config.Config) (cli.Local, error) {
			opened++
			return cli.Local{Handler: h, Close: func(context.Context) error { closed++; return nil }}, nil
		},
		Version: "1.2.3", Stdout: &out, Stderr: &err,
		Environ: []string{"LEVADA_DATA=" + t.TempDir(), "PATH=" + os.Getenv("PATH")},
		Now:     func() time.Time { return start.Add(time.Minute) },
	}, args)
	if opened != closed {
		t.Errorf("engine opened %d times, closed %d times", opened, closed)
	}
	return result{status, out.String(), err.String()}
}

var start = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

const runID = "3f2a0000-0000-4000-8000-000000000001"

func theRun(state run.State) run.Run {
	r := run.Run{ID: runID, DisplayName: "demo", PipelineName: "demo", State: state, CreatedAt: start}
	if state.Final() {
		end := start.Add(3 * time.Second)
		r.FinishedAt = &end
	}
	return r
}

func theTask(state run.State) run.Task {
	end := start.Add(2 * time.Second)
	began := start
	return run.Task{ID: "t1", RunID: runID, Path: "train", Name: "train", Kind: run.KindContainer, State: state, Attempts: 1,
		StartedAt: &began, FinishedAt: &end, Outputs: run.Values{Artifacts: map[string][]run.Artifact{
			"model":   {{ID: "a1", Name: "model", SchemaTitle: "system.Model", Digest: "sha256:00", Size: 5}},
			"metrics": {{ID: "a2", Name: "metrics", SchemaTitle: "system.Metrics", Metadata: map[string]any{"accuracy": 0.9}}}}}}
}
