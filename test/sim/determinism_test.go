package sim

import (
	"testing"
	"testing/synctest"
)

// A seed that fails must fail again in the same way, or nobody can find out why.
func TestASeedGivesTheSameHistoryEachTime(t *testing.T) {
	const seeds = 150
	once := func(t *testing.T, seed uint64) uint64 {
		sub, err := newSubject(seed)
		if err != nil {
			t.Fatal(err)
		}
		s, err := play(seed, sub, nil, func(s *schedule) { s.trace.hashing = true })
		if err != nil {
			t.Fatal(report(s, err))
		}
		return s.trace.hash
	}
	var first [seeds]uint64
	for round := range 3 {
		synctest.Test(t, func(t *testing.T) {
			for i := range uint64(seeds) {
				switch hash := once(t, i*7); {
				case round == 0:
					first[i] = hash
				case hash != first[i]:
					t.Errorf("seed %d gives another history in round %d", i*7, round)
				}
			}
		})
	}
}
