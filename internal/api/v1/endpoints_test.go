package v1_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

// fakeEndpoints remembers what it was asked for.
type fakeEndpoints struct {
	name   string
	deploy serving.Deploy
	spec   endpoint.Spec
	plan   traffic.Plan
	before int64
	limit  int
	err    error
}

func (f *fakeEndpoints) status() serving.Status {
	return serving.Status{Endpoint: endpoint.Endpoint{Name: f.name}, State: serving.StateReady, Versions: []serving.VersionStatus{}}
}

func (f *fakeEndpoints) Deploy(_ context.Context, name string, d serving.Deploy) (serving.Status, error) {
	f.name, f.deploy = name, d
	return f.status(), f.err
}

func (f *fakeEndpoints) Put(_ context.Context, name string, spec endpoint.Spec) (serving.Status, error) {
	f.name, f.spec = name, spec
	return f.status(), f.err
}

func (f *fakeEndpoints) SetTraffic(_ context.Context, name string, plan traffic.Plan) (serving.Status, error) {
	f.name, f.plan = name, plan
	return f.status(), f.err
}

func (f *fakeEndpoints) Get(_ context.Context, name string) (serving.Status, error) {
	f.name = name
	return f.status(), f.err
}
func (f *fakeEndpoints) List(context.Context) ([]serving.Status, error) { return nil, f.err }

func (f *fakeEndpoints) Delete(_ context.Context, name string) error {
	f.name = name
	return f.err
}

func (f *fakeEndpoints) Events(_ context.Context, name string, before int64, limit int) ([]endpoint.Event, error) {
	f.name, f.before, f.limit = name, before, limit
	return nil, f.err
}

func askEndpoints(f *fakeEndpoints, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, v1.Prefix+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	v1.NewHandler(v1.Options{Endpoints: f}).ServeHTTP(w, r)
	return w
}

func TestEndpointsAreAskedForWhatTheRequestSays(t *testing.T) {
	f := &fakeEndpoints{}
	if w := askEndpoints(f, "POST", "/endpoints/flights/deploy", `{"model": "models:/m@champion", "percent": 0, "settings": {"workers": 2}}`); w.Code != 200 ||
		f.name != "flights" || f.deploy.Model != "m" || f.deploy.Version != "@champion" || *f.deploy.Percent != 0 || f.deploy.Settings.Workers != 2 {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f)
	}
	spec := endpoint.Spec{Model: "m", Versions: []string{"1", "@challenger"}, Traffic: traffic.Plan{
		Split: []traffic.Share{{Version: "1", Percent: 100}}, Sticky: true,
		Rules: []traffic.Rule{{Name: "r", Header: "X-A", Values: []string{"b"}, Version: "@challenger"}}, Shadows: []traffic.Shadow{{Version: "1", Percent: 5}},
	}}
	body, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if w := askEndpoints(f, "PUT", "/endpoints/e", string(body)); w.Code != 200 || !cmp.Equal(f.spec, spec) {
		t.Errorf("%d %s: %s", w.Code, w.Body, cmp.Diff(spec, f.spec))
	}
	if w := askEndpoints(f, "PUT", "/endpoints/e/traffic", `{"split": [{"version": "2", "percent": 100}]}`); w.Code != 200 || f.plan.Split[0].Version != "2" {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f.plan)
	}
	if w := askEndpoints(f, "GET", "/endpoints/e/events?before=7&limit=3", ""); w.Code != 200 || f.before != 7 || f.limit != 3 || !strings.Contains(w.Body.String(), `"events":[]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := askEndpoints(f, "GET", "/endpoints", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"endpoints":[]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := askEndpoints(f, "DELETE", "/endpoints/gone", ""); w.Code != http.StatusNoContent || f.name != "gone" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestWhatIsWrongWithAnEndpointIsAProblem(t *testing.T) {
	f := &fakeEndpoints{err: fault.Conflictf("endpoint \"e\" serves another model")}
	if w := askEndpoints(f, "PUT", "/endpoints/e", `{"model": "m", "versions": ["1"], "traffic": {"split": []}, "settings": {}}`); w.Code != http.StatusConflict {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for path, body := range map[string]string{
		"/endpoints/e/deploy": `{"model": "runs:/abc"}`, "/endpoints/f/deploy": `{"model": "models:/m", "percent": 101}`,
	} {
		if w := askEndpoints(f, "POST", path, body); w.Code != http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
