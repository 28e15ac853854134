package main

import (
	"strings"
	"testing"
	"time"
)

func TestTheMedianIsTheMiddleAndIgnoresTheOrder(t *testing.T) {
	for _, tt := range []struct {
		sample sample
		want   float64
	}{
		{sample{3, 1, 2}, 2},
		{sample{4, 1, 3, 2}, 2.5},
		{sample{7}, 7},
	} {
		if got := tt.sample.median(); got != tt.want {
			t.Errorf("the median of %v is %v, want %v", tt.sample, got, tt.want)
		}
	}
}

func TestTheTableShowsTimePerStepWithItsSpread(t *testing.T) {
	r := result{
		At: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Steps: 10,
		Modes: []modeResult{{Mode: "warm", First: 9, Runs: sample{0.2, 0.1, 0.3}, Cached: sample{0.01}}},
	}
	want := "| warm | 0.200 (0.100 – 0.300) | 20.00 (10.00 – 30.00) | 0.010 (0.010 – 0.010) | 9.000 | 3 |"
	if got := r.markdown(); !strings.Contains(got, want) {
		t.Errorf("the table is\n%s\nwant a line\n%s", got, want)
	}
}

func TestTheRatesOfTheEngineAreReadFromItsBenchmark(t *testing.T) {
	rates, err := readRates([]byte("goos: linux\n" +
		"BenchmarkEngine/fan-out/decided-2 \t 70\t 14000000 ns/op\t 285714 transitions/s\n" +
		"BenchmarkEngine/fan-out/decided-2 \t 70\t 14000000 ns/op\t 1.5e+05 transitions/s\n" +
		"BenchmarkEngine/fan-out/durable-2 \t 9\t 90000000 ns/op\t 33333 transitions/s\nPASS\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := result{Engine: rates}
	if got, want := r.markdown(), "| fan-out | 217857 (150000 – 285714) | 33333 (33333 – 33333) |"; !strings.Contains(got, want) {
		t.Errorf("the table is\n%s\nwant a line\n%s", got, want)
	}
	if _, err := readRates([]byte("PASS\n")); err == nil {
		t.Error("a benchmark that printed nothing is no error")
	}
}
