package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/run"
	"levada/internal/core/track"
)

func TestATaskIsATrackedRunFromItsStartOnAndDeletedAsItsPipelineIs(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "levada.db"))
	s := st.Tracking()
	ctx := t.Context()
	newExperiment(t, s, "7")
	at := time.UnixMilli(1000).UTC()
	seq := int64(1)
	event := func() []run.Event {
		seq++
		return []run.Event{{Seq: seq, At: at, Type: "x", Body: []byte("{}")}}
	}
	put := func(id string, state run.State, started bool) {
		t.Helper()
		task := run.Task{ID: id, RunID: "run", Path: id, Name: id, Kind: run.KindContainer, State: state, CreatedAt: at}
		if started {
			task.StartedAt = &at
		}
		if state.Final() {
			task.FinishedAt = &at
		}
		if err := st.Append(ctx, "run", event(), run.Changes{Tasks: []run.Task{task}}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(id string, there bool, status track.Status, deleted bool) {
		t.Helper()
		r, err := s.Run(ctx, id)
		switch {
		case !there:
			if fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s: %+v, %v; want no tracked run", id, r, err)
			}
		case err != nil || r.Status != status || r.Deleted != deleted:
			t.Errorf("%s: %+v, %v; want it %s, deleted %v", id, r, err, status, deleted)
		}
	}
	if err := st.CreateRun(ctx, run.Run{ID: "run", ExperimentID: "7", State: run.Running, CreatedAt: at}, []run.Event{{Seq: 1, At: at, Type: "x", Body: []byte("{}")}}, nil); err != nil {
		t.Fatal(err)
	}
	put("waits", run.Pending, false)
	put("never started", run.Canceled, false)
	put("cut short", run.Running, true)
	put("cut short", run.Canceled, true)
	put("again", run.Running, true)
	put("again", run.Canceled, false)
	put("reused", run.Succeeded, false)
	check("waits", false, "", false)
	check("never started", false, "", false)
	check("cut short", true, track.Killed, false)
	check("again", true, track.Killed, false)
	check("reused", true, track.Finished, false)
	if _, err := s.RunsOf(ctx, "7"); err != nil {
		t.Fatal(err)
	}
	if err := st.SetArchived(ctx, "run", true); err != nil {
		t.Fatal(err)
	}
	put("late", run.Running, true)
	check("late", true, track.Running, true)
	runs, err := s.RunsOf(ctx, "7")
	for _, r := range runs {
		if !r.Deleted {
			t.Errorf("the pipeline's run is archived and a search finds %q", r.ID)
		}
	}
	if err != nil || len(runs) != 5 {
		t.Errorf("%d tracked runs, %v; want the pipeline's and four tasks", len(runs), err)
	}
	if err := st.SetArchived(ctx, "run", false); err != nil {
		t.Fatal(err)
	}
	check("late", true, track.Running, false)
	if err := s.SetRunDeleted(ctx, "run", true, at); err != nil {
		t.Fatal(err)
	}
	put("later", run.Running, true)
	check("later", true, track.Running, true)
}
