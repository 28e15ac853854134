package v1

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"levada/internal/core/catalog"
	"levada/internal/core/event"
	"levada/internal/core/run"
	"levada/internal/core/track"
	"levada/internal/registry"
)

// Finder finds things by a beginning of their id or a part of their name. Each looks at a bounded number of rows.
type Finder interface {
	FindRuns(ctx context.Context, text string, limit int) ([]run.Brief, error)
	FindArtifacts(ctx context.Context, text string, limit int) ([]run.Artifact, error)
	FindExperiments(ctx context.Context, text string, limit int) ([]catalog.Experiment, error)
	FindPipelines(ctx context.Context, text string, limit int) ([]catalog.Pipeline, error)
	FindRecurring(ctx context.Context, text string, limit int) ([]catalog.RecurringRun, error)
	FindTriggers(ctx context.Context, text string, limit int) ([]event.Trigger, error)
	FindTracked(ctx context.Context, text string, limit int) ([]track.Run, error)
	FindModels(ctx context.Context, text string, limit int) ([]registry.Found, error)
}

// Found is something that was found.
type Found struct {
	Kind    string     `json:"kind" enum:"run,pipeline,experiment,tracked_run,model,artifact,recurring_run,trigger,endpoint,graph"`
	ID      string     `json:"id" doc:"id, or for a model, an endpoint or an inference graph its name"`
	Name    string     `json:"name"`
	Detail  string     `json:"detail,omitempty" doc:"what tells it from others of the name: the pipeline of a run, the type of an artifact"`
	State   run.State  `json:"state,omitempty" enum:"PENDING,RUNNING,CANCELING,SUCCEEDED,SKIPPED,FAILED,CANCELED" doc:"of a run"`
	Version string     `json:"version,omitempty" doc:"the version of the model that was found; empty for the model itself"`
	Alias   string     `json:"alias,omitempty" doc:"the alias by which the version was found"`
	RunID   string     `json:"run_id,omitempty" doc:"the run that made an artifact"`
	TaskID  string     `json:"task_id,omitempty" doc:"the task that made an artifact"`
	At      *time.Time `json:"at,omitempty" doc:"when it was created"`
}

type searchInput struct {
	Q     string   `query:"q" required:"true" minLength:"1" maxLength:"200" doc:"the beginning of an id or digest, or a part of a name in upper or lower case; for a model also name@alias, or its name and a version: \"name 3\""`
	Kind  []string `query:"kind" nullable:"false" enum:"run,pipeline,experiment,tracked_run,model,artifact,recurring_run,trigger,endpoint,graph" doc:"kinds to look for, separated by commas; default: all"`
	Limit int      `query:"limit" minimum:"1" maximum:"50" default:"5" doc:"most results of each kind"`
}

type foundList struct {
	Found []Found `json:"found" nullable:"false" doc:"by kind; in each those whose id matches first, then the newest"`
}

type searchOutput struct{ Body foundList }

// finding looks for one kind.
type finding struct {
	kind string
	find func(h *handler, ctx context.Context, text string, limit int) ([]Found, error)
}

// findings are the kinds in the order in which they are answered.
func findings() []finding {
	return []finding{
		{"run", (*handler).foundRuns}, {"pipeline", (*handler).foundPipelines}, {"experiment", (*handler).foundExperiments},
		{"tracked_run", (*handler).foundTracked}, {"model", (*handler).foundModels}, {"artifact", (*handler).foundArtifacts},
		{"recurring_run", (*handler).foundRecurring}, {"trigger", (*handler).foundTriggers}, {"endpoint", (*handler).foundEndpoints},
		{"graph", (*handler).foundGraphs},
	}
}

func (h *handler) registerSearch(api huma.API) {
	huma.Register(api, huma.Operation{OperationID: "search", Method: http.MethodGet, Path: Prefix + "/search",
		Summary: "Find anything by name or id", Tags: []string{"server"}, Errors: []int{400},
		Description: "The answer is quick however much there is, because what is looked at is bounded. All things are found by the " +
			"beginning of their id, at least 4 characters of it (artifacts also by that of their digest), all pipelines, experiments, recurring runs, triggers, endpoints and models by a part of " +
			"their name. Of runs and tracked runs a part of the name is looked for among the newest 20,000 that are not archived or deleted, " +
			"of artifacts among the newest 5,000; older runs are found by the beginning of their name as it is written. Tracked runs of " +
			"pipelines and their tasks are left out: the runs themselves are found."}, h.search)
}

func (h *handler) search(ctx context.Context, in *searchInput) (*searchOutput, error) {
	out := &searchOutput{Body: foundList{Found: []Found{}}}
	text := strings.TrimSpace(in.Q)
	if text == "" {
		return out, nil
	}
	all := findings()
	lists := make([][]Found, len(all))
	// Each of them waits for the database most of the time.
	group, within := errgroup.WithContext(ctx)
	for i, f := range all {
		if len(in.Kind) > 0 && !slices.Contains(in.Kind, f.kind) {
			continue
		}
		group.Go(func() (err error) {
			lists[i], err = f.find(h, within, text, in.Limit)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, h.problem(ctx, "search", err)
	}
	out.Body.Found = append(out.Body.Found, slices.Concat(lists...)...)
	return out, nil
}

// foundAs shows what was found of one kind.
func foundAs[T any](kind string, list []T, err error, show func(T) Found) ([]Found, error) {
	out := make([]Found, len(list))
	for i, item := range list {
		out[i] = show(item)
		out[i].Kind = kind
	}
	return out, err
}

func (h *handler) foundRuns(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindRuns(ctx, text, limit)
	return foundAs("run", list, err, func(r run.Brief) Found {
		return Found{ID: r.ID, Name: r.DisplayName, Detail: r.PipelineName, State: r.State, At: &r.CreatedAt}
	})
}

func (h *handler) foundPipelines(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindPipelines(ctx, text, limit)
	return foundAs("pipeline", list, err, func(p catalog.Pipeline) Found {
		return Found{ID: p.ID, Name: p.DisplayName, At: &p.CreatedAt}
	})
}

func (h *handler) foundExperiments(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindExperiments(ctx, text, limit)
	return foundAs("experiment", list, err, func(e catalog.Experiment) Found {
		return Found{ID: e.ID, Name: e.DisplayName, At: &e.CreatedAt}
	})
}

func (h *handler) foundTracked(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindTracked(ctx, text, limit)
	return foundAs("tracked_run", list, err, func(t track.Run) Found {
		b := briefTracked(t)
		return Found{ID: t.ID, Name: t.Name, Detail: t.UserID, At: b.StartedAt}
	})
}

func (h *handler) foundModels(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindModels(ctx, text, limit)
	return foundAs("model", list, err, func(f registry.Found) Found {
		out := Found{ID: f.Model, Name: f.Model, Alias: f.Alias}
		if f.Version > 0 {
			out.Version = formatNumber(f.Version)
		}
		return out
	})
}

func (h *handler) foundArtifacts(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindArtifacts(ctx, text, limit)
	return foundAs("artifact", list, err, func(a run.Artifact) Found {
		return Found{ID: a.ID, Name: a.Name, Detail: a.SchemaTitle, RunID: a.RunID, TaskID: a.TaskID}
	})
}

func (h *handler) foundRecurring(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindRecurring(ctx, text, limit)
	return foundAs("recurring_run", list, err, func(r catalog.RecurringRun) Found {
		return Found{ID: r.ID, Name: r.DisplayName, At: &r.CreatedAt}
	})
}

func (h *handler) foundTriggers(ctx context.Context, text string, limit int) ([]Found, error) {
	list, err := h.Across.FindTriggers(ctx, text, limit)
	return foundAs("trigger", list, err, func(t event.Trigger) Found {
		return Found{ID: t.ID, Name: t.Name, Detail: string(t.On.Kind()), At: &t.CreatedAt}
	})
}
