package serving

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"levada/internal/core/rollout"
	"levada/test/levadatest"
)

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for limit := time.After(90 * time.Second); !so(); {
		select {
		case <-limit:
			t.Fatalf("%s does not happen", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TestWhatAnotherServerServesIsATarget has an endpoint whose versions are a registered model and what another endpoint serves; that both are of the
// same server changes nothing: it is asked over HTTP.
func TestWhatAnotherServerServesIsATarget(t *testing.T) {
	const hosts = "LEVADA_WEBHOOK_HOSTS=http://127.0.0.1"
	server, l := registered(t, hosts)
	levada(t, server, "deploy", "models:/iris/2", "--endpoint", "elsewhere", "--wait")
	levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait")
	there := server.URL + "/v2/models/elsewhere"
	t.Log(levada(t, server, "deploy", there, "--endpoint", "iris", "--as", "other", "--percent", "0", "--wait"))

	ask := func(url string, i int) (string, error) {
		a, _, err := predict(t.Context(), url, "iris/versions/other", l.Rows[i], nil)
		if err != nil {
			return "", err
		}
		return string(a.Outputs[0].Data[0]), nil
	}
	// It is loaded, though no requests go to it by themselves: --wait says so.
	for i := range l.Rows {
		if got, err := ask(server.URL, i); err != nil || got != strconv.FormatInt(l.Iris[1][i], 10) {
			t.Errorf("row %d: %s, %v; want %d", i, got, err, l.Iris[1][i])
		}
	}
	checkIris(t, server.URL, l, 1)

	t.Run("as a shadow", func(t *testing.T) {
		levada(t, server, "traffic", "iris", "1=100", "--shadow", "other=100", "--wait")
		checkIris(t, server.URL, l, 1)
		eventually(t, "the shadow has seen requests", func() bool {
			var e struct {
				Versions []struct {
					Version          string
					Shadowed, Agreed int
				}
			}
			if err := json.Unmarshal([]byte(levada(t, server, "endpoints", "iris", "-o", "json")), &e); err != nil {
				t.Fatal(err)
			}
			for _, v := range e.Versions {
				if v.Version == "other" && v.Shadowed == len(l.Rows) && v.Agreed > len(l.Rows)/2 {
					return true
				}
			}
			return false
		})
	})
	t.Run("in a rollout", func(t *testing.T) {
		plan := filepath.Join(t.TempDir(), "plan.yaml")
		if err := os.WriteFile(plan, []byte(rolloutPlan), 0o600); err != nil {
			t.Fatal(err)
		}
		levada(t, server, "traffic", "iris", "1=100", "--wait")
		stop := load(t, server.URL, l.Rows)
		levada(t, server, "rollout", "start", "iris", "--to", "other", "-f", plan)
		r := rolloutStatus(t, server, over)
		t.Logf("%d requests meanwhile", stop())
		if r.Outcome != rollout.OutcomePromoted {
			t.Errorf("%s: %s", r.Outcome, r.Reason)
		}
	})
	t.Run("in each protocol", func(t *testing.T) {
		for protocol, url := range map[string]string{"oip-grpc": there + "/versions/2", "mlflow": server.URL + "/serving-endpoints/elsewhere/invocations"} {
			levada(t, server, "deploy", url, "--endpoint", "by-"+protocol, "--protocol", protocol, "--wait")
			for i, want := range l.Iris[1] {
				a, _, err := predict(t.Context(), server.URL, "by-"+protocol, l.Rows[i], nil)
				if err != nil || string(a.Outputs[0].Data[0]) != strconv.FormatInt(want, 10) {
					t.Errorf("%s, row %d: %+v, %v; want %d", protocol, i, a, err, want)
				}
			}
		}
		out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "deploy", there, "--endpoint", "secret", "--secret", "nobody", "--server", server.URL).CombinedOutput()
		if err == nil || !strings.Contains(string(out), `"nobody" does not exist`) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	server.Stop()
	again := levadatest.StartOn(t, server.Data, hosts, "LEVADA_SERVING_MAX_MIB=1")
	t.Run("after the other server is gone, requests say so, and it is found again", func(t *testing.T) {
		// The URL of the other server was that of the server before: there is nobody now.
		_, status, err := predict(t.Context(), again.URL, "iris", l.Rows[0], nil)
		if status != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "cannot be reached") {
			t.Errorf("%d, %v", status, err)
		}
		levada(t, again, "deploy", again.URL+"/v2/models/elsewhere/versions/2", "--endpoint", "iris", "--as", "moved", "--wait")
		for i, want := range l.Iris[1] {
			a, _, err := predict(t.Context(), again.URL, "iris", l.Rows[i], nil)
			if err != nil || string(a.Outputs[0].Data[0]) != strconv.FormatInt(want, 10) || a.Version != "moved" {
				t.Fatalf("row %d: %+v, %v", i, a, err)
			}
		}
		levada(t, again, "undeploy", "elsewhere")
		eventually(t, "the loss is noticed", func() bool {
			_, status, _ := predict(t.Context(), again.URL, "iris", l.Rows[0], nil)
			return status == http.StatusServiceUnavailable
		})
		levada(t, again, "deploy", "models:/iris/2", "--endpoint", "elsewhere", "--wait")
		eventually(t, "the remote answers again", func() bool {
			_, status, _ := predict(t.Context(), again.URL, "iris", l.Rows[0], nil)
			return status == http.StatusOK
		})
	})
	for url, want := range map[string]string{
		"https://10.0.0.1/v2/models/x": "not a public one", "http://models.example.com/v2/models/x": "want https",
		"https://user:hunter2@models.example.com/v2/models/x": "has credentials", again.URL + "/predict": "not that of a model",
	} {
		out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), "deploy", url, "--endpoint", "new", "--server", again.URL).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", url, err, out)
		}
	}
	if strings.Contains(again.Log(), "hunter2") {
		t.Error("the log has a secret")
	}
}
