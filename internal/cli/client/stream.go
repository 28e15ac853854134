package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/run"
)

// maxEventBytes bounds one event; a task with all its values is far below.
const maxEventBytes = 64 << 20

// errBroken is a stream that closed before its end event: the server stopped or the connection was lost.
var errBroken = errors.New("the stream broke off before its end")

// readEvents calls on for each server-sent event and stops at the end of the stream. The parts of the format that
// Levada does not send (ids, retry, several data lines) are not understood.
func readEvents(r io.Reader, on func(name string, data []byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxEventBytes)
	name, data := "", []byte(nil)
	for s.Scan() {
		line := s.Bytes()
		switch {
		case len(line) == 0:
			if name != "" {
				if err := on(name, data); err != nil {
					return err
				}
			}
			name, data = "", nil
		case bytes.HasPrefix(line, []byte("event: ")):
			name = string(line[len("event: "):])
		case bytes.HasPrefix(line, []byte("data: ")):
			data = bytes.Clone(line[len("data: "):])
		}
	}
	return s.Err()
}

// Watcher is told what happens to a run. Both functions are called from one goroutine.
type Watcher struct {
	Run  func(run.Run)
	Task func(run.Task)
}

// Watch follows a run until it is final. When the connection is lost it connects again, for as long as the server
// answers within a few tries; the watcher is then given the whole state once more.
func (c *Client) Watch(ctx context.Context, runID string, w Watcher) error {
	const tries = 6
	for failed := 0; ; {
		progressed, err := c.watchOnce(ctx, runID, w)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if fault.KindOf(err) != fault.Internal && fault.KindOf(err) != fault.Unavailable {
			return err
		}
		if failed++; progressed {
			failed = 1
		}
		if failed == tries {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond << failed):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watchOnce returns nil at the end event.
func (c *Client) watchOnce(ctx context.Context, runID string, w Watcher) (progressed bool, err error) {
	resp, err := c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(runID)+"/events", nil, nil, "text/event-stream")
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	ended := false
	err = readEvents(resp.Body, func(name string, data []byte) error {
		progressed = true
		switch name {
		case "run":
			var r run.Run
			if err := json.Unmarshal(data, &r); err != nil {
				return err
			}
			w.Run(r)
		case "task":
			var t run.Task
			if err := json.Unmarshal(data, &t); err != nil {
				return err
			}
			w.Task(t)
		case "end":
			ended = true
		}
		return nil
	})
	if ended {
		return true, nil
	}
	if err == nil {
		err = errBroken
	}
	return progressed, fmt.Errorf("follow run %s: %w", runID, err)
}

// Logs calls line for each line of an attempt of a task; attempt 0 is the newest. With follow it goes on until the
// task has ended.
func (c *Client) Logs(ctx context.Context, runID, task string, attempt int, follow bool, line func(run.LogLine) error) error {
	v := url.Values{}
	if attempt > 0 {
		v.Set("attempt", strconv.Itoa(attempt))
	}
	if follow {
		v.Set("follow", "true")
	}
	path := "/runs/" + url.PathEscape(runID) + "/tasks/" + url.PathEscape(task) + "/logs"
	resp, err := c.do(ctx, http.MethodGet, path, v, nil, "text/event-stream")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	ended := false
	err = readEvents(resp.Body, func(name string, data []byte) error {
		switch name {
		case "line":
			var l run.LogLine
			if err := json.Unmarshal(data, &l); err != nil {
				return err
			}
			return line(l)
		case "failure":
			return failureOf(data)
		case "end":
			ended = true
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && !ended {
		err = errBroken
	}
	if err != nil && fault.KindOf(err) == fault.Internal {
		return fmt.Errorf("read the logs of %s: %w", task, err)
	}
	return err
}

// failureOf reads the problem that a stream ended with.
func failureOf(data []byte) error {
	var p struct {
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	return &fault.Error{Kind: kindOf(p.Status), Message: p.Detail}
}

// LastLines returns the newest lines of a task's newest attempt, at most n.
func (c *Client) LastLines(ctx context.Context, runID, task string, n int) ([]run.LogLine, error) {
	var out struct {
		Lines []run.LogLine `json:"lines"`
	}
	path := "/runs/" + url.PathEscape(runID) + "/tasks/" + url.PathEscape(task) + "/logs"
	return out.Lines, c.call(ctx, http.MethodGet, path, url.Values{"limit": {strconv.Itoa(n)}}, nil, &out)
}
