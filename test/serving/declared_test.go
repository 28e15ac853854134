package serving

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/traffic"
	"levada/test/levadatest"
)

// trafficOf is how the requests of endpoint iris are shared, when all that was asked for is followed.
func trafficOf(t *testing.T, s *levadatest.Server) traffic.Plan {
	t.Helper()
	var e struct {
		Active struct {
			Traffic traffic.Plan `json:"traffic"`
		} `json:"active"`
	}
	if err := json.Unmarshal([]byte(levada(t, s, "endpoints", "iris", "-o", "json")), &e); err != nil {
		t.Fatal(err)
	}
	return e.Active.Traffic
}

// settled waits until what was asked for of endpoint iris is followed.
func settled(t *testing.T, s *levadatest.Server) {
	t.Helper()
	for limit := time.After(3 * time.Minute); ; {
		shown := levada(t, s, "endpoints", "iris", "-o", "json")
		if strings.Contains(shown, `"state": "READY"`) && !strings.Contains(shown, `"state": "UPDATING"`) && !strings.Contains(shown, `"state": "LOADING"`) {
			return
		}
		select {
		case <-limit:
			t.Fatalf("the endpoint is not ready:\n%s", shown)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// refused runs a command that must fail, and returns what it says.
func refused(t *testing.T, s *levadatest.Server, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), append(args, "--server", s.URL)...).CombinedOutput()
	if err == nil {
		t.Errorf("levada %s succeeds:\n%s", strings.Join(args, " "), out)
	}
	return string(out)
}

const declaredIris = `kind: endpoint
name: iris
endpoint:
  model: iris
  versions: ["@champion"]
  settings: {max_batch: 32}
`

func TestEndpointsAreMadeInFilesWithTheCommandAndInPipelines(t *testing.T) {
	server, l := registered(t)
	shares := func(want ...traffic.Share) {
		t.Helper()
		if diff := cmp.Diff(want, trafficOf(t, server).Split); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("a file is applied, a second time without a change, and its alias is resolved anew", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "iris.yaml")
		if err := os.WriteFile(file, []byte(declaredIris), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(levada(t, server, "apply", "-f", file))
		settled(t, server)
		checkIris(t, server.URL, l, 1)
		if again := levada(t, server, "apply", "-f", file); !strings.Contains(again, "Nothing to change") {
			t.Error(again)
		}
		body := `{"name": "iris", "alias": "champion", "version": "2"}`
		resp, err := http.Post(server.URL+"/api/2.0/mlflow/registered-models/alias", "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		shares(traffic.Share{Version: "1", Percent: 100}) // moving an alias moves no traffic
		if plan := levada(t, server, "plan", "-f", file); !strings.Contains(plan, "iris") {
			t.Error(plan)
		}
		t.Log(levada(t, server, "apply", "-f", file))
		settled(t, server)
		checkIris(t, server.URL, l, 2)
		if again := levada(t, server, "apply", "-f", file); !strings.Contains(again, "Nothing to change") {
			t.Error(again)
		}
		if settings := levada(t, server, "endpoints", "iris", "-o", "json"); !strings.Contains(settings, `"max_batch": 32`) {
			t.Error(settings)
		}
	})
	t.Run("a version gets a share, and the traffic is changed", func(t *testing.T) {
		levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--percent", "30", "--wait")
		shares(traffic.Share{Version: "2", Percent: 70}, traffic.Share{Version: "1", Percent: 30})
		seen := map[string]int{}
		for i := range 60 {
			a, _, err := predict(t.Context(), server.URL, "iris", l.Rows[i], nil)
			if err != nil {
				t.Fatal(err)
			}
			seen[a.Version]++
		}
		if seen["1"] < 4 || seen["2"] < 20 { // 18 and 42 are expected; fewer come once in 10,000 times
			t.Errorf("answers by version: %v", seen)
		}
		levada(t, server, "traffic", "iris", "2=100", "--shadow", "1=50", "--sticky", "--wait")
		now := trafficOf(t, server)
		if want := (traffic.Plan{Split: []traffic.Share{{Version: "2", Percent: 100}}, Sticky: true, Shadows: []traffic.Shadow{{Version: "1", Percent: 50}}}); !cmp.Equal(want, now) {
			t.Error(cmp.Diff(want, now))
		}
		checkIris(t, server.URL, l, 2)
		for want, args := range map[string][]string{
			"add up": {"traffic", "iris", "2=50", "1=60"}, "not deployed": {"traffic", "iris", "7=100"}, "VERSION=PERCENT": {"traffic", "iris", "all"},
		} {
			if said := refused(t, server, args...); !strings.Contains(said, want) {
				t.Errorf("%v: %s", args, said)
			}
		}
		if !cmp.Equal(now, trafficOf(t, server)) {
			t.Error("traffic that was refused has changed something")
		}
	})
	t.Run("a pipeline deploys a version, and rolls another out", func(t *testing.T) {
		python, err := levadatest.KFPPython("2.17.0")
		if err != nil {
			t.Fatal(err)
		}
		plan := "interval: 500ms\nmetrics: [{name: errors, critical: true, tolerance: 0.05}]\ncanary: {steps: [{percent: 50, wait: 3s}]}"
		stop := load(t, server.URL, l.Rows)
		out := levada(t, server, "run", "deploy_pipeline.py", "--python", python, "--pipeline", "serve-and-roll-out", "-p", "model=models:/iris/1",
			"-p", "endpoint=iris", "-p", "candidate=models:/iris/2", "-p", "plan="+plan, "-o", "json")
		t.Logf("%d requests meanwhile", stop())
		var run struct {
			Tasks []struct{ Name, State string }
		}
		at := strings.Index(out, "{")
		if at < 0 {
			t.Fatal(out)
		}
		if err := json.NewDecoder(strings.NewReader(out[at:])).Decode(&run); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		ended := map[string]string{}
		for _, task := range run.Tasks {
			ended[task.Name] = task.State
		}
		for name, state := range map[string]string{"deploy-model": "SUCCEEDED", "roll-out-model": "SUCCEEDED", "note": "SUCCEEDED", "note-2": "SKIPPED"} {
			if ended[name] != state && !(name == "note-2" && ended[name] == "") {
				t.Errorf("task %s: %q, want %s; all: %v", name, ended[name], state, ended)
			}
		}
		shares(traffic.Share{Version: "2", Percent: 100})
		// What the step has kept is evidence from which the verdict is made again.
		var list struct {
			Artifacts []struct{ ID, Name string } `json:"artifacts"`
		}
		get(t, server.URL+"/api/v1/artifacts?page_size=50", &list)
		for _, a := range list.Artifacts {
			if a.Name != "report" {
				continue
			}
			file := filepath.Join(t.TempDir(), "evidence.json")
			if err := os.WriteFile(file, read(t, fmt.Sprintf("%s/api/v1/artifacts/%s/content", server.URL, a.ID)), 0o600); err != nil {
				t.Fatal(err)
			}
			if said, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "rollout", "verify", file).CombinedOutput(); err != nil || !strings.HasPrefix(string(said), "Confirmed") {
				t.Errorf("%v: %s", err, said)
			}
			return
		}
		t.Errorf("no report among the artifacts: %v", list.Artifacts)
	})
	t.Run("evidence is exported", func(t *testing.T) {
		dir := t.TempDir()
		t.Log(levada(t, server, "rollout", "export", "iris", "-o", filepath.Join(dir, "evidence.html")))
		page, err := os.ReadFile(filepath.Join(dir, "evidence.html"))
		if err != nil || !strings.Contains(string(page), "Promoted: all stages have passed") || !strings.Contains(string(page), "<svg") || strings.Contains(string(page), "<script") {
			t.Errorf("%v: %.2000s", err, page)
		}
		levada(t, server, "rollout", "export", "iris", "-o", filepath.Join(dir, "evidence.json"))
		said, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "rollout", "verify", filepath.Join(dir, "evidence.json")).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(said), "Confirmed") {
			t.Errorf("%v: %s", err, said)
		}
		if said := refused(t, server, "rollout", "export", "iris", "-o", filepath.Join(dir, "evidence.txt")); !strings.Contains(said, ".html or .json") {
			t.Error(said)
		}
	})
}

// read asks for what is at an address.
func read(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", url, resp.StatusCode, err, body.String())
	}
	return body.Bytes()
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	if err := json.Unmarshal(read(t, url), into); err != nil {
		t.Fatal(err)
	}
}
