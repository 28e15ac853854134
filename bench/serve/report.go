package main

import (
	"fmt"
	"strings"
)

// summary is a line for whoever waits.
func summary(r result) string {
	if r.Error != "" {
		return r.Error
	}
	best := 0.0
	for _, l := range r.Loads {
		best = max(best, l.PerSecond)
	}
	return fmt.Sprintf("%.0f a second, ready after %.1f s, %.0f MiB", best, r.ColdSeconds, r.MemoryMiB)
}

// markdown writes the tables.
func markdown(r report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s; load average before: %s. %s, each load %g s.\n", r.Machine, r.Cores, r.At.Format("2006-01-02"), r.BusyLoad, r.Predicted, r.Seconds)
	table := func(title string, which, cellOf func(load) string) {
		var heads []string
		seen := map[string]bool{}
		for _, res := range r.Results {
			for _, l := range res.Loads {
				if h := which(l); h != "" && !seen[h] {
					seen[h] = true
					heads = append(heads, h)
				}
			}
		}
		fmt.Fprintf(&b, "\n%s\n\n| server | %s |\n|---|%s\n", title, strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
		for _, res := range r.Results {
			fmt.Fprintf(&b, "| %s |", strings.TrimSpace(res.Server+" "+res.Form))
			for _, h := range heads {
				cell := "–"
				for _, l := range res.Loads {
					if which(l) == h {
						cell = cellOf(l)
					}
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
			b.WriteByte('\n')
		}
	}
	table("As fast as the answers come: requests a second (p50 / p99, ms)", func(l load) string {
		if l.Clients == 0 {
			return ""
		}
		return fmt.Sprintf("%d connections", l.Clients)
	}, load.cell)
	table("At a fixed rate: answered a second (p50 / p99, ms, from when a request was due)", func(l load) string {
		if l.Rate == 0 || l.Overload > 0 {
			return ""
		}
		return fmt.Sprintf("%g a second", l.Rate)
	}, load.cell)
	table("More than it can: answered a second (p50 / p99 of these, ms, from when a request had its connection)", func(l load) string {
		if l.Overload == 0 {
			return ""
		}
		return fmt.Sprintf("%g times as many as it answered at most", l.Overload)
	}, load.cell)
	table("Cores that the client took, asking as fast as the answers came", func(l load) string {
		if l.Clients == 0 {
			return ""
		}
		return fmt.Sprintf("%d connections", l.Clients)
	}, func(l load) string { return fmt.Sprintf("%.2f", l.Client) })
	b.WriteString("\n| server | first prediction after, s | memory, MiB | |\n|---|---|---|---|\n")
	for _, res := range r.Results {
		problem, _, _ := strings.Cut(res.Error, "\n")
		fmt.Fprintf(&b, "| %s | %.1f | %.0f | %s |\n", strings.TrimSpace(res.Server+" "+res.Form), res.ColdSeconds, res.MemoryMiB, problem)
	}
	return b.String()
}

func (l load) cell() string {
	text := fmt.Sprintf("%.0f (%.2f / %.2f)", l.PerSecond, l.P50, l.P99)
	if l.Refused > 0 {
		text += fmt.Sprintf(", %d refused", l.Refused)
	}
	if l.Failed > 0 {
		text += fmt.Sprintf(", %d failed", l.Failed)
	}
	return text
}
