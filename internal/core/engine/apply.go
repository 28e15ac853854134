package engine

import (
	"container/heap"
	"fmt"

	"levada/internal/core/run"
)

// Apply advances the state by one event. An error means that the log is not one this engine has written.
func (s *State) Apply(e Event) error {
	switch e.Type {
	case RunStarted:
		return s.applyStart(e)
	case CancelRequested, RunTimedOut:
		s.canceling, s.timedOut = true, e.Type == RunTimedOut
		s.enter(run.Canceling, e)
		for _, n := range s.collect(func(n *node) bool { return n.phase == phaseRunning }) {
			s.touch(n) // it shows as CANCELING from now on
		}
		return nil
	case RunRetried:
		if s.root == nil {
			return fmt.Errorf("event %s comes before the run has started", e.Type)
		}
		s.applyRetry(e)
		return nil
	case RunFinished:
		s.enter(e.State, e)
		s.failure, s.finishedAt = e.Failure, e.At
		if e.Outputs != nil {
			s.outputs = *e.Outputs
		}
		if s.root != nil {
			s.root.phase = phaseFinal
		}
		return nil
	}
	n := s.nodes[e.Task]
	if n == nil {
		return fmt.Errorf("event %s names task %q, which does not exist", e.Type, e.Task)
	}
	if n.phase == phaseFinal {
		return fmt.Errorf("event %s for task %q, which is already %s", e.Type, e.Task, n.state)
	}
	s.touch(n)
	return s.applyTask(n, e)
}

func (s *State) applyTask(n *node, e Event) error {
	switch e.Type {
	case GroupOpened:
		if err := s.bind(n, e); err != nil {
			return err
		}
		s.openGroup(n, e)
	case GroupResumed:
		if n.startedAt.IsZero() {
			n.startedAt = e.At
		}
		s.began(n)
		s.reopen(n)
	case TaskReady:
		n.phase, n.state, n.reason = phaseReady, run.Pending, "being prepared: environment, cache, room on the machine"
		if err := s.bind(n, e); err != nil {
			return err
		}
		n.prepare(e.At)
		s.began(n)
	case TaskLaunched:
		n.phase, n.state, n.reason, n.attempt, n.cacheKey = phaseRunning, run.Running, "", e.Attempt, e.CacheKey
		n.lookup = e.Lookup
		s.attempts[n.path] = e.Attempt
		n.launch(e)
	case TaskLost:
		n.lose(e.At)
		n.phase, n.state, n.reason = phaseReady, run.Pending, "the attempt was lost; it is started again"
	case TaskRetrying:
		n.failures++
		n.ended(e.At, failureReason(e.Failure))
		n.phase, n.state, n.failure = phaseWaiting, run.Pending, e.Failure
		n.wakeAt = *e.RetryAt
		n.reason = fmt.Sprintf("attempt failed; tried again at %s", e.RetryAt.UTC().Format("15:04:05 UTC"))
		heap.Push(&s.sleeping, sleeper{n, n.wakeAt})
	case TaskCached, TaskSucceeded:
		if e.Outputs != nil {
			n.outputs = *e.Outputs
		}
		if e.Type == TaskCached {
			n.cachedFrom, n.cachedRun, n.cacheKey = e.CachedFrom, e.CachedFromRun, e.CacheKey
		}
		n.failure = nil
		s.finish(n, run.Succeeded, e)
	case TaskFailed:
		n.failure = e.Failure
		s.finish(n, run.Failed, e)
	case TaskSkipped:
		s.finish(n, run.Skipped, e)
	case TaskCanceled:
		s.finish(n, run.Canceled, e)
	case GroupFinished:
		if e.Outputs != nil {
			n.outputs = *e.Outputs
		}
		n.failure = e.Failure
		s.finish(n, e.State, e)
	default:
		return fmt.Errorf("unknown event %q", e.Type)
	}
	return nil
}

func (s *State) enter(state run.State, e Event) {
	s.state = state
	s.history = append(s.history, run.StateChange{State: state, At: e.At})
}

func (s *State) applyStart(e Event) error {
	if e.Job == nil {
		return fmt.Errorf("event %s has no job", e.Type)
	}
	s.job = *e.Job
	s.history = append(s.history, run.StateChange{State: run.Pending, At: e.Job.CreatedAt})
	s.enter(run.Running, e)
	s.setDeadline(e.At)
	s.root = &node{kind: run.KindDAG, comp: s.pipeline.Spec.Root, state: run.Running, phase: phaseOpen, iteration: -1,
		inputs: run.Values{Parameters: e.Parameters}}
	s.openDAG(s.root, e)
	return nil
}

func (s *State) openGroup(n *node, e Event) {
	n.phase, n.state, n.reason, n.failure = phaseOpen, run.Running, "", nil
	s.drop(n.children) // of an earlier try
	n.children, n.unfinished, n.open, n.next, n.firstBad = nil, 0, 0, 0, nil
	if n.startedAt.IsZero() {
		n.startedAt = e.At
	}
	s.began(n)
	if n.kind != run.KindLoop {
		s.openDAG(n, e)
		return
	}
	n.items = nil
	count := 0
	if it := n.task.ArtifactIterator; it != nil {
		count = len(n.inputs.Artifacts[it.Items.InputArtifact])
	} else {
		n.items = loopItems(n.task.ParameterIterator, n.inputs.Parameters)
		count = len(n.items)
	}
	n.children = make([]*node, 0, count)
	for i := range count {
		s.iterate(n, i, e.At)
	}
	s.push(n)
}

func (s *State) openDAG(n *node, e Event) {
	p := s.planOf(n.comp)
	n.children = make([]*node, 0, len(p.names))
	for i, name := range p.names {
		t := n.comp.DAG.Tasks[name]
		c := s.pipeline.Spec.Component(t)
		child := s.add(n, name, s.kindOf(t, c), t, c, e.At)
		if child.waiting = len(p.up[i]); child.waiting == 0 {
			s.push(child)
		}
	}
	s.push(n)
}

// drop forgets nodes and everything below them.
func (s *State) drop(nodes []*node) {
	for _, n := range nodes {
		s.drop(n.children)
		delete(s.nodes, n.path)
		s.removed = append(s.removed, n.path)
	}
}

// bind sets a node's inputs. Those of an iteration are not in its event: they are the loop's, which may hold a list as long
// as the loop, and one item of it.
func (s *State) bind(n *node, e Event) (err error) {
	switch {
	case e.Inputs != nil:
		n.inputs = *e.Inputs
	case n.isIteration():
		n.inputs, err = s.itemInputs(n.parent, n)
	default:
		err = fmt.Errorf("event %s for task %q has no inputs", e.Type, e.Task)
	}
	return err
}

// began tells a loop that one of its iterations is under way.
func (s *State) began(n *node) {
	if n.isIteration() && n.index >= n.parent.next { // those between are final
		n.parent.open++
		n.parent.next = n.index + 1
	}
}

// finish makes a node final and tells those who wait for it.
func (s *State) finish(n *node, state run.State, e Event) {
	started := n.phase == phaseOpen || n.phase == phaseReady || n.phase == phaseRunning || n.phase == phaseWaiting
	n.phase, n.state, n.reason, n.finishedAt = phaseFinal, state, e.Reason, e.At
	if state != run.Succeeded {
		n.ended(e.At, failureReason(e.Failure))
	} else {
		n.ended(e.At, "")
	}
	parent := n.parent
	parent.unfinished--
	if (state == run.Failed || state == run.Canceled) && parent.firstBad == nil {
		parent.firstBad = n
	}
	if parent.kind == run.KindLoop {
		if started {
			parent.open--
		} else if n.index == parent.next {
			parent.next++
		}
		s.push(parent)
		return
	}
	for _, j := range s.planOf(parent.comp).down[n.index] {
		d := parent.children[j]
		if d.waiting--; d.waiting == 0 {
			s.push(d)
		}
	}
	if parent.unfinished == 0 {
		s.push(parent)
	}
}

func (s *State) push(n *node) { s.queue = append(s.queue, n) }
