package serving

import (
	"fmt"
	"time"

	"levada/internal/core/endpoint"
)

// keepEvery is how often the keeper looks.
const keepEvery = 250 * time.Millisecond

// crowdedFor is how many looks in a row a queue must be filled before another worker starts.
const crowdedFor = 4

// keep sends away the workers of versions that nobody asks, or that the memory budget has no room for, and has more started where
// requests wait; and it has graphs follow what was asked for. It ends with the service.
func (s *Service) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	crowded := map[*version]int{}
	for {
		select {
		case <-s.until.Done():
			return
		case <-tick.C:
		}
		versions := s.versions()
		now := s.deps.Now()
		before := crowded
		crowded = map[*version]int{}
		for _, v := range versions {
			v.idle(now)
			if len(v.queue) > 0 {
				if crowded[v] = before[v] + 1; crowded[v] >= crowdedFor {
					v.grow()
				}
			}
		}
		s.evict(versions)
		s.followGraphs(s.until)
	}
}

func (s *Service) versions() []*version {
	var out []*version
	for _, l := range *s.all.Load() {
		if r := l.route.Load(); r != nil {
			for _, v := range r.versions {
				out = append(out, v)
			}
		}
	}
	return out
}

// idle sends the workers away when nobody has asked for long enough.
func (v *version) idle(now time.Time) {
	limit := time.Duration(v.settings.IdleSeconds) * time.Second
	if limit == 0 || v.idleFor(now) < limit || v.inflight.Load() > 0 || !v.up() {
		return
	}
	v.sleep()
	v.s.note(endpoint.Event{Endpoint: v.endpoint, Kind: endpoint.ScaledToZero, Version: v.number,
		Message: fmt.Sprintf("version %s had no request for %s: its workers end until the next one", v.number, limit)})
}

// up reports whether the version has workers.
func (v *version) up() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ready > 0 && v.state == endpoint.Ready
}

// grow lets a slot beyond the usual number start a worker, if there is one without.
func (v *version) grow() {
	select {
	case v.more <- struct{}{}:
	default:
	}
}

// The memory that a worker takes after settleTime is what the model needs; what leaks is beyond leakFactor times as much.
const (
	settleTime = time.Minute
	leakFactor = 2
)

// leaked is by how many bytes the workers of a version that has some have outgrown what they needed at first. Only the keeper may ask.
func (v *version) leaked(now time.Time, used int64) int64 {
	workers := v.workersUp()
	each := used / max(1, workers)
	if v.began.IsZero() {
		v.began, v.settled = now, 0
	}
	if now.Sub(v.began) < settleTime {
		v.settled = max(v.settled, each)
	}
	if each <= leakFactor*v.settled {
		return 0
	}
	return (each - v.settled) * workers
}

func (v *version) workersUp() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return int64(len(v.workers))
}

// evict sends workers away while all together use more than the budget: those of a version that has outgrown itself, where that is why; else those of
// the version that was used least recently. The last one of these stays: a model that is larger than the budget by itself is better slow for others
// than never there.
func (s *Service) evict(versions []*version) {
	if s.deps.MemoryBudget <= 0 {
		return
	}
	total, most, up := int64(0), int64(0), 0
	var leaking, oldest *version
	for _, v := range versions {
		if !v.up() {
			v.began = time.Time{}
			continue
		}
		used := v.memoryUsed()
		total += used
		up++
		if leaked := v.leaked(s.deps.Now(), used); leaked > most {
			leaking, most = v, leaked
		}
		if v.inflight.Load() == 0 && (oldest == nil || v.used.Load() < oldest.used.Load()) {
			oldest = v
		}
	}
	over := total - s.deps.MemoryBudget
	victim, why := oldest, "which was used least recently, ends its workers until the next request"
	switch {
	case over <= 0:
		return
	case leaking != nil && most >= over:
		victim, why = leaking, fmt.Sprintf("whose workers use %d MiB more than when they were new, has them replaced; it seems to leak memory", most>>20)
	case up < 2 || oldest == nil: // all of them may be busy: the next look may find one
		return
	}
	victim.sleep()
	victim.began = time.Time{}
	s.note(endpoint.Event{Endpoint: victim.endpoint, Kind: endpoint.Evicted, Version: victim.number,
		Message: fmt.Sprintf("all models together used %d MiB and the budget is %d MiB: version %s, %s", total>>20, s.deps.MemoryBudget>>20, victim.number, why)})
}
