package runner

import (
	"container/list"
	"context"
	"sync"

	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// Reserve waits until the machine has room for what a step declares. The caller calls release once, when the step has ended or
// was not started after all. Importers and volume steps start no process and take no room from those that do, but only so many
// work at once.
func (r *Runner) Reserve(ctx context.Context, s *run.Step) (release func(), err error) {
	if s.Executor == nil || s.Executor.Container == nil || isVolumeStub(s.Executor.Container.Image) {
		select {
		case r.light <- struct{}{}:
			return func() { <-r.light }, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l, err := r.layout(s)
	if err != nil {
		return nil, err
	}
	in, err := l.executorInput(s)
	if err != nil {
		return nil, err
	}
	limits, err := ir.ResolveLimits(s.Executor.Container.Resources, in, placeholders(s))
	if err != nil {
		return nil, inputError("%v", err)
	}
	need, _ := r.gate.clamp(needs(limits))
	if err := r.gate.enter(ctx, need); err != nil {
		return nil, err
	}
	return func() { r.gate.leave(need) }, nil
}

// maxLight bounds the steps that start no process: each waits for the disk in a thread of its own, and a run may have tens of
// thousands of them ready at once.
const maxLight = 64

// gate admits steps while the machine has room, first come, first served: a large step is not overtaken for ever by small
// ones. Room is a number of steps, and the cores and memory that steps declare. A step that declares nothing takes a place
// only: many steps wait for something most of the time, and two of them must not stop a machine of two cores.
type gate struct {
	mu          sync.Mutex
	total, free share
	queue       list.List
	running     int
}

type waiter struct {
	need  share
	ready chan struct{}
}

// share is a part of the machine: places for steps, cores, bytes and accelerators.
type share struct{ places, cores, memory, devices float64 }

func newGate(total share) *gate { return &gate{total: total, free: total} }

// clamp reduces a need to what the machine has and reports whether it had to.
func (g *gate) clamp(need share) (share, bool) {
	out := share{need.places, min(need.cores, g.total.cores), min(need.memory, g.total.memory), min(need.devices, g.total.devices)}
	return out, out != need
}

// enter waits for room. The caller must call leave with the same share when it is done.
func (g *gate) enter(ctx context.Context, need share) error {
	g.mu.Lock()
	if g.queue.Len() == 0 && g.fits(need) {
		g.take(need)
		g.mu.Unlock()
		return nil
	}
	w := &waiter{need, make(chan struct{})}
	e := g.queue.PushBack(w)
	g.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.ready: // admitted in the same moment: give it back
		g.give(need)
	default:
		g.queue.Remove(e)
	}
	g.admit()
	return ctx.Err()
}

// occupy takes room without waiting, for a step that runs already. There may be less than none left for a while.
func (g *gate) occupy(need share) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.take(need)
}

func (g *gate) leave(need share) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.give(need)
	g.admit()
}

func (g *gate) fits(n share) bool {
	const slack = 1e-9 // sums of fractions of a core
	return n.places <= g.free.places && n.cores <= g.free.cores+slack && n.memory <= g.free.memory+slack && n.devices <= g.free.devices
}

func (g *gate) take(n share) {
	g.free.places -= n.places
	g.free.cores -= n.cores
	g.free.memory -= n.memory
	g.free.devices -= n.devices
	g.running++
}

func (g *gate) give(n share) {
	g.free.places += n.places
	g.free.cores += n.cores
	g.free.memory += n.memory
	g.free.devices += n.devices
	g.running--
}

func (g *gate) admit() {
	for e := g.queue.Front(); e != nil; e = g.queue.Front() {
		w, _ := e.Value.(*waiter)
		if !g.fits(w.need) {
			return
		}
		g.take(w.need)
		g.queue.Remove(e)
		close(w.ready)
	}
}

func (g *gate) counts() (running, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running, g.queue.Len()
}
