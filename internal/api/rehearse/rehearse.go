// Package rehearse is the door of the engine that tests of pipelines run against: one request is one run, answered with a stream.
//
// The client is the Python package levada.testing, which starts the engine and reaches it through a socket of its own. The
// door translates; what a rehearsal is, core/rehearsal says. Start reading at handler.run.
package rehearse

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"levada/internal/core/fault"
	"levada/internal/core/rehearsal"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

const (
	maxBody = 64 << 20
	// logTail is how many lines of a failed step's log go with the result.
	logTail = 60
)

// Service is the part of the pipeline service that runs rehearsals.
type Service interface {
	Submit(ctx context.Context, sub pipeline.Submission) (run.Run, error)
	GetRun(ctx context.Context, id string) (run.Run, error)
	CancelRun(ctx context.Context, id string) error
	Tasks(ctx context.Context, runID string) ([]run.Task, error)
	Watch(ctx context.Context, runID string) (run.Run, []run.Task, <-chan pipeline.Update, error)
	Logs(ctx context.Context, runID, task string, attempt int, follow bool, line func(run.LogLine) error) error
	GetArtifact(ctx context.Context, id string) (run.Artifact, error)
}

// StandIns stands in for the steps of runs.
type StandIns interface {
	// Begin says what stands in for the steps of a run; they wait for it.
	Begin(runID string, plan *rehearsal.Prepared, ask func(rehearsal.Call))
	Answer(id string, a rehearsal.Replacement) error
	End(runID string)
	// Fetch makes content appear on the disk.
	Fetch(ctx context.Context, digest, name string) (path string, err error)
}

type handler struct {
	service Service
	stands  StandIns
}

// NewHandler returns the door.
func NewHandler(service Service, stands StandIns) http.Handler {
	h := &handler{service: service, stands: stands}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /runs", h.run)
	mux.HandleFunc("POST /calls/{id}", h.answer)
	mux.HandleFunc("GET /artifacts/{id}/path", h.path)
	mux.HandleFunc("GET /runs/{run}/tasks/{task}/log", h.log)
	return mux
}

// message is one line of the stream that answers a run. Exactly one field is set.
type message struct {
	Call   *rehearsal.Call `json:"call,omitempty"`
	Result *result         `json:"result,omitempty"`
}

// result is how a run ended.
type result struct {
	Run   run.Run    `json:"run"`
	Tasks []run.Task `json:"tasks"`
	// Hidden are the tasks that only handed in fixtures.
	Hidden []string `json:"hidden"`
	// Steps are those that the specification has, also where the run did not reach them.
	Steps []rehearsal.Step `json:"steps"`
	// Logs holds the end of the log of each failed step, by path.
	Logs map[string][]string `json:"logs"`
}

// run starts a rehearsal and streams its calls and its result. When the client goes, the run is cancelled.
func (h *handler) run(w http.ResponseWriter, r *http.Request) {
	var req rehearsal.Request
	if !read(w, r, &req) {
		return
	}
	plan, err := rehearsal.Prepare(req)
	if err != nil {
		refuse(w, err)
		return
	}
	ctx := r.Context()
	started, err := h.service.Submit(ctx, pipeline.Submission{Spec: plan.Spec, Parameters: plan.Parameters, DisplayName: req.Name, CacheOff: true})
	if err != nil {
		refuse(w, err)
		return
	}
	defer h.stands.End(started.ID)
	asked := queue{signal: make(chan struct{}, 1)}
	h.stands.Begin(started.ID, plan, asked.put)
	out := json.NewEncoder(w)
	err = h.follow(ctx, started.ID, &asked, func(c rehearsal.Call) error {
		err := out.Encode(message{Call: &c})
		return firstOf(err, http.NewResponseController(w).Flush())
	})
	if err == nil {
		var res *result
		if res, err = h.result(ctx, started.ID, plan); err == nil {
			_ = out.Encode(message{Result: res}) // a failed write means that the client has gone
			return
		}
	}
	// The run may be final already; then there is nothing to cancel.
	_ = h.service.CancelRun(context.WithoutCancel(ctx), started.ID)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// queue holds calls until they are sent: a step that asks must not wait for the stream.
type queue struct {
	mu     sync.Mutex
	calls  []rehearsal.Call
	signal chan struct{}
}

func (q *queue) put(c rehearsal.Call) {
	q.mu.Lock()
	q.calls = append(q.calls, c)
	q.mu.Unlock()
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

func (q *queue) take() []rehearsal.Call {
	q.mu.Lock()
	defer q.mu.Unlock()
	calls := q.calls
	q.calls = nil
	return calls
}

// follow hands on calls until the run is final.
func (h *handler) follow(ctx context.Context, runID string, asked *queue, send func(rehearsal.Call) error) error {
	_, _, updates, err := h.service.Watch(ctx, runID)
	if err != nil {
		return err
	}
	for {
		select {
		case <-asked.signal:
			for _, c := range asked.take() {
				if err := send(c); err != nil {
					return err
				}
			}
		case _, open := <-updates:
			if !open {
				return ctx.Err()
			}
		}
	}
}

func (h *handler) result(ctx context.Context, runID string, plan *rehearsal.Prepared) (*result, error) {
	r, err := h.service.GetRun(ctx, runID)
	if err != nil {
		return nil, err
	}
	tasks, err := h.service.Tasks(ctx, runID)
	if err != nil {
		return nil, err
	}
	out := &result{Run: r, Tasks: tasks, Hidden: append([]string{}, plan.Hidden...), Steps: plan.Steps, Logs: map[string][]string{}}
	for _, t := range tasks {
		if t.Kind.Leaf() && t.State == run.Failed {
			if out.Logs[t.Path], err = h.tail(ctx, runID, t.ID, logTail); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// tail returns the last lines of a step's log; all of them when most is 0.
func (h *handler) tail(ctx context.Context, runID, task string, most int) ([]string, error) {
	lines := []string{}
	err := h.service.Logs(ctx, runID, task, 0, false, func(l run.LogLine) error {
		lines = append(lines, l.Text)
		if most > 0 && len(lines) > most {
			lines = lines[1:]
		}
		return ctx.Err()
	})
	return lines, err
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request) {
	var a rehearsal.Replacement
	if !read(w, r, &a) {
		return
	}
	if a.Call || len(a.Attempts) > 0 {
		refuse(w, fault.Invalidf("an answer gives outputs or a failure"))
		return
	}
	if err := h.stands.Answer(r.PathValue("id"), a); err != nil {
		refuse(w, err)
		return
	}
	write(w, http.StatusOK, struct{}{})
}

func (h *handler) path(w http.ResponseWriter, r *http.Request) {
	a, err := h.service.GetArtifact(r.Context(), r.PathValue("id"))
	if err == nil && a.Digest == "" {
		err = fault.NotFoundf("artifact %q has no content here", a.Name)
	}
	var path string
	if err == nil {
		path, err = h.stands.Fetch(r.Context(), a.Digest, a.Name)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, http.StatusOK, map[string]string{"path": path})
}

func (h *handler) log(w http.ResponseWriter, r *http.Request) {
	lines, err := h.tail(r.Context(), r.PathValue("run"), r.PathValue("task"), 0)
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, http.StatusOK, map[string][]string{"lines": lines})
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		refuse(w, fault.Invalidf("the request cannot be read: %w; are levada and levada.testing of one version?", err))
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch fault.KindOf(err) {
	case fault.Invalid, fault.TooLarge, fault.Unimplemented:
		status = http.StatusBadRequest
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Exhausted:
		status = http.StatusTooManyRequests
	}
	write(w, status, map[string]string{"error": err.Error()})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
