package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

func runRoundTrip(t *testing.T, s Store) {
	ctx := t.Context()
	r := sampleRun(1)
	tasks := []run.Task{sampleTask(r, "z-first"), sampleTask(r, "a-second")}
	must(t, s.CreateRun(ctx, r, events(1, 3), tasks))
	same(t, "run", got[run.Run](t)(s.GetRun(ctx, r.ID)), r)
	same(t, "log", got[[]run.Event](t)(s.Events(ctx, r.ID, 1)), events(1, 3))
	same(t, "end of the log", got[[]run.Event](t)(s.Events(ctx, r.ID, 3)), events(3, 1))
	same(t, "nothing after the log", got[[]run.Event](t)(s.Events(ctx, r.ID, 4)), []run.Event(nil))
	same(t, "tasks", got[[]run.Task](t)(s.Tasks(ctx, r.ID)), tasks)
	same(t, "task", got[run.Task](t)(s.GetTask(ctx, r.ID, tasks[1].ID)), tasks[1])
	_, err := s.GetTask(ctx, "run-002", tasks[1].ID)
	wantKind(t, err, fault.NotFound, tasks[1].ID)
	wantKind(t, s.CreateRun(ctx, r, nil, nil), fault.Conflict, r.ID)
}

func runNamed(t *testing.T, s Store) {
	ctx := t.Context()
	r := sampleRun(1)
	must(t, s.CreateRun(ctx, r, events(1, 1), nil))
	same(t, "a run of the name", got[bool](t)(s.RunNamed(ctx, "train")), true)
	same(t, "a name that begins so", got[bool](t)(s.RunNamed(ctx, "trai")), false)
	must(t, s.SetArchived(ctx, r.ID, true))
	same(t, "an archived run", got[bool](t)(s.RunNamed(ctx, "train")), true)
	must(t, s.DeleteRun(ctx, r.ID))
	same(t, "a deleted run", got[bool](t)(s.RunNamed(ctx, "train")), false)
}

// encodedTasksAreTasks has more tasks than a store reads at once.
func encodedTasksAreTasks(t *testing.T, s Store) {
	ctx := t.Context()
	r := sampleRun(1)
	var tasks []run.Task
	for i := range 600 {
		tasks = append(tasks, sampleTask(r, fmt.Sprintf("t%03d", 600-i)))
	}
	must(t, s.CreateRun(ctx, r, events(1, 1), tasks))
	changed := tasks[3]
	changed.State = run.Failed
	must(t, s.Append(ctx, r.ID, events(2, 1), run.Changes{Run: &r, Tasks: []run.Task{changed}}))
	var found []run.Task
	must(t, s.EncodedTasks(ctx, r.ID, func(body []byte) error {
		var task run.Task
		err := json.Unmarshal(body, &task)
		found = append(found, task)
		return err
	}))
	same(t, "encoded tasks", found, got[[]run.Task](t)(s.Tasks(ctx, r.ID)))
	enough := errors.New("enough")
	n := 0
	err := s.EncodedTasks(ctx, r.ID, func([]byte) error {
		n++
		if n == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 2 {
		t.Errorf("%d tasks, %v; want it to end with the second", n, err)
	}
}

func appendReplaces(t *testing.T, s Store) {
	ctx := t.Context()
	r := sampleRun(1)
	first, second, third := sampleTask(r, "b"), sampleTask(r, "a"), sampleTask(r, "c")
	must(t, s.CreateRun(ctx, r, events(1, 1), []run.Task{first, second}))
	r.State, first.State = run.Succeeded, run.Succeeded
	artifact := sampleArtifact(r, first, "model")
	entry := run.CacheEntry{Key: "key", RunID: r.ID, TaskID: first.ID, CreatedAt: at(1), Outputs: run.Values{
		Artifacts: map[string][]run.Artifact{"model": {artifact}},
	}}
	must(t, s.Append(ctx, r.ID, events(2, 2), run.Changes{
		Run: &r, Tasks: []run.Task{third, first}, Artifacts: []run.Artifact{artifact}, Cache: []run.CacheEntry{entry},
	}))
	same(t, "log", got[[]run.Event](t)(s.Events(ctx, r.ID, 0)), events(1, 3))
	same(t, "run", got[run.Run](t)(s.GetRun(ctx, r.ID)), r)
	same(t, "tasks keep their order", got[[]run.Task](t)(s.Tasks(ctx, r.ID)), []run.Task{first, second, third})
	same(t, "artifact", got[run.Artifact](t)(s.GetArtifact(ctx, artifact.ID)), artifact)
	same(t, "cache entry", got[run.CacheEntry](t)(s.CacheEntry(ctx, "key")), entry)
}

func appendConflicts(t *testing.T, s Store) {
	ctx := t.Context()
	r := sampleRun(1)
	must(t, s.CreateRun(ctx, r, events(1, 2), nil))
	for _, from := range []int64{1, 2, 4} {
		wantKind(t, s.Append(ctx, r.ID, events(from, 1), run.Changes{}), fault.Conflict, "ends at event 2")
	}
	wantKind(t, s.Append(ctx, "nobody", events(1, 1), run.Changes{}), fault.NotFound, "nobody")
	wantKind(t, s.Append(ctx, r.ID, nil, run.Changes{}), fault.Invalid, "no events")
	gap := events(3, 3)
	gap[1].Seq = 9
	wantKind(t, s.Append(ctx, r.ID, gap, run.Changes{}), fault.Invalid, "want 4")
	same(t, "log", got[[]run.Event](t)(s.Events(ctx, r.ID, 0)), events(1, 2))
}

func appendIsAtomic(t *testing.T, s Store) {
	ctx := t.Context()
	r, other := sampleRun(1), sampleRun(2)
	task := sampleTask(r, "a")
	must(t, s.CreateRun(ctx, r, events(1, 1), []run.Task{task}))
	must(t, s.CreateRun(ctx, other, events(1, 1), nil))
	stolen := sampleTask(other, "b")
	stolen.ID = task.ID
	changed := other
	changed.State = run.Failed
	err := s.Append(ctx, other.ID, events(2, 1), run.Changes{Run: &changed, Tasks: []run.Task{stolen}})
	wantKind(t, err, fault.Conflict, task.ID)
	same(t, "run", got[run.Run](t)(s.GetRun(ctx, other.ID)), other)
	same(t, "log", got[[]run.Event](t)(s.Events(ctx, other.ID, 0)), events(1, 1))
	failed := got[listing.Page[run.Run]](t)(s.ListRuns(ctx, where("state", listing.Equals, "FAILED")))
	same(t, "failed runs", failed.Total, 0)
}

func appendKeepsArchived(t *testing.T, s Store) {
	ctx := t.Context()
	r := sampleRun(1)
	must(t, s.CreateRun(ctx, r, events(1, 1), nil))
	must(t, s.SetArchived(ctx, r.ID, true))
	must(t, s.SetArchived(ctx, r.ID, true))
	must(t, s.Append(ctx, r.ID, events(2, 1), run.Changes{Run: &r}))
	r.Archived = true
	same(t, "run", got[run.Run](t)(s.GetRun(ctx, r.ID)), r)
	must(t, s.SetArchived(ctx, r.ID, false))
	r.Archived = false
	same(t, "run", got[run.Run](t)(s.GetRun(ctx, r.ID)), r)
}

func unfinishedRuns(t *testing.T, s Store) {
	ctx := t.Context()
	for i, state := range []run.State{run.Succeeded, run.Canceling, run.Failed, run.Running, run.Skipped, run.Pending, run.Canceled} {
		r := sampleRun(9 - i)
		r.State = state
		must(t, s.CreateRun(ctx, r, nil, nil))
	}
	same(t, "unfinished", got[[]string](t)(s.UnfinishedRuns(ctx)), []string{"run-004", "run-006", "run-008"})
}

func deleteKeepsUsedArtifacts(t *testing.T, s Store) {
	ctx := t.Context()
	maker, user := sampleRun(1), sampleRun(2)
	task := sampleTask(maker, "train")
	other := sampleTask(maker, "other")
	used, unused := sampleArtifact(maker, task, "model"), sampleArtifact(maker, other, "log")
	entry := run.CacheEntry{Key: "key", RunID: maker.ID, TaskID: task.ID, CreatedAt: at(1)}
	must(t, s.CreateRun(ctx, maker, events(1, 1), []run.Task{task, other}))
	must(t, s.Append(ctx, maker.ID, events(2, 1), run.Changes{
		Artifacts: []run.Artifact{used, unused}, Cache: []run.CacheEntry{entry},
	}))
	reuse := sampleTask(user, "train")
	reuse.Cached, reuse.CachedFrom = true, task.ID
	must(t, s.CreateRun(ctx, user, events(1, 1), []run.Task{reuse}))

	must(t, s.DeleteRun(ctx, maker.ID))
	_, err := s.GetRun(ctx, maker.ID)
	wantKind(t, err, fault.NotFound, maker.ID)
	_, err = s.Tasks(ctx, maker.ID)
	wantKind(t, err, fault.NotFound, maker.ID)
	_, err = s.Events(ctx, maker.ID, 0)
	wantKind(t, err, fault.NotFound, maker.ID)
	_, err = s.GetTask(ctx, maker.ID, task.ID)
	wantKind(t, err, fault.NotFound, task.ID)
	_, err = s.CacheEntry(ctx, "key")
	wantKind(t, err, fault.NotFound, "key")
	_, err = s.GetArtifact(ctx, unused.ID)
	wantKind(t, err, fault.NotFound, unused.ID)
	same(t, "used artifact", got[run.Artifact](t)(s.GetArtifact(ctx, used.ID)), used)
	same(t, "artifacts", got[listing.Page[run.Artifact]](t)(s.Artifacts(ctx, listing.Query{})).Total, 1)

	must(t, s.DeleteRun(ctx, user.ID))
	_, err = s.GetArtifact(ctx, used.ID)
	wantKind(t, err, fault.NotFound, used.ID)
	same(t, "artifacts", got[listing.Page[run.Artifact]](t)(s.Artifacts(ctx, listing.Query{})).Total, 0)
	wantKind(t, s.DeleteRun(ctx, user.ID), fault.NotFound, user.ID)
}

func newestCacheEntry(t *testing.T, s Store) {
	ctx := t.Context()
	for i, minute := range []int{2, 7, 5} {
		r := sampleRun(i)
		must(t, s.CreateRun(ctx, r, events(1, 1), nil))
		entry := run.CacheEntry{Key: "key", RunID: r.ID, TaskID: fmt.Sprint("task-", i), CreatedAt: at(minute)}
		must(t, s.Append(ctx, r.ID, events(2, 1), run.Changes{Cache: []run.CacheEntry{entry}}))
	}
	same(t, "newest", got[run.CacheEntry](t)(s.CacheEntry(ctx, "key")).TaskID, "task-1")
	must(t, s.DeleteRun(ctx, "run-001"))
	same(t, "newest that is left", got[run.CacheEntry](t)(s.CacheEntry(ctx, "key")).TaskID, "task-2")
}

func concurrentWriters(t *testing.T, s Store) {
	ctx := t.Context()
	const writers, each = 16, 20
	errs := make(chan error, writers)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			r := sampleRun(w)
			err := s.CreateRun(ctx, r, events(1, 1), nil)
			for i := int64(2); err == nil && i <= each; i++ {
				if r.State = run.Running; i%2 == 0 {
					r.State = run.Canceling
				}
				if err = s.Append(ctx, r.ID, events(i, 1), run.Changes{Run: &r}); err == nil {
					// A second append at the same place must fail alone, whatever shares its transaction.
					if twice := s.Append(ctx, r.ID, events(i, 1), run.Changes{}); fault.KindOf(twice) != fault.Conflict {
						err = fmt.Errorf("appending twice gave %v, want a conflict", twice)
					}
				}
			}
			errs <- err
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
	for w := range writers {
		same(t, "log", got[[]run.Event](t)(s.Events(ctx, sampleRun(w).ID, 1)), events(1, each))
	}
	q := where("state", listing.Equals, string(run.Canceling))
	same(t, "total", got[listing.Page[run.Run]](t)(s.ListRuns(ctx, q)).Total, writers)
}

func cancelled(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.CreateRun(ctx, sampleRun(1), nil, nil); err == nil {
		t.Fatal("a cancelled write succeeded")
	}
	if _, err := s.ListRuns(ctx, listing.Query{}); err == nil {
		t.Fatal("a cancelled list succeeded")
	}
	_, err := s.GetRun(t.Context(), sampleRun(1).ID)
	wantKind(t, err, fault.NotFound, "run-001")
}

func unknownIDs(t *testing.T, s Store) {
	ctx := t.Context()
	second := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"GetRun":                second(s.GetRun(ctx, "nope")),
		"Tasks":                 second(s.Tasks(ctx, "nope")),
		"EncodedTasks":          s.EncodedTasks(ctx, "nope", func([]byte) error { return nil }),
		"GetTask":               second(s.GetTask(ctx, "nope", "nope")),
		"Events":                second(s.Events(ctx, "nope", 1)),
		"GetArtifact":           second(s.GetArtifact(ctx, "nope")),
		"CacheEntry":            second(s.CacheEntry(ctx, "nope")),
		"SetArchived":           s.SetArchived(ctx, "nope", true),
		"DeleteRun":             s.DeleteRun(ctx, "nope"),
		"GetExperiment":         second(s.GetExperiment(ctx, "nope")),
		"ExperimentByName":      second(s.ExperimentByName(ctx, "nope")),
		"SetExperimentArchived": s.SetExperimentArchived(ctx, "nope", true),
		"DeleteExperiment":      s.DeleteExperiment(ctx, "nope"),
		"GetPipeline":           second(s.GetPipeline(ctx, "nope")),
		"PipelineByName":        second(s.PipelineByName(ctx, "nope")),
		"DeletePipeline":        s.DeletePipeline(ctx, "nope"),
		"CreateVersion":         s.CreateVersion(ctx, catalog.Version{ID: "v", PipelineID: "nope"}),
		"GetVersion":            second(s.GetVersion(ctx, "nope")),
		"DeleteVersion":         s.DeleteVersion(ctx, "nope"),
		"GetSpec":               second(s.GetSpec(ctx, "nope")),
		"UpdatePipeline":        s.UpdatePipeline(ctx, catalog.Pipeline{ID: "nope"}),
		"UpdateVersion":         s.UpdateVersion(ctx, catalog.Version{ID: "nope"}),
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, err, fault.NotFound, `"nope"`) })
	}
}
