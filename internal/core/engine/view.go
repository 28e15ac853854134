package engine

import (
	"slices"
	"time"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// Due lists what the caller has to carry out or wait for.
type Due struct {
	// Ready are the leaves to look up in the cache and launch.
	Ready []string
	// Running are the leaves whose present attempt was announced.
	Running []string
	// WakeAt is when the next retry is due; zero when none is.
	WakeAt time.Time
}

// Due returns the work that the state leaves open, in order of creation. After a replay it is everything the caller
// must take up again.
func (s *State) Due() Due {
	var due Due
	for _, n := range s.collect(func(n *node) bool { return n.phase != phaseOpen && n.phase != phaseFinal && n.phase != phasePending }) {
		switch n.phase {
		case phaseReady:
			due.Ready = append(due.Ready, n.path)
		case phaseRunning:
			due.Running = append(due.Running, n.path)
		}
	}
	due.WakeAt = s.WakeAt()
	return due
}

// WakeAt returns when the next retry or the run's deadline is due, and zero when neither is.
func (s *State) WakeAt() time.Time {
	at := s.deadlineDue()
	if n := s.nextSleeper(); n != nil && (at.IsZero() || n.wakeAt.Before(at)) {
		at = n.wakeAt
	}
	return at
}

// Status returns the state of the run and whether it is being cancelled.
func (s *State) Status() (run.State, bool) { return s.state, s.canceling }

// Job returns what the steps of the run have in common.
func (s *State) Job() run.Job { return s.job }

// Step describes the present or next attempt of a leaf.
func (s *State) Step(task string) *run.Step {
	n := s.nodes[task]
	label := n.comp.ExecutorLabel
	attempt := n.attempt
	if n.phase != phaseRunning {
		attempt++
	}
	step := &run.Step{
		Job: s.job, TaskID: s.id(n), TaskPath: n.path, TaskName: n.stepName(), DisplayName: n.task.TaskInfo.Name, Attempt: attempt,
		Component: n.comp, Executor: s.pipeline.Spec.DeploymentSpec.Executors[label], Kubernetes: s.pipeline.Kubernetes(label),
		Inputs: n.inputs, Iteration: n.iteration,
	}
	s.settings(n, step)
	return step
}

// stepName is the task's name in its DAG, also for an iteration that is a leaf itself.
func (n *node) stepName() string {
	if n.isIteration() {
		return n.parent.name
	}
	return n.name
}

// id returns a task's id, which is a hash: it is computed once.
func (s *State) id(n *node) string {
	if n.id == "" {
		n.id = run.TaskID(s.job.RunID, n.path)
	}
	return n.id
}

// Caching returns the caching options of a task.
func (s *State) Caching(task string) ir.CachingOptions { return s.nodes[task].task.CachingOptions }

// TakeLookup returns how the last attempt of a task was looked up in the cache, and forgets it: a run may have very many tasks.
func (s *State) TakeLookup(task string) *run.CacheLookup {
	n := s.nodes[task]
	lookup := n.lookup
	n.lookup = nil
	return lookup
}

// ComponentName returns the name of a task's component in the specification.
func (s *State) ComponentName(task string) string { return s.nodes[task].task.ComponentRef.Name }

// TakeChanged returns the tasks that changed since the last call, each once, in order of creation.
func (s *State) TakeChanged() []run.Task {
	slices.SortFunc(s.dirty, func(a, b *node) int { return a.ordinal - b.ordinal })
	out := make([]run.Task, 0, len(s.dirty))
	for _, n := range s.dirty {
		n.dirty = false
		if s.nodes[n.path] == n {
			out = append(out, s.view(n))
		}
	}
	s.dirty = s.dirty[:0]
	return out
}

// TakeRemoved returns the paths of the tasks that are gone since the last call: those of an earlier try of a group that the new
// try does not have.
func (s *State) TakeRemoved() []string {
	gone := slices.DeleteFunc(s.removed, func(path string) bool { return s.nodes[path] != nil })
	s.removed = nil
	return gone
}

// Describe fills in the parts of a run that its events decide.
func (s *State) Describe(r *run.Run) {
	r.State, r.Failure, r.Outputs = s.state, s.failure, s.outputs
	r.History = slices.Clone(s.history)
	r.FinishedAt = instant(s.finishedAt)
}

func (s *State) view(n *node) run.Task {
	t := run.Task{
		ID: s.id(n), RunID: s.job.RunID, Path: n.path, Parent: n.parent.path, Name: n.name,
		DisplayName: n.task.TaskInfo.Name, Kind: n.kind, State: n.state, Reason: n.reason,
		Component: n.task.ComponentRef.Name, Attempts: n.attempt,
		Cached: n.cachedFrom != "", CachedFrom: n.cachedFrom, CachedFromRun: n.cachedRun, CacheKey: n.cacheKey,
		Inputs: n.inputs, Outputs: n.outputs, Failure: n.failure,
		CreatedAt: n.createdAt, ReadyAt: instant(n.readyAt), StartedAt: instant(n.startedAt), FinishedAt: instant(n.finishedAt),
		Tries: n.allTries(),
	}
	if t.DisplayName == "" || n.isIteration() {
		t.DisplayName = n.name
	}
	if n.isIteration() {
		i := n.index
		t.Iteration = &i
		t.Inputs = n.item()
	}
	for _, u := range s.upstreams(n) {
		t.DependsOn = append(t.DependsOn, u.path)
	}
	if e := s.pipeline.Spec.Executor(n.comp); e != nil && e.Container != nil {
		t.Image = e.Container.Image
	}
	if k := s.pipeline.Kubernetes(n.comp.ExecutorLabel); k != nil && k.PodMetadata != nil {
		t.Labels, t.Annotations = k.PodMetadata.Labels, k.PodMetadata.Annotations
	}
	if s.canceling && n.phase == phaseRunning {
		t.State = run.Canceling
	}
	return t
}

// item is what sets an iteration apart from its loop.
func (n *node) item() run.Values {
	if it := n.task.ParameterIterator; it != nil {
		return run.Values{Parameters: map[string]any{it.ItemInput: n.inputs.Parameters[it.ItemInput]}}
	}
	name := n.task.ArtifactIterator.ItemInput
	return run.Values{Artifacts: map[string][]run.Artifact{name: n.inputs.Artifacts[name]}}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
