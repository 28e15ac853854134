package app

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "levada/internal/api/v1"
	"levada/internal/core/model"
)

type groupList struct {
	Groups      []v1.TrackedGroup
	Total, Runs int
}

// shownGroups writes groups as "value count mean min max" of their first metric.
func shownGroups(l groupList) []string {
	out := []string{}
	for _, g := range l.Groups {
		value := "(none)"
		if g.Value != nil {
			value = *g.Value
		}
		line := fmt.Sprintf("%s %d", value, g.Count)
		if len(g.Metrics) > 0 && g.Metrics[0].Mean != nil {
			line += fmt.Sprintf(" %g %g %g", *g.Metrics[0].Mean, *g.Metrics[0].Min, *g.Metrics[0].Max)
		}
		out = append(out, line)
	}
	return out
}

func TestRunsAreGroupedAndAGroupIsATable(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("groups")
	const hostile = `it's "<b>"`
	for i, lr := range []string{"0.1", "0.1", hostile, "0.1", ""} {
		var params pairs
		if lr != "" {
			params = pairs{{"key": "lr", "value": lr}}
		}
		r := d.run(e, fmt.Sprint("r", i), int64(10-i), params, pairs{{"key": "team", "value": fmt.Sprint(i % 2)}})
		if i == 3 {
			d.metric(r, "loss", 1, "NaN")
		} else {
			d.metric(r, "loss", 1, i+1)
		}
	}
	path := "/experiments/" + e + "/run-groups"
	got := get[groupList](d, 200, path, url.Values{"by": {"params.lr"}, "metric": {"loss"}})
	if diff := cmp.Diff([]string{"0.1 3 1.5 1 2", hostile + " 1 3 3 3", "(none) 1 5 5 5"}, shownGroups(got)); diff != "" || got.Total != 3 || got.Runs != 5 {
		t.Error(diff, got.Total, got.Runs)
	}
	for by, want := range map[string][]string{
		"tags.team": {"0 3", "1 2"}, "status": {"RUNNING 5"}, "pipeline": {"(none) 5"}, "params.none": {"(none) 5"},
	} {
		if diff := cmp.Diff(want, shownGroups(get[groupList](d, 200, path, url.Values{"by": {by}}))); diff != "" {
			t.Error(by, diff)
		}
	}
	filtered := get[groupList](d, 200, path, url.Values{"by": {"params.lr"}, "filter": {"metrics.loss > 1.5"}})
	if diff := cmp.Diff([]string{"0.1 1", hostile + " 1", "(none) 1"}, shownGroups(filtered)); diff != "" {
		t.Error(diff)
	}
	for _, by := range []string{"params.", "metrics.loss", "x"} {
		if w := d.do("GET", v1.Prefix+path+"?by="+by, ""); w.Code != 400 {
			t.Errorf("by %q: %d %s", by, w.Code, w.Body)
		}
	}
	runs := "/experiments/" + e + "/tracked-runs"
	for _, c := range []struct {
		query url.Values
		want  []string
	}{
		{url.Values{"by": {"params.lr"}, "group": {hostile}, "nested": {"true"}}, []string{"r2"}},
		{url.Values{"by": {"params.lr"}, "group": {"0.1"}, "order_by": {"metrics.loss DESC"}, "page_size": {"2"}}, []string{"r1", "r0"}},
		{url.Values{"by": {"params.lr"}, "no_group": {"true"}}, []string{"r4"}},
		{url.Values{"by": {"params.lr"}, "group": {""}}, []string{}},
	} {
		if diff := cmp.Diff(c.want, namesOf(get[table](d, 200, runs, c.query))); diff != "" {
			t.Error(c.query, diff)
		}
	}
	get[struct{}](d, 400, runs, url.Values{"group": {"0.1"}})
	get[struct{}](d, 404, "/experiments/77/run-groups", url.Values{"by": {"status"}})
}

func TestSeveralRunsAreChangedAndWhatFailedIsSaid(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("bulk")
	a, b := d.run(e, "a", 1, nil, nil), d.run(e, "b", 2, nil, nil)
	change := func(body string) (out v1.BulkOutcome) {
		t.Helper()
		return answerOf[v1.BulkOutcome](t, d.do("POST", v1.Prefix+"/tracked-runs/changes", body))
	}
	shown := func(query url.Values) []string {
		return namesOf(get[table](d, 200, "/experiments/"+e+"/tracked-runs", query))
	}
	got := change(fmt.Sprintf(`{"action":"set-tag","run_ids":[%q,%q,"nothing",%q],"key":"team","value":"<b>"}`, a, b, a))
	if got.Done != 2 || len(got.Failed) != 1 || got.Failed[0].RunID != "nothing" || got.Failed[0].Error == "" {
		t.Errorf("%+v", got)
	}
	if got := shown(url.Values{"filter": {"tags.team = '<b>'"}}); len(got) != 2 {
		t.Error(got)
	}
	if got := change(fmt.Sprintf(`{"action":"delete","run_ids":[%q]}`, a)); got.Done != 1 {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([][]string{{"b"}, {"a"}}, [][]string{shown(nil), shown(url.Values{"deleted": {"true"}, "nested": {"true"}})}); diff != "" {
		t.Error(diff)
	}
	// A deleted run takes no tags: the other gets it all the same.
	if got := change(fmt.Sprintf(`{"action":"set-tag","run_ids":[%q,%q],"key":"x","value":""}`, a, b)); got.Done != 1 || len(got.Failed) != 1 || got.Failed[0].RunID != a {
		t.Errorf("%+v", got)
	}
	if got := change(fmt.Sprintf(`{"action":"restore","run_ids":[%q]}`, a)); got.Done != 1 || len(shown(nil)) != 2 {
		t.Errorf("%+v", got)
	}
	for _, body := range []string{`{"action":"set-tag","run_ids":["` + a + `"],"key":""}`, `{"action":"burn","run_ids":["` + a + `"]}`, `{"action":"delete","run_ids":[]}`} {
		if w := d.do("POST", v1.Prefix+"/tracked-runs/changes", body); w.Code != 400 && w.Code != 422 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestTheCodeAndTheEnvironmentsOfClientsRunsAreCompared(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("sources")
	ids := []string{}
	for i, numpy := range []string{"2.3.1", "2.3.2"} {
		r := d.run(e, fmt.Sprint("r", i), 1, nil, pairs{{"key": "mlflow.source.git.commit", "value": "c0ffee" + fmt.Sprint(i)}, {"key": "mlflow.source.name", "value": "train.py"},
			{"key": "mlflow.log-model.history", "value": `[{"artifact_path":"model"},{"artifact_path":"../../other"}]`}})
		for name, text := range map[string]string{"requirements.txt": "mlflow==3.1.0\nnumpy==" + numpy + "\n", "python_env.yaml": "python: 3.13.5\n"} {
			if w := d.do("PUT", fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/%s/%s/artifacts/model/%s", e, r, name), text); w.Code != 200 {
				t.Fatal(w.Code, w.Body)
			}
		}
		ids = append(ids, r)
	}
	plain := d.run(e, "plain", 1, nil, nil)
	got := get[v1.RunSources](d, 200, "/comparison/sources", url.Values{"run_id": append(ids, "nothing", plain)})
	if len(got.Runs) != 3 || len(got.Texts) != 3 {
		t.Fatalf("%+v", got)
	}
	first, second, none := got.Runs[0], got.Runs[1], got.Runs[2]
	if diff := cmp.Diff(map[string]string{"commit": "c0ffee0", "file": "train.py"}, first.Code); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"mlflow": "3.1.0", "numpy": "2.3.2"}, second.Environment); diff != "" || second.EnvironmentOf != "requirements" {
		t.Error(diff, second.EnvironmentOf)
	}
	if len(first.Texts) != 2 || first.Texts[1] != second.Texts[1] || !strings.Contains(got.Texts[first.Texts[0].Digest], "2.3.1") {
		t.Errorf("%+v %+v", first.Texts, second.Texts)
	}
	if len(none.Texts) != 0 || none.EnvironmentOf != "" || len(none.Environment) != 0 {
		t.Errorf("%+v", none)
	}
}

func TestAModelsCardIsReadAndWritten(t *testing.T) {
	d := openDoors(t)
	e := d.experiment("cards")
	r := d.run(e, "r", 1, pairs{{"key": "lr", "value": "1"}}, nil)
	d.mlflow("runs/log-inputs", map[string]any{"run_id": r, "datasets": []any{map[string]any{"tags": pairs{{"key": "mlflow.data.context", "value": "training"}},
		"dataset": map[string]any{"name": "flights", "digest": "abc", "source_type": "http", "source": "{}"}}}}, nil)
	text := "flavors: {sklearn: {}}\nsignature:\n  inputs: '[{\"name\": \"x\", \"type\": \"double\"}]'\n"
	if w := d.do("PUT", fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/%s/%s/artifacts/model/MLmodel", e, r), text); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	const name = "it's a card"
	d.mlflow("registered-models/create", map[string]any{"name": name}, nil)
	for range 2 {
		d.mlflow("model-versions/create", map[string]any{"name": name, "source": fmt.Sprintf("mlflow-artifacts:/%s/%s/artifacts/model", e, r), "run_id": r}, nil)
	}
	path := "/models/" + url.PathEscape(name)
	put := func(what, body string, want int) {
		t.Helper()
		if w := d.do("PUT", v1.Prefix+path+what, body); w.Code != want {
			t.Errorf("PUT %s %s: %d %s; want %d", what, body, w.Code, w.Body, want)
		}
	}
	put("/description", `{"description":"# All"}`, 204)
	put("/versions/1/description", `{"description":"<b>one</b>"}`, 204)
	put("/versions/7/description", `{"description":"x"}`, 404)
	put("/tags?key=owner", `{"value":"ada"}`, 204)
	put("/versions/1/tags?key=a%2Fb", `{"value":"yes"}`, 204)
	put("/versions/1/tags?key=gone", `{"value":"yes"}`, 204)
	put("/versions/1/tags?key=", `{"value":"yes"}`, 422)
	if w := d.do("DELETE", v1.Prefix+path+"/versions/1/tags?key=gone", ""); w.Code != 204 {
		t.Error(w.Code, w.Body)
	}
	card := get[v1.ModelCard](d, 200, path+"/versions/1/card", nil)
	if diff := cmp.Diff(map[string]string{"a/b": "yes"}, card.Version.Tags); diff != "" {
		t.Error(diff)
	}
	if card.Model.Description != "# All" || card.Version.Description != "<b>one</b>" || card.Model.Tags["owner"] != "ada" || card.Newest != "2" ||
		card.ExperimentName != "cards" || len(card.Datasets) != 1 || card.Datasets[0].Context != "training" {
		t.Errorf("%+v", card)
	}
	if card.Signature == nil || len(card.Signature.Inputs) != 1 || card.Signature.Inputs[0] != (model.Field{Name: "x", Type: "double"}) {
		t.Errorf("%+v %s", card.Signature, card.SignatureNote)
	}
	get[struct{}](d, 404, path+"/versions/9/card", nil)
	get[struct{}](d, 404, "/models/nothing/versions/1/card", nil)
}
