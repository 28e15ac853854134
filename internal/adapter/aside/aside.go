// Package aside has work done in another process of this program, which gives way to everything else on the machine.
//
// The process takes requests as lines of JSON and answers each with one. It has the lowest priority and a bound of memory, is the first
// that the kernel ends when memory is short, and ends with the process that started it, however that ends: so whatever is read in it, however
// hostile, slows and harms nobody. The package does not know what the work is. Start reading at Process.Do; Serve is the other side.
package aside

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"levada/internal/core/fault"
)

// Options say how the other process is started.
type Options struct {
	// Command and Args start it; it must call Serve. The environment is empty but for what Serve needs and Environ.
	Command string
	Args    []string
	Environ []string
	// Memory bounds what it takes, in bytes.
	Memory int64
	// Processor bounds the processor time that a request takes; 0 is no bound. It is held to on Linux. Time on the clock would say little: the
	// process waits for all others.
	Processor time.Duration
	// Idle is how long it stays without work. The default is 10 s.
	Idle time.Duration
}

// Process does one request at a time. It is started when there is one, and again when it has died. Its methods may be called from any
// goroutine.
type Process struct {
	o    Options
	turn chan struct{}

	mu    sync.Mutex // guards what follows; turn is held to use it
	child *child
	idle  *time.Timer
}

// child is a process that runs.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	last *beginning
}

// New returns a Process that is not started yet.
func New(o Options) *Process {
	if o.Idle <= 0 {
		o.Idle = 10 * time.Second
	}
	return &Process{o: o, turn: make(chan struct{}, 1)}
}

// ErrDied is wrapped by the errors that say that the process ended before it answered. Its cause may be the request or not.
var ErrDied = errors.New("the process that reads it has ended")

// answer is what comes back for a request.
type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	Kind   fault.Kind      `json:"kind,omitempty"`
	// Last says that the process ends after it.
	Last bool `json:"last,omitempty"`
}

// Do has a request done, after those that were there before, and returns the result as JSON. When ctx ends the process is ended. Errors of
// the work keep their kind.
func (p *Process) Do(ctx context.Context, request any) (json.RawMessage, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := p.begin()
	if err != nil {
		return nil, fault.Unavailablef("start a process to read tables in: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })
	a, err := c.ask(line)
	if !stop() || err != nil {
		p.drop(c)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %s", ErrDied, c.last.why(c.cmd.ProcessState))
	}
	if a.Last {
		p.drop(c)
	} else {
		p.rest(c)
	}
	if a.Error != "" {
		return nil, &fault.Error{Kind: a.Kind, Message: a.Error}
	}
	return a.Result, nil
}

// ask sends a line and reads the answer.
func (c *child) ask(line []byte) (answer, error) {
	var a answer
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return a, err
	}
	text, err := c.out.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(text, &a)
}

// begin returns the process, started if need be.
func (p *Process) begin() (*child, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
	if p.child != nil {
		return p.child, nil
	}
	cmd := exec.Command(p.o.Command, p.o.Args...) //nolint:noctx // it lives on between requests
	cmd.Args[0] = filepath.Base(os.Args[0])       // not the name by which a program finds itself
	cmd.Dir = os.TempDir()
	cmd.Env = append([]string{memoryVariable + "=" + strconv.FormatInt(p.o.Memory, 10), processorVariable + "=" + p.o.Processor.String()}, p.o.Environ...)
	cmd.SysProcAttr = apart()
	last := &beginning{}
	cmd.Stderr = last
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.child = &child{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<16), last: last}
	return p.child, nil
}

// rest ends the process when there is nothing for it to do for a while: memory that it holds is of use to others.
func (p *Process) rest(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child == c {
		p.idle = time.AfterFunc(p.o.Idle, func() {
			select {
			case p.turn <- struct{}{}: // nobody uses it
				p.drop(c)
				<-p.turn
			default:
			}
		})
	}
}

// drop ends the process and waits for it.
func (p *Process) drop(c *child) {
	p.mu.Lock()
	mine := p.child == c
	if mine {
		p.child = nil
	}
	p.mu.Unlock()
	if !mine {
		return
	}
	_ = c.in.Close()
	_ = c.cmd.Process.Kill() // it may have ended already
	_ = c.cmd.Wait()         // its status is told by what it printed
}

// Close ends the process, also in the middle of a request.
func (p *Process) Close() {
	p.mu.Lock()
	c := p.child
	if p.idle != nil {
		p.idle.Stop()
	}
	p.mu.Unlock()
	if c != nil {
		_ = c.cmd.Process.Kill() // it may have ended already; who waits for its answer drops it
	}
	p.turn <- struct{}{}
	if c != nil {
		p.drop(c)
	}
	<-p.turn
}

// beginning keeps the beginning of what a process printed as errors: a Go program that dies says why in its first lines.
type beginning struct {
	mu   sync.Mutex
	text []byte
}

const mostBeginning = 4 << 10

// Write keeps what there is room for.
func (b *beginning) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, text[:min(len(text), mostBeginning-len(b.text))]...)
	return len(text), nil
}

// why says in a line how a process ended.
func (b *beginning) why(state *os.ProcessState) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	how := "it is gone"
	if state != nil {
		how = state.String()
	}
	if line, _, _ := bytes.Cut(bytes.TrimSpace(b.text), []byte("\n")); len(line) > 0 {
		return how + ": " + fault.Shorten(string(line), 200)
	}
	return how
}
