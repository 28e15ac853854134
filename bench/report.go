package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sample holds repeated measurements of one thing, in seconds.
type sample []float64

// result is everything that one call of the benchmark found.
type result struct {
	At      time.Time    `json:"at"`
	Machine machine      `json:"machine"`
	Steps   int          `json:"steps"`
	Modes   []modeResult `json:"modes"`
	Fanouts []fanout     `json:"fanouts,omitempty"`
	Engine  []engineRate `json:"engine,omitempty"`
	Start   sample       `json:"server_start_seconds"`
	Limits  limits       `json:"limits"`
}

// modeResult holds the runs of one way to start steps.
type modeResult struct {
	Mode string `json:"mode"`
	// First is the run that also built the environment of the steps.
	First  float64 `json:"first_seconds"`
	Runs   sample  `json:"run_seconds"`
	Cached sample  `json:"cached_seconds"`
}

func seconds(d time.Duration) float64 { return d.Seconds() }

// median returns the middle value, or the mean of the two middle ones.
func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// milliseconds writes the median and, in brackets, the least and the most, each divided by n.
func (s sample) milliseconds(n int) string {
	if len(s) == 0 {
		return "–"
	}
	scale := 1000 / float64(n)
	return fmt.Sprintf("%.2f (%.2f – %.2f)", s.median()*scale, slices.Min(s)*scale, slices.Max(s)*scale)
}

// seconds writes the median and, in brackets, the least and the most.
func (s sample) seconds() string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f (%.3f – %.3f)", s.median(), slices.Min(s), slices.Max(s))
}

// whole writes the median and, in brackets, the least and the most, as whole numbers.
func (s sample) whole() string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f (%.0f – %.0f)", s.median(), slices.Min(s), slices.Max(s))
}

// markdown writes the tables of docs/performance.md.
func (r *result) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Levada %s, Python %s, %s, %d cores, %s, %s; %s. Median (least – most).\n\n",
		m.Levada, m.Python, m.CPU, m.Cores, m.Memory, m.System, r.At.Format(time.DateOnly))
	fmt.Fprintf(&b, "| %d steps in a chain | run, s | per step, ms | again, from the cache, s | first run, with environment, s | runs |\n", r.Steps)
	b.WriteString("|---|---|---|---|---|---|\n")
	for _, mode := range r.Modes {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.3f | %d |\n", mode.Mode, mode.Runs.seconds(),
			mode.Runs.milliseconds(r.Steps), mode.Cached.seconds(), mode.First, len(mode.Runs))
	}
	r.fanoutTable(&b)
	r.engineTable(&b)
	b.WriteString("\n| the machine and the server | ms | times |\n|---|---|---|\n")
	for _, row := range []struct {
		name string
		s    sample
	}{
		{"start Python (`-c pass`)", r.Limits.Python},
		{"start `true`", r.Limits.Exec},
		{"write 4 KiB and fsync", r.Limits.Fsync},
		{"`levada up` on an empty folder, to its first /healthz", r.Start},
	} {
		fmt.Fprintf(&b, "| %s | %s | %d |\n", row.name, row.s.milliseconds(1), len(row.s))
	}
	return b.String()
}

// fanoutTable writes the runs of many steps at once.
func (r *result) fanoutTable(b *strings.Builder) {
	if len(r.Fanouts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %d steps at once and one after them | run, s | steps a second | forks a second | of that | CPU a step, ms | again, from the cache, s | idle, MiB | after, MiB |\n", r.Fanouts[0].Steps-1)
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, f := range r.Fanouts {
		rate := float64(f.Steps) / f.Runs.median()
		fmt.Fprintf(b, "| %s | %s | %.0f | %.0f | %.0f %% | %s | %s | %.0f | %.0f |\n", f.Mode, f.Runs.seconds(), rate, f.Forks.median(),
			100*rate/f.Forks.median(), f.CPU.milliseconds(1), f.Cached.seconds(), float64(f.Idle)/(1<<20), float64(f.Loaded)/(1<<20))
	}
}

// save writes the result as JSON and returns the file's path.
func (r *result) save(folder string) (string, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "chain-"+r.At.Format("20060102-150405")+".json")
	return path, os.WriteFile(path, append(text, '\n'), 0o644)
}
