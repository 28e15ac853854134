package pipeline

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"levada/internal/core/engine"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/listing"
	"levada/internal/core/run"
)

// now is the time in the form in which it is stored: UTC, whole microseconds.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Microsecond) }

// GetRun returns a run.
func (s *Service) GetRun(ctx context.Context, id string) (run.Run, error) {
	return s.deps.Store.GetRun(ctx, id)
}

// ActiveRuns returns the ids of the runs of a recurring run that have not ended.
func (s *Service) ActiveRuns(ctx context.Context, recurringRunID string) ([]string, error) {
	return s.deps.Store.ActiveRuns(ctx, recurringRunID)
}

// ListRuns lists runs; keys: id, display_name, description, state, experiment_id, pipeline_id, version_id, pipeline_name,
// recurring_run_id, created_at, scheduled_at, finished_at, archived.
func (s *Service) ListRuns(ctx context.Context, q listing.Query) (listing.Page[run.Run], error) {
	return s.deps.Store.ListRuns(ctx, q)
}

// RunGroups counts the runs that match by a key of theirs and state: state, experiment_id or pipeline_name. The largest groups come first, most
// of them; whole says that all runs were counted, and not only the newest.
func (s *Service) RunGroups(ctx context.Context, by string, q listing.Query, most int) (groups []run.Group, whole bool, err error) {
	return s.deps.Store.RunGroups(ctx, by, q, most)
}

// CancelRun asks a run to stop and returns when the request is on disk. Cancelling a finished run is a Conflict; asking twice is
// not.
func (s *Service) CancelRun(ctx context.Context, id string) error {
	r, err := s.deps.Store.GetRun(ctx, id)
	if err != nil {
		return err
	}
	if r.State.Final() {
		return finished(r)
	}
	a := s.actor(id)
	done := make(chan error, 1)
	if a == nil || !a.inbox.put(message{command: engine.Cancel{}, done: done}) {
		// It has just ended, or this process does not drive it.
		if r, err = s.deps.Store.GetRun(ctx, id); err == nil && r.State.Final() {
			return finished(r)
		}
		return fault.Unavailablef("run %s is not active in this process; try again in a moment", id)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ctx.Done():
		return fault.Unavailablef("the server is shutting down; try again when it is back")
	}
}

// ArchiveRun hides a run from default lists, or brings it back. One whose experiment is archived cannot come back: a Conflict.
func (s *Service) ArchiveRun(ctx context.Context, id string, archived bool) error {
	r, err := s.deps.Store.GetRun(ctx, id)
	if err != nil {
		return err
	}
	if !archived {
		e, err := s.deps.Store.GetExperiment(ctx, r.ExperimentID)
		if err == nil && e.Archived {
			return fault.Conflictf("run %s stays archived while its experiment %q is: unarchive that first", id, e.DisplayName)
		}
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return s.deps.Store.SetArchived(ctx, id, archived)
}

// DeleteRun removes a finished run with its tasks, events and logs. Content that no other run needs is collected later.
func (s *Service) DeleteRun(ctx context.Context, id string) error {
	if err := s.deleteRun(ctx, id); err != nil {
		return err
	}
	s.deleted.Store(true)
	return s.deps.Runner.Forget(ctx, id)
}

// deleteRun removes what the store has of a finished run, while nobody can let it go on.
func (s *Service) deleteRun(ctx context.Context, id string) error {
	done, err := s.alone(ctx)
	if err != nil {
		return err
	}
	defer done()
	r, err := s.deps.Store.GetRun(ctx, id)
	if err != nil {
		return err
	}
	if r.State == run.Canceling {
		return fault.Conflictf("run %s is %s; delete it when it is CANCELED", id, r.State)
	}
	if !r.State.Final() {
		return fault.Conflictf("run %s is %s; cancel it before deleting it", id, r.State)
	}
	return s.deps.Store.DeleteRun(ctx, id)
}

// Tasks returns all tasks of a run that exist so far, in the order in which they were created.
func (s *Service) Tasks(ctx context.Context, runID string) ([]run.Task, error) {
	if _, err := s.deps.Store.GetRun(ctx, runID); err != nil {
		return nil, err
	}
	return s.deps.Store.Tasks(ctx, runID)
}

// GetTask finds a task by id, path or, where it is unambiguous, name.
func (s *Service) GetTask(ctx context.Context, runID, task string) (run.Task, error) {
	t, err := s.deps.Store.GetTask(ctx, runID, task)
	if fault.KindOf(err) != fault.NotFound {
		return t, err
	}
	tasks, err := s.Tasks(ctx, runID)
	if err != nil {
		return run.Task{}, err
	}
	var named []run.Task
	for _, t := range tasks {
		if t.Path == task {
			return t, nil
		}
		if t.Name == task {
			named = append(named, t)
		}
	}
	switch len(named) {
	case 1:
		return named[0], nil
	case 0:
		return run.Task{}, fault.NotFoundf("run %s has no task %q", runID, task)
	}
	return run.Task{}, fault.Invalidf("run %s has %d tasks named %q; name one by its path, such as %q", runID, len(named), task, named[0].Path)
}

// Logs calls line for each line of an attempt of a task (attempt 0 means the newest); with follow it goes on until the task is
// final, over all further attempts when none was named. The log of a task whose result was reused is that of the task which made
// the result, after a line that says so.
func (s *Service) Logs(ctx context.Context, runID, task string, attempt int, follow bool, line func(run.LogLine) error) error {
	t, err := s.GetTask(ctx, runID, task)
	if err != nil {
		return err
	}
	if t.Cached {
		return s.reusedLogs(ctx, t, line)
	}
	if attempt > 0 || !follow {
		if attempt == 0 {
			attempt = max(1, t.Attempts)
		}
		running := follow && t.Attempts == attempt && !t.State.Final()
		return s.deps.Logs.Read(ctx, runID, t.ID, attempt, running, line)
	}
	return s.followLogs(ctx, runID, t.ID, line)
}

// reusedLogs reads the log behind a result that was reused, if its run is still there.
func (s *Service) reusedLogs(ctx context.Context, t run.Task, line func(run.LogLine) error) error {
	note := run.LogLine{At: t.CreatedAt, Stream: "system", Text: "the result was reused; this is the log of its task in run " + t.CachedFromRun}
	maker, err := s.deps.Store.GetTask(ctx, t.CachedFromRun, t.CachedFrom)
	if fault.KindOf(err) == fault.NotFound {
		note.Text = "the result was reused from run " + t.CachedFromRun + ", which was deleted with its logs"
		return line(note)
	}
	if err != nil {
		return err
	}
	if err := line(note); err != nil {
		return err
	}
	return s.deps.Logs.Read(ctx, maker.RunID, maker.ID, max(1, maker.Attempts), false, line)
}

// followLogs reads the attempts of a task one after the other as they happen.
func (s *Service) followLogs(ctx context.Context, runID, taskID string, line func(run.LogLine) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, tasks, updates, err := s.Watch(ctx, runID)
	if err != nil {
		return err
	}
	var t run.Task
	for _, candidate := range tasks {
		if candidate.ID == taskID {
			t = candidate
		}
	}
	read := max(0, t.Attempts-1) // begin with the newest attempt
	for {
		for read < t.Attempts {
			read++
			running := read == t.Attempts && !t.State.Final()
			if err := s.deps.Logs.Read(ctx, runID, taskID, read, running, line); err != nil {
				return err
			}
		}
		if t.State.Final() {
			return nil
		}
		u, open := <-updates
		if !open {
			return context.Cause(ctx)
		}
		if u.Task != nil && u.Task.ID == taskID {
			t = *u.Task
		}
	}
}

// RunSpec returns the specification a run was started from.
func (s *Service) RunSpec(ctx context.Context, runID string) (*ir.Pipeline, error) {
	r, err := s.deps.Store.GetRun(ctx, runID)
	if err != nil {
		return nil, err
	}
	return s.Spec(ctx, r.SpecDigest)
}

// Spec returns a stored specification by digest.
func (s *Service) Spec(ctx context.Context, digest string) (*ir.Pipeline, error) {
	s.mu.Lock()
	p := s.specs[digest]
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	body, err := s.deps.Store.GetSpec(ctx, digest)
	if err != nil {
		return nil, err
	}
	if p, err = s.deps.Parse(body); err != nil {
		return nil, err
	}
	return s.intern(p), nil
}

// intern returns the copy of a parsed specification that all its runs share, so that a thousand runs of one pipeline keep one.
func (s *Service) intern(p *ir.Pipeline) *ir.Pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.specs[p.Digest]; known != nil {
		return known
	}
	if len(s.specs) >= maxSpecs || s.specBytes+len(p.Canonical) > maxSpecBytes {
		clear(s.specs)
		s.specBytes = 0
	}
	s.specs[p.Digest] = p
	s.specBytes += len(p.Canonical)
	return p
}

// ListArtifacts lists artifacts; keys: run_id, task_id, name, schema_title, digest, created_at.
func (s *Service) ListArtifacts(ctx context.Context, q listing.Query) (listing.Page[run.Artifact], error) {
	return s.deps.Store.Artifacts(ctx, q)
}

// RunArtifacts lists what the tasks of a run gave, in the order of the tasks: what they made, and what they reused of earlier
// runs.
func (s *Service) RunArtifacts(ctx context.Context, runID string) ([]run.Artifact, error) {
	tasks, err := s.Tasks(ctx, runID)
	if err != nil {
		return nil, err
	}
	var out []run.Artifact
	for _, t := range tasks {
		if !t.Kind.Leaf() {
			continue
		}
		for _, output := range slices.Sorted(maps.Keys(t.Outputs.Artifacts)) {
			out = append(out, t.Outputs.Artifacts[output]...)
		}
	}
	return out, nil
}

// GetArtifact returns an artifact.
func (s *Service) GetArtifact(ctx context.Context, id string) (run.Artifact, error) {
	return s.deps.Store.GetArtifact(ctx, id)
}

// ArtifactFiles lists the files of an artifact whose content is held here.
func (s *Service) ArtifactFiles(ctx context.Context, id string) ([]run.BlobFile, error) {
	a, err := s.held(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.deps.Blobs.Files(ctx, a.Digest)
}

// OpenArtifact reads one file of an artifact; path is empty unless it is a directory.
func (s *Service) OpenArtifact(ctx context.Context, id, path string) (io.ReadSeekCloser, error) {
	a, err := s.held(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.deps.Blobs.Open(ctx, a.Digest, path)
}

func (s *Service) held(ctx context.Context, id string) (run.Artifact, error) {
	a, err := s.deps.Store.GetArtifact(ctx, id)
	if err == nil && a.Digest == "" {
		err = fault.NotFoundf("artifact %s (%s) has no content here; its address is %q", id, a.Name, a.URI)
	}
	return a, err
}
