package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"levada/internal/adapter/steplog"
	"levada/internal/adapter/subprocess"
	"levada/internal/core/run"
)

// overseer runs orders. There are two: inProcess, in this process, and remote, which has a supervisor process do it.
type overseer interface {
	// run sees an attempt through to its end and returns its record. When ctx is done the step is ended, unless the overseer was
	// detached: then run returns errDetached and the step goes on. The failure of a record whose result is not known is lost.
	run(ctx context.Context, o *order) (record, error)
	// ready waits until no overseer of an earlier server starts anything any more.
	ready(ctx context.Context) error
	// detach lets steps go on when run is given up or the overseer is closed.
	detach()
	// close ends everything, or after detach only the connection, and waits for it.
	close()
}

// errDetached says that a step goes on without this server.
var errDetached = errors.New("the step goes on without the server")

// inProcess starts steps as children of this process.
type inProcess struct {
	opt   overseerOptions
	self  identity
	hosts *hostPool
	// begun ends when nothing new may be started; starting counts the orders that are between the two.
	begun    context.Context //nolint:containedctx // see above
	refuse   context.CancelFunc
	mu       sync.Mutex
	starting sync.WaitGroup
	turn     *turn
	children *children
	starts   subprocess.Thread
	sessions *sessions
	// ending is set when this process was told to end from outside: then it is not the steps' doing how they end.
	ending atomic.Bool
}

// overseerOptions are what an overseer needs to know; a supervisor process gets them as JSON.
type overseerOptions struct {
	DataDir  string         `json:"data_dir"`
	LogDir   string         `json:"log_dir"`
	MaxHosts int            `json:"max_hosts"`
	Environ  []string       `json:"-"`
	Logs     *steplog.Store `json:"-"`
	Logger   *slog.Logger   `json:"-"`
	// Hosts hears how many warm hosts there are, whenever that changes.
	Hosts func(int) `json:"-"`
}

func newInProcess(opt overseerOptions) *inProcess {
	v := &inProcess{opt: opt, self: identify(os.Getpid()), turn: newTurn(opt.DataDir, opt.Logger), children: newChildren(), sessions: &sessions{}}
	v.hosts = newHostPool(opt, v.children)
	v.begun, v.refuse = context.WithCancel(context.Background())
	closeOnExec()
	return v
}

func (v *inProcess) ready(ctx context.Context) error { return v.turn.wait(ctx) }
func (v *inProcess) detach()                         {} // its steps are children of a process that ends: they cannot go on

// stopStarting refuses new orders and returns when each that was accepted has its record. From then on another overseer may start
// steps on the same directory.
func (v *inProcess) stopStarting() {
	v.mu.Lock()
	v.refuse()
	v.mu.Unlock()
	v.starting.Wait()
	v.turn.end()
}

func (v *inProcess) close() {
	v.stopStarting()
	v.hosts.close()
	v.starts.End()
}

// begin counts an order in that is about to be started.
func (v *inProcess) begin() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.begun.Err() != nil {
		return false
	}
	v.starting.Add(1)
	return true
}

func (v *inProcess) run(ctx context.Context, o *order) (record, error) {
	if err := v.turn.wait(ctx); err != nil {
		return record{}, err
	}
	if !v.begin() {
		return record{}, errors.New("shutting down")
	}
	log, err := v.opt.Logs.Open(o.Run, o.Task, o.Attempt)
	if err != nil {
		v.starting.Done()
		return record{}, err
	}
	x := &execution{
		inProcess: v, order: o, log: log, out: recordWriter{root: o.Root},
		rec: record{Boot: bootID(), Supervisor: v.self, StartedAt: time.Now(), Placed: o.Placed, Devices: o.Devices},
	}
	defer x.out.close()
	if x.mask = newMask(o.Hide); x.mask != nil {
		log.Hide(x.mask.text, x.mask.longest)
	}
	err = x.run(ctx)
	if detachErr := log.Detach(); detachErr != nil {
		v.opt.Logger.Error("a step's log is not complete", "run", o.Run, "task", o.Path, "error", detachErr)
	}
	if err != nil {
		return record{}, err
	}
	// The record is last: whoever finds it may read the log and the outputs.
	x.rec.Ended, x.rec.EndedAt = true, time.Now()
	x.save()
	return x.rec, nil
}

// execution is an order while it is carried out.
type execution struct {
	*inProcess
	order *order
	log   *steplog.Writer
	rec   record
	out   recordWriter
	mask  *mask
}

func (x *execution) save() {
	err := x.out.write(&x.rec)
	if err != nil && x.rec.Failure != nil {
		shed(layout{root: x.order.Root}, true) // maybe the step has filled the disk
		err = x.out.write(&x.rec)
	}
	if err != nil {
		x.opt.Logger.Error("the record of a step could not be written: a server that starts now would run the step again",
			"task", x.order.Path, "error", err)
	}
}

// run starts the job and sees it through to its end. An error means that nothing was started, because nothing may be.
func (x *execution) run(ctx context.Context) error {
	p, files, err := x.launch(ctx)
	if err != nil {
		var f *run.Failure
		if !errors.As(err, &f) {
			return err
		}
		x.rec.Failure = f
		return nil
	}
	defer files.close()
	end, why := x.await(ctx, p)
	x.clean(p.pid, end, files)
	if x.rec.Failure = x.judge(end, why, files); x.told(end) {
		x.rec.Failure = lost("its supervisor was told to end, and every step with it")
	}
	return nil
}

// told reports whether the step ended because everything was told to: a service manager signals all processes at once, and the step
// may be faster than its supervisor.
func (x *execution) told(end ending) bool {
	for wait := time.Duration(0); end.signal == syscall.SIGTERM && !x.ending.Load() && wait < 100*time.Millisecond; wait += time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	return x.ending.Load()
}

// launch starts the process and records it.
func (x *execution) launch(ctx context.Context) (process, *capture, error) {
	defer x.starting.Done()
	if ctx.Err() != nil {
		return process{}, nil, ctx.Err()
	}
	files, capture, err := newCapture(x.log)
	if err != nil {
		return process{}, nil, &run.Failure{Reason: run.ReasonSystem, Message: fmt.Sprintf("open the step's pipes: %v", err)}
	}
	p, err := x.start(ctx, files)
	files.close()
	if err != nil {
		capture.close()
		return process{}, nil, err
	}
	x.rec.Step = identify(p.pid)
	x.save()
	return p, capture, nil
}

// start starts the job, from a warm host where that is possible.
func (x *execution) start(ctx context.Context, files stdio) (process, error) {
	o := x.order
	x.rec.How = howExec
	if o.Interpreter != nil && len(o.Job.Module) > 0 && warmable(o.Job.Env) {
		p, err := x.fork(ctx, files)
		if err == nil {
			x.rec.How = howWarm
			return p, nil
		}
		if ctx.Err() != nil {
			return process{}, ctx.Err()
		}
		if x.begun.Err() != nil {
			return process{}, x.begun.Err()
		}
		x.rec.How = howFallback
		x.log.System("the warm host could not be used, an interpreter is started instead: %v", err)
	}
	return x.execute(&o.Job, files)
}

func (x *execution) fork(ctx context.Context, files stdio) (process, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(x.begun, cancel)()
	return x.hosts.start(ctx, x.order, files)
}

// await waits for the process and ends it when it must not go on; why is set when it was ended.
func (x *execution) await(ctx context.Context, p process) (end ending, why *run.Failure) {
	o := x.order
	watch, stop := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer stop()
	watcher.Go(func() { x.meter(watch, p.pid) })
	tooMuch := make(chan int64, 1)
	if o.Memory > 0 {
		watcher.Go(func() { subprocess.WatchMemory(watch, p.pid, o.Memory, tooMuch) })
	}
	var timeout <-chan time.Time
	if o.Timeout > 0 {
		t := time.NewTimer(o.Timeout)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case end = <-p.done:
		return end, nil
	case used := <-tooMuch:
		why = &run.Failure{Reason: run.ReasonMemory, Message: fmt.Sprintf("the step used %s of memory and its limit is %s: raise the limit "+
			"(set_memory_limit) or let it hold less at once", mebibytes(used), mebibytes(o.Memory))}
		signalStep(p.pid, syscall.SIGKILL)
		return <-p.done, why
	case <-timeout:
		why = &run.Failure{Reason: run.ReasonTimeout, Message: fmt.Sprintf("the step ran longer than its time limit of %s", o.Timeout)}
	case <-ctx.Done():
		why = stopped()
	}
	signalStep(p.pid, syscall.SIGTERM)
	t := time.NewTimer(o.Grace)
	defer t.Stop()
	select {
	case end = <-p.done:
	case <-t.C:
		x.log.System("the step did not end within %s of being asked to: it is killed", o.Grace)
		signalStep(p.pid, syscall.SIGKILL)
		end = <-p.done
	}
	return end, why
}

func stopped() *run.Failure {
	return &run.Failure{Reason: run.ReasonCanceled, Message: "the step was stopped before it ended"}
}

// clean ends what the step left running, so that nothing goes on writing, and waits for the last output. A process that left
// the session and holds the pipes is found by its environment.
func (x *execution) clean(pid int, end ending, c *capture) {
	spare := 0
	if x.order.Reuse != "" && x.rec.How == howWarm {
		spare = pid // it waits for the next step, or has ended
	} else {
		kill(pid, syscall.SIGKILL)
	}
	// Looking through all processes takes longer than a small step, and there is seldom anything to find: what a step leaves
	// is its child until it ends, and then a child of this process.
	if orphans, ok := x.children.orphans(); !ok || end.children || orphans[pid] {
		for _, p := range subprocess.OfSession(pid) {
			if p.PID != spare {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
	}
	if c.drained(time.Second) {
		return
	}
	for _, stray := range processesWith("KFP_POD_UID=" + x.order.podUID()) {
		_ = syscall.Kill(stray, syscall.SIGKILL)
	}
	if !c.drained(2 * time.Second) {
		x.log.System("something that the step started still holds its output open; what it prints from now on is not kept")
	}
}

// judge says what the ending of the process means.
func (x *execution) judge(end ending, why *run.Failure, c *capture) *run.Failure {
	switch {
	case why != nil:
		if why.Reason != run.ReasonCanceled {
			why.ExitCode = 128 + int(syscall.SIGKILL)
		}
		return why
	case end.err != nil:
		return lost(end.err.Error())
	case end.signal != 0:
		message := fmt.Sprintf("the step was killed by signal %d (%s)", int(end.signal), end.signal)
		if end.signal == syscall.SIGKILL {
			message += "; Levada did not send it, so perhaps the machine ran out of memory"
		}
		if end.signal == syscall.SIGSEGV || end.signal == syscall.SIGABRT {
			message += withDetail(x.mask.text(c.stderr.Text()))
		}
		return &run.Failure{Reason: run.ReasonKilled, Message: message, ExitCode: 128 + int(end.signal)}
	case end.code != 0:
		message := fmt.Sprintf("the step ended with exit code %d%s", end.code, withDetail(x.mask.text(c.stderr.Text())))
		return &run.Failure{Reason: run.ReasonExit, Message: message + advice(x.order.Image, x.mask.text(c.stderr.Text())), ExitCode: end.code}
	}
	return nil
}
