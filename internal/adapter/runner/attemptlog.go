package runner

import (
	"log/slog"
	"sync"

	"levada/internal/adapter/steplog"
	"levada/internal/core/run"
)

// attemptLog is what the server itself adds to an attempt's log, before and after the overseer has it. The file is opened only when
// there is something to say.
type attemptLog struct {
	store  *steplog.Store
	step   *run.Step
	logger *slog.Logger

	mu     sync.Mutex
	writer *steplog.Writer
	deaf   bool // opening failed; said once
}

func (r *Runner) newLog(s *run.Step) *attemptLog {
	return &attemptLog{store: r.opt.Logs, step: s, logger: r.opt.Logger}
}

// System adds a line of Levada's own.
func (l *attemptLog) System(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writer == nil && !l.deaf {
		w, err := l.store.Open(l.step.Job.RunID, l.step.TaskID, l.step.Attempt)
		if err != nil {
			l.deaf = true
			l.failed(err)
			return
		}
		l.writer = w
	}
	if l.writer != nil {
		l.writer.System(format, args...)
	}
}

// handOver lets somebody else write.
func (l *attemptLog) handOver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.store.Expect(l.step.Job.RunID, l.step.TaskID, l.step.Attempt); err != nil {
		l.failed(err)
	}
	if l.writer == nil {
		return
	}
	if err := l.writer.Detach(); err != nil {
		l.failed(err)
	}
	l.writer = nil
}

// close ends the log: the attempt is over.
func (l *attemptLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.writer != nil {
		err = l.writer.Close()
	} else {
		err = l.store.End(l.step.Job.RunID, l.step.TaskID, l.step.Attempt)
	}
	if err != nil {
		l.failed(err)
	}
}

func (l *attemptLog) failed(err error) {
	l.logger.Error("a step's log is not complete", "run", l.step.Job.RunID, "task", l.step.TaskPath, "error", err)
}
