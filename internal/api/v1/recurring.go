package v1

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
	"levada/internal/core/schedule"
)

// Schedules is the part of the trigger service that this door opens.
type Schedules interface {
	Create(ctx context.Context, r catalog.RecurringRun) (catalog.RecurringRun, error)
	Replace(ctx context.Context, id string, r catalog.RecurringRun) (catalog.RecurringRun, error)
	// Times returns the first times of a trigger after now, at most n.
	Times(t schedule.Trigger, n int) ([]time.Time, error)
	Get(ctx context.Context, id string) (catalog.RecurringRun, error)
	List(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error)
	SetEnabled(ctx context.Context, id string, enabled bool) error
	Delete(ctx context.Context, id string) error
}

// CreateRecurring is the request that makes a recurring run: what its runs are started from, and when.
type CreateRecurring struct {
	SubmitRun
	Trigger        schedule.Trigger `json:"trigger" doc:"a cron expression, an interval, or the time of a single run"`
	MaxConcurrency int              `json:"max_concurrency,omitempty" doc:"how many of its runs may be active at once, 1 to 10; default 1"`
	// The policies are those of catalog.ConcurrencyPolicy.
	Concurrency catalog.ConcurrencyPolicy `json:"concurrency_policy,omitempty" enum:"queue,skip,replace" doc:"when a run is due and no more may be active: let it wait (default), leave it out, or cancel them"`
	Deadline    int64                     `json:"starting_deadline_seconds,omitempty" minimum:"0" doc:"leave out a run that cannot start within this time"`
	NoCatchup   bool                      `json:"no_catchup,omitempty" doc:"leave out the times that were missed, but for the newest"`
	Paused      bool                      `json:"paused,omitempty" doc:"start no runs until it is enabled"`
}

type createRecurringInput struct{ Body CreateRecurring }

type replaceRecurringInput struct {
	ID   string `path:"id" doc:"id of the recurring run"`
	Body CreateRecurring
}

type scheduleInput struct {
	Cron            string    `query:"cron" maxLength:"500" doc:"six fields, the first of which is the second; or @hourly and the like"`
	TimeZone        string    `query:"time_zone" maxLength:"100" doc:"name of a time zone such as Europe/Lisbon; default: UTC"`
	IntervalSeconds int64     `query:"interval_seconds"`
	At              time.Time `query:"at" doc:"the time of a single run"`
	Start           time.Time `query:"start" doc:"the first run comes after it; default: now"`
	End             time.Time `query:"end" doc:"no run comes after it"`
	N               int       `query:"n" minimum:"1" maximum:"100" default:"5" doc:"how many times to tell"`
}

type scheduleTimes struct {
	Times []time.Time `json:"times" nullable:"false"`
}

type scheduleOutput struct{ Body scheduleTimes }

type recurringInput struct {
	ID string `path:"id" doc:"id of the recurring run"`
}

type recurringOutput struct{ Body catalog.RecurringRun }

type listRecurringInput struct {
	PageRequest
	Q        string `query:"q" maxLength:"500" doc:"part of the display name"`
	IDPrefix string `query:"id_prefix" pattern:"^[0-9a-f-]*$" maxLength:"36" doc:"first characters of the recurring run's id"`
}

type recurringList struct {
	RecurringRuns []catalog.RecurringRun `json:"recurring_runs" nullable:"false"`
	PageInfo
}

type listRecurringOutput struct{ Body recurringList }

func (h *handler) registerRecurring(api huma.API) {
	tags := []string{"recurring runs"}
	huma.Register(api, huma.Operation{OperationID: "list-recurring-runs", Method: http.MethodGet, Path: Prefix + "/recurring-runs",
		Summary: "List recurring runs, newest first", Tags: tags}, h.listRecurring)
	huma.Register(api, huma.Operation{OperationID: "create-recurring-run", Method: http.MethodPost, Path: Prefix + "/recurring-runs",
		Summary: "Start runs by a schedule", Tags: tags, DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 404, 413}}, h.createRecurring)
	huma.Register(api, huma.Operation{OperationID: "get-schedule", Method: http.MethodGet, Path: Prefix + "/schedule",
		Summary: "Say when a schedule is due next", Tags: tags, Errors: []int{400},
		Description: "It makes nothing: it is for a look at a schedule before a recurring run is made."}, h.getSchedule)
	huma.Register(api, huma.Operation{OperationID: "get-recurring-run", Method: http.MethodGet, Path: Prefix + "/recurring-runs/{id}",
		Summary: "Get a recurring run", Tags: tags, Errors: []int{404}}, h.getRecurring)
	huma.Register(api, huma.Operation{OperationID: "replace-recurring-run", Method: http.MethodPut, Path: Prefix + "/recurring-runs/{id}",
		Summary: "Give a recurring run another definition", Tags: tags, MaxBodyBytes: maxSubmitBytes, BodyReadTimeout: time.Minute,
		Errors: []int{400, 404, 413}, Description: "The runs that it has started stay, and their number. Another schedule counts from now on."}, h.replaceRecurring)
	huma.Register(api, huma.Operation{OperationID: "enable-recurring-run", Method: http.MethodPost, Path: Prefix + "/recurring-runs/{id}/enable",
		Summary: "Let a recurring run start runs", Tags: tags, Errors: []int{404}}, h.enableRecurring(true))
	huma.Register(api, huma.Operation{OperationID: "disable-recurring-run", Method: http.MethodPost, Path: Prefix + "/recurring-runs/{id}/disable",
		Summary: "Stop a recurring run from starting runs", Tags: tags, Errors: []int{404}}, h.enableRecurring(false))
	huma.Register(api, huma.Operation{OperationID: "delete-recurring-run", Method: http.MethodDelete, Path: Prefix + "/recurring-runs/{id}",
		Summary: "Delete a recurring run; the runs it started stay", Tags: tags, Errors: []int{404}}, h.deleteRecurring)
}

func (h *handler) listRecurring(ctx context.Context, in *listRecurringInput) (*listRecurringOutput, error) {
	where := contains(startsWith(nil, "id", in.IDPrefix), "display_name", in.Q)
	page, err := h.Schedules.List(ctx, in.query(where))
	if err != nil {
		return nil, h.problem(ctx, "list recurring runs", err)
	}
	return &listRecurringOutput{Body: recurringList{RecurringRuns: orEmpty(page.Items),
		PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) createRecurring(ctx context.Context, in *createRecurringInput) (*recurringOutput, error) {
	return h.defineRecurring(ctx, "create a recurring run", in.Body, h.Schedules.Create)
}

func (h *handler) replaceRecurring(ctx context.Context, in *replaceRecurringInput) (*recurringOutput, error) {
	return h.defineRecurring(ctx, "change a recurring run", in.Body, func(ctx context.Context, r catalog.RecurringRun) (catalog.RecurringRun, error) {
		return h.Schedules.Replace(ctx, in.ID, r)
	})
}

// defineRecurring has a recurring run stored as it is asked for.
func (h *handler) defineRecurring(ctx context.Context, doing string, b CreateRecurring,
	store func(context.Context, catalog.RecurringRun) (catalog.RecurringRun, error)) (*recurringOutput, error) {
	if _, err := h.Schedules.Times(b.Trigger, 1); err != nil {
		return nil, at(h.problem(ctx, doing, err), "body.trigger")
	}
	sub, err := h.submission(ctx, b.SubmitRun)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	r, err := store(ctx, catalog.RecurringRun{DisplayName: b.DisplayName, Description: b.Description, Run: sub,
		Trigger: b.Trigger, MaxConcurrency: cmp.Or(b.MaxConcurrency, 1), Concurrency: b.Concurrency,
		StartingDeadlineSeconds: b.Deadline, NoCatchup: b.NoCatchup, Enabled: !b.Paused})
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &recurringOutput{Body: r}, nil
}

func (h *handler) getSchedule(ctx context.Context, in *scheduleInput) (*scheduleOutput, error) {
	t := schedule.Trigger{Cron: in.Cron, TimeZone: in.TimeZone, IntervalSeconds: in.IntervalSeconds}
	if !in.At.IsZero() {
		t.At = &in.At
	}
	if !in.Start.IsZero() {
		t.Start = &in.Start
	}
	if !in.End.IsZero() {
		t.End = &in.End
	}
	times, err := h.Schedules.Times(t, in.N)
	if err != nil {
		return nil, h.problem(ctx, "read a schedule", err)
	}
	return &scheduleOutput{Body: scheduleTimes{Times: orEmpty(times)}}, nil
}

func (h *handler) getRecurring(ctx context.Context, in *recurringInput) (*recurringOutput, error) {
	r, err := h.Schedules.Get(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get a recurring run", err)
	}
	return &recurringOutput{Body: r}, nil
}

func (h *handler) enableRecurring(enabled bool) func(context.Context, *recurringInput) (*recurringOutput, error) {
	return func(ctx context.Context, in *recurringInput) (*recurringOutput, error) {
		if err := h.Schedules.SetEnabled(ctx, in.ID, enabled); err != nil {
			return nil, h.problem(ctx, "change a recurring run", err)
		}
		return h.getRecurring(ctx, in)
	}
}

func (h *handler) deleteRecurring(ctx context.Context, in *recurringInput) (*struct{}, error) {
	if err := h.Schedules.Delete(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, "delete a recurring run", err)
	}
	return nil, nil
}
