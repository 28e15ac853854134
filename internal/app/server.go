package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // schedules name time zones, also on a machine that has no list of them

	"github.com/google/uuid"

	"levada/components"
	"levada/internal/adapter/blob"
	"levada/internal/adapter/bucket"
	"levada/internal/adapter/modelhost"
	"levada/internal/adapter/outbound"
	"levada/internal/adapter/pyenv"
	"levada/internal/adapter/remotemodel"
	"levada/internal/adapter/requestlog"
	"levada/internal/adapter/runner"
	"levada/internal/adapter/seal"
	"levada/internal/adapter/series"
	"levada/internal/adapter/standin"
	"levada/internal/adapter/steplog"
	"levada/internal/adapter/store"
	"levada/internal/adapter/tabular"
	"levada/internal/adapter/telemetry"
	"levada/internal/api/invocations"
	"levada/internal/api/kfp"
	"levada/internal/api/mlflow"
	"levada/internal/api/oip"
	"levada/internal/api/predict"
	v1 "levada/internal/api/v1"
	"levada/internal/changes"
	"levada/internal/cli"
	"levada/internal/config"
	"levada/internal/core/cachekey"
	"levada/internal/core/change"
	"levada/internal/core/monitor"
	"levada/internal/core/run"
	"levada/internal/dataset"
	"levada/internal/lineage"
	"levada/internal/pipeline"
	"levada/internal/registry"
	"levada/internal/secret"
	endpoints "levada/internal/serving"
	"levada/internal/tracing"
	"levada/internal/tracking"
	"levada/internal/trigger"
	"levada/internal/web"
	"levada/internal/webhook"
)

// closing bounds how long a shutdown waits for steps to end and requests to finish.
const closing = 30 * time.Second

// collectEvery is how often content that deleted runs left behind is removed.
const collectEvery = time.Hour

// builder makes servers out of a configuration.
type builder struct {
	environ []string
	stderr  io.Writer
	// users is the data directory whose Python environments are used; empty means that of the server.
	users string
}

// mode says what a server does by itself.
type mode int

const (
	reading mode = iota // nothing: it leaves unfinished runs to the next server
	running             // it goes on with unfinished runs
	serving             // it also follows the schedules of recurring runs, and its steps can outlive it
)

// openOptions say what a server is for.
type openOptions struct {
	does mode
	// ephemeral servers may lose everything when the machine stops: their directory is temporary.
	ephemeral bool
	// standIns is a directory in which canned outputs of steps are prepared; without it every step runs.
	standIns string
}

// server is everything that works on one data directory.
type server struct {
	cfg     config.Config
	log     *slog.Logger
	lock    *os.File
	changes *changes.Feed
	store   *store.Store
	blobs   *blob.Store
	buckets *bucket.Buckets
	envs    *pyenv.Provider
	runner  *runner.Runner
	stands  *standin.Steps // nil unless steps may be replaced
	service *pipeline.Service
	series  *series.Store
	// stopDelivery ends the delivery of metrics and waits for it.
	stopDelivery func()
	tracking     *tracking.Service
	tracing      *tracing.Service
	registry     *registry.Service
	webhooks     *webhook.Service
	outbound     *outbound.Sender
	// stopWebhooks ends the delivery to webhooks and waits for it; nil when nothing is delivered.
	stopWebhooks func()
	secrets      *secret.Service
	trigger      *trigger.Service
	readers      *tableReaders
	dataset      *dataset.Service
	events       *trigger.Events
	models       *modelhost.Host
	remotes      *remotemodel.Host
	room         sync.Once
	ballast      []byte // kept by being here
	bodies       *predict.Room
	endpoints    *endpoints.Service
	requests     *requestlog.Log
	// served is closed once endpoints can be asked.
	served chan struct{}
	// stopTelling ends telling of requests to endpoints and waits for it.
	stopTelling func()
	monitors    *monitor.Parts
	metrics     *telemetry.Metrics
	disk        *diskMeter
	handler     http.Handler
	started     time.Time
	url         atomic.Value // string, once it listens
	ready       atomic.Bool
}

// modeOf is how lightweight Python components are executed.
func modeOf(cfg config.Config) runner.Mode {
	if cfg.WarmPython {
		return runner.Warm
	}
	return runner.Exec
}

// open builds a server. What was opened before a failure is closed again.
func (b builder) open(ctx context.Context, cfg config.Config, o openOptions) (_ *server, err error) {
	s := &server{cfg: cfg, log: b.logger(cfg), started: time.Now(), changes: changes.New(time.Now), buckets: bucket.New(b.environ), served: make(chan struct{})}
	s.url.Store("")
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
		}
	}()
	if s.lock, err = patiently(ctx, lockPatience, held, func() (*os.File, error) { return lockDirectory(cfg.DataDir) }); err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(cfg.DataDir, name) }
	if s.store, err = store.Open(ctx, store.Options{Path: in("levada.db"), Logger: s.log, Ephemeral: o.ephemeral, Changes: s.changes}); err != nil {
		return nil, err
	}
	if s.blobs, err = blob.Open(in("blobs"), blob.Options{Logger: s.log, Ephemeral: o.ephemeral}); err != nil {
		return nil, err
	}
	if err = s.openTracking(); err != nil {
		return nil, err
	}
	// What steps print and make is nobody else's business, also where the data directory itself is open to others.
	for _, dir := range []string{in("logs"), in("work")} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil {
			return nil, err
		}
	}
	logs := steplog.New(steplog.Options{Dir: in("logs"), Logger: s.log})
	s.envs = b.environments(cfg, s.log)
	box := seal.New(in("secret.key"))
	s.secrets = secret.New(s.store, box, time.Now)
	if err := s.openWebhooks(box, o.does); err != nil {
		return nil, err
	}
	commands, err := linkCommand(in("tools"))
	if err != nil {
		return nil, err
	}
	s.runner = runner.New(runner.Options{
		DataDir: cfg.DataDir, Envs: s.envs, Blobs: s.blobs, Logs: logs, Logger: s.log, Mode: modeOf(cfg),
		MaxParallel: cfg.MaxParallel, Environ: b.environ, NoIsolation: !cfg.Isolation, TrackingURL: s.address, Commands: commands,
		Secrets: s.secrets, Task: s.store.GetTask, Buckets: s.buckets, Endpoints: endpointTables{s},
		Supervised: o.does == serving && runtime.GOOS == "linux",
	})
	if err := s.openServices(ctx, o, logs); err != nil {
		return nil, err
	}
	if err := s.openEndpoints(ctx, b.environ, o.does); err != nil {
		return nil, err
	}
	close(s.served)
	s.metrics.Read(append(s.readings(), s.webhookReadings()...)...)
	s.metrics.Watch(s.dataSeries()...)
	s.disk = newDiskMeter(cfg.DataDir, time.Now, s.tellSystem, func(ctx context.Context) (run.Swept, run.CachePruned, error) {
		return health{s, nil}.freeable(ctx)
	})
	s.handler = s.routes()
	s.ready.Store(true)
	return s, nil
}

// tellSystem tells that the figures of the system have changed.
func (s *server) tellSystem() {
	var changed change.Set
	changed.Add(change.System, "")
	s.changes.Publish(&changed)
}

// openServices opens the services over the adapters that are open.
func (s *server) openServices(ctx context.Context, o openOptions, logs *steplog.Store) (err error) {
	maxAge := time.Duration(0)
	if s.cfg.CacheMaxAge != "" {
		if maxAge, err = cachekey.ParseAge(s.cfg.CacheMaxAge); err != nil {
			return err
		}
	}
	var steps pipeline.Runner = s.runner
	if o.standIns != "" {
		s.stands = standin.New(s.blobs, o.standIns)
		steps = rehearsing{s.runner, s.stands}
	}
	s.metrics = telemetry.New(Version, runtime.Version())
	ended, endedToo := make(chan struct{}, 1), make(chan struct{}, 1)
	s.service, err = pipeline.Open(ctx, pipeline.Options{
		Store: measuredStore{s.metrics.Measure(s.store), restOfStore{s.store}}, Runner: steps, Blobs: s.blobs, Logs: logs, Usage: logs, Logger: s.log,
		Packages: s.envs, CacheMaxAge: maxAge, CollectEvery: collectEvery,
		Now: time.Now, NewID: uuid.NewString, Paused: o.does == reading, WorkspaceDir: filepath.Join(s.cfg.DataDir, "workspaces"),
		Isolation: s.runner.Isolation, Accelerators: s.runner.Accelerators, Cleaner: s.runner,
		Ended: func(run.Run) {
			for _, signal := range []chan struct{}{ended, endedToo} {
				select {
				case signal <- struct{}{}:
				default:
				}
			}
		},
		Needed:    []func(context.Context, func(string) error) error{s.store.Tracking().Digests, s.store.DeployedDigests},
		Collected: s.collected,
		Archived: func(ctx context.Context, experimentID string) error {
			return s.trigger.DisableExperiment(ctx, experimentID)
		},
	})
	if err != nil {
		return err
	}
	s.trigger, err = trigger.Open(ctx, trigger.Options{
		Store: s.store, Runs: s.service, Pipelines: s.service, Changed: s.changedOutside(), Known: known{s}, Logger: s.log, Now: time.Now,
		NewID: uuid.NewString, Ended: ended, Paused: o.does != serving,
	})
	if err != nil {
		return err
	}
	if s.monitors, err = monitor.Load(components.Data); err != nil {
		return err
	}
	s.events, err = trigger.OpenEvents(ctx, trigger.EventOptions{
		Store: s.store.Triggers(), Runs: s.service, Files: places{buckets: s.buckets}, Metrics: metricValues{s.store.Tracking(), s.series},
		Secrets: secretValues{s.secrets}, Notify: notifier{s.outbound, secretValues{s.secrets}}, Known: known{s}, Logger: s.log, Now: time.Now, NewID: uuid.NewString, Ended: endedToo, Paused: o.does != serving,
	})
	if err != nil {
		return err
	}
	return s.openDataset(o)
}

// close ends everything in the reverse order of open.
func (s *server) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closing)
	defer cancel()
	s.ready.Store(false)
	if s.disk != nil {
		s.disk.close()
	}
	errs := s.closeEndpoints(ctx)
	if s.events != nil {
		errs = append(errs, s.events.Close(ctx))
	}
	if s.trigger != nil {
		errs = append(errs, s.trigger.Close(ctx))
	}
	if s.dataset != nil {
		s.dataset.Close()
	}
	if s.readers != nil {
		s.readers.close()
	}
	if s.service != nil {
		errs = append(errs, s.service.Close(ctx))
	}
	if s.runner != nil {
		errs = append(errs, s.runner.Close(ctx))
	}
	if s.envs != nil {
		s.envs.Close()
	}
	if s.stopWebhooks != nil {
		s.stopWebhooks()
	}
	if s.stopDelivery != nil {
		s.stopDelivery()
	}
	if s.series != nil {
		errs = append(errs, s.series.Close())
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mount := func(pattern, door string, h http.Handler) { mux.Handle(pattern, s.metrics.Requests(door, h)) }
	mount(v1.Prefix+"/", "v1", v1.NewHandler(v1.Options{
		Service: s.service, Schedules: s.trigger, Backfills: s.trigger, Triggers: s.events, Declared: s.declared(), Environments: environmentList{s.envs}, Secrets: s.secrets, Log: s.log, Info: s.info,
		Models: origins{s.tracking, s.registry, modelSources{s.tracking}.Files}, Tracking: s.tracking, Registry: s.registry,
		Tracked: s.tracking, Registered: s.registry, Across: across{s.service, s.trigger, s.events, s.tracking, s.registry}, Changes: s.changes,
		Sources: sources{s.tracking, s.service}, Tables: tabular.New(), Data: s.dataset, Lineage: lineage.New(s.store.Lineage()), Python: pythonComponent,
		System: health{s, s.disk}, Endpoints: s.endpoints, Graphs: s.endpoints, Rollouts: s.endpoints, Requests: tellingOfTruth{s.endpoints, s.changes},
	}))
	mount("/apis/", "kfp", kfp.NewHandler(kfp.Options{Service: s.service, Recurring: s.trigger, Logger: s.log, Version: Version}))
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			answer(w, http.StatusServiceUnavailable, "not ready: starting or shutting down")
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mount("/", "web", web.Handler())
	tracked := s.metrics.Requests("mlflow", mlflow.New(mlflow.Options{
		Tracking: s.tracking, Registry: s.registry, Tracing: s.tracing, Webhooks: s.webhooks, Logger: s.log,
	}))
	inference, invoked := s.inferenceDoors()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; { // not through the mux, which cleans paths
		case oip.Owns(path):
			inference.ServeHTTP(w, r)
		case invocations.Owns(path):
			invoked.ServeHTTP(w, r)
		case mlflow.Owns(path):
			tracked.ServeHTTP(w, r)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}

func (s *server) info() v1.Info {
	return v1.Info{
		Version: Version, Commit: commit(), Go: runtime.Version(), DataDir: s.cfg.DataDir, StartedAt: s.started.UTC(), URL: s.address(),
	}
}

// address is the URL that the server listens on; empty when it does not.
func (s *server) address() string {
	url, _ := s.url.Load().(string)
	return url
}

// serve listens until ctx is done, then lets requests finish and closes everything.
func (b builder) serve(ctx context.Context, cfg config.Config, ready func(url string)) (err error) {
	// The port comes first: when it is taken, nothing else needs to start.
	var lc net.ListenConfig
	listener, err := patiently(ctx, portPatience, taken, func() (net.Listener, error) { return lc.Listen(ctx, "tcp", cfg.Listen) })
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	defer listener.Close()
	if os.Getenv("GOGC") == "" {
		// What searches keep makes most of the memory, and collecting twice as often costs a few percent of a busy processor.
		debug.SetGCPercent(50)
	}
	s, err := b.open(ctx, cfg, openOptions{does: serving})
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	s.url.Store(url)
	// Streams end with the server: they hang on base, which ends before Shutdown waits for requests.
	base, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	srv := &http.Server{
		Handler: guard(cfg, s.handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), BaseContext: func(net.Listener) context.Context { return base },
	}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true) // gRPC clients of served models
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	endPorts, err := s.servePorts(ctx, srv)
	if err != nil {
		return errors.Join(err, srv.Close(), s.close(context.WithoutCancel(ctx)))
	}
	ready(url)
	select {
	case err = <-failed:
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errTerminated) {
			s.runner.Detach()
			if n := s.runner.Stats().Running; n > 0 {
				s.log.Info("running steps go on without the server; the next start takes them up", "steps", n)
			}
		}
		s.log.Info("shutting down")
		s.ready.Store(false)
		endStreams()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
		err = srv.Shutdown(limit)
		if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	endPorts()
	return errors.Join(err, s.close(context.WithoutCancel(ctx)))
}

// openLocal starts the engine for one command, without a listener.
func (b builder) openLocal(ctx context.Context, cfg config.Config) (cli.Local, error) {
	return b.local(ctx, cfg, running)
}

// look opens a data directory for a command that only reads.
func (b builder) look(ctx context.Context, cfg config.Config) (cli.Local, error) {
	return b.local(ctx, cfg, reading)
}

func (b builder) local(ctx context.Context, cfg config.Config, does mode) (cli.Local, error) {
	s, err := b.open(ctx, cfg, openOptions{does: does})
	if err != nil {
		return cli.Local{}, err
	}
	return cli.Local{Handler: s.handler, Close: s.close}, nil
}

// openDatabase opens and closes the database, for checks.
func (b builder) openDatabase(ctx context.Context, cfg config.Config) error {
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(cfg.DataDir, "levada.db")})
	if err != nil {
		return err
	}
	return st.Close()
}

// isolation says why steps on this machine cannot have mounts of their own, if they cannot.
func (builder) isolation(cfg config.Config) error {
	if !cfg.Isolation {
		return runner.ErrNoIsolation
	}
	dir, err := os.MkdirTemp("", "levada-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return runner.ProbeIsolation(dir)
}

func (b builder) logger(cfg config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(b.stderr, opts))
	}
	return slog.New(slog.NewTextHandler(b.stderr, opts))
}
