package scale

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"levada/internal/adapter/blob"
	"levada/internal/adapter/steplog"
	"levada/internal/adapter/store"
	"levada/internal/api/kfp"
	v1 "levada/internal/api/v1"
	"levada/internal/core/run"
	"levada/internal/pipeline"
)

var (
	sizes  = flag.String("sizes", "200,2000", "numbers of tasks to measure")
	active = flag.Int("active", 100, "how many runs are active at once in the test of many runs")
	only   = flag.String("shape", "", "measure only this shape")
)

// idle is a runner whose steps end at once.
type idle struct {
	mu      sync.Mutex
	started int
	// barrier, if there, keeps all steps from ending until it is closed.
	barrier chan struct{}
}

func (*idle) Environment(context.Context, *run.Step) (run.Environment, error) {
	return run.Environment{}, nil
}
func (*idle) Reserve(context.Context, *run.Step) (func(), error) { return func() {}, nil }
func (*idle) Forget(context.Context, string) error               { return nil }
func (*idle) Recover(context.Context, []run.AttemptID) error     { return nil }
func (*idle) Settle(run.AttemptID)                               {}
func (r *idle) Run(ctx context.Context, s *run.Step) (run.Values, error) {
	r.mu.Lock()
	r.started++
	r.mu.Unlock()
	if r.barrier != nil {
		select {
		case <-r.barrier:
		case <-ctx.Done():
			return run.Values{}, ctx.Err()
		}
	}
	return run.Values{Parameters: map[string]any{"out": "value of " + s.TaskName}}, nil
}

// house is the product from the doors down, without processes.
type house struct {
	svc     *pipeline.Service
	v1, kfp http.Handler
}

func open(tb testing.TB, r *idle) *house {
	tb.Helper()
	dir := tb.TempDir()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "levada.db")})
	if err != nil {
		tb.Fatal(err)
	}
	blobs, err := blob.Open(filepath.Join(dir, "blobs"), blob.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	svc, err := pipeline.Open(ctx, pipeline.Options{
		Store: st, Runner: r, Blobs: blobs, Logs: steplog.New(steplog.Options{Dir: filepath.Join(dir, "logs")}),
		Logger: log, Now: time.Now, NewID: uuid.NewString,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		for _, err := range []error{svc.Close(ctx), st.Close(), blobs.Close()} {
			if err != nil {
				tb.Error(err)
			}
		}
	})
	return &house{svc: svc, v1: v1.NewHandler(v1.Options{Service: svc, Log: log}), kfp: kfp.NewHandler(kfp.Options{Service: svc, Logger: log})}
}

// wait returns when a run has ended.
func (h *house) wait(tb testing.TB, id string) run.Run {
	tb.Helper()
	for { // the stream may be over before the last state was read
		r, _, updates, err := h.svc.Watch(tb.Context(), id)
		if err != nil {
			tb.Fatal(err)
		}
		for range updates {
		}
		if r, err = h.svc.GetRun(tb.Context(), id); err != nil {
			tb.Fatal(err)
		}
		if r.State.Final() {
			return r
		}
	}
}

// get asks a door and returns how many bytes it answered.
func get(tb testing.TB, door http.Handler, path string) int {
	tb.Helper()
	answer := &counter{header: http.Header{}}
	door.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	if answer.status != http.StatusOK && answer.status != 0 {
		tb.Fatalf("GET %s: status %d", path, answer.status)
	}
	return answer.bytes
}

// counter is a ResponseWriter that keeps nothing.
type counter struct {
	header        http.Header
	status, bytes int
}

func (c *counter) Header() http.Header         { return c.header }
func (c *counter) WriteHeader(status int)      { c.status = status }
func (c *counter) Write(p []byte) (int, error) { c.bytes += len(p); return len(p), nil }

var _ io.Writer = (*counter)(nil)

// cost is what one run of some size took.
type cost struct {
	n                          int
	parse, run, tasks, v1, kfp float64 // seconds of a processor
	clock                      float64 // seconds from submission to end
	peak                       float64 // MiB of heap
}

func TestScale(t *testing.T) {
	for _, s := range shapes() {
		if *only != "" && s.name != *only {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			var costs []cost
			for text := range strings.SplitSeq(*sizes, ",") {
				n, err := strconv.Atoi(text)
				if err != nil {
					t.Fatal(err)
				}
				if n > s.most {
					continue
				}
				t.Run(text, func(t *testing.T) { costs = append(costs, measure(t, s, n)) })
			}
			t.Log("\n" + table(costs))
		})
	}
}

// measure runs a pipeline of n tasks and shows it.
func measure(t *testing.T, s shape, n int) cost {
	t.Helper()
	c := cost{n: n}
	spec, parameters := s.spec(n)
	h := open(t, &idle{})
	debug.FreeOSMemory() // what the size before has left
	stop := watchHeap()
	var r run.Run
	began := time.Now()
	c.parse = work(t, func() {
		var err error
		if r, err = h.svc.Submit(t.Context(), pipeline.Submission{Spec: spec, Parameters: parameters}); err != nil {
			t.Fatal(err)
		}
	})
	c.run = work(t, func() {
		if r = h.wait(t, r.ID); r.State != run.Succeeded || r.Tasks[run.Succeeded] != n {
			t.Fatalf("the run is %s with %v", r.State, r.Tasks)
		}
	})
	c.clock = time.Since(began).Seconds()
	c.tasks = work(t, func() {
		tasks, err := h.svc.Tasks(t.Context(), r.ID)
		if err != nil || len(tasks) < n {
			t.Fatalf("%d tasks, %v", len(tasks), err)
		}
	})
	c.v1 = work(t, func() { get(t, h.v1, v1.Prefix+"/runs/"+r.ID+"/tasks") })
	c.kfp = work(t, func() { get(t, h.kfp, "/apis/v2beta1/runs/"+r.ID) })
	c.peak = stop()
	return c
}

func seconds(f func()) float64 {
	began := time.Now()
	f()
	return time.Since(began).Seconds()
}

// work is the processor time that f takes, in seconds: unlike the time on the clock it does not depend on what else the machine
// does.
func work(t *testing.T, f func()) float64 {
	t.Helper()
	before := processor(t)
	f()
	return processor(t) - before
}

// watchHeap returns a function that says how large the heap was at most since then, in MiB.
func watchHeap() func() float64 {
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-tick.C:
			case <-done:
				peak <- most
				return
			}
		}
	}()
	return func() float64 {
		close(done)
		return float64(<-peak) / (1 << 20)
	}
}

// table shows what a task costs at each size, in microseconds of a processor, and how that changes: a ratio of 1 is linear.
func table(costs []cost) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%8s %12s %12s %12s %12s %12s %14s\n", "tasks", "submit µs", "run µs", "read µs", "api µs", "kfp µs", "peak KiB/task")
	row := func(c cost) []float64 {
		per := 1e6 / float64(c.n)
		return []float64{c.parse * per, c.run * per, c.tasks * per, c.v1 * per, c.kfp * per, c.peak * 1024 / float64(c.n)}
	}
	for _, c := range costs {
		fmt.Fprintf(&b, "%8d", c.n)
		for _, v := range row(c) {
			fmt.Fprintf(&b, " %12.1f", v)
		}
		fmt.Fprintf(&b, "   (%.0f MiB in all, %.1f s by the clock)\n", c.peak, c.clock)
	}
	if len(costs) > 1 {
		first, last := row(costs[0]), row(costs[len(costs)-1])
		fmt.Fprintf(&b, "%8s", "ratio")
		for i := range first {
			fmt.Fprintf(&b, " %12.2f", last[i]/first[i])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Many runs at once: each is in the middle of a step when the last one has been submitted.
func TestManyRunsAreActiveAtOnce(t *testing.T) {
	r := &idle{barrier: make(chan struct{})}
	h := open(t, r)
	debug.FreeOSMemory()
	stop := watchHeap()
	spec, _ := shapes()[3].spec(3)
	ids := make([]string, *active)
	submit := seconds(func() {
		var group sync.WaitGroup
		next := make(chan int)
		for range 16 {
			group.Go(func() {
				for i := range next {
					sub, err := h.svc.Submit(t.Context(), pipeline.Submission{Spec: spec})
					if err != nil {
						t.Error(err)
					}
					ids[i] = sub.ID
				}
			})
		}
		for i := range ids {
			next <- i
		}
		close(next)
		group.Wait()
	})
	list := seconds(func() { get(t, h.v1, v1.Prefix+"/runs?state=RUNNING") })
	close(r.barrier)
	finish := seconds(func() {
		for _, id := range slices.Backward(ids) {
			if got := h.wait(t, id); got.State != run.Succeeded {
				t.Errorf("run %s is %s", id, got.State)
			}
		}
	})
	t.Logf("%d runs: submitted in %.2f s (%.0f a second), listed in %.1f ms, finished in %.2f s (%.0f steps a second), peak %.0f MiB",
		len(ids), submit, float64(len(ids))/submit, list*1e3, finish, float64(3*len(ids))/finish, stop())
}
