package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"levada/internal/adapter/store"
	"levada/internal/core/fault"
	"levada/internal/core/model"
	"levada/internal/core/run"
	"levada/internal/core/track"
	"levada/internal/registry"
	"levada/internal/tracking"
)

var (
	_ tracking.Store = store.Tracking{}
	_ registry.Store = store.Registry{}
)

func openTracking(t *testing.T) store.Tracking {
	return open(t, filepath.Join(t.TempDir(), "levada.db")).Tracking()
}

func newExperiment(t *testing.T, s store.Tracking, id string) {
	t.Helper()
	if err := s.CreateExperiment(t.Context(), track.Experiment{ID: id, Name: "exp " + id, CreatedAt: time.UnixMilli(1)}); err != nil {
		t.Fatal(err)
	}
}

// sorted makes runs comparable: parameters and tags come in any order.
var sorted = cmp.Options{cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b track.KV) bool { return a.Key < b.Key })}

func TestASearchedRunIsWhatIsStoredAfterEveryWrite(t *testing.T) {
	s := openTracking(t)
	newExperiment(t, s, "7")
	ctx := t.Context()
	// The first search puts the experiment into memory; everything later has to change what is there.
	if runs, err := s.RunsOf(ctx, "7"); err != nil || len(runs) != 0 {
		t.Fatal(runs, err)
	}
	check := func(after string) {
		t.Helper()
		runs, err := s.RunsOf(ctx, "7")
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range runs {
			stored, err := s.Run(ctx, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, r, sorted); diff != "" {
				t.Errorf("after %s run %s in memory differs from the stored one:\n%s", after, r.ID, diff)
			}
			if i > 0 && runs[i-1].StartMS < r.StartMS {
				t.Errorf("after %s runs are not the newest first", after)
			}
		}
	}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(what, err)
		}
		check(what)
	}
	for i := range 5 {
		must("create", s.CreateRun(ctx, track.Run{ID: fmt.Sprint("r", i), ExperimentID: "7", Name: "n", Status: track.Running,
			StartMS: int64(i * 7 % 5), ArtifactURI: "u", Tags: []track.KV{{Key: track.TagRunName, Value: "n"}}}))
	}
	must("log", s.LogData(ctx, "r1", []track.KV{{Key: "p", Value: "1"}, {Key: "q", Value: "2"}}, []track.KV{{Key: "t", Value: "x"}}))
	must("log again", s.LogData(ctx, "r1", []track.KV{{Key: "p", Value: "1"}}, []track.KV{{Key: "t", Value: "y"}, {Key: track.TagRunName, Value: "renamed"}}))
	status, end, name := track.Finished, int64(9), "other"
	_, err := s.UpdateRun(ctx, "r2", &status, &end, &name)
	must("update", err)
	must("delete tag", s.DeleteTag(ctx, "r1", "t"))
	must("delete", s.SetRunDeleted(ctx, "r3", true, time.UnixMilli(5)))
	must("restore", s.SetRunDeleted(ctx, "r3", false, time.UnixMilli(6)))
	must("link", s.Link(ctx, "r4", []track.DatasetInput{{Dataset: track.Dataset{Name: "d", Digest: "1"}}}, []string{"m-1"}, []track.ModelOutput{{ModelID: "m-2", Step: 3}}))
	must("delete the experiment", s.ChangeExperiment(ctx, "7", func(e *track.Experiment) error {
		e.Deleted, e.UpdatedAt = true, time.UnixMilli(8)
		return nil
	}))
	runs, err := s.RunsOf(ctx, "7")
	if err != nil || slices.ContainsFunc(runs, func(r *track.Run) bool { return !r.Deleted }) {
		t.Errorf("an experiment was deleted and some of its runs are not, %v", err)
	}
	must("restore the experiment", s.ChangeExperiment(ctx, "7", func(e *track.Experiment) error {
		e.Deleted, e.UpdatedAt = false, time.UnixMilli(9)
		return nil
	}))
	runs, err = s.RunsOf(ctx, "7")
	if err != nil || slices.ContainsFunc(runs, func(r *track.Run) bool { return r.Deleted }) {
		t.Errorf("an experiment was restored and some of its runs are not, %v", err)
	}
}

func TestAFailedBatchLeavesNothingInMemoryOrOnDisk(t *testing.T) {
	s := openTracking(t)
	newExperiment(t, s, "7")
	ctx := t.Context()
	if _, err := s.RunsOf(ctx, "7"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateRun(ctx, track.Run{ID: "r", ExperimentID: "7"}); err != nil {
		t.Fatal(err)
	}
	if err := s.LogData(ctx, "r", []track.KV{{Key: "p", Value: "1"}}, nil); err != nil {
		t.Fatal(err)
	}
	err := s.LogData(ctx, "r", []track.KV{{Key: "new", Value: "1"}, {Key: "p", Value: "2"}}, []track.KV{{Key: "t", Value: "1"}})
	var conflict *track.ParamsError
	if !errors.As(err, &conflict) || conflict.Conflicts[0] != (track.ParamConflict{Key: "p", Old: "1", New: "2"}) {
		t.Fatalf("error %v, want one about p", err)
	}
	runs, err := s.RunsOf(ctx, "7")
	if err != nil || len(runs) != 1 || len(runs[0].Params) != 1 || len(runs[0].Tags) != 0 {
		t.Errorf("in memory: %v, %v", runs, err)
	}
	stored, err := s.Run(ctx, "r")
	if err != nil || len(stored.Params) != 1 || len(stored.Tags) != 0 {
		t.Errorf("on disk: %v, %v", stored, err)
	}
}

func TestRunsThatAreWrittenWhileTheyAreReadAreNotMissed(t *testing.T) {
	s := openTracking(t)
	newExperiment(t, s, "7")
	ctx := t.Context()
	const n = 200
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range n / 4 {
				id := fmt.Sprintf("r%d-%d", w, i)
				if err := s.CreateRun(ctx, track.Run{ID: id, ExperimentID: "7", StartMS: int64(i)}); err != nil {
					t.Error(err)
				}
				if err := s.LogData(ctx, id, []track.KV{{Key: "p", Value: "1"}}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		if _, err := s.RunsOf(ctx, "7"); err != nil {
			t.Error(err)
		}
	}
	writers.Wait()
	runs, err := s.RunsOf(ctx, "7")
	if err != nil || len(runs) != n {
		t.Fatalf("%d runs, %v; want %d", len(runs), err, n)
	}
	for _, r := range runs {
		if len(r.Params) != 1 {
			t.Errorf("run %s has %d parameters in memory, want 1", r.ID, len(r.Params))
		}
	}
}

func TestAPipelinesRunAndItsTasksAreTrackedInTheTransactionOfTheirEvents(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "levada.db"))
	s := st.Tracking()
	ctx := t.Context()
	newExperiment(t, s, "7")
	at := time.UnixMilli(1000).UTC()
	r := run.Run{ID: "run", DisplayName: "nightly", ExperimentID: "7", PipelineName: "p", Parameters: map[string]any{"lr": 0.5, "s": "x"},
		State: run.Running, CreatedAt: at}
	if err := st.CreateRun(ctx, r, []run.Event{{Seq: 1, At: at, Type: "x", Body: []byte("{}")}}, nil); err != nil {
		t.Fatal(err)
	}
	done := at.Add(time.Second)
	r.State, r.FinishedAt = run.Succeeded, &done
	tasks := []run.Task{
		{ID: "task", RunID: "run", Path: "train", Name: "train", Kind: run.KindContainer, State: run.Succeeded, CreatedAt: at, StartedAt: &at, FinishedAt: &done,
			Outputs: run.Values{Artifacts: map[string][]run.Artifact{"m": {{SchemaTitle: "system.Metrics", Metadata: map[string]any{"acc": 0.9, "note": "x"}}}}}},
		{ID: "group", RunID: "run", Path: "loop", Name: "loop", Kind: run.KindLoop, State: run.Succeeded, CreatedAt: at},
		{ID: "skipped", RunID: "run", Path: "no", Name: "no", Kind: run.KindContainer, State: run.Skipped, CreatedAt: at},
	}
	if err := st.Append(ctx, "run", []run.Event{{Seq: 2, At: done, Type: "x", Body: []byte("{}")}}, run.Changes{Run: &r, Tasks: tasks}); err != nil {
		t.Fatal(err)
	}
	runs, err := s.RunsOf(ctx, "7")
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d tracked runs, %v; want the run and its task", len(runs), err)
	}
	got, err := s.Run(ctx, "run")
	if err != nil {
		t.Fatal(err)
	}
	want := []track.KV{{Key: "lr", Value: "0.5"}, {Key: "s", Value: "x"}}
	if diff := cmp.Diff(want, got.Params, sorted); diff != "" || got.Status != track.Finished || *got.EndMS != 2000 {
		t.Errorf("the run is %s until %d with parameters\n%s", got.Status, *got.EndMS, diff)
	}
	task, err := s.Run(ctx, "task")
	if parent, _ := track.Find(task.Tags, track.TagParentRun); err != nil || parent != "run" || task.Name != "train" {
		t.Errorf("the task's run is %+v, %v", task, err)
	}
	waiting, err := s.Outbox(ctx)
	if err != nil || len(waiting) != 2 || waiting[0].Metrics[0].Key != "acc" || waiting[0].Metrics[0].Value != 0.9 || len(waiting[0].Metrics) != 1 {
		t.Errorf("the outbox holds %+v, %v; want acc for the task and for its run", waiting, err)
	}
	if err := st.SetArchived(ctx, "run", true); err != nil {
		t.Fatal(err)
	}
	if task, err = s.Run(ctx, "task"); err != nil || !task.Deleted {
		t.Errorf("the run was archived and its task's run is %+v, %v", task, err)
	}
}

func TestADeletedRunLeavesNothingOfItsTracking(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "levada.db"))
	s := st.Tracking()
	ctx := t.Context()
	newExperiment(t, s, "7")
	at := time.UnixMilli(1000).UTC()
	for _, id := range []string{"gone", "stays"} {
		r := run.Run{ID: id, ExperimentID: "7", Parameters: map[string]any{"lr": 0.5}, State: run.Succeeded, CreatedAt: at}
		if err := st.CreateRun(ctx, r, []run.Event{{Seq: 1, At: at, Type: "x", Body: []byte("{}")}}, nil); err != nil {
			t.Fatal(err)
		}
		task := run.Task{ID: id + " task", RunID: id, Path: "train", Name: "train", Kind: run.KindContainer, State: run.Succeeded, CreatedAt: at, StartedAt: &at, FinishedAt: &at,
			Outputs: run.Values{Artifacts: map[string][]run.Artifact{"m": {{SchemaTitle: "system.Metrics", Metadata: map[string]any{"acc": 0.9}}}}}}
		if err := st.Append(ctx, id, []run.Event{{Seq: 2, At: at, Type: "x", Body: []byte("{}")}}, run.Changes{Run: &r, Tasks: []run.Task{task}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Link(ctx, task.ID, nil, []string{"m-1"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.RunsOf(ctx, "7"); err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteRun(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	runs, err := s.RunsOf(ctx, "7")
	if err != nil || len(runs) != 2 {
		t.Errorf("%d tracked runs are left, %v; want those of the other run", len(runs), err)
	}
	for _, id := range []string{"gone", "gone task"} {
		if _, err := s.Run(ctx, id); fault.KindOf(err) != fault.NotFound {
			t.Errorf("run %s: %v; want it gone", id, err)
		}
	}
	waiting, err := s.Outbox(ctx)
	if err != nil || len(waiting) != 2 || waiting[0].RunID != "stays task" {
		t.Errorf("the outbox holds %+v, %v", waiting, err)
	}
	forgotten, err := s.Forgotten(ctx)
	slices.Sort(forgotten)
	if err != nil || !slices.Equal(forgotten, []string{"gone", "gone task"}) {
		t.Errorf("points are to be removed of %q, %v", forgotten, err)
	}
	if err := s.PointsRemoved(ctx, forgotten); err != nil {
		t.Fatal(err)
	}
	if forgotten, err = s.Forgotten(ctx); err != nil || len(forgotten) > 0 {
		t.Errorf("%q, %v; want nothing left to do", forgotten, err)
	}
}

func TestAPathIsAFileOrADirectory(t *testing.T) {
	s := openTracking(t)
	ctx := t.Context()
	put := func(path string) error { return s.PutFile(ctx, path, "sha256:x", 1, time.UnixMilli(1)) }
	for _, path := range []string{"a/b.txt", "a/c/d.txt", "a/c/e.txt", "a0", "ab/c"} {
		if err := put(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"a/b.txt/x", "a", "a/c"} {
		if err := put(path); fault.KindOf(err) != fault.Conflict {
			t.Errorf("put %s: error %v, want a Conflict", path, err)
		}
	}
	children, err := s.Children(ctx, "a")
	want := []track.File{{Path: "a/b.txt", Size: 1}, {Path: "a/c", Dir: true}}
	if diff := cmp.Diff(want, children); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if n, err := s.RemoveFiles(ctx, "a"); n != 3 || err != nil {
		t.Errorf("removed %d files, %v; want the 3 inside a", n, err)
	}
}

func TestARegisteredModelIsRenamedWithItsVersions(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "levada.db")).Registry()
	ctx := t.Context()
	for _, name := range []string{"m", "other"} {
		if err := r.CreateModel(ctx, model.Registered{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	err := r.AddVersion(ctx, "m", func(m *model.Registered) (model.Version, error) {
		m.Last++
		return model.Version{Name: "m", Number: m.Last}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rename := func(to string) error {
		return r.ChangeModel(ctx, "m", func(m *model.Registered) error {
			m.Name = to
			return nil
		})
	}
	if err := rename("other"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("rename to a name in use: %v, want a Conflict", err)
	}
	if err := rename("new"); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Version(ctx, "new", 1); err != nil || v.Name != "new" {
		t.Errorf("the version is %+v, %v", v, err)
	}
	if err := r.DeleteModel(ctx, "new", func(*model.Registered) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Version(ctx, "new", 1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the model is deleted and its version is there: %v", err)
	}
}
