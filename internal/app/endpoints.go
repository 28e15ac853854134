package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"levada/internal/adapter/modelhost"
	"levada/internal/adapter/remotemodel"
	"levada/internal/adapter/requestlog"
	"levada/internal/adapter/subprocess"
	"levada/internal/adapter/tabular"
	"levada/internal/adapter/telemetry"
	"levada/internal/api/invocations"
	"levada/internal/api/oip"
	"levada/internal/api/predict"
	"levada/internal/config"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/observe"
	tables "levada/internal/core/table"
	endpoints "levada/internal/serving"
)

// openEndpoints builds the service of endpoints; only a server that serves starts workers.
func (s *server) openEndpoints(ctx context.Context, environ []string, does mode) (err error) {
	budget := int64(s.cfg.ServingMemoryMiB) << 20
	if budget == 0 {
		budget = int64(subprocess.MachineMemory() / 2)
	}
	o := endpoints.Options{
		Store: s.store, Models: s.registry, Graphs: s.store, Rollouts: s.store, Aliases: s.registry, Now: time.Now, Random: rand.Uint64, Logger: s.log, Paused: does != serving,
		MemoryBudget: budget, Monitors: monitorFindings{s.store},
	}
	scripts := &subprocess.Scripts{Dir: filepath.Join(s.cfg.DataDir, "tools")}
	host := modelhost.Options{
		Dir: filepath.Join(s.cfg.DataDir, "serving"), Scripts: scripts, Blobs: s.blobs, Envs: s.envs, Environ: environ, Logger: s.log,
		ONNX: s.onnx(),
	}
	if s.models, err = modelhost.New(host); err != nil {
		return err
	}
	s.remotes = remotemodel.New(remotemodel.Options{
		Transport: s.outbound.Transport(32), GRPC: s.outbound.HTTP2(), Secret: secretValues{s.secrets}.Value, MaxAnswer: int64(s.cfg.ServingMaxMiB) << 20,
		Encode: oip.EncodeInferRequest, Decode: oip.DecodeInferResponse,
	})
	o.Runtimes, o.Askable = runtimes{s.models, s.remotes}, s.askable
	if s.requests, err = requestlog.Open(ctx, requestlog.Options{Dir: filepath.Join(s.cfg.DataDir, "requests"), Now: time.Now, Logger: s.log}); err != nil {
		return err
	}
	o.Log, o.Tables = s.requests, lookupTables{s}
	if s.endpoints, err = endpoints.Open(ctx, o); err != nil {
		return err
	}
	s.requests.Start(requestlog.Hooks{Matched: s.endpoints.Matched, LeftOut: s.endpoints.LeftOut, Settings: s.endpoints.LogSettings})
	s.metrics.Endpoints(s.measuredEndpoints)
	s.metrics.Graphs(s.measuredGraphs)
	s.metrics.RequestLog(s.measuredLog)
	s.stopTelling = s.tellOfRequests()
	return nil
}

// askable refuses a remote that must not be reached, or whose secret is not there.
func (s *server) askable(ctx context.Context, r endpoint.Remote) error {
	if r.Secret != "" {
		if _, err := (secretValues{s.secrets}).Value(ctx, r.Secret, endpoint.SecretKey); err != nil {
			return fault.Invalidf("its secret: %w", err)
		}
	}
	return s.outbound.Reachable(ctx, r.URL)
}

// onnx says how models in the format ONNX are run: without Python where the program for it is there.
func (s *server) onnx() modelhost.ONNXOptions {
	self, _ := os.Executable() // the search path may still have it
	o := modelhost.ONNXOptions{Program: modelhost.ONNXProgram(self)}
	if o.Off = s.cfg.ONNXRuntime == config.Off; !o.Off {
		o.Library = s.cfg.ONNXRuntime
	}
	return o
}

// lookupTables are artifacts as the service of endpoints looks features up in them.
type lookupTables struct{ s *server }

// Digest is the content of an artifact.
func (l lookupTables) Digest(ctx context.Context, artifactID string) (string, error) {
	a, err := l.s.store.GetArtifact(ctx, artifactID)
	if err != nil {
		return "", err
	}
	if a.Digest == "" {
		return "", fault.Invalidf("the content of artifact %s is not held here but at %s: look up in one whose content is", a.ID, a.URI)
	}
	return a.Digest, nil
}

// OpenTable opens content as a table.
func (l lookupTables) OpenTable(ctx context.Context, digest string) (tables.Source, error) {
	files, err := l.s.blobs.Locate(ctx, digest)
	if err != nil {
		return nil, err
	}
	return tabular.OpenContent(observe.Content{Name: "lookup table", Directory: strings.HasPrefix(digest, "dir-"), Files: files}, nil)
}

// measuredLog are the figures of the log of requests for Prometheus.
func (s *server) measuredLog() []telemetry.LogFigures {
	var out []telemetry.LogFigures
	for name, f := range s.requests.Counts() {
		out = append(out, telemetry.LogFigures{Endpoint: name, Requests: map[string]int64{"logged": f.Logged, "lost": f.Lost, "failed": f.Failed}})
	}
	return out
}

// closeEndpoints lets requests for predictions finish and ends the workers.
func (s *server) closeEndpoints(ctx context.Context) []error {
	var errs []error
	if s.stopTelling != nil {
		s.stopTelling()
	}
	if s.endpoints != nil {
		errs = append(errs, s.endpoints.Close(ctx))
	}
	if s.remotes != nil {
		s.remotes.Close()
	}
	if s.requests != nil {
		errs = append(errs, s.requests.Close())
	}
	if s.models != nil {
		errs = append(errs, s.models.Close())
	}
	return errs
}

// inferenceDoors are the doors of clients that want predictions: those of the Open Inference Protocol, and those of MLflow's scoring
// server and SageMaker.
func (s *server) inferenceDoors() (inference, invoked http.Handler) {
	limit := int64(s.cfg.ServingMaxMiB) << 20
	s.bodies = predict.NewRoom(roomForBodies(limit))
	inference = s.roomy(s.metrics.Requests("oip", oip.New(oip.Options{Service: s.endpoints, Logger: s.log, Version: Version, MaxBody: limit, Room: s.bodies})))
	return inference, s.roomy(s.metrics.Requests("invocations", s.invocations("")))
}

// roomForBodies is how many bytes the large bodies that are in work may have together: a sixteenth of the machine's memory, because a body of JSON
// is held as numbers too, and once more for the worker. Four of the largest have room anywhere, with the few bytes of their frames over gRPC.
func roomForBodies(largest int64) int64 {
	return max(4*(largest+16), int64(subprocess.MachineMemory()/16))
}

// ballastBytes is what the collector of garbage is made to believe is in use while predictions are asked for: with GOGC=50 it then lets half
// of that gather beyond what it would. Each prediction leaves some 10 KiB behind and next to nothing lives on, so that collections would
// follow each other by the millisecond, and take a fifth of the processor time of a request (docs/serving.md#where-the-time-goes).
const ballastBytes = 96 << 20

// roomy lets more garbage gather from the first request on. The memory of the ballast is never written, so the system gives none for it.
func (s *server) roomy(next http.Handler) http.Handler {
	if os.Getenv("GOGC") != "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.room.Do(func() { s.ballast = make([]byte, ballastBytes) })
		next.ServeHTTP(w, r)
	})
}

func (s *server) invocations(name string) http.Handler {
	return invocations.New(invocations.Options{
		Service: s.endpoints, Logger: s.log, Version: Version, MaxBody: int64(s.cfg.ServingMaxMiB) << 20, Room: s.bodies, Endpoint: name,
	})
}

// servePorts listens on the ports that endpoints have of their own, as srv does, until the function that it returns is called.
func (s *server) servePorts(ctx context.Context, srv *http.Server) (end func(), err error) {
	ports, err := s.cfg.Ports()
	if err != nil {
		return nil, err
	}
	var running []*http.Server
	var done sync.WaitGroup
	end = func() {
		for _, own := range running {
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
			if err := own.Shutdown(limit); err != nil {
				s.log.Warn("a port of an endpoint was closed while it had requests", "error", err)
			}
			cancel()
		}
		done.Wait()
	}
	for _, p := range ports {
		var lc net.ListenConfig
		listener, err := lc.Listen(ctx, "tcp", p.Address)
		if err != nil {
			end()
			return nil, fmt.Errorf("listen on %s for endpoint %s: %w", p.Address, p.Endpoint, err)
		}
		own := &http.Server{
			Handler: guard(s.cfg, s.roomy(s.metrics.Requests("invocations", s.invocations(p.Endpoint)))), ReadHeaderTimeout: srv.ReadHeaderTimeout,
			IdleTimeout: srv.IdleTimeout, ErrorLog: srv.ErrorLog, BaseContext: srv.BaseContext,
		}
		running = append(running, own)
		done.Go(func() {
			if err := own.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				s.log.Error("a port of an endpoint is served no more", "address", p.Address, "error", err)
			}
		})
		s.log.Info("an endpoint has a port of its own", "endpoint", p.Endpoint, "address", listener.Addr())
	}
	return end, nil
}

// runtimes has the host of model workers run models for the service of endpoints, and other servers those that they serve.
type runtimes struct {
	host    *modelhost.Host
	remotes *remotemodel.Host
}

func (r runtimes) Describe(ctx context.Context, d endpoint.Deployed) (endpoint.Described, error) {
	if d.Remote != nil {
		return endpoint.Described{Platform: "remote"}, nil
	}
	return r.host.Describe(ctx, d)
}

func (r runtimes) Prepare(ctx context.Context, d endpoint.Deployed, say func(string)) (endpoints.Prepared, error) {
	if d.Remote != nil {
		return preparedRemote{r.remotes.Prepare(*d.Remote)}, nil
	}
	p, err := r.host.Prepare(ctx, d, say)
	if err != nil {
		return nil, err
	}
	return prepared{p}, nil
}

type preparedRemote struct{ *remotemodel.Prepared }

func (p preparedRemote) Start(ctx context.Context, _ endpoint.Settings) (endpoints.Worker, endpoints.Started, error) {
	w, err := p.Prepared.Start(ctx)
	if err != nil {
		return nil, endpoints.Started{}, err
	}
	return w, endpoints.Started{Runtime: "another server"}, nil
}

type prepared struct{ *modelhost.Prepared }

func (p prepared) Start(ctx context.Context, s endpoint.Settings) (endpoints.Worker, endpoints.Started, error) {
	w, said, err := p.Prepared.Start(ctx, s)
	if err != nil {
		return nil, endpoints.Started{}, err
	}
	return w, endpoints.Started{Runtime: said.Runtime(), Note: said.Note}, nil
}

// measuredEndpoints are the figures of all endpoints for Prometheus.
func (s *server) measuredEndpoints() []telemetry.EndpointFigures {
	measured := s.endpoints.Measure()
	out := make([]telemetry.EndpointFigures, len(measured))
	for i, m := range measured {
		f := telemetry.EndpointFigures{
			Endpoint: m.Endpoint, Version: m.Version, Requests: map[string]int64{}, Shadows: map[string]int64{}, Agreed: m.Agreed,
			Bounds: endpoints.Buckets, Buckets: m.Buckets[:], Seconds: m.Seconds, Batches: m.Batches, Rows: m.Rows,
			Workers: m.Workers, Queued: m.Queued, MemoryBytes: m.MemoryBytes,
		}
		for o, name := range endpoint.Outcomes {
			f.Requests[name], f.Shadows[name] = m.Requests[o], m.Shadows[o]
		}
		out[i] = f
	}
	return out
}

// measuredGraphs are the figures of all inference graphs for Prometheus.
func (s *server) measuredGraphs() []telemetry.GraphFigures {
	measured := s.endpoints.MeasureGraphs()
	out := make([]telemetry.GraphFigures, len(measured))
	for i, m := range measured {
		out[i] = telemetry.GraphFigures{Graph: m.Graph, Node: m.Node, Step: m.Step, Requests: map[string]int64{}, Bounds: endpoints.Buckets,
			Buckets: m.Buckets[:], Seconds: m.Seconds}
		for o, name := range endpoint.Outcomes {
			out[i].Requests[name] = m.Requests[o]
		}
	}
	return out
}
