package pipeline_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/pipeline"
)

func TestAPipelineLivesWithoutAVersionAndChangesItsName(t *testing.T) {
	svc, _ := open(t, t.TempDir(), &runner{})
	ctx := t.Context()
	p, err := svc.CreatePipeline(ctx, pipeline.Upload{Name: "p", Tags: map[string]string{"a": "b"}})
	if err != nil || p.DisplayName != "p" {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := svc.CreatePipeline(ctx, pipeline.Upload{Name: "p"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a name in use: %v, want a Conflict", err)
	}
	if _, err := svc.Submit(ctx, pipeline.Submission{PipelineID: p.ID}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "no versions") {
		t.Errorf("a run of it: %v, want an Invalid error", err)
	}
	v, err := svc.UploadVersion(ctx, p.ID, pipeline.Upload{Name: "v", Spec: []byte(twoSteps), CodeSourceURL: "https://example.com/code"})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = svc.UpdateVersion(ctx, p.ID, v.ID, "V", nil); err != nil || v.DisplayName != "V" || v.CodeSourceURL == "" {
		t.Errorf("%+v, %v", v, err)
	}
	changed, err := svc.UpdatePipeline(ctx, p.ID, "", map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := svc.GetPipeline(ctx, p.ID)
	if diff := cmp.Diff(changed, stored); err != nil || diff != "" || changed.DisplayName != "p" || len(changed.Tags) != 0 {
		t.Errorf("%+v, %v (-want +got):\n%s", changed, err, diff)
	}
	if _, err := svc.UpdateVersion(ctx, "other", v.ID, "V", nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a version of another pipeline: %v, want NotFound", err)
	}
}

func TestNothingIsStoredOfABadPipeline(t *testing.T) {
	svc, _ := open(t, t.TempDir(), &runner{})
	ctx := t.Context()
	many := map[string]string{}
	for i := range 21 {
		many[strings.Repeat("x", i+1)] = ""
	}
	for name, u := range map[string]pipeline.Upload{
		"too many tags":    {Name: "p", Spec: []byte(twoSteps), Tags: many},
		"a long tag":       {Name: "p", Spec: []byte(twoSteps), Tags: map[string]string{strings.Repeat("x", 64): ""}},
		"a long tag value": {Name: "p", Spec: []byte(twoSteps), Tags: map[string]string{"a": strings.Repeat("x", 64)}},
		"a script as link": {Name: "p", Spec: []byte(twoSteps), CodeSourceURL: "javascript:alert(1)"},
		"a long name":      {Name: strings.Repeat("x", 256), Spec: []byte(twoSteps)},
	} {
		if _, _, err := svc.UploadPipeline(ctx, u); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want an Invalid error", name, err)
		}
	}
	if page, err := svc.ListPipelines(ctx, listing.Query{}); err != nil || page.Total != 0 {
		t.Errorf("%d are stored, %v", page.Total, err)
	}
}

func TestAnArchivedExperimentTakesNoRuns(t *testing.T) {
	svc, _ := open(t, t.TempDir(), &runner{})
	ctx := t.Context()
	e, err := svc.CreateExperiment(ctx, "e", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.ArchiveExperiment(ctx, e.ID, true); err != nil {
		t.Fatal(err)
	}
	sub := pipeline.Submission{Spec: []byte(twoSteps), Parameters: map[string]any{"word": "x"}, ExperimentID: e.ID}
	if _, err := svc.Submit(ctx, sub); fault.KindOf(err) != fault.Invalid || err == nil || !strings.Contains(err.Error(), "archived") {
		t.Errorf("a run in it: %v; want an Invalid error that says why", err)
	}
	if _, err := svc.Prepare(ctx, sub); fault.KindOf(err) != fault.Invalid || err == nil {
		t.Errorf("a schedule in it: %v; want an Invalid error", err)
	}
	if err := svc.ArchiveExperiment(ctx, e.ID, false); err != nil {
		t.Fatal(err)
	}
	r, err := svc.Submit(ctx, sub)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, svc, r.ID)
}

func TestTheNameOfAPipelineIsThatOfWhatWouldRunThenOfItsNewestRun(t *testing.T) {
	svc, _ := open(t, t.TempDir(), &runner{})
	ctx := t.Context()
	named := func(name string) []byte { return []byte(strings.Replace(twoSteps, "two-steps", name, 1)) }
	p, first, err := svc.UploadPipeline(ctx, pipeline.Upload{Name: "shown", Spec: named("first")})
	if err != nil {
		t.Fatal(err)
	}
	old := pipeline.Submission{PipelineID: p.ID} // as versions before names were kept have stored it
	r, err := svc.Submit(ctx, pipeline.Submission{PipelineID: p.ID, Parameters: map[string]any{"word": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, svc, r.ID)
	if _, err := svc.UploadVersion(ctx, p.ID, pipeline.Upload{Name: "v2", Spec: named("second")}); err != nil {
		t.Fatal(err)
	}
	is := func(what string, sub pipeline.Submission, want string) {
		t.Helper()
		if got := svc.PipelineName(ctx, sub); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	is("of the newest version", pipeline.Submission{PipelineID: p.ID, PipelineName: "frozen"}, "second")
	is("of a version", pipeline.Submission{VersionID: first.ID}, "first")
	is("of a stored specification", pipeline.Submission{PipelineID: p.ID, SpecDigest: r.SpecDigest}, "first")
	if err := svc.DeletePipeline(ctx, p.ID, true); err != nil {
		t.Fatal(err)
	}
	is("of the newest run", old, "first")
	is("of the newest run, not of long ago", pipeline.Submission{PipelineID: p.ID, PipelineName: "frozen"}, "first")
	if err := svc.DeleteRun(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	is("of what is stored", pipeline.Submission{PipelineID: p.ID, PipelineName: "frozen"}, "frozen")
	is("of nothing", old, "")
}
