package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"levada/internal/core/run"
)

type logsInput struct {
	TaskRef
	Attempt int    `query:"attempt" minimum:"0" doc:"attempt, counted from 1; 0 means the newest"`
	Follow  bool   `query:"follow" doc:"stream lines until the task has ended"`
	Limit   int    `query:"limit" minimum:"1" maximum:"100000" default:"5000" doc:"without a stream: the most lines, the last ones"`
	Accept  string `header:"Accept" hidden:"true"`
}

type logList struct {
	Lines     []run.LogLine `json:"lines" nullable:"false"`
	Truncated bool          `json:"truncated" doc:"true when earlier lines were left out"`
}

func (h *handler) logsOperation(api huma.API, tags []string) huma.Operation {
	lines := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[logList](), true, "LogList")
	return huma.Operation{OperationID: "get-logs", Method: http.MethodGet, Path: Prefix + "/runs/{id}/tasks/{task}/logs",
		Summary: "Read or follow what a task printed", Tags: tags, Errors: []int{404},
		Description: "Without follow: the last lines as JSON. With follow, or when the client accepts text/event-stream: all " +
			"lines as server-sent events `line` (a LogLine), then `end`; `failure` when reading broke off.",
		Responses: map[string]*huma.Response{"200": {Description: "the lines", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: lines},
			"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}}}}
}

func (h *handler) taskLogs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
	if in.Follow || in.Accept == "text/event-stream" {
		return h.streamLogs(ctx, in)
	}
	tail := lineTail{limit: in.Limit}
	err := h.Service.Logs(ctx, in.ID, in.Task, in.Attempt, false, func(l run.LogLine) error {
		tail.add(l)
		return ctx.Err()
	})
	if err != nil {
		return nil, h.problem(ctx, "read logs", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(tail.list()) // a failed write means that the client has gone
	}}, nil
}

// lineTail keeps the last lines it was given.
type lineTail struct {
	limit int
	lines []run.LogLine
	next  int // where the oldest line is, once the limit is reached
	full  bool
}

func (t *lineTail) add(l run.LogLine) {
	if len(t.lines) < t.limit {
		t.lines = append(t.lines, l)
		return
	}
	t.full = true
	t.lines[t.next] = l
	t.next = (t.next + 1) % t.limit
}

func (t *lineTail) list() logList {
	lines := append(orEmpty(t.lines[t.next:]), t.lines[:t.next]...)
	return logList{Lines: orEmpty(lines), Truncated: t.full}
}

func (h *handler) streamLogs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
	// Asked first, because once the stream is open a missing task could not be a 404 any more.
	task, err := h.Service.GetTask(ctx, in.ID, in.Task)
	if err != nil {
		return nil, h.problem(ctx, "read logs", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		if s, err := openStream(hc); err == nil {
			h.sendLines(hc.Context(), s, task, in)
		}
	}}, nil
}

// sendLines reads in one goroutine and writes in another, so that a silent step still gets heartbeats.
func (h *handler) sendLines(ctx context.Context, s *stream, task run.Task, in *logsInput) {
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan run.LogLine, 256)
	var readErr error // written before lines is closed, read after
	go func() {
		defer close(lines)
		readErr = h.Service.Logs(ctx, in.ID, task.ID, in.Attempt, in.Follow, func(l run.LogLine) error {
			select {
			case lines <- l:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() {
		cancel()
		for range lines {
		}
	}()
	if !h.copyLines(ctx, s, lines) {
		return
	}
	if readErr != nil {
		_ = s.send("failure", h.problem(ctx, "read logs", readErr))
		_ = s.flush()
		return
	}
	if now, err := h.Service.GetTask(ctx, in.ID, task.ID); err == nil {
		task = now
	}
	_ = s.send("end", endEvent{State: task.State})
	_ = s.flush()
}

// copyLines reports whether it reached the end of the lines.
func (h *handler) copyLines(ctx context.Context, s *stream, lines <-chan run.LogLine) bool {
	beat := time.NewTicker(h.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-beat.C:
			if s.heartbeat() != nil {
				return false
			}
		case l, open := <-lines:
			if !open {
				return true
			}
			if s.send("line", l) != nil || (len(lines) == 0 && s.flush() != nil) {
				return false
			}
		}
	}
}
