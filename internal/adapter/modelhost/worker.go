package modelhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"levada/internal/adapter/modelwire"
	"levada/internal/adapter/subprocess"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// Worker is a process that has a model loaded. Its methods are for one goroutine at a time, but for Gone, Err and Memory.
type Worker struct {
	conn   *net.UnixConn
	proc   *os.Process
	pid    int
	limit  int64 // bytes; 0 for none
	stderr subprocess.Tail
	rows   int64 // the only first dimension that the model takes; 0 for any

	head   [4]byte
	nextID uint32
	batch  batch

	memory  atomic.Int64
	gone    chan struct{}
	closing sync.Once
	parts   sync.WaitGroup

	mu  sync.Mutex
	why error // why it was ended, where somebody ended it
	err error // set before gone is closed
}

// command says how a worker is started.
type command struct {
	thread  *subprocess.Thread
	program []string // with its arguments
	dir     string
	env     []string
	limit   int64
}

// start starts the process. It does not wait for anything it does.
func start(c command) (*Worker, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start a model worker: %w", err)
	}
	defer theirs.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	defer null.Close()
	r, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	defer out.Close()
	w := &Worker{conn: ours, limit: c.limit, gone: make(chan struct{})}
	var proc *os.Process
	c.thread.Do(func() {
		proc, err = os.StartProcess(c.program[0], c.program, &os.ProcAttr{
			Dir: c.dir, Env: c.env, Files: []*os.File{null, out, out, theirs}, Sys: subprocess.Attributes(),
		})
	})
	if err != nil {
		return nil, errors.Join(fault.Unavailablef("start a model worker: %w", err), ours.Close(), r.Close())
	}
	w.proc, w.pid = proc, proc.Pid
	subprocess.NoCore(w.pid)
	preferToKill(w.pid)
	stop := make(chan struct{})
	w.parts.Go(func() { w.read(r) })
	w.parts.Go(func() { w.measure(stop) })
	w.parts.Go(func() { w.reap(stop) })
	return w, nil
}

func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		// Most batches fit, so that neither side waits for the other in the middle of one. The system may grant less.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "server"), os.NewFile(uintptr(fds[1]), "worker")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}

// preferToKill makes a machine that has no memory left take it from the worker and not from the server.
func preferToKill(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0) // where there is such a file
}

func (w *Worker) read(r *os.File) {
	defer r.Close()
	buf := make([]byte, 8<<10)
	for {
		n, err := r.Read(buf)
		w.stderr.Add(buf[:n])
		if err != nil {
			return
		}
	}
}

// measureEvery is how often the memory of a worker is measured.
const measureEvery = 250 * time.Millisecond

func (w *Worker) measure(stop <-chan struct{}) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		p, _ := subprocess.Stat(w.pid)
		used := p.RSS
		if w.limit > 0 && used <= w.limit {
			used = subprocess.Memory(w.pid) // with those that it started
		}
		w.memory.Store(used)
		if w.limit > 0 && used > w.limit {
			w.kill(fault.Unavailablef("the worker used %d MiB of memory and its limit is %d MiB", used>>20, w.limit>>20))
			return
		}
	}
}

// kill ends the process and what it started; why is what others are told.
func (w *Worker) kill(why error) {
	w.mu.Lock()
	if w.why == nil {
		w.why = why
	}
	w.mu.Unlock()
	if errors.Is(syscall.Kill(-w.pid, syscall.SIGKILL), syscall.ESRCH) {
		_ = w.proc.Kill() // it may not lead its group yet, or have ended
	}
}

func (w *Worker) reap(stop chan<- struct{}) {
	st, err := w.proc.Wait()
	close(stop)
	for _, p := range subprocess.OfSession(w.pid) {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	w.memory.Store(0)
	w.mu.Lock()
	switch {
	case w.why != nil:
		w.err = w.why
	case err != nil:
		w.err = fault.Unavailablef("the worker is lost: %w", err)
	default:
		w.err = fault.Unavailablef("the worker ended (%s)%s", st, w.lastWords())
	}
	w.mu.Unlock()
	close(w.gone)
	w.conn.Close()
}

// lastWords is the end of what the worker printed.
func (w *Worker) lastWords() string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(w.stderr.Text()), "?")), "\n")
	text := strings.Join(lines[max(0, len(lines)-5):], "\n")
	if text == "" {
		return ""
	}
	return ": " + text[max(0, len(text)-1000):]
}

// Gone is closed when the process has ended.
func (w *Worker) Gone() <-chan struct{} { return w.gone }

// Err says why the process has ended; nil before.
func (w *Worker) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Memory is what the process used when it was last measured, in bytes.
func (w *Worker) Memory() int64 { return w.memory.Load() }

// PID is the process.
func (w *Worker) PID() int { return w.pid }

// closeGrace is how long a worker may take to end by itself.
const closeGrace = 2 * time.Second

// Close ends the process and waits for it. Closing twice is the same as closing once.
func (w *Worker) Close() {
	w.closing.Do(func() {
		_ = w.conn.CloseWrite() // it ends when it has read everything
		t := time.NewTimer(closeGrace)
		defer t.Stop()
		select {
		case <-w.gone:
		case <-t.C:
			w.kill(fault.Unavailablef("the worker was ended"))
		}
	})
	w.parts.Wait()
}

// errLate is the cause of a worker that is ended because it took too long.
var errLate = errors.New("it took too long")

// exchange sends a frame and reads the answer. What goes wrong on the way ends the worker.
func (w *Worker) exchange(out []byte, limit time.Duration, doing string) (modelwire.Frame, error) {
	deadline := time.Now().Add(limit)
	var f modelwire.Frame
	err := w.conn.SetDeadline(deadline)
	if err == nil {
		_, err = w.conn.Write(out)
	}
	if err == nil {
		f, err = modelwire.Read(w.conn, w.head[:])
	}
	if err == nil && f.ID != w.nextID {
		err = fmt.Errorf("%w: the answer to %d where that to %d was expected", modelwire.ErrGarbage, f.ID, w.nextID)
	}
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, modelwire.ErrGarbage):
		w.kill(fault.Unavailablef("%w while it was %s; does the model write to descriptor 3?", err, doing))
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.kill(&fault.Error{Kind: fault.Unavailable, Cause: errLate,
			Message: fmt.Sprintf("the worker was %s for more than %s and was ended", doing, limit)})
	case !errors.Is(err, io.EOF):
		w.kill(nil) // it closed its end, or the process is gone: its own end says more
	default:
		// The process has closed the connection: it ends, or must.
		t := time.AfterFunc(closeGrace, func() { w.kill(fault.Unavailablef("the worker closed its connection while it was %s", doing)) })
		defer t.Stop()
	}
	<-w.gone
	lost := w.Err()
	if errors.Is(lost, errLate) {
		return f, fmt.Errorf("%w (%w)", lost, context.DeadlineExceeded)
	}
	return f, lost
}

func (w *Worker) next() uint32 {
	w.nextID++
	return w.nextID
}

// Predict gives the model the requests as one batch and returns an answer for each.
func (w *Worker) Predict(_ context.Context, requests []*infer.Request, limit time.Duration) ([]*infer.Response, error) {
	if w.rows > 0 && len(requests) > 1 {
		return nil, fault.Conflictf("the model takes %d rows and no others, so requests are given to it one by one", w.rows)
	}
	out, err := w.batch.encode(w.next(), requests)
	if err != nil {
		return nil, err
	}
	f, err := w.exchange(out, limit, "predicting")
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case modelwire.KindOK:
		out, err := split(f, requests)
		if errors.Is(err, modelwire.ErrGarbage) {
			err = fault.Unavailablef("%w", err)
		}
		return out, err
	case modelwire.KindRaised:
		return nil, fault.Invalidf("the model raised %s", f.Failure().Error)
	case modelwire.KindFailed:
		return nil, fault.Unavailablef("%s", f.Failure().Error)
	}
	err = fault.Unavailablef("%w: a frame of the kind %d", modelwire.ErrGarbage, f.Kind)
	w.kill(err)
	return nil, err
}

// Check asks an idle worker whether it is there.
func (w *Worker) Check(_ context.Context, limit time.Duration) error {
	_, err := w.exchange(modelwire.Finish(modelwire.AppendHead(nil, w.next(), modelwire.KindCheck, 0, []byte("{}"), nil)), limit, "being checked")
	return err
}

// load has the worker load the model.
func (w *Worker) load(ctx context.Context, order []byte, limit time.Duration) (Loaded, error) {
	stop := context.AfterFunc(ctx, func() { w.kill(fault.Unavailablef("loading the model was given up: %w", context.Cause(ctx))) })
	defer stop()
	f, err := w.exchange(modelwire.Finish(modelwire.AppendHead(nil, w.next(), modelwire.KindLoad, 0, order, nil)), limit, "loading the model")
	var said Loaded
	switch {
	case errors.Is(err, errLate):
		return said, fault.Invalidf("%w; raise load_timeout_seconds if it needs more%s", err, w.lastWords())
	case err != nil:
		return said, err
	case f.Kind != modelwire.KindOK:
		h := f.Failure()
		if h.Unfit {
			return said, fmt.Errorf("%w: %s", errUnfit, h.Error)
		}
		return said, fault.Invalidf("the model could not be loaded: %s%s", h.Error, hint(h.Error))
	}
	return said, json.Unmarshal(f.Header, &said)
}

// errUnfit is wrapped by the errors of a worker that cannot run a model that another kind of worker may.
var errUnfit = fault.Invalidf("this kind of worker cannot run the model")

// hint says what to do about errors that many meet.
func hint(failure string) string {
	if strings.HasPrefix(failure, "ModuleNotFoundError") || strings.HasPrefix(failure, "ImportError") {
		return "; the model's requirements.txt does not say that it needs this: log it with pip_requirements or code_paths"
	}
	return ""
}
