package standin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/standin"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/rehearsal"
	"levada/internal/core/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const spec = `
schemaVersion: 2.1.0
pipelineInfo: {name: p}
deploymentSpec: {executors: {e: {container: {image: x, command: [x]}}}}
components:
  comp-a:
    executorLabel: e
    outputDefinitions:
      parameters: {n: {parameterType: NUMBER_INTEGER}}
      artifacts: {file: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}
root: {dag: {tasks: {a: {taskInfo: {name: a}, componentRef: {name: comp-a}}, b: {taskInfo: {name: b}, componentRef: {name: comp-a}}}}}
`

type fixture struct {
	*standin.Steps
	blobs *blob.Store
	dir   string
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	dir := t.TempDir()
	blobs, err := blob.Open(filepath.Join(dir, "blobs"), blob.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	return fixture{standin.New(blobs, dir), blobs, dir}
}

func plan(t *testing.T, replace map[string]rehearsal.Replacement) *rehearsal.Prepared {
	t.Helper()
	p, err := rehearsal.Prepare(rehearsal.Request{Spec: spec, Replace: replace})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func step(t *testing.T, name string) *run.Step {
	t.Helper()
	p, err := ir.Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return &run.Step{Job: run.Job{RunID: "r"}, TaskID: "t-" + name, TaskPath: name, TaskName: name, Attempt: 1, Component: p.Spec.Components["comp-a"]}
}

func none(rehearsal.Call) {}

func TestAFixtureIsCopiedAndStoredAsItsArtifact(t *testing.T) {
	f := newFixture(t)
	folder := filepath.Join(f.dir, "folder")
	if err := errors.Join(os.MkdirAll(filepath.Join(folder, "deep"), 0o755), os.WriteFile(filepath.Join(folder, "deep", "x"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	f.Begin("r", plan(t, map[string]rehearsal.Replacement{"a": {Outputs: map[string]rehearsal.Given{
		"n": {Value: 3.0}, "file": {Artifacts: []rehearsal.Fixture{{Path: folder, Metadata: map[string]any{"rows": 1.0}}}}}}}), none)
	if takes, err := f.Takes(t.Context(), step(t, "a")); err != nil || !takes {
		t.Fatalf("takes a: %t, %v", takes, err)
	}
	if takes, err := f.Takes(t.Context(), step(t, "b")); err != nil || takes {
		t.Fatalf("takes b, which nothing stands in for: %t, %v", takes, err)
	}
	got, err := f.Run(t.Context(), step(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	a := got.Artifacts["file"][0]
	if got.Parameters["n"] != 3.0 || a.SchemaTitle != "system.Dataset" || a.Metadata["rows"] != 1.0 || a.TaskID != "t-a" || !strings.HasPrefix(a.Digest, "dir-sha256:") {
		t.Errorf("outputs %+v", got)
	}
	if _, err := os.Stat(filepath.Join(folder, "deep", "x")); err != nil {
		t.Errorf("the fixture itself: %v", err)
	}
	path, err := f.Fetch(t.Context(), a.Digest, "../../escape")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := os.ReadFile(filepath.Join(path, "deep", "x")); err != nil || string(body) != "x" || !strings.HasPrefix(path, f.dir) {
		t.Errorf("fetched %s: %q, %v", path, body, err)
	}
}

func TestAStepWaitsForItsRunToBegin(t *testing.T) {
	f := newFixture(t)
	took := make(chan bool)
	s := step(t, "a")
	go func() {
		takes, err := f.Takes(context.Background(), s)
		took <- takes && err == nil
	}()
	f.Begin("r", plan(t, map[string]rehearsal.Replacement{"a": {Placeholders: true}}), none)
	if !<-took {
		t.Error("the step was not taken")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.Job.RunID = "another"
	if _, err := f.Takes(gone, s); !errors.Is(err, context.Canceled) {
		t.Errorf("a step of a run that never begins: %v", err)
	}
}

func TestAnAnswerThatDoesNotFitIsRefusedAndTheNextOneCounts(t *testing.T) {
	f := newFixture(t)
	calls := make(chan rehearsal.Call, 1)
	f.Begin("r", plan(t, map[string]rehearsal.Replacement{"a": {Call: true}}), func(c rehearsal.Call) { calls <- c })
	done := make(chan error)
	s := step(t, "a")
	go func() {
		_, err := f.Run(context.Background(), s)
		done <- err
	}()
	c := <-calls
	err := f.Answer(c.ID, rehearsal.Replacement{Outputs: map[string]rehearsal.Given{"n": {Value: "three"}}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "NUMBER_INTEGER") {
		t.Errorf("an answer of the wrong type: %v", err)
	}
	if err := f.Answer(c.ID, rehearsal.Replacement{Failure: &rehearsal.Failure{Message: "boom", ExitCode: 3}}); err != nil {
		t.Fatal(err)
	}
	var failure *run.Failure
	if err := <-done; !errors.As(err, &failure) || failure.Message != "boom" || failure.ExitCode != 3 {
		t.Errorf("the step ended with %v", err)
	}
	if err := f.Answer(c.ID, rehearsal.Replacement{Placeholders: true}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an answer that nobody waits for: %v", err)
	}
}
