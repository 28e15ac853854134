// Package kubernetes runs pipelines that use KFP's Kubernetes extras, written with the real SDK (testdata/pipelines.py), against
// a real server: secrets, config maps, volumes, fixed paths, the workspace, deadlines and what is cleaned up after a run.
//
// It must not know Levada's packages: it sees what a user sees, through Levada's own API and its command line.
package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/test/levadatest"
)

const password = "sesame-open-123"

type runView struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Failure *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"failure"`
	Notices []string `json:"notices"`
	Cached  int      `json:"cached"`
	Outputs struct {
		Parameters map[string]any `json:"parameters"`
	} `json:"outputs"`
}

// start runs a server on which steps have mounts of their own, or skips where the machine allows none.
func start(t *testing.T) *levadatest.Server {
	t.Helper()
	srv := levadatest.Start(t)
	needsIsolation(t, srv)
	return srv
}

func needsIsolation(t *testing.T, srv *levadatest.Server) {
	t.Helper()
	out, err := exec.Command(levadatest.Binary(t), "doctor", "--data", srv.Data, "-o", "json").Output()
	if err != nil {
		t.Fatalf("levada doctor: %v\n%s", err, out)
	}
	var checkup struct {
		Findings []struct{ Check, Verdict, Found string } `json:"findings"`
	}
	if err := json.Unmarshal(out, &checkup); err != nil {
		t.Fatal(err)
	}
	for _, f := range checkup.Findings {
		if f.Check == "isolation" && f.Verdict != "OK" {
			t.Skipf("steps cannot have mounts of their own on this machine: %s", f.Found)
		}
	}
}

// levada runs a command against the server.
func levada(t *testing.T, srv *levadatest.Server, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(levadatest.Binary(t), append(args, "--server", srv.URL)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("levada %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func secrets(t *testing.T, srv *levadatest.Server) {
	t.Helper()
	levada(t, srv, password+"\n", "secret", "set", "database", "user=ada", "password=-")
	levada(t, srv, "", "secret", "set", "storage", "password=four")
	levada(t, srv, "", "configmap", "set", "training", "rate=0.1")
}

func submit(t *testing.T, srv *levadatest.Server, name string, parameters map[string]any) string {
	t.Helper()
	spec, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var r runView
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/runs", map[string]any{"spec": string(spec), "parameters": parameters}, &r); status != http.StatusCreated {
		t.Fatalf("submit %s: status %d", name, status)
	}
	return r.ID
}

func call(t *testing.T, method, url string, in, out any) int {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, url, err, b)
		}
	}
	return resp.StatusCode
}

// wait polls a run until it is final.
func wait(t *testing.T, srv *levadatest.Server, id string) runView {
	t.Helper()
	var r runView
	await(t, "run "+id+" to end", func() bool {
		call(t, http.MethodGet, srv.URL+"/api/v1/runs/"+id, nil, &r)
		return r.State == "SUCCEEDED" || r.State == "FAILED" || r.State == "CANCELED"
	})
	return r
}

// await polls until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func must(t *testing.T, srv *levadatest.Server, name string, parameters map[string]any) runView {
	t.Helper()
	r := wait(t, srv, submit(t, srv, name, parameters))
	if r.State != "SUCCEEDED" {
		t.Fatalf("%s is %s: %+v\n%s", name, r.State, r.Failure, levada(t, srv, "", "logs", r.ID))
	}
	return r
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestEveryExtraWithAMeaningHasItAndTheOthersAreNamed(t *testing.T) {
	srv := start(t)
	secrets(t, srv)
	r := must(t, srv, "kubernetes-extras", nil)
	if r.Outputs.Parameters["Output"] != "from extras" {
		t.Errorf("outputs: %v", r.Outputs)
	}
	want := []string{
		`size, class and access modes of the ephemeral volume of task "check-extras" have no effect: it is a directory`,
		`the image pull policy of task "check-extras" has no effect: steps run as processes on this machine`,
		`the image pull secret of task "check-extras" has no effect: steps run as processes on this machine`,
		`the node selector of task "check-extras" has no effect: steps run as processes on this machine`,
		`the security context of task "check-extras" has no effect: steps run as processes on this machine`,
		`the size limit of the emptyDir of task "check-extras" is not enforced`,
		`the tolerations of task "check-extras" have no effect: steps run as processes on this machine`,
	}
	notices := r.Notices
	if found, err := filepath.Glob("/dev/nvidia[0-9]*"); err == nil && len(found) == 0 {
		want = append(want, `this machine has no accelerator: the request of task "check-extras" has no effect, the step runs without`)
	}
	if diff := cmp.Diff(want, notices); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	var task struct{ Labels, Annotations map[string]string }
	call(t, http.MethodGet, srv.URL+"/api/v1/runs/"+r.ID+"/tasks/check-extras", nil, &task)
	if task.Labels["colour"] != "blue" || task.Annotations["note"] != "a note" {
		t.Errorf("the task's labels and annotations: %+v", task)
	}
	logs := levada(t, srv, "", "logs", r.ID, "check-extras")
	if !strings.Contains(logs, "the password is ***") {
		t.Errorf("the password is not masked in the log:\n%s", logs)
	}
	notShown(t, srv, r.ID)
}

// notShown looks for the password wherever it must not be.
func notShown(t *testing.T, srv *levadatest.Server, runID string) {
	t.Helper()
	for _, path := range []string{"/api/v1/runs/" + runID, "/api/v1/runs/" + runID + "/tasks", "/api/v1/secrets", "/api/v1/secrets/database"} {
		resp, err := srv.Get(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || bytes.Contains(b, []byte(password)) {
			t.Errorf("%s: %v, status %d: %s", path, err, resp.StatusCode, b)
		}
	}
	err := filepath.WalkDir(srv.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(password)) {
			t.Errorf("the password is in the file %s", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(srv.Data, "secret.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v %v", info, err)
	}
}

func TestAMissingSecretFailsTheTaskAndSaysWhatToDo(t *testing.T) {
	srv := levadatest.Start(t)
	r := wait(t, srv, submit(t, srv, "secrets-in-a-loop", nil))
	if r.State != "FAILED" || r.Failure.Reason != "InputError" {
		t.Fatalf("run is %s: %+v", r.State, r.Failure)
	}
	for _, part := range []string{`secret "`, `does not exist`, "levada secret set ", `secret-of-item`} {
		if !strings.Contains(r.Failure.Message, part) {
			t.Errorf("no %q in %q", part, r.Failure.Message)
		}
	}
}

func TestAResultIsReusedUntilASecretBehindItChanges(t *testing.T) {
	srv := levadatest.Start(t)
	secrets(t, srv)
	for i, want := range []struct {
		output string
		cached int
	}{{"database 15, storage 4", 0}, {"database 15, storage 4", 3}, {"database 15, storage 6", 1}} {
		if i == 2 {
			levada(t, srv, "", "secret", "set", "storage", "password=longer")
		}
		r := must(t, srv, "secrets-in-a-loop", nil)
		if r.Outputs.Parameters["Output"] != want.output || r.Cached != want.cached {
			t.Errorf("run %d gave %v with %d tasks reused, want %q with %d", i, r.Outputs.Parameters, r.Cached, want.output, want.cached)
		}
	}
}

func TestFixedPathsOfStepsThatRunAtOnceDoNotClash(t *testing.T) {
	srv := start(t)
	// Two runs at once, three steps each, all of which wait for the others of their run.
	first, second := submit(t, srv, "fixed-paths", nil), submit(t, srv, "fixed-paths", nil)
	for _, id := range []string{first, second} {
		if r := wait(t, srv, id); r.State != "SUCCEEDED" || r.Outputs.Parameters["Output"] != "a, b, c" {
			t.Errorf("run is %s: %+v %+v\n%s", r.State, r.Failure, r.Outputs, levada(t, srv, "", "logs", id))
		}
		await(t, "the workspace to go", func() bool { return !exists(filepath.Join(srv.Data, "workspaces", id)) })
	}
	for _, path := range []string{"/tmp/levada-clash", "/kfp-workspace"} {
		if exists(path) {
			t.Errorf("the steps made %s on the machine", path)
		}
	}
}

func TestAnImportIsCopiedIntoTheWorkspace(t *testing.T) {
	srv := start(t)
	if r := must(t, srv, "workspace-import", nil); r.Outputs.Parameters["Output"] != "1\n2\n" {
		t.Errorf("outputs: %q", r.Outputs.Parameters)
	}
}

func TestARunThatMissesItsDeadlineIsStoppedAndFails(t *testing.T) {
	data := t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	check := func(id string) {
		t.Helper()
		r := wait(t, srv, id)
		if r.State != "FAILED" || r.Failure == nil || r.Failure.Reason != "Timeout" || !strings.Contains(r.Failure.Message, "deadline of 3s") {
			t.Errorf("run is %s: %+v", r.State, r.Failure)
		}
		if tasks := levada(t, srv, "", "runs", "show", id); !strings.Contains(tasks, "not started: the run had reached its deadline") {
			t.Errorf("the tasks do not say why they were stopped:\n%s", tasks)
		}
	}
	check(submit(t, srv, "deadline", nil))
	// The deadline counts while the server is away.
	id := submit(t, srv, "deadline", nil)
	srv.Kill()
	srv = levadatest.StartOn(t, data)
	check(id)
}

func TestWhatARunNeededIsRemovedWhenItsTimeToLiveIsOver(t *testing.T) {
	data := t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data)
	needsIsolation(t, srv)
	left := func(id string) []string {
		var found []string
		for _, path := range []string{"work/" + id, "workspaces/" + id, "volumes/" + id + "-kept"} {
			if exists(filepath.Join(data, path)) {
				found = append(found, path)
			}
		}
		return found
	}
	kept := submit(t, srv, "time-to-live", map[string]any{"fail": false})
	if r := wait(t, srv, kept); r.State != "SUCCEEDED" {
		t.Fatalf("run is %s: %+v", r.State, r.Failure)
	}
	gone := submit(t, srv, "time-to-live", map[string]any{"fail": true})
	if r := wait(t, srv, gone); r.State != "FAILED" {
		t.Fatalf("run is %s", r.State)
	}
	// The server that has to clean up is another than the one that ran the pipeline.
	srv.Kill()
	srv = levadatest.StartOn(t, data)
	await(t, "the files of the failed run to go", func() bool { return len(left(gone)) == 0 })
	if logs := levada(t, srv, "", "logs", gone, "leave-files"); !strings.Contains(logs, "as asked") {
		t.Errorf("the log has gone too: %s", logs)
	}
	if found := left(kept); len(found) != 2 { // nothing failed, so no working directory is kept
		t.Errorf("of the run that may stay longer there is %v", found)
	}
	var none any
	if status := call(t, http.MethodDelete, srv.URL+"/api/v1/runs/"+kept, none, nil); status != http.StatusNoContent && status != http.StatusOK {
		t.Fatalf("delete: status %d", status)
	}
	if found := left(kept); len(found) != 0 {
		t.Errorf("of the deleted run there is %v", found)
	}
}

func TestATaskGetsTheSettingsThatItsComponentTakesOver(t *testing.T) {
	srv := start(t)
	secrets(t, srv)
	r := must(t, srv, "task-config", nil)
	want := map[string]any{
		"resources": map[string]any{
			"limits":   map[string]any{"cpu": "2", "memory": "50Gi", "nvidia.com/gpu": "2"},
			"requests": map[string]any{"cpu": "1"},
		},
		"env": []any{
			map[string]any{"name": "STAGE", "value": "test"},
			map[string]any{"name": "PASSWORD", "valueFrom": map[string]any{
				"secretKeyRef": map[string]any{"name": "database", "key": "password", "optional": false}}},
		},
		"volumes":       []any{map[string]any{"name": "shared-data", "persistentVolumeClaim": map[string]any{"claimName": "shared-data"}}},
		"volume_mounts": []any{map[string]any{"name": "shared-data", "mountPath": "/mnt/data", "subPath": "sub"}},
		"tolerations":   []any{map[string]any{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}},
		"node_selector": map[string]any{"disk": "ssd"},
		"affinity": map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{
			"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{
				map[string]any{"key": "zone", "operator": "In", "values": []any{"a"}}}}}}}},
	}
	if diff := cmp.Diff(want, r.Outputs.Parameters["Output"]); diff != "" {
		t.Errorf("task config (-want +got):\n%s", diff)
	}
	if len(r.Notices) > 0 {
		t.Errorf("settings that the component takes over are said to have no effect: %v", r.Notices)
	}
}

func TestWithoutIsolationTheWorkspaceIsFoundAtItsRealPathAndTheRunSaysSo(t *testing.T) {
	srv := levadatest.Start(t, "LEVADA_ISOLATION=false")
	r := wait(t, srv, submit(t, srv, "workspace-import", map[string]any{"isolated": false}))
	if r.State != "SUCCEEDED" || r.Outputs.Parameters["Output"] != "1\n2\n" {
		t.Errorf("run is %s: %+v\n%s", r.State, r.Failure, levada(t, srv, "", "logs", r.ID))
	}
	if notices := fmt.Sprint(r.Notices); !strings.Contains(notices, "steps cannot have mounts of their own on this machine") {
		t.Errorf("notices: %s", notices)
	}
}
