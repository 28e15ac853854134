package serving_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/model"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

// memory is a Store in memory.
type memory struct {
	mu        sync.Mutex
	endpoints map[string]endpoint.Endpoint
	versions  map[string][]endpoint.Deployed
	events    []endpoint.Event
}

func (m *memory) PutEndpoint(_ context.Context, e endpoint.Endpoint, versions []endpoint.Deployed, events []endpoint.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endpoints[e.Name], m.versions[e.Name] = e, versions
	m.append(events...)
	return nil
}

func (m *memory) append(events ...endpoint.Event) {
	for _, e := range events {
		e.ID = int64(len(m.events) + 1)
		m.events = append(m.events, e)
	}
}

func (m *memory) DeleteEndpoint(_ context.Context, name string, e endpoint.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.endpoints, name)
	delete(m.versions, name)
	m.append(e)
	return nil
}

func (m *memory) Endpoints(context.Context) ([]endpoint.Endpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.endpoints)), nil
}

func (m *memory) DeployedVersions(context.Context) ([]endpoint.Deployed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Concat(slices.Collect(maps.Values(m.versions))...), nil
}

func (m *memory) AppendEndpointEvent(_ context.Context, e endpoint.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.append(e)
	return nil
}

func (m *memory) EndpointEvents(_ context.Context, name string, _ int64, limit int) ([]endpoint.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []endpoint.Event
	for _, e := range slices.Backward(m.events) {
		if e.Endpoint == name && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

// registered is a registry in which every version from 1 to 9 of the models m and n is there, and alias champion is 1.
type registered struct{}

func (registered) Resolve(_ context.Context, name, version string) (model.Version, error) {
	n, err := map[string]int64{"@champion": 1, "latest": 9}[version], error(nil)
	if n == 0 {
		_, err = fmt.Sscan(version, &n)
	}
	if name != "m" && name != "n" || err != nil || n < 1 || n > 9 {
		return model.Version{}, fault.NotFoundf("no version %s of %s", version, name)
	}
	v := model.Version{Name: name, Number: n, Files: []model.File{{Path: "MLmodel", Digest: fmt.Sprint("sha256:", version)}}}
	if n == 8 {
		v.Files, v.Location = nil, "s3://elsewhere/model"
	}
	return v, nil
}

// models is a Runtimes whose models add the number of their version to each row.
type models struct {
	mu sync.Mutex
	// broken are errors of Prepare, by version.
	broken map[string]error
	// signatures are those of the versions that have one.
	signatures map[string]*infer.Signature
	// slow is how long a batch takes, by version.
	slow map[string]time.Duration
	// hold, where it is set, is received from before each batch; taken is sent to before that, if somebody wants to know.
	hold, taken chan struct{}
	// loads, where it is set, is received from before a model is loaded.
	loads chan struct{}
	// largest is the most requests of a batch.
	largest  atomic.Int64
	batches  atomic.Int64
	workers  atomic.Int64
	starts   atomic.Int64
	memory   int64
	leaks    map[string]*atomic.Int64 // bytes that each worker of a version has beyond memory
	started  []*worker
	prepared atomic.Int64
}

func (m *models) Describe(_ context.Context, d endpoint.Deployed) (endpoint.Described, error) {
	return endpoint.Described{Platform: "fake", Signature: m.signatures[d.Version]}, nil
}

func (m *models) Prepare(_ context.Context, d endpoint.Deployed, _ func(string)) (serving.Prepared, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken[d.Version]; err != nil {
		return nil, err
	}
	m.prepared.Add(1)
	return &prepared{m, d.Version}, nil
}

type prepared struct {
	m       *models
	version string
}

func (p *prepared) Release() { p.m.prepared.Add(-1) }

func (p *prepared) Start(context.Context, endpoint.Settings) (serving.Worker, serving.Started, error) {
	p.m.starts.Add(1)
	if p.m.loads != nil {
		<-p.m.loads
	}
	p.m.workers.Add(1)
	w := &worker{m: p.m, version: p.version, gone: make(chan struct{})}
	p.m.mu.Lock()
	p.m.started = append(p.m.started, w)
	p.m.mu.Unlock()
	return w, serving.Started{Runtime: "a fake"}, nil
}

type worker struct {
	m       *models
	version string
	once    sync.Once
	gone    chan struct{}
}

// The first number of a request says what the model does with it.
const (
	raise   = -1 // an exception for this request
	crash   = -2 // the worker dies
	garbage = -3 // an answer without rows
	hang    = -4 // no answer within the limit
)

func (w *worker) Predict(_ context.Context, requests []*infer.Request, limit time.Duration) ([]*infer.Response, error) {
	if w.m.hold != nil {
		select {
		case w.m.taken <- struct{}{}:
		default:
		}
		<-w.m.hold
	}
	w.m.mu.Lock()
	slow := w.m.slow[w.version]
	w.m.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow) // the model's own work
	}
	w.m.batches.Add(1)
	if n := int64(len(requests)); n > w.m.largest.Load() {
		w.m.largest.Store(n)
	}
	var add float64
	fmt.Sscan(w.version, &add)
	out := make([]*infer.Response, len(requests))
	for i, r := range requests {
		rows := values(r.Inputs[0])
		switch rows[0] {
		case raise:
			return nil, fault.Invalidf("the model raised ValueError: negative")
		case crash:
			w.die()
			return nil, w.Err()
		case hang:
			w.die()
			return nil, fmt.Errorf("%w (%w)", w.Err(), context.DeadlineExceeded)
		case garbage:
			if len(requests) > 1 {
				return nil, fault.Conflictf("the answer has 1 row")
			}
		}
		for j := range rows {
			rows[j] += add
		}
		out[i] = &infer.Response{ID: r.ID, Outputs: append([]infer.Tensor{tensor("output-0", rows...)}, r.Inputs[1:]...)}
	}
	select {
	case <-w.gone:
		return nil, w.Err()
	default:
		return out, nil
	}
}

func (w *worker) die() { w.once.Do(func() { close(w.gone); w.m.workers.Add(-1) }) }

func (w *worker) Check(context.Context, time.Duration) error { return nil }
func (w *worker) Gone() <-chan struct{}                      { return w.gone }
func (w *worker) Err() error {
	return fault.Unavailablef("the worker ended (signal: segmentation fault)")
}
func (w *worker) Memory() int64 {
	if leak := w.m.leaks[w.version]; leak != nil {
		return w.m.memory + leak.Load()
	}
	return w.m.memory
}
func (w *worker) Close() { w.die() }

func tensor(name string, v ...float64) infer.Tensor {
	t := infer.Tensor{Name: name, Datatype: infer.FP64, Shape: []int64{int64(len(v))}}
	for _, f := range v {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(f))
	}
	return t
}

func values(t infer.Tensor) []float64 {
	out := make([]float64, len(t.Data)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:]))
	}
	return out
}

func request(v ...float64) *infer.Request {
	return &infer.Request{Inputs: []infer.Tensor{tensor("x", v...)}}
}

// bench is a service over fakes.
type bench struct {
	*serving.Service
	t      testing.TB
	store  *memory
	models *models
}

func open(t testing.TB, m *models, store *memory, change ...func(*serving.Options)) *bench {
	t.Helper()
	if store == nil {
		store = &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	}
	o := serving.Options{Store: store, Models: registered{}, Runtimes: m, Now: time.Now, Random: rand.Uint64}
	for _, c := range change {
		c(&o)
	}
	s, err := serving.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := m.workers.Load(); n != 0 {
			t.Errorf("%d workers are left", n)
		}
		if n := m.prepared.Load(); n != 0 {
			t.Errorf("%d prepared versions were not released", n)
		}
	})
	return &bench{s, t, store, m}
}

// put gives endpoint e a specification and waits until it is followed.
func (b *bench) put(plan traffic.Plan, settings endpoint.Settings, versions ...string) {
	b.t.Helper()
	if _, err := b.Put(b.t.Context(), "e", endpoint.Spec{Model: "m", Versions: versions, Traffic: plan, Settings: settings}); err != nil {
		b.t.Fatal(err)
	}
	b.await(func(s serving.Status) bool { return s.State == serving.StateReady })
}

// await waits until the endpoint e is as wanted.
func (b *bench) await(wanted func(serving.Status) bool) serving.Status {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		s, err := b.Get(b.t.Context(), "e")
		if err == nil && wanted(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("the endpoint does not become what is wanted: %+v, %v", s, err)
		}
	}
}

func (b *bench) ask(v ...float64) ([]float64, error) {
	resp, err := b.Infer(b.t.Context(), serving.Call{Endpoint: "e", Request: request(v...)})
	if err != nil {
		return nil, err
	}
	return values(resp.Outputs[0]), nil
}

func (b *bench) kinds() []endpoint.EventKind {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	var out []endpoint.EventKind
	for _, e := range b.store.events {
		out = append(out, e.Kind)
	}
	return out
}

var errBroken = errors.New("the disk failed")
