package sim

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"

	"levada/internal/core/ir"
	"levada/internal/core/run"
	"levada/test/sim/memstore"
)

// perPipeline is how many seeds in a row use the same pipeline, so that generating and parsing it costs little.
const perPipeline = 16

// newSubject returns the pipeline of a seed.
func newSubject(seed uint64) (*subject, error) {
	p, err := Generate(seed / perPipeline)
	if err != nil {
		return nil, fmt.Errorf("generate the pipeline of seed %d: %w", seed, err)
	}
	return &subject{seed: seed / perPipeline, pipeline: p}, nil
}

// script is how the steps of a schedule end.
func (*subject) script(s *schedule) script {
	return script{salt: s.seed * 0x9e3779b97f4a7c15, failures: []uint64{0, 5, 15, 40}[s.seed%4]}
}

// newSchedule returns the schedule of a seed. Store is the durable one; nil means one in memory.
func newSchedule(seed uint64, sub *subject, store backend) *schedule {
	s := &schedule{seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), subject: sub, store: store, logger: slog.New(slog.DiscardHandler)}
	if s.store == nil {
		s.store = memstore.New()
	}
	s.trouble = newTrouble(s.rng)
	s.check = newChecker(s)
	s.machine = &machine{world: s, attempts: map[run.AttemptID]*attempt{}}
	return s
}

// parse is ir.Parse that knows the pipeline of the present schedule: parsing it again after each crash would be most of the
// cost of a schedule.
func (s *subject) parse(spec []byte) (*ir.Pipeline, error) {
	if bytes.Equal(s.pipeline.Canonical, spec) {
		return s.pipeline, nil
	}
	return ir.Parse(spec)
}
