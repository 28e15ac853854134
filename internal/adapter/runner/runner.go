// Package runner executes steps as processes on this machine.
//
// It prepares a working directory, makes the step's inputs appear as local files, runs the step in its Python environment
// with its output captured, and stores what it produced by content. A lightweight Python component is forked from a
// warm host, a process that has the imports done; everything else is started as written.
//
// The package knows steps, not runs: no engine, no cache, no storage but the Blobs it is given. Start reading at
// Runner.Run.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/adapter/pyenv"
	"levada/internal/adapter/steplog"
	"levada/internal/adapter/subprocess"
	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// Mode says how recognised Python components are executed.
type Mode string

// The modes.
const (
	// Warm forks them from a process that has the imports done.
	Warm Mode = "warm"
	// Exec starts an interpreter for each.
	Exec Mode = "exec"
)

// Blobs stores content by digest.
type Blobs interface {
	// Add stores a file or directory and leaves it in place, though its files may be read-only from then on.
	Add(ctx context.Context, path string) (run.BlobInfo, error)
	// Materialise makes the content appear at dest, as read-only files.
	Materialise(ctx context.Context, digest, dest string) error
}

// Buckets brings what is in buckets of S3 to this machine.
type Buckets interface {
	// Configured reports whether the environment of the server says how buckets are read.
	Configured() bool
	// Fetch brings what an address s3://BUCKET/KEY means to dest: a file, or a directory. What is not there is a NotFound error, what can
	// never be brought an Invalid one.
	Fetch(ctx context.Context, address, dest string) (run.Fetched, error)
}

// Options configure a Runner. DataDir, Envs, Blobs, Logs and Environ are required.
type Options struct {
	// DataDir is the data directory; the runner uses work/, volumes/ and tools/ in it.
	DataDir string
	Envs    *pyenv.Provider
	Blobs   Blobs
	Logs    *steplog.Store
	// Task finds a task, so that an importer understands a path that a step of it saw. Without it such paths are not understood.
	Task func(ctx context.Context, runID, taskID string) (run.Task, error)
	// Endpoints has what endpoints were asked and what their models learned from; without it an importer does not understand their
	// addresses.
	Endpoints Endpoints
	// Secrets gives secrets and config maps; without it there are none.
	Secrets Secrets
	// Buckets brings what importers name in buckets. Without it, and where it is not configured, they only refer to that.
	Buckets Buckets
	// Environ is the environment of the server process, of which steps see a small part.
	Environ []string
	// Commands is a directory of programs that steps find after those of their own PATH; empty means none.
	Commands string
	// TrackingURL returns where steps reach this server with MLflow's client; nil or an empty answer means nowhere.
	TrackingURL func() string
	// Mode is Warm by default.
	Mode   Mode
	Logger *slog.Logger
	Clock  func() time.Time
	// Grace is how long a step may take to end after SIGTERM. Default 10 s.
	Grace time.Duration
	// KeepFailed is how many working directories of failed steps are kept. Default 20; negative keeps none.
	KeepFailed int
	// MaxParallel is the most steps that run at once. Default: two per core, and at least 8.
	MaxParallel int
	// Cores and Memory (bytes) are what the steps that declare a need may use together. Default: the machine's.
	Cores  float64
	Memory float64
	// NoIsolation lets all steps see the machine's own /tmp and mounts nothing for them.
	NoIsolation bool
	// MaxHosts is how many warm hosts are kept at once. Default 8.
	MaxHosts int
	// Supervised has a process of its own start the steps, one that goes on when this one ends. The program must call Supervise
	// when it is started with SuperviseCommand. Without it steps end with this process.
	Supervised bool
}

// Runner executes steps. It is safe for concurrent use.
type Runner struct {
	opt      Options
	gate     *gate
	light    chan struct{} // see Reserve
	overseer overseer
	scripts  subprocess.Scripts

	ctx      context.Context //nolint:containedctx // ends every step when the runner is closed
	cancel   context.CancelFunc
	detached atomic.Bool
	mu       sync.Mutex
	closed   bool
	// awaited are the attempts of an earlier server that run and have a place on the machine, until Run takes them up and knows what
	// they need.
	awaited map[string]bool
	// unsettled are the attempts that have ended and whose directories are still there; true for those to be kept.
	unsettled map[string]bool
	steps     sync.WaitGroup
	settles   sync.WaitGroup
	stats     counters
	failed    keptDirs

	isolation isolation
	devices   *devices
}

// Stats counts what the runner has done since it was made.
type Stats struct {
	// Warm and Executed count the steps by how they were started.
	Warm, Executed int64
	// Fallbacks counts the steps that were executed because their warm host could not be used.
	Fallbacks int64
	// Adopted counts the steps that an earlier server had started, Lost those whose result nobody knows.
	Adopted, Lost int64
	// Running and Waiting count the steps of this moment.
	Running, Waiting int
	// Hosts counts the warm hosts of this moment.
	Hosts int
}

type counters struct{ warm, executed, fallbacks, adopted, lost, hosts atomic.Int64 }

// New returns a runner.
func New(opt Options) *Runner {
	opt.setDefaults()
	if abs, err := filepath.Abs(opt.DataDir); err == nil {
		opt.DataDir = abs // steps get these paths and have another working directory
	}
	r := &Runner{
		opt: opt, devices: findDevices("/dev"), unsettled: make(map[string]bool), awaited: make(map[string]bool),
		scripts: subprocess.Scripts{Dir: filepath.Join(opt.DataDir, "tools")}, light: make(chan struct{}, maxLight),
	}
	r.gate = newGate(share{float64(opt.MaxParallel), opt.Cores, opt.Memory, float64(r.devices.count())})
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.failed = keptDirs{limit: opt.KeepFailed}
	to := overseerOptions{
		DataDir: opt.DataDir, LogDir: opt.Logs.Dir(), MaxHosts: opt.MaxHosts, Environ: opt.Environ, Logs: opt.Logs, Logger: opt.Logger,
		Hosts: func(n int) { r.stats.hosts.Store(int64(n)) },
	}
	if opt.Supervised {
		r.overseer = newRemote(to)
	} else {
		r.overseer = newInProcess(to)
	}
	return r
}

func (opt *Options) setDefaults() {
	if opt.Mode == "" {
		opt.Mode = Warm
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Grace <= 0 {
		opt.Grace = 10 * time.Second
	}
	if opt.KeepFailed == 0 {
		opt.KeepFailed = 20
	}
	if opt.Cores <= 0 {
		opt.Cores = float64(runtime.NumCPU())
	}
	if opt.MaxParallel <= 0 {
		opt.MaxParallel = max(8, 2*runtime.NumCPU())
	}
	if opt.Memory <= 0 {
		opt.Memory = subprocess.MachineMemory()
	}
	if opt.MaxHosts <= 0 {
		opt.MaxHosts = 8
	}
}

// Detach lets the steps go on without this process, where there is a supervisor for them: a Run whose context is done from now on
// leaves its step alone, and so does Close.
func (r *Runner) Detach() {
	if r.opt.Supervised {
		r.detached.Store(true)
		r.overseer.detach()
	}
}

// Close ends every step and host, unless they are detached, and waits for them, at most until ctx is done.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	done := make(chan struct{})
	go func() {
		r.steps.Wait()
		r.overseer.close()
		r.settles.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("some steps have not ended yet: %w", ctx.Err())
	}
}

// Stats returns the counters.
func (r *Runner) Stats() Stats {
	running, waiting := r.gate.counts()
	return Stats{
		Warm: r.stats.warm.Load(), Executed: r.stats.executed.Load(), Fallbacks: r.stats.fallbacks.Load(),
		Adopted: r.stats.adopted.Load(), Lost: r.stats.lost.Load(),
		Running: running, Waiting: waiting, Hosts: int(r.stats.hosts.Load()),
	}
}

// MaxParallel is how many steps may run at once.
func (r *Runner) MaxParallel() int { return r.opt.MaxParallel }

// Environment returns the digest of what the step will run in, building it if need be. What the build prints is in
// the log of the step's attempt.
func (r *Runner) Environment(ctx context.Context, s *run.Step) (run.Environment, error) {
	if s.Executor == nil || s.Executor.Container == nil || isVolumeStub(s.Executor.Container.Image) {
		return run.Environment{}, nil
	}
	if err := r.begin(); err != nil {
		return run.Environment{}, err
	}
	defer r.steps.Done()
	l, err := r.layout(s)
	if err != nil {
		return run.Environment{}, err
	}
	in, err := l.executorInput(s)
	if err != nil {
		return run.Environment{}, err
	}
	c, err := ir.ResolveContainer(s.Executor.Container, in, placeholders(s))
	if err != nil {
		return run.Environment{}, &run.Failure{Reason: run.ReasonInput, Message: err.Error()}
	}
	plan, err := r.opt.Envs.Plan(ctx, c.Image, c.Command, c.Args)
	if err != nil {
		return run.Environment{}, environmentFailure(err)
	}
	env, err := r.prepare(ctx, s, plan)
	if err != nil {
		return run.Environment{}, err
	}
	given, err := r.gather(ctx, s.Kubernetes)
	if err != nil {
		return run.Environment{}, err
	}
	secrets, err := r.fingerprint(given)
	return run.Environment{Digest: env.Digest, Secrets: secrets}, err // the image is a part of the key by itself
}

// prepare makes the environment of a plan before the attempt runs; what the build says is in the log.
func (r *Runner) prepare(ctx context.Context, s *run.Step, plan pyenv.Plan) (*pyenv.Environment, error) {
	log := r.newLog(s)
	defer log.handOver()
	built := r.opt.Envs.Built(plan.Spec)
	env, err := r.ensure(ctx, plan, log)
	if err != nil && !built {
		log.System("%s", err)
	}
	return env, err
}

func (r *Runner) ensure(ctx context.Context, plan pyenv.Plan, log *attemptLog) (*pyenv.Environment, error) {
	env, err := r.opt.Envs.Ensure(ctx, plan.Spec, func(line string) { log.System("%s", line) })
	if err != nil {
		return nil, environmentFailure(err)
	}
	return env, nil
}

func environmentFailure(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &run.Failure{Reason: run.ReasonEnvironment, Message: err.Error()}
}

// begin counts a step in, unless the runner is closed.
func (r *Runner) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fault.Unavailablef("the runner is shutting down")
	}
	r.steps.Add(1)
	return nil
}

// Run executes a step, stores its outputs and returns them. The error is a *run.Failure. An attempt that an earlier process started is
// not started again: Run waits for it, or takes the result it left. What it needs for that stays until Settle.
func (r *Runner) Run(ctx context.Context, s *run.Step) (run.Values, error) {
	if err := r.begin(); err != nil {
		return run.Values{}, &run.Failure{Reason: run.ReasonSystem, Message: err.Error()}
	}
	defer r.steps.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	l, err := r.layout(s)
	if err != nil {
		return run.Values{}, asFailure(ctx, err)
	}
	defer r.unhold(l.root)
	log := r.newLog(s)
	out, err := r.execute(ctx, s, l, log)
	if errors.Is(err, errDetached) {
		log.handOver()
		return run.Values{}, stopped()
	}
	failure := asFailure(ctx, err)
	if failure != nil {
		log.System("%s: %s", failure.Reason, failure.Message)
	}
	r.forgetSecrets(l, s)
	r.leave(l, failure, log)
	log.close()
	if failure != nil {
		return run.Values{}, failure
	}
	return out, nil
}

func (r *Runner) execute(ctx context.Context, s *run.Step, l layout, log *attemptLog) (run.Values, error) {
	switch {
	case s.Executor == nil:
		return run.Values{}, unsupported("task %s has no executor", s.TaskPath)
	case s.Executor.Importer != nil:
		return r.importArtifact(ctx, s, log)
	case s.Executor.Container == nil:
		return run.Values{}, unsupported("task %s: only container and importer executors can run here", s.TaskPath)
	case isVolumeStub(s.Executor.Container.Image):
		return r.volume(s, log)
	}
	return r.container(ctx, s, l, log)
}

func unsupported(format string, args ...any) error {
	return &run.Failure{Reason: run.ReasonUnsupported, Message: fmt.Sprintf(format, args...)}
}

// asFailure gives every error a reason.
func asFailure(ctx context.Context, err error) *run.Failure {
	var f *run.Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case ctx.Err() != nil:
		return stopped()
	}
	return &run.Failure{Reason: run.ReasonSystem, Message: err.Error()}
}
