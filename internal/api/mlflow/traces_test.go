package mlflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"levada/internal/adapter/store"
	"levada/internal/api/mlflow"
	"levada/internal/core/track"
	"levada/internal/tracing"
)

// oneExperiment is the only one.
type oneExperiment struct{}

func (oneExperiment) Experiment(context.Context, string) (track.Experiment, error) {
	return track.Experiment{ID: "0", ArtifactLocation: "mlflow-artifacts:/0"}, nil
}

func (oneExperiment) DeleteBelow(context.Context, string, string) error { return nil }

func tracesDoor(t *testing.T) *httptest.Server {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "levada.db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	service := tracing.New(tracing.Options{Reading: semaphore.NewWeighted(tracing.MaxReading), Store: db.Traces(), Experiments: oneExperiment{}, CheckName: func(string, string) error { return nil },
		Now: time.Now, NewID: uuid.NewString})
	server := httptest.NewServer(mlflow.New(mlflow.Options{Tracing: service}))
	t.Cleanup(server.Close)
	return server
}

func call(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer, text.String()
}

// A trace that is large is sent in parts, and its file has a tag that changes with what is in it.
func TestATraceIsShownAsItIsNow(t *testing.T) {
	server := tracesDoor(t)
	const id = "00000000000000000000000000000001"
	send := func(name string) {
		t.Helper()
		body := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"` + id + `","spanId":"0000000000000002","name":"` + name + `","startTimeUnixNano":"1"},` +
			`{"traceId":"` + id + `","spanId":"0000000000000003","name":"` + strings.Repeat("x", 200_000) + `","startTimeUnixNano":"2"}]}]}]}`
		if answer, text := call(t, "POST", server.URL+"/v1/traces", body, "Content-Type", "application/json", "X-Mlflow-Experiment-Id", "0"); answer.StatusCode != http.StatusOK {
			t.Fatal(answer.StatusCode, text)
		}
	}
	file := server.URL + "/ajax-api/2.0/mlflow/get-trace-artifact?request_id=tr-" + id
	send("one")
	first, _ := call(t, "GET", file, "")
	if again, _ := call(t, "GET", file, "", "If-None-Match", first.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("nothing has changed: %d", again.StatusCode)
	}
	send("two") // as long as the name before
	second, text := call(t, "GET", file, "", "If-None-Match", first.Header.Get("ETag"))
	if second.StatusCode != http.StatusOK || !strings.Contains(text, `"two"`) {
		t.Errorf("%d %.200s", second.StatusCode, text)
	}
	answer, text := call(t, "GET", server.URL+"/api/3.0/mlflow/traces/get?trace_id=tr-"+id, "")
	if answer.StatusCode != http.StatusOK || !json.Valid([]byte(text)) || !strings.Contains(text, `"two"`) || answer.ContentLength >= 0 {
		t.Errorf("%d, length %d: %.200s", answer.StatusCode, answer.ContentLength, text)
	}
}
