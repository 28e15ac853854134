package storetest

import (
	"testing"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func sampleExperiment(id string) catalog.Experiment {
	return catalog.Experiment{ID: id, DisplayName: "Name of " + id, Description: "why", CreatedAt: at(0)}
}

func samplePipeline(id string) catalog.Pipeline {
	return catalog.Pipeline{
		ID: id, Name: "name-" + id, DisplayName: "Name of " + id, Description: "what",
		Tags: map[string]string{"team": "a"}, CreatedAt: at(0),
	}
}

func sampleVersion(p catalog.Pipeline, id string) catalog.Version {
	return catalog.Version{
		ID: id, PipelineID: p.ID, Name: "name-" + id, DisplayName: "Name of " + id, Description: "what",
		SpecDigest: "sha256:00", Tags: map[string]string{"stage": "b"}, CreatedAt: at(0),
	}
}

func namesInUse(t *testing.T, s Store) {
	ctx := t.Context()
	e, p, other := sampleExperiment("e1"), samplePipeline("p1"), samplePipeline("p2")
	v := sampleVersion(p, "v1")
	must(t, s.CreateExperiment(ctx, e))
	must(t, s.CreatePipeline(ctx, p, nil))
	must(t, s.CreatePipeline(ctx, other, nil))
	must(t, s.CreateVersion(ctx, v))
	same(t, "experiment", got[catalog.Experiment](t)(s.GetExperiment(ctx, e.ID)), e)
	same(t, "experiment by name", got[catalog.Experiment](t)(s.ExperimentByName(ctx, e.DisplayName)), e)
	same(t, "pipeline", got[catalog.Pipeline](t)(s.GetPipeline(ctx, p.ID)), p)
	same(t, "pipeline by name", got[catalog.Pipeline](t)(s.PipelineByName(ctx, p.Name)), p)
	same(t, "version", got[catalog.Version](t)(s.GetVersion(ctx, v.ID)), v)

	e.ID, p.ID, v.ID = "e9", "p9", "v9"
	wantKind(t, s.CreateExperiment(ctx, e), fault.Conflict, e.DisplayName)
	wantKind(t, s.CreatePipeline(ctx, p, nil), fault.Conflict, p.Name)
	wantKind(t, s.CreateVersion(ctx, v), fault.Conflict, v.Name)
	v.PipelineID = other.ID
	must(t, s.CreateVersion(ctx, v))
}

func archiveExperiment(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.CreateExperiment(ctx, sampleExperiment("exp-1")))
	elsewhere := sampleRun(3)
	elsewhere.ExperimentID = "exp-2"
	for _, r := range []run.Run{sampleRun(1), sampleRun(2), elsewhere} {
		must(t, s.CreateRun(ctx, r, nil, nil))
	}
	must(t, s.SetExperimentArchived(ctx, "exp-1", true))
	same(t, "archived", got[catalog.Experiment](t)(s.GetExperiment(ctx, "exp-1")).Archived, true)
	page := got[listing.Page[run.Run]](t)(s.ListRuns(ctx, where("archived", listing.Equals, true)))
	same(t, "archived runs", runIDs(page.Items), []string{"run-002", "run-001"})
	same(t, "total", page.Total, 2)
	if !page.Items[0].Archived {
		t.Fatal("an archived run does not say so")
	}
	must(t, s.SetExperimentArchived(ctx, "exp-1", false))
	same(t, "archived", got[catalog.Experiment](t)(s.GetExperiment(ctx, "exp-1")).Archived, false)
	page = got[listing.Page[run.Run]](t)(s.ListRuns(ctx, where("archived", listing.Equals, false)))
	same(t, "runs stay archived", page.Total, 1)
}

func lastRunAt(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.CreateExperiment(ctx, sampleExperiment("exp-1")))
	if e := got[catalog.Experiment](t)(s.GetExperiment(ctx, "exp-1")); e.LastRunAt != nil {
		t.Fatalf("an experiment without runs had its last at %v", e.LastRunAt)
	}
	for _, n := range []int{1, 5, 3} {
		must(t, s.CreateRun(ctx, sampleRun(n), nil, nil))
	}
	e := got[catalog.Experiment](t)(s.GetExperiment(ctx, "exp-1"))
	want := at(5)
	same(t, "last run", e.LastRunAt, &want)
}

func moveRuns(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.CreateExperiment(ctx, sampleExperiment("exp-1")))
	elsewhere := sampleRun(3)
	elsewhere.ExperimentID = "exp-2"
	for _, r := range []run.Run{sampleRun(1), sampleRun(2), elsewhere} {
		must(t, s.CreateRun(ctx, r, nil, nil))
	}
	must(t, s.MoveRuns(ctx, "exp-1", "exp-2"))
	must(t, s.MoveRuns(ctx, "exp-2", "exp-2"))
	must(t, s.DeleteExperiment(ctx, "exp-1"))
	page := got[listing.Page[run.Run]](t)(s.ListRuns(ctx, where("experiment_id", listing.Equals, "exp-2")))
	same(t, "runs", runIDs(page.Items), []string{"run-003", "run-002", "run-001"})
	same(t, "total", page.Total, 3)
	same(t, "experiment", page.Items[1].ExperimentID, "exp-2")
}

func deletePipeline(t *testing.T, s Store) {
	ctx := t.Context()
	p, other := samplePipeline("p1"), samplePipeline("p2")
	must(t, s.CreatePipeline(ctx, p, nil))
	must(t, s.CreatePipeline(ctx, other, nil))
	for _, v := range []catalog.Version{sampleVersion(p, "v1"), sampleVersion(p, "v2"), sampleVersion(other, "v3")} {
		must(t, s.CreateVersion(ctx, v))
	}
	page := got[listing.Page[catalog.Version]](t)(s.ListVersions(ctx, p.ID, listing.Query{}))
	same(t, "versions", page.Total, 2)
	must(t, s.DeleteVersion(ctx, "v1"))
	must(t, s.DeletePipeline(ctx, p.ID))
	_, err := s.GetVersion(ctx, "v2")
	wantKind(t, err, fault.NotFound, "v2")
	got[catalog.Version](t)(s.GetVersion(ctx, "v3"))
	same(t, "pipelines", got[listing.Page[catalog.Pipeline]](t)(s.ListPipelines(ctx, listing.Query{})).Total, 1)
}

func updatePipeline(t *testing.T, s Store) {
	ctx := t.Context()
	p := samplePipeline("p")
	v := sampleVersion(p, "v")
	v.CodeSourceURL = "https://example.com/code"
	must(t, s.CreatePipeline(ctx, p, &v))
	p.DisplayName, p.Tags = "Renamed", map[string]string{"a": "b"}
	v.DisplayName, v.Tags = "Renamed too", nil
	must(t, s.UpdatePipeline(ctx, p))
	must(t, s.UpdateVersion(ctx, v))
	same(t, "pipeline", got[catalog.Pipeline](t)(s.GetPipeline(ctx, "p")), p)
	same(t, "version", got[catalog.Version](t)(s.GetVersion(ctx, "v")), v)
	found := got[listing.Page[catalog.Pipeline]](t)(s.ListPipelines(ctx, where("display_name", listing.IsSubstring, "renamed")))
	same(t, "found by its new name", found.Total, 1)
}

func specs(t *testing.T, s Store) {
	ctx := t.Context()
	spec := []byte("{\"a\": \"\x00é\"}")
	must(t, s.PutSpec(ctx, "sha256:aa", spec))
	must(t, s.PutSpec(ctx, "sha256:aa", spec))
	same(t, "specification", got[[]byte](t)(s.GetSpec(ctx, "sha256:aa")), spec)
}

// lastRuns are experiments of which some never had a run.
func lastRuns(t *testing.T, s Store) {
	t.Helper()
	for i, minute := range []int{0, 4, 2} {
		e := sampleExperiment([]string{"e0", "e1", "e2"}[i])
		e.CreatedAt = at(i)
		if minute > 0 {
			last := at(minute)
			e.LastRunAt = &last
		}
		must(t, s.CreateExperiment(t.Context(), e))
	}
}
