package run_test

import (
	"testing"
	"time"

	"levada/internal/core/run"
)

func TestALongStepHasAsManySamplesAsAShortOneAndKeepsItsPeak(t *testing.T) {
	var u run.Usage
	halved := 0
	for i := range 10_000 {
		memory := int64(i % 7)
		if i == 1234 {
			memory = 999
		}
		if u.Add(time.Duration(i)*time.Second, time.Duration(i)*time.Millisecond, memory) {
			halved++
		}
	}
	if n := len(u.Seconds); n == 0 || n >= 240 || len(u.CPUSeconds) != n || len(u.MemoryBytes) != n || halved == 0 {
		t.Fatalf("%d, %d, %d samples after halving %d times", n, len(u.CPUSeconds), len(u.MemoryBytes), halved)
	}
	most := int64(0)
	for i, m := range u.MemoryBytes {
		most = max(most, m)
		if i > 0 && (u.Seconds[i] <= u.Seconds[i-1] || u.CPUSeconds[i] < u.CPUSeconds[i-1]) {
			t.Errorf("sample %d is before the one before", i)
		}
	}
	if most != 999 || u.PeakBytes != 999 {
		t.Errorf("peak %d, highest sample %d, want 999", u.PeakBytes, most)
	}
}

func TestProcessorTimeDoesNotGoBackWhenAProcessEnds(t *testing.T) {
	var u run.Usage
	u.Add(time.Second, 5*time.Second, 1)
	u.Add(2*time.Second, time.Second, 1)
	if u.CPUSeconds[1] != 5 {
		t.Errorf("%v", u.CPUSeconds)
	}
}
