package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"levada/internal/adapter/steplog"
)

// SuperviseCommand is the argument with which the server starts its own program as a supervisor of steps. It is not for people.
const SuperviseCommand = "supervise-steps"

// A supervisor is the parent of a server's steps and of their warm hosts. It takes orders over the socket that its server gave it,
// and from nobody else. When the server has gone it starts nothing more, sees what runs through to its end, writes the
// records that the next server reads, and ends. So there may be several: that of the running server, and those
// of earlier ones that have steps left. Each is the same program as its server, so the messages need no versions; what
// passes from one server to another is in the records.
//
//	server -> supervisor   {"op": "hello", "options": {...}}          once
//	                       {"op": "run", "id": 1, "order": {...}}
//	                       {"op": "stop", "id": 1}                    end a step
//	                       {"op": "end"}                              end all of them
//	supervisor -> server   {"op": "ready"}                            no other overseer starts anything any more
//	                       {"op": "done", "id": 1, "record": {...}}   or with "error", when nothing was started
//	                       {"op": "hosts", "hosts": 2}                how many warm hosts there are now
//	                       {"op": "log", "error": "..."}              for the server's log
type message struct {
	Op      string           `json:"op"`
	ID      int64            `json:"id,omitempty"`
	Options *overseerOptions `json:"options,omitempty"`
	Order   *order           `json:"order,omitempty"`
	Record  *record          `json:"record,omitempty"`
	Hosts   int              `json:"hosts,omitempty"`
	Error   string           `json:"error,omitempty"`
}

// supervisor is the loop of a supervisor process.
type supervisor struct {
	overseer *inProcess
	sending  sync.Mutex
	out      *json.Encoder
	steps    sync.WaitGroup

	mu    sync.Mutex
	stops map[int64]context.CancelFunc
	all   context.Context //nolint:containedctx // ends with "end" or a signal
	end   context.CancelFunc
}

// Supervise is the whole life of a supervisor process. It returns the exit status.
func Supervise(environ []string) int {
	if err := supervise(environ); err != nil {
		fmt.Fprintln(os.Stderr, "levada: supervise steps:", err)
		return 1
	}
	return 0
}

func supervise(environ []string) error {
	file := os.NewFile(3, "server")
	conn, err := net.FileConn(file)
	if err != nil {
		return fmt.Errorf("this command is started by the server, with a socket: %w", err)
	}
	file.Close()
	defer conn.Close()
	in := json.NewDecoder(conn)
	var hello message
	if err := in.Decode(&hello); err != nil || hello.Options == nil {
		return fmt.Errorf("the server did not say what is to be done: %w", err)
	}
	s := &supervisor{out: json.NewEncoder(conn), stops: make(map[int64]context.CancelFunc)}
	s.all, s.end = context.WithCancel(context.Background())
	defer s.end()
	opt := *hello.Options
	opt.Environ = environ
	opt.Logger = slog.New(slog.NewTextHandler(logLines{s}, nil))
	opt.Hosts = func(n int) { s.send(message{Op: "hosts", Hosts: n}) }
	opt.Logs = steplog.New(steplog.Options{Dir: opt.LogDir, Logger: opt.Logger})
	s.overseer = newInProcess(opt)
	s.overseer.children.adopt()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	go func() { // ends with the process
		<-signals
		// The machine or its service manager ends everything: what the steps end with is not their own doing.
		s.overseer.ending.Store(true)
		s.end()
	}()
	go func() { // ends with the turn
		if err := s.overseer.ready(context.Background()); err != nil {
			s.send(message{Op: "ready", Error: err.Error()})
			return
		}
		s.send(message{Op: "ready"})
	}()
	s.serve(in)
	s.overseer.stopStarting()
	s.overseer.hosts.closeIdle()
	s.steps.Wait()
	s.overseer.close()
	return nil
}

// serve follows the server's orders until the server has gone.
func (s *supervisor) serve(in *json.Decoder) {
	for {
		var m message
		if err := in.Decode(&m); err != nil {
			if !errors.Is(err, io.EOF) {
				s.overseer.opt.Logger.Error("the supervisor's connection to its server broke", "error", err)
			}
			return
		}
		switch m.Op {
		case "run":
			s.run(m)
		case "stop":
			s.mu.Lock()
			if stop := s.stops[m.ID]; stop != nil {
				stop()
			}
			s.mu.Unlock()
		case "end":
			s.end()
		}
	}
}

func (s *supervisor) run(m message) {
	ctx, stop := context.WithCancel(s.all)
	s.mu.Lock()
	s.stops[m.ID] = stop
	s.mu.Unlock()
	s.steps.Go(func() {
		rec, err := s.overseer.run(ctx, m.Order)
		stop()
		s.mu.Lock()
		delete(s.stops, m.ID)
		s.mu.Unlock()
		answer := message{Op: "done", ID: m.ID, Record: &rec}
		if err != nil {
			answer.Record, answer.Error = nil, err.Error()
		}
		s.send(answer)
	})
}

// send tells the server something. One that has gone finds it in the records.
func (s *supervisor) send(m message) {
	s.sending.Lock()
	defer s.sending.Unlock()
	_ = s.out.Encode(m)
}

// logLines sends log records to the server, and to the supervisor's own file.
type logLines struct{ s *supervisor }

func (l logLines) Write(p []byte) (int, error) {
	l.s.send(message{Op: "log", Error: string(p)})
	return os.Stderr.Write(p)
}
