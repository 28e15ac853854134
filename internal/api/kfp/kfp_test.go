package kfp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/api/kfp"
	"levada/internal/core/fault"
	"levada/internal/pipeline"
)

var _ kfp.Service = (*pipeline.Service)(nil)

// ask sends a request to a door in front of f and returns the status and the decoded answer.
func ask(t *testing.T, f *fake, method, path, body string) (int, map[string]any) {
	t.Helper()
	return send(t, kfp.NewHandler(kfp.Options{Service: f, Recurring: fakeRecurring{f}, Version: "1.2.3"}), httptest.NewRequest(method, path, strings.NewReader(body)))
}

func send(t *testing.T, h http.Handler, r *http.Request) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type is %q, want application/json; body %s", got, w.Body)
	}
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("the answer is not a JSON object: %v: %s", err, w.Body)
	}
	return w.Code, answer
}

func TestEveryKindOfFailureHasItsStatusAndCode(t *testing.T) {
	tests := []struct {
		err    error
		status int
		code   float64
	}{
		{fault.Invalidf("why"), 400, 3},
		{fault.NotFoundf("why"), 404, 5},
		{fault.Conflictf("why"), 409, 6},
		{fault.TooLargef("why"), 413, 8},
		{fault.Exhaustedf("why"), 429, 8},
		{fault.Unimplementedf("why"), 501, 12},
		{fault.Unavailablef("why"), 503, 14},
	}
	for _, tt := range tests {
		status, got := ask(t, &fake{err: tt.err}, "GET", "/apis/v2beta1/runs/x", "")
		want := map[string]any{"error": "why", "message": "why", "code": tt.code, "details": []any{}}
		if status != tt.status {
			t.Errorf("%v: status %d, want %d", tt.err, status, tt.status)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: answer (-want +got):\n%s", tt.err, diff)
		}
	}
}

func TestAnInternalFailureIsLoggedOnceAndToldOnlyByItsID(t *testing.T) {
	var log bytes.Buffer
	h := kfp.NewHandler(kfp.Options{
		Service: &fake{err: errors.New("disk /secret/path broke")},
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		ErrorID: func() string { return "id-7" },
	})
	status, got := send(t, h, httptest.NewRequest(http.MethodGet, "/apis/v2beta1/runs/x", nil))
	if status != 500 || got["code"] != 13.0 {
		t.Errorf("status %d, code %v; want 500 and 13", status, got["code"])
	}
	if message := got["message"].(string); strings.Contains(message, "secret") || !strings.Contains(message, "id-7") {
		t.Errorf("message %q must name id-7 and nothing of the reason", message)
	}
	if n := strings.Count(log.String(), "disk /secret/path broke"); n != 1 || !strings.Contains(log.String(), "id-7") {
		t.Errorf("the log must have the reason and the id once:\n%s", &log)
	}
}

func TestRequestsThatAreNotInTheAPIGetKFPsErrorBody(t *testing.T) {
	tests := []struct {
		method, path string
		status       int
		message      string
	}{
		{"GET", "/apis/v2beta1/nothing", 404, "not part of the KFP API"},
		{"GET", "/apis/v2beta1/", 404, "not part of the KFP API"},
		{"GET", "/apis/v2beta1/pipelines/p1/elsewhere", 404, "not part of the KFP API"},
		{"POST", "/apis/v2beta1/runs/r1:explode", 404, "not part of the KFP API"},
		{"GET", "/apis/v1beta1/runs", 501, "use kfp 2.0 or newer"},
		{"PUT", "/apis/v2beta1/runs", 405, "possible: GET, POST"},
		{"DELETE", "/apis/v2beta1/healthz", 405, "possible: GET"},
		{"POST", "/apis/v2beta1/runs/r1", 405, "possible: GET, DELETE"},
		{"GET", "/elsewhere", 404, "below /apis/v2beta1/"},
	}
	for _, tt := range tests {
		status, got := ask(t, &fake{}, tt.method, tt.path, "")
		message, _ := got["message"].(string)
		if status != tt.status || !strings.Contains(message, tt.message) || got["error"] != message {
			t.Errorf("%s %s: %d %q, want %d with %q", tt.method, tt.path, status, message, tt.status, tt.message)
		}
	}
}

func TestWhatLevadaDoesNotOfferIsRefusedAndNamed(t *testing.T) {
	tests := []struct{ method, path, message string }{
		{"DELETE", "/apis/v2beta1/recurringruns/x?propagation_policy=BACKGROUND", "propagation_policy"},
		{"POST", "/apis/v2beta1/visualizations/ns", "visualizations"},
		{"GET", "/apis/v2beta1/filters", "filter"},
		{"POST", "/apis/v2beta1/workflows", "workflow reports"},
		{"POST", "/apis/v2beta1/scheduledworkflows", "workflow reports"},
	}
	for _, tt := range tests {
		f := &fake{}
		status, got := ask(t, f, tt.method, tt.path, "{}")
		message, _ := got["message"].(string)
		if status != 501 || got["code"] != 12.0 || !strings.Contains(message, "not implemented by Levada") || !strings.Contains(message, tt.message) {
			t.Errorf("%s %s: %d %v", tt.method, tt.path, status, got)
		}
		if len(f.calls) > 0 {
			t.Errorf("%s %s reached the service: %v", tt.method, tt.path, f.calls)
		}
	}
}

func TestHealthSaysThatThereIsOneUser(t *testing.T) {
	for _, path := range []string{"/apis/v2beta1/healthz", "/apis/v1beta1/healthz"} {
		status, got := ask(t, &fake{}, "GET", path, "")
		want := map[string]any{"multi_user": false, "tag_name": "1.2.3", "pipeline_store": "database"}
		if diff := cmp.Diff(want, got); status != 200 || diff != "" {
			t.Errorf("%s: %d (-want +got):\n%s", path, status, diff)
		}
	}
}

func TestVerbsReachTheServiceWithTheID(t *testing.T) {
	tests := []struct{ method, path, want string }{
		{"POST", "/apis/v2beta1/runs/r1:archive", "ArchiveRun r1 true"},
		{"POST", "/apis/v2beta1/runs/r1:unarchive", "ArchiveRun r1 false"},
		{"POST", "/apis/v2beta1/runs/r1:terminate", "CancelRun r1"},
		{"POST", "/apis/v2beta1/runs/r1:retry", "RetryRun r1"},
		{"POST", "/apis/v2beta1/runs/a%2Fb%3Ac:archive", "ArchiveRun a/b:c true"},
		{"DELETE", "/apis/v2beta1/runs/r1", "DeleteRun r1"},
		{"POST", "/apis/v2beta1/experiments/e1:archive", "ArchiveExperiment e1 true"},
		{"POST", "/apis/v2beta1/experiments/e1:unarchive", "ArchiveExperiment e1 false"},
		{"DELETE", "/apis/v2beta1/experiments/e1", "DeleteExperiment e1"},
		{"POST", "/apis/v2beta1/recurringruns/x:enable", "SetEnabled x true"},
		{"POST", "/apis/v2beta1/recurringruns/x:disable", "SetEnabled x false"},
		{"DELETE", "/apis/v2beta1/recurringruns/x", "Delete x"},
		{"DELETE", "/apis/v2beta1/recurringruns/x?propagation_policy=ORPHAN", "Delete x"},
		{"DELETE", "/apis/v2beta1/pipelines/p1", "DeletePipeline p1 false"},
		{"DELETE", "/apis/v2beta1/pipelines/p1?cascade=true", "DeletePipeline p1 true"},
		{"DELETE", "/apis/v2beta1/pipelines/p1/versions/v1", "DeleteVersion p1 v1"},
	}
	for _, tt := range tests {
		f := &fake{}
		status, got := ask(t, f, tt.method, tt.path, "")
		if diff := cmp.Diff([]string{tt.want}, f.calls); status != 200 || len(got) != 0 || diff != "" {
			t.Errorf("%s %s: %d %v (-want +got):\n%s", tt.method, tt.path, status, got, diff)
		}
	}
}
