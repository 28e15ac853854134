// Package sim runs the real pipeline service - engine, actors, recovery, cache lookups - against a world that it controls down
// to the last event: a store, a runner and a clock whose every answer waits until the simulator gives it. A seed decides the
// pipeline, how steps end, in which order things happen, and what goes wrong: crashes, errors of the store before and after a
// commit, steps that end after they were told to stop, jumps of the clock, cancels, deletions. After every commit and at every
// start of a step the world is compared with what Levada promises (check.go), and at the end with a second interpreter of
// pipelines (oracle.go).
//
// The service runs in a bubble of testing/synctest on virtual time. All its effects go through the interfaces of
// pipeline/ports.go; a call of one parks until the simulator, which waits until everything else is parked too, releases it. So
// at most one thing happens at a time, in the order that the seed gives, although the service is as concurrent as ever. The
// package must not reach into the service: what cannot be said through its interfaces is not simulated.
// Start reading at schedule.run.
package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"levada/internal/core/ir"
	"levada/internal/pipeline"
)

// The limits of a schedule. One that needs more does not end.
const (
	maxSteps = 20_000
	maxIdle  = 20 // virtual hours without anything happening
	lastKept = 50 // steps that are shown of a schedule that failed
)

// verdict is how a parked call goes on.
type verdict int

const (
	proceed           verdict = iota
	dead                      // the process is gone: nothing happens and nobody hears of it
	failUnavailable           // an error, and nothing was done
	failInternal              // the same, of no kind that the service knows
	failAfter                 // an error, although it was done
	failAfterInternal         // the same, of no kind that the service knows
	withdraw                  // the caller gave up before it was done
	crashBefore               // the process dies before it is done
	crashAfter                // the process dies when it is done and before it is told
	finishDespiteStop         // a step that was told to stop ends as if it was not
	miss                      // content of the cache is gone
)

var verdicts = []string{"ok", "dead", "unavailable", "internal error", "done but unavailable", "done but internal error", "withdrawn",
	"CRASH before", "done, then CRASH", "ends despite being stopped", "content gone"}

// operation says what kind of call is parked, and so what may become of it.
type operation int

const (
	reads operation = iota
	writes
	environment
	reserve
	starts
	ends
)

// call is a parked call of one of the service's interfaces.
type call struct {
	op    operation
	what  string // unique among the parked calls, and the same in every run of the seed
	ctx   context.Context
	proc  *process
	hold  int // not before this step
	goOn  chan verdict
	fresh bool
}

// process is one life of the server.
type process struct {
	world    *schedule
	id       int
	stopping bool
	isDead   bool
	held     int // places that its steps have or will have
	// unreadable says that a log could not be read when it started, so that it may not know of all steps.
	unreadable bool

	// set by the goroutine that opens the service
	opened bool
	svc    *pipeline.Service
	err    error
	closed bool
}

// schedule is one simulated history.
type schedule struct {
	seed    uint64
	rng     *rand.Rand
	began   time.Time
	skew    time.Duration
	trouble trouble
	subject *subject
	store   backend
	check   *checker
	logger  *slog.Logger
	// thorough replays every log once more at the end.
	thorough bool

	mu      sync.Mutex // guards what the service's goroutines change
	parked  []*call
	clients []*client
	ids     int
	broken  error // the first broken promise

	proc     *process
	lives    int
	step     int
	idle     int
	lookup   verdict // what becomes of the cache lookup of the goroutine that goes on
	spec     verdict // the same for the specification
	machine  *machine
	requests int
	outage   int
	trace    trace
}

// trouble is what may go wrong in a schedule, and how often: in thousandths for each opportunity.
type trouble struct {
	until    int // the step after which all goes well
	crash    int
	crashes  int // how many at most
	fail     int // a call of the store
	outage   int // the beginning of a time in which every call of the store fails
	lateEnd  int // a step that was told to stop ends by itself
	lost     int // the content of a cache entry is gone
	clock    int // the clock jumps
	mishap   int // a step ends while nobody watches it, or vanishes
	time     int // time passes although something could happen
	shutdown int
	client   int // somebody asks for something
	submits  int
	cancel   bool
	places   int // on the machine; 0 means no limit
}

// newTrouble draws what goes wrong: some schedules see everything, some only one kind, some nothing.
func newTrouble(rng *rand.Rand) trouble {
	t := trouble{until: 40 + rng.IntN(400), time: 30, client: 60, submits: 1 + rng.IntN(4)/2, places: rng.IntN(5)}
	some := func(odds, most int) int {
		if rng.IntN(odds) > 0 {
			return 0
		}
		return 1 + rng.IntN(most)
	}
	t.crash, t.crashes = some(2, 30), 1+rng.IntN(5)
	t.fail = some(2, 300)
	t.outage = some(4, 20)
	t.lateEnd = some(2, 900)
	t.lost = some(3, 300)
	t.clock = some(4, 60)
	t.mishap = some(3, 40)
	t.shutdown = some(5, 15)
	t.cancel = rng.IntN(2) == 0
	return t
}

var errKilled = errors.New("the process was killed")

func (s *schedule) violation(format string, args ...any) {
	if s.broken == nil {
		s.broken = fmt.Errorf(format, args...)
	}
}

// now is the time that the service sees.
func (s *schedule) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Since(s.began) + s.skew)
}

// newID gives UUIDs in order.
func (s *schedule) newID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", s.ids, s.seed&0xffffffffffff)
}

// park waits until the simulator lets a call go on.
func (p *process) park(ctx context.Context, op operation, what string) verdict {
	s := p.world
	s.mu.Lock()
	if p.isDead {
		s.mu.Unlock()
		return dead
	}
	if client, ok := ctx.Value(clientKey{}).(*client); ok {
		what = client.name + ": " + what
	}
	c := &call{op: op, what: what, ctx: ctx, proc: p, goOn: make(chan verdict, 1), fresh: true}
	s.parked = append(s.parked, c)
	s.mu.Unlock()
	return <-c.goOn
}

// run plays the schedule to its end and returns the first promise that was broken.
func (s *schedule) run() error {
	s.began = time.Now()
	for s.broken == nil {
		synctest.Wait()
		s.step++
		if s.step > maxSteps {
			s.violation("the schedule does not end after %d steps", maxSteps)
			break
		}
		s.arrange()
		if s.next() {
			break
		}
	}
	if s.broken == nil {
		s.check.end()
	}
	s.tearDown()
	return s.broken
}

// arrange sorts what is parked, so that the order in which goroutines came does not matter, and holds some of it up.
func (s *schedule) arrange() {
	slices.SortFunc(s.parked, func(a, b *call) int { return strings.Compare(a.what, b.what) })
	for i, c := range s.parked {
		if c.fresh {
			if c.fresh = false; s.rng.IntN(8) == 0 {
				c.hold = s.step + s.rng.IntN(60)
			}
		}
		if i > 0 && c.what == s.parked[i-1].what {
			s.violation("two calls with the same name are parked: %s", c.what)
		}
	}
}

// chance reports whether something of the given thousandths happens, while there is trouble.
func (s *schedule) chance(thousandths int) bool {
	return thousandths > 0 && s.step < s.trouble.until && s.rng.IntN(1000) < thousandths
}

// next lets one thing happen. It reports whether nothing is left to do.
func (s *schedule) next() bool {
	p := s.proc
	if p == nil || p.opened && p.err != nil || p.closed {
		for s.chance(300) && s.machine.mishap() { // while no server runs
		}
		if p != nil {
			s.kill(nil, dead) // a process that ends well ends all the same
		}
		s.start()
		return false
	}
	switch {
	case s.trouble.crashes > 0 && s.chance(s.trouble.crash):
		s.note("CRASH")
		s.crash(nil, dead)
		return false
	case p.opened && !p.stopping && s.chance(s.trouble.shutdown):
		s.note("shutdown")
		s.stop(p)
		return false
	case s.chance(s.trouble.clock):
		s.skew += time.Duration(s.rng.IntN(7200)-3600) * time.Second
		s.note("the clock jumps")
		return false
	case s.chance(s.trouble.mishap) && s.machine.mishap():
		return false
	case p.opened && !p.stopping && s.request():
		return false
	}
	ready := s.ready()
	if len(ready) == 0 || s.chance(s.trouble.time) {
		return s.pass(len(ready) == 0)
	}
	s.idle = 0
	c := ready[s.rng.IntN(len(ready))]
	s.release(c, s.judge(c))
	return false
}

// ready lists the parked calls that can go on. A call that is held up waits while others can go on.
func (s *schedule) ready() []*call {
	var ready, held []*call
	for _, c := range s.parked {
		switch {
		case c.op == reserve && c.ctx.Err() == nil && s.trouble.places > 0 && c.proc.held >= s.trouble.places:
		case c.hold > s.step:
			held = append(held, c)
		default:
			ready = append(ready, c)
		}
	}
	if len(ready) == 0 {
		return held
	}
	return ready
}

// pass lets time go by. When nothing else can happen and all is done, it reports so.
func (s *schedule) pass(nothingElse bool) bool {
	if nothingElse && s.check.allFinal() && !s.busy() {
		return true
	}
	d := time.Duration(1+s.rng.IntN(3000)) * time.Millisecond
	if nothingElse {
		if s.idle++; s.idle > 4 {
			d = time.Hour
		}
		if s.idle > maxIdle {
			s.violation("stuck: nothing happens any more, and not everything has ended: %s", s.check.unfinished())
		}
	}
	time.Sleep(d)
	return false
}

// judge decides what becomes of a call.
func (s *schedule) judge(c *call) verdict {
	switch c.op {
	case reads, writes:
		s.spec = proceed
		if s.chance(s.trouble.fail) {
			s.spec = failUnavailable + verdict(s.rng.IntN(2))
		}
		v := s.judgeStore(c)
		c.proc.unreadable = c.proc.unreadable || v == failInternal || s.spec == failInternal
		return v
	case environment:
		s.lookup = proceed
		if s.chance(s.trouble.lost) {
			s.lookup = miss
		} else if s.chance(s.trouble.fail) {
			s.lookup = failUnavailable + verdict(s.rng.IntN(2))
		}
	case ends:
		if c.ctx.Err() != nil && s.chance(s.trouble.lateEnd) {
			return finishDespiteStop
		}
	}
	return proceed
}

func (s *schedule) judgeStore(c *call) verdict {
	crash := s.trouble.crashes > 0 && s.chance(s.trouble.crash*3)
	if s.chance(s.trouble.outage) {
		s.outage = 1 + s.rng.IntN(12)
	}
	switch {
	case crash && (c.op == reads || s.rng.IntN(2) == 0):
		return crashBefore
	case crash:
		return crashAfter
	case c.ctx.Err() != nil && s.rng.IntN(2) == 0:
		return withdraw
	case s.outage > 0:
		s.outage--
		return failUnavailable
	case s.chance(s.trouble.fail):
		if c.op == reads {
			return failUnavailable + verdict(s.rng.IntN(2))
		}
		return failUnavailable + verdict(s.rng.IntN(4))
	}
	return proceed
}

// release lets a call go on.
func (s *schedule) release(c *call, v verdict) {
	s.trace.add(s, c, v)
	s.parked = slices.DeleteFunc(s.parked, func(x *call) bool { return x == c })
	if v == crashBefore || v == crashAfter {
		s.crash(c, v)
		return
	}
	c.goOn <- v
}

// crash ends the process as kill -9 does: what its goroutines do from now on has no effect. The call that it dies of, if any, may
// still reach the store.
func (s *schedule) crash(last *call, v verdict) {
	s.trouble.crashes--
	s.kill(last, v)
}

func (s *schedule) kill(last *call, v verdict) {
	p := s.proc
	s.mu.Lock()
	p.isDead = true
	calls := s.parked
	s.parked = nil
	s.mu.Unlock()
	if last != nil {
		last.goOn <- v
		synctest.Wait()
	}
	for _, c := range calls {
		c.goOn <- dead
	}
	if p.opened && p.svc != nil && !p.stopping {
		go func() { _ = p.svc.Close(context.Background()) }() // a dead process closes nothing: this ends its goroutines
	}
	s.proc = nil
}

// start begins another life of the server.
func (s *schedule) start() {
	s.lives++
	s.note("start of the server")
	p := &process{world: s, id: s.lives}
	s.proc = p
	go func() {
		svc, err := pipeline.Open(context.Background(), s.options(p))
		s.mu.Lock()
		p.svc, p.err, p.opened = svc, err, true
		isDead := p.isDead
		s.mu.Unlock()
		if isDead && svc != nil {
			_ = svc.Close(context.Background())
		}
	}()
}

// stop shuts the server down in good order.
func (s *schedule) stop(p *process) {
	p.stopping = true
	go func() {
		err := p.svc.Close(context.Background())
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.violation("close: %v", err)
		}
		if p.held != 0 && !p.isDead {
			s.violation("%d places on the machine are not given back after the service has closed", p.held)
		}
		p.closed = true
	}()
}

// tearDown ends all goroutines of the schedule.
func (s *schedule) tearDown() {
	s.trouble = trouble{}
	if p := s.proc; p != nil {
		if s.broken == nil && p.opened && p.err == nil && !p.stopping {
			s.stop(p)
			for range maxSteps {
				synctest.Wait()
				if p.closed {
					break
				}
				s.arrange()
				if len(s.parked) > 0 {
					s.release(s.parked[0], proceed)
				}
			}
			if !p.closed {
				s.violation("the service does not close")
			}
		}
		s.crash(nil, dead)
	}
	synctest.Wait()
}

// note adds a line to the trace.
func (s *schedule) note(what string) { s.trace.add(s, &call{what: what}, proceed) }

// subject is a pipeline with what is computed of it once.
type subject struct {
	seed     uint64
	pipeline *ir.Pipeline
}
