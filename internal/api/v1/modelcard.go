package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

// ModelCard is all that is known of a version, to be read.
type ModelCard struct {
	Model   RegisteredModel `json:"model"`
	Version VersionDetail   `json:"version"`
	// Experiment is that of the run, and Datasets are what the run read.
	ExperimentName string           `json:"experiment_name,omitempty"`
	Datasets       []TrackedDataset `json:"datasets" nullable:"false" doc:"what the run that made it read"`
	Logged         *CardModel       `json:"logged,omitempty" doc:"the logged model that it was registered from"`
	Signature      *model.Card      `json:"signature,omitempty" doc:"what its file MLmodel says"`
	SignatureNote  string           `json:"signature_note,omitempty" doc:"why there is no signature"`
	Newest         string           `json:"newest" doc:"number of the model's newest version"`
	Deployed       []Deployment     `json:"deployed" nullable:"false" doc:"where the version is deployed, by endpoint"`
}

// CardModel is what a logged model says of itself.
type CardModel struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Type   string            `json:"type,omitempty"`
	Status string            `json:"status"`
	Params map[string]string `json:"params"`
	Tags   map[string]string `json:"tags"`
}

type cardOutput struct{ Body ModelCard }

type describeInput struct {
	ModelName
	Body struct {
		Description string `json:"description" maxLength:"100000" doc:"Markdown"`
	}
}

type describeVersionInput struct {
	VersionNumber
	Body struct {
		Description string `json:"description" maxLength:"100000" doc:"Markdown"`
	}
}

type setModelTagInput struct {
	ModelName
	Key  string `query:"key" required:"true" doc:"name of the tag"`
	Body struct {
		Value string `json:"value"`
	}
}

type modelTagInput struct {
	ModelName
	Key string `query:"key" required:"true" doc:"name of the tag"`
}

type setVersionTagInput struct {
	VersionNumber
	Key  string `query:"key" required:"true" doc:"name of the tag"`
	Body struct {
		Value string `json:"value"`
	}
}

type versionTagInput struct {
	VersionNumber
	Key string `query:"key" required:"true" doc:"name of the tag"`
}

func (h *handler) registerCards(api huma.API, tags []string) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: Prefix + "/models/{name}" + path, Summary: summary, Tags: tags, Errors: []int{400, 404}}
	}
	huma.Register(api, op("get-model-card", http.MethodGet, "/versions/{version}/card", "Get all that is known of a version: its card"), h.modelCard)
	huma.Register(api, op("describe-model", http.MethodPut, "/description", "Write the description of a model"), h.describeModel)
	huma.Register(api, op("describe-model-version", http.MethodPut, "/versions/{version}/description", "Write the description of a version"), h.describeVersion)
	huma.Register(api, op("set-model-tag", http.MethodPut, "/tags", "Set a tag of a model"), h.setModelTag)
	huma.Register(api, op("delete-model-tag", http.MethodDelete, "/tags", "Remove a tag of a model"), h.deleteModelTag)
	huma.Register(api, op("set-model-version-tag", http.MethodPut, "/versions/{version}/tags", "Set a tag of a version"), h.setVersionTag)
	huma.Register(api, op("delete-model-version-tag", http.MethodDelete, "/versions/{version}/tags", "Remove a tag of a version"), h.deleteVersionTag)
}

func (h *handler) modelCard(ctx context.Context, in *VersionNumber) (*cardOutput, error) {
	const doing = "get a model card"
	m, err := h.Registry.Model(ctx, in.Name)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	v, err := h.Registry.Version(ctx, in.Name, in.Version)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	deployed, err := h.deployments(ctx)
	if err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	out := ModelCard{Model: wireModel(m, deployed), Datasets: []TrackedDataset{}, Deployed: deployedVersion(deployed[m.Name], formatNumber(v.Number))}
	newest := v.Number
	for _, l := range m.Latest {
		newest = max(newest, l.Number)
	}
	out.Newest = formatNumber(newest)
	if out.Version, err = h.wireVersion(ctx, v); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	if err := h.cardOrigin(ctx, &out); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	if out.Signature, out.SignatureNote, err = h.signatureBelow(ctx, v.Location); err != nil {
		return nil, h.problem(ctx, doing, err)
	}
	return &cardOutput{Body: out}, nil
}

// cardOrigin adds what is known of where a version is from: the run's datasets, the logged model.
func (h *handler) cardOrigin(ctx context.Context, out *ModelCard) error {
	if r := out.Version.Run; r != nil {
		t, err := h.Tracking.Run(ctx, r.ID)
		if err != nil {
			return err
		}
		out.Datasets = wireDatasets(t.Run)
		e, err := h.Tracking.Experiment(ctx, r.ExperimentID)
		if err != nil {
			return err
		}
		out.ExperimentName = e.Name
	}
	if out.Version.ModelID == "" {
		return nil
	}
	logged, err := h.Tracking.Model(ctx, out.Version.ModelID, true)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	out.Logged = &CardModel{ID: logged.ID, Name: logged.Name, Type: logged.Type, Status: logged.Status.String(),
		Params: wirePairs(logged.Params), Tags: wirePairs(logged.Tags)}
	return err
}

// signatureBelow reads the file MLmodel of a model that is kept here. A note says why nothing is known of it.
func (h *handler) signatureBelow(ctx context.Context, location string) (c *model.Card, note string, err error) {
	content, _, err := h.Tracking.OpenBelow(ctx, location, "MLmodel")
	switch fault.KindOf(err) {
	case fault.NotFound:
		return nil, "The version has no file MLmodel, which would hold it.", nil
	case fault.Invalid:
		return nil, "Its files are kept elsewhere and are not read here.", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer content.Close()
	read, err := readMLmodel(content, "MLmodel")
	if fault.KindOf(err) == fault.Invalid {
		return nil, err.Error(), nil
	}
	return &read, "", err
}

func (h *handler) describeModel(ctx context.Context, in *describeInput) (*struct{}, error) {
	if _, err := h.Registry.DescribeModel(ctx, in.Name, &in.Body.Description); err != nil {
		return nil, h.problem(ctx, "describe a model", err)
	}
	return nil, nil
}

func (h *handler) describeVersion(ctx context.Context, in *describeVersionInput) (*struct{}, error) {
	if _, err := h.Registry.DescribeVersion(ctx, in.Name, in.Version, &in.Body.Description); err != nil {
		return nil, h.problem(ctx, "describe a version", err)
	}
	return nil, nil
}

func (h *handler) setModelTag(ctx context.Context, in *setModelTagInput) (*struct{}, error) {
	if err := h.Registry.SetModelTag(ctx, in.Name, track.KV{Key: in.Key, Value: in.Body.Value}); err != nil {
		return nil, h.problem(ctx, "set a tag of a model", err)
	}
	return nil, nil
}

func (h *handler) deleteModelTag(ctx context.Context, in *modelTagInput) (*struct{}, error) {
	if err := h.Registry.DeleteModelTag(ctx, in.Name, in.Key); err != nil {
		return nil, h.problem(ctx, "remove a tag of a model", err)
	}
	return nil, nil
}

func (h *handler) setVersionTag(ctx context.Context, in *setVersionTagInput) (*struct{}, error) {
	if err := h.Registry.SetVersionTag(ctx, in.Name, in.Version, track.KV{Key: in.Key, Value: in.Body.Value}); err != nil {
		return nil, h.problem(ctx, "set a tag of a version", err)
	}
	return nil, nil
}

func (h *handler) deleteVersionTag(ctx context.Context, in *versionTagInput) (*struct{}, error) {
	if err := h.Registry.DeleteVersionTag(ctx, in.Name, in.Version, in.Key); err != nil {
		return nil, h.problem(ctx, "remove a tag of a version", err)
	}
	return nil, nil
}
