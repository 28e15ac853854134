package sim

import (
	"context"

	"levada/internal/core/run"
)

// machine is where steps run. It outlives the processes of the server, as the supervisors of steps do: an attempt goes on when the
// server is killed, its result waits for the next one, and it may vanish by itself.
type machine struct {
	world    *schedule
	attempts map[run.AttemptID]*attempt
}

// attempt is a step that runs, or has run and has not been settled.
type attempt struct {
	step  *run.Step
	how   ending
	id    uint64 // what its outputs are a function of
	ended bool
}

// start begins an attempt, or takes up the one that an earlier process has begun.
func (m *machine) start(ctx context.Context, p *process, s *run.Step) error {
	a := m.attempts[s.ID()]
	if ctx.Err() != nil {
		if a != nil && !p.stopping {
			delete(m.attempts, s.ID()) // stopped; a server that ends leaves it running
		}
		return ctx.Err()
	}
	if a != nil {
		return nil
	}
	if m.world.check.wasStarted(s) {
		m.world.check.vanished(s.ID())
		return &run.Failure{Reason: run.ReasonLost, Message: "its supervisor is gone"}
	}
	how, id := m.world.check.starts(s)
	for _, other := range m.attempts {
		if other.step.TaskID == s.TaskID && !other.ended {
			m.world.violation("%s starts while attempt %d runs", stepName(s), other.step.Attempt)
		}
	}
	m.attempts[s.ID()] = &attempt{step: s, how: how, id: id}
	return nil
}

// end returns what became of an attempt. despite says that it was told to stop and ended by itself nevertheless.
func (m *machine) end(ctx context.Context, p *process, s *run.Step, despite bool) (run.Values, error) {
	a := m.attempts[s.ID()]
	switch {
	case ctx.Err() != nil && p.stopping:
		return run.Values{}, ctx.Err()
	case a == nil:
		m.world.check.vanished(s.ID())
		return run.Values{}, &run.Failure{Reason: run.ReasonLost, Message: "its supervisor was killed"}
	case ctx.Err() != nil && !despite && !a.ended:
		delete(m.attempts, s.ID())
		return run.Values{}, ctx.Err()
	}
	if ctx.Err() == nil {
		m.world.check.runsOn(s)
	}
	a.ended = true
	return a.how.result(s.Component, a.id, s)
}

// recover ends what runs of attempts that no log calls open.
func (m *machine) recover(p *process, open []run.AttemptID) {
	listed := make(map[run.AttemptID]bool, len(open))
	for _, id := range open {
		listed[id] = true
	}
	for id, a := range m.attempts {
		if !listed[id] {
			if !a.ended {
				m.world.check.orphaned(id, p)
			}
			delete(m.attempts, id)
		}
	}
}

// settle forgets the result of an attempt.
func (m *machine) settle(id run.AttemptID) { delete(m.attempts, id) }

// mishap lets something happen to a step that no server has asked for: it ends while nobody watches, or it vanishes.
func (m *machine) mishap() bool {
	var running []*attempt
	for _, a := range m.attempts {
		if !a.ended {
			running = append(running, a)
		}
	}
	if len(running) == 0 {
		return false
	}
	// The order of a map must not decide anything.
	a := running[0]
	for _, other := range running[1:] {
		if stepName(other.step) < stepName(a.step) {
			a = other
		}
	}
	if m.world.rng.IntN(2) == 0 {
		m.world.note(stepName(a.step) + " ends by itself")
		a.ended = true
		return true
	}
	m.world.note("the supervisor of " + stepName(a.step) + " is killed")
	delete(m.attempts, a.step.ID())
	return true
}
