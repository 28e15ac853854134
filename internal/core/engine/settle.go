package engine

import (
	"fmt"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// settle looks at every node whose situation may have changed and emits what follows, until nothing more does. Each node
// is queued once per change, so a run costs time linear in its tasks.
func (d *decision) settle() error {
	for len(d.queue) > 0 {
		n := d.queue[0]
		d.queue = d.queue[1:]
		if d.nodes[n.path] != n && n != d.root {
			continue // replaced when its group was tried again
		}
		if err := d.consider(n); err != nil {
			return err
		}
	}
	d.queue = nil
	return nil
}

func (d *decision) consider(n *node) error {
	switch {
	case n.phase == phasePending:
		return d.begin(n)
	case n.phase != phaseOpen:
		return nil
	case n.unfinished == 0:
		return d.close(n)
	case n.kind == run.KindLoop:
		return d.advance(n)
	}
	return nil
}

// begin decides about a task that waits for nothing any more.
func (d *decision) begin(n *node) error {
	if n.parent.phase != phaseOpen || n.waiting > 0 || n.isIteration() {
		return nil
	}
	if d.canceling {
		return d.emit(Event{Type: TaskCanceled, Task: n.path, Reason: "not started: " + d.whyStopping()})
	}
	if n.resume {
		return d.emit(Event{Type: GroupResumed, Task: n.path})
	}
	if reason := d.blocked(n); reason != "" {
		return d.emit(Event{Type: TaskSkipped, Task: n.path, Reason: reason})
	}
	inputs, absent, err := d.inputsOf(n)
	if err != nil {
		return d.giveUp(n, fmt.Sprintf("task %q: its inputs cannot be resolved: %v", n.path, err))
	}
	if absent != "" {
		return d.emit(Event{Type: TaskSkipped, Task: n.path, Reason: absent})
	}
	if p := n.task.TriggerPolicy; p != nil && p.Condition != "" {
		yes, err := d.pipeline.Condition(p.Condition, inputs.Parameters)
		if err != nil {
			return d.giveUp(n, fmt.Sprintf("task %q: %v", n.path, err))
		}
		if !yes {
			return d.emit(Event{Type: TaskSkipped, Task: n.path, Reason: "the condition is false: " + p.Condition})
		}
	}
	return d.open(n, inputs)
}

// blocked says why a task may not run although everything before it has ended, or returns "".
func (d *decision) blocked(n *node) string {
	if p := n.task.TriggerPolicy; p != nil && p.Strategy == ir.AllUpstreamCompleted {
		return ""
	}
	for _, u := range d.upstreams(n) {
		switch u.state {
		case run.Failed:
			return fmt.Sprintf("task %q before it failed", u.name)
		case run.Skipped:
			return fmt.Sprintf("task %q before it was skipped", u.name)
		case run.Canceled:
			return fmt.Sprintf("task %q before it was cancelled", u.name)
		}
	}
	return ""
}

// open hands a leaf to the caller, or opens a group.
func (d *decision) open(n *node, inputs run.Values) error {
	e := Event{Type: TaskReady, Task: n.path, Inputs: &inputs}
	if n.isIteration() {
		e.Inputs = nil // see bind
	}
	if n.kind.Leaf() {
		return d.emit(e)
	}
	if it := n.task.ParameterIterator; n.kind == run.KindLoop && it != nil {
		if _, err := readItems(it, inputs.Parameters); err != nil {
			return d.giveUp(n, fmt.Sprintf("loop %q: %v", n.path, err))
		}
	}
	e.Type = GroupOpened
	return d.emit(e)
}

func (d *decision) giveUp(n *node, message string) error {
	return d.emit(Event{Type: TaskFailed, Task: n.path, Failure: &run.Failure{Reason: run.ReasonInput, Message: message, Task: n.path}})
}

// advance opens as many iterations of a loop as its limit allows.
func (d *decision) advance(loop *node) error {
	limit := 0
	if p := loop.task.IteratorPolicy; p != nil {
		limit = p.ParallelismLimit
	}
	for loop.next < len(loop.children) && (limit == 0 || loop.open < limit) {
		n := loop.children[loop.next]
		if n.phase == phaseFinal {
			loop.next++
			continue
		}
		if d.canceling {
			if err := d.emit(Event{Type: TaskCanceled, Task: n.path, Reason: "not started: " + d.whyStopping()}); err != nil {
				return err
			}
			continue
		}
		if err := d.beginIteration(loop, n); err != nil {
			return err
		}
	}
	if loop.unfinished == 0 {
		return d.close(loop)
	}
	return nil
}

// beginIteration opens an iteration of a loop, or goes on with one.
func (d *decision) beginIteration(loop, n *node) error {
	if n.resume {
		return d.emit(Event{Type: GroupResumed, Task: n.path})
	}
	inputs, err := d.itemInputs(loop, n)
	if err != nil {
		return d.giveUp(n, fmt.Sprintf("iteration %q: %v", n.path, err))
	}
	return d.open(n, inputs)
}

// close ends a group whose members are all final: it succeeded unless one of them failed or was cancelled.
func (d *decision) close(n *node) error {
	if n.phase != phaseOpen {
		return nil
	}
	e := Event{Type: GroupFinished, Task: n.path, State: run.Succeeded}
	if bad := n.firstBad; bad != nil {
		e.State = bad.state
		if d.canceling {
			e.State = run.Canceled
		}
		if e.State == run.Failed {
			e.Failure = memberFailure(bad)
		}
	}
	if n == d.root {
		return d.closeRun(e)
	}
	if e.State == run.Failed && !d.canceling {
		if at, again := n.retryAt(d.now); again {
			return d.emit(Event{Type: TaskRetrying, Task: n.path, Failure: e.Failure, RetryAt: &at})
		}
	}
	outputs := d.groupOutputs(n)
	e.Outputs = &outputs
	return d.emit(e)
}

func (d *decision) closeRun(e Event) error {
	if d.state.Final() {
		return nil
	}
	if d.canceling {
		e.State, e.Failure = run.Canceled, nil
	}
	if d.timedOut {
		e.State, e.Failure = run.Failed, d.deadlineFailure()
	}
	outputs := d.groupOutputs(d.root)
	e.Type, e.Outputs = RunFinished, &outputs
	return d.emit(e)
}

// memberFailure is a group's failure: that of the member that failed first, whose path it keeps.
func memberFailure(bad *node) *run.Failure {
	f := *bad.failure
	if f.Task == "" {
		f.Task = bad.path
	}
	return &f
}
