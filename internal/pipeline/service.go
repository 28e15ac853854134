// Package pipeline owns runs: it accepts specifications, drives one engine per active run, asks the runner to
// execute steps, reuses earlier results, and recovers what was going on when the process died.
//
// It must not know HTTP, SQL, processes or file formats: those are behind the interfaces in ports.go. Start
// reading at Service.Submit, then actor.go.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/ir"
	"levada/internal/core/run"
)

// Options are what a service is made of.
type Options struct {
	Store  Store
	Runner Runner
	Blobs  Blobs
	Logs   Logs
	// Packages serves explanations and environments of tasks; without it they do not name packages.
	Packages Packages
	// Usage says what steps used; without it nothing was measured.
	Usage Usage
	// Needed calls yield with the digest of each content that others than this service's store need.
	Needed []func(ctx context.Context, yield func(digest string) error) error
	// Collected is called after unused content was removed, so that others give back the space of what was deleted. It may be nil.
	Collected func(ctx context.Context) error
	Logger    *slog.Logger
	// Now and NewID give the time and new UUIDs.
	Now   func() time.Time
	NewID func() string
	// Parse reads a specification; nil means ir.Parse.
	Parse func([]byte) (*ir.Pipeline, error)
	// Ended, if not nil, is told of each run that has ended, once that is on disk. It must not block.
	Ended func(run.Run)
	// Archived, if not nil, is told of each experiment that was archived.
	Archived func(ctx context.Context, experimentID string) error
	// Paused leaves unfinished runs as they are and starts none: for commands that only read.
	Paused bool
	// CacheMaxAge is how old a result may be to be reused, unless its task says otherwise; 0 means any age.
	CacheMaxAge time.Duration
	// CollectEvery is how often content that nothing needs any more is removed; 0 means only when asked.
	CollectEvery time.Duration
	// WorkspaceDir is where the workspaces of runs are made, one directory each.
	WorkspaceDir string
	// Isolation returns nil when each step gets mounts of its own, and else why not. Without it steps get none.
	Isolation func() error
	// Accelerators counts the accelerators of this machine. Without it there are none.
	Accelerators func() int
	// Cleaner removes what runs leave on the machine. Without it that stays until the runs are deleted.
	Cleaner Cleaner
}

// Service runs pipelines. Its methods may be called from any goroutine.
type Service struct {
	deps Options

	// ctx ends when the service closes; every actor and step lives within it.
	ctx    context.Context //nolint:containedctx // the lifetime of the service, not of a request
	stop   context.CancelCauseFunc
	actors sync.WaitGroup

	// collecting is held while unused content is removed; deleted says that there may be some.
	collecting sync.Mutex
	deleted    atomic.Bool
	// reviving is held by the one request that retries or deletes a run.
	reviving chan struct{}
	tidier   *tidier

	mu     sync.Mutex
	active map[string]*actor
	specs  map[string]*ir.Pipeline // by digest; bounded by maxSpecs and maxSpecBytes
	// specBytes is the length of the specs as JSON.
	specBytes int
	closed    bool
}

// The parsed specifications that are kept for later: so many, of so many bytes of JSON. Parsed they take several times that.
const (
	maxSpecs     = 64
	maxSpecBytes = 32 << 20
)

var errClosing = errors.New("the service is shutting down")

// Open returns a service that has taken up the runs an earlier process left unfinished.
func Open(ctx context.Context, o Options) (*Service, error) {
	if o.Parse == nil {
		o.Parse = ir.Parse
	}
	s := &Service{deps: o, active: map[string]*actor{}, specs: map[string]*ir.Pipeline{},
		reviving: make(chan struct{}, 1), tidier: newTidier()}
	s.ctx, s.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	if _, err := s.defaultExperiment(ctx); err != nil {
		return nil, err
	}
	if o.Paused {
		return s, nil
	}
	if err := s.recover(ctx); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	if o.Cleaner != nil {
		s.actors.Add(1)
		go s.tidy()
	}
	if o.CollectEvery > 0 {
		s.actors.Add(1)
		go s.collect(o.CollectEvery)
	}
	return s, nil
}

// recover takes up the runs an earlier process left unfinished.
func (s *Service) recover(ctx context.Context) error {
	ids, err := s.deps.Store.UnfinishedRuns(ctx)
	if err != nil {
		return fmt.Errorf("find unfinished runs: %w", err)
	}
	var actors []*actor
	var open []run.AttemptID
	for _, id := range ids {
		a := newActor(s, run.Run{ID: id}, nil, nil)
		log, err := s.readLog(ctx, id)
		if err == nil {
			err = a.restore(log)
		}
		switch {
		case err == nil:
			open = append(open, a.takeUp()...)
		case fault.KindOf(err) == fault.Unavailable:
			// The disk or the database, not the run: better no server than one that ends all steps.
			return fmt.Errorf("resume run %s: %w", id, err)
		default:
			// One unreadable run must not keep the others from going on. Its actor tries again, or gives it up.
			s.deps.Logger.Error("an unfinished run cannot be taken up at once", "run", id, "error", err)
		}
		actors = append(actors, a)
	}
	if err := s.deps.Runner.Recover(ctx, open); err != nil {
		return fmt.Errorf("clear what an earlier server left: %w", err)
	}
	for _, a := range actors {
		s.begin(a)
	}
	return nil
}

// Close stops all steps and waits until nothing of the service runs any more. Unfinished runs go on with the next Open.
// Closing twice is safe.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop(errClosing)
	done := make(chan struct{})
	go func() {
		s.actors.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close pipeline service: %w", context.Cause(ctx))
	}
}

// accepting refuses new work when none can be started.
func (s *Service) accepting() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.deps.Paused:
		return fault.Unavailablef("this process only reads the data directory; it starts no runs")
	case s.closed:
		return fault.Unavailablef("the server is shutting down; try again when it is back")
	}
	return nil
}

// begin registers an actor and starts it. When the service is closing the run, which is on disk, waits for the next one.
func (s *Service) begin(a *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.active[a.run.ID] = a
	s.actors.Add(1)
	go func() {
		defer s.actors.Done()
		a.loop(s.ctx)
		s.mu.Lock()
		delete(s.active, a.run.ID)
		s.mu.Unlock()
		s.tidier.ended(a.run.ID)
		close(a.gone)
		if s.deps.Ended != nil && a.run.State.Final() {
			s.deps.Ended(a.run)
		}
	}()
}

// Active is how many runs are going on.
func (s *Service) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.active)
}

func (s *Service) actor(runID string) *actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active[runID]
}

func (s *Service) workspace(runID string, p *ir.Pipeline) string {
	if c := p.Config(); c == nil || c.Workspace == nil {
		return ""
	}
	return filepath.Join(s.deps.WorkspaceDir, runID)
}

// mountOf says where the steps of a run find their workspace: the same path in every run, where each step has mounts of its
// own, and the directory itself elsewhere.
func (s *Service) mountOf(workspace string) string {
	if workspace == "" || s.deps.Isolation == nil || s.deps.Isolation() != nil {
		return workspace
	}
	return ir.WorkspaceMount
}
