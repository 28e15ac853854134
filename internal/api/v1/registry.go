package v1

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
	"levada/internal/registry"
)

// RegisteredModel is a name that versions of a model are filed under.
type RegisteredModel struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty" doc:"Markdown"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Tags        map[string]string `json:"tags"`
	Aliases     []ModelAlias      `json:"aliases" nullable:"false"`
	Latest      []LatestVersion   `json:"latest" nullable:"false" doc:"the newest version of each stage, the newest first"`
	Deployed    []Deployment      `json:"deployed" nullable:"false" doc:"versions that are deployed, by endpoint"`
}

// ModelAlias is a name that points to a version.
type ModelAlias struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// LatestVersion is the newest version of a stage.
type LatestVersion struct {
	Version   string    `json:"version"`
	Stage     string    `json:"stage" enum:"None,Staging,Production,Archived"`
	CreatedAt time.Time `json:"created_at"`
}

// VersionDetail is a version of a registered model.
type VersionDetail struct {
	Version     string            `json:"version"`
	Stage       string            `json:"stage" enum:"None,Staging,Production,Archived"`
	Aliases     []string          `json:"aliases" nullable:"false"`
	Description string            `json:"description,omitempty" doc:"Markdown"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Source      string            `json:"source" doc:"the URI it was registered from"`
	ModelID     string            `json:"model_id,omitempty" doc:"the logged model it was registered from"`
	Tags        map[string]string `json:"tags"`
	Run         *TrackedRun       `json:"run,omitempty" doc:"the run that made it"`
	MetricsOf   string            `json:"metrics_of,omitempty" enum:"model,run" doc:"whose metrics these are: those of the logged model, or where it has none those of the run"`
	Metrics     []TrackedMetric   `json:"metrics" nullable:"false"`
	Files       []ModelFile       `json:"files" nullable:"false" doc:"as they were when it was registered"`
}

type listModelsInput struct {
	PageRequest
	Q string `query:"q" maxLength:"256" doc:"part of the name"`
}

type modelList struct {
	Models        []RegisteredModel `json:"models" nullable:"false"`
	NextPageToken string            `json:"next_page_token,omitempty"`
}

type listModelsOutput struct{ Body modelList }

// ModelName says which registered model.
type ModelName struct {
	Name string `path:"name" doc:"name of the registered model"`
}

// VersionNumber says which version of which registered model.
type VersionNumber struct {
	ModelName
	Version string `path:"version" doc:"number of the version"`
}

type modelDetail struct {
	Model    RegisteredModel `json:"model"`
	Versions []VersionDetail `json:"versions" nullable:"false" doc:"the newest 100, the newest first"`
	Total    int             `json:"total" doc:"number of versions"`
}

type modelOutput struct{ Body modelDetail }

type aliasInput struct {
	ModelName
	Alias string `path:"alias"`
}

type setAliasInput struct {
	ModelName
	Alias string `path:"alias"`
	Body  struct {
		Version string `json:"version" doc:"number of the version it shall point to"`
	}
}

type versionContentInput struct {
	VersionNumber
	Path     string `query:"path" required:"true"`
	Download bool   `query:"download" doc:"ask the browser to save instead of show"`
}

// maxVersions is how many versions of a model are shown.
const maxVersions = 100

func (h *handler) registerRegistry(api huma.API) {
	tags := []string{"models"}
	huma.Register(api, huma.Operation{OperationID: "list-models", Method: http.MethodGet, Path: Prefix + "/models",
		Summary: "List registered models by name", Tags: tags, Errors: []int{400}}, h.listModels)
	huma.Register(api, huma.Operation{OperationID: "get-model", Method: http.MethodGet, Path: Prefix + "/models/{name}",
		Summary: "Get a registered model with its versions", Tags: tags, Errors: []int{404}}, h.getModel)
	huma.Register(api, huma.Operation{OperationID: "set-model-alias", Method: http.MethodPut, Path: Prefix + "/models/{name}/aliases/{alias}",
		Summary: "Let an alias point to a version", Tags: tags, Errors: []int{400, 404}}, h.setAlias)
	huma.Register(api, huma.Operation{OperationID: "delete-model-alias", Method: http.MethodDelete, Path: Prefix + "/models/{name}/aliases/{alias}",
		Summary: "Remove an alias", Tags: tags, Errors: []int{400, 404}}, h.deleteAlias)
	huma.Register(api, huma.Operation{OperationID: "get-model-file", Method: http.MethodGet, Path: Prefix + "/models/{name}/versions/{version}/content",
		Summary: "Read a file of a version", Tags: tags, Errors: []int{400, 404}, Responses: bytesResponse()}, h.versionContent)
	h.registerCards(api, tags)
}

func formatNumber(n int64) string { return strconv.FormatInt(n, 10) }

func wireModel(m registry.Model, deployed map[string][]Deployment) RegisteredModel {
	out := RegisteredModel{Name: m.Name, Description: orNone(m.Description), CreatedAt: time.UnixMicro(m.CreatedUS).UTC(),
		UpdatedAt: time.UnixMicro(m.UpdatedUS).UTC(), Tags: wirePairs(m.Tags), Aliases: []ModelAlias{}, Latest: []LatestVersion{},
		Deployed: orEmpty(deployed[m.Name])}
	for _, a := range m.Aliases {
		out.Aliases = append(out.Aliases, ModelAlias{Name: a.Name, Version: formatNumber(a.Version)})
	}
	for i := len(m.Latest) - 1; i >= 0; i-- {
		v := m.Latest[i]
		out.Latest = append(out.Latest, LatestVersion{Version: formatNumber(v.Number), Stage: string(v.Stage), CreatedAt: time.UnixMicro(v.CreatedUS).UTC()})
	}
	return out
}

func (h *handler) listModels(ctx context.Context, in *listModelsInput) (*listModelsOutput, error) {
	const doing = "list models"
	offset, err := offsetOf(in.PageToken)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	limit := in.limit()
	models, more, err := h.Registry.SearchModels(ctx, registry.Query{NamePart: in.Q, Offset: offset, Limit: limit})
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	deployed, err := h.deployments(ctx)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := modelList{Models: make([]RegisteredModel, len(models))}
	for i, m := range models {
		out.Models[i] = wireModel(m, deployed)
	}
	if more {
		out.NextPageToken = strconv.Itoa(offset + limit)
	}
	return &listModelsOutput{Body: out}, nil
}

func (h *handler) getModel(ctx context.Context, in *ModelName) (*modelOutput, error) {
	const doing = "get a model"
	m, err := h.Registry.Model(ctx, in.Name)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	versions, total, err := h.Registry.Versions(ctx, in.Name, maxVersions)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	deployed, err := h.deployments(ctx)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := modelDetail{Model: wireModel(m, deployed), Versions: make([]VersionDetail, len(versions)), Total: total}
	for i, v := range versions {
		if out.Versions[i], err = h.wireVersion(ctx, v); err != nil {
			return nil, h.problem(ctx, doing, err)
		}
	}
	return &modelOutput{Body: out}, nil
}

func (h *handler) wireVersion(ctx context.Context, v registry.Version) (VersionDetail, error) {
	out := VersionDetail{Version: formatNumber(v.Number), Stage: string(v.Stage), Aliases: orEmpty(v.Aliases), Description: orNone(v.Description),
		CreatedAt: time.UnixMicro(v.CreatedUS).UTC(), UpdatedAt: time.UnixMicro(v.UpdatedUS).UTC(), Source: v.Source, ModelID: v.ModelID,
		Tags: wirePairs(v.Tags), Metrics: []TrackedMetric{}, Files: wireFiles(v.Files)}
	if v.RunID != "" {
		runs, _, err := h.Tracking.Runs(ctx, []string{v.RunID}) // a run can be gone
		if err != nil {
			return out, err
		}
		if len(runs) > 0 {
			r := wireTracked(runs[0])
			out.Run = &r
			out.Metrics, out.MetricsOf = r.Metrics, "run"
		}
	}
	if v.ModelID == "" {
		return out, nil
	}
	logged, err := h.Tracking.Model(ctx, v.ModelID, true)
	if fault.KindOf(err) == fault.NotFound {
		return out, nil
	}
	if len(logged.Metrics) > 0 {
		out.Metrics, out.MetricsOf = newestOf(logged.Metrics), "model"
	}
	return out, err
}

// wireFiles shows the files of a version; their digests begin with how they were made.
func wireFiles(files []model.File) []ModelFile {
	out := make([]ModelFile, len(files))
	for i, f := range files {
		out[i] = ModelFile{Path: f.Path, Size: f.Size, SHA256: f.Digest[strings.LastIndexByte(f.Digest, ':')+1:]}
	}
	return out
}

// newestOf sums up the metrics of a logged model by name.
func newestOf(metrics []track.ModelMetric) []TrackedMetric {
	stats := map[string]*track.Stat{}
	var order []*track.Stat
	for _, m := range metrics {
		if s := stats[m.Key]; s != nil {
			s.Add(m.Point)
			continue
		}
		s := track.NewStat(m.Key, m.Point)
		stats[m.Key] = &s
		order = append(order, &s)
	}
	out := make([]TrackedMetric, len(order))
	for i, s := range order {
		out[i] = wireMetric(*s)
	}
	return out
}

func (h *handler) setAlias(ctx context.Context, in *setAliasInput) (*struct{}, error) {
	if err := h.Registry.SetAlias(ctx, in.Name, in.Alias, in.Body.Version); err != nil {
		return nil, h.problem(ctx, "set an alias", err)
	}
	return nil, nil
}

func (h *handler) deleteAlias(ctx context.Context, in *aliasInput) (*struct{}, error) {
	if err := h.Registry.DeleteAlias(ctx, in.Name, in.Alias); err != nil {
		return nil, h.problem(ctx, "remove an alias", err)
	}
	return nil, nil
}

func (h *handler) versionContent(ctx context.Context, in *versionContentInput) (*huma.StreamResponse, error) {
	const doing = "read a file of a model"
	v, err := h.Registry.Version(ctx, in.Name, in.Version)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	content, f, err := h.Tracking.OpenBelow(ctx, v.Location, in.Path)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return h.sendStored(content, f, in.Download), nil
}
