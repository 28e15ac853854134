package serving

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// slot is the place of one worker: it starts the worker when it is wanted, gives it batches, and starts another when it dies. It ends
// with the version.
type slot struct {
	*version
	n int
	// alone are requests that were in a batch whose worker died: they are tried again one by one.
	alone []*pending
	// held was taken from the queue and could not join the batch before.
	held *pending
	// checked is when the worker was last asked whether it is there.
	checked time.Time
	tries   int // starts that failed, or workers that died young, one after the other
}

// The pauses before a worker is started again.
const (
	firstPause  = 250 * time.Millisecond
	longestWait = time.Minute
	// oldEnough is how long a worker lives whose death is no reason to wait.
	oldEnough = 30 * time.Second
	// surplusAfter is how long a worker beyond the usual number waits for something to do.
	surplusAfter = 30 * time.Second
	// longestTurn is how long a model that loads keeps others waiting.
	longestTurn = 30 * time.Second
	// checkEvery is how often an idle worker is asked whether it is there, checkLimit how long it may take.
	checkEvery = 10 * time.Second
	checkLimit = 5 * time.Second
)

func (v *version) slot(n int) {
	s := &slot{version: v, n: n}
	defer func() { s.failAll(fault.Unavailablef("endpoint %q: version %s was taken away", v.endpoint, v.number)) }()
	for s.awaitDemand() {
		s.once()
	}
}

// awaitDemand waits until the slot should have a worker; false when it should end.
func (s *slot) awaitDemand() bool {
	if s.held != nil || len(s.alone) > 0 {
		return s.until.Err() == nil
	}
	wanted, _ := s.signals()
	if s.n >= s.usual { // one for when the others are not enough
		select {
		case <-s.more:
			return true
		case <-s.until.Done():
			return false
		}
	}
	select {
	case <-wanted:
		return s.until.Err() == nil
	case s.held = <-s.queue:
		s.warm() // the others too
		return true
	case <-s.until.Done():
		return false
	}
}

// once is the life of one worker.
func (s *slot) once() {
	_, rest := s.signals()
	w, err := s.start()
	if err != nil {
		s.startFailed(err)
		return
	}
	born := time.Now()
	s.up(w)
	lost := s.serve(w, rest)
	s.down()
	w.Close()
	if !lost {
		s.tries = 0
		return
	}
	s.workerLost(w, time.Since(born))
}

func (s *slot) start() (Worker, error) {
	p, err := s.prepare(s.until)
	if err != nil {
		return nil, err
	}
	s.set(func() {
		if s.ready == 0 {
			s.state = endpoint.Loading
		}
	})
	loaded := s.turn()
	w, said, err := p.Start(s.until, s.settings)
	loaded()
	if err == nil {
		s.set(func() { s.note, s.runtime = said.Note, said.Runtime })
		s.s.deps.Logger.Info("a model is loaded", "endpoint", s.endpoint, "version", s.number, "runtime", said.Runtime, "note", said.Note)
	}
	return w, err
}

// turn waits until the slot may load its model, and returns what ends its turn: so that a server with many models does not load all of them at
// once when it starts. What is asked, or was deployed since, waits for nobody.
func (s *slot) turn() (end func()) {
	if !s.patient.Load() {
		return func() {}
	}
	select {
	case s.s.turns <- struct{}{}:
		giveUp := sync.OnceFunc(func() { <-s.s.turns })
		t := time.AfterFunc(longestTurn, giveUp)
		return func() { t.Stop(); giveUp() }
	case <-s.asked:
	case <-s.until.Done():
	}
	return func() {}
}

func (s *slot) up(w Worker) {
	first, message := false, "version "+s.number+" answers"
	s.set(func() {
		first = s.ready == 0 && (!s.everUp || s.failure != nil)
		s.ready++
		s.workers[s.n] = w
		s.failure, s.hopeless, s.everUp = nil, false, true
		if s.ready >= s.usual {
			s.said = "" // what happens from here on is news again
		}
		if s.state != endpoint.Draining {
			s.state = endpoint.Ready
		}
		if s.runtime != "" {
			message += " (" + s.runtime + ")"
		}
		if s.note != "" {
			message += "; " + s.note
		}
	})
	if first {
		s.s.note(endpoint.Event{Endpoint: s.endpoint, Kind: endpoint.VersionReady, Version: s.number, Message: fault.Shorten(message, 2000)})
	}
}

func (s *slot) down() {
	s.set(func() {
		s.ready--
		delete(s.workers, s.n)
		if s.ready == 0 && s.state == endpoint.Ready {
			s.state = endpoint.Loading
		}
	})
}

// startFailed tells what went wrong, answers what waits when nobody else can, and waits before the next try.
func (s *slot) startFailed(err error) {
	if s.until.Err() != nil {
		return
	}
	hopeless := fault.KindOf(err) == fault.Invalid || fault.KindOf(err) == fault.NotFound
	told, others := false, false
	s.set(func() {
		if others = s.ready > 0; !others {
			told = s.failure == nil || s.failure.Error() != err.Error()
			s.failure, s.hopeless, s.state = err, hopeless, endpoint.Failed
		}
	})
	if s.news(err.Error()) {
		s.s.deps.Logger.Warn("a model could not be loaded", "endpoint", s.endpoint, "version", s.number, "error", err)
	}
	if told {
		s.s.note(endpoint.Event{Endpoint: s.endpoint, Kind: endpoint.VersionFailed, Version: s.number,
			Message: "version " + s.number + " could not be loaded: " + fault.Shorten(err.Error(), 2000)})
	}
	s.failAll(s.unavailable(err))
	if !others {
		s.flush(s.unavailable(err))
	}
	if hopeless {
		<-s.until.Done() // only another deployment can help
		return
	}
	s.pause()
}

// pause waits before another try, longer each time.
func (s *slot) pause() {
	wait := min(firstPause<<min(s.tries, 20), longestWait)
	s.tries++
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.until.Done():
	}
}

func (s *slot) workerLost(w Worker, lived time.Duration) {
	if s.until.Err() != nil {
		return
	}
	err := w.Err()
	s.stats.lost.Add(1)
	if s.deployed.Remote == nil || s.news(err.Error()) { // all connections to a server are lost at once
		s.s.deps.Logger.Warn("a model worker is lost and is replaced", "endpoint", s.endpoint, "version", s.number, "error", err)
		s.s.note(endpoint.Event{Endpoint: s.endpoint, Kind: endpoint.WorkerLost, Version: s.number,
			Message: fault.Shorten(err.Error(), 2000), Data: map[string]any{"lived_seconds": lived.Seconds()}})
	}
	if lived >= oldEnough {
		s.tries = 0
	}
	if s.tries == 0 { // the first replacement comes at once
		s.tries = 1
		return
	}
	s.pause()
}

// failAll answers what only this slot has.
func (s *slot) failAll(err error) {
	if s.held != nil {
		s.held.answer(nil, err)
		s.held = nil
	}
	for _, p := range s.alone {
		p.answer(nil, err)
	}
	s.alone = nil
}

// serve gives a worker batches until it is gone (lost is true), is not wanted any more, or the version ends.
func (s *slot) serve(w Worker, rest <-chan struct{}) (lost bool) {
	idle := time.NewTimer(checkEvery)
	defer idle.Stop()
	worked := time.Now()
	for {
		p := s.next()
		if p == nil {
			select {
			case p = <-s.queue:
			case <-w.Gone():
				return true
			case <-rest:
				return false
			case <-s.until.Done():
				return false
			case <-idle.C:
				idle.Reset(checkEvery)
				if s.n >= s.usual && time.Since(worked) > surplusAfter {
					return false
				}
				if w.Check(context.Background(), checkLimit) != nil {
					return true
				}
				continue
			}
		}
		worked = time.Now()
		if gone := s.run(w, s.gather(p)); gone {
			return true
		}
	}
}

// next is what is to be done before the queue.
func (s *slot) next() *pending {
	if len(s.alone) > 0 {
		p := s.alone[0]
		s.alone = s.alone[1:]
		return p
	}
	if p := s.held; p != nil {
		s.held = nil
		return p
	}
	select {
	case p := <-s.queue:
		return p
	default:
		return nil
	}
}

// gather joins to a request what waits and can be joined.
func (s *slot) gather(p *pending) []*pending {
	batch := []*pending{p}
	limit := s.limit.Load()
	if p.lost > 0 || !p.rowed || s.notByRow.Load() || p.rows >= limit {
		return batch
	}
	var delay <-chan time.Time
	rows := p.rows
	for rows < limit && int64(len(batch)) < limit {
		var q *pending
		select {
		case q = <-s.queue:
		default:
			if s.settings.BatchDelayMS <= 0 {
				return batch
			}
			if delay == nil {
				t := time.NewTimer(time.Duration(s.settings.BatchDelayMS * float64(time.Millisecond)))
				defer t.Stop()
				delay = t.C
			}
			select {
			case q = <-s.queue:
			case <-delay:
				return batch
			case <-s.until.Done():
				return batch
			}
		}
		if q.ctx.Err() != nil {
			continue // nobody waits for it
		}
		if !q.rowed || rows+q.rows > limit || !infer.Joinable(p.request, q.request) {
			s.held = q
			return batch
		}
		batch = append(batch, q)
		rows += q.rows
	}
	return batch
}

// run has a worker predict a batch and answers its requests. When the model cannot take the batch as a whole its halves are tried, so that
// a request that is wrong fails by itself. gone says that the worker has died.
func (s *slot) run(w Worker, batch []*pending) (gone bool) {
	requests := make([]*infer.Request, len(batch))
	rows := int64(0)
	for i, p := range batch {
		requests[i] = p.request
		rows += p.rows
	}
	if len(batch) == 1 && batch[0].ctx.Err() != nil {
		return false
	}
	ctx, stop := context.Background(), func() {}
	if s.deployed.Remote != nil { // a process of our own cannot be told to stop
		ctx, stop = whileWanted(batch)
	}
	began := time.Now()
	answers, err := w.Predict(ctx, requests, s.settings.Timeout())
	givenUp := err != nil && ctx.Err() != nil
	stop()
	if givenUp {
		for _, p := range batch {
			p.answer(nil, cmp.Or(p.ctx.Err(), ctx.Err())) // the deadline of the batch may pass a moment before that of the last one
		}
		return s.silent(w)
	}
	s.stats.batches.Add(1)
	s.stats.rows.Add(rows)
	if err == nil {
		took := time.Since(began)
		s.adapt(rows, took)
		s.stats.work.done(batch, began, took)
		for i, p := range batch {
			p.answer(answers[i], nil)
		}
		return false
	}
	select {
	case <-w.Gone():
		s.lostWith(batch, err)
		return true
	default:
	}
	if fault.KindOf(err) == fault.Conflict {
		s.notByRow.Store(true)
		s.s.deps.Logger.Info("the model does not answer row by row: requests are not joined", "endpoint", s.endpoint, "version", s.number, "reason", err)
	}
	if len(batch) == 1 {
		batch[0].answer(nil, s.explain(err))
		return false
	}
	half := len(batch) / 2
	if s.notByRow.Load() {
		half = 1
	}
	if s.run(w, batch[:half]) {
		s.alone = append(s.alone, batch[half:]...)
		return true
	}
	return s.run(w, batch[half:])
}

// silent reports whether a worker that let its clients wait in vain is not there any more. It is asked about that once in a while only.
func (s *slot) silent(w Worker) bool {
	if time.Since(s.checked) < checkEvery {
		return false
	}
	s.checked = time.Now()
	return w.Check(context.Background(), checkLimit) != nil
}

// whileWanted is a context that ends when nobody waits for any request of a batch any more; its deadline is the latest of theirs.
func whileWanted(batch []*pending) (context.Context, func()) {
	if len(batch) == 1 {
		return batch[0].ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	if latest, all := latestDeadline(batch); all {
		ctx, cancel = context.WithDeadline(context.Background(), latest)
	}
	var waiting atomic.Int64
	waiting.Store(int64(len(batch)))
	stops := make([]func() bool, len(batch))
	for i, p := range batch {
		stops[i] = context.AfterFunc(p.ctx, func() {
			if waiting.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// latestDeadline is the latest deadline of the requests of a batch; all is whether each of them has one.
func latestDeadline(batch []*pending) (latest time.Time, all bool) {
	for _, p := range batch {
		at, has := p.ctx.Deadline()
		if !has {
			return latest, false
		}
		if at.After(latest) {
			latest = at
		}
	}
	return latest, true
}

// explain says whose error it is.
func (s *slot) explain(err error) error {
	if fault.KindOf(err) == fault.Internal {
		return err
	}
	return &fault.Error{Kind: fault.KindOf(err), Cause: err, Message: "endpoint \"" + s.endpoint + "\", version " + s.number + ": " + err.Error()}
}

// lostWith sees to the requests of a batch whose worker died: each is tried again by itself, once, because only one of them may be the
// reason. What took too long is not tried again.
func (s *slot) lostWith(batch []*pending, err error) {
	for _, p := range batch {
		p.lost++
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			p.answer(nil, s.late())
		case p.lost > 1 && len(batch) == 1:
			p.answer(nil, s.explain(err))
		default:
			s.alone = append(s.alone, p)
		}
	}
}

// adapt keeps batches so small that they take no longer than they may, as far as smaller ones would take less, and lets them grow while they
// take less.
func (s *slot) adapt(rows int64, took time.Duration) {
	bound := time.Duration(s.settings.BatchLatencyMS) * time.Millisecond
	s.pace.add(rows, took)
	limit := s.limit.Load()
	if fit, known := s.pace.rows(bound); known {
		s.limit.Store(max(1, min(fit, 2*limit, int64(s.settings.MaxBatch))))
		return
	}
	switch {
	case took > bound && rows > 1:
		s.limit.Store(max(1, rows/2))
	case rows >= limit/2 && took < bound/2:
		s.limit.Store(min(2*limit, int64(s.settings.MaxBatch)))
	}
}
