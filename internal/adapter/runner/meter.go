package runner

import (
	"context"
	"runtime"
	"sync"
	"time"

	"levada/internal/core/run"
)

const (
	// meterAfter is how long a step runs before it is measured: measuring short ones would cost more than it tells.
	meterAfter = time.Second
	// meterEvery is the time between two samples at first; it doubles whenever there are too many.
	meterEvery = time.Second
	// saveEvery is how often the samples are written, for those who look at a step that runs.
	saveEvery = 3
)

// used is what the processes of a session have used.
type used struct {
	cpu    time.Duration
	memory int64
}

// sessions adds up what the processes of each session use. Looking through all processes is shared: however many steps are measured, it
// is done twice a second at most.
type sessions struct {
	mu    sync.Mutex
	at    time.Time
	known map[int]used
}

func (s *sessions) of(session int) (used, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.at) > meterEvery/2 {
		s.at, s.known = now, usedBySessions()
	}
	u, ok := s.known[session]
	return u, ok
}

// meter samples what the step uses until ctx is done, and keeps it beside the log.
func (x *execution) meter(ctx context.Context, session int) {
	start := time.Now()
	wait := time.NewTimer(meterAfter)
	defer wait.Stop()
	u := run.Usage{StartedAt: start.UTC(), CPUs: runtime.NumCPU(), MemoryLimit: x.order.Memory, Environment: x.order.Environment}
	var before time.Duration
	if x.order.Reuse != "" {
		before = cpuOf(session) // of the steps that had this process before
	}
	every, unsaved := meterEvery, saveEvery
	for {
		select {
		case <-ctx.Done():
			if len(u.Seconds) > 0 && unsaved > 0 {
				x.saveUsage(&u)
			}
			return
		case <-wait.C:
		}
		wait.Reset(every)
		now, ok := x.sessions.of(session)
		if !ok {
			continue
		}
		if u.Add(time.Since(start), now.cpu-before, now.memory) {
			every *= 2
		}
		if unsaved++; unsaved >= saveEvery {
			x.saveUsage(&u)
			unsaved = 0
		}
	}
}

func (x *execution) saveUsage(u *run.Usage) {
	if err := x.opt.Logs.SaveUsage(x.order.Run, x.order.Task, x.order.Attempt, u); err != nil {
		x.opt.Logger.Warn("what a step uses could not be written", "run", x.order.Run, "task", x.order.Path, "error", err)
	}
}
