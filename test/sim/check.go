package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/engine"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// checker holds what Levada promises against what is stored and what is started. It sees a commit when it happens in the store,
// whether or not the service hears of it, so it always knows what is durable.
type checker struct {
	world *schedule
	runs  map[string]*history
	order []string // ids in order of creation
}

// history is what is durable of one run, and what may follow from it.
type history struct {
	id     string
	run    run.Run
	shadow *engine.State // the log, replayed as it grows
	rows   map[string]run.Task
	log    []run.Event
	oracle *oracle

	launched map[string]int  // the newest attempt that was announced, by path
	live     map[string]bool // paths whose newest attempt is announced and has not ended
	started  map[string]bool // attempts that were physically started: path#attempt
	vanished map[string]bool // those that the runner has said are lost
	results  map[string]int  // results in the log, by path
	failures map[string]int  // failures in the log since the group around was opened
	lost     map[string]int
	retryAt  map[string]time.Time
	open     map[string]bool // groups that were opened

	cancelAt   int  // sequence number of the request to cancel
	cancelSure bool // somebody was told that the cancel is on disk
	retries    int
	gone       bool // deleted
	last       time.Time
}

func newChecker(w *schedule) *checker { return &checker{world: w, runs: map[string]*history{}} }

func (c *checker) violation(h *history, format string, args ...any) {
	c.world.violation("%s: %s", short(h.id), fmt.Sprintf(format, args...))
}

// created is told of a new run that is now durable.
func (c *checker) created(r run.Run, events []run.Event, tasks []run.Task) {
	h := &history{
		id: r.ID, shadow: engine.New(c.world.subject.pipeline), rows: map[string]run.Task{}, launched: map[string]int{}, live: map[string]bool{},
		started: map[string]bool{}, vanished: map[string]bool{}, results: map[string]int{}, failures: map[string]int{}, lost: map[string]int{},
		retryAt: map[string]time.Time{}, open: map[string]bool{},
	}
	c.runs[r.ID] = h
	c.order = append(c.order, r.ID)
	h.oracle = foretell(c.world.subject.pipeline, r.Parameters, c.world.subject.script(c.world))
	c.commit(h, events, run.Changes{Run: &r, Tasks: tasks})
}

// appended is told of events that are now durable.
func (c *checker) appended(id string, events []run.Event, changed run.Changes) {
	h := c.runs[id]
	if h == nil || h.gone {
		c.world.violation("%s: events are appended to a run that does not exist", short(id))
		return
	}
	c.commit(h, events, changed)
}

func (c *checker) commit(h *history, records []run.Event, changed run.Changes) {
	c.world.trace.commit(c.world, h.id, records)
	h.log = append(h.log, records...)
	reopened, made := false, 0
	for _, r := range records {
		e, err := engine.DecodeEvent(r)
		if err == nil {
			c.event(h, e, r)
			err = h.shadow.Apply(e)
		}
		if err != nil {
			c.violation(h, "event %d cannot be replayed: %v", r.Seq, err)
			return
		}
		if e.Type == engine.TaskSucceeded {
			for _, list := range e.Outputs.Artifacts {
				made += len(list)
			}
		}
		reopened = reopened || e.Type == engine.GroupOpened || e.Type == engine.GroupResumed || e.Type == engine.RunRetried
	}
	if made != len(changed.Artifacts) {
		c.violation(h, "%d artifacts were made, %d are stored", made, len(changed.Artifacts))
	}
	c.projections(h, changed, reopened)
	c.limits(h)
	c.lateReports(h)
}

// event holds one event against those before it.
func (c *checker) event(h *history, e engine.Event, r run.Event) {
	if e.At.Before(h.last) {
		c.violation(h, "event %d is of %s, before the event before it (%s)", r.Seq, e.At, h.last)
	}
	h.last = e.At
	if h.run.State.Final() && e.Type != engine.RunRetried {
		c.violation(h, "event %d (%s) follows the end of the run", r.Seq, e.Type)
	}
	switch e.Type {
	case engine.CancelRequested:
		h.cancelAt = int(r.Seq)
	case engine.GroupOpened:
		c.opened(h, e)
	case engine.RunRetried:
		c.retried(h)
	case engine.TaskLaunched:
		c.announced(h, e)
	case engine.TaskLost:
		if key := attemptKey(e.Task, e.Attempt); !h.vanished[key] {
			c.violation(h, "%s is called lost, but it is not", key)
		}
		h.live[e.Task] = false
		h.lost[e.Task]++
	case engine.TaskRetrying:
		h.live[e.Task] = false
		h.failures[e.Task]++
		h.retryAt[e.Task] = *e.RetryAt
		c.result(h, e)
		p := c.policy(h, e.Task)
		if p == nil || h.failures[e.Task] > p.MaxRetryCount {
			c.violation(h, "%s is tried again after %d failures", e.Task, h.failures[e.Task])
			return
		}
		if pause := time.Duration(p.BackoffDuration) << (h.failures[e.Task] - 1); !e.RetryAt.Equal(e.At.Add(pause)) {
			c.violation(h, "%s is tried again after %s, want %s", e.Task, e.RetryAt.Sub(e.At), pause)
		}
	case engine.TaskSucceeded, engine.TaskFailed, engine.TaskCanceled:
		h.live[e.Task] = false
		c.result(h, e)
	case engine.RunFinished:
		if e.Failure != nil && e.Failure.Reason == run.ReasonSystem && strings.Contains(e.Failure.Message, "cannot go on") {
			c.violation(h, "the run is given up: %s", e.Failure.Message)
		}
		for id, a := range c.world.machine.attempts {
			if id.RunID == h.id && !a.ended {
				c.violation(h, "the run ends while the step %s runs", stepName(a.step))
			}
		}
	}
}

// result counts the results of attempts. One that was not announced, or has reported before, cannot report.
func (c *checker) result(h *history, e engine.Event) {
	switch {
	case e.Attempt == 0:
	case e.Type == engine.TaskCanceled:
		h.lost[e.Task]++
	default:
		h.results[e.Task]++
	}
}

// retried begins a run's next life.
func (c *checker) retried(h *history) {
	if h.run.State != run.Failed && h.run.State != run.Canceled {
		c.violation(h, "a run that is %s is retried", h.run.State)
	}
	h.retries++
	h.run.State = run.Running
	h.cancelAt, h.cancelSure = 0, false
	clear(h.failures)
	clear(h.retryAt)
	// What is kept is what is final in the rows; a task that was reset is announced again only after its row says so.
	h.oracle.again(h.run.Parameters, h.rows, h.results)
}

// opened forgets what an earlier try of a group has left.
func (c *checker) opened(h *history, e engine.Event) {
	if h.open[e.Task] {
		for path := range h.launched {
			if strings.HasPrefix(path, e.Task+"/") {
				if h.live[path] {
					c.violation(h, "group %s is tried again while %s runs", e.Task, path)
				}
			}
		}
		for path := range h.failures {
			if strings.HasPrefix(path, e.Task+"/") {
				delete(h.failures, path)
			}
		}
		for path := range h.rows {
			if strings.HasPrefix(path, e.Task+"/") {
				delete(h.rows, path)
			}
		}
		for path := range h.open {
			if strings.HasPrefix(path, e.Task+"/") {
				delete(h.open, path)
			}
		}
	}
	h.open[e.Task] = true
}

func (c *checker) announced(h *history, e engine.Event) {
	switch row := h.rows[e.Task]; {
	case h.cancelAt > 0:
		c.violation(h, "%s is launched after the run was cancelled", e.Task)
	case h.live[e.Task]:
		c.violation(h, "attempt %d of %s is launched while attempt %d has not ended", e.Attempt, e.Task, h.launched[e.Task])
	case row.State.Final():
		c.violation(h, "%s is launched again after it was %s", e.Task, row.State)
	case e.Attempt != h.launched[e.Task]+1:
		c.violation(h, "attempt %d of %s follows attempt %d", e.Attempt, e.Task, h.launched[e.Task])
	}
	if at := h.retryAt[e.Task]; e.At.Before(at) && h.lost[e.Task] == 0 {
		c.violation(h, "%s is launched at %s, before its pause is over at %s", e.Task, e.At, at)
	}
	h.launched[e.Task] = e.Attempt
	h.live[e.Task] = true
}

// policy finds the retry policy of a task by its path.
func (c *checker) policy(h *history, path string) *ir.RetryPolicy {
	if t := c.find(path); t != nil {
		return t.RetryPolicy
	}
	return nil
}

// find returns the task at a path; that of the loop, for an iteration.
func (c *checker) find(path string) *ir.Task {
	spec := c.world.subject.pipeline.Spec
	comp := spec.Root
	var t *ir.Task
	for name := range strings.SplitSeq(path, "/") {
		if t != nil && (t.ParameterIterator != nil || t.ArtifactIterator != nil) && name[0] >= '0' && name[0] <= '9' {
			continue
		}
		if t = comp.DAG.Tasks[name]; t == nil {
			return nil
		}
		comp = spec.Component(t)
	}
	return t
}

// projections compares the rows that were written with what the log says.
func (c *checker) projections(h *history, changed run.Changes, reopened bool) {
	want := h.shadow.TakeChanged()
	removed := h.shadow.TakeRemoved()
	if !slices.Equal(slices.Sorted(slices.Values(removed)), slices.Sorted(slices.Values(changed.Removed))) {
		c.violation(h, "the log removes the tasks %v, the rows %v", removed, changed.Removed)
	}
	for _, path := range removed {
		delete(h.rows, path)
	}
	if len(want) != len(changed.Tasks) {
		c.violation(h, "the log changes %d tasks, %d rows were written", len(want), len(changed.Tasks))
		return
	}
	for i := range want {
		if diff := differ(&want[i], &changed.Tasks[i]); diff != "" {
			c.violation(h, "the row of %s is not what the log says: %s", want[i].Path, diff)
		}
		old, known := h.rows[want[i].Path]
		if known && old.State.Final() && !reopened {
			c.violation(h, "%s changes from %s to %s", old.Path, old.State, want[i].State)
		}
		h.rows[want[i].Path] = want[i]
	}
	c.runRow(h, changed.Run)
}

var rank = map[run.State]int{run.Pending: 0, run.Running: 1, run.Canceling: 2, run.Succeeded: 3, run.Failed: 3, run.Canceled: 3}

func (c *checker) runRow(h *history, r *run.Run) {
	want := *r
	h.shadow.Describe(&want)
	switch {
	case want.State != r.State || !equal(want.Outputs.Parameters, r.Outputs.Parameters) || (want.Failure == nil) != (r.Failure == nil) ||
		!equalTime(want.FinishedAt, r.FinishedAt) || !slices.EqualFunc(want.History, r.History, equalChange):
		c.violation(h, "the row of the run is not what the log says: %+v, want %+v", *r, want)
	case rank[r.State] < rank[h.run.State] || h.run.State.Final() && r.State != h.run.State:
		c.violation(h, "the run goes from %s back to %s", h.run.State, r.State)
	case h.cancelAt > 0 && r.State.Final() && r.State != run.Canceled:
		c.violation(h, "a cancelled run ends as %s", r.State)
	}
	counts, cached := map[run.State]int{}, 0
	for _, t := range h.rows {
		if t.Kind.Leaf() {
			counts[t.State]++
			if t.Cached {
				cached++
			}
		}
		if r.State.Final() && !t.State.Final() {
			c.violation(h, "the run is %s, but %s is %s", r.State, t.Path, t.State)
		}
	}
	if len(counts) != len(r.Tasks) || cached != r.Cached {
		c.violation(h, "the run counts %v and %d cached, its tasks %v and %d", r.Tasks, r.Cached, counts, cached)
	}
	for s, n := range counts {
		if r.Tasks[s] != n {
			c.violation(h, "the run counts %v, its tasks are %v", r.Tasks, counts)
		}
	}
	h.run = *r
}

// limits checks how many iterations of each loop are under way.
func (c *checker) limits(h *history) {
	var active map[string]map[string]bool
	for path, live := range h.live {
		if !live {
			continue
		}
		parts := strings.Split(path, "/")
		for i := 1; i < len(parts); i++ {
			if parts[i][0] < '0' || parts[i][0] > '9' {
				continue
			}
			loop := strings.Join(parts[:i], "/")
			if active == nil {
				active = map[string]map[string]bool{}
			}
			if active[loop] == nil {
				active[loop] = map[string]bool{}
			}
			active[loop][parts[i]] = true
		}
	}
	for loop, iterations := range active {
		if p := c.find(loop).IteratorPolicy; p != nil && p.ParallelismLimit > 0 && len(iterations) > p.ParallelismLimit {
			c.violation(h, "loop %s has %d iterations under way, its limit is %d", loop, len(iterations), p.ParallelismLimit)
		}
	}
}

// lateReports tells the engine again what it was told before: reports of attempts that have ended or were given up. Nothing may
// follow from them.
func (c *checker) lateReports(h *history) {
	if len(h.launched) == 0 || h.shadow == nil {
		return
	}
	for path, attempt := range h.launched {
		if h.live[path] {
			attempt-- // the attempt before this one
		}
		if _, ok := h.rows[path]; !ok || attempt == 0 {
			continue
		}
		for _, command := range []engine.Command{
			engine.Succeeded{Task: path, Attempt: attempt}, engine.Lost{Task: path, Attempt: attempt}, engine.Stopped{Task: path, Attempt: attempt},
			engine.Failed{Task: path, Attempt: attempt, Failure: run.Failure{Reason: run.ReasonExit}},
		} {
			if events, err := h.shadow.Decide(command, h.last); err != nil || len(events) > 0 {
				c.violation(h, "a late report of attempt %d of %s (%T) has an effect: %v %v", attempt, path, command, events, err)
			}
		}
	}
}

// starts is told that a step is about to start, and says how it ends.
func (c *checker) starts(s *run.Step) (ending, uint64) {
	h := c.runs[s.Job.RunID]
	t := c.find(s.TaskPath)
	id := identity(t.ComponentRef.Name, s.Inputs)
	if h == nil || h.gone {
		c.world.violation("%s starts in a run that does not exist", stepName(s))
		return endsWell, id
	}
	key := attemptKey(s.TaskPath, s.Attempt)
	switch {
	case !h.live[s.TaskPath] || h.launched[s.TaskPath] != s.Attempt:
		c.violation(h, "%s starts, but its launch is not durable", stepName(s))
	case h.started[key]:
		c.violation(h, "%s starts for a second time", stepName(s))
	case h.cancelSure:
		c.violation(h, "%s starts after somebody was told that the run is cancelled", stepName(s))
	}
	h.started[key] = true
	c.inputs(h, s)
	return h.oracle.script.end(s.TaskPath, h.results[s.TaskPath], t.CachingOptions.EnableCache && s.Executor.Container != nil, id), id
}

func attemptKey(path string, attempt int) string { return path + "#" + strconv.Itoa(attempt) }

// wasStarted reports whether an attempt has begun before.
func (c *checker) wasStarted(s *run.Step) bool {
	h := c.runs[s.Job.RunID]
	return h != nil && h.started[attemptKey(s.TaskPath, s.Attempt)]
}

// vanished is told that the runner calls an attempt lost.
func (c *checker) vanished(id run.AttemptID) {
	h := c.runs[id.RunID]
	if path, ok := h.pathOf(id); ok {
		h.vanished[attemptKey(path, id.Attempt)] = true
	}
}

func (h *history) pathOf(id run.AttemptID) (string, bool) {
	for path, row := range h.rows {
		if row.ID == id.TaskID {
			return path, true
		}
	}
	return "", false
}

// settled is told that the service needs the result of an attempt no more: it must be in the log.
func (c *checker) settled(id run.AttemptID) {
	h := c.runs[id.RunID]
	if path, ok := h.pathOf(id); ok && h.live[path] && h.launched[path] == id.Attempt {
		c.violation(h, "the result of attempt %d of %s is given up, and it is not in the log", id.Attempt, path)
	}
}

// orphaned is told that what runs of an attempt is ended because no log calls it open. That may happen only when the log could not be
// read in time.
func (c *checker) orphaned(id run.AttemptID, p *process) {
	h := c.runs[id.RunID]
	if path, ok := h.pathOf(id); ok && h.live[path] && h.launched[path] == id.Attempt && !h.gone && !p.unreadable {
		c.violation(h, "attempt %d of %s runs, and is ended by a server that starts", id.Attempt, path)
	}
}

// inputs checks that a step starts after all that it needs, with the inputs that follow from it.
func (c *checker) inputs(h *history, s *run.Step) {
	parent := ""
	if i := strings.LastIndexByte(s.TaskPath, '/'); i >= 0 {
		parent = s.TaskPath[:i]
	}
	for _, before := range needs(c.find(s.TaskPath)) {
		if row := h.rows[join(parent, before)]; !row.State.Final() {
			c.violation(h, "%s starts although %s is %s", stepName(s), row.Path, row.State)
		}
	}
	got := settled(s.Inputs)
	for _, want := range h.oracle.inputs[s.TaskPath] {
		if equalValues(got, settled(want)) {
			return
		}
	}
	c.violation(h, "%s starts with inputs %v, want one of %v", stepName(s), s.Inputs, h.oracle.inputs[s.TaskPath])
}

// runsOn is told that a step ends by itself, which one of a cancelled run must not be left to do.
func (c *checker) runsOn(s *run.Step) {
	if h := c.runs[s.Job.RunID]; h.cancelSure {
		c.violation(h, "%s was not told to stop although its run was cancelled", stepName(s))
	}
}

// submitted is told of the answer to a submission.
func (c *checker) submitted(r run.Run, err error) {
	if err != nil {
		c.answered("submit", r.ID, err)
		return
	}
	if h := c.runs[r.ID]; h == nil {
		c.world.violation("%s was acknowledged but is not stored", short(r.ID))
	}
}

// canceled is told of the answer to a cancel.
func (c *checker) canceled(id string, err error) {
	h := c.runs[id]
	switch {
	case err != nil:
		c.answered("cancel", id, err)
	case h.cancelAt == 0:
		c.violation(h, "a cancel was acknowledged but is not stored")
	default:
		h.cancelSure = true
	}
}

func (c *checker) deleted(id string) {
	h := c.runs[id]
	if !h.run.State.Final() {
		c.violation(h, "a run that is %s is deleted", h.run.State)
	}
	h.gone = true
}

func (c *checker) answered(what, id string, err error) {
	if err != nil && !excused(err) {
		c.world.violation("%s %s: %v", what, short(id), err)
	}
}

// asksToRetry returns what is to be told of the answer to a retry.
func (c *checker) asksToRetry(id string) func(error) {
	before := c.runs[id].retries
	return func(err error) {
		switch h := c.runs[id]; {
		case err != nil:
			c.answered("retry", id, err)
		case h.retries == before:
			c.violation(h, "a retry was acknowledged but is not stored")
		}
	}
}

// watched is told what the watcher of a run has seen when its stream has ended.
func (c *checker) watched(id string, last run.Run, tasks map[string]run.Task) {
	h := c.runs[id]
	if !last.State.Final() || h.gone || h.retries > 0 {
		return
	}
	if last.State != h.run.State {
		c.violation(h, "a watcher has seen the run end as %s, it is %s", last.State, h.run.State)
	}
	for path, row := range h.rows {
		if t := tasks[path]; t.State != row.State {
			c.violation(h, "a watcher has seen %s as %q when the run ended, it is %s", path, t.State, row.State)
		}
	}
}

func (c *checker) allFinal() bool {
	for _, h := range c.runs {
		if !h.run.State.Final() {
			return false
		}
	}
	return true
}
