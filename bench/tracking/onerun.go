package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// oneRun logs very many points of one metric to one run, a thousand at a time, and measures what is then asked about it.
func (s *server) oneRun(ctx context.Context, points int) (string, error) {
	run, err := s.newRun(ctx, "0")
	if err != nil {
		return "", err
	}
	defer s.watch()()
	before, err := s.metricBytes(ctx)
	if err != nil {
		return "", err
	}
	logged, wall, err := s.logCurve(ctx, run, points)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d points of one metric of one run, logged in %s: %.0f points a second.\n\n| | p50 ms | p95 ms | bytes |\n|---|---|---|---|\n",
		points, wall.Round(time.Second), float64(points)/wall.Seconds())
	fmt.Fprintf(&b, "| %s | %s | %s | |\n", logged.name, ms(logged.p50), ms(logged.p95))
	for _, q := range questions(run, points) {
		r, size, err := s.ask(ctx, q)
		if err != nil {
			return "", fmt.Errorf("%s: %w", q.name, err)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", r.name, ms(r.p50), ms(r.p95), size)
	}
	after, err := s.metricBytes(ctx)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "\nPeak memory %d MiB, %.2f bytes on disk per point.\n", s.memoryPeak()>>10, float64(after-before)/float64(points))
	return b.String(), nil
}

// logCurve logs a loss as a program prints it: falling, with noise, four digits.
func (s *server) logCurve(ctx context.Context, run string, points int) (result, time.Duration, error) {
	var took []time.Duration
	rng := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // measurements, no secrets
	began := time.Now()
	for first := 0; first < points; first += 1000 {
		metrics := make([]fields, min(1000, points-first))
		for i := range metrics {
			step := first + i
			value := math.Round((1/(1+float64(step)/1e6)+rng.Float64()/10)*1e4) / 1e4
			metrics[i] = fields{"key": "loss", "value": value, "timestamp": 1_700_000_000_000 + int64(step)*20, "step": step}
		}
		start := time.Now()
		if _, err := s.call(ctx, "POST", api+"/runs/log-batch", fields{"run_id": run, "metrics": metrics}); err != nil {
			return result{}, 0, err
		}
		took = append(took, time.Since(start))
	}
	wall := time.Since(began)
	return summary("log_batch, 1000 metrics", took, wall), wall, nil
}

// question is a request about the run; it is a POST when it has a body.
type question struct {
	name, path string
	body       any
}

func questions(run string, points int) []question {
	page := func(offset int) string {
		token := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d}`, offset))
		if offset == 0 {
			token = ""
		}
		return "/metrics/get-history?metric_key=loss&max_results=25000&run_id=" + run + "&page_token=" + url.QueryEscape(token)
	}
	interval := "/metrics/get-history-bulk-interval?metric_key=loss&run_ids=" + run + "&max_results="
	return []question{
		{"get-history, the first 25,000", page(0), nil},
		{"get-history, 25,000 in the middle", page(points / 2), nil},
		{"get-history, the last 25,000", page(points - 25_000), nil},
		{"bulk interval, 320 of all", interval + "320", nil},
		{"bulk interval, 2,500 of all", interval + "2500", nil},
		{"bulk interval, 320 of 10,000 steps", interval + fmt.Sprintf("320&start_step=%d&end_step=%d", points/2, points/2+10_000), nil},
		{"bulk interval, 320 with extremes of all", interval + "320&sampling=extremes", nil},
		{"get run", "/runs/get?run_id=" + run, nil},
		{"search_runs by its lowest value", "/runs/search", fields{"experiment_ids": []string{"0"}, "filter": "metrics.loss.min < 0.5"}},
	}
}

// ask sends a question up to 20 times, or for ten seconds, and returns what it took and the bytes of an answer.
func (s *server) ask(ctx context.Context, q question) (_ result, size int, err error) {
	method := "GET"
	if q.body != nil {
		method = "POST"
	}
	var took []time.Duration
	for i := 0; i < 20 && (i < 3 || sum(took) < 10*time.Second); i++ {
		start := time.Now()
		answer, err := s.call(ctx, method, api+q.path, q.body)
		if err != nil {
			return result{}, 0, err
		}
		took = append(took, time.Since(start))
		if size = len(answer); !json.Valid(answer) || size < 100 {
			return result{}, 0, fmt.Errorf("unexpected answer %.200s", answer)
		}
	}
	return summary(q.name, took, sum(took)), size, nil
}

func sum(took []time.Duration) (total time.Duration) {
	for _, d := range took {
		total += d
	}
	return total
}

// measureOneRun prints what oneRun found and writes it beside the other table.
func measureOneRun(ctx context.Context, own *server, o options) error {
	table, err := own.oneRun(ctx, o.oneRun)
	if err != nil {
		return err
	}
	fmt.Print(table)
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "tracking-one-run.md"), []byte(table), 0o644)
}
