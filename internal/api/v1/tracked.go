package v1

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

// TrackedRun is a run as experiment tracking knows it. Times are milliseconds since 1970, as clients gave them.
type TrackedRun struct {
	ID           string            `json:"id"`
	ExperimentID string            `json:"experiment_id"`
	Name         string            `json:"name"`
	Status       string            `json:"status" enum:"RUNNING,SCHEDULED,FINISHED,FAILED,KILLED"`
	User         string            `json:"user,omitempty"`
	StartMS      int64             `json:"start_ms"`
	EndMS        *int64            `json:"end_ms,omitempty"`
	Deleted      bool              `json:"deleted,omitempty"`
	ParentID     string            `json:"parent_id,omitempty" doc:"the run that this one is beneath"`
	Children     int               `json:"children,omitempty" doc:"how many runs are directly beneath this one"`
	Params       map[string]string `json:"params"`
	Tags         map[string]string `json:"tags"`
	Metrics      []TrackedMetric   `json:"metrics" nullable:"false"`
	Pipeline     *PipelineRef      `json:"pipeline,omitempty" doc:"the pipeline's run or task that this is"`
}

// PipelineRef names a run of a pipeline, or a task in it.
type PipelineRef struct {
	RunID  string `json:"run_id"`
	TaskID string `json:"task_id,omitempty"`
	Path   string `json:"path,omitempty" doc:"path of the task"`
}

// TrackedMetric sums up the points of a metric. A value that is not a number is left out.
type TrackedMetric struct {
	Key    string   `json:"key"`
	Value  *float64 `json:"value,omitempty" doc:"of the latest point by step"`
	Step   int64    `json:"step"`
	TimeMS int64    `json:"time_ms"`
	Min    *float64 `json:"min,omitempty"`
	Max    *float64 `json:"max,omitempty"`
	Count  int64    `json:"count" doc:"number of points"`
}

// finite is nil for what JSON has no number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func wireMetric(s track.Stat) TrackedMetric {
	return TrackedMetric{Key: s.Key, Value: finite(s.Latest.Value), Step: s.Latest.Step, TimeMS: s.Latest.Time,
		Min: finite(s.Min), Max: finite(s.Max), Count: s.Count}
}

func wirePairs(list []track.KV) map[string]string {
	out := make(map[string]string, len(list))
	for _, kv := range list {
		out[kv.Key] = kv.Value
	}
	return out
}

func wireTracked(t tracking.Tracked) TrackedRun {
	out := TrackedRun{ID: t.ID, ExperimentID: t.ExperimentID, Name: t.Name, Status: string(t.Status), User: t.UserID,
		StartMS: t.StartMS, EndMS: t.EndMS, Deleted: t.Deleted, Params: wirePairs(t.Params), Tags: wirePairs(t.Tags),
		Metrics: make([]TrackedMetric, len(t.Metrics)), Pipeline: pipelineOf(t.Run)}
	out.ParentID = out.Tags[track.TagParentRun]
	for i, m := range t.Metrics {
		out.Metrics[i] = wireMetric(m)
	}
	return out
}

// pipelineOf tells from its tags which run or task of a pipeline a tracked run is. The ids of pipelines have hyphens; those
// that clients get have none.
func pipelineOf(r *track.Run) *PipelineRef {
	source, _ := track.Find(r.Tags, track.TagSourceType)
	if source != "PIPELINE" || !strings.Contains(r.ID, "-") {
		return nil
	}
	if run, isTask := track.Find(r.Tags, track.TagPipelineRun); isTask {
		path, _ := track.Find(r.Tags, track.TagTask)
		return &PipelineRef{RunID: run, TaskID: r.ID, Path: path}
	}
	return &PipelineRef{RunID: r.ID}
}

// TrackedExperiment is an experiment as tracking knows it.
type TrackedExperiment struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	Deleted          bool              `json:"deleted,omitempty"`
	ArtifactLocation string            `json:"artifact_location"`
	Tags             map[string]string `json:"tags"`
}

// TrackedFields are the names that the newest 500 runs of an experiment use.
type TrackedFields struct {
	Params  []string `json:"params" nullable:"false"`
	Metrics []string `json:"metrics" nullable:"false"`
	Tags    []string `json:"tags" nullable:"false"`
}

type runTableInput struct {
	PageRequest
	ID      string   `path:"id" doc:"id of the experiment"`
	Filter  string   `query:"filter" maxLength:"10000" doc:"as in MLflow's search_runs, with OR and parentheses: metrics.loss < 0.1 AND params.lr = '0.01'"`
	OrderBy []string `query:"order_by,explode" nullable:"false" maxItems:"10" doc:"keys with ASC or DESC: metrics.loss DESC"`
	Column  []string `query:"column,explode" nullable:"false" maxItems:"200" doc:"which parameters, metrics and tags to return, such as params.lr; all when none is named"`
	Nested  bool     `query:"nested" doc:"only runs beneath parent; a run is listed when it or one beneath it matches"`
	Parent  string   `query:"parent" doc:"with nested: id of a run; without it, runs that are beneath no other"`
	Deleted bool     `query:"deleted" doc:"only deleted runs; they are not nested"`
	By      string   `query:"by" maxLength:"300" doc:"with group: what the runs of the group have in common, as for run-groups"`
	Group   string   `query:"group" doc:"with by: only the runs of this value; they are not nested"`
	NoGroup bool     `query:"no_group" doc:"with by: only the runs without a value"`
}

type runTable struct {
	Experiment TrackedExperiment `json:"experiment"`
	Runs       []TrackedRun      `json:"runs" nullable:"false"`
	Fields     *TrackedFields    `json:"fields,omitempty" doc:"on the first page"`
	PageInfo
}

type runTableOutput struct{ Body runTable }

// TrackedID says which tracked run.
type TrackedID struct {
	ID string `path:"id" doc:"id of the tracked run"`
}

// TrackedRunDetail is a tracked run with all that belongs to it.
type TrackedRunDetail struct {
	Run            TrackedRun       `json:"run"`
	ExperimentName string           `json:"experiment_name"`
	ParentName     string           `json:"parent_name,omitempty"`
	ArtifactURI    string           `json:"artifact_uri"`
	Datasets       []TrackedDataset `json:"datasets" nullable:"false"`
	Models         []TrackedModel   `json:"models" nullable:"false"`
}

// TrackedDataset is a dataset that a run read.
type TrackedDataset struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	Context    string `json:"context,omitempty" doc:"what it was for: training, evaluation"`
	SourceType string `json:"source_type"`
	Source     string `json:"source"`
	Schema     string `json:"schema,omitempty" doc:"JSON text"`
	Profile    string `json:"profile,omitempty" doc:"JSON text"`
}

// TrackedModel is a model that a run read or made, or a registered version that came from the run.
type TrackedModel struct {
	Role    string `json:"role" enum:"input,output,registered"`
	ID      string `json:"id,omitempty" doc:"id of the logged model"`
	Name    string `json:"name"`
	Type    string `json:"type,omitempty"`
	Status  string `json:"status,omitempty" enum:"UNSPECIFIED,PENDING,READY,UPLOAD_FAILED"`
	Version string `json:"version,omitempty" doc:"of the registered model"`
}

type trackedOutput struct{ Body TrackedRunDetail }

type compareInput struct {
	RunID []string `query:"run_id,explode" required:"true" nullable:"false" minItems:"1" maxItems:"100"`
}

type comparison struct {
	Runs        []TrackedRun      `json:"runs" nullable:"false" doc:"in the order they were asked for"`
	Missing     []string          `json:"missing" nullable:"false" doc:"ids of runs that are not there"`
	Experiments map[string]string `json:"experiments" doc:"names by id"`
}

type comparisonOutput struct{ Body comparison }

func (h *handler) registerTracked(api huma.API) {
	tags := []string{"tracking"}
	huma.Register(api, huma.Operation{OperationID: "list-tracked-runs", Method: http.MethodGet, Path: Prefix + "/experiments/{id}/tracked-runs",
		Summary: "Search the tracked runs of an experiment, newest first", Tags: tags, Errors: []int{400, 404}}, h.runTable)
	huma.Register(api, huma.Operation{OperationID: "get-tracked-run", Method: http.MethodGet, Path: Prefix + "/tracked-runs/{id}",
		Summary: "Get a tracked run", Tags: tags, Errors: []int{404}}, h.getTracked)
	huma.Register(api, huma.Operation{OperationID: "compare-runs", Method: http.MethodGet, Path: Prefix + "/comparison",
		Summary: "Get several tracked runs at once", Tags: tags, Errors: []int{400}}, h.compareRuns)
	h.registerCurves(api, tags)
	h.registerSources(api, tags)
	h.registerGroups(api, tags)
	h.registerBulk(api, tags)
	h.registerTrackedFiles(api, tags)
}

func (h *handler) runTable(ctx context.Context, in *runTableInput) (*runTableOutput, error) {
	const doing = "search tracked runs"
	offset, err := offsetOf(in.PageToken)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	e, err := h.Tracking.Experiment(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	group, err := groupOf(in)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	limit := in.limit()
	rows, total, err := h.Tracking.RunTable(ctx, tracking.TableQuery{Experiment: e.ID, Filter: in.Filter, OrderBy: in.OrderBy,
		Nested: in.Nested, Parent: in.Parent, Deleted: in.Deleted, By: in.By, Group: group, Offset: offset, Limit: limit})
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	wanted := columnsOf(in.Column)
	out := runTable{Runs: make([]TrackedRun, len(rows)), PageInfo: PageInfo{Total: total, NextPageToken: nextOffset(offset, limit, total)},
		Experiment: TrackedExperiment{ID: e.ID, Name: e.Name, Deleted: e.Deleted, ArtifactLocation: e.ArtifactLocation, Tags: wirePairs(e.Tags)}}
	for i, row := range rows {
		out.Runs[i] = wireTracked(wanted.cut(row.Tracked))
		out.Runs[i].Children = row.Children
		// What the row is, whether or not its tags are among the columns.
		out.Runs[i].ParentID, _ = track.Find(row.Tags, track.TagParentRun)
		out.Runs[i].Pipeline = pipelineOf(row.Run)
	}
	if offset == 0 && in.Parent == "" {
		f, err := h.Tracking.FieldsOf(ctx, e.ID)
		if err != nil {
			return nil, h.problem(ctx, doing, err)
		}
		out.Fields = &TrackedFields{Params: orEmpty(f.Params), Metrics: orEmpty(f.Metrics), Tags: orEmpty(f.Tags)}
	}
	return &runTableOutput{Body: out}, nil
}

// columns are the names that a client wants, as params.x, metrics.y and tags.z; nil means all.
type columns map[string]bool

func columnsOf(names []string) columns {
	if len(names) == 0 {
		return nil
	}
	out := columns{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

// cut leaves out of a run what is in no column.
func (c columns) cut(t tracking.Tracked) tracking.Tracked {
	if c == nil {
		return t
	}
	only := func(kind string, list []track.KV) []track.KV {
		return slices.DeleteFunc(slices.Clone(list), func(kv track.KV) bool { return !c[kind+kv.Key] })
	}
	r := *t.Run
	r.Params, r.Tags = only("params.", r.Params), only("tags.", r.Tags)
	return tracking.Tracked{Run: &r, Metrics: slices.DeleteFunc(t.Metrics, func(s track.Stat) bool { return !c["metrics."+s.Key] })}
}

func (h *handler) getTracked(ctx context.Context, in *TrackedID) (*trackedOutput, error) {
	const doing = "get a tracked run"
	t, err := h.Tracking.Run(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := TrackedRunDetail{Run: wireTracked(t), ArtifactURI: t.ArtifactURI, Datasets: wireDatasets(t.Run), Models: []TrackedModel{}}
	if out.Run.Children, err = h.Tracking.Beneath(ctx, t.Run); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	e, err := h.Tracking.Experiment(ctx, t.ExperimentID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out.ExperimentName = e.Name
	if out.Run.ParentID != "" {
		parent, err := h.Tracking.Info(ctx, out.Run.ParentID)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, h.problem(ctx, doing, err)
		}
		out.ParentName = parent.Name
	}
	if out.Models, err = h.modelsOf(ctx, t.Run); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &trackedOutput{Body: out}, nil
}

func wireDatasets(r *track.Run) []TrackedDataset {
	out := make([]TrackedDataset, len(r.Datasets))
	for i, d := range r.Datasets {
		context, _ := d.Context()
		out[i] = TrackedDataset{Name: d.Dataset.Name, Digest: d.Dataset.Digest, Context: context, SourceType: d.Dataset.SourceType,
			Source: d.Dataset.Source, Schema: orNone(d.Dataset.Schema), Profile: orNone(d.Dataset.Profile)}
	}
	return out
}

func orNone(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// modelsOf lists the models that a run read and made, then the registered versions that came from it.
func (h *handler) modelsOf(ctx context.Context, r *track.Run) ([]TrackedModel, error) {
	out := []TrackedModel{}
	add := func(role, id string) error {
		m, err := h.Tracking.Model(ctx, id, true)
		if fault.KindOf(err) == fault.NotFound {
			out = append(out, TrackedModel{Role: role, ID: id, Name: id})
			return nil
		}
		out = append(out, TrackedModel{Role: role, ID: id, Name: m.Name, Type: m.Type, Status: m.Status.String()})
		return err
	}
	for _, id := range r.ModelInputs {
		if err := add("input", id); err != nil {
			return nil, err
		}
	}
	for _, m := range r.Outputs {
		if err := add("output", m.ModelID); err != nil {
			return nil, err
		}
	}
	versions, err := h.Registry.From(ctx, nil, []string{r.ID})
	for _, v := range versions {
		out = append(out, TrackedModel{Role: "registered", ID: v.ModelID, Name: v.Name, Version: formatNumber(v.Number)})
	}
	return out, err
}

func (h *handler) compareRuns(ctx context.Context, in *compareInput) (*comparisonOutput, error) {
	const doing = "compare runs"
	runs, missing, err := h.Tracking.Runs(ctx, unique(in.RunID))
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := comparison{Runs: make([]TrackedRun, len(runs)), Missing: orEmpty(missing), Experiments: map[string]string{}}
	for i, r := range runs {
		out.Runs[i] = wireTracked(r)
		if _, known := out.Experiments[r.ExperimentID]; known {
			continue
		}
		e, err := h.Tracking.Experiment(ctx, r.ExperimentID)
		if err != nil {
			return nil, h.problem(ctx, doing, err)
		}
		out.Experiments[e.ID] = e.Name
	}
	return &comparisonOutput{Body: out}, nil
}

// unique leaves out what has come before.
func unique(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		twice := seen[s]
		seen[s] = true
		return twice
	})
}
