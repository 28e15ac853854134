package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/run"
	"levada/internal/dataset"
)

var _ dataset.Store = store.Data{}

// maker stores a run whose tasks made artifacts.
func maker(t *testing.T, s *store.Store, id, pipeline string, second int64, artifacts ...run.Artifact) {
	t.Helper()
	at := time.Unix(second, 0).UTC()
	for i := range artifacts {
		a := &artifacts[i]
		a.RunID, a.TaskID, a.TaskName = id, id+"-task", "make"
		if a.ID == "" {
			a.ID = id + "." + a.Name
		}
	}
	r := run.Run{ID: id, DisplayName: "run " + id, PipelineName: pipeline, ExperimentID: "0", State: run.Running, CreatedAt: at}
	if err := s.CreateRun(t.Context(), r, []run.Event{{Seq: 1, At: at, Type: "x"}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), id, []run.Event{{Seq: 2, At: at, Type: "x"}}, run.Changes{Artifacts: artifacts}); err != nil {
		t.Fatal(err)
	}
}

func names(list []run.Artifact) []string {
	out := []string{}
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

func waiting(t *testing.T, s *store.Store, subject observe.Subject) []string {
	t.Helper()
	list, err := s.Data().Unseen(t.Context(), subject, 10)
	if err != nil {
		t.Fatal(err)
	}
	return names(list)
}

func TestArtifactsWaitUntilTheyWereLookedAtAlsoInTheNextProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levada.db")
	s, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	data := run.Artifact{Name: "data", SchemaTitle: "system.Dataset", Digest: "sha256:a", Size: 1}
	maker(t, s, "r1", "p", 1, data, run.Artifact{Name: "report", SchemaTitle: "system.Artifact", Digest: "sha256:b", Size: 1},
		run.Artifact{Name: "model", SchemaTitle: "system.Model", Digest: "sha256:c", Size: 1})
	maker(t, s, "r2", "p", 2, data)
	select {
	case <-s.Data().UnseenSignal():
	default:
		t.Error("nobody is told")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if diff := cmp.Diff([]string{"r2.data", "r1.data"}, waiting(t, s, observe.Table)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"r1.report"}, waiting(t, s, observe.MaybeReport)); diff != "" {
		t.Error(diff)
	}
	p := observe.Profile{Digest: "sha256:a", State: observe.Ready, At: time.Unix(9, 0).UTC(), Took: 3 * time.Millisecond, Table: []byte(`{"rows":1}`)}
	if err := s.Data().Seen(t.Context(), []string{"r2.data"}, &p, nil); err != nil {
		t.Fatal(err)
	}
	got, err := s.Data().Profile(t.Context(), "sha256:a")
	if diff := cmp.Diff(p, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if n, err := s.Data().Waiting(t.Context(), observe.Table); err != nil || n != 1 {
		t.Errorf("%d wait, %v", n, err)
	}
	if queued, err := s.Data().Queued(t.Context(), "r1.data"); err != nil || !queued {
		t.Errorf("queued %t, %v", queued, err)
	}
	// Asked for again, it is made again, before others.
	maker(t, s, "r3", "p", 3, run.Artifact{Name: "data", SchemaTitle: "system.Dataset", Digest: "sha256:d", Size: 1})
	if err := s.Data().Queue(t.Context(), "r2.data", "sha256:a"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"r2.data", "r3.data", "r1.data"}, waiting(t, s, observe.Table)); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Data().Profile(t.Context(), "sha256:a"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the old profile: %v", err)
	}
}

func TestProfilesGoWithTheLastArtifactThatHasTheContent(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "levada.db"))
	data := run.Artifact{Name: "data", SchemaTitle: "system.Dataset", Digest: "sha256:a", Size: 1}
	maker(t, s, "r1", "p", 1, data)
	maker(t, s, "r2", "p", 2, data)
	p := observe.Profile{Digest: "sha256:a", State: observe.Failed, Reason: "it is no table", At: time.Unix(9, 0).UTC(), Table: nil}
	seen := func() {
		t.Helper()
		if err := s.Data().Seen(t.Context(), []string{"r1.data", "r2.data"}, &p, nil); err != nil {
			t.Fatal(err)
		}
	}
	there := func() bool {
		t.Helper()
		if err := s.Data().DropProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := s.Data().Profile(t.Context(), "sha256:a")
		return err == nil
	}
	seen()
	for i, id := range []string{"r1", "r2"} {
		if !there() {
			t.Fatalf("the profile is gone before run %s is", id)
		}
		if err := s.DeleteRun(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if i == 1 && there() {
			t.Error("the profile is there after the last run")
		}
	}
	seen() // of content that was removed while it was read
	if there() {
		t.Error("a profile of what is gone is stored")
	}
}

func TestReportsAreFoundByTaskAndGoWithTheirRun(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "levada.db"))
	for i := range 3 {
		id := fmt.Sprintf("r%d", i)
		pipeline := "p"
		if i == 2 {
			pipeline = "other"
		}
		maker(t, s, id, pipeline, int64(i+1), run.Artifact{Name: "report", SchemaTitle: "system.Artifact", Digest: "sha256:a", Size: 1})
		r := observe.Stored{ArtifactID: id + ".report", RunID: id, Task: "make", Result: observe.Result{Kind: observe.Drift, Passed: i > 0, Failed: i, Columns: []observe.Column{{Name: "c"}}}}
		if err := s.Data().Seen(t.Context(), []string{r.ArtifactID}, nil, &r); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Data().Reports(t.Context(), observe.Drift, "p", "make", 10)
	want := []observe.Stored{
		{Result: observe.Result{Kind: observe.Drift, Passed: true, Failed: 1, Columns: []observe.Column{{Name: "c"}}}, ArtifactID: "r1.report", RunID: "r1", RunName: "run r1", TaskID: "r1-task", Pipeline: "p", Task: "make", At: time.Unix(2, 0).UTC()},
		{Result: observe.Result{Kind: observe.Drift, Columns: []observe.Column{{Name: "c"}}}, ArtifactID: "r0.report", RunID: "r0", RunName: "run r0", TaskID: "r0-task", Pipeline: "p", Task: "make", At: time.Unix(1, 0).UTC()},
	}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for since, n := range map[int64]int{0: 2, 1: 1, 2: 0} {
		if later, err := s.Data().ReportsSince(t.Context(), observe.Drift, "p", "make", time.Unix(since, 0), 10); err != nil || len(later) != n || n > 0 && later[0].ArtifactID != "r1.report" {
			t.Errorf("since %d: %+v %v", since, later, err)
		}
	}
	newest, err := s.Data().NewestReports(t.Context(), observe.Drift, 10)
	if err != nil || len(newest) != 2 || newest[0].ArtifactID != "r2.report" || newest[1].ArtifactID != "r1.report" {
		t.Errorf("%+v %v", newest, err)
	}
	if err := s.DeleteRun(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Data().Reports(t.Context(), observe.Drift, "p", "make", 10); err != nil || len(list) != 1 {
		t.Errorf("%d reports, %v", len(list), err)
	}
}

func TestVersionsAreOfTheSameOutputOfTheSameTaskOfTheSamePipeline(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "levada.db"))
	data := run.Artifact{Name: "data", SchemaTitle: "system.Dataset", Digest: "sha256:a", Size: 1}
	maker(t, s, "r1", "p", 1, data)
	maker(t, s, "r2", "p", 2, data, run.Artifact{Name: "rest", SchemaTitle: "system.Dataset", Digest: "sha256:b", Size: 1})
	maker(t, s, "r3", "other", 3, data)
	a, err := s.GetArtifact(t.Context(), "r1.data")
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Data().Versions(t.Context(), a, 10)
	if err != nil || len(list) != 2 || list[0].Artifact.ID != "r2.data" || list[1].Artifact.ID != "r1.data" || list[0].RunName != "run r2" {
		t.Errorf("%+v %v", list, err)
	}
}
