package v1_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/secret"
	service "levada/internal/secret"
)

// vault remembers what it was asked to change.
type vault struct {
	kind   secret.Kind
	name   string
	change service.Change
}

func (v *vault) Set(_ context.Context, k secret.Kind, name string, c service.Change) (secret.Entry, error) {
	v.kind, v.name, v.change = k, name, c
	return secret.Entry{Name: name, Keys: []string{"a"}}, nil
}
func (v *vault) List(context.Context, secret.Kind) ([]secret.Entry, error) { return nil, nil }
func (v *vault) Get(_ context.Context, _ secret.Kind, name string) (secret.Entry, error) {
	return secret.Entry{Name: name, Keys: []string{"a", "b"}}, nil
}
func (v *vault) Delete(_ context.Context, k secret.Kind, name string) error {
	return secret.Missing(k, name)
}
func (v *vault) Reveal(context.Context, string) (secret.Data, error) {
	return secret.Data{"a": []byte("text"), "b": {0xff}}, nil
}

func askVault(v *vault, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	v1.NewHandler(v1.Options{Service: &fake{}, Secrets: v, Log: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
	return w
}

func TestASecretIsChangedAsAskedAndItsValuesAreNeverInTheAnswer(t *testing.T) {
	v := &vault{}
	w := askVault(v, "PUT", "/api/v1/secrets/db", `{"data": {"user": "hidden"}, "binary_data": {"key": "/w=="}, "remove": ["old"], "replace": true}`)
	want := service.Change{Set: secret.Data{"user": []byte("hidden"), "key": {0xff}}, Remove: []string{"old"}, Replace: true}
	if diff := cmp.Diff(want, v.change); diff != "" || v.kind != secret.Secret || v.name != "db" || w.Code != http.StatusOK {
		t.Errorf("%s %s %d %s", v.kind, v.name, w.Code, diff)
	}
	if strings.Contains(w.Body.String(), "hidden") {
		t.Errorf("the answer: %s", w.Body)
	}
	for body, want := range map[string]string{
		`{"data": {"a": {"hidden": 1}}}`:                              "want a string, got a object",
		`{"data": {"a": "hidden"`:                                     "not the JSON it should be",
		`{"dat": {"a": "hidden"}}`:                                    "not the JSON it should be",
		`{"binary_data": {"a": "hidden!"}}`:                           `key "a": its value is not base64`,
		`{"data": {"a": "hidden"}, "binary_data": {"a": "aGlkZGVu"}}`: "give it once",
	} {
		w := askVault(v, "PUT", "/api/v1/secrets/db", body)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), strings.ReplaceAll(want, `"`, `\"`)) || strings.Contains(w.Body.String(), "hidden") {
			t.Errorf("%s: %d %s; want 400 with %q and no value", body, w.Code, w.Body, want)
		}
	}
	if w := askVault(v, "DELETE", "/api/v1/configmaps/db", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "levada configmap set db") {
		t.Errorf("delete: %d %s", w.Code, w.Body)
	}
	if w := askVault(v, "GET", "/api/v1/configmaps/m", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"data":{"a":"text"},"binary_data":{"b":"/w=="}`) {
		t.Errorf("config map: %d %s", w.Code, w.Body)
	}
	if w := askVault(v, "GET", "/api/v1/secrets", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"items":[]`) {
		t.Errorf("list: %d %s", w.Code, w.Body)
	}
}
