package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed fill.py
var fillScript string

// result is what one load took.
type result struct {
	name          string
	kind          kind
	perSecond     float64
	p50, p95, p99 time.Duration
	// failed counts the requests that were refused or took too long; they are in no other figure.
	failed int
}

// kind says which target a load has.
type kind string

const (
	write  kind = "write"
	find   kind = "search"
	others kind = ""
)

type fields map[string]any

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Minute}

// call sends a request and returns the answer.
func (s *server) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var data io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		data = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		data = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, data)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if strings.Contains(path, "/mlflow-artifacts/") && method == http.MethodGet {
		_, err := io.Copy(io.Discard, resp.Body)
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	}
	return text, err
}

const api = "/api/2.0/mlflow"

func (s *server) newRun(ctx context.Context, experiment string) (string, error) {
	text, err := s.call(ctx, "POST", api+"/runs/create", fields{"experiment_id": experiment, "start_time": time.Now().UnixMilli(),
		"tags": []fields{{"key": "mlflow.user", "value": "bench"}, {"key": "mlflow.source.name", "value": "train.py"}}})
	if err != nil {
		return "", err
	}
	var answer struct {
		Run struct {
			Info struct {
				RunID string `json:"run_id"`
			}
		}
	}
	return answer.Run.Info.RunID, errJSON(text, &answer, func() string { return answer.Run.Info.RunID })
}

func errJSON(text []byte, into any, check func() string) error {
	if err := json.Unmarshal(text, into); err != nil {
		return err
	}
	if check() == "" {
		return fmt.Errorf("unexpected answer %.200s", text)
	}
	return nil
}

// measure fills the server and runs the loads.
func (s *server) measure(ctx context.Context, o options) ([]result, error) {
	text, err := s.call(ctx, "POST", api+"/experiments/create", fields{"name": "bench"})
	if err != nil {
		return nil, err
	}
	var created struct {
		ID string `json:"experiment_id"`
	}
	if err := errJSON(text, &created, func() string { return created.ID }); err != nil {
		return nil, err
	}
	before, err := s.metricBytes(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := s.fill(ctx, created.ID, o)
	if err != nil {
		return nil, err
	}
	after, err := s.metricBytes(ctx)
	if err != nil {
		return nil, err
	}
	s.perPoint = float64(after-before) / float64(o.runs*o.points)
	defer s.watch()()
	out, err := s.each(ctx, s.loads(created.ID, runs), o)
	if err != nil {
		return nil, err
	}
	files, err := s.artifact(ctx, created.ID, o.artifact)
	if err != nil {
		return nil, err
	}
	s.runsKB = s.memoryPeak()
	loads, err := s.traceLoads(ctx, created.ID)
	if err != nil {
		return nil, err
	}
	traced, err := s.each(ctx, loads, o)
	return slices.Concat(out, traced, files), err
}

// each runs loads with one client and with twenty.
func (s *server) each(ctx context.Context, loads []load, o options) ([]result, error) {
	var out []result
	for _, l := range loads {
		if !strings.Contains(l.name, o.only) {
			continue
		}
		for _, clients := range []int{1, 20} {
			r, err := s.load(ctx, l, clients, o.duration)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			fmt.Fprintf(os.Stderr, "%s: %-32s %9.1f/s  p95 %s\n", s.name, r.name, r.perSecond, r.p95.Round(10*time.Microsecond))
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *server) metricBytes(ctx context.Context) (int64, error) {
	switch {
	case s.database != "":
		size, err := exec.CommandContext(ctx, "psql", "-d", s.database, "-Atc", "SELECT pg_database_size(current_database())").Output()
		if err != nil {
			return 0, fmt.Errorf("size of the database: %w", err)
		}
		return strconv.ParseInt(strings.TrimSpace(string(size)), 10, 64)
	case s.own:
		return bytesBelow(filepath.Join(s.data, "metrics"), ""), nil
	}
	return bytesBelow(s.data, "mlflow.db"), nil
}

// curve is what a training logged, recorded by record.py: five metrics, and when, in milliseconds since the first epoch.
type curve struct {
	M0, M1, M2, M3, M4 []float64
	MS                 []int
}

// at is the time of a step; more steps than were recorded go on as the recording did.
func (c curve) at(step int) int {
	n := len(c.MS)
	return step/n*c.MS[n-1] + c.MS[step%n]
}

// readCurves reads what record.py wrote.
func readCurves() ([]curve, error) {
	var out []curve
	err := json.Unmarshal(curvesFile, &out)
	return out, err
}

//go:embed testdata/curves.json
var curvesFile []byte

// fill puts the runs in that searches look through: through the API where that is quick enough, else into the database.
func (s *server) fill(ctx context.Context, experiment string, o options) ([]string, error) {
	if !s.own {
		database := cmp.Or(s.database, filepath.Join(s.data, "mlflow.db"))
		cmd := exec.CommandContext(ctx, "python3", "-c", fillScript, database, experiment, fmt.Sprint(o.runs), fmt.Sprint(o.points))
		cmd.Stdin = bytes.NewReader(curvesFile)
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("fill: %w: %s", err, text)
		}
		runs := make([]string, o.runs)
		for i := range runs {
			runs[i] = fmt.Sprintf("%032x", i)
		}
		return runs, nil
	}
	curves, err := readCurves()
	if err != nil {
		return nil, err
	}
	runs := make([]string, o.runs)
	return runs, parallel(20, o.runs, func(i int) error {
		id, err := s.newRun(ctx, experiment)
		if err != nil {
			return err
		}
		runs[i] = id
		recorded := curves[i%len(curves)]
		var metrics, params []fields
		for k, values := range [][]float64{recorded.M0, recorded.M1, recorded.M2, recorded.M3, recorded.M4} {
			for step := range o.points / 5 {
				metrics = append(metrics, fields{"key": fmt.Sprint("m", k), "value": values[step%len(values)], "step": step,
					"timestamp": 1_700_000_000_000 + i + recorded.at(step)})
			}
		}
		for k := range 10 {
			params = append(params, fields{"key": fmt.Sprint("p", k), "value": fmt.Sprint((i*7 + k) % 10)})
		}
		tags := []fields{{"key": "team", "value": fmt.Sprint("t", i%5)}, {"key": "kind", "value": "bench"}}
		for first := true; first || len(metrics) > 0; first = false {
			n := min(len(metrics), 800)
			body := fields{"run_id": id, "metrics": metrics[:n]}
			if first {
				body["params"], body["tags"] = params, tags
			}
			metrics = metrics[n:]
			if _, err := s.call(ctx, "POST", api+"/runs/log-batch", body); err != nil {
				return err
			}
		}
		return nil
	})
}

// parallel calls fn for 0..n-1, several at a time, and returns the first error.
func parallel(workers, n int, fn func(i int) error) error {
	next := make(chan int)
	errs := make(chan error, workers)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range next {
				if err := fn(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	go func() {
		group.Wait()
		close(errs)
	}()
	for i := range n {
		select {
		case next <- i:
		case err := <-errs:
			close(next)
			return err
		}
	}
	close(next)
	return <-errs
}

// load is a kind of request; do sends the i-th one of a client that has a run of its own.
type load struct {
	name string
	kind kind
	do   func(ctx context.Context, run string, i int) error
}

func (s *server) loads(experiment string, runs []string) []load {
	post := func(ctx context.Context, path string, body fields) error {
		_, err := s.call(ctx, "POST", api+path, body)
		return err
	}
	batch := func(n int) func(context.Context, string, int) error {
		return func(ctx context.Context, run string, i int) error {
			metrics := make([]fields, n)
			for k := range metrics {
				metrics[k] = fields{"key": fmt.Sprint("b", k%10), "value": rand.Float64(), "timestamp": time.Now().UnixMilli(), "step": i*n + k}
			}
			return post(ctx, "/runs/log-batch", fields{"run_id": run, "metrics": metrics})
		}
	}
	search := func(filter string, order ...string) func(context.Context, string, int) error {
		return func(ctx context.Context, _ string, _ int) error {
			return post(ctx, "/runs/search", fields{"experiment_ids": []string{experiment}, "filter": filter, "order_by": order, "max_results": 100})
		}
	}
	get := func(format string) func(context.Context, string, int) error {
		return func(ctx context.Context, _ string, i int) error {
			_, err := s.call(ctx, "GET", api+fmt.Sprintf(format, runs[(i*7919)%len(runs)]), nil)
			return err
		}
	}
	return []load{
		{"log_metric", write, func(ctx context.Context, run string, i int) error {
			return post(ctx, "/runs/log-metric", fields{"run_id": run, "key": "loss", "value": rand.Float64(), "timestamp": time.Now().UnixMilli(), "step": i})
		}},
		{"log_batch, 10 metrics", write, batch(10)},
		{"log_batch, 500 metrics", write, batch(500)},
		{"create_run", write, func(ctx context.Context, _ string, _ int) error {
			_, err := s.newRun(ctx, "0") // not where searches look: the faster server would search more runs
			return err
		}},
		{"search_runs, all, 100", find, search("")},
		{"search_runs, metric filter", find, search("metrics.m0 > 0.97 AND params.p1 = '3'")},
		{"search_runs, order by metric", find, search("tags.team = 't1'", "metrics.m1 DESC")},
		{"metric history", others, get("/metrics/get-history?metric_key=m0&run_id=%s")},
		{"bulk interval, 1 run", others, get("/metrics/get-history-bulk-interval?metric_key=m0&max_results=320&run_ids=%s")},
	}
}

// runsFor makes a run for each client, one after the other. A server that has just been loaded may need a second try.
func (s *server) runsFor(ctx context.Context, clients int) ([]string, error) {
	runs := make([]string, clients)
	for i := range runs {
		var err error
		for range 5 {
			if runs[i], err = s.newRun(ctx, "0"); err == nil {
				break
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// load sends requests from several clients, each as fast as it gets answers.
func (s *server) load(ctx context.Context, l load, clients int, d time.Duration) (result, error) {
	runs, err := s.runsFor(ctx, clients)
	if err != nil {
		return result{}, err
	}
	// One request before the clock: both servers read something the first time.
	if err := l.do(ctx, runs[0], 0); err != nil && s.own {
		return result{}, err
	}
	var mu sync.Mutex
	var took []time.Duration
	failed := 0
	began := time.Now()
	end := began.Add(d)
	// What takes a minute longer than the load is given up.
	bounded, cancel := context.WithDeadline(ctx, end.Add(time.Minute))
	defer cancel()
	err = parallel(clients, clients, func(c int) error {
		var own []time.Duration
		failures := 0
		for i := 0; time.Now().Before(end) && ctx.Err() == nil; i++ {
			start := time.Now()
			switch err := l.do(bounded, runs[c], i*clients+c); {
			case err == nil:
				own = append(own, time.Since(start))
			case s.own:
				return err
			default:
				failures++
			}
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, own...)
		failed += failures
		return nil
	})
	if err != nil {
		return result{}, err
	}
	name := l.name + ", 1 client"
	if clients > 1 {
		name = fmt.Sprintf("%s, %d clients", l.name, clients)
	}
	r := summary(name, took, time.Since(began))
	r.kind, r.failed = l.kind, failed
	return r, ctx.Err()
}

func summary(name string, took []time.Duration, wall time.Duration) result {
	if len(took) == 0 {
		return result{name: name}
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[min(int(q*float64(len(took))), len(took)-1)] }
	return result{name: name, perSecond: float64(len(took)) / wall.Seconds(), p50: at(0.5), p95: at(0.95), p99: at(0.99)}
}

// artifact sends a large file up and down once.
func (s *server) artifact(ctx context.Context, experiment string, size int64) ([]result, error) {
	run, err := s.newRun(ctx, experiment)
	if err != nil {
		return nil, err
	}
	path := "/api/2.0/mlflow-artifacts/artifacts/" + experiment + "/" + run + "/artifacts/big.bin"
	source := rand.NewChaCha8([32]byte{1})
	start := time.Now()
	if _, err := s.call(ctx, "PUT", path, io.LimitReader(source, size)); err != nil {
		return nil, err
	}
	up := time.Since(start)
	start = time.Now()
	if _, err := s.call(ctx, "GET", path, nil); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("artifact %d MiB", size>>20)
	return []result{summary(name+" up", []time.Duration{up}, up), summary(name+" down", []time.Duration{time.Since(start)}, time.Since(start))}, nil
}
