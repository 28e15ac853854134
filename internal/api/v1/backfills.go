package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/catalog"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
	"levada/internal/pipeline"
	"levada/internal/trigger"
)

// Backfills is the part of the trigger service that this door opens for partitions and backfills.
type Backfills interface {
	Partitions(ctx context.Context, pipelineID string) (trigger.Partitions, error)
	SetPartitions(ctx context.Context, pipelineID string, d partition.Definition) error
	DeletePartitions(ctx context.Context, pipelineID string) error
	PlanBackfill(ctx context.Context, ask trigger.Backfill) (trigger.BackfillPlan, error)
	CreateBackfill(ctx context.Context, ask trigger.Backfill) (catalog.Backfill, error)
	GetBackfill(ctx context.Context, id string) (catalog.Backfill, error)
	ListBackfills(ctx context.Context, q listing.Query) (listing.Page[catalog.Backfill], error)
	BackfillPartitions(ctx context.Context, id string, after, limit int) ([]catalog.BackfillPartition, error)
	PauseBackfill(ctx context.Context, id string) (catalog.Backfill, error)
	ResumeBackfill(ctx context.Context, id string) (catalog.Backfill, error)
	CancelBackfill(ctx context.Context, id string) (catalog.Backfill, error)
	RetryBackfill(ctx context.Context, id string) (catalog.Backfill, int, error)
}

// CreateBackfill is the request that makes a backfill, or that asks what one would do.
type CreateBackfill struct {
	PipelineID   string         `json:"pipeline_id" minLength:"1"`
	VersionID    string         `json:"version_id,omitempty" doc:"version that all runs run; default: the newest of now"`
	DisplayName  string         `json:"display_name,omitempty"`
	Experiment   string         `json:"experiment,omitempty" doc:"name of the experiment of the runs, created if it is missing"`
	ExperimentID string         `json:"experiment_id,omitempty"`
	Parameters   map[string]any `json:"parameters,omitempty" doc:"the parameters but for the one that takes the partition"`
	Cache        *bool          `json:"cache,omitempty" doc:"reuse earlier results where the pipeline allows it; default true"`

	Parameter string `json:"parameter,omitempty" doc:"the parameter that takes the partition; default: the one by which the pipeline is partitioned"`
	// Partitions makes the pipeline a partitioned one, if it is not yet.
	Partitions *partition.Definition `json:"partitions,omitempty" doc:"how the pipeline is partitioned, if that is not said yet"`
	From       string                `json:"from,omitempty" maxLength:"200" doc:"the first partition, or a time in it; default: the first there is"`
	To         string                `json:"to,omitempty" maxLength:"200" doc:"the last partition, or a time in it; default: the last there is"`
	Only       []partition.State     `json:"only,omitempty" enum:"missing,failed,stale,done" doc:"states in which a partition has to be; default: missing"`
	Order      catalog.BackfillOrder `json:"order,omitempty" enum:"oldest,newest" doc:"which partition is started first; default: the oldest"`
	Parallel   int                   `json:"parallel,omitempty" doc:"how many of its runs may be active at once, 1 to 100; default 4"`
}

type createBackfillInput struct{ Body CreateBackfill }

type backfillOutput struct{ Body catalog.Backfill }

// BackfillPlan says what a backfill would do.
type BackfillPlan struct {
	Backfill   catalog.Backfill        `json:"backfill" doc:"the backfill with what was left out filled in; it has no id"`
	Partitions []partition.Status      `json:"partitions" nullable:"false" doc:"what would be started, in this order"`
	Left       map[partition.State]int `json:"left" doc:"how many of the range would not be started, by state"`
}

type planBackfillOutput struct{ Body BackfillPlan }

type backfillInput struct {
	ID string `path:"id" doc:"id of the backfill"`
}

type listBackfillsInput struct {
	PageRequest
	PipelineID string `query:"pipeline_id" doc:"only those of a pipeline"`
	State      string `query:"state" enum:"RUNNING,PAUSED,CANCELING,CANCELED,SUCCEEDED,FAILED"`
	IDPrefix   string `query:"id_prefix" pattern:"^[0-9a-f-]*$" maxLength:"36" doc:"first characters of the backfill's id"`
}

type backfillList struct {
	Backfills []catalog.Backfill `json:"backfills" nullable:"false"`
	PageInfo
}

type listBackfillsOutput struct{ Body backfillList }

type backfillPartitionsInput struct {
	ID    string `path:"id" doc:"id of the backfill"`
	After int    `query:"after" default:"-1" doc:"position after which to begin"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

type backfillPartitionList struct {
	Partitions []catalog.BackfillPartition `json:"partitions" nullable:"false"`
}

type backfillPartitionsOutput struct{ Body backfillPartitionList }

type retryBackfillOutput struct {
	Body struct {
		Backfill catalog.Backfill `json:"backfill"`
		Retried  int              `json:"retried" doc:"how many partitions are tried again"`
	}
}

type partitionsInput struct {
	ID     string          `path:"id" doc:"id of the pipeline"`
	State  partition.State `query:"state" enum:"missing,running,failed,stale,done" doc:"only those in a state"`
	Offset int             `query:"offset" minimum:"0" doc:"how many to leave out at the beginning"`
	Limit  int             `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
}

// PartitionList is how a pipeline is partitioned, with a stretch of its partitions.
type PartitionList struct {
	Definition *partition.Definition   `json:"definition,omitempty" doc:"missing for a pipeline that is not partitioned"`
	Counts     map[partition.State]int `json:"counts" doc:"number of all partitions by state"`
	Total      int                     `json:"total" doc:"number of partitions that match"`
	Partitions []partition.Status      `json:"partitions" nullable:"false" doc:"oldest first"`
}

type partitionsOutput struct{ Body PartitionList }

type setPartitionsInput struct {
	ID   string `path:"id" doc:"id of the pipeline"`
	Body partition.Definition
}

type pipelineOnlyInput struct {
	ID string `path:"id" doc:"id of the pipeline"`
}

func (h *handler) registerBackfills(api huma.API) {
	tags := []string{"backfills"}
	huma.Register(api, huma.Operation{OperationID: "list-partitions", Method: http.MethodGet, Path: Prefix + "/pipelines/{id}/partitions",
		Summary: "Say in what state the partitions of a pipeline are", Tags: tags, Errors: []int{404}}, h.listPartitions)
	huma.Register(api, huma.Operation{OperationID: "set-partitions", Method: http.MethodPut, Path: Prefix + "/pipelines/{id}/partitions",
		Summary: "Say how a pipeline is partitioned", Tags: tags, Errors: []int{400, 404}, MaxBodyBytes: maxSubmitBytes,
		Description: "The runs that the pipeline has count as those of the partitions that they were for."}, h.setPartitions)
	huma.Register(api, huma.Operation{OperationID: "delete-partitions", Method: http.MethodDelete, Path: Prefix + "/pipelines/{id}/partitions",
		Summary: "Let a pipeline have no partitions; its runs stay", Tags: tags, Errors: []int{404}}, h.deletePartitions)
	huma.Register(api, huma.Operation{OperationID: "list-backfills", Method: http.MethodGet, Path: Prefix + "/backfills",
		Summary: "List backfills, newest first", Tags: tags}, h.listBackfills)
	huma.Register(api, huma.Operation{OperationID: "create-backfill", Method: http.MethodPost, Path: Prefix + "/backfills",
		Summary: "Start a run for each of a range of partitions", Tags: tags, DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 404, 413}}, h.createBackfill)
	huma.Register(api, huma.Operation{OperationID: "plan-backfill", Method: http.MethodPost, Path: Prefix + "/backfills/plan",
		Summary: "Say what a backfill would do, without doing it", Tags: tags, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 404, 413}}, h.planBackfill)
	huma.Register(api, huma.Operation{OperationID: "get-backfill", Method: http.MethodGet, Path: Prefix + "/backfills/{id}",
		Summary: "Get a backfill with its progress", Tags: tags, Errors: []int{404}}, h.getBackfill)
	huma.Register(api, huma.Operation{OperationID: "list-backfill-partitions", Method: http.MethodGet, Path: Prefix + "/backfills/{id}/partitions",
		Summary: "List the partitions of a backfill in the order in which they are started", Tags: tags, Errors: []int{404}}, h.backfillPartitions)
	for _, change := range []struct {
		id, summary string
		do          func(context.Context, string) (catalog.Backfill, error)
	}{
		{"pause", "Keep a backfill from starting runs; active ones go on", h.pauseBackfill},
		{"resume", "Let a paused backfill go on", h.resumeBackfill},
		{"cancel", "End a backfill and cancel its active runs", h.cancelBackfill},
	} {
		huma.Register(api, huma.Operation{OperationID: change.id + "-backfill", Method: http.MethodPost, Path: Prefix + "/backfills/{id}/" + change.id,
			Summary: change.summary, Tags: tags, Errors: []int{404, 409}},
			func(ctx context.Context, in *backfillInput) (*backfillOutput, error) {
				b, err := change.do(ctx, in.ID)
				if err != nil {
					return nil, h.problem(ctx, change.id+" a backfill", err)
				}
				return &backfillOutput{b}, nil
			})
	}
	huma.Register(api, huma.Operation{OperationID: "retry-backfill", Method: http.MethodPost, Path: Prefix + "/backfills/{id}/retry",
		Summary: "Try those partitions of a backfill again that did not succeed", Tags: tags, Errors: []int{404, 409},
		Description: "Their runs go on where they failed: tasks that succeeded are kept."}, h.retryBackfill)
}

// The service is looked up when it is called: an API without one still has its description.
func (h *handler) pauseBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	return h.Backfills.PauseBackfill(ctx, id)
}

func (h *handler) resumeBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	return h.Backfills.ResumeBackfill(ctx, id)
}

func (h *handler) cancelBackfill(ctx context.Context, id string) (catalog.Backfill, error) {
	return h.Backfills.CancelBackfill(ctx, id)
}

func (h *handler) listPartitions(ctx context.Context, in *partitionsInput) (*partitionsOutput, error) {
	p, err := h.Backfills.Partitions(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "list partitions", err)
	}
	out := PartitionList{Definition: p.Definition, Counts: partition.Counts(p.All), Partitions: []partition.Status{}}
	for _, s := range p.All {
		if in.State != "" && s.State != in.State {
			continue
		}
		if out.Total >= in.Offset && len(out.Partitions) < in.Limit {
			out.Partitions = append(out.Partitions, s)
		}
		out.Total++
	}
	return &partitionsOutput{out}, nil
}

func (h *handler) setPartitions(ctx context.Context, in *setPartitionsInput) (*partitionsOutput, error) {
	if err := h.Backfills.SetPartitions(ctx, in.ID, in.Body); err != nil {
		return nil, h.problem(ctx, "partition a pipeline", err)
	}
	return h.listPartitions(ctx, &partitionsInput{ID: in.ID, Limit: 1000})
}

func (h *handler) deletePartitions(ctx context.Context, in *pipelineOnlyInput) (*struct{}, error) {
	if err := h.Backfills.DeletePartitions(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, "delete partitions", err)
	}
	return nil, nil
}

// backfill translates a request.
func (h *handler) backfill(ctx context.Context, b CreateBackfill) (trigger.Backfill, error) {
	sub, err := h.submission(ctx, SubmitRun{PipelineID: b.PipelineID, VersionID: b.VersionID, Parameters: b.Parameters, Cache: b.Cache,
		Experiment: b.Experiment, ExperimentID: b.ExperimentID})
	return trigger.Backfill{Partitions: b.Partitions, Backfill: catalog.Backfill{DisplayName: b.DisplayName, PipelineID: b.PipelineID,
		Run: runOf(sub), Parameter: b.Parameter, From: b.From, To: b.To, Only: b.Only, Order: b.Order, Parallel: b.Parallel}}, err
}

// runOf leaves out of a submission what each run has for itself.
func runOf(sub pipeline.Submission) pipeline.Submission {
	sub.Spec, sub.DisplayName = nil, ""
	return sub
}

func (h *handler) createBackfill(ctx context.Context, in *createBackfillInput) (*backfillOutput, error) {
	const doing = "create a backfill"
	ask, err := h.backfill(ctx, in.Body)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	b, err := h.Backfills.CreateBackfill(ctx, ask)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &backfillOutput{b}, nil
}

func (h *handler) planBackfill(ctx context.Context, in *createBackfillInput) (*planBackfillOutput, error) {
	const doing = "plan a backfill"
	body := in.Body
	body.Experiment = "" // a plan makes no experiment
	ask, err := h.backfill(ctx, body)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	p, err := h.Backfills.PlanBackfill(ctx, ask)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &planBackfillOutput{BackfillPlan{p.Backfill, orEmpty(p.Partitions), p.Left}}, nil
}

func (h *handler) listBackfills(ctx context.Context, in *listBackfillsInput) (*listBackfillsOutput, error) {
	where := equals(equals(startsWith(nil, "id", in.IDPrefix), "pipeline_id", in.PipelineID), "state", in.State)
	page, err := h.Backfills.ListBackfills(ctx, in.query(where))
	if err != nil {
		return nil, h.problem(ctx, "list backfills", err)
	}
	return &listBackfillsOutput{backfillList{orEmpty(page.Items), PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) getBackfill(ctx context.Context, in *backfillInput) (*backfillOutput, error) {
	b, err := h.Backfills.GetBackfill(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get a backfill", err)
	}
	return &backfillOutput{b}, nil
}

func (h *handler) backfillPartitions(ctx context.Context, in *backfillPartitionsInput) (*backfillPartitionsOutput, error) {
	parts, err := h.Backfills.BackfillPartitions(ctx, in.ID, in.After, in.Limit)
	if err != nil {
		return nil, h.problem(ctx, "list the partitions of a backfill", err)
	}
	return &backfillPartitionsOutput{backfillPartitionList{orEmpty(parts)}}, nil
}

func (h *handler) retryBackfill(ctx context.Context, in *backfillInput) (*retryBackfillOutput, error) {
	b, n, err := h.Backfills.RetryBackfill(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "retry a backfill", err)
	}
	out := &retryBackfillOutput{}
	out.Body.Backfill, out.Body.Retried = b, n
	return out, nil
}
