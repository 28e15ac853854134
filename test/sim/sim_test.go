package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"levada/internal/core/ir"
)

var (
	seedFlag  = flag.Int64("seed", -1, "replay this one seed and print each step")
	seedsFlag = flag.Uint64("seeds", 2000, "how many seeds to run")
	allFlag   = flag.Bool("all", false, "go on after a seed that fails, and print only what it breaks")
	fromFlag  = flag.Uint64("from", 0, "the first of the seeds")
)

// play runs the schedule of a seed in the present bubble.
func play(seed uint64, sub *subject, store backend, with func(*schedule)) (*schedule, error) {
	s := newSchedule(seed, sub, store)
	if with != nil {
		with(s)
	}
	return s, s.run()
}

// report is what a person needs to find the bug behind a seed that failed.
func report(s *schedule, err error) string {
	return fmt.Sprintf("seed %d: %v\n\nreplay it: make sim SEED=%d\n\nthe last steps:\n%s\nthe pipeline:\n%s", s.seed, err, s.seed, s.trace.last(), outline(s.subject.pipeline))
}

// outline is a pipeline's specification without what is the same in all of them.
func outline(p *ir.Pipeline) string {
	if f := os.Getenv("SIM_SPEC"); f != "" {
		_ = os.WriteFile(f, p.Canonical, 0o600)
	}
	return string(p.Canonical)
}

func TestSchedules(t *testing.T) {
	if *seedFlag >= 0 {
		replay(t, uint64(*seedFlag))
		return
	}
	// Each schedule makes a little garbage and keeps nothing.
	defer debug.SetGCPercent(debug.SetGCPercent(4000))
	began := time.Now()
	var done, steps atomic.Uint64
	t.Run("seeds", func(t *testing.T) {
		for shard := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("shard ", shard), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { playShard(t, uint64(shard), &done, &steps) })
			})
		}
	})
	took := time.Since(began)
	t.Logf("%d schedules, %d steps in %s: %.0f schedules a second", done.Load(), steps.Load(), took.Round(time.Millisecond), float64(done.Load())/took.Seconds())
}

// playShard runs every n-th block of seeds; the seeds of a block have a pipeline in common.
func playShard(t *testing.T, shard uint64, done, steps *atomic.Uint64) {
	shards := uint64(runtime.GOMAXPROCS(0))
	var sub *subject
	for seed := *fromFlag; seed < *fromFlag+*seedsFlag; seed++ {
		if seed/perPipeline%shards != shard {
			continue
		}
		if sub == nil || sub.seed != seed/perPipeline {
			var err error
			if sub, err = newSubject(seed); err != nil {
				t.Fatal(err)
			}
		}
		s, err := play(seed, sub, nil, nil)
		steps.Add(uint64(s.step))
		switch {
		case err != nil && *allFlag:
			t.Errorf("seed %d: %v", seed, err)
		case err != nil:
			t.Fatal(report(s, err))
		}
		if n := done.Add(1); n%50_000 == 0 {
			t.Logf("%d schedules", n)
		}
	}
}

// replay runs one seed and prints each step.
func replay(t *testing.T, seed uint64) {
	sub, err := newSubject(seed)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := play(seed, sub, nil, func(s *schedule) {
			s.trace.print = func(line string) { fmt.Println(line) }
			s.logger = slog.New(slog.NewTextHandler(os.Stdout, nil))
		})
		if err != nil {
			t.Fatal(report(s, err))
		}
	})
}
