package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// report writes the table: for each load what each server did, and the ratios.
func report(servers []*server, results [][]result, o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d runs with %d points each, %s a load, %d cores.\n\n", o.runs, o.points, o.duration, runtime.NumCPU())
	if len(servers) < 2 {
		fmt.Fprintln(&b, "| load | levada /s | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|")
		for _, r := range results[0] {
			fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %s |\n", r.name, r.perSecond, ms(r.p50), ms(r.p95), ms(r.p99))
		}
	} else {
		fmt.Fprintln(&b, "| load | levada /s | p50 ms | p95 ms | p99 ms | mlflow /s | p50 ms | p95 ms | p99 ms | throughput | p95 |\n|---|---|---|---|---|---|---|---|---|---|---|")
		for i, own := range results[0] {
			other := results[1][i]
			fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %s | %.1f | %s | %s | %s | %s | %s |\n", own.name, own.perSecond, ms(own.p50), ms(own.p95), ms(own.p99),
				other.perSecond, ms(other.p50), ms(other.p95), ms(other.p99), times(own.perSecond, other.perSecond), times(float64(other.p95), float64(own.p95)))
		}
	}
	fmt.Fprintln(&b)
	for _, s := range servers {
		fmt.Fprintf(&b, "- %s: peak memory %d MiB, %.1f bytes on disk per point\n", s.name, s.peakKB>>10, s.perPoint)
	}
	return b.String()
}

// times is how many times b goes into a; a load in which a server answered nothing has no ratio.
func times(a, b float64) string {
	if a == 0 || b == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f ×", a/b)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }
