package v1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/core/schedule"
	"levada/internal/pipeline"
)

// fake answers with what it was given and remembers what it was asked. It decides nothing: what is tested here is
// the translation.
type fake struct {
	mu          sync.Mutex
	err         error // returned by every call, when set
	run         run.Run
	tasks       []run.Task
	updates     chan pipeline.Update
	lines       []run.LogLine
	block       bool // Logs waits for the end of its context after the lines
	logErr      error
	artifact    run.Artifact
	files       map[string]string
	experiments []catalog.Experiment
	versions    []catalog.Version
	spec        *ir.Pipeline
	recurring   catalog.RecurringRun
	upload      pipeline.Upload

	query      listing.Query
	submission pipeline.Submission
	calls      []string
}

func (f *fake) called(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what)
	return f.err
}

func (f *fake) Submit(_ context.Context, s pipeline.Submission) (run.Run, error) {
	f.submission = s
	return f.run, f.called("submit")
}
func (f *fake) GetRun(_ context.Context, id string) (run.Run, error) {
	return f.run, f.called("get run " + id)
}
func (f *fake) ListRuns(_ context.Context, q listing.Query) (listing.Page[run.Run], error) {
	f.query = q
	return listing.Page[run.Run]{Items: []run.Run{f.run}, Total: 7, NextPageToken: "next"}, f.called("list runs")
}

func (f *fake) RunGroups(_ context.Context, by string, q listing.Query, _ int) ([]run.Group, bool, error) {
	f.query = q
	return []run.Group{{Key: "k", Total: 3, States: map[run.State]int{run.Failed: 3}}}, true, f.called("group runs by " + by)
}

// fakeSchedules is the part of the fake that answers for recurring runs.
type fakeSchedules struct{ *fake }

func (f fakeSchedules) Get(_ context.Context, id string) (catalog.RecurringRun, error) {
	return catalog.RecurringRun{ID: id}, f.called("get recurring run " + id)
}

func (f fakeSchedules) List(_ context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error) {
	f.query = q
	return listing.Page[catalog.RecurringRun]{}, f.called("list recurring runs")
}

func (f fakeSchedules) SetEnabled(_ context.Context, id string, enabled bool) error {
	return f.called(fmt.Sprint("enable ", id, " ", enabled))
}

func (f fakeSchedules) Delete(_ context.Context, id string) error {
	return f.called("delete recurring run " + id)
}

func (f *fake) RetryRun(_ context.Context, id string) (run.Run, error) {
	return run.Run{ID: id, State: run.Running}, f.called("retry " + id)
}

func (f *fake) CancelRun(_ context.Context, id string) error { return f.called("cancel " + id) }
func (f *fake) ArchiveRun(_ context.Context, id string, archived bool) error {
	if archived {
		return f.called("archive " + id)
	}
	return f.called("unarchive " + id)
}
func (f *fake) DeleteRun(_ context.Context, id string) error { return f.called("delete " + id) }
func (f *fake) Tasks(context.Context, string) ([]run.Task, error) {
	return f.tasks, f.called("tasks")
}
func (f *fake) GetTask(_ context.Context, _, task string) (run.Task, error) {
	return run.Task{ID: "t1", Path: task, State: run.Succeeded}, f.called("get task " + task)
}
func (f *fake) WatchEncoded(ctx context.Context, _ string) (run.Run, pipeline.EncodedTasks, <-chan pipeline.Update, error) {
	if err := f.called("watch"); err != nil {
		return run.Run{}, nil, nil, err
	}
	out := make(chan pipeline.Update)
	go func() {
		defer close(out)
		for {
			select {
			case u, ok := <-f.updates:
				if !ok {
					return
				}
				select {
				case out <- u:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	tasks := func(yield func([]byte) error) error {
		for _, t := range f.tasks {
			body, err := json.Marshal(t)
			if err != nil {
				return err
			}
			if err := yield(body); err != nil {
				return err
			}
		}
		return nil
	}
	return f.run, tasks, out, nil
}
func (f *fake) Logs(ctx context.Context, _, task string, _ int, _ bool, line func(run.LogLine) error) error {
	if err := f.called("logs " + task); err != nil {
		return err
	}
	for _, l := range f.lines {
		if err := line(l); err != nil {
			return err
		}
	}
	if f.block {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.logErr
}
func (f *fake) RunSpec(context.Context, string) (*ir.Pipeline, error) {
	if f.spec != nil {
		return f.spec, f.called("spec")
	}
	return &ir.Pipeline{Canonical: []byte(`{"pipeline_spec":{"a":1}}`)}, f.called("spec")
}
func (f *fake) RunArtifacts(_ context.Context, runID string) ([]run.Artifact, error) {
	return []run.Artifact{f.artifact}, f.called("run artifacts " + runID)
}
func (f *fake) ListArtifacts(_ context.Context, q listing.Query) (listing.Page[run.Artifact], error) {
	f.query = q
	return listing.Page[run.Artifact]{}, f.called("list artifacts")
}
func (f *fake) GetArtifact(context.Context, string) (run.Artifact, error) {
	return f.artifact, f.called("get artifact")
}
func (f *fake) ArtifactFiles(context.Context, string) ([]run.BlobFile, error) {
	var list []run.BlobFile
	for name, text := range f.files {
		list = append(list, run.BlobFile{Path: name, Size: int64(len(text))})
	}
	slices.SortFunc(list, func(a, b run.BlobFile) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return list, f.called("files")
}

type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

func (f *fake) OpenArtifact(_ context.Context, _, path string) (io.ReadSeekCloser, error) {
	text, ok := f.files[path]
	if !ok {
		return nil, fault.NotFoundf("no file %q", path)
	}
	return content{bytes.NewReader([]byte(text))}, f.called("open " + path)
}
func (f *fake) CreateExperiment(_ context.Context, name, _ string) (catalog.Experiment, error) {
	return catalog.Experiment{ID: "new-" + name}, f.called("create experiment " + name)
}
func (f *fake) ListExperiments(_ context.Context, q listing.Query) (listing.Page[catalog.Experiment], error) {
	f.query = q
	return listing.Page[catalog.Experiment]{Items: f.experiments}, f.called("list experiments")
}
func (f *fake) ListPipelines(_ context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error) {
	f.query = q
	return listing.Page[catalog.Pipeline]{}, f.called("list pipelines")
}

func (f *fake) TaskUsage(_ context.Context, runID, task string, attempt int) (run.Usage, error) {
	return run.Usage{}, f.called(fmt.Sprintf("usage %s %s %d", runID, task, attempt))
}
func (f *fake) TaskEnvironment(_ context.Context, runID, task string) (run.TaskEnvironment, error) {
	return run.TaskEnvironment{}, f.called("environment " + runID + " " + task)
}
func (f *fake) GetPipeline(_ context.Context, id string) (catalog.Pipeline, error) {
	return catalog.Pipeline{ID: id}, f.called("get pipeline " + id)
}
func (f *fake) GetVersion(_ context.Context, pipelineID, id string) (catalog.Version, error) {
	return catalog.Version{ID: id, PipelineID: pipelineID, SpecDigest: "of " + id}, f.called("get version " + pipelineID + " " + id)
}
func (f *fake) ListVersions(_ context.Context, id string, q listing.Query) (listing.Page[catalog.Version], error) {
	f.query = q
	return listing.Page[catalog.Version]{Items: f.versions, Total: len(f.versions)}, f.called("list versions " + id)
}
func (f *fake) UploadPipeline(_ context.Context, u pipeline.Upload) (catalog.Pipeline, catalog.Version, error) {
	f.upload = u
	return catalog.Pipeline{ID: "p"}, catalog.Version{ID: "v", PipelineID: "p"}, f.called("upload pipeline")
}
func (f *fake) UploadVersion(_ context.Context, id string, u pipeline.Upload) (catalog.Version, error) {
	f.upload = u
	return catalog.Version{ID: "v", PipelineID: id}, f.called("upload version of " + id)
}
func (f *fake) Spec(_ context.Context, digest string) (*ir.Pipeline, error) {
	return f.spec, f.called("spec " + digest)
}

func (f fakeSchedules) Create(_ context.Context, r catalog.RecurringRun) (catalog.RecurringRun, error) {
	f.recurring = r
	r.ID = "x"
	return r, f.called("create recurring run")
}
func (f fakeSchedules) Replace(_ context.Context, id string, r catalog.RecurringRun) (catalog.RecurringRun, error) {
	f.recurring = r
	r.ID = id
	return r, f.called("replace recurring run " + id)
}
func (f fakeSchedules) Times(t schedule.Trigger, n int) ([]time.Time, error) {
	if t.Cron == "wrong" {
		return nil, fault.Invalidf("cron expression %q: want 6 fields", t.Cron)
	}
	return make([]time.Time, n), nil
}

func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }

func (f *fake) ListCache(_ context.Context, q listing.Query) (listing.Page[run.CacheEntry], error) {
	f.query = q
	return listing.Page[run.CacheEntry]{Items: []run.CacheEntry{{Key: "sha256:1"}}, Total: 3, NextPageToken: "next"}, f.called("list cache")
}

func (f *fake) PruneCache(_ context.Context, selected run.CacheSelection, all, dryRun bool) (run.CachePruned, error) {
	return run.CachePruned{Entries: 2, DryRun: dryRun}, f.called(fmt.Sprintf("prune %+v all=%t", selected, all))
}

func (f *fake) ExplainCache(_ context.Context, runID, task string) ([]run.CacheExplanation, error) {
	return []run.CacheExplanation{{RunID: runID, Path: task, Outcome: run.CacheMiss}}, f.called("explain " + runID + " " + task)
}

func (f *fake) CollectGarbage(_ context.Context, minAge time.Duration, dryRun bool) (run.Swept, error) {
	return run.Swept{Files: 1, DryRun: dryRun}, f.called("collect " + minAge.String())
}
