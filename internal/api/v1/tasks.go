package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/run"
)

// TaskRef names a task in a path.
type TaskRef struct {
	ID   string `path:"id" doc:"id of the run"`
	Task string `path:"task" doc:"id, path (with / written as %2F) or unambiguous name of the task"`
}

type taskOutput struct{ Body run.Task }

type taskList struct {
	Tasks []run.Task `json:"tasks" nullable:"false"`
}

type listTasksOutput struct{ Body taskList }

type usageInput struct {
	TaskRef
	Attempt int `query:"attempt" minimum:"0" doc:"attempt to tell of, from 1; default: the newest"`
}

type usageOutput struct{ Body run.Usage }

type environmentOutput struct{ Body run.TaskEnvironment }

func (h *handler) registerTasks(api huma.API) {
	tags := []string{"tasks"}
	huma.Register(api, huma.Operation{OperationID: "list-tasks", Method: http.MethodGet, Path: Prefix + "/runs/{id}/tasks",
		Summary: "List the tasks of a run", Tags: tags, Errors: []int{404}}, h.listTasks)
	huma.Register(api, huma.Operation{OperationID: "get-task", Method: http.MethodGet, Path: Prefix + "/runs/{id}/tasks/{task}",
		Summary: "Get a task", Tags: tags, Errors: []int{400, 404}}, h.getTask)
	huma.Register(api, huma.Operation{OperationID: "get-task-usage", Method: http.MethodGet, Path: Prefix + "/runs/{id}/tasks/{task}/usage",
		Summary: "Get the processor time and memory that a task used", Tags: tags, Errors: []int{400, 404},
		Description: "Samples of all its processes together, at most 240. A task that took less than a second has none."}, h.taskUsage)
	huma.Register(api, huma.Operation{OperationID: "watch-task-usage", Method: http.MethodGet, Path: Prefix + "/runs/{id}/tasks/{task}/usage/events",
		Summary: "Follow what a task uses", Tags: tags, Errors: []int{400, 404},
		Description: "Server-sent events: `usage` carries all that was measured so far, each time that there is more; `end` comes when the task has ended.",
		Responses:   map[string]*huma.Response{"200": eventStreamResponse("events usage and end")}}, h.watchUsage)
	huma.Register(api, huma.Operation{OperationID: "get-task-environment", Method: http.MethodGet, Path: Prefix + "/runs/{id}/tasks/{task}/environment",
		Summary: "List the exact packages that a task ran with", Tags: tags, Errors: []int{400, 404}}, h.taskEnvironment)
	huma.Register(api, h.logsOperation(api, tags), h.taskLogs)
}

func (h *handler) listTasks(ctx context.Context, in *runInput) (*listTasksOutput, error) {
	tasks, err := h.Service.Tasks(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "list the tasks of a run", err)
	}
	return &listTasksOutput{Body: taskList{Tasks: orEmpty(tasks)}}, nil
}

func (h *handler) getTask(ctx context.Context, in *TaskRef) (*taskOutput, error) {
	t, err := h.Service.GetTask(ctx, in.ID, in.Task)
	if err != nil {
		return nil, h.problem(ctx, "get a task", err)
	}
	return &taskOutput{Body: t}, nil
}

func (h *handler) taskUsage(ctx context.Context, in *usageInput) (*usageOutput, error) {
	u, err := h.usage(ctx, in)
	if err != nil {
		return nil, h.problem(ctx, "read what a task used", err)
	}
	return &usageOutput{Body: u}, nil
}

func (h *handler) usage(ctx context.Context, in *usageInput) (run.Usage, error) {
	u, err := h.Service.TaskUsage(ctx, in.ID, in.Task, in.Attempt)
	u.Seconds, u.CPUSeconds, u.MemoryBytes = orEmpty(u.Seconds), orEmpty(u.CPUSeconds), orEmpty(u.MemoryBytes)
	return u, err
}

// measuredEach is how often steps are measured.
const measuredEach = time.Second

func (h *handler) watchUsage(ctx context.Context, in *usageInput) (*huma.StreamResponse, error) {
	if _, err := h.Service.GetTask(ctx, in.ID, in.Task); err != nil {
		return nil, h.problem(ctx, "follow what a task uses", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		if s, err := openStream(hc); err == nil {
			h.sendUsage(hc.Context(), s, in)
		}
	}}, nil
}

// sendUsage returns when the task has ended or the client is gone. What cannot be read now, because nothing was measured yet, is read later.
func (h *handler) sendUsage(ctx context.Context, s *stream, in *usageInput) {
	tick := time.NewTicker(measuredEach)
	defer tick.Stop()
	sent, quiet := -1, time.Now()
	for {
		task, err := h.Service.GetTask(ctx, in.ID, in.Task)
		if err != nil {
			return
		}
		if u, err := h.usage(ctx, in); err == nil && len(u.Seconds) != sent {
			sent, quiet = len(u.Seconds), time.Now()
			if s.send("usage", u) != nil || s.flush() != nil {
				return
			}
		}
		if task.State.Final() {
			if s.send("end", endEvent{State: task.State}) == nil {
				_ = s.flush() // the client may have gone already
			}
			return
		}
		if time.Since(quiet) >= h.Heartbeat {
			if quiet = time.Now(); s.heartbeat() != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *handler) taskEnvironment(ctx context.Context, in *TaskRef) (*environmentOutput, error) {
	e, err := h.Service.TaskEnvironment(ctx, in.ID, in.Task)
	if err != nil {
		return nil, h.problem(ctx, "list the packages of a task", err)
	}
	e.Packages = orEmpty(e.Packages)
	return &environmentOutput{Body: e}, nil
}
