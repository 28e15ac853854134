package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"sigs.k8s.io/yaml"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/outline"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// How many versions and runs a pipeline's page begins with.
const (
	firstVersions = 50
	recentRuns    = 10
)

// PipelineID names a pipeline in a path.
type PipelineID struct {
	ID string `path:"id" doc:"id of the pipeline"`
}

type pipelineInput struct {
	ID      string `path:"id" doc:"id of the pipeline"`
	Version string `query:"version" doc:"id of the version to outline; default: the newest"`
	Against string `query:"against" doc:"id of a version to outline beside it, for a comparison"`
}

// PipelineDetail is what the page of a pipeline needs.
type PipelineDetail struct {
	Pipeline catalog.Pipeline `json:"pipeline"`
	Versions versionList      `json:"versions" doc:"the newest"`
	// Version is the one that is looked at, absent where the pipeline has none. Against is the one it is compared with.
	Version *VersionDetailed `json:"version,omitempty"`
	Against *VersionDetailed `json:"against,omitempty"`
	Runs    runList          `json:"runs" doc:"the newest runs of any version"`
}

// VersionDetailed is a version with what it is made of.
type VersionDetailed struct {
	catalog.Version
	Outline outline.Outline `json:"outline"`
}

type pipelineOutput struct{ Body PipelineDetail }

type listVersionsInput struct {
	PipelineID
	PageRequest
}

type versionList struct {
	Versions []catalog.Version `json:"versions" nullable:"false"`
	PageInfo
}

type listVersionsOutput struct{ Body versionList }

// UploadSpec is the request that stores a compiled pipeline.
type UploadSpec struct {
	Spec        string `json:"spec" minLength:"1" doc:"a compiled pipeline as YAML or JSON text"`
	Name        string `json:"name,omitempty" maxLength:"255" doc:"default: the name inside the specification; two versions of a pipeline cannot have the same"`
	Description string `json:"description,omitempty"`
}

type uploadPipelineInput struct{ Body UploadSpec }

type uploadVersionInput struct {
	PipelineID
	Body UploadSpec
}

type versionOutput struct{ Body catalog.Version }

type versionInput struct {
	ID       string `path:"id" doc:"id of the pipeline"`
	Version  string `path:"version" doc:"id of the version"`
	Download bool   `query:"download" doc:"ask the browser to save instead of show"`
}

type runYAMLInput struct {
	ID       string `path:"id" doc:"id of the run"`
	Download bool   `query:"download" doc:"ask the browser to save instead of show"`
}

type yamlOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// RunOutline is a run with what it is made of.
type RunOutline struct {
	Run     run.Run         `json:"run"`
	Outline outline.Outline `json:"outline"`
}

type runOutlineOutput struct{ Body RunOutline }

func (h *handler) registerPipelines(api huma.API) {
	tags := []string{"catalog"}
	text := map[string]*huma.Response{"200": {Description: "one or two YAML documents, as kfp's compiler writes them",
		Content: map[string]*huma.MediaType{"application/yaml": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	huma.Register(api, huma.Operation{OperationID: "get-pipeline", Method: http.MethodGet, Path: Prefix + "/pipelines/{id}",
		Summary: "Get a pipeline, its newest versions and runs, and what a version is made of", Tags: tags, Errors: []int{404}}, h.getPipeline)
	huma.Register(api, huma.Operation{OperationID: "upload-pipeline", Method: http.MethodPost, Path: Prefix + "/pipelines",
		Summary: "Store a compiled pipeline as a new one", Tags: tags, DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 409, 413}}, h.uploadPipeline)
	huma.Register(api, huma.Operation{OperationID: "list-pipeline-versions", Method: http.MethodGet, Path: Prefix + "/pipelines/{id}/versions",
		Summary: "List the versions of a pipeline, newest first", Tags: tags, Errors: []int{404}}, h.listVersions)
	huma.Register(api, huma.Operation{OperationID: "upload-pipeline-version", Method: http.MethodPost, Path: Prefix + "/pipelines/{id}/versions",
		Summary: "Store a compiled pipeline as a new version", Tags: tags, DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSubmitBytes,
		BodyReadTimeout: time.Minute, Errors: []int{400, 404, 409, 413}}, h.uploadVersion)
	huma.Register(api, huma.Operation{OperationID: "get-pipeline-version-yaml", Method: http.MethodGet,
		Path:    Prefix + "/pipelines/{id}/versions/{version}/yaml",
		Summary: "Get the specification of a version as YAML", Tags: tags, Errors: []int{404}, Responses: text}, h.versionYAML)
	huma.Register(api, huma.Operation{OperationID: "get-run-yaml", Method: http.MethodGet, Path: Prefix + "/runs/{id}/yaml",
		Summary: "Get the specification a run was started from as YAML", Tags: []string{"runs"}, Errors: []int{404}, Responses: text}, h.runYAML)
	huma.Register(api, huma.Operation{OperationID: "get-run-outline", Method: http.MethodGet, Path: Prefix + "/runs/{id}/outline",
		Summary: "Get a run and what its pipeline is made of", Tags: []string{"runs"}, Errors: []int{404},
		Description: "The inputs of the root are what a clone of the run takes."}, h.runOutline)
}

func (h *handler) getPipeline(ctx context.Context, in *pipelineInput) (*pipelineOutput, error) {
	const doing = "get a pipeline"
	var out PipelineDetail
	var err error
	if out.Pipeline, err = h.Service.GetPipeline(ctx, in.ID); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	page, err := h.Service.ListVersions(ctx, in.ID, listing.Query{PageSize: firstVersions})
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out.Versions = versionList{Versions: orEmpty(page.Items), PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}
	if in.Version == "" && len(page.Items) > 0 {
		in.Version = page.Items[0].ID
	}
	if out.Version, err = h.detailed(ctx, in.ID, in.Version); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	if out.Against, err = h.detailed(ctx, in.ID, in.Against); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	runs, err := h.listRuns(ctx, &listRunsInput{PageRequest: PageRequest{PageSize: recentRuns}, RunFilter: RunFilter{PipelineID: in.ID, Archived: "false"}})
	if err != nil {
		return nil, err
	}
	out.Runs = runs.Body
	return &pipelineOutput{Body: out}, nil
}

// detailed returns a version with its outline; nil for no version.
func (h *handler) detailed(ctx context.Context, pipelineID, versionID string) (*VersionDetailed, error) {
	if versionID == "" {
		return nil, nil
	}
	v, err := h.Service.GetVersion(ctx, pipelineID, versionID)
	if err != nil {
		return nil, err
	}
	p, err := h.Service.Spec(ctx, v.SpecDigest)
	if err != nil {
		return nil, err
	}
	return &VersionDetailed{Version: v, Outline: outline.Of(p, h.Python)}, nil
}

func (h *handler) listVersions(ctx context.Context, in *listVersionsInput) (*listVersionsOutput, error) {
	page, err := h.Service.ListVersions(ctx, in.ID, in.query(nil))
	if err != nil {
		return nil, h.problem(ctx, "list the versions of a pipeline", err)
	}
	return &listVersionsOutput{Body: versionList{Versions: orEmpty(page.Items),
		PageInfo: PageInfo{NextPageToken: page.NextPageToken, Total: page.Total}}}, nil
}

func (h *handler) uploadPipeline(ctx context.Context, in *uploadPipelineInput) (*versionOutput, error) {
	_, v, err := h.Service.UploadPipeline(ctx, in.Body.upload())
	if err != nil {
		return nil, h.problem(ctx, "upload a pipeline", err)
	}
	return &versionOutput{Body: v}, nil
}

func (h *handler) uploadVersion(ctx context.Context, in *uploadVersionInput) (*versionOutput, error) {
	v, err := h.Service.UploadVersion(ctx, in.ID, in.Body.upload())
	if err != nil {
		return nil, h.problem(ctx, "upload a version of a pipeline", err)
	}
	return &versionOutput{Body: v}, nil
}

func (b UploadSpec) upload() pipeline.Upload {
	return pipeline.Upload{Name: strings.TrimSpace(b.Name), Description: b.Description, Spec: []byte(b.Spec)}
}

func (h *handler) versionYAML(ctx context.Context, in *versionInput) (*yamlOutput, error) {
	const doing = "get the specification of a version"
	v, err := h.Service.GetVersion(ctx, in.ID, in.Version)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	p, err := h.Service.Spec(ctx, v.SpecDigest)
	return h.sendYAML(ctx, doing, p, err, in.Download)
}

func (h *handler) runYAML(ctx context.Context, in *runYAMLInput) (*yamlOutput, error) {
	const doing = "get the specification of a run"
	p, err := h.Service.RunSpec(ctx, in.ID)
	return h.sendYAML(ctx, doing, p, err, in.Download)
}

func (h *handler) sendYAML(ctx context.Context, doing string, p *ir.Pipeline, err error, download bool) (*yamlOutput, error) {
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out, err := asYAML(p, download)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return out, nil
}

// asYAML writes a specification as kfp's compiler does: its documents one after the other, with sorted keys.
func asYAML(p *ir.Pipeline, download bool) (*yamlOutput, error) {
	var parts struct {
		Pipeline json.RawMessage `json:"pipeline_spec"`
		Platform json.RawMessage `json:"platform_spec"`
	}
	if err := json.Unmarshal(p.Canonical, &parts); err != nil {
		return nil, fmt.Errorf("specification %s: %w", p.Digest, err)
	}
	var text bytes.Buffer
	for i, part := range []json.RawMessage{parts.Pipeline, parts.Platform} {
		if len(part) == 0 {
			continue
		}
		if i > 0 {
			text.WriteString("---\n")
		}
		doc, err := yaml.JSONToYAML(part)
		if err != nil {
			return nil, fmt.Errorf("write specification %s as YAML: %w", p.Digest, err)
		}
		text.Write(doc)
	}
	out := &yamlOutput{ContentType: "application/yaml; charset=utf-8", Body: text.Bytes()}
	if download {
		out.Disposition = mime.FormatMediaType("attachment", map[string]string{"filename": plainName(p.Spec.PipelineInfo.Name) + ".yaml"})
	}
	return out, nil
}

// plainName keeps of a name what every file system takes.
func plainName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, fault.Shorten(name, 100))
	if strings.Trim(name, "-.") == "" {
		return "pipeline"
	}
	return name
}

func (h *handler) runOutline(ctx context.Context, in *runInput) (*runOutlineOutput, error) {
	const doing = "outline a run"
	r, err := h.Service.GetRun(ctx, in.ID)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	p, err := h.Service.Spec(ctx, r.SpecDigest)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &runOutlineOutput{Body: RunOutline{Run: wireRun(r), Outline: outline.Of(p, h.Python)}}, nil
}
