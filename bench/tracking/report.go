package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// The targets: how many times MLflow's throughput on writes and how many times less than its p95 on searches, and what Levada
// may take of memory and disk.
const (
	wantTimes    = 20.0
	wantMiB      = 150
	wantPerPoint = 8.0
)

// row is one load with what each server did. Without another server there is no ratio and no verdict.
type row struct {
	own, other *result
	// throughput and p95 say how many times better Levada was; 0 when nothing can be said.
	throughput, p95 float64
}

func compare(results [][]result) []row {
	rows := make([]row, len(results[0]))
	for i := range rows {
		rows[i].own = &results[0][i]
		if len(results) > 1 {
			other := &results[1][i]
			rows[i].other = other
			rows[i].throughput = ratio(rows[i].own.perSecond, other.perSecond)
			rows[i].p95 = ratio(float64(other.p95), float64(rows[i].own.p95))
		}
	}
	return rows
}

// ratio is how many times b goes into a; 0 when a server answered nothing.
func ratio(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a / b
}

// verdict is pass or miss, or empty for what has no target.
func (r row) verdict() string {
	switch {
	case r.other == nil || r.own.kind == others:
		return ""
	case r.own.kind == write:
		return passed(r.throughput >= wantTimes)
	}
	return passed(r.p95 >= wantTimes)
}

func passed(ok bool) string {
	if ok {
		return "pass"
	}
	return "miss"
}

// report writes the table: for each load what each server did, the ratios, and whether they are what is wanted.
func report(servers []*server, rows []row, o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d runs with %d points each, %s a load, %d cores. Wanted: %.0f times the throughput of writes, %.0f times less p95 of searches.\n\n",
		o.runs, o.points, o.duration, runtime.NumCPU(), wantTimes, wantTimes)
	if len(servers) < 2 {
		fmt.Fprintln(&b, "| load | levada /s | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|")
		for _, r := range rows {
			fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %s |\n", r.own.name, r.own.perSecond, ms(r.own.p50), ms(r.own.p95), ms(r.own.p99))
		}
	} else {
		fmt.Fprintln(&b, "| load | levada /s | p50 ms | p95 ms | p99 ms | "+servers[1].name+" /s | p50 ms | p95 ms | p99 ms | throughput | p95 | wanted |\n"+
			"|---|---|---|---|---|---|---|---|---|---|---|---|")
		for _, r := range rows {
			fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.own.name, r.own.perSecond, ms(r.own.p50), ms(r.own.p95), ms(r.own.p99),
				rate(r.other), ms(r.other.p50), ms(r.other.p95), ms(r.other.p99), times(r.throughput), times(r.p95), r.verdict())
		}
	}
	fmt.Fprintln(&b)
	for i, s := range servers {
		fmt.Fprintf(&b, "- %s: peak memory %d MiB, with traces %d MiB, %.1f bytes on disk per point", s.name, s.runsKB>>10, s.memoryPeak()>>10, s.perPoint)
		if i == 0 {
			fmt.Fprintf(&b, " (at most %d MiB: %s; at most %.0f bytes: %s)", wantMiB, passed(s.runsKB>>10 <= wantMiB), wantPerPoint, passed(s.perPoint <= wantPerPoint))
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// machineReadable is the same as JSON.
func machineReadable(servers []*server, rows []row, o options) ([]byte, error) {
	type load struct {
		PerSecond float64 `json:"per_second"`
		P50       float64 `json:"p50_ms"`
		P95       float64 `json:"p95_ms"`
		P99       float64 `json:"p99_ms"`
		Failed    int     `json:"failed,omitempty"`
	}
	type line struct {
		Name       string          `json:"name"`
		Kind       kind            `json:"kind,omitempty"`
		Servers    map[string]load `json:"servers"`
		Throughput float64         `json:"throughput_ratio,omitempty"`
		P95        float64         `json:"p95_ratio,omitempty"`
		Verdict    string          `json:"verdict,omitempty"`
	}
	type use struct {
		PeakMiB  int64   `json:"peak_memory_mib"`
		PerPoint float64 `json:"bytes_per_point"`
	}
	var out struct {
		Runs     int            `json:"runs"`
		Points   int            `json:"points_per_run"`
		Duration float64        `json:"seconds_per_load"`
		Cores    int            `json:"cores"`
		Loads    []line         `json:"loads"`
		Use      map[string]use `json:"use"`
	}
	out.Runs, out.Points, out.Duration, out.Cores, out.Use = o.runs, o.points, o.duration.Seconds(), runtime.NumCPU(), map[string]use{}
	of := func(r *result) load {
		return load{r.perSecond, milliseconds(r.p50), milliseconds(r.p95), milliseconds(r.p99), r.failed}
	}
	for _, r := range rows {
		l := line{Name: r.own.name, Kind: r.own.kind, Servers: map[string]load{servers[0].name: of(r.own)}, Throughput: r.throughput, P95: r.p95, Verdict: r.verdict()}
		if r.other != nil {
			l.Servers[servers[1].name] = of(r.other)
		}
		out.Loads = append(out.Loads, l)
	}
	for _, s := range servers {
		out.Use[s.name] = use{s.memoryPeak() >> 10, s.perPoint}
	}
	return json.MarshalIndent(out, "", "  ")
}

// rate is how many requests a second were answered, and how many were not.
func rate(r *result) string {
	if r.failed > 0 {
		return fmt.Sprintf("%.1f (%d failed)", r.perSecond, r.failed)
	}
	return fmt.Sprintf("%.1f", r.perSecond)
}

func times(ratio float64) string {
	if ratio == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f ×", ratio)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", milliseconds(d)) }
