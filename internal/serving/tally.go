package serving

import (
	"slices"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
)

// tally counts how requests ended and how long they took.
type tally struct {
	outcomes [5]atomic.Int64 // by endpoint.Outcome
	buckets  [16]atomic.Int64
	nanos    atomic.Int64 // of all latencies
	good     atomic.Int64 // nanoseconds of those that ended OK
	last     atomic.Int64 // when one ended last, in nanoseconds since 1970
}

// count takes in a request that ended now.
func (t *tally) count(o endpoint.Outcome, took time.Duration, now time.Time) {
	t.outcomes[o].Add(1)
	t.last.Store(now.UnixNano())
	if o == endpoint.Shed {
		return // it took no time
	}
	i, _ := slices.BinarySearch(Buckets, took.Seconds())
	t.buckets[i].Add(1)
	t.nanos.Add(int64(took))
	if o == endpoint.OK {
		t.good.Add(int64(took))
	}
}

// Tally are counts of requests. They only grow.
type Tally struct {
	// Requests counts by endpoint.Outcome.
	Requests [5]int64
	// Buckets counts the latencies up to each of the package's Buckets, and the others, not cumulative; Seconds is their sum.
	Buckets [16]int64
	Seconds float64
}

func (t *tally) read() Tally {
	out := Tally{Seconds: time.Duration(t.nanos.Load()).Seconds()}
	for i := range out.Requests {
		out.Requests[i] = t.outcomes[i].Load()
	}
	for i := range out.Buckets {
		out.Buckets[i] = t.buckets[i].Load()
	}
	return out
}

// byName are the counts by the names of the outcomes.
func (t *tally) byName() map[string]int64 {
	out := make(map[string]int64, len(endpoint.Outcomes))
	for o, name := range endpoint.Outcomes {
		out[name] = t.outcomes[o].Load()
	}
	return out
}
