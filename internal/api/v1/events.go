package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// endEvent is the data of the last event of a stream.
type endEvent struct {
	State run.State `json:"state"`
}

func (h *handler) eventsOperation(tags []string) huma.Operation {
	return huma.Operation{OperationID: "watch-run", Method: http.MethodGet, Path: Prefix + "/runs/{id}/events",
		Summary: "Follow a run", Tags: tags, Errors: []int{404},
		Description: "Server-sent events: first the whole present state, then `synced`, then what changes. `run` carries a Run, `task` a " +
			"Task, `end` an object with the final state. A stream that closes without `end` was interrupted: connect again.",
		Responses: map[string]*huma.Response{"200": eventStreamResponse("events run, task, synced and end")}}
}

func (h *handler) runEvents(ctx context.Context, in *runInput) (*huma.StreamResponse, error) {
	watchCtx, cancel := context.WithCancel(ctx)
	r, tasks, updates, err := h.Service.WatchEncoded(watchCtx, in.ID)
	if err != nil {
		cancel()
		return nil, h.problem(ctx, "watch a run", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		// The channel closes once the watch is canceled; waiting for that leaves nothing behind.
		defer func() {
			cancel()
			for range updates {
			}
		}()
		s, err := openStream(hc)
		if err != nil {
			return
		}
		h.sendEvents(hc.Context(), s, r, tasks, updates)
	}}, nil
}

// updatePause is the least time from one piece of a stream of changes to the next. A run of many short steps changes hundreds of times
// a second: what comes in this time goes out together, a task that changed twice once, and a browser has less to do.
const updatePause = 25 * time.Millisecond

// sendEvents returns when the run is final, the client is gone or the server stops. A failed write means that the
// client is gone, which is nobody's error.
func (h *handler) sendEvents(ctx context.Context, s *stream, r run.Run, tasks pipeline.EncodedTasks, updates <-chan pipeline.Update) {
	if s.send("run", wireRun(r)) != nil {
		return
	}
	// Where they cannot be read to the end the stream breaks off, and the client comes again and is told why.
	if tasks(func(task []byte) error { return s.sendEncoded("task", task) }) != nil {
		return
	}
	if s.send("synced", struct{}{}) != nil || s.flush() != nil {
		return
	}
	beat := time.NewTicker(h.Heartbeat)
	defer beat.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	next := updates
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if s.heartbeat() != nil {
				return
			}
		case <-pause.C:
			next = updates
		case u, open := <-next:
			if !open {
				h.sendEnd(ctx, s, r)
				return
			}
			if u.Run != nil {
				r = *u.Run
			}
			if sendUpdate(s, u) != nil {
				return
			}
			if len(updates) > 0 {
				continue
			}
			if s.flush() != nil {
				return
			}
			next = nil
			pause.Reset(updatePause)
		}
	}
}

func sendUpdate(s *stream, u pipeline.Update) error {
	if u.Run != nil {
		return s.send("run", wireRun(*u.Run))
	}
	return s.send("task", *u.Task)
}

// sendEnd says how the run ended. The channel also closes when the server stops; then the run is not final and the
// client gets no end, so that it comes back.
func (h *handler) sendEnd(ctx context.Context, s *stream, last run.Run) {
	if !last.State.Final() {
		now, err := h.Service.GetRun(ctx, last.ID)
		if err != nil || !now.State.Final() {
			return
		}
		last = now
		if s.send("run", wireRun(now)) != nil {
			return
		}
	}
	if s.send("end", endEvent{State: last.State}) == nil {
		_ = s.flush() // the client may have gone already
	}
}
