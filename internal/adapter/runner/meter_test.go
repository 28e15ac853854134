package runner_test

import (
	"context"
	"testing"

	"levada/internal/core/fault"
)

func TestWhatAStepUsesIsMeasuredUnlessItIsShort(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		long := f.python(`
def f():
    import time
    held = bytearray(64 << 20)
    end = time.monotonic() + 2.3
    while time.monotonic() < end:
        held[0] += 1 if held[0] < 200 else -held[0]
`)
		f.must(long)
		u, err := f.logs.Usage(context.Background(), long.Job.RunID, long.TaskID, 1)
		if err != nil {
			t.Fatal(err)
		}
		last := len(u.Seconds) - 1
		if last < 0 || len(u.CPUSeconds) != last+1 || len(u.MemoryBytes) != last+1 || u.Seconds[0] < 0.9 {
			t.Fatalf("samples at %v: %v, %v", u.Seconds, u.CPUSeconds, u.MemoryBytes)
		}
		if u.CPUSeconds[last] <= 0.2 || u.CPUSeconds[last] > u.Seconds[last]+1 || u.PeakBytes < 64<<20 || u.CPUs < 1 || u.Environment == "" {
			t.Errorf("%+v", u)
		}
		short := f.python("def f(): pass\n")
		f.must(short)
		if _, err := f.logs.Usage(context.Background(), short.Job.RunID, short.TaskID, 1); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a short step: %v, want NotFound", err)
		}
	})
}
