package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"levada/test/levadatest"
)

// get returns the body and the content type of a page of the server.
func get(t *testing.T, url string) (string, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), resp.Header.Get("Content-Type")
}

func TestMetricsTellOfRunsStepsCacheAndDatabase(t *testing.T) {
	srv := levadatest.Start(t)
	spec := strings.Replace(shell("true", ""), "taskInfo: {name: step}", "taskInfo: {name: step}, cachingOptions: {enableCache: true}", 1)
	for range 2 {
		r := submit(t, srv, spec)
		wait(t, srv, r.ID)
	}
	metrics, _ := get(t, srv.URL+"/metrics")
	for _, line := range []string{
		`levada_events_total{type="task_launched"} 1`, `levada_events_total{type="task_cached"} 1`, `levada_events_total{type="run_finished"} 2`,
		`levada_steps_started_total{mode="exec"} 1`, `levada_runs_active 0`, `levada_steps_running 0`, `levada_event_log_lag_seconds 0`,
		`levada_http_request_duration_seconds_count{code="201",door="v1",method="POST"} 2`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if page, kind := get(t, srv.URL+"/debug/vars"); strings.Contains(page, "memstats") {
		t.Errorf("the default mux is served, as %s", kind)
	}
	everyQuery(t, metrics)
}

// everyQuery checks that each metric that the dashboard asks for is one that the server has.
func everyQuery(t *testing.T, metrics string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(levadatest.Root(), "docs", "monitoring", "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\b(levada|process|go)_[a-z_]+`)
	asked := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, n := range name.FindAllString(target.Expr, -1) {
				asked++
				if !strings.Contains(metrics, "\n"+n+" ") && !strings.Contains(metrics, "\n"+n+"{") {
					t.Errorf("panel %q asks for %s, which the server does not have", p.Title, n)
				}
			}
		}
	}
	if asked < 10 {
		t.Errorf("the dashboard asks for %d metrics", asked)
	}
}
