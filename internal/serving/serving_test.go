package serving_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
	"levada/internal/core/traffic"
	"levada/internal/serving"
)

func TestEachRequestOfABatchGetsItsOwnAnswer(t *testing.T) {
	m := &models{slow: map[string]time.Duration{"2": time.Millisecond}}
	b := open(t, m, nil)
	b.put(traffic.All("2"), endpoint.Settings{}, "2")
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			in := make([]float64, 1+i%3)
			want := make([]float64, len(in))
			for j := range in {
				in[j] = float64(1000*i + j)
				want[j] = in[j] + 2
			}
			got, err := b.ask(in...)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("asked with %v: %v, %v", in, got, err)
			}
		})
	}
	all.Wait()
	if m.largest.Load() < 2 {
		t.Error("no two requests were joined")
	}
	t.Logf("%d batches, the largest of %d requests", m.batches.Load(), m.largest.Load())
}

// held are models whose batches wait until the test lets them pass, and in the end do not.
func held(t *testing.T) (m *models, b *bench) {
	m = &models{hold: make(chan struct{}), taken: make(chan struct{}, 1)}
	b = open(t, m, nil)
	t.Cleanup(func() { close(m.hold) })
	return m, b
}

// together sends requests so that all of them wait while the worker is busy.
func together(b *bench, m *models, requests ...*infer.Request) []error {
	b.t.Helper()
	select {
	case <-m.taken: // of an earlier batch
	default:
	}
	var all sync.WaitGroup
	all.Go(func() { _, _ = b.ask(1) }) // occupies the worker; what it answers does not matter
	<-m.taken
	errs := make([]error, len(requests))
	for i, r := range requests {
		all.Go(func() { _, errs[i] = b.Infer(b.t.Context(), serving.Call{Endpoint: "e", Request: r}) })
	}
	b.await(func(s serving.Status) bool { return s.Versions[0].Waiting == len(requests) })
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for {
		select {
		case m.hold <- struct{}{}:
		case <-done:
			return errs
		}
	}
}

func TestARequestThatIsWrongDoesNotFailItsNeighbours(t *testing.T) {
	for name, bad := range map[string]float64{"exception": raise, "crash": crash} {
		t.Run(name, func(t *testing.T) {
			m, b := held(t)
			b.put(traffic.All("1"), endpoint.Settings{}, "1")
			errs := together(b, m, request(1), request(2), request(bad), request(3), request(4))
			for i, err := range errs {
				if (err != nil) != (i == 2) {
					t.Errorf("request %d: %v", i, err)
				}
			}
			want := fault.Invalid
			if bad == crash {
				want = fault.Unavailable
			}
			if fault.KindOf(errs[2]) != want {
				t.Errorf("the wrong request fails with %v", errs[2])
			}
		})
	}
}

func TestAModelThatDoesNotAnswerByRowGetsRequestsOneByOne(t *testing.T) {
	m, b := held(t)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	for i, err := range together(b, m, request(garbage), request(garbage), request(garbage)) {
		if err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	m.largest.Store(0)
	for i, err := range together(b, m, request(5), request(6), request(7)) {
		if err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if m.largest.Load() != 1 {
		t.Errorf("requests are joined again: %d", m.largest.Load())
	}
}

func TestAVersionSwitchUnderLoadFailsNoRequest(t *testing.T) {
	m := &models{slow: map[string]time.Duration{}}
	b := open(t, m, nil)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	stop := make(chan struct{})
	var asked, failed atomic.Int64
	var load sync.WaitGroup
	for range 16 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if _, err := b.ask(1); err != nil {
					failed.Add(1)
					t.Error(err)
				}
			}
		})
	}
	last := ""
	for i := range 40 {
		last = fmt.Sprint(2 + i%5)
		b.put(traffic.All(last), endpoint.Settings{Workers: 1 + i%2}, last)
	}
	close(stop)
	load.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	t.Logf("40 switches, %d requests", asked.Load())
	got, err := b.ask(1)
	if want := map[string]float64{"2": 3, "3": 4, "4": 5, "5": 6, "6": 7}[last]; err != nil || got[0] != want {
		t.Errorf("after the switches: %v, %v; want %v", got, err, want)
	}
}

func TestAnUpdateThatFailsLeavesWhatWasServed(t *testing.T) {
	m := &models{broken: map[string]error{"2": fault.Invalidf("could not install torch==99")}}
	b := open(t, m, nil)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	if _, err := b.Put(t.Context(), "e", endpoint.Spec{Model: "m", Versions: []string{"2"}, Traffic: traffic.All("2")}); err != nil {
		t.Fatal(err)
	}
	s := b.await(func(s serving.Status) bool { return s.State == serving.StateFailed })
	if !strings.Contains(s.Trouble, "torch==99") {
		t.Errorf("trouble: %s", s.Trouble)
	}
	if got, err := b.ask(1); err != nil || got[0] != 2 {
		t.Errorf("%v, %v; want version 1 to answer", got, err)
	}
	// What is wrong is mended: the same is asked for again.
	m.mu.Lock()
	m.broken = nil
	m.mu.Unlock()
	b.put(traffic.All("2"), endpoint.Settings{}, "2")
	if got, err := b.ask(1); err != nil || got[0] != 3 {
		t.Errorf("%v, %v; want version 2 to answer", got, err)
	}
}

func TestAFirstVersionThatFailsSaysWhy(t *testing.T) {
	m := &models{broken: map[string]error{"1": fault.Invalidf("could not install torch==99")}}
	b := open(t, m, nil)
	if _, err := b.Put(t.Context(), "e", endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.All("1")}); err != nil {
		t.Fatal(err)
	}
	b.await(func(s serving.Status) bool { return s.State == serving.StateFailed })
	if _, err := b.ask(1); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "torch==99") {
		t.Errorf("%v", err)
	}
	if err := b.Ready(t.Context(), "e", ""); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("ready: %v", err)
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	m := &models{broken: map[string]error{"1": fault.Unavailablef("%w", errBroken)}}
	b := open(t, m, nil)
	if _, err := b.Put(t.Context(), "e", endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.All("1")}); err != nil {
		t.Fatal(err)
	}
	s := b.await(func(s serving.Status) bool { return s.Versions[0].State == endpoint.Failed })
	if s.State != serving.StateLoading || !strings.Contains(s.Trouble, "version 1 could not be loaded, and is tried again: ") || !strings.Contains(s.Trouble, errBroken.Error()) {
		t.Errorf("%s: %q", s.State, s.Trouble)
	}
	m.mu.Lock()
	m.broken = nil
	m.mu.Unlock()
	if s = b.await(func(s serving.Status) bool { return s.State == serving.StateReady }); s.Trouble != "" {
		t.Errorf("%q after it was loaded", s.Trouble)
	}
}

func TestTooManyRequestsAreRefusedAtOnce(t *testing.T) {
	m, b := held(t)
	b.put(traffic.All("1"), endpoint.Settings{QueueLimit: 3}, "1")
	var all sync.WaitGroup
	all.Go(func() { _, _ = b.ask(1) })
	<-m.taken
	for range 3 {
		all.Go(func() { _, _ = b.ask(1) })
	}
	b.await(func(s serving.Status) bool { return s.Versions[0].Waiting == 3 })
	if _, err := b.ask(1); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("%v; want it to be refused", err)
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for waiting := true; waiting; {
		select {
		case m.hold <- struct{}{}:
		case <-done:
			waiting = false
		}
	}
	if s := b.await(func(serving.Status) bool { return true }); s.Versions[0].Requests["shed"] != 1 {
		t.Errorf("requests: %v", s.Versions[0].Requests)
	}
}

func TestARequestThatTakesTooLongFailsInTime(t *testing.T) {
	m := &models{}
	b := open(t, m, nil)
	b.put(traffic.All("1"), endpoint.Settings{TimeoutMS: 50}, "1")
	if _, err := b.ask(hang); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := b.Infer(ctx, serving.Call{Endpoint: "e", Request: request(1)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	b.await(func(s serving.Status) bool { return s.Versions[0].Workers == 1 })
	if got, err := b.ask(1); err != nil || got[0] != 2 {
		t.Errorf("after the worker was replaced: %v, %v", got, err)
	}
}

func TestAWorkerThatIsKilledCostsNoRequest(t *testing.T) {
	m := &models{}
	b := open(t, m, nil)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	for i := range 2 {
		m.mu.Lock()
		w := m.started[len(m.started)-1]
		m.mu.Unlock()
		w.die()
		if got, err := b.ask(1); err != nil || got[0] != 2 {
			t.Errorf("kill %d: %v, %v", i, got, err)
		}
	}
	if !slices.Contains(b.kinds(), endpoint.WorkerLost) {
		t.Errorf("events: %v", b.kinds())
	}
}

func TestIdleWorkersEndAndComeBack(t *testing.T) {
	now := atomic.Int64{}
	now.Store(time.Now().UnixNano())
	m := &models{}
	b := open(t, m, nil, func(o *serving.Options) { o.Now = func() time.Time { return time.Unix(0, now.Load()) } })
	b.put(traffic.All("1"), endpoint.Settings{IdleSeconds: 60}, "1")
	now.Add(int64(61 * time.Second))
	b.await(func(s serving.Status) bool { return s.Versions[0].State == endpoint.Idle && m.workers.Load() == 0 })
	if err := b.Ready(t.Context(), "e", ""); err != nil {
		t.Errorf("an endpoint that comes back with the next request is not ready: %v", err)
	}
	if got, err := b.ask(1); err != nil || got[0] != 2 {
		t.Errorf("%v, %v", got, err)
	}
	b.await(func(s serving.Status) bool { return s.Versions[0].State == endpoint.Ready })
	if !slices.Contains(b.kinds(), endpoint.ScaledToZero) {
		t.Errorf("events: %v", b.kinds())
	}
}

func TestTheVersionUsedLeastRecentlyLeavesWhenMemoryIsShort(t *testing.T) {
	m := &models{memory: 100 << 20}
	b := open(t, m, nil, func(o *serving.Options) { o.MemoryBudget = 250 << 20 })
	split := traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 50}, {Version: "2", Percent: 50}, {Version: "3"}}}
	b.put(split, endpoint.Settings{}, "1", "2", "3")
	for _, v := range []string{"2", "3", "1"} {
		if _, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Version: v, Request: request(1)}); err != nil {
			t.Fatal(err)
		}
	}
	b.await(func(s serving.Status) bool { return s.Versions[1].State == endpoint.Idle })
	s := b.await(func(serving.Status) bool { return m.workers.Load() == 2 })
	if s.Versions[0].State != endpoint.Ready || s.Versions[2].State != endpoint.Ready {
		t.Errorf("%+v", s.Versions)
	}
	// It comes back when it is asked, and another one leaves.
	if got, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Version: "2", Request: request(1)}); err != nil || values(got.Outputs[0])[0] != 3 {
		t.Errorf("%v, %v", got, err)
	}
	b.await(func(s serving.Status) bool { return s.Versions[2].State == endpoint.Idle && m.workers.Load() == 2 })
}

// The version that leaks is used all the time, so that its neighbor is the one that was used least recently.
func TestAVersionThatLeaksIsReplacedAndNotItsNeighbors(t *testing.T) {
	now, looks, leak := atomic.Int64{}, atomic.Int64{}, &atomic.Int64{}
	now.Store(time.Now().UnixNano())
	m := &models{memory: 100 << 20, leaks: map[string]*atomic.Int64{"1": leak}}
	b := open(t, m, nil, func(o *serving.Options) {
		o.MemoryBudget, o.Now = 250<<20, func() time.Time { looks.Add(1); return time.Unix(0, now.Load()) }
	})
	b.put(traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 100}, {Version: "2"}}}, endpoint.Settings{}, "1", "2")
	b.await(func(s serving.Status) bool {
		return s.Versions[0].State == endpoint.Ready && s.Versions[1].State == endpoint.Ready
	})
	for _, v := range []string{"2", "1"} {
		now.Add(int64(time.Second))
		if _, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Version: v, Request: request(1)}); err != nil {
			t.Fatal(err)
		}
	}
	for seen := looks.Load(); looks.Load() < seen+10; time.Sleep(time.Millisecond) { // the keeper looks, and nobody else: what they need is known
	}
	now.Add(int64(2 * time.Minute))
	leak.Store(120 << 20)
	b.await(func(s serving.Status) bool { return s.Versions[0].State == endpoint.Idle })
	leak.Store(0)
	if got, err := b.ask(1); err != nil || got[0] != 2 {
		t.Errorf("%v, %v", got, err)
	}
	s := b.await(func(s serving.Status) bool { return s.Versions[0].State == endpoint.Ready })
	if s.Versions[1].State != endpoint.Ready || s.Versions[1].Restarts != 0 || m.starts.Load() != 3 {
		t.Errorf("%+v, %d starts", s.Versions, m.starts.Load())
	}
}

func TestMoreWorkersStartWhileRequestsWait(t *testing.T) {
	m := &models{slow: map[string]time.Duration{"1": 20 * time.Millisecond}}
	b := open(t, m, nil)
	b.put(traffic.All("1"), endpoint.Settings{MaxWorkers: 3, MaxBatch: 1}, "1")
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 20 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = b.ask(1)
				}
			}
		})
	}
	b.await(func(s serving.Status) bool { return s.Versions[0].Workers == 3 })
	close(stop)
	load.Wait()
}

func TestShadowsAreComparedAndNeverAnswer(t *testing.T) {
	m := &models{}
	b := open(t, m, nil)
	plan := traffic.All("1")
	plan.Shadows = []traffic.Shadow{{Version: "2", Percent: 100}}
	b.put(plan, endpoint.Settings{}, "1", "2")
	b.await(func(s serving.Status) bool { return s.Versions[1].State == endpoint.Ready })
	for range 50 {
		if got, err := b.ask(10); err != nil || got[0] != 11 {
			t.Fatalf("%v, %v; want what version 1 answers", got, err)
		}
	}
	b.await(func(s serving.Status) bool { return s.Versions[1].Shadowed == 50 })
	seen, err := b.Observations(t.Context(), "e", "2", time.Time{})
	if err != nil || len(seen) != 50 {
		t.Fatalf("%d observations, %v", len(seen), err)
	}
	for _, o := range seen {
		if !o.Shadow || o.Agreed || o.Difference != 1 || o.Prediction != 12 {
			t.Fatalf("%+v", o)
		}
	}
}

func TestObservationsSayHowRequestsEnded(t *testing.T) {
	b := open(t, &models{}, nil)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	_, _ = b.Infer(t.Context(), serving.Call{Endpoint: "e", Key: "ada", Request: request(4, 5)})
	_, _ = b.ask(raise)
	seen, err := b.Observations(t.Context(), "e", "1", time.Time{})
	if err != nil || len(seen) != 2 {
		t.Fatalf("%v, %v", seen, err)
	}
	if o := seen[0]; o.Outcome != endpoint.OK || o.Rows != 2 || o.Prediction != 5 || o.Key != "ada" || o.Latency <= 0 {
		t.Errorf("%+v", o)
	}
	if o := seen[1]; o.Outcome != endpoint.Rejected {
		t.Errorf("%+v", o)
	}
	if later, err := b.Observations(t.Context(), "e", "1", time.Now().Add(time.Hour)); err != nil || len(later) != 0 {
		t.Errorf("%v, %v", later, err)
	}
}

func TestOnlyTheOutputsThatAreWantedComeBack(t *testing.T) {
	b := open(t, &models{}, nil)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	r := request(1)
	r.Outputs = []infer.Output{{Name: "output-0"}}
	if resp, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Request: r}); err != nil || len(resp.Outputs) != 1 {
		t.Errorf("%v, %v", resp, err)
	}
	r.Outputs = []infer.Output{{Name: "probabilities"}}
	if _, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Request: r}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "it has output-0") {
		t.Errorf("%v", err)
	}
}

func TestEndpointsSurviveTheServer(t *testing.T) {
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	m := &models{}
	b := open(t, m, store)
	b.put(traffic.Plan{Split: []traffic.Share{{Version: "1", Percent: 100}}, Sticky: true}, endpoint.Settings{}, "1", "2")
	// An update begins and the server is gone before it is done.
	m.mu.Lock()
	m.broken = map[string]error{"3": fault.Unavailablef("%w", errBroken)}
	m.mu.Unlock()
	if _, err := b.Put(t.Context(), "e", endpoint.Spec{Model: "m", Versions: []string{"3"}, Traffic: traffic.All("3")}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, m, store)
	if got, err := again.ask(1); err != nil || got[0] != 2 {
		t.Errorf("what was followed is followed at once: %v, %v", got, err)
	}
	m.mu.Lock()
	m.broken = nil
	m.mu.Unlock()
	again.await(func(s serving.Status) bool { return s.State == serving.StateReady })
	if got, err := again.ask(1); err != nil || got[0] != 4 {
		t.Errorf("the update goes on: %v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"3"}, again.await(func(serving.Status) bool { return true }).Spec.Versions); diff != "" {
		t.Error(diff)
	}
}

func TestAnIdleEndpointComesBackIdle(t *testing.T) {
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	m := &models{}
	b := open(t, m, store)
	b.put(traffic.All("1"), endpoint.Settings{IdleSeconds: 60}, "1")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, m, store)
	if s := again.await(func(serving.Status) bool { return true }); s.State != serving.StateReady || m.workers.Load() != 0 {
		t.Errorf("%s with %d workers", s.State, m.workers.Load())
	}
	if got, err := again.ask(1); err != nil || got[0] != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAVersionThatCannotBeLoadedAfterARestartIsLoadedAnewWhenItIsDeployedAgain(t *testing.T) {
	store := &memory{endpoints: map[string]endpoint.Endpoint{}, versions: map[string][]endpoint.Deployed{}}
	m := &models{}
	b := open(t, m, store)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.broken = map[string]error{"1": fault.Invalidf("there is no Python")}
	m.mu.Unlock()
	again := open(t, m, store)
	again.await(func(s serving.Status) bool {
		return s.State == serving.StateFailed && strings.Contains(s.Trouble, "no Python")
	})
	if _, err := again.ask(1); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "no Python") {
		t.Errorf("%v", err)
	}
	m.mu.Lock()
	m.broken = nil
	m.mu.Unlock()
	again.put(traffic.All("1"), endpoint.Settings{}, "1")
	if got, err := again.ask(1); err != nil || got[0] != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDeployingKeepsSharesInProportion(t *testing.T) {
	b := open(t, &models{}, nil)
	deploy := func(version string, percent float64) traffic.Plan {
		t.Helper()
		d := serving.Deploy{Model: "m", Version: version}
		if percent >= 0 {
			d.Percent = &percent
		}
		s, err := b.Deploy(t.Context(), "e", d)
		if err != nil {
			t.Fatal(err)
		}
		b.await(func(s serving.Status) bool { return s.State == serving.StateReady })
		return s.Spec.Traffic
	}
	deploy("@champion", -1)
	deploy("2", 20)
	if diff := cmp.Diff([]traffic.Share{{Version: "1", Percent: 40}, {Version: "2", Percent: 10}, {Version: "3", Percent: 50}}, deploy("3", 50).Split); diff != "" {
		t.Error(diff)
	}
	dark := deploy("4", 0)
	if len(dark.Split) != 3 {
		t.Errorf("a dark version is in the split: %v", dark.Split)
	}
	if resp, err := b.Infer(t.Context(), serving.Call{Endpoint: "e", Version: "4", Request: request(1)}); err != nil || resp.Version != "4" {
		t.Errorf("a dark version answers who asks for it: %v, %v", resp, err)
	}
	if plan := deploy("latest", -1); len(plan.Split) != 1 || plan.Split[0].Version != "9" {
		t.Errorf("%v", plan)
	}
}

func TestWhatCannotBeServedIsRefused(t *testing.T) {
	b := open(t, &models{}, nil)
	put := func(name string, spec endpoint.Spec) error {
		_, err := b.Put(t.Context(), name, spec)
		return err
	}
	one := endpoint.Spec{Model: "m", Versions: []string{"1"}, Traffic: traffic.All("1")}
	if err := put("a/b", one); fault.KindOf(err) != fault.Invalid {
		t.Errorf("name: %v", err)
	}
	if err := put("e", endpoint.Spec{Model: "m", Versions: []string{"77"}, Traffic: traffic.All("77")}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("version: %v", err)
	}
	if err := put("e", endpoint.Spec{Model: "m", Versions: []string{"8"}, Traffic: traffic.All("8")}); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "s3://elsewhere") {
		t.Errorf("a model that is kept elsewhere: %v", err)
	}
	if _, err := b.Get(t.Context(), "e"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("something was made: %v", err)
	}
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	if err := put("e", endpoint.Spec{Model: "other", Versions: []string{"1"}, Traffic: traffic.All("1")}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another model: %v", err)
	}
	if _, err := b.SetTraffic(t.Context(), "e", traffic.All("2")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("traffic to what is not there: %v", err)
	}
	for _, c := range []serving.Call{{Endpoint: "no"}, {Endpoint: "e", Version: "2"}} {
		c.Request = request(1)
		if _, err := b.Infer(t.Context(), c); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestADeletedEndpointIsGoneAndItsHistoryStays(t *testing.T) {
	m := &models{}
	b := open(t, m, nil)
	b.put(traffic.All("1"), endpoint.Settings{}, "1")
	if err := b.Delete(t.Context(), "e"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ask(1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	events, err := b.Events(t.Context(), "e", 0, 10)
	if err != nil || len(events) == 0 || events[0].Kind != endpoint.Deleted {
		t.Errorf("%v, %v", events, err)
	}
	if _, err := b.Events(t.Context(), "never", 0, 10); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	b.put(traffic.All("2"), endpoint.Settings{}, "2") // the name is free
}

func BenchmarkInfer(b *testing.B) {
	s := open(b, &models{}, nil)
	s.put(traffic.All("1"), endpoint.Settings{}, "1")
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		r := request(1)
		for pb.Next() {
			if _, err := s.Infer(context.Background(), serving.Call{Endpoint: "e", Request: r}); err != nil {
				b.Error(err)
			}
		}
	})
}
