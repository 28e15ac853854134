package mlflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/store"
	"levada/internal/api/mlflow"
	"levada/internal/tracking"
)

// countedKey counts how often the key of URLs is read.
type countedKey struct {
	store.Tracking
	reads *int
}

func (c countedKey) URLKey(ctx context.Context) ([]byte, error) {
	*c.reads++
	return c.Tracking.URLKey(ctx)
}

func TestTheURLsOfAllPartsAreSignedAtOnceAndNoFileHasTheRightOfAPart(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "levada.db"), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := blob.Open(filepath.Join(dir, "blobs"), blob.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	reads := 0
	service := tracking.New(tracking.Options{Store: countedKey{db.Tracking(), &reads}, Blobs: blobs, Now: time.Now, NewID: uuid.NewString})
	door := mlflow.New(mlflow.Options{Tracking: service, Logger: slog.New(slog.DiscardHandler)})
	ask := func(method, target, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w
	}
	w := ask(http.MethodPost, "/api/2.0/mlflow-artifacts/mpu/create/d", `{"path": "x", "num_parts": 100}`)
	var answer struct {
		ID          string `json:"upload_id"`
		Credentials []struct{ URL string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Credentials) != 100 || reads != 1 {
		t.Fatalf("%d URLs, the key read %d times, %v: %s; want 100 URLs and one read", len(answer.Credentials), reads, err, w.Body)
	}
	if w := ask(http.MethodPut, answer.Credentials[0].URL, "content"); w.Code != http.StatusOK {
		t.Errorf("the first part: status %d, %s", w.Code, w.Body)
	}
	sign, err := service.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, right := range []string{"PUT part 2 of " + answer.ID, "file PUT part 2 of " + answer.ID, "file GET part 2 of " + answer.ID} {
		expires, signature := sign(right, time.Minute)
		w := ask(http.MethodPut, fmt.Sprintf("/api/2.0/mlflow-artifacts/mpu/part/%s/2?expires=%d&signature=%s", answer.ID, expires, signature), "content")
		if w.Code != http.StatusForbidden {
			t.Errorf("with the right %q a part is answered with %d, %s", right, w.Code, w.Body)
		}
	}
}
