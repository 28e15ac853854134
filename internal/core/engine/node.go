package engine

import (
	"container/heap"
	"math"
	"sort"
	"strconv"
	"time"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// phase is where a task stands, in more detail than its state tells.
type phase int

const (
	phasePending phase = iota // waits for tasks before it
	phaseReady                // has its inputs; the caller looks it up or launches it
	phaseRunning              // a leaf's attempt runs
	phaseOpen                 // a group's members are under way
	phaseWaiting              // waits for wakeAt to be tried again
	phaseFinal
)

// node is a task, a group or an iteration.
type node struct {
	path, name string
	id         string // see State.id
	kind       run.Kind
	task       *ir.Task
	comp       *ir.Component
	parent     *node
	index      int // position among the parent's children
	ordinal    int
	iteration  int // index of the innermost iteration around or at this node, or -1

	phase   phase
	state   run.State
	reason  string
	failure *run.Failure
	inputs  run.Values
	outputs run.Values

	attempt  int // number of the present or last attempt
	failures int // attempts that count against the retry policy
	lost     int // attempts that vanished
	wakeAt   time.Time
	cacheKey string
	// lookup is what the present attempt's cache key was made of, until it has been taken.
	lookup     *run.CacheLookup
	cachedFrom string
	cachedRun  string

	// waiting counts the upstream tasks that are not final.
	waiting int
	// children are the tasks of a DAG in topological order, or the iterations of a loop.
	children   []*node
	unfinished int
	// open counts a loop's iterations under way; next is the first one not opened.
	open, next int
	items      []any // of a loop over parameters; nil for a loop over artifacts
	firstBad   *node // the member whose failure came first
	// resume is true for a pending group that goes on with its children when it opens; see reopen.
	resume bool
	dirty  bool

	createdAt, readyAt, startedAt, finishedAt time.Time
	// present is the attempt under way, or the last one; tries are those before it.
	present run.Try
	tries   []run.Try
}

// plan is the graph of a DAG component, computed once.
type plan struct {
	names []string // topological, ties by name
	index map[string]int
	up    [][]int
	down  [][]int
}

func (s *State) planOf(c *ir.Component) *plan {
	if p := s.plans[c]; p != nil {
		return p
	}
	p := newPlan(c.DAG)
	s.plans[c] = p
	return p
}

func newPlan(dag *ir.DAG) *plan {
	names := make([]string, 0, len(dag.Tasks))
	upstream := make(map[string][]string, len(dag.Tasks))
	downstream := make(map[string][]string, len(dag.Tasks))
	for n, t := range dag.Tasks {
		names = append(names, n)
		upstream[n] = t.Upstream()
		for _, u := range upstream[n] {
			downstream[u] = append(downstream[u], n)
		}
	}
	sort.Strings(names)
	left := make(map[string]int, len(names))
	var order []string
	for _, n := range names {
		if left[n] = len(upstream[n]); left[n] == 0 {
			order = append(order, n)
		}
	}
	for i := 0; i < len(order); i++ {
		next := downstream[order[i]]
		sort.Strings(next)
		for _, n := range next {
			if left[n]--; left[n] == 0 {
				order = append(order, n)
			}
		}
	}
	p := &plan{names: order, index: make(map[string]int, len(order)), up: make([][]int, len(order)), down: make([][]int, len(order))}
	for i, n := range order {
		p.index[n] = i
	}
	for i, n := range order {
		for _, u := range upstream[n] {
			j := p.index[u]
			p.up[i] = append(p.up[i], j)
			p.down[j] = append(p.down[j], i)
		}
	}
	return p
}

// upstreams returns the siblings that come before n.
func (s *State) upstreams(n *node) []*node {
	if n.parent == nil || n.parent.kind == run.KindLoop {
		return nil
	}
	idx := s.planOf(n.parent.comp).up[n.index]
	out := make([]*node, len(idx))
	for i, j := range idx {
		out[i] = n.parent.children[j]
	}
	return out
}

// sibling returns the task of the given name in n's DAG.
func (s *State) sibling(n *node, name string) *node {
	return n.parent.children[s.planOf(n.parent.comp).index[name]]
}

func (s *State) kindOf(t *ir.Task, c *ir.Component) run.Kind {
	switch {
	case t.ParameterIterator != nil || t.ArtifactIterator != nil:
		return run.KindLoop
	case c.DAG != nil:
		return run.KindDAG
	case s.pipeline.Spec.Executor(c).Importer != nil:
		return run.KindImporter
	}
	return run.KindContainer
}

// add creates a pending node below parent.
func (s *State) add(parent *node, name string, kind run.Kind, t *ir.Task, c *ir.Component, at time.Time) *node {
	n := &node{
		name: name, kind: kind, task: t, comp: c, parent: parent, state: run.Pending, createdAt: at,
		iteration: parent.iteration, index: len(parent.children), path: name,
	}
	if parent.path != "" {
		n.path = parent.path + "/" + name
	}
	s.ordinal++
	n.ordinal = s.ordinal
	n.attempt = s.attempts[n.path]
	s.nodes[n.path] = n
	parent.children = append(parent.children, n)
	parent.unfinished++
	s.touch(n)
	return n
}

func (s *State) touch(n *node) {
	if !n.dirty && n.parent != nil {
		n.dirty = true
		s.dirty = append(s.dirty, n)
	}
}

// iterate creates the iteration of a loop with the given index.
func (s *State) iterate(loop *node, i int, at time.Time) {
	kind := run.KindIteration
	if loop.comp.DAG == nil {
		kind = run.KindContainer
		if s.pipeline.Spec.Executor(loop.comp).Importer != nil {
			kind = run.KindImporter
		}
	}
	n := s.add(loop, strconv.Itoa(i), kind, loop.task, loop.comp, at)
	n.iteration = i
}

// retryAt returns when a failed node may be tried again, if it may. The pause grows by the policy's factor (default 2)
// up to its maximum (default one hour), as pipeline_spec.proto's RetryPolicy says. The policy of a loop is that of each
// iteration: what succeeded is not done again.
func (n *node) retryAt(now time.Time) (time.Time, bool) {
	p := n.task.RetryPolicy
	if p == nil || n.failures >= p.MaxRetryCount || n.kind == run.KindLoop {
		return time.Time{}, false
	}
	factor, limit := p.BackoffFactor, time.Duration(p.BackoffMaxDuration)
	if factor == 0 {
		factor = 2
	}
	if limit == 0 {
		limit = time.Hour
	}
	pause := float64(p.BackoffDuration) * math.Pow(factor, float64(n.failures))
	return now.Add(time.Duration(min(pause, float64(limit)))), true
}

func (n *node) isIteration() bool { return n.parent != nil && n.parent.kind == run.KindLoop }

// sleeper is a node that waits for its next try. It is out of date when the node has moved on.
type sleeper struct {
	node *node
	at   time.Time
}

// sleepers is a heap by time (container/heap).
type sleepers []sleeper

func (q sleepers) Len() int           { return len(q) }
func (q sleepers) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q sleepers) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *sleepers) Push(x any)        { *q = append(*q, x.(sleeper)) }
func (q *sleepers) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// nextSleeper returns the node that wakes first, or nil.
func (s *State) nextSleeper() *node {
	for len(s.sleeping) > 0 {
		first := s.sleeping[0]
		if n := first.node; n.phase == phaseWaiting && n.wakeAt.Equal(first.at) && s.nodes[n.path] == n {
			return n
		}
		heap.Pop(&s.sleeping)
	}
	return nil
}

// unstarted returns the leaves and closed groups that no attempt has begun for.
func (s *State) unstarted() []*node {
	return s.collect(func(n *node) bool {
		return n.phase == phasePending || n.phase == phaseReady || n.phase == phaseWaiting
	})
}

func (s *State) collect(want func(*node) bool) []*node {
	var out []*node
	var walk func(n *node)
	walk = func(n *node) {
		for _, c := range n.children {
			if want(c) {
				out = append(out, c)
			} else if c.phase == phaseOpen {
				walk(c)
			}
		}
	}
	if s.root != nil {
		walk(s.root)
	}
	return out
}
