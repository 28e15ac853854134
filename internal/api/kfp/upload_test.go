package kfp_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/api/kfp"
	"levada/internal/core/catalog"
	"levada/internal/pipeline"
)

// file is an entry of an archive; order matters.
type file struct{ name, content string }

func zipped(files ...file) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		e, err := w.Create(f.name)
		if err == nil {
			_, err = io.WriteString(e, f.content)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func tarred(files ...file) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.content)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = io.WriteString(w, f.content)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

const limit = 200_000

// upload posts a package through a door with a small limit.
func upload(t *testing.T, f *fake, query, field, fileName string, content []byte) (int, map[string]any) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile(field, fileName)
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/apis/v2beta1/pipelines/"+query, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return send(t, kfp.NewHandler(kfp.Options{Service: f, Recurring: fakeRecurring{f}, MaxUploadBytes: limit}), r)
}

func TestTheSpecificationIsFoundInEveryKindOfPackage(t *testing.T) {
	spec := file{"pipeline.yaml", "spec"}
	other := file{"other.yaml", "other"}
	notes := file{"notes.txt", "notes"}
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"a.yaml", []byte("spec"), "spec"},
		{"a.YML", []byte("spec"), "spec"},
		{"a.json", []byte("{}"), "{}"},
		{"a.yaml", []byte("PK is how this text begins"), "PK is how this text begins"},
		{"a.zip", zipped(spec), "spec"},
		{"without extension", zipped(notes, other, spec), "spec"},
		{"a.zip", zipped(notes, other), "other"},
		{"a.tar.gz", tarred(spec), "spec"},
		{"a.tgz", tarred(notes, other, spec, spec), "spec"},
		{"a.tar.gz", tarred(file{"./pipeline.yaml", "spec"}), "spec"},
		{"a.tar.gz", tarred(notes, other), "other"},
		{"a.zip", zipped(file{"../../etc/passwd.yaml", "names are only compared"}), "names are only compared"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i, " ", tt.name), func(t *testing.T) {
			f := &fake{}
			if status, got := upload(t, f, "upload?name=n", "uploadfile", tt.name, tt.content); status != 200 {
				t.Fatalf("status %d: %v", status, got)
			}
			if got := string(f.uploaded.Spec); got != tt.want {
				t.Errorf("specification %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAPackageThatCannotBeUsedIsRefused(t *testing.T) {
	bomb := strings.Repeat("\x00", limit+1)
	many := make([]file, 1100)
	for i := range many {
		many[i].name = fmt.Sprint("f", i)
	}
	tests := []struct {
		name    string
		content []byte
		status  int
		message string
	}{
		{"a.png", []byte("\x89PNG"), 400, "neither YAML, JSON, zip nor tar.gz"},
		{"a.txt", nil, 400, "neither YAML, JSON, zip nor tar.gz"},
		{"a.zip", []byte("PK but no zip"), 400, "cannot be read as one"},
		{"a.zip", zipped(), 400, "holds no YAML file"},
		{"a.zip", zipped(file{"a.txt", ""}), 400, "holds no YAML file"},
		{"a.zip", zipped(file{"a.yaml", ""}, file{"b.yaml", ""}), 400, "holds 2 YAML files"},
		{"a.zip", zipped(many[:20]...)[:1000], 400, "cannot be read as one"},
		{"a.zip", zipped(many...), 400, "more than 1000 files"},
		{"a.tgz", []byte("\x1f\x8b but no gzip"), 400, "damaged"},
		{"a.tgz", tarred(file{"a.yaml", "content"})[:60], 400, "damaged"},
		{"a.tgz", tarred(file{"a.yaml", ""}, file{"b.yaml", ""}), 400, "holds 2 YAML files"},
		{"a.zip", zipped(file{"a.yaml", bomb}), 413, "limit of 200000 bytes"},
		{"a.tgz", tarred(file{"a.yaml", bomb}), 413, "limit of 200000 bytes"},
		{"a.tgz", tarred(file{"a.bin", strings.Repeat(bomb, 8)}), 413, "unpacks to more than 800000 bytes"},
		{"a.yaml", []byte(bomb), 413, "a.yaml is larger than the limit of 200000 bytes"},
		{"a.yaml", []byte(strings.Repeat(bomb, 8)), 413, "limit"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i, " ", tt.name), func(t *testing.T) {
			f := &fake{}
			status, got := upload(t, f, "upload", "uploadfile", tt.name, tt.content)
			if message, _ := got["message"].(string); status != tt.status || !strings.Contains(message, tt.message) {
				t.Errorf("%d %q, want %d with %q", status, message, tt.status, tt.message)
			}
			if diff := cmp.Diff(pipeline.Upload{}, f.uploaded); diff != "" {
				t.Errorf("the service was reached: %s", diff)
			}
		})
	}
}

func TestAnUploadIsDescribedByItsQuery(t *testing.T) {
	tests := []struct {
		query string
		want  pipeline.Upload
	}{
		{"upload", pipeline.Upload{Name: "file.yaml", DisplayName: "file.yaml"}},
		{"upload?name=n&namespace=kubeflow", pipeline.Upload{Name: "n", DisplayName: "n"}},
		{"upload?display_name=d", pipeline.Upload{Name: "d", DisplayName: "d"}},
		{
			"upload_version?pipelineid=p&name=n&display_name=d&description=about&tags=" + url.QueryEscape(`{"team":"ml"}`),
			pipeline.Upload{Name: "n", DisplayName: "d", Description: "about", Tags: map[string]string{"team": "ml"}},
		},
	}
	for _, tt := range tests {
		f := &fake{}
		if status, got := upload(t, f, tt.query, "uploadfile", "file.yaml", []byte("spec")); status != 200 {
			t.Fatalf("%s: %d %v", tt.query, status, got)
		}
		tt.want.Spec = []byte("spec")
		if diff := cmp.Diff(tt.want, f.uploaded); diff != "" {
			t.Errorf("%s: upload (-want +got):\n%s", tt.query, diff)
		}
	}
}

func TestAnUploadWithoutWhatItNeedsIsRefused(t *testing.T) {
	tests := []struct {
		query, field string
		status       int
		message      string
	}{
		{"upload_version?name=n", "uploadfile", 400, "pipelineid is missing"},
		{"upload", "file", 400, `no field "uploadfile"`},
		{"upload?tags=team", "uploadfile", 400, "tags: want a JSON object"},
	}
	for _, tt := range tests {
		status, got := upload(t, &fake{}, tt.query, tt.field, "a.yaml", nil)
		if message, _ := got["message"].(string); status != tt.status || !strings.Contains(message, tt.message) {
			t.Errorf("%s: %d %q, want %d with %q", tt.query, status, message, tt.status, tt.message)
		}
	}
	if status, got := ask(t, &fake{}, "POST", "/apis/v2beta1/pipelines/upload", "spec"); status != 400 {
		t.Errorf("a body that is no form: %d %v, want 400", status, got)
	}
}

func TestPipelinesAndVersionsAreShown(t *testing.T) {
	f := &fake{
		pipelines: []catalog.Pipeline{{ID: "p1", Name: "n", DisplayName: "N", Description: "about", Tags: map[string]string{"a": "b"}, CreatedAt: epoch}},
		versions:  []catalog.Version{{ID: "v1", PipelineID: "p1", Name: "w", DisplayName: "W", SpecDigest: "one", CreatedAt: epoch}},
	}
	p := map[string]any{
		"pipeline_id": "p1", "name": "n", "display_name": "N", "description": "about", "tags": map[string]any{"a": "b"}, "created_at": "2026-05-04T03:02:01.5Z",
	}
	v := map[string]any{
		"pipeline_id": "p1", "pipeline_version_id": "v1", "name": "w", "display_name": "W", "created_at": "2026-05-04T03:02:01.5Z",
		"pipeline_spec": map[string]any{
			"pipelineInfo": map[string]any{"name": "p"}, "root": map[string]any{"dag": map[string]any{"tasks": map[string]any{}}}, "schemaVersion": "2.1.0",
		},
	}
	tests := []struct {
		path string
		want map[string]any
	}{
		{"pipelines/p1", p},
		{"pipelines/names/n", p},
		{"pipelines", map[string]any{"pipelines": []any{p}, "total_size": 1.0}},
		{"pipelines/p1/versions/v1", v},
		{"pipelines/p1/versions", map[string]any{"pipeline_versions": []any{v}, "total_size": 1.0}},
	}
	for _, tt := range tests {
		_, got := ask(t, f, "GET", "/apis/v2beta1/"+tt.path, "")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.path, diff)
		}
	}
}

func FuzzAPackageIsUnpackedOrRefused(f *testing.F) {
	f.Add("a.zip", zipped(file{"pipeline.yaml", "spec"}))
	f.Add("a.tgz", tarred(file{"a.yaml", "spec"}))
	f.Add("a.yaml", []byte("spec"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		door := &fake{}
		status, _ := upload(t, door, "upload", "uploadfile", name, content)
		if status != 200 && status != 400 && status != 413 {
			t.Errorf("status %d", status)
		}
		if len(door.uploaded.Spec) > limit {
			t.Errorf("a specification of %d bytes got through", len(door.uploaded.Spec))
		}
	})
}
