package serving

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/internal/core/observe"
	"levada/test/levadatest"
)

// monitored waits until the newest run of a monitor and its newest drift report are as they are wanted.
func monitored(t *testing.T, s *levadatest.Server, name, what string, ok func(m monitorLine, r observe.Stored) bool) observe.Stored {
	t.Helper()
	var line monitorLine
	var report observe.Stored
	for limit := time.After(2 * time.Minute); ; {
		var list struct{ Monitors []monitorLine }
		if err := json.Unmarshal([]byte(levada(t, s, "monitors", "list", "-o", "json")), &list); err != nil {
			t.Fatal(err)
		}
		var reports struct{ Reports []observe.Stored }
		if err := s.Call(t.Context(), http.MethodGet, "/api/v1/data-reports?kind=drift", nil, &reports); err != nil {
			t.Fatal(err)
		}
		for _, m := range list.Monitors {
			if m.Name == name {
				line = m
			}
		}
		for _, r := range reports.Reports {
			if r.Pipeline == "monitor-"+name {
				report = r
			}
		}
		if ok(line, report) {
			return report
		}
		select {
		case <-limit:
			t.Fatalf("%s: after two minutes the monitor is %+v, with %+v", what, line, report)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

type monitorLine struct {
	Name, State, Failure string
	NotJudged            string `json:"not_judged"`
}

// declaredMonitors look at what is asked; three compare it with something else.
const declaredMonitors = `kind: monitor
name: trained
requests: {endpoint: iris, window: 1h}
min_rows: 50
reference: training
schedule: {interval_seconds: 1}
---
kind: monitor
name: unlike-before
requests: {endpoint: iris, window: 1h, earlier: 7d, version: "1"}
min_rows: 50
schedule: {interval_seconds: 1}
---
kind: monitor
name: checked
requests: {endpoint: iris}
min_rows: 50
suite: |
  columns:
    sepal length:
      - between: [-10, 10]
schedule: {interval_seconds: 1}
`

func TestMonitorsCompareWhatAnEndpointIsAskedWithWhatItsModelLearnedFrom(t *testing.T) {
	server, l := registered(t)
	levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait", "--log-sample", "1", "--log-drop", "petal width")
	ask(t, server.URL, "", l.Rows[0])
	levada(t, server, "monitors", "set", "asked", "--endpoint", "iris", "--window", "1h", "--reference", l.Train, "--share", "0.6", "--every", "1s")
	monitored(t, server, "asked", "one request", func(m monitorLine, r observe.Stored) bool {
		return m.State == "SUCCEEDED" && r.NotJudged == "the current table has 1 row, wanted 500" && r.Passed && m.NotJudged == r.NotJudged
	})
	shown := levada(t, server, "monitors", "list")
	if !strings.Contains(shown, "not judged: the current table has 1 row, wanted 500") {
		t.Error(shown)
	}

	for _, row := range l.Rows[1:] {
		ask(t, server.URL, "", row)
	}
	file := filepath.Join(t.TempDir(), "monitors.yaml")
	if err := os.WriteFile(file, []byte(declaredMonitors), 0o600); err != nil {
		t.Fatal(err)
	}
	if planned := levada(t, server, "plan", "-f", file); !strings.Contains(planned, "+ recurring_run monitor-trained") {
		t.Error(planned)
	}
	levada(t, server, "apply", "-f", file)
	if planned := levada(t, server, "plan", "-f", file); strings.Contains(planned, "+ ") {
		t.Errorf("what was applied is to be changed:\n%s", planned)
	}
	// A column that was dropped and the target are not among the requests, and are no drift.
	alike := monitored(t, server, "trained", "requests like the training data", func(m monitorLine, r observe.Stored) bool {
		return m.State == "SUCCEEDED" && r.NotJudged == "" && r.Rows == int64(len(l.Rows))
	})
	if !alike.Passed || alike.Compared != 3 || alike.Failed != 0 || alike.ReferenceRows != int64(len(l.Rows)) {
		t.Errorf("%+v", alike)
	}
	monitored(t, server, "unlike-before", "no earlier requests", func(m monitorLine, r observe.Stored) bool {
		return m.State == "SUCCEEDED" && r.NotJudged == "the reference has 0 rows, wanted 50"
	})
	monitored(t, server, "checked", "requests as expected", func(m monitorLine, _ observe.Stored) bool { return m.State == "SUCCEEDED" })

	// The same monitor with fewer rows wanted; what is asked changes.
	levada(t, server, "monitors", "set", "asked", "--endpoint", "iris", "--window", "1h", "--reference", l.Train, "--share", "0.6", "--every", "1s", "--min-rows", "50")
	for _, row := range l.Rows {
		ask(t, server.URL, "", []float64{row[0] + 30, row[1] + 3, row[2] - 3, row[3]})
	}
	for _, name := range []string{"asked", "trained"} {
		drifted := monitored(t, server, name, "other requests", func(m monitorLine, r observe.Stored) bool {
			return strings.Contains(m.Failure, "columns drifted") && r.Rows == int64(2*len(l.Rows))
		})
		if drifted.Passed || drifted.Failed != 3 {
			t.Errorf("%s: %+v", name, drifted)
		}
	}
	monitored(t, server, "checked", "requests not as expected", func(m monitorLine, _ observe.Stored) bool {
		return strings.Contains(m.Failure, "sepal length: between [-10, 10]")
	})
	checkDriftMetrics(t, server)
	checkRefusedMonitors(t, server)
}

// checkDriftMetrics looks at what Prometheus reads.
func checkDriftMetrics(t *testing.T, s *levadatest.Server) {
	t.Helper()
	resp, err := s.Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`levada_drift_detected{pipeline="monitor-asked",task="drift-report"} 1`, `levada_drift_judged{pipeline="monitor-asked",task="drift-report"} 1`,
		`levada_drift_judged{pipeline="monitor-unlike-before",task="drift-report"} 0`, `levada_drift_column_detected{column="sepal length",method="Kolmogorov-Smirnov p",pipeline="monitor-asked",task="drift-report"} 1`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(string(text), `levada_drift_detected{pipeline="monitor-unlike-before"`) {
		t.Error("what was not judged is said to have not drifted")
	}
}

// checkRefusedMonitors looks at what is said of what cannot be done.
func checkRefusedMonitors(t *testing.T, s *levadatest.Server) {
	t.Helper()
	for want, args := range map[string][]string{
		"by a schedule":             {"--endpoint", "iris"},
		"are for --endpoint":        {"--window", "1h", "--table", "/x.csv"},
		"a length of time":          {"--endpoint", "iris", "--window", "soon", "--every", "1h"},
		"want one of them":          {"--endpoint", "iris", "--earlier", "7d", "--reference", "training", "--every", "1h"},
		"want an absolute path":     {"--table", "/x.csv", "--reference", "training"},
		"data, artifact or request": {"--endpoint", "iris", "--table", "/x.csv", "--every", "1h"},
	} {
		if said := refused(t, s, append([]string{"monitors", "set", "wrong"}, args...)...); !strings.Contains(said, want) {
			t.Errorf("%v: no %q in %s", args, want, said)
		}
	}
	// Of an endpoint that is not there the run says so.
	levada(t, s, "monitors", "set", "nobody", "--endpoint", "nobody", "--every", "1s")
	monitored(t, s, "nobody", "no endpoint", func(m monitorLine, _ observe.Stored) bool {
		return m.State == "FAILED" && strings.Contains(m.Failure, `there is no endpoint "nobody"`)
	})
}
