package mlflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"levada/internal/adapter/series"
	"levada/internal/adapter/store"
	"levada/internal/api/mlflow"
	"levada/internal/core/track"
	"levada/internal/tracking"
)

// BenchmarkSearch measures searches over 20,000 runs (LEVADA_BENCH_RUNS) of 400 points each, from the request to the bytes of
// the answer, on real stores and without a network:
//
//	go test ./internal/api/mlflow -run '^$' -bench Search -benchtime 200x -cpuprofile cpu.out
//
// The variants "beside writes" log to one of the runs between any two searches, so nothing can be answered from what was
// remembered.
func BenchmarkSearch(b *testing.B) {
	runs := 20_000
	if n, err := strconv.Atoi(os.Getenv("LEVADA_BENCH_RUNS")); err == nil {
		runs = n
	}
	service, experiment, ids := filled(b, runs)
	door := mlflow.New(mlflow.Options{Tracking: service})
	send := func(b *testing.B, body map[string]any) *httptest.ResponseRecorder {
		text, err := json.Marshal(body)
		if err != nil {
			b.Fatal(err)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/2.0/mlflow/runs/search", bytes.NewReader(text))
		r.Header.Set("Content-Type", "application/json")
		door.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
		return w
	}
	send(b, map[string]any{"experiment_ids": []string{experiment}}) // reads the runs
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.Logf("%d runs: heap %d MiB", runs, memory.HeapAlloc>>20)
	for _, c := range []struct {
		name, filter string
		order        []string
		most         int
	}{
		{"page", "", nil, 100},
		{"metric and param", "metrics.m0 > 0.9 AND params.p1 = '3'", nil, 100},
		{"no match", "metrics.m0 > 2", nil, 100},
		{"param like", "params.p1 LIKE '%3'", nil, 100},
		{"tag, by metric", "tags.team = 't1'", []string{"metrics.m1 DESC"}, 100},
		{"by metric", "", []string{"metrics.m1 DESC"}, 100},
		{"all", "", nil, 50_000},
	} {
		body := map[string]any{"experiment_ids": []string{experiment}, "filter": c.filter, "order_by": c.order, "max_results": c.most}
		for _, writes := range []bool{false, true} {
			name := c.name
			if writes {
				name += ", beside writes"
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				before := processorTime(b)
				for i := range b.N {
					if writes {
						b.StopTimer()
						err := service.LogBatch(context.Background(), ids[i%len(ids)], []track.Metric{{Key: "m0", Point: track.Point{Time: 2e12, Step: int64(1000 + i), Value: 0.5}}},
							nil, []track.KV{{Key: "seen", Value: strconv.Itoa(i)}})
						if err != nil {
							b.Fatal(err)
						}
						b.StartTimer()
					}
					b.SetBytes(int64(send(b, body).Body.Len()))
				}
				// Beside writes it is that of the writes too.
				b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
			})
		}
	}
}

// processorTime is what this process has used, collection of garbage included: on a busy machine it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filled returns a service with runs in an experiment: five metrics of 80 points, ten parameters, four tags each.
func filled(b *testing.B, runs int) (_ *tracking.Service, experiment string, _ []string) {
	ctx := b.Context()
	dir := b.TempDir()
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "levada.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	points, err := series.Open(series.Options{Dir: filepath.Join(dir, "metrics")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { points.Close() })
	service := tracking.New(tracking.Options{Store: st.Tracking(), Series: points, Now: time.Now, NewID: uuid.NewString})
	experiment, err = service.CreateExperiment(ctx, "bench", "", nil)
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, runs)
	next := make(chan int)
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for i := range next {
				r, err := service.CreateRun(ctx, tracking.NewRun{ExperimentID: experiment, UserID: "bench", Name: fmt.Sprint("run-", i), StartMS: 1_700_000_000_000 + int64(i)})
				if err != nil {
					b.Error(err)
					continue
				}
				ids[i] = r.ID
				rng := rand.New(rand.NewPCG(uint64(i), 1))
				var metrics []track.Metric
				for k := range 5 {
					for step := range 80 {
						metrics = append(metrics, track.Metric{Key: fmt.Sprint("m", k), Point: track.Point{Time: r.StartMS + int64(step), Step: int64(step), Value: rng.Float64()}})
					}
				}
				var params []track.KV
				for k := range 10 {
					params = append(params, track.KV{Key: fmt.Sprint("p", k), Value: strconv.Itoa((i*7 + k) % 10)})
				}
				tags := []track.KV{{Key: "team", Value: fmt.Sprint("t", i%5)}, {Key: "kind", Value: "bench"}, {Key: "mlflow.user", Value: "bench"}}
				if err := service.LogBatch(ctx, r.ID, metrics, params, tags); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range runs {
		next <- i
	}
	close(next)
	group.Wait()
	return service, experiment, ids
}
