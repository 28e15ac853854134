package serving

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/infer"
)

// window is how many requests of a version are remembered.
const window = 8192

// Buckets are the upper bounds of the latencies that are counted, in seconds.
var Buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// stats are what is remembered of the requests to a version of an endpoint.
type stats struct {
	tally   // of requests, without shadows
	shadows [5]atomic.Int64
	agreed  atomic.Int64 // shadows that answered the same
	batches atomic.Int64
	rows    atomic.Int64 // in batches
	work    work
	began   time.Time    // when counting began
	lost    atomic.Int64 // workers that were lost and replaced

	tap atomic.Pointer[tap] // of a rollout; nil without one

	mu   sync.Mutex
	ring []endpoint.Observation
	next int
}

// copied tells a rollout of a request of which a shadow has answered a copy.
func (s *stats) copied(o endpoint.Observation) {
	if t := s.tap.Load(); t != nil {
		t.add(o, countOriginals)
	}
}

func (s *stats) observe(o endpoint.Observation) {
	is := countAnswers
	if o.Shadow {
		is = countCopies
	}
	if t := s.tap.Load(); t != nil {
		t.add(o, is)
	}
	if o.Shadow {
		s.shadows[o.Outcome].Add(1)
		if o.Agreed {
			s.agreed.Add(1)
		}
	} else {
		s.count(o.Outcome, o.Latency, o.At.Add(o.Latency))
	}
	s.mu.Lock()
	if len(s.ring) < window {
		s.ring = append(s.ring, o)
	} else {
		s.ring[s.next] = o
	}
	s.next = (s.next + 1) % window
	s.mu.Unlock()
}

// since returns what is remembered from a moment on, in the order in which it ended.
func (s *stats) since(t time.Time) []endpoint.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := 0
	if len(s.ring) == window {
		from = s.next
	}
	out := make([]endpoint.Observation, 0, len(s.ring))
	for i := range s.ring {
		if o := s.ring[(from+i)%len(s.ring)]; !o.At.Before(t) {
			out = append(out, o)
		}
	}
	return out
}

// refuse takes in a request that the version cannot be asked with. The model had no work with it, so its latency says nothing. A rollout is told of it where blamed
// says so, which is asked for requests that are compared alone.
func (s *stats) refuse(o endpoint.Observation, blamed func(*tap) bool) {
	if t := s.tap.Load(); t != nil && !o.Aimed && blamed(t) {
		t.add(o, countAnswers)
	}
	s.outcomes[o.Outcome].Add(1)
	s.last.Store(o.At.UnixNano())
}

// observed completes the description of a request by what it asked and got.
func observed(took time.Duration, r *infer.Request, resp *infer.Response, seen endpoint.Observation) endpoint.Observation {
	rows, _ := infer.BatchRows(r)
	seen.Latency, seen.Rows, seen.Prediction, seen.Label, seen.Difference = took, int(rows), math.NaN(), "", math.NaN()
	if resp == nil || len(resp.Outputs) == 0 {
		return seen
	}
	t := &resp.Outputs[0]
	if n, err := infer.Elements(t.Shape); err != nil || n == 0 {
		return seen
	}
	if t.Datatype == infer.Bytes {
		if size := int(binary.LittleEndian.Uint32(t.Data)); size <= len(t.Data)-4 {
			seen.Label = strings.ToValidUTF8(string(t.Data[4:4+min(size, 64)]), "")
		}
		return seen
	}
	seen.Prediction = infer.Number(t.Element(0))
	return seen
}

// compare says whether two answers are the same, and how far their numbers are apart at most.
func compare(a, b *infer.Response, aErr, bErr error) (same bool, difference float64) {
	difference = math.NaN()
	if a == nil || b == nil {
		return aErr != nil && bErr != nil, difference
	}
	if len(a.Outputs) != len(b.Outputs) {
		return false, difference
	}
	same = true
	for i := range a.Outputs {
		x, y := &a.Outputs[i], &b.Outputs[i]
		n, err := infer.Elements(x.Shape)
		if err != nil || x.Datatype != y.Datatype || !slices.Equal(x.Shape, y.Shape) {
			same = false
			continue
		}
		if bytes.Equal(x.Data, y.Data) {
			if x.Datatype != infer.Bytes && math.IsNaN(difference) {
				difference = 0
			}
			continue
		}
		same = false
		if x.Datatype == infer.Bytes {
			continue
		}
		for j := range n {
			d := math.Abs(infer.Number(x.Element(j)) - infer.Number(y.Element(j)))
			if math.IsNaN(difference) || d > difference {
				difference = d
			}
		}
	}
	return same, difference
}

// Observations returns what is remembered of the requests to a version of an endpoint since a moment, in the order in which they
// ended: the newest 8192 at most, and those of this server's life only.
func (s *Service) Observations(_ context.Context, name, number string, since time.Time) ([]endpoint.Observation, error) {
	l, err := s.find(name)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	st := l.stats[number]
	l.mu.Unlock()
	if st == nil {
		return nil, noVersion(name, number)
	}
	return st.since(since), nil
}
