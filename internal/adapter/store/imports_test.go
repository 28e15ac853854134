package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/track"
)

func TestAnImportChangesOnlyWhatAnImportHasBrought(t *testing.T) {
	s, ctx := openTracking(t), t.Context()
	newExperiment(t, s, "7")
	ours := track.Run{ID: "made-here", ExperimentID: "7", Name: "here", Status: track.Running, Tags: []track.KV{{Key: "t", Value: "here"}}}
	if err := s.CreateRun(ctx, ours); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RunsOf(ctx, "7"); err != nil { // from now on the runs are held in memory
		t.Fatal(err)
	}
	end := int64(9)
	brought := track.Run{ID: "brought", ExperimentID: "7", Name: "b", Status: track.Failed, StartMS: 3, EndMS: &end, Deleted: true, ArtifactURI: "s3://b/x",
		Params: []track.KV{{Key: "p", Value: "1"}}, Tags: []track.KV{{Key: "t", Value: "1"}}, ModelInputs: []string{"m-1"},
		Datasets: []track.DatasetInput{{Dataset: track.Dataset{Name: "d", Digest: "x"}}}, Outputs: []track.ModelOutput{{ModelID: "m-2", Step: 4}}}
	other := ours
	other.Name = "there"
	for range 2 { // the second time nothing is doubled
		strangers, err := s.ImportRuns(ctx, []track.Run{other, brought}, 5)
		if diff := cmp.Diff([]string{"made-here"}, strangers); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	}
	brought.Status, brought.Deleted, brought.Tags = track.Finished, false, []track.KV{{Key: "t", Value: "2"}}
	if _, err := s.ImportRuns(ctx, []track.Run{brought}, 5); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]track.Run{"brought": brought, "made-here": ours} {
		got, err := s.Run(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got, sorted); diff != "" {
			t.Error(diff)
		}
	}
	if runs, err := s.RunsOf(ctx, "7"); err != nil || len(runs) != 2 {
		t.Errorf("a search finds %d runs, %v", len(runs), err)
	}
}

func TestAMarkHoldsUntilTheThingComesAgain(t *testing.T) {
	s, ctx := openTracking(t), t.Context()
	newExperiment(t, s, "7")
	r := track.Run{ID: "r", ExperimentID: "7", Status: track.Finished}
	mark := func() string {
		t.Helper()
		noted, err := s.Imported(ctx, track.ImportedRun, []string{"r", "none"})
		if err != nil || len(noted) > 1 {
			t.Fatal(noted, err)
		}
		if len(noted) == 0 {
			return "none"
		}
		return noted[0].Mark
	}
	if err := s.MarkImported(ctx, track.ImportedRun, map[string]string{"r": "x"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a mark for what was not brought: %v", err)
	}
	got := []string{mark()}
	for _, step := range []func() error{
		func() error { _, err := s.ImportRuns(ctx, []track.Run{r}, 1); return err },
		func() error { return s.MarkImported(ctx, track.ImportedRun, map[string]string{"r": "whole"}) },
		func() error { _, err := s.ImportRuns(ctx, []track.Run{r}, 1); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		got = append(got, mark())
	}
	if diff := cmp.Diff([]string{"none", "", "whole", track.MarkChanged}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnImportedModelTakesANameThatIsFree(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "levada.db"))
	s, ctx := st.Registry(), t.Context()
	if err := s.CreateModel(ctx, model.Registered{Name: "price"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Versions(ctx); err != nil { // from now on they are held in memory
		t.Fatal(err)
	}
	names := func(try int) string { return []string{"price", "price-imported", "never"}[try] }
	m := model.Registered{Name: "price", CreatedUS: 5, Last: 3, Aliases: []model.Alias{{Name: "best", Version: 2}}}
	versions := []model.Version{{Number: 1, Stage: model.None, Source: "s3://a"}, {Number: 2, Stage: model.Staging, Source: "s3://b"}}
	for range 2 {
		got, err := s.ImportModel(ctx, "price@5", names, m, versions)
		if diff := cmp.Diff(model.Brought{Name: "price-imported"}, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	}
	// A version that is made here keeps its number when the source makes one too.
	err := s.AddVersion(ctx, "price-imported", func(m *model.Registered) (model.Version, error) {
		m.Last++
		return model.Version{Name: m.Name, Number: m.Last, Source: "s3://here", Stage: model.None}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	versions[1].Source = "s3://changed"
	versions = append(versions, model.Version{Number: 4, Stage: model.None, Source: "s3://there"})
	brought, err := s.ImportModel(ctx, "price@5", names, m, versions)
	if diff := cmp.Diff(model.Brought{Name: "price-imported", Kept: []int64{4}}, brought); diff != "" || err != nil {
		t.Error(diff, err)
	}
	all, err := s.Versions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range all {
		stored, err := s.Version(ctx, v.Name, v.Number)
		if err != nil || stored.Source != v.Source {
			t.Errorf("stored is %+v, in memory %+v, %v", stored, v, err)
		}
		got[fmt.Sprint(v.Name, v.Number)] = v.Source
	}
	want := map[string]string{"price-imported1": "s3://a", "price-imported2": "s3://changed", "price-imported4": "s3://here"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if there, err := s.Model(ctx, "price-imported"); err != nil || there.Last != 4 || len(there.AliasesOf(2)) != 1 {
		t.Errorf("the model is %+v, %v", there, err)
	}
}

func TestARunThatComesAgainKeepsWhatWasChangedHere(t *testing.T) {
	s, ctx := openTracking(t), t.Context()
	newExperiment(t, s, "7")
	long := strings.Repeat("x", 1000)
	r := track.Run{ID: "r", ExperimentID: "7", Name: "there", Status: track.Running, ArtifactURI: "mlflow-artifacts:/7/r/artifacts",
		Tags: []track.KV{{Key: "a", Value: "1"}, {Key: "b", Value: "1"}, {Key: "long", Value: long}}, ModelInputs: []string{"m-1"}}
	bring := func() {
		t.Helper()
		if _, err := s.ImportRuns(ctx, []track.Run{r}, 5); err != nil {
			t.Fatal(err)
		}
	}
	bring()
	for _, change := range []func() error{
		func() error {
			return s.LogData(ctx, "r", nil, []track.KV{{Key: "a", Value: "here"}, {Key: "long", Value: "here"}})
		},
		func() error { return s.Link(ctx, "r", nil, []string{"m-here"}, nil) },
		func() error { return s.SetRunDeleted(ctx, "r", true, time.UnixMicro(9)) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	r.Status, r.Tags[1].Value, r.ArtifactURI, r.ModelInputs = track.Finished, "2", "s3://b/r", []string{"m-1", "m-2"}
	bring()
	got, err := s.Run(ctx, "r")
	if err != nil {
		t.Fatal(err)
	}
	want := r
	want.Deleted, want.ArtifactURI, want.ModelInputs = true, "mlflow-artifacts:/7/r/artifacts", []string{"m-1", "m-here", "m-2"}
	want.Tags = []track.KV{{Key: "a", Value: "here"}, {Key: "b", Value: "2"}, {Key: "long", Value: "here"}}
	if diff := cmp.Diff(want, *got, sorted); diff != "" {
		t.Error(diff)
	}
	r.Deleted = true
	bring()
	r.Deleted = false // the source has restored it
	bring()
	if got, err = s.Run(ctx, "r"); err != nil || got.Deleted {
		t.Errorf("the run is %+v, %v", got, err)
	}
}

func TestAModelThatComesAgainKeepsWhatWasChangedHere(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "levada.db"))
	s, ctx := st.Registry(), t.Context()
	names := func(int) string { return "price" }
	m := model.Registered{Name: "price", CreatedUS: 5, Aliases: []model.Alias{{Name: "live", Version: 1}, {Name: "next", Version: 1}, {Name: "gone", Version: 1}}}
	versions := []model.Version{{Number: 1, Stage: model.None, Location: "s3://a"}, {Number: 2, Stage: model.None, Location: "s3://b"},
		{Number: 3, Stage: model.None, Location: "s3://c"}}
	bring := func(want model.Brought) {
		t.Helper()
		got, err := s.ImportModel(ctx, "price@5", names, m, versions)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	}
	bring(model.Brought{Name: "price"})
	text := "made here"
	for _, change := range []func() error{
		func() error {
			return s.ChangeModel(ctx, "price", func(m *model.Registered) error {
				m.Name, m.Aliases = "cost", []model.Alias{{Name: "live", Version: 2}, {Name: "next", Version: 1}}
				return nil
			})
		},
		func() error {
			return s.ChangeVersion(ctx, "cost", 1, func(_ *model.Registered, v *model.Version) error {
				v.Description, v.Stage = &text, model.Production
				return nil
			})
		},
		func() error { return s.DeleteVersion(ctx, "cost", 3, func(*model.Registered) {}) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	m.Aliases[1].Version, versions[0].Location = 2, "mlflow-artifacts:/7/a"
	versions = append(versions, model.Version{Number: 4, Stage: model.None, Location: "s3://d"})
	bring(model.Brought{Name: "cost", Deleted: []int64{3}})
	there, err := s.Model(ctx, "cost")
	if diff := cmp.Diff([]model.Alias{{Name: "live", Version: 2}, {Name: "next", Version: 2}}, there.Aliases); diff != "" || err != nil {
		t.Error(diff, err)
	}
	v, err := s.Version(ctx, "cost", 1)
	if err != nil || v.Stage != model.Production || v.Description == nil || *v.Description != text || v.Location != "mlflow-artifacts:/7/a" {
		t.Errorf("the version is %+v, %v", v, err)
	}
	if err := s.DeleteModel(ctx, "cost", func(*model.Registered) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateModel(ctx, model.Registered{Name: "cost"}); err != nil { // another one
		t.Fatal(err)
	}
	bring(model.Brought{})
}
