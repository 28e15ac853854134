package mlflow_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/store"
	"levada/internal/api/mlflow"
	"levada/internal/registry"
	"levada/internal/tracking"
)

func TestErrorsTellNoPathsOfTheServer(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "levada.db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.Open(filepath.Join(dir, "blobs"), blob.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	door := mlflow.New(mlflow.Options{
		Tracking: tracking.New(tracking.Options{Store: db.Tracking(), Blobs: blobs, Now: time.Now, NewID: uuid.NewString}),
		Registry: registry.New(registry.Options{Store: db.Registry(), CheckName: tracking.CheckName, Now: time.Now}),
		Logger:   slog.New(slog.NewTextHandler(&log, nil)),
	})
	ask := func(method, path, body string, status int) {
		t.Helper()
		log.Reset()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		answer, err := io.ReadAll(w.Result().Body)
		if err != nil || w.Code != status || strings.Contains(string(answer), dir) {
			t.Errorf("%s %s: status %d, %s, %v; want %d and no path", method, path, w.Code, answer, err, status)
		}
		if !strings.Contains(log.String(), "path="+strings.Split(path, "?")[0]) {
			t.Errorf("%s %s: the log says %q; want what failed", method, path, log.String())
		}
	}
	staging := filepath.Join(dir, "blobs", "staging")
	if err := errors.Join(os.RemoveAll(staging), os.WriteFile(staging, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	ask(http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/x", "content", http.StatusInternalServerError)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ask(http.MethodPost, "/api/2.0/mlflow/registered-models/create", `{"name": "m"}`, http.StatusServiceUnavailable)
	ask(http.MethodGet, "/api/2.0/mlflow/experiments/get-by-name?experiment_name=x", "", http.StatusServiceUnavailable)
}
