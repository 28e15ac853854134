package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"levada/internal/adapter/telemetry"
	"levada/internal/core/run"
)

// scrape returns the metrics as Prometheus reads them.
func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func contains(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(text, l+"\n") {
			t.Errorf("no line %q in\n%s", l, text)
		}
	}
}

// disk is a log whose writes end as told.
type disk struct {
	err    error
	during func()
}

func (d disk) Append(context.Context, string, []run.Event, run.Changes) error {
	if d.during != nil {
		d.during()
	}
	return d.err
}

func (d disk) CreateRun(context.Context, run.Run, []run.Event, []run.Task) error { return d.err }

func TestEventsCountOnceTheyAreDurable(t *testing.T) {
	m := telemetry.New("v1", "go1")
	events := []run.Event{{Type: "task_launched"}, {Type: "task_launched"}, {Type: "task_cached"}}
	if err := m.Measure(disk{}).Append(t.Context(), "r", events, run.Changes{}); err != nil {
		t.Fatal(err)
	}
	if err := m.Measure(disk{}).CreateRun(t.Context(), run.Run{}, []run.Event{{Type: "run_started"}}, nil); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	if err := m.Measure(disk{err: full}).Append(t.Context(), "r", events, run.Changes{}); !errors.Is(err, full) {
		t.Errorf("the error became %v", err)
	}
	contains(t, scrape(t, m), `levada_events_total{type="task_launched"} 2`, `levada_events_total{type="task_cached"} 1`, `levada_events_total{type="run_started"} 1`,
		`levada_event_log_write_seconds_count{result="ok"} 2`, `levada_event_log_write_seconds_count{result="error"} 1`, `levada_event_log_lag_seconds 0`)
}

func TestTheLagIsThatOfTheOldestWriteUnderWay(t *testing.T) {
	m := telemetry.New("v1", "go1")
	during := ""
	log := m.Measure(disk{during: func() { during = scrape(t, m) }})
	if err := log.Append(t.Context(), "r", nil, run.Changes{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(during, "levada_event_log_lag_seconds 0\n") {
		t.Error("a write was under way and the lag was 0")
	}
	contains(t, scrape(t, m), "levada_event_log_lag_seconds 0")
}

func TestRequestsCountByDoorAndStatusWhateverTheirMethodIsCalled(t *testing.T) {
	m := telemetry.New("v1", "go1")
	h := m.Requests("kfp", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusNotFound)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error("streams cannot flush:", err)
		}
	}))
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRequest(http.MethodGet, "/gone", nil), httptest.NewRequest("MADE-UP", "/", nil),
	} {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	contains(t, scrape(t, m), `levada_http_request_duration_seconds_count{code="200",door="kfp",method="GET"} 1`,
		`levada_http_request_duration_seconds_count{code="404",door="kfp",method="GET"} 1`,
		`levada_http_request_duration_seconds_count{code="200",door="kfp",method="other"} 1`)
}

func TestReadingsAreAskedForWhenSomebodyLooks(t *testing.T) {
	m := telemetry.New("v1", "go1")
	n := 0.0
	value := func() float64 { n++; return n }
	m.Read(telemetry.Reading{Name: "levada_x", Help: "x", Value: value}, telemetry.Reading{Name: "levada_y_total", Help: "y", Labels: map[string]string{"a": "b"}, Value: func() float64 { return 7 }})
	scrape(t, m)
	contains(t, scrape(t, m), "levada_x 2", `levada_y_total{a="b"} 7`, "# TYPE levada_y_total counter", "# TYPE levada_x gauge", `levada_build_info{goversion="go1",version="v1"} 1`)
}
