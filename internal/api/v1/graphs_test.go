package v1_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "levada/internal/api/v1"
	"levada/internal/core/fault"
	"levada/internal/core/infergraph"
	"levada/internal/serving"
)

// fakeGraphs remembers what it was asked for.
type fakeGraphs struct {
	name string
	spec infergraph.Spec
	err  error
}

func (f *fakeGraphs) status() serving.GraphStatus {
	return serving.GraphStatus{Graph: infergraph.Graph{Name: f.name, Spec: f.spec}, State: serving.StateReady, Steps: []serving.StepStatus{}}
}

func (f *fakeGraphs) CheckGraph(_ context.Context, name string, spec infergraph.Spec, _ []string) error {
	f.name, f.spec = name, spec
	return f.err
}

func (f *fakeGraphs) ChangeGraph(_ context.Context, name string, spec infergraph.Spec, _ *int64) (serving.GraphStatus, error) {
	f.name, f.spec = name, spec
	return f.status(), f.err
}

func (f *fakeGraphs) Graph(_ context.Context, name string) (serving.GraphStatus, error) {
	f.name = name
	return f.status(), f.err
}

func (f *fakeGraphs) Graphs(context.Context) ([]serving.GraphStatus, error) { return nil, f.err }

func (f *fakeGraphs) DeleteGraph(_ context.Context, name string) error {
	f.name = name
	return f.err
}

func askGraphs(f *fakeGraphs, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, v1.Prefix+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	v1.NewHandler(v1.Options{Graphs: f}).ServeHTTP(w, r)
	return w
}

func TestGraphsAreAskedForWhatTheRequestSays(t *testing.T) {
	f := &fakeGraphs{}
	body := `{"nodes": {"root": {"router": "ensemble", "merge": "vote", "steps": [
		{"endpoint": "a", "dependency": "soft", "before": {"set": {"x": "row.y"}, "rename": {"y": "z"}, "select": ["x"]}}, {"endpoint": "b", "version": "2"}]}}}`
	if w := askGraphs(f, "PUT", "/graphs/g", body); w.Code != http.StatusOK || f.name != "g" || len(f.spec.Nodes["root"].Steps) != 2 ||
		f.spec.Nodes["root"].Steps[0].Before.Rename["y"] != "z" || f.spec.Nodes["root"].Merge != infergraph.MergeVote || !strings.Contains(w.Body.String(), `"steps":[]`) {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f)
	}
	if w := askGraphs(f, "GET", "/graphs", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"graphs":[]`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := askGraphs(f, "DELETE", "/graphs/gone", ""); w.Code != http.StatusNoContent || f.name != "gone" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, bad := range []string{`{"nodes": {"root": {"router": "fork", "steps": []}}}`, `{"nodes": {}, "edges": []}`, `{}`} {
		if w := askGraphs(f, "PUT", "/graphs/g", bad); w.Code != http.StatusUnprocessableEntity && w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}
	f.err = fault.Conflictf("the graph \"h\" asks \"g\"")
	if w := askGraphs(f, "DELETE", "/graphs/g", ""); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "asks") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestATextOfAGraphIsCheckedAndItsProblemsHaveLines(t *testing.T) {
	f := &fakeGraphs{spec: infergraph.Spec{Nodes: map[string]infergraph.Node{"root": {Router: infergraph.Sequence, Steps: []infergraph.Step{{Endpoint: "a"}}}}}}
	if w := askGraphs(f, "GET", "/graphs/g/text", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `kind: graph\nname: g\ngraph:\n  nodes:\n`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	const good = `kind: graph\nname: g\ngraph:\n  nodes:\n    root:\n      router: sequence\n      steps:\n        - endpoint: b\n`
	if w := askGraphs(f, "POST", "/graphs/g/check", `{"text": "`+good+`"}`); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"problems":[]`) ||
		!strings.Contains(w.Body.String(), `"spec":{"nodes":{"root":{"router":"sequence","steps":[{"endpoint":"b"}]}}}`) || !strings.Contains(w.Body.String(), `- endpoint: b\n`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := askGraphs(f, "POST", "/graphs/g/check", `{"text": "`+strings.Replace(good, "sequence", "fork", 1)+`"}`); w.Code != http.StatusOK ||
		!strings.Contains(w.Body.String(), `"problems":[{"line":6,"message":"node \"root\": router is \"fork\"`) || strings.Contains(w.Body.String(), `"spec"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
