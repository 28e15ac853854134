package runner

import (
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
	"levada/internal/adapter/subprocess"
	"levada/internal/core/run"
)

// ending is how a process ended.
type ending struct {
	code   int
	signal syscall.Signal // 0 when it exited
	err    error          // set when its status is not known
	// children is set when it may have left children that are not yet those of this process.
	children bool
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

// execute starts a process of its own for a job.
func (v *inProcess) execute(j *job, files stdio) (process, error) {
	path, err := findCommand(j)
	if err != nil {
		return process{}, err
	}
	env := make([]string, 0, len(j.Env))
	for k, v := range j.Env {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	attr := subprocess.Attributes()
	argv := j.Argv
	if j.View != nil {
		if err := j.View.startable(path); err != nil {
			return process{}, startFailure(j, err)
		}
		if path, argv, err = j.View.wrap(path, argv, attr); err != nil {
			return process{}, err
		}
	}
	var proc *os.Process
	v.starts.Do(func() {
		proc, err = v.children.start(path, argv, &os.ProcAttr{
			Dir: j.Dir, Env: env, Files: []*os.File{files.in, files.out, files.err}, Sys: attr,
		})
	})
	if err != nil {
		return process{}, startFailure(j, err)
	}
	subprocess.NoCore(proc.Pid)
	done := make(chan ending, 1)
	go func() { // ends with the process, which the execution waits for
		st, err := proc.Wait()
		v.children.forget(proc.Pid)
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

func startFailure(j *job, err error) error {
	reason := run.ReasonSystem
	if errors.Is(err, syscall.E2BIG) {
		return &run.Failure{Reason: run.ReasonInput, Message: "the step's command line is longer than the system allows (E2BIG; on Linux " +
			"one argument has at most 131,071 bytes): pass large values as artifacts instead of parameters"}
	}
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOEXEC) {
		reason = run.ReasonUnsupported
	}
	return &run.Failure{Reason: reason, Message: fmt.Sprintf("command %q could not be started: %v", j.Argv[0], err)}
}

// findCommand finds the program on the step's own PATH.
func findCommand(j *job) (string, error) {
	name := j.Argv[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(j.Dir, name)
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(j.Env["PATH"]) {
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
	stderr  subprocess.Tail
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
func pump(r io.Reader, log *steplog.Writer, stream string, tail *subprocess.Tail) {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			log.Write(stream, buf[:n])
			if tail != nil {
				tail.Add(buf[:n])
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
