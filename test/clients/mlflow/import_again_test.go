package mlflow

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"levada/test/levadatest"
)

func TestALoggedModelWithANaNComesOnce(t *testing.T) {
	server := levadatest.Start(t)
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	id := "m-" + strings.Repeat("b", 32)
	logged := filepath.Join(dir, "7", "models", id)
	write(t, filepath.Join(logged, "meta.yaml"), "model_id: "+id+"\nname: net\nstatus: 2\nlifecycle_stage: active\nartifact_location: "+logged+"/artifacts\n")
	write(t, filepath.Join(logged, "metrics", "loss"), "1 nan 0\n2 inf 1\n")
	write(t, filepath.Join(logged, "artifacts", "weights"), "w")
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["logged models"].Written != 1 || r.Counts["metrics of logged models"].Written != 2 {
		t.Fatalf("the report is %+v", r)
	}
	var got struct {
		Model struct{ Info struct{ Name string } }
	}
	if err := server.Call(t.Context(), http.MethodGet, api+"/logged-models/"+id, nil, &got); err != nil || got.Model.Info.Name != "net" {
		t.Errorf("the model is %+v, %v", got, err)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["logged models"].Before != 1 {
		t.Errorf("the second report is %+v", r)
	}
}

// file reads a tracked file from a server; empty when there is none.
func file(t *testing.T, server *levadatest.Server, path string) string {
	t.Helper()
	resp, err := http.Get(server.URL + files + path) //nolint:noctx // a test's
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

func TestFilesThatWereNotThereComeWhenTheirPlaceIsNamed(t *testing.T) {
	server := levadatest.Start(t)
	dir, copied := mlruns(t, filepath.Join(t.TempDir(), "mlruns")), t.TempDir()
	id := strings.Repeat("c", 32)
	write(t, filepath.Join(dir, "7", id, "meta.yaml"), "run_id: "+id+"\nstatus: 3\nlifecycle_stage: active\nartifact_uri: s3://bucket/c\n")
	write(t, filepath.Join(copied, "c", "y.txt"), "y")
	where := func() string {
		t.Helper()
		var got struct {
			Run struct {
				Info struct {
					URI string `json:"artifact_uri"`
				}
			}
		}
		if err := server.Call(t.Context(), http.MethodGet, api+"/runs/get?run_id="+id, nil, &got); err != nil {
			t.Fatal(err)
		}
		return got.Run.Info.URI
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || where() != "s3://bucket/c" {
		t.Errorf("the run's files are at %s; %+v", where(), r)
	}
	r, _ := bring(t, server, 0, dir, "--artifact-root", "s3://bucket="+copied)
	if want := "mlflow-artifacts:/7/" + id + "/artifacts"; !r.ok || r.Counts["runs"].Written != 1 || where() != want {
		t.Errorf("the run's files are at %s; %+v", where(), r)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || where() == "s3://bucket/c" { // they are here now
		t.Errorf("the run's files are at %s; %+v", where(), r)
	}
	if got := file(t, server, "7/"+id+"/artifacts/y.txt"); got != "y" {
		t.Errorf("the file holds %q", got)
	}
}

func TestAFileThatChangedAndKeptItsSizeComesWithItsRun(t *testing.T) {
	server := levadatest.Start(t)
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	run := filepath.Join(dir, "7", strings.Repeat("a", 32))
	if r, _ := bring(t, server, 0, dir); !r.ok {
		t.Fatalf("the report is %+v", r)
	}
	write(t, filepath.Join(run, "artifacts", "x.txt"), "y")
	write(t, filepath.Join(run, "metrics", "m"), "1 0.5 0\n2 0.25 1\n3 0.125 2\n")
	// As if the second import had been killed after it had sent the run.
	again := map[string]any{"runs": []map[string]any{{"id": strings.Repeat("a", 32), "experiment_id": "7", "run_name": "first", "status": "FINISHED", "start_ms": 1}}}
	var answer struct{ Errors map[string]string }
	if err := server.Call(t.Context(), http.MethodPost, "/api/v1/imports/runs", again, &answer); err != nil || len(answer.Errors) > 0 {
		t.Fatal(answer, err)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["files"].Written != 1 {
		t.Errorf("the report is %+v", r)
	}
	if got := file(t, server, "7/"+strings.Repeat("a", 32)+"/artifacts/x.txt"); got != "y" {
		t.Errorf("the file holds %q", got)
	}
	if r, _ := bring(t, server, 0, dir); r.Counts["runs"].Before != 1 {
		t.Errorf("the last report is %+v", r)
	}
}

func TestWhatCouldNotBeReadComesAnotherTime(t *testing.T) {
	server := levadatest.Start(t)
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	run := filepath.Join(dir, "7", strings.Repeat("a", 32))
	if err := os.Symlink(filepath.Join("sub", "z.txt"), filepath.Join(run, "artifacts", "z.txt")); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(run, "metrics", "broken")
	write(t, broken, strings.Repeat("1", 100_000)) // a line that is too long to be read
	info, err := os.Stat(broken)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := bring(t, server, 0, dir); r.ok || r.Counts["metric points"].Written != 2 || r.Counts["files"].Written != 1 {
		t.Errorf("the report is %+v", r)
	}
	write(t, filepath.Join(run, "artifacts", "sub", "z.txt"), "z")
	write(t, broken, "1 2 3\n"+strings.Repeat("\n", 100_000-6))
	if err := os.Chtimes(broken, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["metric points"].Written != 3 {
		t.Errorf("the second report is %+v", r)
	}
	if got := file(t, server, "7/"+strings.Repeat("a", 32)+"/artifacts/z.txt"); got != "z" {
		t.Errorf("the file holds %q", got)
	}
	if r, _ := bring(t, server, 0, dir); !r.ok || r.Counts["runs"].Before != 1 {
		t.Errorf("the last report is %+v", r)
	}
}

func TestWhatWasChangedHereStaysWhenEverythingIsLookedAtAgain(t *testing.T) {
	server := levadatest.Start(t)
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	id := strings.Repeat("a", 32)
	write(t, filepath.Join(dir, "7", id, "tags", "owner"), "ada")
	write(t, filepath.Join(dir, "7", "tags", "team"), "one")
	write(t, filepath.Join(dir, "models", "price", "meta.yaml"), "name: price\ncreation_timestamp: 5\nlast_updated_timestamp: 5\n")
	write(t, filepath.Join(dir, "models", "price", "aliases", "live"), "1")
	for _, n := range []string{"1", "2"} {
		write(t, filepath.Join(dir, "models", "price", "version-"+n, "meta.yaml"), "name: price\nversion: "+n+"\ncurrent_stage: None\nsource: "+dir+"/7/"+id+"/artifacts\n")
	}
	if r, _ := bring(t, server, 0, dir); !r.ok {
		t.Fatalf("the report is %+v", r)
	}
	var ignored json.RawMessage
	for _, change := range []struct {
		call string
		body fields
	}{
		{"/runs/set-tag", fields{"run_id": id, "key": "owner", "value": "bob"}},
		{"/experiments/set-experiment-tag", fields{"experiment_id": "7", "key": "team", "value": "two"}},
		{"/registered-models/alias", fields{"name": "price", "alias": "live", "version": "2"}},
		{"/runs/delete", fields{"run_id": id}},
		{"/experiments/delete", fields{"experiment_id": "7"}},
	} {
		if err := server.Call(t.Context(), http.MethodPost, api+change.call, change.body, &ignored); err != nil {
			t.Fatalf("%s: %v", change.call, err)
		}
	}
	if r, _ := bring(t, server, 0, dir, "--recheck"); !r.ok || r.Counts["files"].Written != 1 {
		t.Errorf("the report is %+v", r)
	}
	for call, parts := range map[string][]string{
		"/runs/get?run_id=" + id:                         {`"bob"`, `"deleted"`},
		"/experiments/get?experiment_id=7":               {`"two"`, `"deleted"`},
		"/registered-models/alias?name=price&alias=live": {`"version":"2"`},
	} {
		var got json.RawMessage
		if err := server.Call(t.Context(), http.MethodGet, api+call, nil, &got); err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(strings.ReplaceAll(string(got), " ", ""), part) {
				t.Errorf("%s has not %s: %s", call, part, got)
			}
		}
	}
}

func TestARunThatIsTooLargeHoldsUpNoOther(t *testing.T) {
	server := levadatest.Start(t)
	dir := mlruns(t, filepath.Join(t.TempDir(), "mlruns"))
	for _, c := range []string{"b", "c"} {
		write(t, filepath.Join(dir, "7", strings.Repeat(c, 32), "meta.yaml"), "run_id: "+strings.Repeat(c, 32)+"\nstatus: 3\nlifecycle_stage: active\n")
	}
	for n := range 20 { // a quote is two bytes in a request, < is six
		write(t, filepath.Join(dir, "7", strings.Repeat("b", 32), "tags", "t"+strconv.Itoa(n)), strings.Repeat("<", 1_000_000))
	}
	r, _ := bring(t, server, 0, dir)
	if r.ok || r.Counts["runs"].Written != 2 || r.Counts["metric points"].Written != 2 {
		t.Errorf("the report is %+v", r)
	}
	if text := fmt.Sprintf("%+v", r.Notes); !strings.Contains(text, "too long for one request") {
		t.Errorf("the report does not say why: %s", text)
	}
}
