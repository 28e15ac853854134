package main

import (
	"strings"
	"testing"
	"time"
)

func TestTheTableHoldsBothServersAndTheRatios(t *testing.T) {
	one := summary("log_metric", []time.Duration{time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond}, time.Second)
	two := summary("log_metric", []time.Duration{10 * time.Millisecond, 30 * time.Millisecond}, time.Second)
	table := report([]*server{{name: "levada", peakKB: 2048, perPoint: 7.5}, {name: "mlflow"}}, [][]result{{one}, {two}}, options{})
	for _, part := range []string{"| log_metric | 3.0 | 2.00 | 3.00 | 3.00 | 2.0 | 30.00 | 30.00 | 30.00 | 1.5 × | 10.0 × |", "peak memory 2 MiB, 7.5 bytes"} {
		if !strings.Contains(table, part) {
			t.Errorf("the table lacks %q:\n%s", part, table)
		}
	}
}
