package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTheTableHoldsBothServersTheRatiosAndTheVerdicts(t *testing.T) {
	load := func(k kind, wall time.Duration, took ...time.Duration) result {
		r := summary("load "+string(k), took, wall)
		r.kind = k
		return r
	}
	rows := compare([][]result{
		{load(write, time.Second, time.Millisecond, 2*time.Millisecond, 3*time.Millisecond), load(find, time.Second, time.Millisecond), load(others, time.Second, time.Millisecond)},
		{load(write, time.Second, 10*time.Millisecond, 30*time.Millisecond), load(find, time.Second, 30*time.Millisecond), load(others, time.Second)},
	})
	servers := []*server{{name: "levada", peakKB: 3072, runsKB: 2048, perPoint: 8.5}, {name: "mlflow"}}
	table := report(servers, rows, options{})
	for _, part := range []string{
		"| load write | 3.0 | 2.00 | 3.00 | 3.00 | 2.0 | 30.00 | 30.00 | 30.00 | 1.5 × | 10.0 × | miss |",
		"| 1.0 × | 30.0 × | pass |", "| none | none |  |", "peak memory 2 MiB, with traces 3 MiB, 8.5 bytes on disk per point (at most 150 MiB: pass; at most 8 bytes: miss)",
	} {
		if !strings.Contains(table, part) {
			t.Errorf("the table lacks %q:\n%s", part, table)
		}
	}
	text, err := machineReadable(servers, rows, options{})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Loads []struct{ Verdict string }
	}
	if err := json.Unmarshal(text, &got); err != nil || len(got.Loads) != 3 || got.Loads[1].Verdict != "pass" {
		t.Errorf("%v: %s", err, text)
	}
}
