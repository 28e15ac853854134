package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
)

// Schedules is the part of the trigger service that this door opens.
type Schedules interface {
	Get(ctx context.Context, id string) (catalog.RecurringRun, error)
	List(ctx context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error)
	SetEnabled(ctx context.Context, id string, enabled bool) error
	Delete(ctx context.Context, id string) error
}

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
	huma.Register(api, huma.Operation{OperationID: "get-recurring-run", Method: http.MethodGet, Path: Prefix + "/recurring-runs/{id}",
		Summary: "Get a recurring run", Tags: tags, Errors: []int{404}}, h.getRecurring)
	huma.Register(api, huma.Operation{OperationID: "enable-recurring-run", Method: http.MethodPost, Path: Prefix + "/recurring-runs/{id}/enable",
		Summary: "Let a recurring run start runs", Tags: tags, Errors: []int{404}}, h.enableRecurring(true))
	huma.Register(api, huma.Operation{OperationID: "disable-recurring-run", Method: http.MethodPost, Path: Prefix + "/recurring-runs/{id}/disable",
		Summary: "Stop a recurring run from starting runs", Tags: tags, Errors: []int{404}}, h.enableRecurring(false))
	huma.Register(api, huma.Operation{OperationID: "delete-recurring-run", Method: http.MethodDelete, Path: Prefix + "/recurring-runs/{id}",
		Summary: "Delete a recurring run; the runs it started stay", Tags: tags, Errors: []int{404}}, h.deleteRecurring)
}

func (h *handler) listRecurring(ctx context.Context, in *listRecurringInput) (*listRecurringOutput, error) {
	where := contains(startsWith(nil, "id", in.IDPrefix), "display_name", in.Q)
	page, err := h.schedules.List(ctx, in.query(where))
	if err != nil {
		return nil, h.problem(ctx, "list recurring runs", err)
	}
	return &listRecurringOutput{Body: recurringList{RecurringRuns: orEmpty(page.Items),
		PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) getRecurring(ctx context.Context, in *recurringInput) (*recurringOutput, error) {
	r, err := h.schedules.Get(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get a recurring run", err)
	}
	return &recurringOutput{Body: r}, nil
}

func (h *handler) enableRecurring(enabled bool) func(context.Context, *recurringInput) (*recurringOutput, error) {
	return func(ctx context.Context, in *recurringInput) (*recurringOutput, error) {
		if err := h.schedules.SetEnabled(ctx, in.ID, enabled); err != nil {
			return nil, h.problem(ctx, "change a recurring run", err)
		}
		return h.getRecurring(ctx, in)
	}
}

func (h *handler) deleteRecurring(ctx context.Context, in *recurringInput) (*struct{}, error) {
	if err := h.schedules.Delete(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, "delete a recurring run", err)
	}
	return nil, nil
}
