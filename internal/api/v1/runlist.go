package v1

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/search"
	"levada/internal/core/track"
)

// maxCounted is up to where the runs that match a filter are counted.
const maxCounted = 10_000

// RunFilter holds the query parameters that say which runs are meant. It is exported because huma does not look into unexported embedded types.
type RunFilter struct {
	ExperimentID string   `query:"experiment_id"`
	State        []string `query:"state" nullable:"false" doc:"states, separated by commas" enum:"PENDING,RUNNING,CANCELING,SUCCEEDED,SKIPPED,FAILED,CANCELED"`
	Q            string   `query:"q" maxLength:"500" doc:"part of the display name"`
	Archived     string   `query:"archived" enum:"true,false,any" default:"false"`
	Pipeline     string   `query:"pipeline" doc:"name of the pipeline inside its specification"`
	PipelineID   string   `query:"pipeline_id" doc:"id of an uploaded pipeline"`
	RecurringRun string   `query:"recurring_run_id" doc:"id of the recurring run that started them"`
	Backfill     string   `query:"backfill_id" doc:"id of the backfill that started them"`
	Partition    string   `query:"partition" doc:"key of the partition that they were for; give pipeline_id too"`
	IDPrefix     string   `query:"id_prefix" pattern:"^[0-9a-f-]*$" maxLength:"36" doc:"first characters of the run's id"`
	Filter       string   `query:"filter" maxLength:"10000" doc:"comparisons joined by AND and OR, with parentheses: name ILIKE '%train%' AND state IN ('FAILED', 'CANCELED') AND params.lr = '0.1' AND created >= '2026-01-31'. Of name, state, pipeline, experiment, created, finished, run_id, description, recurring_run_id, params and tags."`
}

func (f *RunFilter) where() []listing.Predicate {
	where := equals(nil, "experiment_id", f.ExperimentID)
	where = equals(where, "pipeline_name", f.Pipeline)
	where = equals(where, "pipeline_id", f.PipelineID)
	where = equals(where, "recurring_run_id", f.RecurringRun)
	where = equals(where, "backfill_id", f.Backfill)
	where = equals(where, "partition", f.Partition)
	where = contains(where, "display_name", f.Q)
	where = startsWith(where, "id", f.IDPrefix)
	where = archivedIs(where, f.Archived)
	if len(f.State) > 0 {
		p := listing.Predicate{Key: "state", Op: listing.In}
		for _, s := range f.State {
			p.Values = append(p.Values, s)
		}
		where = append(where, p)
	}
	return where
}

// onto adds the filter to a query.
func (f *RunFilter) onto(q listing.Query) (listing.Query, error) {
	text := strings.TrimSpace(f.Filter)
	if text == "" {
		return q, nil
	}
	e, err := search.PipelineRuns.Parse(text)
	q.Filter, q.CountUpTo = e, maxCounted
	return q, err
}

type listRunsInput struct {
	PageRequest
	RunFilter
	Column []string `query:"column,explode" nullable:"false" maxItems:"50" doc:"parameters, metrics and tags to return of each run, such as params.lr"`
	Fields bool     `query:"fields" doc:"also return the names of the parameters, metrics and tags that the runs of this page have"`
}

type runList struct {
	Runs    []run.Run                 `json:"runs" nullable:"false"`
	Columns map[string]map[string]any `json:"columns,omitempty" doc:"by the id of a run, what it has of the columns that were asked for: numbers for metrics, texts for the others"`
	Fields  *TrackedFields            `json:"fields,omitempty" doc:"where they were asked for"`
	More    bool                      `json:"more,omitempty" doc:"with a filter: there are more runs than total says"`
	PageInfo
}

type listRunsOutput struct{ Body runList }

func (h *handler) listRuns(ctx context.Context, in *listRunsInput) (*listRunsOutput, error) {
	q, err := in.onto(in.query(in.where()))
	if err != nil {
		return nil, h.problem(ctx, "list runs", err)
	}
	page, err := h.Service.ListRuns(ctx, q)
	if err != nil {
		return nil, h.problem(ctx, "list runs", err)
	}
	out := &listRunsOutput{Body: runList{Runs: make([]run.Run, 0, len(page.Items))}}
	ids := make([]string, 0, len(page.Items))
	for _, r := range page.Items {
		out.Body.Runs = append(out.Body.Runs, wireRun(r))
		ids = append(ids, r.ID)
	}
	out.Body.PageInfo = PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}
	if q.Filter != nil && page.Total > maxCounted {
		out.Body.Total, out.Body.More = maxCounted, true
	}
	if err := h.addColumns(ctx, &out.Body, ids, in); err != nil {
		return nil, h.problem(ctx, "list runs", err)
	}
	return out, nil
}

// addColumns adds what was asked for of the tracked runs of a page.
func (h *handler) addColumns(ctx context.Context, list *runList, ids []string, in *listRunsInput) error {
	if in.Fields {
		n, err := h.Tracking.NamesIn(ctx, ids)
		if err != nil {
			return err
		}
		list.Fields = &TrackedFields{Params: orEmpty(n.Params), Metrics: orEmpty(n.Metrics), Tags: orEmpty(n.Tags)}
	}
	if len(in.Column) == 0 {
		return nil
	}
	names, err := columnNames(in.Column)
	if err != nil {
		return err
	}
	values, err := h.Tracking.ValuesOf(ctx, ids, names)
	if err != nil {
		return err
	}
	list.Columns = make(map[string]map[string]any, len(ids))
	for _, id := range ids {
		row := map[string]any{}
		for _, kv := range values.Params[id] {
			row["params."+kv.Key] = kv.Value
		}
		for _, kv := range values.Tags[id] {
			row["tags."+kv.Key] = kv.Value
		}
		for key, of := range values.Metrics {
			if v, there := of[id]; there {
				row["metrics."+key] = finite(v) // nil is not a number
			}
		}
		list.Columns[id] = row
	}
	return nil
}

// columnNames reads names such as params.lr.
func columnNames(columns []string) (track.Names, error) {
	var n track.Names
	for _, c := range columns {
		kind, key, _ := strings.Cut(c, ".")
		switch {
		case kind == "params" && key != "":
			n.Params = append(n.Params, key)
		case kind == "metrics" && key != "":
			n.Metrics = append(n.Metrics, key)
		case kind == "tags" && key != "":
			n.Tags = append(n.Tags, key)
		default:
			return n, fault.Invalidf("column %q: want params.NAME, metrics.NAME or tags.NAME", fault.Shorten(c, 100))
		}
	}
	return n, nil
}

type runGroupsInput struct {
	RunFilter
	By string `query:"by" required:"true" enum:"state,experiment,pipeline" doc:"what the runs of a group have in common"`
}

// RunGroups are runs counted by what they have in common.
type RunGroups struct {
	Groups []run.Group `json:"groups" nullable:"false" doc:"the largest first; at most 500"`
	Whole  bool        `json:"whole" doc:"all runs that match were counted, and not only the newest 100,000"`
}

type runGroupsOutput struct{ Body RunGroups }

var groupedBy = map[string]string{"state": "state", "experiment": "experiment_id", "pipeline": "pipeline_name"}

const maxGroups = 500

func (h *handler) registerRunGroups(api huma.API, tags []string) {
	huma.Register(api, huma.Operation{OperationID: "group-runs", Method: http.MethodGet, Path: Prefix + "/run-groups",
		Summary: "Count runs by state, experiment or pipeline", Tags: tags, Errors: []int{400}}, h.runGroups)
}

func (h *handler) runGroups(ctx context.Context, in *runGroupsInput) (*runGroupsOutput, error) {
	q, err := in.onto(listing.Query{Where: in.where()})
	if err != nil {
		return nil, h.problem(ctx, "group runs", err)
	}
	groups, whole, err := h.Service.RunGroups(ctx, groupedBy[in.By], q, maxGroups)
	if err != nil {
		return nil, h.problem(ctx, "group runs", err)
	}
	return &runGroupsOutput{Body: RunGroups{Groups: orEmpty(groups), Whole: whole}}, nil
}
