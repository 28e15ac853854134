package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Sources tells what runs executed, and in which environments.
type Sources interface {
	// SourcesOf returns them in the order of the ids; runs that are not there are left out.
	SourcesOf(ctx context.Context, runIDs []string) (RunSources, error)
}

// RunSources are the code and the environments of runs. A text that several runs have is there once.
type RunSources struct {
	Runs  []RunSource       `json:"runs" nullable:"false" doc:"in the order they were asked for"`
	Texts map[string]string `json:"texts" doc:"by digest"`
}

// RunSource is what a run executed and in which environment, as far as it is known.
type RunSource struct {
	RunID string `json:"run_id"`
	// Code holds facts: the commit, the file, the component.
	Code        map[string]string `json:"code" doc:"short facts by name: commit, branch, file, component, image"`
	Environment map[string]string `json:"environment" doc:"versions by the names of packages, Python among them"`
	// EnvironmentOf says where the versions are from.
	EnvironmentOf     string       `json:"environment_of,omitempty" enum:"lock,requirements" doc:"lock: the environment of the task as it was installed; requirements: what the logged model asks for; left out when nothing is known"`
	EnvironmentDigest string       `json:"environment_digest,omitempty" doc:"of the interpreter and every installed package, for a task"`
	Texts             []SourceText `json:"texts" nullable:"false"`
	Notes             []string     `json:"notes" nullable:"false" doc:"what is not known, in words"`
}

// SourceText names a text of a run.
type SourceText struct {
	Name   string `json:"name" doc:"source.py, command, requirements.txt"`
	Digest string `json:"digest"`
	Cut    bool   `json:"cut,omitempty" doc:"there is more of it"`
}

type sourcesOutput struct{ Body RunSources }

func (h *handler) registerSources(api huma.API, tags []string) {
	huma.Register(api, huma.Operation{OperationID: "compare-sources", Method: http.MethodGet, Path: Prefix + "/comparison/sources",
		Summary: "Get the code and the environments of several runs", Tags: tags, Errors: []int{400}}, h.compareSources)
}

func (h *handler) compareSources(ctx context.Context, in *compareInput) (*sourcesOutput, error) {
	out, err := h.Sources.SourcesOf(ctx, unique(in.RunID))
	if err != nil {
		return nil, h.problem(ctx, "compare the sources of runs", err)
	}
	return &sourcesOutput{Body: out}, nil
}
