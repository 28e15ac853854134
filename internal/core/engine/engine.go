// Package engine decides what happens next in a run.
//
// It is a pure state machine: Decide takes a command (a step ended, someone cancelled) and returns the events that follow;
// Apply takes an event and advances the state. There is no clock, no I/O and no goroutine here: times and results
// arrive inside commands. Replaying a run's events with Replay gives the state that the run was in.
//
// The package knows the specification (core/ir) and the vocabulary (core/run). It must not know runners, storage or
// caches: a caller carries out what Due lists and reports back with commands. Start reading at Decide, then settle.go.
package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// Type names an event.
type Type string

// The events of a run. Each one is stored and never changes its meaning.
const (
	RunStarted      Type = "run_started"      // the run exists; its top-level tasks are pending
	GroupOpened     Type = "group_opened"     // a DAG or loop got its inputs; its members are pending
	TaskReady       Type = "task_ready"       // a leaf has its inputs and may be looked up in the cache or launched
	TaskCached      Type = "task_cached"      // earlier outputs were reused
	TaskLaunched    Type = "task_launched"    // an attempt is about to start
	TaskSucceeded   Type = "task_succeeded"   // an attempt ended well
	TaskFailed      Type = "task_failed"      // the last attempt failed
	TaskRetrying    Type = "task_retrying"    // an attempt failed; another one follows at RetryAt
	TaskSkipped     Type = "task_skipped"     // a condition was false, or something before it did not succeed
	TaskCanceled    Type = "task_canceled"    // stopped, or never started, because the run is being cancelled
	TaskLost        Type = "task_lost"        // an attempt vanished with the process that owned it; not counted
	GroupFinished   Type = "group_finished"   // every member is final
	CancelRequested Type = "cancel_requested" // someone asked for the run to stop
	RunTimedOut     Type = "run_timed_out"    // the run's deadline has passed; it stops and fails
	RunFinished     Type = "run_finished"     // nothing more will happen, unless the run is retried
	RunRetried      Type = "run_retried"      // the run goes on; what did not succeed is pending again
	GroupResumed    Type = "group_resumed"    // a DAG or loop of a retried run goes on with the members it has
)

// Event is one step forward of a run.
type Event struct {
	Type Type      `json:"type"`
	At   time.Time `json:"-"`
	// Task is the path of the task or group the event is about.
	Task    string       `json:"task,omitempty"`
	Attempt int          `json:"attempt,omitempty"`
	State   run.State    `json:"state,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Inputs  *run.Values  `json:"inputs,omitempty"`
	Outputs *run.Values  `json:"outputs,omitempty"`
	Failure *run.Failure `json:"failure,omitempty"`
	RetryAt *time.Time   `json:"retry_at,omitempty"`
	// CacheKey and CachedFrom tell where reused outputs came from, and under which key new ones may be found.
	CacheKey      string `json:"cache_key,omitempty"`
	CachedFrom    string `json:"cached_from,omitempty"`
	CachedFromRun string `json:"cached_from_run,omitempty"`
	// Lookup is how the task was looked up in the cache, on TaskCached and TaskLaunched.
	Lookup *run.CacheLookup `json:"cache_lookup,omitempty"`
	Job    *run.Job         `json:"job,omitempty"`
	// Parameters are those of the run, on RunStarted.
	Parameters map[string]any `json:"parameters,omitempty"`
}

// Encode turns an event into a record with the given sequence number.
func (e Event) Encode(seq int64) (run.Event, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return run.Event{}, fmt.Errorf("encode event %s of %q: %w", e.Type, e.Task, err)
	}
	return run.Event{Seq: seq, At: e.At, Type: string(e.Type), Body: body}, nil
}

// DecodeEvent reads a record.
func DecodeEvent(r run.Event) (Event, error) {
	var e Event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return e, fmt.Errorf("decode event %d: %w", r.Seq, err)
	}
	e.At = r.At
	return e, nil
}

// Command is something that happened outside the engine or that someone asked for. The types below are the commands.
type Command interface{ command() }

// Start begins a run.
type Start struct {
	Job        run.Job
	Parameters map[string]any
}

// Cached reports that a ready task's outputs were found: those of the task From in the run FromRun.
type Cached struct {
	Task, Key, From, FromRun string
	Outputs                  run.Values
	Lookup                   *run.CacheLookup
}

// Launch announces that the next attempt of a ready task is about to start. Lookup is nil when the cache was not asked.
type Launch struct {
	Task, Key string
	Lookup    *run.CacheLookup
}

// Succeeded reports the outputs of an attempt.
type Succeeded struct {
	Task    string
	Attempt int
	Outputs run.Values
}

// Failed reports why an attempt, or the preparation of one (Attempt 0), failed.
type Failed struct {
	Task    string
	Attempt int
	Failure run.Failure
}

// Stopped reports that an attempt ended because it was told to.
type Stopped struct {
	Task    string
	Attempt int
}

// Lost reports that an attempt vanished, for example with the machine it ran on. Failure says how; it becomes the task's when
// that happens too often.
type Lost struct {
	Task    string
	Attempt int
	Failure run.Failure
}

// maxLost is how many attempts of a task may be lost: a step that ends the process that supervises it must not do so for ever.
const maxLost = 20

// Cancel asks the run to stop.
type Cancel struct{}

// Wake says that time has passed; retries that are due become ready.
type Wake struct{}

func (Start) command()     {}
func (Cached) command()    {}
func (Launch) command()    {}
func (Succeeded) command() {}
func (Failed) command()    {}
func (Stopped) command()   {}
func (Lost) command()      {}
func (Cancel) command()    {}
func (Wake) command()      {}

// State is a run as its events so far have made it.
type State struct {
	pipeline *ir.Pipeline
	plans    map[*ir.Component]*plan

	job        run.Job
	state      run.State
	failure    *run.Failure
	outputs    run.Values
	history    []run.StateChange
	finishedAt time.Time
	canceling  bool
	// deadline is when the run must have ended, zero when it may take its time; timedOut is set once it has passed.
	deadline time.Time
	timedOut bool

	root  *node
	nodes map[string]*node
	// attempts outlives the nodes of a group that is tried again, so that attempt numbers never repeat.
	attempts map[string]int
	// queue holds the nodes whose situation may have changed; settle works it off.
	queue []*node
	// sleeping holds the nodes that wait for their next try.
	sleeping sleepers
	// dirty holds the nodes that changed since TakeChanged, removed the paths of those that are gone.
	dirty   []*node
	removed []string
	ordinal int
}

// New returns the state of a run that has no events yet.
func New(p *ir.Pipeline) *State {
	return &State{
		pipeline: p,
		plans:    map[*ir.Component]*plan{},
		state:    run.Pending,
		nodes:    map[string]*node{},
		attempts: map[string]int{},
	}
}

// Replay applies the stored events of a run to a new state.
func Replay(p *ir.Pipeline, records []run.Event) (*State, error) {
	s := New(p)
	for _, r := range records {
		e, err := DecodeEvent(r)
		if err != nil {
			return nil, err
		}
		if err := s.Apply(e); err != nil {
			return nil, fmt.Errorf("replay event %d: %w", r.Seq, err)
		}
	}
	for _, n := range s.nodes {
		if n.phase == phaseFinal {
			n.lookup = nil
		}
	}
	return s, nil
}

// Decide returns the events that a command causes at the given time. It advances s by those events: copying the state
// for each command would make a run quadratic in its tasks. A caller that cannot store the events must drop s and
// replay what it has stored. A command that no longer applies (a late report of an attempt that was given up)
// causes no events. An error means that the command names a task that does not exist, or that a Retry is refused.
func (s *State) Decide(c Command, now time.Time) ([]Event, error) {
	d := &decision{State: s, now: now.UTC()}
	if err := d.command(c); err != nil {
		return nil, err
	}
	if err := d.settle(); err != nil {
		return nil, err
	}
	return d.events, nil
}

// decision collects the events of one Decide.
type decision struct {
	*State
	now    time.Time
	events []Event
}

// emit applies an event and remembers it.
func (d *decision) emit(e Event) error {
	e.At = d.now
	if err := d.Apply(e); err != nil {
		return err
	}
	d.events = append(d.events, e)
	return nil
}

func (d *decision) command(c Command) error {
	switch c := c.(type) {
	case Start:
		if d.root != nil {
			return nil
		}
		return d.emit(Event{Type: RunStarted, Job: &c.Job, Parameters: c.Parameters})
	case Retry:
		return d.retry()
	case Cancel:
		return d.cancel()
	case Wake:
		return d.wake()
	case Cached:
		return d.onReady(c.Task, Event{Type: TaskCached, Outputs: &c.Outputs, CacheKey: c.Key, CachedFrom: c.From, CachedFromRun: c.FromRun, Lookup: c.Lookup})
	case Launch:
		return d.onReady(c.Task, Event{Type: TaskLaunched, CacheKey: c.Key, Attempt: d.attempts[c.Task] + 1, Lookup: c.Lookup})
	case Succeeded:
		return d.onRunning(c.Task, c.Attempt, Event{Type: TaskSucceeded, Outputs: &c.Outputs})
	case Stopped:
		return d.onRunning(c.Task, c.Attempt, Event{Type: TaskCanceled, Reason: "stopped because " + d.whyStopping()})
	case Lost:
		return d.lost(c)
	case Failed:
		return d.failed(c)
	}
	return fmt.Errorf("engine: unknown command %T", c)
}

func (d *decision) node(task string) (*node, error) {
	n := d.nodes[task]
	if n == nil {
		return nil, fmt.Errorf("engine: run %s has no task %q", d.job.RunID, task)
	}
	return n, nil
}

// onReady emits an event for a task that waits to be looked up or launched.
func (d *decision) onReady(task string, e Event) error {
	n, err := d.node(task)
	if err != nil || n.phase != phaseReady {
		return err
	}
	e.Task = task
	return d.emit(e)
}

// onRunning emits an event for the present attempt of a running task.
func (d *decision) onRunning(task string, attempt int, e Event) error {
	n, err := d.node(task)
	if err != nil || n.phase != phaseRunning || n.attempt != attempt {
		return err
	}
	e.Task, e.Attempt = task, attempt
	return d.emit(e)
}

// lost starts a task again whose attempt vanished. That does not count as a retry.
func (d *decision) lost(c Lost) error {
	n, err := d.node(c.Task)
	if err != nil {
		return err
	}
	switch {
	case d.canceling:
		return d.command(Stopped{Task: c.Task, Attempt: c.Attempt})
	case n.lost+1 >= maxLost:
		f := c.Failure
		f.Reason = run.ReasonSystem
		f.Message = fmt.Sprintf("given up after %d attempts were lost; the last one: %s", maxLost, f.Message)
		return d.failed(Failed{Task: c.Task, Attempt: c.Attempt, Failure: f})
	}
	return d.onRunning(c.Task, c.Attempt, Event{Type: TaskLost, Reason: c.Failure.Message})
}

// failed retries a task while its policy allows, and gives it up otherwise.
func (d *decision) failed(c Failed) error {
	n, err := d.node(c.Task)
	if err != nil {
		return err
	}
	prepared := c.Attempt == 0 && n.phase == phaseReady
	if !prepared && (n.phase != phaseRunning || n.attempt != c.Attempt) {
		return nil
	}
	e := Event{Type: TaskFailed, Task: c.Task, Attempt: c.Attempt, Failure: &c.Failure}
	if at, again := n.retryAt(d.now); again && !d.canceling && !c.Failure.Permanent() {
		e.Type, e.RetryAt = TaskRetrying, &at
	}
	return d.emit(e)
}

// wake readies the tasks and groups whose pause is over, and stops a run whose time is over.
func (d *decision) wake() error {
	if due := d.deadlineDue(); !due.IsZero() && !due.After(d.now) {
		return d.stop(Event{Type: RunTimedOut})
	}
	for n := d.nextSleeper(); n != nil && !n.wakeAt.After(d.now); n = d.nextSleeper() {
		e := Event{Type: TaskReady, Task: n.path, Inputs: &n.inputs}
		if n.isIteration() {
			e.Inputs = nil // see bind
		}
		if !n.kind.Leaf() {
			e.Type = GroupOpened
		}
		if err := d.emit(e); err != nil {
			return err
		}
	}
	return nil
}

// cancel gives up everything that has not started. Running steps are stopped by the caller, who reports Stopped.
func (d *decision) cancel() error {
	if d.root == nil || d.state.Final() || d.canceling {
		return nil
	}
	return d.stop(Event{Type: CancelRequested})
}

// stop emits the event that ends a run early and gives up what has not started.
func (d *decision) stop(e Event) error {
	if err := d.emit(e); err != nil {
		return err
	}
	for _, n := range d.unstarted() {
		if err := d.emit(Event{Type: TaskCanceled, Task: n.path, Reason: "not started: " + d.whyStopping()}); err != nil {
			return err
		}
	}
	return nil
}
