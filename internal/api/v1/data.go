package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/observe"
	"levada/internal/core/run"
	"levada/internal/dataset"
)

// Data tells what the tables are like that tasks made, and what reports say about them.
type Data interface {
	Known(ctx context.Context, artifactID string) (dataset.Known, error)
	Request(ctx context.Context, artifactID string) error
	Difference(ctx context.Context, wasID, isID string, key []string) (dataset.Difference, error)
	Versions(ctx context.Context, artifactID string, limit int) ([]observe.Version, error)
	DriftHistory(ctx context.Context, pipeline, task string, reports, columns int) (observe.History, error)
	CheckHistory(ctx context.Context, pipeline, task string, reports, expectations int) (observe.CheckHistory, error)
	Newest(ctx context.Context, kind observe.Kind, limit int) ([]observe.Stored, error)
}

// ArtifactProfile is what an artifact is like as a table.
type ArtifactProfile struct {
	ArtifactID string           `json:"artifact_id"`
	Digest     string           `json:"digest,omitempty" doc:"of the content that the profile is of"`
	State      string           `json:"state" enum:"READY,FAILED,WAITING,NONE" doc:"WAITING: it is going to be made; NONE: the artifact is not declared as a table, and nobody has asked"`
	Reason     string           `json:"reason,omitempty" doc:"why there is no profile"`
	At         *time.Time       `json:"at,omitempty" doc:"when it was made, or found that it cannot be"`
	Seconds    float64          `json:"seconds,omitempty" doc:"how long reading the table took"`
	Outdated   bool             `json:"outdated,omitempty" doc:"an older version made it, which knew fewer figures; it is made again"`
	Profile    *dataset.Profile `json:"profile,omitempty"`
}

type artifactProfileOutput struct{ Body ArtifactProfile }

type differenceInput struct {
	ArtifactRef
	With string   `query:"with" required:"true" doc:"id of the earlier artifact"`
	Key  []string `query:"key" maxItems:"20" doc:"columns that tell rows apart, separated by commas: rows are compared, too"`
}

// ArtifactComparison says how the table of an artifact differs from an earlier one.
type ArtifactComparison struct {
	Was  run.Artifact `json:"was"`
	Is   run.Artifact `json:"is"`
	Same bool         `json:"same" doc:"nothing differs"`
	dataset.Comparison
}

type differenceOutput struct{ Body ArtifactComparison }

// ArtifactVersion is an artifact as one of several that the same output of a task made.
type ArtifactVersion struct {
	ArtifactID string    `json:"artifact_id"`
	RunID      string    `json:"run_id"`
	RunName    string    `json:"run_name"`
	At         time.Time `json:"at"`
	Digest     string    `json:"digest,omitempty"`
	Size       int64     `json:"size"`
}

type artifactVersionList struct {
	Versions []ArtifactVersion `json:"versions" nullable:"false" doc:"the newest first"`
}

type versionsInput struct {
	ArtifactRef
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type versionsOutput struct{ Body artifactVersionList }

type reportListInput struct {
	Kind  string `query:"kind" enum:"drift,check" default:"drift"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type reportList struct {
	Reports []observe.Stored `json:"reports" nullable:"false" doc:"the newest of each task of each pipeline, the newest first, without columns and expectations"`
}

type reportListOutput struct{ Body reportList }

type driftHistoryInput struct {
	Pipeline string `query:"pipeline" doc:"name of the pipeline" required:"true"`
	Task     string `query:"task" doc:"name of the task that makes the reports" required:"true"`
	Reports  int    `query:"reports" minimum:"1" maximum:"200" default:"50" doc:"how many of the newest reports"`
	Columns  int    `query:"columns" minimum:"1" maximum:"1000" default:"100" doc:"how many of the ranked columns"`
}

type checkHistoryInput struct {
	Pipeline     string `query:"pipeline" doc:"name of the pipeline" required:"true"`
	Task         string `query:"task" doc:"name of the task that makes the checks" required:"true"`
	Reports      int    `query:"reports" minimum:"1" maximum:"200" default:"50" doc:"how many of the newest reports"`
	Expectations int    `query:"expectations" minimum:"1" maximum:"1000" default:"200" doc:"how many of the ranked expectations"`
}

type checkHistoryOutput struct{ Body observe.CheckHistory }

type driftHistoryOutput struct{ Body observe.History }

func (h *handler) registerData(api huma.API) {
	get := func(id, path, summary, tag string, errors ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: Prefix + path, Summary: summary, Tags: []string{tag}, Errors: errors}
	}
	huma.Register(api, get("get-artifact-profile", "/artifacts/{id}/profile", "Get what a table is like: the profile of all of its rows", "artifacts", 404), h.artifactProfile)
	huma.Register(api, huma.Operation{OperationID: "request-artifact-profile", Method: http.MethodPost, Path: Prefix + "/artifacts/{id}/profile",
		Summary: "Have a table profiled, before others; also again", Tags: []string{"artifacts"}, DefaultStatus: http.StatusAccepted, Errors: []int{404, 409}}, h.requestProfile)
	huma.Register(api, get("get-artifact-comparison", "/artifacts/{id}/comparison", "Say how a table differs from an earlier one", "artifacts", 400, 404, 409, 503), h.compareArtifacts)
	huma.Register(api, get("list-artifact-versions", "/artifacts/{id}/versions", "List what the same output of the same task of the same pipeline made", "artifacts", 404), h.artifactVersions)
	huma.Register(api, get("list-data-reports", "/data-reports", "List the newest report about data of each task of each pipeline", "data"), h.listReports)
	huma.Register(api, get("get-drift-history", "/drift", "Get how drift went over the runs of a pipeline, with the columns ranked", "data", 404), h.driftHistory)
	huma.Register(api, get("get-check-history", "/checks", "Get how checks went over the runs of a pipeline: which expectation failed when", "data", 404), h.checkHistory)
}

func (h *handler) artifactProfile(ctx context.Context, in *ArtifactRef) (*artifactProfileOutput, error) {
	k, err := h.Data.Known(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, "get a profile", err)
	}
	return &artifactProfileOutput{Body: toArtifactProfile(k)}, nil
}

func toArtifactProfile(k dataset.Known) ArtifactProfile {
	out := ArtifactProfile{ArtifactID: k.Artifact.ID, Digest: k.Artifact.Digest, State: string(k.State), Reason: k.Reason, Outdated: k.Outdated, Seconds: k.Took.Seconds()}
	if !k.At.IsZero() {
		out.At = &k.At
	}
	if k.State == observe.Ready {
		out.Profile = &k.Table
	}
	return out
}

func (h *handler) requestProfile(ctx context.Context, in *ArtifactRef) (*artifactProfileOutput, error) {
	const doing = "ask for a profile"
	if err := h.Data.Request(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	k, err := h.Data.Known(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &artifactProfileOutput{Body: toArtifactProfile(k)}, nil
}

func (h *handler) compareArtifacts(ctx context.Context, in *differenceInput) (*differenceOutput, error) {
	d, err := h.Data.Difference(ctx, in.With, in.ID, in.Key)
	if err != nil {
		return nil, h.problem(ctx, "compare artifacts", err)
	}
	return &differenceOutput{Body: ArtifactComparison{Was: d.Was, Is: d.Is, Same: d.Same(), Comparison: d.Comparison}}, nil
}

func (h *handler) artifactVersions(ctx context.Context, in *versionsInput) (*versionsOutput, error) {
	list, err := h.Data.Versions(ctx, in.ID, in.Limit)
	if err != nil {
		return nil, h.problem(ctx, "list versions of an artifact", err)
	}
	out := artifactVersionList{Versions: make([]ArtifactVersion, len(list))}
	for i, v := range list {
		out.Versions[i] = ArtifactVersion{ArtifactID: v.Artifact.ID, RunID: v.Artifact.RunID, RunName: v.RunName, At: v.At, Digest: v.Artifact.Digest, Size: v.Artifact.Size}
	}
	return &versionsOutput{Body: out}, nil
}

func (h *handler) listReports(ctx context.Context, in *reportListInput) (*reportListOutput, error) {
	list, err := h.Data.Newest(ctx, observe.Kind(in.Kind), in.Limit)
	if err != nil {
		return nil, h.problem(ctx, "list reports", err)
	}
	for i := range list {
		list[i].Columns, list[i].Expectations = nil, nil
	}
	return &reportListOutput{Body: reportList{Reports: orEmpty(list)}}, nil
}

func (h *handler) driftHistory(ctx context.Context, in *driftHistoryInput) (*driftHistoryOutput, error) {
	history, err := h.Data.DriftHistory(ctx, in.Pipeline, in.Task, in.Reports, in.Columns)
	if err != nil {
		return nil, h.problem(ctx, "get the history of drift", err)
	}
	return &driftHistoryOutput{Body: history}, nil
}

func (h *handler) checkHistory(ctx context.Context, in *checkHistoryInput) (*checkHistoryOutput, error) {
	history, err := h.Data.CheckHistory(ctx, in.Pipeline, in.Task, in.Reports, in.Expectations)
	if err != nil {
		return nil, h.problem(ctx, "get the history of checks", err)
	}
	return &checkHistoryOutput{Body: history}, nil
}
