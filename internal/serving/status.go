package serving

import (
	"context"
	"maps"
	"slices"
	"time"

	"levada/internal/core/endpoint"
)

// EndpointState sums up how an endpoint is.
type EndpointState string

// The states of an endpoint.
const (
	StateReady    EndpointState = "READY"    // what was asked for is followed
	StateUpdating EndpointState = "UPDATING" // versions of an update load; what was followed before goes on
	StateFailed   EndpointState = "FAILED"   // what was asked for could not be brought about, and what was followed before goes on; or that fails
	StateLoading  EndpointState = "LOADING"  // a version that requests follow loads: they wait for it, or none is there yet
	StatePaused   EndpointState = "PAUSED"   // no server runs that would serve it
)

// Status is an endpoint with how it is at present.
type Status struct {
	endpoint.Endpoint
	State EndpointState `json:"state" enum:"READY,UPDATING,FAILED,LOADING,PAUSED"`
	// Trouble is why the state is FAILED, or why an update gets no further though it is tried again.
	Trouble  string          `json:"trouble,omitempty" doc:"why the state is FAILED; with LOADING and UPDATING why a version could not be loaded, which is tried again"`
	Versions []VersionStatus `json:"versions" nullable:"false"`
}

// VersionStatus is how a version of an endpoint is. Figures count from Since on: none of an earlier server are known.
type VersionStatus struct {
	Version string         `json:"version"`
	State   endpoint.State `json:"state" enum:"BUILDING,LOADING,READY,IDLE,FAILED,DRAINING"`
	// Percent is its share of the requests that no rule takes.
	Percent     float64          `json:"percent"`
	Error       string           `json:"error,omitempty" doc:"why it could not be loaded"`
	Runtime     string           `json:"runtime,omitempty" doc:"what runs it, such as ONNX Runtime 1.32.0 or Python 3.11.7; absent before it was loaded"`
	Note        string           `json:"note,omitempty" doc:"what its owner should know, such as another version of Python"`
	Since       *time.Time       `json:"counted_since,omitempty" doc:"when counting of requests and restarts began: with the start of the server, or later with the version"`
	Workers     int              `json:"workers" doc:"processes that have the model loaded"`
	Restarts    int64            `json:"restarts" doc:"workers that were lost and replaced"`
	Waiting     int              `json:"waiting" doc:"requests in the queue"`
	MemoryBytes int64            `json:"memory_bytes"`
	Requests    map[string]int64 `json:"requests" doc:"how requests ended: ok, rejected, failed, timeout, shed"`
	Shadowed    int64            `json:"shadowed,omitempty" doc:"copies of requests that it saw"`
	Agreed      int64            `json:"agreed,omitempty" doc:"copies to which it answered the same as the client got"`
	Rate        float64          `json:"rate" doc:"requests per second in the newest 10 seconds"`
	ErrorShare  float64          `json:"error_share" doc:"share of the newest requests, of at most 10 minutes, that got no prediction"`
	P50MS       float64          `json:"p50_ms" doc:"median latency of the newest requests that were answered"`
	P99MS       float64          `json:"p99_ms"`
	BatchRows   float64          `json:"batch_rows" doc:"mean rows of a batch"`
	LastRequest *time.Time       `json:"last_request,omitempty"`
}

// Get returns an endpoint.
func (s *Service) Get(_ context.Context, name string) (Status, error) {
	l, err := s.find(name)
	if err != nil {
		return Status{}, err
	}
	return l.status(s.deps.Now()), nil
}

// List returns all endpoints in the order of their names.
func (s *Service) List(context.Context) ([]Status, error) {
	all := *s.all.Load()
	out := make([]Status, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name].status(s.deps.Now()))
	}
	return out, nil
}

func (l *live) status(now time.Time) Status {
	r := l.route.Load()
	l.mu.Lock()
	out := Status{Endpoint: l.record, State: StateReady, Versions: []VersionStatus{}}
	running := maps.Clone(l.coming)
	settled := true
	select {
	case <-l.settled:
	default:
		settled = false
	}
	switch {
	case l.s.deps.Paused:
		out.State = StatePaused
	case l.trouble != nil:
		out.State, out.Trouble = StateFailed, l.trouble.Error()
	case r == nil:
		out.State, out.Trouble = StateLoading, failing(running)
	case !settled:
		out.State, out.Trouble = StateUpdating, failing(running)
	default:
		out.State, out.Trouble = r.state()
	}
	l.mu.Unlock()
	if running == nil {
		running = map[string]*version{}
	}
	if r != nil {
		for n, v := range r.versions {
			if running[n] == nil {
				running[n] = v
			}
		}
	}
	followed := out.Spec
	if r != nil {
		followed = *r.spec
	}
	for _, n := range needed(&out.Endpoint) {
		vs := VersionStatus{Version: n, State: endpoint.Loading, Requests: map[string]int64{}}
		if out.State == StatePaused {
			vs.State = endpoint.Idle
		}
		if out.State == StateFailed && !slices.Contains(followed.Versions, n) {
			vs.State, vs.Error = endpoint.Failed, out.Trouble
		}
		if v := running[n]; v != nil {
			vs = v.status(now)
		}
		for _, share := range followed.Traffic.Split {
			if share.Version == n && r != nil {
				vs.Percent = share.Percent
			}
		}
		out.Versions = append(out.Versions, vs)
	}
	return out
}

// failing says why versions of an update could not be loaded so far.
func failing(coming map[string]*version) string {
	for _, n := range slices.Sorted(maps.Keys(coming)) {
		v := coming[n]
		v.mu.Lock()
		failure := v.failure
		v.mu.Unlock()
		if failure != nil {
			return "version " + n + " could not be loaded, and is tried again: " + failure.Error()
		}
	}
	return ""
}

// state says whether all versions that requests follow answer, which they may not after a restart or a crash.
func (r *route) state() (EndpointState, string) {
	state := StateReady
	for _, n := range r.spec.Traffic.Answering() {
		v := r.versions[n]
		v.mu.Lock()
		ready, idle, failure := v.ready > 0, v.state == endpoint.Idle && v.everUp, v.failure
		v.mu.Unlock()
		switch {
		case ready || idle:
		case failure != nil:
			return StateFailed, failure.Error()
		default:
			state = StateLoading
		}
	}
	return state, ""
}

func (v *version) status(now time.Time) VersionStatus {
	out := VersionStatus{Version: v.number, Waiting: len(v.queue), MemoryBytes: v.memoryUsed(), Requests: v.stats.byName()}
	v.mu.Lock()
	out.State, out.Workers, out.Note, out.Runtime = v.state, v.ready, v.note, v.runtime
	if v.failure != nil {
		out.Error = v.failure.Error()
	}
	if v.state == endpoint.Idle && !v.everUp {
		out.State = endpoint.Loading // its first worker is about to start
	}
	v.mu.Unlock()
	st := v.stats
	out.Since, out.Restarts = &st.began, st.lost.Load()
	for o := range st.shadows {
		out.Shadowed += st.shadows[o].Load()
	}
	out.Agreed = st.agreed.Load()
	if n := st.batches.Load(); n > 0 {
		out.BatchRows = float64(st.rows.Load()) / float64(n)
	}
	seen := st.since(now.Add(-10 * time.Minute))
	out.P50MS, out.P99MS, out.LastRequest = latencies(seen)
	out.Rate, out.ErrorShare = rates(seen, now)
	return out
}

// rateOver is the time over which requests per second are counted.
const rateOver = 10 * time.Second

// rates are how many requests per second began of late, and the share of all that were seen which got no prediction. Where more came than
// are remembered, the time that is remembered counts.
func rates(seen []endpoint.Observation, now time.Time) (perSecond, errors float64) {
	over, late, bad, all := rateOver, 0, 0, 0
	if len(seen) == window {
		over = min(over, max(now.Sub(seen[0].At), time.Millisecond))
	}
	for i := range seen {
		if seen[i].Shadow {
			continue
		}
		all++
		if seen[i].Outcome != endpoint.OK {
			bad++
		}
		if now.Sub(seen[i].At) <= over {
			late++
		}
	}
	if all > 0 {
		errors = float64(bad) / float64(all)
	}
	return float64(late) / over.Seconds(), errors
}

// latencies are the median and the 99th percentile of the requests that were answered, in milliseconds, and when the newest began.
func latencies(seen []endpoint.Observation) (p50, p99 float64, last *time.Time) {
	var took []time.Duration
	for i := range seen {
		if seen[i].Outcome == endpoint.OK {
			took = append(took, seen[i].Latency)
		}
	}
	if n := len(seen); n > 0 {
		at := seen[n-1].At.UTC()
		last = &at
	}
	if len(took) == 0 {
		return 0, 0, last
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		i := min(int(q*float64(len(took))), len(took)-1) // nearest rank
		return float64(took[i]) / float64(time.Millisecond)
	}
	return at(0.5), at(0.99), last
}

// Measured are the figures of a version of an endpoint, for a metrics system. Counts only grow.
type Measured struct {
	Endpoint, Version string
	State             endpoint.State
	Tally
	// Shadows counts copies of requests by endpoint.Outcome.
	Shadows [5]int64
	Agreed  int64
	// Batches and Rows are what the models were given.
	Batches, Rows   int64
	Workers, Queued int
	MemoryBytes     int64
}

// Measure returns the figures of all versions that requests follow.
func (s *Service) Measure() []Measured {
	var out []Measured
	for name, l := range *s.all.Load() {
		r := l.route.Load()
		if r == nil {
			continue
		}
		for n, v := range r.versions {
			m := Measured{Endpoint: name, Version: n, Queued: len(v.queue), MemoryBytes: v.memoryUsed(), Agreed: v.stats.agreed.Load(),
				Tally: v.stats.read(), Batches: v.stats.batches.Load(), Rows: v.stats.rows.Load()}
			for i := range m.Shadows {
				m.Shadows[i] = v.stats.shadows[i].Load()
			}
			v.mu.Lock()
			m.State, m.Workers = v.state, v.ready
			v.mu.Unlock()
			out = append(out, m)
		}
	}
	return out
}
