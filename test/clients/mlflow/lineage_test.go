package mlflow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"testing"

	"levada/test/levadatest"
)

type modelFile struct {
	Path   string
	Size   int64
	SHA256 string
}

type producer struct {
	RunID         string `json:"run_id"`
	PipelineRunID string `json:"pipeline_run_id"`
	Task          string
}

type versionShown struct {
	Name     string
	Version  int64
	ModelID  string `json:"model_id"`
	Producer producer
	Files    []modelFile
}

type loggedShown struct {
	ID       string
	Status   string
	Producer producer
	Files    []modelFile
	Versions []struct {
		Name    string
		Version int64
	}
}

func shown(t *testing.T, server *levadatest.Server, path string, into any) {
	t.Helper()
	resp, err := server.Get(t.Context(), "/api/v1"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: status %d %s %v", path, resp.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %s: %v", path, text, err)
	}
}

// registered logs a model with two files on a run, as MLflow 3 does, and registers it.
func registered(t *testing.T, server *levadatest.Server, run, name string) (id string, files []modelFile) {
	t.Helper()
	a := attacker{t: t, server: server}
	status, text := a.post("/logged-models", fields{"experiment_id": "0", "name": "model", "source_run_id": run})
	var answer struct {
		Model struct {
			Info struct {
				ID string `json:"model_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 {
		t.Fatal(status, text, err)
	}
	id = answer.Model.Info.ID
	for _, f := range []struct{ path, content string }{{"MLmodel", "flavors: {}"}, {"data/model.pkl", "bytes"}} {
		if status, text := a.put("/api/2.0/mlflow-artifacts/artifacts/0/models/"+id+"/artifacts/"+f.path, []byte(f.content)); status != 200 {
			t.Fatal(status, text)
		}
		sum := sha256.Sum256([]byte(f.content))
		files = append(files, modelFile{f.path, int64(len(f.content)), hex.EncodeToString(sum[:])})
	}
	if status, text := a.post("/registered-models/create", fields{"name": name}); status != 200 {
		t.Fatal(status, text)
	}
	status, text = a.post("/model-versions/create", fields{"name": name, "source": "models:/" + id, "run_id": run, "model_id": id})
	if status != 200 {
		t.Fatal(status, text)
	}
	return id, files
}

func same(a, b []modelFile) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestAModelVersionTellsItsFilesAndTheRunThatMadeIt(t *testing.T) {
	a := newAttacker(t)
	_, run := a.run()
	id, files := registered(t, a.server, run, "m")
	if status, text := a.put("/api/2.0/mlflow-artifacts/artifacts/0/models/"+id+"/artifacts/MLmodel", []byte("changed later")); status != 200 {
		t.Fatal(status, text)
	}
	var v versionShown
	shown(t, a.server, "/models/m/versions/1", &v)
	if !same(v.Files, files) || v.Producer.RunID != run || v.ModelID != id || v.Version != 1 {
		t.Errorf("the version is %+v; want the files of its registration, %+v, and run %s", v, files, run)
	}
	var m loggedShown
	shown(t, a.server, "/logged-models/"+id, &m)
	if m.Producer.RunID != run || len(m.Files) != 2 || m.Files[0].Size != 13 || len(m.Versions) != 1 || m.Versions[0].Name != "m" {
		t.Errorf("the logged model is %+v; want its present files and its version", m)
	}
	for _, path := range []string{"/models/m/versions/2", "/models/none/versions/1", "/logged-models/m-0", "/runs/none/models"} {
		resp, err := a.server.Get(t.Context(), "/api/v1"+path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 404 {
			t.Errorf("%s: status %d, want 404", path, resp.StatusCode)
		}
	}
}

// lineageOf checks that a model which a task has made is found from the pipeline's run and from the task.
func lineageOf(t *testing.T, server *levadatest.Server, pipelineRun, task string) {
	t.Helper()
	id, files := registered(t, server, task, "of a task")
	for _, from := range []string{pipelineRun, task} {
		var made struct {
			LoggedModels []loggedShown `json:"logged_models"`
			Versions     []versionShown
		}
		shown(t, server, "/runs/"+from+"/models", &made)
		want := producer{task, pipelineRun, "train"}
		if len(made.LoggedModels) != 1 || made.LoggedModels[0].ID != id || made.LoggedModels[0].Producer != want || !same(made.LoggedModels[0].Files, files) {
			t.Errorf("run %s has logged %+v; want model %s of %+v", from, made.LoggedModels, id, want)
		}
		if len(made.Versions) != 1 || made.Versions[0].Name != "of a task" || made.Versions[0].Producer != want || !same(made.Versions[0].Files, files) {
			t.Errorf("run %s has made the versions %+v", from, made.Versions)
		}
	}
}
