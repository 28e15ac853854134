package runner

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"levada/internal/adapter/steplog"
	"levada/internal/adapter/subprocess"
)

// host is one warm host process; python/warmhost.py describes the protocol.
type host struct {
	conn  *net.UnixConn
	pid   int
	ready chan struct{} // closed when the imports are done
	gone  chan struct{} // closed when the process has ended and every job has its answer
	cmd   hostCommand

	sending sync.Mutex

	mu      sync.Mutex
	next    int
	jobs    map[int]*hostJob
	dead    error // set when no more jobs can be given
	used    time.Time
	stderr  subprocess.Tail
	waiting sync.WaitGroup
}

type hostJob struct {
	started chan startedJob // one value
	done    chan ending     // one value, after started
	pid     int
}

type startedJob struct {
	pid int
	err error
}

type hostMessage struct {
	Op      string   `json:"op"`
	ID      int      `json:"id"`
	PID     int      `json:"pid"`
	Code    int      `json:"code"`
	Signal  int      `json:"signal"`
	Error   string   `json:"error"`
	Module  string   `json:"module"`
	Modules []string `json:"modules"`
	// Children says that a process whose step is over has children, or may have.
	Children bool `json:"children"`
}

type hostOrder struct {
	Op    string            `json:"op"`
	ID    int               `json:"id"`
	Args  []string          `json:"args"`
	Env   map[string]string `json:"env"`
	Dir   string            `json:"cwd"`
	View  *view             `json:"view"`
	Reuse string            `json:"reuse,omitempty"`
}

// hostCommand says how a host is started.
type hostCommand struct {
	python, script, dir string
	env                 []string
	// modules are imported before the host is ready.
	modules []string
	// learned hears of the modules that steps imported, refused of one that must not be imported by a host.
	learned  func([]string)
	refused  func(string)
	count    func(change int) // hears of its start and its end
	children *children
}

// startHost starts a host process. It does not wait for the imports.
func startHost(cmd hostCommand) (*host, error) {
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	h := &host{conn: conn, cmd: cmd, ready: make(chan struct{}), gone: make(chan struct{}), jobs: make(map[int]*hostJob)}
	if err := h.launch(theirs); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return h, nil
}

func (h *host) launch(socket *os.File) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	list, err := json.Marshal(append([]string{}, h.cmd.modules...))
	if err != nil {
		return err
	}
	proc, err := h.cmd.children.start(h.cmd.python, []string{h.cmd.python, h.cmd.script, "3", string(list)}, &os.ProcAttr{
		Dir: h.cmd.dir, Env: h.cmd.env, Files: []*os.File{null, null, w, socket},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return errors.Join(fmt.Errorf("start the warm host: %w", err), r.Close())
	}
	h.pid = proc.Pid
	h.cmd.count(1)
	h.waiting.Go(func() { h.readStderr(r) })
	h.waiting.Go(func() { h.read(proc) })
	return nil
}

func (h *host) readStderr(r *os.File) {
	defer r.Close()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		h.stderr.Add(buf[:n])
		if err != nil {
			return
		}
	}
}

// read handles the host's messages until it ends, then its process.
func (h *host) read(proc *os.Process) {
	for {
		m, err := readMessage(h.conn)
		if err != nil {
			break
		}
		h.handle(m)
	}
	// Without its socket the host ends by itself; one that hangs is not waited for.
	t := time.AfterFunc(2*time.Second, func() { _ = proc.Kill() })
	h.conn.Close()
	st, err := proc.Wait()
	t.Stop()
	h.cmd.children.forget(proc.Pid)
	h.cmd.count(-1)
	h.mu.Lock()
	if h.dead == nil {
		h.dead = h.obituary(st, err)
	}
	jobs := h.jobs
	h.jobs = make(map[int]*hostJob)
	h.mu.Unlock()
	var orphans sync.WaitGroup
	for _, j := range jobs {
		orphans.Go(func() { h.orphan(j) })
	}
	close(h.gone)
	orphans.Wait()
}

// neverRan is the exit status of a fork that got no step. Only for an orphan it is not clear otherwise; see python/warmstep.py.
const neverRan = 87

// orphan sees to a step whose host has gone. Where this process has become its parent the step goes on; where it has not, the step's
// exit status can no longer be known, and it is ended.
func (h *host) orphan(j *hostJob) {
	if j.pid == 0 {
		j.started <- startedJob{err: h.dead}
		return
	}
	defer h.cmd.children.forget(j.pid)
	if end, ok := h.cmd.children.wait(j.pid); ok {
		if end.code == neverRan {
			end = ending{err: errors.New("its warm host ended before it could hand the step over")}
		}
		j.done <- end
		return
	}
	kill(j.pid, syscall.SIGKILL)
	for _, p := range subprocess.OfSession(j.pid) {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	j.done <- ending{err: fmt.Errorf("the process that started it has ended: %w", h.dead)}
}

func (h *host) obituary(st *os.ProcessState, err error) error {
	if err != nil {
		return fmt.Errorf("the warm host is lost: %w", err)
	}
	return fmt.Errorf("the warm host ended (%s)%s", st, withDetail(h.stderr.Text()))
}

func readMessage(r io.Reader) (hostMessage, error) {
	var m hostMessage
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return m, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > 1<<20 {
		return m, errors.New("the warm host sent a message of impossible length")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return m, err
	}
	return m, json.Unmarshal(body, &m)
}

func (h *host) handle(m hostMessage) {
	switch m.Op {
	case "ready":
		close(h.ready)
		return
	case "learned":
		h.cmd.learned(m.Modules)
		return
	case "unsafe":
		h.cmd.refused(m.Module)
		return
	}
	h.mu.Lock()
	j := h.jobs[m.ID]
	if j != nil && m.Op == "started" {
		j.pid = m.PID
		h.cmd.children.claim(m.PID)
	}
	if m.Op == "exit" || m.Op == "failed" || m.Op == "lost" {
		if j != nil {
			h.cmd.children.forget(j.pid)
		}
		delete(h.jobs, m.ID)
		h.used = time.Now()
	}
	h.mu.Unlock()
	if j == nil {
		return
	}
	switch m.Op {
	case "started":
		j.started <- startedJob{pid: m.PID}
	case "failed":
		j.started <- startedJob{err: errors.New(steplog.Printable([]byte(m.Error)))}
	case "lost":
		why := fmt.Sprintf("exit status %d", m.Code)
		if m.Signal != 0 {
			why = syscall.Signal(m.Signal).String()
		}
		j.done <- ending{err: fmt.Errorf("the process that was to run it ended before (%s)%s", why, withDetail(h.stderr.Text()))}
	case "exit":
		j.done <- ending{code: m.Code, signal: syscall.Signal(m.Signal), children: m.Children}
	}
}

// run forks a step. It does not wait for anything but the fork.
func (h *host) run(o *order, files stdio) (process, error) {
	j := &o.Job
	hj := &hostJob{started: make(chan startedJob, 1), done: make(chan ending, 1)}
	h.mu.Lock()
	if h.dead != nil {
		h.mu.Unlock()
		return process{}, h.dead
	}
	h.next++
	id := h.next
	h.jobs[id] = hj
	h.mu.Unlock()
	err := h.send(hostOrder{Op: "run", ID: id, Args: j.Module, Env: j.Env, Dir: j.Dir, View: j.View, Reuse: o.Reuse}, files)
	if err != nil {
		h.conn.Close() // the stream may end in the middle of a message: nothing more can follow it
	}
	s := <-hj.started
	return process{s.pid, hj.done}, s.err
}

func (h *host) send(message any, files stdio) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, len(body)+4), uint32(len(body)))
	frame = append(frame, body...)
	rights := unix.UnixRights(int(files.in.Fd()), int(files.out.Fd()), int(files.err.Fd()))
	h.sending.Lock()
	defer h.sending.Unlock()
	n, _, err := h.conn.WriteMsgUnix(frame, rights, nil)
	if err != nil {
		return err
	}
	for n < len(frame) {
		m, err := h.conn.Write(frame[n:])
		if err != nil {
			return err
		}
		n += m
	}
	return nil
}

// awaitReady waits until the host can fork.
func (h *host) awaitReady(ctx context.Context) error {
	t := time.NewTimer(time.Minute)
	defer t.Stop()
	select {
	case <-h.ready:
		return nil
	case <-h.gone:
		return h.dead
	case <-t.C:
		return errors.New("the warm host was not ready after a minute")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// alive reports whether jobs can be given to the host.
func (h *host) alive() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dead == nil
}

func (h *host) idle() (bool, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.jobs) == 0, h.used
}

// close ends the host and its steps and waits for them.
func (h *host) close() {
	h.conn.Close()
	h.waiting.Wait()
}

// warmable reports whether a step's environment can be given to a process whose interpreter is running already. Variables
// that an interpreter or the loader reads when it starts cannot.
func warmable(env map[string]string) bool {
	for k := range env {
		if strings.HasPrefix(k, "PYTHON") && k != "PYTHONUNBUFFERED" || strings.HasPrefix(k, "LD_") || strings.HasPrefix(k, "DYLD_") || k == "MALLOC_ARENA_MAX" {
			return false
		}
	}
	return true
}
