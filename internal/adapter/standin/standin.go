// Package standin stands in for steps: it answers with the canned outputs of a rehearsal instead of starting a process, and stores
// fixtures as the artifacts they stand for.
//
// It knows rehearsals and blobs, nothing of runs, processes or HTTP. Start reading at Steps.Run.
package standin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/rehearsal"
	"levada/internal/core/run"
)

// Blobs stores content by digest.
type Blobs interface {
	// Put stores a file or directory and moves it away from path.
	Put(ctx context.Context, path string) (run.BlobInfo, error)
	PutReader(ctx context.Context, r io.Reader) (run.BlobInfo, error)
	// Materialise makes the content appear at dest, as read-only files.
	Materialise(ctx context.Context, digest, dest string) error
}

// Steps stands in for the steps of the runs it was told of. It is safe for concurrent use.
type Steps struct {
	blobs Blobs
	dir   string
	next  atomic.Uint64

	mu    sync.Mutex
	runs  map[string]*rehearsed
	calls map[string]call
}

// call is a step that waits for the test's answer.
type call struct {
	component *ir.Component
	answer    chan rehearsal.Replacement
}

// rehearsed is a run, known once begun is closed.
type rehearsed struct {
	begun chan struct{}
	plan  *rehearsal.Prepared
	ask   func(rehearsal.Call)
}

// New returns Steps that copies fixtures, and what it hands out, below dir.
func New(blobs Blobs, dir string) *Steps {
	return &Steps{blobs: blobs, dir: dir, runs: map[string]*rehearsed{}, calls: map[string]call{}}
}

// Begin says what stands in for the steps of a run. Steps of a run wait for it. ask is called for each step whose answer the test
// must give; it must not block.
func (s *Steps) Begin(runID string, plan *rehearsal.Prepared, ask func(rehearsal.Call)) {
	r := s.rehearsed(runID)
	r.plan, r.ask = plan, ask
	close(r.begun)
}

// End forgets a run that is final.
func (s *Steps) End(runID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, runID)
}

func (s *Steps) rehearsed(runID string) *rehearsed {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[runID]
	if r == nil {
		r = &rehearsed{begun: make(chan struct{})}
		s.runs[runID] = r
	}
	return r
}

// Takes reports whether something stands in for a step.
func (s *Steps) Takes(ctx context.Context, step *run.Step) (bool, error) {
	r := s.rehearsed(step.Job.RunID)
	select {
	case <-r.begun:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	_, takes := r.plan.For(step)
	return takes, nil
}

// Run gives what stands in for a step that it takes. The error is a *run.Failure.
func (s *Steps) Run(ctx context.Context, step *run.Step) (run.Values, error) {
	r := s.rehearsed(step.Job.RunID)
	answer, _ := r.plan.For(step)
	if answer.Call {
		var err error
		if answer, err = s.call(ctx, r, step); err != nil {
			return run.Values{}, err
		}
	}
	if f := answer.Failure; f != nil {
		return run.Values{}, &run.Failure{Reason: run.ReasonExit, Message: f.Message, ExitCode: f.ExitCode}
	}
	outputs, err := rehearsal.Outputs(answer, step.Component)
	if err != nil {
		return run.Values{}, &run.Failure{Reason: run.ReasonOutput, Message: "what stands in for the step: " + err.Error()}
	}
	values, err := s.values(ctx, step, outputs)
	if err != nil && ctx.Err() == nil {
		err = &run.Failure{Reason: run.ReasonOutput, Message: "what stands in for the step: " + err.Error()}
	}
	return values, err
}

// call asks the test and waits for its answer.
func (s *Steps) call(ctx context.Context, r *rehearsed, step *run.Step) (rehearsal.Replacement, error) {
	id := strconv.FormatUint(s.next.Add(1), 10)
	answer := make(chan rehearsal.Replacement, 1)
	s.mu.Lock()
	s.calls[id] = call{step.Component, answer}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.calls, id)
		s.mu.Unlock()
	}()
	r.ask(rehearsal.Call{ID: id, Path: step.TaskPath, Name: step.TaskName, Attempt: step.Attempt, Iteration: step.Iteration, Inputs: step.Inputs})
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return rehearsal.Replacement{}, ctx.Err()
	}
}

// Answer is the test's answer to a call. One that is not what the step's component declares is Invalid, and the step waits on.
func (s *Steps) Answer(id string, a rehearsal.Replacement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.calls[id]
	if !ok {
		return fault.NotFoundf("no step waits for an answer to call %q: its run has ended", id)
	}
	if err := rehearsal.Check(a, c.component); err != nil {
		return err
	}
	delete(s.calls, id)
	c.answer <- a
	return nil
}

// Fetch makes the content of an artifact appear on the disk and returns where.
func (s *Steps) Fetch(ctx context.Context, digest, name string) (string, error) {
	dir, err := os.MkdirTemp(s.dir, "artifact-")
	if err != nil {
		return "", err
	}
	if name = filepath.Base(name); !filepath.IsLocal(name) || name == "." {
		name = "artifact"
	}
	path := filepath.Join(dir, name)
	return path, s.blobs.Materialise(ctx, digest, path)
}

// values stores the fixtures among the outputs.
func (s *Steps) values(ctx context.Context, step *run.Step, outputs map[string]rehearsal.Given) (run.Values, error) {
	values := run.Values{Parameters: map[string]any{}, Artifacts: map[string][]run.Artifact{}}
	for name, given := range outputs {
		if given.Artifacts == nil {
			values.Parameters[name] = given.Value
			continue
		}
		def := step.Component.OutputDefinitions.Artifacts[name]
		list := make([]run.Artifact, len(given.Artifacts))
		for i, fixture := range given.Artifacts {
			a := run.Artifact{
				ID: run.ArtifactID(step.TaskID, name, i), Name: name, Metadata: fixture.Metadata, URI: fixture.URI,
				SchemaTitle: def.ArtifactType.SchemaTitle, SchemaVersion: def.ArtifactType.SchemaVersion, InstanceSchema: def.ArtifactType.InstanceSchema,
				RunID: step.Job.RunID, TaskID: step.TaskID, TaskName: step.TaskName,
			}
			if err := s.store(ctx, fixture, &a); err != nil {
				return values, fmt.Errorf("output %q: %w", name, err)
			}
			list[i] = a
		}
		values.Artifacts[name] = list
	}
	return values, nil
}

// store stores a copy of a fixture, which belongs to the test.
func (s *Steps) store(ctx context.Context, fixture rehearsal.Fixture, a *run.Artifact) error {
	var info run.BlobInfo
	var err error
	switch {
	case fixture.Path != "":
		info, err = s.copy(ctx, fixture.Path)
	case fixture.Empty:
		info, err = s.blobs.PutReader(ctx, bytes.NewReader(nil))
	default:
		return nil
	}
	if err != nil {
		return err
	}
	a.Digest, a.Size, a.Files, a.URI = info.Digest, info.Size, info.Files, "levada://"+info.Digest
	return nil
}

func (s *Steps) copy(ctx context.Context, path string) (run.BlobInfo, error) {
	st, err := os.Stat(path)
	if err != nil {
		return run.BlobInfo{}, err
	}
	if st.IsDir() {
		to, err := os.MkdirTemp(s.dir, "fixture-")
		if err != nil {
			return run.BlobInfo{}, err
		}
		if err := os.CopyFS(to, os.DirFS(path)); err != nil {
			return run.BlobInfo{}, err
		}
		return s.blobs.Put(ctx, to)
	}
	if !st.Mode().IsRegular() {
		return run.BlobInfo{}, fault.Invalidf("%s is neither a file nor a directory", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return run.BlobInfo{}, err
	}
	defer f.Close()
	return s.blobs.PutReader(ctx, f)
}
