package kfp_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/pipeline"
)

func TestPipelinesAreCreatedWithoutAFile(t *testing.T) {
	tests := []struct {
		name, path, body string
		want             pipeline.Upload
	}{
		{
			"without a version", "pipelines", `{"display_name": "P", "description": "d", "namespace": "ns", "tags": {"a": "b"}}`,
			pipeline.Upload{Name: "P", DisplayName: "P", Description: "d", Tags: map[string]string{"a": "b"}},
		},
		{
			"with the version inside", "pipelines/create",
			`{"pipeline": {"name": "p", "displayName": "P"}, "pipelineVersion": {"pipelineSpec": {"a": 1}, "codeSourceUrl": "https://example.com"}}`,
			pipeline.Upload{Name: "p", DisplayName: "P", Spec: []byte(`{"a": 1}`), CodeSourceURL: "https://example.com"},
		},
		{
			"a further version", "pipelines/p1/versions", `{"name": "v2", "description": "d", "pipeline_spec": {"a": 1}, "tags": {}}`,
			pipeline.Upload{Name: "v2", Description: "d", Spec: []byte(`{"a": 1}`), Tags: map[string]string{}},
		},
	}
	for _, tt := range tests {
		f := &fake{}
		status, got := ask(t, f, "POST", "/apis/v2beta1/"+tt.path, tt.body)
		if diff := cmp.Diff(tt.want, f.uploaded); status != 200 || got["pipeline_id"] != "p1" || diff != "" {
			t.Errorf("%s: %d %v (-want +got):\n%s", tt.name, status, got, diff)
		}
	}
}

func TestNamesAndTagsAreChanged(t *testing.T) {
	tests := []struct{ path, body, want string }{
		{"pipelines/p1", `{"display_name": "New", "pipeline_id": "p1"}`, "UpdatePipeline p1 New map[] false"},
		{"pipelines/p1", `{"tags": {"a": "b"}}`, "UpdatePipeline p1  map[a:b] true"},
		{"pipelines/p1", `{"tags": {}}`, "UpdatePipeline p1  map[] true"},
		{"pipelines/p1/versions/v1", `{"displayName": "New", "tags": {"a": "b"}}`, "UpdateVersion p1 v1 New map[a:b] true"},
	}
	for _, tt := range tests {
		f := &fake{}
		status, _ := ask(t, f, "PATCH", "/apis/v2beta1/"+tt.path, tt.body)
		if diff := cmp.Diff([]string{tt.want}, f.calls); status != 200 || diff != "" {
			t.Errorf("%s %s: %d (-want +got):\n%s", tt.path, tt.body, status, diff)
		}
	}
}

func TestAPackageIsNeverFetchedFromAnAddress(t *testing.T) {
	for path, body := range map[string]string{
		"pipelines/create":      `{"pipeline": {"name": "p"}, "pipeline_version": {"package_url": {"pipeline_url": "http://169.254.169.254/"}}}`,
		"pipelines/p1/versions": `{"name": "v", "package_url": {"pipeline_url": "https://example.com/p.yaml"}}`,
	} {
		f := &fake{}
		status, got := ask(t, f, "POST", "/apis/v2beta1/"+path, body)
		if message, _ := got["message"].(string); status != 501 || !strings.Contains(message, "package_url") || f.uploaded.Name != "" {
			t.Errorf("%s: %d %v", path, status, got)
		}
	}
}

func TestAPipelineThatCannotBeCreatedIsRefusedByTheNameOfItsField(t *testing.T) {
	tests := []struct{ path, body, want string }{
		{"pipelines", `{"description": "d"}`, "neither a name"},
		{"pipelines", `{"name": "p", "tags": {"a": 1}}`, "pipeline.tags"},
		{"pipelines/create", `{"pipeline": {"name": "p"}}`, "request.pipeline_version.pipeline_spec is missing"},
		{"pipelines/create", `{"name": "p"}`, `unknown field "name"`},
		{"pipelines/p1/versions", `{"pipeline_spec": {"a": 1}}`, "neither a name"},
		{"pipelines/p1/versions", `{"name": "v", "pipeline_spec": "text"}`, "pipeline_version.pipeline_spec"},
	}
	for _, tt := range tests {
		f := &fake{}
		status, got := ask(t, f, "POST", "/apis/v2beta1/"+tt.path, tt.body)
		if message, _ := got["message"].(string); status != 400 || !strings.Contains(message, tt.want) || f.uploaded.Name != "" {
			t.Errorf("%s %s: %d %q, want %q", tt.path, tt.body, status, message, tt.want)
		}
	}
}
