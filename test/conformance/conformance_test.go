// Package conformance runs pipelines compiled by others against a real server and compares how they end with how they should.
//
// The pipelines lie beside the checkout; without them the test skips. It must not know Levada's packages: it speaks KFP's
// API, as the upstream project's own test does.
package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"levada/test/levadatest"
)

const (
	// limit bounds one run, building its environment included.
	limit = 8 * time.Minute
	// parallel is how many pipelines run at once.
	parallel = 4
)

// elsewhere lists the files that need something that is not on the machine, or not in this version, with the reason.
var elsewhere = map[string]string{
	"critical/modelcar.yaml":                               "needs an OCI registry with a model image",
	"critical/pipeline_with_artifact_upload_download.yaml": "downloads a data set from a hub",
	"critical/pipeline_with_submit_request.yaml":           "calls an API inside a Kubernetes cluster",
	"critical/pipeline_with_secret_as_env.yaml":            "needs a secret store, which this version does not have",
	"critical/pipeline_with_artifact_custom_path.yaml":     "calls Artifact.set_path, which kfp 2.14.6, the version it installs, does not have",
	"critical/pipeline_with_importer_workspace.yaml":       "needs an importer that copies into the workspace, which this version does not have",
}

// values are parameters that a file needs to do what it is about.
var values = map[string]map[string]any{
	"local_execution/local_execution_pipeline_with_ignore_upstream_failure.yaml": {"marker_path": ""},
	"local_execution/local_execution_pipeline_with_retry.yaml":                   {"counter_path": ""},
}

type result struct {
	file, want, got, detail string
	seconds                 float64
}

func (r result) ok() bool { return r.want == r.got || r.want == notHere }

// notHere stands for the expectation of a file that cannot run here.
const notHere = "n/a"

func TestPipelinesEndAsTheyShould(t *testing.T) {
	corpus := filepath.Join(levadatest.Root(), "..", "shared", "conformance", "kfp", "valid")
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the conformance corpus is not beside this checkout")
	}
	srv := levadatest.Start(t)
	var files []string
	for _, dir := range []string{"critical", "failing", "local_execution"} {
		found, err := filepath.Glob(filepath.Join(corpus, dir, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	results := runAll(t, srv, corpus, files)
	report(t, results)
}

func runAll(t *testing.T, srv *levadatest.Server, corpus string, files []string) []result {
	t.Helper()
	results := make([]result, len(files))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Add(1)
		go func() {
			defer wg.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			rel, err := filepath.Rel(corpus, f)
			if err != nil {
				rel = f
			}
			results[i] = runOne(t, srv, rel, f)
		}()
	}
	wg.Wait()
	return results
}

func runOne(t *testing.T, srv *levadatest.Server, rel, file string) result {
	began := time.Now()
	r := result{file: rel, want: "SUCCEEDED"}
	switch {
	case strings.HasPrefix(rel, "failing/"), strings.Contains(rel, "ignore_upstream_failure"):
		r.want = "FAILED"
	}
	why := elsewhere[rel]
	if _, err := exec.LookPath("jq"); err != nil && rel == "critical/parameters_simple.yaml" {
		why = "runs jq, which is not installed on this machine"
	}
	if why != "" {
		r.want, r.got, r.detail = notHere, "-", why
		return r
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state, detail, err := run(ctx, srv, rel, file, t.TempDir())
	r.got, r.detail, r.seconds = state, detail, time.Since(began).Seconds()
	if err != nil {
		r.got, r.detail = "error", err.Error()
	}
	return r
}

// run uploads a file, starts it with values for its required inputs, and waits.
func run(ctx context.Context, srv *levadatest.Server, rel, file, dir string) (state, detail string, err error) {
	version, err := upload(ctx, srv, rel, file)
	if err != nil {
		return "", "", err
	}
	params, err := parameters(rel, file, dir)
	if err != nil {
		return "", "", err
	}
	var created struct {
		RunID string `json:"run_id"`
	}
	err = call(ctx, http.MethodPost, srv.URL+"/apis/v2beta1/runs", map[string]any{
		"display_name":               rel,
		"pipeline_version_reference": version,
		"runtime_config":             map[string]any{"parameters": params},
	}, &created)
	if err != nil {
		return "", "", err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var got struct {
			State string `json:"state"`
			Error struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := call(ctx, http.MethodGet, srv.URL+"/apis/v2beta1/runs/"+created.RunID, nil, &got); err != nil {
			return "", "", err
		}
		if slices.Contains([]string{"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}, got.State) {
			return got.State, got.Error.Message, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "stuck in " + got.State, "", nil
		}
	}
}

func upload(ctx context.Context, srv *levadatest.Server, name, file string) (map[string]string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("uploadfile", filepath.Base(file))
	if err != nil {
		return nil, err
	}
	if _, err := part.Write(content); err != nil {
		return nil, err
	}
	if err := form.Close(); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/apis/v2beta1/pipelines/upload?name="+url.QueryEscape(name), &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	var p struct {
		ID string `json:"pipeline_id"`
	}
	if err := do(req, &p); err != nil {
		return nil, err
	}
	var versions struct {
		List []struct {
			ID string `json:"pipeline_version_id"`
		} `json:"pipeline_versions"`
	}
	if err := call(ctx, http.MethodGet, srv.URL+"/apis/v2beta1/pipelines/"+p.ID+"/versions", nil, &versions); err != nil {
		return nil, err
	}
	if len(versions.List) != 1 {
		return nil, fmt.Errorf("pipeline has %d versions after its upload, want 1", len(versions.List))
	}
	return map[string]string{"pipeline_id": p.ID, "pipeline_version_id": versions.List[0].ID}, nil
}

// parameters gives each required input a value of its type.
func parameters(rel, file, dir string) (map[string]any, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var spec struct {
		Root struct {
			InputDefinitions struct {
				Parameters map[string]struct {
					Type     string `yaml:"parameterType"`
					Optional bool   `yaml:"isOptional"`
				} `yaml:"parameters"`
			} `yaml:"inputDefinitions"`
		} `yaml:"root"`
	}
	if err := yaml.Unmarshal(content, &spec); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, def := range spec.Root.InputDefinitions.Parameters {
		if _, fixed := values[rel][name]; fixed {
			out[name] = filepath.Join(dir, name)
		} else if !def.Optional {
			out[name] = map[string]any{
				"STRING": "hello", "NUMBER_INTEGER": 7, "NUMBER_DOUBLE": 0.5, "BOOLEAN": true, "LIST": []any{"a"}, "STRUCT": map[string]any{"a": 1},
			}[def.Type]
		}
	}
	return out, nil
}

func call(ctx context.Context, method, url string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return do(req, out)
}

func do(req *http.Request, out any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, b)
	}
	return json.Unmarshal(b, out)
}

// report prints the table and fails the test for each file that did not end as it should.
func report(t *testing.T, results []result) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "file\texpected\tgot\tseconds\tremark")
	good := map[string]int{}
	all := map[string]int{}
	for _, r := range results {
		dir := filepath.Dir(r.file)
		all[dir]++
		if r.want == r.got {
			good[dir]++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%s\n", r.file, r.want, r.got, r.seconds, r.detail)
	}
	w.Flush()
	for dir, n := range all {
		fmt.Fprintf(&b, "%s: %d of %d end as they should\n", dir, good[dir], n)
	}
	t.Logf("\n%s", b.String())
	for _, r := range results {
		if !r.ok() {
			t.Errorf("%s: want %s, got %s: %s", r.file, r.want, r.got, r.detail)
		}
	}
}
