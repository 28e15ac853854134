package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"levada/internal/adapter/steplog"
	"levada/internal/core/run"
)

// ending is how a process ended.
type ending struct {
	code   int
	signal syscall.Signal // 0 when it exited
	err    error          // set when its status is not known
}

// process is a started step. It leads its own session and process group.
type process struct {
	pid  int
	done <-chan ending // one value
}

// stdio are the ends of the pipes that a step gets.
type stdio struct{ in, out, err *os.File }

func (s stdio) close() {
	for _, f := range []*os.File{s.in, s.out, s.err} {
		if f != nil {
			f.Close()
		}
	}
}

// supervise starts the job and sees it through to its end.
func (a *attempt) supervise(ctx context.Context, j job) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	files, capture, err := newCapture(a.log)
	if err != nil {
		return fmt.Errorf("open the step's pipes: %w", err)
	}
	defer capture.close()
	p, err := a.start(ctx, j, files)
	files.close()
	if err != nil {
		return err
	}
	if err := writePid(a.layout.pidFile(), p.pid); err != nil {
		a.opt.Logger.Warn("a step's pid could not be recorded", "task", a.step.TaskPath, "error", err)
	}
	end, why := a.await(ctx, p)
	a.clean(p.pid, capture)
	return a.judge(ctx, end, why, capture)
}

// await waits for the process and ends it when it must not go on; why is set when it was ended.
func (a *attempt) await(ctx context.Context, p process) (end ending, why *run.Failure) {
	watch, stop := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer stop()
	tooMuch := make(chan int64, 1)
	if limit := int64(a.limits.MemoryLimit); limit > 0 {
		watcher.Go(func() { watchMemory(watch, p.pid, limit, tooMuch) })
	}
	var timeout <-chan time.Time
	if d := a.deadline(); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case end = <-p.done:
		return end, nil
	case used := <-tooMuch:
		why = &run.Failure{Reason: run.ReasonMemory, Message: fmt.Sprintf("the step used %s of memory and its limit is %s: raise the limit "+
			"(set_memory_limit) or let it hold less at once", mebibytes(used), mebibytes(int64(a.limits.MemoryLimit)))}
		signalStep(p.pid, syscall.SIGKILL)
		return <-p.done, why
	case <-timeout:
		why = &run.Failure{Reason: run.ReasonTimeout, Message: fmt.Sprintf("the step ran longer than its time limit of %s", a.deadline())}
	case <-ctx.Done():
		why = &run.Failure{Reason: run.ReasonCanceled, Message: "the step was stopped before it ended"}
	}
	signalStep(p.pid, syscall.SIGTERM)
	t := time.NewTimer(a.opt.Grace)
	defer t.Stop()
	select {
	case end = <-p.done:
	case <-t.C:
		a.log.System("the step did not end within %s of being asked to: it is killed", a.opt.Grace)
		signalStep(p.pid, syscall.SIGKILL)
		end = <-p.done
	}
	return end, why
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// signalStep signals a step that has not ended. A step that was forked a moment ago may not lead its group yet: then the process
// itself is meant.
func signalStep(pid int, sig syscall.Signal) {
	if errors.Is(syscall.Kill(-pid, sig), syscall.ESRCH) {
		_ = syscall.Kill(pid, sig)
	}
}

// kill signals the process group of a step.
func kill(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

// clean ends what the step left running, so that nothing goes on writing, and waits for the last output. A process that left
// the session and holds the pipes is found by its environment.
func (a *attempt) clean(pid int, c *capture) {
	kill(pid, syscall.SIGKILL)
	for _, p := range sessionProcesses(pid) {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	if c.drained(time.Second) {
		return
	}
	for _, stray := range processesWith("KFP_POD_UID=" + podUID(a.step)) {
		_ = syscall.Kill(stray, syscall.SIGKILL)
	}
	if !c.drained(2 * time.Second) {
		a.log.System("something that the step started still holds its output open; what it prints from now on is not kept")
	}
}

// judge says what the ending of the process means.
func (a *attempt) judge(ctx context.Context, end ending, why *run.Failure, c *capture) error {
	switch {
	case why != nil:
		if why.Reason == run.ReasonCanceled && ctx.Err() != nil {
			return why
		}
		why.ExitCode = 128 + int(syscall.SIGKILL)
		return why
	case end.err != nil:
		return &run.Failure{Reason: run.ReasonSystem, Message: end.err.Error()}
	case end.signal != 0:
		message := fmt.Sprintf("the step was killed by signal %d (%s)", int(end.signal), end.signal)
		if end.signal == syscall.SIGKILL {
			message += "; Levada did not send it, so perhaps the machine ran out of memory"
		}
		if end.signal == syscall.SIGSEGV || end.signal == syscall.SIGABRT {
			message += withDetail(a.mask.text(c.stderr.text()))
		}
		return &run.Failure{Reason: run.ReasonKilled, Message: message, ExitCode: 128 + int(end.signal)}
	case end.code != 0:
		message := fmt.Sprintf("the step ended with exit code %d%s", end.code, withDetail(a.mask.text(c.stderr.text())))
		return &run.Failure{Reason: run.ReasonExit, Message: message + a.advice(a.mask.text(c.stderr.text())), ExitCode: end.code}
	}
	return nil
}

// start starts a job, from a warm host where that is possible.
func (a *attempt) start(ctx context.Context, j job, files stdio) (process, error) {
	if len(j.module) > 0 && a.opt.Mode == Warm && warmable(j.env) {
		p, err := a.hosts.start(ctx, a.env, len(a.spec.Env) > 0, j, files)
		if err == nil {
			a.stats.warm.Add(1)
			return p, nil
		}
		if ctx.Err() != nil {
			return process{}, ctx.Err()
		}
		a.stats.fallbacks.Add(1)
		a.log.System("the warm host could not be used, an interpreter is started instead: %v", err)
	}
	a.stats.executed.Add(1)
	return execute(j, files)
}

// execute starts a process of its own for a job.
func execute(j job, files stdio) (process, error) {
	path, err := findCommand(j)
	if err != nil {
		return process{}, err
	}
	env := make([]string, 0, len(j.env))
	for k, v := range j.env {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	attr := &syscall.SysProcAttr{Setsid: true}
	argv := j.argv
	if j.view != nil {
		if err := j.view.startable(path); err != nil {
			return process{}, startFailure(j, err)
		}
		if path, argv, err = j.view.wrap(path, argv, attr); err != nil {
			return process{}, err
		}
	}
	proc, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir: j.dir, Env: env, Files: []*os.File{files.in, files.out, files.err}, Sys: attr,
	})
	if err != nil {
		return process{}, startFailure(j, err)
	}
	noCore(proc.Pid)
	done := make(chan ending, 1)
	go func() { // ends with the process, which supervise waits for
		st, err := proc.Wait()
		if err != nil {
			done <- ending{err: fmt.Errorf("wait for the step: %w", err)}
			return
		}
		done <- endingOf(st)
	}()
	return process{proc.Pid, done}, nil
}

func endingOf(st *os.ProcessState) ending {
	ws, ok := st.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		return ending{signal: ws.Signal()}
	}
	return ending{code: st.ExitCode()}
}

func startFailure(j job, err error) error {
	reason := run.ReasonSystem
	if errors.Is(err, syscall.E2BIG) {
		return &run.Failure{Reason: run.ReasonInput, Message: "the step's command line is longer than the system allows (E2BIG): " +
			"pass large values as artifacts instead of parameters"}
	}
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOEXEC) {
		reason = run.ReasonUnsupported
	}
	return &run.Failure{Reason: reason, Message: fmt.Sprintf("command %q could not be started: %v", j.argv[0], err)}
}

// findCommand finds the program on the step's own PATH.
func findCommand(j job) (string, error) {
	name := j.argv[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(j.dir, name)
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(j.env["PATH"]) {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			continue
		}
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", &run.Failure{Reason: run.ReasonUnsupported, Message: fmt.Sprintf("command %q is not on this machine: steps run as processes "+
		"here, not in their image; install the program, or use one that is here", name)}
}

// capture reads what a step prints into its log.
type capture struct {
	readers []*os.File
	stderr  tailBuffer
	done    chan struct{}
}

func newCapture(log *steplog.Writer) (stdio, *capture, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return stdio{}, nil, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return stdio{}, nil, errors.Join(err, null.Close())
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return stdio{}, nil, errors.Join(err, null.Close(), outR.Close(), outW.Close())
	}
	c := &capture{readers: []*os.File{outR, errR}, done: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() { pump(outR, log, steplog.Stdout, nil) })
	wg.Go(func() { pump(errR, log, steplog.Stderr, &c.stderr) })
	go func() {
		wg.Wait()
		close(c.done)
	}()
	return stdio{null, outW, errW}, c, nil
}

// pump copies a pipe to the log; it ends when the last writer has closed the pipe, or with close.
func pump(r io.Reader, log *steplog.Writer, stream string, tail *tailBuffer) {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			log.Write(stream, buf[:n])
			if tail != nil {
				tail.add(buf[:n])
			}
		}
		if err != nil {
			return
		}
	}
}

// drained waits until both pipes are read to their end.
func (c *capture) drained(limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-c.done:
		return true
	case <-t.C:
		return false
	}
}

func (c *capture) close() {
	for _, r := range c.readers {
		_ = r.SetReadDeadline(time.Now()) // wakes a reader whose pipe is still held open
	}
	<-c.done
	for _, r := range c.readers {
		r.Close()
	}
}

// tailBuffer keeps the last part of a stream.
type tailBuffer struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 16 << 10

func (t *tailBuffer) add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) >= tailSize {
		t.buf = append(t.buf[:0], p[len(p)-tailSize:]...)
		return
	}
	if over := len(t.buf) + len(p) - 2*tailSize; over > 0 {
		t.buf = t.buf[:copy(t.buf, t.buf[len(t.buf)-tailSize:])]
	}
	t.buf = append(t.buf, p...)
}

func (t *tailBuffer) text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buf)
}
