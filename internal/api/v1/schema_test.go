package v1_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	v1 "levada/internal/api/v1"
)

var update = flag.Bool("update", false, "write ui/openapi.json instead of comparing it")

func TestTheSchemaThatTheUIIsBuiltFromIsTheOneTheServerServes(t *testing.T) {
	rec := httptest.NewRecorder()
	v1.NewHandler(v1.Options{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, v1.Prefix+"/openapi.json", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("GET openapi.json: status %d: %s", rec.Code, rec.Body)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, rec.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	file := filepath.Join("..", "..", "..", "ui", "openapi.json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./internal/api/v1 -update", err)
	}
	if !bytes.Equal(want, got.Bytes()) {
		t.Error("ui/openapi.json is not what the server serves; write it again with: go test ./internal/api/v1 -update")
	}
}
