package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/partition"
	"levada/internal/core/run"
)

// Backfills is the part of a store that knows partitions and backfills.
type Backfills interface {
	GetPartitioning(ctx context.Context, pipelineID string) (partition.Definition, error)
	SetPartitioning(ctx context.Context, pipelineID string, d partition.Definition) error
	DeletePartitioning(ctx context.Context, pipelineID string) error
	PartitionRuns(ctx context.Context, pipelineID, parameter string) (map[string]partition.Run, error)
	PartitionInputs(ctx context.Context, pipelineID, parameter string, most int) (map[string][]partition.Input, error)
	PartitionUpstream(ctx context.Context, pipelineID, parameter string, most int) (map[string][]partition.Upstream, error)

	CreateBackfill(ctx context.Context, b catalog.Backfill, partitions []catalog.BackfillPartition) error
	UpdateBackfill(ctx context.Context, b catalog.Backfill) error
	GetBackfill(ctx context.Context, id string) (catalog.Backfill, error)
	ListBackfills(ctx context.Context, q listing.Query) (listing.Page[catalog.Backfill], error)
	UnfinishedBackfills(ctx context.Context) ([]catalog.Backfill, error)
	BackfillPartitions(ctx context.Context, id string, after, limit int) ([]catalog.BackfillPartition, error)
	NextOfBackfill(ctx context.Context, id string) (catalog.BackfillPartition, error)
	WaitingPartitions(ctx context.Context, pipelineID string) ([]string, error)
	PartitionStarted(ctx context.Context, id string, position int) error
	RetryPartitions(ctx context.Context, b catalog.Backfill, since time.Time) (int, error)
	ActiveOfBackfill(ctx context.Context, id string) ([]string, error)
}

// dayRun is a run of pipe-1 for a value of its parameter "day".
func dayRun(n int, day any, state run.State) run.Run {
	r := sampleRun(n)
	r.PipelineID, r.State, r.CreatedAt = "pipe-1", state, at(n)
	r.Parameters = map[string]any{"day": day, "odd \"name\"": 3.0}
	return r
}

func partitions(t *testing.T, s Store) {
	ctx := t.Context()
	daily := partition.Definition{Parameter: "day", Every: partition.Daily, Start: "2013-01-01"}
	wantKind(t, s.SetPartitioning(ctx, "pipe-1", daily), fault.NotFound, `"pipe-1"`)
	must(t, s.CreatePipeline(ctx, catalog.Pipeline{ID: "pipe-1", Name: "p", CreatedAt: at(0)}, nil))
	_, none := s.GetPartitioning(ctx, "pipe-1")
	wantKind(t, none, fault.NotFound, `"pipe-1"`)
	wantKind(t, s.DeletePartitioning(ctx, "pipe-1"), fault.NotFound, `"pipe-1"`)

	// What was there before has its partitions too.
	must(t, s.CreateRun(ctx, dayRun(1, "2013-01-01", run.Succeeded), nil, nil))
	must(t, s.CreateRun(ctx, dayRun(2, 7.0, run.Succeeded), nil, nil))
	must(t, s.CreateRun(ctx, dayRun(3, []any{"2013-01-01"}, run.Succeeded), nil, nil))
	must(t, s.SetPartitioning(ctx, "pipe-1", daily))
	same(t, "the definition", got[partition.Definition](t)(s.GetPartitioning(ctx, "pipe-1")), daily)
	must(t, s.CreateRun(ctx, dayRun(4, "2013-01-02", run.Failed), nil, nil))
	must(t, s.CreateRun(ctx, dayRun(5, "2013-01-01", run.Running), nil, nil))
	must(t, s.CreateRun(ctx, dayRun(6, "2013-01-02", run.Canceled), nil, nil))
	other := dayRun(7, "2013-01-03", run.Succeeded)
	other.PipelineID = "pipe-2"
	must(t, s.CreateRun(ctx, other, nil, nil))
	statesBy := func(parameter string) map[string]string {
		out := map[string]string{}
		for key, r := range got[map[string]partition.Run](t)(s.PartitionRuns(ctx, "pipe-1", parameter)) {
			out[key] = r.RunID + " " + string(r.State)
		}
		return out
	}
	states := func() map[string]string { return statesBy("day") }
	want := map[string]string{
		"2013-01-01": sampleRun(5).ID + " RUNNING", "2013-01-02": sampleRun(4).ID + " FAILED", "7": sampleRun(2).ID + " SUCCEEDED",
	}
	same(t, "the newest runs", states(), want)
	same(t, "the runs of a partition", len(got[listing.Page[run.Run]](t)(s.ListRuns(ctx, where("partition", listing.Equals, "2013-01-02"))).Items), 2)
	r := got[map[string]partition.Run](t)(s.PartitionRuns(ctx, "pipe-1", "day"))["7"]
	same(t, "its specification", r.SpecDigest, sampleRun(2).SpecDigest)
	same(t, "when it was created", r.CreatedAt, at(2))

	changed := daily
	changed.Start = "2014-01-01"
	must(t, s.SetPartitioning(ctx, "pipe-1", changed))
	same(t, "the newest runs after another start", states(), want)
	odd := map[string]string{"3": sampleRun(5).ID + " RUNNING"}
	same(t, "by a parameter that it is not partitioned by", statesBy(`odd "name"`), odd)
	must(t, s.SetPartitioning(ctx, "pipe-1", partition.Definition{Parameter: `odd "name"`, Numbers: &partition.Numbers{To: 5}}))
	same(t, "by another parameter", statesBy(`odd "name"`), odd)
	same(t, "by the former parameter", states(), want)
	must(t, s.DeletePartitioning(ctx, "pipe-1"))
	same(t, "without partitions", states(), want)
	must(t, s.SetPartitioning(ctx, "pipe-1", daily))
	must(t, s.DeletePipeline(ctx, "pipe-1"))
	_, gone := s.GetPartitioning(ctx, "pipe-1")
	wantKind(t, gone, fault.NotFound, `"pipe-1"`)
}

func partitionInputs(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.CreatePipeline(ctx, catalog.Pipeline{ID: "pipe-1", Name: "p", CreatedAt: at(0)}, nil))
	must(t, s.SetPartitioning(ctx, "pipe-1", partition.Definition{Parameter: "day", Every: partition.Daily, Start: "2013-01-01"}))
	for n, day := range []string{"2013-01-01", "2013-01-01", "2013-01-02"} {
		r := dayRun(n, day, run.Running)
		must(t, s.CreateRun(ctx, r, nil, nil))
		artifact := func(name, uri, digest string) run.Artifact {
			return run.Artifact{ID: fmt.Sprint(name, n), RunID: r.ID, TaskID: "t", Name: name, URI: uri, Digest: digest, Size: 3}
		}
		must(t, s.Append(ctx, r.ID, []run.Event{{Seq: 1, Type: "x", At: at(n), Body: []byte("{}")}}, run.Changes{Artifacts: []run.Artifact{
			artifact("raw", "/data/"+day, "sha256:"+fmt.Sprint(n)), artifact("held", "levada://sha256:1", "sha256:1"), artifact("far", "s3://x", ""),
			{ID: fmt.Sprint("tagged", n), RunID: r.ID, TaskID: "t", Name: "tagged", URI: "s3://y", Digest: "sha256:0", Tag: "etag:" + day, Size: 3},
		}}))
	}
	inputs := got[map[string][]partition.Input](t)(s.PartitionInputs(ctx, "pipe-1", "day", 100))
	same(t, "what was imported", inputs, map[string][]partition.Input{
		sampleRun(1).ID: {{RunID: sampleRun(1).ID, URI: "/data/2013-01-01", Digest: "sha256:1", Size: 3},
			{RunID: sampleRun(1).ID, URI: "s3://y", Digest: "sha256:0", Tag: "etag:2013-01-01", Size: 3}},
		sampleRun(2).ID: {{RunID: sampleRun(2).ID, URI: "/data/2013-01-02", Digest: "sha256:2", Size: 3},
			{RunID: sampleRun(2).ID, URI: "s3://y", Digest: "sha256:0", Tag: "etag:2013-01-02", Size: 3}},
	})
	same(t, "no more than asked for", len(got[map[string][]partition.Input](t)(s.PartitionInputs(ctx, "pipe-1", "day", 1))), 1)
}

func partitionUpstream(t *testing.T, s Store) {
	ctx := t.Context()
	for _, name := range []string{"pipe-1", "pipe-2"} {
		must(t, s.CreatePipeline(ctx, catalog.Pipeline{ID: name, Name: name, CreatedAt: at(0)}, nil))
		must(t, s.SetPartitioning(ctx, name, partition.Definition{Parameter: "day", Every: partition.Daily, Start: "2013-01-01"}))
	}
	// put stores a run of a pipeline for a day, whose one task has made or imported a content.
	put := func(n int, pipeline, day string, kind run.Kind, digest string, state run.State) {
		t.Helper()
		r := dayRun(n, day, state)
		r.PipelineID = pipeline
		must(t, s.CreateRun(ctx, r, nil, nil))
		task := sampleTask(r, "table")
		task.Kind = kind
		must(t, s.Append(ctx, r.ID, []run.Event{{Seq: 1, Type: "x", At: at(n), Body: []byte("{}")}}, run.Changes{Tasks: []run.Task{task}, Artifacts: []run.Artifact{
			{ID: fmt.Sprint("a", n), RunID: r.ID, TaskID: task.ID, Name: "out", URI: "levada://" + digest, Digest: digest, Size: 3}}}))
	}
	replaced := func(want string, pairs ...string) {
		t.Helper()
		all := map[string][]partition.Upstream{}
		for i := 0; i < len(pairs); i += 3 {
			all[pairs[i]] = []partition.Upstream{{RunID: pairs[i], Digest: pairs[i+1], Pipeline: "pipe-1", Key: "2013-01-01", Now: pairs[i+2]}}
		}
		found := got[map[string][]partition.Upstream](t)(s.PartitionUpstream(ctx, "pipe-2", "day", 100))
		if found == nil {
			found = map[string][]partition.Upstream{}
		}
		same(t, want, found, all)
	}
	put(1, "pipe-1", "2013-01-01", run.KindContainer, "sha256:1", run.Succeeded)
	put(2, "pipe-1", "2013-01-02", run.KindContainer, "sha256:2", run.Succeeded)
	put(3, "pipe-2", "2013-01-01", run.KindImporter, "sha256:1", run.Succeeded)
	put(4, "pipe-2", "2013-01-02", run.KindImporter, "sha256:2", run.Succeeded)
	put(5, "pipe-2", "2013-01-03", run.KindImporter, "sha256:elsewhere", run.Succeeded)
	put(6, "pipe-2", "2013-01-04", run.KindContainer, "sha256:6", run.Succeeded)
	replaced("nothing was computed again")
	put(7, "pipe-1", "2013-01-01", run.KindContainer, "sha256:1", run.Succeeded)
	put(8, "pipe-1", "2013-01-02", run.KindContainer, "sha256:other", run.Failed)
	replaced("the same content again, and a run that failed")
	put(9, "pipe-1", "2013-01-01", run.KindContainer, "sha256:3", run.Succeeded)
	replaced("other content", sampleRun(3).ID, "sha256:1", "sha256:3")
	put(10, "pipe-1", "2013-01-05", run.KindContainer, "sha256:1", run.Succeeded)
	replaced("another partition gives the content now")
	put(11, "pipe-1", "2013-01-05", run.KindContainer, "sha256:5", run.Succeeded)
	replaced("neither does any more", sampleRun(3).ID, "sha256:1", "sha256:3")
	handing := dayRun(20, "2013-01-06", run.Succeeded)
	handing.PipelineID = "pipe-2"
	must(t, s.CreateRun(ctx, handing, nil, nil))
	in, out := sampleTask(handing, "in"), sampleTask(handing, "out")
	in.Kind = run.KindImporter
	var both []run.Artifact
	for _, task := range []run.Task{in, out} {
		both = append(both, run.Artifact{ID: task.ID, RunID: handing.ID, TaskID: task.ID, Name: "out", URI: "levada://sha256:3", Digest: "sha256:3", Size: 3})
	}
	must(t, s.Append(ctx, handing.ID, []run.Event{{Seq: 1, Type: "x", At: at(20), Body: []byte("{}")}}, run.Changes{Tasks: []run.Task{in, out}, Artifacts: both}))
	put(12, "pipe-2", "2013-01-01", run.KindImporter, "sha256:3", run.Succeeded)
	replaced("its newest run has imported the new content")
	put(13, "pipe-1", "2013-01-01", run.KindContainer, "sha256:4", run.Succeeded)
	replaced("computed again, though a run that imported it hands it on", sampleRun(12).ID, "sha256:3", "sha256:4", handing.ID, "sha256:3", "sha256:4")
}

func sampleBackfill(n int) catalog.Backfill {
	return catalog.Backfill{
		ID: fmt.Sprintf("back-%d", n), DisplayName: "January", PipelineID: "pipe-1", Parameter: "day", From: "2013-01-01", To: "2013-01-31",
		Run:  run.Submission{PipelineID: "pipe-1", VersionID: "ver-1", SpecDigest: "sha256:00", ExperimentID: "exp-1", Parameters: map[string]any{"n": 1.0}},
		Only: []partition.State{partition.Missing}, Order: catalog.NewestFirst, Parallel: 4, State: catalog.BackfillRunning, CreatedAt: at(n), UpdatedAt: at(n),
	}
}

func backfills(t *testing.T, s Store) {
	ctx := t.Context()
	_, unknown := s.GetBackfill(ctx, "nope")
	wantKind(t, unknown, fault.NotFound, `"nope"`)
	wantKind(t, s.UpdateBackfill(ctx, catalog.Backfill{ID: "nope"}), fault.NotFound, `"nope"`)
	wantKind(t, s.PartitionStarted(ctx, "nope", 0), fault.NotFound, `nope`)
	var parts []catalog.BackfillPartition
	for n := range 7 {
		parts = append(parts, catalog.BackfillPartition{Position: n, Key: fmt.Sprintf("2013-01-0%d", n+1), RunID: sampleRun(n).ID, Waiting: true, Since: at(0)})
	}
	must(t, s.CreateBackfill(ctx, sampleBackfill(0), parts))
	must(t, s.CreateBackfill(ctx, sampleBackfill(1), nil))
	wantKind(t, s.CreateBackfill(ctx, sampleBackfill(0), nil), fault.Conflict, "back-0")
	get := func() catalog.Backfill { return got[catalog.Backfill](t)(s.GetBackfill(ctx, "back-0")) }
	want := sampleBackfill(0)
	want.Progress = catalog.BackfillProgress{Total: 7, Waiting: 7}
	same(t, "as it was stored", get(), want)
	same(t, "its partitions", got[[]catalog.BackfillPartition](t)(s.BackfillPartitions(ctx, "back-0", -1, 100)), parts)
	same(t, "a page of them", got[[]catalog.BackfillPartition](t)(s.BackfillPartitions(ctx, "back-0", 2, 2)), parts[3:5])

	for n, state := range []run.State{run.Succeeded, run.Failed, run.Canceled, run.Running, run.Skipped} {
		next := got[catalog.BackfillPartition](t)(s.NextOfBackfill(ctx, "back-0"))
		same(t, "the next one", next, parts[n])
		r := sampleRun(n)
		r.State, r.BackfillID = state, "back-0"
		must(t, s.CreateRun(ctx, r, nil, nil))
		must(t, s.PartitionStarted(ctx, "back-0", n))
	}
	must(t, s.PartitionStarted(ctx, "back-0", 5)) // its run was deleted
	same(t, "progress", get().Progress, catalog.BackfillProgress{Total: 7, Waiting: 1, Running: 1, Succeeded: 2, Failed: 1, Canceled: 1, Deleted: 1})
	same(t, "active runs", got[[]string](t)(s.ActiveOfBackfill(ctx, "back-0")), []string{sampleRun(3).ID})
	same(t, "active runs of none", len(got[[]string](t)(s.ActiveOfBackfill(ctx, ""))), 0)

	same(t, "what waits", got[[]string](t)(s.WaitingPartitions(ctx, "pipe-1")), []string{"2013-01-07"})
	same(t, "what waits of another pipeline", len(got[[]string](t)(s.WaitingPartitions(ctx, "pipe-2"))), 0)

	ended := at(9)
	changed := get()
	changed.State, changed.UpdatedAt, changed.FinishedAt, changed.Failure = catalog.BackfillFailed, at(9), &ended, "why"
	must(t, s.UpdateBackfill(ctx, changed))
	same(t, "after a change", get(), changed)
	same(t, "what waits", len(got[[]string](t)(s.WaitingPartitions(ctx, "pipe-1"))), 0)
	ids := func(q listing.Query) (out []string) {
		for _, b := range got[listing.Page[catalog.Backfill]](t)(s.ListBackfills(ctx, q)).Items {
			out = append(out, fmt.Sprint(b.ID, " ", b.Progress.Total))
		}
		return out
	}
	same(t, "newest first", ids(listing.Query{}), []string{"back-1 0", "back-0 7"})
	same(t, "that failed", ids(where("state", listing.Equals, "FAILED")), []string{"back-0 7"})
	same(t, "of a pipeline", len(ids(where("pipeline_id", listing.Equals, "pipe-1"))), 2)
	same(t, "unfinished", len(got[[]catalog.Backfill](t)(s.UnfinishedBackfills(ctx))), 1)

	changed.State, changed.FinishedAt, changed.Failure, changed.UpdatedAt = catalog.BackfillRunning, nil, "", at(10)
	same(t, "tried again", got[int](t)(s.RetryPartitions(ctx, changed, at(10))), 3)
	same(t, "progress", get().Progress, catalog.BackfillProgress{Total: 7, Waiting: 4, Running: 1, Succeeded: 2})
	same(t, "its state", get().State, catalog.BackfillRunning)
	next := got[catalog.BackfillPartition](t)(s.NextOfBackfill(ctx, "back-0"))
	same(t, "the first of them", next, catalog.BackfillPartition{Position: 1, Key: "2013-01-02", RunID: sampleRun(1).ID, Waiting: true, State: run.Failed, Since: at(10)})
	same(t, "none to try again", got[int](t)(s.RetryPartitions(ctx, changed, at(11))), 0)
	_, over := s.NextOfBackfill(ctx, "back-1")
	wantKind(t, over, fault.NotFound, "back-1")
}
