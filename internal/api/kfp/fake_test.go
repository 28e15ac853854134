package kfp_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"levada/internal/core/catalog"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// fake is a service in memory for tests of translation: it remembers what it was asked and never runs anything. What
// the API does with a real service is tested in test/kfpclient.
type fake struct {
	// err, when set, is what every call answers.
	err error
	// query is the last list query.
	query       listing.Query
	submitted   pipeline.Submission
	uploaded    pipeline.Upload
	nextToken   string
	experiments []catalog.Experiment
	pipelines   []catalog.Pipeline
	versions    []catalog.Version
	runs        []run.Run
	tasks       []run.Task
	recurring   []catalog.RecurringRun
	lines       []string
	contents    map[string]string
	// calls lists the calls that change something: "ArchiveRun r1 true".
	calls []string
}

var epoch = time.Date(2026, 5, 4, 3, 2, 1, 500_000_000, time.UTC)

const canonical = `{"pipeline_spec":{"pipelineInfo":{"name":"p"},"root":{"dag":{"tasks":{}}},"schemaVersion":"2.1.0"}}`

func find[T any](kind string, items []T, is func(T) bool) (T, error) {
	if i := slices.IndexFunc(items, is); i >= 0 {
		return items[i], nil
	}
	var zero T
	return zero, fault.NotFoundf("there is no such %s", kind)
}

func list[T any](f *fake, q listing.Query, items []T) (listing.Page[T], error) {
	f.query = q
	return listing.Page[T]{Items: items, Total: len(items), NextPageToken: f.nextToken}, f.err
}

func (f *fake) record(words ...any) error {
	f.calls = append(f.calls, strings.TrimSuffix(fmt.Sprintln(words...), "\n"))
	return f.err
}

// fakeRecurring is the part of the fake that answers for recurring runs.
type fakeRecurring struct{ *fake }

func (f fakeRecurring) Create(_ context.Context, r catalog.RecurringRun) (catalog.RecurringRun, error) {
	f.recurring = append(f.recurring, r)
	r.ID, r.CreatedAt, r.UpdatedAt = "x", epoch, epoch
	return r, f.err
}

func (f fakeRecurring) Get(_ context.Context, id string) (catalog.RecurringRun, error) {
	return find("recurring run", f.recurring, func(r catalog.RecurringRun) bool { return r.ID == id })
}

func (f fakeRecurring) List(_ context.Context, q listing.Query) (listing.Page[catalog.RecurringRun], error) {
	return list(f.fake, q, f.recurring)
}

func (f fakeRecurring) SetEnabled(_ context.Context, id string, enabled bool) error {
	return f.record("SetEnabled", id, enabled)
}

func (f fakeRecurring) Delete(_ context.Context, id string) error { return f.record("Delete", id) }

func (f *fake) Submit(_ context.Context, sub pipeline.Submission) (run.Run, error) {
	f.submitted = sub
	return run.Run{ID: "r1", DisplayName: sub.DisplayName, ExperimentID: "e1", State: run.Pending, CreatedAt: epoch}, f.err
}

func (f *fake) GetRun(_ context.Context, id string) (run.Run, error) {
	if f.err != nil {
		return run.Run{}, f.err
	}
	return find("run", f.runs, func(r run.Run) bool { return r.ID == id })
}

func (f *fake) ListRuns(_ context.Context, q listing.Query) (listing.Page[run.Run], error) {
	return list(f, q, f.runs)
}

func (f *fake) CancelRun(_ context.Context, id string) error { return f.record("CancelRun", id) }

func (f *fake) RetryRun(_ context.Context, id string) (run.Run, error) {
	return run.Run{ID: id, State: run.Running}, f.record("RetryRun", id)
}

func (f *fake) ArchiveRun(_ context.Context, id string, archived bool) error {
	return f.record("ArchiveRun", id, archived)
}

func (f *fake) DeleteRun(_ context.Context, id string) error { return f.record("DeleteRun", id) }

func (f *fake) GetTask(_ context.Context, runID, task string) (run.Task, error) {
	return find("task", f.tasks, func(t run.Task) bool { return t.RunID == runID && t.ID == task })
}

func (f *fake) Logs(_ context.Context, runID, task string, attempt int, follow bool, line func(run.LogLine) error) error {
	if err := f.record("Logs", runID, task, attempt, follow); err != nil {
		return err
	}
	for _, text := range f.lines {
		if err := line(run.LogLine{Text: text}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) OpenArtifact(_ context.Context, id, _ string) (io.ReadSeekCloser, error) {
	text, ok := f.contents[id]
	if !ok {
		return nil, fault.NotFoundf("artifact %s has no content here", id)
	}
	return nopCloser{strings.NewReader(text)}, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func (f *fake) CreatePipeline(_ context.Context, u pipeline.Upload) (catalog.Pipeline, error) {
	f.uploaded = u
	return catalog.Pipeline{ID: "p1", Name: u.Name, DisplayName: u.DisplayName, CreatedAt: epoch}, f.err
}

func (f *fake) UpdatePipeline(_ context.Context, id, displayName string, tags map[string]string) (catalog.Pipeline, error) {
	return catalog.Pipeline{ID: id, DisplayName: displayName, Tags: tags, CreatedAt: epoch}, f.record("UpdatePipeline", id, displayName, tags, tags != nil)
}

func (f *fake) UpdateVersion(_ context.Context, pipelineID, versionID, displayName string, tags map[string]string) (catalog.Version, error) {
	return catalog.Version{ID: versionID, PipelineID: pipelineID, DisplayName: displayName, Tags: tags, CreatedAt: epoch},
		f.record("UpdateVersion", pipelineID, versionID, displayName, tags, tags != nil)
}

func (f *fake) Tasks(context.Context, string) ([]run.Task, error) { return f.tasks, f.err }

func (f *fake) CreateExperiment(_ context.Context, name, description string) (catalog.Experiment, error) {
	return catalog.Experiment{ID: "e1", DisplayName: name, Description: description, CreatedAt: epoch}, f.err
}

func (f *fake) GetExperiment(_ context.Context, id string) (catalog.Experiment, error) {
	return find("experiment", f.experiments, func(e catalog.Experiment) bool { return e.ID == id })
}

func (f *fake) ListExperiments(_ context.Context, q listing.Query) (listing.Page[catalog.Experiment], error) {
	return list(f, q, f.experiments)
}

func (f *fake) ArchiveExperiment(_ context.Context, id string, archived bool) error {
	return f.record("ArchiveExperiment", id, archived)
}

func (f *fake) DeleteExperiment(_ context.Context, id string) error {
	return f.record("DeleteExperiment", id)
}

func (f *fake) UploadPipeline(_ context.Context, u pipeline.Upload) (catalog.Pipeline, catalog.Version, error) {
	f.uploaded = u
	return catalog.Pipeline{ID: "p1", Name: u.Name, DisplayName: u.DisplayName, Tags: u.Tags, CreatedAt: epoch}, catalog.Version{}, f.err
}

func (f *fake) UploadVersion(_ context.Context, pipelineID string, u pipeline.Upload) (catalog.Version, error) {
	f.uploaded = u
	return catalog.Version{ID: "v1", PipelineID: pipelineID, Name: u.Name, CreatedAt: epoch}, f.err
}

func (f *fake) GetPipeline(_ context.Context, id string) (catalog.Pipeline, error) {
	return find("pipeline", f.pipelines, func(p catalog.Pipeline) bool { return p.ID == id })
}

func (f *fake) PipelineByName(_ context.Context, name string) (catalog.Pipeline, error) {
	return find("pipeline", f.pipelines, func(p catalog.Pipeline) bool { return p.Name == name })
}

func (f *fake) ListPipelines(_ context.Context, q listing.Query) (listing.Page[catalog.Pipeline], error) {
	return list(f, q, f.pipelines)
}

func (f *fake) DeletePipeline(_ context.Context, id string, cascade bool) error {
	return f.record("DeletePipeline", id, cascade)
}

func (f *fake) GetVersion(_ context.Context, pipelineID, versionID string) (catalog.Version, error) {
	return find("version", f.versions, func(v catalog.Version) bool { return v.PipelineID == pipelineID && v.ID == versionID })
}

func (f *fake) ListVersions(_ context.Context, _ string, q listing.Query) (listing.Page[catalog.Version], error) {
	return list(f, q, f.versions)
}

func (f *fake) DeleteVersion(_ context.Context, pipelineID, versionID string) error {
	return f.record("DeleteVersion", pipelineID, versionID)
}

func (f *fake) Spec(_ context.Context, digest string) (*ir.Pipeline, error) {
	if digest == "both" {
		return &ir.Pipeline{Canonical: []byte(`{"pipeline_spec":{"a":1},"platform_spec":{"platforms":{}}}`)}, nil
	}
	return &ir.Pipeline{Canonical: []byte(canonical)}, nil
}
