package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/catalog"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
	"levada/internal/pipeline"
)

// Across is what the doors of the home page and of the search look into: a little of every service.
type Across interface {
	Overview(ctx context.Context) (pipeline.Overview, error)
	Upcoming(ctx context.Context, limit int) (next []catalog.Upcoming, total int, refused []catalog.RecurringRun)
	GoingOn(ctx context.Context, limit int) ([]track.Run, error)
	Changes(ctx context.Context, limit int) ([]model.Change, error)
	Finder
}

// HomePage is what one wants to know first.
type HomePage struct {
	Counts    map[run.State]int `json:"counts" doc:"runs that are not archived, by state"`
	Active    []run.Brief       `json:"active" nullable:"false" doc:"the newest 20 runs that go on"`
	Tracked   []TrackedBrief    `json:"tracked" nullable:"false" doc:"the newest 20 tracked runs that go on, belong to no pipeline and began in the last 7 days"`
	Failures  Failures          `json:"failures"`
	Scheduled Scheduled         `json:"scheduled"`
	Changes   []ModelChange     `json:"changes" nullable:"false" doc:"the newest 20 changes of registered models, the newest first; what imports bring is not among them"`
}

// TrackedBrief is what a line about a tracked run shows.
type TrackedBrief struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	ExperimentID string     `json:"experiment_id"`
	User         string     `json:"user,omitempty"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
}

// Failures are the runs that failed lately, by cause.
type Failures struct {
	Since  time.Time   `json:"since" doc:"when the oldest run was created that is looked at"`
	Runs   int         `json:"runs" doc:"how many failed runs were looked at, at most 300"`
	More   bool        `json:"more" doc:"there may be more; the newest were looked at"`
	Causes []run.Cause `json:"causes" nullable:"false" doc:"the newest first"`
}

// Scheduled is what recurring runs will start.
type Scheduled struct {
	Next    []NextRun    `json:"next" nullable:"false" doc:"the 10 that are due first"`
	Total   int          `json:"total" doc:"recurring runs that are enabled and not over"`
	Refused []RefusedRun `json:"refused" nullable:"false" doc:"those whose last run could not be started"`
}

// NextRun is a recurring run that is due.
type NextRun struct {
	ID          string    `json:"id"`
	DisplayName string    `json:"display_name"`
	At          time.Time `json:"at"`
	Full        bool      `json:"full" doc:"it waits for one of its runs to end, because no more may be active at once"`
}

// RefusedRun is a recurring run whose last run could not be started.
type RefusedRun struct {
	ID          string     `json:"id"`
	DisplayName string     `json:"display_name"`
	Failure     string     `json:"failure"`
	LastAt      *time.Time `json:"last_at,omitempty"`
}

// ModelChange is something that happened to a registered model.
type ModelChange struct {
	At      time.Time        `json:"at"`
	Kind    model.ChangeKind `json:"kind" enum:"model_created,model_renamed,model_deleted,version_created,version_deleted,alias_set,alias_removed,stage_changed"`
	Model   string           `json:"model"`
	Version string           `json:"version,omitempty" doc:"the version that was made, deleted or moved, or that the alias points to now"`
	Alias   string           `json:"alias,omitempty"`
	Before  string           `json:"before,omitempty" doc:"the version that the alias pointed to"`
	From    string           `json:"from,omitempty" doc:"the stage or the name before"`
	To      string           `json:"to,omitempty" doc:"the stage or the name since"`
}

type homeOutput struct{ Body HomePage }

// How much of each the home page shows.
const (
	shownChanges = 20
	shownTracked = 20
	shownNext    = 10
)

func (h *handler) registerHome(api huma.API) {
	huma.Register(api, huma.Operation{OperationID: "get-home", Method: http.MethodGet, Path: Prefix + "/home",
		Summary: "What goes on, what failed lately and why, what is due, and what changed in the registry", Tags: []string{"server"}}, h.getHome)
}

func (h *handler) getHome(ctx context.Context, _ *struct{}) (*homeOutput, error) {
	const doing = "look at what goes on"
	o, err := h.Across.Overview(ctx)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	tracked, err := h.Across.GoingOn(ctx, shownTracked)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	changes, err := h.Across.Changes(ctx, shownChanges)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	next, total, refused := h.Across.Upcoming(ctx, shownNext)
	out := HomePage{Counts: o.Counts, Active: orEmpty(o.Active), Tracked: make([]TrackedBrief, len(tracked)),
		Failures:  Failures{Since: o.Since, Runs: o.Failed, More: o.Cut, Causes: orEmpty(o.Causes)},
		Scheduled: Scheduled{Next: make([]NextRun, len(next)), Total: total, Refused: make([]RefusedRun, len(refused))},
		Changes:   make([]ModelChange, len(changes))}
	for i, t := range tracked {
		out.Tracked[i] = briefTracked(t)
	}
	for i, n := range next {
		out.Scheduled.Next[i] = NextRun{ID: n.Run.ID, DisplayName: n.Run.DisplayName, At: n.At, Full: n.Full}
	}
	for i, r := range refused {
		out.Scheduled.Refused[i] = RefusedRun{ID: r.ID, DisplayName: r.DisplayName, Failure: r.Failure, LastAt: r.LastAt}
	}
	for i, c := range changes {
		out.Changes[i] = wireChange(c)
	}
	return &homeOutput{Body: out}, nil
}

func briefTracked(t track.Run) TrackedBrief {
	out := TrackedBrief{ID: t.ID, Name: t.Name, ExperimentID: t.ExperimentID, User: t.UserID}
	if t.StartMS > 0 {
		at := time.UnixMilli(t.StartMS).UTC()
		out.StartedAt = &at
	}
	return out
}

func wireChange(c model.Change) ModelChange {
	out := ModelChange{At: time.UnixMicro(c.AtUS).UTC(), Kind: c.Kind, Model: c.Model, Alias: c.Alias, From: c.From, To: c.To}
	if c.Version != 0 {
		out.Version = formatNumber(c.Version)
	}
	if c.Before != 0 {
		out.Before = formatNumber(c.Before)
	}
	return out
}
