package serving

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
)

// version is a deployed version with the settings it is served with: a queue, and slots that take from it, each with at most one worker.
// When settings change there is a new version beside it, and this one is drained.
type version struct {
	s        *Service
	endpoint string
	number   string
	deployed endpoint.Deployed
	settings endpoint.Settings
	usual    int // slots that have a worker all the time
	stats    *stats
	// described is what the version says about itself, once that was read.
	described atomic.Pointer[endpoint.Described]

	queue    chan *pending
	inflight atomic.Int64
	copies   atomic.Int64 // of requests, that it sees as a shadow at present
	used     atomic.Int64 // when a request came last, in nanoseconds since 1970
	limit    atomic.Int64 // rows of a batch at present
	pace     pace         // how long batches take
	notByRow atomic.Bool  // the model does not answer row by row

	retired atomic.Bool
	drained chan struct{} // closed when it is retired and nothing is in flight
	drain   sync.Once
	patient atomic.Bool     // it was there before the server started, and nobody has asked it since
	asked   chan struct{}   // closed when patience ends
	until   context.Context //nolint:containedctx // ends with the version: the slots are to end
	end     context.CancelFunc
	slots   sync.WaitGroup
	more    chan struct{} // taken by a slot beyond the usual number

	// Of the keeper alone: when the workers were first seen, and the most memory that each used soon after.
	began   time.Time
	settled int64

	mu       sync.Mutex
	prepared Prepared
	state    endpoint.State
	ready    int            // slots with a worker that has loaded the model
	failure  error          // why it could not be loaded, or not kept; nil while it answers
	hopeless bool           // another try would fail in the same way
	changed  chan struct{}  // closed and replaced with each change of the above
	wanted   chan struct{}  // closed while workers are wanted, replaced when they are not
	rest     chan struct{}  // closed to send the workers away, replaced then
	workers  map[int]Worker // by slot
	note     string
	runtime  string
	said     string // the trouble that was logged last
	everUp   bool
}

// firstLimit is how many rows the first batches have: how long a model takes is not known yet.
const firstLimit = 8

// remoteRequests is how many requests a remote gets at once unless settings say more.
const remoteRequests = 8

func newVersion(l *live, d endpoint.Deployed, settings endpoint.Settings) *version {
	settings = settings.Filled()
	v := &version{
		s: l.s, endpoint: l.name, number: d.Version, deployed: d, settings: settings, stats: l.statsOf(d.Version),
		queue: make(chan *pending, settings.QueueLimit), drained: make(chan struct{}), asked: make(chan struct{}), more: make(chan struct{}),
		state: endpoint.Idle, changed: make(chan struct{}), wanted: make(chan struct{}), rest: make(chan struct{}), workers: make(map[int]Worker),
	}
	v.until, v.end = context.WithCancel(l.s.until)
	v.limit.Store(int64(min(firstLimit, settings.MaxBatch)))
	v.used.Store(l.s.deps.Now().UnixNano())
	// A worker for a remote is no more than a request that is on its way.
	most := settings.MaxWorkers
	if v.usual = settings.Workers; d.Remote != nil {
		v.usual = max(v.usual, remoteRequests)
		most = max(most, v.usual)
	}
	for i := range most {
		v.slots.Go(func() { v.slot(i) })
	}
	return v
}

// enter counts a request in; false when the version takes no more.
func (v *version) enter() bool {
	v.inflight.Add(1)
	if v.retired.Load() {
		v.leave()
		return false
	}
	return true
}

func (v *version) leave() {
	if v.inflight.Add(-1) == 0 && v.retired.Load() {
		v.drain.Do(func() { close(v.drained) })
	}
}

// retire lets the version answer what it has, until ctx is done, and ends its workers.
func (v *version) retire(ctx context.Context) {
	v.retired.Store(true)
	v.set(func() { v.state = endpoint.Draining })
	if v.inflight.Load() == 0 {
		v.drain.Do(func() { close(v.drained) })
	}
	select {
	case <-v.drained:
	case <-ctx.Done():
	}
	v.end()
	v.slots.Wait()
	v.flush(fault.Unavailablef("endpoint %q: version %s was taken away", v.endpoint, v.number))
	v.mu.Lock()
	p := v.prepared
	v.prepared = nil
	v.mu.Unlock()
	if p != nil {
		p.Release()
	}
}

// set changes what mu guards and tells those who wait for it.
func (v *version) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	close(v.changed)
	v.changed = make(chan struct{})
}

// news reports whether trouble is another than what was said last, and remembers it: of the slots of a version the first one tells.
func (v *version) news(trouble string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.said == trouble {
		return false
	}
	v.said = trouble
	return true
}

// warm asks for workers, which start if there are none.
func (v *version) warm() {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.wanted:
	default:
		close(v.wanted)
	}
}

// sleep sends the workers away until the next request.
func (v *version) sleep() {
	v.set(func() {
		select {
		case <-v.wanted:
			v.wanted = make(chan struct{})
		default:
		}
		close(v.rest)
		v.rest = make(chan struct{})
		v.state = endpoint.Idle
	})
}

// signals returns the channels that a slot waits for.
func (v *version) signals() (wanted, rest <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.wanted, v.rest
}

// await waits until the version answers, or can never be loaded.
func (v *version) await(ctx context.Context) error {
	for {
		v.mu.Lock()
		ready, failure, hopeless, changed := v.ready, v.failure, v.hopeless, v.changed
		v.mu.Unlock()
		switch {
		case ready > 0:
			return nil
		case hopeless:
			return failure
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answers returns nil when requests are answered, if only after workers have been started for them.
func (v *version) answers() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ready > 0 || v.state == endpoint.Idle {
		return nil
	}
	if v.failure != nil {
		return v.unavailable(v.failure)
	}
	return fault.Unavailablef("endpoint %q: version %s is %s", v.endpoint, v.number, v.state)
}

// refuses returns why a request cannot even wait; nil when it can.
func (v *version) refuses() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ready > 0 || v.failure == nil {
		return nil
	}
	return v.unavailable(v.failure)
}

func (v *version) unavailable(why error) error {
	return fault.Unavailablef("endpoint %q: version %s does not answer: %w", v.endpoint, v.number, fmt.Errorf("%s", fault.Shorten(why.Error(), 1000)))
}

// flush answers everything that waits with an error.
func (v *version) flush(err error) {
	for {
		select {
		case p := <-v.queue:
			p.answer(nil, err)
		default:
			return
		}
	}
}

// prepare makes the version's files and environment ready, once.
func (v *version) prepare(ctx context.Context) (Prepared, error) {
	v.mu.Lock()
	p := v.prepared
	v.mu.Unlock()
	if p != nil {
		return p, nil
	}
	v.set(func() { v.state = endpoint.Building })
	p, err := v.s.deps.Runtimes.Prepare(ctx, v.deployed, func(line string) {
		v.s.deps.Logger.Debug("a model is prepared", "endpoint", v.endpoint, "version", v.number, "said", line)
	})
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.prepared != nil { // another slot was faster
		p.Release()
		return v.prepared, nil
	}
	v.prepared = p
	return p, nil
}

// memoryUsed is what the workers use together.
func (v *version) memoryUsed() (bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range v.workers {
		bytes += w.Memory()
	}
	return bytes
}

func (v *version) idleFor(now time.Time) time.Duration { return now.Sub(time.Unix(0, v.used.Load())) }
