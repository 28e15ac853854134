package v1_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

func (f *fakeTracking) NamesIn(context.Context, []string) (track.Names, error) {
	return track.Names{Params: []string{"lr"}, Metrics: []string{"loss"}}, nil
}

func (f *fakeTracking) ValuesOf(_ context.Context, ids []string, n track.Names) (tracking.Values, error) {
	return tracking.Values{
		Params:  map[string][]track.KV{ids[0]: {{Key: n.Params[0], Value: "0.1"}}},
		Metrics: map[string]map[string]float64{n.Metrics[0]: {ids[0]: math.NaN()}, n.Metrics[1]: {ids[0]: 2}},
	}, nil
}

// ask sends a request to a door over f and returns the status and the body.
func askList(f *fake, method, target, body string) (int, string) {
	h := v1.NewHandler(v1.Options{Service: f, Tracking: &fakeTracking{}, Log: slog.New(slog.DiscardHandler)})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestRunsAreListedWithTheColumnsThatWereAskedFor(t *testing.T) {
	f := &fake{run: run.Run{ID: "r1", State: run.Failed}}
	status, body := askList(f, http.MethodGet, "/api/v1/runs?fields=true&column=params.lr&column=metrics.a&column=metrics.b.c", "")
	var got struct {
		Columns map[string]map[string]any `json:"columns"`
		Fields  map[string][]string       `json:"fields"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatal(status, body, err)
	}
	if diff := cmp.Diff(map[string]map[string]any{"r1": {"params.lr": "0.1", "metrics.a": nil, "metrics.b.c": 2.0}}, got.Columns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"params": {"lr"}, "metrics": {"loss"}, "tags": {}}, got.Fields); diff != "" {
		t.Error(diff)
	}
	if status, body := askList(f, http.MethodGet, "/api/v1/runs?column=loss", ""); status != http.StatusBadRequest || !strings.Contains(body, "params.NAME") {
		t.Error(status, body)
	}
}

func TestAFilterOfRunsIsParsedOrRefused(t *testing.T) {
	f := &fake{}
	if status, body := askList(f, http.MethodGet, "/api/v1/runs?filter="+url.QueryEscape(`name = 'x'`), ""); status != http.StatusOK || f.query.Filter == nil {
		t.Error(status, body, f.query)
	}
	for _, path := range []string{"/api/v1/runs?", "/api/v1/run-groups?by=state&"} {
		status, body := askList(f, http.MethodGet, path+"filter="+url.QueryEscape(`colour = 'red'`), "")
		if status != http.StatusBadRequest || !strings.Contains(body, "colour") {
			t.Error(path, status, body)
		}
	}
}

func TestRunsAreGroupedByOneOfThree(t *testing.T) {
	f := &fake{}
	status, body := askList(f, http.MethodGet, "/api/v1/run-groups?by=pipeline&state=FAILED", "")
	if status != http.StatusOK || !strings.Contains(body, `{"groups":[{"key":"k","total":3,"states":{"FAILED":3}}],"whole":true}`) {
		t.Error(status, body)
	}
	if diff := cmp.Diff([]string{"group runs by pipeline_name"}, f.calls); diff != "" {
		t.Error(diff)
	}
	if status, _ := askList(f, http.MethodGet, "/api/v1/run-groups?by=colour", ""); status != http.StatusUnprocessableEntity {
		t.Error(status)
	}
}

func TestAnActionOnSeveralRunsTellsOfEach(t *testing.T) {
	f := &fake{}
	status, body := askList(f, http.MethodPost, "/api/v1/run-actions", `{"action":"archive","run_ids":["a","b","a"]}`)
	if status != http.StatusOK || !strings.Contains(body, `{"done":["a","b"],"failed":[]}`) {
		t.Error(status, body)
	}
	if diff := cmp.Diff([]string{"archive a", "archive b"}, f.calls); diff != "" {
		t.Error(diff)
	}
	f = &fake{err: fault.Conflictf("it is running")}
	if status, body = askList(f, http.MethodPost, "/api/v1/run-actions", `{"action":"delete","run_ids":["a"]}`); status != http.StatusOK ||
		!strings.Contains(body, `{"done":[],"failed":[{"run_id":"a","detail":"it is running"}]}`) {
		t.Error(status, body)
	}
	if status, _ = askList(f, http.MethodPost, "/api/v1/run-actions", `{"action":"paint","run_ids":["a"]}`); status != http.StatusUnprocessableEntity {
		t.Error(status)
	}
}
