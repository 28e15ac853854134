package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// remote has a supervisor process run orders. When that process is killed, the next order starts another.
type remote struct {
	opt      overseerOptions
	detached atomic.Bool

	mu     sync.Mutex
	link   *link
	closed bool
}

func newRemote(opt overseerOptions) *remote {
	r := &remote{opt: opt}
	if _, err := r.connect(); err != nil {
		opt.Logger.Error("the supervisor of steps could not be started; the next step tries again", "error", err)
	}
	return r
}

// link is the connection to one supervisor process.
type link struct {
	process *os.Process
	conn    *net.UnixConn
	sending sync.Mutex
	out     *json.Encoder
	ready   chan struct{} // closed when it may start steps, or cannot; then failed says why
	failed  error
	gone    chan struct{} // closed when the process has ended

	mu      sync.Mutex
	next    int64
	answers map[int64]chan message
}

// connect returns the link to the supervisor, which it starts if there is none.
func (r *remote) connect() (*link, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("shutting down")
	}
	if r.link != nil {
		select {
		case <-r.link.gone:
		default:
			return r.link, nil
		}
	}
	l, err := startSupervisor(r.opt)
	if err != nil {
		return nil, fmt.Errorf("start the supervisor of steps: %w", err)
	}
	r.link = l
	return l, nil
}

func startSupervisor(opt overseerOptions) (*link, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	l := &link{
		conn: ours, out: json.NewEncoder(ours), ready: make(chan struct{}), gone: make(chan struct{}),
		answers: make(map[int64]chan message),
	}
	if l.process, err = launchSupervisor(opt, theirs); err != nil {
		ours.Close()
		return nil, err
	}
	err = l.send(message{Op: "hello", Options: &opt})
	if err != nil {
		ours.Close() // it ends by itself
	}
	go l.read(opt) // ends with the process, which close waits for
	return l, err
}

// launchSupervisor starts this very program again, also when its file has been replaced by a newer one.
func launchSupervisor(opt overseerOptions, socket *os.File) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	path := filepath.Join(opt.DataDir, "supervisor.log")
	if st, err := os.Stat(path); err == nil && st.Size() > 1<<20 {
		_ = os.Rename(path, path+".old") // one that stays long is a nuisance, no more
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	program, err := ownProgram()
	if err != nil {
		return nil, err
	}
	return os.StartProcess(program, []string{"levada", SuperviseCommand}, &os.ProcAttr{
		Dir: "/", Env: opt.Environ, Files: []*os.File{null, log, log, socket},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
}

// socketPair returns two connected sockets that no child inherits by accident.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	unix.CloseOnExec(pair[0])
	unix.CloseOnExec(pair[1])
	near, far := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	defer near.Close()
	conn, err := net.FileConn(near)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("socketpair: %w", err), far.Close())
	}
	ours, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.Join(errors.New("socketpair: not a Unix socket"), conn.Close(), far.Close())
	}
	return ours, far, nil
}

// read handles the supervisor's messages until it ends.
func (l *link) read(opt overseerOptions) {
	in := json.NewDecoder(l.conn)
	started := false
	for {
		var m message
		if err := in.Decode(&m); err != nil {
			break
		}
		switch m.Op {
		case "ready":
			if m.Error != "" {
				l.failed = errors.New(m.Error)
			}
			started = true
			close(l.ready)
		case "hosts":
			opt.Hosts(m.Hosts)
		case "log":
			opt.Logger.Warn("from the supervisor of steps: " + strings.TrimSpace(m.Error))
		case "done":
			l.mu.Lock()
			answer := l.answers[m.ID]
			delete(l.answers, m.ID)
			l.mu.Unlock()
			if answer != nil {
				answer <- m
			}
		}
	}
	l.conn.Close()
	opt.Hosts(0)
	// Without its server it ends when its steps do; what has lost the connection while we are here is broken.
	if !started {
		l.failed = errors.New("the supervisor of steps ended before it was ready; see supervisor.log in the data directory")
		close(l.ready)
	}
	_, _ = l.process.Wait()
	close(l.gone)
}

func (l *link) send(m message) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	return l.out.Encode(m)
}

func (r *remote) ready(ctx context.Context) error {
	l, err := r.connect()
	if err != nil {
		return err
	}
	return l.awaitReady(ctx)
}

func (l *link) awaitReady(ctx context.Context) error {
	select {
	case <-l.ready:
		return l.failed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *remote) run(ctx context.Context, o *order) (record, error) {
	l, err := r.connect()
	if err != nil {
		return record{}, err
	}
	if err := l.awaitReady(ctx); err != nil {
		return record{}, err
	}
	answer := make(chan message, 1)
	l.mu.Lock()
	l.next++
	id := l.next
	l.answers[id] = answer
	l.mu.Unlock()
	if err := l.send(message{Op: "run", ID: id, Order: o}); err != nil {
		select {
		case <-l.gone: // it may have started the step all the same, if the message was whole
		case <-ctx.Done():
			return record{}, ctx.Err()
		}
		return r.bury(o)
	}
	done := ctx.Done()
	for {
		select {
		case m := <-answer:
			return m.outcome()
		case <-l.gone:
			select {
			case m := <-answer: // its last words
				return m.outcome()
			default:
			}
			return r.bury(o)
		case <-done:
			if r.detached.Load() {
				return record{}, errDetached
			}
			done = nil
			_ = l.send(message{Op: "stop", ID: id}) // one that has gone stops nothing, and is buried
		}
	}
}

func (m *message) outcome() (record, error) {
	if m.Error != "" || m.Record == nil {
		return record{}, errors.New(m.Error)
	}
	return *m.Record, nil
}

// bury finds out what has become of an order whose supervisor has gone, and ends what is left of it.
func (r *remote) bury(o *order) (record, error) {
	if r.detached.Load() {
		return record{}, errDetached
	}
	rec, _, err := readRecord(o.Root)
	if err != nil || rec.Ended {
		return rec, err
	}
	endLeftovers(o.Root, &rec, o.podUID())
	rec.Ended, rec.EndedAt, rec.Failure = true, time.Now(), lost("the process that supervised it was killed")
	return rec, nil
}

func (r *remote) detach() { r.detached.Store(true) }

// close ends the supervisor with all its steps and waits for it, or lets it go on when detached.
func (r *remote) close() {
	r.mu.Lock()
	r.closed = true
	l := r.link
	r.mu.Unlock()
	if l == nil {
		return
	}
	if r.detached.Load() {
		l.conn.Close()
		return
	}
	_ = l.send(message{Op: "end"})
	_ = l.conn.CloseWrite()
	<-l.gone
}
