package serving

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/internal/core/rollout"
	"levada/test/levadatest"
)

const rolloutPlan = `
interval: 500ms
metrics:
  - {name: errors, critical: true, tolerance: 0.05}
  - {name: predictions, critical: true, tolerance: 0.25, min_samples: 50}
canary: {steps: [{percent: 20, wait: 5s}, {percent: 50, wait: 5s}]}
watch: {duration: 4s, window: 2s}
`

type rolledOut struct {
	rollout.Record
	State rollout.State `json:"state"`
}

// rolloutStatus asks until the rollout is as wanted.
func rolloutStatus(t *testing.T, s *levadatest.Server, wanted func(rolledOut) bool) rolledOut {
	t.Helper()
	for limit := time.After(3 * time.Minute); ; {
		var r rolledOut
		if err := json.Unmarshal([]byte(levada(t, s, "rollout", "status", "iris", "-o", "json")), &r); err != nil {
			t.Fatal(err)
		}
		if wanted(r) {
			return r
		}
		select {
		case <-limit:
			t.Fatalf("the rollout does not become what is wanted: %+v\n%s", r, levada(t, s, "rollout", "events", "iris"))
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func over(r rolledOut) bool { return r.Settled }

func TestVersionsAreRolledOutOnAServerThatIsKilled(t *testing.T) {
	server, l := registered(t)
	python, err := levadatest.LibraryPython("serving", "sklearn")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "log_broken.py", server.URL)
	cmd.Env = append(os.Environ(), "PYTHONWARNINGS=ignore", "GIT_PYTHON_REFRESH=quiet")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte(rolloutPlan), 0o600); err != nil {
		t.Fatal(err)
	}
	levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait")

	// A version that was broken on the way is taken back, and no request fails.
	stop := load(t, server.URL, l.Rows)
	levada(t, server, "rollout", "start", "iris", "--to", "3", "-f", plan, "--alias", "champion")
	r := rolloutStatus(t, server, over)
	t.Logf("the broken version: %d requests meanwhile; after %v and %d requests to it: %s", stop(), r.FinishedAt.Sub(r.StartedAt), r.State.Requests[1], r.Reason)
	if r.Outcome != rollout.OutcomeRolledBack || !strings.Contains(r.Reason, "predictions") {
		t.Fatalf("%s: %s", r.Outcome, r.Reason)
	}
	checkIris(t, server.URL, l, 1)

	// A good one goes on where a killed server left it, has the traffic in the end, and the alias.
	stop = load(t, server.URL, l.Rows)
	levada(t, server, "rollout", "start", "iris", "--to", "models:/iris/2", "-f", plan, "--alias", "champion")
	rolloutStatus(t, server, func(r rolledOut) bool { return r.State.Stage.Step == 1 })
	stop()
	server.Kill()
	again := levadatest.StartOn(t, server.Data)
	before := rolloutStatus(t, again, func(rolledOut) bool { return true })
	if before.Outcome != "" || before.State.Stage != (rollout.Stage{Phase: rollout.PhaseCanary, Step: 1}) || before.State.Traffic.Shares[1] != 50 {
		t.Errorf("after kill -9: %+v", before)
	}
	stop = load(t, again.URL, l.Rows)
	r = rolloutStatus(t, again, over)
	stop()
	if r.Outcome != rollout.OutcomePromoted {
		t.Fatalf("%s: %s\n%s", r.Outcome, r.Reason, levada(t, again, "rollout", "events", "iris"))
	}
	checkIris(t, again.URL, l, 2)
	t.Log(levada(t, again, "rollout", "events", "iris"))
	if shown := levada(t, again, "endpoints", "iris", "--events", "100"); !strings.Contains(shown, "rollout_promoted") || !strings.Contains(shown, "rollout_rolled_back") {
		t.Error(shown)
	}
	resp, err := http.Get(again.URL + "/api/2.0/mlflow/registered-models/alias?name=iris&alias=champion")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"version":"2"`) && !strings.Contains(string(body), `"version": "2"`) {
		t.Errorf("champion: %s, %v", body, err)
	}

	// What was observed is tried with another plan.
	past := filepath.Join(t.TempDir(), "past.json")
	if err := os.WriteFile(past, []byte(levada(t, again, "rollout", "events", "iris", "--observed", "-o", "json")), 0o600); err != nil {
		t.Fatal(err)
	}
	strict := filepath.Join(t.TempDir(), "strict.yaml")
	if err := os.WriteFile(strict, []byte("metrics: [{name: latency, critical: true, limit: 0.001}]\ncanary: {steps: [{percent: 20, wait: 3s}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "rollout", "simulate", "-f", strict, past).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the baseline has the traffic again") {
		t.Errorf("%v\n%s", err, out)
	}
}
