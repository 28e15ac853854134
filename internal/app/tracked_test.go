package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/config"
)

// doors is a server without a listener: what MLflow's client sends it, and what the web interface asks.
type doors struct {
	t       *testing.T
	handler http.Handler
}

func openDoors(t *testing.T) doors {
	t.Helper()
	ctx := context.Background()
	loaded, err := config.Load(config.Sources{Environ: map[string]string{"LEVADA_DATA_DIR": t.TempDir(), "HOME": t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := builder{stderr: io.Discard}.open(ctx, loaded.Config, openOptions{ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(ctx); err != nil {
			t.Error(err)
		}
	})
	return doors{t, s.handler}
}

func (d doors) do(method, target, body string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// mlflow calls MLflow's API and puts the answer into out, if there is to be one.
func (d doors) mlflow(path string, body any, out any) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	w := d.do("POST", "/api/2.0/mlflow/"+path, string(text))
	if w.Code != 200 {
		d.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d doors) experiment(name string) string {
	d.t.Helper()
	var out struct {
		ID string `json:"experiment_id"`
	}
	d.mlflow("experiments/create", map[string]any{"name": name}, &out)
	return out.ID
}

type pairs = []map[string]string

func (d doors) run(experiment, name string, start int64, params, tags pairs) string {
	d.t.Helper()
	var out struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			}
		}
	}
	d.mlflow("runs/create", map[string]any{"experiment_id": experiment, "run_name": name, "start_time": start, "tags": tags}, &out)
	if params != nil {
		d.mlflow("runs/log-batch", map[string]any{"run_id": out.Run.Info.ID, "params": params}, nil)
	}
	return out.Run.Info.ID
}

func (d doors) metric(run, key string, step int, value any) {
	d.t.Helper()
	d.mlflow("runs/log-metric", map[string]any{"run_id": run, "key": key, "value": value, "step": step, "timestamp": 1000 + step}, nil)
}

// get asks Levada's own API and wants a status.
func get[T any](d doors, want int, path string, query url.Values) (out T) {
	d.t.Helper()
	w := d.do("GET", v1.Prefix+path+"?"+query.Encode(), "")
	if w.Code != want {
		d.t.Fatalf("GET %s: %d %s; want %d", path, w.Code, w.Body, want)
	}
	return answerOf[T](d.t, w)
}

// answerOf reads an answer, whatever its status.
func answerOf[T any](t *testing.T, w *httptest.ResponseRecorder) (out T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

type table struct {
	Experiment v1.TrackedExperiment
	Runs       []v1.TrackedRun
	Fields     *v1.TrackedFields
	Total      int
	Next       string `json:"next_page_token"`
}

func namesOf(t table) []string {
	out := []string{}
	for _, r := range t.Runs {
		out = append(out, r.Name)
	}
	return out
}

func parent(id string) pairs { return pairs{{"key": "mlflow.parentRunId", "value": id}} }

func TestTheTableOfAnExperimentIsFilteredSortedNestedAndPaged(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("table")
	path := "/experiments/" + e + "/tracked-runs"
	sweep := d.run(e, "sweep", 1, nil, nil)
	a := d.run(e, "a", 2, pairs{{"key": "lr", "value": "0.1"}}, parent(sweep))
	b := d.run(e, "b", 3, pairs{{"key": "lr", "value": "0.2"}}, parent(sweep))
	d.run(e, "orphan", 4, nil, parent("of another experiment"))
	inner := d.run(e, "inner", 5, nil, parent(a))
	d.metric(a, "loss", 1, 0.5)
	d.metric(b, "loss", 1, 0.1)
	d.metric(inner, "acc", 1, "NaN")

	for _, c := range []struct {
		query url.Values
		want  []string
	}{
		{url.Values{}, []string{"inner", "orphan", "b", "a", "sweep"}},
		{url.Values{"order_by": {"metrics.loss ASC"}, "page_size": {"2"}}, []string{"b", "a"}},
		{url.Values{"filter": {"metrics.loss < 0.3 OR params.lr = '0.1'"}, "order_by": {"params.lr DESC"}}, []string{"b", "a"}},
		{url.Values{"nested": {"true"}}, []string{"orphan", "sweep"}},
		{url.Values{"nested": {"true"}, "filter": {"params.lr = '0.2'"}}, []string{"sweep"}},
		{url.Values{"nested": {"true"}, "parent": {sweep}, "filter": {"params.lr = '0.2'"}}, []string{"b"}},
		{url.Values{"nested": {"true"}, "parent": {sweep}, "filter": {"run_name = 'inner'"}}, []string{"a"}},
		{url.Values{"nested": {"true"}, "filter": {"params.lr = 'none'"}}, []string{}},
	} {
		if diff := cmp.Diff(c.want, namesOf(get[table](d, 200, path, c.query))); diff != "" {
			t.Errorf("%v: %s", c.query, diff)
		}
	}

	first := get[table](d, 200, path, url.Values{"page_size": {"3"}, "column": {"metrics.loss"}})
	if first.Experiment.Name != "table" || first.Total != 5 || first.Next == "" || len(first.Runs[2].Params) != 0 || len(first.Runs[2].Metrics) != 1 {
		t.Errorf("first page with one column: %+v", first)
	}
	if diff := cmp.Diff(&v1.TrackedFields{Params: []string{"lr"}, Metrics: []string{"acc", "loss"}, Tags: []string{"mlflow.parentRunId", "mlflow.runName"}}, first.Fields); diff != "" {
		t.Error(diff)
	}
	second := get[table](d, 200, path, url.Values{"page_size": {"3"}, "page_token": {first.Next}})
	if diff := cmp.Diff([]string{"a", "sweep"}, namesOf(second)); diff != "" || second.Next != "" || second.Fields != nil || second.Runs[1].Children != 2 {
		t.Errorf("second page: %s %+v", diff, second)
	}
	nan := get[table](d, 200, path, url.Values{"filter": {"run_name = 'inner'"}}).Runs[0].Metrics[0]
	if nan.Value != nil || nan.Count != 1 {
		t.Errorf("a metric that is not a number: %+v; want no value", nan)
	}

	type problem struct{ Detail string }
	for _, c := range []struct {
		status      int
		path        string
		query       url.Values
		says        string
		description string
	}{
		{400, path, url.Values{"filter": {"metrics.loss < low"}}, "Expected numeric value", "a filter that cannot be read"},
		{400, path, url.Values{"order_by": {"metrics.loss SIDEWAYS"}}, "SIDEWAYS", "an order that cannot be read"},
		{400, path, url.Values{"page_token": {"-1"}}, "page_token", "a token of nobody"},
		{404, "/experiments/123456789012345678/tracked-runs", nil, "No Experiment", "an experiment that is not there"},
		{404, "/tracked-runs/nothing", nil, "not found", "a run that is not there"},
	} {
		if p := get[problem](d, c.status, c.path, c.query); !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %q; want it to say %q", c.description, p.Detail, c.says)
		}
	}
}

func TestRunsThatLieBeneathEachOtherInACircleAreAllInTheTable(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("circle")
	a := d.run(e, "a", 1, nil, nil)
	b := d.run(e, "b", 2, nil, parent(a))
	d.mlflow("runs/set-tag", map[string]any{"run_id": a, "key": "mlflow.parentRunId", "value": b}, nil)
	self := d.run(e, "self", 3, nil, nil)
	d.mlflow("runs/set-tag", map[string]any{"run_id": self, "key": "mlflow.parentRunId", "value": self}, nil)
	got := get[table](d, 200, "/experiments/"+e+"/tracked-runs", url.Values{"nested": {"true"}})
	if diff := cmp.Diff([]string{"self", "b", "a"}, namesOf(got)); diff != "" {
		t.Error(diff)
	}
}

func TestCurvesKeepTheirPeaksAndRunsAreComparedInTheirOrder(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("curves")
	r := d.run(e, "r", 1, nil, nil)
	for from := 0; from < 5000; from += 1000 {
		var points []map[string]any
		for step := from; step < from+1000; step++ {
			value := 1.0
			if step == 3217 {
				value = 99
			}
			points = append(points, map[string]any{"key": "loss", "value": value, "step": step, "timestamp": step})
		}
		d.mlflow("runs/log-batch", map[string]any{"run_id": r, "metrics": points}, nil)
	}
	type curves struct{ Curves []v1.Curve }
	got := get[curves](d, 200, "/curves", url.Values{"run_id": {r, "nothing"}, "key": {"loss", "other"}, "points": {"100"}})
	if len(got.Curves) != 1 || got.Curves[0].Total != 5000 || len(got.Curves[0].Steps) > 100 {
		t.Fatalf("%d curves, %+v", len(got.Curves), got.Curves)
	}
	c := got.Curves[0]
	peak := slices.Index(c.Steps, 3217)
	if c.Steps[0] != 0 || c.Steps[len(c.Steps)-1] != 4999 || peak < 0 || *c.Values[peak] != 99 {
		t.Errorf("the first, the last or the highest point is missing: %v", c.Steps)
	}
	many := url.Values{"run_id": {r}}
	for i := range 101 {
		many.Add("run_id", fmt.Sprint(i))
	}
	get[struct{}](d, 422, "/curves", many)
	get[struct{}](d, 400, "/curves", url.Values{"run_id": many["run_id"][:51], "key": {"a", "b"}})

	other := d.run(e, "other", 2, nil, nil)
	type comparison struct {
		Runs        []v1.TrackedRun
		Missing     []string
		Experiments map[string]string
	}
	two := get[comparison](d, 200, "/comparison", url.Values{"run_id": {other, "gone", r, other}})
	if len(two.Runs) != 2 || two.Runs[0].ID != other || two.Runs[1].ID != r || !slices.Equal(two.Missing, []string{"gone"}) || two.Experiments[e] != "curves" {
		t.Errorf("%+v", two)
	}
}

func TestAModelShowsWhereItIsFromAndItsFiles(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("models")
	r := d.run(e, "r", 1, pairs{{"key": "lr", "value": "1"}}, nil)
	d.metric(r, "loss", 1, 0.5)
	if w := d.do("PUT", fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/%s/%s/artifacts/model/page.html", e, r), "<script>1</script>"); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	const name = "it's a model"
	d.mlflow("registered-models/create", map[string]any{"name": name, "description": "# Title"}, nil)
	d.mlflow("model-versions/create", map[string]any{"name": name, "source": fmt.Sprintf("mlflow-artifacts:/%s/%s/artifacts/model", e, r), "run_id": r}, nil)
	path := "/models/" + url.PathEscape(name)
	type detail struct {
		Model    v1.RegisteredModel
		Versions []v1.VersionDetail
	}
	got := get[detail](d, 200, path, nil).Versions[0]
	if got.Run == nil || got.Run.ID != r || got.MetricsOf != "run" || *got.Metrics[0].Value != 0.5 || len(got.Files) != 1 ||
		got.Files[0].Path != "page.html" || len(got.Files[0].SHA256) != 64 {
		t.Errorf("%+v", got)
	}
	w := d.do("GET", v1.Prefix+path+"/versions/1/content?path=page.html", "")
	if w.Code != 200 || w.Body.String() != "<script>1</script>" || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for _, file := range []string{"../../secret", "/etc/passwd", "nothing"} {
		if w := d.do("GET", v1.Prefix+path+"/versions/1/content?path="+url.QueryEscape(file), ""); w.Code != 400 && w.Code != 404 {
			t.Errorf("%s: %d", file, w.Code)
		}
	}
	aliases := func() []string { return get[detail](d, 200, path, nil).Versions[0].Aliases }
	for _, c := range []struct {
		method, alias, body string
		status              int
		after               []string
	}{
		{"PUT", "best", `{"version":"1"}`, 204, []string{"best"}},
		{"PUT", "best", `{"version":"2"}`, 404, []string{"best"}},
		{"PUT", "latest", `{"version":"1"}`, 400, []string{"best"}},
		{"PUT", "v1", `{}`, 422, []string{"best"}},
		{"DELETE", "best", "", 204, []string{}},
	} {
		if w := d.do(c.method, v1.Prefix+path+"/aliases/"+c.alias, c.body); w.Code != c.status {
			t.Errorf("%s %s %s: %d %s; want %d", c.method, c.alias, c.body, w.Code, w.Body, c.status)
		}
		if diff := cmp.Diff(c.after, aliases()); diff != "" {
			t.Errorf("after %s %s: %s", c.method, c.alias, diff)
		}
	}
	type list struct{ Models []v1.RegisteredModel }
	for part, want := range map[string]int{"": 1, "IT'S": 1, "other": 0, `'"`: 0, "_": 0, "%": 0} {
		if got := get[list](d, 200, "/models", url.Values{"q": {part}}); len(got.Models) != want {
			t.Errorf("models with %q in their names: %d; want %d", part, len(got.Models), want)
		}
	}
	get[struct{}](d, 404, "/models/other", nil)
}
