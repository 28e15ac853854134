package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

// maxTrackedGroups is how many groups one answer may hold.
const maxTrackedGroups = 500

type groupsInput struct {
	ID      string   `path:"id" doc:"id of the experiment"`
	By      string   `query:"by" required:"true" maxLength:"300" doc:"params.NAME, tags.NAME, status or pipeline"`
	Filter  string   `query:"filter" maxLength:"10000" doc:"as for the list of runs"`
	Metric  []string `query:"metric,explode" nullable:"false" maxItems:"50" doc:"metrics to sum up"`
	Deleted bool     `query:"deleted" doc:"only deleted runs"`
}

// TrackedGroup are the runs that have a value in common.
type TrackedGroup struct {
	Value    *string        `json:"value,omitempty" doc:"left out for the runs that have none"`
	Count    int            `json:"count"`
	Statuses map[string]int `json:"statuses" doc:"numbers of runs by status"`
	Metrics  []GroupMetric  `json:"metrics" nullable:"false" doc:"in the order they were asked for"`
}

// GroupMetric sums up the latest values of a metric in a group.
type GroupMetric struct {
	Key   string   `json:"key"`
	Count int      `json:"count" doc:"runs whose latest value is a number"`
	Mean  *float64 `json:"mean,omitempty"`
	Min   *float64 `json:"min,omitempty"`
	Max   *float64 `json:"max,omitempty"`
}

type groupList struct {
	Groups []TrackedGroup `json:"groups" nullable:"false" doc:"the largest first, at most 500; the runs without a value last"`
	Total  int            `json:"total" doc:"number of groups"`
	Runs   int            `json:"runs" doc:"number of runs in all groups"`
}

type groupsOutput struct{ Body groupList }

func (h *handler) registerGroups(api huma.API, tags []string) {
	huma.Register(api, huma.Operation{OperationID: "list-run-groups", Method: http.MethodGet, Path: Prefix + "/experiments/{id}/run-groups",
		Summary: "Group the tracked runs of an experiment, and sum up their metrics", Tags: tags, Errors: []int{400, 404}}, h.trackedGroups)
}

func (h *handler) trackedGroups(ctx context.Context, in *groupsInput) (*groupsOutput, error) {
	const doing = "group tracked runs"
	e, err := h.Tracking.Experiment(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	metrics := unique(in.Metric)
	groups, total, runs, err := h.Tracking.RunGroups(ctx, tracking.GroupQuery{Experiment: e.ID, Filter: in.Filter, By: in.By, Metrics: metrics,
		Deleted: in.Deleted, Limit: maxTrackedGroups})
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := groupList{Groups: make([]TrackedGroup, len(groups)), Total: total, Runs: runs}
	for i, g := range groups {
		one := TrackedGroup{Value: g.Value, Count: g.Count, Statuses: map[string]int{}, Metrics: make([]GroupMetric, len(metrics))}
		for status, n := range g.Statuses {
			one.Statuses[string(status)] = n
		}
		for j, m := range g.Metrics {
			one.Metrics[j] = GroupMetric{Key: metrics[j], Count: m.Count, Mean: finite(m.Mean), Min: finite(m.Min), Max: finite(m.Max)}
		}
		out.Groups[i] = one
	}
	return &groupsOutput{Body: out}, nil
}

type bulkInput struct {
	Body struct {
		RunIDs []string `json:"run_ids" minItems:"1" maxItems:"1000"`
		Action string   `json:"action" enum:"delete,restore,set-tag"`
		Key    string   `json:"key,omitempty" doc:"of the tag to set"`
		Value  string   `json:"value,omitempty" doc:"of the tag to set"`
	}
}

// BulkOutcome says what became of a change to several runs.
type BulkOutcome struct {
	Done   int           `json:"done" doc:"number of runs that were changed"`
	Failed []BulkFailure `json:"failed" nullable:"false"`
}

// BulkFailure is a run that was not changed.
type BulkFailure struct {
	RunID string `json:"run_id"`
	Error string `json:"error"`
}

type bulkOutput struct{ Body BulkOutcome }

func (h *handler) registerBulk(api huma.API, tags []string) {
	huma.Register(api, huma.Operation{OperationID: "change-tracked-runs", Method: http.MethodPost, Path: Prefix + "/tracked-runs/changes",
		Summary: "Delete, restore or tag several tracked runs", Tags: tags, Errors: []int{400},
		Description: "Runs that cannot be changed do not keep the others; the answer names them. Deleted runs can be restored."}, h.changeRuns)
}

func (h *handler) changeRuns(ctx context.Context, in *bulkInput) (*bulkOutput, error) {
	b := in.Body
	done, failed, err := h.Tracking.ChangeRuns(ctx, tracking.BulkChange{RunIDs: unique(b.RunIDs), Delete: b.Action == "delete", Restore: b.Action == "restore",
		Tag: track.KV{Key: b.Key, Value: b.Value}})
	if err != nil {
		return nil, h.problem(ctx, "change tracked runs", err)
	}
	out := BulkOutcome{Done: done, Failed: make([]BulkFailure, len(failed))}
	for i, f := range failed {
		out.Failed[i] = BulkFailure{RunID: f.RunID, Error: f.Err.Error()}
	}
	return &bulkOutput{Body: out}, nil
}

// groupOf reads the group that a table is narrowed to: no_group stands for the runs that have no value.
func groupOf(in *runTableInput) (*string, error) {
	if in.By == "" && (in.Group != "" || in.NoGroup) {
		return nil, fault.Invalidf("group is the value of a group: name in by what the runs are grouped by, such as params.lr")
	}
	if in.NoGroup || in.By == "" {
		return nil, nil
	}
	return &in.Group, nil
}
