package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/adapter/store"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
	"levada/internal/lineage"
)

var _ lineage.Store = store.Lineage{}

// work builds runs of pipelines in a store.
type work struct {
	t  *testing.T
	db *store.Store
}

func (w work) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// artifact is one that a task made.
func artifact(task, name, content string) run.Artifact {
	return run.Artifact{ID: task + "." + name, Name: name, SchemaTitle: "system.Dataset", Digest: content, Size: 1, RunID: strings.Split(task, "-")[0], TaskID: task, TaskName: task}
}

func values(list ...run.Artifact) run.Values {
	v := run.Values{Artifacts: map[string][]run.Artifact{}}
	for _, a := range list {
		v.Artifacts[a.Name] = append(v.Artifacts[a.Name], a)
	}
	return v
}

// run stores a run that has ended. Tasks name their run before a hyphen.
func (w work) run(id string, tasks ...run.Task) {
	w.t.Helper()
	at := time.UnixMilli(1).UTC()
	changed := run.Changes{}
	for i := range tasks {
		t := &tasks[i]
		t.RunID, t.Path, t.Name, t.State, t.CreatedAt, t.StartedAt, t.FinishedAt = id, t.ID, t.ID, run.Succeeded, at, &at, &at
		if t.Kind == "" {
			t.Kind = run.KindContainer
		}
		if t.CachedFrom != "" {
			t.Cached = true
			continue
		}
		for _, list := range t.Outputs.Artifacts {
			changed.Artifacts = append(changed.Artifacts, list...)
		}
	}
	r := run.Run{ID: id, DisplayName: "run " + id, ExperimentID: "0", State: run.Running, CreatedAt: at}
	event := func(seq int64) []run.Event { return []run.Event{{Seq: seq, At: at, Type: "x"}} }
	w.must(w.db.CreateRun(w.t.Context(), r, event(1), nil))
	changed.Tasks = tasks
	w.must(w.db.Append(w.t.Context(), id, event(2), changed))
}

// found is a graph in words: "from > to" for each edge and, where a node stands alone, its name.
func found(t *testing.T, db *store.Store, node string, d lineage.Direction, depth int) []string {
	t.Helper()
	g, err := lineage.New(db.Lineage()).Graph(t.Context(), lineage.Query{Node: node, Direction: d, Depth: depth})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, n := range g.Nodes {
		name := string(n.Kind) + " " + n.Name
		if n.MoreUp {
			name = "…" + name
		}
		if n.MoreDown {
			name += "…"
		}
		if n.Deleted {
			name += " (deleted)"
		}
		if n.Imported {
			name += " (imported)"
		}
		if n.Reused > 0 {
			name += fmt.Sprintf(" (reused %d)", n.Reused)
		}
		for _, a := range n.Aliases {
			name += " @" + a
		}
		names[n.ID] = name
	}
	var out []string
	for _, e := range g.Edges {
		out = append(out, names[e.From]+" > "+names[e.To])
	}
	slices.Sort(out)
	return out
}

// pipelines is a store with two runs: the second reuses the preparation of the first, and its model is registered.
func pipelines(t *testing.T) work {
	w := work{t, open(t, filepath.Join(t.TempDir(), "levada.db"))}
	ctx := t.Context()
	raw := run.Artifact{ID: "1-import.raw", Name: "raw", SchemaTitle: "system.Dataset", URI: "https://example.org/raw.csv", RunID: "1", TaskID: "1-import"}
	again := raw
	again.ID, again.RunID, again.TaskID = "2-import.raw", "2", "2-import"
	data := artifact("1-prepare", "data", "sha256:data")
	w.run("1",
		run.Task{ID: "1-import", Kind: run.KindImporter, Outputs: values(raw)},
		run.Task{ID: "1-prepare", Inputs: values(raw), Outputs: values(data)},
		run.Task{ID: "1-fit", Inputs: values(data), Outputs: values(artifact("1-fit", "model", "sha256:model1"))})
	w.run("2",
		run.Task{ID: "2-import", Kind: run.KindImporter, Outputs: values(again)},
		run.Task{ID: "2-prepare", CachedFrom: "1-prepare", CachedFromRun: "1", Inputs: values(again), Outputs: values(data)},
		run.Task{ID: "2-fit", Inputs: values(data), Outputs: values(artifact("2-fit", "model", "sha256:model2"))},
		run.Task{ID: "2-register", Inputs: values(artifact("2-fit", "model", "sha256:model2"))})
	tracking := w.db.Tracking()
	// A step has logged the data, and in a run of its own beneath the task's the model.
	w.must(tracking.Link(ctx, "2-register", []track.DatasetInput{{Tags: []track.KV{{Key: track.TagDatasetContext, Value: "training"}},
		Dataset: track.Dataset{Name: "flights", Digest: "d1"}}}, nil, nil))
	w.must(tracking.CreateRun(ctx, track.Run{ID: "child", ExperimentID: "0", Name: "child", Status: track.Running, ArtifactURI: "u",
		Tags: []track.KV{{Key: track.TagParentRun, Value: "2-register"}}}))
	w.must(tracking.CreateModel(ctx, track.LoggedModel{ID: "m-1", ExperimentID: "0", Name: "trees", SourceRunID: "child", Status: track.ModelReady}))
	w.must(w.db.Registry().CreateModel(ctx, model.Registered{Name: "delays 2"}))
	w.must(w.db.Registry().AddVersion(ctx, "delays 2", func(m *model.Registered) (model.Version, error) {
		m.Last, m.Aliases = 1, model.SetAlias(nil, "champion", 1)
		return model.Version{Name: "delays 2", Number: 1, ModelID: "m-1", RunID: "child"}, nil
	}))
	return w
}

func TestAModelLeadsBackToTheDataItWasTrainedOn(t *testing.T) {
	w := pipelines(t)
	want := []string{
		"artifact data > task 2-fit",
		"artifact model > task 2-register",
		"artifact raw (imported) > task 1-prepare (reused 1)",
		"dataset flights > task 2-register",
		"logged-model trees > model-version delays 2 version 1 @champion",
		"run child > logged-model trees",
		"task 1-prepare (reused 1) > artifact data",
		"task 2-fit > artifact model",
		"task 2-register > run child",
	}
	if diff := cmp.Diff(want, found(t, w.db, "model:delays 2/1", lineage.Up, 10)); diff != "" {
		t.Error(diff)
	}
}

func TestDataLeadsToAllThatWasMadeOfIt(t *testing.T) {
	w := pipelines(t)
	want := []string{
		"artifact data > task 1-fit",
		"artifact data > task 2-fit",
		"artifact model > task 2-register",
		"artifact raw > task 1-prepare (reused 1)",
		"logged-model trees > model-version delays 2 version 1 @champion",
		"run child > logged-model trees",
		"task 1-fit > artifact model",
		"task 1-prepare (reused 1) > artifact data",
		"task 2-fit > artifact model",
		"task 2-register > run child",
	}
	for _, node := range []string{"artifact:1-import.raw", "artifact:2-import.raw", "content:https://example.org/raw.csv"} {
		if diff := cmp.Diff(want, found(t, w.db, node, lineage.Down, 10)); diff != "" {
			t.Errorf("%s: %s", node, diff)
		}
	}
	if diff := cmp.Diff(want[4:6], found(t, w.db, "dataset:flights@d1", lineage.Down, 10)[1:3]); diff != "" {
		t.Error(diff)
	}
}

func TestAModelLeadsToTheEndpointsWhereItIsDeployed(t *testing.T) {
	w := pipelines(t)
	deploy := func(name string, versions ...endpoint.Deployed) {
		for i := range versions {
			versions[i].Endpoint = name
		}
		w.must(w.db.PutEndpoint(t.Context(), endpoint.Endpoint{Name: name}, versions, nil))
	}
	deploy("fares", endpoint.Deployed{Model: "delays 2", Version: "1"}, endpoint.Deployed{Model: "delays 2", Version: "2"})
	deploy("other", endpoint.Deployed{Model: "delays", Version: "1"})
	deploy("nightly", endpoint.Deployed{Model: "delays 2", Version: "1"})
	const version = "model-version delays 2 version 1 @champion > endpoint "
	if diff := cmp.Diff([]string{version + "fares", version + "nightly"}, found(t, w.db, "model:delays 2/1", lineage.Down, 3)); diff != "" {
		t.Error(diff)
	}
	want := []string{"model-version delays 2 version 1 @champion > endpoint fares", "model-version delays 2/2 (deleted) > endpoint fares"}
	up := found(t, w.db, "endpoint:fares", lineage.Up, 10)
	for _, edge := range append(want, "dataset flights > task 2-register", "artifact raw (imported) > task 1-prepare (reused 1)") {
		if !slices.Contains(up, edge) {
			t.Errorf("%s is missing in %q", edge, up)
		}
	}
	if _, err := lineage.New(w.db.Lineage()).Graph(t.Context(), lineage.Query{Node: "endpoint:none", Depth: 1}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an endpoint that is not there: %v", err)
	}
}

func TestATaskThatReusedAResultIsTheOneThatMadeIt(t *testing.T) {
	w := pipelines(t)
	want := []string{"artifact raw (imported) > task 1-prepare (reused 1)", "task 1-prepare (reused 1) > artifact data…"}
	if diff := cmp.Diff(want, found(t, w.db, "task:2-prepare", lineage.Both, 1)); diff != "" {
		t.Error(diff)
	}
}

func TestLineageOutlivesTheRunThatMadeAResult(t *testing.T) {
	w := pipelines(t)
	w.must(w.db.DeleteRun(t.Context(), "1"))
	want := []string{
		"artifact data > task 2-fit",
		"artifact raw (imported) > task 2-prepare (deleted) (reused 1)",
		"task 2-fit > artifact model",
		"task 2-prepare (deleted) (reused 1) > artifact data",
	}
	if diff := cmp.Diff(want, found(t, w.db, "artifact:2-fit.model", lineage.Up, 10)); diff != "" {
		t.Error(diff)
	}
	if got := found(t, w.db, "artifact:2-import.raw", lineage.Down, 3); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "1-fit") }) {
		t.Errorf("a task of a deleted run is shown: %q", got)
	}
}

func TestEqualContentOfOtherRunsIsOneNodeAndEmptyContentIsNot(t *testing.T) {
	w := work{t, open(t, filepath.Join(t.TempDir(), "levada.db"))}
	for _, r := range []string{"1", "2"} {
		same, empty := artifact(r+"-make", "same", "sha256:same"), artifact(r+"-make", "empty", "sha256:e3b0")
		empty.Size = 0
		w.run(r, run.Task{ID: r + "-make", Outputs: values(same, empty)}, run.Task{ID: r + "-use", Inputs: values(same, empty)})
	}
	want := []string{"artifact same > task 1-use", "artifact same > task 2-use", "task 1-make > artifact same", "task 2-make > artifact same"}
	if diff := cmp.Diff(want, found(t, w.db, "artifact:1-make.same", lineage.Both, 1)); diff != "" {
		t.Error(diff)
	}
	want = []string{"artifact empty > task 1-use", "task 1-make > artifact empty"}
	got := found(t, w.db, "artifact:1-make.empty", lineage.Both, 1)
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "…", "")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// counted counts the questions to a store.
type counted struct {
	lineage.Store
	asked *int
}

func (c counted) Tasks(ctx context.Context, ids []string) ([]run.Task, error) {
	*c.asked++
	return c.Store.Tasks(ctx, ids)
}

func TestManyUsersOfAnArtifactAreShownInPart(t *testing.T) {
	w := work{t, open(t, filepath.Join(t.TempDir(), "levada.db"))}
	hub := artifact("1-make", "hub", "sha256:hub")
	tasks := []run.Task{{ID: "1-make", Outputs: values(hub)}}
	for i := range 3000 {
		id := fmt.Sprintf("1-use%04d", i)
		tasks = append(tasks, run.Task{ID: id, Inputs: values(hub), Outputs: values(artifact(id, "out", fmt.Sprintf("sha256:%d", i%200)))})
	}
	w.run("1", tasks...)
	asked := 0
	g, err := lineage.New(counted{w.db.Lineage(), &asked}).Graph(t.Context(), lineage.Query{Node: "artifact:1-make.hub", Direction: lineage.Down, Depth: 20})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) > 51 || !g.Nodes[0].MoreDown || asked > 3 {
		t.Errorf("%d nodes, root says more: %v, %d questions for tasks", len(g.Nodes), g.Nodes[0].MoreDown, asked)
	}
}

func TestTheNeighboursOfANodeAreShownPieceByPiece(t *testing.T) {
	w := work{t, open(t, filepath.Join(t.TempDir(), "levada.db"))}
	hub := artifact("1-make", "hub", "sha256:hub")
	tasks := []run.Task{{ID: "1-make", Outputs: values(hub)}}
	for i := range 230 {
		tasks = append(tasks, run.Task{ID: fmt.Sprintf("1-use%04d", i), Inputs: values(hub)})
	}
	w.run("1", tasks...)
	seen := map[string]bool{}
	for skip := 0; skip <= 300; skip += 100 {
		q := lineage.Query{Node: "artifact:1-make.hub", Direction: lineage.Down, Depth: 2, Neighbours: 100, Skip: skip}
		g, err := lineage.New(w.db.Lineage()).Graph(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if want := min(100, max(0, 230-skip)); len(g.Nodes) != want+1 {
			t.Errorf("%d nodes after %d, want %d and the root", len(g.Nodes), skip, want)
		}
		for _, n := range g.Nodes {
			if n.Level == 0 && n.MoreDown != (skip < 200) {
				t.Errorf("after %d: more: %v", skip, n.MoreDown)
			}
			seen[n.ID] = true
		}
	}
	if len(seen) != 231 {
		t.Errorf("%d nodes in all, want 231", len(seen))
	}
	for _, q := range []lineage.Query{{Neighbours: 101}, {Neighbours: -1}, {Skip: -1}, {Skip: 10_001}} {
		q.Node, q.Depth = "artifact:1-make.hub", 2
		if _, err := lineage.New(w.db.Lineage()).Graph(t.Context(), q); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v, want it refused", q, err)
		}
	}
}

func TestAGraphIsBounded(t *testing.T) {
	w := work{t, open(t, filepath.Join(t.TempDir(), "levada.db"))}
	var tasks []run.Task
	level := []run.Artifact{artifact("1-make", "hub", "sha256:hub")}
	tasks = append(tasks, run.Task{ID: "1-make", Outputs: values(level...)})
	for depth := range 3 {
		var next []run.Artifact
		for i, in := range level[:min(len(level), 40)] {
			for k := range 12 {
				id := fmt.Sprintf("1-%d.%d.%d", depth, i, k)
				out := artifact(id, "out", "sha256:"+id)
				tasks, next = append(tasks, run.Task{ID: id, Inputs: values(in), Outputs: values(out)}), append(next, out)
			}
		}
		level = next
	}
	w.run("1", tasks...)
	g, err := lineage.New(w.db.Lineage()).Graph(t.Context(), lineage.Query{Node: "artifact:1-make.hub", Direction: lineage.Both, Depth: 20})
	if err != nil || len(g.Nodes) != 300 || !g.Truncated {
		t.Errorf("%v, %d nodes, truncated %v", err, len(g.Nodes), g.Truncated)
	}
}

func TestANodeThatIsNotThereIsNamed(t *testing.T) {
	w := pipelines(t)
	for node, want := range map[string]fault.Kind{
		"artifact:none": fault.NotFound, "task:none": fault.NotFound, "tracked-run:none": fault.NotFound, "logged-model:none": fault.NotFound,
		"model:delays 2/7": fault.NotFound, "dataset:flights@other": fault.NotFound, "content:sha256:none": fault.NotFound,
		"": fault.Invalid, "artifact:": fault.Invalid, "model:delays": fault.Invalid, "model:/1": fault.Invalid, "nothing:1": fault.Invalid,
		"model:delays 2/99999999999999999999": fault.NotFound, "dataset:@": fault.NotFound, "content:\x00": fault.NotFound,
	} {
		_, err := lineage.New(w.db.Lineage()).Graph(t.Context(), lineage.Query{Node: node, Depth: 3})
		if fault.KindOf(err) != want {
			t.Errorf("%q: %v", node, err)
		}
	}
	for _, depth := range []int{0, 21} {
		if _, err := lineage.New(w.db.Lineage()).Graph(t.Context(), lineage.Query{Node: "task:1-fit", Depth: depth}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a depth of %d: %v", depth, err)
		}
	}
}

func TestCirclesOfRunsEnd(t *testing.T) {
	w := work{t, open(t, filepath.Join(t.TempDir(), "levada.db"))}
	for a, b := range map[string]string{"a": "b", "b": "a", "c": "c"} {
		w.must(w.db.Tracking().CreateRun(t.Context(), track.Run{ID: a, ExperimentID: "0", Name: a, Status: track.Running, ArtifactURI: "u",
			Tags: []track.KV{{Key: track.TagParentRun, Value: b}}}))
	}
	if diff := cmp.Diff([]string{"run a > run b", "run b > run a"}, found(t, w.db, "tracked-run:a", lineage.Both, 20)); diff != "" {
		t.Error(diff)
	}
	found(t, w.db, "tracked-run:c", lineage.Both, 20)
}
