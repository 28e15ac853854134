package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/adapter/blob"
	"levada/internal/core/cachekey"
	"levada/internal/core/fault"
	"levada/internal/core/listing"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

// clock is a time that a test moves on.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

const makesFile = `
schemaVersion: 2.1.0
pipelineInfo: {name: makes-file}
deploymentSpec: {executors: {e: {container: {image: x, command: [run]}}}}
components:
  comp-make:
    executorLabel: e
    inputDefinitions: {parameters: {text: {parameterType: STRING}}}
    outputDefinitions: {artifacts: {file: {artifactType: {schemaTitle: system.Artifact, schemaVersion: 0.0.1}}}}
root:
  inputDefinitions: {parameters: {text: {parameterType: STRING}}}
  dag:
    tasks:
      make: {componentRef: {name: comp-make}, taskInfo: {name: make}, cachingOptions: {enableCache: true}, inputs: {parameters: {text: {componentInputParameter: text}}}}
`

// withStaleness is makesFile whose task says how old a result may be.
func withStaleness(age string) string {
	return strings.TrimPrefix(makesFile, "\n") + `---
platforms: {kubernetes: {deploymentSpec: {executors: {e: {podMetadata: {annotations: {"` + cachekey.StalenessAnnotation + `": ` + age + `}}}}}}}
`
}

// maker is a runner whose steps store their input text as a file.
type maker struct {
	runner
	blobs *blob.Store
	dir   string
	env   atomic.Pointer[string]
}

// Environment is "env" unless the test says otherwise.
func (m *maker) Environment(ctx context.Context, s *run.Step) (run.Environment, error) {
	if env := m.env.Load(); env != nil {
		return run.Environment{Digest: *env}, nil
	}
	return m.runner.Environment(ctx, s)
}

func (m *maker) setEnvironment(digest string) { m.env.Store(&digest) }

func openMaker(t *testing.T, change func(*pipeline.Options)) (*pipeline.Service, *maker) {
	t.Helper()
	m := &maker{dir: t.TempDir()}
	m.do = m.make
	svc, _ := openWith(t, m.dir, &m.runner, func(o *pipeline.Options) {
		m.blobs, o.Runner = o.Blobs.(*blob.Store), m
		change(o)
	})
	return svc, m
}

func (m *maker) make(ctx context.Context, s *run.Step) (run.Values, error) {
	info, err := m.blobs.PutReader(ctx, strings.NewReader(s.Inputs.Parameters["text"].(string)))
	a := run.Artifact{ID: run.ArtifactID(s.TaskID, "file", 0), Name: "file", SchemaTitle: "system.Artifact", URI: "levada://" + info.Digest,
		Digest: info.Digest, Size: info.Size, RunID: s.Job.RunID, TaskID: s.TaskID}
	return run.Values{Artifacts: map[string][]run.Artifact{"file": {a}}}, err
}

func (m *maker) file(digest string) string {
	sum := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(m.dir, "blobs", "sha256", sum[:2], sum)
}

func start(t *testing.T, svc *pipeline.Service, spec, text string) run.Run {
	t.Helper()
	r, err := svc.Submit(context.Background(), pipeline.Submission{Spec: []byte(spec), Parameters: map[string]any{"text": text}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func explain(t *testing.T, svc *pipeline.Service, runID, task string) run.CacheExplanation {
	t.Helper()
	list, err := svc.ExplainCache(context.Background(), runID, task)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func digestOf(t *testing.T, svc *pipeline.Service, runID string) string {
	t.Helper()
	task, err := svc.GetTask(context.Background(), runID, "make")
	if err != nil {
		t.Fatal(err)
	}
	return task.Outputs.Artifacts["file"][0].Digest
}

func TestAResultThatIsTooOldIsMadeAgain(t *testing.T) {
	var c clock
	svc, _ := openMaker(t, func(o *pipeline.Options) { o.Now, o.CacheMaxAge = c.now, 24*time.Hour })
	first := wait(t, svc, start(t, svc, makesFile, "a").ID)
	c.advance(23 * time.Hour)
	if got := wait(t, svc, start(t, svc, makesFile, "a").ID); got.Cached != 1 {
		t.Fatal("a result of 23 hours was not reused although it may be 24 hours old")
	}
	c.advance(2 * time.Hour) // that the result was reused does not make it younger
	third := wait(t, svc, start(t, svc, makesFile, "a").ID)
	if third.Cached != 0 {
		t.Fatal("a result of 25 hours was reused")
	}
	x := explain(t, svc, third.ID, "make")
	if x.Outcome != run.CacheMiss || x.Entry == nil || x.Entry.RunID != first.ID ||
		!strings.Contains(x.Summary, "expired: it was made 25 h before, and a result may be at most 24 h old") {
		t.Errorf("explanation %+v", x)
	}
	if got := wait(t, svc, start(t, svc, makesFile, "a").ID); got.Cached != 1 {
		t.Error("the new result was not reused")
	}
}

func TestATaskSaysHowOldItsResultMayBe(t *testing.T) {
	var c clock
	svc, _ := openMaker(t, func(o *pipeline.Options) { o.Now, o.CacheMaxAge = c.now, 24*time.Hour })
	wait(t, svc, start(t, svc, makesFile, "a").ID)
	c.advance(48 * time.Hour)
	if got := wait(t, svc, start(t, svc, withStaleness("P3D"), "a").ID); got.Cached != 1 {
		t.Error("a task that takes results of three days did not take one of two, or its key is another")
	}
	if got := wait(t, svc, start(t, svc, withStaleness("P0D"), "a").ID); got.Cached != 0 {
		t.Error("a task that takes no old result took one")
	}
	_, err := svc.Submit(context.Background(), pipeline.Submission{Spec: []byte(withStaleness("often")), Parameters: map[string]any{"text": "a"}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), cachekey.StalenessAnnotation) {
		t.Errorf("an age that cannot be read: %v", err)
	}
}

func TestAResultWhoseContentIsLostIsMadeAgain(t *testing.T) {
	svc, m := openMaker(t, func(*pipeline.Options) {})
	first := wait(t, svc, start(t, svc, makesFile, "a").ID)
	if err := os.Remove(m.file(digestOf(t, svc, first.ID))); err != nil {
		t.Fatal(err)
	}
	second := wait(t, svc, start(t, svc, makesFile, "a").ID)
	x := explain(t, svc, second.ID, "make")
	if second.Cached != 0 || !strings.Contains(x.Summary, `incomplete: the content of its artifact "file" is not here any more`) {
		t.Errorf("%d cached, explanation %+v", second.Cached, x)
	}
	// The other entry is the one that counts from now on, also when the first run is deleted.
	if err := svc.DeleteRun(context.Background(), first.ID); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, svc, start(t, svc, makesFile, "a").ID); got.Cached != 1 {
		t.Error("the result that was made again was not reused")
	}
}

func TestAResultWhoseContentIsCutOffIsMadeAgain(t *testing.T) {
	svc, m := openMaker(t, func(*pipeline.Options) {})
	first := wait(t, svc, start(t, svc, makesFile, "four").ID)
	file := m.file(digestOf(t, svc, first.ID))
	if err := errors.Join(os.Chmod(file, 0o600), os.Truncate(file, 2)); err != nil {
		t.Fatal(err)
	}
	if second := wait(t, svc, start(t, svc, makesFile, "four").ID); second.Cached != 0 {
		t.Error("a result was reused of which half is missing")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "four" {
		t.Errorf("the content is %q, %v", b, err)
	}
}

func TestTheSameWorkAtTheSameTimeIsExplained(t *testing.T) {
	both := make(chan struct{}, 2)
	svc, m := openMaker(t, func(*pipeline.Options) {})
	inner := m.do
	release := make(chan struct{})
	m.do = func(ctx context.Context, s *run.Step) (run.Values, error) {
		both <- struct{}{}
		<-release
		return inner(ctx, s)
	}
	one, two := start(t, svc, makesFile, "a"), start(t, svc, makesFile, "a")
	<-both
	<-both
	close(release)
	wait(t, svc, one.ID)
	wait(t, svc, two.ID)
	if x := explain(t, svc, one.ID, "make"); !strings.Contains(x.Summary, "has the same key, but had not ended") || x.Entry.RunID != two.ID {
		t.Errorf("explanation %+v", x)
	}
}

func TestFailedSkippedAndGroupedTasksAreExplained(t *testing.T) {
	svc, m := openMaker(t, func(*pipeline.Options) {})
	m.do = func(context.Context, *run.Step) (run.Values, error) { return run.Values{}, errors.New("no") }
	failed := wait(t, svc, start(t, svc, makesFile, "a").ID)
	if x := explain(t, svc, failed.ID, "make"); x.Outcome != run.CacheMiss || x.Key == "" || !strings.Contains(x.Summary, "no result of component comp-make") {
		t.Errorf("a failed task: %+v", x)
	}
	if page, err := svc.ListCache(context.Background(), listing.Query{}); err != nil || page.Total != 0 {
		t.Errorf("a failed task left %d entries, %v", page.Total, err)
	}
	r := wait(t, svc, submit(t, svc, "x").ID) // of two steps whose first fails
	if x := explain(t, svc, r.ID, "second"); x.Outcome != run.CacheUnused || !strings.Contains(x.Summary, "the task was not looked up: it is ") {
		t.Errorf("a task that never ran: %+v", x)
	}
}

func TestContentIsCollectedWhenItsLastRunIsDeleted(t *testing.T) {
	var c clock
	svc, _ := openMaker(t, func(o *pipeline.Options) { o.Now = c.now })
	ctx := context.Background()
	first := wait(t, svc, start(t, svc, makesFile, "shared").ID)
	second := wait(t, svc, start(t, svc, makesFile, "shared").ID)
	other := wait(t, svc, start(t, svc, makesFile, "other").ID)
	c.advance(2 * pipeline.CollectAge)
	collect := func(want run.Swept) {
		t.Helper()
		got, err := svc.CollectGarbage(ctx, pipeline.CollectAge, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	remove := func(r run.Run) {
		t.Helper()
		if err := svc.DeleteRun(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	collect(run.Swept{KeptFiles: 2, KeptBytes: 11})
	remove(first) // second has reused its file
	if _, err := svc.PruneCache(ctx, run.CacheSelection{}, true, false); err != nil {
		t.Fatal(err)
	}
	collect(run.Swept{KeptFiles: 2, KeptBytes: 11})
	remove(second)
	collect(run.Swept{Files: 1, Bytes: 6, KeptFiles: 1, KeptBytes: 5})
	remove(other)
	if got, err := svc.CollectGarbage(ctx, pipeline.CollectAge, true); err != nil || got.Files != 1 || !got.DryRun {
		t.Errorf("dry run %+v, %v", got, err)
	}
	collect(run.Swept{Files: 1, Bytes: 5})
	if _, err := svc.CollectGarbage(ctx, -1, false); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a negative age: %v", err)
	}
}

func TestNothingThatARunningStepHasStoredIsCollected(t *testing.T) {
	var c clock
	svc, m := openMaker(t, func(o *pipeline.Options) { o.Now = c.now })
	stored, release := make(chan run.Values), make(chan struct{})
	m.do = func(ctx context.Context, s *run.Step) (run.Values, error) {
		out, err := m.make(ctx, s)
		stored <- out
		<-release // for hours, storing another large output, say
		return out, err
	}
	r := start(t, svc, makesFile, "precious")
	digest := (<-stored).Artifacts["file"][0].Digest
	c.advance(72 * time.Hour)
	got, err := svc.CollectGarbage(context.Background(), pipeline.CollectAge, false)
	if err != nil || got.Files != 0 || got.Young != 1 {
		t.Errorf("collected %+v, %v", got, err)
	}
	close(release)
	if got := wait(t, svc, r.ID); got.State != run.Succeeded {
		t.Fatalf("run is %s", got.State)
	}
	if got, err = svc.CollectGarbage(context.Background(), pipeline.CollectAge, false); err != nil || got.KeptFiles != 1 || got.Files != 0 {
		t.Errorf("collected %+v, %v", got, err)
	}
	if ok, err := m.blobs.Has(context.Background(), digest); err != nil || !ok {
		t.Errorf("the output is here: %t, %v", ok, err)
	}
}

func TestContentThatOthersNeedStays(t *testing.T) {
	var c clock
	var needed string
	svc, m := openMaker(t, func(o *pipeline.Options) {
		o.Now = c.now
		o.Needed = append(o.Needed, func(_ context.Context, yield func(string) error) error { return yield(needed) })
	})
	info, err := m.blobs.PutReader(context.Background(), strings.NewReader("of another service"))
	if err != nil {
		t.Fatal(err)
	}
	needed = info.Digest
	c.advance(2 * pipeline.CollectAge)
	if got, err := svc.CollectGarbage(context.Background(), pipeline.CollectAge, false); err != nil || got.Files != 0 || got.KeptFiles != 1 {
		t.Errorf("collected %+v, %v", got, err)
	}
}

func TestASelectionOfEverythingMustSaySo(t *testing.T) {
	svc, _ := openMaker(t, func(*pipeline.Options) {})
	ctx := context.Background()
	r := wait(t, svc, start(t, svc, makesFile, "a").ID)
	for _, c := range []struct {
		selected run.CacheSelection
		all      bool
		want     string
	}{
		{run.CacheSelection{}, false, "say which entries"},
		{run.CacheSelection{Component: "make"}, true, "not both"},
		{run.CacheSelection{Key: "abc"}, false, "not a cache key"},
		{run.CacheSelection{Key: "sha256:0000000000000000"}, false, "no entry with the key"},
	} {
		if _, err := svc.PruneCache(ctx, c.selected, c.all, false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c, err, c.want)
		}
	}
	key := explain(t, svc, r.ID, "make").Key
	for _, selected := range []run.CacheSelection{
		{Component: "make"}, {Component: "comp-make"}, {Pipeline: "makes-file"}, {RunID: r.ID}, {Key: key[:20]}, {CreatedBefore: time.Now().Add(time.Hour)},
	} {
		if got, err := svc.PruneCache(ctx, selected, false, true); err != nil || got.Entries != 1 {
			t.Errorf("%+v: %+v, %v", selected, got, err)
		}
	}
	if got, err := svc.PruneCache(ctx, run.CacheSelection{CreatedBefore: time.Now().Add(-time.Hour)}, false, true); err != nil || got.Entries != 0 {
		t.Errorf("older ones: %+v, %v", got, err)
	}
}

// packages lists environments that a test made up.
type packages map[string][]string

func (p packages) Packages(_ context.Context, digest string) ([]string, error) { return p[digest], nil }

func TestChangedCodeAndPackagesAreShown(t *testing.T) {
	svc, m := openMaker(t, func(o *pipeline.Options) {
		o.Packages = packages{"env": {"python==3.11.9", "pandas==2.2.1"}, "env 2": {"python==3.11.9", "pandas==2.2.3"}}
	})
	wait(t, svc, start(t, svc, makesFile, "a").ID)
	m.setEnvironment("env 2")
	second := wait(t, svc, start(t, svc, strings.Replace(makesFile, "command: [run]", `command: [run, "now with\ntwo lines"]`, 1), "a").ID)
	x := explain(t, svc, second.ID, "make")
	want := []run.KeyDifference{
		{Kind: run.PartCode, Text: "code of the component changed", Lines: []string{"--- before", "+++ after", "@@ -1,1 +1,3 @@", " run", "+now with", "+two lines"}},
		{Kind: run.PartEnvironment, Before: "env", After: "env 2", Text: "environment: pandas 2.2.1 -> 2.2.3", Lines: []string{"pandas 2.2.1 -> 2.2.3"}},
	}
	if diff := cmp.Diff(want, x.Differences); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if x.Entry == nil || x.Entry.RunName == "" || x.Entry.Path != "make" {
		t.Errorf("nearest entry %+v", x.Entry)
	}
	m.setEnvironment("an environment that was removed")
	third := wait(t, svc, start(t, svc, makesFile, "a").ID)
	if x := explain(t, svc, third.ID, "make"); len(x.Differences) != 1 || x.Differences[0].Text != "environment: other packages or another Python" {
		t.Errorf("differences %+v", x.Differences)
	}
}

func TestTheNearestEntryIsTheOneWithTheFewestDifferences(t *testing.T) {
	svc, m := openMaker(t, func(*pipeline.Options) {})
	near := wait(t, svc, start(t, svc, makesFile, "a").ID)
	m.setEnvironment("env 2")
	wait(t, svc, start(t, svc, makesFile, "b").ID) // newer, and farther
	m.setEnvironment("env")
	got := wait(t, svc, start(t, svc, makesFile, "c").ID)
	x := explain(t, svc, got.ID, "make")
	if x.Entry == nil || x.Entry.RunID != near.ID || len(x.Differences) != 1 || x.Differences[0].Text != `parameter text: "a" -> "c"` {
		t.Errorf("explanation %+v", x)
	}
	// Entries made later do not change what was true at the time.
	wait(t, svc, start(t, svc, makesFile, "d").ID)
	if again := explain(t, svc, got.ID, "make"); again.Summary != x.Summary {
		t.Errorf("later: %s; before: %s", again.Summary, x.Summary)
	}
}

// sweeps tells of each collection.
type sweeps struct {
	*blob.Store
	done chan run.Swept
}

func (s sweeps) Sweep(ctx context.Context, before time.Time, dryRun bool, roots func(func(string) error) error) (run.Swept, error) {
	swept, err := s.Store.Sweep(ctx, before, dryRun, roots)
	if err == nil {
		s.done <- swept
	}
	return swept, err
}

func TestAServerCollectsByItselfAfterItsStartAndAfterADeletion(t *testing.T) {
	var c clock
	done := make(chan run.Swept)
	svc, _ := openMaker(t, func(o *pipeline.Options) {
		o.Now, o.CollectEvery, o.Blobs = c.now, time.Millisecond, sweeps{o.Blobs.(*blob.Store), done}
	})
	if first := <-done; first.Files != 0 {
		t.Errorf("the first collection removed %+v", first)
	}
	r := wait(t, svc, start(t, svc, makesFile, "a").ID)
	c.advance(2 * pipeline.CollectAge)
	if err := svc.DeleteRun(context.Background(), r.ID); err != nil {
		t.Fatal(err)
	}
	if second := <-done; second.Files != 1 {
		t.Errorf("the collection after the deletion removed %+v", second)
	}
}
