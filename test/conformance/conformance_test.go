// Package conformance runs pipelines compiled by others against a real server and compares how they end with how they should.
//
// The pipelines lie beside the checkout; without them the test skips. It must not know Levada's packages: it speaks KFP's
// API, as the upstream project's own test does.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// outside is a file whose run needs something that no test machine has. It is run all the same, and must fail with a message that
// names what is missing.
type outside struct{ why, message string }

var elsewhere = map[string]outside{
	"critical/modelcar.yaml": {"imports a model image from an OCI registry", "The model does not exist at: /oci/"},
	"critical/pipeline_with_artifact_custom_path.yaml": {
		"installs kfp 2.14.6, which has no Artifact.set_path yet; TestPipelinesOfEveryFeatureEndAsWritten/modern-components does the same with 2.17",
		"has no attribute 'set_path'"},

	"root/container_with_artifact_output.yaml":                                  {"runs a script of its image", "cannot open run.sh"},
	"root/container_with_if_placeholder.yaml":                                   {"runs a program of its image", `command "my_program" is not on this machine`},
	"root/pipeline_with_importer_and_gcpc_types.yaml":                           {"runs a program of its image", `command "cmd" is not on this machine`},
	"root/containerized_python_component.yaml":                                  {"runs Python code of its image", "No module named 'kfp'"},
	"root/input_artifact.yaml":                                                  {"takes an artifact as input of the run", `input artifact "data" of the pipeline was not given`},
	"root/pipeline_with_metadata_fields.yaml":                                   {"takes an artifact as input of the run", `input artifact "in_dataset" of the pipeline was not given`},
	"root/pipeline_with_importer.json":                                          {"reads a public bucket", "/gcs/ml-pipeline-playground/shakespeare1.txt"},
	"root/pythonic_artifact_with_single_return.yaml":                            {"reads a public bucket", "/gcs/ml-pipeline-playground/shakespeare1.txt"},
	"root/sequential_v2.yaml":                                                   {"reads a public bucket with gsutil", `task "download" failed`},
	"root/upload_download_compiled.yaml":                                        {"writes to the object store of a cluster", `task "test-uploaded-artifact" failed`},
	"root/pipeline_with_dynamic_task_output_custom_training_job.yaml":           {"starts a job on Vertex AI", "google_cloud_pipeline_components"},
	"root/pipeline_with_condition_dynamic_task_output_custom_training_job.yaml": {"starts a job on Vertex AI", "google_cloud_pipeline_components"},
}

// sleepers do nothing for minutes: they are stopped once they run.
var sleepers = map[string]bool{"root/long-running.yaml": true, "root/take_nap_pipeline_root_compiled.yaml": true}

// values are parameters that a file needs to do what it is about; "DIR" stands for a file in a directory of the test.
var values = map[string]map[string]any{
	// The library that it loads data with takes a folder in place of a data set of the hub.
	"critical/pipeline_with_artifact_upload_download.yaml": {
		"dataset_repo": filepath.Join(levadatest.Root(), "test", "conformance", "testdata", "questions"), "dataset_name": "default",
	},
	"local_execution/local_execution_pipeline_with_ignore_upstream_failure.yaml": {"marker_path": "DIR"},
	"local_execution/local_execution_pipeline_with_retry.yaml":                   {"counter_path": "DIR"},
	"root/component_with_task_final_status_GH-12033.yaml":                        {"status": map[string]any{"state": "SUCCEEDED"}},
}

type result struct {
	file, want, got, detail string
	seconds                 float64
	// apart is set for a file that cannot do here what it is about.
	apart bool
}

func (r result) ok() bool { return r.want == r.got }

// TestFilesThatAreNoPipelinesAreRefused uploads what upstream's own test wants refused.
func TestFilesThatAreNoPipelinesAreRefused(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus, "invalid", "*"))
	if err != nil || len(files) == 0 {
		t.Skip("the conformance corpus is not beside this checkout")
	}
	srv := levadatest.Start(t)
	for _, f := range files {
		_, err := srv.Upload(t.Context(), filepath.Base(f), f)
		var refused *levadatest.StatusError
		if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
			t.Errorf("%s: got %v, want status 400", filepath.Base(f), err)
			continue
		}
		t.Logf("%s: %s", filepath.Base(f), refused.Body)
	}
	var list struct {
		Pipelines []any `json:"pipelines"`
	}
	if err := srv.Call(t.Context(), http.MethodGet, "/apis/v2beta1/pipelines", nil, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Pipelines) != 0 {
		t.Errorf("stored although refused: %v", list.Pipelines)
	}
}

// corpus is where the pipelines lie.
var corpus = filepath.Join(levadatest.Root(), "..", "shared", "conformance", "kfp")

func TestPipelinesEndAsTheyShould(t *testing.T) {
	valid := filepath.Join(corpus, "valid")
	if _, err := os.Stat(valid); err != nil {
		t.Skip("the conformance corpus is not beside this checkout")
	}
	srv := levadatest.Start(t)
	secrets(t, srv)
	var files []string
	for _, dir := range []string{"critical", "failing", "local_execution", "root"} {
		found, err := filepath.Glob(filepath.Join(valid, dir, "*.*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	results := runAll(t, srv, valid, files)
	report(t, results)
}

// secrets makes the ones that upstream's own test makes.
func secrets(t *testing.T, srv *levadatest.Server) {
	t.Helper()
	for name, pair := range map[string]string{"test-secret-1": "username=user1", "test-secret-2": "password=psw1", "test-secret-3": "password=psw2"} {
		if out, err := exec.Command(levadatest.Binary(t), "secret", "set", name, pair, "--server", srv.URL).CombinedOutput(); err != nil {
			t.Fatalf("levada secret set %s: %v\n%s", name, err, out)
		}
	}
}

func runAll(t *testing.T, srv *levadatest.Server, valid string, files []string) []result {
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
			rel, err := filepath.Rel(valid, f)
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
	out, isOutside := elsewhere[rel]
	skip := ""
	if _, err := exec.LookPath("jq"); err != nil && rel == "critical/parameters_simple.yaml" {
		skip = "runs jq, which is not installed on this machine"
	}
	switch {
	case skip != "":
		return result{file: rel, want: "-", got: "-", detail: skip, apart: true}
	case isOutside:
		r.want, r.apart = "FAILED", true
	case sleepers[rel]:
		r.want = "CANCELED"
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state, detail, err := run(ctx, srv, rel, file, t.TempDir())
	r.got, r.detail, r.seconds = state, detail, time.Since(began).Seconds()
	switch {
	case err != nil:
		r.got, r.detail = "error", err.Error()
	case isOutside && strings.Contains(detail, out.message):
		r.detail = out.why
	case isOutside:
		r.got, r.detail = "another failure", detail
	}
	return r
}

// run uploads a file, starts it with values for its required inputs, and waits.
func run(ctx context.Context, srv *levadatest.Server, rel, file, dir string) (state, detail string, err error) {
	version, err := srv.Upload(ctx, rel, file)
	if err != nil {
		return "", "", err
	}
	params, err := parameters(rel, file, dir)
	if err != nil {
		return "", "", err
	}
	id, err := srv.Run(ctx, rel, version, params)
	if err != nil {
		return "", "", err
	}
	if sleepers[rel] {
		if err := stop(ctx, srv, id); err != nil {
			return "", "", err
		}
	}
	return srv.Wait(ctx, id)
}

// stop waits until a step of a run is under way, and terminates the run.
func stop(ctx context.Context, srv *levadatest.Server, id string) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var got struct {
			Tasks map[string]int `json:"tasks"`
		}
		if err := srv.Call(ctx, http.MethodGet, "/api/v1/runs/"+id, nil, &got); err != nil {
			return err
		}
		if got.Tasks["RUNNING"] > 0 {
			return srv.Call(ctx, http.MethodPost, "/apis/v2beta1/runs/"+id+":terminate", nil, new(any))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
		if v, fixed := values[rel][name]; fixed {
			if out[name] = v; v == "DIR" {
				out[name] = filepath.Join(dir, name)
			}
		} else if !def.Optional {
			out[name] = map[string]any{
				"STRING": "hello", "NUMBER_INTEGER": 7, "NUMBER_DOUBLE": 0.5, "BOOLEAN": true, "LIST": []any{"a"}, "STRUCT": map[string]any{"a": 1},
			}[def.Type]
		}
	}
	return out, nil
}

// report prints the table and fails the test for each file that did not end as it should.
func report(t *testing.T, results []result) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "file\texpected\tgot\tseconds\tremark")
	good, apart, all := map[string]int{}, map[string]int{}, map[string]int{}
	for _, r := range results {
		dir := filepath.Dir(r.file)
		all[dir]++
		switch {
		case r.ok() && r.apart:
			apart[dir]++
		case r.ok():
			good[dir]++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%s\n", r.file, r.want, r.got, r.seconds, r.detail)
	}
	w.Flush()
	for dir, n := range all {
		fmt.Fprintf(&b, "%s: %d of %d end as they should; %d need what no machine here has\n", dir, good[dir], n, apart[dir])
	}
	t.Logf("\n%s", b.String())
	for _, r := range results {
		if !r.ok() {
			t.Errorf("%s: want %s, got %s: %s", r.file, r.want, r.got, r.detail)
		}
	}
}
